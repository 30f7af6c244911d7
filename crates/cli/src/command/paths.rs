//! `tributary paths`: aggregated paths from a file, without a store.

use std::io::Read;
use std::path::Path;

use serde::Serialize;
use tributary_engine::Choice;
use tributary_engine::paths::{self, Credited, FileError};

use crate::arguments::Format;
use crate::failure::{Failure, Outcome};
use crate::show::{self, Answer, Cell, OneOrMore, Table, wrapped};

/// Problems that are told one by one; the rest are counted.
const TOLD: usize = 20;

/// Credit of each step under one model.
#[derive(Serialize)]
struct OneModel {
    model: String,
    #[serde(flatten)]
    credited: Credited,
    /// What a reader must know of a model that learned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remarks: Vec<String>,
}

/// Reads the file, credits it under each model, and tells what could not be used.
pub(super) fn run(file: &Path, models: &[Choice], format: Format) -> Result<Outcome, Failure> {
    let text = read(file)?;
    let mut problems = Vec::new();
    let paths = paths::parse(&text, &mut problems).map_err(|error| {
        let failure = Failure::failed(format!("{}: {error}", file.display()));
        match error {
            FileError::Header(_) => failure,
            FileError::MissingColumn(_) => {
                failure.hint("expected the columns path, conversions, value and nulls")
            }
        }
    })?;
    for problem in problems.iter().take(TOLD) {
        eprintln!("{}:{}: {}", file.display(), problem.line, problem.reason);
    }
    if problems.len() > TOLD {
        eprintln!("{}: {} more problems", file.display(), problems.len() - TOLD);
    }
    if paths.is_empty() {
        return Err(Failure::failed(format!("{}: no row can be used", file.display())));
    }
    let credited = models
        .iter()
        .map(|model| {
            let name = model.name().to_owned();
            let (credited, remarks) = match model {
                Choice::Rule(rule) => {
                    let credited = paths::attribute(&paths, rule);
                    (credited.map_err(|error| Failure::usage(error.to_string()))?, Vec::new())
                }
                Choice::Learned { method, .. } => {
                    let fail = |error| Failure::usage(format!("model {name}: {error}"));
                    paths::learn(&paths, method).map_err(fail)?
                }
            };
            Ok(OneModel { model: name, credited, remarks })
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    show::print(&OneOrMore(credited), format)?;
    Ok(Outcome::Done)
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    read.map_err(|error| Failure::failed(format!("failed to read {}: {error}", file.display())))?;
    Ok(bytes)
}

impl Answer for OneModel {
    fn tables(&self) -> Vec<Table> {
        let mut table = Table::new(["Model", "Key", "Conversions", "Value", "Share"]);
        let mut row = |key: Cell, conversions: f64, value: f64, share: Option<f64>| {
            let share = share.map_or(Cell::Nothing, Cell::Share);
            let model = Cell::Text(self.model.clone());
            table.row(vec![model, key, Cell::Real(conversions), Cell::Real(value), share]);
        };
        let Credited { rows, unattributed_conversions, unattributed_value } = &self.credited;
        for credit in rows {
            row(Cell::Text(credit.key.clone()), credit.conversions, credit.value, Some(credit.share));
        }
        if *unattributed_conversions > 0.0 {
            row(Cell::Text("unattributed".to_owned()), *unattributed_conversions, *unattributed_value, None);
        }
        for remark in &self.remarks {
            table.note(wrapped(remark, ""));
        }
        vec![table]
    }
}
