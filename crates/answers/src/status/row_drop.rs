//! A sudden drop in rows: a stream that brought far less on a day than on such days before.
//!
//! A vendor whose filter broke, a form that no longer sends, or an account that lost a permission shows as a run that
//! ends well and brings next to nothing. Yesterday (of UTC) is compared with the same weekday of the four weeks before,
//! since few companies work at weekends; a source that is younger than three weeks is not judged. A holiday may look
//! like a drop, which is why this is a finding and stops nothing.

use tributary_core::Time;
use tributary_core::time::{DAY_MICROS, Zone};
use tributary_store::landing::StreamDays;

use super::Problem;

/// Weeks that are looked back upon.
const WEEKS: [i64; 4] = [1, 2, 3, 4];
/// How many of these weeks must be known.
const WEEKS_KNOWN: usize = 3;
/// Days that usually bring fewer rows say nothing.
const ROWS: u64 = 20;
/// A drop is to less than a quarter of what is usual.
const TIMES_LESS: u64 = 4;

/// A stream that brought far less than usual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowDrop {
    /// The source.
    pub source: String,
    /// The stream.
    pub stream: String,
    /// The day, since 1970.
    pub day: i64,
    /// New and changed records of that day.
    pub added: u64,
    /// The median of the same weekday before.
    pub usual: u64,
}

/// The days since 1970 that [`find`] looks at: yesterday, and its weekday in the weeks before.
pub fn days(now: Time) -> [i64; 5] {
    let yesterday = now.0.div_euclid(DAY_MICROS) - 1;
    let [a, b, c, d] = WEEKS.map(|weeks| yesterday - 7 * weeks);
    [yesterday, a, b, c, d]
}

/// Streams that brought far less yesterday than on such days before. Only days count on which a run read the stream to
/// its end: on others, that nothing came has a reason that is told elsewhere.
pub fn find(streams: &StreamDays, now: Time) -> Vec<RowDrop> {
    let [yesterday, before @ ..] = days(now);
    let drop = |((source, stream), brought): (&(String, String), _)| {
        let rows = |day: &i64| {
            let brought: &std::collections::BTreeMap<i64, tributary_store::landing::StreamDay> = brought;
            brought.get(day).filter(|it| it.completed > 0).map(|it| it.added)
        };
        let added = rows(&yesterday)?;
        let mut earlier: Vec<u64> = before.iter().filter_map(rows).collect();
        earlier.sort_unstable();
        if earlier.len() < WEEKS_KNOWN {
            return None;
        }
        // The lower of two in the middle.
        let usual = earlier[(earlier.len() - 1) / 2];
        let (source, stream) = (source.clone(), stream.clone());
        let drop = RowDrop { source, stream, day: yesterday, added, usual };
        (usual >= ROWS && added * TIMES_LESS < usual).then_some(drop)
    };
    streams.iter().filter_map(drop).collect()
}

impl RowDrop {
    pub(super) fn problem(&self) -> Problem {
        let Self { source, stream, day, added, usual } = self;
        let date = Time(0).plus_days(*day).date_in(&Zone::default());
        Problem {
            source: source.clone(),
            code: "row_drop".to_owned(),
            message: format!(
                "{stream}: {added} new or changed records on {date}, where {usual} are usual on that weekday"
            ),
            hint: Some(
                "if it was no holiday, look at the vendor for filters, forms and permissions that changed"
                    .to_owned(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tributary_store::landing::StreamDay;

    use super::*;

    /// Noon of day 100.
    const NOW: Time = Time(100 * DAY_MICROS + DAY_MICROS / 2);

    fn check(days: &[(i64, u64)], expected: Option<(u64, u64)>) {
        let day = |(day, added): &(i64, u64)| (*day, StreamDay { added: *added, completed: 1 });
        let days: BTreeMap<i64, StreamDay> = days.iter().map(day).collect();
        let streams = StreamDays::from([(("crm".to_owned(), "deals".to_owned()), days)]);
        let found = find(&streams, NOW);
        assert_eq!(found.first().map(|drop| (drop.added, drop.usual)), expected);
    }

    #[test]
    fn a_day_of_next_to_nothing_is_a_drop_from_what_is_usual() {
        check(&[(99, 3), (92, 100), (85, 90), (78, 110), (71, 95)], Some((3, 95)));
        check(&[(99, 0), (92, 20), (85, 20), (78, 20)], Some((0, 20)));
        check(&[(99, 25), (92, 100), (85, 100), (78, 100)], None);
    }

    #[test]
    fn one_large_day_such_as_a_first_read_makes_nothing_usual() {
        check(&[(99, 50), (92, 60), (85, 55), (78, 65), (71, 1_000_000)], None);
    }

    #[test]
    fn quiet_weekends_and_small_or_young_streams_are_no_drop() {
        // Workdays are busy, and the day compared is not one.
        check(&[(98, 500), (99, 2), (92, 3), (91, 500), (85, 1), (78, 2), (71, 2)], None);
        check(&[(99, 0), (92, 19), (85, 19), (78, 19), (71, 19)], None);
        check(&[(99, 0), (92, 500), (85, 500)], None);
    }

    #[test]
    fn a_day_on_which_no_run_came_to_its_end_is_not_judged() {
        let day = |added, completed| StreamDay { added, completed };
        let days = BTreeMap::from([(99, day(0, 0)), (92, day(99, 1)), (85, day(99, 1)), (78, day(99, 1))]);
        let streams = StreamDays::from([(("crm".to_owned(), "deals".to_owned()), days)]);
        assert!(find(&streams, NOW).is_empty());
    }
}
