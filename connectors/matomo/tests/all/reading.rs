//! Matomo's habits: errors with status 200, visits that grow, sites that may not be seen.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tributary_core::Time;
use tributary_core::time::Zone;
use tributary_matomo::{Matomo, SimulatedMatomo};
use tributary_sandbox::simulator::{Fault, Reply, When};
use tributary_sandbox::{Plan, World, build};
use tributary_source::environment::Vendor;
use tributary_source::testkit::{Change, Clock, Simulated};
use tributary_source::{
    Connector, Covers, Cursor, Environment, Error, Next, NextStep, Page, Part, Reach, SecretString, Settings,
    Source, Span, Task,
};

const NOW: i64 = 1_782_907_200_000_000;

fn clock() -> Clock {
    let begin = tokio::time::Instant::now();
    Arc::new(move || Time(NOW + begin.elapsed().as_micros() as i64))
}

fn world() -> World {
    build(&Plan::with_accounts(12))
}

fn connect(matomo: &Arc<SimulatedMatomo>, more: Value) -> Result<Box<dyn Source>, Error> {
    let mut settings = matomo.settings();
    settings.values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let vendor: Arc<dyn Vendor> = Arc::clone(matomo) as _;
    Matomo.connect(&settings, &Environment { vendor: Some(vendor), ..Environment::new(clock()) })
}

async fn pull(source: &dyn Source, site: &str, cursor: Option<&Cursor>) -> Result<Vec<Page>, Error> {
    let span = Span::Since(cursor.cloned());
    let mut task = Task { stream: "visits", part: Part(site.to_owned()), span, resume: None };
    let mut pages = Vec::new();
    loop {
        let page = source.pull(&task).await?;
        let next = page.next.clone();
        pages.push(page);
        match next {
            Next::More(resume) => task.resume = Some(resume),
            Next::Done(_) => return Ok(pages),
        }
    }
}

fn ids(pages: &[Page]) -> Vec<String> {
    pages.iter().flat_map(|page| &page.records).map(|record| record.id.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_visit_is_taken_when_it_grows_no_more() {
    let matomo = Arc::new(SimulatedMatomo::new(&world(), clock()));
    let source = connect(&matomo, json!({})).unwrap();
    let pages = pull(source.as_ref(), "1", None).await.unwrap();
    let Next::Done(cursor) = pages.last().unwrap().next.clone() else { panic!("not done") };
    let id = matomo.change("visits", Change::Create).unwrap();
    for (minutes, is_taken) in [(10, false), (20, false), (20, true)] {
        tokio::time::sleep(Duration::from_mins(minutes)).await;
        let found = ids(&pull(source.as_ref(), "1", Some(&cursor)).await.unwrap());
        assert_eq!(found.contains(&id), is_taken, "{minutes}");
    }
    // It grows once more, by a late tracker, and comes again.
    matomo.change("visits", Change::Update(&id)).unwrap();
    tokio::time::sleep(Duration::from_hours(1)).await;
    let pages = pull(source.as_ref(), "1", Some(&cursor)).await.unwrap();
    let grown = pages.iter().flat_map(|page| &page.records).find(|record| record.id == id).unwrap();
    let body: Value = serde_json::from_slice(grown.body.as_deref().unwrap()).unwrap();
    assert_eq!(body["actionDetails"].as_array().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn visits_are_complete_from_the_first_day_that_is_asked_for() {
    let matomo = Arc::new(SimulatedMatomo::new(&world(), clock()));
    let all = pull(connect(&matomo, json!({})).unwrap().as_ref(), "1", None).await.unwrap();
    assert_eq!(all.last().unwrap().reach, Reach::Everything);
    let source = connect(&matomo, json!({"start": "2025-09-01"})).unwrap();
    let some = pull(source.as_ref(), "1", None).await.unwrap();
    let first = Time::parse("2025-09-01", &Zone::default()).unwrap();
    assert_eq!(some.last().unwrap().reach, Reach::Since(first));
    // What the first read left out, a later one does not bring.
    let Next::Done(cursor) = &all.last().unwrap().next else { panic!("it ended") };
    let later = pull(source.as_ref(), "1", Some(cursor)).await.unwrap();
    assert_eq!(later.last().unwrap().reach, Reach::Everything);
}

#[tokio::test(start_paused = true)]
async fn pages_of_one_visit_each_end() {
    let matomo = Arc::new(SimulatedMatomo::new(&world(), clock()));
    let source = connect(&matomo, json!({"page_size": 1, "start": "2025-09-01"})).unwrap();
    let found = ids(&pull(source.as_ref(), "1", None).await.unwrap());
    let unique: BTreeSet<&String> = found.iter().collect();
    assert!(unique.len() > 3, "{found:?}");
    let all = connect(&matomo, json!({"start": "2025-09-01"})).unwrap();
    let all = ids(&pull(all.as_ref(), "1", None).await.unwrap());
    assert_eq!(unique, all.iter().collect());
}

#[tokio::test(start_paused = true)]
async fn visits_that_end_in_one_second_are_all_taken_wherever_a_page_ends() {
    let matomo = Arc::new(SimulatedMatomo::new(&world(), clock()));
    let source = connect(&matomo, json!({})).unwrap();
    let Next::Done(cursor) = pull(source.as_ref(), "1", None).await.unwrap().pop().unwrap().next else {
        panic!("not done")
    };
    let made: Vec<String> = (0..7).map(|_| matomo.change("visits", Change::Create).unwrap()).collect();
    tokio::time::sleep(Duration::from_hours(1)).await;
    for page_size in 1..=8 {
        let source = connect(&matomo, json!({"page_size": page_size})).unwrap();
        let found = ids(&pull(source.as_ref(), "1", Some(&cursor)).await.unwrap());
        assert!(made.iter().all(|id| found.contains(id)), "{page_size}: {made:?} {found:?}");
    }
    // Offsets are miscounted by Matomo where a range has several days.
    assert!(
        matomo
            .kit()
            .journal()
            .iter()
            .all(|call| !String::from_utf8_lossy(&call.body).contains("filter_offset"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_site_that_may_not_be_seen_is_told_and_skipped() {
    let matomo = Arc::new(SimulatedMatomo::new(&world(), clock()));
    let source = connect(&matomo, json!({"sites": [1, 7]})).unwrap();
    let findings = source.check().await.unwrap();
    assert_eq!(findings[0].message, "the token may not see site 7: give its user view access");
    let error = pull(source.as_ref(), "7", None).await.unwrap_err();
    assert_eq!(error.next, NextStep::SkipPart);
    assert!(error.to_string().contains("site 7"), "{error}");
    // Newer servers say the same with status 401: the other sites go on all the same.
    let message = "You can't access this resource as it requires 'view' access for the website id = 1.";
    let reply = Reply::json(401, &json!({"result": "error", "message": message}));
    matomo.kit().fail(When::Always, Fault::Reply(reply));
    let error = pull(source.as_ref(), "1", None).await.unwrap_err();
    assert_eq!(error.next, NextStep::SkipPart, "{error}");
}

#[tokio::test(start_paused = true)]
async fn pages_shrink_until_the_server_has_time_for_them() {
    let matomo = Arc::new(SimulatedMatomo::new(&world(), clock()));
    let source = connect(&matomo, json!({"page_size": 100})).unwrap();
    let all = ids(&pull(source.as_ref(), "1", None).await.unwrap());
    matomo.kit().heal();
    matomo.limit_rows_in_time(30);
    let pages = pull(source.as_ref(), "1", None).await.unwrap();
    assert!(pages.iter().all(|page| page.records.len() <= 25));
    let found: BTreeSet<String> = ids(&pages).into_iter().collect();
    assert_eq!(found, all.into_iter().collect());
    // Not even one visit: the stream waits for a better day, and nothing is lost.
    matomo.limit_rows_in_time(0);
    let error = pull(source.as_ref(), "1", None).await.unwrap_err();
    assert_eq!(error.next, NextStep::SplitWindow, "{error}");
}

#[tokio::test(start_paused = true)]
async fn more_visits_of_one_second_than_the_server_has_time_for_are_an_error_and_no_loop() {
    let matomo = Arc::new(SimulatedMatomo::new(&world(), clock()));
    let source = connect(&matomo, json!({"page_size": 4})).unwrap();
    (0..9).for_each(|_| drop(matomo.change("visits", Change::Create)));
    tokio::time::sleep(Duration::from_hours(1)).await;
    matomo.limit_rows_in_time(5);
    let error = pull(source.as_ref(), "1", None).await.unwrap_err();
    assert_eq!(error.next, NextStep::Retry);
    assert!(error.to_string().contains("more visits end in one second"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_visits_log_that_is_off_is_told() {
    let matomo = Arc::new(SimulatedMatomo::new(&world(), clock()));
    matomo.switch_log_off();
    let error = pull(connect(&matomo, json!({})).unwrap().as_ref(), "1", None).await.unwrap_err();
    assert_eq!(error.next, NextStep::FixConfig);
    assert!(error.to_string().contains("site 1: Matomo's visits log is off"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_firewall_is_not_taken_for_a_bad_token() {
    let matomo = Arc::new(SimulatedMatomo::new(&world(), clock()));
    matomo.kit().fail(When::Always, Fault::Html(403));
    let error = pull(connect(&matomo, json!({})).unwrap().as_ref(), "1", None).await.unwrap_err();
    assert_eq!(error.next, NextStep::FixConfig);
    assert!(error.to_string().contains("is it a firewall?"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn goals_come_as_a_list_or_as_an_object() {
    let matomo = Arc::new(SimulatedMatomo::new(&world(), clock()));
    let source = connect(&matomo, json!({})).unwrap();
    let task = Task { stream: "goals", part: Part("1".to_owned()), span: Span::Since(None), resume: None };
    let page = source.pull(&task).await.unwrap();
    assert_eq!((page.covers, ids(std::slice::from_ref(&page))), (Covers::Replace, vec!["1/2".to_owned()]));
    for (reply, expected) in [
        (json!([]), vec![]),
        (json!([{"idgoal": 0}, {"idgoal": "1"}]), vec!["1/0", "1/1"]),
        (json!({"3": {"idgoal": "3"}, "7": {"idgoal": 7}}), vec!["1/3", "1/7"]),
    ] {
        matomo.kit().heal();
        matomo.kit().fail(When::Always, Fault::Reply(Reply::json(200, &reply)));
        assert_eq!(ids(&[source.pull(&task).await.unwrap()]), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn purged_visits_leave_no_trace() {
    let matomo = Arc::new(SimulatedMatomo::new(&world(), clock()));
    let source = connect(&matomo, json!({})).unwrap();
    let mut before = ids(&pull(source.as_ref(), "1", None).await.unwrap());
    let purged = before.iter().max().unwrap().clone();
    matomo.purge(purged.strip_prefix("1/").unwrap().parse().unwrap());
    let pages = pull(source.as_ref(), "1", None).await.unwrap();
    assert!(pages.iter().all(|page| page.covers == Covers::Upsert && page.seen.is_empty()));
    before.retain(|id| *id != purged);
    assert_eq!(ids(&pages).into_iter().collect::<BTreeSet<_>>(), before.into_iter().collect());
}

#[tokio::test(start_paused = true)]
async fn errors_of_status_200_say_what_to_do_and_quote_nobody() {
    for (message, next, said) in [
        ("Unable to authenticate with the provided token canary.", NextStep::Reauthorize, "make a new one"),
        ("Visits log is deactivated in Matomo by ann@acme.example", NextStep::FixConfig, "turn it on"),
        ("Could not run the query in time.  Please try again.", NextStep::SplitWindow, "too little time"),
        (
            "You can't access this resource as it requires view access for at least one website.",
            NextStep::FixConfig,
            "may not view any site",
        ),
        ("The requested website id = 1 couldn't be found", NextStep::SkipPart, "site 1: "),
        ("Something about ann@acme.example", NextStep::Retry, "its log says why"),
    ] {
        let matomo = Arc::new(SimulatedMatomo::new(&world(), clock()));
        let reply = Reply::json(200, &json!({"result": "error", "message": message}));
        matomo.kit().fail(When::Always, Fault::Reply(reply));
        let error = pull(connect(&matomo, json!({})).unwrap().as_ref(), "1", None).await.unwrap_err();
        assert_eq!(error.next, next, "{message}");
        assert!(error.to_string().contains(said), "{error}");
        assert!(!error.to_string().contains("ann@") && !error.to_string().contains("canary"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_token_is_told() {
    let matomo = Arc::new(SimulatedMatomo::new(&world(), clock()));
    let secrets = [("token".to_owned(), SecretString::from("another"))].into();
    let settings = Settings { secrets, ..matomo.settings() };
    let vendor: Arc<dyn Vendor> = Arc::clone(&matomo) as _;
    let environment = Environment { vendor: Some(vendor), ..Environment::new(clock()) };
    let error = Matomo.connect(&settings, &environment).unwrap().check().await.unwrap_err();
    assert_eq!(error.next, NextStep::Reauthorize);
    let journal = matomo.kit().journal();
    assert!(journal.iter().all(|call| call.method == "POST" && call.param("token_auth").is_none()));
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    for (more, said) in [
        (json!({"site": [1]}), "unknown field `site`"),
        (json!({"page_size": 5000}), "`page_size` is 5000, but must be 1 to 2000"),
        (json!({"start": "last year"}), "`start` is `last year`, but must be a day such as 2025-01-31"),
    ] {
        let mut settings = Settings { source: "web".to_owned(), ..Settings::default() };
        settings.values = json!({"url": "https://matomo.example"});
        settings.values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let environment = Environment::new(Arc::new(|| Time(0)));
        let error = Matomo.connect(&settings, &environment).map(|_| ()).unwrap_err();
        assert_eq!(error.next, NextStep::FixConfig);
        assert!(error.to_string().contains(said), "{error}");
    }
}
