//! RFC 3339, and what is written for it.

use super::{Stamp, clock, fraction, two, year, zone};
use crate::decode::reader::Reader;

/// Reads an RFC 3339 time stamp, with or without zone. Between date and time stands `T`, `t` or one space, and the
/// date may be written with slashes. Takes nothing where it returns `None`.
pub fn rfc3339<'a>(input: &mut Reader<'a>) -> Option<Stamp<'a>> {
    let head: &[u8; 19] = input.rest().first_chunk()?;
    let [
        y1,
        y2,
        y3,
        y4,
        dash,
        mo1,
        mo2,
        dash_again,
        d1,
        d2,
        b'T' | b't' | b' ',
        time @ ..,
    ] = head
    else {
        return None;
    };
    if !matches!(dash, b'-' | b'/') || dash != dash_again {
        return None;
    }
    let time = clock(time)?;
    let date = (two(*mo1, *mo2)?, two(*d1, *d2)?);
    let mut stamp = Stamp::new(Some(year(*y1, *y2, *y3, *y4)?), date, time)?;
    let mut after = *input;
    after.take(head.len());
    fraction(&mut after, &mut stamp);
    stamp.offset_minutes = zone::offset(&mut after);
    *input = after;
    Some(stamp)
}
