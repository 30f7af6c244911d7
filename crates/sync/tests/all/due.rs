//! When a source is due.

use std::time::Duration;

use tributary_core::Time;
use tributary_core::time::Zone;
use tributary_sync::{Cadence, Cron, Schedule, Window, rest};

/// Berlin, whose clocks are set forward on 2026-03-29 and back on 2026-10-25.
fn berlin() -> Zone {
    Zone::parse("Europe/Berlin").unwrap()
}

fn at(text: &str) -> Time {
    Time::parse(text, &berlin()).unwrap()
}

fn cron(text: &str) -> Schedule {
    let zone = berlin();
    let cadence = Cadence::Cron(Box::new(Cron::parse(text, &zone).unwrap()));
    Schedule { cadence, jitter: Duration::ZERO, window: None, zone }
}

fn check(schedule: &Schedule, last: &str, expected: &str) {
    let due = schedule.due("crm", Some(at(last)), at("2027-01-01T00:00:00Z")).unwrap();
    assert_eq!(due, at(expected), "{schedule} after {last}: {due}");
}

#[test]
fn cron_tells_the_time_where_the_source_is() {
    check(&cron("0 6 * * 1-5"), "2026-07-03T06:00:00+02:00", "2026-07-06T06:00:00+02:00");
    check(&cron("*/15 * * * *"), "2026-07-03T06:07:00+02:00", "2026-07-03T06:15:00+02:00");
}

#[test]
fn a_day_that_lacks_the_hour_has_its_pull_all_the_same() {
    check(&cron("30 2 * * *"), "2026-03-28T02:30:00+01:00", "2026-03-29T03:30:00+02:00");
    check(&cron("30 2 * * *"), "2026-03-29T03:30:00+02:00", "2026-03-30T02:30:00+02:00");
}

#[test]
fn what_was_missed_is_due_once() {
    let (hourly, now) = (cron("0 * * * *"), at("2026-07-03T12:30:00Z"));
    let due = hourly.due("crm", Some(at("2026-06-01T00:00:00Z")), now).unwrap();
    assert!(due < now);
    assert_eq!(hourly.due("crm", Some(now), now), Some(at("2026-07-03T13:00:00Z")));
}

#[test]
fn what_was_never_pulled_is_due_now() {
    let now = at("2026-07-03T12:30:00Z");
    assert_eq!(cron("0 6 * * *").due("crm", None, now), Some(now));
}

#[test]
fn a_window_past_midnight_opens_and_closes_where_the_source_is() {
    let schedule = Schedule {
        cadence: Cadence::Every(Duration::from_hours(1)),
        jitter: Duration::ZERO,
        window: Window::parse("22:00-02:00"),
        zone: berlin(),
    };
    check(&schedule, "2026-07-03T12:00:00+02:00", "2026-07-03T22:00:00+02:00");
    check(&schedule, "2026-07-03T23:30:00+02:00", "2026-07-04T00:30:00+02:00");
    check(&schedule, "2026-07-04T01:30:00+02:00", "2026-07-04T22:00:00+02:00");
    for wrong in ["", "22:00", "22:00-22:00", "24:00-01:00", "22:60-01:00", "10-12"] {
        assert_eq!(Window::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn jitter_puts_sources_off_by_times_of_their_own_and_is_the_same_whoever_asks() {
    let schedule = Schedule {
        cadence: Cadence::Every(Duration::from_hours(1)),
        jitter: Duration::from_mins(10),
        window: None,
        zone: Zone::default(),
    };
    let last = at("2026-07-03T12:00:00Z");
    let due = |name: &str| schedule.due(name, Some(last), last).unwrap();
    let minutes: Vec<i64> = (0..50).map(|at| (due(&format!("s{at}")).0 - last.0) / 60_000_000).collect();
    assert!(minutes.iter().all(|minutes| (60..=70).contains(minutes)), "{minutes:?}");
    assert!(minutes.contains(&61) && minutes.contains(&68), "{minutes:?}");
    assert_eq!(due("s1"), due("s1"));
}

#[test]
fn five_fields_or_none() {
    for wrong in ["", "* * * *", "* * * * * *", "61 * * * *", "a b c d e"] {
        assert!(Cron::parse(wrong, &berlin()).is_err(), "{wrong}");
    }
}

#[test]
fn rests_grow_and_end_at_six_hours() {
    let minutes: Vec<u64> = (1..=12).map(|failures| rest(failures).as_secs() / 60).collect();
    assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360]);
}
