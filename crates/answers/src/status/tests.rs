use tributary_store::landing::{Landed, Run};

use super::*;

const MINUTE: i64 = 60_000_000;
/// Noon of some day.
const NOW: Time = Time(20_000 * DAY_MICROS + DAY_MICROS / 2);

fn ago(minutes: i64) -> Time {
    Time(NOW.0 - minutes * MINUTE)
}

/// A source that is pulled every quarter of an hour, last ten minutes ago and well.
fn usual() -> Known {
    let stream = |complete_until| StreamStanding {
        tried_at: Some(ago(10)),
        complete_until,
        ..StreamStanding::default()
    };
    let streams = BTreeMap::from([
        ("contacts".to_owned(), stream(Some(ago(10)))),
        ("deals".to_owned(), stream(Some(ago(40)))),
    ]);
    let run = Run {
        id: 7,
        source: "crm".to_owned(),
        started_at: ago(10),
        ended_at: Some(ago(9)),
        outcome: "ok".to_owned(),
        message: None,
        advice: None,
        landed: Landed { fetched: 9, added: 5, ..Landed::default() },
        requests: 4,
        streams: "[]".to_owned(),
        findings: "[]".to_owned(),
    };
    let standing = Standing { outcome: "ok".to_owned(), holder: None, streams };
    let total = RunTotal { runs: 3, ended_at: ago(9), ..RunTotal::default() };
    Known {
        standings: BTreeMap::from([("crm".to_owned(), standing)]),
        runs: vec![run],
        totals: BTreeMap::from([(("crm".to_owned(), "ok".to_owned()), total)]),
        ..Known::default()
    }
}

fn configured(next_at: Option<Time>) -> Configured {
    Configured {
        id: "crm".to_owned(),
        connector: "hubspot",
        schedule: Some("every 15m".to_owned()),
        streams: vec!["contacts", "deals"],
        next_due: Arc::new(move |_, planned, _| next_at.filter(|_| !planned.is_paused)),
    }
}

/// The source as it stands after a change of what is usual.
fn after(change: impl FnOnce(&mut Known)) -> (SourceStatus, Vec<Problem>) {
    let mut known = usual();
    change(&mut known);
    let status = judge(&known, &[configured(Some(Time(NOW.0 + 5 * MINUTE)))], NOW);
    (status.sources.into_iter().next().unwrap(), status.problems)
}

fn failed(known: &mut Known, times: u32, advice: &str) {
    known.runs[0].outcome = "failed".to_owned();
    known.runs[0].message = Some("no answer".to_owned());
    known.runs[0].advice = Some(advice.to_owned());
    let planned = Planned { failures: times, not_before: Some(Time(NOW.0 + MINUTE)), ..Planned::default() };
    known.planned.insert("crm".to_owned(), planned);
}

#[test]
fn a_source_that_runs_as_it_should_is_idle_and_without_problems() {
    let (source, problems) = after(|_| ());
    assert_eq!((source.state, problems.as_slice()), (State::Idle, [].as_slice()));
    // The stream that is furthest behind counts.
    assert_eq!(source.lag_seconds, Some(40 * 60));
    assert_eq!(source.last_success_at, Some(ago(9)));
    assert_eq!(source.last_run.unwrap().took_seconds, Some(60.0));
    assert_eq!(source.next_at, Some(Time(NOW.0 + 5 * MINUTE)));
}

#[test]
fn each_state_has_its_word() {
    let check = |expected: State, change: &dyn Fn(&mut Known)| {
        let (source, _) = after(|known| change(known));
        assert_eq!(source.state, expected);
    };
    let plan = |planned: Planned| {
        move |known: &mut Known| {
            known.planned.insert("crm".to_owned(), planned.clone());
        }
    };
    check(State::Running, &|known| {
        known.standings.get_mut("crm").unwrap().holder = Some("process 1 on a".to_owned());
    });
    check(State::Paused, &plan(Planned { is_paused: true, ..Planned::default() }));
    let later = Some(Time(NOW.0 + MINUTE));
    check(State::Waiting, &plan(Planned { not_before: later, ..Planned::default() }));
    check(State::Resting, &|known| failed(known, 2, "retry"));
    check(State::NeedsAuthorization, &|known| failed(known, 1, "reauthorize"));
    check(State::NeverRun, &|known| *known = Known::default());
    let late = judge(&usual(), &[configured(Some(ago(16)))], NOW);
    assert_eq!(late.sources[0].state, State::Late);
    let due = judge(&usual(), &[configured(Some(ago(14)))], NOW);
    assert_eq!(due.sources[0].state, State::Idle);
    let removed = judge(&usual(), &[], NOW);
    assert_eq!((removed.sources[0].state, removed.problems.len()), (State::NotConfigured, 0));
}

#[test]
fn what_is_in_hand_is_planned_when_it_ends() {
    let (source, _) =
        after(|known| known.standings.get_mut("crm").unwrap().holder = Some("process 1 on a".to_owned()));
    assert_eq!((source.state, source.next_at), (State::Running, None));
}

#[test]
fn a_problem_says_what_to_do() {
    let check = |change: &dyn Fn(&mut Known), code: &str, message: &str, hint: &str| {
        let (_, problems) = after(|known| change(known));
        let problem = problems.iter().find(|problem| problem.code == code).expect(code);
        assert_eq!(problem.message, message);
        let told = problem.hint.clone().unwrap_or_default();
        assert!(told.contains(hint), "{told}");
    };
    check(
        &|known| failed(known, 3, "retry"),
        "failing",
        "failed 3 times in a row: no answer",
        "tributary sync crm",
    );
    check(&|known| failed(known, 1, "fix_config"), "failing", "failed: no answer", "tributary check crm");
    let refused = "needs re-authorization by a person: no answer";
    check(&|known| failed(known, 1, "reauthorize"), "needs_authorization", refused, "tributary connect crm");
    check(
        &|known| {
            known.standings.get_mut("crm").unwrap().streams.get_mut("deals").unwrap().complete_until = None;
        },
        "unfinished",
        "never read to the end: deals",
        "go on",
    );
    let quarantined = |known: &mut Known| {
        known.quarantined.insert("crm".to_owned(), 12);
    };
    check(&quarantined, "quarantine", "12 records could not be understood", "reasons");
    let requests = |known: &mut Known| {
        known.requests.insert("crm".to_owned(), Requests { sent: 95, allowed: Some(100) });
    };
    check(&requests, "quota_near", "95 % of today's requests are used up", "midnight");
    let found = |known: &mut Known| {
        known.runs[0].findings = r#"[{"code":"stream-skipped","message":"deals: no permission"}]"#.to_owned();
    };
    check(&found, "stream-skipped", "deals: no permission", "");
    let late = judge(&usual(), &[configured(Some(ago(60)))], NOW);
    assert_eq!(late.problems[0].code, "late");
}

#[test]
fn a_read_in_progress_says_when_it_is_done_at_its_pace() {
    let reading = |progress| {
        let (source, _) = after(|known| {
            let standing = known.standings.get_mut("crm").unwrap();
            let deals = standing.streams.get_mut("deals").unwrap();
            deals.reading = Some(Reading { began_at: ago(21), updated_at: ago(1), progress });
        });
        source.streams[1].reading.clone().unwrap()
    };
    // A quarter took twenty minutes, three quarters take an hour.
    let quarter = reading(Some((25, 100)));
    assert_eq!((quarter.done, quarter.total), (Some(25), Some(100)));
    assert_eq!(quarter.done_at, Some(Time(NOW.0 + 59 * MINUTE)));
    assert_eq!(reading(None).done_at, None);
    assert_eq!(reading(Some((0, 100))).done_at, None);
}

#[test]
fn what_is_complete_in_itself_has_no_lag() {
    let (source, problems) = after(|known| {
        for stream in known.standings.get_mut("crm").unwrap().streams.values_mut() {
            stream.complete_until = Some(Time::MAX);
        }
    });
    assert_eq!((source.lag_seconds, problems.len()), (None, 0));
    assert!(source.streams.iter().all(|stream| stream.is_whole));
}
