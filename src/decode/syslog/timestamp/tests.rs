use super::calendar::{civil_from_days, days_from_civil};
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
    let (stamp, rest) =
        read(text, rfc3339).or_else(|| read(text, |input| bsd(input, ZoneWords::BeforeColon)))?;
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
fn an_arrival_at_the_end_of_time_gives_no_instant_beyond_it() {
    let (stamp, _) = read("Dec 31 23:59:59", |input| {
        bsd(input, ZoneWords::BeforeColon)
    })
    .unwrap();
    for received in [i64::MAX, i64::MIN] {
        let resolved = resolve(&stamp, received, 0);
        assert!(resolved.is_none_or(|resolved| resolved.at_micros.abs_diff(received) < 1 << 55));
    }
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
        let told = if offset.abs() <= 18 * 60 { offset } else { 0 };
        proptest::prop_assert_eq!(ours.offset_minutes, told);
    }

    #[test]
    fn any_bytes_are_survived(bytes: Vec<u8>) {
        let mut input = Reader::new(&bytes);
        let _ = bsd(&mut input, ZoneWords::BeforeColon).or_else(|| rfc3339(&mut input)).map(|stamp| resolve(&stamp, i64::MAX, i16::MIN));
    }
}

#[test]
fn dates_without_padding_and_with_a_month_between_hyphens_are_read() {
    for (text, expected, left) in [
        (
            "2018-7-23 01:00:34.270.1 h",
            "2018-07-23T01:00:34.270Z",
            " h",
        ),
        (
            "2018-Nov- 9 15:42:06.972 S",
            "2018-11-09T15:42:06.972Z",
            " S",
        ),
        ("2018-Nov-12 10:47:34", "2018-11-12T10:47:34Z", ""),
        ("2018-7-23 01:00:34+02:00 h", "2018-07-22T23:00:34Z", " h"),
    ] {
        let (stamp, rest) = read(text, unpadded).unwrap();
        assert_eq!(rest, left, "{text}");
        assert_eq!(resolve(&stamp, 0, 0).unwrap().at_micros, micros(expected));
    }
    for text in [
        "2018-7-23",
        "2018-13-1 01:00:00",
        "2018-Foo-1 01:00:00",
        "2018--1 01:00:00",
    ] {
        assert_eq!(read(text, unpadded), None, "{text}");
    }
}

#[test]
fn seconds_since_1970_are_read_in_every_unit() {
    for (text, expected, digits) in [
        ("1784118896", "2026-07-15T12:34:56Z", 0),
        ("1784118896.789012345", "2026-07-15T12:34:56.789012Z", 9),
        ("1784118896789", "2026-07-15T12:34:56.789Z", 3),
        ("1784118896789012", "2026-07-15T12:34:56.789012Z", 6),
        ("1784118896789012345", "2026-07-15T12:34:56.789012Z", 9),
    ] {
        let (stamp, rest) = read(text, epoch).unwrap();
        assert_eq!((rest, stamp.fraction_digits), ("", digits));
        assert_eq!(resolve(&stamp, 0, 0).unwrap().at_micros, micros(expected));
    }
    for text in ["178411889", "17841188967", "", "abc"] {
        assert_eq!(read(text, epoch), None, "{text}");
    }
}

#[test]
fn a_colon_behind_an_offset_ends_the_stamp() {
    for (text, minutes) in [
        ("Nov 22 01:00:00.1 GMT+1: x", 60),
        ("Nov 22 01:00:00.1 UTC+1: x", 60),
        ("Nov 22 01:00:00.1 UTC-5:30: x", -330),
        ("Nov 22 01:00:00.1 +01: x", 60),
        ("Nov 22 01:00:00.1 -03: x", -180),
        ("Nov 22 01:00:00.1 +0100: x", 60),
        ("Nov 22 01:00:00.1 +01:00: x", 60),
    ] {
        let (stamp, rest) = read(text, |input| bsd(input, ZoneWords::Known)).unwrap();
        assert_eq!(
            (stamp.offset_minutes, rest),
            (Some(minutes), ": x"),
            "{text}"
        );
    }
}

#[test]
fn middle_european_time_has_three_names() {
    for (text, minutes) in [
        ("Nov 22 01:00:00 MET", 60),
        ("Jul 22 01:00:00 MEST", 120),
        ("Nov 22 01:00:00 MEZ", 60),
        ("Jul 22 01:00:00 CEST", 120),
    ] {
        let ours = resolved(text, "2026-11-22T01:00:00Z", 0).unwrap();
        assert_eq!((ours.offset_minutes, ours.guessed_zone), (minutes, false));
    }
}

#[test]
fn of_several_zones_of_one_name_the_devices_own_is_meant() {
    for (name, own, minutes, guessed) in [
        ("CST", 480, 480, false),
        ("CST", -360, -360, false),
        // Chicago in summer, on a device that knows no summer time.
        ("CST", -300, -360, true),
        ("CST", 0, -360, true),
        ("IST", 330, 330, false),
        ("IST", 120, 120, false),
        ("IST", 60, 60, false),
        ("IST", 0, 330, true),
        ("BST", 360, 360, false),
        ("BST", 60, 60, false),
        ("AST", 180, 180, false),
        ("AST", 0, -240, true),
        ("CET", 0, 60, false),
    ] {
        let text = format!("Nov 22 08:00:00 {name}");
        let ours = resolved(&text, "2026-11-22T01:00:00Z", own).unwrap();
        assert_eq!(
            (ours.offset_minutes, ours.guessed_zone),
            (minutes, guessed),
            "{name} {own}"
        );
    }
}

#[test]
fn an_offset_that_no_zone_has_is_told_in_utc() {
    let (stamp, _) = read("2026-11-22T01:00:00+23:59", rfc3339).unwrap();
    assert!(!stamp.is_exact());
    let ours = resolve(&stamp, 0, 0).unwrap();
    assert_eq!(
        (ours.at_micros, ours.offset_minutes),
        (micros("2026-11-21T01:01:00Z"), 0)
    );
    let (stamp, _) = read("2026-11-22T01:00:00-18:00", rfc3339).unwrap();
    assert!(stamp.is_exact());
    assert_eq!(resolve(&stamp, 0, 0).unwrap().offset_minutes, -1080);
}
