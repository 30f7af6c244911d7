//! What records mean.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Value, json};
use tributary_core::Fact;

use super::{Bench, Stop};
use crate::connector::{Normalized, Record};
use crate::settings::Settings;

/// Records of each stream that are looked at.
const LOOKED_AT: usize = 20;

/// Some records of each stream, as they land.
async fn records(bench: &Bench<'_>) -> Result<Vec<Record>, Stop> {
    let mut daemon = bench.daemon();
    daemon.pass(None).await?;
    let mut out = Vec::new();
    for stream in bench.subject.connector.streams() {
        let theirs = daemon.held.iter().filter(|((name, _), _)| *name == stream.name);
        out.extend(theirs.take(LOOKED_AT).map(|((_, id), held)| Record {
            stream: stream.name,
            id: id.clone(),
            stamp: None,
            body: held.body.clone(),
            origin: None,
        }));
    }
    if out.is_empty() { Err(Stop::Inapplicable) } else { Ok(out) }
}

fn said(bench: &Bench<'_>, settings: &Settings, record: &Record) -> Normalized {
    bench.subject.connector.normalize(settings, record)
}

pub(super) async fn normalize_is_pure(bench: &Bench<'_>) -> Result<(), Stop> {
    let settings = bench.vendor.settings();
    for record in records(bench).await? {
        let first = said(bench, &settings, &record);
        let connector = &bench.subject.connector;
        let same = std::thread::scope(|scope| {
            let again: Vec<_> =
                (0..4).map(|_| scope.spawn(|| connector.normalize(&settings, &record) == first)).collect();
            again.into_iter().all(|thread| thread.join().unwrap_or(false))
        });
        if !same {
            return Err(
                format!("{} {} means something else the second time", record.stream, record.id).into()
            );
        }
    }
    Ok(())
}

pub(super) async fn normalize_never_panics(bench: &Bench<'_>) -> Result<(), Stop> {
    let settings = bench.vendor.settings();
    let strange = [
        json!(null),
        json!(-1),
        json!(1e300),
        json!(true),
        json!(""),
        json!("\u{0}\u{202e}𝕏\u{feff}'\"<"),
        json!("9999-99-99T99:99:99Z"),
        json!([]),
        json!([null, {}]),
        json!({}),
    ];
    for record in records(bench).await? {
        let body = record_body(&record);
        let mut paths = Vec::new();
        places(&body, &mut String::new(), &mut paths);
        for path in &paths {
            for value in &strange {
                let mut broken = body.clone();
                if let Some(place) = broken.pointer_mut(path) {
                    *place = value.clone();
                }
                let record = with(&record, &broken);
                if catch_unwind(AssertUnwindSafe(|| said(bench, &settings, &record))).is_err() {
                    return Err(format!("{} with {value} at {path} panics", record.stream).into());
                }
            }
        }
    }
    Ok(())
}

/// Every place in a value, as JSON pointers.
fn places(value: &Value, path: &mut String, out: &mut Vec<String>) {
    out.push(path.clone());
    let length = path.len();
    let mut go = |key: &str, value: &Value| {
        path.push('/');
        path.push_str(&key.replace('~', "~0").replace('/', "~1"));
        places(value, path, out);
        path.truncate(length);
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| go(key, value)),
        Value::Array(items) => {
            items.iter().take(3).enumerate().for_each(|(index, value)| go(&index.to_string(), value));
        }
        _ => {}
    }
}

pub(super) async fn normalize_ignores_unknown_fields(bench: &Bench<'_>) -> Result<(), Stop> {
    let settings = bench.vendor.settings();
    for record in records(bench).await? {
        let mut body = record_body(&record);
        let Some(fields) = body.as_object_mut() else { continue };
        fields.insert("zz_new_in_the_next_version".to_owned(), json!({"a": [1]}));
        if said(bench, &settings, &with(&record, &body)) != said(bench, &settings, &record) {
            return Err(format!("a new field changes what {} {} means", record.stream, record.id).into());
        }
    }
    Ok(())
}

pub(super) async fn normalize_takes_null_for_missing(bench: &Bench<'_>) -> Result<(), Stop> {
    let settings = bench.vendor.settings();
    for record in records(bench).await? {
        let body = record_body(&record);
        let mut paths = Vec::new();
        places(&body, &mut String::new(), &mut paths);
        for path in &paths {
            let Some((parent, key)) = path.rsplit_once('/') else { continue };
            let (mut null, mut missing) = (body.clone(), body.clone());
            let Some(fields) = missing.pointer_mut(parent).and_then(Value::as_object_mut) else { continue };
            fields.remove(&key.replace("~1", "/").replace("~0", "~"));
            if let Some(place) = null.pointer_mut(path) {
                *place = Value::Null;
            }
            let [null, missing] =
                [null, missing].map(|body| said(bench, &settings, &with(&record, &body)).facts);
            if null != missing {
                return Err(format!("null at {path} of {} says more than nothing", record.stream).into());
            }
        }
    }
    Ok(())
}

pub(super) async fn normalize_reads_times_of_any_offset(bench: &Bench<'_>) -> Result<(), Stop> {
    let settings = bench.vendor.settings();
    let mut times = 0;
    for record in records(bench).await? {
        let body = record_body(&record);
        let before = said(bench, &settings, &record);
        let mut paths = Vec::new();
        places(&body, &mut String::new(), &mut paths);
        for path in &paths {
            let Some(text) = body.pointer(path).and_then(Value::as_str) else { continue };
            let Some(elsewhere) = in_another_zone(text) else { continue };
            times += 1;
            let mut moved = body.clone();
            if let Some(place) = moved.pointer_mut(path) {
                *place = json!(elsewhere);
            }
            let after = said(bench, &settings, &with(&record, &moved));
            // To say that it is not understood is fair.
            if after.facts != before.facts && after.problems.is_empty() {
                return Err(format!("{text} at {path} of {} is not {elsewhere}", record.stream).into());
            }
        }
    }
    if times == 0 { Err(Stop::Inapplicable) } else { Ok(()) }
}

/// The same instant as India writes it, if a text is one of UTC.
fn in_another_zone(text: &str) -> Option<String> {
    let at: jiff::Timestamp = text.strip_suffix('Z').filter(|it| it.contains('T')).and(text.parse().ok())?;
    let offset = jiff::tz::Offset::from_seconds(19_800).ok()?;
    Some(at.display_with_offset(offset).to_string())
}

fn record_body(record: &Record) -> Value {
    serde_json::from_slice(record.body.as_deref().unwrap_or_default()).unwrap_or_default()
}

fn with(record: &Record, body: &Value) -> Record {
    Record { body: Some(body.to_string().into_bytes().into_boxed_slice()), ..record.clone() }
}

pub(super) async fn normalize_names_what_it_speaks_of(bench: &Bench<'_>) -> Result<(), Stop> {
    let settings = bench.vendor.settings();
    for record in records(bench).await? {
        let normalized = said(bench, &settings, &record);
        if let Some(problem) = normalized.problems.first() {
            let (stream, id) = (record.stream, &record.id);
            return Err(
                format!("{stream} {id} is in order, but: {}: {}", problem.field, problem.reason).into()
            );
        }
        for fact in normalized.facts {
            let id = match &fact {
                Fact::Account(it) => &it.id,
                Fact::Person(it) => &it.id,
                Fact::Deal(it) => &it.id,
                Fact::Stage(it) => &it.deal,
                Fact::Committee(it) => &it.person,
                Fact::Membership(it) => &it.person,
                Fact::Merge(it) => &it.loser,
                Fact::Name(it) => &it.id,
                Fact::Touch(it) => &it.kind,
                _ => continue,
            };
            if id.trim().is_empty() {
                return Err(format!("{} {} speaks of nothing: {fact:?}", record.stream, record.id).into());
            }
        }
    }
    Ok(())
}

pub(super) async fn normalize_says_nothing_of_deletions(bench: &Bench<'_>) -> Result<(), Stop> {
    let settings = bench.vendor.settings();
    for record in records(bench).await? {
        if said(bench, &settings, &Record { body: None, ..record.clone() }) != Normalized::default() {
            return Err(format!("a deleted {} still says something", record.stream).into());
        }
    }
    Ok(())
}
