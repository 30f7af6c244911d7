//! A question that loads only the columns it reads gets the answer of the whole book.

use std::collections::BTreeMap;

use tributary_core::book::{Chunk, Columns};
use tributary_core::{Book, Currency};
use tributary_engine::{
    By, Goal, Journeys, Model, Policy, Rates, Whose, attribute, columns, influence::influence, journeys,
};

use crate::story::{book, model, policy};

/// Books in which every dimension says something, and every kind of touch is left out somewhere.
const ACCOUNTS: [&str; 3] = [
    "a@1:by=bob:kind=call:team=sales:campaign=q1:content=page:rep=Rita:source=crm:outbound b@2:by=- c@3:weight=0 \
     direct@4:by=cid:weight=0.5 | role.bob=user lead=1 lead.bob=2 opp=3 close=9 usd=40.00 committee=bob:champion \
     committee=cid primary=ann pipeline=new region=EMEA primary_campaign=q1 stage.Demo=3 | opp=2 close=8 lost usd=7.00 account.size=big",
    "b@2:campaign=q2 a@5:team=partner:kind=event | lead=4 close=7 usd=11.11 primary=ann | opp=5 open usd=3.00",
    "d@1:by=Zoe | nowhere lead.Zoe=2 role.Zoe=user",
];

/// The built-in models, and one for each dimension that a model may look at.
fn models() -> Vec<Model> {
    let dimensions = [
        ("kind", "call"),
        ("team", "sales"),
        ("role", "champion"),
        ("direction", "outbound"),
        ("channel", "a"),
        ("campaign", "q1"),
        ("content", "page"),
        ("source", "crm"),
        ("person", "bob"),
    ];
    let looking = dimensions.iter().flat_map(|(dimension, value)| {
        [
            format!("rest = 1.0\nuse_weight = true\nmultiply = {{ {dimension} = {{ {value} = 3.0 }} }}"),
            format!("rest = 1.0\nlookback_days = 6.0\nexclude = {{ {dimension} = [\"{value}\"] }}"),
            format!("rest = 1.0\nexclude_after = {{ opportunity = {{ {dimension} = [\"{value}\"] }} }}"),
            format!("rest = 0.5\nrest_per = [\"{dimension}\"]\nweights = {{ first = 0.5 }}"),
            format!("weights = {{ last = 1.0 }}\nonly_as_anchor = {{ {dimension} = [\"{value}\"] }}"),
            format!(
                "weights = {{ own = 0.5 }}\nrest = 0.5\n\
                 anchors = {{ own = {{ held_by = \"touch\", among = {{ {dimension} = [\"{value}\"] }} }} }}"
            ),
        ]
    });
    let others = [
        "rest = 1.0\nwhose = \"primary\"",
        "rest = 1.0\npoints = [{ points = 3.0, when = [\"primary_contact\"] }, { points = 1.0 }]",
        "rest = 1.0\npoints = [{ points = 3.0, when = [\"primary_campaign\"] }, { points = 1.0 }]",
        "rest = 1.0\npoints = [{ points = 3.0, when = [\"before_opportunity\"] }, { points = 1.0 }]",
        "rest = 0.5\nweights = { lead = 0.5 }\nanchors = { lead = { take = \"each\", held_by = \"person\" } }",
    ];
    let built_in = [Model::names(), Model::presets()].concat();
    let built_in = built_in.iter().map(|name| model(name));
    built_in.chain(looking.map(|toml| model(&toml))).chain(others.map(model)).collect()
}

#[test]
fn every_question_reads_no_more_than_it_says_and_gets_the_same_answer() {
    let whole = book(&ACCOUNTS);
    let mut policies = Vec::new();
    for goal in [Goal::Won, Goal::Lost, Goal::Open, Goal::Opportunity, Goal::Lead] {
        for whose in [Whose::All, Whose::Committee, Whose::Primary] {
            policies.push(Policy { goal, whose, ..policy() });
        }
    }
    policies.push(Policy { filter: vec![("region".to_owned(), "EMEA".to_owned())], ..policy() });
    policies.push(Policy { pipelines: ["new".to_owned()].into(), lookback_days: Some(7.0), ..policy() });
    let milestones = [("demo".to_owned(), ["Demo".to_owned()].into())].into();
    policies.push(Policy { milestones, ..policy() });
    let mut models = models();
    models.push(model("weights = { first = 0.5, demo = 0.5 }"));
    let chunk = Chunk::write(&whole, &[]).expect("a chunk");
    let mut books: BTreeMap<Columns, Book> = BTreeMap::new();
    for policy in &policies {
        for by in By::ALL {
            let asked = columns(policy, &[], by);
            let few = books.entry(asked).or_insert_with(|| chunk.read(asked).expect("a book"));
            let answer =
                |book: &Book| influence(&journeys(book, policy), by, &Rates::default(), Currency::USD);
            assert_eq!(answer(few), answer(&whole), "by {by:?} under {policy:?}");
        }
        let all = journeys(&whole, policy);
        for model in &models {
            for by in By::ALL {
                let asked = columns(policy, &[model.columns()], by);
                let few = books.entry(asked).or_insert_with(|| chunk.read(asked).expect("a book"));
                let answer =
                    |found: &Journeys<'_>| attribute(found, model, by, &Rates::default(), Currency::USD);
                let few = answer(&journeys(few, policy));
                assert_eq!(few, answer(&all), "{} by {by:?} under {policy:?}", model.name);
            }
        }
    }
}

#[test]
fn a_plain_question_leaves_names_and_most_dimensions_alone() {
    let asked = columns(&policy(), &[model("linear").columns()], By::Channel);
    assert_eq!(asked, By::Channel.columns());
    assert_eq!(asked.iter().count(), Columns::BASE.iter().count() + 1);
}
