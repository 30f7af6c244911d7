//! Adds up by group what a journey's touches get: to the cent, or without rounding.
//!
//! Most models give most touches the same, and most journeys touch a group more than once: then what a group gets
//! follows from how often it is touched, and only the few touches that get something else are looked at one by one.
//! Not responsible for weights.

use tributary_core::money::Splitter;

use super::groups::Run;
use crate::model::{Shape, Weights};

/// Sums by group under one model.
pub(super) trait Sums: Sized {
    /// Adds a journey: its worth in minor units, the group of each touch, how often it touches each group, and how its
    /// touches weigh.
    fn add(&mut self, minor: i64, codes: &[u32], runs: &[Run], shape: Shape<'_>);

    /// Adds the sums of other journeys.
    fn add_all(&mut self, other: Self);
}

/// Exact cents.
pub(super) struct Cents {
    pub(super) sums: Vec<i64>,
    pub(super) unattributed_minor: i64,
    pub(super) unattributed_deals: u64,
    splitter: Splitter,
    shares: Vec<i64>,
}

impl Cents {
    pub(super) fn new(groups: usize) -> Self {
        Self {
            sums: vec![0; groups],
            unattributed_minor: 0,
            unattributed_deals: 0,
            splitter: Splitter::default(),
            shares: Vec::new(),
        }
    }
}

impl Sums for Cents {
    fn add(&mut self, minor: i64, codes: &[u32], runs: &[Run], shape: Shape<'_>) {
        let sums = &mut self.sums;
        self.shares.clear();
        let is_split = match shape.weights {
            Weights::MostlyEven(weights) => {
                let even = self.splitter.split_mostly_even(minor, &weights, &mut self.shares);
                if let Some(even) = even {
                    if even.each != 0 {
                        add_each(&shape, codes, runs, |group, touches| sums[group] += even.each * touches);
                    }
                    let mut add = |place: usize, units: i64| sums[group(&shape, codes, place)] += units;
                    // What the earliest have more: from one of the others to the next.
                    let (mut begin, mut more) = (0, even.more);
                    for ((place, _), share) in weights.others.iter().zip(&self.shares) {
                        let place = *place as usize;
                        add(place, share - even.each);
                        let end = place.min(begin + more);
                        (begin..end).for_each(|place| add(place, even.unit));
                        more -= end - begin;
                        begin = place + 1;
                    }
                    (begin..begin + more).for_each(|place| add(place, even.unit));
                }
                even.is_some()
            }
            Weights::Each { weights, scale } => {
                let is_split = self.splitter.split_scaled(minor, weights, scale, &mut self.shares);
                groups(&shape, codes, &self.shares, |group, share| sums[group] += share);
                is_split
            }
        };
        if !is_split {
            self.unattributed_minor += minor;
            self.unattributed_deals += 1;
        }
    }

    fn add_all(&mut self, other: Self) {
        self.sums.iter_mut().zip(other.sums).for_each(|(sum, other)| *sum += other);
        self.unattributed_minor += other.unattributed_minor;
        self.unattributed_deals += other.unattributed_deals;
    }
}

/// Without rounding, in minor units.
#[derive(Debug)]
pub(super) struct Unrounded {
    pub(super) sums: Vec<f64>,
}

impl Unrounded {
    pub(super) fn new(groups: usize) -> Self {
        Self { sums: vec![0.0; groups] }
    }
}

impl Sums for Unrounded {
    fn add(&mut self, minor: i64, codes: &[u32], runs: &[Run], shape: Shape<'_>) {
        let (sums, minor) = (&mut self.sums, minor as f64);
        match shape.weights {
            Weights::MostlyEven(weights) => {
                let each = minor * weights.each;
                if each != 0.0 {
                    add_each(&shape, codes, runs, |group, touches| sums[group] += each * touches as f64);
                }
                for (place, weight) in weights.others {
                    sums[group(&shape, codes, *place as usize)] += minor * weight - each;
                }
            }
            Weights::Each { weights, scale } => {
                let minor = minor * scale;
                groups(&shape, codes, weights, |group, weight| sums[group] += minor * weight);
            }
        }
    }

    fn add_all(&mut self, other: Self) {
        self.sums.iter_mut().zip(other.sums).for_each(|(sum, other)| *sum += other);
    }
}

/// The group of a touch that counts.
fn group(shape: &Shape<'_>, codes: &[u32], place: usize) -> usize {
    codes[shape.kept.map_or(place, |kept| kept[place] as usize)] as usize
}

/// Calls with the group and the number of each touch that counts.
fn groups<T: Copy>(shape: &Shape<'_>, codes: &[u32], numbers: &[T], mut add: impl FnMut(usize, T)) {
    match shape.kept {
        None => codes.iter().zip(numbers).for_each(|(code, number)| add(*code as usize, *number)),
        Some(kept) => {
            kept.iter()
                .zip(numbers)
                .for_each(|(place, number)| add(codes[*place as usize] as usize, *number));
        }
    }
}

/// Calls for each group how often it is touched; one touch at a time if only some count.
fn add_each(shape: &Shape<'_>, codes: &[u32], runs: &[Run], mut add: impl FnMut(usize, i64)) {
    match shape.kept {
        None => runs.iter().for_each(|run| add(run.group as usize, i64::from(run.touches))),
        Some(kept) => kept.iter().for_each(|place| add(codes[*place as usize] as usize, 1)),
    }
}
