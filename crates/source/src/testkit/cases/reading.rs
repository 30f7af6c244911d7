//! What is declared, checked and read.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Bench, Halt, Stop, each_stream, same_as_fresh};
use crate::connector::{Part, Span, Task};
use crate::error::NextStep;
use crate::testkit::Change;
use crate::testkit::wire::Fault;

pub(super) async fn spec_streams_are_unique(bench: &Bench<'_>) -> Result<(), Stop> {
    let streams = bench.subject.connector.streams();
    let names: BTreeSet<&str> = streams.iter().map(|stream| stream.name).collect();
    if names.len() < streams.len() || names.is_empty() {
        return Err("two streams have one name, or there is none".to_owned().into());
    }
    Ok(())
}

pub(super) async fn spec_describes_every_setting(bench: &Bench<'_>) -> Result<(), Stop> {
    let (spec, given) = (bench.subject.connector.spec(), bench.vendor.settings());
    if spec.settings.get("additionalProperties") != Some(&serde_json::Value::Bool(false)) {
        return Err("its settings take unknown keys: write #[serde(deny_unknown_fields)]".to_owned().into());
    }
    let properties = spec.settings.get("properties").cloned().unwrap_or_default();
    let about = bench.subject.connector.about();
    for key in spec.keys() {
        if properties[key]["description"].as_str().is_none_or(str::is_empty) {
            return Err(format!("nothing says what `{key}` is: give the field a doc comment").into());
        }
    }
    for key in spec.keys().into_iter().chain(spec.secrets.iter().map(|it| it.name)) {
        if !about.contains(&format!("`{key}`")) {
            return Err(format!("the README says nothing of `{key}`").into());
        }
    }
    if let Some(key) = given.secrets.keys().find(|key| !spec.is_secret(key)) {
        return Err(format!("the secret `{key}` is not declared").into());
    }
    let known = spec.keys();
    match given.values.as_object().into_iter().flatten().find(|(key, _)| !known.contains(&key.as_str())) {
        Some((key, _)) => Err(format!("the setting `{key}` is not declared").into()),
        None => Ok(()),
    }
}

pub(super) async fn spec_records_are_well_formed(bench: &Bench<'_>) -> Result<(), Stop> {
    let mut daemon = bench.daemon();
    daemon.pass(None).await?;
    let names: BTreeSet<&str> = bench.subject.connector.streams().iter().map(|stream| stream.name).collect();
    for ((stream, id), held) in &daemon.held {
        let body = held.body.as_deref().unwrap_or_default();
        if !names.contains(stream) {
            return Err(format!("a record of `{stream}`, which is not declared").into());
        }
        if id.trim().is_empty() {
            return Err(format!("a record of {stream} without id").into());
        }
        if serde_json::from_slice::<serde_json::Value>(body).is_err() {
            return Err(format!("{stream} {id} is no JSON").into());
        }
    }
    Ok(())
}

pub(super) async fn check_succeeds_at_a_healthy_vendor(bench: &Bench<'_>) -> Result<(), Stop> {
    bench.daemon().connect()?.check().await?;
    Ok(())
}

pub(super) async fn check_says_that_a_credential_is_bad(bench: &Bench<'_>) -> Result<(), Stop> {
    bench.wire.fail(0, usize::MAX, Fault::status(401));
    match bench.daemon().connect()?.check().await {
        Err(error) if matches!(error.next, NextStep::Reauthorize | NextStep::FixConfig) => Ok(()),
        other => Err(format!("status 401 leads to {other:?}").into()),
    }
}

pub(super) async fn check_says_that_a_permission_is_missing(bench: &Bench<'_>) -> Result<(), Stop> {
    use NextStep::{FixConfig, Reauthorize, SkipPart, SkipStream};
    bench.wire.fail(0, usize::MAX, Fault::status(403));
    match bench.daemon().connect()?.check().await {
        Err(error) if matches!(error.next, FixConfig | Reauthorize | SkipPart | SkipStream) => Ok(()),
        Ok(findings) if !findings.is_empty() => Ok(()),
        other => Err(format!("status 403 leads to {other:?}").into()),
    }
}

pub(super) async fn logs_hold_no_personal_data(bench: &Bench<'_>) -> Result<(), Stop> {
    const PERSON: &str = "canary.person@acme.example";
    let mut daemon = bench.daemon();
    let quoting = format!(
        r#"{{"error": "no {PERSON}", "message": "no {PERSON}", "errors": [{{"message": "{PERSON}"}}]}}"#
    );
    for status in [None, Some(400), Some(403), Some(404), Some(429), Some(500), Some(200)] {
        if let Some(status) = status {
            bench.wire.fail(2, 12, Fault::body(status, quoting.as_bytes()));
        }
        if let Err(error) = daemon.connect()?.check().await {
            daemon.said.push(format!("{error} {error:?}"));
        }
        // How it ends is another case's question.
        let _ = daemon.pass(None).await;
    }
    let bodies = daemon.held.values().filter_map(|held| held.body.as_deref()).map(String::from_utf8_lossy);
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '@' | '.' | '-' | '_' | '+');
    let mut people: BTreeSet<String> = BTreeSet::from([PERSON.to_owned()]);
    for body in bodies {
        let words = body.split(|c| !is_part(c)).filter(|word| word.contains('@') && word.len() > 5);
        people.extend(words.map(str::to_owned));
    }
    let logged = bench.logged();
    let said = std::iter::once(&logged).chain(&daemon.said);
    match said.into_iter().find_map(|text| people.iter().find(|person| text.contains(*person))) {
        Some(person) => Err(format!("{person} stands in a log or an error").into()),
        None => Ok(()),
    }
}

pub(super) async fn secrets_never_leak(bench: &Bench<'_>) -> Result<(), Stop> {
    let mut daemon = bench.daemon();
    let mut said = vec![format!("{:?}", bench.vendor.settings())];
    for fault in [None, Some(Fault::status(400)), Some(Fault::body(200, b"\x00")), Some(Fault::status(403))] {
        if let Some(fault) = fault {
            bench.wire.fail(2, usize::MAX, fault);
        }
        if let Err(error) = daemon.connect()?.check().await {
            said.push(format!("{error} {error:?}"));
        }
        // How it ends is another case's question.
        let _ = daemon.pass(None).await;
    }
    said.append(&mut daemon.said);
    said.extend(bench.wire.journal().into_iter().map(|asked| asked.address));
    said.push(bench.logged());
    let bodies = daemon.held.values().filter_map(|held| held.body.as_deref());
    said.extend(bodies.map(|body| String::from_utf8_lossy(body).into_owned()));
    match said.iter().find(|text| text.contains("canary")) {
        Some(text) => {
            let at = text.find("canary").unwrap_or_default();
            let begin = text[..at].char_indices().rev().nth(60).map_or(0, |(at, _)| at);
            Err(format!("a secret stands in `{}…`", &text[begin..at]).into())
        }
        None => Ok(()),
    }
}

pub(super) async fn fetch_asks_only_its_own_hosts(bench: &Bench<'_>) -> Result<(), Stop> {
    let mut daemon = bench.daemon();
    daemon.pass(None).await?;
    let settings = bench.vendor.settings().values.to_string();
    match bench.wire.journal().into_iter().find(|asked| !settings.contains(&asked.host)) {
        Some(asked) => Err(format!("it asks {}, which the settings do not name", asked.host).into()),
        None => Ok(()),
    }
}

pub(super) async fn fetch_lands_everything_there_is(bench: &Bench<'_>) -> Result<(), Stop> {
    let mut daemon = bench.daemon();
    daemon.pass(None).await?;
    for stream in bench.subject.connector.streams() {
        let truth = bench.vendor.ids(stream.name);
        let held: BTreeSet<String> = daemon
            .living()
            .into_keys()
            .filter(|key| key.0 == stream.name)
            .map(|key| key.1.to_owned())
            .collect();
        if let Some(id) = truth.difference(&held).next() {
            let (have, all) = (held.len(), truth.len());
            return Err(format!("{} {id} is lost: {have} of {all} came", stream.name).into());
        }
        if let Some(id) = held.difference(&truth).next() {
            return Err(format!("{} {id} is invented", stream.name).into());
        }
    }
    Ok(())
}

pub(super) async fn fetch_page_is_repeatable(bench: &Bench<'_>) -> Result<(), Stop> {
    for stream in bench.subject.connector.streams() {
        let [one, other] = [bench.daemon().connect()?, bench.daemon().connect()?];
        for part in one.parts(stream).await? {
            let task =
                Task { stream: stream.name, part: Part(part.0), span: Span::Since(None), resume: None };
            let (one, other) = (one.pull(&task).await?, other.pull(&task).await?);
            if one.records != other.records {
                return Err(format!("the same page of {} is different the second time", stream.name).into());
            }
        }
    }
    Ok(())
}

pub(super) async fn fetch_counts_what_the_vendor_counts(bench: &Bench<'_>) -> Result<(), Stop> {
    let mut daemon = bench.daemon();
    daemon.pass(None).await?;
    // What is new is asked for in another way than everything.
    daemon.pass(None).await?;
    match daemon.miscounted.first() {
        Some(why) => Err(why.clone().into()),
        None => Ok(()),
    }
}

pub(super) async fn fetch_loses_nothing_to_changes_while_paging(bench: &Bench<'_>) -> Result<(), Stop> {
    let mut daemon = bench.daemon();
    let mut changed = 0;
    // Each process gets one page further; after each, something behind and something ahead changes.
    for page in 1..40 {
        match daemon.pass(Some(page)).await {
            Ok(()) => break,
            Err(Halt::Killed) => {}
            Err(halt) => return Err(halt.into()),
        }
        changed += change_both_ends(bench, page);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    if changed == 0 {
        return Err(Stop::Inapplicable);
    }
    tokio::time::sleep(Duration::from_hours(2)).await;
    daemon.pass(None).await?;
    same_as_fresh(&daemon).await
}

/// Changes the first and the last record of each stream in turn.
fn change_both_ends(bench: &Bench<'_>, turn: usize) -> usize {
    let change = |stream: &'static str| {
        let ids = bench.vendor.ids(stream);
        let id = if turn.is_multiple_of(2) { ids.first() } else { ids.last() }?;
        bench.vendor.change(stream, Change::Update(id))
    };
    each_stream(bench, change).map_or(0, |changed| changed.len())
}
