//! A model put on one book: names become numbers, and a journey's touches weigh.
//!
//! Not responsible for how weights are spread once it is known which touches hold what: that is `spread`.

use tributary_core::book::{Direction, NOBODY, Term, Touches};
use tributary_core::fact::FULL_WEIGHT;
use tributary_core::money::{MostlyEven, total_weight};
use tributary_core::time::{DAY_MICROS, Time};
use tributary_core::wide::widest;

use super::exp2::half_to_the;
use super::spec::{Decay, Dimension, HeldBy, IfAllExcluded, Points, Take, Trait, Values};
use super::spread::{self, Anchored, FREE};
use super::{Held, Known, Model, Rule, Shape, Weights};
use crate::credit::NOT_REACHED;
use crate::journey::{Journey, Journeys, Rows, Subject, Whose};

/// A model whose names are numbers of one book. Keeps its buffers between journeys.
#[derive(Clone, Debug)]
pub struct Bound<'m> {
    /// The model.
    pub model: &'m Model,
    /// Each with its name and its weight.
    anchors: Vec<(Anchor<'m>, &'m str, f64)>,
    factors: Vec<(Match<'m>, f64)>,
    excluded: Vec<Match<'m>>,
    /// With the milestone after which they are out.
    excluded_after: Vec<(&'m str, usize, Vec<Match<'m>>)>,
    only_as_anchor: Vec<Match<'m>>,
    rest_per: Vec<Dimension>,
    /// The attribute that names a deal's primary campaign.
    primary_campaign: Option<Term>,
    half_life_days: Option<f64>,
    /// Every touch counts.
    keeps_all: bool,
    /// Free touches do not all have the same part of the rest.
    has_parts: bool,
    /// What anchors and the rest gave is changed afterwards.
    modifies: bool,
    /// Of the touches that count, none weighs anything but these; any may if `None`.
    only: Option<Ends>,
    /// How the last journey's touches weigh.
    formed: Formed,
    kept: Vec<u32>,
    inner: Vec<f64>,
    parts: Vec<f64>,
    entries: Vec<(Time, u32)>,
    anchored: Anchored,
}

/// What is to be read from the buffers.
#[derive(Clone, Copy, Debug, Default)]
struct Formed {
    /// How many touches count.
    touches: usize,
    /// Those are not all, but the `kept`.
    is_part: bool,
    /// What free touches weigh; if `None`, `inner` has the weight of each, up to a factor.
    each: Option<f64>,
    /// That factor.
    scale: f64,
}

/// Ends of a journey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    Last,
    FirstAndLast,
}

/// A value of a dimension, as a number of the book; `None` if the book does not know it.
#[derive(Clone, Copy, Debug)]
struct Match<'m> {
    name: &'m str,
    value: &'m str,
    dimension: Dimension,
    number: Option<u32>,
}

/// Where an anchor's weight goes.
#[derive(Clone, Debug)]
enum Anchor<'m> {
    /// To the first touch.
    First,
    /// To the last touch.
    Last,
    /// To those that hold a milestone; behind it those that stand for it if it was skipped.
    Milestone(Vec<Candidate<'m>>),
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
    rows: Rows<'s>,
    /// Their places in `rows`, unless all count.
    kept: Option<&'s [u32]>,
    known: Known<'s>,
}

impl Scene<'_> {
    /// How many touches count.
    fn len(&self) -> usize {
        self.kept.map_or_else(|| self.rows.len(), <[u32]>::len)
    }

    /// Where a touch that counts is among all of them.
    fn whence(&self, place: usize) -> usize {
        self.kept.map_or(place, |kept| kept[place] as usize)
    }

    fn row(&self, place: usize) -> usize {
        self.rows.at(self.whence(place))
    }

    /// How many touches that count were at or before a time.
    fn until(&self, time: Time) -> usize {
        let until = self.rows.until(&self.journeys.book.touches, time);
        match self.kept {
            None => until,
            Some(kept) => kept.partition_point(|place| (*place as usize) < until),
        }
    }

    /// How old a touch was at the journey's end, in microseconds.
    fn age(&self, place: usize) -> f64 {
        match self.known.ages {
            Some(ages) => ages[self.whence(place)],
            None => self.journey.age(self.journeys.book.touches.at[self.row(place)]),
        }
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
    if let Some(column) = column(touches, dimension) {
        return column[row].0;
    }
    let term = match dimension {
        Dimension::Direction => return u32::from(touches.direction[row] == Direction::Outbound),
        Dimension::Role => journeys.role(journey, touches.person[row]),
        _ if touches.person[row] == NOBODY => Term::NONE,
        _ => journeys.book.people[touches.person[row] as usize].key,
    };
    term.0
}

/// The column of terms that a dimension is, if it is one.
fn column(touches: &Touches, dimension: Dimension) -> Option<&[Term]> {
    match dimension {
        Dimension::Kind => Some(&touches.kind),
        Dimension::Team => Some(&touches.team),
        Dimension::Channel => Some(&touches.channel),
        Dimension::Campaign => Some(&touches.campaign),
        Dimension::Content => Some(&touches.content),
        Dimension::Source => Some(&touches.source),
        Dimension::Role | Dimension::Person | Dimension::Direction => None,
    }
}

/// The places at which something holds, found without a branch that depends on it.
fn places(holds: impl ExactSizeIterator<Item = bool>, out: &mut Vec<u32>) {
    out.resize(holds.len(), 0);
    let mut count = 0;
    for (place, holds) in holds.enumerate() {
        out[count] = place as u32;
        count += usize::from(holds);
    }
    out.truncate(count);
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
        let anchors = spec.weights.iter().map(|(name, weight)| {
            let anchor = match name.as_str() {
                "first" => Anchor::First,
                "last" => Anchor::Last,
                name => Anchor::Milestone(model.candidates(name).map(candidate).collect()),
            };
            (anchor, name.as_str(), *weight)
        });
        let factors = spec.multiply.iter().flat_map(|(name, values)| {
            values.iter().map(move |(value, factor)| (name.as_str(), value.as_str(), *factor))
        });
        let after = spec.exclude_after.iter();
        let window = [spec.lookback_days, journeys.policy.lookback_days].into_iter().flatten();
        let window = window.fold(f64::INFINITY, f64::min);
        let anchors: Vec<_> = anchors.collect();
        let has_parts =
            !(spec.only_as_anchor.is_empty() && spec.rest_per.is_empty() && spec.points.is_empty());
        let modifies = !spec.multiply.is_empty()
            || spec.use_weight
            || spec.decay != Decay::Continuous
            || spec.half_life_days.is_some()
            || spec.half_life_of_lookback.is_some();
        let only_ends = !has_parts
            && !modifies
            && spec.rest == 0.0
            && anchors.iter().any(|(_, _, weight)| *weight > 0.0)
            && !anchors.iter().any(|(anchor, ..)| matches!(anchor, Anchor::Milestone(_)));
        let asks_first = anchors.iter().any(|(anchor, ..)| matches!(anchor, Anchor::First));
        let only = only_ends.then_some(if asks_first { Ends::FirstAndLast } else { Ends::Last });
        Self {
            model,
            anchors,
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
            keeps_all: spec.exclude.is_empty()
                && spec.exclude_after.is_empty()
                && spec.lookback_days.is_none()
                && spec.whose == Whose::All,
            has_parts,
            modifies,
            only,
            formed: Formed::default(),
            kept: Vec::new(),
            inner: Vec::new(),
            parts: Vec::new(),
            entries: Vec::new(),
            anchored: Anchored::default(),
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
        self.form::<true>(journeys, journey, Known::default(), told);
        if self.formed.each.is_some() {
            self.write_inner();
        }
        let weights = self.inner.iter().map(|weight| weight * self.formed.scale);
        out.clear();
        if self.formed.is_part {
            out.resize(journey.touches.len(), 0.0);
            for (place, weight) in self.kept.iter().zip(weights) {
                out[*place as usize] = weight;
            }
        } else {
            out.extend(weights);
        }
    }

    /// How a journey's touches weigh, without writing down what most of them have in common. Says the same as
    /// [`weights`](Self::weights).
    pub(crate) fn shape(
        &mut self,
        journeys: &Journeys<'_>,
        journey: &Journey,
        known: Known<'_>,
    ) -> Shape<'_> {
        self.form::<false>(journeys, journey, known, &mut |_, _| {});
        let weights = match self.formed.each {
            Some(each) => {
                let (count, others) = (self.formed.touches, self.anchored.others.as_slice());
                Weights::MostlyEven(MostlyEven { count, each, others })
            }
            None => Weights::Each { weights: &self.inner, scale: self.formed.scale },
        };
        Shape { kept: self.formed.is_part.then_some(&self.kept), weights }
    }

    /// Fills the buffers with what a journey's touches weigh.
    fn form<const TELLS: bool>(
        &mut self,
        journeys: &Journeys<'_>,
        journey: &Journey,
        known: Known<'_>,
        told: &mut dyn FnMut(usize, Rule<'m>),
    ) {
        let rows = journeys.touches(journey);
        let is_part = !self.keeps_all
            && (if TELLS { None } else { self.keep_quickly(journeys, journey, rows, known) })
                .unwrap_or_else(|| self.keep(journeys, journey, rows, told));
        let kept = std::mem::take(&mut self.kept);
        let scene = Scene { journeys, journey, rows, kept: is_part.then_some(&kept), known };
        let touches = scene.len();
        let told = &mut |place: usize, rule: Rule<'m>| told(scene.whence(place), rule);
        let spec = self.model.spec();
        let anchors = self.anchors.iter().map(|(anchor, name, weight)| (anchor, *name, *weight));
        let entries = &mut self.entries;
        self.anchored.find(
            anchors,
            touches,
            |anchor, out| anchor.find(scene, spec.whose, entries, out),
            told,
        );
        let mut each = None;
        if touches == 0 {
            each = Some(0.0);
        } else if self.has_parts {
            self.share_out(scene, told);
        } else {
            let (weight, rule) = self.anchored.settle(spec, touches);
            each = Some(weight);
            if TELLS && weight > 0.0 {
                let mut others = self.anchored.others.iter().map(|(place, _)| *place as usize).peekable();
                for place in 0..touches {
                    if others.next_if_eq(&place).is_none() {
                        told(place, rule);
                    }
                }
            }
        }
        self.formed = Formed { touches, is_part, each, scale: 1.0 };
        if touches > 0 && self.modifies {
            if each.is_some() {
                self.write_inner();
            }
            self.modify(scene);
            self.formed.each = None;
        }
        self.kept = kept;
        if self.formed.each.is_none() {
            let total = total_weight(&self.inner);
            self.formed.scale =
                if total.recip().is_finite() && total.is_finite() { total.recip() } else { 0.0 };
        }
    }

    /// Writes down what touches weigh that mostly weigh the same.
    fn write_inner(&mut self) {
        let each = self.formed.each.unwrap_or_default();
        self.anchored.write(self.formed.touches, each, &mut self.inner);
    }

    /// Step 4 where free touches differ.
    fn share_out(&mut self, scene: Scene<'_>, told: &mut dyn FnMut(usize, Rule<'m>)) {
        let mut inner = std::mem::take(&mut self.inner);
        let mut parts = std::mem::take(&mut self.parts);
        self.anchored.write(scene.len(), FREE, &mut inner);
        if !self.only_as_anchor.is_empty() {
            for (place, weight) in inner.iter_mut().enumerate() {
                if *weight == FREE && scene.is_any(&self.only_as_anchor, place) {
                    *weight = 0.0;
                    told(place, Rule::OnlyAsAnchor);
                }
            }
        }
        self.divide(scene, &inner, &mut parts);
        self.anchored.share_out(self.model.spec(), &mut inner, &parts, told);
        (self.inner, self.parts) = (inner, parts);
    }

    /// Step 1 for models that leave out no more than what is too old, or one value of a column: whether the touches that
    /// count are not all, or `None` for other models. Says the same as [`keep`](Self::keep), but leaves out what counts
    /// and weighs nothing where only ends weigh.
    fn keep_quickly(
        &mut self,
        journeys: &Journeys<'_>,
        journey: &Journey,
        rows: Rows<'_>,
        known: Known<'_>,
    ) -> Option<bool> {
        let spec = self.model.spec();
        if spec.whose != Whose::All || !self.excluded_after.is_empty() {
            return None;
        }
        match (self.since(journey), self.excluded.as_slice()) {
            (Some(since), []) => {
                let first = rows.before(&journeys.book.touches, since);
                self.kept.clear();
                self.kept.extend(first as u32..rows.len() as u32);
            }
            (None, [only]) => {
                let column = column(&journeys.book.touches, only.dimension)?;
                let Some(number) = only.number else { return Some(false) };
                let counts = |term: &Term| term.0 != number;
                // A journey's groups lie beside each other, and those of the next one behind them.
                let grouped =
                    known.groups.and_then(|(groups, codes)| Some((groups.of_term(column, number)?, codes)));
                match (grouped, rows) {
                    (Some((group, codes)), _) => self.keep_where(codes.iter().map(|code| *code != group)),
                    (None, Rows::All { first, count }) => {
                        self.keep_where(column[first..first + count].iter().map(counts));
                    }
                    (None, Rows::Listed(rows)) => {
                        self.keep_where(rows.iter().map(|row| counts(&column[*row as usize])));
                    }
                }
            }
            _ => return None,
        }
        let keeps_all = self.kept.is_empty() && spec.if_all_excluded == IfAllExcluded::Keep;
        Some(self.kept.len() < rows.len() && !keeps_all)
    }

    /// Keeps the touches that count; no more than the ends of them where only ends weigh.
    fn keep_where<I>(&mut self, counts: I)
    where
        I: ExactSizeIterator<Item = bool> + DoubleEndedIterator + Clone,
    {
        let Some(only) = self.only else { return places(counts, &mut self.kept) };
        let last = counts.clone().rposition(|counts| counts);
        let first = if only == Ends::FirstAndLast { counts.clone().position(|counts| counts) } else { None };
        let ends = first.filter(|first| Some(*first) != last).into_iter().chain(last);
        self.kept.clear();
        self.kept.extend(ends.map(|place| place as u32));
    }

    /// Before this, touches are too old.
    fn since(&self, journey: &Journey) -> Option<Time> {
        let days = self.model.spec().lookback_days?;
        Some(Time(journey.end.0.saturating_sub((days * DAY_MICROS as f64) as i64)))
    }

    /// Step 1: the places of the touches that count; whether those are not all.
    fn keep(
        &mut self,
        journeys: &Journeys<'_>,
        journey: &Journey,
        rows: Rows<'_>,
        told: &mut dyn FnMut(usize, Rule<'m>),
    ) -> bool {
        self.kept.clear();
        let may_keep_all = self.model.spec().if_all_excluded == IfAllExcluded::Keep;
        for (place, row) in rows.iter().enumerate() {
            match self.left_out(journeys, journey, row) {
                None => self.kept.push(place as u32),
                Some(_) if may_keep_all => {}
                Some(rule) => told(place, rule),
            }
        }
        if may_keep_all && self.kept.is_empty() {
            return false;
        }
        if may_keep_all {
            for (place, row) in rows.iter().enumerate() {
                if let Some(rule) = self.left_out(journeys, journey, row) {
                    told(place, rule);
                }
            }
        }
        self.kept.len() < rows.len()
    }

    /// The rule by which a touch does not count.
    fn left_out(&self, journeys: &Journeys<'_>, journey: &Journey, row: usize) -> Option<Rule<'m>> {
        let spec = self.model.spec();
        let touches = &journeys.book.touches;
        let at = touches.at[row];
        if self.since(journey).is_some_and(|since| at < since) {
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

    /// In what proportion free touches share the rest.
    fn divide(&self, scene: Scene<'_>, weights: &[f64], parts: &mut Vec<f64>) {
        let points = &self.model.spec().points;
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
    fn modify(&mut self, scene: Scene<'_>) {
        let spec = self.model.spec();
        let touches = &scene.journeys.book.touches;
        if !self.factors.is_empty() || spec.use_weight || spec.decay == Decay::Rank {
            for (place, weight) in self.inner.iter_mut().enumerate() {
                let row = scene.row(place);
                for (it, factor) in &self.factors {
                    if it.fits(scene.journeys, scene.journey, row) {
                        *weight *= factor;
                    }
                }
                if spec.use_weight {
                    *weight *= f64::from(touches.weight[row]) / f64::from(FULL_WEIGHT);
                }
                if spec.decay == Decay::Rank {
                    *weight *= (place + 1) as f64;
                }
            }
        }
        let Some(half_life) = self.half_life_days else { return };
        // Ages count from the latest touch that weighs anything: the end cancels out of a decay by whole or broken
        // half-lives, and the youngest touch then weighs 1, however old the journey.
        let Some(newest) = self.inner.iter().rposition(|weight| *weight > 0.0) else { return };
        let half_life_micros = half_life * DAY_MICROS as f64;
        let ages = if let (None, Some(ages)) = (scene.kept, scene.known.ages) {
            ages
        } else {
            self.parts.clear();
            self.parts.extend((0..scene.len()).map(|place| scene.age(place)));
            &self.parts
        };
        let (least, half_lives) = (ages[newest], half_life_micros.recip());
        let both = self.inner.iter_mut().zip(ages);
        if spec.decay == Decay::Step {
            let least = (least / half_life_micros).floor();
            both.for_each(|(weight, age)| *weight *= half_to_the((age / half_life_micros).floor() - least));
        } else {
            widest(|| both.for_each(|(weight, age)| *weight *= half_to_the((age - least) * half_lives)));
        }
    }
}

impl<'m> Anchor<'m> {
    /// Step 2: the places of the touches that hold it; none if it is missing.
    #[inline]
    fn find(
        &self,
        scene: Scene<'_>,
        whose: Whose,
        entries: &mut Vec<(Time, u32)>,
        out: &mut Vec<usize>,
    ) -> Held<'m> {
        match self {
            Self::First => out.push(0),
            Self::Last => out.push(scene.len() - 1),
            Self::Milestone(candidates) => return find_milestone(candidates, scene, whose, entries, out),
        }
        Held::Itself
    }
}

fn find_milestone<'m>(
    candidates: &[Candidate<'m>],
    scene: Scene<'_>,
    whose: Whose,
    entries: &mut Vec<(Time, u32)>,
    out: &mut Vec<usize>,
) -> Held<'m> {
    for (place, candidate) in candidates.iter().enumerate() {
        if candidate.is_pending && scene.journeys.is_open(scene.journey) {
            let last = (0..scene.len()).rev().find(|place| candidate.may_hold(scene, *place));
            out.extend(last);
            return Held::Pending;
        }
        match candidate.find(scene, whose, entries, out) {
            Found::Touches if place > 0 => return Held::With(candidate.name),
            Found::Touches | Found::Unheld => return Held::Itself,
            Found::Skipped => {}
        }
    }
    Held::Itself
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
            out.extend((0..scene.len()).filter(|place| self.may_hold(scene, *place)));
            self.take_of(out);
            return if out.is_empty() { Found::Skipped } else { Found::Touches };
        }
        let Some(milestone) = self.milestone else { return Found::Skipped };
        if self.is_plain {
            let before = match (scene.known.until, scene.kept) {
                (Some(until), None) if until[milestone] == NOT_REACHED => None,
                (Some(until), None) => Some(until[milestone] as usize),
                _ => scene.journey.times[milestone].map(|time| scene.until(time)),
            };
            let Some(before) = before else { return Found::Skipped };
            out.extend(self.holder(scene, before, NOBODY));
        } else {
            scene.journeys.entries(scene.journey, milestone, whose, entries);
            self.take_of(entries);
            if entries.is_empty() {
                return Found::Skipped;
            }
            let holders =
                entries.iter().map(|(time, person)| self.holder(scene, scene.until(*time), *person));
            out.extend(holders.flatten());
        }
        if out.is_empty() { Found::Unheld } else { Found::Touches }
    }

    fn take_of<T>(&self, all: &mut Vec<T>) {
        match self.take {
            Take::Each => {}
            Take::First => all.truncate(1),
            Take::Last => drop(all.drain(..all.len().saturating_sub(1))),
        }
    }

    /// The last of the first so many touches that may hold the milestone; of this person, if only theirs may.
    fn holder(&self, scene: Scene<'_>, before: usize, person: u32) -> Option<usize> {
        let touches = &scene.journeys.book.touches;
        let is_theirs = |place: &usize| {
            self.held_by != HeldBy::Person || person == NOBODY || touches.person[scene.row(*place)] == person
        };
        (0..before).rev().find(|place| is_theirs(place) && self.may_hold(scene, *place))
    }
}
