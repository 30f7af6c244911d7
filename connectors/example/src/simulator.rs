//! A simulated Example over the sandbox's world: written from the vendor's documentation, not from this crate's types.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tributary_core::Time;
use tributary_core::time::Zone;
use tributary_sandbox::World;
use tributary_sandbox::simulator::{Api, Call, Habits, Reply, Simulator, Window, Windows};
use tributary_source::environment::Vendor;
use tributary_source::http::{Response, Sent, Verdict};
use tributary_source::testkit::{Change, Clock, Simulated};
use tributary_source::{SecretString, Settings};

const KEY: &str = "canary-key";

/// An Example that is not one.
pub struct SimulatedExample {
    kit: Arc<Simulator>,
    server: Arc<Server>,
    clock: Clock,
}

struct Server {
    contacts: Mutex<BTreeMap<u64, Value>>,
    requests: Windows,
}

impl Server {
    fn contacts(&self) -> MutexGuard<'_, BTreeMap<u64, Value>> {
        self.contacts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn at(text: &Value) -> i64 {
    text.as_str().and_then(|text| Time::parse(text, &Zone::default()).ok()).map_or(0, |at| at.0)
}

impl Api for Server {
    fn answer(&self, call: &Call, now: Time, _: &Habits) -> Reply {
        if call.bearer() != Some(KEY) {
            return Reply::json(401, &json!({"error": "unauthorized"}));
        }
        if let Err(over) = self.requests.admit(now) {
            return Reply::json(429, &json!({"error": "rate_limited"}))
                .header("retry-after", over.wait.as_secs() + 1);
        }
        if call.path != "/v1/contacts" {
            return Reply::json(404, &json!({"error": "not_found"}));
        }
        let since = call.param("updated_since").map_or(0, |text| at(&json!(text)));
        let after = call.param("cursor").and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
        let limit = call.param("limit").and_then(|limit| limit.parse().ok()).unwrap_or(20);
        let contacts = self.contacts();
        let is_new = |it: &Value| at(&it["updated_at"]) >= since;
        let total = contacts.values().filter(|it| is_new(it)).count();
        let mut found = contacts.range(after + 1..).filter(|(_, it)| is_new(it));
        let page: Vec<(&u64, &Value)> = found.by_ref().take(limit).collect();
        let next = found.next().and(page.last()).map(|(id, _)| id.to_string());
        let data: Vec<&Value> = page.into_iter().map(|(_, contact)| contact).collect();
        Reply::json(200, &json!({"data": data, "next_cursor": next, "total": total}))
    }
}

impl SimulatedExample {
    /// An Example that knows the people of a world.
    pub fn new(world: &World, clock: Clock) -> Self {
        let contact = |(index, person): (usize, &tributary_sandbox::Person)| {
            let (id, at) = (index as u64 + 1, person.created_at.to_string());
            (
                id,
                json!({"id": id, "email": person.email, "name": person.name, "created_at": at, "updated_at": at}),
            )
        };
        let contacts = world.people.iter().enumerate().map(contact).collect();
        let requests = Windows::new([Window { calls: 20, per: Duration::from_secs(1) }]);
        let server = Arc::new(Server { contacts: Mutex::new(contacts), requests });
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

    /// Its secrets.
    pub fn secrets() -> BTreeMap<String, SecretString> {
        [("key".to_owned(), SecretString::from(KEY))].into()
    }
}

#[async_trait]
impl Vendor for SimulatedExample {
    async fn answer(&self, sent: Sent) -> Result<Response, Verdict> {
        self.kit.answer(sent).await
    }
}

impl Simulated for SimulatedExample {
    fn settings(&self) -> Settings {
        let values = Self::values("https://example.invalid");
        Settings { source: "example".to_owned(), values, secrets: Self::secrets(), ..Settings::default() }
    }

    fn ids(&self, _: &str) -> BTreeSet<String> {
        self.server.contacts().keys().map(ToString::to_string).collect()
    }

    fn change(&self, _: &str, change: Change<'_>) -> Option<String> {
        let now = (self.clock)().to_string();
        let mut contacts = self.server.contacts();
        let id: u64 = match change {
            Change::Create => contacts.keys().next_back()? + 1,
            Change::Update(id) => id.parse().ok()?,
            _ => return None,
        };
        let contact = contacts.entry(id).or_insert_with(|| json!({"id": id, "created_at": now}));
        contact["name"] = json!(format!("somebody at {now}"));
        contact["updated_at"] = json!(now);
        Some(id.to_string())
    }
}
