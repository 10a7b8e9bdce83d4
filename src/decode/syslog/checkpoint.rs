//! Check Point's Log Exporter, in the two forms that are its own (CEF and LEEF have their readers).
//!
//! ```text
//!  time=1784118896|hostname=gw1|product=Firewall|action=Drop|...|rule_name=a \| b|                      "splunk"
//!  <134>1 2026-07-15T12:34:56Z gw1 CheckPoint 1234 - [action:"Drop"; flags:"4"; product:"VPN-1"; ...]   "syslog"
//! ```
//!
//! Evidence: `time=` and a bar, then among the pairs one that only this product has; or the application CheckPoint and
//! a bracket. The bracket is no structured data by RFC 5424, so it is read here. The device's name is `hostname`, else
//! the header's, else the CN in `originsicname`. (Check Point, "Log Exporter": formats; sk122323.)

use super::fields::{Escapes, Field, Fields, Syntax, Value, Walk};
use super::key_value::is_name;
use super::timestamp;
use super::{Format, Message};
use crate::decode::reader::Reader;

const ESCAPES: Escapes = Escapes::backslash(b"|=\\");

/// In quotes; brackets are escaped like the quote.
const QUOTED_ESCAPES: Escapes = Escapes::backslash(b"\"\\[]");

/// What one message says of itself.
#[derive(Default)]
struct Known<'a> {
    is_ours: bool,
    host: Option<&'a [u8]>,
    certificate: Option<&'a [u8]>,
    time: Option<&'a [u8]>,
    product: Option<&'a [u8]>,
}

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    let (syntax, bytes) = if message.text.starts_with(b"time=") {
        (Syntax::Bars, message.text)
    } else if message.app_name == Some(b"CheckPoint") && message.text.starts_with(b"[") {
        (Syntax::Quoted, message.text.get(1..).unwrap_or_default())
    } else {
        return false;
    };
    let mut known = Known {
        is_ours: syntax == Syntax::Quoted,
        ..Known::default()
    };
    let fields = Fields::read(syntax, bytes, |field| known.take(field));
    if !known.is_ours || fields.is_none() {
        return false;
    }
    let name = known.host.or(message.hostname);
    message.fidelity = message
        .fidelity
        .changed_if(message.hostname.is_some_and(|header| Some(header) != name));
    message.hostname = name.or(known.certificate);
    let time = known.time.and_then(|text| {
        let mut input = Reader::new(text);
        timestamp::epoch(&mut input).filter(|_| input.is_empty())
    });
    message.time = message.time.or(time);
    message.event_code = known.product;
    message.fields = fields;
    message.vendor = Some("checkpoint");
    message.os = Some("gaia");
    if syntax == Syntax::Quoted {
        // The header is a good one; only the bracket is no structured data.
        message.error = None;
    }
    message.recognised(Format::CheckPoint);
    true
}

impl<'a> Known<'a> {
    fn take(&mut self, field: Field<'a>) {
        let value = Some(field.value.bytes).filter(|value| !value.is_empty());
        match field.name {
            b"hostname" => self.host = value,
            b"originsicname" | b"origin_sic_name" => self.certificate = value.and_then(common_name),
            b"time" => self.time = self.time.or(value),
            b"product" => self.product = self.product.or(value),
            b"loguid" | b"ifdir" | b"sequencenum" => self.is_ours = true,
            _ => {}
        }
    }
}

/// `gw1` of `CN\=gw1,O\=mgmt.example.net.p7fdbt`.
fn common_name(text: &[u8]) -> Option<&[u8]> {
    let mut input = Reader::new(text);
    let cn = input.take(2)?;
    cn.eq_ignore_ascii_case(b"CN").then_some(())?;
    input.eat(b'\\');
    input.eat(b'=').then_some(())?;
    let name = input.take_while(|byte| byte != b',');
    // The management server's certificate names its part, not the machine.
    Some(name).filter(|name| !name.is_empty() && *name != b"cp_mgmt")
}

/// The next `name=value`, up to a bar that is no escape. A part without `=` goes on with the value before it (a list of
/// addresses), and stays in the text.
pub(super) fn next_bar<'a>(walk: &mut Walk<'a>) -> Option<Field<'a>> {
    while !walk.input.is_empty() {
        let mut pair = Reader::new(super::cef::take_part(&mut walk.input));
        let name = pair.take_while(is_name);
        if !name.is_empty() && pair.eat(b'=') {
            return Some(Field {
                name,
                value: Value::with(pair.rest(), ESCAPES),
            });
        }
        walk.passed_over = true;
    }
    None
}

/// The next `name:"value"`, up to the bracket's end.
pub(super) fn next_quoted<'a>(walk: &mut Walk<'a>) -> Option<Field<'a>> {
    let input = &mut walk.input;
    input.take_while(|byte| matches!(byte, b' ' | b';'));
    let name = input.take_while(is_name);
    let colon = input.eat(b':');
    if name.is_empty() || !colon || !input.eat(b'"') {
        return None;
    }
    let value = input.rest();
    let mut bytes = 0;
    while let Some(found) = memchr::memchr2(b'"', b'\\', input.rest()) {
        input.take(found);
        bytes += found;
        if input.byte() == Some(b'"') {
            let value = value.get(..bytes).unwrap_or_default();
            let value = Value::with(value, QUOTED_ESCAPES);
            return Some(Field { name, value });
        }
        bytes += 1 + usize::from(input.byte().is_some());
    }
    // Cut inside of a value.
    input.take_while(|_| true);
    let value = Value::with(value, QUOTED_ESCAPES);
    Some(Field { name, value })
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::json;
    use super::super::read;
    use super::*;

    #[test]
    fn pairs_between_bars_name_device_time_and_product() {
        let message = read(
            br"time=1784118896|hostname=gw1-lm|product=Firewall|ifdir=inbound|origin=192.0.2.1|198.51.100.1|rule_name=a \| b \= c|",
        );
        assert_eq!((message.format, message.error), (Format::CheckPoint, None));
        assert_eq!(message.hostname, Some(&b"gw1-lm"[..]));
        assert_eq!(message.event_code, Some(&b"Firewall"[..]));
        assert_eq!(message.time.unwrap().offset_minutes, Some(0));
        assert_eq!(
            json(message.fields.unwrap()),
            r#"{"time":"1784118896","hostname":"gw1-lm","product":"Firewall","ifdir":"inbound","origin":"192.0.2.1","rule_name":"a | b = c"}"#
        );
    }

    #[test]
    fn a_bracket_that_is_no_structured_data_is_read_and_no_error() {
        let message = read(
            br#"<134>1 2026-07-15T12:34:56Z gw1 CheckPoint 1234 - [action:"Drop"; flags:"4"; msg:"a \"b\" \]"; product:"VPN-1"]"#,
        );
        assert_eq!((message.format, message.error), (Format::CheckPoint, None));
        assert_eq!(message.hostname, Some(&b"gw1"[..]));
        assert_eq!(
            json(message.fields.unwrap()),
            r#"{"action":"Drop","flags":"4","msg":"a \"b\" ]","product":"VPN-1"}"#
        );
        let cut =
            read(br#"<134>1 2026-07-15T12:34:56Z gw1 CheckPoint 1234 - [action:"Drop"; msg:"a \"#);
        assert_eq!(
            json(cut.fields.unwrap()),
            r#"{"action":"Drop","msg":"a \\"}"#
        );
    }

    #[test]
    fn without_a_name_the_certificates_is_taken_but_not_the_management_servers() {
        for (certificate, host) in [
            (r"CN\=gw2,O\=m.p7fdbt", Some(&b"gw2"[..])),
            ("cn=gw2,o=m", Some(b"gw2")),
            (r"cn\=cp_mgmt,o\=gw3", None),
            ("gw2", None),
        ] {
            let input = format!("time=1784118896|ifdir=inbound|originsicname={certificate}");
            assert_eq!(read(input.as_bytes()).hostname, host, "{certificate}");
        }
        for other in ["time=1784118896|a=b", "time=12:00:00 loguid=1", "time="] {
            assert_eq!(read(other.as_bytes()).vendor, None, "{other}");
        }
    }
}
