//! Example's API: where it is, what it lists, how it pages.

use tributary_source::http::{Api, Auth, Limit};
use tributary_source::rest::{Instant, Paging, RestStream, Since};
use tributary_source::{Environment, Error, Http, Mode, Settings, Stream};

use crate::config::Config;

/// `GET /v1/contacts?limit=100&updated_since=…&cursor=…`
pub(crate) const CONTACTS: RestStream = RestStream {
    stream: Stream { name: "contacts", mode: Mode::Keyset, sweeps: false },
    path: "v1/contacts",
    query: &[("limit", "100")],
    items: "/data",
    id: "/id",
    stamp: Some("/updated_at"),
    total: Some("/total"),
    since: Some(Since { param: "updated_since", form: Instant::Rfc3339, look_back_seconds: 600 }),
    paging: Paging::Token { param: "cursor", next: "/next_cursor" },
};

/// Everything that is read.
pub(crate) const ALL: [RestStream; 1] = [CONTACTS];

pub(crate) fn client(settings: &Settings, config: &Config, environment: &Environment) -> Result<Http, Error> {
    let api = Api {
        auth: Auth::Bearer(settings.secret("key")?.clone()),
        limit: Limit { per_second: 10.0, burst: 10, concurrent: 2, daily: None },
        ..Api::new(config.url.clone())
    };
    Http::new(api, environment)
}
