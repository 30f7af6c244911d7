//! How deals end, and so what each channel really brought in.

use std::fmt;

use crate::CURRENCY;
use crate::channel::{CHANNELS, Channel};
use crate::world::{Nature, Outcome, World};
use tributary_core::dice::Dice;

/// The log odds of winning a deal without any touch.
const BASE: f64 = -3.1;

/// What each channel really brought in.
///
/// Deals whose end a story decided are left out, and so are open ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Truth {
    /// The log odds of winning a deal without any touch.
    pub base: f64,
    /// How many deals were drawn.
    pub deals: usize,
    /// By channel, in the order of [`Channel::ALL`].
    pub effects: Vec<Effect>,
}

/// What one channel really brought in.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// The channel's name.
    pub channel: &'static str,
    /// What `ln(1 + touches)` adds to the log odds of winning.
    pub beta: f64,
    /// Its touches before the closes of the deals, one for each deal that it stands before.
    pub touches: u64,
    /// The revenue expected to be won less that expected without the channel's touches, in minor units of the
    /// reporting currency.
    pub incremental_minor: i64,
    /// The part of the sum over all channels.
    pub share: f64,
}

/// The probability of winning a deal after so many touches by channel.
fn win_probability(counts: &[u32; CHANNELS]) -> f64 {
    let effects = Channel::ALL.iter().zip(counts);
    let odds =
        BASE + effects.map(|(channel, count)| channel.effect() * f64::from(*count).ln_1p()).sum::<f64>();
    1.0 / (1.0 + (-odds).exp())
}

/// Draws the end of every deal that closes within the world, and sums up what the channels did.
pub(crate) fn decide(world: &mut World) {
    let mut order: Vec<usize> = (0..world.deals.len()).collect();
    order.sort_by_key(|deal| world.deals[*deal].closes_at);
    let mut counts = vec![[0_u32; CHANNELS]; world.accounts.len()];
    let mut lifts = [0.0; CHANNELS];
    let mut touches = [0_u64; CHANNELS];
    let mut drawn = 0;
    let mut next = 0;
    for index in order {
        let (account, closes_at) = (world.deals[index].account, world.deals[index].closes_at);
        if closes_at >= world.plan.end() {
            break;
        }
        while let Some(touch) = world.touches.get(next)
            && touch.at <= closes_at
        {
            if let Some(account) = touch.account
                && touch.nature == Nature::Human
            {
                counts[account][touch.channel as usize] += 1;
            }
            next += 1;
        }
        if !world.deals[index].is_drawn {
            continue;
        }
        drawn += 1;
        let before = &counts[account];
        let probability = win_probability(before);
        let amount = world.reported(world.deals[index].amount, closes_at);
        for place in 0..CHANNELS {
            let mut without = *before;
            without[place] = 0;
            lifts[place] += (probability - win_probability(&without)) * amount;
            touches[place] += u64::from(before[place]);
        }
        let won = Dice::new(world.plan.seed, "deal", index).chance(probability);
        world.deals[index].outcome = if won { Outcome::Won } else { Outcome::Lost };
    }
    let sum: f64 = lifts.iter().sum();
    let effect = |(place, channel): (usize, &Channel)| Effect {
        channel: channel.name(),
        beta: channel.effect(),
        touches: touches[place],
        incremental_minor: lifts[place].round() as i64,
        share: if sum > 0.0 { lifts[place] / sum } else { 0.0 },
    };
    world.truth =
        Truth { base: BASE, deals: drawn, effects: Channel::ALL.iter().enumerate().map(effect).collect() };
}

impl fmt::Display for Truth {
    /// A table, the channel that brought in most first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut effects: Vec<&Effect> = self.effects.iter().collect();
        effects.sort_by(|a, b| b.share.total_cmp(&a.share));
        let incremental = format!("incremental {CURRENCY}");
        writeln!(f, "{:<15} {:>6} {:>8} {incremental:>16} {:>7}", "channel", "effect", "touches", "share")?;
        for effect in effects {
            let Effect { channel, beta, touches, incremental_minor, share } = effect;
            let (major, percent) = (incremental_minor / 100, share * 100.0);
            writeln!(f, "{channel:<15} {beta:>6.2} {touches:>8} {major:>16} {percent:>6.1}%")?;
        }
        write!(f, "over {} deals; log odds without touches {:.2}", self.deals, self.base)
    }
}
