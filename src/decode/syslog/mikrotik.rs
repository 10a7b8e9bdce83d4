//! MikroTik RouterOS: the topics in front of the text.
//!
//! ```text
//!  <30>system,info,account user admin logged in from 192.0.2.1 via ssh          default: no header at all
//!  <30>Jul 15 12:34:56 r1 firewall,info input: in:ether1 out:(none), ...        bsd-syslog=yes
//!      topics
//!  <30>1 2026-07-15T12:34:56Z r1 system,info,account - - -  user admin ...      behind rsyslog, which takes them for the program
//! ```
//!
//! Evidence: two or more words between commas, one of the first two of which is a topic, and one of which is a level: the
//! level may stand first. (MikroTik,
//! "RouterOS: Log": topics.)

use super::{Format, Message};
use crate::decode::reader::Reader;

const TOPICS: [&[u8]; 47] = [
    b"account",
    b"backup",
    b"bfd",
    b"bgp",
    b"bridge",
    b"calc",
    b"caps",
    b"certificate",
    b"container",
    b"ddns",
    b"dhcp",
    b"dns",
    b"dot1x",
    b"dude",
    b"email",
    b"event",
    b"firewall",
    b"gsm",
    b"health",
    b"hotspot",
    b"igmp-proxy",
    b"interface",
    b"ipsec",
    b"iscsi",
    b"l2tp",
    b"lora",
    b"lte",
    b"manager",
    b"netwatch",
    b"ntp",
    b"ospf",
    b"ovpn",
    b"poe-out",
    b"pppoe",
    b"ppp",
    b"pptp",
    b"radius",
    b"rip",
    b"route",
    b"script",
    b"snmp",
    b"sstp",
    b"stp",
    b"system",
    b"upnp",
    b"wireguard",
    b"wireless",
];

const LEVELS: [&[u8]; 5] = [b"critical", b"error", b"warning", b"info", b"debug"];

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    if message.format == Format::Rfc5424 {
        let topics = message.app_name.filter(|name| are_topics(name));
        if topics.is_some() {
            message.app_name = None;
            message.event_code = topics;
            message.vendor = Some("mikrotik");
            message.os = Some("routeros");
        }
        return topics.is_some();
    }
    let headed = matches!(
        message.format,
        Format::Rfc3164 | Format::Unknown | Format::Loose
    );
    if !headed || !message.text.first().is_some_and(u8::is_ascii_lowercase) {
        return false;
    }
    let mut input = Reader::new(message.text);
    let topics = input.take_while(|byte| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b',' | b'-')
    });
    if !are_topics(topics) {
        return false;
    }
    input.eat(b':');
    if !input.eat(b' ') {
        return false;
    }
    message.event_code = Some(topics);
    message.text = input.rest();
    message.vendor = Some("mikrotik");
    message.os = Some("routeros");
    if message.format == Format::Unknown {
        message.recognised(Format::Rfc3164);
    }
    true
}

/// Two or more words between commas, a topic and a level among them.
fn are_topics(topics: &[u8]) -> bool {
    if !topics.contains(&b',') {
        return false;
    }
    let mut words = topics.split(|byte| *byte == b',');
    let first = words.next().unwrap_or_default();
    match LEVELS.contains(&first) {
        true => words.next().is_some_and(|word| TOPICS.contains(&word)),
        false => TOPICS.contains(&first) && words.any(|word| LEVELS.contains(&word)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;

    #[test]
    fn topics_that_a_relay_took_for_the_program_are_the_events_name() {
        let message =
            read(b"<30>1 2026-07-15T12:34:56Z r1 system,info,account - - -  user admin logged in");
        assert_eq!((message.vendor, message.app_name), (Some("mikrotik"), None));
        assert_eq!(message.event_code, Some(&b"system,info,account"[..]));
        assert_eq!(message.text, b"user admin logged in");
        let other = read(b"<30>1 2026-07-15T12:34:56Z r1 a,info - - -  x");
        assert_eq!((other.vendor, other.text), (None, &b" x"[..]));
    }

    #[test]
    fn the_topics_are_the_events_name_with_and_without_a_header() {
        for (input, host) in [
            ("<30>system,info,account user admin logged in", None),
            (
                "<30>Jul 15 12:34:56 r1 system,info,account user admin logged in",
                Some(&b"r1"[..]),
            ),
            (
                "<30>Jul 15 12:34:56 r1 system,info,account: user admin logged in",
                Some(b"r1"),
            ),
        ] {
            let message = read(input.as_bytes());
            assert_eq!((message.vendor, message.error), (Some("mikrotik"), None));
            assert_eq!(message.hostname, host, "{input}");
            assert_eq!(message.event_code, Some(&b"system,info,account"[..]));
            assert_eq!(message.text, b"user admin logged in");
        }
    }

    #[test]
    fn a_level_may_stand_first_and_newer_topics_are_known() {
        for topics in [
            "error,pppoe",
            "poe-out,info",
            "wireguard,debug",
            "info,system",
        ] {
            let input = format!("<30>Jul 15 12:34:56 r1 {topics} some text");
            let message = read(input.as_bytes());
            assert_eq!(message.vendor, Some("mikrotik"), "{topics}");
            assert_eq!(message.event_code, Some(topics.as_bytes()));
            assert_eq!(message.text, b"some text");
        }
    }

    #[test]
    fn lists_that_are_no_topics_stay_in_the_text() {
        for text in [
            "system,info",
            "system, info x",
            "info,mail x",
            "info,debug x",
            "mail,info x",
            "system x",
        ] {
            let input = format!("<30>Jul 15 12:34:56 r1 {text}");
            let message = read(input.as_bytes());
            assert_eq!((message.vendor, message.text), (None, text.as_bytes()));
        }
    }
}
