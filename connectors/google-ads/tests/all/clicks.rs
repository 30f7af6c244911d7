//! Clicks: what campaign an id belongs to, however late one goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tributary_core::Fact;
use tributary_core::time::Zone;
use tributary_google_ads::GoogleAds;
use tributary_sandbox::simulator::{Fault, Reply, When};
use tributary_sandbox::{Channel, Plan, TIME_ZONE, build};
use tributary_source::{Connector, Cursor, Next, NextStep, Part, Reach, Settings, Span, Task};

use crate::reading::{ads, connect, parts, pull};

#[tokio::test(start_paused = true)]
async fn the_click_ids_of_paid_visits_lead_to_their_campaigns() {
    let world = build(&Plan::with_accounts(40));
    let zone = Zone::parse(TIME_ZONE).unwrap();
    // What the site saw, by click id: campaign and day, as long as Google tells it.
    let mut seen = BTreeMap::new();
    for (index, touch) in world.touches.iter().enumerate() {
        let day = touch.at.date_in(&zone);
        if touch.channel == Channel::PaidSearch
            && let (Some(gclid), Some(campaign)) = (world.touch_row(index).gclid, touch.campaign)
            && ("2026-04-03".."2026-07-02").contains(&day.as_str())
        {
            seen.insert(gclid, (world.campaigns[campaign].name.clone(), day));
        }
    }
    let ads = ads();
    let source = connect(&ads, json!({})).unwrap();
    let part = parts(source.as_ref(), "clicks").await.remove(0);
    let facts = |stream: &'static str| {
        let (source, part) = (&source, &part);
        async move {
            let (records, _) = pull(source.as_ref(), stream, part, None).await.unwrap();
            let normalized = records.iter().map(|it| GoogleAds.normalize(&Settings::default(), it));
            normalized.flat_map(|it| it.facts).collect::<Vec<Fact>>()
        }
    };
    let mut names = BTreeMap::new();
    for fact in facts("campaigns").await {
        let Fact::Name(name) = fact else { panic!("{fact:?}") };
        names.insert(name.id, name.name);
    }
    let mut told = BTreeMap::new();
    for fact in facts("clicks").await {
        let Fact::Click(click) = fact else { panic!("{fact:?}") };
        assert_eq!(click.channel.as_deref(), Some("paid_search"));
        let day = click.day.unwrap().from.date_in(&zone);
        told.insert(click.id, (names[&click.campaign.unwrap()].clone(), day));
    }
    assert!(seen.len() > 5, "{}", seen.len());
    assert_eq!(told, seen);
}

#[tokio::test(start_paused = true)]
async fn a_click_without_an_id_holds_up_no_other() {
    let ads = ads();
    let chosen = json!({"customers": ["1000000002"], "login_customer_id": "1000000001"});
    let source = connect(&ads, chosen).unwrap();
    let click = |name: &str, gclid: Value| {
        json!({"clickView": {"resourceName": format!("customers/1000000002/clickViews/{name}"), "gclid": gclid},
            "customer": {"id": "1000000002", "timeZone": "Europe/Berlin"}, "segments": {"date": "2026-04-03"}})
    };
    let rows = json!({"results": [click("2026-04-03~", Value::Null), click("2026-04-03~Cj0", json!("Cj0"))]});
    ads.kit().fail_times(1, When::Call(2), Fault::Reply(Reply::json(200, &rows)));
    let (records, _) = pull(source.as_ref(), "clicks", &Part("1000000002".to_owned()), None).await.unwrap();
    let first: Vec<&str> = records.iter().take(2).map(|record| record.id.as_str()).collect();
    assert_eq!(first, ["1000000002/2026-04-03~", "1000000002/Cj0"]);
    let said = GoogleAds.normalize(&Settings::default(), &records[0]);
    assert_eq!((said.facts.len(), said.problems[0].field.as_str()), (0, "clickView.gclid"));
}

#[tokio::test(start_paused = true)]
async fn clicks_are_complete_for_ninety_days_and_from_then_on() {
    let ads = ads();
    let source = connect(&ads, json!({})).unwrap();
    let part = parts(source.as_ref(), "clicks").await.remove(0);
    let mut reaches = Vec::new();
    for cursor in [None, Some(Cursor("v1 2026-06-28".to_owned())), Some(Cursor("v1 2026-01-01".to_owned()))] {
        let mut task = Task { stream: "clicks", part: part.clone(), span: Span::Since(cursor), resume: None };
        let last = loop {
            let page = source.pull(&task).await.unwrap();
            match page.next {
                Next::More(resume) => task.resume = Some(resume),
                Next::Done(_) => break page.reach,
            }
        };
        let Reach::Labels(at) = last else { panic!("clicks have a beginning") };
        reaches.push(at.to_string());
    }
    // It is the first of July; a read looks back three days, and after a long rest ninety.
    let expected = ["2026-04-03T00:00:00Z", "2026-06-25T00:00:00Z", "2026-04-03T00:00:00Z"];
    assert_eq!(reaches, expected);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_rested_too_long_begins_anew() {
    let ads = ads();
    let source = connect(&ads, json!({})).unwrap();
    let part = parts(source.as_ref(), "clicks").await.remove(0);
    let task = Task { stream: "clicks", part, span: Span::Since(None), resume: None };
    let Next::More(resume) = source.pull(&task).await.unwrap().next else { panic!("there are ninety days") };
    tokio::time::sleep(Duration::from_hours(24 * 30)).await;
    let error = source.pull(&Task { resume: Some(resume), ..task.clone() }).await.unwrap_err();
    assert_eq!(error.next, NextStep::Restart, "{error}");
    assert!(source.pull(&task).await.is_ok());
}
