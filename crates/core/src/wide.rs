//! Loops over columns of numbers, by the widest instructions that the machine has.
//!
//! A program that runs anywhere is compiled for the oldest machine. What is inlined into [`widest`] is compiled for
//! newer ones too, and the one for the machine at hand is taken. No bit of a result depends on which that is: each
//! operation is the same one of IEEE 754, and nothing is put in another order.

use pulp::{Arch, NullaryFnOnce};

/// Added to a number between −2⁵¹ and 2⁵¹, this leaves the nearest whole number, of two the even one, in its lowest
/// bits. Conversions of the language go number by number on most machines.
pub const ROUNDS: f64 = 6_755_399_441_055_744.0;

/// Does a piece of work that loops over numbers, and gives what it gives.
#[inline]
pub fn widest<T>(work: impl FnOnce() -> T) -> T {
    Arch::new().dispatch(Work(work))
}

struct Work<F>(F);

impl<T, F: FnOnce() -> T> NullaryFnOnce for Work<F> {
    type Output = T;

    #[expect(clippy::inline_always, reason = "what is not inlined is compiled for the oldest machine")]
    #[inline(always)]
    fn call(self) -> T {
        (self.0)()
    }
}
