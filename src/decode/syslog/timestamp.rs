//! Time stamps as they stand in messages, and the instants they mean.
//!
//! ```text
//!  2003-10-11T22:14:15.003Z        RFC 3339 (RFC 5424, section 6.2.3); zone `+01:00`, `+0100`, `+01` or missing
//!  Oct 11 22:14:15                 RFC 3164, section 4.1.2; day padded with space, zero or nothing
//!  Oct 11 2003 22:14:15            ASA, Huawei          Oct 11 22:14:15 2003   Aruba, Comware
//!  2003 Oct 11 22:14:15            NX-OS                Oct 11 22:14:15.003 CEST
//!
//!  bytes ──rfc3339 / bsd──▶ Stamp (what is written) ──resolve(received, default zone)──▶ Resolved (an instant)
//! ```
//!
//! Reading and resolving are apart because what is missing (year, zone) can only be supplied from the time of arrival
//! and from the settings, which a decoder does not know.

use crate::decode::reader::Reader;

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

/// The instant that a stamp means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub at_micros: i64,
    /// Minutes east of UTC.
    pub offset_minutes: i16,
    /// How many digits of the second's fraction the stamp had, at most 6.
    pub fraction_digits: u8,
    /// Whether the year or the zone was supplied.
    pub completed: bool,
}

/// Which words behind a time are its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZoneWords {
    /// Only the names that [`resolve`] knows: any other word is more likely the host's name.
    Known,
    /// Any capital letters before a colon too: on Cisco devices an operator names the zone.
    BeforeColon,
}

impl Stamp<'_> {
    /// Whether the event's `time` says all that the stamp says.
    pub fn is_exact(&self) -> bool {
        self.fraction_digits <= 6
            && self.second < 60
            && self.zone.is_none_or(|zone| zone_minutes(zone).is_some())
    }
}

/// The instant of `stamp`, with what it lacks supplied.
///
/// - A missing year is the one that puts the stamp nearest to `received_micros`, so that a message of 31 December
///   that arrives on 1 January keeps its year. 29 February looks further, for the nearest leap year.
/// - A zone name is looked up in a small table. Where a name means two zones, the one that more networks use is taken
///   (CST: US Central, IST: India, BST: British summer).
/// - A missing or unknown zone is `default_offset_minutes`.
///
/// `None` where the date does not exist (29 February 2023) or lies outside the range of microseconds.
pub fn resolve(
    stamp: &Stamp<'_>,
    received_micros: i64,
    default_offset_minutes: i16,
) -> Option<Resolved> {
    let written = stamp
        .offset_minutes
        .or_else(|| stamp.zone.and_then(zone_minutes));
    let offset_minutes = written.unwrap_or(default_offset_minutes);
    let at = |year: i32| instant(stamp, year, offset_minutes);
    let at_micros = match stamp.year {
        Some(year) => at(year)?,
        None => {
            let here = received_micros.saturating_add(i64::from(offset_minutes) * MICROS_A_MINUTE);
            let (year_now, _, _) = civil_from_days(here.div_euclid(MICROS_A_DAY));
            let nearest = |years: std::ops::RangeInclusive<i32>| {
                years
                    .filter_map(|ahead| at(year_now + ahead))
                    .min_by_key(|at| at.abs_diff(received_micros))
            };
            // Leap years are at most 8 years apart (1896, 1904), so 4 either way always finds one.
            nearest(-1..=1).or_else(|| nearest(-4..=4))?
        }
    };
    Some(Resolved {
        at_micros,
        offset_minutes,
        fraction_digits: stamp.fraction_digits.min(6),
        completed: stamp.year.is_none() || written.is_none(),
    })
}

const MICROS_A_MINUTE: i64 = 60_000_000;
const MICROS_A_DAY: i64 = 86_400_000_000;

fn instant(stamp: &Stamp<'_>, year: i32, offset_minutes: i16) -> Option<i64> {
    if stamp.day > days_of_month(year, stamp.month) {
        return None;
    }
    let days = days_from_civil(year, stamp.month, stamp.day);
    let seconds = days * 86_400
        + i64::from(stamp.hour) * 3600
        + i64::from(stamp.minute) * 60
        + i64::from(stamp.second)
        - i64::from(offset_minutes) * 60;
    Some(seconds * 1_000_000 + i64::from(stamp.micros))
}

fn days_of_month(year: i32, month: u8) -> u8 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a proleptic Gregorian date (era arithmetic with years that begin in March).
fn days_from_civil(year: i32, month: u8, day: u8) -> i64 {
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((i64::from(month) + 9) % 12) + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i32, u8, u8) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year as i32, month as u8, day as u8)
}

/// Minutes east of UTC of the zone names that network devices write.
fn zone_minutes(name: &[u8]) -> Option<i16> {
    Some(match name {
        b"UTC" | b"GMT" | b"Z" | b"WET" => 0,
        b"CET" | b"MEZ" | b"WEST" | b"BST" | b"WAT" => 60,
        b"CEST" | b"MESZ" | b"EET" | b"SAST" | b"CAT" => 120,
        b"EEST" | b"MSK" | b"EAT" | b"TRT" => 180,
        b"GST" => 240,
        b"PKT" => 300,
        b"IST" => 330,
        b"ICT" | b"WIB" => 420,
        b"HKT" | b"SGT" | b"AWST" | b"PHT" => 480,
        b"JST" | b"KST" => 540,
        b"ACST" => 570,
        b"AEST" => 600,
        b"ACDT" => 630,
        b"AEDT" => 660,
        b"NZST" => 720,
        b"NZDT" => 780,
        b"ART" | b"BRT" => -180,
        b"NST" => -210,
        b"NDT" => -150,
        b"ADT" => -180,
        b"AST" | b"EDT" => -240,
        b"EST" | b"CDT" => -300,
        b"CST" | b"MDT" => -360,
        b"MST" | b"PDT" => -420,
        b"PST" | b"AKDT" => -480,
        b"AKST" => -540,
        b"HST" => -600,
        _ => return None,
    })
}

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
    let (hour, minute, second) = clock(time)?;
    let mut stamp = Stamp {
        year: Some(i32::from(two(*y1, *y2)?) * 100 + i32::from(two(*y3, *y4)?)),
        month: two(*mo1, *mo2)?,
        day: two(*d1, *d2)?,
        hour,
        minute,
        second,
        micros: 0,
        fraction_digits: 0,
        offset_minutes: None,
        zone: None,
    };
    let mut after = *input;
    after.take(head.len());
    fraction(&mut after, &mut stamp);
    stamp.offset_minutes = offset(&mut after);
    exists(&stamp).then(|| *input = after)?;
    Some(stamp)
}

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
    let mut stamp = Stamp {
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
    };
    fraction(&mut after, &mut stamp);
    year_behind(&mut after, &mut stamp);
    zone_behind(&mut after, &mut stamp, zones);
    year_behind(&mut after, &mut stamp);
    exists(&stamp).then(|| *input = after)?;
    Some(stamp)
}

/// Whether the stamp's date exists in its year, or in some year where it has none.
fn exists(stamp: &Stamp<'_>) -> bool {
    (1..=12).contains(&stamp.month)
        && stamp.day >= 1
        && stamp.day <= days_of_month(stamp.year.unwrap_or(2000), stamp.month)
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

/// `Z`, `z`, `+01:00`, `+0100` or `+01`, where a word ends after it.
fn offset(input: &mut Reader<'_>) -> Option<i16> {
    let mut after = *input;
    let minutes = match after.byte()? {
        b'Z' | b'z' => 0,
        sign @ (b'+' | b'-') => {
            let hours = two(after.byte()?, after.byte()?)?;
            let colon = after.eat(b':');
            let minutes = match after.rest() {
                [tens, ones, ..] if colon || tens.is_ascii_digit() => {
                    after.take(2);
                    two(*tens, *ones)?
                }
                _ if colon => return None,
                _ => 0,
            };
            if hours > 23 || minutes > 59 {
                return None;
            }
            let east = i16::from(hours) * 60 + i16::from(minutes);
            if sign == b'-' { -east } else { east }
        }
        _ => return None,
    };
    ends_word(&after).then(|| *input = after)?;
    Some(minutes)
}

fn ends_word(input: &Reader<'_>) -> bool {
    // A colon inside a word belongs to an IPv6 address, not to a year.
    matches!(
        input.rest(),
        [] | [b' ' | b'\t', ..] | [b':'] | [b':', b' ', ..]
    )
}

fn year_and_space(input: &mut Reader<'_>) -> Option<i32> {
    let [y1, y2, y3, y4, b' ', ..] = input.rest() else {
        return None;
    };
    let year = i32::from(two(*y1, *y2)?) * 100 + i32::from(two(*y3, *y4)?);
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
    let year = two(*y1, *y2)
        .zip(two(*y3, *y4))
        .map(|(high, low)| i32::from(high) * 100 + i32::from(low));
    // A number in a century of clocks; anything else is some other number of the message.
    if let Some(1970..=2099) = year
        && ends_word(&after)
    {
        stamp.year = year;
        *input = after;
    }
}

fn zone_behind<'a>(input: &mut Reader<'a>, stamp: &mut Stamp<'a>, zones: ZoneWords) {
    let mut after = *input;
    if let Some(minutes) = offset(&mut after) {
        stamp.offset_minutes = Some(minutes);
        *input = after;
        return;
    }
    if !after.eat(b' ') {
        return;
    }
    if matches!(after.peek(), Some(b'+' | b'-')) {
        if let Some(minutes) = offset(&mut after) {
            stamp.offset_minutes = Some(minutes);
            *input = after;
        }
        return;
    }
    let name = after.take_while(|byte| byte.is_ascii_uppercase());
    let mut behind = after;
    behind.eat(b' ');
    let is_zone = match zones {
        _ if zone_minutes(name).is_some() => ends_word(&after),
        ZoneWords::Known => false,
        ZoneWords::BeforeColon => (2..=7).contains(&name.len()) && behind.peek() == Some(b':'),
    };
    if is_zone {
        stamp.zone = Some(name);
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
    let month = match &[
        a.to_ascii_lowercase(),
        b.to_ascii_lowercase(),
        c.to_ascii_lowercase(),
    ] {
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
    };
    input.take(4);
    Some(month)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was read, and what was left.
    fn read<'a>(
        text: &'a str,
        reader: impl Fn(&mut Reader<'a>) -> Option<Stamp<'a>>,
    ) -> Option<(Stamp<'a>, &'a str)> {
        let mut input = Reader::new(text.as_bytes());
        let stamp = reader(&mut input)?;
        Some((stamp, std::str::from_utf8(input.rest()).unwrap()))
    }

    fn micros(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
    }

    fn resolved(text: &str, received: &str, default_offset_minutes: i16) -> Option<Resolved> {
        let (stamp, rest) = read(text, rfc3339)
            .or_else(|| read(text, |input| bsd(input, ZoneWords::BeforeColon)))?;
        assert_eq!(rest, "", "{text}");
        resolve(&stamp, micros(received), default_offset_minutes)
    }

    #[test]
    fn rfc_3339_stamps_mean_what_an_independent_reader_says() {
        for text in [
            "2003-10-11T22:14:15.003Z",
            "2003-08-24T05:14:15.000003-07:00",
            "1985-04-12T23:20:50.52Z",
            "1985-04-12t19:20:50.52-04:00",
            "2024-02-29T00:00:00z",
            "2018-12-31T23:59:59.999999-23:59",
            "1969-07-20T20:17:40Z",
            "2000-01-01T00:00:00+14:00",
        ] {
            let ours = resolved(text, "2026-01-01T00:00:00Z", 99).unwrap();
            assert_eq!(ours.at_micros, micros(text), "{text}");
            assert!(!ours.completed, "{text}");
        }
    }

    #[test]
    fn days_and_dates_agree_with_an_independent_calendar() {
        for days in (-200_000..200_000).step_by(13) {
            let date = jiff::civil::date(1970, 1, 1)
                .checked_add(jiff::Span::new().days(days))
                .unwrap();
            let ours = civil_from_days(days);
            assert_eq!(
                ours,
                (i32::from(date.year()), date.month() as u8, date.day() as u8)
            );
            assert_eq!(days_from_civil(ours.0, ours.1, ours.2), days);
        }
    }

    #[test]
    fn offsets_are_read_in_all_their_spellings() {
        for (text, minutes) in [
            ("2024-03-01T18:48:50+0100", Some(60)),
            ("2024-03-01T18:48:50+01", Some(60)),
            ("2024-03-01 18:48:50.5 ", None),
            ("2024/03/01 18:48:50,123-05:30", Some(-330)),
            ("2024-03-01T18:48:50", None),
        ] {
            let (stamp, _) = read(text, rfc3339).unwrap();
            assert_eq!(stamp.offset_minutes, minutes, "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_not_read() {
        for text in [
            "",
            "-",
            "2003-13-11T22:14:15Z",
            "2003-02-29T22:14:15Z",
            "2003-10-11T24:14:15Z",
            "2003-10-11T22:60:15Z",
            "2003-10-11T22:14:61Z",
            "2003-1-11T22:14:15Z",
            "2003-10-00T22:14:15Z",
            "2003-10/11T22:14:15Z",
            "0000-10-1",
            "20O3-10-11T22:14:15Z",
        ] {
            assert_eq!(read(text, rfc3339), None, "{text}");
        }
        for text in [
            "Oct 11",
            "Oct 32 22:14:15",
            "Feb 30 22:14:15",
            "Okt 11 22:14:15",
            "Oct  11:22:14",
            "Oct 111 22:14:15",
            "Oct 11 9:14:15",
            "October 11 22:14:15",
            "Feb 29 2023 22:14:15",
        ] {
            assert_eq!(
                read(text, |input| bsd(input, ZoneWords::Known)),
                None,
                "{text}"
            );
        }
    }

    #[test]
    fn month_word_stamps_are_read_in_the_forms_that_devices_write() {
        let received = "2026-07-15T13:00:00Z";
        for (text, expected, completed) in [
            ("Jul 15 12:34:56", "2026-07-15T12:34:56Z", true),
            ("Jul  5 12:34:56", "2026-07-05T12:34:56Z", true),
            ("Jul 5 12:34:56", "2026-07-05T12:34:56Z", true),
            ("Jul 05 12:34:56", "2026-07-05T12:34:56Z", true),
            ("JUL 05 12:34:56", "2026-07-05T12:34:56Z", true),
            ("Jul 15 2024 12:34:56", "2024-07-15T12:34:56Z", true),
            ("Jul 15 12:34:56 2024", "2024-07-15T12:34:56Z", true),
            ("2024 Jul  5 12:34:56 UTC", "2024-07-05T12:34:56Z", false),
            ("Jul 15 12:34:56.789", "2026-07-15T12:34:56.789Z", true),
            ("Jul 15 12:34:56.789 CEST", "2026-07-15T10:34:56.789Z", true),
            ("Jul 15 2025 12:34:56 +0200", "2025-07-15T10:34:56Z", false),
            (
                "Wed Jul 15 12:34:56 UTC 2026",
                "2026-07-15T12:34:56Z",
                false,
            ),
        ] {
            let ours = resolved(text, received, 0).unwrap();
            assert_eq!(ours.at_micros, micros(expected), "{text}");
            assert_eq!(ours.completed, completed, "{text}");
        }
    }

    #[test]
    fn a_missing_year_is_the_one_nearest_to_the_arrival() {
        for (text, received, expected) in [
            (
                "Dec 31 23:59:58",
                "2026-01-01T00:00:03Z",
                "2025-12-31T23:59:58Z",
            ),
            (
                "Jan  1 00:00:03",
                "2025-12-31T23:59:58Z",
                "2026-01-01T00:00:03Z",
            ),
            (
                "Jun 15 00:00:00",
                "2026-06-16T00:00:00Z",
                "2026-06-15T00:00:00Z",
            ),
            (
                "Feb 29 12:00:00",
                "2026-03-01T00:00:00Z",
                "2024-02-29T12:00:00Z",
            ),
            (
                "Feb 29 12:00:00",
                "2023-03-01T00:00:00Z",
                "2024-02-29T12:00:00Z",
            ),
            (
                "Feb 29 12:00:00",
                "2100-03-01T00:00:00Z",
                "2096-02-29T12:00:00Z",
            ),
        ] {
            assert_eq!(
                resolved(text, received, 0).unwrap().at_micros,
                micros(expected),
                "{text} received {received}"
            );
        }
    }

    #[test]
    fn the_year_is_chosen_in_the_devices_own_zone() {
        // In Auckland it is already the new year when the packet arrives, and the stamp says so.
        let ours = resolved("Jan  1 00:30:00", "2025-12-31T11:30:01Z", 780).unwrap();
        assert_eq!(ours.at_micros, micros("2025-12-31T11:30:00Z"));
    }

    #[test]
    fn an_unknown_zone_is_kept_as_a_name_and_the_default_is_supplied() {
        let (stamp, rest) = read("Jul 15 12:34:56 BRANCH: x", |input| {
            bsd(input, ZoneWords::BeforeColon)
        })
        .unwrap();
        assert_eq!((stamp.zone, rest), (Some(&b"BRANCH"[..]), ": x"));
        assert!(!stamp.is_exact());
        let ours = resolve(&stamp, micros("2026-07-15T13:00:00Z"), 60).unwrap();
        assert_eq!((ours.offset_minutes, ours.completed), (60, true));
        let host = read("Jul 15 12:34:56 BRANCH: x", |input| {
            bsd(input, ZoneWords::Known)
        })
        .unwrap();
        assert_eq!(host.1, " BRANCH: x");
    }

    #[test]
    fn more_than_six_digits_of_a_second_are_cut_and_said() {
        let (stamp, _) = read("2003-10-11T22:14:15.123456789Z", rfc3339).unwrap();
        assert_eq!((stamp.micros, stamp.fraction_digits), (123_456, 9));
        assert!(!stamp.is_exact());
        assert_eq!(resolve(&stamp, 0, 0).unwrap().fraction_digits, 6);
    }

    proptest::proptest! {
        #[test]
        fn every_instant_survives_being_written_and_read(seconds in -2_000_000_000_i64..8_000_000_000, micros in 0..1_000_000_i64, offset in -1439..1440_i16) {
            let at = jiff::Timestamp::from_microsecond(seconds * 1_000_000 + micros).unwrap();
            let zone = jiff::tz::Offset::from_seconds(i32::from(offset) * 60).unwrap();
            let text = at.display_with_offset(zone).to_string();
            let (stamp, rest) = read(&text, rfc3339).unwrap();
            proptest::prop_assert_eq!(rest, "");
            let ours = resolve(&stamp, 0, 0).unwrap();
            proptest::prop_assert_eq!(ours.at_micros, at.as_microsecond());
            proptest::prop_assert_eq!(ours.offset_minutes, offset);
        }

        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let mut input = Reader::new(&bytes);
            let _ = bsd(&mut input, ZoneWords::BeforeColon).or_else(|| rfc3339(&mut input)).map(|stamp| resolve(&stamp, i64::MAX, i16::MIN));
        }
    }
}
