//! A simulated Matomo over the sandbox's world: site 1 with its visits log, and nothing else.
//!
//! Written from Matomo's documented behaviour, not from this crate's own types: errors with status 200, tokens in the
//! body only, newest first and ten rows by default, a least time that is left out itself, several calls in one, numbers
//! now as such and now as texts, visits that grow.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};
use tributary_core::Time;
use tributary_core::time::Zone;
use tributary_sandbox::simulator::{Api, Call, Habits, Reply, Simulator};
use tributary_sandbox::{OWN_DOMAIN, TIME_ZONE, Tool, TouchRow, World};
use tributary_source::environment::Vendor;
use tributary_source::http::{Response, Sent, Verdict};
use tributary_source::testkit::{Change, Clock, Simulated, Trouble};
use tributary_source::{SecretString, Settings};

const TOKEN: &str = "canary-5d1f9a";
/// How long a visitor may be idle before their visit is over, with time for slow trackers.
const SETTLED_SECONDS: i64 = 45 * 60;
/// How long a visitor may be idle within one visit.
const IDLE_SECONDS: i64 = 30 * 60;

/// A Matomo that is not one.
pub struct SimulatedMatomo {
    kit: Arc<Simulator>,
    log: Arc<Log>,
    clock: Clock,
}

/// The visits log.
struct Log {
    visits: Mutex<BTreeMap<i64, Visit>>,
    mood: Mutex<Mood>,
}

/// What an administrator decided.
#[derive(Default)]
struct Mood {
    is_log_off: bool,
    /// Rows that one query may fetch in the time it has.
    rows_in_time: Option<i64>,
}

#[derive(Clone)]
struct Visit {
    /// In seconds.
    first: i64,
    last: i64,
    body: Value,
    /// What is not to be seen before an instant, in seconds.
    coming: Option<(i64, Box<Visit>)>,
    /// Not there at all before an instant, in seconds.
    hidden_until: i64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log {
    fn of(world: &World) -> Self {
        let mut known: BTreeMap<(&str, Time), &str> = BTreeMap::new();
        for alias in &world.aliases {
            for (one, other) in [(&alias.a, &alias.b), (&alias.b, &alias.a)] {
                if one.0 == "anonymous" && other.0 == "email" {
                    known.insert((one.1.as_str(), alias.seen_at), other.1.as_str());
                }
            }
        }
        let web = world.touches.iter().enumerate().filter(|(index, _)| world.tool(*index) == Tool::Web);
        let visit = |(place, (index, touch)): (usize, (usize, &tributary_sandbox::Touch))| {
            let row = world.touch_row(index);
            let told = row.anonymous_id.as_deref().and_then(|browser| known.get(&(browser, touch.at)));
            let user = row.email.as_deref().or(told.copied());
            let id = place as i64 + 1;
            (id, Visit::of(&row, touch.device, touch.at.0 / 1_000_000, user))
        };
        let visits = Mutex::new(web.enumerate().map(visit).collect());
        Self { visits, mood: Mutex::default() }
    }

    /// What is to be seen at an instant, by last action.
    fn seen(&self, now: i64) -> Vec<(i64, Visit)> {
        let visits = lock(&self.visits);
        let seen = visits.iter().filter(|(_, visit)| visit.hidden_until <= now);
        let mut seen: Vec<(i64, Visit)> = seen.map(|(id, visit)| (*id, visit.at(now).clone())).collect();
        seen.sort_by_key(|(id, visit)| (visit.last, *id));
        seen
    }
}

impl Visit {
    fn of(row: &TouchRow<'_>, device: u64, first: i64, user: Option<&str>) -> Self {
        let is_form = row.kind == "form";
        let mut query: Vec<String> = Vec::new();
        let parameters = [
            ("utm_source", row.utm_source),
            ("utm_medium", row.utm_medium),
            ("utm_campaign", row.utm_campaign),
            ("gclid", row.gclid.as_deref()),
            ("li_fat_id", row.li_fat_id.as_deref()),
        ];
        for (name, value) in parameters {
            query.extend(value.map(|value| format!("{name}={}", value.replace(' ', "+"))));
        }
        let page = row.url.clone().unwrap_or_else(|| format!("https://www.{OWN_DOMAIN}/contact"));
        let question = if query.is_empty() { "" } else { "?" };
        let mut actions = vec![json!({
            "type": "action", "url": format!("{page}{question}{}", query.join("&")), "pageTitle": row.content,
            "timestamp": first, "timeSpent": "45", "pageviewPosition": "1",
        })];
        let mut last = first + 45;
        if is_form {
            last = first + 90;
            actions.push(json!({
                "type": "goal", "goalId": "2", "goalName": row.content, "timestamp": first, "revenue": 0,
            }));
        }
        let (kind, name) = match (row.utm_campaign, row.referrer) {
            (Some(campaign), _) => ("campaign", json!(campaign)),
            (None, Some(referrer)) => ("search", json!(referrer.split('/').nth(2))),
            (None, None) => ("direct", json!("")),
        };
        let body = json!({
            "visitorId": format!("{device:016x}"), "userId": user, "referrerType": kind, "referrerName": name,
            "referrerKeyword": "", "referrerUrl": row.referrer.unwrap_or_default(),
            "goalConversions": i32::from(is_form), "visitorType": "new", "siteCurrency": "USD",
            "actionDetails": actions,
        });
        Self { first, last, body, coming: None, hidden_until: i64::MIN }
    }

    fn at(&self, now: i64) -> &Self {
        match &self.coming {
            Some((from, later)) if *from <= now => later,
            _ => self,
        }
    }

    /// As Matomo writes it: some numbers as texts.
    fn json(&self, id: i64) -> Value {
        let mut body = self.body.clone();
        let fields = [
            ("idSite", json!("1")),
            ("idVisit", json!(id.to_string())),
            ("serverTimestamp", json!(self.last)),
            ("firstActionTimestamp", json!(self.first)),
            ("lastActionTimestamp", json!(self.last.to_string())),
            ("visitDuration", json!((self.last - self.first).to_string())),
            ("actions", json!(self.body["actionDetails"].as_array().map_or(0, Vec::len).to_string())),
        ];
        for (name, value) in fields {
            body[name] = value;
        }
        body
    }

    /// One more action.
    fn grow(&mut self, at: i64) {
        if let Some(actions) = self.body["actionDetails"].as_array_mut() {
            let url = format!("https://www.{OWN_DOMAIN}/pricing");
            actions.push(json!({"type": "action", "url": url, "timestamp": at, "timeSpent": 5}));
        }
        self.last = at;
    }
}

impl Log {
    /// Takes what a tracker tells: one action in the address, or several in the body.
    fn tracked(&self, call: &Call, now: i64) -> Reply {
        let body = call.json();
        let Some(requests) = body["requests"].as_array() else {
            return if self.track(&|name| call.param(name).map(str::to_owned), now).is_some() {
                Reply::text(204, "")
            } else {
                Reply::text(400, "")
            };
        };
        let one = |request: &&Value| {
            let query = request.as_str().unwrap_or_default().trim_start_matches('?');
            let pairs: BTreeMap<String, String> =
                url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            self.track(&|name| pairs.get(name).cloned(), now).is_some()
        };
        let tracked = requests.iter().filter(one).count();
        let invalid = requests.len() - tracked;
        Reply::json(200, &json!({"status": "success", "tracked": tracked, "invalid": invalid}))
    }

    /// One action of a visitor, in the visit that is going on or in a new one.
    fn track(&self, param: &dyn Fn(&str) -> Option<String>, now: i64) -> Option<()> {
        let (site, records) = (param("idsite")?, param("rec")?);
        let url = param("url").filter(|_| site == "1" && records == "1")?;
        let user = param("uid");
        let visitor = match (param("_id").or_else(|| param("cid")), &user) {
            (Some(id), _) => id,
            // A user id without a cookie is a visitor of its own.
            (None, Some(user)) => {
                let hash = user.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                    (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
                });
                format!("{hash:016x}")
            }
            (None, None) => "0000000000000001".to_owned(),
        };
        let action =
            json!({"type": "action", "url": url, "pageTitle": param("action_name"), "timestamp": now});
        let mut visits = lock(&self.visits);
        let going_on =
            visits.values_mut().find(|it| it.body["visitorId"] == *visitor && now - it.last < IDLE_SECONDS);
        if let Some(visit) = going_on {
            if let Some(actions) = visit.body["actionDetails"].as_array_mut() {
                actions.push(action);
            }
            visit.last = now;
            return Some(());
        }
        let body = json!({
            "visitorId": visitor, "userId": user, "referrerType": "direct", "referrerName": "", "referrerKeyword": "",
            "referrerUrl": param("urlref").unwrap_or_default(), "actionDetails": [action],
        });
        let id = visits.keys().next_back().map_or(1, |last| last + 1);
        visits.insert(id, Visit { first: now, last: now, body, coming: None, hidden_until: i64::MIN });
        Some(())
    }
}

/// Matomo's way to say that something went wrong: with status 200.
fn error(message: &str) -> Value {
    json!({"result": "error", "message": message})
}

impl Api for Log {
    fn answer(&self, call: &Call, now: Time, habits: &Habits) -> Reply {
        if call.path.ends_with("/matomo.php") {
            return self.tracked(call, now.0 / 1_000_000);
        }
        let form = call.form();
        let is_told = form.iter().any(|(name, value)| name == "token_auth" && value == TOKEN);
        if call.param("token_auth").is_some() || !is_told {
            return Reply::json(
                200,
                &error(
                    "Unable to authenticate with the provided token. It is either invalid, expired or is required to \
                     be sent as a POST parameter.",
                ),
            );
        }
        // Where a name stands in both, the body counts.
        let asked: BTreeMap<String, String> = call.query.iter().cloned().chain(form).collect();
        Reply::json(200, &self.method(&asked, now.0 / 1_000_000, habits))
    }
}

impl Log {
    fn method(&self, asked: &BTreeMap<String, String>, now: i64, habits: &Habits) -> Value {
        let field = |name: &str| asked.get(name).map_or("", String::as_str);
        let is_hidden = field("idSite") != "1";
        match field("method") {
            "API.getMatomoVersion" => json!({"value": "5.2.0"}),
            "API.getBulkRequest" => {
                let urls = asked.iter().filter(|(name, _)| name.starts_with("urls["));
                let one = |(_, url): (&String, &String)| {
                    let mut one: BTreeMap<String, String> =
                        url::form_urlencoded::parse(url.as_bytes()).into_owned().collect();
                    let is_nested = field("method") == one.get("method").map_or("", String::as_str);
                    one.insert("format".to_owned(), "json".to_owned());
                    (!is_nested).then(|| self.method(&one, now, habits))
                };
                urls.filter_map(one).collect()
            }
            "SitesManager.getSitesWithAtLeastViewAccess" => {
                json!([{"idsite": "1", "name": "Website", "timezone": TIME_ZONE, "currency": "USD"}])
            }
            "Goals.getGoals" | "Live.getLastVisitsDetails" if is_hidden => error(&format!(
                "You can't access this resource as it requires 'view' access for the website id = {}.",
                field("idSite")
            )),
            // A list whose numbers do not begin at 0 is an object to PHP.
            "Goals.getGoals" => json!({
                "2": {"idsite": "1", "idgoal": "2", "name": "Form sent", "match_attribute": "manually", "revenue": "0"},
            }),
            "Live.getLastVisitsDetails" => self.visits_details(asked, now, habits),
            _ => error("The method does not exist or is not available in the module."),
        }
    }

    fn visits_details(&self, asked: &BTreeMap<String, String>, now: i64, habits: &Habits) -> Value {
        let field = |name: &str| asked.get(name).map(String::as_str);
        let number = |name: &str| field(name).and_then(|text| text.parse::<i64>().ok());
        let limit = number("filter_limit").unwrap_or(10);
        let mood = lock(&self.mood);
        if mood.is_log_off {
            return error(
                "Visits log is deactivated globally. A user with super user access can enable this feature in the \
                 general settings.",
            );
        }
        if mood.rows_in_time.is_some_and(|most| limit < 0 || limit > most) {
            return error("Could not run the query in time.  Maybe the selected date range is too wide?");
        }
        // Nothing and 0 are alike to PHP. The least time itself is left out.
        let after = number("minTimestamp").filter(|from| *from != 0).unwrap_or(i64::MIN);
        let days = field("date").and_then(|range| range.split_once(','));
        let Some((begin, end)) = days else { return error("The date is not a range.") };
        let zone = Zone::parse(TIME_ZONE).unwrap_or_default();
        let mut visits = self.seen(now);
        visits.retain(|(_, visit)| {
            let day = Time::from_seconds(visit.last).date_in(&zone);
            visit.last > after && begin <= day.as_str() && day.as_str() <= end
        });
        if field("filter_sort_order") != Some("asc") {
            visits.reverse();
        }
        let limit = if limit < 0 { usize::MAX } else { limit as usize };
        let limit = habits.truncate_at.map_or(limit, |most| limit.min(most));
        let offset = number("filter_offset").unwrap_or(0).max(0) as usize;
        visits.iter().skip(offset).take(limit).map(|(id, visit)| visit.json(*id)).collect()
    }
}

impl SimulatedMatomo {
    /// A Matomo that counted the visits of a world.
    pub fn new(world: &World, clock: Clock) -> Self {
        let log = Arc::new(Log::of(world));
        let api: Arc<dyn Api> = Arc::clone(&log) as _;
        Self { kit: Arc::new(Simulator::new(api, Arc::clone(&clock))), log, clock }
    }

    /// For faults, the journal, and to serve it on loopback.
    pub fn kit(&self) -> Arc<Simulator> {
        Arc::clone(&self.kit)
    }

    /// The settings to read it at an address.
    pub fn values(url: &str) -> Value {
        json!({"url": url, "page_size": 200})
    }

    /// Its secrets.
    pub fn secrets() -> BTreeMap<String, SecretString> {
        [("token".to_owned(), SecretString::from(TOKEN))].into()
    }

    /// Purges a visit, as old logs are: without a trace.
    pub fn purge(&self, visit: i64) {
        lock(&self.log.visits).remove(&visit);
    }

    /// Switches the visits log off.
    pub fn switch_log_off(&self) {
        lock(&self.log.mood).is_log_off = true;
    }

    /// From now on queries for more rows than this run out of time.
    pub fn limit_rows_in_time(&self, most: i64) {
        lock(&self.log.mood).rows_in_time = Some(most);
    }

    fn now(&self) -> i64 {
        (self.clock)().0 / 1_000_000
    }
}

#[async_trait]
impl Vendor for SimulatedMatomo {
    async fn answer(&self, sent: Sent) -> Result<Response, Verdict> {
        self.kit.answer(sent).await
    }
}

impl Simulated for SimulatedMatomo {
    fn settings(&self) -> Settings {
        let mut values = Self::values("https://matomo.example");
        // Small pages, so that there are several.
        values["page_size"] = json!(20);
        Settings { source: "web".to_owned(), values, secrets: Self::secrets(), ..Settings::default() }
    }

    fn ids(&self, stream: &str) -> BTreeSet<String> {
        let now = self.now();
        match stream {
            "sites" => BTreeSet::from(["1".to_owned()]),
            "goals" => BTreeSet::from(["1/2".to_owned()]),
            "visits" => {
                let settled =
                    self.log.seen(now).into_iter().filter(|(_, visit)| visit.last <= now - SETTLED_SECONDS);
                settled.map(|(id, _)| format!("1/{id}")).collect()
            }
            _ => BTreeSet::new(),
        }
    }

    fn change(&self, stream: &str, change: Change<'_>) -> Option<String> {
        let (now, lag) = (self.now(), self.kit.habits().lag.as_secs() as i64);
        let mut visits = lock(&self.log.visits);
        if stream != "visits" {
            return None;
        }
        match change {
            Change::Create => {
                let id = visits.keys().next_back().map_or(1, |last| last + 1);
                let row = TouchRow { kind: "visit", content: Some("/"), ..TouchRow::default() };
                let visit = Visit::of(&row, id as u64, now, None);
                visits.insert(id, Visit { last: now, hidden_until: now + lag, ..visit });
                Some(format!("1/{id}"))
            }
            Change::Update(id) => {
                let visit = visits.get_mut(&id.strip_prefix("1/")?.parse().ok()?)?;
                let mut grown = visit.at(now).clone();
                grown.coming = None;
                let mut later = grown.clone();
                later.grow(now);
                grown.coming = Some((now + lag, Box::new(later)));
                *visit = grown;
                Some(id.to_owned())
            }
            // Logs are purged and people forgotten without a trace.
            Change::Delete(_) | Change::Restore(_) | Change::Merge { .. } | Change::Split { .. } => None,
        }
    }

    /// Nothing is cut off, and pages are asked for by time.
    fn trouble(&self, trouble: Trouble) -> bool {
        let is_known = matches!(trouble, Trouble::Lag(_));
        if is_known {
            self.kit.trouble(trouble);
        }
        is_known
    }
}
