//! Cursors, resume points, and what a later pass sees.

use std::collections::BTreeSet;
use std::time::Duration;

use tributary_core::Fact;

use super::{Bench, Halt, Stop, each_stream, same_as_fresh};
use crate::connector::{Cursor, Part, Record, Resume, Span, Task};
use crate::error::NextStep;
use crate::testkit::Change;

/// More pages than any case has.
const ENDLESS: usize = 5_000;

/// Gives a vendor time to show what happened.
async fn settle() {
    tokio::time::sleep(Duration::from_hours(2)).await;
}

pub(super) async fn state_resumes_at_every_page(bench: &Bench<'_>) -> Result<(), Stop> {
    let mut whole = bench.daemon();
    whole.pass(None).await?;
    let mut killed = bench.daemon();
    // Each process gets a little further than the one before it.
    for page in (1..ENDLESS).step_by(whole.pages.div_ceil(30)) {
        match killed.pass(Some(page)).await {
            Ok(()) if killed.living() == whole.living() => return Ok(()),
            Ok(()) => {
                same_as_fresh(&killed).await?;
                return Err("another result after kills".to_owned().into());
            }
            Err(Halt::Killed) => {}
            Err(halt) => return Err(halt.into()),
        }
    }
    Err("it does not come to an end".to_owned().into())
}

pub(super) async fn state_is_never_ahead_of_the_data(bench: &Bench<'_>) -> Result<(), Stop> {
    let mut daemon = bench.daemon();
    for page in 1..40 {
        match daemon.pass(Some(page)).await {
            Ok(()) => break,
            Err(Halt::Killed) => {}
            Err(halt) => return Err(halt.into()),
        }
        // What was read already, and what was not, changes between two processes.
        let _ = each_stream(bench, |stream| {
            let ids = bench.vendor.ids(stream);
            let id = ids.iter().nth((page * 7) % ids.len().max(1))?;
            bench.vendor.change(stream, Change::Update(id))
        });
        tokio::time::sleep(Duration::from_secs(30)).await;
    }
    settle().await;
    daemon.pass(None).await?;
    same_as_fresh(&daemon).await
}

pub(super) async fn state_second_pass_is_quiet(bench: &Bench<'_>) -> Result<(), Stop> {
    let mut daemon = bench.daemon();
    daemon.pass(None).await?;
    let (changes, first) = (daemon.changes, bench.wire.asked());
    tokio::time::sleep(Duration::from_mins(1)).await;
    daemon.pass(None).await?;
    let second = bench.wire.asked() - first;
    if daemon.changes > changes {
        return Err(format!("{} records changed though nothing did", daemon.changes - changes).into());
    }
    if second > first * 2 + 4 {
        return Err(format!("{second} requests, after {first} for everything").into());
    }
    Ok(())
}

pub(super) async fn state_of_another_version_starts_anew(bench: &Bench<'_>) -> Result<(), Stop> {
    for stream in bench.subject.connector.streams() {
        let source = bench.daemon().connect()?;
        let Some(part) = source.parts(stream).await?.into_iter().next() else { continue };
        let part = Part(part.0);
        let first = Task { stream: stream.name, part: part.clone(), span: Span::Since(None), resume: None };
        let first = source.pull(&first).await?.records.len();
        let span = Span::Since(Some(Cursor("v999 ?".to_owned())));
        let strange = [
            Task { stream: stream.name, part: part.clone(), span, resume: None },
            Task {
                stream: stream.name,
                part,
                span: Span::Since(None),
                resume: Some(Resume("v999 ?".to_owned())),
            },
        ];
        for task in strange {
            match source.pull(&task).await {
                Err(error) if error.next == NextStep::Restart => {}
                Ok(page) if page.records.len() == first => {}
                other => {
                    let other = other.map(|page| page.records.len());
                    return Err(format!("a strange place in {} leads to {other:?}", stream.name).into());
                }
            }
        }
    }
    Ok(())
}

/// After a first pass something changes, time passes, and a second pass sees it.
async fn sees(bench: &Bench<'_>, change: impl Fn(&'static str) -> Option<String>) -> Result<(), Stop> {
    let mut daemon = bench.daemon();
    daemon.pass(None).await?;
    settle().await;
    each_stream(bench, change)?;
    settle().await;
    daemon.pass(None).await?;
    same_as_fresh(&daemon).await
}

pub(super) async fn incremental_sees_what_was_made(bench: &Bench<'_>) -> Result<(), Stop> {
    sees(bench, |stream| bench.vendor.change(stream, Change::Create)).await
}

pub(super) async fn incremental_sees_what_was_changed(bench: &Bench<'_>) -> Result<(), Stop> {
    sees(bench, |stream| {
        let ids = bench.vendor.ids(stream);
        let [first, last] = [ids.first()?, ids.last()?];
        bench.vendor.change(stream, Change::Update(last));
        bench.vendor.change(stream, Change::Update(first))
    })
    .await
}

pub(super) async fn incremental_sees_what_shows_late(bench: &Bench<'_>) -> Result<(), Stop> {
    let mut daemon = bench.daemon();
    daemon.pass(None).await?;
    settle().await;
    if !bench.vendor.lag(Duration::from_mins(1)) {
        return Err(Stop::Inapplicable);
    }
    update(bench, BTreeSet::first)?;
    // What came later shows earlier.
    bench.vendor.lag(Duration::ZERO);
    tokio::time::sleep(Duration::from_secs(1)).await;
    update(bench, BTreeSet::last)?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    daemon.pass(None).await?;
    settle().await;
    daemon.pass(None).await?;
    same_as_fresh(&daemon).await
}

/// Changes one record of each stream.
fn update(bench: &Bench<'_>, which: fn(&BTreeSet<String>) -> Option<&String>) -> Result<(), Stop> {
    let change =
        |stream: &'static str| bench.vendor.change(stream, Change::Update(which(&bench.vendor.ids(stream))?));
    each_stream(bench, change).map(|_| ())
}

pub(super) async fn incremental_sees_changes_of_one_instant(bench: &Bench<'_>) -> Result<(), Stop> {
    let mut daemon = bench.daemon();
    daemon.pass(None).await?;
    settle().await;
    update(bench, BTreeSet::last)?;
    // One page takes no time: what changes after it is stamped alike.
    match daemon.pass(Some(1)).await {
        Ok(()) | Err(Halt::Killed) => {}
        Err(halt) => return Err(halt.into()),
    }
    update(bench, BTreeSet::first)?;
    settle().await;
    daemon.pass(None).await?;
    same_as_fresh(&daemon).await
}

pub(super) async fn incremental_bears_a_skewed_clock(bench: &Bench<'_>) -> Result<(), Stop> {
    bench.wire.skew(Duration::from_mins(10));
    let mut daemon = bench.daemon();
    daemon.pass(None).await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    update(bench, BTreeSet::first)?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    daemon.pass(None).await?;
    settle().await;
    daemon.pass(None).await?;
    same_as_fresh(&daemon).await
}

pub(super) async fn delete_is_seen(bench: &Bench<'_>) -> Result<(), Stop> {
    sees(bench, |stream| {
        let ids = bench.vendor.ids(stream);
        bench.vendor.change(stream, Change::Delete(ids.iter().nth(ids.len() / 2)?))
    })
    .await
}

pub(super) async fn delete_waits_for_a_complete_walk(bench: &Bench<'_>) -> Result<(), Stop> {
    let mut daemon = bench.daemon();
    daemon.pass(None).await?;
    let living: Vec<_> = daemon.living().into_keys().map(|(stream, id)| (stream, id.to_owned())).collect();
    for page in 1..60 {
        let ended = daemon.pass(Some(page)).await;
        let now = daemon.living();
        if let Some((stream, id)) =
            living.iter().find(|(stream, id)| !now.contains_key(&(*stream, id.as_str())))
        {
            return Err(format!("{stream} {id} is taken for deleted in the middle of a walk").into());
        }
        match ended {
            Ok(()) => break,
            Err(Halt::Killed) => {}
            Err(halt) => return Err(halt.into()),
        }
    }
    Ok(())
}

pub(super) async fn merge_is_followed(bench: &Bench<'_>) -> Result<(), Stop> {
    let mut daemon = bench.daemon();
    daemon.pass(None).await?;
    settle().await;
    let merged = each_stream(bench, |stream| {
        let ids = bench.vendor.ids(stream);
        let (loser, winner) = (ids.first()?, ids.last()?);
        let stays = bench.vendor.change(stream, Change::Merge { loser, winner })?;
        Some((stream, loser.clone(), stays))
    })?;
    settle().await;
    daemon.pass(None).await?;
    same_as_fresh(&daemon).await?;
    let settings = bench.vendor.settings();
    let facts: Vec<Fact> = daemon
        .held
        .iter()
        .flat_map(|((stream, id), held)| {
            let record =
                Record { stream, id: id.clone(), stamp: None, body: held.body.clone(), origin: None };
            bench.subject.connector.normalize(&settings, &record).facts
        })
        .collect();
    for (stream, loser, winner) in merged {
        let is_it = |fact: &Fact| matches!(fact, Fact::Merge(it) if it.loser == loser && it.winner == winner);
        if !facts.iter().any(is_it) {
            return Err(format!("nothing says that {stream} {loser} is {winner} now").into());
        }
    }
    Ok(())
}
