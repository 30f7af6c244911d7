//! Adds up by group what a journey's touches get: to the cent, or without rounding.
//!
//! Most models give most touches the same, and most journeys touch a group more than once: then what a group gets
//! follows from how often it is touched, and only the few touches that get something else are looked at one by one.
//! Not responsible for weights.

use tributary_core::money::Splitter;

use super::groups::Run;
use crate::model::{Shape, Weights};

/// Sums by group under one model.
pub(super) trait Sums {
    /// Adds a journey: its worth in minor units, the group of each touch, how often it touches each group, and how its
    /// touches weigh.
    fn add(&mut self, minor: i64, codes: &[u32], runs: &[Run], shape: Shape<'_>);
}

/// Exact cents.
pub(super) struct Cents {
    pub(super) sums: Vec<i64>,
    pub(super) unattributed_minor: i64,
    pub(super) unattributed_deals: u64,
    splitter: Splitter,
    shares: Vec<i64>,
    kept: Vec<u32>,
}

impl Cents {
    pub(super) fn new(groups: usize) -> Self {
        Self {
            sums: vec![0; groups],
            unattributed_minor: 0,
            unattributed_deals: 0,
            splitter: Splitter::default(),
            shares: Vec::new(),
            kept: Vec::new(),
        }
    }
}

impl Sums for Cents {
    fn add(&mut self, minor: i64, codes: &[u32], runs: &[Run], shape: Shape<'_>) {
        let (codes, runs) = kept(&mut self.kept, codes, runs, &shape);
        let sums = &mut self.sums;
        self.shares.clear();
        let is_split = match shape.weights {
            Weights::MostlyEven(weights) => {
                let even = self.splitter.split_mostly_even(minor, &weights, &mut self.shares);
                if let Some(even) = even {
                    if even.each != 0 {
                        add_each(runs, codes, |group, touches| sums[group] += even.each * touches);
                    }
                    // What the earliest have more: from one of the others to the next.
                    let (mut begin, mut more) = (0, even.more);
                    for ((place, _), share) in weights.others.iter().zip(&self.shares) {
                        let place = *place as usize;
                        sums[codes[place] as usize] += share - even.each;
                        let end = place.min(begin + more);
                        codes[begin..end].iter().for_each(|code| sums[*code as usize] += even.unit);
                        more -= end - begin;
                        begin = place + 1;
                    }
                    codes.iter().skip(begin).take(more).for_each(|code| sums[*code as usize] += even.unit);
                }
                even.is_some()
            }
            Weights::Each(weights) => {
                let is_split = self.splitter.split(minor, weights, &mut self.shares);
                for (code, share) in codes.iter().zip(&self.shares) {
                    sums[*code as usize] += share;
                }
                is_split
            }
        };
        if !is_split {
            self.unattributed_minor += minor;
            self.unattributed_deals += 1;
        }
    }
}

/// Without rounding, in minor units.
#[derive(Debug)]
pub(super) struct Unrounded {
    pub(super) sums: Vec<f64>,
    kept: Vec<u32>,
}

impl Unrounded {
    pub(super) fn new(groups: usize) -> Self {
        Self { sums: vec![0.0; groups], kept: Vec::new() }
    }
}

impl Sums for Unrounded {
    fn add(&mut self, minor: i64, codes: &[u32], runs: &[Run], shape: Shape<'_>) {
        let (codes, runs) = kept(&mut self.kept, codes, runs, &shape);
        let (sums, minor) = (&mut self.sums, minor as f64);
        match shape.weights {
            Weights::MostlyEven(weights) => {
                let each = minor * weights.each;
                if each != 0.0 {
                    add_each(runs, codes, |group, touches| sums[group] += each * touches as f64);
                }
                for (place, weight) in weights.others {
                    sums[codes[*place as usize] as usize] += minor * weight - each;
                }
            }
            Weights::Each(weights) => {
                for (code, weight) in codes.iter().zip(weights) {
                    sums[*code as usize] += minor * weight;
                }
            }
        }
    }
}

/// The groups of the touches that count, and how often each is touched if all count.
fn kept<'a>(
    room: &'a mut Vec<u32>,
    codes: &'a [u32],
    runs: &'a [Run],
    shape: &Shape<'_>,
) -> (&'a [u32], Option<&'a [Run]>) {
    let Some(places) = shape.kept else { return (codes, Some(runs)) };
    room.clear();
    room.extend(places.iter().map(|place| codes[*place as usize]));
    (room, None)
}

/// Calls for each group how often it is touched, one touch at a time if that was not counted.
fn add_each(runs: Option<&[Run]>, codes: &[u32], mut add: impl FnMut(usize, i64)) {
    match runs {
        Some(runs) => runs.iter().for_each(|run| add(run.group as usize, i64::from(run.touches))),
        None => codes.iter().for_each(|code| add(*code as usize, 1)),
    }
}
