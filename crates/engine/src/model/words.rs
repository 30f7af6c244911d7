//! A model's rules in plain words, aspect by aspect, so that two models can be told apart.

use super::Model;
use super::spec::{Decay, HeldBy, Missing, ModelSpec, Take, Trait, Values};
use crate::journey::Whose;

/// One thing that a model decides, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aspect {
    /// What is decided, such as `left out`.
    pub about: String,
    /// How, such as `team sales or sdr`.
    pub says: String,
}

impl Model {
    /// What the model decides, in words. Models that say the same of an aspect decide it alike.
    pub fn aspects(&self) -> Vec<Aspect> {
        let spec = self.spec();
        let mut out = Vec::new();
        let mut say = |about: &str, says: String| out.push(Aspect { about: about.to_owned(), says });
        say("weights", weights(spec));
        say(
            "whose touches",
            match spec.whose {
                Whose::All => "as asked",
                Whose::Committee => "the deal's committee",
                Whose::Primary => "the primary contact",
            }
            .to_owned(),
        );
        say("left out", left_out(spec));
        for name in spec.weighed() {
            say(name, anchor(spec, name));
        }
        say("the rest", rest(spec));
        if spec.weighed().next().is_some() {
            say(
                "a milestone without a touch",
                match &spec.missing {
                    Missing::ProRata => "back to all others, in proportion".to_owned(),
                    Missing::Rest => "to the rest".to_owned(),
                    Missing::Next(_) => "skipped stages are passed with the next that was reached".to_owned(),
                },
            );
        }
        say("the close of an open deal", {
            if spec.pending { "held by its most recent touch" } else { "has not come" }.to_owned()
        });
        say("look-back", spec.lookback_days.map_or("as asked".to_owned(), |days| format!("{days} days")));
        say("decay", decay(spec));
        say("factors", factors(spec));
        out
    }
}

fn percent(weight: f64) -> String {
    format!("{} %", (weight * 1e4).round() / 1e2)
}

fn weights(spec: &ModelSpec) -> String {
    let named = spec.weights.iter().map(|(name, weight)| format!("{name} {}", percent(*weight)));
    let rest = (spec.rest > 0.0).then(|| format!("rest {}", percent(spec.rest)));
    named.chain(rest).collect::<Vec<_>>().join(", ")
}

/// `kind form, event or webinar`
fn any_of(values: &Values) -> String {
    let one = |(dimension, values): (&String, &Vec<String>)| {
        let named: Vec<&str> =
            values.iter().map(|value| if value.is_empty() { "none" } else { value.as_str() }).collect();
        let list = match named.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            _ => named.concat(),
        };
        format!("{dimension} {list}")
    };
    values.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn left_out(spec: &ModelSpec) -> String {
    let always = (!spec.exclude.is_empty()).then(|| any_of(&spec.exclude));
    let after = spec.exclude_after.iter().map(|(name, values)| format!("after {name}: {}", any_of(values)));
    let own = spec.use_weight.then(|| "touches count by their source's weights".to_owned());
    let all: Vec<String> = always.into_iter().chain(after).chain(own).collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join("; ") }
}

fn anchor(spec: &ModelSpec, name: &str) -> String {
    let own = spec.anchors.get(name).cloned().unwrap_or_default();
    let among = if own.among.is_empty() { String::new() } else { format!(" of {}", any_of(&own.among)) };
    let is_first = name == "lead" || own.held_by == HeldBy::Touch;
    let take = own.take.unwrap_or(if is_first { Take::First } else { Take::Last });
    let which = match take {
        Take::First => "the first",
        Take::Last => "the last",
        Take::Each => "each",
    };
    match (own.held_by, name) {
        (HeldBy::Touch, _) => format!("{which} touch{among}"),
        (HeldBy::Person, _) => {
            format!("the last touch{among} that {which} of the leads had before the CRM knew them")
        }
        (HeldBy::Account, "lead") => format!("the last touch{among} before {which} of the leads"),
        (HeldBy::Account, "opportunity") => format!("the last touch{among} before the deal was created"),
        (HeldBy::Account, "closed") => format!("the last touch{among} before the close"),
        (HeldBy::Account, _) => format!("the last touch{among} before {which} time it was reached"),
    }
}

fn rest(spec: &ModelSpec) -> String {
    if spec.rest == 0.0 && spec.missing != Missing::Rest {
        return "nothing".to_owned();
    }
    let mut how = if spec.rest_per.is_empty() {
        "evenly over touches".to_owned()
    } else {
        format!("evenly over each {}", spec.rest_per.join(" and "))
    };
    if !spec.points.is_empty() {
        let rule = |it: &super::Points| {
            let when: Vec<&str> = it.when.iter().map(|it| trait_in_words(*it)).collect();
            format!("{} {}", it.points, if when.is_empty() { "else".to_owned() } else { when.join(" and ") })
        };
        how = format!("by points: {}", spec.points.iter().map(rule).collect::<Vec<_>>().join(", "));
    }
    if spec.only_as_anchor.is_empty() {
        how
    } else {
        format!("{how}, but none to {}", any_of(&spec.only_as_anchor))
    }
}

fn trait_in_words(it: Trait) -> &'static str {
    match it {
        Trait::PrimaryContact => "primary contact",
        Trait::PrimaryCampaign => "primary campaign",
        Trait::BeforeOpportunity => "before the opportunity",
    }
}

fn decay(spec: &ModelSpec) -> String {
    let half_life = match (spec.half_life_days, spec.half_life_of_lookback) {
        (Some(days), _) => format!("{days} days"),
        (_, Some(part)) => format!("{} of the look-back", percent(part)),
        _ if spec.decay == Decay::Rank => return "by place".to_owned(),
        _ => return "none".to_owned(),
    };
    let step = if spec.decay == Decay::Step { "whole " } else { "" };
    format!("half for every {step}{half_life}")
}

fn factors(spec: &ModelSpec) -> String {
    let each = spec.multiply.iter().flat_map(|(dimension, values)| {
        values.iter().map(move |(value, factor)| format!("{dimension} {value} × {factor}"))
    });
    let all: Vec<String> = each.collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}
