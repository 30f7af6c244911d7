//! Matomo's habits: errors with status 200, visits that grow, sites that may not be seen.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tributary_core::Time;
use tributary_matomo::{Matomo, SimulatedMatomo};
use tributary_sandbox::simulator::{Fault, Reply, When};
use tributary_sandbox::{Plan, World, build};
use tributary_source::environment::Vendor;
use tributary_source::testkit::{Change, Clock, Simulated};
use tributary_source::{
    Connector, Cursor, Environment, Error, Next, NextStep, Page, Part, SecretString, Settings, Source, Span,
    Task,
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
async fn pages_of_one_visit_each_end() {
    let matomo = Arc::new(SimulatedMatomo::new(&world(), clock()));
    let source = connect(&matomo, json!({"page_size": 1, "start": "2025-09-01"})).unwrap();
    let found = ids(&pull(source.as_ref(), "1", None).await.unwrap());
    let unique: std::collections::BTreeSet<&String> = found.iter().collect();
    assert!(unique.len() > 3, "{found:?}");
    let all = connect(&matomo, json!({"start": "2025-09-01"})).unwrap();
    let all = ids(&pull(all.as_ref(), "1", None).await.unwrap());
    assert_eq!(unique, all.iter().collect());
}

#[tokio::test(start_paused = true)]
async fn a_site_that_may_not_be_seen_is_told_and_skipped() {
    let matomo = Arc::new(SimulatedMatomo::new(&world(), clock()));
    let source = connect(&matomo, json!({"sites": [1, 7]})).unwrap();
    let findings = source.check().await.unwrap();
    assert_eq!(findings[0].message, "the token may not see site 7: give its user view access");
    let error = pull(source.as_ref(), "7", None).await.unwrap_err();
    assert_eq!(error.next, NextStep::SkipPart);
}

#[tokio::test(start_paused = true)]
async fn errors_of_status_200_say_what_to_do_and_quote_nobody() {
    for (message, next, said) in [
        ("Unable to authenticate with the provided token canary.", NextStep::Reauthorize, "make a new one"),
        ("Visits log is deactivated in Matomo by ann@acme.example", NextStep::FixConfig, "turn it on"),
        ("The query took longer than max_execution_time", NextStep::Retry, "a smaller `page_size` may help"),
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
