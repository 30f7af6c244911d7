//! Paths of a book: what converts, what does not, and what is neither.

use tributary_core::Currency;
use tributary_engine::paths::Paths;
use tributary_engine::{By, Goal, Policy, Rates, journeys};

use crate::story::{self, day, goal, policy};

/// Each path as `a > b = conversions/value/nulls`, oldest account first.
fn told(policy: &Policy, accounts: &[&str], by: By) -> String {
    let book = story::book(accounts);
    let paths = Paths::of_journeys(&journeys(&book, policy), by, &Rates::default(), Currency::USD);
    let walked = &paths.walked;
    let name = |key: &u32| walked.keys[*key as usize].as_deref().unwrap_or("-");
    let line = |path: usize| {
        let steps: Vec<&str> = walked.steps(path).keys.iter().map(name).collect();
        format!(
            "{} = {}/{}/{}",
            steps.join(" > "),
            paths.conversions[path],
            paths.value[path],
            paths.nulls[path]
        )
    };
    (0..paths.len()).map(line).collect::<Vec<_>>().join(", ")
}

const ACCOUNTS: [&str; 5] = [
    "b@1 a@2 | close=9 usd=10.00",
    "a@1 | close=9 lost usd=7.00",
    "c@1 | open",
    "c@1 c@2 a@3",
    "z@1 | close=9 gbp=10.00",
];

#[test]
fn what_was_won_converts_what_was_lost_or_came_to_nothing_does_not_and_open_deals_are_neither() {
    assert_eq!(told(&policy(), &ACCOUNTS, By::Channel), "b > a = 1/1000/0, a = 0/0/1, c > c > a = 0/0/1");
    assert_eq!(
        told(&goal(Goal::Lost), &ACCOUNTS, By::Channel),
        "a = 1/700/0, b > a = 0/0/1, z = 0/0/1, c > c > a = 0/0/1"
    );
}

#[test]
fn a_touch_without_the_dimension_is_a_step_without_a_name() {
    assert_eq!(told(&policy(), &["a@1:campaign=x a@2 | close=9 usd=1.00"], By::Campaign), "x > - = 1/100/0");
}

#[test]
fn leads_are_held_against_people_whom_the_crm_never_came_to_know() {
    let accounts = ["a@1:by=bob b@2:by=ann c@3:by=bob a@9:by=ann | lead=4"];
    assert_eq!(told(&goal(Goal::Lead), &accounts, By::Channel), "b = 1/1000000/0, a > c = 0/0/1");
}

#[test]
fn a_path_knows_its_account_its_deal_its_end_and_the_age_of_each_step() {
    let book = story::book(&ACCOUNTS);
    let paths =
        Paths::of_journeys(&journeys(&book, &policy()), By::Channel, &Rates::default(), Currency::USD);
    let walked = &paths.walked;
    assert_eq!(walked.steps(0).ages_days, [8.0, 7.0]);
    let about: Vec<_> = walked.about.iter().map(|about| (about.account, about.deal, about.end)).collect();
    assert_eq!(about, [(0, Some(0), day("9")), (1, Some(1), day("9")), (3, None, day("100"))]);
}

#[test]
fn reweighing_counts_each_path_so_many_times_and_shares_the_steps() {
    let book = story::book(&ACCOUNTS);
    let paths =
        Paths::of_journeys(&journeys(&book, &policy()), By::Channel, &Rates::default(), Currency::USD);
    let twice = paths.weighted(|path| if path == 0 { 2.0 } else { 0.0 });
    assert_eq!(
        (twice.conversions, twice.value, twice.nulls),
        (vec![2.0, 0.0, 0.0], vec![2000.0, 0.0, 0.0], vec![0.0; 3])
    );
    assert!(std::sync::Arc::ptr_eq(&paths.walked, &twice.walked));
}

#[test]
fn a_path_knows_its_amount_won_or_lost_and_the_attributes_of_its_deal_and_account() {
    let accounts = [
        "a@1 | account.segment=big account.region=EMEA | close=9 usd=10.00 | close=9 lost usd=7.00 region=APAC",
        "b@1 | account.segment=a_small_one | close=9 lost gbp=7.00",
        "c@1",
    ];
    let book = story::book(&accounts);
    let paths =
        Paths::of_journeys(&journeys(&book, &policy()), By::Channel, &Rates::default(), Currency::USD);
    let walked = &paths.walked;
    let names: Vec<&str> = walked.traits.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["region", "segment"]);
    let value = |number: &u32, place: usize| match number {
        0 => "-",
        number => &walked.traits[place].values[*number as usize - 1],
    };
    let told: Vec<_> = (0..paths.len())
        .map(|path| {
            let about = walked.steps(path).about.unwrap();
            (about.amount_minor, value(&about.traits[0], 0), value(&about.traits[1], 1))
        })
        .collect();
    assert_eq!(
        told,
        [
            (Some(1000.0), "EMEA", "big"),
            (Some(700.0), "APAC", "big"),
            (None, "-", "a_small_one"),
            (None, "-", "-")
        ]
    );
}
