//! Citrix NetScaler (ADC): a date in slashes, the host, and the packet engine that speaks.
//!
//! ```text
//!  <134> 07/15/2026:12:34:56 GMT ns1 0-PPE-0 : default TCP CONN_TERMINATE 4711 0 :  Source 192.0.2.1:80 - ...
//!        date       time     zone host engine  partition feature event counter    text
//! ```
//!
//! Evidence: that date and a zone or none, a word, and a word with `-PPE-` in it (or `PPE-` first). Behind a relay's
//! header the same stands in the text. Whether the month or the day comes first is a setting of the device
//! (`-dateFormat`); the month does unless it cannot. Each engine counts for itself, so the counter is a field. (Citrix,
//! "NetScaler Syslog Message Reference".)

use super::fields::Fields;
use super::timestamp::{self, Stamp};
use super::{Format, Message, Pri};
use crate::decode::reader::Reader;

/// Reads it in place of a header.
pub(super) fn read<'a>(pri: Option<Pri>, input: Reader<'a>) -> Option<Message<'a>> {
    let mut message = Message::of(Format::NetScaler, pri, b"");
    let mut input = input;
    input.take_while(|byte| byte == b' ');
    take(&mut input, &mut message).then_some(message)
}

/// Reads it behind another's header.
pub(super) fn refine(message: &mut Message<'_>) -> bool {
    if message.format == Format::NetScaler {
        return true;
    }
    // All that another's header says gives way, but a time with a zone to one without.
    let had_header = [message.hostname, message.app_name, message.proc_id]
        .iter()
        .any(Option::is_some)
        || message.time.is_some();
    let found = take(&mut Reader::new(message.text), message);
    if found {
        message.fidelity = message.fidelity.changed_if(had_header);
        message.recognised(Format::NetScaler);
    }
    found
}

fn take<'a>(input: &mut Reader<'a>, message: &mut Message<'a>) -> bool {
    let Some(head) = take_head(input) else {
        return false;
    };
    if !head.time.is_vaguer_than(message.time) {
        message.time = Some(head.time);
    }
    message.hostname = Some(head.host);
    message.proc_id = Some(head.engine);
    message.vendor = Some("citrix");
    message.os = Some("netscaler");
    message.fidelity = message.fidelity.changed_if(head.is_zone_lost);
    let mut after = *input;
    if let Some(event) = take_event(&mut after) {
        message.app_name = Some(event.feature);
        message.event_code = Some(event.name);
        message.fields = Some(Fields::parts(
            &["partition", "event_id", "transaction"],
            [event.partition, event.counter, event.transaction, b""],
        ));
        *input = after;
    }
    message.text = input.rest();
    true
}

struct Head<'a> {
    time: Stamp<'a>,
    /// Its zone has a name that no table knows.
    is_zone_lost: bool,
    host: &'a [u8],
    engine: &'a [u8],
}

fn take_head<'a>(input: &mut Reader<'a>) -> Option<Head<'a>> {
    let date: [u8; 10] = *input.take(10)?.first_chunk()?;
    input.eat(b':').then_some(())?;
    let clock = input.take(8)?;
    input.eat(b' ').then_some(())?;
    let time = stamp(date, clock)?;
    let zone = input.take_while(|byte| byte.is_ascii_uppercase());
    input.eat(b' ').then_some(())?;
    let host = input.take_while(|byte| byte.is_ascii_graphic());
    input.eat(b' ').then_some(())?;
    let engine = input.take_while(|byte| byte.is_ascii_graphic());
    let is_engine = memchr::memmem::find(engine, b"PPE-").is_some();
    (is_engine && !host.is_empty() && input.eat(b' ') && input.eat(b':')).then_some(())?;
    input.take_while(|byte| byte == b' ');
    let time = time.with_zone(zone);
    Some(Head {
        time,
        is_zone_lost: !zone.is_empty() && !time.has_zone(),
        host,
        engine,
    })
}

/// `07/15/2026`, `15/07/2026` or `2026/07/15`.
fn stamp<'a>(date: [u8; 10], clock: &[u8]) -> Option<Stamp<'a>> {
    let of = |year: [u8; 4], month: [u8; 2], day: [u8; 2]| {
        let ([y1, y2, y3, y4], [m1, m2], [d1, d2]) = (year, month, day);
        timestamp::date_and_time(&[y1, y2, y3, y4, b'/', m1, m2, b'/', d1, d2], clock)
    };
    match date {
        [a1, a2, b'/', b1, b2, b'/', y1, y2, y3, y4] => {
            let year = [y1, y2, y3, y4];
            of(year, [a1, a2], [b1, b2]).or_else(|| of(year, [b1, b2], [a1, a2]))
        }
        _ => timestamp::date_and_time(&date, clock),
    }
}

struct Event<'a> {
    partition: &'a [u8],
    feature: &'a [u8],
    name: &'a [u8],
    counter: &'a [u8],
    transaction: &'a [u8],
}

/// Takes `default TCP CONN_TERMINATE 4711 0 :  `; older versions have no partition.
fn take_event<'a>(input: &mut Reader<'a>) -> Option<Event<'a>> {
    let mut words: [&[u8]; 5] = [b""; 5];
    let mut count = 0;
    for slot in &mut words {
        let word = input.take_while(|byte| byte.is_ascii_graphic() && byte != b':');
        if word.is_empty() {
            break;
        }
        input.eat(b' ').then_some(())?;
        *slot = word;
        count += 1;
    }
    input.eat(b':').then_some(())?;
    input.take_while(|byte| byte == b' ');
    let [partition, feature, name, counter, transaction] = match (count, words) {
        (4, [feature, name, counter, transaction, _]) => [b"", feature, name, counter, transaction],
        (5, words) => words,
        _ => return None,
    };
    let is_number = |word: &[u8]| word.iter().all(u8::is_ascii_digit);
    (is_number(counter) && is_number(transaction)).then_some(Event {
        partition,
        feature,
        name,
        counter,
        transaction,
    })
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::json;
    use super::super::{Fidelity, Format, read};

    #[test]
    fn date_host_engine_and_event_are_told_apart_in_front_and_behind_a_header() {
        for input in [
            "<134> 07/15/2026:12:34:56 GMT ns1 0-PPE-0 : default TCP CONN_TERMINATE 4711 0 :  Source x",
            "<134> 15/07/2026:12:34:56 GMT ns1 0-PPE-0 : default TCP CONN_TERMINATE 4711 0 :  Source x",
            "<134>Jul 15 12:34:56 192.0.2.9 07/15/2026:12:34:56 GMT ns1 0-PPE-0 : default TCP CONN_TERMINATE 4711 0 :  Source x",
        ] {
            let message = read(input.as_bytes());
            assert_eq!((message.format, message.error), (Format::NetScaler, None));
            assert_eq!(message.hostname, Some(&b"ns1"[..]), "{input}");
            assert_eq!(message.app_name, Some(&b"TCP"[..]));
            assert_eq!(message.proc_id, Some(&b"0-PPE-0"[..]));
            assert_eq!(message.event_code, Some(&b"CONN_TERMINATE"[..]));
            assert_eq!(message.text, b"Source x");
            let time = message.time.unwrap();
            assert_eq!(
                (time.year, time.month, time.zone),
                (Some(2026), 7, Some(&b"GMT"[..]))
            );
            assert_eq!(
                json(message.fields.unwrap()),
                r#"{"partition":"default","event_id":"4711","transaction":"0"}"#
            );
        }
        let local = read(b"<134> 07/15/2026:12:34:56  ns1 0-PPE-1 : UI CMD_EXECUTED 7 0 :  User x");
        assert_eq!(local.event_code, Some(&b"CMD_EXECUTED"[..]));
        assert_eq!(local.time.unwrap().zone, None);
    }

    #[test]
    fn a_headers_time_with_a_zone_goes_before_one_without() {
        let line = "ns1 0-PPE-0 : default TCP CONN_TERMINATE 4711 0 :  x";
        for (zone, hour) in [("", 10), ("GMT", 12)] {
            let input =
                format!("<134>2026-07-15T10:34:56Z relay 07/15/2026:12:34:56 {zone} {line}");
            let message = read(input.as_bytes());
            let time = message.time.unwrap();
            assert_eq!((time.hour, time.has_zone()), (hour, true), "{input}");
            assert_eq!(message.hostname, Some(&b"ns1"[..]));
            assert_eq!(message.fidelity, Fidelity::Changed);
        }
    }

    #[test]
    fn a_zone_that_nobody_knows_and_anothers_tag_are_said_to_be_left_out() {
        let line = "ns1 0-PPE-0 : default TCP CONN_TERMINATE 4711 0 :  x";
        for (start, fidelity) in [
            ("<134> 07/15/2026:12:34:56 GMT ", Fidelity::Exact),
            ("<134> 07/15/2026:12:34:56  ", Fidelity::Exact),
            ("<134> 07/15/2026:12:34:56 XYZT ", Fidelity::Changed),
            ("<134>foo[3]: 07/15/2026:12:34:56 GMT ", Fidelity::Changed),
        ] {
            let input = format!("{start}{line}");
            let message = read(input.as_bytes());
            assert_eq!(message.event_code, Some(&b"CONN_TERMINATE"[..]), "{input}");
            assert_eq!(message.fidelity, fidelity, "{input}");
        }
    }

    #[test]
    fn what_is_cut_keeps_what_came() {
        let cut = read(b"<134> 07/15/2026:12:34:56 GMT ns1 0-PPE-0 : default TCP CONN_TERM");
        assert_eq!(cut.hostname, Some(&b"ns1"[..]));
        assert_eq!(
            (cut.event_code, cut.text),
            (None, &b"default TCP CONN_TERM"[..])
        );
        for text in [
            "<134> 07/15/2026:12:34:56 GMT ns1 0-P",
            "<134> 07/15/2026:12:3",
        ] {
            assert_eq!(read(text.as_bytes()).vendor, None, "{text}");
        }
    }
}
