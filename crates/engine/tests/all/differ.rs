//! Where and why two models' numbers differ, on deals that one can work out in one's head.

use tributary_core::Currency;
use tributary_engine::differ::{Why, differ};
use tributary_engine::influence::influence;
use tributary_engine::{By, Goal, Rates, journeys};

use crate::story::{self, goal, policy};

fn why(accounts: &[&str], first: &str, second: &str) -> Why {
    let book = story::book(accounts);
    let models = [first, second].map(story::model);
    let found = journeys(&book, &policy());
    differ(&found, [&models[0], &models[1]], By::Channel, &Rates::default(), Currency::USD)
}

/// Every reason with its touches, deals and difference in cents.
fn reasons(why: &Why) -> Vec<String> {
    let told = |it: &tributary_engine::differ::Reason| {
        format!("{}: {} in {}, {:+}", it.reason, it.sum.touches, it.sum.deals, it.sum.difference_minor)
    };
    why.reasons.iter().map(told).collect()
}

/// Sales began it; a form made the lead; two visits came between.
const DEAL: &str = "call@1:team=sales visit@2 form@3 visit@4 mail@5:kind=email | lead=3 opp=5 close=9 usd=100.00 primary=ann";

#[test]
fn two_vendors_w_differ_by_what_counts_and_by_what_is_between() {
    let why = why(&[DEAL], "marketo_w", "hubspot_w");
    assert_eq!(
        reasons(&why),
        [
            "left out: team sales under marketo_w, first under hubspot_w: 1 in 1, +3000",
            "first under marketo_w, one of the rest under hubspot_w: 1 in 1, -2834",
            "counts only as a milestone under marketo_w, one of the rest under hubspot_w: 1 in 1, +500",
            "lead under both, for other shares: 1 in 1, -333",
            "opportunity under both, for other shares: 1 in 1, -333",
        ]
        .map(str::to_owned)
        .to_vec()
    );
    assert_eq!((why.deals_that_differ, why.deals_compared, why.moved_minor), (1, 1, 3500));
    let call = &why.keys[0];
    assert_eq!((call.key.as_deref(), call.difference_minor), (Some("call"), 3000));
    assert_eq!(call.because[0].reason, "left out: team sales under marketo_w, first under hubspot_w");
}

#[test]
fn a_key_has_all_its_reasons_and_they_add_up() {
    let why = why(&[DEAL], "marketo_w", "hubspot_w");
    let visit = why.keys.iter().find(|it| it.key.as_deref() == Some("visit")).unwrap();
    let parts: Vec<i64> = visit.because.iter().map(|part| part.difference_minor).collect();
    assert_eq!((visit.difference_minor, parts), (-2334, vec![-2834, 500]));
}

#[test]
fn what_the_rules_decide_differently_stands_first() {
    let why = why(&[DEAL], "marketo_w", "hubspot_w");
    let told: Vec<String> =
        why.definitions.iter().map(|it| format!("{}: {} | {}", it.about, it.says[0], it.says[1])).collect();
    assert_eq!(
        told,
        [
            "whose touches: as asked | the deal's committee",
            "left out: kind impression or email_open; team sales or sdr; after opportunity: kind visit, ad_click or email_click | nothing",
            "lead: the first touch of kind form, event or webinar | the last touch that the first of the leads had before the CRM knew them",
            "the rest: evenly over touches, but none to kind visit, ad_click or email_click | evenly over touches",
            "a milestone without a touch: skipped stages are passed with the next that was reached | back to all others, in proportion",
        ]
    );
}

#[test]
fn a_milestone_may_be_on_the_same_touch_another_or_none() {
    let accounts = [
        // Both give the lead to the form.
        "visit@1 form@3 | lead=3 opp=5 close=9 usd=1.00 primary=ann",
        // The CRM knew her before the form.
        "visit@1 form@3 | lead=2 opp=5 close=9 usd=1.00 primary=ann",
        // No form: skipped at the one, and held by the visit at the other.
        "visit@1 mail@3:kind=email | lead=1 opp=5 close=9 usd=1.00 primary=ann",
        // No lead at the other.
        "visit@1 form@3 | opp=5 close=9 usd=1.00 primary=ann",
    ];
    let why = why(&accounts, "marketo_w", "hubspot_w");
    let lead = why.milestones.iter().find(|it| it.milestone == "lead").unwrap();
    assert_eq!((lead.same, lead.other, lead.only, lead.missing, lead.skipped), (1, 2, [1, 0], 0, [1, 0]));
}

#[test]
fn the_deals_with_most_credit_moved_come_first_and_name_their_reason() {
    let small = "a@1 b@2 | close=9 usd=10.00";
    let big = "a@1 b@2 | close=9 usd=90.00";
    let same = "a@1 | close=9 usd=900.00";
    let why = why(&[small, big, same], "first", "last");
    let deals: Vec<_> = why.deals.iter().map(|it| (it.key.as_deref().unwrap(), it.moved_minor)).collect();
    assert_eq!(deals, [("account 1, deal 0", 9000), ("account 0, deal 0", 1000)]);
    assert_eq!((why.moved_minor, why.deals_compared), (10_000, 3));
    // Two reasons that move the same: the one met first.
    assert_eq!(why.deals[0].reason, "first under first, given nothing under last");
}

#[test]
fn what_one_model_leaves_unattributed_moves_too() {
    let why = why(&["a@1 | close=9 usd=10.00"], "linear", "hubspot_w");
    assert_eq!(
        reasons(&why),
        ["one of the rest under linear, by nobody of the committee under hubspot_w: 1 in 1, -1000"]
    );
    assert_eq!(why.moved_minor, 1000);
}

#[test]
fn what_is_excluded_and_kept_after_all_is_told_by_what_it_gets() {
    let why = why(&["direct@1 direct@2 | close=9 usd=10.00"], "first", "last_non_direct");
    assert_eq!(
        reasons(&why),
        [
            "first under first, given nothing under last_non_direct: 1 in 1, -1000",
            "given nothing under first, last under last_non_direct: 1 in 1, +1000",
        ]
    );
}

#[test]
fn influence_is_the_whole_amount_of_every_deal_touched() {
    let book = story::book(&[
        "a@1 a@2 b@3 | close=9 usd=10.00 | close=2.5 usd=5.00",
        "c@1 | close=9 usd=20.00",
        "| close=9 usd=65.00",
        "a@1 | close=9 eur=7.00",
    ]);
    let told = influence(&journeys(&book, &policy()), By::Channel, &Rates::default(), Currency::USD);
    let rows: Vec<_> = told
        .rows
        .iter()
        .map(|row| (row.key.as_deref().unwrap(), row.deals, row.touches, row.influenced_minor))
        .collect();
    assert_eq!(rows, [("c", 1, 1, 2000), ("a", 2, 4, 1500), ("b", 1, 1, 1000)]);
    assert_eq!((told.deals, told.total_minor), (4, 10_000));
    assert_eq!((told.untouched_deals, told.untouched_minor), (1, 6500));
    assert_eq!(told.unconverted[0].amount_minor, 700);
    assert!((told.adds_up_to - 0.45).abs() < 1e-12 && (told.rows[0].of_total - 0.2).abs() < 1e-12);
    // Nothing in it is called credit.
    let json = serde_json::to_string(&told).unwrap();
    assert!(!json.contains("credit") && json.contains("influenced_minor"), "{json}");
}

#[test]
fn influence_adds_up_to_more_than_there_is() {
    let book = story::book(&["a@1 b@2 c@3 | close=9 usd=10.00"]);
    let told = influence(&journeys(&book, &policy()), By::Channel, &Rates::default(), Currency::USD);
    assert!((told.adds_up_to - 3.0).abs() < 1e-12);
    let leads = influence(&journeys(&book, &goal(Goal::Lead)), By::Channel, &Rates::default(), Currency::USD);
    assert_eq!((leads.currency, leads.rows.len()), (None, 0));
}
