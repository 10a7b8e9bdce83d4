//! Cisco ISE and ACS: messages in segments, behind a header of RFC 3164.
//!
//! ```text
//!  <181>Jul 15 12:34:56 ise1 CISE_Passed_Authentications 0001939187 4 0 2026-07-15 12:34:56.789 +00:00 0042009748 5200 NOTICE
//!                            category                    message id | |  time                          sequence   code severity
//!                                                          segments ┘ └ segment         Passed-Authentication: text, A=b, C=d,
//!  <181>Jul 15 12:34:56 ise1 CISE_Passed_Authentications 0001939187 4 1  E=f, G=h,      later segments: pairs alone
//!  <181>Jul 15 12:34:56 ise1 CISE_Alarm WARN: text
//! ```
//!
//! Evidence: a word that starts with `CISE_` or `CSCOacs_`. Which message a segment belongs to, and its place in it,
//! are fields; the segments are not put together here. (Cisco, "ISE Syslogs": message format; ACS, "Logs" likewise.)

use super::super::Message;
use super::super::fields::{Escapes, Field, Fields, Syntax, Value, Walk};
use super::super::timestamp::{self, Stamp};
use crate::decode::reader::Reader;

const PARTS: &[&str] = &["message_id", "segments", "segment", "sequence"];

const ESCAPES: Escapes = Escapes::backslash(b",\\;=");

pub(in super::super) fn refine(message: &mut Message<'_>) -> bool {
    let start = message.app_name.unwrap_or(message.text);
    if !start.starts_with(b"CISE_") && !start.starts_with(b"CSCOacs_") {
        return false;
    }
    let mut input = Reader::new(message.text);
    let category = match message.app_name {
        Some(tag) => tag,
        None => {
            let word = input.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            input.eat(b' ');
            word
        }
    };
    message.app_name = Some(category);
    message.vendor = Some("cisco");
    message.os = Some(if category.starts_with(b"CISE_") {
        "ise"
    } else {
        "acs"
    });
    message.text = input.rest();
    if let Some(segment) = take_segment(&mut input) {
        take_first(&mut input, message, segment);
    }
    true
}

/// Takes `0001939187 4 0 `.
fn take_segment<'a>(input: &mut Reader<'a>) -> Option<[&'a [u8]; 3]> {
    let mut after = *input;
    let mut number = || {
        let digits = after.take_while(|byte| byte.is_ascii_digit());
        (!digits.is_empty() && after.eat(b' ')).then_some(digits)
    };
    let numbers = [number()?, number()?, number()?];
    after.take_while(|byte| byte == b' ');
    *input = after;
    Some(numbers)
}

/// Reads what only the first segment has (time, sequence, code), and the pairs of any.
fn take_first<'a>(
    input: &mut Reader<'a>,
    message: &mut Message<'a>,
    [id, segments, segment]: [&'a [u8]; 3],
) {
    let mut sequence: &[u8] = b"";
    let mut after = *input;
    if let Some(stamp) = timestamp::rfc3339(&mut after) {
        after.eat(b' ');
        let zone = after.take_while(|byte| byte.is_ascii_graphic());
        let space = after.eat(b' ');
        let number = after.take_while(|byte| byte.is_ascii_digit());
        let second_space = after.eat(b' ');
        let code = after.take_while(|byte| byte.is_ascii_digit());
        let severity = after.eat(b' ') && !code.is_empty();
        if space && second_space && severity {
            take_time(message, stamp.with_zone(zone));
            message.event_code = Some(code);
            sequence = number;
            *input = after;
        }
    }
    message.text = input.rest();
    let parts = Fields::parts(PARTS, [id, segments, segment, sequence]);
    message.fields = Some(parts.and_read(Syntax::CommaPairs, message.text, |_| {}));
}

/// The same clock as the header's, with year, zone and milliseconds. A header's that says another second is a relay's,
/// and is left out; so is a zone that nobody knows.
fn take_time<'a>(message: &mut Message<'a>, time: Stamp<'a>) {
    let second = |time: &Stamp<'_>| (time.month, time.day, time.hour, time.minute, time.second);
    let same = message
        .time
        .is_none_or(|header| !header.has_zone() && second(&header) == second(&time));
    message.fidelity = message
        .fidelity
        .changed_if(!same || !time.has_zone() || !time.is_exact());
    message.time = Some(time);
}

/// The next `Name=value,` past what has no `=`. A comma behind a backslash is part of the value.
pub(in super::super) fn next<'a>(walk: &mut Walk<'a>) -> Option<Field<'a>> {
    loop {
        walk.input
            .take_while(|byte| matches!(byte, b' ' | b',' | b';'));
        if walk.input.is_empty() {
            return None;
        }
        let (pair, escapes) = take_to_comma(&mut walk.input);
        let mut pair = Reader::new(pair);
        // `Authentication succeeded` and the like end in a colon or comma in front of the first pair.
        let name = pair.take_to([b'=']).trim_ascii();
        if pair.eat(b'=') && !name.is_empty() {
            let bytes = pair.rest().trim_ascii_end();
            let value = Value { bytes, escapes };
            return Some(Field { name, value });
        }
    }
}

/// Takes everything before the next comma that is no escape, and says which escapes it may have.
fn take_to_comma<'a>(input: &mut Reader<'a>) -> (&'a [u8], Escapes) {
    let (rest, start) = (input.rest(), input.at());
    let mut escapes = Escapes::NONE;
    loop {
        input.take_to([b',', b'\\']);
        let end = input.at() - start;
        match input.byte() {
            Some(b'\\') => {
                escapes = ESCAPES;
                input.byte();
            }
            Some(_) => return (rest.get(..end).unwrap_or_default(), escapes),
            None => return (rest, escapes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fields::tests::json;
    use super::super::super::{Fidelity, read};

    #[test]
    fn a_first_segment_has_its_own_time_code_and_pairs() {
        let message = read(
            br"<181>Jul 15 12:34:56 ise1 CISE_Passed_Authentications 0001939187 4 0 2026-07-15 12:34:56.789 +02:00 0042009748 5200 NOTICE Passed-Authentication: Authentication succeeded, ConfigVersionId=128, Device IP Address=10.6.64.15, Step=a\,b,",
        );
        assert_eq!((message.vendor, message.os), (Some("cisco"), Some("ise")));
        assert_eq!(message.app_name, Some(&b"CISE_Passed_Authentications"[..]));
        assert_eq!(message.event_code, Some(&b"5200"[..]));
        assert_eq!(message.time.unwrap().offset_minutes, Some(120));
        assert!(
            message
                .text
                .starts_with(b"NOTICE Passed-Authentication: Auth")
        );
        assert_eq!(
            json(message.fields.unwrap()),
            r#"{"message_id":"0001939187","segments":"4","segment":"0","sequence":"0042009748","ConfigVersionId":"128","Device IP Address":"10.6.64.15","Step":"a,b"}"#
        );
    }

    #[test]
    fn a_time_or_a_zone_that_is_left_out_is_said() {
        for (header, time, fidelity) in [
            (
                "Jul 15 12:34:56",
                "2026-07-15 12:34:56.789 +02:00",
                Fidelity::Exact,
            ),
            (
                "Jul 15 12:34:56",
                "2026-07-15 12:34:56.789 MET",
                Fidelity::Exact,
            ),
            (
                "Jul 15 12:34:56",
                "2026-07-15 12:34:56.789 XYZ",
                Fidelity::Changed,
            ),
            (
                "Jul 15 12:34:57",
                "2026-07-15 12:34:56.789 +02:00",
                Fidelity::Changed,
            ),
            (
                "2026-07-15T12:34:56Z",
                "2026-07-15 12:34:56.789 +02:00",
                Fidelity::Changed,
            ),
        ] {
            let text = format!("<181>{header} ise1 CISE_X 1 1 0 {time} 7 5200 NOTICE x");
            let message = read(text.as_bytes());
            assert_eq!(message.fidelity, fidelity, "{text}");
            assert_eq!(message.time.unwrap().micros, 789_000);
        }
    }

    #[test]
    fn later_segments_and_alarms_name_their_category() {
        let later =
            read(b"<181>Jul 15 12:34:57 ise1 CISE_RADIUS_Accounting 0001939187 4 1  A=b, C=d,");
        assert_eq!(
            json(later.fields.unwrap()),
            r#"{"message_id":"0001939187","segments":"4","segment":"1","A":"b","C":"d"}"#
        );
        assert_eq!(later.hostname, Some(&b"ise1"[..]));
        let alarm = read(b"<181>Jul 15 12:34:57 ise1 CISE_Alarm WARN: dropped : Server=10.0.0.5;");
        assert_eq!(
            (alarm.app_name, alarm.fields),
            (Some(&b"CISE_Alarm"[..]), None)
        );
        let acs = read(b"<165>Jul 15 12:34:56 acs1 CSCOacs_Administrator: 1 1 0 2026-07-15 12:34:56.789 +00:00 2 5202 NOTICE x");
        assert_eq!((acs.os, acs.event_code), (Some("acs"), Some(&b"5202"[..])));
        let cut = read(b"<181>Jul 15 12:34:57 ise1 CISE_Passed_Auth");
        assert_eq!(cut.text, b"");
    }
}
