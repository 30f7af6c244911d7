//! Which model deserves trust on this book, in plain words that follow from stated thresholds.
//!
//! Linear is the measure: a model that does not find planted truth better than splitting evenly, and as steadily, has
//! not earned its complexity. Not responsible for the tests whose results it reads.

use serde::Serialize;

use super::{Evidence, ModelEvidence};

/// What a model must hold to be preferred to linear.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Thresholds {
    /// Deals won, and deals lost, below which nothing is recommended.
    pub fewest_deals: usize,
    /// Its mean error on planted truth is at most this part of linear's.
    pub error_of_linears: f64,
    /// It is nearer to planted truth than linear in at least this part of the generators.
    pub generators_won: f64,
    /// Mean Kendall's tau of its order of keys when accounts are drawn anew.
    pub rank_stability: f64,
    /// The part of its credit that may move from quarter to quarter.
    pub moved_a_quarter: f64,
    /// For a model that learns: AUC on later deals, from all their touches.
    pub auc: f64,
}

/// The thresholds in use.
pub const THRESHOLDS: Thresholds = Thresholds {
    fewest_deals: 50,
    error_of_linears: 0.9,
    generators_won: 0.6,
    rank_stability: 0.7,
    moved_a_quarter: 0.35,
    auc: 0.6,
};

/// Closed deals below which more of them may well change what is found.
const FEW: u64 = 1000;

/// The model to which all are compared.
pub const MEASURE: &str = "linear";

/// What follows from the evidence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The model to use; `None` where there are too few deals to tell.
    pub model: Option<String>,
    /// Whether that is more than linear's default.
    pub beats_linear: bool,
    /// A short paragraph.
    pub text: String,
    /// The thresholds that it follows from.
    pub thresholds: Thresholds,
}

/// Weighs the evidence.
pub fn verdict(evidence: &Evidence) -> Verdict {
    let t = THRESHOLDS;
    let say = |model: Option<&str>, beats_linear: bool, text: String| Verdict {
        model: model.map(str::to_owned),
        beats_linear,
        text,
        thresholds: t,
    };
    let [won, lost] = [evidence.won, evidence.lost];
    if won < t.fewest_deals as u64 || lost < t.fewest_deals as u64 {
        return say(
            None,
            false,
            format!(
                "There are too few deals to tell: {won} won and {lost} lost, where at least {} of each are wanted. \
                 Use {MEASURE}, which assumes least, and ask again when more have closed.",
                t.fewest_deals
            ),
        );
    }
    let Some(measure) = evidence.models.iter().find(|model| model.name == MEASURE) else {
        return say(
            None,
            false,
            format!("{MEASURE} is not among the models: there is nothing to measure by."),
        );
    };
    let mut ranked: Vec<(&ModelEvidence, Vec<String>)> = evidence
        .models
        .iter()
        .filter(|model| model.name != MEASURE && model.recovery.rounds > 0)
        .map(|model| (model, failings(model, measure)))
        .collect();
    ranked.sort_by(|(a, _), (b, _)| {
        a.recovery.mean_error.total_cmp(&b.recovery.mean_error).then_with(|| a.name.cmp(&b.name))
    });
    if let Some((best, _)) = ranked.iter().find(|(_, failings)| failings.is_empty()) {
        let generators = generators_won(best, measure);
        let mut text = vec![format!(
            "Use {}. Where effects were planted into this book's own journeys, its shares were off by {} a key on \
             average, {MEASURE}'s by {}, and it was the nearer in {} of {} ways in which touches may work.",
            best.name,
            points(best.recovery.mean_error),
            points(measure.recovery.mean_error),
            generators.0,
            generators.1,
        )];
        text.extend(best.resampled.rank_stability.map(|tau| {
            format!("Drawn from other accounts, its order of keys stays much the same (tau {tau:.2}).")
        }));
        text.extend(best.held_out.as_ref().and_then(|it| it.at_close).map(|forecast| {
            let auc = forecast.auc;
            format!(
                "It told later won deals from lost ones with an AUC of {auc:.2}, where guessing gives 0.50."
            )
        }));
        let nearer = ranked.iter().take_while(|(model, _)| model.name != best.name);
        text.extend(nearer.take(2).map(|(model, failings)| {
            format!("The model {} was nearer to planted truth, but {}.", model.name, failings.join(" and "))
        }));
        text.push(format!(
            "This would change if its error rose above {:.0} % of {MEASURE}'s, or its order of keys ceased to be \
             steady. It says which model finds effects that are there, not that these effects are causes: only an \
             experiment shows that.",
            t.error_of_linears * 100.0
        ));
        return say(Some(&best.name), true, text.join(" "));
    }
    let mut text = vec![format!("No model beats {MEASURE} on this book: use {MEASURE}.")];
    if let Some((near, failings)) = ranked.first() {
        let hope = if won + lost < FEW { "; with more closed deals it may" } else { "" };
        text.push(format!(
            "Nearest came {}, but {}. It would be preferred if that changed{hope}.",
            near.name,
            failings.join(" and ")
        ));
    }
    say(Some(MEASURE), false, text.join(" "))
}

/// What keeps a model from being preferred, in words that fit after "but".
fn failings(model: &ModelEvidence, measure: &ModelEvidence) -> Vec<String> {
    let t = THRESHOLDS;
    let mut out = Vec::new();
    if model.recovery.mean_error > t.error_of_linears * measure.recovery.mean_error {
        out.push(format!(
            "its error on planted truth is {}, not clearly below {MEASURE}'s {}",
            points(model.recovery.mean_error),
            points(measure.recovery.mean_error)
        ));
    }
    let (nearer, of) = generators_won(model, measure);
    if (nearer as f64) < t.generators_won * of as f64 {
        out.push(format!("it is nearer to planted truth in {nearer} of {of} ways alone"));
    }
    if model.resampled.rank_stability.is_some_and(|tau| tau < t.rank_stability) {
        let tau = model.resampled.rank_stability.unwrap_or_default();
        out.push(format!("its order of keys is not steady (tau {tau:.2}, below {:.2})", t.rank_stability));
    }
    if let Some(moved) = model.drift.moved_a_quarter.filter(|moved| *moved > t.moved_a_quarter) {
        out.push(format!("{:.0} % of its credit moves from quarter to quarter", moved * 100.0));
    }
    if model.learns
        && let Some(held_out) = &model.held_out
    {
        match held_out.at_close {
            Some(forecast) if forecast.auc < t.auc => out.push(format!(
                "it hardly tells later won deals from lost ones (AUC {:.2}, below {:.2})",
                forecast.auc, t.auc
            )),
            Some(_) => {}
            None => out.push("it could not be tried on later deals".to_owned()),
        }
    }
    out
}

/// In how many generators a model is nearer to the truth than the measure, and of how many.
fn generators_won(model: &ModelEvidence, measure: &ModelEvidence) -> (usize, usize) {
    let pairs = model.by_generator.iter().zip(&measure.by_generator);
    let nearer = pairs.filter(|((_, a), (_, b))| a.rounds > 0 && a.mean_error < b.mean_error).count();
    (nearer, measure.by_generator.len())
}

/// `3.1 points`: hundredths of a whole.
fn points(share: f64) -> String {
    format!("{:.1} points", share * 100.0)
}
