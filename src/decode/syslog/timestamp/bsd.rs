//! The month as a word, as RFC 3164 writes it and everybody since.

use super::{Stamp, ZoneWords, clock, fraction, month, skip_tick, two, year, zone};
use crate::decode::reader::Reader;

/// Reads a time stamp with the month as a word, in the forms of the picture above. Takes nothing where it returns
/// `None`.
pub fn bsd<'a>(input: &mut Reader<'a>, zones: ZoneWords) -> Option<Stamp<'a>> {
    let mut after = *input;
    let mut year = year_and_space(&mut after);
    if year.is_none() {
        skip_weekday(&mut after);
    }
    let month = month_and_space(&mut after)?;
    after.eat(b' ');
    let day = match after.take_while(|byte| byte.is_ascii_digit()) {
        [ones] => two(b'0', *ones)?,
        [tens, ones] => two(*tens, *ones)?,
        _ => return None,
    };
    after.eat(b' ').then_some(())?;
    if year.is_none() {
        year = year_and_space(&mut after);
    }
    let time: &[u8; 8] = after.rest().first_chunk()?;
    let (hour, minute, second) = clock(time)?;
    after.take(time.len());
    let hour = half_day(&mut after, hour)?;
    let mut stamp = Stamp::new(year, (month, day), (hour, minute, second))?;
    fraction(&mut after, &mut stamp);
    millis_before_year(&mut after, &mut stamp);
    skip_tick(&mut after, &mut stamp);
    year_behind(&mut after, &mut stamp);
    zone::take(&mut after, &mut stamp, zones);
    if stamp.has_zone() {
        year_behind(&mut after, &mut stamp);
    }
    *input = after;
    Some(stamp)
}

/// Takes `:123` in front of a year: Comware writes milliseconds so.
fn millis_before_year(input: &mut Reader<'_>, stamp: &mut Stamp<'_>) {
    let [b':', digits @ .., b' ', b'1' | b'2'] = input.rest().get(..6).unwrap_or_default() else {
        return;
    };
    if let [a, b, c] = digits
        && digits.iter().all(u8::is_ascii_digit)
    {
        let digit = |byte: &u8| u32::from(byte - b'0');
        stamp.micros = (digit(a) * 100 + digit(b) * 10 + digit(c)) * 1000;
        stamp.fraction_digits = 3;
        input.take(4);
    }
}

/// Takes ` AM` or ` PM`, and says which hour of the day `hour` is; as it is, where neither stands.
fn half_day(input: &mut Reader<'_>, hour: u8) -> Option<u8> {
    let (half, behind) = match input.rest() {
        [b' ', half @ (b'A' | b'P'), b'M', behind @ ..] => (*half, behind.first()),
        _ => return Some(hour),
    };
    if !matches!(behind, None | Some(b' ' | b'.' | b':')) {
        return Some(hour);
    }
    input.take(3);
    match (half, hour) {
        (b'A', 12) => Some(0),
        (b'A', 0..=11) | (b'P', 12) => Some(hour),
        (b'P', 0..=11) => Some(hour + 12),
        _ => None,
    }
}

fn year_and_space(input: &mut Reader<'_>) -> Option<i32> {
    let [y1, y2, y3, y4, b' ', ..] = input.rest() else {
        return None;
    };
    let year = year(*y1, *y2, *y3, *y4)?;
    input.take(5);
    Some(year)
}

fn year_behind(input: &mut Reader<'_>, stamp: &mut Stamp<'_>) {
    let mut after = *input;
    if stamp.year.is_some() || !after.eat(b' ') {
        return;
    }
    let digits = after.take_while(|byte| byte.is_ascii_digit());
    let [y1, y2, y3, y4] = digits else { return };
    let year = year(*y1, *y2, *y3, *y4);
    // A number in a century of clocks; anything else is some other number of the message.
    if let Some(1970..=2099) = year
        && zone::ends_word(&after)
    {
        stamp.year = year;
        *input = after;
    }
}

fn skip_weekday(input: &mut Reader<'_>) {
    let [a, b, c, ref separators @ ..] = *input.rest() else {
        return;
    };
    let is_day = matches!(
        &[a, b, c],
        b"Mon" | b"Tue" | b"Wed" | b"Thu" | b"Fri" | b"Sat" | b"Sun"
    );
    let separators = match separators {
        [b',', b' ', ..] => 2,
        [b' ', ..] => 1,
        _ => 0,
    };
    if is_day && separators > 0 {
        input.take(3 + separators);
    }
}

fn month_and_space(input: &mut Reader<'_>) -> Option<u8> {
    let [a, b, c, b' ', ..] = input.rest() else {
        return None;
    };
    let month = month(&[*a, *b, *c])?;
    input.take(4);
    Some(month)
}
