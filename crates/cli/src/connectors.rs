//! The one list of connectors.

use tributary_source::Connector;

/// Every connector that this binary knows, by the name that `connector = "…"` gives.
static ALL: &[&dyn Connector] = &[];

/// Every connector.
pub(crate) fn all() -> Vec<&'static dyn Connector> {
    ALL.to_vec()
}

/// The connector of a name that the configuration accepted.
pub(crate) fn named(name: &str) -> &'static dyn Connector {
    ALL.iter()
        .copied()
        .find(|connector| connector.name() == name)
        .expect("the configuration accepts known connectors only")
}
