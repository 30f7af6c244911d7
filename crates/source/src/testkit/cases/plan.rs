//! Parts, windows and pages: what is asked for, and that it comes whole however the vendor cuts it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::state::{sees, settle};
use super::{Bench, Halt, Stop, each_stream, same_as_fresh};
use crate::connector::Mode;
use crate::testkit::{Change, Trouble};

/// More records than a page of any connector's own test holds.
const MANY: usize = 120;

pub(super) async fn plan_is_the_same_each_time(bench: &Bench<'_>) -> Result<(), Stop> {
    let [one, other] = [bench.daemon().connect()?, bench.daemon().connect()?];
    for stream in bench.subject.connector.streams() {
        let first = one.parts(stream).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        if first != other.parts(stream).await? {
            return Err(format!("the parts of {} are others the second time", stream.name).into());
        }
        if first.iter().collect::<BTreeSet<_>>().len() < first.len() {
            return Err(format!("a part of {} comes twice", stream.name).into());
        }
    }
    Ok(())
}

pub(super) async fn plan_parts_do_not_overlap(bench: &Bench<'_>) -> Result<(), Stop> {
    let mut daemon = bench.daemon();
    daemon.pass(None).await?;
    match daemon.shared.first() {
        Some(record) => Err(format!("two parts claim {record}").into()),
        None => Ok(()),
    }
}

/// Makes so many records in each stream that takes new ones.
fn create(bench: &Bench<'_>, records: usize) -> Result<Vec<&'static str>, Stop> {
    each_stream(bench, |stream| {
        let made = (0..records).filter_map(|_| bench.vendor.change(stream, Change::Create)).count();
        (made == records).then_some(stream)
    })
}

pub(super) async fn fetch_does_not_end_at_a_cap(bench: &Bench<'_>) -> Result<(), Stop> {
    if !bench.vendor.trouble(Trouble::Cap(MANY / 2)) {
        return Err(Stop::Inapplicable);
    }
    let mut daemon = bench.daemon();
    daemon.pass(None).await?;
    settle().await;
    let streams = create(bench, MANY)?;
    settle().await;
    // By what is new, and by everything.
    daemon.pass(None).await?;
    let mut fresh = daemon.fresh();
    fresh.pass(None).await?;
    for (how, daemon) in [("what is new", &daemon), ("everything", &fresh)] {
        for stream in &streams {
            let (came, all) = (daemon.living_of(stream), bench.vendor.ids(stream).len());
            if came != all {
                return Err(format!("{how}: {came} of {all} {stream} came").into());
            }
        }
    }
    Ok(())
}

pub(super) async fn fetch_takes_more_of_one_instant_than_a_page_holds(bench: &Bench<'_>) -> Result<(), Stop> {
    sees(bench, |stream| {
        let ids = bench.vendor.ids(stream);
        let changes = (0..MANY).map(|_| Change::Create).chain(ids.iter().map(|id| Change::Update(id)));
        let mut changed: Vec<String> =
            changes.filter_map(|change| bench.vendor.change(stream, change)).collect();
        changed.pop()
    })
    .await
}

pub(super) async fn fetch_ends_wherever_the_last_page_does(bench: &Bench<'_>) -> Result<(), Stop> {
    let mut daemon = bench.daemon();
    daemon.pass(None).await?;
    // One more record at a time: some number fills the last page.
    let full = daemon.largest.values().copied().max().unwrap_or_default();
    for _ in 0..=full.min(20) {
        create(bench, 1)?;
        settle().await;
        daemon = bench.daemon();
        daemon.pass(None).await?;
        for stream in bench.subject.connector.streams() {
            let (came, all) = (daemon.living_of(stream.name), bench.vendor.ids(stream.name).len());
            if came != all {
                return Err(format!("{came} of {all} {} came", stream.name).into());
            }
        }
    }
    Ok(())
}

pub(super) async fn fetch_bears_an_empty_stream(bench: &Bench<'_>) -> Result<(), Stop> {
    let empty = each_stream(bench, |stream| {
        let ids = bench.vendor.ids(stream);
        let gone = ids.iter().filter_map(|id| bench.vendor.change(stream, Change::Delete(id))).count();
        (gone > 0 && gone == ids.len()).then_some(stream)
    })?;
    let mut daemon = bench.daemon();
    for _ in 0..2 {
        daemon.pass(None).await?;
        if let Some(stream) = empty.iter().find(|stream| daemon.living_of(stream) > 0) {
            return Err(format!("something comes of {stream}, which is empty").into());
        }
        settle().await;
    }
    Ok(())
}

pub(super) async fn fetch_pages_stay_small_however_much_there_is(bench: &Bench<'_>) -> Result<(), Stop> {
    let mut daemon = bench.daemon();
    daemon.pass(None).await?;
    let streams = create(bench, MANY)?;
    settle().await;
    let mut more = bench.daemon();
    more.pass(None).await?;
    for stream in streams {
        let [before, after] =
            [&daemon.largest, &more.largest].map(|largest| largest.get(stream).copied().unwrap_or_default());
        if after >= before + MANY {
            return Err(
                format!("a page of {stream} has {after} records, {before} before there were more").into()
            );
        }
    }
    Ok(())
}

pub(super) async fn fetch_begins_anew_where_page_tokens_die(bench: &Bench<'_>) -> Result<(), Stop> {
    if !bench.vendor.trouble(Trouble::TokenLife(Duration::from_mins(30))) {
        return Err(Stop::Inapplicable);
    }
    let mut whole = bench.daemon();
    whole.pass(None).await?;
    let mut daemon = bench.daemon();
    // The first time, and when everything is there already.
    for _ in 0..2 {
        let before: Vec<_> =
            daemon.living().into_keys().map(|(stream, id)| (stream, id.to_owned())).collect();
        let mut is_done = false;
        // Each process gets a little further, and rests for longer than a token lives.
        for page in (1..whole.pages * 2).step_by(whole.pages.div_ceil(8)) {
            let ended = daemon.pass(Some(page)).await;
            let living = daemon.living();
            if let Some((stream, id)) =
                before.iter().find(|(stream, id)| !living.contains_key(&(*stream, id)))
            {
                return Err(format!("{stream} {id} is taken for deleted where a token died").into());
            }
            is_done = ended.is_ok();
            match ended {
                Ok(()) => break,
                Err(Halt::Killed) => tokio::time::sleep(Duration::from_hours(1)).await,
                Err(halt) => return Err(halt.into()),
            }
        }
        if !is_done {
            return Err("it does not come to an end".to_owned().into());
        }
        same_as_fresh(&daemon).await?;
    }
    Ok(())
}

/// Streams that are read in windows.
fn is_windowed(bench: &Bench<'_>, stream: &str) -> bool {
    let mut streams = bench.subject.connector.streams().iter();
    streams.any(|known| known.name == stream && known.mode == Mode::Windows)
}

/// The first record of a windowed stream that the vendor still changes.
fn restated(
    bench: &Bench<'_>,
    stream: &'static str,
    change: for<'a> fn(&'a str) -> Change<'a>,
) -> Option<String> {
    let ids = bench.vendor.ids(stream);
    ids.iter().filter(|_| is_windowed(bench, stream)).find_map(|id| bench.vendor.change(stream, change(id)))
}

pub(super) async fn restatement_replaces_what_was_told(bench: &Bench<'_>) -> Result<(), Stop> {
    sees(bench, |stream| restated(bench, stream, |id| Change::Update(id))).await
}

pub(super) async fn restatement_takes_rows_away(bench: &Bench<'_>) -> Result<(), Stop> {
    sees(bench, |stream| restated(bench, stream, |id| Change::Delete(id))).await
}
