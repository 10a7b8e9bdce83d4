//! Time stamps as they stand in messages, and the instants they mean.
//!
//! ```text
//!  rfc3339   2003-10-11T22:14:15.003Z        RFC 5424, section 6.2.3; zone `+01:00`, `+0100`, `+01` or missing
//!  bsd       Oct 11 22:14:15                 RFC 3164, section 4.1.2; day padded with space, zero or nothing
//!            Oct 11 2003 22:14:15            ASA, Huawei          Oct 11 22:14:15 2003   Aruba, Comware
//!            2003 Oct 11 22:14:15            NX-OS                Oct 11 22:14:15.003 CEST
//!            Oct 11 2003 10:14:15 PM.003     UCM
//!  unpadded  2003-10-1 22:14:15              old Huawei           2003-Oct- 1 22:14:15   Opengear
//!  epoch     1065910455.003                  Meraki, CEF (in milliseconds), Fortinet (in nanoseconds)
//!
//!  bytes ──one of these──▶ Stamp (what is written) ──resolve(received, default zone)──▶ Resolved (an instant)
//! ```
//!
//! Reading and resolving are apart because what is missing (year, zone) can only be supplied from the time of arrival
//! and from the settings, which a decoder does not know.

mod bsd;
mod calendar;
mod epoch;
mod resolve;
mod rfc3339;
mod unpadded;
mod zone;

#[cfg(test)]
mod tests;

use crate::decode::reader::Reader;

pub use bsd::bsd;
pub use epoch::epoch;
pub use resolve::{Resolved, resolve};
pub use rfc3339::rfc3339;
pub use unpadded::unpadded;

/// What a time stamp says, and no more. Always a date that exists in some year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp<'a> {
    /// The year, where one is written.
    pub year: Option<i32>,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60: devices do write leap seconds.
    pub second: u8,
    /// The fraction of the second, cut to microseconds.
    pub micros: u32,
    /// How many digits of the second's fraction are written; more than 6 means that some were cut.
    pub fraction_digits: u8,
    /// Minutes east of UTC, where an offset is written.
    pub offset_minutes: Option<i16>,
    /// The zone's name, where one is written. Not every name is known to [`resolve`].
    pub zone: Option<&'a [u8]>,
}

/// Which words behind a time are its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZoneWords {
    /// Only the names that [`resolve`] knows: any other word is more likely the host's name.
    Known,
    /// Any capital letters before a colon too: on Cisco devices an operator names the zone.
    BeforeColon,
}

impl<'a> Stamp<'a> {
    /// A date and a time of day, if they exist; `year` and zone may be missing.
    fn new(
        year: Option<i32>,
        (month, day): (u8, u8),
        (hour, minute, second): (u8, u8, u8),
    ) -> Option<Self> {
        let days = calendar::days_of_month(year.unwrap_or(2000), month);
        let exists = (1..=12).contains(&month) && (1..=days).contains(&day);
        exists.then_some(Stamp {
            year,
            month,
            day,
            hour,
            minute,
            second,
            micros: 0,
            fraction_digits: 0,
            offset_minutes: None,
            zone: None,
        })
    }

    /// The same with the zone of a field that stands elsewhere in the message: `+0200`, `+02:00`, `UTC`. Without one where
    /// the text names none that is known: then something is left out.
    pub(super) fn with_zone(mut self, text: &'a [u8]) -> Self {
        // Some products write `UTC+2:00`.
        let signed = text.strip_prefix(b"UTC").or(text.strip_prefix(b"GMT"));
        let mut input = Reader::new(signed.filter(|rest| !rest.is_empty()).unwrap_or(text));
        self.offset_minutes = zone::offset(&mut input).or(self.offset_minutes);
        if self.offset_minutes.is_none() {
            self.zone = Some(text).filter(|name| zone::minutes(name).is_some());
        }
        self
    }

    /// Whether it says where its clock stands.
    pub(super) fn has_zone(&self) -> bool {
        self.offset_minutes.is_some() || self.zone.is_some()
    }

    /// Whether it lacks the zone that `other` has.
    pub(super) fn is_vaguer_than(&self, other: Option<Stamp<'_>>) -> bool {
        !self.has_zone() && other.is_some_and(|other| other.has_zone() && other.is_exact())
    }

    /// Whether the event's `time` says all that the stamp says.
    pub fn is_exact(&self) -> bool {
        self.fraction_digits <= 6
            && self.second < 60
            && self
                .offset_minutes
                .is_none_or(|offset| offset.unsigned_abs() <= resolve::OFFSET_MINUTES_MAX)
            && self.zone.is_none_or(|zone| zone::minutes(zone).is_some())
    }
}

/// Skips `.3` behind a fraction: Huawei counts what it logs in one millisecond. Told like digits that were cut.
fn skip_tick(input: &mut Reader<'_>, stamp: &mut Stamp<'_>) {
    let mut after = *input;
    if stamp.fraction_digits == 0 || !after.eat(b'.') {
        return;
    }
    let digits = after.take_while(|byte| byte.is_ascii_digit());
    if (1..=3).contains(&digits.len()) {
        stamp.fraction_digits = stamp.fraction_digits.max(7);
        *input = after;
    }
}

/// The stamp of a date and a time that stand in two fields: `2026-07-15` and `12:34:56` with or without a fraction.
pub(super) fn date_and_time<'a>(date: &[u8], time: &[u8]) -> Option<Stamp<'a>> {
    let [y1, y2, y3, y4, b'-' | b'/', mo1, mo2, b'-' | b'/', d1, d2] = *date else {
        return None;
    };
    let mut input = Reader::new(time);
    let of_day = clock(input.take(8)?.first_chunk()?)?;
    let date = (two(mo1, mo2)?, two(d1, d2)?);
    let mut stamp = Stamp::new(Some(year(y1, y2, y3, y4)?), date, of_day)?;
    fraction(&mut input, &mut stamp);
    input.is_empty().then_some(stamp)
}

fn two(tens: u8, ones: u8) -> Option<u8> {
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| (tens - b'0') * 10 + (ones - b'0'))
}

fn clock(time: &[u8; 8]) -> Option<(u8, u8, u8)> {
    let [h1, h2, b':', m1, m2, b':', s1, s2] = time else {
        return None;
    };
    let (hour, minute, second) = (two(*h1, *h2)?, two(*m1, *m2)?, two(*s1, *s2)?);
    (hour <= 23 && minute <= 59 && second <= 60).then_some((hour, minute, second))
}

fn fraction(input: &mut Reader<'_>, stamp: &mut Stamp<'_>) {
    let mut after = *input;
    if !(after.eat(b'.') || after.eat(b',')) {
        return;
    }
    let digits = after.take_while(|byte| byte.is_ascii_digit());
    // 9 digits are nanoseconds, the finest that clocks give. More is some other number.
    if digits.is_empty() || digits.len() > 9 {
        return;
    }
    let padded = digits.iter().copied().chain(std::iter::repeat(b'0'));
    stamp.micros = padded
        .take(6)
        .fold(0, |micros, digit| micros * 10 + u32::from(digit - b'0'));
    stamp.fraction_digits = digits.len() as u8;
    *input = after;
}

fn year(y1: u8, y2: u8, y3: u8, y4: u8) -> Option<i32> {
    Some(i32::from(two(y1, y2)?) * 100 + i32::from(two(y3, y4)?))
}

/// The number of a month's first three letters.
fn month(name: &[u8; 3]) -> Option<u8> {
    Some(match &name.map(|letter| letter.to_ascii_lowercase()) {
        b"jan" => 1,
        b"feb" => 2,
        b"mar" => 3,
        b"apr" => 4,
        b"may" => 5,
        b"jun" => 6,
        b"jul" => 7,
        b"aug" => 8,
        b"sep" => 9,
        b"oct" => 10,
        b"nov" => 11,
        b"dec" => 12,
        _ => return None,
    })
}
