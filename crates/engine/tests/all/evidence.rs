//! Evidence on small books whose answer one can know.

use tributary_core::dice::Dice;
use tributary_core::time::Zone;
use tributary_core::{Currency, book::Book};
use tributary_engine::evidence::{Effort, Evidence, gather};
use tributary_engine::{By, Choice, Goal, Policy, Rates, journeys};

use crate::story::{self, day, goal};

const EFFORT: Effort = Effort { seed: 3, replicates: 20, rounds: 2, most_deals: 1000 };

/// Deals of which a webinar wins nine of ten, and nothing else matters; mails and visits come at random.
fn telling(deals: usize) -> Vec<String> {
    let mut dice = Dice::new(5, "telling", 0);
    (0..deals)
        .map(|number| {
            let start = 1 + number * 3;
            let has_webinar = dice.chance(0.5);
            let mail = if dice.chance(0.5) { format!("mail@{}", start + 1) } else { String::new() };
            let webinar = if has_webinar { format!("webinar@{}", start + 2) } else { String::new() };
            let visit = if dice.chance(0.5) { format!("visit@{}", start + 4) } else { String::new() };
            let is_won = dice.chance(if has_webinar { 0.9 } else { 0.1 });
            let outcome = if is_won { "" } else { " lost" };
            let (opened, closed, worth) = (start + 3, start + 6, 100 + number);
            format!(
                "visit@{start} {mail} {webinar} {visit} | opp={opened} close={closed}{outcome} usd={worth}.00"
            )
        })
        .collect()
}

fn book(deals: usize) -> Book {
    let texts = telling(deals);
    story::book(&texts.iter().map(String::as_str).collect::<Vec<_>>())
}

fn late() -> Policy {
    Policy { as_of: day("5000"), ..goal(Goal::Won) }
}

fn evidence(book: &Book, names: &[&str], effort: Effort) -> Evidence {
    let models: Vec<Choice> = names.iter().map(|name| Choice::builtin(name).unwrap()).collect();
    let found = journeys(book, &late());
    let money = (&Rates::default(), Currency::USD, &Zone::default());
    gather(&found, &models, By::Channel, money, effort, &|_, _| {})
}

const NAMES: [&str; 5] = ["linear", "first", "shapley_rate", "logistic", "markov"];

#[test]
fn what_tells_won_from_lost_is_foretold_and_is_seen_to_matter_later() {
    let evidence = evidence(&book(300), &NAMES, EFFORT);
    let auc = |name: &str| {
        let model = evidence.models.iter().find(|model| model.name == name).unwrap();
        let held_out = model.held_out.as_ref().unwrap();
        (held_out.at_opportunity.map(|it| it.auc), held_out.at_close.map(|it| it.auc))
    };
    for name in ["shapley_rate", "logistic"] {
        let (early, late) = auc(name);
        assert!(early.unwrap() > 0.8 && late.unwrap() > 0.8, "{name}: {early:?} {late:?}");
    }
    assert_eq!(auc("linear"), (None, None));
    let cut = evidence.cut.as_ref().unwrap();
    let [learned, foretold] = [cut.learned, cut.foretold].map(|[won, lost]| won + lost);
    assert_eq!((learned, foretold), (210, 90));
    assert_eq!(evidence.won + evidence.lost, 300);
}

#[test]
fn a_probability_at_the_opportunity_reads_no_touch_that_came_after() {
    // A call after the opportunity's creation tells all; nothing before it tells anything.
    let texts: Vec<String> = (0..200)
        .map(|number| {
            let start = 1 + number * 3;
            let (call, outcome) =
                if number % 2 == 0 { (format!(" call@{}", start + 2), "") } else { (String::new(), " lost") };
            format!("visit@{start}{call} | opp={} close={}{outcome} usd=1.00", start + 1, start + 4)
        })
        .collect();
    let book = story::book(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    let evidence = evidence(&book, &["linear", "shapley_rate"], EFFORT);
    let held_out = evidence.models[1].held_out.as_ref().unwrap();
    let auc = [held_out.at_opportunity, held_out.at_close].map(|forecast| forecast.unwrap().auc.to_string());
    assert_eq!(auc, ["0.5", "1"]);
}

#[test]
fn few_deals_give_no_verdict_and_no_hold_out() {
    let evidence = evidence(&book(30), &NAMES, EFFORT);
    assert_eq!((&evidence.verdict.model, evidence.verdict.beats_linear), (&None, false));
    assert!(
        evidence.verdict.text.starts_with("There are too few deals to tell"),
        "{}",
        evidence.verdict.text
    );
    assert!(evidence.cut.is_none() && evidence.models.iter().all(|model| model.held_out.is_none()));
}

#[test]
fn the_verdict_names_a_model_that_holds_every_threshold_or_linear() {
    let evidence = evidence(&book(300), &NAMES, EFFORT);
    let t = evidence.verdict.thresholds;
    let of = |name: &str| evidence.models.iter().find(|model| model.name == name).unwrap();
    let name = evidence.verdict.model.as_deref().unwrap();
    assert!(evidence.verdict.text.contains(name), "{}", evidence.verdict.text);
    if evidence.verdict.beats_linear {
        let (model, linear) = (of(name), of("linear"));
        assert!(model.recovery.mean_error <= t.error_of_linears * linear.recovery.mean_error);
        assert!(model.resampled.rank_stability.unwrap() >= t.rank_stability);
    } else {
        assert_eq!(name, "linear");
    }
}

#[test]
fn resampled_shares_lie_around_the_share_and_a_key_that_all_have_is_surer_than_a_rare_one() {
    let mut texts = telling(300);
    texts[0] = "rare@1 | opp=2 close=3 usd=500.00".to_owned();
    let book = story::book(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    let evidence = evidence(&book, &["linear"], Effort { replicates: 200, ..EFFORT });
    let of = |name: &str| {
        let place = evidence.keys.iter().position(|row| row.key.as_deref() == Some(name)).unwrap();
        evidence.models[0].resampled.intervals[place]
    };
    for interval in &evidence.models[0].resampled.intervals {
        assert!(interval.low <= interval.share && interval.share <= interval.high, "{interval:?}");
    }
    // One account alone has it: it is drawn a Poisson number of times, whose variation is 1.
    let rare = of("rare").variation.unwrap();
    assert!((0.8..1.2).contains(&rare), "{rare}");
    assert!(of("visit").variation.unwrap() < 0.2);
}

#[test]
fn the_same_seed_gives_the_same_evidence_and_another_gives_another() {
    let book = book(120);
    let once = evidence(&book, &["linear", "logistic"], EFFORT);
    assert_eq!(once, evidence(&book, &["linear", "logistic"], EFFORT));
    let other = evidence(&book, &["linear", "logistic"], Effort { seed: 4, ..EFFORT });
    assert_ne!(once.models[0].resampled, other.models[0].resampled);
    assert_eq!(once.models[0].held_out, other.models[0].held_out);
}

#[test]
fn a_narrow_window_moves_the_credit_of_touches_that_came_before_it() {
    let texts = ["old@1 new@100 | opp=100 close=101 usd=10.00", "new@100 | opp=100 close=101 lost usd=1.00"];
    let evidence = evidence(&story::book(&texts), &["linear"], EFFORT);
    let windows = &evidence.models[0].windows;
    assert_eq!(windows[..2], [(30, Some(0.5)), (90, Some(0.5))]);
    assert_eq!(windows[2..], [(180, Some(0.0)), (365, Some(0.0))]);
}

#[test]
fn each_key_is_told_with_its_deals_and_how_much_of_it_is_anonymous() {
    let texts = ["a@1:by=- a@2 b@3 | close=9 usd=1.00", "a@1 | close=9 lost usd=1.00", "a@1:by=-"];
    let evidence = evidence(&story::book(&texts), &["linear"], EFFORT);
    let rows: Vec<_> = evidence
        .keys
        .iter()
        .map(|row| (row.key.as_deref().unwrap(), row.won, row.lost, row.touches, row.anonymous))
        .collect();
    assert_eq!(rows, [("a", 1, 1, 4, 0.5), ("b", 1, 0, 1, 0.0)]);
    assert_eq!((evidence.won, evidence.lost, evidence.without_deal), (1, 1, 1));
}
