//! Telling people what is wrong: by webhook, in Slack, or through a command.

use std::fmt;
use std::process::Stdio;
use std::time::Duration;

use futures::future::join_all;
use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tributary_answers::alerts::{Alert, Event, Rule, due};
use tributary_answers::status::Status;
use tributary_source::Environment;
use tributary_source::http::{Api, Http, Request, Shown};
use tributary_store::alerts::Told;
use tributary_store::work::Taken;
use tributary_store::{Store, StoreError};

/// How often what is wrong is looked at.
const LOOK: Duration = Duration::from_mins(1);
/// How long a receiver may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Somebody who is told.
#[derive(Clone)]
pub(crate) struct Receiver {
    /// Of what.
    pub(crate) rule: Rule,
    /// How.
    pub(crate) way: Way,
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not how: addresses are secrets.
        f.debug_struct("Receiver").field("rule", &self.rule).finish_non_exhaustive()
    }
}

/// How somebody is told.
#[derive(Clone)]
pub(crate) enum Way {
    /// The alert as JSON, by POST.
    Webhook(String),
    /// Slack's incoming webhook.
    Slack(String),
    /// A program and its arguments, which gets the alert as JSON on stdin.
    Command(Vec<String>),
}

/// Looks at what is wrong until it is stopped, every now and then and whenever there is news, and tells it. Of several
/// daemons on one store, one does at a time.
pub(crate) async fn watch<S>(
    store: &Store,
    news: &Notify,
    receivers: impl Fn() -> Vec<Receiver>,
    status: impl Fn() -> S,
    environment: &Environment,
    stop: &CancellationToken,
) where
    S: Future<Output = Option<Status>>,
{
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = news.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
        let receivers = receivers();
        if receivers.is_empty() {
            continue;
        }
        let Ok(Taken::Ours(lease)) = store.take("alerts", LOOK * 3).await else { continue };
        if let Some(status) = status().await {
            let held = store.under(&lease);
            // All at once: one that does not answer keeps nobody waiting.
            let told = receivers.iter().map(|receiver| tell_all(&held, receiver, &status, environment));
            for error in join_all(told).await.into_iter().filter_map(Result::err) {
                tracing::warn!(%error, "failed to note what was told");
            }
        }
        // If it was taken over meanwhile, it is the other's.
        let _ = store.release(&lease).await;
    }
}

/// Tells one receiver what there is to tell. What can't be told is told at the next look.
async fn tell_all(
    store: &Store,
    receiver: &Receiver,
    status: &Status,
    environment: &Environment,
) -> Result<(), StoreError> {
    let name = receiver.rule.receiver.as_str();
    let told = store.told(name).await?;
    for alert in due(status, &told, &receiver.rule) {
        if let Err(error) = tell(&receiver.way, &alert, environment).await {
            tracing::error!(
                receiver = name,
                source = alert.source,
                code = alert.code,
                "failed to tell: {error}"
            );
            continue;
        }
        match alert.event {
            Event::Ended => store.untell(name, &alert.source, &alert.code).await?,
            Event::Began | Event::Lasts => {
                let Alert { source, code, message, since, .. } = alert;
                store.tell(name, &Told { source, code, message, since, told_at: status.now }).await?;
            }
        }
    }
    Ok(())
}

/// Tells one alert. Fails with why: a fragment without the receiver's address, which is a secret.
async fn tell(way: &Way, alert: &Alert, environment: &Environment) -> Result<(), String> {
    match way {
        Way::Webhook(url) => post(url, alert, environment).await,
        Way::Slack(url) => post(url, &serde_json::json!({ "text": slack(alert) }), environment).await,
        Way::Command(words) => {
            let body = serde_json::to_vec(alert).map_err(|error| error.to_string())?;
            run(words, &body).await
        }
    }
}

/// The alert in Slack's own markup.
fn slack(alert: &Alert) -> String {
    let sign = match alert.event {
        Event::Began => ":red_circle:",
        Event::Lasts => ":large_orange_circle:",
        Event::Ended => ":large_green_circle:",
    };
    let plain = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let hint = alert.hint.as_ref().map_or_else(String::new, |hint| format!("\n{}", plain(hint)));
    format!("{sign} *{}* {}{hint}", plain(&alert.source), plain(&alert.message))
}

async fn post(url: &str, body: &impl Serialize, environment: &Environment) -> Result<(), String> {
    let api = Api { shown: Shown::Host, timeout: PATIENCE, ..Api::new(url) };
    let http = Http::new(api, environment).map_err(|error| error.to_string())?;
    let request = Request::post_json(url, body).map_err(|error| error.to_string())?;
    let sent = tokio::time::timeout(PATIENCE, http.send(&request)).await;
    sent.map_err(|_| "no answer in time".to_owned())?.map(drop).map_err(|error| error.to_string())
}

async fn run(words: &[String], body: &[u8]) -> Result<(), String> {
    let Some((program, arguments)) = words.split_first() else { return Err("no command".to_owned()) };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("cannot start {program}: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not want to hear still has its say by how it ends.
        let _ = stdin.write_all(body).await;
    }
    let ended =
        tokio::time::timeout(PATIENCE, child.wait()).await.map_err(|_| format!("{program} did not end"))?;
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program} ended with {status}")),
        Err(error) => Err(format!("{program} was lost: {error}")),
    }
}
