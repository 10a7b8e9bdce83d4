//! syslog_loose as the last reader, for header shapes that no reader of ours recognises.
//!
//! ```text
//!  bytes ─UTF-8?─▶ syslog_loose ─▶ guard: is every byte in a field, in the text, or a separator? ─▶ Message
//!                                         is the name one that a host can have?
//! ```
//!
//! syslog_loose is lenient beyond what can be trusted: it drops structured data that it cannot read, and takes any word
//! for a host (`last` of "last message repeated"). So its answer is taken whole or not at all, under that guard. Its
//! time is taken as the civil time that is written; a zone only where the stamp is RFC 3339, because it reads a year
//! with a zone wrongly.

use chrono::{Datelike, FixedOffset, Offset, Timelike, Utc};
use syslog_loose::{ProcId, Variant};

use super::timestamp::Stamp;
use super::{Fidelity, Format, Message, Pri};
use crate::decode::reader::Reader;

/// Handed to syslog_loose as the year of stamps that have none, to be recognised afterwards: a leap year in which
/// nobody sent syslog.
const NO_YEAR: i32 = 1600;

pub(super) fn read<'a>(pri: Option<Pri>, input: Reader<'a>) -> Option<Message<'a>> {
    let body = std::str::from_utf8(input.rest()).ok()?;
    let utc = Some(Utc.fix());
    let read = syslog_loose::parse_message_with_year_exact_tz::<_, FixedOffset>(
        body,
        |_| NO_YEAR,
        utc,
        Variant::Either,
    );
    let read = read.ok()?;
    let mut message = Message::of(Format::Loose, pri, read.msg.as_bytes());
    message.time = read.timestamp.and_then(|time| stamp(body, time));
    message.hostname = read.hostname.map(str::as_bytes);
    message.app_name = read.appname.map(str::as_bytes);
    message.proc_id = match read.procid {
        None => None,
        Some(ProcId::Name(name)) => Some(name.as_bytes()),
        // A number is not borrowed from the message; its digits are looked up behind the tag.
        Some(ProcId::PID(number)) => Some(digits_behind(body, message.app_name?, number)?),
    };
    message.msg_id = read.msgid.map(str::as_bytes);
    let sound = read.structured_data.is_empty()
        && (message.time.is_some() || read.timestamp.is_none())
        && message.hostname.is_none_or(can_be_host)
        && (message.hostname.is_some() || message.app_name.is_some())
        && accounts_for(body.as_bytes(), &message);
    // The stamp's spelling and the separators are not in the fields.
    message.fidelity = Fidelity::Changed;
    sound.then_some(message)
}

fn stamp(body: &str, time: chrono::DateTime<FixedOffset>) -> Option<Stamp<'static>> {
    let is_rfc3339 = body
        .split_ascii_whitespace()
        .take(2)
        .any(|word| word.len() > 10 && word.as_bytes().get(4) == Some(&b'-'));
    let micros = (time.nanosecond() / 1000).min(999_999);
    Some(Stamp {
        year: Some(time.year()).filter(|year| *year != NO_YEAR),
        month: u8::try_from(time.month()).ok()?,
        day: u8::try_from(time.day()).ok()?,
        hour: u8::try_from(time.hour()).ok()?,
        minute: u8::try_from(time.minute()).ok()?,
        second: u8::try_from(time.second()).ok()?,
        micros,
        fraction_digits: match micros {
            0 => 0,
            micros if micros % 1000 == 0 => 3,
            _ => 6,
        },
        offset_minutes: is_rfc3339
            .then(|| i16::try_from(time.offset().local_minus_utc() / 60).ok())
            .flatten(),
        zone: None,
    })
}

/// The characters of host names and addresses, and no word of a repeat line or a date.
fn can_be_host(name: &[u8]) -> bool {
    name.iter()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':'))
        && name.iter().any(u8::is_ascii_alphabetic)
        && !matches!(name, b"last" | b"message")
}

/// The digits in brackets or as the next word behind `tag`, if they are `number`.
fn digits_behind<'a>(body: &'a str, tag: &[u8], number: i32) -> Option<&'a [u8]> {
    let at = offset_in(body.as_bytes(), tag)? + tag.len();
    let mut input = Reader::new(body.as_bytes().get(at..)?);
    input.take_while(|byte| matches!(byte, b'[' | b' ' | b'\t'));
    let digits = input.take_while(|byte| byte.is_ascii_digit());
    let value: i32 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (value == number).then_some(digits)
}

/// Where `part` lies in `whole`, of which it is a part.
fn offset_in(whole: &[u8], part: &[u8]) -> Option<usize> {
    let offset = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    (offset + part.len() <= whole.len()).then_some(offset)
}

/// Whether the fields stand in order, nothing but separators lies between them, and what lies before the first is a
/// version and a time stamp or its stand-in.
fn accounts_for(body: &[u8], message: &Message<'_>) -> bool {
    let fields = [
        message.hostname,
        message.app_name,
        message.proc_id,
        message.msg_id,
        Some(message.text),
    ];
    let mut end = None;
    for field in fields.into_iter().flatten() {
        let Some(start) = offset_in(body, field) else {
            return false;
        };
        let between = body.get(end.unwrap_or(0)..start);
        let fits = match (between, end) {
            (None, _) => false,
            (Some(before), None) => is_time(before, message.time.is_some()),
            (Some(between), Some(_)) => between
                .iter()
                .all(|byte| matches!(byte, b' ' | b'\t' | b':' | b'[' | b']' | b'-')),
        };
        if !fits {
            return false;
        }
        end = Some(start + field.len());
    }
    let behind = end.and_then(|end| body.get(end..)).unwrap_or_default();
    behind.iter().all(u8::is_ascii_whitespace)
}

/// Whether bytes are a time stamp and at most a version, judged by their characters: syslog_loose has read them.
fn is_time(bytes: &[u8], has_time: bool) -> bool {
    let count = |wanted: fn(&u8) -> bool| bytes.iter().filter(|byte| wanted(byte)).count();
    let digits = count(u8::is_ascii_digit);
    let letters = count(u8::is_ascii_alphabetic);
    let marks = bytes.iter().all(|byte| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b' ' | b'\t' | b':' | b'-' | b'+' | b'.' | b',')
    });
    if has_time {
        marks && digits >= 4 && letters <= 4 && bytes.len() <= 48
    } else {
        marks && letters == 0 && digits <= 3 && bytes.len() <= 8
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Format, read};

    /// Header shapes that are real, that none of our readers recognises, and that syslog_loose reads whole.
    const ONLY_LOOSE: [(&str, &str); 2] = [
        // Small routers write the hour without padding.
        (
            "<30>Oct  1 9:05:03 dsl-gw pppd[112]: LCP terminated",
            "dsl-gw|pppd|112|LCP terminated",
        ),
        // RFC 5424's stand-in for a time stamp in the header of RFC 3164.
        (
            "<30>- dsl-gw pppd[112]: LCP terminated",
            "dsl-gw|pppd|112|LCP terminated",
        ),
    ];

    fn text(bytes: Option<&[u8]>) -> &str {
        bytes.map_or("~", |bytes| std::str::from_utf8(bytes).unwrap())
    }

    #[test]
    fn there_are_inputs_that_only_it_reads() {
        assert!(
            !ONLY_LOOSE.is_empty(),
            "without such inputs the reader has no use"
        );
        for (input, expected) in ONLY_LOOSE {
            let message = read(input.as_bytes());
            let parts = format!(
                "{}|{}|{}|{}",
                text(message.hostname),
                text(message.app_name),
                text(message.proc_id),
                text(Some(message.text))
            );
            assert_eq!(
                (message.format, parts.as_str()),
                (Format::Loose, expected),
                "{input}"
            );
        }
    }

    #[test]
    fn what_it_would_lose_or_misread_is_left_as_text() {
        for input in [
            "<30>- last message repeated 3 times",
            "<30>- 10 app[1]: x",
            "<134>1 1563249630.774247467 MX84 events type=vpn",
            "<34>1 - host\u{7}x app - - [action:\"Accept\"; x",
            "<30>Oct  1 9:05:03 h app[1]: [id a=\"1\"] text",
        ] {
            let message = read(input.as_bytes());
            assert_ne!(message.format, Format::Loose, "{input}");
        }
    }
}
