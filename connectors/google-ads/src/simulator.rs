//! A simulated Google Ads over the sandbox's world: a manager account, one ads account that serves, one that was
//! cancelled.
//!
//! Written from Google's documented behaviour, not from this crate's own types: 64-bit numbers as texts, zeros left
//! out, pages of 10,000, errors by code inside details, clicks by one day of the last 90, figures that are restated.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tributary_core::Time;
use tributary_core::time::{DAY_MICROS, Zone};
use tributary_sandbox::simulator::{Api, Call, Habits, Reply, Simulator, Token, Tokens};
use tributary_sandbox::{CURRENCY, Channel, TIME_ZONE, World};
use tributary_source::environment::Vendor;
use tributary_source::http::{Response, Sent, Verdict};
use tributary_source::testkit::{Change, Clock, Simulated, Trouble};
use tributary_source::{SecretString, Settings};

const MANAGER: &str = "1000000001";
const ACCOUNT: &str = "1000000002";
const CANCELLED: &str = "1000000003";
const REFRESH: &str = "canary-refresh-0";
/// Rows of a page, always.
const PAGE: usize = 10_000;
/// The first month of spend that the suite reads: enough for one that is read each time, one each week, one never more.
const SUITE_START: &str = "2026-03";
/// Figures of so many days may change.
const RESTATED_DAYS: i64 = 30;

/// A Google Ads that is not one.
pub struct SimulatedGoogleAds {
    kit: Arc<Simulator>,
    account: Arc<Account>,
    clock: Clock,
}

struct Campaign {
    name: String,
    status: &'static str,
    kind: &'static str,
}

#[derive(Clone, Copy, Default)]
struct Day {
    cost_micros: i64,
    clicks: i64,
}

#[derive(Default)]
struct Data {
    campaigns: BTreeMap<u64, Campaign>,
    /// By day and campaign.
    days: BTreeMap<(String, u64), Day>,
    /// By day: each gclid with its campaign.
    clicks: BTreeMap<String, BTreeMap<String, u64>>,
}

struct Account {
    tokens: Tokens,
    data: Mutex<Data>,
    zone: Zone,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What kind of campaign a channel is bought by; none of Google's for most.
fn kind(channel: Channel) -> Option<&'static str> {
    match channel {
        Channel::PaidSearch => Some("SEARCH"),
        Channel::Display => Some("DISPLAY"),
        _ => None,
    }
}

impl Data {
    fn of(world: &World, zone: &Zone) -> Self {
        let mut data = Self::default();
        for (index, campaign) in world.campaigns.iter().enumerate() {
            if let Some(kind) = kind(campaign.channel) {
                let campaign = Campaign { name: campaign.name.clone(), status: "ENABLED", kind };
                data.campaigns.insert(9_000 + index as u64, campaign);
            }
        }
        for spend in &world.spend {
            let id = 9_000 + spend.campaign as u64;
            if data.campaigns.contains_key(&id) {
                let day = data.days.entry((spend.day.date_in(zone), id)).or_default();
                day.cost_micros += spend.amount.minor * 10_000;
            }
        }
        for (index, touch) in world.touches.iter().enumerate() {
            let (Some(gclid), Some(campaign)) = (world.touch_row(index).gclid, touch.campaign) else {
                continue;
            };
            let (id, day) = (9_000 + campaign as u64, touch.at.date_in(zone));
            data.days.entry((day.clone(), id)).or_default().clicks += 1;
            data.clicks.entry(day).or_default().insert(gclid, id);
        }
        data
    }
}

/// Rows from one on, and how many at most.
struct Page {
    from: usize,
    size: usize,
}

/// What a page shows, and how many rows there are in all.
struct Shown {
    rows: Vec<Value>,
    total: usize,
}

impl Page {
    /// Writes the rows of this page alone: a suite turns thousands of pages.
    fn show<T>(&self, all: impl IntoIterator<Item = T>, row: impl Fn(T) -> Value) -> Shown {
        let mut all = all.into_iter();
        let before = all.by_ref().take(self.from).count();
        let rows: Vec<Value> = all.by_ref().take(self.size).map(row).collect();
        let total = before + rows.len() + all.count();
        Shown { rows, total }
    }
}

fn failure(status: u16, kind: &str, code: &str) -> Reply {
    let name = match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        429 => "RESOURCE_EXHAUSTED",
        _ => "INVALID_ARGUMENT",
    };
    let details = json!([{
        "@type": "type.googleapis.com/google.ads.googleads.v25.errors.GoogleAdsFailure",
        "errors": [{"errorCode": {kind: code}, "message": "for ann@acme.example"}], "requestId": "x",
    }]);
    Reply::json(
        status,
        &json!({"error": {"code": status, "message": "…", "status": name, "details": details}}),
    )
}

/// The text between quotes after some words of a query.
fn quoted<'a>(query: &'a str, words: &str) -> Option<&'a str> {
    query.split_once(words)?.1.split('\'').nth(1)
}

impl Account {
    fn search(&self, customer: &str, call: &Call, now: Time, habits: &Habits) -> Reply {
        let body = call.json();
        if body.get("pageSize").is_some() {
            return failure(400, "requestError", "PAGE_SIZE_NOT_SUPPORTED");
        }
        let query = body["query"].as_str().unwrap_or_default();
        let Some(table) =
            query.split_once(" FROM ").map(|(_, rest)| rest.split(' ').next().unwrap_or_default())
        else {
            return failure(400, "queryError", "EXPECTED_FROM");
        };
        if customer != MANAGER && call.header("login-customer-id").is_none_or(|it| it.contains('-')) {
            return failure(403, "authorizationError", "USER_PERMISSION_DENIED");
        }
        if customer == CANCELLED {
            return failure(403, "authorizationError", "CUSTOMER_NOT_ENABLED");
        }
        let page = match Self::page(body["pageToken"].as_str(), now, habits) {
            Ok(page) => page,
            Err(code) => return failure(400, "requestError", code),
        };
        let today = now.date_in(&self.zone);
        let Shown { rows, total } = match table {
            "customer_client" if customer == MANAGER => Self::clients(&page),
            _ if customer == MANAGER => return failure(400, "queryError", "REQUESTED_METRICS_FOR_MANAGER"),
            "customer" => page.show([account()], |account| json!({"customer": account})),
            "campaign" if query.contains("segments.date") => {
                let Some((from, to)) = quoted(query, "BETWEEN").zip(quoted(query, "AND ")) else {
                    return failure(400, "queryError", "INVALID_WHERE_CLAUSE");
                };
                self.days(&page, from, to.min(&today), &today, habits)
            }
            "campaign" => self.campaigns(&page),
            "ad_group" => self.ad_groups(&page),
            "click_view" => {
                let Some(day) = quoted(query, "segments.date = ") else {
                    return failure(400, "queryError", "INVALID_WHERE_CLAUSE");
                };
                let earliest = Time(now.0 - 90 * DAY_MICROS).date_in(&self.zone);
                if day < earliest.as_str() || query.contains("BETWEEN") {
                    return failure(400, "dateRangeError", "INVALID_DATE");
                }
                self.clicks(&page, day)
            }
            _ => return failure(400, "queryError", "BAD_RESOURCE_TYPE_IN_FROM_CLAUSE"),
        };
        let fields = query.trim_start_matches("SELECT ").split(" FROM ").next().unwrap_or_default();
        let path = |field: &str| field.trim().split('.').map(camel).collect::<Vec<_>>();
        let fields: Vec<Vec<String>> = fields.split(',').map(path).collect();
        let mask = fields.iter().map(|path| path.join(".")).collect::<Vec<_>>().join(",");
        let mut reply = json!({"fieldMask": mask});
        // Empty lists and zeros are left out.
        if !rows.is_empty() {
            reply["results"] = rows.iter().map(|row| selected(row, &fields)).collect();
        }
        let is_counted = body.pointer("/searchSettings/returnTotalResultsCount") == Some(&json!(true));
        if is_counted && total > 0 {
            reply["totalResultsCount"] = json!(total.to_string());
        }
        let next = page.from + page.size;
        if total > next {
            reply["nextPageToken"] = json!(format!("page-{next}-{}", now.0));
        }
        Reply::json(200, &reply)
    }

    /// The page that a token stands for, or the code of what is wrong with it.
    fn page(token: Option<&str>, now: Time, habits: &Habits) -> Result<Page, &'static str> {
        let size = habits.truncate_at.unwrap_or(PAGE);
        let Some(token) = token else { return Ok(Page { from: 0, size }) };
        let parts = token.strip_prefix("page-").and_then(|rest| rest.split_once('-'));
        let parts = parts.and_then(|(from, given)| Some((from.parse().ok()?, given.parse::<i64>().ok()?)));
        let (from, given) = parts.ok_or("INVALID_PAGE_TOKEN")?;
        match habits.cursor_life {
            Some(life) if given + (life.as_micros() as i64) < now.0 => Err("EXPIRED_PAGE_TOKEN"),
            _ => Ok(Page { from, size }),
        }
    }

    fn clients(page: &Page) -> Shown {
        let client = |(id, manager, status): (&str, bool, &str)| {
            json!({"customerClient": {"resourceName": format!("customers/{MANAGER}/customerClients/{id}"), "id": id,
                "manager": manager, "status": status, "currencyCode": CURRENCY, "timeZone": TIME_ZONE}})
        };
        let all = [(MANAGER, true, "ENABLED"), (ACCOUNT, false, "ENABLED"), (CANCELLED, false, "CANCELED")];
        page.show(all, client)
    }

    fn campaigns(&self, page: &Page) -> Shown {
        let data = lock(&self.data);
        let row =
            |(id, it): (&u64, &Campaign)| json!({"campaign": campaign(*id, it), "customer": {"id": ACCOUNT}});
        page.show(&data.campaigns, row)
    }

    fn ad_groups(&self, page: &Page) -> Shown {
        let data = lock(&self.data);
        let row = |id: &u64| {
            json!({"adGroup": {"id": format!("{}", id * 10), "name": "Exact", "status": "ENABLED"},
                "campaign": {"id": id.to_string()}, "customer": {"id": ACCOUNT}})
        };
        page.show(data.campaigns.keys(), row)
    }

    fn days(&self, page: &Page, from: &str, to: &str, today: &str, habits: &Habits) -> Shown {
        let data = lock(&self.data);
        let inside = data.days.range((from.to_owned(), 0)..);
        let inside = inside.take_while(|((day, _), _)| day.as_str() <= to);
        let row = |((day, id), it): (&(String, u64), &Day)| {
            let campaign = data.campaigns.get(id).map(|it| campaign(*id, it));
            // Conversions come in over a month.
            let age = if habits.restates { age(day, today).clamp(0, 30) } else { 30 };
            let mut metrics = json!({"impressions": (it.clicks * 40 + it.cost_micros / 20_000).to_string()});
            if it.cost_micros > 0 {
                metrics["costMicros"] = json!(it.cost_micros.to_string());
            }
            if it.clicks > 0 {
                metrics["clicks"] = json!(it.clicks.to_string());
                metrics["conversions"] = json!(it.clicks as f64 * 0.05 * age as f64 / 30.0);
                metrics["conversionsValue"] = json!(it.clicks as f64 * 2.5);
            }
            json!({"campaign": campaign, "segments": {"date": day}, "metrics": metrics, "customer": account()})
        };
        page.show(inside, row)
    }

    fn clicks(&self, page: &Page, day: &str) -> Shown {
        let data = lock(&self.data);
        let row = |(gclid, id): (&String, &u64)| {
            json!({"clickView": {"resourceName": format!("customers/{ACCOUNT}/clickViews/{day}~{gclid}"),
                "gclid": gclid, "keywordInfo": {"text": "revenue attribution"}},
                "campaign": data.campaigns.get(id).map(|it| campaign(*id, it)),
                "adGroup": {"id": format!("{}", id * 10), "name": "Exact"},
                "segments": {"date": day}, "customer": account()})
        };
        page.show(data.clicks.get(day).into_iter().flatten(), row)
    }
}

/// The fields of a row that a query selects.
fn selected(row: &Value, fields: &[Vec<String>]) -> Value {
    let mut out = json!({});
    for path in fields {
        let found = path.iter().fold(row, |value, field| &value[field]);
        if !found.is_null() {
            let place = path.iter().fold(&mut out, |value, field| &mut value[field]);
            *place = found.clone();
        }
    }
    out
}

/// `cost_micros` as `costMicros`.
fn camel(name: &str) -> String {
    let mut out = String::new();
    for (index, word) in name.split('_').enumerate() {
        let (first, rest) = word.split_at(word.len().min(1));
        out.push_str(&if index == 0 { first.to_owned() } else { first.to_uppercase() });
        out.push_str(rest);
    }
    out
}

fn age(day: &str, today: &str) -> i64 {
    let number = |day: &str| {
        let parts: Vec<i64> = day.split('-').filter_map(|part| part.parse().ok()).collect();
        parts.first().copied().unwrap_or(0) * 372
            + parts.get(1).copied().unwrap_or(0) * 31
            + parts.get(2).copied().unwrap_or(0)
    };
    number(today) - number(day)
}

fn account() -> Value {
    json!({"resourceName": format!("customers/{ACCOUNT}"), "id": ACCOUNT, "currencyCode": CURRENCY, "timeZone": TIME_ZONE})
}

fn campaign(id: u64, it: &Campaign) -> Value {
    json!({"resourceName": format!("customers/{ACCOUNT}/campaigns/{id}"), "id": id.to_string(), "name": it.name,
        "status": it.status, "advertisingChannelType": it.kind})
}

impl Api for Account {
    fn answer(&self, call: &Call, now: Time, habits: &Habits) -> Reply {
        if call.path == "/token" {
            return self.tokens.refresh(call, now);
        }
        match self.tokens.check(call.bearer(), now) {
            Token::Valid => {}
            Token::Expired => return failure(401, "authenticationError", "OAUTH_TOKEN_EXPIRED"),
            Token::Unknown => return failure(401, "authenticationError", "OAUTH_TOKEN_INVALID"),
        }
        let segments = call.segments();
        let version = segments.first().copied().unwrap_or_default();
        if habits.sunset.iter().any(|gone| gone == version) {
            return failure(400, "requestError", "UNSUPPORTED_VERSION");
        }
        match segments.as_slice() {
            [_, "customers:listAccessibleCustomers"] => {
                Reply::json(200, &json!({"resourceNames": [format!("customers/{MANAGER}")]}))
            }
            [_, "customers", customer, "googleAds:search"] => self.search(customer, call, now, habits),
            // A stream is a list of chunks.
            [_, "customers", customer, "googleAds:searchStream"] => {
                let found = self.search(customer, call, now, habits);
                let chunk = serde_json::from_slice::<Value>(&found.body).unwrap_or_default();
                Reply::json(found.status, &json!([chunk]))
            }
            _ => Reply::text(404, ""),
        }
    }
}

impl SimulatedGoogleAds {
    /// A Google Ads that sold the clicks of a world.
    pub fn new(world: &World, clock: Clock) -> Self {
        let zone = Zone::parse(TIME_ZONE).unwrap_or_default();
        let data = Mutex::new(Data::of(world, &zone));
        let account = Arc::new(Account { tokens: Tokens::new(REFRESH, Duration::from_hours(1)), data, zone });
        let api: Arc<dyn Api> = Arc::clone(&account) as _;
        Self { kit: Arc::new(Simulator::new(api, Arc::clone(&clock))), account, clock }
    }

    /// For faults, habits and the journal, and to serve it on loopback.
    pub fn kit(&self) -> Arc<Simulator> {
        Arc::clone(&self.kit)
    }

    /// The settings to read it at an address.
    pub fn values(url: &str) -> Value {
        // This one bears more than Google's.
        json!({"url": url, "token_url": format!("{url}/token"), "client_id": "tributary", "start": "2025-01",
            "requests_per_second": 100.0})
    }

    /// Its secrets.
    pub fn secrets() -> BTreeMap<String, SecretString> {
        let secret = |name: &str, value: &str| (name.to_owned(), SecretString::from(value));
        [secret("client_secret", "canary-client"), secret("refresh_token", REFRESH)].into()
    }

    fn today(&self, plus_days: i64) -> String {
        (self.clock)().plus_days(plus_days).date_in(&self.account.zone)
    }
}

#[async_trait]
impl Vendor for SimulatedGoogleAds {
    async fn answer(&self, sent: Sent) -> Result<Response, Verdict> {
        self.kit.answer(sent).await
    }
}

impl Simulated for SimulatedGoogleAds {
    fn settings(&self) -> Settings {
        let mut values = Self::values("https://ads.example");
        // Few months and rows, since the suite turns thousands of pages.
        values["start"] = json!(SUITE_START);
        Settings { source: "ads".to_owned(), values, secrets: Self::secrets(), ..Settings::default() }
    }

    fn ids(&self, stream: &str) -> BTreeSet<String> {
        let data = lock(&self.account.data);
        match stream {
            "campaigns" => data.campaigns.keys().map(|id| format!("{ACCOUNT}/{id}")).collect(),
            "ad_groups" => data.campaigns.keys().map(|id| format!("{ACCOUNT}/{}", id * 10)).collect(),
            "spend" => {
                let today = self.today(0);
                let days = data.days.range((SUITE_START.to_owned(), 0)..).map(|(key, _)| key);
                days.take_while(|(day, _)| *day <= today)
                    .map(|(day, id)| format!("{ACCOUNT}/{id}/{day}"))
                    .collect()
            }
            "clicks" => {
                let (first, today) = (self.today(-89), self.today(0));
                let told = data.clicks.range(first..=today).flat_map(|(_, clicks)| clicks.keys());
                told.map(|gclid| format!("{ACCOUNT}/{gclid}")).collect()
            }
            _ => BTreeSet::new(),
        }
    }

    fn change(&self, stream: &str, change: Change<'_>) -> Option<String> {
        let (today, recent) = (self.today(0), self.today(-RESTATED_DAYS + 2));
        let mut data = lock(&self.account.data);
        let campaign = |id: &str| id.split('/').nth(1)?.parse::<u64>().ok();
        match (stream, change) {
            ("campaigns", Change::Create) => {
                let id = data.campaigns.keys().next_back()? + 1;
                let made = Campaign { name: format!("campaign {id}"), status: "PAUSED", kind: "VIDEO" };
                data.campaigns.insert(id, made);
                Some(format!("{ACCOUNT}/{id}"))
            }
            ("campaigns", Change::Update(id)) => {
                data.campaigns.get_mut(&campaign(id)?)?.name.push('*');
                Some(id.to_owned())
            }
            // Older figures are final.
            ("spend", Change::Update(id) | Change::Delete(id)) => {
                let day = id.split('/').nth(2)?.to_owned();
                let key = (day, campaign(id)?);
                if key.0 < recent {
                    return None;
                }
                if change == Change::Delete(id) {
                    data.days.remove(&key)?;
                } else {
                    data.days.get_mut(&key)?.cost_micros += 1_230_000;
                }
                Some(id.to_owned())
            }
            ("clicks", Change::Create) => {
                let gclid = format!("Cj0new{}", data.clicks.values().map(BTreeMap::len).sum::<usize>());
                let id = *data.campaigns.keys().next()?;
                data.clicks.entry(today).or_default().insert(gclid.clone(), id);
                Some(format!("{ACCOUNT}/{gclid}"))
            }
            _ => None,
        }
    }

    /// Clicks of a day come in late, but by days, and no question is cut off.
    fn trouble(&self, trouble: Trouble) -> bool {
        let is_known = matches!(trouble, Trouble::TokenLife(_));
        if is_known {
            self.kit.trouble(trouble);
            // Or there would be one page of everything.
            self.kit.trouble(Trouble::Cap(20));
        }
        is_known
    }
}
