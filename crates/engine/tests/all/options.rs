//! What models of one's own may say beyond weights: anchors, shares of the rest, decay, whose touches, open deals.

use tributary_engine::model::ModelError;
use tributary_engine::{Goal, Model, Policy};

use crate::story::{check, check_under, day, goal, policy, rules};

/// The policy with the stage `Demo` as the milestone `demo`.
fn with_demo() -> Policy {
    let mut policy = policy();
    policy.milestones.insert("demo".to_owned(), ["Demo".to_owned()].into());
    policy
}

#[test]
fn a_stage_that_came_again_counts_first_last_or_each_time() {
    let text = "a@1 b@3 c@5 d@7 | stage.Demo=3 stage.Demo=5 stage.Demo=6 stage.Demo=20 close=9 usd=90.00";
    let model = |take: &str| {
        format!("weights = {{ demo = 0.9 }}\nrest = 0.1\nanchors.demo = {{ take = \"{take}\" }}")
    };
    let check = |take, expected| check_under(&with_demo(), text, &model(take), expected);
    check("first", "a 3.00, b 81.00, c 3.00, d 3.00");
    check("last", "a 3.00, b 3.00, c 81.00, d 3.00");
    // Entered three times before the close: once with b, twice with c.
    check("each", "a 4.50, b 27.00, c 54.00, d 4.50");
    let early = "a@4 b@6 | stage.Demo=3 stage.Demo=5 close=9 usd=10.00";
    let each = "weights = { demo = 1.0 }\nanchors.demo = { take = \"each\" }";
    check_under(&with_demo(), early, each, "a 10.00");
}

#[test]
fn leads_may_count_first_last_or_each() {
    let text = "a@1 b@3:by=bob c@5 | lead=1 lead.bob=3 lead.cid=30 close=9 usd=90.00";
    let model = |take: &str| format!("weights = {{ lead = 1.0 }}\nanchors.lead = {{ take = \"{take}\" }}");
    check(text, &model("first"), "a 90.00");
    check(text, &model("last"), "b 90.00");
    check(text, &model("each"), "a 45.00, b 45.00");
}

#[test]
fn an_anchor_may_be_a_touch_of_a_kind() {
    let text = "a@1 demo@3 b@4 demo@5 | close=9 usd=90.00";
    let model = |take: &str| {
        format!(
            "weights = {{ shown = 0.9 }}\nrest = 0.1\n\
             anchors.shown = {{ held_by = \"touch\", take = \"{take}\", among = {{ kind = [\"demo\"] }} }}"
        )
    };
    check(text, &model("first"), "a 3.00, demo 81.00, b 3.00, demo 3.00");
    check(text, &model("last"), "a 3.00, demo 3.00, b 3.00, demo 81.00");
    check(text, &model("each"), "a 4.50, demo 40.50, b 4.50, demo 40.50");
    check("a@1 b@2 | close=9 usd=90.00", &model("each"), "a 45.00, b 45.00");
}

#[test]
fn a_milestone_may_belong_to_some_touches_alone() {
    let calls = "weights = { opportunity = 1.0 }\nanchors.opportunity = { among = { kind = [\"call\"] } }";
    check("call@1 mail@3 | opp=4 close=9 usd=1.00", calls, "call 1.00");
    check("mail@3 | opp=4 close=9 usd=1.00", calls, "mail 1.00");
    assert_eq!(rules("mail@3 | opp=4 close=9 usd=1.00", calls), "mail: nothing else left");
}

#[test]
fn the_rest_may_be_the_same_for_every_channel() {
    let unique = "rest = 1.0\nrest_per = [\"channel\"]";
    check("a@1 a@2 a@3 b@4 | close=9 usd=60.00", unique, "a 10.00, a 10.00, a 10.00, b 30.00");
    // Beside anchors it is the channels of the rest that share.
    let first = "weights = { first = 0.4 }\nrest = 0.6\nrest_per = [\"channel\"]";
    check("a@1 a@2 a@3 b@4 | close=9 usd=10.00", first, "a 4.00, a 1.50, a 1.50, b 3.00");
    let both = "rest = 1.0\nrest_per = [\"channel\", \"person\"]";
    check("a@1 a@2:by=bob a@3:by=bob b@4:by=- | close=9 usd=6.00", both, "a 2.00, a 1.00, a 1.00, b 2.00");
}

#[test]
fn touches_may_count_only_where_they_hold_an_anchor() {
    let model = "weights = { first = 0.5 }\nrest = 0.5\nonly_as_anchor = { kind = [\"visit\"] }";
    check("visit@1 visit@2 mail@3 | close=9 usd=1.00", model, "visit 0.50, mail 0.50");
    check("visit@1 visit@2 | close=9 usd=1.00", model, "visit 1.00");
    let no_first = "rest = 1.0\nonly_as_anchor = { kind = [\"visit\"] }";
    check("visit@1 visit@2 | close=9 usd=1.00", no_first, "visit 0.50, visit 0.50");
}

#[test]
fn what_does_not_count_may_depend_on_a_milestone() {
    let model = "rest = 1.0\nexclude_after = { opportunity = { kind = [\"visit\"] } }";
    let text = "visit@1 visit@5 mail@6 visit@7 | opp=5 close=9 usd=3.00";
    check(text, model, "visit 1.00, visit 1.00, mail 1.00");
    // Without an opportunity there is no after.
    check("visit@1 visit@5 | close=9 usd=2.00", model, "visit 1.00, visit 1.00");
}

#[test]
fn an_empty_text_is_a_touch_without_the_dimension() {
    check("a@1 b@2:campaign=q1 | close=9 usd=1.00", "rest = 1.0\nexclude = { campaign = [\"\"] }", "b 1.00");
    check(
        "a@1 b@2:by=- | role.ann=user close=9 usd=1.00",
        "rest = 1.0\nexclude = { role = [\"\"] }",
        "a 1.00",
    );
}

#[test]
fn a_model_may_count_the_touches_of_the_committee_alone() {
    let text = "x@1:by=bob a@2 b@3:by=cid | lead=3 lead.bob=1 lead.cid=3 close=9 usd=10.00 primary=ann committee=cid";
    let model = |whose: &str| format!("weights = {{ lead = 0.8 }}\nrest = 0.2\nwhose = \"{whose}\"");
    check(text, &model("all"), "x 8.00, a 1.00, b 1.00");
    check(text, &model("committee"), "a 2.00, b 8.00");
    check(text, &model("primary"), "a 10.00");
    assert_eq!(
        rules(text, &model("primary")),
        "x: not by the primary contact, a: lead, b: not by the primary contact"
    );
}

#[test]
fn a_step_decay_halves_by_whole_half_lives_before_the_close() {
    let step = "rest = 1.0\ndecay = \"step\"\nhalf_life_days = 7.0";
    // Ages 20.5, 13, 6.9 and 0: 2, 1, 0 and 0 half-lives.
    check("a@79.5 b@87 c@93.1 d@100 | close=100 usd=11.00", step, "a 1.00, b 2.00, c 4.00, d 4.00");
    // The close sets the steps, not the last touch.
    check("a@85 b@92.9 | close=100 usd=3.00", step, "a 1.00, b 2.00");
    check("a@85 b@90 | close=100 usd=30.00", step, "a 10.00, b 20.00");
    // No underflow, however old.
    check("a@1 b@8 | close=20007 usd=3.00", step, "a 1.00, b 2.00");
}

#[test]
fn a_rank_decay_goes_by_place() {
    // 2i/(n(n+1)).
    check(
        "a@1 b@2 c@50 d@51 | close=90 usd=10.00",
        "rest = 1.0\ndecay = \"rank\"",
        "a 1.00, b 2.00, c 3.00, d 4.00",
    );
}

#[test]
fn open_deals_end_when_one_asks() {
    let open = Policy { as_of: day("6"), ..goal(Goal::Open) };
    let text =
        "a@1 b@5 c@12 | opp=3 open usd=8.00 close=20 open | close=5 usd=1.00 | opp=2 close=5 lost usd=2.00";
    check_under(&open, text, "linear", "a 4.00, b 4.00");
    // A period asks when the deal was created: they all end alike.
    let span = |from, until| Some(tributary_core::time::Span { from: day(from), until: day(until) });
    check_under(&Policy { period: span("2", "4"), ..open.clone() }, text, "linear", "a 4.00, b 4.00");
    check_under(&Policy { period: span("4", "90"), ..open.clone() }, text, "linear", "");
    let pending = "weights = { first = 0.5, closed = 0.5 }\npending = true";
    check_under(&open, text, pending, "a 4.00, b 4.00");
    // Expected to close before one asks, and still open: it has not closed.
    let late = Policy { as_of: day("30"), ..open };
    check_under(&late, text, pending, "a 4.00, c 4.00");
    check_under(&late, text, "weights = { closed = 0.5 }\nrest = 0.5", "a 2.67, b 2.67, c 2.66");
    check_under(&late, "a@1 | opp=3 close=20 open usd=8.00", "marketo_full_path", "a 8.00");
    // Once closed, nothing is pending.
    check("a@1 b@5 c@12 | close=7 usd=8.00", pending, "a 4.00, b 4.00");
}

#[test]
fn a_model_that_makes_no_sense_says_why() {
    let refused = |toml: &str| Model::parse("x", toml).unwrap_err().to_string();
    for (toml, why) in [
        ("rest = 1.0\nexclude = { chanel = [\"x\"] }", "`chanel` is no dimension of a model"),
        ("rest = 1.0\nrest_per = [\"day\"]", "`day` is no dimension of a model"),
        ("rest = 1.0\nexclude_after = { lead = { kid = [] } }", "`kid` is no dimension of a model"),
        (
            "rest = 1.0\nexclude = { direction = [\"out\"] }",
            "`out` is no direction (expected inbound or outbound)",
        ),
        ("rest = 1.0\nmultiply = { direction = { in = 2.0 } }", "`in` is no direction"),
        (
            "weights = { first = 1.0 }\nanchors.first = { take = \"each\" }",
            "`anchors.first`: first and last are positions",
        ),
        ("rest = 1.0\nanchors.demo = { take = \"each\" }", "`anchors.demo` has no weight"),
        (
            "weights = { demo = 1.0 }\nanchors.demo = { held_by = \"touch\" }",
            "`anchors.demo` is held by touches: say which",
        ),
        (
            "weights = { demo = 1.0 }\nanchors.demo = { held_by = \"person\" }",
            "`anchors.demo` can't be held by a person",
        ),
        ("rest = 1.0\npoints = [{ points = -1 }]", "`points` must be a number of 0 or more"),
        ("rest = 1.0\nhalf_life_of_lookback = 0.25", "`half_life_of_lookback` needs `lookback_days`"),
        (
            "rest = 1.0\nlookback_days = 9\nhalf_life_days = 2\nhalf_life_of_lookback = 0.25",
            "exclude each other",
        ),
        ("rest = 1.0\ndecay = \"step\"", "decay = \"step\" needs `half_life_days`"),
        ("rest = 1.0\ndecay = \"rank\"\nhalf_life_days = 2", "decay = \"rank\" goes by place"),
        ("rest = 1.0\nhalf_life_days = 0", "`half_life_days` must be above 0"),
        ("rest = 1.0\nwhose = \"nobody\"", "unknown variant `nobody`"),
    ] {
        let found = refused(toml);
        assert!(found.contains(why), "{toml}: {found}");
    }
    let unknown = Model::builtin("marketo_x").unwrap_err();
    assert!(
        matches!(&unknown, ModelError::Unknown { known, .. } if known.contains("marketo_w")),
        "{unknown}"
    );
}

#[test]
fn an_anchor_of_the_models_own_is_no_milestone_of_the_crm() {
    let model = Model::builtin("dreamdata_w").unwrap();
    assert_eq!(model.milestones().count(), 0);
    let marketo = Model::builtin("marketo_w").unwrap();
    assert_eq!(marketo.milestones().collect::<Vec<_>>(), ["opportunity", "closed", "opportunity"]);
}
