//! Where and why two models' numbers differ on the same deals.
//!
//! Every touch of every deal meets rules of both models: it holds a milestone of the one and shares the rest of the
//! other, or one of them leaves it out. Touches that met the same two are one *reason*. Reasons are a complete account:
//! their differences add up to each key's difference, to the cent.

use std::collections::BTreeMap;

use serde::Serialize;
use tributary_core::{Currency, money};

use crate::credit::{By, Groups, Name, Worth, worth};
use crate::journey::{Journey, Journeys, Subject};
use crate::model::{Aspect, Bound, Held, Model, Rule};
use crate::money::Rates;

/// Where and why two models differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Why {
    /// The two models' names.
    pub models: [String; 2],
    /// What the models decide differently.
    pub definitions: Vec<Definition>,
    /// By money that it moves, most first.
    pub reasons: Vec<Reason>,
    /// By difference, largest first, then by key.
    pub keys: Vec<Key>,
    /// The milestones that both models weigh.
    pub milestones: Vec<Milestone>,
    /// The deals with most money moved, most first; not all of them.
    pub deals: Vec<Deal>,
    /// Deals (leads) whose touches get other credit.
    pub deals_that_differ: u64,
    /// Deals (leads) compared.
    pub deals_compared: u64,
    /// Money that other touches get, or none, under the second model.
    pub moved_minor: i64,
}

/// Something that the two models decide differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Definition {
    /// What is decided.
    pub about: String,
    /// What each model says.
    pub says: [String; 2],
}

/// What the two models have to do with some touches.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reason {
    /// In plain words.
    pub reason: String,
    /// What the touches are under each model.
    pub under: [String; 2],
    /// How much.
    #[serde(flatten)]
    pub sum: Sum,
}

/// How much credit some touches get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sum {
    /// Touches that get other credit.
    pub touches: u64,
    /// Deals (leads) with such a touch.
    pub deals: u64,
    /// Their credit under each model, in minor units.
    pub credit_minor: [i64; 2],
    /// What the second model gives more than the first.
    pub difference_minor: i64,
    #[serde(skip)]
    last_journey: Option<usize>,
}

impl Sum {
    fn add(&mut self, journey: usize, credit: [i64; 2]) {
        self.touches += 1;
        self.deals += u64::from(self.last_journey != Some(journey));
        self.last_journey = Some(journey);
        for (sum, credit) in self.credit_minor.iter_mut().zip(credit) {
            *sum += credit;
        }
        self.difference_minor += credit[1] - credit[0];
    }
}

/// One key's difference and its reasons.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Key {
    /// The key; `None` for touches without the dimension.
    pub key: Option<String>,
    /// A readable name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What the second model gives more than the first, in minor units.
    pub difference_minor: i64,
    /// Parts of the difference, largest first.
    pub because: Vec<Part>,
}

/// A part of a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Why, as in [`Reason::reason`].
    pub reason: String,
    /// Minor units.
    pub difference_minor: i64,
}

/// A milestone and the touches that hold it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Milestone {
    /// Which.
    pub milestone: String,
    /// Deals where the same touches hold it.
    pub same: u64,
    /// Deals where others do.
    pub other: u64,
    /// Deals where only the one model finds a touch.
    pub only: [u64; 2],
    /// Deals where no touch holds it.
    pub missing: u64,
    /// Deals that skipped it, where it is taken as passed with a later one.
    pub skipped: [u64; 2],
}

/// One deal's difference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Deal {
    /// The deal's id (the person's, for the goal `lead`).
    pub key: Option<String>,
    /// Its name.
    pub label: Option<String>,
    /// What it is worth, in minor units of the reporting currency.
    pub worth_minor: i64,
    /// Money that other touches get, or none, under the second model.
    pub moved_minor: i64,
    /// The reason that moves most of it.
    pub reason: String,
}

/// Deals that are listed one by one.
const LISTED: usize = 20;

/// Compares two models deal by deal.
pub fn differ(
    journeys: &Journeys<'_>,
    models: [&Model; 2],
    by: By,
    rates: &Rates,
    reporting: Currency,
) -> Why {
    let mut bound = models.map(|model| model.bind(journeys));
    let mut groups = Groups::new(journeys.book, by);
    let mut pairs: Vec<Pair<'_>> = Vec::new();
    let mut sums: BTreeMap<(usize, usize), Sum> = BTreeMap::new();
    let mut totals: BTreeMap<usize, Sum> = BTreeMap::new();
    let mut milestones = shared_milestones(models);
    let mut deals: Vec<(i64, usize, usize)> = Vec::new();
    let (mut seen, mut deals_compared, mut moved) = (Seen::default(), 0, 0);
    for (index, journey) in journeys.list.iter().enumerate() {
        let Worth::Minor(minor) = worth(journey, rates, reporting) else { continue };
        deals_compared += 1;
        let rows = journeys.touches(journey);
        seen.look(journeys, journey, &mut bound, minor);
        for milestone in &mut milestones {
            seen.compare(milestone);
        }
        let mut own: BTreeMap<usize, i64> = BTreeMap::new();
        let (mut gained, mut lost) = (0, 0);
        for (place, row) in rows.iter().enumerate() {
            let credit = [seen.credit(0, place), seen.credit(1, place)];
            if credit[0] == credit[1] {
                continue;
            }
            let rules = [seen.rules[0][place].as_slice(), seen.rules[1][place].as_slice()];
            let pair = number(&mut pairs, rules);
            let group = groups.of(journeys, journey, row) as usize;
            sums.entry((group, pair)).or_default().add(index, credit);
            totals.entry(pair).or_default().add(index, credit);
            let change = credit[1] - credit[0];
            *own.entry(pair).or_default() += change.abs();
            gained += change.max(0);
            lost += (-change).max(0);
        }
        // The two are the same, unless one model leaves the deal unattributed.
        let moved_here = gained.max(lost);
        // The most of it; of the same, the earlier reason.
        let most = own.into_iter().max_by_key(|(pair, change)| (*change, std::cmp::Reverse(*pair)));
        if let Some((pair, _)) = most {
            moved += moved_here;
            deals.push((moved_here, index, pair));
        }
    }
    let words: Vec<String> = pairs.iter().map(|pair| pair.in_words(models)).collect();
    let deals_that_differ = deals.len() as u64;
    let mut deals: Vec<Deal> =
        deals.into_iter().map(|it| deal(journeys, it, &words, rates, reporting)).collect();
    deals.sort_by(|a, b| {
        b.moved_minor.cmp(&a.moved_minor).then_with(|| (&a.key, &a.label).cmp(&(&b.key, &b.label)))
    });
    deals.truncate(LISTED);
    Why {
        models: models.map(|model| model.name.clone()),
        definitions: definitions(models),
        reasons: reasons(totals, &pairs, &words),
        keys: keys(sums, &groups.names(), &words),
        milestones,
        deals,
        deals_that_differ,
        deals_compared,
        moved_minor: moved,
    }
}

/// What a touch's rules are under two models.
struct Pair<'m>([Vec<Rule<'m>>; 2]);

impl Pair<'_> {
    fn in_words(&self, models: [&Model; 2]) -> String {
        let [first, second] = [0, 1].map(|it| in_words(&self.0[it]));
        if first == second {
            return format!("{first} under both, for other shares");
        }
        format!("{first} under {}, {second} under {}", models[0].name, models[1].name)
    }
}

/// The number of a pair of rules, given now if it is new. There are few, so a search is quick.
fn number<'m>(pairs: &mut Vec<Pair<'m>>, rules: [&[Rule<'m>]; 2]) -> usize {
    let known = pairs.iter().position(|pair| pair.0[0] == rules[0] && pair.0[1] == rules[1]);
    known.unwrap_or_else(|| {
        pairs.push(Pair(rules.map(<[Rule<'_>]>::to_vec)));
        pairs.len() - 1
    })
}

/// What a touch is under a model, such as `first and lead`.
fn in_words(rules: &[Rule<'_>]) -> String {
    let told: Vec<String> = rules
        .iter()
        .map(|rule| match rule {
            Rule::Rest => "one of the rest".to_owned(),
            other => other.to_string(),
        })
        .collect();
    if told.is_empty() { "given nothing".to_owned() } else { told.join(" and ") }
}

/// What both models do with one journey. Keeps its buffers.
#[derive(Default)]
struct Seen<'m> {
    rules: [Vec<Vec<Rule<'m>>>; 2],
    weights: [Vec<f64>; 2],
    shares: [Vec<i64>; 2],
}

impl<'m> Seen<'m> {
    fn look(&mut self, journeys: &Journeys<'_>, journey: &Journey, bound: &mut [Bound<'m>; 2], minor: i64) {
        for (which, bound) in bound.iter_mut().enumerate() {
            let rules = &mut self.rules[which];
            rules.clear();
            rules.resize(journey.touches.len(), Vec::new());
            bound.weigh(journeys, journey, &mut self.weights[which], &mut |place, rule| {
                rules[place].push(rule);
            });
            // A touch that counts only as a milestone has a part where nothing else is left.
            for (rules, _) in rules.iter_mut().zip(&self.weights[which]).filter(|(_, weight)| **weight > 0.0)
            {
                rules.retain(|rule| !rule.leaves_out());
            }
            self.shares[which].clear();
            money::split(minor, &self.weights[which], &mut self.shares[which]);
        }
    }

    fn credit(&self, which: usize, place: usize) -> i64 {
        self.shares[which].get(place).copied().unwrap_or(0)
    }

    /// Whether the touches that hold a milestone are the same.
    fn compare(&self, milestone: &mut Milestone) {
        let mut holders: [Vec<usize>; 2] = Default::default();
        for (which, holders) in holders.iter_mut().enumerate() {
            let mut was_skipped = false;
            for (place, rules) in self.rules[which].iter().enumerate() {
                for rule in rules {
                    if let Rule::Anchor { name, held } = rule
                        && *name == milestone.milestone
                    {
                        holders.push(place);
                        was_skipped |= matches!(held, Held::With(_));
                    }
                }
            }
            milestone.skipped[which] += u64::from(was_skipped);
        }
        match holders.each_ref().map(Vec::is_empty) {
            [true, true] => milestone.missing += 1,
            [false, true] => milestone.only[0] += 1,
            [true, false] => milestone.only[1] += 1,
            [false, false] if holders[0] == holders[1] => milestone.same += 1,
            [false, false] => milestone.other += 1,
        }
    }
}

fn shared_milestones(models: [&Model; 2]) -> Vec<Milestone> {
    let [first, second] = models.map(|model| &model.spec().weights);
    let both = first.keys().filter(|name| second.contains_key(*name));
    both.map(|name| Milestone { milestone: name.clone(), ..Milestone::default() }).collect()
}

fn definitions(models: [&Model; 2]) -> Vec<Definition> {
    let [first, second] = models.map(Model::aspects);
    let says = |aspects: &[Aspect], about: &str| {
        aspects.iter().find(|it| it.about == about).map_or("–".to_owned(), |it| it.says.clone())
    };
    let mut abouts: Vec<&str> = first.iter().map(|it| it.about.as_str()).collect();
    abouts.extend(second.iter().map(|it| it.about.as_str()).filter(|about| says(&first, about) == "–"));
    let all = abouts.into_iter().map(|about| Definition {
        about: about.to_owned(),
        says: [says(&first, about), says(&second, about)],
    });
    all.filter(|it| it.says[0] != it.says[1]).collect()
}

fn reasons(totals: BTreeMap<usize, Sum>, pairs: &[Pair<'_>], words: &[String]) -> Vec<Reason> {
    let mut out: Vec<Reason> = totals
        .into_iter()
        .map(|(pair, sum)| Reason {
            reason: words[pair].clone(),
            under: [0, 1].map(|which| in_words(&pairs[pair].0[which])),
            sum,
        })
        .collect();
    out.sort_by(|a, b| {
        let size = |it: &Reason| it.sum.difference_minor.abs();
        size(b).cmp(&size(a)).then_with(|| a.reason.cmp(&b.reason))
    });
    out
}

fn keys(sums: BTreeMap<(usize, usize), Sum>, names: &[Name], words: &[String]) -> Vec<Key> {
    let mut keys: BTreeMap<usize, Vec<Part>> = BTreeMap::new();
    for ((group, pair), sum) in sums {
        let part = Part { reason: words[pair].clone(), difference_minor: sum.difference_minor };
        keys.entry(group).or_default().push(part);
    }
    let mut out: Vec<Key> = keys
        .into_iter()
        .map(|(group, mut because)| {
            because.sort_by(|a, b| {
                let size = |it: &Part| it.difference_minor.abs();
                size(b).cmp(&size(a)).then_with(|| a.reason.cmp(&b.reason))
            });
            let (key, label) = names[group].clone();
            let difference_minor = because.iter().map(|part| part.difference_minor).sum();
            Key { key, label, difference_minor, because }
        })
        .collect();
    out.sort_by(|a, b| {
        let size = |it: &Key| it.difference_minor.abs();
        size(b).cmp(&size(a)).then_with(|| (&a.key, &a.label).cmp(&(&b.key, &b.label)))
    });
    out
}

fn deal(
    journeys: &Journeys<'_>,
    (moved_minor, index, pair): (i64, usize, usize),
    words: &[String],
    rates: &Rates,
    reporting: Currency,
) -> Deal {
    let book = journeys.book;
    let journey = &journeys.list[index];
    let (key, label) = match journey.subject {
        Subject::Deal(row) => (book.deals[row].key, book.deals[row].label),
        Subject::Lead(row) => (book.people[row].key, book.people[row].label),
        Subject::Account => (book.accounts[journey.account].key, book.accounts[journey.account].label),
    };
    let worth_minor = match worth(journey, rates, reporting) {
        Worth::Minor(minor) => minor,
        Worth::Unconverted(_) => 0,
    };
    let text = |term| book.terms.get(term).map(str::to_owned);
    Deal { key: text(key), label: text(label), worth_minor, moved_minor, reason: words[pair].clone() }
}
