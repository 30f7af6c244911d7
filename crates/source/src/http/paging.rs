//! Ways that vendors number pages, as [`Resume`] texts.

use serde::{Deserialize, Serialize};

use crate::connector::Resume;
use crate::error::{Error, NextStep};

/// Something to remember between pages, as JSON.
pub fn resume<T: Serialize>(place: &T) -> Result<Resume, Error> {
    serde_json::to_string(place)
        .map(Resume)
        .map_err(|error| Error::new(NextStep::Bug, "cannot write where a page ends").because(error))
}

/// Reads what [`resume`] wrote; what an older version wrote begins the span anew.
pub fn resumed<T: for<'de> Deserialize<'de>>(resume: Option<&Resume>) -> Result<Option<T>, Error> {
    match resume {
        None => Ok(None),
        Some(resume) => serde_json::from_str(&resume.0).map(Some).map_err(|_| {
            Error::new(NextStep::Restart, "the place where the last run ended was written by another version")
        }),
    }
}

/// Rows left out and rows asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offset {
    /// Rows left out.
    pub offset: u64,
}

/// The address that a `Link: <…>; rel="next"` header names (RFC 8288).
pub fn next_link(headers: &reqwest::header::HeaderMap) -> Option<String> {
    headers
        .get_all("link")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|link| {
            let (address, parameters) = link.split_once('>')?;
            let is_next = parameters
                .split(';')
                .any(|parameter| matches!(parameter.trim(), "rel=\"next\"" | "rel=next"));
            is_next.then(|| address.trim().trim_start_matches('<').to_owned())
        })
}
