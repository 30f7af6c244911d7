//! A model put on one book: names become numbers, and a journey's touches weigh.
//!
//! Not responsible for how weights are spread once it is known which touches hold what: that is `spread`.

use tributary_core::book::{Direction, NOBODY, Term};
use tributary_core::fact::FULL_WEIGHT;
use tributary_core::time::{DAY_MICROS, Time};

use super::spec::{Decay, Dimension, HeldBy, IfAllExcluded, Points, Take, Trait, Values, is_position};
use super::spread::{self, FREE};
use super::{Held, Model, Rule};
use crate::journey::{Journey, Journeys, Subject, Whose};

/// A model whose names are numbers of one book. Keeps its buffers between journeys.
#[derive(Clone, Debug)]
pub struct Bound<'m> {
    /// The model.
    pub model: &'m Model,
    anchors: Vec<Milestone<'m>>,
    factors: Vec<(Match<'m>, f64)>,
    excluded: Vec<Match<'m>>,
    /// With the milestone after which they are out.
    excluded_after: Vec<(&'m str, usize, Vec<Match<'m>>)>,
    only_as_anchor: Vec<Match<'m>>,
    rest_per: Vec<Dimension>,
    /// The attribute that names a deal's primary campaign.
    primary_campaign: Option<Term>,
    half_life_days: Option<f64>,
    kept: Vec<usize>,
    inner: Vec<f64>,
    parts: Vec<f64>,
    entries: Vec<(Time, u32)>,
}

/// A value of a dimension, as a number of the book; `None` if the book does not know it.
#[derive(Clone, Copy, Debug)]
struct Match<'m> {
    name: &'m str,
    value: &'m str,
    dimension: Dimension,
    number: Option<u32>,
}

/// A weighed milestone, then those that stand for it if it was skipped.
#[derive(Clone, Debug)]
struct Milestone<'m> {
    name: &'m str,
    candidates: Vec<Candidate<'m>>,
}

/// A milestone and what makes a touch hold it.
#[derive(Clone, Debug)]
struct Candidate<'m> {
    name: &'m str,
    /// Its number in the journeys, if the CRM tells it.
    milestone: Option<usize>,
    take: Take,
    held_by: HeldBy,
    among: Vec<Match<'m>>,
    /// The journey's own time of it is the one that counts.
    is_plain: bool,
    is_pending: bool,
}

/// What was found of a milestone.
enum Found {
    /// Touches that hold it.
    Touches,
    /// It was reached, and no touch came before.
    Unheld,
    /// It was not reached.
    Skipped,
}

/// One journey and those of its touches that count.
#[derive(Clone, Copy)]
struct Scene<'s> {
    journeys: &'s Journeys<'s>,
    journey: &'s Journey,
    rows: &'s [u32],
    /// Places in `rows`.
    kept: &'s [usize],
}

impl Scene<'_> {
    fn row(&self, place: usize) -> usize {
        self.rows[self.kept[place]] as usize
    }

    fn at(&self, place: usize) -> Time {
        self.journeys.book.touches.at[self.row(place)]
    }

    fn is_any(&self, matches: &[Match<'_>], place: usize) -> bool {
        matches.iter().any(|it| it.fits(self.journeys, self.journey, self.row(place)))
    }
}

impl Match<'_> {
    fn fits(&self, journeys: &Journeys<'_>, journey: &Journey, row: usize) -> bool {
        self.number == Some(number(journeys, journey, row, self.dimension))
    }
}

/// A touch's value of a dimension, as a number of the book.
fn number(journeys: &Journeys<'_>, journey: &Journey, row: usize, dimension: Dimension) -> u32 {
    let touches = &journeys.book.touches;
    let term = match dimension {
        Dimension::Kind => touches.kind[row],
        Dimension::Team => touches.team[row],
        Dimension::Channel => touches.channel[row],
        Dimension::Campaign => touches.campaign[row],
        Dimension::Content => touches.content[row],
        Dimension::Source => touches.source[row],
        Dimension::Role => journeys.role(journey, touches.person[row]),
        Dimension::Person if touches.person[row] == NOBODY => Term::NONE,
        Dimension::Person => journeys.book.people[touches.person[row] as usize].key,
        Dimension::Direction => return u32::from(touches.direction[row] == Direction::Outbound),
    };
    term.0
}

fn numbered<'m>(journeys: &Journeys<'_>, name: &'m str, value: &'m str) -> Option<Match<'m>> {
    let dimension = Dimension::parse(name)?;
    let number = match dimension {
        Dimension::Direction => Some(u32::from(value == "outbound")),
        _ if value.is_empty() => Some(Term::NONE.0),
        _ => journeys.book.terms.find(value).map(|term| term.0),
    };
    Some(Match { name, value, dimension, number })
}

fn all_numbered<'m>(journeys: &Journeys<'_>, values: &'m Values) -> Vec<Match<'m>> {
    let pairs = values.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    pairs.filter_map(|(name, value)| numbered(journeys, name, value)).collect()
}

impl<'m> Bound<'m> {
    pub(super) fn new(model: &'m Model, journeys: &Journeys<'_>) -> Self {
        let spec = model.spec();
        let milestone = |name: &str| journeys.milestones.iter().position(|known| known == name);
        let candidate = |name: &'m str| {
            let anchor = spec.anchors.get(name);
            let held_by = anchor.map(|anchor| anchor.held_by).unwrap_or_default();
            let usual = if name == "lead" || held_by == HeldBy::Touch { Take::First } else { Take::Last };
            let take = anchor.and_then(|anchor| anchor.take).unwrap_or(usual);
            Candidate {
                name,
                milestone: milestone(name),
                take,
                held_by,
                among: anchor.map(|anchor| all_numbered(journeys, &anchor.among)).unwrap_or_default(),
                is_plain: take == usual
                    && held_by == HeldBy::Account
                    && (name != "lead" || spec.whose == Whose::All),
                is_pending: spec.pending && name == "closed",
            }
        };
        let anchors = spec.weights.keys().filter(|name| !is_position(name));
        let factors = spec.multiply.iter().flat_map(|(name, values)| {
            values.iter().map(move |(value, factor)| (name.as_str(), value.as_str(), *factor))
        });
        let after = spec.exclude_after.iter();
        let window = [spec.lookback_days, journeys.policy.lookback_days].into_iter().flatten();
        let window = window.fold(f64::INFINITY, f64::min);
        Self {
            model,
            anchors: anchors
                .map(|name| Milestone { name, candidates: model.candidates(name).map(candidate).collect() })
                .collect(),
            factors: factors
                .filter_map(|(name, value, factor)| Some((numbered(journeys, name, value)?, factor)))
                .collect(),
            excluded: all_numbered(journeys, &spec.exclude),
            excluded_after: after
                .filter_map(|(name, values)| {
                    Some((name.as_str(), milestone(name)?, all_numbered(journeys, values)))
                })
                .collect(),
            only_as_anchor: all_numbered(journeys, &spec.only_as_anchor),
            rest_per: spec.rest_per.iter().filter_map(|name| Dimension::parse(name)).collect(),
            primary_campaign: journeys.book.terms.find("primary_campaign"),
            half_life_days: spec
                .half_life_days
                .or_else(|| spec.half_life_of_lookback.map(|part| part * window)),
            kept: Vec::new(),
            inner: Vec::new(),
            parts: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// The weights of a journey's touches: they sum to 1, or all are 0 when nothing counts.
    pub fn weights(&mut self, journeys: &Journeys<'_>, journey: &Journey, out: &mut Vec<f64>) {
        self.weigh(journeys, journey, out, &mut |_, _| {});
    }

    /// As [`weights`](Self::weights), telling which rules each touch met.
    pub fn weigh(
        &mut self,
        journeys: &Journeys<'_>,
        journey: &Journey,
        out: &mut Vec<f64>,
        told: &mut dyn FnMut(usize, Rule<'m>),
    ) {
        let rows = journeys.touches(journey);
        out.clear();
        out.resize(rows.len(), 0.0);
        self.keep(journeys, journey, rows, told);
        if self.kept.is_empty() {
            return;
        }
        let kept = std::mem::take(&mut self.kept);
        let mut inner = std::mem::take(&mut self.inner);
        let mut parts = std::mem::take(&mut self.parts);
        let mut entries = std::mem::take(&mut self.entries);
        inner.clear();
        inner.resize(kept.len(), 0.0);
        let scene = Scene { journeys, journey, rows, kept: &kept };
        let told = &mut |place: usize, rule: Rule<'m>| told(kept[place], rule);
        let spec = self.model.spec();
        let anchored =
            spread::anchors(spec, &mut inner, |name, out| self.find(scene, name, &mut entries, out), told);
        if !self.only_as_anchor.is_empty() {
            for (place, weight) in inner.iter_mut().enumerate() {
                if *weight == FREE && scene.is_any(&self.only_as_anchor, place) {
                    *weight = 0.0;
                    told(place, Rule::OnlyAsAnchor);
                }
            }
        }
        let parts_count = self.divide(scene, &inner, &mut parts);
        spread::rest(spec, &mut inner, anchored, parts_count.then_some(&parts), told);
        self.modify(scene, &mut inner);
        let total: f64 = inner.iter().sum();
        if total > 0.0 && total.is_finite() {
            for (place, weight) in kept.iter().zip(&inner) {
                out[*place] = weight / total;
            }
        }
        (self.kept, self.inner, self.parts, self.entries) = (kept, inner, parts, entries);
    }

    /// Step 1: the places of the touches that count.
    fn keep(
        &mut self,
        journeys: &Journeys<'_>,
        journey: &Journey,
        rows: &[u32],
        told: &mut dyn FnMut(usize, Rule<'m>),
    ) {
        self.kept.clear();
        let may_keep_all = self.model.spec().if_all_excluded == IfAllExcluded::Keep;
        for (place, row) in rows.iter().enumerate() {
            match self.left_out(journeys, journey, *row as usize) {
                None => self.kept.push(place),
                Some(_) if may_keep_all => {}
                Some(rule) => told(place, rule),
            }
        }
        if may_keep_all && self.kept.is_empty() {
            self.kept.extend(0..rows.len());
        } else if may_keep_all {
            for (place, row) in rows.iter().enumerate() {
                if let Some(rule) = self.left_out(journeys, journey, *row as usize) {
                    told(place, rule);
                }
            }
        }
    }

    /// The rule by which a touch does not count.
    fn left_out(&self, journeys: &Journeys<'_>, journey: &Journey, row: usize) -> Option<Rule<'m>> {
        let spec = self.model.spec();
        let touches = &journeys.book.touches;
        let at = touches.at[row];
        let since = spec
            .lookback_days
            .map(|days| Time(journey.end.0.saturating_sub((days * DAY_MICROS as f64) as i64)));
        if since.is_some_and(|since| at < since) {
            return Some(Rule::TooOld);
        }
        if spec.whose != Whose::All && !journeys.counts(journey, spec.whose, touches.person[row]) {
            return Some(Rule::Outsider(spec.whose));
        }
        if let Some(it) = self.excluded.iter().find(|it| it.fits(journeys, journey, row)) {
            return Some(Rule::Excluded { dimension: it.name, value: it.value, after: None });
        }
        let (after, it) = self.excluded_after(journeys, journey, row, at)?;
        Some(Rule::Excluded { dimension: it.name, value: it.value, after: Some(after) })
    }

    fn excluded_after(
        &self,
        journeys: &Journeys<'_>,
        journey: &Journey,
        row: usize,
        at: Time,
    ) -> Option<(&'m str, Match<'m>)> {
        self.excluded_after.iter().find_map(|(name, milestone, values)| {
            let is_after = journey.times[*milestone].is_some_and(|reached| at > reached);
            let out = values.iter().find(|it| is_after && it.fits(journeys, journey, row))?;
            Some((*name, *out))
        })
    }

    /// Step 2: the places of the touches that hold a milestone; none if it is missing.
    fn find(
        &self,
        scene: Scene<'_>,
        name: &str,
        entries: &mut Vec<(Time, u32)>,
        out: &mut Vec<usize>,
    ) -> Held<'m> {
        let Some(anchor) = self.anchors.iter().find(|anchor| anchor.name == name) else {
            return Held::Itself;
        };
        for candidate in &anchor.candidates {
            if candidate.is_pending && scene.journeys.is_open(scene.journey) {
                let last = (0..scene.kept.len()).rev().find(|place| candidate.may_hold(scene, *place));
                out.extend(last);
                return Held::Pending;
            }
            match candidate.find(scene, self.model.spec().whose, entries, out) {
                Found::Touches if candidate.name == name => return Held::Itself,
                Found::Touches => return Held::With(candidate.name),
                Found::Unheld => return Held::Itself,
                Found::Skipped => {}
            }
        }
        Held::Itself
    }

    /// Step 4: in what proportion free touches share the rest; whether it is not evenly.
    fn divide(&self, scene: Scene<'_>, weights: &[f64], parts: &mut Vec<f64>) -> bool {
        let points = &self.model.spec().points;
        if self.rest_per.is_empty() && points.is_empty() {
            return false;
        }
        if self.rest_per.is_empty() {
            parts.clear();
            parts.resize(weights.len(), 1.0);
        } else {
            let key = |place: usize| -> Vec<u32> {
                let of = |it: &Dimension| number(scene.journeys, scene.journey, scene.row(place), *it);
                self.rest_per.iter().map(of).collect()
            };
            let keys: Vec<Vec<u32>> = (0..weights.len()).map(key).collect();
            spread::parts_per_key(weights, &keys, parts);
        }
        if !points.is_empty() {
            for (place, part) in parts.iter_mut().enumerate() {
                *part *= self.points(scene, points, place);
            }
        }
        true
    }

    fn points(&self, scene: Scene<'_>, points: &[Points], place: usize) -> f64 {
        let Subject::Deal(row) = scene.journey.subject else { return 1.0 };
        let deal = &scene.journeys.book.deals[row];
        let touches = &scene.journeys.book.touches;
        let touch = scene.row(place);
        let has = |it: &Trait| match it {
            Trait::PrimaryContact => {
                scene.journeys.counts(scene.journey, Whose::Primary, touches.person[touch])
            }
            Trait::PrimaryCampaign => deal.attributes.iter().any(|(name, value)| {
                Some(*name) == self.primary_campaign && *value == touches.campaign[touch] && !value.is_none()
            }),
            Trait::BeforeOpportunity => deal.created_at.is_some_and(|created| touches.at[touch] <= created),
        };
        points.iter().find(|it| it.when.iter().all(has)).map_or(0.0, |it| it.points)
    }

    /// Step 5: factors, own weights, decay.
    fn modify(&self, scene: Scene<'_>, inner: &mut [f64]) {
        let spec = self.model.spec();
        for (place, weight) in inner.iter_mut().enumerate() {
            let row = scene.row(place);
            for (it, factor) in &self.factors {
                if it.fits(scene.journeys, scene.journey, row) {
                    *weight *= factor;
                }
            }
            if spec.use_weight {
                *weight *= f64::from(scene.journeys.book.touches.weight[row]) / f64::from(FULL_WEIGHT);
            }
            if spec.decay == Decay::Rank {
                *weight *= (place + 1) as f64;
            }
        }
        let Some(half_life) = self.half_life_days else { return };
        // Ages count from the latest touch that weighs anything: the end cancels out of a decay by whole or broken
        // half-lives, and the youngest touch then weighs 1, however old the journey.
        let Some(newest) = (0..inner.len()).rev().find(|place| inner[*place] > 0.0) else { return };
        let half_lives = |place: usize| {
            let from = if spec.decay == Decay::Step { scene.journey.end } else { scene.at(newest) };
            let passed = from.days_since(scene.at(place)) / half_life;
            if spec.decay == Decay::Step { passed.floor() } else { passed }
        };
        let least = half_lives(newest);
        for (place, weight) in inner.iter_mut().enumerate() {
            *weight *= (-(half_lives(place) - least).max(0.0)).exp2();
        }
    }
}

impl Candidate<'_> {
    fn may_hold(&self, scene: Scene<'_>, place: usize) -> bool {
        self.among.is_empty() || scene.is_any(&self.among, place)
    }

    fn find(
        &self,
        scene: Scene<'_>,
        whose: Whose,
        entries: &mut Vec<(Time, u32)>,
        out: &mut Vec<usize>,
    ) -> Found {
        if self.held_by == HeldBy::Touch {
            out.extend((0..scene.kept.len()).filter(|place| self.may_hold(scene, *place)));
            self.take_of(out);
            return if out.is_empty() { Found::Skipped } else { Found::Touches };
        }
        let Some(milestone) = self.milestone else { return Found::Skipped };
        if self.is_plain {
            entries.clear();
            entries.extend(scene.journey.times[milestone].map(|at| (at, NOBODY)));
        } else {
            scene.journeys.entries(scene.journey, milestone, whose, entries);
            self.take_of(entries);
        }
        if entries.is_empty() {
            return Found::Skipped;
        }
        out.extend(entries.iter().filter_map(|entry| self.holder(scene, *entry)));
        if out.is_empty() { Found::Unheld } else { Found::Touches }
    }

    fn take_of<T>(&self, all: &mut Vec<T>) {
        match self.take {
            Take::Each => {}
            Take::First => all.truncate(1),
            Take::Last => drop(all.drain(..all.len().saturating_sub(1))),
        }
    }

    /// The last touch at or before the milestone that may hold it.
    fn holder(&self, scene: Scene<'_>, (time, person): (Time, u32)) -> Option<usize> {
        let touches = &scene.journeys.book.touches;
        let before = scene.kept.partition_point(|place| touches.at[scene.rows[*place] as usize] <= time);
        let is_theirs = |place: &usize| {
            self.held_by != HeldBy::Person || person == NOBODY || touches.person[scene.row(*place)] == person
        };
        (0..before).rev().find(|place| is_theirs(place) && self.may_hold(scene, *place))
    }
}
