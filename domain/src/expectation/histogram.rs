//! A histogram of durations whose earlier samples count less and less.
//!
//! Everything is integer arithmetic, so the same samples in the same order give the same bytes on
//! every machine.

use chrono::TimeDelta;

use crate::Timestamp;

/// The weight of one new sample.
const SAMPLE: u64 = 1 << 10;
/// Buckets for each doubling of a duration, as a power of two: a bucket's upper end is at most 1/64
/// above any duration in it.
const BUCKET_BITS: u32 = 6;
/// Durations are at most this long, in milliseconds: 34 years.
const MAX_MS: u64 = (1 << 40) - 1;
/// What is left of a weight after a day, of 2^32: a half after seven days.
const DAILY: u128 = 3_890_053_517;
const WHOLE: u128 = 1 << 32;
/// Samples that time does not take away: a workflow with few orders keeps its last ones.
const KEPT: u64 = 200;
/// After so many days nothing but what is kept is left.
const MAX_DAYS: i64 = 400;

/// The fewest samples that say anything.
pub const MIN_SAMPLES: u64 = 10;

/// A histogram of durations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    /// The samples that were ever added.
    samples: u64,
    /// The day of the latest sample, since 1970.
    day: i64,
    /// The weights of the buckets that have any, by bucket.
    weights: Vec<(u16, u64)>,
    /// Their sum.
    total: u64,
}

impl Histogram {
    /// Adds the duration of something that ended at this moment.
    pub fn add(&mut self, at: Timestamp, took: TimeDelta) {
        let day = at.timestamp().div_euclid(86_400);
        if self.samples == 0 {
            self.day = day;
        }
        if day > self.day {
            self.age(day - self.day);
            self.day = day;
        }
        let bucket = bucket_of(millis(took));
        match self.weights.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(index) => self.weights[index].1 += SAMPLE,
            Err(index) => self.weights.insert(index, (bucket, SAMPLE)),
        }
        self.total += SAMPLE;
        self.samples += 1;
    }

    /// How many samples were ever added.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Whether there are enough samples to expect anything.
    pub fn is_enough(&self) -> bool {
        self.total >= MIN_SAMPLES * SAMPLE
    }

    /// The duration that half of the samples do not exceed; `None`: there are too few samples.
    pub fn median(&self) -> Option<TimeDelta> {
        self.is_enough().then(|| self.at_weight(self.total.div_ceil(2)))
    }

    /// The duration that the next sample does not exceed in 95 of 100 cases. With few samples this
    /// is more than their 95th percentile; with fewer than 19, one half more than the longest.
    /// `None`: there are too few.
    pub fn bound(&self) -> Option<TimeDelta> {
        if !self.is_enough() {
            return None;
        }
        // Of n samples and the next one, each is as likely to be the longest.
        let wanted = ((self.total + SAMPLE) * 95).div_ceil(100);
        if wanted <= self.total {
            return Some(self.at_weight(wanted));
        }
        let longest = self.at_weight(self.total);
        Some(longest + longest / 2)
    }

    /// The upper end of the bucket in which the sum of the weights reaches this.
    fn at_weight(&self, wanted: u64) -> TimeDelta {
        let mut sum = 0;
        let reached = self.weights.iter().find(|(_, weight)| {
            sum += weight;
            sum >= wanted
        });
        let ends = reached.or(self.weights.last()).map_or(0, |(bucket, _)| upper_end(*bucket));
        TimeDelta::milliseconds(ends.cast_signed())
    }

    fn age(&mut self, days: i64) {
        let left = (0..days.min(MAX_DAYS)).fold(WHOLE, |left, _| (left * DAILY) / WHOLE);
        let kept = u128::from(KEPT * SAMPLE);
        let total = u128::from(self.total);
        let (of, left) = if total * left >= kept * WHOLE { (WHOLE, left) } else { (total, kept) };
        if left >= of {
            return;
        }
        for (_, weight) in &mut self.weights {
            // It is less than before.
            *weight = u64::try_from(u128::from(*weight) * left / of).unwrap_or(*weight);
        }
        self.weights.retain(|(_, weight)| *weight > 0);
        self.total = self.weights.iter().map(|(_, weight)| weight).sum();
    }

    /// As bytes: numbers of seven bits a byte, the lowest first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + 4 * self.weights.len());
        write(&mut bytes, self.samples);
        write(&mut bytes, self.day.cast_unsigned());
        let mut before = 0;
        for (bucket, weight) in &self.weights {
            write(&mut bytes, u64::from(bucket - before));
            write(&mut bytes, *weight);
            before = *bucket;
        }
        bytes
    }

    /// From these bytes; `None`: they are not those of a histogram.
    pub fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let (samples, day) = (read(&mut bytes)?, read(&mut bytes)?.cast_signed());
        let mut histogram = Self { samples, day, ..Self::default() };
        let mut bucket = 0_u16;
        while !bytes.is_empty() {
            bucket = bucket.checked_add(u16::try_from(read(&mut bytes)?).ok()?)?;
            let weight = read(&mut bytes)?;
            histogram.total = histogram.total.checked_add(weight)?;
            histogram.weights.push((bucket, weight));
        }
        Some(histogram)
    }
}

fn millis(took: TimeDelta) -> u64 {
    u64::try_from(took.num_milliseconds()).unwrap_or_default().min(MAX_MS)
}

/// Short durations have a bucket each, longer ones 64 for each doubling.
fn bucket_of(millis: u64) -> u16 {
    let shift = (u64::BITS - millis.leading_zeros()).saturating_sub(BUCKET_BITS + 1);
    let bucket = (u64::from(shift) << BUCKET_BITS) + (millis >> shift);
    u16::try_from(bucket).unwrap_or(u16::MAX)
}

/// The longest duration in a bucket.
fn upper_end(bucket: u16) -> u64 {
    let bucket = u64::from(bucket);
    let shift = (bucket >> BUCKET_BITS).saturating_sub(1).min(40);
    let first = bucket - (shift << BUCKET_BITS);
    ((first + 1) << shift) - 1
}

fn write(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(low_bits(number) | 0x80);
        number >>= 7;
    }
    bytes.push(low_bits(number));
}

fn low_bits(number: u64) -> u8 {
    u8::try_from(number & 0x7f).unwrap_or_default()
}

fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Midnight of a day, for tests.
#[cfg(test)]
pub(super) fn day(number: i64) -> Timestamp {
    Timestamp::from_timestamp(number * 86_400, 0).unwrap()
}
