//! HubSpot's habits: searches that end at 10,000, an index that lags, three kinds of 429, labels that change unseen.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tributary_core::Time;
use tributary_hubspot::{HubSpot, SimulatedHubSpot};
use tributary_sandbox::simulator::{Fault, Habits, Reply, When};
use tributary_sandbox::{Plan, build};
use tributary_source::environment::Vendor;
use tributary_source::testkit::{Change, Clock, Simulated};
use tributary_source::{
    Connector, Counted, Cursor, Environment, Error, Next, NextStep, Part, Record, Settings, Source, Span,
    Task,
};

const NOW: i64 = 1_782_907_200_000_000;

fn clock() -> Clock {
    let begin = tokio::time::Instant::now();
    Arc::new(move || Time(NOW + begin.elapsed().as_micros() as i64))
}

fn hubspot() -> Arc<SimulatedHubSpot> {
    Arc::new(SimulatedHubSpot::new(&build(&Plan::with_accounts(12)), clock()))
}

fn connect(hubspot: &Arc<SimulatedHubSpot>, values: Value) -> Result<Box<dyn Source>, Error> {
    let mut settings = hubspot.settings();
    settings.values = json!({"url": "https://hubspot.example"});
    settings.values.as_object_mut().unwrap().extend(values.as_object().unwrap().clone());
    let vendor: Arc<dyn Vendor> = Arc::clone(hubspot) as _;
    HubSpot.connect(&settings, &Environment { vendor: Some(vendor), ..Environment::new(clock()) })
}

async fn pull(
    source: &dyn Source,
    stream: &'static str,
    cursor: Option<Cursor>,
) -> Result<(Vec<Record>, Cursor), Error> {
    let mut task = Task { stream, part: Part::default(), span: Span::Since(cursor), resume: None };
    let mut records = Vec::new();
    loop {
        let page = source.pull(&task).await?;
        records.extend(page.records);
        match page.next {
            Next::More(resume) => task.resume = Some(resume),
            Next::Done(cursor) => return Ok((records, cursor)),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_search_for_more_than_ten_thousand_never_meets_the_cap() {
    let hubspot = Arc::new(SimulatedHubSpot::of_contacts(10_250, clock()));
    let source = connect(&hubspot, json!({"requests_per_second": 1000.0})).unwrap();
    let (records, _) = pull(source.as_ref(), "contacts", Some(Cursor("v1 0".to_owned()))).await.unwrap();
    assert_eq!(records.len(), 10_250);
    let searches = hubspot.kit().journal();
    let searches = searches.iter().filter(|call| call.path.ends_with("/search"));
    assert!(searches.clone().all(|call| call.json()["after"].is_null()));
    assert_eq!(searches.count(), 103);
}

/// What the last page of a search says that HubSpot counts.
async fn counted(source: &dyn Source) -> Option<Counted> {
    let span = Span::Since(Some(Cursor("v1 0".to_owned())));
    let mut task = Task { stream: "contacts", part: Part::default(), span, resume: None };
    loop {
        let page = source.pull(&task).await.unwrap();
        match page.next {
            Next::More(resume) if page.counted.is_none() => task.resume = Some(resume),
            _ => return page.counted,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_search_gives_is_compared_with_what_it_counts() {
    let hubspot = Arc::new(SimulatedHubSpot::of_contacts(250, clock()));
    let source = connect(&hubspot, json!({"requests_per_second": 1000.0})).unwrap();
    assert_eq!(counted(source.as_ref()).await, Some(Counted::once(250, 250)));
    assert_eq!(hubspot.kit().calls(), 3, "it is not asked again where nothing differs");
    // The first page gives nothing, though there should be three; asked again, HubSpot says the same or not.
    let search = || When::Path("contacts/search".to_owned());
    let short = Fault::Reply(Reply::json(200, &json!({"total": 3, "results": []})));
    hubspot.kit().fail_times(2, search(), short.clone());
    let found = counted(source.as_ref()).await.unwrap();
    assert_eq!((found, found.is_short()), (Counted::once(0, 3), true));
    hubspot.kit().fail_times(1, search(), short);
    let found = counted(source.as_ref()).await.unwrap();
    assert_eq!((found, found.is_short()), (Counted { came: 0, at_first: 3, at_last: 250 }, false));
}

#[tokio::test(start_paused = true)]
async fn a_label_that_changes_unseen_is_seen_while_the_deal_is_open() {
    let hubspot = hubspot();
    let source = connect(&hubspot, json!({})).unwrap();
    let (first, cursor) = pull(source.as_ref(), "deals", None).await.unwrap();
    let is_open = |record: &&Record| {
        let body: Value = serde_json::from_slice(record.body.as_deref().unwrap()).unwrap();
        body["properties"]["hs_is_closed"] == "false"
    };
    let open: Vec<&str> = first.iter().filter(is_open).map(|record| record.id.as_str()).collect();
    assert!(!open.is_empty());
    tokio::time::sleep(Duration::from_hours(24)).await;
    let (again, _) = pull(source.as_ref(), "deals", Some(cursor)).await.unwrap();
    let read: Vec<&str> = again.iter().map(|record| record.id.as_str()).collect();
    assert!(open.iter().all(|id| read.contains(id)), "{open:?} {read:?}");
    assert!(read.len() < first.len());
}

#[tokio::test(start_paused = true)]
async fn what_was_archived_is_deleted_later_than_it_was_changed() {
    let hubspot = hubspot();
    let source = connect(&hubspot, json!({})).unwrap();
    let (first, cursor) = pull(source.as_ref(), "companies", None).await.unwrap();
    let id = first[3].id.clone();
    hubspot.change("companies", Change::Delete(&id)).unwrap();
    let (again, _) = pull(source.as_ref(), "companies", Some(cursor)).await.unwrap();
    let deletion = again.iter().find(|record| record.id == id).unwrap();
    assert!(deletion.body.is_none() && deletion.stamp > first[3].stamp);
}

#[tokio::test(start_paused = true)]
async fn who_left_keeps_their_name() {
    let source = connect(&hubspot(), json!({})).unwrap();
    let (owners, _) = pull(source.as_ref(), "owners", None).await.unwrap();
    let named = |record: &Record| format!("{:?}", HubSpot.normalize(&Settings::default(), record).facts);
    assert!(owners.iter().any(|owner| named(owner).contains("Former Rep")));
}

#[tokio::test(start_paused = true)]
async fn all_associations_of_a_deal_come_page_by_page() {
    let hubspot = hubspot();
    let source = connect(&hubspot, json!({})).unwrap();
    let (deals, _) = pull(source.as_ref(), "deals", None).await.unwrap();
    let contacts = |deal: &Record| {
        let body: Value = serde_json::from_slice(deal.body.as_deref().unwrap()).unwrap();
        body["associations"]["contacts"].as_array().unwrap().len()
    };
    // The simulated HubSpot tells two at a time.
    assert!(deals.iter().map(contacts).max() > Some(2));
    let journal = hubspot.kit().journal();
    let goes_on = |input: &Value| !input["after"].is_null();
    assert!(
        journal.iter().any(|call| call.json()["inputs"].as_array().is_some_and(|it| it.iter().any(goes_on)))
    );
}

#[tokio::test(start_paused = true)]
async fn each_refusal_waits_as_it_says() {
    for (policy, seconds) in [("SECONDLY", 1), ("TEN_SECONDLY_ROLLING", 10)] {
        let hubspot = hubspot();
        let refusal = Reply::json(429, &json!({"policyName": policy, "message": "ann@acme.example"}));
        hubspot.kit().fail_times(1, When::Always, Fault::Reply(refusal));
        let begin = tokio::time::Instant::now();
        pull(connect(&hubspot, json!({})).unwrap().as_ref(), "owners", None).await.unwrap();
        assert!(begin.elapsed() >= Duration::from_secs(seconds), "{policy}");
    }
    let hubspot = hubspot();
    let refusal = Reply::json(429, &json!({"policyName": "DAILY"}));
    hubspot.kit().fail(When::Always, Fault::Reply(refusal));
    let error = pull(connect(&hubspot, json!({})).unwrap().as_ref(), "owners", None).await.unwrap_err();
    // 2026-07-02T00:00:00Z
    assert_eq!(error.next, NextStep::Wait(Time(1_782_950_400_000_000)));
}

#[tokio::test(start_paused = true)]
async fn a_missing_scope_is_named_and_skips_its_stream() {
    let hubspot = hubspot();
    let body = json!({"category": "MISSING_SCOPES", "message": "ann@acme.example",
        "errors": [{"context": {"requiredGranularScopes": ["sales-email-read", "ann@acme.example"]}}]});
    hubspot.kit().fail(When::Path("emails".to_owned()), Fault::Reply(Reply::json(403, &body)));
    let source = connect(&hubspot, json!({})).unwrap();
    let error = pull(source.as_ref(), "emails", None).await.unwrap_err();
    let said = "the key lacks sales-email-read (status 403): add it to the key's scopes";
    assert_eq!((error.next, error.to_string().as_str()), (NextStep::SkipStream, said));
    assert_eq!(source.check().await.unwrap()[0].message, format!("emails: {said}"));
}

#[tokio::test(start_paused = true)]
async fn oauth_tokens_are_renewed_before_they_die() {
    let hubspot = hubspot();
    let source = connect(&hubspot, json!({"client_id": "tributary"})).unwrap();
    for _ in 0..3 {
        pull(source.as_ref(), "owners", None).await.unwrap();
        tokio::time::sleep(Duration::from_mins(28)).await;
    }
    let journal = hubspot.kit().journal();
    assert_eq!(journal.iter().filter(|call| call.path.contains("oauth")).count(), 3);
    assert!(journal.iter().all(|call| !call.path.contains("canary")));
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_switched_off_and_a_strange_key_are_told() {
    let hubspot = hubspot();
    hubspot.kit().behave(Habits { sunset: vec!["2026-03".to_owned()], ..Habits::default() });
    let error = connect(&hubspot, json!({"version": "2026-03"})).unwrap().check().await.unwrap_err();
    assert_eq!(error.next, NextStep::FixConfig, "{error}");
    assert!(error.to_string().contains("`version`"), "{error}");
    hubspot.kit().fail(When::Always, Fault::Status(530));
    let error = connect(&hubspot, json!({})).unwrap().check().await.unwrap_err();
    assert_eq!(error.next, NextStep::FixConfig);
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().start_paused(true).enable_all().build().unwrap();
    let _entered = runtime.enter();
    let hubspot = hubspot();
    for (values, said) in [
        (json!({"tokn": 1}), "unknown field `tokn`"),
        (json!({"page_size": 200}), "`page_size` is 200, but must be 1 to 100"),
        (json!({"requests_per_second": 0.0}), "`requests_per_second` must be more than 0"),
        (json!({"version": "v3/../x"}), "`version` is `v3/../x`, but must be such as 2026-09"),
        (json!({"currency": "EURO"}), "`currency`: "),
    ] {
        let error = connect(&hubspot, values).map(|_| ()).unwrap_err();
        assert_eq!(error.next, NextStep::FixConfig);
        assert!(error.to_string().contains(said), "{error}");
    }
}
