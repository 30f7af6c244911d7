//! Limits, errors and replies that are none.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;

use super::{Bench, Stop, same_as_fresh};
use crate::connector::{Next, Span, Task};
use crate::error::Error;
use crate::testkit::wire::{Asked, Fault, http_date};

/// The body that is larger than any client takes.
const HUGE: usize = 65 << 20;

pub(super) async fn rate_is_never_over_the_limit(bench: &Bench<'_>) -> Result<(), Stop> {
    let mut daemon = bench.daemon();
    daemon.pass(None).await?;
    // Limits are kept by a process: the next one comes a minute later.
    tokio::time::sleep(Duration::from_mins(1)).await;
    daemon.pass(None).await?;
    match bench.wire.journal().iter().filter(|asked| asked.status == Some(429)).count() {
        0 => Ok(()),
        refused => Err(format!("{refused} requests were too many").into()),
    }
}

/// One refusal, after which nobody may ask for so long.
async fn waits(bench: &Bench<'_>, refusal: Fault, wait: Duration) -> Result<(), Stop> {
    bench.wire.fail(1, 1, refusal);
    let mut daemon = bench.daemon();
    daemon.pass(None).await?;
    let journal = bench.wire.journal();
    let Some(refused) = journal.iter().position(|asked| asked.status == Some(429)) else {
        return Err(Stop::Inapplicable);
    };
    let at = journal[refused].at.0;
    let early = journal.iter().skip(refused + 1).find(|asked| asked.at.0 < at + wait.as_micros() as i64);
    match early {
        Some(asked) => Err(format!("asked again after {} ms", (asked.at.0 - at) / 1000).into()),
        None => same_as_fresh(&daemon).await,
    }
}

pub(super) async fn rate_waits_for_retry_after_seconds(bench: &Bench<'_>) -> Result<(), Stop> {
    waits(bench, Fault::status(429).header("retry-after", 7), Duration::from_secs(7)).await
}

pub(super) async fn rate_waits_for_retry_after_date(bench: &Bench<'_>) -> Result<(), Stop> {
    let date = http_date((bench.clock)(), Duration::from_secs(90));
    waits(bench, Fault::status(429).header("retry-after", date), Duration::from_mins(1)).await
}

pub(super) async fn rate_waits_out_a_used_up_day(bench: &Bench<'_>) -> Result<(), Stop> {
    waits(bench, Fault::status(429).header("retry-after", 6 * 3600), Duration::from_hours(6)).await
}

pub(super) async fn rate_holds_the_whole_account(bench: &Bench<'_>) -> Result<(), Stop> {
    const HELD: Duration = Duration::from_secs(45);
    let source = bench.daemon().connect()?;
    let mut tasks = Vec::new();
    for stream in bench.subject.connector.streams() {
        for part in source.parts(stream).await?.into_iter().take(2) {
            tasks.push(Task { stream: stream.name, part, span: Span::Since(None), resume: None });
        }
    }
    let before = bench.wire.asked();
    bench.wire.fail(0, 1, Fault::status(429).header("retry-after", HELD.as_secs()));
    let pull = async |mut task: Task| {
        for _ in 0..3 {
            match source.pull(&task).await?.next {
                Next::More(resume) => task.resume = Some(resume),
                Next::Done(_) => break,
            }
        }
        Ok::<_, Error>(())
    };
    for outcome in join_all(tasks.into_iter().map(pull)).await {
        outcome?;
    }
    let journal = bench.wire.journal().split_off(before);
    let refused = journal.first().map_or(0, |asked| asked.at.0);
    // What was on its way already came at the same instant.
    let early = journal.iter().find(|it| refused < it.at.0 && it.at.0 < refused + HELD.as_micros() as i64);
    match early {
        Some(asked) => Err(format!("{} was asked while the account was held", asked.address).into()),
        None => Ok(()),
    }
}

/// One such fault at the third request, and still everything comes.
async fn heals(bench: &Bench<'_>, fault: Fault) -> Result<(), Stop> {
    bench.wire.fail(2, 1, fault);
    let mut daemon = bench.daemon();
    daemon.pass(None).await?;
    bench.wire.heal();
    same_as_fresh(&daemon).await
}

pub(super) async fn error_5xx_is_tried_again(bench: &Bench<'_>) -> Result<(), Stop> {
    heals(bench, Fault::status(503)).await
}

pub(super) async fn error_torn_body_is_tried_again(bench: &Bench<'_>) -> Result<(), Stop> {
    heals(bench, Fault::Torn).await
}

pub(super) async fn error_timeout_is_tried_again(bench: &Bench<'_>) -> Result<(), Stop> {
    heals(bench, Fault::Slow(Duration::from_mins(30))).await
}

pub(super) async fn error_4xx_is_not_tried_again(bench: &Bench<'_>) -> Result<(), Stop> {
    bench.wire.fail(2, usize::MAX, Fault::status(400));
    // That it fails is right.
    let _ = bench.daemon().pass(None).await;
    let mut asked: BTreeMap<(String, Vec<u8>), usize> = BTreeMap::new();
    for Asked { address, body, .. } in bench.wire.journal().into_iter().filter(|it| it.status == Some(400)) {
        *asked.entry((address, body)).or_default() += 1;
    }
    // Streams may begin with the same question: once each.
    let streams = bench.subject.connector.streams().len();
    match asked.into_iter().find(|(_, times)| *times > streams) {
        Some(((address, _), times)) => Err(format!("{address} was asked {times} times").into()),
        None => Ok(()),
    }
}

pub(super) async fn error_that_stays_loses_nothing(bench: &Bench<'_>) -> Result<(), Stop> {
    let mut whole = bench.daemon();
    whole.pass(None).await?;
    let requests = bench.wire.asked();
    for after in [0, 1, requests / 3, requests / 2, requests - 1] {
        for status in [503, 400] {
            let mut daemon = bench.daemon();
            bench.wire.fail(after, usize::MAX, Fault::status(status));
            let _ = daemon.pass(None).await;
            bench.wire.heal();
            daemon.pass(None).await?;
            if daemon.living() != whole.living() {
                same_as_fresh(&daemon).await?;
            }
        }
    }
    Ok(())
}

/// A reply that is none, from the third request on: nothing of it lands, and later everything comes.
async fn is_no_data(bench: &Bench<'_>, fault: Fault) -> Result<(), Stop> {
    let mut daemon = bench.daemon();
    bench.wire.fail(2, usize::MAX, fault);
    if daemon.pass(None).await.is_ok() {
        return Err("it is taken for data".to_owned().into());
    }
    bench.wire.heal();
    daemon.pass(None).await?;
    same_as_fresh(&daemon).await
}

pub(super) async fn error_html_is_no_data(bench: &Bench<'_>) -> Result<(), Stop> {
    is_no_data(bench, Fault::body(200, b"<!doctype html><title>Maintenance</title>")).await
}

pub(super) async fn error_empty_body_is_no_data(bench: &Bench<'_>) -> Result<(), Stop> {
    is_no_data(bench, Fault::status(200)).await
}

pub(super) async fn error_garbage_is_no_data(bench: &Bench<'_>) -> Result<(), Stop> {
    is_no_data(bench, Fault::body(200, b"{\"half\": [1, 2, \xff")).await
}

pub(super) async fn error_body_too_large_is_refused(bench: &Bench<'_>) -> Result<(), Stop> {
    is_no_data(bench, Fault::body(200, &vec![b' '; HUGE])).await
}

pub(super) async fn error_redirect_is_not_followed(bench: &Bench<'_>) -> Result<(), Stop> {
    const ELSEWHERE: &str = "https://elsewhere.example";
    is_no_data(bench, Fault::status(302).header("location", format!("{ELSEWHERE}/things"))).await?;
    if bench.wire.journal().iter().any(|asked| asked.host == ELSEWHERE) {
        return Err("the credential went to another host".to_owned().into());
    }
    Ok(())
}

pub(super) async fn error_401_asks_for_a_credential_at_most_once(bench: &Bench<'_>) -> Result<(), Stop> {
    bench.wire.fail(2, 1, Fault::status(401));
    let mut daemon = bench.daemon();
    // A vendor with tokens that die goes on with a new one; with a fixed key a person must act.
    let _ = daemon.pass(None).await;
    bench.wire.heal();
    daemon.pass(None).await?;
    same_as_fresh(&daemon).await
}
