//! What holds for every book, model, goal and policy.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::prelude::*;
use tributary_core::book::{Book, Outcome};
use tributary_core::{Currency, Money, Time};
use tributary_engine::credit::{Worth, worth};
use tributary_engine::differ::differ;
use tributary_engine::explain::explain;
use tributary_engine::influence::influence;
use tributary_engine::journey::Subject;
use tributary_engine::reconcile::reconcile;
use tributary_engine::{
    Attribution, By, Goal, Grouped, Model, Policy, Rates, Splits, Whose, attribute, attribute_all, compare,
    journeys,
};

use crate::story::{book_from, day, policy};

const GOALS: [Goal; 5] = [Goal::Won, Goal::Lost, Goal::Opportunity, Goal::Open, Goal::Lead];

/// A touch in words; a few share their time, and every fifth weighs nothing.
fn touch() -> impl Strategy<Value = String> {
    let who = prop::sample::select(vec!["ann", "bob", "cid", "-"]);
    let channel = prop::sample::select(vec!["email", "visit", "direct", "call"]);
    let team = prop::sample::select(vec!["", ":team=sales", ":team=sdr:outbound", ":campaign=q1:rep=Rita"]);
    let weight = prop::sample::select(vec!["", "", "", ":weight=0.5", ":weight=0"]);
    (channel, 0..40_u32, who, team, weight).prop_map(|(channel, half_days, who, team, weight)| {
        format!("{channel}@{}:by={who}{team}{weight}", f64::from(half_days) / 2.0)
    })
}

fn deal() -> impl Strategy<Value = String> {
    let end = prop::sample::select(vec!["", "close=18", "close=12", "close=9 lost", "close=15 won", "open"]);
    let amount = (prop::sample::select(vec!["usd", "usd", "eur", "jpy", "gbp"]), -5_000..200_000_i64);
    let committee =
        prop::sample::select(vec!["", "primary=ann:champion", "committee=bob committee=ann:user"]);
    let pipeline = prop::sample::select(vec!["", "pipeline=new", "pipeline=renewal region=EMEA"]);
    let opened = prop::option::of(0..20_u32);
    (end, prop::option::of(amount), committee, pipeline, opened).prop_map(
        |(end, amount, committee, pipeline, opened)| {
            let opened = opened.map_or(String::new(), |day| format!("opp={day}"));
            let amount = amount.map_or(String::new(), |(code, minor)| {
                let money = Money::new(minor, Currency::parse(code).unwrap());
                format!("{code}={}", money.to_decimal())
            });
            format!("{end} {amount} {committee} {pipeline} {opened}")
        },
    )
}

fn account() -> impl Strategy<Value = String> {
    let people = prop::sample::select(vec!["", "lead=2", "lead=7 lead.bob=3 role.bob=user", "lead.cid=19"]);
    let place = prop::sample::select(vec!["account.industry=finance", "", "", "nowhere"]);
    let (touches, deals) = (prop::collection::vec(touch(), 0..9), prop::collection::vec(deal(), 0..3));
    (touches, people, place, deals).prop_map(|(touches, people, place, deals)| {
        let own = format!("{people} {place}");
        let parts = [touches.join(" "), own].into_iter().chain(deals).collect::<Vec<_>>();
        parts.join(" | ")
    })
}

fn accounts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(account(), 1..5)
}

fn named(texts: &[String]) -> Vec<(String, &str)> {
    texts.iter().enumerate().map(|(index, text)| (format!("account {index}"), text.as_str())).collect()
}

/// Every goal under a few policies.
fn policies() -> Vec<Policy> {
    let narrow = Policy { whose: Whose::Committee, lookback_days: Some(8.0), ..policy() };
    let period = tributary_core::time::Span { from: day("3"), until: day("15") };
    let primary = Policy { whose: Whose::Primary, period: Some(period), ..policy() };
    let filter = vec![("industry".to_owned(), "finance".to_owned())];
    let chosen = Policy { pipelines: ["new".to_owned()].into(), filter, ..policy() };
    let each =
        |goal| [policy(), narrow.clone(), primary.clone(), chosen.clone()].map(|it| Policy { goal, ..it });
    GOALS.into_iter().flat_map(each).collect()
}

fn moved(policy: &Policy, shift: i64) -> Policy {
    let period = policy.period.map(|span| tributary_core::time::Span {
        from: Time(span.from.0 + shift),
        until: Time(span.until.0 + shift),
    });
    Policy { as_of: Time(policy.as_of.0 + shift), period, ..policy.clone() }
}

/// Pounds have no rate, and euros only from day 10 on.
fn rates(shift: i64) -> Rates {
    let mut rates = Rates::default();
    rates.add(Time(day("10").0 + shift), Currency::EUR, Currency::USD, "1.0837".parse().unwrap());
    rates.add(Time::MIN, Currency::USD, Currency::parse("JPY").unwrap(), "149.3".parse().unwrap());
    rates
}

/// The built-in models, the presets and a model of one's own.
fn with(own: &Model) -> Vec<&Model> {
    static KNOWN: LazyLock<Vec<Model>> = LazyLock::new(|| {
        let names = [Model::names(), Model::presets()].concat();
        names.iter().map(|name| Model::builtin(name).unwrap()).collect()
    });
    KNOWN.iter().chain([own]).collect()
}

/// A model of one's own that makes use of whatever models may say.
fn own() -> impl Strategy<Value = Model> {
    let weight = || prop::option::of(0.0..1.0_f64);
    let weights = (weight(), weight(), weight(), weight(), weight(), 0.01..1.0_f64);
    let anchor = prop::sample::select(vec![
        "",
        "anchors.opportunity = { among = { channel = [\"email\"] } }",
        "anchors.lead = { held_by = \"person\" }",
        "anchors.lead = { take = \"each\" }",
        "anchors.lead = { held_by = \"touch\", take = \"each\", among = { channel = [\"visit\"] } }",
    ]);
    let missing = prop::sample::select(vec![
        "",
        "missing = \"rest\"",
        "missing = { next = [\"lead\", \"opportunity\", \"closed\"] }\npending = true",
    ]);
    let share = prop::sample::select(vec![
        "",
        "rest_per = [\"channel\"]",
        "rest_per = [\"person\", \"campaign\"]",
        "points = [{ points = 3, when = [\"primary_contact\"] }, { points = 1, when = [\"before_opportunity\"] }]",
    ]);
    let decay = prop::sample::select(vec![
        "",
        "half_life_days = 3.5",
        "decay = \"rank\"",
        "decay = \"step\"\nhalf_life_days = 2",
        "lookback_days = 10.0\nhalf_life_of_lookback = 0.25",
    ]);
    let out = prop::sample::select(vec![
        "",
        "exclude = { channel = [\"direct\"] }",
        "exclude = { direction = [\"outbound\"] }\nif_all_excluded = \"keep\"",
        "exclude_after = { opportunity = { channel = [\"visit\", \"direct\"] } }",
        "only_as_anchor = { channel = [\"visit\", \"email\"] }",
        "whose = \"committee\"",
        "use_weight = true\nmultiply = { team = { sales = 2.0 }, role = { user = 0.0 } }",
    ]);
    (weights, anchor, missing, share, decay, out).prop_map(|(weights, anchor, missing, share, decay, out)| {
        let (first, last, lead, opportunity, closed, rest) = weights;
        let named = [("first", first), ("last", last), ("closed", closed)];
        // An anchor that is described has a weight.
        let asked = [("lead", lead.or(Some(0.2))), ("opportunity", opportunity.or(Some(0.3)))];
        let all = named.into_iter().chain(asked);
        let given: Vec<String> = all.filter_map(|(name, it)| Some(format!("{name} = {}", it?))).collect();
        let weights = format!("weights = {{ {} }}\nrest = {rest}\nnormalize = true", given.join(", "));
        Model::parse("own", &[&weights, anchor, missing, share, decay, out].join("\n")).unwrap()
    })
}

fn credits(book: &Book, policy: &Policy, model: &Model, by: By, shift: i64) -> Attribution {
    attribute(&journeys(book, policy), model, by, &rates(shift), Currency::USD)
}

fn sum(credit: &Attribution) -> i64 {
    credit.rows.iter().map(|row| row.credit_minor).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn credit_and_the_unattributed_are_the_total_in_every_dimension(
        texts in accounts(),
        own in own(),
        policy in prop::sample::select(policies()),
    ) {
        let book = book_from(&named(&texts), 0);
        for model in with(&own) {
            let first = credits(&book, &policy, model, By::Channel, 0);
            for by in By::ALL {
                let credit = credits(&book, &policy, model, by, 0);
                prop_assert_eq!(sum(&credit) + credit.unattributed_minor, credit.total_minor);
                prop_assert_eq!(credit.total_minor, first.total_minor);
                prop_assert_eq!(credit.unattributed_minor, first.unattributed_minor);
                prop_assert_eq!(&credit.unconverted, &first.unconverted);
                let keys: Vec<_> = credit.rows.iter().map(|row| (&row.key, &row.label)).collect();
                let unique: std::collections::BTreeSet<_> = keys.iter().collect();
                prop_assert_eq!(unique.len(), keys.len(), "a key twice by {:?}", by);
            }
        }
    }

    #[test]
    fn the_total_is_what_the_deals_say(texts in accounts()) {
        let book = book_from(&named(&texts), 0);
        for (goal, outcome) in [(Goal::Won, Outcome::Won), (Goal::Lost, Outcome::Lost)] {
            let deals = book.deals.iter().filter(|deal| deal.outcome == outcome);
            let total: i64 = deals
                .filter_map(|deal| rates(0).convert(deal.amount?, Currency::USD, deal.closed_at.unwrap_or(day("100"))))
                .map(|money| money.minor)
                .sum();
            let policy = Policy { goal, ..policy() };
            prop_assert_eq!(credits(&book, &policy, &Model::builtin("w").unwrap(), By::Team, 0).total_minor, total);
        }
    }

    #[test]
    fn moving_all_times_changes_nothing(texts in accounts(), own in own(), shift in 0_i64..4_000_000_000_000_000) {
        let (book, later) = (book_from(&named(&texts), 0), book_from(&named(&texts), shift));
        for policy in policies() {
            for model in with(&own) {
                let before = credits(&book, &policy, model, By::Channel, 0);
                let after = credits(&later, &moved(&policy, shift), model, By::Channel, shift);
                prop_assert_eq!(before, after);
            }
        }
    }

    #[test]
    fn touches_that_weigh_nothing_change_nothing(texts in accounts(), own in own()) {
        let silent = |word: &&str| !word.ends_with(":weight=0");
        let without: Vec<String> = texts
            .iter()
            .map(|text| text.split_whitespace().filter(silent).collect::<Vec<_>>().join(" "))
            .collect();
        let (book, less) = (book_from(&named(&texts), 0), book_from(&named(&without), 0));
        for policy in policies() {
            for model in with(&own) {
                let before = credits(&book, &policy, model, By::Channel, 0);
                prop_assert_eq!(before, credits(&less, &policy, model, By::Channel, 0));
            }
        }
    }

    #[test]
    fn the_order_of_the_accounts_changes_nothing(
        texts in accounts(),
        own in own(),
        turn in 0..4_usize,
        policy in prop::sample::select(policies()),
    ) {
        let mut other = named(&texts);
        let book = book_from(&other, 0);
        other.reverse();
        let turn = turn % other.len();
        other.rotate_left(turn);
        let turned = book_from(&other, 0);
        for model in with(&own) {
            for by in By::ALL {
                let before = credits(&book, &policy, model, by, 0);
                prop_assert_eq!(before, credits(&turned, &policy, model, by, 0));
            }
        }
    }

    #[test]
    fn weights_sum_to_one_or_there_are_none(texts in accounts(), own in own()) {
        let book = book_from(&named(&texts), 0);
        for policy in policies() {
            let found = journeys(&book, &policy);
            for model in with(&own) {
                let (mut bound, mut weights) = (model.bind(&found), Vec::new());
                for journey in &found.list {
                    bound.weights(&found, journey, &mut weights);
                    let sum: f64 = weights.iter().sum();
                    prop_assert!(weights.iter().all(|weight| *weight >= 0.0), "{}: {:?}", model.name, weights);
                    prop_assert!(sum == 0.0 || (sum - 1.0).abs() < 1e-9, "{}: {}", model.name, sum);
                }
            }
        }
    }

    #[test]
    fn every_account_is_a_world_of_its_own(texts in accounts(), own in own()) {
        let whole = book_from(&named(&texts), 0);
        for policy in policies() {
            for model in with(&own) {
                let mut sums: BTreeMap<Option<String>, i64> = BTreeMap::new();
                for account in named(&texts) {
                    let alone = book_from(std::slice::from_ref(&account), 0);
                    for row in credits(&alone, &policy, model, By::Channel, 0).rows {
                        *sums.entry(row.key).or_default() += row.credit_minor;
                    }
                }
                let rows = credits(&whole, &policy, model, By::Channel, 0).rows;
                let together: BTreeMap<_, _> = rows.into_iter().map(|row| (row.key, row.credit_minor)).collect();
                prop_assert_eq!(sums, together);
            }
        }
    }

    #[test]
    fn the_books_balance(texts in accounts(), own in own()) {
        let book = book_from(&named(&texts), 0);
        for policy in policies() {
            let found = journeys(&book, &policy);
            for model in with(&own) {
                let accounts = reconcile(&found, model, &rates(0), Currency::USD);
                prop_assert!(accounts.balances, "{:?} {}: {:?}", policy, model.name, accounts);
            }
        }
    }

    #[test]
    fn a_deal_explained_is_a_deal_credited(texts in accounts(), own in own()) {
        let book = book_from(&named(&texts), 0);
        for policy in policies().into_iter().filter(|policy| policy.goal != Goal::Lead) {
            let found = journeys(&book, &policy);
            for model in with(&own) {
                let mut explained: BTreeMap<String, i64> = BTreeMap::new();
                for journey in &found.list {
                    let Subject::Deal(row) = journey.subject else { unreachable!() };
                    let deal = book.terms.get(book.deals[row].key).unwrap().to_owned();
                    for touch in explain(&found, journey, std::slice::from_ref(model), &rates(0), Currency::USD) {
                        let credit = &touch.credits[0];
                        prop_assert_eq!(credit.rule.is_empty(), credit.weight <= 0.0);
                        *explained.entry(deal.clone()).or_default() += credit.credit_minor;
                    }
                }
                explained.retain(|_, credit| *credit != 0);
                let credit = attribute(&found, model, By::Deal, &rates(0), Currency::USD);
                let rows = credit.rows.into_iter().filter(|row| row.credit_minor != 0);
                let credited: BTreeMap<_, _> = rows.map(|row| (row.key.unwrap(), row.credit_minor)).collect();
                prop_assert_eq!(explained, credited, "{}", model.name);
            }
        }
    }

    #[test]
    fn one_pass_says_what_each_models_weights_say_split_touch_by_touch(
        texts in accounts(),
        own in own(),
        policy in prop::sample::select(policies()),
    ) {
        let book = book_from(&named(&texts), 0);
        let found = journeys(&book, &policy);
        let models: Vec<Model> = with(&own).into_iter().cloned().collect();
        let all = attribute_all(&found, &models, By::Team, &rates(0), Currency::USD);
        let grouped = Grouped::new(&found, By::Team);
        let splits: Vec<Splits<'_>> = models.iter().map(Into::into).collect();
        let unrounded = grouped.unrounded(&splits, &rates(0), Currency::USD);
        for ((model, credit), sums) in models.iter().zip(&all).zip(&unrounded) {
            prop_assert_eq!(credit, &attribute(&found, model, By::Team, &rates(0), Currency::USD));
            let mut expected: BTreeMap<Option<String>, (f64, i64)> = BTreeMap::new();
            let (mut bound, mut weights) = (model.bind(&found), Vec::new());
            for journey in &found.list {
                let Worth::Minor(minor) = worth(journey, &rates(0), Currency::USD) else { continue };
                bound.weights(&found, journey, &mut weights);
                let mut shares = Vec::new();
                tributary_core::money::split(minor, &weights, &mut shares);
                for ((row, weight), share) in found.touches(journey).iter().zip(&weights).zip(shares) {
                    let team = book.terms.get(book.touches.team[row]).map(str::to_owned);
                    let slot = expected.entry(team).or_default();
                    *slot = (slot.0 + minor as f64 * weight, slot.1 + share);
                }
            }
            for (group, sum) in sums.iter().enumerate() {
                let (expected, _) = expected.get(&grouped.name(group).0).copied().unwrap_or_default();
                prop_assert!((sum - expected).abs() < 1e-4, "{}: {} is not {}", model.name, sum, expected);
            }
            for row in &credit.rows {
                prop_assert_eq!(row.credit_minor, expected[&row.key].1, "{}: {:?}", model.name, row.key);
            }
        }
    }

    #[test]
    fn models_side_by_side_say_what_each_says_alone(texts in accounts(), own in own()) {
        let book = book_from(&named(&texts), 0);
        for by in By::ALL {
            let alone: Vec<_> = with(&own).iter().map(|model| credits(&book, &policy(), model, by, 0)).collect();
            let together = compare::compare(&alone).unwrap();
            for (index, credit) in alone.iter().enumerate() {
                let column: i64 = together.lines.iter().map(|line| line.cells[index].credit_minor).sum();
                prop_assert_eq!(column, sum(credit));
                prop_assert_eq!(column + together.unattributed_minor[index], together.total_minor);
                for line in &together.lines {
                    let cell = line.cells[index];
                    prop_assert_eq!(cell.difference_minor, cell.credit_minor - line.cells[0].credit_minor);
                    prop_assert!(cell.rank > 0);
                }
            }
        }
    }

    #[test]
    fn reasons_account_for_every_difference(
        texts in accounts(),
        own in own(),
        other in prop::sample::select([Model::names(), Model::presets()].concat()),
        policy in prop::sample::select(policies()),
    ) {
        let book = book_from(&named(&texts), 0);
        let found = journeys(&book, &policy);
        let other = Model::builtin(&other).unwrap();
        for by in By::ALL {
            let why = differ(&found, [&own, &other], by, &rates(0), Currency::USD);
            let alone = [&own, &other].map(|model| credits(&book, &policy, model, by, 0));
            let unattributed = alone[0].unattributed_minor - alone[1].unattributed_minor;
            let of_reasons: i64 = why.reasons.iter().map(|reason| reason.sum.difference_minor).sum();
            prop_assert_eq!(of_reasons, unattributed);
            let both = compare::compare(&alone).unwrap();
            for line in both.lines {
                let key = why.keys.iter().find(|it| (&it.key, &it.label) == (&line.key, &line.label));
                let difference = key.map_or(0, |it| it.difference_minor);
                prop_assert_eq!(difference, line.cells[1].difference_minor);
            }
            let (moved, same) = (why.moved_minor, why.reasons.is_empty());
            prop_assert!(moved >= 0 && (moved == 0) == same, "{} {}", moved, why.reasons.len());
        }
        let same = differ(&found, [&own, &own], By::Channel, &rates(0), Currency::USD);
        prop_assert!(same.reasons.is_empty() && same.definitions.is_empty() && same.moved_minor == 0);
    }

    #[test]
    fn influence_counts_each_deal_in_full_and_once_by_deal(
        texts in accounts(),
        policy in prop::sample::select(policies()),
    ) {
        let book = book_from(&named(&texts), 0);
        let found = journeys(&book, &policy);
        for by in By::ALL {
            let influence = influence(&found, by, &rates(0), Currency::USD);
            let credit = credits(&book, &policy, &Model::builtin("linear").unwrap(), by, 0);
            prop_assert_eq!(influence.total_minor, credit.total_minor);
            prop_assert_eq!(influence.untouched_minor, credit.unattributed_minor);
            for row in &influence.rows {
                let same = credit.rows.iter().find(|it| (&it.key, &it.label) == (&row.key, &row.label)).unwrap();
                prop_assert_eq!((same.touches, same.deals), (row.touches, row.deals));
            }
            // One key a deal, one deal a key: then, and only then, it is the credit.
            if by == By::Deal {
                for row in &influence.rows {
                    let same = credit.rows.iter().find(|it| (&it.key, &it.label) == (&row.key, &row.label));
                    prop_assert_eq!(same.unwrap().credit_minor, row.influenced_minor);
                }
            }
        }
    }
}
