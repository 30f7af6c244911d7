//! Which deals were looked at with everything read that may tell of them.
//!
//! A stream covers a span: from where its first read reached back to, until its last complete read began. A deal is
//! covered if every stream covers the time in which its touches count: from its look-back, or without one from the
//! first sign of it (its creation, or its account's first touch), to its end.

use serde::Serialize;
use tributary_core::Time;
use tributary_core::time::DAY_MICROS;
use tributary_engine::Policy;
use tributary_engine::journey::{Journey, Journeys, Subject};
use tributary_store::landing::StreamCoverage;

use crate::Data;

/// How many deals are covered, and what is missing for the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Deals that were asked about; leads for the goal `lead`.
    pub deals: u64,
    /// Those for which some stream does not cover the time in which touches count.
    pub not_covered: u64,
    /// The streams that do not, by source and stream.
    pub gaps: Vec<Gap>,
}

/// A stream that does not cover every deal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The source's id.
    pub source: String,
    /// The stream.
    pub stream: String,
    /// From when it is complete; from the beginning without.
    #[serde(serialize_with = "crate::text::option")]
    pub since: Option<Time>,
    /// Until when; it was never read to its end without.
    #[serde(serialize_with = "crate::text::option")]
    pub until: Option<Time>,
    /// Deals that it does not cover.
    pub deals: u64,
}

/// When a deal's touches count: from, and until.
type Needed = (Time, Time);

impl Coverage {
    /// Of the deals of journeys.
    pub fn of_journeys(data: &Data, journeys: &Journeys<'_>) -> Self {
        Self::of(data, journeys.list.iter().map(|journey| of_journey(data, &journeys.policy, journey)))
    }

    /// Of the deals of journeys that were found twice, by two policies over the same deals: what either asks for.
    pub fn of_both(data: &Data, one: &Journeys<'_>, other: &Journeys<'_>) -> Self {
        let needed =
            |journeys: &Journeys<'_>, index: usize| of_journey(data, &journeys.policy, &journeys.list[index]);
        let both = (0..one.list.len()).map(|index| {
            let ((from, until), (other_from, other_until)) = (needed(one, index), needed(other, index));
            (from.min(other_from), until.max(other_until))
        });
        Self::of(data, both)
    }

    /// Of one of them.
    pub fn of_journey(data: &Data, policy: &Policy, journey: &Journey) -> Self {
        Self::of(data, [of_journey(data, policy, journey)])
    }

    /// Of one deal, by row of the book.
    pub fn of_deal(data: &Data, policy: &Policy, row: usize) -> Self {
        let deal = &data.book.deals[row];
        let account = crate::journey::account_of_deal(&data.book, row);
        let end = deal.closed_at.unwrap_or(data.as_of);
        Self::of(data, [needed(data, policy, account, deal.created_at, end)])
    }

    /// Whether nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.not_covered == 0
    }

    /// The sum of two.
    pub fn and(mut self, other: Self) -> Self {
        self.deals += other.deals;
        self.not_covered += other.not_covered;
        for gap in other.gaps {
            match self.gaps.iter_mut().find(|it| it.source == gap.source && it.stream == gap.stream) {
                Some(known) => known.deals += gap.deals,
                None => self.gaps.push(gap),
            }
        }
        self.gaps.sort_by(|a, b| (&a.source, &a.stream).cmp(&(&b.source, &b.stream)));
        self
    }

    fn of(data: &Data, needed: impl IntoIterator<Item = Needed>) -> Self {
        let mut out = Self::default();
        let mut missing = vec![0; data.coverage.len()];
        for span in needed {
            out.deals += 1;
            let mut is_covered = true;
            for (stream, missing) in data.coverage.iter().zip(&mut missing) {
                if !covers(stream, span, data.as_of) {
                    *missing += 1;
                    is_covered = false;
                }
            }
            out.not_covered += u64::from(!is_covered);
        }
        let gap = |(stream, deals): (&StreamCoverage, u64)| Gap {
            source: stream.source.clone(),
            stream: stream.stream.clone(),
            since: stream.since,
            until: stream.until,
            deals,
        };
        out.gaps = data.coverage.iter().zip(missing).filter(|(_, deals)| *deals > 0).map(gap).collect();
        out
    }
}

fn of_journey(data: &Data, policy: &Policy, journey: &Journey) -> Needed {
    let created = match journey.subject {
        Subject::Deal(row) => data.book.deals[row].created_at,
        Subject::Lead(row) => data.book.people[row].created_at,
        Subject::Account => None,
    };
    needed(data, policy, journey.account, created, journey.end)
}

fn needed(data: &Data, policy: &Policy, account: usize, created: Option<Time>, end: Time) -> Needed {
    let from = if let Some(days) = policy.lookback_days {
        Time(end.0.saturating_sub((days * DAY_MICROS as f64) as i64))
    } else {
        let first = data.book.accounts[account].touches.clone().next();
        let first = first.map(|row| data.book.touches.at[row]);
        first.into_iter().chain(created).min().unwrap_or(end).min(end)
    };
    (from, end.min(data.as_of))
}

/// Whether a stream covers a span. One that was read within a day of the latest news is up to date.
fn covers(stream: &StreamCoverage, (from, end): Needed, as_of: Time) -> bool {
    let Some(until) = stream.until else { return false };
    (stream.labels || stream.since.is_none_or(|since| since <= from))
        && (end <= until || as_of.0 - until.0 <= DAY_MICROS)
}
