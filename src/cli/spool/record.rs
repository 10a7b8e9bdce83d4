//! One record or dead letter as a line of JSON.

use super::time_text;
use crate::spool::dead_letter::DeadLetter;
use crate::spool::inspect::Shown;
use crate::time::UnixMicros;

/// A record with all that belongs to it.
pub(super) fn line(topic: &str, record: &Shown<'_>) -> String {
    let head = head(topic, record.number.0, record.key, record.received);
    format!("{{{head},\"payload\":{}}}", payload(record.payload))
}

/// A dead letter with its reason.
pub(super) fn letter_line(letter: &DeadLetter<'_>) -> String {
    let head = head(letter.topic, letter.number.0, letter.key, letter.received);
    format!(
        "{{{head},\"set_aside\":{},\"reason\":{},\"payload\":{}}}",
        text(&time_text(Some(letter.set_aside))),
        text(letter.reason),
        payload(letter.payload)
    )
}

fn head(topic: &str, number: u64, key: &[u8], received: UnixMicros) -> String {
    format!(
        "\"topic\":{},\"number\":{number},\"key\":{},\"received\":{}",
        text(topic),
        text(&String::from_utf8_lossy(key)),
        text(&time_text(Some(received)))
    )
}

/// The payload as it is sent, which is JSON; anything else as text.
fn payload(bytes: &[u8]) -> String {
    let as_text = String::from_utf8_lossy(bytes);
    match serde_json::from_slice::<serde::de::IgnoredAny>(bytes) {
        Ok(_) => as_text.into_owned(),
        Err(_) => text(&as_text),
    }
}

fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Number, Origin};

    #[test]
    fn a_record_is_one_line_of_json_whatever_it_holds() {
        for (payload, expected) in [
            (
                &br#"{"id":"x-0","n":1}"#[..],
                serde_json::json!({"id": "x-0", "n": 1}),
            ),
            (b"\xffno json\n", serde_json::json!("\u{fffd}no json\n")),
        ] {
            let record = Shown {
                number: Number(7),
                received: UnixMicros(0),
                origin: Origin::Packet,
                key: b"r1\"",
                payload,
            };
            let line = line("net.syslog", &record);
            assert!(!line.contains('\n'), "{line}");
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            let wanted = serde_json::json!({"topic": "net.syslog", "number": 7, "key": "r1\"",
                "received": "1970-01-01T00:00:00Z", "payload": expected});
            assert_eq!(read, wanted);
        }
    }
}
