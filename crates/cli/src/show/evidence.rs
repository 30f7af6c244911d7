//! How the evidence on models looks: tables for a terminal, and one page with charts for a browser.

mod chart;
pub(crate) mod page;

use tributary_answers::evidence::Evidence;
use tributary_engine::evidence::ModelEvidence;
use tributary_engine::evidence::verdict::MEASURE;

use super::report::{dimension, note_coverage};
use super::{Answer, Cell, Table, wrapped};

impl Answer for Evidence {
    fn tables(&self) -> Vec<Table> {
        let it = &self.evidence;
        let mut tables = vec![verdict(self), tests(self), windows(self)];
        if let Some(model) = it.models.iter().find(|model| Some(&model.name) == it.verdict.model.as_ref()) {
            tables.push(intervals(self, model));
        }
        tables.push(agreement(self));
        tables.push(sufficiency(self));
        tables
    }

    fn data(&self) -> Option<Table> {
        Some(tests(self))
    }
}

fn verdict(answer: &Evidence) -> Table {
    let it = &answer.evidence;
    let mut table = Table::default().title(format!(
        "Evidence on {} models by {}: {} deals won, {} lost, {} accounts without a deal",
        it.models.len(),
        dimension(it.by).to_lowercase(),
        it.won,
        it.lost,
        it.without_deal
    ));
    table.note(wrapped(&it.verdict.text, ""));
    for model in &it.models {
        if let Some(failed) = &model.failed {
            table.note(format!("{} can't be used here: {failed}", model.name));
        }
    }
    note_coverage(&mut table, answer.stamp.coverage.as_ref());
    table
}

/// The columns of the main table, and what each model has there.
fn tests(answer: &Evidence) -> Table {
    let it = &answer.evidence;
    let mut table = Table::new([
        "Model",
        "Error a key",
        "Misplaced",
        "To no effect",
        "Rank of truth",
        "Same rank resampled",
        "Moves a quarter",
        "Later rank",
        "AUC at opportunity",
        "AUC at close",
        "Log-loss",
        "Brier",
        "Top decile",
    ])
    .title("Tests");
    for model in &it.models {
        let held_out = model.held_out.as_ref();
        let close = held_out.and_then(|it| it.at_close);
        let known = |value: f64| if model.recovery.rounds > 0 { Cell::Share(value) } else { Cell::Nothing };
        table.row(vec![
            Cell::Text(model.name.clone()),
            known(model.recovery.mean_error),
            known(model.recovery.misplaced),
            known(model.recovery.to_nothing),
            real((model.recovery.rounds > 0).then_some(model.recovery.rank_agreement)),
            real(model.resampled.rank_stability),
            model.drift.moved_a_quarter.map_or(Cell::Nothing, Cell::Share),
            real(held_out.and_then(|it| it.rank_agreement)),
            real(held_out.and_then(|it| it.at_opportunity).map(|it| it.auc)),
            real(close.map(|it| it.auc)),
            real(close.map(|it| it.log_loss)),
            real(close.map(|it| it.brier)),
            real(close.map(|it| it.top_decile_lift)),
        ]);
    }
    table.note(
        "Error, misplaced credit, credit to a key of no effect and rank of truth: against effects planted into this \
         book's journeys.",
    );
    if let Some(cut) = &it.cut {
        let base = cut.base.map_or(String::new(), |base| {
            format!(
                " Knowing the earlier win rate alone: log-loss {:.2}, Brier {:.2}.",
                base.log_loss, base.brier
            )
        });
        table.note(format!(
            "Later deals: learned from {} won and {} lost before {}, tried on {} won and {} lost since.{base}",
            cut.learned[0],
            cut.learned[1],
            cut.before.to_string().split('T').next().unwrap_or_default(),
            cut.foretold[0],
            cut.foretold[1],
        ));
    } else {
        table.note("Later deals: too few won or lost ones for a hold-out.");
    }
    if let Some(order) = &it.markov_order {
        table.note(format!("Of the Markov chains, {order} foretold later deals best."));
    }
    table
}

fn windows(answer: &Evidence) -> Table {
    let it = &answer.evidence;
    let days = it.models.first().map(|model| model.windows.iter().map(|(days, _)| *days).collect::<Vec<_>>());
    let days = days.unwrap_or_default();
    let columns = std::iter::once("Model".to_owned()).chain(days.iter().map(|days| format!("{days} days")));
    let mut table =
        Table::new(columns).title("Credit that moves when only so many days before the close count");
    for model in &it.models {
        let cells = model.windows.iter().map(|(_, moved)| moved.map_or(Cell::Nothing, Cell::Share));
        table.row(std::iter::once(Cell::Text(model.name.clone())).chain(cells).collect());
    }
    table
}

fn intervals(answer: &Evidence, model: &ModelEvidence) -> Table {
    let it = &answer.evidence;
    let mut table = Table::new([dimension(it.by).as_str(), "Share", "Low", "High", "Variation"])
        .title(format!("Shares by {}, and where 95 % of resamplings fall", model.name));
    for (row, interval) in it.keys.iter().zip(&model.resampled.intervals) {
        table.row(vec![
            Cell::option(row.key.as_deref()),
            Cell::Share(interval.share),
            Cell::Share(interval.low),
            Cell::Share(interval.high),
            interval.variation.map_or(Cell::Nothing, Cell::Share),
        ]);
    }
    let unsure: Vec<&str> = it
        .keys
        .iter()
        .zip(&model.resampled.intervals)
        .filter(|(_, interval)| interval.variation.is_some_and(|variation| variation > 0.5))
        .map(|(row, _)| row.key.as_deref().unwrap_or("–"))
        .collect();
    if !unsure.is_empty() {
        table.note(format!(
            "Not enough is known of {}: their shares vary by more than half.",
            unsure.join(", ")
        ));
    }
    table
}

fn agreement(answer: &Evidence) -> Table {
    let it = &answer.evidence;
    let columns = std::iter::once("Model").chain(it.models.iter().map(|model| model.name.as_str()));
    let mut table = Table::new(columns).title("How alike models order the keys (Kendall's tau)");
    for (model, taus) in it.models.iter().zip(&it.agreement) {
        let cells = taus.iter().map(|tau| real(*tau));
        table.row(std::iter::once(Cell::Text(model.name.clone())).chain(cells).collect());
    }
    table
}

fn sufficiency(answer: &Evidence) -> Table {
    let it = &answer.evidence;
    let mut table = Table::new([dimension(it.by).as_str(), "Won", "Lost", "Touches", "Anonymous"])
        .title("What the book holds of each key");
    for row in &it.keys {
        table.row(vec![
            Cell::option(row.key.as_deref()),
            Cell::Count(row.won),
            Cell::Count(row.lost),
            Cell::Count(row.touches),
            Cell::Share(row.anonymous),
        ]);
    }
    table
}

fn real(value: Option<f64>) -> Cell {
    value.map_or(Cell::Nothing, Cell::Real)
}

/// Whether a model is the measure, or the one that is recommended.
fn stands_out(answer: &Evidence, model: &ModelEvidence) -> Standing {
    if Some(&model.name) == answer.evidence.verdict.model.as_ref() {
        Standing::Recommended
    } else if model.name == MEASURE {
        Standing::Measure
    } else {
        Standing::Other
    }
}

/// How a chart shows a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Recommended,
    Measure,
    Other,
}
