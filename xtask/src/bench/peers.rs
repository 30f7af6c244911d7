//! `cargo xtask bench --peers`: what people use today, on the same book in the same run.
//!
//! The bench writes its book and its own answers; `xtask/peers/peers.py` answers the same questions with each peer, in
//! an environment under `target/`. Where a peer's definition is ours, the answers must agree.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::shell;

const PEERS: [&str; 3] = ["polars", "duckdb", "channel_attribution"];

/// Where definitions are the same, no key's credit may differ by more than this part of all credit.
const TOLERANCE: f64 = 1e-9;

/// What encloses the part of `docs/performance.md` that a run writes.
const MARKS: [&str; 2] =
    ["<!-- peers: written by `cargo xtask bench --peers` -->\n", "<!-- end of peers -->\n"];

/// One answer and what it took.
#[derive(Deserialize)]
struct Answer {
    /// Who answers.
    peer: String,
    model: String,
    by: String,
    cpu_s: f64,
    peak_mib: f64,
    /// What is particular about it.
    note: Option<String>,
    /// Whether it is no exact solution of the same definition, so that it must not agree.
    #[serde(default)]
    is_approximate: bool,
    /// What must be read at the least: groups of touches, and their times if the model asks for them.
    bytes: Option<u64>,
    credit: BTreeMap<String, f64>,
}

/// What the bench says about its book.
#[derive(Deserialize)]
struct Facts {
    touches_in_book: u64,
    touches: u64,
    touches_won: u64,
    deals: u64,
    won: u64,
    /// Of one core, reading.
    bandwidth_gb_s: f64,
}

/// Measures everybody, compares, and writes the comparison down.
pub(super) fn run(touches: u64) -> Result<()> {
    let target = shell::root().join("target");
    let book = target.join("peers-book");
    fs::create_dir_all(&book)?;
    let python = prepare(&target.join("peers"))?;
    let arguments = ["bench", "--quiet", "--package", "tributary", "--bench", "models", "--"];
    shell::run(shell::cargo().args(arguments).arg(touches.to_string()).arg("peers").arg(&book))?;
    let facts: Facts = serde_json::from_str(&read(&book.join("facts.json"))?)?;
    let ours = answers(&read(&book.join("ours.jsonl"))?)?;
    let mut theirs = Vec::new();
    for peer in PEERS {
        let script = shell::root().join("xtask/peers/peers.py");
        theirs.extend(answers(&shell::output(Command::new(&python).arg(script).arg(peer).arg(&book))?)?);
    }
    let table = table(&facts, &ours, &theirs)?;
    println!("{table}");
    write_down(&table)
}

/// The environment's Python, with the peers installed.
fn prepare(environment: &Path) -> Result<PathBuf> {
    let python = environment.join("bin/python");
    if !python.exists() {
        shell::run(Command::new("python3").args(["-m", "venv"]).arg(environment))?;
    }
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    shell::run(Command::new(&python).args(pip).arg(shell::root().join("xtask/peers/requirements.txt")))?;
    Ok(python)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))
}

/// The answers among what somebody printed.
fn answers(text: &str) -> Result<Vec<Answer>> {
    text.lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).with_context(|| format!("failed to understand {line}")))
        .collect()
}

/// The comparison in Markdown; an error if answers differ that should not.
fn table(facts: &Facts, ours: &[Answer], theirs: &[Answer]) -> Result<String> {
    let mut out = format!(
        "{} touches in the book, {} of them on the {} closed deals' journeys, {} on those of the {} won. One core reads {:.1} GB/s.\n\n\
        | model | by | Tributary, CPU ms | peer | its CPU ms | times ours | its peak MiB | largest difference |\n\
        |---|---|---:|---|---:|---:|---:|---:|\n",
        facts.touches_in_book, facts.touches, facts.deals, facts.touches_won, facts.won, facts.bandwidth_gb_s
    );
    let mut apart = Vec::new();
    for their in theirs {
        let Some(our) = ours.iter().find(|our| our.model == their.model && our.by == their.by) else {
            apart.push(format!("{} answers {} by {}, and we do not", their.peer, their.model, their.by));
            continue;
        };
        let difference = difference(&our.credit, &their.credit);
        let name = their.note.as_ref().map_or(their.peer.clone(), |note| format!("{}: {note}", their.peer));
        if difference > TOLERANCE && !their.is_approximate {
            apart.push(format!("{name}, {} by {}: {difference:.1e}", their.model, their.by));
        }
        writeln!(
            out,
            "| `{}` | {} | {:.2} | {name} | {:.1} | {:.1} | {:.0} | {difference:.0e} |",
            our.model,
            our.by,
            our.cpu_s * 1e3,
            their.cpu_s * 1e3,
            their.cpu_s / our.cpu_s,
            their.peak_mib
        )?;
    }
    ensure!(apart.is_empty(), "answers differ where definitions are the same:\n  {}", apart.join("\n  "));
    out.push_str(
        "\n| model | by | to be read at least, MiB | at memory speed, CPU ms | Tributary, times that |\n\
        |---|---|---:|---:|---:|\n",
    );
    for our in ours {
        let Some(bytes) = our.bytes else { continue };
        let least = bytes as f64 / (facts.bandwidth_gb_s * 1e9);
        let mebibytes = bytes as f64 / 1_048_576.0;
        writeln!(
            out,
            "| `{}` | {} | {mebibytes:.1} | {:.2} | {:.1} |",
            our.model,
            our.by,
            least * 1e3,
            our.cpu_s / least
        )?;
    }
    Ok(out)
}

/// The largest difference of a key's credit, as a part of all credit.
fn difference(ours: &BTreeMap<String, f64>, theirs: &BTreeMap<String, f64>) -> f64 {
    let whole: f64 = ours.values().sum();
    let of = |credit: &BTreeMap<String, f64>, key: &String| credit.get(key).copied().unwrap_or(0.0);
    let apart = ours.keys().chain(theirs.keys()).map(|key| (of(ours, key) - of(theirs, key)).abs());
    apart.fold(0.0, f64::max) / whole
}

fn write_down(table: &str) -> Result<()> {
    let path = shell::root().join("docs/performance.md");
    let text = read(&path)?;
    let [begin, end] = MARKS;
    let marked = text.split_once(begin).and_then(|(before, rest)| Some((before, rest.split_once(end)?.1)));
    let (before, after) = marked.context("docs/performance.md lacks the marks of the comparison")?;
    fs::write(&path, format!("{before}{begin}\n{table}\n{end}{after}"))
        .context("failed to write docs/performance.md")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(is_approximate: bool, credit: f64) -> Answer {
        Answer {
            peer: "somebody".to_owned(),
            model: "linear".to_owned(),
            by: "channel".to_owned(),
            cpu_s: 1.0,
            peak_mib: 1.0,
            note: None,
            is_approximate,
            bytes: None,
            credit: BTreeMap::from([("1".to_owned(), credit), ("2".to_owned(), 100.0 - credit)]),
        }
    }

    #[test]
    fn answers_that_differ_where_they_should_not_are_an_error() {
        let facts =
            Facts { touches_in_book: 1, touches: 1, touches_won: 1, deals: 1, won: 1, bandwidth_gb_s: 1.0 };
        let check = |their: Answer| table(&facts, &[answer(false, 40.0)], &[their]).is_ok();
        assert!(check(answer(false, 40.0)));
        assert!(!check(answer(false, 40.1)));
        assert!(check(answer(true, 40.1)));
        assert!(!check(Answer { model: "other".to_owned(), ..answer(false, 40.0) }));
    }
}
