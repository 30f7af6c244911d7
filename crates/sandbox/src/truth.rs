//! What each channel really brought: the effects that decided the deals.

use std::fmt;

/// One channel's planted effect.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effect {
    /// The channel.
    pub channel: &'static str,
    /// β in: logit of winning = base + Σ β·ln(1 + touches).
    pub beta: f64,
    /// Expected revenue that would not have been won without the channel, in minor units of the reporting currency.
    pub incremental_minor: i64,
    /// Of the sum over all channels.
    pub share: f64,
}

/// The effects of all channels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Truth {
    /// By channel, in the order of the world.
    pub effects: Vec<Effect>,
}

/// Channels and their effects; display has none.
pub(crate) const CHANNELS: [(&str, f64); 12] = [
    ("ae_meeting", 1.30),
    ("webinar", 0.65),
    ("event", 0.65),
    ("organic_search", 0.30),
    ("partner", 0.80),
    ("sdr", 0.35),
    ("paid_search", 0.30),
    ("retargeting", 0.45),
    ("email", 0.15),
    ("paid_social", 0.10),
    ("direct", 0.02),
    ("display", 0.0),
];

/// The logit of winning with no touch at all.
pub(crate) const BASE: f64 = -4.2;

/// The probability of winning after so many touches by channel.
pub(crate) fn win_probability(counts: &[u32; 12]) -> f64 {
    let logit: f64 = BASE
        + counts.iter().zip(CHANNELS).map(|(count, (_, beta))| beta * f64::from(*count).ln_1p()).sum::<f64>();
    1.0 / (1.0 + (-logit).exp())
}

impl Truth {
    /// Computes the truth from each deal's counts and amount.
    pub(crate) fn of(deals: &[([u32; 12], i64)]) -> Self {
        let mut lost = [0.0; 12];
        for (counts, amount) in deals {
            let whole = win_probability(counts);
            for (channel, lost) in lost.iter_mut().enumerate() {
                let mut without = *counts;
                without[channel] = 0;
                *lost += (whole - win_probability(&without)) * *amount as f64;
            }
        }
        let sum: f64 = lost.iter().sum();
        let effects = CHANNELS.iter().zip(lost).map(|((channel, beta), lost)| Effect {
            channel,
            beta: *beta,
            incremental_minor: lost.round() as i64,
            share: if sum > 0.0 { lost / sum } else { 0.0 },
        });
        Self { effects: effects.collect() }
    }
}

impl fmt::Display for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<16}{:>8}{:>18}{:>9}", "channel", "effect", "incremental", "share")?;
        for effect in &self.effects {
            let major = effect.incremental_minor / 100;
            writeln!(
                f,
                "{:<16}{:>8.2}{major:>18}{:>8.1}%",
                effect.channel,
                effect.beta,
                effect.share * 100.0
            )?;
        }
        Ok(())
    }
}
