//! Dates with the year first whose parts are not padded, or whose month is a word between hyphens.

use super::{Stamp, clock, fraction, month, skip_tick, two, year, zone};
use crate::decode::reader::Reader;

/// Reads `2018-7-23 01:00:34.270` (old Huawei) or `2018-Nov- 9 15:42:06` (Opengear). Takes nothing where it returns
/// `None`.
pub fn unpadded<'a>(input: &mut Reader<'a>) -> Option<Stamp<'a>> {
    let mut after = *input;
    let [y1, y2, y3, y4, b'-', ..] = *after.rest() else {
        return None;
    };
    let year = year(y1, y2, y3, y4)?;
    after.take(5);
    let month = match *after.rest() {
        [a, b, c, b'-', ..] => {
            let month = month(&[a, b, c])?;
            after.take(3);
            month
        }
        _ => short_number(&mut after)?,
    };
    after.eat(b'-').then_some(())?;
    after.eat(b' ');
    let day = short_number(&mut after)?;
    (after.eat(b' ') || after.eat(b'T')).then_some(())?;
    let time: &[u8; 8] = after.rest().first_chunk()?;
    let time = clock(time)?;
    after.take(8);
    let mut stamp = Stamp::new(Some(year), (month, day), time)?;
    fraction(&mut after, &mut stamp);
    skip_tick(&mut after, &mut stamp);
    stamp.offset_minutes = zone::offset(&mut after);
    *input = after;
    Some(stamp)
}

/// One or two digits.
fn short_number(input: &mut Reader<'_>) -> Option<u8> {
    match input.take_while(|byte| byte.is_ascii_digit()) {
        [ones] => two(b'0', *ones),
        [tens, ones] => two(*tens, *ones),
        _ => None,
    }
}
