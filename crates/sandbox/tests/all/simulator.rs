//! The kit for simulated vendor APIs, through the client that all connectors share.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tributary_core::Time;
use tributary_sandbox::simulator::{
    Api, Call, Fault, Habits, Reply, Simulator, Token, Tokens, When, Window, Windows, serve,
};
use tributary_source::http::{Auth, Grant, OAuth, Request};
use tributary_source::{Environment, Error, Http, NextStep, SecretString, Settings, http};

/// A vendor with tokens that live ten minutes and rotate, and so many calls in ten seconds.
struct Toy {
    tokens: Tokens,
    windows: Windows,
}

impl Toy {
    fn new(calls: usize) -> Self {
        let windows = Windows::new([Window { calls, per: Duration::from_secs(10) }]);
        Self { tokens: Tokens::new("first", Duration::from_mins(10)).rotating(), windows }
    }
}

impl Api for Toy {
    fn answer(&self, call: &Call, now: Time, habits: &Habits) -> Reply {
        if call.path == "/token" {
            return self.tokens.refresh(call, now);
        }
        if self.tokens.check(call.bearer(), now) != Token::Valid {
            return Reply::json(401, &json!({"error": "who are you?"}));
        }
        match self.windows.admit(now) {
            Ok(_) if habits.sunset.iter().any(|version| call.segments()[0] == version) => {
                Reply::text(410, "")
            }
            Ok(left) => Reply::json(200, &json!({"left": left[0].calls, "q": call.param("q")})),
            Err(over) => Reply::text(429, "").header("retry-after", over.wait.as_secs().max(1)),
        }
    }
}

fn simulator(calls: usize) -> Arc<Simulator> {
    let started = tokio::time::Instant::now();
    let now = move || Time(1_795_510_800_000_000 + started.elapsed().as_micros() as i64);
    Arc::new(Simulator::new(Arc::new(Toy::new(calls)), Arc::new(now)))
}

fn client(simulator: &Arc<Simulator>, base: &str) -> Http {
    let started = tokio::time::Instant::now();
    let now = move || Time(1_795_510_800_000_000 + started.elapsed().as_micros() as i64);
    let inside = base.starts_with("https");
    let vendor = inside.then(|| Arc::clone(simulator) as _);
    let environment = Environment { vendor, ..Environment::new(Arc::new(now)) };
    let grant = Grant::RefreshToken(Some(SecretString::from("first")));
    let settings = Settings { source: "toy".to_owned(), ..Settings::default() };
    let auth = Auth::Login(Arc::new(OAuth::by(grant, &settings, "us", format!("{base}/token"))));
    Http::new(http::Api { auth, ..http::Api::new(base) }, &environment).unwrap()
}

const INSIDE: &str = "https://toy.example";

async fn get(http: &Http) -> Result<String, Error> {
    let response = http.send(&Request::get("v1/items").query("q", "a b&c")).await?;
    Ok(String::from_utf8_lossy(&response.body).into_owned())
}

#[tokio::test(start_paused = true)]
async fn tokens_die_and_rotate_and_calls_are_counted() {
    let simulator = simulator(2);
    let http = client(&simulator, INSIDE);
    for left in [1, 0] {
        assert_eq!(get(&http).await.unwrap(), format!(r#"{{"left":{left},"q":"a b&c"}}"#));
    }
    // The third call within ten seconds is refused, waits as told, and comes through.
    get(&http).await.unwrap();
    tokio::time::sleep(Duration::from_mins(11)).await;
    get(&http).await.unwrap();
    let journal = simulator.journal();
    let paths: Vec<&str> = journal.iter().map(|call| call.path.as_str()).collect();
    let items = "/v1/items";
    assert_eq!(paths, ["/token", items, items, items, items, "/token", items]);
    assert!(journal.iter().all(|call| !call.query.iter().any(|(_, value)| value.contains("canary"))));
}

#[tokio::test(start_paused = true)]
async fn faults_come_when_they_are_told_to() {
    let simulator = simulator(2);
    let http = client(&simulator, INSIDE);
    let faults = [
        Fault::Status(500),
        Fault::Html(200),
        Fault::Torn,
        Fault::NoAnswer,
        Fault::Slow(Duration::from_mins(2)),
    ];
    for fault in faults {
        let before = simulator.calls();
        simulator.fail_times(1, When::Path("items".to_owned()), fault.clone());
        get(&http).await.unwrap();
        assert!(simulator.calls() >= before + 2, "{fault:?}");
        tokio::time::sleep(Duration::from_secs(20)).await;
    }
    simulator.fail(When::Path("items".to_owned()), Fault::Garbage);
    assert!(!get(&http).await.unwrap().starts_with("{\"left"));
    simulator.heal();
    simulator.behave(Habits { sunset: vec!["v1".to_owned()], ..Habits::default() });
    assert_eq!(get(&http).await.unwrap_err().next, NextStep::Restart);
}

#[tokio::test]
async fn on_loopback_it_says_the_same() {
    let simulator = simulator(100);
    let served = serve(Arc::clone(&simulator), 0).await.unwrap();
    let http = client(&simulator, &served.url());
    assert_eq!(get(&http).await.unwrap(), r#"{"left":99,"q":"a b&c"}"#);
    simulator.fail_times(1, When::Path("items".to_owned()), Fault::Torn);
    simulator.fail_times(1, When::Path("items".to_owned()), Fault::NoAnswer);
    assert_eq!(get(&http).await.unwrap(), r#"{"left":97,"q":"a b&c"}"#);
    let date = http.send(&Request::get("token")).await.unwrap_err();
    assert_eq!(date.next, NextStep::Bug);
}
