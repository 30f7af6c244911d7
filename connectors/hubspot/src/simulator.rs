//! A simulated HubSpot over the sandbox's world.
//!
//! Written from HubSpot's documented behaviour, not from this crate's own types: all properties texts or null,
//! searches that end at 10,000 results and lag behind, three kinds of 429, archived lists, tokens of 30 minutes.

mod account;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tributary_core::Time;
use tributary_sandbox::World;
use tributary_sandbox::simulator::{Api, Call, Habits, Reply, Simulator, Token, Tokens, Window, Windows};
use tributary_source::environment::Vendor;
use tributary_source::http::{Response, Sent, Verdict};
use tributary_source::testkit::{Change, Clock, Simulated, Trouble};
use tributary_source::{SecretString, Settings};

use account::Account;

const KEY: &str = "canary-pat-eu1-7c1e";
const REFRESH: &str = "canary-refresh-0";
const VERSIONS: [&str; 3] = ["2026-09", "2026-03", "v3"];

/// A HubSpot that is not one.
pub struct SimulatedHubSpot {
    kit: Arc<Simulator>,
    server: Arc<Server>,
    clock: Clock,
}

struct Server {
    account: Account,
    tokens: Tokens,
    requests: Windows,
    searches: Windows,
    /// Whether limits are kept; a figure is measured without them.
    is_limited: bool,
}

fn error(status: u16, category: &str, message: &str) -> Reply {
    let body = json!({"status": "error", "message": message, "correlationId": "c", "category": category});
    Reply::json(status, &body)
}

fn refused(policy: &str, wait: Duration) -> Reply {
    let body = json!({"status": "error", "message": "You have reached your limit.", "errorType": "RATE_LIMIT",
        "correlationId": "c", "policyName": policy});
    let reply = Reply::json(429, &body);
    // Only sometimes does it say when.
    if policy == "SECONDLY" { reply } else { reply.header("retry-after", wait.as_secs() + 1) }
}

impl Api for Server {
    fn answer(&self, call: &Call, now: Time, habits: &Habits) -> Reply {
        let segments = call.segments();
        if segments.first() == Some(&"oauth") {
            return self.tokens.refresh(call, now);
        }
        match (call.bearer(), self.tokens.check(call.bearer(), now)) {
            (Some(KEY), _) | (_, Token::Valid) => {}
            (_, Token::Expired) => {
                return error(401, "EXPIRED_AUTHENTICATION", "The OAuth token used expired.");
            }
            _ => return error(401, "INVALID_AUTHENTICATION", "Authentication credentials not found."),
        }
        let version = segments.iter().find(|segment| VERSIONS.contains(segment)).copied().unwrap_or_default();
        if version.is_empty() || habits.sunset.iter().any(|gone| gone == version) {
            return error(404, "OBJECT_NOT_FOUND", "resource not found");
        }
        let is_search = segments.last() == Some(&"search");
        let mut headers = Vec::new();
        if self.is_limited {
            if is_search && let Err(over) = self.searches.admit(now) {
                return refused("SECONDLY", over.wait);
            }
            match self.requests.admit(now) {
                Err(over) => return refused("TEN_SECONDLY_ROLLING", over.wait),
                Ok(left) if !is_search => {
                    headers.push(("x-hubspot-ratelimit-max", 190));
                    headers
                        .push(("x-hubspot-ratelimit-remaining", left.first().map_or(0, |left| left.calls)));
                    headers.push(("x-hubspot-ratelimit-interval-milliseconds", 10_000));
                }
                Ok(_) => {}
            }
        }
        // The old form has the version before the kind of thing.
        let path: Vec<&str> = segments.iter().copied().filter(|segment| *segment != version).collect();
        let reply = match path.as_slice() {
            ["crm", "owners"] => self.account.owners(call),
            ["crm", "pipelines", "deals"] => self.account.pipelines(),
            ["crm", "objects", kind] if call.method == "GET" => self.account.list(kind, call),
            ["crm", "objects", kind, "search"] => self.account.search(kind, &call.json(), now, habits),
            ["crm", "objects", kind, "batch", "read"] => self.account.read(kind, &call.json()),
            ["crm", "associations", from, to, "batch", "read"] => {
                self.account.associations(from, to, &call.json())
            }
            _ => error(404, "OBJECT_NOT_FOUND", "resource not found"),
        };
        headers.into_iter().fold(reply, |reply, (name, value)| reply.header(name, value))
    }
}

impl SimulatedHubSpot {
    /// A HubSpot in which a world's sales people work.
    pub fn new(world: &World, clock: Clock) -> Self {
        Self::with(Account::of(world), clock, true)
    }

    /// A HubSpot that holds so many contacts of about 2 KB, and has no limits: to measure with.
    pub fn of_contacts(contacts: u64, clock: Clock) -> Self {
        Self::with(Account::of_contacts(contacts), clock, false)
    }

    fn with(account: Account, clock: Clock, is_limited: bool) -> Self {
        let window = |calls, seconds| Windows::new([Window { calls, per: Duration::from_secs(seconds) }]);
        let server = Arc::new(Server {
            account,
            tokens: Tokens::new(REFRESH, Duration::from_mins(30)),
            requests: window(190, 10),
            searches: window(5, 1),
            is_limited,
        });
        let api: Arc<dyn Api> = Arc::clone(&server) as _;
        Self { kit: Arc::new(Simulator::new(api, Arc::clone(&clock))), server, clock }
    }

    /// For faults, habits and the journal, and to serve it on loopback.
    pub fn kit(&self) -> Arc<Simulator> {
        Arc::clone(&self.kit)
    }

    /// The settings to read it at an address.
    pub fn values(url: &str) -> Value {
        json!({"url": url})
    }

    /// The settings to read it at an address by OAuth.
    pub fn oauth_values(url: &str) -> Value {
        json!({"url": url, "client_id": "tributary"})
    }

    /// Its secrets, for both ways.
    pub fn secrets() -> BTreeMap<String, SecretString> {
        let secret = |name: &str, value: &str| (name.to_owned(), SecretString::from(value));
        [secret("token", KEY), secret("client_secret", "canary-client"), secret("refresh_token", REFRESH)]
            .into()
    }
}

#[async_trait]
impl Vendor for SimulatedHubSpot {
    async fn answer(&self, sent: Sent) -> Result<Response, Verdict> {
        self.kit.answer(sent).await
    }
}

impl Simulated for SimulatedHubSpot {
    fn settings(&self) -> Settings {
        let mut values = Self::values("https://hubspot.example");
        // Small pages, so that there are several.
        values["page_size"] = json!(20);
        Settings { source: "crm".to_owned(), values, secrets: Self::secrets(), ..Settings::default() }
    }

    fn ids(&self, stream: &str) -> BTreeSet<String> {
        self.server.account.ids(stream)
    }

    fn change(&self, stream: &str, change: Change<'_>) -> Option<String> {
        self.server.account.change(stream, change, (self.clock)(), self.kit.habits().lag)
    }

    fn trouble(&self, trouble: Trouble) -> bool {
        // What leads to the next page of a list is an id, which lives as long as its object.
        let is_known = matches!(trouble, Trouble::Lag(_) | Trouble::Cap(_));
        if is_known {
            self.kit.trouble(trouble);
        }
        is_known
    }
}
