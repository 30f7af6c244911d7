//! The vendor of the broken sources: three lists, a key, a limit, changes that show late, answers that are cut off,
//! pages that are forgotten.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::{Value, json};
use tributary_core::Time;

use crate::environment::Vendor;
use crate::http::{Response, Sent, Verdict};
use crate::settings::Settings;
use crate::testkit::wire::http_date;
use crate::testkit::{Change, Clock, Simulated, Trouble};

const KEY: &str = "canary-toy";
/// Requests that a second takes.
const PER_SECOND: usize = 6;

const HOUR: i64 = 3_600_000_000;
/// A token is so many times the second in which it was given, and the id that it stands after.
const TOKEN: i64 = 1_000_000;

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
    deleted: BTreeMap<(&'static str, i64), Row>,
    lag: Duration,
    cap: Option<usize>,
    token_life: Option<Duration>,
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
        for (list, rows) in [("things", 23_i64), ("lists", 7), ("days", 12)] {
            let row = |id: i64| {
                // Not in the order of the ids.
                let stamp = begin + (id * 5 % rows) * HOUR;
                let body = json!({"name": format!("{list} {id}"), "mail": format!("{list}.{id}@acme.example"),
                    "made": Time(stamp).to_string()});
                (id, Row { stamp, body, hidden: None })
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
        let by_stamp = query.contains_key("by_stamp");
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
        let begin = asked("token").map_or(i64::MIN, |token| token % TOKEN);
        let issued = asked("token").map_or(i64::MAX, |token| token / TOKEN * 1_000_000);
        if world.token_life.is_some_and(|life| issued.saturating_add(life.as_micros() as i64) < now) {
            return Ok(Response::new(410, &date, Vec::new()));
        }
        let (first, last) = (asked("from").unwrap_or(i64::MIN), asked("until").unwrap_or(i64::MAX));
        let mut rows: Vec<(i64, i64, &Value)> =
            shown.filter(|(id, ..)| (first..=last).contains(id)).collect();
        // What is beyond the cap is not even counted.
        let most = world.cap.unwrap_or(usize::MAX);
        let total = rows.len();
        if by_stamp {
            rows.sort_by_key(|(id, stamp, _)| (*stamp, *id));
        }
        if let Some(offset) = asked("offset") {
            rows.sort_by_key(|(id, stamp, _)| (*stamp, *id));
            rows.drain(..(offset as usize).min(rows.len()));
        }
        let after = asked("after").unwrap_or(i64::MIN).max(begin);
        rows.retain(|(id, ..)| *id > after);
        let limit = asked("limit").unwrap_or(5) as usize;
        let more = rows.len() > limit;
        let limit = limit.min(most);
        let token = rows.get(limit - 1).filter(|_| more).map(|(id, ..)| now / 1_000_000 * TOKEN + id);
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
        let body =
            json!({"items": items, "more": more, "total": total, "token": token.map(|it| it.to_string())});
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
        let World { lists, deleted, lag, .. } = &mut *world;
        let hidden = now + lag.as_micros() as i64;
        let (name, list) = lists.iter_mut().find(|(name, _)| **name == stream)?;
        let next = list.keys().next_back().map_or(1, |id| id + 1);
        let mut touch = |id: i64, fields: &[(&str, Value)]| {
            let known = list.get(&id).cloned();
            let mut body = known.as_ref().map_or_else(|| json!({}), |row| row.body.clone());
            for (name, value) in fields {
                body[*name] = value.clone();
            }
            let before = known.map(|row| (row.stamp, row.body));
            list.insert(id, Row { stamp: now, body, hidden: Some((hidden, before)) });
            Some(id.to_string())
        };
        match change {
            // A day has its rows from the beginning.
            Change::Create if stream == "days" => None,
            Change::Create => touch(next, &[("name", json!(format!("made at {now}")))]),
            Change::Update(id) => touch(id.parse().ok()?, &[("name", json!(format!("changed at {now}")))]),
            Change::Delete(id) => {
                let row = list.remove(&id.parse().ok()?)?;
                deleted.insert((*name, id.parse().ok()?), row);
                Some(id.to_owned())
            }
            Change::Restore(id) => {
                let mut row = deleted.remove(&(*name, id.parse().ok()?))?;
                (row.stamp, row.hidden, row.body["restored"]) = (now, None, json!(true));
                list.insert(id.parse().ok()?, row);
                Some(id.to_owned())
            }
            Change::Merge { loser, winner } => {
                touch(loser.parse().ok()?, &[("merged_into", json!(winner))])?;
                touch(winner.parse().ok()?, &[("took_in", json!(loser))])
            }
            Change::Split { loser, winner } => {
                touch(
                    loser.parse().ok()?,
                    &[("merged_into", Value::Null), ("was_merged_into", json!(winner))],
                )?;
                touch(winner.parse().ok()?, &[("took_in", Value::Null)])
            }
        }
    }

    fn trouble(&self, trouble: Trouble) -> bool {
        let mut world = self.world();
        match trouble {
            Trouble::Lag(lag) => world.lag = lag,
            Trouble::Cap(rows) => world.cap = Some(rows),
            Trouble::TokenLife(life) => world.token_life = Some(life),
        }
        true
    }
}
