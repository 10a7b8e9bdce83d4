//! Seconds since 1970-01-01T00:00:00Z.

use super::{Stamp, calendar, fraction};
use crate::decode::reader::Reader;

/// Reads a count of seconds with or without a fraction, or of milli-, micro- or nanoseconds: 10, 13, 16 or 19 digits,
/// which no other unit has in the years from 2001 to 2286. Takes nothing where it returns `None`.
pub fn epoch<'a>(input: &mut Reader<'a>) -> Option<Stamp<'a>> {
    let mut after = *input;
    let digits = after.take_while(|byte| byte.is_ascii_digit());
    let (seconds, below) = digits.split_at_checked(10)?;
    if !matches!(below.len(), 0 | 3 | 6 | 9) {
        return None;
    }
    let number = |digits: &[u8]| {
        let add = |number: i64, digit: &u8| number * 10 + i64::from(digit - b'0');
        digits.iter().fold(0, add)
    };
    let seconds = number(seconds);
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = calendar::civil_from_days(days);
    let time = (
        u8::try_from(of_day / 3600).ok()?,
        u8::try_from(of_day / 60 % 60).ok()?,
        u8::try_from(of_day % 60).ok()?,
    );
    let mut stamp = Stamp::new(Some(year), (month, day), time)?;
    stamp.offset_minutes = Some(0);
    stamp.fraction_digits = below.len() as u8;
    let nanos = number(below) * 10_i64.pow(9 - u32::from(stamp.fraction_digits));
    stamp.micros = u32::try_from(nanos / 1000).ok()?;
    if below.is_empty() {
        fraction(&mut after, &mut stamp);
    }
    *input = after;
    Some(stamp)
}
