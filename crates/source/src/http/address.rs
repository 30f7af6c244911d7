//! Where requests may go, and how an address is shown.

use std::net::IpAddr;

use url::Url;

use crate::error::{Error, NextStep};

/// Refuses what would carry credentials in the clear beyond this machine.
pub(super) fn check_scheme(url: &Url) -> Result<(), Error> {
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(url) => Ok(()),
        _ => {
            let message = format!(
                "{} is not https: credentials are only sent encrypted, or to this machine",
                redacted(url)
            );
            Err(Error::new(NextStep::FixConfig, message))
        }
    }
}

/// Whether an address is on this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// An address without user, password, query and fragment, where secrets hide.
pub(super) fn redacted(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}
