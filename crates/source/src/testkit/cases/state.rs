//! Cursors, resume points, and what a later pass sees.

use std::collections::BTreeSet;
use std::time::Duration;

use tributary_core::Time;
use tributary_core::time::Zone;

use super::{Bench, Halt, Stop, each_stream, loses_nothing, same_as_fresh};
use crate::connector::{Cursor, Mode, Part, Resume, Span, Task};
use crate::error::NextStep;
use crate::testkit::{Change, Trouble};

/// More pages than any case has.
const ENDLESS: usize = 5_000;

/// Gives a vendor time to show what happened.
pub(super) async fn settle() {
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

pub(super) async fn state_rewound_changes_nothing(bench: &Bench<'_>) -> Result<(), Stop> {
    let mut daemon = bench.daemon();
    daemon.pass(None).await?;
    let early = daemon.places();
    settle().await;
    update(bench, BTreeSet::first)?;
    settle().await;
    daemon.pass(None).await?;
    let changes = daemon.changes;
    daemon.rewind(early);
    daemon.pass(None).await?;
    match daemon.changes - changes {
        0 => same_as_fresh(&daemon).await,
        changed => Err(format!("{changed} records change because they are read again").into()),
    }
}

pub(super) async fn state_recovers_from_a_wrong_clock(bench: &Bench<'_>) -> Result<(), Stop> {
    // The server believes that it is the day after tomorrow, and is put right.
    bench.wire.skew(Duration::from_hours(50));
    let mut daemon = bench.daemon();
    daemon.pass(None).await?;
    bench.wire.skew(Duration::ZERO);
    settle().await;
    update(bench, BTreeSet::first)?;
    settle().await;
    daemon.pass(None).await?;
    same_as_fresh(&daemon).await
}

/// After a first pass something changes, time passes, and a second pass sees it.
pub(super) async fn sees(
    bench: &Bench<'_>,
    change: impl Fn(&'static str) -> Option<String>,
) -> Result<(), Stop> {
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
    if !bench.vendor.trouble(Trouble::Lag(Duration::from_mins(1))) {
        return Err(Stop::Inapplicable);
    }
    update(bench, BTreeSet::first)?;
    // What came later shows earlier.
    bench.vendor.trouble(Trouble::Lag(Duration::ZERO));
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
    // A list that was interrupted is finished first.
    daemon.pass(None).await?;
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

pub(super) async fn incremental_reads_little_more_than_what_changed(bench: &Bench<'_>) -> Result<(), Stop> {
    let mut daemon = bench.daemon();
    daemon.pass(None).await?;
    let first = std::mem::take(&mut daemon.came);
    // What changed last of all is read again and again, whatever it is: let it be one record.
    update(bench, BTreeSet::first)?;
    // Longer than anybody looks back.
    tokio::time::sleep(Duration::from_hours(24 * 200)).await;
    daemon.pass(None).await?;
    daemon.came.clear();
    update(bench, BTreeSet::last)?;
    settle().await;
    daemon.pass(None).await?;
    let streams = bench.subject.connector.streams().iter().filter(|stream| stream.mode == Mode::Keyset);
    for stream in streams {
        let count =
            |came: &std::collections::BTreeMap<&str, usize>| came.get(stream.name).copied().unwrap_or(0);
        let (all, again) = (count(&first), count(&daemon.came));
        if all >= 10 && again > all / 2 {
            return Err(
                format!("{}: {again} of {all} records are read for one that changed", stream.name).into()
            );
        }
    }
    Ok(())
}

/// Instants around which clocks and calendars jump: a quarter of an hour before the second half past two of Berlin's
/// longest day, and so on.
const JUMPS: [&str; 5] = [
    "2026-10-25T00:35:00Z",
    "2026-11-01T05:35:00Z",
    "2026-12-31T22:45:00Z",
    "2027-03-28T00:45:00Z",
    "2028-02-28T23:45:00Z",
];

pub(super) async fn incremental_bears_days_of_other_lengths(bench: &Bench<'_>) -> Result<(), Stop> {
    let mut daemon = bench.daemon();
    daemon.pass(None).await?;
    let mut changed = 0;
    for jump in JUMPS {
        let at = Time::parse(jump, &Zone::default()).map_err(|error| error.to_string())?;
        let until = at.0.saturating_sub((bench.clock)().0).max(0) as u64;
        tokio::time::sleep(Duration::from_micros(until)).await;
        for _ in 0..2 {
            // Another record each time: what is lost must not come with its next change.
            let change = |stream: &'static str| {
                let made = bench.vendor.change(stream, Change::Create);
                let ids = bench.vendor.ids(stream);
                made.or_else(|| bench.vendor.change(stream, Change::Update(ids.iter().nth(changed)?)))
            };
            changed += each_stream(bench, change).map_or(0, |_| 1);
            tokio::time::sleep(Duration::from_mins(10)).await;
            daemon.pass(None).await?;
        }
    }
    tokio::time::sleep(Duration::from_hours(30)).await;
    daemon.pass(None).await?;
    if changed == 0 { Err(Stop::Inapplicable) } else { loses_nothing(&daemon).await.map(drop) }
}
