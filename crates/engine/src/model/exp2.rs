//! Powers of one half, the same to the last bit on every machine.
//!
//! A system's mathematical library may round otherwise than another's, and then a cent may go elsewhere. This uses
//! nothing but what IEEE 754 fixes, and no branch, so that compilers can do several at a time.

use tributary_core::wide::ROUNDS;

/// ln(2)ⁿ / n! for n from 1 to 13: the Taylor series of 2^x but for its first term, 1. Its error below x = ½ is less
/// than 2⁻⁵⁶.
const TERMS: [f64; 13] = [
    std::f64::consts::LN_2,
    2.402_265_069_591_007e-1,
    5.550_410_866_482_158e-2,
    9.618_129_107_628_477e-3,
    1.333_355_814_642_844_3e-3,
    1.540_353_039_338_161e-4,
    1.525_273_380_405_984e-5,
    1.321_548_679_014_431e-6,
    1.017_808_600_923_969_9e-7,
    7.054_911_620_801_123e-9,
    4.445_538_271_870_811_5e-10,
    2.567_843_599_348_820_5e-11,
    1.368_888_189_248_785_3e-12,
];

/// 2^(−`times`), within two units of the last place; exact for whole numbers. 1 for numbers below 0, and at the least
/// 2⁻¹⁰²².
#[inline]
pub(super) fn half_to_the(times: f64) -> f64 {
    let exponent = -times.clamp(0.0, 1022.0);
    let rounded = exponent + ROUNDS;
    let x = exponent - (rounded - ROUNDS);
    // Estrin's scheme: halves of the series do not wait for each other.
    let [x2, x4, x8] = [x * x, (x * x) * (x * x), (x * x) * (x * x) * ((x * x) * (x * x))];
    let two = |n: usize| TERMS[n] + TERMS[n + 1] * x;
    let four = |n: usize| two(n) + two(n + 2) * x2;
    let series = (four(0) + four(4) * x4) + (four(8) + TERMS[12] * x4) * x8;
    let power = 1.0 + series * x;
    // The whole part goes into the exponent's bits.
    f64::from_bits(power.to_bits().wrapping_add(rounded.to_bits() << 52))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_a_half_are_exact_where_whole_and_close_everywhere() {
        for whole in 0..=1022_i32 {
            assert_eq!(half_to_the(f64::from(whole)).to_bits(), 2.0_f64.powi(-whole).to_bits());
        }
        for step in 0..100_000 {
            let times = f64::from(step) * 0.010_217;
            let expected = (-times).exp2();
            assert!((half_to_the(times) / expected - 1.0).abs() < 4e-16, "{times}");
        }
        let edges = [-1.0, -0.0, f64::INFINITY, 5000.0].map(half_to_the);
        assert_eq!(
            edges.map(f64::to_bits),
            [1.0, 1.0, f64::MIN_POSITIVE, f64::MIN_POSITIVE].map(f64::to_bits)
        );
    }
}
