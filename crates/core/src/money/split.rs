//! The split that loses no unit: largest remainder, by selection and without sorting.
//!
//! A weight is first rounded to a whole number of steps, about 2⁻⁴⁰ of the total each; all that follows is exact. So
//! what a share is depends on the weights alone, and neither on the way that they are written down nor on the order
//! in which they are added up. Not responsible for what a weight means.

use crate::wide::{ROUNDS, widest};

/// Splits `amount` over `weights` by largest remainder, appending one share per weight to `out`.
///
/// The shares add up to `amount` exactly. Leftover units go to the largest remainders; of equal remainders the
/// earlier wins, so the result depends on nothing but its input. A negative amount is split by magnitude.
/// No weight may be below zero. Returns `false`, and appends zeros, if none is above it. To split many amounts,
/// keep a [`Splitter`].
///
/// ```
/// let mut shares = Vec::new();
/// tributary_core::money::split(14_000, &[1.0, 1.0, 1.0], &mut shares);
/// assert_eq!(shares, [4667, 4667, 4666]);
/// ```
pub fn split(amount: i64, weights: &[f64], out: &mut Vec<i64>) -> bool {
    Splitter::default().split(amount, weights, out)
}

/// Weights of which all but a few are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MostlyEven<'a> {
    /// How many there are in all.
    pub count: usize,
    /// What each weighs that is not one of the others.
    pub each: f64,
    /// Places and weights of the others, in order of place.
    pub others: &'a [(u32, f64)],
}

/// What those get that weigh the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Even {
    /// Each of them.
    pub each: i64,
    /// So many of them, the earliest, get a unit more.
    pub more: usize,
    /// That unit: 1, or −1 of a negative amount.
    pub unit: i64,
}

/// Splits amount after amount in the same buffers. See [`split`](fn@split).
#[derive(Clone, Debug, Default)]
pub struct Splitter {
    steps: Vec<u64>,
    /// What each share lacks to the next unit.
    lacking: Vec<u64>,
    /// Those of the others, or of the bucket, in order of what they lack.
    order: Vec<u32>,
}

/// Shares that lack about the same: told apart by the highest bits of what they lack.
#[derive(Clone, Copy)]
struct Buckets {
    shift: u32,
}

impl Buckets {
    const BITS: u32 = 6;
    const COUNT: usize = 1 << Self::BITS;

    /// Of shares that lack no more than this.
    fn of(most: u64) -> Self {
        Self { shift: (u64::BITS - most.leading_zeros()).saturating_sub(Self::BITS) }
    }

    fn of_lack(self, lack: u64) -> usize {
        (lack >> self.shift) as usize % Self::COUNT
    }
}

/// Adds weights up, in four strands that do not wait for each other.
pub fn total_weight(weights: &[f64]) -> f64 {
    widest(|| {
        let (fours, rest) = weights.as_chunks::<4>();
        let mut strands = [0.0; 4];
        for four in fours {
            for (strand, weight) in strands.iter_mut().zip(four) {
                *strand += weight;
            }
        }
        strands.iter().chain(rest).sum()
    })
}

impl Splitter {
    /// Appends one share per weight to `out`. See [`split`](fn@split).
    pub fn split(&mut self, amount: i64, weights: &[f64], out: &mut Vec<i64>) -> bool {
        self.split_scaled(amount, weights, 1.0, out)
    }

    /// As [`split`](Self::split) does if each weight is multiplied by a factor before.
    pub fn split_scaled(&mut self, amount: i64, weights: &[f64], factor: f64, out: &mut Vec<i64>) -> bool {
        let start = out.len();
        out.resize(start + weights.len(), 0);
        let Some(scale) = Scale::of(total_weight(weights) * factor) else { return false };
        self.steps.resize(weights.len(), 0);
        self.lacking.resize(weights.len(), 0);
        let (steps, lacking, shares) = (&mut self.steps[..], &mut self.lacking[..], &mut out[start..]);
        let whole = widest(|| {
            for (step, weight) in steps.iter_mut().zip(weights) {
                *step = scale.steps(weight * factor);
            }
            steps.iter().sum()
        });
        let division = Division::new(amount.unsigned_abs(), whole);
        let left = widest(|| division.share_all(steps, shares, lacking));
        // What is left goes to those that lack least. The remainders add up to `left` wholes, and each is less than
        // one: more shares than `left` lack less than a whole.
        if left > 0 {
            self.give(left as u32, whole, shares);
        }
        if amount < 0 {
            // The one amount that has no opposite is its own: i64::MIN.
            for share in shares {
                *share = share.wrapping_neg();
            }
        }
        true
    }

    /// Gives one unit each to the so many shares that lack least; of those that lack the same, to the earliest.
    ///
    /// It is known how many lack about the same, so that only a few are compared with each other.
    fn give(&mut self, mut left: u32, whole: u64, shares: &mut [i64]) {
        let (buckets, lacking) = (Buckets::of(whole), &self.lacking[..]);
        let mut counts = [0; Buckets::COUNT];
        for lack in lacking {
            counts[buckets.of_lack(*lack)] += 1;
        }
        let mut last = 0;
        while counts[last] < left {
            left -= counts[last];
            last += 1;
        }
        widest(|| {
            for (share, lack) in shares.iter_mut().zip(lacking) {
                *share += i64::from(buckets.of_lack(*lack) < last);
            }
        });
        self.order.clear();
        let bucket = lacking.iter().enumerate().filter(|(_, lack)| buckets.of_lack(**lack) == last);
        self.order.extend(bucket.map(|(place, _)| place as u32));
        let key = |place: &u32| (lacking[*place as usize], *place);
        if (left as usize) < self.order.len() {
            self.order.select_nth_unstable_by_key(left as usize, key);
        }
        for place in &self.order[..left as usize] {
            shares[*place as usize] += 1;
        }
    }

    /// Splits as [`split`](Self::split) does, without looking at each of the equal weights: appends the shares of the
    /// others to `out`. `None`, and nothing appended, if no weight is above zero.
    pub fn split_mostly_even(
        &mut self,
        amount: i64,
        weights: &MostlyEven<'_>,
        out: &mut Vec<i64>,
    ) -> Option<Even> {
        let free = weights.count - weights.others.len();
        let total = free as f64 * weights.each + weights.others.iter().map(|(_, weight)| weight).sum::<f64>();
        let scale = Scale::of(total)?;
        let each = if free > 0 { scale.steps(weights.each) } else { 0 };
        self.steps.clear();
        self.steps.extend(weights.others.iter().map(|(_, weight)| scale.steps(*weight)));
        let whole = each * free as u64 + self.steps.iter().sum::<u64>();
        let division = Division::new(amount.unsigned_abs(), whole);
        let (units, rest) = division.share(each);
        let lack_of_each = whole - rest;
        let mut left = division.magnitude - units * free as u64;
        self.lacking.clear();
        let start = out.len();
        for step in &self.steps {
            let (units, rest) = division.share(*step);
            left -= units;
            out.push(units as i64);
            self.lacking.push(whole - rest);
        }
        let shares = &mut out[start..];
        let mut more = 0;
        if left > 0 {
            let lacking = &self.lacking;
            self.order.clear();
            self.order.extend(0..lacking.len() as u32);
            self.order.sort_by_key(|other| lacking[*other as usize]);
            let mut others = self.order.iter().map(|other| *other as usize).peekable();
            // First those that lack less than the free ones.
            while left > 0
                && let Some(other) = others.next_if(|other| lacking[*other] < lack_of_each)
            {
                shares[other] += 1;
                left -= 1;
            }
            // Then the free ones and those that lack the same, by place; before the other of a number stand that many
            // others, and else free ones.
            let (mut before, mut given) = (0, 0);
            while let Some(other) = others.next_if(|other| lacking[*other] == lack_of_each) {
                let free_before = u64::from(weights.others[other].0) - other as u64;
                if free_before + before < left {
                    shares[other] += 1;
                    given += 1;
                }
                before += 1;
            }
            more = (left - given).min(free as u64);
            left -= given + more;
            // Then those that lack more.
            for other in others.take(left as usize) {
                shares[other] += 1;
            }
        }
        let (mut each, mut unit) = (units as i64, 1);
        if amount < 0 {
            (each, unit) = (each.wrapping_neg(), -1);
            for share in shares {
                *share = share.wrapping_neg();
            }
        }
        Some(Even { each, more: more as usize, unit })
    }
}

/// Steps of all weights together, but for a factor of two.
const STEPS: f64 = (1_u64 << 40) as f64;

/// How many steps a weight is.
///
/// The scale is a power of two, so that it is the same for every way to add the weights up: totals that differ in
/// their last bits have the same unless they are on either side of 0.75 times a power of two, and weights that sum to
/// 1 are far from that.
#[derive(Clone, Copy)]
struct Scale(f64, f64);

impl Scale {
    /// Of weights that add up to about `total`; `None` if that can't be split by.
    fn of(total: f64) -> Option<Self> {
        const EXPONENT: u64 = 0x7ff << 52;
        if total <= 0.0 || !total.is_finite() {
            return None;
        }
        let power = f64::from_bits((total / 0.75).to_bits() & EXPONENT);
        if power.is_normal() {
            return Some(Self(power.recip(), STEPS));
        }
        // Too small or too large to have an inverse.
        let lift = 2.0_f64.powi(if total < 1.0 { 1000 } else { -1000 });
        Some(Self(lift, STEPS / (total * lift)))
    }

    #[inline]
    fn steps(self, weight: f64) -> u64 {
        rounded(weight * self.0 * self.1)
    }
}

/// The nearest whole number to one from 0 to 2⁵¹, of two the even one.
#[inline]
fn rounded(number: f64) -> u64 {
    (number + ROUNDS).to_bits().wrapping_sub(ROUNDS.to_bits())
}

/// A whole number below 2⁵¹ as it is.
#[inline]
fn float(number: u64) -> f64 {
    f64::from_bits(number.wrapping_add(ROUNDS.to_bits())) - ROUNDS
}

/// Divides a magnitude times a number of steps by all steps, exactly.
struct Division {
    magnitude: u64,
    whole: u64,
    /// The magnitude over the whole, roughly; `None` where a guess would not be near enough.
    rough: Option<f64>,
}

impl Division {
    fn new(magnitude: u64, whole: u64) -> Self {
        let rough = (magnitude < 1 << 50).then(|| magnitude as f64 / whole as f64);
        Self { magnitude, whole, rough }
    }

    /// The quotient and the remainder.
    #[inline]
    fn share(&self, step: u64) -> (u64, u64) {
        match self.rough {
            Some(rough) => self.share_roughly(rough, step),
            None => self.share_exactly(step),
        }
    }

    fn share_exactly(&self, step: u64) -> (u64, u64) {
        let product = u128::from(self.magnitude) * u128::from(step);
        let whole = u128::from(self.whole);
        ((product / whole) as u64, (product % whole) as u64)
    }

    /// Below 2⁵⁰ the guess is less than one off, so its nearest whole number is the quotient or one more. Both products
    /// may overflow; their difference does not, so it is right all the same.
    #[inline]
    fn share_roughly(&self, rough: f64, step: u64) -> (u64, u64) {
        let units = rounded(rough * float(step));
        let rest = self.magnitude.wrapping_mul(step).wrapping_sub(units.wrapping_mul(self.whole));
        // All ones if the rest is below zero.
        let is_over = ((rest as i64) >> 63) as u64;
        (units.wrapping_add(is_over), rest.wrapping_add(is_over & self.whole))
    }

    /// Writes down the quotient of each number of steps and what its remainder lacks to the whole; how much of the
    /// magnitude the quotients leave.
    #[inline]
    fn share_all(&self, steps: &[u64], shares: &mut [i64], lacking: &mut [u64]) -> u64 {
        let mut given = 0;
        let all = steps.iter().zip(shares).zip(lacking);
        for ((step, share), lack) in all {
            let (units, rest) = self.share(*step);
            given += units;
            *share = units as i64;
            *lack = self.whole - rest;
        }
        self.magnitude - given
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn leftover_cents_go_to_the_largest_remainders_then_the_earliest() {
        let check = |amount, weights: &[f64], expected: &[i64]| {
            let mut out = Vec::new();
            assert!(split(amount, weights, &mut out));
            assert_eq!(out, expected);
        };
        check(14_000, &[1.0, 1.0, 1.0], &[4667, 4667, 4666]);
        check(-14_000, &[1.0, 1.0, 1.0], &[-4667, -4667, -4666]);
        check(100, &[0.4, 0.2, 0.4], &[40, 20, 40]);
        check(1, &[0.0, 1.0, 1.0], &[0, 1, 0]);
        check(0, &[1.0], &[0]);
        check(i64::MAX, &[1.0, 1.0], &[i64::MAX / 2 + 1, i64::MAX / 2]);
        check(i64::MIN, &[1.0], &[i64::MIN]);
        for tiny in [f64::MIN_POSITIVE, 5e-324, 1e-300, f64::MAX / 2.0] {
            check(3, &[tiny, tiny], &[2, 1]);
        }
        assert!(!split(5, &[0.0, 0.0], &mut Vec::new()));
        assert!(!split(5, &[], &mut Vec::new()));
    }

    /// The split as one would explain it.
    fn plain(amount: i64, weights: &[f64]) -> Vec<i64> {
        let scale = Scale::of(weights.iter().sum()).unwrap();
        let steps: Vec<u128> = weights.iter().map(|weight| u128::from(scale.steps(*weight))).collect();
        let (magnitude, whole) = (u128::from(amount.unsigned_abs()), steps.iter().sum::<u128>());
        let mut shares: Vec<i64> = steps.iter().map(|step| (magnitude * step / whole) as i64).collect();
        let mut order: Vec<usize> = (0..steps.len()).collect();
        order.sort_by_key(|place| whole - magnitude * steps[*place] % whole);
        let left = magnitude as i64 - shares.iter().sum::<i64>();
        order[..left as usize].iter().for_each(|place| shares[*place] += 1);
        shares.iter().map(|share| share * amount.signum()).collect()
    }

    /// Weights that often are the same, or as coarse as people write them.
    fn weight() -> impl Strategy<Value = f64> {
        prop_oneof![Just(0.0), (0_u32..5).prop_map(|tenths| f64::from(tenths) / 10.0), 0.0_f64..1e6]
    }

    proptest! {
        #[test]
        fn a_quick_division_is_the_exact_one(magnitude in 0_u64..1 << 50, whole in 1_u64..1 << 42, part in 0.0_f64..=1.0) {
            let step = (whole as f64 * part) as u64;
            let product = u128::from(magnitude) * u128::from(step);
            let exact = (product / u128::from(whole), product % u128::from(whole));
            let (units, rest) = Division::new(magnitude, whole).share(step);
            prop_assert_eq!((u128::from(units), u128::from(rest)), exact);
        }

        #[test]
        fn a_split_is_the_plain_one_and_sums_to_the_amount(
            amount in prop_oneof![-1_000_i64..1_000, -1_000_000_000_000_i64..1_000_000_000_000],
            weights in vec(weight(), 1..60),
        ) {
            let mut out = Vec::new();
            if split(amount, &weights, &mut out) {
                prop_assert_eq!(out.iter().sum::<i64>(), amount);
                prop_assert!(out.iter().zip(&weights).all(|(share, weight)| *weight > 0.0 || *share == 0));
                prop_assert_eq!(out, plain(amount, &weights));
            }
        }

        #[test]
        fn mostly_even_weights_are_split_as_if_each_were_written_down(
            amount in prop_oneof![-1_000_i64..1_000, -1_000_000_000_000_i64..1_000_000_000_000],
            each in weight(),
            marked in vec((any::<bool>(), prop_oneof![weight(), Just(-1.0)]), 1..40),
        ) {
            // An other of weight -1 weighs as much as those that are no others.
            let others: Vec<(u32, f64)> = marked.iter().enumerate().filter(|(_, (is_other, _))| *is_other)
                .map(|(place, (_, weight))| (place as u32, if *weight < 0.0 { each } else { *weight }))
                .collect();
            let mut weights = vec![each; marked.len()];
            for (place, weight) in &others {
                weights[*place as usize] = *weight;
            }
            // As of a model, they sum to 1.
            let whole: f64 = weights.iter().sum();
            let scaled = |weight: f64| if whole > 0.0 { weight / whole } else { weight };
            for weight in &mut weights {
                *weight = scaled(*weight);
            }
            let others: Vec<(u32, f64)> = others.iter().map(|(place, weight)| (*place, scaled(*weight))).collect();
            let each = scaled(each);
            let (mut splitter, mut shares, mut all) = (Splitter::default(), Vec::new(), Vec::new());
            let even = MostlyEven { count: marked.len(), each, others: &others };
            let even = splitter.split_mostly_even(amount, &even, &mut shares);
            prop_assert_eq!(even.is_some(), splitter.split(amount, &weights, &mut all));
            if let Some(even) = even {
                let mut more = even.more;
                let mut written = vec![even.each; marked.len()];
                let mut next = others.iter().zip(&shares).peekable();
                for (place, share) in written.iter_mut().enumerate() {
                    if let Some((_, own)) = next.next_if(|((other, _), _)| *other as usize == place) {
                        *share = *own;
                    } else if more > 0 {
                        *share += even.unit;
                        more -= 1;
                    }
                }
                prop_assert_eq!(written, all);
            }
        }
    }
}
