//! The cases, by what they are about. Each begins with a vendor of its own, and a clock that stands still.

mod errors;
mod merges;
mod normalize;
mod plan;
mod reading;
mod state;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use tributary_core::Time;

use super::daemon::{Daemon, Halt};
use super::wire::Wire;
use super::{Clock, Outcome, Simulated, Subject};

/// The instant at which every case begins: 2026-07-01T12:00:00Z.
const START: i64 = 1_782_907_200_000_000;

/// One thing that every connector must hold.
pub struct Case {
    /// Its name.
    pub name: &'static str,
    body: Body,
}

type Body = for<'a> fn(&'a Bench<'a>) -> Pin<Box<dyn Future<Output = Result<(), Stop>> + 'a>>;

/// Why a case does not come to its end.
#[derive(Debug)]
enum Stop {
    /// There is nothing that it is about.
    Inapplicable,
    /// It does not hold.
    Because(String),
}

impl From<String> for Stop {
    fn from(why: String) -> Self {
        Self::Because(why)
    }
}

impl From<Halt> for Stop {
    fn from(halt: Halt) -> Self {
        Self::Because(match halt {
            Halt::Killed => "it does not come to an end".to_owned(),
            Halt::Failed(errors) => {
                format!("it fails with {:?}", errors.iter().map(ToString::to_string).collect::<Vec<_>>())
            }
        })
    }
}

impl From<crate::error::Error> for Stop {
    fn from(error: crate::error::Error) -> Self {
        Self::Because(format!("it fails with {error}"))
    }
}

/// A vendor, a wire to it and a clock.
struct Bench<'a> {
    subject: &'a Subject,
    clock: Clock,
    vendor: Arc<dyn Simulated>,
    wire: Arc<Wire>,
    log: Arc<Mutex<String>>,
}

impl Bench<'_> {
    fn daemon(&self) -> Daemon<'_> {
        Daemon::new(self.subject, Arc::clone(&self.wire), Arc::clone(&self.clock))
    }

    /// Everything that was logged so far.
    fn logged(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

macro_rules! cases {
    ($($module:ident: $($name:ident)+;)+) => {
        /// Every case, in the order in which they run.
        pub const CASES: &[Case] = &[
            $($(Case { name: stringify!($name), body: |bench| Box::pin($module::$name(bench)) },)+)+
        ];
    };
}

cases! {
    reading:
        spec_streams_are_unique
        spec_describes_every_setting
        spec_records_are_well_formed
        check_succeeds_at_a_healthy_vendor
        check_says_that_a_credential_is_bad
        check_says_that_a_permission_is_missing
        secrets_never_leak
        logs_hold_no_personal_data
        fetch_asks_only_its_own_hosts
        fetch_lands_everything_there_is
        fetch_page_is_repeatable
        fetch_counts_what_the_vendor_counts
        fetch_loses_nothing_to_changes_while_paging;
    plan:
        plan_is_the_same_each_time
        plan_parts_do_not_overlap
        fetch_does_not_end_at_a_cap
        fetch_takes_more_of_one_instant_than_a_page_holds
        fetch_ends_wherever_the_last_page_does
        fetch_bears_an_empty_stream
        fetch_pages_stay_small_however_much_there_is
        fetch_begins_anew_where_page_tokens_die
        restatement_replaces_what_was_told
        restatement_takes_rows_away;
    state:
        state_resumes_at_every_page
        state_is_never_ahead_of_the_data
        state_second_pass_is_quiet
        state_of_another_version_starts_anew
        state_rewound_changes_nothing
        state_recovers_from_a_wrong_clock
        incremental_sees_what_was_made
        incremental_sees_what_was_changed
        incremental_sees_what_shows_late
        incremental_sees_changes_of_one_instant
        incremental_bears_a_skewed_clock
        incremental_bears_days_of_other_lengths
        incremental_reads_little_more_than_what_changed;
    merges:
        delete_is_seen
        delete_is_taken_back
        delete_waits_for_a_complete_walk
        merge_is_followed
        merge_of_merged_is_followed
        merge_is_taken_back;
    errors:
        rate_is_never_over_the_limit
        rate_waits_for_retry_after_seconds
        rate_waits_for_retry_after_date
        rate_waits_out_a_used_up_day
        rate_holds_the_whole_account
        error_5xx_is_tried_again
        error_4xx_is_not_tried_again
        error_that_stays_loses_nothing
        error_html_is_no_data
        error_empty_body_is_no_data
        error_garbage_is_no_data
        error_torn_body_is_tried_again
        error_timeout_is_tried_again
        error_body_too_large_is_refused
        error_redirect_is_not_followed
        error_401_asks_for_a_credential_at_most_once;
    normalize:
        normalize_is_pure
        normalize_never_panics
        normalize_ignores_unknown_fields
        normalize_takes_null_for_missing
        normalize_reads_times_of_any_offset
        normalize_names_what_it_speaks_of
        normalize_says_nothing_of_deletions;
}

/// Runs one case.
pub(super) fn run(case: &Case, subject: &Subject) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return Outcome::Fails(format!("no runtime: {error}")),
    };
    let (log, subscriber) = log::listen();
    let _listening = tracing::subscriber::set_default(subscriber);
    let outcome = runtime.block_on(async {
        let begin = tokio::time::Instant::now();
        let clock: Clock = Arc::new(move || Time(START + begin.elapsed().as_micros() as i64));
        let vendor = (subject.simulate)(Arc::clone(&clock));
        let wire = Arc::new(Wire::new(Arc::clone(&vendor), Arc::clone(&clock)));
        let bench = Bench { subject, clock, vendor, wire, log };
        // A case of few records that takes ten years by the paused clock hangs.
        let years = std::time::Duration::from_hours(24 * 3650);
        match tokio::time::timeout(years, (case.body)(&bench)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Stop::Because("it hangs".to_owned())),
        }
    });
    match outcome {
        Ok(()) => Outcome::Holds,
        Err(Stop::Inapplicable) => Outcome::DoesNotApply,
        Err(Stop::Because(why)) => Outcome::Fails(why),
    }
}

/// What a new daemon lands now must be held by this one.
async fn loses_nothing<'a>(daemon: &Daemon<'a>) -> Result<Daemon<'a>, Stop> {
    let mut fresh = daemon.fresh();
    fresh.pass(None).await?;
    let held = daemon.living();
    for (key, body) in &fresh.living() {
        match held.get(key) {
            None => return Err(format!("{} {} is lost", key.0, key.1).into()),
            Some(ours) if ours != body => return Err(format!("{} {} is stale", key.0, key.1).into()),
            Some(_) => {}
        }
    }
    Ok(fresh)
}

/// What a new daemon lands now must be held by this one, and nothing else.
async fn same_as_fresh(daemon: &Daemon<'_>) -> Result<(), Stop> {
    let fresh = loses_nothing(daemon).await?;
    let (held, truth) = (daemon.living(), fresh.living());
    match held.keys().find(|key| !truth.contains_key(*key)) {
        Some(key) => Err(format!("{} {} is held, but does not exist", key.0, key.1).into()),
        None => Ok(()),
    }
}

/// The streams in which the vendor can do something, with what it did there.
fn each_stream<T>(bench: &Bench<'_>, mut act: impl FnMut(&'static str) -> Option<T>) -> Result<Vec<T>, Stop> {
    let done: Vec<T> = bench.subject.connector.streams().iter().filter_map(|it| act(it.name)).collect();
    if done.is_empty() { Err(Stop::Inapplicable) } else { Ok(done) }
}

/// Listening to what is logged.
mod log {
    use std::fmt::{Debug, Write};
    use std::sync::{Arc, Mutex, PoisonError};

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    struct Listener(Arc<Mutex<String>>);

    pub(super) fn listen() -> (Arc<Mutex<String>>, impl Subscriber) {
        let log = Arc::new(Mutex::new(String::new()));
        (Arc::clone(&log), Listener(log))
    }

    impl Listener {
        fn note(&self, note: impl FnOnce(&mut Noted<'_>)) {
            note(&mut Noted(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner)));
        }
    }

    struct Noted<'a>(&'a mut String);

    impl Visit for Noted<'_> {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            // Writing to a text does not fail.
            let _ = writeln!(self.0, "{field}={value:?}");
        }
    }

    impl Subscriber for Listener {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, span: &Attributes<'_>) -> Id {
            self.note(|noted| span.record(noted));
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, values: &Record<'_>) {
            self.note(|noted| values.record(noted));
        }

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            self.note(|noted| event.record(noted));
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }
}
