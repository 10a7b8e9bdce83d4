//! Ubiquiti: access points and switches of UniFi, and the firewall lines of EdgeOS.
//!
//! ```text
//!  <27>Jul 15 12:34:56 sw-attic,18e8294876c3,v4.0.66.10832 switch: DOT1S: text        name, MAC and version
//!  <30>Jul 15 12:34:56 ap-attic 788a2056b182,U6-Lite-6.5.28+14491: hostapd[1234]: text        newer: model and version
//!  <27>Jul 15 12:34:56 U7PG2,788a2056b182,v4.0.66.10832: logread[5495]: text          the model in place of a name
//!  <27>Jul 15 12:34:56 ("U7PG2,788a2056b182,v4.0.66.10832") logread: text             older
//!  <27>Jul 15 12:34:56 788a2056b183,v4.0.66.10832: logread[5495]: text                neither
//!  <27>Jul 15 12:34:56 usg kernel: [WAN_LOCAL-default-A]IN=eth0 OUT= MAC= SRC=192.0.2.1 ...
//!  <4>Jul 15 12:34:56 UDM-Pro [WAN_LOCAL-D-2147483647] DESCR="[WAN_LOCAL]Block All" IN=eth8 OUT= ...    UniFi gateways
//! ```
//!
//! Evidence: twelve hexadecimal digits and a version in front of the tag; or a rule of one of the rule sets of EdgeOS
//! before `IN=`, or any with a description. A model is the name of many devices; there the MAC names the one that speaks.

use super::fields::{Fields, Syntax};
use super::{Format, Message, rfc3164};
use crate::decode::reader::Reader;

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    if message.format != Format::Rfc3164 {
        return false;
    }
    match (message.hostname, message.app_name) {
        (None, None) => unifi(message),
        (Some(_), None) => named(message) || edge(message),
        (_, Some(b"kernel")) => edge(message),
        _ => false,
    }
}

fn unifi(message: &mut Message<'_>) -> bool {
    let mut input = Reader::new(message.text);
    let bracket = input.eat(b'(') && input.eat(b'"');
    let is_part =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'+');
    let mut name = input.take_while(is_part);
    let mut mac = name;
    if !input.eat(b',') {
        return false;
    }
    let mut version = input.take_while(is_part);
    if is_mac(version) && input.eat(b',') {
        mac = version;
        version = input.take_while(is_part);
    } else {
        name = b"";
    }
    let ends = !bracket || input.eat(b'"') && input.eat(b')');
    if !is_mac(mac) || !version.starts_with(b"v") || !ends {
        return false;
    }
    // Access points put a colon behind it, too.
    input.eat(b':');
    input.eat(b' ');
    let is_name = !name.is_empty() && !is_model(name);
    message.hostname = Some(if is_name { name } else { mac });
    rfc3164::take_tag(&mut input, message);
    let model = if is_name { b"" } else { name };
    message.fields = Some(Fields::parts(
        &["mac", "version", "model"],
        [mac, version, model, b""],
    ));
    message.text = input.rest();
    message.vendor = Some("ubiquiti");
    message.os = Some("unifi");
    true
}

/// Takes `788a2056b182,U6-Lite-6.5.28+14491: ` behind the name, and the tag behind it.
fn named(message: &mut Message<'_>) -> bool {
    let mut input = Reader::new(message.text);
    let mac = input.take_while(|byte| byte.is_ascii_hexdigit());
    if !is_mac(mac) || !input.eat(b',') {
        return false;
    }
    let version = input.take_while(|byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'+')
    });
    if version.is_empty() || !input.eat(b':') || !input.eat(b' ') {
        return false;
    }
    rfc3164::take_tag(&mut input, message);
    message.fields = Some(Fields::parts(&["mac", "version"], [mac, version, b"", b""]));
    message.text = input.rest();
    message.vendor = Some("ubiquiti");
    message.os = Some("unifi");
    true
}

fn is_mac(word: &[u8]) -> bool {
    word.len() == 12 && word.iter().all(u8::is_ascii_hexdigit)
}

/// `U7PG2`, `US8P60`, `UAP`: the codes of models start with a U and are short, in capitals and digits.
fn is_model(name: &[u8]) -> bool {
    let is_code = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    name.starts_with(b"U") && (3..=8).contains(&name.len()) && name.iter().all(is_code)
}

/// A line of netfilter with a rule in brackets: `[WAN_LOCAL-default-A]IN=`, `[LAN_IN-2000-D]IN=`, and with a description of the
/// rule `[WAN_LOCAL-D-2147483647] DESCR="..." IN=`. The fields are its pairs.
fn edge(message: &mut Message<'_>) -> bool {
    const NETS: [&[u8]; 8] = [
        b"CORPORATE",
        b"GUEST",
        b"LAN",
        b"VPN",
        b"WAN",
        b"WANv6",
        b"LANv6",
        b"GUESTv6",
    ];
    const WAYS: [&[u8]; 3] = [b"IN", b"OUT", b"LOCAL"];
    let mut input = Reader::new(message.text);
    if !input.eat(b'[') {
        return false;
    }
    let rule = input.take_while(|byte| byte.is_ascii_graphic() && byte != b']');
    if !input.eat(b']') {
        return false;
    }
    input.eat(b' ');
    let is_described = input.rest().starts_with(b"DESCR=\"");
    if !is_described && !input.rest().starts_with(b"IN=") {
        return false;
    }
    let set = rule.split(|byte| *byte == b'-').next().unwrap_or_default();
    let mut parts = set.splitn(2, |byte| *byte == b'_');
    let (net, way) = (parts.next(), parts.next());
    let is_known =
        net.is_some_and(|net| NETS.contains(&net)) && way.is_some_and(|way| WAYS.contains(&way));
    if rule.is_empty() || !is_known && !is_described {
        return false;
    }
    message.event_code = Some(rule);
    message.text = input.rest();
    message.fields = Fields::read(Syntax::KeyValue, message.text, |_| {});
    message.vendor = Some("ubiquiti");
    message.os = Some(if is_described { "unifi" } else { "edgeos" });
    true
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::json;
    use super::super::read;

    #[test]
    fn name_mac_and_version_stand_in_front_of_the_tag() {
        for (head, host, fields) in [
            (
                "sw-attic,18e8294876c3,v4.0.66.10832",
                "sw-attic",
                r#"{"mac":"18e8294876c3","version":"v4.0.66.10832"}"#,
            ),
            (
                "U7PG2,788a2056b182,v4.0.66.10832:",
                "788a2056b182",
                r#"{"mac":"788a2056b182","version":"v4.0.66.10832","model":"U7PG2"}"#,
            ),
            (
                "(\"U7PG2,788a2056b182,v4.0.66.10832\")",
                "788a2056b182",
                r#"{"mac":"788a2056b182","version":"v4.0.66.10832","model":"U7PG2"}"#,
            ),
            (
                "788a2056b183,v4.0.66.10832:",
                "788a2056b183",
                r#"{"mac":"788a2056b183","version":"v4.0.66.10832"}"#,
            ),
        ] {
            let input = format!("<27>Jul 15 12:34:56 {head} logread[5495]: Logread connected");
            let message = read(input.as_bytes());
            assert_eq!(
                (message.vendor, message.os),
                (Some("ubiquiti"), Some("unifi"))
            );
            assert_eq!(message.hostname, Some(host.as_bytes()), "{head}");
            assert_eq!(message.app_name, Some(&b"logread"[..]));
            assert_eq!(message.text, b"Logread connected");
            assert_eq!(json(message.fields.unwrap()), fields);
        }
        for cut in [
            "U7PG2,788a2056b1",
            "U7PG2,788a2056b182,",
            "a,b,v4: x",
            "(\"U7PG2,788a2056b182,v4",
        ] {
            let input = format!("<27>Jul 15 12:34:56 {cut}");
            let message = read(input.as_bytes());
            assert_eq!((message.vendor, message.text), (None, cut.as_bytes()));
        }
    }

    #[test]
    fn a_rule_of_a_firewall_is_the_event() {
        let message = read(
            b"<27>Jul 15 12:34:56 usg kernel: [WAN_LOCAL-default-A]IN=eth0 OUT= SRC=192.0.2.1 DST=198.51.100.1",
        );
        assert_eq!(
            (message.vendor, message.os),
            (Some("ubiquiti"), Some("edgeos"))
        );
        assert_eq!(message.event_code, Some(&b"WAN_LOCAL-default-A"[..]));
        assert_eq!(
            message.fields.unwrap().get("SRC").unwrap().bytes,
            b"192.0.2.1"
        );
        for tag in ["kernel: ", ""] {
            let input = format!(
                "<4>Jul 15 12:34:56 UDM-Pro {tag}[WAN_LOCAL-D-2147483647] DESCR=\"[WAN_LOCAL]Block All\" IN=eth8 OUT= SRC=192.0.2.1"
            );
            let message = read(input.as_bytes());
            assert_eq!(
                (message.vendor, message.os),
                (Some("ubiquiti"), Some("unifi"))
            );
            assert_eq!(message.event_code, Some(&b"WAN_LOCAL-D-2147483647"[..]));
            assert_eq!(
                json(message.fields.unwrap()),
                r#"{"DESCR":"[WAN_LOCAL]Block All","IN":"eth8","OUT":"","SRC":"192.0.2.1"}"#
            );
        }
        let other = read(b"<27>Jul 15 12:34:56 gw kernel: [myrules-1-A]IN=eth0 OUT= SRC=192.0.2.1");
        assert_eq!(other.vendor, None);
    }
}
