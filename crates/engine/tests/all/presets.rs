//! Every preset's documented rule, touch by touch: one touch, two, no middle, a shared touch, a skipped stage, after
//! the close.

use tributary_core::Currency;
use tributary_engine::explain::explain;
use tributary_engine::{Goal, Model, Policy, Rates, journeys};

use crate::story::{check, check_under, day, goal, policy, rules};

#[test]
fn one_touch_takes_all_under_every_preset() {
    for preset in tributary_engine::Model::presets() {
        let text = "form@1:campaign=q1 | lead=1 opp=2 close=9 usd=140.00 primary=ann";
        check(text, &preset, "form 140.00");
        check("form@1:campaign=q1 | close=9 usd=140.00 committee=ann", &preset, "form 140.00");
    }
}

#[test]
fn nothing_after_the_close_counts_under_any_preset() {
    for preset in tributary_engine::Model::presets() {
        let text = "form@1:campaign=q1 event@10:campaign=q2 | lead=1 close=9 usd=140.00 primary=ann";
        check(text, &preset, "form 140.00");
        let late = "form@10:campaign=q1 | lead=10 close=9 usd=140.00 primary=ann";
        check(late, &preset, "nothing 140.00");
    }
}

/// A web visit, a form, an event, a meeting of sales and a last visit.
const STORY: &str = "visit@1 form@3 event@4 mail@5:kind=email demo@6:kind=meeting:team=sales ad@7:kind=visit \
                     | lead=3 opp=6 close=9 usd=100.00 primary=ann";

#[test]
fn marketo_u_has_no_middle() {
    check(STORY, "marketo_u", "visit 50.00, form 50.00");
    check("visit@1 form@3 | opp=4 close=9 usd=100.00", "marketo_u", "visit 50.00, form 50.00");
    check("form@1 event@3 | lead=1 close=9 usd=100.00", "marketo_u", "form 100.00");
}

#[test]
fn marketo_w_gives_the_rest_to_what_is_no_web_visit() {
    check(STORY, "marketo_w", "visit 30.00, form 30.00, event 10.00, mail 30.00");
    // Nothing between: the share of the middle goes to the positions, evenly.
    check(
        "visit@1 form@3 ad@5:kind=visit page@4:kind=visit | opp=5 close=9 usd=90.00",
        "marketo_w",
        "visit 30.00, form 30.00, ad 30.00",
    );
    check("visit@1 form@5 | opp=5 close=9 usd=90.00", "marketo_w", "visit 30.00, form 60.00");
}

#[test]
fn marketos_lead_is_the_first_form_or_campaign_whatever_the_crm_says() {
    check(
        "visit@1 event@3 form@4 | lead=1 opp=4 close=9 usd=90.00",
        "marketo_w",
        "visit 30.00, event 30.00, form 30.00",
    );
}

#[test]
fn marketo_takes_a_skipped_stage_as_passed_with_the_next() {
    // No form: the lead was passed with the opportunity.
    check(
        "visit@1 ad@3:kind=visit mail@5:kind=email | lead=1 opp=3 close=9 usd=100.00",
        "marketo_w",
        "visit 30.00, ad 60.00, mail 10.00",
    );
    // No opportunity either: both with the close.
    check("visit@1 mail@5:kind=email | close=9 usd=100.00", "marketo_u", "visit 50.00, mail 50.00");
    assert_eq!(
        rules("visit@1 ad@3:kind=visit | opp=3 close=9 usd=1.00", "marketo_w"),
        "visit: first, ad: lead (skipped, passed with opportunity) + opportunity"
    );
}

#[test]
fn marketo_sees_neither_sales_nor_impressions_nor_visits_after_the_opportunity() {
    let text =
        "call@1:team=sales banner@2:kind=impression visit@3 form@4 ad@7:kind=visit | opp=5 close=9 usd=1.00";
    check(text, "marketo_u", "visit 0.50, form 0.50");
    assert_eq!(
        rules(text, "marketo_u"),
        "call: left out: team sales, banner: left out: kind impression, visit: first, form: lead, \
         ad: left out: kind visit after opportunity"
    );
    check("call@1:team=sales | close=9 usd=1.00", "marketo_u", "nothing 1.00");
    let book = crate::story::book(&["call@1:team=sales form@2 | close=9 usd=1.00"]);
    let found = journeys(&book, &policy());
    let models = [Model::builtin("marketo_u").unwrap()];
    let told = explain(&found, &found.list[0], &models, &Rates::default(), Currency::USD);
    let why: Vec<_> =
        told.iter().map(|it| (it.credits[0].rule.as_str(), it.credits[0].left_out.as_deref())).collect();
    assert_eq!(why[0], ("", Some("left out: team sales")));
    assert_eq!(why[1], ("first + lead", None));
}

#[test]
fn marketo_full_path_closes_with_the_touch_closest_to_the_close_won_or_lost() {
    let text = "visit@1 form@3 event@4 demo@5:kind=event mail@8:kind=email | opp=5 close=9 usd=100.00";
    let expected = "visit 22.50, form 22.50, event 10.00, demo 22.50, mail 22.50";
    check(text, "marketo_full_path", expected);
    check_under(&goal(Goal::Lost), &format!("{text} lost"), "marketo_full_path", expected);
}

#[test]
fn marketos_pending_is_the_most_recent_touch_of_an_open_deal() {
    let text = "visit@1 form@3 event@4 demo@5:kind=event mail@8:kind=email later@30:kind=email \
                | opp=5 open usd=100.00";
    let open = |as_of: &str| Policy { as_of: day(as_of), ..goal(Goal::Open) };
    let held = "visit 22.50, form 22.50, event 10.00, demo 22.50, mail 22.50";
    check_under(&open("9"), text, "marketo_full_path", held);
    // It rolls forward, and the one that held it is a touch like others.
    let rolled = "visit 22.50, form 22.50, event 5.00, demo 22.50, mail 5.00, later 22.50";
    check_under(&open("40"), text, "marketo_full_path", rolled);
    // Without the rule, an open deal has no close.
    let without = "visit 22.50, form 22.50, event 3.34, demo 22.50, mail 3.33, later 3.33";
    let text = text.replace("usd=100.00", "usd=77.50 lead=3");
    check_under(&open("40"), &text, "full_path", without);
}

#[test]
fn hubspot_sees_the_contacts_of_the_deal_alone() {
    let text = "x@1:by=bob a@2 b@3 c@4 d@5:by=cid | lead=3 lead.bob=1 opp=4 close=9 usd=100.00 \
                primary=ann committee=cid";
    check(text, "hubspot_u", "a 40.00, b 40.00, c 10.00, d 10.00");
    check(text, "hubspot_w", "a 30.00, b 30.00, c 30.00, d 10.00");
    check(text, "hubspot_full_path", "a 25.00, b 25.00, c 25.00, d 25.00");
    check("a@1 | close=9 usd=1.00", "hubspot_w", "nothing 1.00");
}

#[test]
fn hubspots_lead_is_an_interaction_of_the_oldest_contact() {
    // Ann is the oldest contact; Bob's touch on day 3 did not create her.
    let text = "a@1 b@2 c@3:by=bob d@4:by=bob | lead=3.5 lead.bob=4 opp=4 close=9 usd=100.00 \
                primary=ann committee=bob";
    check(text, "hubspot_u", "a 40.00, b 40.00, c 10.00, d 10.00");
    check(text, "u", "a 40.00, b 10.00, c 40.00, d 10.00");
    // Nothing of hers came before: the position is missing.
    let none = "c@3:by=bob d@4:by=bob a@5 | lead=3.5 lead.bob=4 close=9 usd=60.00 primary=ann committee=bob";
    check(none, "hubspot_u", "c 40.00, d 10.00, a 10.00");
}

#[test]
fn hubspot_two_touches_and_no_rest() {
    let text = "a@1 b@5 | lead=5 opp=5 close=9 usd=100.00 primary=ann";
    check(text, "hubspot_u", "a 50.00, b 50.00");
    check(text, "hubspot_w", "a 33.33, b 66.67");
    check(text, "hubspot_full_path", "a 25.00, b 75.00");
}

#[test]
fn dreamdata_u_is_first_and_last() {
    check("a@1 b@2 c@3 d@4 | lead=2 close=9 usd=100.00", "dreamdata_u", "a 40.00, b 10.00, c 10.00, d 40.00");
    check("a@1 b@2 | lead=2 close=9 usd=100.00", "dreamdata_u", "a 50.00, b 50.00");
}

#[test]
fn dreamdata_w_shares_a_part_among_all_touches_that_contain_conversions() {
    check(
        "a@1 form@2 b@3 demo@4 c@5 d@6 | close=9 usd=100.00",
        "dreamdata_w",
        "a 30.00, form 15.00, b 5.00, demo 15.00, c 5.00, d 30.00",
    );
    // The first touch contains one.
    check(
        "form@1 form@2 b@3 d@4 | close=9 usd=100.00",
        "dreamdata_w",
        "form 45.00, form 15.00, b 10.00, d 30.00",
    );
    // Nobody converted: 0.7 are left.
    check("a@1 b@2 c@3 | close=9 usd=70.00", "dreamdata_w", "a 30.00, b 10.00, c 30.00");
}

#[test]
fn calibermind_w_counts_points() {
    // 5, 4 and 4, 3 and 3, 2 and 2, 1: 24 in all.
    check(
        "a@1:campaign=main b@6:campaign=main c@2 d@7 e@3:by=bob:campaign=main f@8:by=bob:campaign=main g@4:by=bob \
         h@8:by=bob | opp=5 close=9 usd=24.00 primary=ann primary_campaign=main",
        "calibermind_w",
        "a 5.00, c 4.00, e 3.00, g 2.00, b 4.00, d 3.00, f 2.00, h 1.00",
    );
    // The deal names no campaign, contact or creation.
    check("a@1 b@2:by=bob | close=9 usd=2.00", "calibermind_w", "a 1.00, b 1.00");
    assert_eq!(
        rules("a@1 b@6:by=bob | opp=5 close=9 usd=1.00 primary=ann", "calibermind_w"),
        "a: 4 points, b: 1 points"
    );
}

#[test]
fn salesforce_even_is_even_over_the_campaigns_of_each_contact_role() {
    // Four members: Ann in q1 (twice touched) and q2, Bob in q1 and q3.
    check(
        "a@1:campaign=q1 b@2:campaign=q1 c@3:campaign=q2 d@4:by=bob:campaign=q1 e@5:by=bob:campaign=q3 \
         f@6 g@7:by=cid:campaign=q4 | close=9 usd=100.00 primary=ann committee=bob",
        "salesforce_even",
        "a 12.50, b 12.50, c 25.00, d 25.00, e 25.00",
    );
    let none = "f@6 g@7:by=cid:campaign=q4 | close=9 usd=1.00 primary=ann";
    check(none, "salesforce_even", "nothing 1.00");
    assert_eq!(rules(none, "salesforce_even"), "f: left out: campaign none, g: by nobody of the committee");
}

#[test]
fn first_and_last_touch_rules_are_40_20_40() {
    for preset in ["salesforce_u", "hockeystack_position", "snowplow_position", "dreamdata_u"] {
        check(
            "a@1 b@2 c@3 d@4 | lead=2 opp=3 close=9 usd=100.00",
            preset,
            "a 40.00, b 10.00, c 10.00, d 40.00",
        );
        check("a@1 b@2 | lead=2 opp=2 close=9 usd=100.00", preset, "a 50.00, b 50.00");
    }
}

#[test]
fn snowplow_looks_back_thirty_days() {
    check(
        "x@1 a@10 b@15 c@20 d@39 | close=40 usd=100.00",
        "snowplow_position",
        "a 40.00, b 10.00, c 10.00, d 40.00",
    );
    check("x@1 | close=40 usd=1.00", "snowplow_position", "nothing 1.00");
}

#[test]
fn posthogs_half_life_is_a_quarter_of_the_window() {
    // 90 days: 22.5.
    let text = "x@1 a@32.5 b@55 c@77.5 | close=100 usd=70.00";
    check(text, "posthog_time_decay", "a 10.00, b 20.00, c 40.00");
    // A question that looks back 30 days: 7.5.
    let month = Policy { lookback_days: Some(30.0), ..policy() };
    check_under(
        &month,
        "x@1 a@77.5 b@85 c@92.5 | close=100 usd=70.00",
        "posthog_time_decay",
        "a 10.00, b 20.00, c 40.00",
    );
}

#[test]
fn adobes_two_touches_ignore_the_middle() {
    check("a@1 b@2 | close=9 usd=100.00", "adobe_j", "a 25.00, b 75.00");
    check("a@1 b@2 | close=9 usd=100.00", "adobe_inverse_j", "a 75.00, b 25.00");
    check("a@1 b@2 c@3 | close=9 usd=100.00", "adobe_j", "a 20.00, b 20.00, c 60.00");
    check("a@1 b@2 c@3 | close=9 usd=100.00", "adobe_inverse_j", "a 60.00, b 20.00, c 20.00");
}
