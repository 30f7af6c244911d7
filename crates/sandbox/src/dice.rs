//! Seeded chance.

use tributary_core::Time;

/// A generator whose every throw follows from its seed.
#[derive(Clone, Debug)]
pub(crate) struct Dice(fastrand::Rng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// In `0.0..1.0`.
    pub(crate) fn unit(&mut self) -> f64 {
        self.0.f64()
    }

    /// In `0..below`.
    pub(crate) fn below(&mut self, below: usize) -> usize {
        self.0.usize(0..below.max(1))
    }

    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        self.0.i64(low..=high.max(low))
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    /// An index, in proportion to weights.
    pub(crate) fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f64>();
        for (index, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return index;
            }
        }
        weights.len() - 1
    }

    /// Mean 0, deviation 1 (Box–Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// An instant between two, on a whole second.
    pub(crate) fn instant(&mut self, from: Time, until: Time) -> Time {
        let seconds = ((until.0 - from.0) / 1_000_000).max(1);
        Time(from.0 + self.0.i64(0..seconds) * 1_000_000)
    }
}
