//! Deliberately broken sources, by which the suite itself is tested: each has one mistake that real connectors made,
//! and the case that must catch it.

mod connection;
mod toy;
mod vendor;

use std::sync::Arc;

use super::{CASES, Clock, Outcome, Report, Subject, run};
use toy::Toy;
use vendor::ToyVendor;

macro_rules! bugs {
    ($($(#[$doc:meta])* $bug:ident => $case:literal)+) => {
        /// One mistake.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Bug {
            $($(#[$doc])* $bug,)+
        }

        impl Bug {
            /// Every mistake, and the case that must catch it.
            pub const ALL: &[(Self, &'static str)] = &[$((Self::$bug, $case),)+];
        }
    };
}

bugs! {
    /// Asks for what is later than the cursor, not for what is as late.
    StrictCursor => "incremental_sees_changes_of_one_instant"
    /// Rounds the cursor up to the next second.
    RoundedCursor => "incremental_sees_changes_of_one_instant"
    /// Does not look back for what shows late.
    NoLookBack => "incremental_sees_what_shows_late"
    /// Takes the server's time for the cursor, however far it is ahead.
    TrustsTheServersClock => "incremental_bears_a_skewed_clock"
    /// Stops at the last page.
    LosesLastPage => "fetch_lands_everything_there_is"
    /// Stops after the first page.
    FirstPageOnly => "fetch_lands_everything_there_is"
    /// Notes the next page before this one is landed.
    StateBeforeData => "state_resumes_at_every_page"
    /// Begins anew wherever it was told to go on.
    IgnoresResume => "state_resumes_at_every_page"
    /// Pages by offset through a list that changes.
    PagesByOffset => "fetch_loses_nothing_to_changes_while_paging"
    /// Writes the time of reading into each record.
    StampsBodies => "state_second_pass_is_quiet"
    /// Takes a cursor that it cannot read for today.
    GuessesCursor => "state_of_another_version_starts_anew"
    /// Never looks for what is gone.
    IgnoresDeletes => "delete_is_seen"
    /// Takes a page for the whole list.
    DeletesByPage => "delete_waits_for_a_complete_walk"
    /// Does not follow merges.
    IgnoresMerges => "merge_is_followed"
    /// Names the winner of a merge as its loser.
    TurnsMergesRound => "merge_is_followed"
    /// Sends as fast as it can.
    NoLimit => "rate_is_never_over_the_limit"
    /// Takes a refusal for a hiccup.
    IgnoresRetryAfter => "rate_waits_for_retry_after_seconds"
    /// Tries again what cannot succeed.
    RetriesOn400 => "error_4xx_is_not_tried_again"
    /// Gives up at the first hiccup.
    NeverTriesAgain => "error_5xx_is_tried_again"
    /// Takes an error page for an empty list.
    HtmlIsEmpty => "error_html_is_no_data"
    /// Takes silence for the end of the list.
    EmptyIsEnd => "error_empty_body_is_no_data"
    /// Takes what it cannot read for the end of the list.
    GarbageIsEnd => "error_garbage_is_no_data"
    /// Moves the cursor on after an error.
    ErrorIsEnd => "error_that_stays_loses_nothing"
    /// Takes bodies of any size.
    NoBound => "error_body_too_large_is_refused"
    /// Knocks again with a bad key.
    RetriesOn401 => "check_says_that_a_credential_is_bad"
    /// Does not look whether the key is good.
    NeverChecks => "check_says_that_a_credential_is_bad"
    /// Puts the key into the address.
    KeyInAddress => "secrets_never_leak"
    /// Quotes the key in an error.
    KeyInError => "secrets_never_leak"
    /// Logs the key.
    KeyInLog => "secrets_never_leak"
    /// Keeps the key in its cursor.
    KeyInCursor => "secrets_never_leak"
    /// Counts what it does not read.
    Miscounts => "fetch_counts_what_the_vendor_counts"
    /// Calls its stream something else.
    StrangeStream => "spec_records_are_well_formed"
    /// Loses the id.
    NoId => "spec_records_are_well_formed"
    /// Does not say which secrets it takes.
    HidesSecret => "spec_describes_every_setting"
    /// Its README is silent about a setting.
    HidesSetting => "spec_describes_every_setting"
    /// Swallows settings that it does not know.
    TakesAnySetting => "spec_describes_every_setting"
    /// Two streams of one name.
    TwoOfOneName => "spec_streams_are_unique"
    /// Breaks on a missing name.
    PanicsOnNull => "normalize_never_panics"
    /// Says something else each time.
    Impure => "normalize_is_pure"
    /// Lets new fields into the facts.
    TakesUnknownFields => "normalize_ignores_unknown_fields"
    /// Complains of what is in order.
    ComplainsAlways => "normalize_names_what_it_speaks_of"
    /// Says something of a record that is gone.
    SpeaksOfTheDead => "normalize_says_nothing_of_deletions"
    /// Reads the second page differently.
    Unrepeatable => "fetch_page_is_repeatable"
    /// Takes a missing permission for a hiccup.
    ShrugsAt403 => "check_says_that_a_permission_is_missing"
    /// Quotes the vendor's own words in an error.
    QuotesTheVendor => "logs_hold_no_personal_data"
    /// Logs what it reads.
    LogsRecords => "logs_hold_no_personal_data"
    /// Names its parts by when it was asked for them.
    PartsOfTheMinute => "plan_is_the_same_each_time"
    /// Names a part twice.
    PartTwice => "plan_is_the_same_each_time"
    /// Reads a day more than a window has.
    OverlappingWindows => "plan_parts_do_not_overlap"
    /// Leaves out the last day of a window.
    LosesTheWindowsEdge => "fetch_lands_everything_there_is"
    /// Asks for all at once, and believes the number of answers.
    AsksForAll => "fetch_does_not_end_at_a_cap"
    /// Pages by stamp, and goes round in circles where a page has only one.
    CirclesInAnInstant => "fetch_takes_more_of_one_instant_than_a_page_holds"
    /// Pages by stamp, and leaves the rest of an instant behind.
    LeavesTheInstant => "fetch_takes_more_of_one_instant_than_a_page_holds"
    /// Takes an empty page after a full one for a mistake.
    FailsOnEmptyPage => "fetch_ends_wherever_the_last_page_does"
    /// Can't do without a first record.
    NeedsARecord => "fetch_bears_an_empty_stream"
    /// Reads all pages into one.
    ReadsAllIntoMemory => "fetch_pages_stay_small_however_much_there_is"
    /// Never begins anew when the vendor forgot where it was.
    SticksToDeadToken => "fetch_begins_anew_where_page_tokens_die"
    /// Takes a forgotten place for the end.
    DeadTokenIsEnd => "fetch_begins_anew_where_page_tokens_die"
    /// Never reads a window a second time.
    WindowsAreFinal => "restatement_replaces_what_was_told"
    /// Adds to a window what should replace it.
    AppendsWindows => "restatement_takes_rows_away"
    /// Notes in a record from where on it was read.
    KeepsPlaceInRecord => "state_rewound_changes_nothing"
    /// Trusts the server's clock, and looks back a day instead.
    LooksBackADayInstead => "state_recovers_from_a_wrong_clock"
    /// Keeps its cursor in local time without offset.
    LocalCursor => "incremental_bears_days_of_other_lengths"
    /// Reads everything each time, and filters it here.
    ReadsAllAgain => "incremental_reads_little_more_than_what_changed"
    /// Leaves out what was once deleted.
    ForgetsTheRestored => "delete_is_taken_back"
    /// Follows a merge, but not a further one.
    FollowsOneMerge => "merge_of_merged_is_followed"
    /// Holds on to a merge that was taken back.
    NeverSplits => "merge_is_taken_back"
    /// Waits an hour at most, whatever it was told.
    WaitsAnHourAtMost => "rate_waits_out_a_used_up_day"
    /// Has a gate for each stream.
    GateForEachStream => "rate_holds_the_whole_account"
    /// Follows the vendor wherever it points, with the key.
    FollowsRedirects => "error_redirect_is_not_followed"
    /// Takes null for a name.
    NamesNull => "normalize_takes_null_for_missing"
    /// Reads the first nineteen signs of a time.
    DropsOffsets => "normalize_reads_times_of_any_offset"
}

/// Runs the suite on a source with a mistake; on one without for `None`.
pub fn report(bug: Option<Bug>) -> Report {
    run(&subject(bug))
}

/// Runs one case on a source with a mistake.
pub fn outcome(bug: Bug, case: &str) -> Option<Outcome> {
    CASES.iter().find(|it| it.name == case).map(|case| super::cases::run(case, &subject(Some(bug))))
}

fn subject(bug: Option<Bug>) -> Subject {
    let simulate = |clock: Clock| Arc::new(ToyVendor::new(clock)) as Arc<dyn super::Simulated>;
    Subject { connector: Arc::new(Toy(bug)), simulate: Box::new(simulate) }
}
