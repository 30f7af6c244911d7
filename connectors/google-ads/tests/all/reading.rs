//! Google's habits: restated figures, days that are exhausted, versions that end, accounts that are closed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tributary_core::Time;
use tributary_google_ads::{GoogleAds, SimulatedGoogleAds};
use tributary_sandbox::simulator::{Fault, Habits, Reply, When};
use tributary_sandbox::{Plan, build};
use tributary_source::environment::Vendor;
use tributary_source::testkit::{Clock, Simulated};
use tributary_source::{
    Connector, Counted, Cursor, Environment, Error, Next, NextStep, Page, Part, Record, Source, Span, Task,
};

pub(crate) const NOW: i64 = 1_782_907_200_000_000;

fn clock() -> Clock {
    let begin = tokio::time::Instant::now();
    Arc::new(move || Time(NOW + begin.elapsed().as_micros() as i64))
}

pub(crate) fn ads() -> Arc<SimulatedGoogleAds> {
    Arc::new(SimulatedGoogleAds::new(&build(&Plan::with_accounts(40)), clock()))
}

pub(crate) fn connect(ads: &Arc<SimulatedGoogleAds>, more: Value) -> Result<Box<dyn Source>, Error> {
    let mut settings = ads.settings();
    settings.values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let vendor: Arc<dyn Vendor> = Arc::clone(ads) as _;
    GoogleAds.connect(&settings, &Environment { vendor: Some(vendor), ..Environment::new(clock()) })
}

pub(crate) async fn pull(
    source: &dyn Source,
    stream: &'static str,
    part: &Part,
    cursor: Option<Cursor>,
) -> Result<(Vec<Record>, Cursor), Error> {
    let mut task = Task { stream, part: part.clone(), span: Span::Since(cursor), resume: None };
    let mut records = Vec::new();
    loop {
        let Page { records: more, next, .. } = source.pull(&task).await?;
        records.extend(more);
        match next {
            Next::More(resume) => task.resume = Some(resume),
            Next::Done(cursor) => return Ok((records, cursor)),
        }
    }
}

pub(crate) async fn parts(source: &dyn Source, stream: &str) -> Vec<Part> {
    let stream = GoogleAds.streams().iter().find(|it| it.name == stream).unwrap();
    source.parts(stream).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn months_are_read_again_while_they_may_change() {
    let ads = ads();
    let source = connect(&ads, json!({})).unwrap();
    let months = parts(source.as_ref(), "spend").await;
    assert_eq!(months.first().unwrap().0, "1000000002@2026-07");
    assert_eq!(months.last().unwrap().0, "1000000002@2026-03");
    let mut cursors = Vec::new();
    for month in &months {
        cursors.push(pull(source.as_ref(), "spend", month, None).await.unwrap().1);
    }
    // Which months are asked for again: at once, and after eight days.
    for (days, expected) in
        [(0, vec!["2026-07", "2026-06"]), (8, vec!["2026-07", "2026-06", "2026-05", "2026-04"])]
    {
        tokio::time::sleep(Duration::from_hours(24 * days)).await;
        let mut read = Vec::new();
        for (month, cursor) in months.iter().zip(&cursors) {
            let before = ads.kit().calls();
            pull(source.as_ref(), "spend", month, Some(cursor.clone())).await.unwrap();
            // The first question is what day it is there.
            if ads.kit().calls() > before + 1 {
                read.push(month.0.rsplit('@').next().unwrap());
            }
        }
        assert_eq!(read, expected, "{days}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_month_is_final_when_its_conversions_are_in() {
    let ads = ads();
    let april = Part("1000000002@2026-04".to_owned());
    for (days, calls) in [(90, 2), (31, 0)] {
        let source = connect(&ads, json!({"conversion_days": days})).unwrap();
        let (_, cursor) = pull(source.as_ref(), "spend", &april, None).await.unwrap();
        tokio::time::sleep(Duration::from_hours(24 * 8)).await;
        let before = ads.kit().calls();
        pull(source.as_ref(), "spend", &april, Some(cursor)).await.unwrap();
        let tokens = ads.kit().journal()[before..].iter().filter(|call| call.path == "/token").count();
        assert_eq!(ads.kit().calls() - before - tokens, calls, "{days}");
    }
}

#[tokio::test(start_paused = true)]
async fn claimed_conversions_grow() {
    let ads = ads();
    ads.kit().behave(Habits { restates: true, ..Habits::default() });
    let source = connect(&ads, json!({})).unwrap();
    let june = Part("1000000002@2026-06".to_owned());
    let (first, cursor) = pull(source.as_ref(), "spend", &june, None).await.unwrap();
    tokio::time::sleep(Duration::from_hours(24 * 10)).await;
    let (second, _) = pull(source.as_ref(), "spend", &june, Some(cursor)).await.unwrap();
    let changed =
        first.iter().zip(&second).filter(|(one, other)| one.id == other.id && one.body != other.body);
    assert!(changed.count() > 0);
}

#[tokio::test(start_paused = true)]
async fn clicks_are_asked_for_day_by_day_within_ninety_days() {
    let ads = ads();
    let source = connect(&ads, json!({})).unwrap();
    let part = parts(source.as_ref(), "clicks").await.remove(0);
    let (first, cursor) = pull(source.as_ref(), "clicks", &part, None).await.unwrap();
    assert!(!first.is_empty());
    let days: BTreeSet<String> = ads
        .kit()
        .journal()
        .iter()
        .filter_map(|call| {
            Some(call.json()["query"].as_str()?.split("segments.date = '").nth(1)?[..10].to_owned())
        })
        .collect();
    assert_eq!(
        (days.len(), days.first().unwrap().as_str(), days.last().unwrap().as_str()),
        (90, "2026-04-03", "2026-07-01")
    );
    let before = ads.kit().calls();
    pull(source.as_ref(), "clicks", &part, Some(cursor)).await.unwrap();
    // What day it is, and four days.
    assert_eq!(ads.kit().calls() - before, 5);
}

#[tokio::test(start_paused = true)]
async fn pages_go_on_where_they_ended() {
    let ads = ads();
    let source = connect(&ads, json!({})).unwrap();
    let june = Part("1000000002@2026-06".to_owned());
    let (whole, _) = pull(source.as_ref(), "spend", &june, None).await.unwrap();
    ads.kit().behave(Habits { truncate_at: Some(7), ..Habits::default() });
    let before = ads.kit().calls();
    let (pages, _) = pull(source.as_ref(), "spend", &june, None).await.unwrap();
    assert_eq!(pages, whole);
    assert_eq!(ads.kit().calls() - before, whole.len().div_ceil(7) + 1);
}

/// What Google counts beside what came, page by page.
async fn counts(source: &dyn Source, stream: &'static str, part: &Part) -> Vec<Option<Counted>> {
    let mut task = Task { stream, part: part.clone(), span: Span::Since(None), resume: None };
    let mut counts = Vec::new();
    loop {
        let page = source.pull(&task).await.unwrap();
        counts.push(page.counted);
        match page.next {
            Next::More(resume) => task.resume = Some(resume),
            Next::Done(_) => return counts,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_is_compared_with_what_google_counts() {
    let ads = ads();
    let source = connect(&ads, json!({})).unwrap();
    let june = Part("1000000002@2026-06".to_owned());
    let (whole, _) = pull(source.as_ref(), "spend", &june, None).await.unwrap();
    let all = whole.len() as u64;
    ads.kit().behave(Habits { truncate_at: Some(20), ..Habits::default() });
    let told = counts(source.as_ref(), "spend", &june).await;
    let (last, before) = told.split_last().unwrap();
    assert_eq!(*last, Some(Counted::once(all, all)));
    assert!(!before.is_empty() && before.iter().all(Option::is_none), "{told:?}");
    // Clicks are counted day by day.
    let account = Part("1000000002".to_owned());
    let (clicks, _) = pull(source.as_ref(), "clicks", &account, None).await.unwrap();
    let days: Vec<Counted> =
        counts(source.as_ref(), "clicks", &account).await.into_iter().flatten().collect();
    assert!(days.len() > 1 && days.iter().all(|day| day.balances()), "{days:?}");
    assert_eq!(days.iter().map(|day| day.came).sum::<u64>(), clicks.len() as u64);
    // A row that does not come is missed.
    let short = json!({"results": [{"campaign": {"id": "1"}}], "totalResultsCount": "2"});
    let short = Reply::json(200, &short).header("date", "Wed, 01 Jul 2026 12:00:00 GMT");
    ads.kit().fail(When::Path("search".to_owned()), Fault::Reply(short));
    let told = counts(source.as_ref(), "campaigns", &account).await;
    assert_eq!(told, [Some(Counted::once(1, 2))]);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_dies_on_the_way_is_renewed() {
    let ads = ads();
    let source = connect(&ads, json!({})).unwrap();
    let part = parts(source.as_ref(), "campaigns").await.remove(0);
    for _ in 0..3 {
        pull(source.as_ref(), "campaigns", &part, None).await.unwrap();
        tokio::time::sleep(Duration::from_hours(2)).await;
    }
    let tokens = ads.kit().journal().iter().filter(|call| call.path == "/token").count();
    assert_eq!(tokens, 3);
}

#[tokio::test(start_paused = true)]
async fn errors_say_what_to_do_by_their_code() {
    for (status, kind, code, next) in [
        (403, "authorizationError", "CUSTOMER_NOT_ENABLED", NextStep::SkipPart),
        (403, "authorizationError", "CLOUD_PROJECT_NOT_APPROVED_FOR_PRODUCTION", NextStep::FixConfig),
        (400, "requestError", "UNSUPPORTED_VERSION", NextStep::FixConfig),
        (400, "requestError", "INVALID_PAGE_TOKEN", NextStep::Restart),
        (401, "authenticationError", "NOT_ADS_USER", NextStep::Reauthorize),
        (400, "queryError", "UNRECOGNIZED_FIELD", NextStep::Bug),
        (200, "quotaError", "SOMETHING_NEW", NextStep::Bug),
    ] {
        let ads = ads();
        let error = json!({"error": {"code": status, "message": "ann@acme.example", "details": [
            {"errors": [{"errorCode": {kind: code}, "message": "ann@acme.example"}]}]}});
        // Inside a stream the error comes in a list, with status 200.
        let body = if status == 200 { json!([{"results": []}, error]) } else { error };
        ads.kit().fail(When::Path("search".to_owned()), Fault::Reply(Reply::json(status, &body)));
        let source = connect(&ads, json!({"customers": ["1000000002"]})).unwrap();
        let part = Part("1000000002".to_owned());
        let error = pull(source.as_ref(), "campaigns", &part, None).await.unwrap_err();
        assert_eq!(error.next, next, "{code}: {error}");
        assert!(error.to_string().contains(code) && !error.to_string().contains("ann@"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_exhausted_day_is_waited_out() {
    let ads = ads();
    let exhausted =
        json!({"error": {"details": [{"errors": [{"errorCode": {"quotaError": "RESOURCE_EXHAUSTED"}}]}]}});
    ads.kit().fail(When::Path("search".to_owned()), Fault::Reply(Reply::json(429, &exhausted)));
    let source = connect(&ads, json!({"customers": ["1000000002"]})).unwrap();
    let error = pull(source.as_ref(), "campaigns", &Part("1000000002".to_owned()), None).await.unwrap_err();
    let NextStep::Wait(until) = error.next else { panic!("{error:?}") };
    assert!((until.0 - NOW) / 3_600_000_000 >= 23, "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_switched_off_is_told() {
    let ads = ads();
    ads.kit().behave(Habits { sunset: vec!["v22".to_owned()], ..Habits::default() });
    let error = connect(&ads, json!({"version": "v22"})).unwrap().check().await.unwrap_err();
    assert_eq!(error.next, NextStep::FixConfig);
    assert!(error.to_string().contains("set `version` to a newer one"), "{error}");
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().start_paused(true).enable_all().build().unwrap();
    let ads = runtime.block_on(async { ads() });
    let _entered = runtime.enter();
    for (more, said) in [
        (json!({"customer": []}), "unknown field `customer`"),
        (json!({"customers": ["123-456-7890"]}), "`123-456-7890` is no account id"),
        (json!({"version": "25"}), "`version` is `25`, but must be such as v25"),
        (json!({"conversion_days": 0}), "`conversion_days` must be 1 to 90"),
        (json!({"start": "2025"}), "`start` is `2025`, but must be a month such as 2025-01"),
    ] {
        let error = connect(&ads, more).map(|_| ()).unwrap_err();
        assert_eq!(error.next, NextStep::FixConfig);
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hurried_account_is_asked_again_when_google_says() {
    let ads = ads();
    let source = connect(&ads, json!({})).unwrap();
    let part = parts(source.as_ref(), "campaigns").await.remove(0);
    let hurried = json!({"error": {"details": [{"errors": [{
        "errorCode": {"quotaError": "RESOURCE_TEMPORARILY_EXHAUSTED"},
        "details": {"quotaErrorDetails": {"retryDelay": "45s"}}}]}]}});
    ads.kit().fail_times(1, When::Path("search".to_owned()), Fault::Reply(Reply::json(429, &hurried)));
    let begin = tokio::time::Instant::now();
    assert!(!pull(source.as_ref(), "campaigns", &part, None).await.unwrap().0.is_empty());
    assert!((45..60).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
}
