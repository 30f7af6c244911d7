//! How each stream is read: lists whole, spend by month, clicks by day.

use std::fmt;

use serde::{Deserialize, Serialize};
use tributary_core::Time;
use tributary_core::time::{DAY_MICROS, When, Zone};
use tributary_source::http::paging::{resume, resumed};
use tributary_source::{
    Counted, Covers, Cursor, Error, Finding, Next, NextStep, Page, Part, Reach, Record, Task,
};

use crate::api::{Ads, Answer, Row, needed};
use crate::config::Config;

/// Costs of so many days may still change.
const COST_DAYS: i64 = 30;
/// How often months are read of which only conversions may still change.
const CONVERSIONS_EVERY_DAYS: i64 = 7;
/// Clicks are told of so many days.
const CLICK_DAYS: i64 = 90;
/// Clicks of a day come in for so many days.
const CLICK_LOOK_BACK_DAYS: i64 = 3;
/// Months of spend that are read without `start`.
const MONTHS: u32 = 13;

// Names may change, and then they change in all rows of all days: they are read in one place.
const CAMPAIGNS: &str = "SELECT campaign.id, campaign.name, campaign.status, campaign.advertising_channel_type, \
    customer.id FROM campaign";
const AD_GROUPS: &str =
    "SELECT ad_group.id, ad_group.name, ad_group.status, campaign.id, customer.id FROM ad_group";
const SPEND: &str = "SELECT campaign.id, campaign.advertising_channel_type, segments.date, \
    metrics.impressions, metrics.clicks, metrics.cost_micros, metrics.conversions, metrics.conversions_value, \
    customer.id, customer.currency_code, customer.time_zone FROM campaign";
const CLICKS: &str = "SELECT click_view.gclid, click_view.keyword_info.text, campaign.id, \
    campaign.advertising_channel_type, ad_group.id, ad_group.name, segments.date, customer.id, customer.time_zone \
    FROM click_view";
const CUSTOMER: &str = "SELECT customer.id, customer.time_zone, customer.currency_code FROM customer";
/// Reading nothing, run for run, would look like success.
const NO_ACCOUNT: &str = "the grant reaches no enabled ads account: sign in with another user";
const CUSTOMERS: &str = "SELECT customer_client.id, customer_client.manager, customer_client.status \
    FROM customer_client";

/// A calendar month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Month {
    year: i16,
    month: i8,
}

impl Month {
    /// Reads `YYYY-MM`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        let month = Self { year: year.parse().ok()?, month: month.parse().ok()? };
        (text.len() == 7 && (1..=12).contains(&month.month) && month.year >= 2000).then_some(month)
    }

    fn of(day: &str) -> Option<Self> {
        Self::parse(day.get(..7)?)
    }

    fn next(self) -> Self {
        match self.month {
            12 => Self { year: self.year + 1, month: 1 },
            _ => Self { month: self.month + 1, ..self },
        }
    }

    fn back(self, months: u32) -> Self {
        let count = i32::from(self.year) * 12 + i32::from(self.month) - 1 - months as i32;
        Self { year: count.div_euclid(12) as i16, month: count.rem_euclid(12) as i8 + 1 }
    }

    /// First and last day.
    fn days(self) -> (String, String) {
        let first = |month: Self| format!("{month}-01");
        (first(self), plus_days(&first(self.next()), -1))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// Days since 1970 of `YYYY-MM-DD`.
fn number(day: &str) -> Option<i64> {
    let day = When::parse(day, &Zone::default()).ok()?;
    Some(day.start().0.div_euclid(DAY_MICROS))
}

fn plus_days(day: &str, days: i64) -> String {
    let number = number(day).unwrap_or_default() + days;
    Time(number * DAY_MICROS).date_in(&Zone::default())
}

/// Days from one to another.
fn days_between(from: &str, to: &str) -> i64 {
    number(to).unwrap_or_default() - number(from).unwrap_or_default()
}

/// The account of a part: all of it, or what stands before a month.
fn customer(part: &Part) -> &str {
    part.0.split('@').next().unwrap_or_default()
}

/// The ids of the accounts to read, and the server's time.
async fn accounts(ads: &Ads, config: &Config) -> Result<(Vec<String>, Option<Time>), Error> {
    let (mut roots, server_time) = ads.accessible().await?;
    if !config.customers.is_empty() {
        return Ok((config.customers.clone(), server_time));
    }
    if let Some(login) = &config.login_customer_id {
        roots = vec![login.clone()];
    }
    // The same account may be seen through several managers: through the same one each time, however they are told.
    roots.sort_unstable();
    let mut accounts: Vec<String> = Vec::new();
    for root in roots {
        ads.found(&root, &root);
        let rows = match clients(ads, &root).await {
            Ok(rows) => rows,
            // One account that is closed does not hide the others.
            Err(error) if error.next == NextStep::SkipPart => continue,
            Err(error) => return Err(error),
        };
        for row in rows {
            let id = needed(&row, "customerClient.id")?;
            let client = &row["customerClient"];
            let counts = client["manager"] != true && client["status"] == "ENABLED";
            if counts && !accounts.contains(&id) {
                ads.found(&id, &root);
                accounts.push(id);
            }
        }
    }
    Ok((accounts, server_time))
}

/// The accounts below an account, itself among them.
async fn clients(ads: &Ads, root: &str) -> Result<Vec<Row>, Error> {
    let mut found = ads.search(root, CUSTOMERS, None).await?;
    let mut rows = found.rows;
    while let Some(page) = found.next {
        found = ads.search(root, CUSTOMERS, Some(&page)).await?;
        rows.append(&mut found.rows);
    }
    Ok(rows)
}

pub(crate) async fn parts(ads: &Ads, config: &Config, stream: &str) -> Result<Vec<Part>, Error> {
    let (accounts, server_time) = accounts(ads, config).await?;
    if accounts.is_empty() {
        return Err(Error::new(NextStep::FixConfig, NO_ACCOUNT));
    }
    if stream != "spend" {
        return Ok(accounts.into_iter().map(Part).collect());
    }
    // An account's today may be a day ahead of the server's: its month is asked for then.
    let today = today(server_time, &Zone::default())?;
    let last = Month::of(&plus_days(&today, 1)).unwrap_or(Month { year: 2000, month: 1 });
    let start = config.start.as_deref().and_then(Month::parse).unwrap_or_else(|| last.back(MONTHS - 1));
    let months: Vec<Month> = std::iter::successors(Some(start), |month| Some(month.next()))
        .take_while(|month| *month <= last)
        .collect();
    let part = |account: &String| {
        let account = account.clone();
        months.iter().rev().map(move |month| Part(format!("{account}@{month}"))).collect::<Vec<_>>()
    };
    Ok(accounts.iter().flat_map(part).collect())
}

/// The server's day in a zone.
fn today(server_time: Option<Time>, zone: &Zone) -> Result<String, Error> {
    let message = "the reply does not say what time it is at Google";
    let now = server_time.ok_or_else(|| Error::new(NextStep::Retry, message))?;
    Ok(now.date_in(zone))
}

/// The day that it is at Google in an account's own zone.
async fn today_at(ads: &Ads, account: &str) -> Result<String, Error> {
    let found = ads.search(account, CUSTOMER, None).await?;
    let row = found.rows.first().cloned().unwrap_or_default();
    today(found.server_time, &Zone::parse(&needed(&row, "customer.timeZone")?).unwrap_or_default())
}

pub(crate) async fn pull(ads: &Ads, config: &Config, task: &Task) -> Result<Page, Error> {
    let before = task.since()?.map(read_cursor).transpose()?;
    if config.customers.is_empty() && ads.manager(customer(&task.part)).is_none() {
        accounts(ads, config).await?;
    }
    match task.stream {
        "campaigns" => list(ads, task, "campaigns", CAMPAIGNS, "campaign.id").await,
        "ad_groups" => list(ads, task, "ad_groups", AD_GROUPS, "adGroup.id").await,
        "spend" => spend(ads, config, task, before.as_deref()).await,
        "clicks" => clicks(ads, task, before.as_deref()).await,
        other => Err(Error::new(NextStep::Bug, format!("google-ads has no stream `{other}`"))),
    }
}

/// A day: of the server when a month was read last, or of the last day of clicks.
fn read_cursor(cursor: &Cursor) -> Result<String, Error> {
    let day: String = cursor.read()?;
    let is_day = number(&day).is_some();
    is_day.then_some(day).ok_or_else(|| Error::new(NextStep::Restart, "the cursor is no day"))
}

/// The next page of a query.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    page: String,
    today: String,
    count: Count,
}

/// Rows of a query so far, and how many its first page said there are.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Count {
    came: u64,
    at_first: Option<u64>,
}

impl Count {
    /// With one page more.
    fn and(self, found: &Answer) -> Self {
        Self { came: self.came + found.rows.len() as u64, at_first: self.at_first.or(found.total) }
    }

    /// Beside what the last page says that there are.
    fn counted(self, found: &Answer) -> Option<Counted> {
        let (at_first, at_last) = self.at_first.zip(found.total)?;
        found.next.is_none().then_some(Counted { came: self.came, at_first, at_last })
    }
}

async fn list(ads: &Ads, task: &Task, stream: &'static str, query: &str, id: &str) -> Result<Page, Error> {
    let place: Option<Place> = resumed(task.resume.as_ref())?;
    let account = customer(&task.part);
    let found = ads.search(account, query, place.as_ref().map(|place| place.page.as_str())).await?;
    let (today, count) = match place {
        Some(place) => (place.today, place.count),
        None => (today(found.server_time, &Zone::default())?, Count::default()),
    };
    let key = |row: &Row| Ok(format!("{account}/{}", needed(row, id)?));
    page(stream, found, &key, today, count, Covers::Replace)
}

/// A month, whole, unless nothing in it may have changed.
async fn spend(ads: &Ads, config: &Config, task: &Task, before: Option<&str>) -> Result<Page, Error> {
    let month = task.part.0.split_once('@').and_then(|(_, month)| Month::parse(month));
    let month =
        month.ok_or_else(|| Error::new(NextStep::Bug, "a part of spend is an account and a month"))?;
    let (first, last) = month.days();
    let unchanged = |day: &str| Page::new(Vec::new(), Next::Done(Cursor::of(day)));
    let settled = config.conversion_days.max(COST_DAYS);
    if let Some(read_on) = before.filter(|day| days_between(&last, day) > settled) {
        return Ok(unchanged(read_on));
    }
    let account = customer(&task.part);
    let place: Option<Place> = resumed(task.resume.as_ref())?;
    let (today, token, count) = match place {
        Some(place) => (place.today, Some(place.page), place.count),
        None => (today_at(ads, account).await?, None, Count::default()),
    };
    let is_recent = days_between(&last, &today) <= COST_DAYS;
    let is_due = before.is_none_or(|day| days_between(day, &today) >= CONVERSIONS_EVERY_DAYS);
    if let Some(read_on) = before.filter(|_| !is_recent && !is_due && token.is_none()) {
        return Ok(unchanged(read_on));
    }
    let query = format!(
        "{SPEND} WHERE segments.date BETWEEN '{first}' AND '{last}' ORDER BY segments.date, campaign.id"
    );
    let found = ads.search(account, &query, token.as_deref()).await?;
    let key = |row: &Row| {
        Ok(format!("{account}/{}/{}", needed(row, "campaign.id")?, needed(row, "segments.date")?))
    };
    page("spend", found, &key, today, count, Covers::Replace)
}

/// The next day of clicks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClickPlace {
    day: String,
    today: String,
    page: Option<String>,
    /// The day that the span began with.
    #[serde(default)]
    first: Option<String>,
    /// Of the day.
    count: Count,
}

/// One day a query, as Google wants it.
async fn clicks(ads: &Ads, task: &Task, before: Option<&str>) -> Result<Page, Error> {
    let account = customer(&task.part);
    let place = if let Some(place) = resumed::<ClickPlace>(task.resume.as_ref())? {
        place
    } else {
        let today = today_at(ads, account).await?;
        let earliest = plus_days(&today, 1 - CLICK_DAYS);
        let day = before.map(|day| plus_days(day, -CLICK_LOOK_BACK_DAYS)).filter(|day| *day > earliest);
        let day = day.unwrap_or(earliest).min(today.clone());
        ClickPlace { first: Some(day.clone()), day, today, page: None, count: Count::default() }
    };
    let query = format!("{CLICKS} WHERE segments.date = '{}'", place.day);
    let found = match ads.search(account, &query, place.page.as_deref()).await {
        // What goes on after a long rest may ask for a day that is out of reach by now.
        Err(error) if task.resume.is_some() && error.next == NextStep::Bug => {
            return Err(Error { next: NextStep::Restart, ..error });
        }
        found => found?,
    };
    // A row without a click id is told as a problem of its record, and holds up no other.
    let key = |row: &Row| {
        let name = || needed(row, "clickView.resourceName");
        let id = needed(row, "clickView.gclid").or_else(|_| name());
        Ok(format!("{account}/{}", id?.trim_start_matches(&format!("customers/{account}/clickViews/"))))
    };
    let (today, first, count) = (place.today.clone(), place.first.clone(), place.count);
    let next = match &found.next {
        Some(page) => Some(ClickPlace { page: Some(page.clone()), count: count.and(&found), ..place }),
        None if place.day < today => {
            Some(ClickPlace { day: plus_days(&place.day, 1), page: None, count: Count::default(), ..place })
        }
        None => None,
    };
    let mut page = page("clicks", found, &key, today, count, Covers::Upsert)?;
    if let Some(place) = next {
        page.next = Next::More(resume(&place)?);
    }
    // Google tells of no earlier day, and a day that was missed for too long is missed for ever.
    let first = first.and_then(|day| number(&day));
    page.reach = first.map_or(Reach::Everything, |day| Reach::Labels(Time(day * DAY_MICROS)));
    Ok(page)
}

fn page(
    stream: &'static str,
    found: Answer,
    key: &dyn Fn(&Row) -> Result<String, Error>,
    today: String,
    count: Count,
    covers: Covers,
) -> Result<Page, Error> {
    let count = count.and(&found);
    let counted = count.counted(&found);
    let next = match found.next {
        Some(page) => Next::More(resume(&Place { page, today, count })?),
        None => Next::Done(Cursor::of(today)),
    };
    let record = |row: Row| Ok(Record::of(stream, key(&row)?, None, &serde_json::Value::Object(row)));
    let records = found.rows.into_iter().map(record).collect::<Result<_, Error>>()?;
    Ok(Page { covers, counted, server_time: found.server_time, ..Page::new(records, next) })
}

/// Proves the grant, and looks at the accounts.
pub(crate) async fn check(ads: &Ads, config: &Config) -> Result<Vec<Finding>, Error> {
    let (accounts, _) = accounts(ads, config).await?;
    let mut findings = Vec::new();
    for account in &accounts {
        if let Err(error) = ads.search(account, CUSTOMER, None).await {
            if error.next != NextStep::SkipPart {
                return Err(error);
            }
            findings
                .push(Finding { code: "account-skipped".to_owned(), message: format!("{account}: {error}") });
        }
    }
    if accounts.is_empty() {
        findings.push(Finding { code: "no-account".to_owned(), message: NO_ACCOUNT.to_owned() });
    }
    Ok(findings)
}
