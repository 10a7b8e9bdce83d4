//! RFC 5424.
//!
//! ```text
//!  <165>1 2003-10-11T22:14:15.003Z host app 8710 ID47 [id@32473 a="1" b="2\]"][other] BOM text
//!   PRI V TIMESTAMP                HOST APP PROC MSGID STRUCTURED-DATA                MSG       each field may be `-`
//! ```
//!
//! Evidence: a version of one to three digits and a time stamp (or `-`, where there is a PRI). From there on everything
//! readable is read, beyond the RFC too: fields longer than it allows, time stamps without zone, several spaces, no
//! structured data at all. A header that ends early and structured data that cannot be read are errors; what follows
//! is then in the text.

use super::structured_data::scan;
use super::{DecodeError, Fidelity, Format, Message, Pri, timestamp, vendor};
use crate::decode::reader::Reader;

pub use super::structured_data::{Params, StructuredData};

pub(super) fn read<'a>(pri: Option<Pri>, input: Reader<'a>) -> Option<Message<'a>> {
    let mut input = input;
    let is_version_one = take_version(&mut input)?;
    let mut message = Message::of(Format::Rfc5424, pri, b"");
    message.time = match input.rest() {
        [b'-'] | [b'-', b' ', ..] if pri.is_some() => {
            input.byte();
            None
        }
        _ => Some(
            timestamp::rfc3339(&mut input).filter(|_| matches!(input.peek(), None | Some(b' ')))?,
        ),
    };
    let exact_time = message.time.is_none_or(|time| time.is_exact());
    message.fidelity = Fidelity::Exact.changed_if(!is_version_one || !exact_time);
    if let Err(error) = take_names(&mut input, &mut message) {
        message.error = Some(error);
        return Some(message);
    }
    read_structured_data(&mut input, &mut message);
    message.text = input.rest();
    message.text = message
        .text
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(message.text);
    Some(message.with_event_code())
}

/// Takes one to three digits without leading zero, and the space; says whether the version is 1.
fn take_version(input: &mut Reader<'_>) -> Option<bool> {
    match input.rest() {
        [a @ b'1'..=b'9', b' ', ..] => input.take(2).map(|_| *a == b'1'),
        [b'1'..=b'9', b'0'..=b'9', b' ', ..] => input.take(3).map(|_| false),
        [b'1'..=b'9', b'0'..=b'9', b'0'..=b'9', b' ', ..] => input.take(4).map(|_| false),
        _ => None,
    }
}

/// Takes HOSTNAME, APP-NAME, PROCID and MSGID. Where the message ends before, what came is kept.
fn take_names<'a>(input: &mut Reader<'a>, message: &mut Message<'a>) -> Result<(), DecodeError> {
    let mut changed = false;
    let mut name = |reason| {
        changed |= input.take_while(|byte| byte == b' ').len() > 1;
        if input.is_empty() {
            let at = input.at();
            return Err(DecodeError { reason, at });
        }
        let name = input.take_to([b' ']);
        Ok(Some(name).filter(|name| *name != b"-"))
    };
    message.hostname = name("expected HOSTNAME, and the message ends")?;
    message.app_name = name("expected APP-NAME, and the message ends")?;
    message.proc_id = name("expected PROCID, and the message ends")?;
    message.msg_id = name("expected MSGID, and the message ends")?;
    message.fidelity = message.fidelity.changed_if(changed);
    Ok(())
}

/// Takes the space, `-` or elements, and the space in front of the text.
fn read_structured_data<'a>(input: &mut Reader<'a>, message: &mut Message<'a>) {
    let spaces = input.take_while(|byte| byte == b' ');
    message.fidelity = message.fidelity.changed_if(spaces.len() > 1);
    match input.rest() {
        [b'-'] | [b'-', b' ', ..] => {
            input.take(2).or_else(|| input.take(1));
        }
        [b'[', ..] => match scan(input) {
            Ok(found) => {
                message.structured_data = Some(found.data);
                message.vendor = vendor::of_element(found.data.first_id());
                message.sequence = found.sequence;
                message.clock = found.clock;
                let glued = !input.is_empty() && !input.eat(b' ');
                message.fidelity = message.fidelity.changed_if(glued || found.repeats);
            }
            Err(error) => message.error = Some(error),
        },
        // No structured data, not even `-`: what stands here is the text.
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::super::structured_data::tests::json;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        // Section 6.5.
        let message = read(b"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xef\xbb\xbf'su root' failed");
        assert_eq!(message.format, Format::Rfc5424);
        assert_eq!(
            message.pri,
            Some(Pri {
                facility: 4,
                severity: 2
            })
        );
        assert_eq!(message.hostname, Some(&b"mymachine.example.com"[..]));
        assert_eq!(message.app_name, Some(&b"su"[..]));
        assert_eq!(message.proc_id, None);
        assert_eq!(message.msg_id, Some(&b"ID47"[..]));
        assert_eq!(message.structured_data, None);
        assert_eq!(message.text, b"'su root' failed");
        assert_eq!((message.error, message.fidelity), (None, Fidelity::Exact));
        let message = read(b"<165>1 2003-10-11T22:14:15.003Z h e - ID47 [x@1 iut=\"3\" src=\"App\"][y@1 class=\"high\"]");
        assert_eq!(
            json(message.structured_data.unwrap()),
            r#"{"x@1":{"iut":["3"],"src":["App"]},"y@1":{"class":["high"]}}"#
        );
        assert_eq!(message.text, b"");
    }

    #[test]
    fn an_element_with_a_vendors_number_names_the_vendor() {
        for (line, vendor, os) in [
            (
                "NSX 7 - [nsx@6876 comp=\"nsx-edge\"] x",
                Some("vmware"),
                None,
            ),
            (
                "Hostd 7 - [Originator@6876 sub=\"Vimsvc\"] x",
                Some("vmware"),
                Some("esxi"),
            ),
            (
                "tmm 7 01260013:6: [F5@12276 hostname=\"lb1\"] x",
                Some("f5"),
                Some("big-ip"),
            ),
            ("app 7 - [a@32473 b=\"c\"] x", None, None),
        ] {
            let input = format!("<134>1 2026-11-22T01:20:00Z h {line}");
            let message = read(input.as_bytes());
            assert_eq!((message.vendor, message.os), (vendor, os), "{input}");
            let code = message.event_code.is_some();
            assert_eq!((message.text, code), (&b"x"[..], vendor == Some("f5")));
        }
    }

    #[test]
    fn nothing_but_nil_is_a_whole_message() {
        let message = read(b"<0>1 - - - - - -");
        assert_eq!((message.format, message.error), (Format::Rfc5424, None));
        assert_eq!(
            (message.time, message.hostname, message.app_name),
            (None, None, None)
        );
        assert_eq!((message.structured_data, message.text), (None, &b""[..]));
    }

    #[test]
    fn headers_that_devices_get_wrong_are_read_as_far_as_they_go() {
        let unzoned = read(b"<34>1 2003-10-11T22:14:15 h a p m - text");
        assert_eq!((unzoned.text, unzoned.error), (&b"text"[..], None));
        let no_data = read(b"<34>1 2003-10-11T22:14:15Z h a p m text goes on");
        assert_eq!((no_data.text, no_data.error), (&b"text goes on"[..], None));
        let spaced = read(b"<166>1 2026-07-15 12:34:56 sonic bgp#zebra 292 - -  text");
        assert_eq!(
            (spaced.hostname, spaced.text),
            (Some(&b"sonic"[..]), &b"text"[..])
        );
        let without_pri = read(b"1 2003-10-11T22:14:15Z h a p m - text");
        assert_eq!(
            (without_pri.format, without_pri.pri),
            (Format::Rfc5424, None)
        );
        let short = read(b"<34>1 2003-10-11T22:14:15Z h a");
        assert_eq!(
            (short.app_name, short.error.unwrap().at),
            (Some(&b"a"[..]), 30)
        );
        let wide = read(b"<34>1 2003-10-11T22:14:15Z h  a p m - text");
        assert_eq!(
            (wide.app_name, wide.fidelity),
            (Some(&b"a"[..]), Fidelity::Changed)
        );
    }

    #[test]
    fn what_only_looks_like_a_version_is_left_to_other_readers() {
        for input in [
            "<134>1 1563249630.774 MX84 events",
            "<134>854 08/20/2013-19:05:23 CONFIG x",
            "<34>0 - - - - - -",
            "<34>1000 - - - - - -",
            "1 - - - - - -",
        ] {
            assert_ne!(read(input.as_bytes()).format, Format::Rfc5424, "{input}");
        }
    }

    fn name() -> impl Strategy<Value = Option<String>> {
        proptest::option::of("[!-~]{1,40}").prop_map(|name| name.filter(|name| name != "-"))
    }

    proptest! {
        #[test]
        fn what_is_written_by_the_rfc_is_read_back(
            number in 0..192_u8,
            names in [name(), name(), name(), name()],
            elements in proptest::collection::btree_map("[a-z@0-9]{1,8}", proptest::collection::vec(("[a-z]{1,3}", "\\PC{0,12}"), 0..6), 0..4),
            // The first letter keeps the text from looking like a code, a BOM or a padding.
            text in "(a\\PC{0,40})?",
        ) {
            let escape = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]");
            let field = |name: &Option<String>| name.clone().unwrap_or("-".into());
            let mut written = format!("<{number}>1 2003-10-11T22:14:15.003Z {}", names.iter().map(field).collect::<Vec<_>>().join(" "));
            written += if elements.is_empty() { " -" } else { " " };
            let mut expected = serde_json::Map::new();
            for (id, params) in &elements {
                written += &format!("[{id}");
                let mut map = serde_json::Map::new();
                for (name, value) in params {
                    written += &format!(" {name}=\"{}\"", escape(value));
                    map.entry(name.clone()).or_insert(serde_json::json!([])).as_array_mut().unwrap().push(value.clone().into());
                }
                written += "]";
                expected.insert(id.clone(), map.into());
            }
            if !text.is_empty() {
                written += &format!(" {text}");
            }
            let message = read(written.as_bytes());
            prop_assert_eq!(message.format, Format::Rfc5424);
            prop_assert_eq!(message.error, None, "{}", written);
            prop_assert_eq!(message.fidelity, Fidelity::Exact);
            prop_assert_eq!(message.pri, Some(Pri { facility: number / 8, severity: number % 8 }));
            let read_names = [message.hostname, message.app_name, message.proc_id, message.msg_id];
            for (ours, theirs) in read_names.into_iter().zip(&names) {
                prop_assert_eq!(ours, theirs.as_ref().map(|name| name.as_bytes()));
            }
            prop_assert_eq!(message.structured_data.map_or("{}".into(), json), serde_json::Value::Object(expected).to_string());
            prop_assert_eq!(message.text, text.as_bytes());
        }
    }
}
