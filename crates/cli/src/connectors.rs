//! The one list of connectors.

use std::sync::Arc;

use tributary_source::Connector;

/// Every connector that this binary knows.
pub(crate) fn all() -> Vec<Arc<dyn Connector>> {
    vec![
        Arc::new(tributary_files::Files),
        Arc::new(tributary_google_ads::GoogleAds),
        Arc::new(tributary_hubspot::HubSpot),
        Arc::new(tributary_matomo::Matomo),
        Arc::new(tributary_tryton::Tryton),
    ]
}

/// What `connector = "…"` may say.
pub(crate) fn names() -> Vec<&'static str> {
    all().iter().map(|connector| connector.name()).collect()
}

/// The connector of a name that the configuration accepted.
pub(crate) fn named(name: &str) -> Arc<dyn Connector> {
    let found = all().into_iter().find(|connector| connector.name() == name);
    found.expect("the configuration accepts the names of this list only")
}
