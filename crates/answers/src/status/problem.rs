//! What is wrong with a source, and what to do about it.

use serde::Serialize;
use tributary_core::Time;

use super::{Known, SourceStatus, State};

/// The part of a day's requests from which on it is near its end.
const QUOTA_NEAR: f64 = 0.9;

/// How long before its end a sign-in is told to end.
const SIGN_IN_ENDS_MICROS: i64 = 14 * tributary_core::time::DAY_MICROS;

/// Something that a person should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The source.
    pub source: String,
    /// What kind of problem: `needs_authorization`, `failing`, `late`, `never_run`, `authorization_ends`, `unfinished`,
    /// `quota_near`, `quarantine`, `row_drop`, or what the last run found.
    pub code: String,
    /// What is wrong: a lower-case fragment that fits after the source and a colon.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// What is wrong with a source, the worst first.
pub(super) fn of(known: &Known, it: &SourceStatus, now: Time) -> Vec<Problem> {
    let run = known.runs.iter().find(|run| run.source == it.source);
    let mut problems = Vec::new();
    let mut add = |code: &str, message: String, hint: Option<String>| {
        problems.push(Problem { source: it.source.clone(), code: code.to_owned(), message, hint });
    };
    let id = &it.source;
    if it.state == State::NotConfigured {
        // Nobody means to pull it.
        if it.quarantined > 0 {
            add("quarantine", quarantined(it.quarantined), Some(QUARANTINE_HINT.to_owned()));
        }
        return problems;
    }
    if it.state == State::NeedsAuthorization {
        let refused = known.credentials.get(id).and_then(|credential| credential.refused.clone());
        let why = refused.or_else(|| run.and_then(|run| run.message.clone()));
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        let hint =
            format!("sign in with `tributary connect {id}`, or renew the key that its configuration names");
        add("needs_authorization", format!("needs re-authorization by a person{why}"), Some(hint));
    } else if let Some(run) = run.filter(|_| it.failures > 0) {
        let times = match it.failures {
            1 => "failed".to_owned(),
            more => format!("failed {more} times in a row"),
        };
        let message = match run.message.as_ref().filter(|_| run.outcome == "failed") {
            Some(message) => format!("{times}: {message}"),
            None => times,
        };
        add("failing", message, Some(advice(id, run.advice.as_deref(), it.next_at.filter(|at| *at > now))));
    }
    match it.state {
        State::Late => {
            let due = it.next_at.map_or_else(String::new, |at| format!(" since {at}"));
            let hint =
                "look whether `tributary serve` runs, and whether other sources keep it busy (at_once)";
            add("late", format!("is due{due} and was not pulled"), Some(hint.to_owned()));
        }
        State::NeverRun => {
            let hint = format!("`tributary sync {id}` pulls it now, `tributary serve` on schedule");
            add("never_run", "was never pulled".to_owned(), Some(hint));
        }
        _ => {}
    }
    if let Some(until) = it.authorized_until.filter(|at| at.0.saturating_sub(now.0) < SIGN_IN_ENDS_MICROS) {
        let hint = format!("renew it with `tributary connect {id}`");
        add("authorization_ends", format!("its sign-in ends at {until}"), Some(hint));
    }
    let unfinished: Vec<&str> = it
        .streams
        .iter()
        .filter(|stream| stream.complete_until.is_none() && !stream.is_whole)
        .map(|stream| stream.stream.as_str())
        .collect();
    if it.last_run.is_some() && !unfinished.is_empty() {
        let message = format!("never read to the end: {}", unfinished.join(", "));
        let hint = "reports lack the rest; the next runs go on with it";
        add("unfinished", message, Some(hint.to_owned()));
    }
    if let Some(used) = it.quota_used().filter(|used| *used >= QUOTA_NEAR) {
        let message = format!("{:.0} % of today's requests are used up", used * 100.0);
        let hint = "it goes on at midnight UTC; `quota_share` gives it more of the vendor's day";
        add("quota_near", message, Some(hint.to_owned()));
    }
    if it.quarantined > 0 {
        add("quarantine", quarantined(it.quarantined), Some(QUARANTINE_HINT.to_owned()));
    }
    for (code, message) in run.map(|run| findings(&run.findings)).unwrap_or_default() {
        add(&code, message, None);
    }
    problems
}

const QUARANTINE_HINT: &str =
    "`tributary quarantine` lists the reasons; what is mended at the vendor leaves by itself";

fn quarantined(count: u64) -> String {
    match count {
        1 => "1 record could not be understood".to_owned(),
        more => format!("{more} records could not be understood"),
    }
}

/// What a person can do about a failure.
fn advice(source: &str, word: Option<&str>, next_at: Option<Time>) -> String {
    match word {
        Some("fix_config") => {
            format!("mend the configuration, then prove it with `tributary check {source}`")
        }
        Some("reauthorize") => format!("`tributary sync {source}` tries the new sign-in"),
        Some("report") => "this is our own mistake: please report it".to_owned(),
        _ => {
            let next = next_at.map_or_else(String::new, |at| format!("it is tried again at {at}; "));
            format!("{next}`tributary sync {source}` tries now, and goes on where it stopped")
        }
    }
}

/// What a run found, as it was kept: code and message.
fn findings(json: &str) -> Vec<(String, String)> {
    #[derive(serde::Deserialize)]
    struct Finding {
        code: String,
        message: String,
    }
    let findings: Vec<Finding> = serde_json::from_str(json).unwrap_or_default();
    findings.into_iter().map(|finding| (finding.code, finding.message)).collect()
}
