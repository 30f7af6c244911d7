//! What is gone, what is back, and what was taken in by another.

use std::collections::BTreeMap;

use tributary_core::Fact;

use super::state::{sees, settle};
use super::{Bench, Daemon, Halt, Stop, each_stream, same_as_fresh};
use crate::connector::Record;
use crate::testkit::Change;

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

pub(super) async fn delete_is_taken_back(bench: &Bench<'_>) -> Result<(), Stop> {
    let mut daemon = bench.daemon();
    daemon.pass(None).await?;
    settle().await;
    let gone = each_stream(bench, |stream| {
        let ids = bench.vendor.ids(stream);
        let id = ids.iter().nth(ids.len() / 2)?;
        Some((stream, bench.vendor.change(stream, Change::Delete(id))?))
    })?;
    settle().await;
    daemon.pass(None).await?;
    settle().await;
    let back = |(stream, id): (&'static str, String)| {
        bench.vendor.change(stream, Change::Restore(&id)).map(|id| (stream, id))
    };
    let back: Vec<_> = gone.into_iter().filter_map(back).collect();
    if back.is_empty() {
        return Err(Stop::Inapplicable);
    }
    settle().await;
    daemon.pass(None).await?;
    let living = daemon.living();
    match back.iter().find(|(stream, id)| !living.contains_key(&(*stream, id))) {
        Some((stream, id)) => Err(format!("{stream} {id} is back, but not here").into()),
        None => same_as_fresh(&daemon).await,
    }
}

/// Who took whom in, by stream and id, as all that is held says it.
fn winners(bench: &Bench<'_>, daemon: &Daemon<'_>) -> BTreeMap<(&'static str, String), String> {
    let settings = bench.vendor.settings();
    let mut winners = BTreeMap::new();
    for ((stream, id), held) in &daemon.held {
        let record = Record { body: held.body.clone(), ..Record::deletion(stream, id.clone(), None) };
        for fact in bench.subject.connector.normalize(&settings, &record).facts {
            if let Fact::Merge(it) = fact {
                winners.insert((*stream, it.loser), it.winner);
            }
        }
    }
    winners
}

/// Takes one record of each stream in by another, where the vendor can: stream, loser, and the id that stays.
fn merge(
    bench: &Bench<'_>,
    which: impl Fn(&'static str) -> Option<(String, String)>,
) -> Result<Vec<(&'static str, String, String)>, Stop> {
    each_stream(bench, |stream| {
        let (loser, winner) = which(stream)?;
        let stays = bench.vendor.change(stream, Change::Merge { loser: &loser, winner: &winner })?;
        Some((stream, loser, stays))
    })
}

/// The first and the last record of a stream.
fn ends(bench: &Bench<'_>, stream: &str) -> Option<(String, String)> {
    let ids = bench.vendor.ids(stream);
    Some((ids.first()?.clone(), ids.last()?.clone()))
}

pub(super) async fn merge_is_followed(bench: &Bench<'_>) -> Result<(), Stop> {
    let mut daemon = bench.daemon();
    daemon.pass(None).await?;
    settle().await;
    let merged = merge(bench, |stream| ends(bench, stream))?;
    settle().await;
    daemon.pass(None).await?;
    same_as_fresh(&daemon).await?;
    let winners = winners(bench, &daemon);
    match merged
        .into_iter()
        .find(|(stream, loser, stays)| winners.get(&(*stream, loser.clone())) != Some(stays))
    {
        Some((stream, loser, stays)) => {
            Err(format!("nothing says that {stream} {loser} is {stays} now").into())
        }
        None => Ok(()),
    }
}

pub(super) async fn merge_of_merged_is_followed(bench: &Bench<'_>) -> Result<(), Stop> {
    let mut daemon = bench.daemon();
    daemon.pass(None).await?;
    let mut chains: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for _ in 0..2 {
        settle().await;
        let step = merge(bench, |stream| {
            let (first, last) = ends(bench, stream)?;
            let loser = chains.get(stream).and_then(|chain| chain.last()).cloned().unwrap_or(first);
            // The one before the last, then the last.
            let before = || bench.vendor.ids(stream).into_iter().rev().nth(1);
            let winner = if chains.contains_key(stream) { Some(last) } else { before() };
            winner.filter(|winner| *winner != loser).map(|winner| (loser, winner))
        })?;
        for (stream, loser, stays) in step {
            chains.entry(stream).or_insert_with(|| vec![loser]).push(stays);
        }
        settle().await;
        daemon.pass(None).await?;
    }
    same_as_fresh(&daemon).await?;
    let winners = winners(bench, &daemon);
    for (stream, chain) in chains {
        let (Some(first), Some(last)) = (chain.first(), chain.last()) else { continue };
        let mut at = first;
        for _ in &chain {
            at = winners.get(&(stream, at.clone())).unwrap_or(at);
        }
        if at != last {
            return Err(format!("{stream} {first} leads to {at} instead of {last}").into());
        }
    }
    Ok(())
}

pub(super) async fn merge_is_taken_back(bench: &Bench<'_>) -> Result<(), Stop> {
    let mut daemon = bench.daemon();
    daemon.pass(None).await?;
    settle().await;
    let merged = merge(bench, |stream| ends(bench, stream))?;
    settle().await;
    daemon.pass(None).await?;
    settle().await;
    let split = |(stream, loser, winner): &(&'static str, String, String)| {
        bench.vendor.change(stream, Change::Split { loser, winner }).map(|_| (*stream, loser.clone()))
    };
    let split: Vec<_> = merged.iter().filter_map(split).collect();
    if split.is_empty() {
        return Err(Stop::Inapplicable);
    }
    settle().await;
    daemon.pass(None).await?;
    same_as_fresh(&daemon).await?;
    let winners = winners(bench, &daemon);
    match split.iter().find(|loser| winners.contains_key(loser)) {
        Some((stream, loser)) => Err(format!("{stream} {loser} is its own again, but still merged").into()),
        None => Ok(()),
    }
}
