//! Run history: what each sync of a source came to.

use serde::Serialize;
use serde_json::Value;
use tributary_store::Store;

use crate::AnswerError;
use crate::status::LastRun;

/// Runs, the latest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Runs {
    /// The runs.
    pub runs: Vec<Run>,
}

/// One sync of one source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run {
    /// Its number, which grows.
    pub run: i64,
    /// The source.
    pub source: String,
    /// When, how it ended, and what it brought.
    #[serde(flatten)]
    pub ended: LastRun,
    /// What to do about a failure: `fix_config`, `reauthorize`, `wait`, `retry` or `report`.
    pub advice: Option<String>,
    /// What each stream came to.
    pub streams: Value,
    /// What a person should know.
    pub findings: Value,
}

/// The last runs of a source, or of all.
pub async fn runs(store: &Store, source: Option<&str>, most: u32) -> Result<Runs, AnswerError> {
    let json = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
    let run = |run: tributary_store::landing::Run| Run {
        run: run.id,
        ended: LastRun::of(&run),
        advice: run.advice.clone(),
        streams: json(&run.streams),
        findings: json(&run.findings),
        source: run.source,
    };
    let runs = store.runs(source, most).await?;
    Ok(Runs { runs: runs.into_iter().map(run).collect() })
}
