//! Numbers, times and texts as the bytes of a column, compressed with a checksum, and back.
//!
//! A list of numbers is as many planes of bytes as its largest number needs: first every number's lowest byte, then
//! every next one. So small numbers take little room, and noise in the low bytes does not spoil the high ones. A
//! list of equal numbers is no plane at all, and the number. Reading trusts nothing: a column that is damaged is an error.

use std::collections::BTreeMap;
use std::ops::{BitOrAssign, Shl};

use zstd::bulk::Decompressor;

use super::ChunkError;
use crate::book::{Term, Terms};
use crate::id::Hash;
use crate::time::Time;

pub(super) const FORMAT: u8 = 2;
const LEVEL: i32 = 1;

/// The most bytes a column may unpack to.
const MOST_BYTES: usize = 1 << 30;

/// The most rows of one kind in a chunk.
pub(super) const MOST_ROWS: u64 = 1 << 26;

/// More than this, a byte of a compressed column can't stand for.
const MOST_FOR_A_BYTE: usize = 1 << 16;

/// Units of time, in microseconds: vendors that count in days or seconds leave the rest zero.
const UNITS: [u64; 4] = [86_400_000_000, 1_000_000, 1_000, 1];

/// A column that is being written.
#[derive(Default)]
pub(super) struct Packer(Vec<u8>);

impl Packer {
    pub(super) fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn numbers(&mut self, numbers: &[u64]) {
        let first = numbers.first().copied().unwrap_or(0);
        if numbers.iter().all(|number| *number == first) {
            self.0.push(0);
            return self.number(first);
        }
        let largest = numbers.iter().copied().max().unwrap_or(0);
        let width = (u64::BITS - largest.leading_zeros()).div_ceil(8);
        self.0.push(width as u8);
        for plane in 0..width {
            self.0.extend(numbers.iter().map(|number| (number >> (8 * plane)) as u8));
        }
    }

    pub(super) fn hashes(&mut self, hashes: impl Iterator<Item = Hash>) {
        self.0.extend(hashes.flat_map(|hash| hash.0));
    }

    pub(super) fn flags(&mut self, flags: impl Iterator<Item = bool>) {
        self.numbers(&flags.map(u64::from).collect::<Vec<_>>());
    }

    /// Texts that hardly come twice.
    pub(super) fn texts(&mut self, texts: &[&str]) {
        self.numbers(&texts.iter().map(|text| text.len() as u64).collect::<Vec<_>>());
        self.0.extend(texts.iter().flat_map(|text| text.bytes()));
    }

    /// Terms as the numbers of their texts in sorted order, which are written first; no text is 0.
    pub(super) fn terms(&mut self, column: &[Term], terms: &Terms) {
        let mut numbers = vec![0; terms.len()];
        let mut used = BTreeMap::new();
        for term in column {
            let seen = &mut numbers[term.0 as usize];
            if *seen == 0
                && let Some(text) = terms.get(*term)
            {
                *seen = 1;
                used.insert(text, *term);
            }
        }
        let texts: Vec<&str> = used.keys().copied().collect();
        self.number(texts.len() as u64);
        self.texts(&texts);
        for (term, number) in used.into_values().zip(1..) {
            numbers[term.0 as usize] = number;
        }
        self.numbers(&column.iter().map(|term| numbers[term.0 as usize]).collect::<Vec<_>>());
    }

    /// Times since the earliest, each as what it adds to the one before in its group.
    pub(super) fn timeline<'a>(&mut self, times: &[Time], groups: impl Iterator<Item = &'a [Time]>) {
        let base = times.iter().min().copied().unwrap_or_default();
        let unit = self.base_and_unit(base, times);
        let mut steps = Vec::with_capacity(times.len());
        for group in groups {
            let mut before = 0_u64;
            for time in group {
                let since = time.0.wrapping_sub(base.0) as u64 / unit;
                steps.push(since.wrapping_sub(before));
                before = since;
            }
        }
        self.numbers(&steps);
    }

    /// Times that may be missing, since the earliest.
    pub(super) fn times(&mut self, times: &[Option<Time>]) {
        self.flags(times.iter().map(Option::is_some));
        let known: Vec<Time> = times.iter().copied().flatten().collect();
        let base = known.iter().min().copied().unwrap_or_default();
        let unit = self.base_and_unit(base, &known);
        let since = known.iter().map(|time| time.0.wrapping_sub(base.0) as u64 / unit);
        self.numbers(&since.collect::<Vec<_>>());
    }

    fn base_and_unit(&mut self, base: Time, times: &[Time]) -> u64 {
        let fits =
            |unit: &u64| times.iter().all(|time| (time.0.wrapping_sub(base.0) as u64).is_multiple_of(*unit));
        let unit = UNITS.into_iter().find(fits).unwrap_or(1);
        self.number(base.0 as u64);
        self.number(unit);
        unit
    }

    pub(super) fn finish(self) -> Result<Vec<u8>, ChunkError> {
        if self.0.len() > MOST_BYTES {
            return Err(ChunkError::TooLarge(self.0.len()));
        }
        let mut packer = zstd::bulk::Compressor::new(LEVEL).map_err(damaged)?;
        packer.set_parameter(zstd::stream::raw::CParameter::ChecksumFlag(true)).map_err(damaged)?;
        let packed = packer.compress(&self.0).map_err(damaged)?;
        let mut out = Vec::with_capacity(packed.len() + 9);
        out.push(FORMAT);
        out.extend_from_slice(&(self.0.len() as u64).to_le_bytes());
        out.extend_from_slice(&packed);
        Ok(out)
    }
}

/// The bytes of a column. What unpacks is made once for many of them.
pub(super) fn unpack(packed: &[u8], unpacking: &mut Decompressor<'_>) -> Result<Vec<u8>, ChunkError> {
    let (format, rest) = packed.split_first().ok_or_else(|| damaged("empty"))?;
    if *format != FORMAT {
        return Err(ChunkError::Format(*format));
    }
    let (length, body) = rest.split_first_chunk::<8>().ok_or_else(|| damaged("cut short"))?;
    if body.is_empty() {
        return Err(damaged("cut short"));
    }
    let length = u64::from_le_bytes(*length);
    if length > MOST_BYTES as u64 {
        return Err(damaged("a column of more than 1 GiB"));
    }
    let length = length as usize;
    if length > body.len().saturating_mul(MOST_FOR_A_BYTE) {
        return Err(damaged("a column differs in length"));
    }
    let out = unpacking.decompress(body, length).map_err(damaged)?;
    if out.len() == length { Ok(out) } else { Err(damaged("a column differs in length")) }
}

/// The bytes of a column that are still to be read.
pub(super) struct Unpacker<'a>(pub(super) &'a [u8]);

impl<'a> Unpacker<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], ChunkError> {
        let (head, rest) = self.0.split_at_checked(length).ok_or_else(|| damaged("cut short"))?;
        self.0 = rest;
        Ok(head)
    }

    pub(super) fn number(&mut self) -> Result<u64, ChunkError> {
        let (head, rest) = self.0.split_first_chunk::<8>().ok_or_else(|| damaged("cut short"))?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*head))
    }

    /// A number of rows.
    pub(super) fn count(&mut self) -> Result<usize, ChunkError> {
        let count = self.number()?;
        if count > MOST_ROWS { Err(damaged("too many rows")) } else { Ok(count as usize) }
    }

    /// Numbers of at most as many bytes as `T` has.
    pub(super) fn numbers<T>(&mut self, count: usize) -> Result<Vec<T>, ChunkError>
    where
        T: Copy + From<u8> + TryFrom<u64> + BitOrAssign + Shl<u32, Output = T>,
    {
        let width = self.take(1)?[0] as usize;
        if width == 0 {
            let number = T::try_from(self.number()?).map_err(|_| damaged("a number is too large"))?;
            return Ok(vec![number; count]);
        }
        if width > size_of::<T>() {
            return Err(damaged("a number is too large"));
        }
        let planes = self.take(width.saturating_mul(count))?;
        let mut out: Vec<T> = planes[..count].iter().map(|byte| T::from(*byte)).collect();
        for plane in 1..width {
            let shift = 8 * plane as u32;
            for (number, byte) in out.iter_mut().zip(&planes[plane * count..]) {
                *number |= T::from(*byte) << shift;
            }
        }
        Ok(out)
    }

    pub(super) fn hashes(
        &mut self,
        count: usize,
    ) -> Result<impl Iterator<Item = Hash> + use<'a>, ChunkError> {
        let (hashes, _) = self.take(count.saturating_mul(16))?.as_chunks::<16>();
        Ok(hashes.iter().map(|hash| Hash(*hash)))
    }

    pub(super) fn flags(&mut self, count: usize) -> Result<Vec<bool>, ChunkError> {
        self.numbers::<u32>(count)?
            .into_iter()
            .map(|flag| match flag {
                0 => Ok(false),
                1 => Ok(true),
                _ => Err(damaged("neither yes nor no")),
            })
            .collect()
    }

    /// Numbers of rows, each an owner's share, and their sum.
    pub(super) fn counts(&mut self, owners: usize) -> Result<(Vec<u32>, usize), ChunkError> {
        let counts = self.numbers::<u32>(owners)?;
        let sum: u64 = counts.iter().map(|count| u64::from(*count)).sum();
        if sum > MOST_ROWS { Err(damaged("too many rows")) } else { Ok((counts, sum as usize)) }
    }

    pub(super) fn texts(&mut self, count: usize) -> Result<Vec<&'a str>, ChunkError> {
        let (lengths, sum) = self.counts(count)?;
        let mut rest = std::str::from_utf8(self.take(sum)?).map_err(damaged)?;
        let mut out = Vec::with_capacity(count);
        for length in lengths {
            let (text, after) =
                rest.split_at_checked(length as usize).ok_or_else(|| damaged("a text is cut"))?;
            out.push(text);
            rest = after;
        }
        Ok(out)
    }

    pub(super) fn terms(&mut self, count: usize, terms: &mut Terms) -> Result<Vec<Term>, ChunkError> {
        let used = self.count()?;
        let texts = self.texts(used)?;
        let known: Vec<Term> =
            std::iter::once(Term::NONE).chain(texts.into_iter().map(|text| terms.intern(text))).collect();
        let numbers = self.numbers::<u32>(count)?;
        if numbers.iter().any(|number| *number as usize >= known.len()) {
            return Err(damaged("unknown term"));
        }
        Ok(numbers.into_iter().map(|number| known[number as usize]).collect())
    }

    pub(super) fn timeline(&mut self, groups: &[u32], count: usize) -> Result<Vec<Time>, ChunkError> {
        let (base, unit) = (self.number()?, self.number()?);
        let steps = self.numbers::<u64>(count)?;
        let mut out = Vec::with_capacity(count);
        let mut rest = &steps[..];
        for length in groups {
            let (group, after) =
                rest.split_at_checked(*length as usize).ok_or_else(|| damaged("cut short"))?;
            let mut since = 0_u64;
            out.extend(group.iter().map(|step| {
                since = since.wrapping_add(*step);
                Time(base.wrapping_add(since.wrapping_mul(unit)) as i64)
            }));
            rest = after;
        }
        Ok(out)
    }

    pub(super) fn times(&mut self, count: usize) -> Result<Vec<Option<Time>>, ChunkError> {
        let flags = self.flags(count)?;
        let (base, unit) = (self.number()?, self.number()?);
        let known = flags.iter().filter(|flag| **flag).count();
        let mut since = self.numbers::<u64>(known)?.into_iter();
        let time = |since: u64| Time(base.wrapping_add(since.wrapping_mul(unit)) as i64);
        Ok(flags.into_iter().map(|flag| if flag { since.next().map(time) } else { None }).collect())
    }

    /// Says that nothing is left.
    pub(super) fn end(&self) -> Result<(), ChunkError> {
        if self.0.is_empty() { Ok(()) } else { Err(damaged("bytes after the end")) }
    }
}

pub(super) fn damaged(reason: impl ToString) -> ChunkError {
    ChunkError::Damaged(reason.to_string())
}
