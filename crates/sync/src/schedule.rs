//! When a source is due: a pure function of its schedule and of when it was last pulled.
//!
//! Nothing is planned ahead and kept: after downtime of any length a source is due once, not once for each time that
//! was missed.

use std::fmt;
use std::time::Duration;

use cronexpr::{Crontab, MakeTimestamp};
use tributary_core::Time;
use tributary_core::id::Hash;
use tributary_core::time::{DAY_MICROS, Zone};

/// When a source or stream is pulled.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// How often.
    pub cadence: Cadence,
    /// The most that a pull is put off, so that not all sources of a daemon begin at one instant.
    pub jitter: Duration,
    /// The hours of the day in which pulls may begin; all without.
    pub window: Option<Window>,
    /// Where cron and windows tell the time.
    pub zone: Zone,
}

/// How often.
#[derive(Clone, Debug)]
pub enum Cadence {
    /// So long after the last pull began.
    Every(Duration),
    /// At these times.
    Cron(Box<Cron>),
}

/// Times in the form of cron: minute, hour, day of month, month, day of week.
#[derive(Clone)]
pub struct Cron {
    text: String,
    /// As the zone's clocks go: in both hours, where one comes twice.
    times: Crontab,
    /// As a clock goes that is never set: in the hour that is left out, too.
    shown: Crontab,
    zone: Zone,
}

/// Hours of the day, from a minute to another, past midnight if that is the earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Minutes since midnight at which it opens.
    pub from: u16,
    /// … and closes.
    pub until: u16,
}

impl Cron {
    /// Reads five fields, in a time zone. Fails with what is wrong with them.
    pub fn parse(text: &str, zone: &Zone) -> Result<Self, String> {
        if text.split_whitespace().count() != 5 {
            return Err("expected five fields: minute, hour, day of month, month, day of week".to_owned());
        }
        let parse = |zone: &str| {
            cronexpr::parse_crontab(&format!("{text} {zone}")).map_err(|error| {
                // Its last line says what is wrong; those before show where.
                let message = error.to_string();
                message.lines().last().unwrap_or_default().trim_start_matches([' ', '^']).to_owned()
            })
        };
        let (times, shown) = (parse(zone.name())?, parse("UTC")?);
        Ok(Self { text: text.to_owned(), times, shown, zone: zone.clone() })
    }

    /// The first of its times after an instant. A time that clocks are set forward over is as much later as they are.
    fn after(&self, at: Time) -> Option<Time> {
        let mut shown = self.zone.wall_clock(at);
        let by_the_wall = loop {
            shown = next(&self.shown, shown)?;
            let instant = self.zone.at_wall_clock(shown);
            if instant > at {
                break instant;
            }
        };
        next(&self.times, at).map(|by_the_zone| by_the_zone.min(by_the_wall))
    }
}

fn next(times: &Crontab, at: Time) -> Option<Time> {
    let next = times.find_next(MakeTimestamp::from_microsecond(at.0).ok()?).ok()?;
    Some(Time(next.timestamp().as_microsecond()))
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Window {
    /// Reads `22:00-06:00`.
    pub fn parse(text: &str) -> Option<Self> {
        let minutes = |text: &str| {
            let (hours, minutes) = text.trim().split_once(':')?;
            let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
            (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
        };
        let (from, until) = text.split_once('-')?;
        let window = Self { from: minutes(from)?, until: minutes(until)? };
        (window.from != window.until).then_some(window)
    }

    fn holds(self, minute: u16) -> bool {
        if self.from < self.until {
            (self.from..self.until).contains(&minute)
        } else {
            minute >= self.from || minute < self.until
        }
    }
}

impl Schedule {
    /// When what was last pulled at `last` is due again: at once if it never was, but for the window's sake. `name`
    /// tells sources apart, so that each is put off by a time of its own.
    pub fn due(&self, name: &str, last: Option<Time>, now: Time) -> Option<Time> {
        let at = match (&self.cadence, last) {
            (_, None) => now,
            (Cadence::Every(every), Some(last)) => Time(last.0.saturating_add(micros(*every))),
            (Cadence::Cron(cron), Some(last)) => cron.after(last)?,
        };
        let put_off = last.map_or(0, |last| self.put_off(name, last));
        Some(self.open(Time(at.0.saturating_add(put_off))))
    }

    /// The first instant at or after `at` at which pulls may begin.
    pub fn open(&self, at: Time) -> Time {
        let Some(window) = self.window else { return at };
        if window.holds(self.minute(at)) {
            return at;
        }
        // Minute by minute, since a day may lack an hour or have it twice.
        let whole = Time(at.0 - at.0.rem_euclid(MINUTE));
        let minutes = (1..=2 * DAY_MICROS / MINUTE).map(|minutes| Time(whole.0 + minutes * MINUTE));
        minutes.into_iter().find(|at| window.holds(self.minute(*at))).unwrap_or(at)
    }

    /// Whether pulls may begin at an instant.
    pub fn is_open(&self, at: Time) -> bool {
        self.window.is_none_or(|window| window.holds(self.minute(at)))
    }

    /// Minutes since midnight, where the schedule is.
    fn minute(&self, at: Time) -> u16 {
        (self.zone.wall_clock(at).0.rem_euclid(DAY_MICROS) / MINUTE) as u16
    }

    /// The same for the same pull, whoever asks.
    fn put_off(&self, name: &str, last: Time) -> i64 {
        match micros(self.jitter) {
            0 => 0,
            most => Hash::of("jitter", &[name, &last.0.to_string()]).short().rem_euclid(most + 1),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cadence {
            Cadence::Every(every) => {
                let seconds = every.as_secs();
                let units = [(86_400, 'd'), (3_600, 'h'), (60, 'm')];
                let whole = units.into_iter().find(|(unit, _)| seconds >= *unit && seconds % unit == 0);
                let (unit, letter) = whole.unwrap_or((1, 's'));
                write!(f, "every {}{letter}", seconds / unit)?;
            }
            Cadence::Cron(cron) => write!(f, "{} ({})", cron.text, self.zone.name())?,
        }
        if let Some(window) = self.window {
            let clock = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
            write!(f, ", {} to {}", clock(window.from), clock(window.until))?;
        }
        Ok(())
    }
}

const MINUTE: i64 = 60_000_000;

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// How long a source rests after so many failures in a row: a minute, then twice as long each time, at most six hours.
pub fn rest(failures: u32) -> Duration {
    let doubled = Duration::from_mins(1).saturating_mul(1 << failures.clamp(1, 16).saturating_sub(1));
    doubled.min(Duration::from_hours(6))
}
