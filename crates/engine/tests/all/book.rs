//! Every built-in model and every edge rule, touch by touch.

use tributary_core::Currency;
use tributary_core::time::Span;
use tributary_engine::model::Place;
use tributary_engine::{By, Goal, Policy, Rates, Whose, attribute, journeys};

use crate::story::{self, by, check, check_under, day, goal, model, policy};

const SIX: &str = "a@1 b@2 c@3 d@4 e@5 f@6 | lead=3 opp=5 close=6 usd=100.00";

#[test]
fn six_touches_under_every_model() {
    check(SIX, "first", "a 100.00");
    check(SIX, "last", "f 100.00");
    check(SIX, "last_non_direct", "f 100.00");
    check(SIX, "linear", "a 16.67, b 16.67, c 16.67, d 16.67, e 16.66, f 16.66");
    check(SIX, "position", "a 40.00, b 5.00, c 5.00, d 5.00, e 5.00, f 40.00");
    check(SIX, "j", "a 20.00, b 5.00, c 5.00, d 5.00, e 5.00, f 60.00");
    check(SIX, "inverse_j", "a 60.00, b 5.00, c 5.00, d 5.00, e 5.00, f 20.00");
    check(SIX, "u", "a 40.00, b 5.00, c 40.00, d 5.00, e 5.00, f 5.00");
    check(SIX, "w", "a 30.00, b 3.34, c 30.00, d 3.33, e 30.00, f 3.33");
    check(SIX, "full_path", "a 22.50, b 5.00, c 22.50, d 5.00, e 22.50, f 22.50");
    check("a@1 b@8 c@15 d@22 | close=40 usd=150.00", "time_decay", "a 10.00, b 20.00, c 40.00, d 80.00");
}

#[test]
fn one_touch_takes_all() {
    for model in tributary_engine::Model::names() {
        check("a@1 | lead=1 opp=2 close=9 usd=140.00", &model, "a 140.00");
        check("a@1 | close=9 usd=140.00", &model, "a 140.00");
    }
}

#[test]
fn two_touches_leave_no_middle() {
    for (model, expected) in [
        ("first", "a 100.00"),
        ("last", "b 100.00"),
        ("linear", "a 50.00, b 50.00"),
        ("position", "a 50.00, b 50.00"),
        ("j", "a 25.00, b 75.00"),
        ("inverse_j", "a 75.00, b 25.00"),
        ("u", "a 50.00, b 50.00"),
        ("w", "a 33.33, b 66.67"),
        ("full_path", "a 25.00, b 75.00"),
    ] {
        check("a@1 b@5 | lead=5 opp=5 close=9 usd=100.00", model, expected);
    }
}

#[test]
fn three_linear_touches_share_to_the_cent() {
    check("a@1 b@2 c@3 | close=9 usd=140.00", "linear", "a 46.67, b 46.67, c 46.66");
    check("a@1 b@2 c@3 | close=9 usd=-140.00", "linear", "a -46.67, b -46.67, c -46.66");
    check("a@1 b@2 c@3 | close=9 usd=0.01", "linear", "a 0.01, b 0.00, c 0.00");
    check("a@1 b@2 c@3 | close=9 usd=0", "linear", "a 0.00, b 0.00, c 0.00");
}

#[test]
fn a_touch_that_holds_several_milestones_takes_all_their_weights() {
    // Lead and first.
    check("a@1 b@2 c@3 | lead=1 opp=3 close=9 usd=100.00", "w", "a 60.00, b 10.00, c 30.00");
    // Lead and opportunity.
    check("a@1 b@2 c@3 | lead=2 opp=2.5 close=9 usd=100.00", "w", "a 30.00, b 60.00, c 10.00");
    // All but the close.
    check("a@1 b@2 | lead=1 opp=1 close=9 usd=100.00", "full_path", "a 75.00, b 25.00");
}

#[test]
fn the_weight_of_a_missing_milestone_goes_to_all_that_is_left_in_proportion() {
    // Of w without a lead 0.7 is left: 0.3, 0.3 and 0.1 over two.
    check("a@1 b@2 c@3 d@4 | opp=4 close=9 usd=70.00", "w", "a 30.00, b 5.00, c 5.00, d 30.00");
    // A lead that was created before anybody was touched is as good as none.
    check("a@1 b@2 c@3 d@4 | lead=0.5 opp=4 close=9 usd=70.00", "w", "a 30.00, b 5.00, c 5.00, d 30.00");
    // Nothing but the first touch and the rest.
    check("a@1 b@2 c@3 | close=9 usd=40.00", "w", "a 30.00, b 5.00, c 5.00");
    check("a@1 b@2 c@3 | close=9 usd=60.00", "u", "a 40.00, b 10.00, c 10.00");
}

#[test]
fn the_weight_of_a_missing_milestone_may_go_to_the_rest() {
    let to_rest = "weights = { first = 0.3, lead = 0.3, opportunity = 0.3 }\nrest = 0.1\nmissing = \"rest\"";
    check("a@1 b@2 c@3 d@4 | opp=4 close=9 usd=100.00", to_rest, "a 30.00, b 20.00, c 20.00, d 30.00");
    // There is no rest: back to the anchors.
    check("a@1 b@2 | opp=2 close=9 usd=100.00", to_rest, "a 50.00, b 50.00");
}

#[test]
fn the_weight_of_a_skipped_stage_may_go_to_the_next_that_was_reached() {
    let mut policy = policy();
    policy.milestones.insert("proposal".to_owned(), ["Proposal".to_owned()].into());
    let weights = "weights = { first = 0.3, lead = 0.3, opportunity = 0.3 }\nrest = 0.1";
    let next = &format!("{weights}\nmissing = {{ next = [\"lead\", \"proposal\", \"opportunity\"] }}");
    let check = |text, expected| check_under(&policy, text, next, expected);
    // Without a lead the deal is taken to have passed it with the opportunity.
    check("a@1 b@2 c@3 d@4 | opp=4 close=9 usd=100.00", "a 30.00, b 5.00, c 5.00, d 60.00");
    // A stage in between counts, though it weighs nothing by itself.
    check(
        "a@1 b@2 c@3 d@4 | stage.Proposal=3 opp=4 close=9 usd=100.00",
        "a 30.00, b 10.00, c 30.00, d 30.00",
    );
    // Nothing later was reached: in proportion.
    check("a@1 b@2 c@3 d@4 | lead=3 close=9 usd=70.00", "a 30.00, b 5.00, c 30.00, d 5.00");
    check("a@1 b@2 c@3 | close=9 usd=40.00", "a 30.00, b 5.00, c 5.00");
    // The lead was reached, before the first touch: no later touch led to it.
    check("a@1 b@2 c@3 d@4 | lead=0.5 opp=4 close=9 usd=70.00", "a 30.00, b 5.00, c 5.00, d 30.00");
    // A model that weighs a stage of its own.
    let own =
        "weights = { lead = 0.5, proposal = 0.5 }\nmissing = { next = [\"lead\", \"proposal\", \"closed\"] }";
    check_under(&policy, "a@1 b@5 | lead=1 close=9 usd=1.00", own, "a 0.50, b 0.50");
}

#[test]
fn a_skipped_stage_is_the_same_by_place() {
    let next = "weights = { first = 0.25, lead = 0.25, opportunity = 0.25 }\nrest = 0.25\n\
                missing = { next = [\"lead\", \"opportunity\"] }";
    let place = Place { touches: 3, anchors: &[("opportunity", 2)] };
    assert_eq!(model(next).weights_at(&place), [0.25, 0.25, 0.5]);
}

#[test]
fn without_a_touch_beside_the_anchors_the_rest_goes_to_them() {
    check("a@1 b@2 c@3 | lead=2 opp=3 close=9 usd=90.00", "w", "a 30.00, b 30.00, c 30.00");
    check("a@1 b@2 | lead=1 opp=2 close=9 usd=90.00", "w", "a 60.00, b 30.00");
}

#[test]
fn a_touch_that_holds_an_anchor_of_no_weight_takes_no_part_in_the_rest() {
    let middle = "weights = { first = 0.0, last = 0.0 }\nrest = 1.0";
    check("a@1 b@2 c@3 d@4 | close=9 usd=10.00", middle, "b 5.00, c 5.00");
    check("a@1 b@2 | close=9 usd=10.00", middle, "a 5.00, b 5.00");
    let after_the_first = "weights = { first = 0.0, last = 0.6 }\nrest = 0.4";
    check("a@1 b@2 c@3 | close=9 usd=10.00", after_the_first, "b 4.00, c 6.00");
    check("a@1 b@2 | close=9 usd=10.00", after_the_first, "b 10.00");
    check("a@1 | close=9 usd=10.00", "weights = { first = 0.0 }\nrest = 1.0", "a 10.00");
}

#[test]
fn weights_that_are_scaled_keep_their_proportions() {
    let view_through = "weights = { first = 0.1, lead = 0.266, opportunity = 0.266, closed = 0.266 }\nrest = 0.1\n\
                        normalize = true";
    check(
        "a@1 b@2 c@3 d@4 e@5 | lead=2 opp=3 close=5 usd=99.80",
        view_through,
        "a 10.00, b 26.60, c 26.60, d 10.00, e 26.60",
    );
    check(
        "a@1 b@2 c@3 | close=9 usd=8.00",
        "weights = { first = 3, last = 3 }\nrest = 2\nnormalize = true",
        "a 3.00, b 2.00, c 3.00",
    );
}

#[test]
fn a_model_that_weighs_nothing_in_a_journey_leaves_it_unattributed() {
    let no_calls = "rest = 1.0\nmultiply = { kind = { call = 0.0 } }";
    let texts = ["a@1:kind=call | close=9 usd=10.00", "a@1:kind=call b@2 | close=9 usd=5.00"];
    assert_eq!(by(&policy(), &texts, no_calls, By::Channel), "b 5.00, a 0.00, unattributed 10.00");
}

#[test]
fn what_has_no_key_and_what_nobody_earned_are_there_for_programs() {
    let texts = ["a@1:team=sales b@2 | close=9 usd=10.00", "| close=9 usd=5.00", "a@1 | close=9 eur=3.00"];
    let book = story::book(&texts);
    let credit =
        attribute(&journeys(&book, &policy()), &model("linear"), By::Team, &Rates::default(), Currency::USD);
    let told = serde_json::to_value(&credit).unwrap();
    assert_eq!(told["rows"][0]["key"], serde_json::Value::Null);
    assert_eq!(told["rows"][1]["key"], "sales");
    assert_eq!((&told["unattributed_minor"], &told["total_minor"]), (&500.into(), &1500.into()));
    assert_eq!(told["unconverted"][0]["currency"], "EUR");
    assert_eq!(told["unconverted"][0]["amount_minor"], 300);
}

#[test]
fn a_touch_without_a_channel_has_no_key_and_no_name_is_reserved() {
    let by =
        |touches: &str| by(&policy(), &[&format!("{touches} | close=9 usd=10.00")], "linear", By::Channel);
    assert_eq!(by("@1 a@2"), "- 5.00, a 5.00");
    assert_eq!(
        by("null@1 @2 unattributed@3 (start)@4"),
        "- 2.50, (start) 2.50, null 2.50, unattributed 2.50"
    );
    assert_eq!(by("Zürich,Messe@1 広告@2"), "Zürich,Messe 5.00, 広告 5.00");
}

#[test]
fn without_a_won_deal_there_is_nothing_to_credit() {
    let texts = ["a@1 | close=9 lost usd=10.00", "a@1 | open usd=5.00", "a@1", ""];
    for model in tributary_engine::Model::names() {
        assert_eq!(by(&policy(), &texts, &model, By::Channel), "");
    }
}

#[test]
fn milestones_after_the_end_of_another_goal_are_missing() {
    // Credited at its creation, a deal has not closed yet: 0.225 three times and the rest.
    let text = "a@1 b@2 c@3 d@8 | lead=2 opp=3 close=9 usd=77.50";
    check_under(&goal(Goal::Opportunity), text, "full_path", "a 25.84, b 25.83, c 25.83");
    check_under(
        &goal(Goal::Opportunity),
        "a@1 b@2 c@3 d@4 e@8 | lead=2 opp=4 close=9 usd=77.50",
        "full_path",
        "a 22.50, b 22.50, c 10.00, d 22.50",
    );
    // A lost deal closed as well.
    let lost = "a@1 b@2 c@3 d@4 e@8 | lead=2 opp=4 close=9 lost usd=100.00";
    check_under(&goal(Goal::Lost), lost, "full_path", "a 22.50, b 22.50, c 10.00, d 22.50, e 22.50");
}

#[test]
fn with_nothing_left_every_touch_weighs_the_same() {
    let lead_only = "weights = { lead = 1.0 }";
    check("a@1 b@2 | lead=2 close=9 usd=10.00", lead_only, "b 10.00");
    check("a@1 b@2 | close=9 usd=10.00", lead_only, "a 5.00, b 5.00");
    check(
        "a@1 b@2 | lead=0 close=9 usd=10.00",
        &format!("{lead_only}\nmissing = \"rest\""),
        "a 5.00, b 5.00",
    );
}

#[test]
fn last_non_direct_falls_back_to_the_last_touch() {
    check("email@1 direct@2 direct@3 | close=9 usd=10.00", "last_non_direct", "email 10.00");
    check("direct@1 direct@2:weight=0 | close=9 usd=10.00", "last_non_direct", "direct 10.00");
    check(
        "direct@1 direct@2 | close=9 usd=10.00",
        "exclude = { channel = [\"direct\"] }\nrest = 1.0",
        "nothing 10.00",
    );
}

#[test]
fn ends_are_those_of_the_touches_that_count() {
    let ends = "weights = { first = 0.75, last = 0.25 }\nexclude = { channel = [\"direct\"] }";
    check("direct@1 a@2 b@3 c@4 direct@5 | close=9 usd=10.00", ends, "a 7.50, c 2.50");
    check("direct@1 a@2 direct@3 | close=9 usd=10.00", ends, "a 10.00");
    check("a@1 b@2 | close=9 usd=10.00", ends, "a 7.50, b 2.50");
    let first = "weights = { first = 1.0 }\nexclude = { channel = [\"direct\"] }";
    check("direct@1 a@2 b@3 | close=9 usd=10.00", first, "a 10.00");
}

#[test]
fn of_touches_at_one_time_the_later_in_the_book_is_the_last() {
    check("a@1 b@1 c@1 | close=1 usd=10.00", "first", "a 10.00");
    check("a@1 b@1 c@1 | close=1 usd=10.00", "last", "c 10.00");
    check("a@1 b@1 c@2 | lead=1 close=9 usd=10.00", "weights = { lead = 1.0 }", "b 10.00");
    check("a@1 b@1 | close=9 usd=10.01", "time_decay", "a 5.01, b 5.00");
}

#[test]
fn a_milestone_belongs_to_the_last_touch_at_or_before_it() {
    let opportunity = "weights = { opportunity = 1.0 }";
    check("a@1 b@2 c@3 | opp=2 close=9 usd=1.00", opportunity, "b 1.00");
    check("a@1 b@2 c@3 | opp=1.999999 close=9 usd=1.00", opportunity, "a 1.00");
    check("a@1 b@2 c@3 | opp=2.999999 close=9 usd=1.00", opportunity, "b 1.00");
    // Created after it was closed: it can't have led there.
    check("a@1 b@2 c@3 | opp=10 close=9 usd=3.00", opportunity, "a 1.00, b 1.00, c 1.00");
}

#[test]
fn the_lead_is_the_earliest_creation_among_the_people_who_count() {
    let lead = "weights = { lead = 1.0 }";
    let text = "a@1:by=bob b@3 c@5:by=bob | lead=5 lead.bob=2 committee=ann primary=ann close=9 usd=1.00";
    check(text, lead, "a 1.00");
    check_under(&whose(Whose::Committee), text, lead, "b 1.00");
}

#[test]
fn nothing_after_the_close_counts() {
    check("a@1 b@9 c@9.1 | close=9 usd=10.00", "linear", "a 5.00, b 5.00");
    check("c@9.1 | close=9 usd=10.00", "linear", "nothing 10.00");
}

#[test]
fn touches_without_weight_are_gone_before_positions_and_milestones() {
    check("x@1:weight=0 a@2 b@3 y@4:weight=0 | lead=4 close=9 usd=10.00", "position", "a 5.00, b 5.00");
    check("a@2 b@3 y@4:weight=0 | lead=4 close=9 usd=10.00", "weights = { lead = 1.0 }", "b 10.00");
}

#[test]
fn the_sources_own_weights_count_only_where_a_model_says_so() {
    let text = "a@1:weight=0.5 b@2:weight=1.5 | close=9 usd=10.00";
    check(text, "linear", "a 5.00, b 5.00");
    check(text, "rest = 1.0\nuse_weight = true", "a 2.50, b 7.50");
}

#[test]
fn multipliers_and_exclusions_see_kind_team_role_direction_channel_campaign_and_source() {
    let text = "a@1:by=bob:kind=call:team=sales:campaign=q1:source=crm:outbound b@2 \
                | role.bob=champion close=9 usd=40.00";
    for (dimension, value) in [
        ("kind", "call"),
        ("team", "sales"),
        ("role", "champion"),
        ("direction", "outbound"),
        ("channel", "a"),
        ("campaign", "q1"),
        ("source", "crm"),
    ] {
        let multiply = format!("rest = 1.0\nmultiply = {{ {dimension} = {{ {value} = 3.0 }} }}");
        check(text, &multiply, "a 30.00, b 10.00");
        let exclude = format!("rest = 1.0\nexclude = {{ {dimension} = [\"{value}\"] }}");
        check(text, &exclude, "b 40.00");
        let other = format!("rest = 1.0\nmultiply = {{ channel = {{ nobody_knows_{value} = 3.0 }} }}");
        check(text, &other, "a 20.00, b 20.00");
    }
    let inbound = "rest = 1.0\nexclude = { direction = [\"inbound\"] }";
    check(text, inbound, "a 40.00");
    check(text, "rest = 1.0\nmultiply = { kind = { call = 0.0 } }", "b 40.00");
}

#[test]
fn positions_and_milestones_are_those_of_the_touches_that_are_not_excluded() {
    let no_calls = "weights = { first = 0.5, opportunity = 0.5 }\nexclude = { kind = [\"call\"] }";
    let text = "a@1:kind=call b@2 c@3 d@4:kind=call | opp=4 close=9 usd=10.00";
    check(text, no_calls, "b 5.00, c 5.00");
}

#[test]
fn a_model_may_look_back_less_far_than_the_policy() {
    check("a@1 b@5 c@8 | close=9 usd=10.00", "rest = 1.0\nlookback_days = 4.0", "b 5.00, c 5.00");
    check("a@1 | close=9 usd=10.00", "rest = 1.0\nlookback_days = 4.0", "nothing 10.00");
    let keep = "rest = 1.0\nlookback_days = 4.0\nif_all_excluded = \"keep\"";
    check("a@1 | close=9 usd=10.00", keep, "a 10.00");
}

#[test]
fn decay_works_on_the_weights_of_the_anchors() {
    let model = "weights = { first = 0.5, last = 0.5 }\nhalf_life_days = 7.0";
    check("a@1 b@8 c@8 | close=9 usd=9.00", model, "a 3.00, c 6.00");
    // The youngest touch that weighs anything sets the clock: no underflow.
    check(
        "a@1 b@8 c@20000 | close=30000 usd=9.00",
        "weights = { first = 1.0 }\nhalf_life_days = 7.0",
        "a 9.00",
    );
    check(
        "a@1 b@8 c@20000 | close=30000 usd=9.00",
        "rest = 1.0\nhalf_life_days = 7.0\nmultiply = { channel = { c = 0.0 } }",
        "a 3.00, b 6.00",
    );
}

#[test]
fn a_configured_milestone_is_the_last_entry_of_its_stages() {
    let mut policy = policy();
    policy.milestones.insert("meeting".to_owned(), ["Demo", "Visit"].map(str::to_owned).into());
    let model = "weights = { meeting = 1.0 }";
    check_under(&policy, "a@1 b@3 c@5 | stage.Demo=3 close=9 usd=1.00", model, "b 1.00");
    check_under(&policy, "a@1 b@3 c@5 | stage.Demo=1 stage.Visit=4 close=9 usd=1.00", model, "b 1.00");
    check_under(&policy, "a@1 b@3 c@5 | stage.Demo=3 stage.Demo=6 close=9 usd=1.00", model, "c 1.00");
    // What was entered after the close is another story.
    check_under(&policy, "a@1 b@3 c@5 | stage.Demo=3 stage.Demo=10 close=9 usd=1.00", model, "b 1.00");
    check_under(&policy, "a@1 b@2 | stage.Other=3 close=9 usd=1.00", model, "a 0.50, b 0.50");
}

#[test]
fn each_goal_ends_its_journeys_in_its_own_place() {
    let deals = "a@1 b@5 c@12 | opp=3 close=9 usd=1.00 | opp=2 close=13 lost usd=2.00 | opp=6 open usd=4.00 \
                 | open usd=8.00 | opp=7 close=8";
    let check = |goal_is, expected| check_under(&goal(goal_is), deals, "linear", expected);
    check(Goal::Won, "a 0.50, b 0.50 | a 0.00, b 0.00");
    check(Goal::Lost, "a 0.67, b 0.67, c 0.66");
    check(Goal::Opportunity, "a 1.00 | a 2.00 | a 2.00, b 2.00 | a 2.67, b 2.67, c 2.66 | a 0.00, b 0.00");
}

#[test]
fn an_open_deal_without_a_creation_ends_when_one_asks() {
    let text = "a@1 b@5 c@12 | open usd=8.00";
    let asked = Policy { as_of: day("6"), ..goal(Goal::Opportunity) };
    check_under(&asked, text, "linear", "a 4.00, b 4.00");
    check(text, "linear", "");
}

#[test]
fn a_lead_is_one_person_credited_to_what_touched_them_before() {
    let leads = goal(Goal::Lead);
    let text = "a@1 b@2:by=bob c@3 d@4:by=bob x@1:by=- | lead=3 lead.bob=2 lead.cid=9 close=9 usd=1.00";
    check_under(&leads, text, "linear", "a 500000, c 500000 | b 1000000 | nothing 1000000");
    check_under(&leads, "a@1 b@2 c@3 | lead=3", "linear", "a 333334, b 333333, c 333333");
    // Whose touches count is asked of deals; a lead has no committee.
    let primary = Policy { whose: Whose::Primary, ..goal(Goal::Lead) };
    check_under(&primary, "a@1 | lead=3", "linear", "a 1000000");
    // Somebody who moved is one lead, where they were when they were created.
    check_under(&leads, "a@1:by=Zoe | member.Zoe=3", "linear", "");
    // The lead is the end of the journey, and neither opportunity nor close is a part of it.
    check_under(&leads, "a@1 b@2 c@3 | lead=3 opp=1 close=2", "full_path", "a 409091, b 181818, c 409091");
}

fn whose(whose: Whose) -> Policy {
    Policy { whose, ..policy() }
}

#[test]
fn touches_of_all_of_the_committee_or_of_the_primary_contact() {
    let text = "a@1 b@2:by=bob c@3:by=cid d@4:by=- | primary=ann committee=bob close=9 usd=12.00";
    check_under(&whose(Whose::All), text, "linear", "a 3.00, b 3.00, c 3.00, d 3.00");
    check_under(&whose(Whose::Committee), text, "linear", "a 6.00, b 6.00");
    check_under(&whose(Whose::Primary), text, "linear", "a 12.00");
    check_under(&whose(Whose::Primary), "a@1 | committee=ann close=9 usd=1.00", "linear", "nothing 1.00");
    // Named twice, once as the primary contact.
    let twice = "a@1 | committee=ann:user primary=ann close=9 usd=1.00";
    check_under(&whose(Whose::Primary), twice, "linear", "a 1.00");
}

#[test]
fn a_look_back_counts_from_the_end_of_the_journey() {
    let ten = Policy { lookback_days: Some(10.0), ..policy() };
    check_under(&ten, "a@9.9 b@10 c@15 | close=20 usd=1.00", "linear", "b 0.50, c 0.50");
    check_under(&ten, "a@1 | close=20 usd=1.00", "linear", "nothing 1.00");
    // First touch and milestones are those within.
    check_under(&ten, "a@1 b@12 c@15 | lead=2 close=20 usd=1.00", "u", "b 0.67, c 0.33");
}

#[test]
fn pipelines_choose_deals() {
    let text = "a@1 | close=9 usd=1.00 pipeline=new | close=9 usd=2.00 pipeline=renewal | close=9 usd=4.00";
    check(text, "linear", "a 1.00 | a 2.00 | a 4.00");
    let new = Policy { pipelines: ["new".to_owned()].into(), ..policy() };
    check_under(&new, text, "linear", "a 1.00");
    let unknown = Policy { pipelines: ["other".to_owned()].into(), ..policy() };
    check_under(&unknown, text, "linear", "");
}

#[test]
fn a_period_is_half_open_and_asks_when_the_journey_ended() {
    let within = Policy { period: Some(Span { from: day("5"), until: day("9") }), ..policy() };
    let text = "a@1 | close=4.9 usd=1.00 | close=5 usd=2.00 | close=8.9 usd=4.00 | close=9 usd=8.00";
    check_under(&within, text, "linear", "a 2.00 | a 4.00");
    let created = Policy { goal: Goal::Opportunity, ..within.clone() };
    check_under(&created, "a@1 | opp=6 close=20 usd=1.00 | opp=4 close=6 usd=2.00", "linear", "a 1.00");
    let leads = Policy { goal: Goal::Lead, ..within };
    check_under(&leads, "a@1 b@1:by=bob | lead=6 lead.bob=9", "linear", "a 1000000");
}

#[test]
fn a_filter_asks_the_deal_and_its_account() {
    let emea = |goal| Policy { goal, filter: vec![("region".to_owned(), "EMEA".to_owned())], ..policy() };
    let text = "a@1 | lead=2 close=9 usd=1.00 region=EMEA | close=9 usd=2.00 region=APAC | close=9 usd=4.00";
    check_under(&emea(Goal::Won), text, "linear", "a 1.00");
    check_under(&emea(Goal::Lead), text, "linear", "");
    let all = &format!("{text} account.region=EMEA");
    check_under(&emea(Goal::Won), all, "linear", "a 1.00 | a 2.00 | a 4.00");
    check_under(&emea(Goal::Lead), all, "linear", "a 1000000");
    let filter = [("region", "EMEA"), ("size", "big")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    let both = Policy { filter: filter.to_vec(), ..policy() };
    check_under(&both, &format!("{all} size=big"), "linear", "a 4.00");
}

#[test]
fn one_touch_serves_every_deal_of_its_account_in_full() {
    let text = "a@1 b@5 | close=4 usd=10.00 | close=9 usd=10.00";
    check(text, "linear", "a 10.00 | a 5.00, b 5.00");
    assert_eq!(by(&policy(), &[text], "linear", By::Channel), "a 15.00, b 5.00");
}

#[test]
fn a_deal_that_nothing_touched_is_unattributed() {
    let texts = ["a@1 | close=9 usd=10.00", "| close=9 usd=5.00", "b@10 | close=9 usd=2.00"];
    assert_eq!(by(&policy(), &texts, "linear", By::Channel), "a 10.00, unattributed 7.00");
}

#[test]
fn the_committees_role_beats_the_persons_own() {
    let text = "a@1 b@2:by=bob c@3:by=cid d@4:by=- \
                | role.ann=user role.bob=user committee=ann:champion committee=bob close=9 usd=40.00";
    assert_eq!(by(&policy(), &[text], "linear", By::Role), "- 20.00, champion 10.00, user 10.00");
}

#[test]
fn every_dimension_has_keys_of_its_own() {
    let text = "a@1:kind=call:team=sales:campaign=q1:content=page:rep=Rita:source=crm:outbound b@2:by=- \
                | role.ann=user close=9 usd=9.00 | close=9 usd=1.00";
    for (dimension, expected) in [
        (By::Channel, "a 5.00, b 5.00"),
        (By::Campaign, "- 5.00, q1 5.00"),
        (By::Content, "- 5.00, page 5.00"),
        (By::Team, "- 5.00, sales 5.00"),
        (By::Rep, "- 5.00, Rita 5.00"),
        (By::Person, "- 5.00, ann 5.00"),
        (By::Role, "- 5.00, user 5.00"),
        (By::Kind, "b 5.00, call 5.00"),
        (By::Direction, "inbound 5.00, outbound 5.00"),
        (By::Account, "account 0 10.00"),
        (By::Deal, "account 0, deal 0 9.00, account 0, deal 1 1.00"),
        (By::Source, "- 5.00, crm 5.00"),
    ] {
        assert_eq!(by(&policy(), &[text], "linear", dimension), expected, "{dimension:?}");
    }
}

#[test]
fn people_without_an_account_share_one_key_and_one_who_moved_is_one_person() {
    let alone = ["a@1 | nowhere lead=2", "b@1:by=bob | nowhere lead.bob=2", "c@1 | lead=2"];
    assert_eq!(by(&goal(Goal::Lead), &alone, "linear", By::Account), "- 2000000, account 2 1000000");
    let moved = ["a@1:by=Zoe | close=9 usd=1.00", "b@5:by=Zoe | close=9 usd=2.00"];
    assert_eq!(by(&policy(), &moved, "linear", By::Person), "Zoe 3.00");
}
