//! The vendor of the broken sources: two lists, a key, a limit, and changes that show late.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::environment::Vendor;
use crate::http::{Response, Sent, Verdict};
use crate::settings::Settings;
use crate::testkit::wire::http_date;
use crate::testkit::{Change, Clock, Simulated};

const KEY: &str = "canary-toy";
/// Requests that a second takes.
const PER_SECOND: usize = 6;

const HOUR: i64 = 3_600_000_000;

#[derive(Clone, Debug)]
struct Row {
    stamp: i64,
    body: Value,
    /// Until when the last change does not show, and what it was before that.
    hidden: Option<(i64, Option<(i64, Value)>)>,
}

#[derive(Default)]
struct World {
    lists: BTreeMap<&'static str, BTreeMap<i64, Row>>,
    lag: Duration,
    asked: VecDeque<i64>,
}

pub(super) struct ToyVendor {
    clock: Clock,
    world: Mutex<World>,
}

impl ToyVendor {
    pub(super) fn new(clock: Clock) -> Self {
        let begin = clock().0 - 24 * HOUR;
        let mut world = World::default();
        for (list, rows) in [("things", 23_i64), ("lists", 7)] {
            let row = |id: i64| {
                // Not in the order of the ids.
                let stamp = begin + (id * 5 % rows) * HOUR;
                (id, Row { stamp, body: json!({"name": format!("{list} {id}")}), hidden: None })
            };
            world.lists.insert(list, (1..=rows).map(row).collect());
        }
        Self { clock, world: Mutex::new(world) }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> i64 {
        (self.clock)().0
    }
}

#[async_trait]
impl Vendor for ToyVendor {
    async fn answer(&self, sent: Sent) -> Result<Response, Verdict> {
        let now = self.now();
        let date = vec![("date".to_owned(), http_date((self.clock)(), Duration::ZERO))];
        let mut world = self.world();
        if sent.headers.get("authorization").and_then(|it| it.to_str().ok()) != Some(&format!("Bearer {KEY}"))
        {
            return Ok(Response::new(401, &date, Vec::new()));
        }
        while world.asked.front().is_some_and(|at| *at <= now - 1_000_000) {
            world.asked.pop_front();
        }
        if world.asked.len() >= PER_SECOND {
            return Ok(Response::new(429, &date, Vec::new()));
        }
        world.asked.push_back(now);
        let query: BTreeMap<String, i64> = sent
            .url
            .query_pairs()
            .filter_map(|(key, value)| Some((key.into_owned(), value.parse().ok()?)))
            .collect();
        let asked = |name: &str| query.get(name).copied();
        let by_time = query.contains_key("since");
        let Some(list) = world.lists.get(sent.url.path().trim_matches('/')) else {
            return Ok(Response::new(404, &date, Vec::new()));
        };
        let since = asked("since").unwrap_or(i64::MIN);
        // What changed a moment ago does not show in reads by time.
        let shown = list.iter().filter_map(|(id, row)| {
            let hidden = row.hidden.as_ref().filter(|(until, _)| by_time && *until > now);
            let (stamp, body) = match hidden {
                None => (row.stamp, &row.body),
                Some((_, Some((stamp, body)))) => (*stamp, body),
                Some((_, None)) => return None,
            };
            (stamp >= since).then_some((*id, stamp, body))
        });
        let mut rows: Vec<(i64, i64, &Value)> = shown.collect();
        let total = rows.len();
        if let Some(offset) = asked("offset") {
            rows.sort_by_key(|(id, stamp, _)| (*stamp, *id));
            rows.drain(..(offset as usize).min(rows.len()));
        }
        let after = asked("after").unwrap_or(i64::MIN);
        rows.retain(|(id, ..)| *id > after);
        let limit = asked("limit").unwrap_or(5) as usize;
        let more = rows.len() > limit;
        let items: Vec<Value> = rows
            .into_iter()
            .take(limit)
            .map(|(id, stamp, body)| {
                let mut body = body.clone();
                body["id"] = json!(id);
                body["stamp"] = json!(stamp);
                body
            })
            .collect();
        let body = json!({"items": items, "more": more, "total": total});
        Ok(Response::new(200, &date, body.to_string().into_bytes()))
    }
}

impl Simulated for ToyVendor {
    fn settings(&self) -> Settings {
        Settings {
            source: "toy".to_owned(),
            values: json!({"url": "https://toy.example"}),
            secrets: [("key".to_owned(), SecretString::from(KEY))].into(),
            ..Settings::default()
        }
    }

    fn ids(&self, stream: &str) -> BTreeSet<String> {
        self.world().lists.get(stream).into_iter().flatten().map(|(id, _)| id.to_string()).collect()
    }

    fn change(&self, stream: &str, change: Change<'_>) -> Option<String> {
        let now = self.now();
        let mut world = self.world();
        let lag = world.lag.as_micros() as i64;
        let list = world.lists.get_mut(stream)?;
        let next = list.keys().next_back().map_or(1, |id| id + 1);
        let mut touch = |id: i64, name: &str, value: Value| {
            let known = list.get(&id).cloned();
            let mut body = known.as_ref().map_or_else(|| json!({}), |row| row.body.clone());
            body[name] = value;
            let before = known.map(|row| (row.stamp, row.body));
            list.insert(id, Row { stamp: now, body, hidden: Some((now + lag, before)) });
            Some(id.to_string())
        };
        match change {
            Change::Create => touch(next, "name", json!(format!("made at {now}"))),
            Change::Update(id) => touch(id.parse().ok()?, "name", json!(format!("changed at {now}"))),
            Change::Delete(id) => {
                list.remove(&id.parse().ok()?)?;
                Some(id.to_owned())
            }
            Change::Merge { loser, winner } => {
                touch(loser.parse().ok()?, "merged_into", json!(winner))?;
                Some(winner.to_owned())
            }
        }
    }

    fn lag(&self, lag: Duration) -> bool {
        self.world().lag = lag;
        true
    }
}
