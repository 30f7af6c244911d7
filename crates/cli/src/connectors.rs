//! The one list of connectors.

use tributary_source::Connector;

/// Every connector that this binary knows, by the name that `connector = "…"` gives.
pub(crate) fn all() -> Vec<&'static dyn Connector> {
    vec![]
}
