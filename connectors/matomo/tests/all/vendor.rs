//! The simulated vendor's own habits, seen without the connector.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tributary_core::Time;
use tributary_matomo::SimulatedMatomo;
use tributary_sandbox::{Plan, build};
use tributary_source::environment::Vendor;
use tributary_source::http::{Api, Http, Request};
use tributary_source::testkit::{Clock, Simulated};
use tributary_source::{Environment, ExposeSecret};

const NOW: i64 = 1_782_907_200_000_000;

fn matomo() -> (Arc<SimulatedMatomo>, Http) {
    let begin = tokio::time::Instant::now();
    let clock: Clock = Arc::new(move || Time(NOW + begin.elapsed().as_micros() as i64));
    let matomo = Arc::new(SimulatedMatomo::new(&build(&Plan::with_accounts(12)), Arc::clone(&clock)));
    let vendor: Arc<dyn Vendor> = Arc::clone(&matomo) as _;
    let environment = Environment { vendor: Some(vendor), ..Environment::new(clock) };
    (matomo, Http::new(Api::new("https://matomo.example"), &environment).unwrap())
}

fn token() -> String {
    SimulatedMatomo::secrets()["token"].expose_secret().to_owned()
}

async fn visits(http: &Http, fields: &[(&str, &str)]) -> Vec<Value> {
    let token = token();
    let basic = [("token_auth", token.as_str()), ("idSite", "1"), ("date", "2000-01-01,2099-12-31")];
    let request = Request::post_form("index.php", &[&basic, fields].concat());
    http.send(&request.query("method", "Live.getLastVisitsDetails")).await.unwrap().json().unwrap()
}

fn last_actions(visits: &[Value]) -> Vec<i64> {
    visits.iter().map(|visit| visit["serverTimestamp"].as_i64().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn ten_visits_come_by_default_newest_first() {
    let (matomo, http) = matomo();
    let newest = last_actions(&visits(&http, &[]).await);
    assert_eq!(newest.len(), 10);
    assert!(newest.is_sorted_by(|one, other| one >= other), "{newest:?}");
    let oldest = last_actions(&visits(&http, &[("filter_sort_order", "asc")]).await);
    assert!(oldest.is_sorted() && oldest[9] < newest[9], "{oldest:?}");
    let all = visits(&http, &[("filter_limit", "-1")]).await;
    assert_eq!(all.len(), matomo.ids("visits").len());
}

#[tokio::test(start_paused = true)]
async fn pages_by_offset_shift_when_a_visit_comes() {
    let (matomo, http) = matomo();
    let first = visits(&http, &[]).await;
    matomo.change("visits", tributary_source::testkit::Change::Create).unwrap();
    let second = visits(&http, &[("filter_offset", "10")]).await;
    assert_eq!(second[0]["idVisit"], first[9]["idVisit"]);
}

#[tokio::test(start_paused = true)]
async fn the_least_time_is_left_out_itself() {
    let (_, http) = matomo();
    let at = last_actions(&visits(&http, &[("filter_limit", "1")]).await)[0];
    assert!(visits(&http, &[("minTimestamp", &at.to_string())]).await.is_empty());
    assert!(!visits(&http, &[("minTimestamp", &(at - 1).to_string())]).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_token_in_the_address_is_refused_with_status_200() {
    let (_, http) = matomo();
    let token = token();
    for request in [
        Request::get("index.php").query("token_auth", &token),
        Request::post_form("index.php", &[("token_auth", &token)]).query("token_auth", &token),
        Request::post_form("index.php", &[]),
    ] {
        let response = http.send(&request.query("method", "API.getMatomoVersion")).await.unwrap();
        assert_eq!(response.status, 200);
        assert_eq!(response.json::<Value>().unwrap()["result"], "error");
    }
}

#[tokio::test(start_paused = true)]
async fn several_calls_in_one_are_answered_one_by_one() {
    let (_, http) = matomo();
    let token = token();
    let fields = [
        ("token_auth", token.as_str()),
        ("urls[0]", "method=API.getMatomoVersion"),
        ("urls[1]", "method=Goals.getGoals&idSite=2"),
    ];
    let request = Request::post_form("index.php", &fields).query("method", "API.getBulkRequest");
    let answers: Vec<Value> = http.send(&request).await.unwrap().json().unwrap();
    assert_eq!((answers.len(), &answers[0]), (2, &json!({"value": "5.2.0"})));
    assert_eq!(answers[1]["result"], "error");
}

#[tokio::test(start_paused = true)]
async fn what_a_tracker_tells_is_one_visit_until_its_visitor_is_idle() {
    let (_, http) = matomo();
    for (minutes, page) in [(0, "/"), (20, "/pricing"), (40, "/demo")] {
        tokio::time::sleep(Duration::from_mins(minutes)).await;
        let request = Request::get("matomo.php").query("idsite", "1").query("rec", "1");
        let request =
            request.query("uid", "bo@cust.example").query("url", format!("https://us.example{page}"));
        assert_eq!(http.send(&request).await.unwrap().status, 204);
    }
    let told = visits(&http, &[("filter_limit", "2")]).await;
    let actions = |visit: &Value| visit["actionDetails"].as_array().unwrap().len();
    assert!(told.iter().all(|visit| visit["userId"] == "bo@cust.example"), "{told:?}");
    assert_eq!((actions(&told[0]), actions(&told[1])), (1, 2));
}
