//! Answers over a small book made by hand.

use std::collections::BTreeMap;

use tributary_answers::journey::What;
use tributary_answers::what_if::{Change, WhatIf, what_if};
use tributary_answers::{
    AnswerError, Data, Question, Subject, attribution, evidence, explanation, export, influence, journey,
    reconciliation,
};
use tributary_core::book::{Account, Book, Deal, Direction, Member, NOBODY, Outcome, Person, Term, Touch};
use tributary_core::id::{AccountId, DealId, Hash, PersonId, TouchId};
use tributary_core::time::Zone;
use tributary_core::{Currency, Money, Time};
use tributary_engine::evidence::Effort;
use tributary_engine::learn::Method;
use tributary_engine::{By, Choice, Goal, Policy, Whose};
use tributary_store::landing::StreamCoverage;

/// The instant at which a day of the story begins.
fn day(n: i64) -> Time {
    Time(0).plus_days(n)
}

/// One account, two people, five touches, a won deal that closed on day 20 and a lost one.
fn book() -> Book {
    let mut book = Book::default();
    let id = |name: &str| Hash::of("test", &[name]);
    let mut term = |text: &str| book.terms.intern(text);
    let (ann, bob) = (term("Ann"), term("Bob"));
    let people = [("p1", ann, Some(day(2))), ("p2", bob, None)].map(|(key, label, created_at)| Person {
        id: PersonId(id(key)),
        key: term(key),
        label,
        role: term("user"),
        created_at,
        is_lead_here: created_at.is_some(),
    });
    let deal =
        |key: &str, amount: i64, closed: i64, outcome: Outcome, committee: Vec<Member>, terms: [Term; 2]| {
            Deal {
                id: DealId(id(key)),
                key: terms[0],
                label: terms[1],
                amount: Some(Money::new(amount, Currency::USD)),
                created_at: Some(day(10)),
                closed_at: Some(day(closed)),
                outcome,
                stage: Term::NONE,
                owner: Term::NONE,
                pipeline: Term::NONE,
                stages: Vec::new(),
                committee,
                attributes: Vec::new(),
            }
        };
    let champion = Member { person: 0, role: term("champion"), is_primary: true };
    let names = [[term("d1"), term("Big one")], [term("d2"), term("Twin")], [term("d3"), term("Twin")]];
    let deals = [
        deal("d1", 10_000, 20, Outcome::Won, vec![champion], names[0]),
        deal("d2", 5_000, 30, Outcome::Lost, Vec::new(), names[1]),
        deal("d3", 5_000, 30, Outcome::Lost, Vec::new(), names[2]),
    ];
    let touches = [
        ("t1", 1, 0, "ads", 1_000_000),
        ("t2", 3, 1, "mail", 1_000_000),
        ("t3", 4, 0, "bot", 0),
        ("t4", 15, NOBODY, "site", 1_000_000),
        ("t5", 25, 0, "late", 1_000_000),
    ]
    .map(|(key, at, person, channel, weight)| Touch {
        id: TouchId(id(key)),
        at: day(at),
        person,
        kind: term("visit"),
        direction: Direction::Inbound,
        channel: term(channel),
        weight,
        ..Touch::default()
    });
    let (key, label) = (term("a1"), term("Acme"));
    book.people.extend(people);
    book.deals.extend(deals);
    for touch in touches {
        book.touches.push(touch);
    }
    book.accounts.push(Account {
        id: Some(AccountId(id("a1"))),
        key,
        label,
        touches: 0..5,
        people: 0..2,
        deals: 0..3,
        attributes: Vec::new(),
    });
    book
}

fn data() -> Data {
    Data::of_book(book(), day(40))
}

fn question() -> Question {
    Question {
        policy: Policy::new(day(40)),
        currency: Currency::USD,
        fit_on: By::Channel,
        rules: "rules".to_owned(),
    }
}

fn models(names: &[&str]) -> Vec<Choice> {
    names.iter().map(|name| Choice::builtin(name).expect("a built-in model")).collect()
}

#[test]
fn what_a_report_prints_is_what_the_contract_says() {
    let answers = attribution::attribute(&data(), &question(), &models(&["first"]), By::Channel).unwrap();
    let json = serde_json::to_value(&answers[0]).unwrap();
    let keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    for key in [
        "model",
        "by",
        "goal",
        "currency",
        "rows",
        "unattributed_minor",
        "total_minor",
        "deals",
        "config_hash",
        "engine_version",
        "as_of",
    ] {
        assert!(keys.contains(&key), "{key} is missing in {keys:?}");
    }
    assert_eq!(json["as_of"], "1970-02-10T00:00:00Z");
    assert_eq!(
        json["rows"][0],
        serde_json::json!({ "key": "ads", "credit_minor": 10_000, "share": 1.0, "touches": 1, "deals": 1 })
    );
}

#[test]
fn the_stamp_changes_with_whatever_shapes_the_answer() {
    let first = models(&["first"]);
    let base = question().stamp(&first);
    assert_eq!(base, question().stamp(&first));
    let other = |change: fn(&mut Question)| {
        let mut question = question();
        change(&mut question);
        question.stamp(&first).config_hash
    };
    assert_ne!(base.config_hash, question().stamp(&models(&["last"])).config_hash);
    assert_ne!(base.config_hash, other(|it| it.policy.whose = Whose::Committee));
    assert_ne!(base.config_hash, other(|it| it.policy.lookback_days = Some(90.0)));
    assert_ne!(base.config_hash, other(|it| it.currency = Currency::EUR));
    assert_ne!(base.config_hash, other(|it| it.rules = "others".to_owned()));
}

#[test]
fn a_thing_is_found_by_id_or_by_name_whatever_its_case() {
    let book = book();
    assert_eq!(Subject::find(&book, "d1").unwrap(), Subject::Deal(0));
    assert_eq!(Subject::find(&book, "big ONE").unwrap(), Subject::Deal(0));
    assert_eq!(Subject::find(&book, " acme ").unwrap(), Subject::Account(0));
    assert!(matches!(Subject::find(&book, "nobody"), Err(AnswerError::Unknown { .. })));
    let error = Subject::find(&book, "twin").unwrap_err().to_string();
    assert_eq!(error, "`twin` names several: d2 (Twin), d3 (Twin)");
}

#[test]
fn a_deals_timeline_ends_with_the_deal() {
    let shown = journey::journey(&data(), &question(), Subject::Deal(0)).unwrap();
    let words: Vec<&str> = shown
        .events
        .iter()
        .map(|event| match &event.what {
            What::Touch(touch) => touch.channel.as_deref().unwrap_or("?"),
            What::LeadCreated { .. } => "lead",
            What::DealCreated { .. } => "created",
            What::Stage { .. } => "stage",
            What::DealClosed { .. } => "closed",
        })
        .collect();
    assert_eq!(words, ["ads", "lead", "mail", "bot", "created", "site", "closed"]);
}

#[test]
fn every_touch_of_the_account_is_explained_or_said_to_be_outside() {
    let explained = explanation::explain(&data(), &question(), &models(&["linear"]), "d1").unwrap();
    let outside: BTreeMap<&str, &str> = explained
        .touches
        .iter()
        .filter_map(|line| Some((line.touch.channel.as_deref()?, line.outside.as_deref()?)))
        .collect();
    assert_eq!(
        outside,
        BTreeMap::from([
            ("bot", "counts for nothing: a machine, one of our own people, or weight 0"),
            ("late", "after the journey's end"),
        ])
    );
    let credit: i64 =
        explained.touches.iter().flat_map(|line| &line.credits).map(|credit| credit.credit_minor).sum();
    assert_eq!(
        (credit, explained.worth_minor, explained.unattributed_minor),
        (10_000, Some(10_000), vec![0])
    );
}

#[test]
fn a_narrower_policy_gives_its_reason() {
    let mut question = question();
    let mut reasons = |change: fn(&mut Policy)| {
        question.policy = Policy::new(day(40));
        change(&mut question.policy);
        let explained = explanation::explain(&data(), &question, &models(&["linear"]), "d1").unwrap();
        explained.touches.into_iter().filter_map(|line| line.outside).collect::<Vec<_>>()
    };
    let committee = reasons(|policy| policy.whose = Whose::Committee);
    assert_eq!(committee.iter().filter(|reason| *reason == "by nobody of the committee").count(), 2);
    let late = reasons(|policy| policy.lookback_days = Some(10.0));
    assert_eq!(late.iter().filter(|reason| *reason == "before the look-back").count(), 2);
}

#[test]
fn a_deal_of_another_goal_is_outside_the_question() {
    let error = explanation::explain(&data(), &question(), &models(&["linear"]), "d2").unwrap_err();
    assert!(matches!(error, AnswerError::Outside(_)), "{error}");
}

#[test]
fn exported_credit_adds_up_to_each_deal() {
    let mut rows = Vec::new();
    export::credits(&data(), &question(), &models(&["first", "linear"]), |row| {
        rows.push(row);
        Ok::<(), AnswerError>(())
    })
    .unwrap();
    for model in ["first", "linear"] {
        let credit: f64 =
            rows.iter().filter(|row| row.model == model).map(|row| row.credit.parse::<f64>().unwrap()).sum();
        assert!((credit - 100.0).abs() < 1e-9, "{model}: {credit}");
    }
}

#[test]
fn the_accounts_balance() {
    for answer in
        reconciliation::reconcile(&data(), &question(), &models(&["first", "w", "time_decay"])).unwrap()
    {
        assert!(answer.accounts.balances, "{}", answer.model);
    }
}

/// What a change comes to, or why not.
fn what_if_set(models_asked: &[&str], changes: &[(&str, &str)]) -> Result<Vec<WhatIf>, AnswerError> {
    let changes: Vec<Change> = changes
        .iter()
        .map(|(name, value)| Change { name: (*name).to_owned(), value: (*value).to_owned() })
        .collect();
    what_if(&data(), &question(), &models(models_asked), &changes, By::Channel)
}

/// Keys with what they get and would get.
fn both(answer: &WhatIf) -> Vec<(&str, i64, i64)> {
    answer
        .rows
        .iter()
        .map(|row| (row.key.as_deref().unwrap_or("-"), row.saved_minor, row.credit_minor))
        .collect()
}

#[test]
fn a_changed_weight_counts_the_whole_book_again() {
    let answer =
        &what_if_set(&["position"], &[("position.first", "0.2"), ("position.last", "0.6")]).unwrap()[0];
    assert_eq!(both(answer), [("ads", 4_000, 2_000), ("site", 4_000, 6_000), ("mail", 2_000, 2_000)]);
    assert!(answer.notes.is_empty(), "{:?}", answer.notes);
    let saved =
        &attribution::attribute(&data(), &question(), &models(&["position"]), By::Channel).unwrap()[0];
    assert_eq!(answer.saved_config_hash, saved.stamp.config_hash);
    assert_ne!(answer.stamp.config_hash, saved.stamp.config_hash);
    let j = &attribution::attribute(&data(), &question(), &models(&["j"]), By::Channel).unwrap()[0];
    let credit: i64 = answer.rows.iter().map(|row| row.credit_minor).sum();
    assert_eq!((credit, answer.total_minor), (10_000, j.credit.total_minor));
}

#[test]
fn weights_that_no_longer_sum_to_one_are_scaled_and_it_says_so() {
    let answer = &what_if_set(&["position"], &[("position.last", "1.4")]).unwrap()[0];
    assert_eq!(both(answer), [("ads", 4_000, 2_000), ("site", 4_000, 7_000), ("mail", 2_000, 1_000)]);
    assert_eq!(
        answer.notes,
        ["the weights sum to 200 %: scaled to 100 %, so first 20 %, last 70 %, rest 10 %"]
    );
    assert_eq!(answer.changes[0].from, "0.4");
}

#[test]
fn the_policy_may_change_too() {
    let answers = what_if_set(&["linear", "first"], &[("lookback_days", "17")]).unwrap();
    assert_eq!(both(&answers[0]), [("ads", 3_334, 0), ("mail", 3_333, 5_000), ("site", 3_333, 5_000)]);
    assert_eq!(both(&answers[1]), [("ads", 10_000, 0), ("mail", 0, 10_000), ("site", 0, 0)]);
    assert_eq!(answers[0].changes, answers[1].changes);
    let committee = &what_if_set(&["linear"], &[("whose", "committee")]).unwrap()[0];
    assert_eq!(both(committee)[0], ("ads", 3_334, 10_000));
    let nobody = &what_if_set(&["linear"], &[("lookback_days", "1")]).unwrap()[0];
    assert_eq!((nobody.saved_unattributed_minor, nobody.unattributed_minor), (0, 10_000));
}

#[test]
fn what_is_set_to_what_it_is_changes_nothing() {
    for (name, value) in
        [("w.first", "0.3"), ("w.missing", "pro_rata"), ("lookback_days", "none"), ("whose", "all")]
    {
        let answer = &what_if_set(&["w"], &[(name, value)]).unwrap()[0];
        assert!(answer.rows.iter().all(|row| row.difference_minor == 0), "{name}: {:?}", answer.rows);
        assert_eq!(answer.stamp.config_hash, answer.saved_config_hash, "{name}");
        assert_eq!(answer.changes[0].from, value);
    }
}

#[test]
fn any_field_of_a_model_may_change() {
    for (model, name, text, from, expected) in [
        ("linear", "linear.half_life_days", "2", "none", ("site", 3_333, 9_771)),
        ("time_decay", "time_decay.half_life_days", "none", "7.0", ("site", 6_432, 3_333)),
        ("linear", "linear.exclude.channel", "ads,mail", "none", ("site", 3_333, 10_000)),
        ("linear", "linear.multiply.channel.site", "2", "none", ("site", 3_333, 5_000)),
        ("u", "u.missing", "rest", "pro_rata", ("site", 1_000, 1_000)),
        ("linear", "linear.decay", "rank", "continuous", ("site", 3_333, 5_000)),
        ("last", "last.opportunity", "1", "0", ("site", 10_000, 5_000)),
        ("last", "last.weights.opportunity", "1", "0", ("site", 10_000, 5_000)),
    ] {
        let answer = &what_if_set(&[model], &[(name, text)]).unwrap()[0];
        let site = both(answer).into_iter().find(|row| row.0 == "site").unwrap();
        assert_eq!((site, answer.changes[0].from.as_str()), (expected, from), "{name}");
    }
}

#[test]
fn the_options_of_a_model_that_learns_may_change() {
    for (name, text, from) in [
        ("markov.order", "2", "1"),
        ("markov.nulls", "omitted", "counted"),
        ("markov.removal", "drop", "redirect"),
        ("shapley_rate.permutations", "80", "2000"),
        ("logistic.controls", "industry,size", "segment"),
    ] {
        let (model, _) = name.split_once('.').unwrap();
        let answer = &what_if_set(&[model], &[(name, text)]).unwrap()[0];
        assert_eq!((answer.changes[0].from.as_str(), answer.changes[0].to.as_str()), (from, text), "{name}");
        assert_ne!(answer.stamp.config_hash, answer.saved_config_hash, "{name}");
        let same = &what_if_set(&[model], &[(name, from)]).unwrap()[0];
        assert_eq!(same.stamp.config_hash, same.saved_config_hash, "{name}");
    }
    let refused =
        |name: &str, value: &str| what_if_set(&["markov"], &[(name, value)]).unwrap_err().to_string();
    assert_eq!(refused("markov.order", "9"), "model markov: order 9 is not one of 1, 2, 3 and 4");
    let away = refused("markov.removal", "away");
    assert!(away.starts_with("markov.removal: unknown value `away`"), "{away}");
    for name in ["markov.method", "markov.first", "markov.orders"] {
        assert_eq!(refused(name, "1"), format!("there is no setting `{name}`"));
    }
}

#[test]
fn a_change_that_makes_no_sense_says_what_does() {
    let refused = |changes: &[(&str, &str)]| what_if_set(&["w"], changes).unwrap_err();
    for name in ["lookback", "w.frist", "x.first", "w.weights.frist", "w.weights", "w.idea"] {
        let error = refused(&[(name, "1")]);
        let AnswerError::UnknownSetting { known, .. } = &error else { panic!("{name}: {error}") };
        assert!(known.iter().any(|it| it == "w.first") && known.iter().any(|it| it == "lookback_days"));
        assert_eq!(error.to_string(), format!("there is no setting `{name}`"));
    }
    for (name, value, why) in [
        ("lookback_days", "-3", "lookback_days: expected a number of days above 0, or none"),
        ("whose", "mine", "whose: expected all, committee or primary"),
        ("w.first", "much", "w.first: invalid type: string \"much\", expected f64"),
        ("w.first", "-1", "w.first: `first` must be a number of 0 or more"),
        ("w.half_life_days", "0", "w.half_life_days: `half_life_days` must be above 0"),
        ("w.exclude.colour", "red", "w.exclude.colour: `colour` is no dimension of a model"),
        ("w.missing", "somewhere", "w.missing: unknown value `somewhere`"),
    ] {
        let error = refused(&[(name, value)]).to_string();
        assert!(error.starts_with(why), "{error}");
    }
}

#[test]
fn models_are_compared_with_reasons_only_if_asked() {
    let plain = attribution::compare(&data(), &question(), &models(&["first", "last", "w"]), By::Channel)
        .unwrap()
        .unwrap();
    assert!(!serde_json::to_string(&plain).unwrap().contains("\"why\""));
    let with = attribution::compare_with_reasons(
        &data(),
        &question(),
        &models(&["first", "last", "w"]),
        By::Channel,
    )
    .unwrap()
    .unwrap();
    assert_eq!(with.comparison, plain.comparison);
    let pairs: Vec<&[String; 2]> = with.why.iter().map(|why| &why.models).collect();
    assert_eq!(pairs, [&["first".to_owned(), "last".to_owned()], &["first".to_owned(), "w".to_owned()]]);
    assert_eq!(with.why[0].moved_minor, 10_000);
}

#[test]
fn influence_is_told_apart_from_credit() {
    let told = influence::influence(&data(), &question(), By::Channel);
    let json = serde_json::to_value(&told).unwrap();
    assert_eq!(json["rows"][0]["influenced_minor"], 10_000);
    assert_eq!(json["adds_up_to"], 3.0);
    assert!(json["model"].is_null() && json["rows"][0]["credit_minor"].is_null());
}

/// What the streams of the data cover: since, until.
fn covered(spans: &[(&str, Option<i64>, Option<i64>)]) -> Data {
    let stream = |(stream, since, until): &(&str, Option<i64>, Option<i64>)| StreamCoverage {
        source: "crm".to_owned(),
        stream: (*stream).to_owned(),
        since: since.map(day),
        until: until.map(day),
        labels: *stream == "clicks",
    };
    Data { coverage: spans.iter().map(stream).collect(), ..data() }
}

#[test]
fn a_deal_is_covered_if_every_stream_covers_the_time_in_which_touches_count() {
    // The deal was created on day 10 and closed on day 20; its account's first touch was on day 1; today is day 40.
    let cases = [
        (None, None, Some(39), true),
        (None, Some(1), Some(39), true),
        (None, Some(2), Some(39), false),
        (None, None, Some(20), true),
        (None, None, Some(19), false),
        (None, None, None, false),
        (Some(5.0), Some(15), Some(20), true),
        (Some(5.0), Some(16), Some(20), false),
    ];
    for (lookback_days, since, until, expected) in cases {
        let data = covered(&[("visits", since, until), ("deals", None, Some(40))]);
        let mut question = question();
        question.policy.lookback_days = lookback_days;
        let case = format!("{lookback_days:?} {since:?} {until:?}");
        let answers = attribution::attribute(&data, &question, &models(&["first"]), By::Channel).unwrap();
        let coverage = answers[0].stamp.coverage.clone().unwrap();
        assert_eq!((coverage.deals, coverage.not_covered), (1, u64::from(!expected)), "{case}");
        assert_eq!(coverage.gaps.len(), usize::from(!expected), "{case}");
        let explained = explanation::explain(&data, &question, &models(&["first"]), "d1").unwrap();
        assert_eq!(explained.deal.covered, expected, "{case}");
        assert_eq!(explained.stamp.coverage, Some(coverage), "{case}");
        let mut rows = Vec::new();
        export::credits(&data, &question, &models(&["first"]), |row| {
            rows.push(row.covered);
            Ok::<_, AnswerError>(())
        })
        .unwrap();
        assert_eq!(rows, [expected], "{case}");
    }
}

#[test]
fn a_change_is_covered_if_both_what_is_and_what_would_be_are() {
    // Visits are complete from day 2 on: from the account's first touch is too far back, from day 5 is not.
    let data = covered(&[("visits", Some(2), Some(40))]);
    for (saved, changed, not_covered) in
        [(Some(15.0), "10", 0), (Some(15.0), "none", 1), (None, "15", 1), (Some(19.0), "15", 1)]
    {
        let mut question = question();
        question.policy.lookback_days = saved;
        let changes = [Change { name: "lookback_days".to_owned(), value: changed.to_owned() }];
        let answers = what_if(&data, &question, &models(&["first"]), &changes, By::Channel).unwrap();
        let coverage = answers[0].stamp.coverage.clone().unwrap();
        assert_eq!((coverage.deals, coverage.not_covered), (1, not_covered), "{saved:?} {changed}");
    }
}

#[test]
fn a_stream_that_was_read_within_a_day_of_the_news_is_up_to_date() {
    let mut question = question();
    question.policy = Policy { as_of: day(20), ..question.policy };
    for (until, not_covered) in [(19, 0), (18, 1)] {
        let data = Data { as_of: day(20), ..covered(&[("visits", None, Some(until))]) };
        let reconciled = reconciliation::reconcile(&data, &question, &models(&["first"])).unwrap();
        let coverage = reconciled[0].stamp.coverage.clone().unwrap();
        assert_eq!(coverage.not_covered, not_covered, "{until}");
    }
}

#[test]
fn a_gap_says_which_stream_lacks_what_and_how_many_deals_it_costs() {
    let data = covered(&[("clicks", Some(2), Some(40)), ("visits", Some(2), Some(25))]);
    let subject = Subject::find(&data.book, "a1").unwrap();
    let timeline = journey::journey(&data, &question(), subject).unwrap();
    let json = serde_json::to_value(&timeline).unwrap();
    assert_eq!(
        json["coverage"],
        serde_json::json!({ "deals": 3, "not_covered": 3, "gaps": [{ "source": "crm", "stream": "visits",
            "since": "1970-01-03T00:00:00Z", "until": "1970-01-26T00:00:00Z", "deals": 3 }] })
    );
    assert_eq!(json["deals"][0]["covered"], false);
}

#[test]
fn every_model_that_learns_splits_a_deal_to_the_cent_and_balances() {
    for name in Method::names() {
        let answers = attribution::attribute(&data(), &question(), &models(&[name]), By::Kind).unwrap();
        let credit = &answers[0].credit;
        let credited: i64 = credit.rows.iter().map(|row| row.credit_minor).sum();
        assert_eq!(credited + credit.unattributed_minor, 10_000, "{name}");
        let lesson = credit.learned.as_ref().unwrap();
        assert_eq!(lesson.fitted_on, By::Channel, "{name}");
        let reconciled = reconciliation::reconcile(&data(), &question(), &models(&[name])).unwrap();
        assert!(reconciled[0].accounts.balances, "{name}");
    }
}

#[test]
fn a_model_that_learns_says_what_a_deal_would_have_been_without_each_touch() {
    let explained = explanation::explain(&data(), &question(), &models(&["first", "shapley"]), "d1").unwrap();
    assert_eq!(explained.models, ["first", "shapley"]);
    let thought = &explained.learned[0];
    assert_eq!((thought.model.as_str(), thought.touches.len()), ("shapley", 3));
    // The won deal alone has ads, mail and site and nothing else; the two lost ones have a late touch beside them.
    assert_eq!((thought.with.paths, thought.with.conversions), (3.0, 1.0));
    let keys: Vec<_> = thought.touches.iter().map(|touch| touch.key.as_deref().unwrap()).collect();
    assert_eq!(keys, ["ads", "mail", "site"]);
    assert!(thought.touches.iter().all(|touch| (touch.weight - 1.0 / 3.0).abs() < 1e-12));
}

#[test]
fn a_model_that_has_nothing_to_learn_from_says_so() {
    let mut question = question();
    question.policy.pipelines.insert("nowhere".to_owned());
    let error = attribution::attribute(&data(), &question, &models(&["markov"]), By::Channel).unwrap_err();
    assert_eq!(
        error.to_string(),
        "model markov: no path ends in a conversion: there is nothing to learn from"
    );
}

#[test]
fn evidence_is_of_deals_that_may_be_lost() {
    let mut question = question();
    let (models, zone) = (models(&["linear", "shapley"]), Zone::default());
    let effort = Effort { replicates: 3, rounds: 1, ..Effort::default() };
    let ask = |question: &Question| {
        evidence::evidence(&data(), question, &models, By::Channel, &zone, effort, &|_, _| {})
    };
    let answer = ask(&question).unwrap();
    assert_eq!((answer.evidence.won, answer.evidence.lost), (1, 2));
    question.policy.goal = Goal::Lead;
    assert!(matches!(ask(&question), Err(AnswerError::NoOutcome)));
}
