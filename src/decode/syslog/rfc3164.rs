//! RFC 3164 as devices really write it.
//!
//! ```text
//!  <34>Oct 11 22:14:15 mymachine su[230]: 'su root' failed for lonvick
//!   PRI TIMESTAMP      HOSTNAME  TAG PID  CONTENT
//! ```
//!
//! The RFC describes what was seen, and more has been seen since: every form of time stamp of
//! [`timestamp`](super::timestamp), no PRI, no host, no tag, several spaces. Evidence: a time stamp; or, behind a PRI, a
//! tag that ends in a colon. What is neither host nor tag for certain stays in the text.

use super::first_word::{self, Word};
use super::timestamp::{self, ZoneWords};
use super::{Fidelity, Format, Message, Pri, priority};
use crate::decode::reader::Reader;

/// Tags longer than this are sentences. (The RFC says 32; paths and unit names are longer.)
const TAG_BYTES_MAX: usize = 128;

pub(super) fn read<'a>(pri: Option<Pri>, input: Reader<'a>) -> Option<Message<'a>> {
    let mut input = input;
    let mut message = Message::of(Format::Rfc3164, pri, b"");
    skip_spaces(&mut input, 0, &mut message);
    message.time = take_time(&mut input);
    if let Some(time) = message.time {
        message.fidelity = message.fidelity.changed_if(!time.is_exact());
        // Some write a colon behind the time, with or without a space.
        let mut after = input;
        after.eat(b' ');
        if after.eat(b':') && matches!(after.peek(), None | Some(b' ')) {
            input = after;
        }
        if !matches!(input.peek(), None | Some(b' ')) {
            return None;
        }
        // Junos always writes two.
        skip_spaces(&mut input, 2, &mut message);
        take_hostname(&mut input, &mut message);
        take_tag(&mut input, &mut message);
    } else if pri.is_none() || !take_address_or_tag(&mut input, &mut message) {
        return None;
    }
    message.text = input.rest();
    Some(message.with_event_code())
}

fn take_time<'a>(input: &mut Reader<'a>) -> Option<timestamp::Stamp<'a>> {
    timestamp::bsd(input, ZoneWords::Known)
        .or_else(|| timestamp::rfc3339(input))
        .or_else(|| timestamp::unpadded(input))
}

fn skip_spaces(input: &mut Reader<'_>, expected: usize, message: &mut Message<'_>) {
    let spaces = input.take_while(|byte| byte == b' ');
    message.fidelity = message.fidelity.changed_if(spaces.len() > expected);
}

/// Takes the host name and the spaces behind it: one word of the characters of names and addresses that is no tag.
fn take_hostname<'a>(input: &mut Reader<'a>, message: &mut Message<'a>) {
    let rest = input.rest();
    // Written in place of host and tag by every syslogd since 4.3BSD.
    if rest.starts_with(b"last message repeated ") || rest.starts_with(b"message repeated ") {
        return;
    }
    if take_address(input, message) {
        return;
    }
    skip_facility(input, message);
    let mut after = *input;
    let word = take_name(&mut after);
    // A word with colons is a tag (`sshd:`), unless it is an IPv6 address.
    let is_tag = word.contains(&b':') && !is_ipv6(word);
    if word.is_empty() || is_tag || !matches!(after.peek(), None | Some(b' ')) {
        return;
    }
    match Word::of(word) {
        Word::Name => {}
        Word::Level => return,
        Word::Ordinary if !stands_before_tag(after) => return,
        Word::Ordinary => {}
        Word::Zone => {
            if let Some(host) = host_behind(after) {
                take_zone(message, word);
                skip_spaces(&mut after, 1, message);
                after.take(host.len());
                message.hostname = Some(host);
                skip_spaces(&mut after, 1, message);
                *input = after;
                return;
            }
        }
    }
    *input = after;
    message.hostname = Some(word).filter(|word| *word != b"-");
    skip_spaces(input, 1, message);
}

/// Takes the characters of names and addresses.
fn take_name<'a>(input: &mut Reader<'a>) -> &'a [u8] {
    input.take_while(|byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':')
    })
}

/// Takes `10.1.1.1: ` as the host: no program is called so.
fn take_address<'a>(input: &mut Reader<'a>, message: &mut Message<'a>) -> bool {
    let mut after = *input;
    if !after.peek().is_some_and(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let word = after.take_while(|byte| byte.is_ascii_digit() || byte == b'.');
    if !is_ipv4(word) || !after.eat(b':') || !matches!(after.peek(), None | Some(b' ')) {
        return false;
    }
    *input = after;
    message.hostname = Some(word);
    skip_spaces(input, 1, message);
    true
}

/// Takes what shows that there is a header, though no time stands in it.
fn take_address_or_tag<'a>(input: &mut Reader<'a>, message: &mut Message<'a>) -> bool {
    let has_address = take_address(input, message);
    take_tag(input, message) || has_address
}

/// Whether a tag or a code comes next, behind spaces.
fn stands_before_tag(input: Reader<'_>) -> bool {
    let mut after = input;
    after.take_while(|byte| byte == b' ');
    after.peek() == Some(b'%') || tag(&mut after).is_some()
}

/// The word behind a zone, if it is a host: it looks like one, or stands before a tag.
fn host_behind<'a>(input: Reader<'a>) -> Option<&'a [u8]> {
    let mut after = input;
    after.take_while(|byte| byte == b' ');
    let word = take_name(&mut after);
    let is_word = after.peek() == Some(b' ') && !word.contains(&b':');
    let is_host = is_word
        && Word::of(word) == Word::Name
        && (first_word::is_hosts(word) || stands_before_tag(after));
    Some(word).filter(|_| is_host)
}

/// A zone behind a time that has none is its own.
fn take_zone<'a>(message: &mut Message<'a>, word: &'a [u8]) {
    match &mut message.time {
        Some(time) if !time.has_zone() => {
            time.zone = Some(word);
            message.fidelity = message.fidelity.changed_if(!time.is_exact());
        }
        _ => message.fidelity = Fidelity::Changed,
    }
}

/// Skips `user.info ` or `<auth.notice> ` in front of a name: what the PRI says, in words.
fn skip_facility(input: &mut Reader<'_>, message: &mut Message<'_>) {
    let mut after = *input;
    let bracket = after.eat(b'<');
    let facility = after.take_while(|byte| byte.is_ascii_alphanumeric());
    let dot = after.eat(b'.');
    let severity = after.take_while(|byte| byte.is_ascii_lowercase());
    let closed = !bracket || after.eat(b'>');
    // The lists are asked last: most words here are names.
    let shaped = dot && closed && after.eat(b' ');
    let known = || priority::is_level(severity) || severity == b"none";
    if !shaped || !known() || !priority::is_facility(facility) {
        return;
    }
    // In front of a tag it is the host itself: `mail.info` is a domain, too.
    let mut name = after;
    let word = name.take_while(|byte| byte.is_ascii_graphic() && !matches!(byte, b':' | b'['));
    if word.is_empty() || name.peek() != Some(b' ') {
        return;
    }
    message.fidelity = Fidelity::Changed;
    *input = after;
}

fn is_ipv4(word: &[u8]) -> bool {
    let word = std::str::from_utf8(word).ok();
    word.is_some_and(|word| word.parse::<std::net::Ipv4Addr>().is_ok())
}

fn is_ipv6(word: &[u8]) -> bool {
    let word = std::str::from_utf8(word).ok();
    word.is_some_and(|word| word.parse::<std::net::Ipv6Addr>().is_ok())
}

/// Takes `tag:`, `tag[pid]:` or `tag[pid]`, and one space; says whether it did.
pub(super) fn take_tag<'a>(input: &mut Reader<'a>, message: &mut Message<'a>) -> bool {
    let Some((tag, proc_id)) = tag(input) else {
        return false;
    };
    message.app_name = Some(tag);
    message.proc_id = proc_id;
    true
}

/// Takes a tag, its number and one space.
fn tag<'a>(input: &mut Reader<'a>) -> Option<(&'a [u8], Option<&'a [u8]>)> {
    let mut after = *input;
    let tag = after.take_while(|byte| {
        byte.is_ascii_graphic()
            && !matches!(
                byte,
                b'[' | b']' | b':' | b'"' | b'=' | b'<' | b'>' | b'{' | b',' | b'|'
            )
    });
    // A bare number is a counter of Cisco's, not a program.
    let names_something = tag.iter().any(|byte| !byte.is_ascii_digit());
    if !names_something || tag.len() > TAG_BYTES_MAX || tag.starts_with(b"%") {
        return None;
    }
    let proc_id = take_proc_id(&mut after);
    let colon = after.eat(b':');
    let ends = matches!(after.peek(), None | Some(b' '));
    // `kernel:[12.3]` and `app[7]:text` are glued to their text; `http://` is no tag, nor is `a[7]b`.
    let glued = colon && (proc_id.is_some() || after.peek() == Some(b'['));
    if !(ends && (colon || proc_id.is_some()) || glued) {
        return None;
    }
    after.eat(b' ');
    *input = after;
    Some((tag, proc_id))
}

/// Takes `[...]` without spaces in it.
fn take_proc_id<'a>(input: &mut Reader<'a>) -> Option<&'a [u8]> {
    let mut after = *input;
    if !after.eat(b'[') {
        return None;
    }
    let proc_id = after.take_while(|byte| byte.is_ascii_graphic() && byte != b']' && byte != b'[');
    if proc_id.is_empty() || proc_id.len() > TAG_BYTES_MAX || !after.eat(b']') {
        return None;
    }
    *input = after;
    Some(proc_id)
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn text(bytes: Option<&[u8]>) -> &str {
        bytes.map_or("~", |bytes| std::str::from_utf8(bytes).unwrap())
    }

    /// Host, tag, pid and text; `~` for what is not there.
    fn parts<'a>(message: &Message<'a>) -> String {
        format!(
            "{}|{}|{}|{}",
            text(message.hostname),
            text(message.app_name),
            text(message.proc_id),
            text(Some(message.text))
        )
    }

    #[test]
    fn header_shapes_that_devices_write_are_read() {
        for (input, expected) in [
            (
                "<34>Oct 11 22:14:15 mymachine su: 'su root' failed",
                "mymachine|su|~|'su root' failed",
            ),
            (
                "<34>Oct 11 22:14:15 mymachine su[230]: x",
                "mymachine|su|230|x",
            ),
            (
                "<34>Oct 11 22:14:15 mymachine su[230] x",
                "mymachine|su|230|x",
            ),
            ("<34>Oct 1 22:14:15 h su: x", "h|su|~|x"),
            ("Oct 11 22:14:15 h su: x", "h|su|~|x"),
            (
                "<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!",
                "10.0.0.99|~|~|Use the BFG!",
            ),
            (
                "<13>Feb  5 17:32:18 2001:db8::1 cron[1]: x",
                "2001:db8::1|cron|1|x",
            ),
            (
                "<13>2020-03-31T08:41:59+00:00 some-router rtd[13037]: bgp_recv: read",
                "some-router|rtd|13037|bgp_recv: read",
            ),
            (
                "<187>Jul 15 12:34:56 2026 ap-1 stm[4133]: <399803> x",
                "ap-1|stm|4133|<399803> x",
            ),
            ("<187>Jul 15 2026 12:34:56.123 CEST h9 x", "h9|~|~|x"),
            ("<34>Oct 11 22:14:15: text: here", "~|text|~|here"),
            ("<34>Oct 11 22:14:15 sshd: x", "~|sshd|~|x"),
            ("<34>Oct 11 22:14:15 sshd[3]: x", "~|sshd|3|x"),
            (
                "<34>Oct 11 22:14:15 vmx01 /kern: tcp_auth_ok: x",
                "vmx01|/kern|~|tcp_auth_ok: x",
            ),
            (
                "<34>Oct 11 22:14:15 h kernel:[12.5] x",
                "h|kernel|~|[12.5] x",
            ),
            (
                "<34>Oct 11 22:14:15 h postfix/smtpd[9]: x",
                "h|postfix/smtpd|9|x",
            ),
            ("<34>Oct 11 22:14:15 h9 http://x y", "h9|~|~|http://x y"),
            ("<34>Oct 11 22:14:15 h", "h|~|~|"),
            ("<34>Oct 11 22:14:15 - su: x", "~|su|~|x"),
            (
                "<34>Oct 11 22:14:15 h su:  two spaces",
                "h|su|~| two spaces",
            ),
            (
                "<6>kernel: sd 2:0:0:0: SCSI error",
                "~|kernel|~|sd 2:0:0:0: SCSI error",
            ),
            ("<6>sshd[12]: x", "~|sshd|12|x"),
            ("<6>10.1.1.1: x", "10.1.1.1|~|~|x"),
            ("<6>10.1.1.1: sshd[12]: x", "10.1.1.1|sshd|12|x"),
            ("<34>Oct 11 22:14:15 10.1.1.1: x", "10.1.1.1|~|~|x"),
            (
                "<34>Oct 11 22:14:15 10.1.1.1: sshd[12]: x",
                "10.1.1.1|sshd|12|x",
            ),
        ] {
            let message = read(input.as_bytes());
            assert_eq!(parts(&message), expected, "{input}");
            assert_eq!(message.format, Format::Rfc3164, "{input}");
            assert_eq!(
                (message.error, message.fidelity),
                (None, Fidelity::Exact),
                "{input}"
            );
        }
    }

    #[test]
    fn superfluous_spaces_lose_no_field_and_are_said() {
        for (input, expected) in [
            ("<111> Jul 15 12:34:56 fw1 su: x", "fw1|su|~|x"),
            (
                "<28>Jun 21 14:03:12   vmx01 rpd[2902]: x",
                "vmx01|rpd|2902|x",
            ),
            (
                "<28>Jun 21 14:03:12 vmx01  rpd[2902]: x",
                "vmx01|rpd|2902|x",
            ),
        ] {
            let message = read(input.as_bytes());
            assert_eq!(parts(&message), expected, "{input}");
            assert_eq!(message.fidelity, Fidelity::Changed, "{input}");
        }
        // Two behind the time are Junos's way to write one.
        let message = read(b"<28>Jun 21 14:03:12  vmx01 rpd[2902]: x");
        assert_eq!(parts(&message), "vmx01|rpd|2902|x");
        assert_eq!(message.fidelity, Fidelity::Exact);
    }

    #[test]
    fn what_only_looks_like_a_second_header_or_a_facility_stays() {
        for (input, expected) in [
            (
                "<13>Jul 15 12:34:57 relay Jul 15 12:34:56 r1 su[1]: x",
                "r1|su|1|x",
            ),
            (
                "<13>Jul 15 12:34:57 h Jul 15 12:34:56 INFO main: x",
                "h|~|~|Jul 15 12:34:56 INFO main: x",
            ),
            (
                "<13>Jul 15 12:34:57 h Jul 15 12:34:56 some words",
                "h|~|~|Jul 15 12:34:56 some words",
            ),
            ("<13>Jul 15 12:34:57 user.info r1 su: x", "r1|su|~|x"),
            ("<13>Jul 15 12:34:57 <auth.notice> r1 su: x", "r1|su|~|x"),
            ("<13>Jul 15 12:34:57 mail.info su: x", "mail.info|su|~|x"),
            ("<13>Jul 15 12:34:57 web.info r1 x", "web.info|~|~|r1 x"),
        ] {
            assert_eq!(parts(&read(input.as_bytes())), expected, "{input}");
        }
    }

    #[test]
    fn a_repeat_line_does_not_name_a_host() {
        let message = read(b"<34>Oct 11 22:14:15 last message repeated 3 times");
        assert_eq!(parts(&message), "~|~|~|last message repeated 3 times");
        let message = read(b"<34>Oct 11 22:14:15 h last message repeated 3 times");
        assert_eq!(parts(&message), "h|~|~|last message repeated 3 times");
    }

    #[test]
    fn a_sentence_behind_a_pri_is_no_tag() {
        for input in [
            "<13>link down on port 1: flap",
            "<13>http://x",
            "<13>: x",
            "<190>82: R1: <other-log-msg>",
            "su: x",
        ] {
            assert_eq!(read(input.as_bytes()).format, Format::Unknown, "{input}");
        }
    }

    #[test]
    fn an_event_code_at_the_start_of_the_text_is_told_apart() {
        let message =
            read(b"<165>Feb  6 09:42:36 veos01 ebra: %LINEPROTO-5-UPDOWN: Line protocol down");
        assert_eq!(parts(&message), "veos01|ebra|~|Line protocol down");
        assert_eq!(message.event_code, Some(&b"LINEPROTO-5-UPDOWN"[..]));
        assert_eq!(message.vendor, None);
    }
}
