//! How fast one core reads memory: what no model can be faster than.

use std::hint::black_box;

use crate::best;

/// Numbers of eight bytes that are read; far more than any cache holds.
const NUMBERS: usize = 32 << 20;

/// Bytes a processor second.
pub(crate) fn read() -> f64 {
    let numbers: Vec<u64> = (0..NUMBERS as u64).collect();
    let (_, cost) = best(|| black_box(&numbers).iter().fold(0_u64, |sum, number| sum.wrapping_add(*number)));
    (NUMBERS * 8) as f64 / cost.cpu.as_secs_f64()
}
