//! Times as RFC 3339 text in JSON.

use serde::Serializer;
use tributary_core::Time;

/// `2026-03-31T09:30:00Z`
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
pub(crate) fn time<S: Serializer>(at: &Time, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

/// The same, or null.
#[expect(clippy::ref_option, reason = "serde passes references")]
pub(crate) fn option<S: Serializer>(at: &Option<Time>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(at),
        None => serializer.serialize_none(),
    }
}
