//! What daemons of Unix hosts write beside the plain RFC 3164: AIX, Solaris, BSD.
//!
//! ```text
//!  AIX      <13>Jul 15 12:34:56 Message forwarded from aix1: sshd[4711]: text
//!  syslog-ng <38>Jul 15 12:34:56 web1/relay1 sshd[4711]: text           `chain-hostnames(yes)`
//!  Solaris  <38>Jul 15 12:34:56 sun1 sshd[4711]: [ID 800047 auth.info] text
//! ```
//!
//! The header reader calls everything the text that it does not know; here the host of AIX and the message id of
//! Solaris are taken out of it. `last message repeated 3 times` is a count for whoever makes the event. (AIX,
//! "syslogd daemon", option `-n` and forwarding; Solaris, log(4D): message ids.)

use super::first_word::is_hosts;
use super::{Fidelity, Format, Message, priority, rfc3164};
use crate::decode::reader::Reader;

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    message.format == Format::Rfc3164
        && (take_forwarded(message) || take_id(message) || take_chain(message))
}

/// Takes `Message forwarded from aix1: ` and the tag behind it.
fn take_forwarded(message: &mut Message<'_>) -> bool {
    const MARK: &[u8] = b"forwarded from ";
    // `Message` is read as the host.
    let Some(rest) = message.text.strip_prefix(MARK) else {
        return false;
    };
    let mut input = Reader::new(rest);
    let host = input.take_while(|byte| byte.is_ascii_graphic() && byte != b':');
    let is_read_so = message.hostname == Some(b"Message") && message.app_name.is_none();
    if !is_read_so || host.is_empty() || !input.eat(b':') {
        return false;
    }
    input.eat(b' ');
    message.hostname = Some(host);
    rfc3164::take_tag(&mut input, message);
    message.text = input.rest();
    message.os = Some("aix");
    message.vendor = Some("ibm");
    true
}

/// Takes `web1/relay1 sshd[4711]: ` or `src@web1/relay1 sshd[4711]: `: the first name of the chain is the sender's own.
///
/// A tag with a number has to follow, and each name has to look like a host's, so that no path (`/usr/sbin/cron job[12]:`)
/// and no words between slashes (`I/O scheduler[33]:`) are taken for hosts.
fn take_chain(message: &mut Message<'_>) -> bool {
    if message.hostname.is_some() || message.app_name.is_some() {
        return false;
    }
    let mut input = Reader::new(message.text);
    let chain = input.take_while(|byte| is_of_name(byte) || matches!(byte, b'@' | b'/'));
    let Some(first) = first_of_chain(chain) else {
        return false;
    };
    let mut inner = message.clone();
    let tagged = input.eat(b' ') && rfc3164::take_tag(&mut input, &mut inner);
    if !tagged || inner.proc_id.is_none() {
        return false;
    }
    *message = inner;
    message.hostname = Some(first);
    message.text = input.rest();
    // The relays' names are left out.
    message.fidelity = Fidelity::Changed;
    true
}

/// The first host of `web1/relay1` or `src@web1/relay1`. Behind a source a single name will do, and any: nothing else has
/// this shape.
fn first_of_chain(chain: &[u8]) -> Option<&[u8]> {
    let mut input = Reader::new(chain);
    let source = input.take_until(b'@');
    let names = input.rest();
    let first = Reader::new(names).take_while(|byte| byte != b'/');
    let is_source = source.is_some_and(is_name);
    let is_chain = is_source || source.is_none() && names.len() > first.len();
    let are_hosts = names
        .split(|byte| *byte == b'/')
        .all(|name| is_name(name) && (is_source || is_hosts(name)));
    Some(first).filter(|_| is_chain && are_hosts)
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

/// Starts and ends with a letter or digit, and is no bare number.
fn is_name(name: &[u8]) -> bool {
    let ends_well = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    name.iter().copied().all(is_of_name)
        && ends_well(name.first())
        && ends_well(name.last())
        && !name.iter().all(u8::is_ascii_digit)
}

/// Takes `[ID 800047 auth.info] `. Facility and severity are mostly those of the PRI once more.
fn take_id(message: &mut Message<'_>) -> bool {
    let mut input = Reader::new(message.text);
    if input.take(4) != Some(b"[ID ") {
        return false;
    }
    let id = input.take_while(|byte| byte.is_ascii_digit());
    let space = input.eat(b' ');
    let word = input.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    let mut words = Reader::new(word);
    let facility = words.take_until(b'.');
    let is_pri = facility.is_some();
    if id.is_empty() || !space || !is_pri || !input.eat(b']') {
        return false;
    }
    input.eat(b' ');
    let is_said = priority::says(message.pri, facility.unwrap_or_default(), words.rest());
    message.fidelity = message.fidelity.changed_if(!is_said);
    message.msg_id = Some(id);
    message.os = Some("solaris");
    message.text = input.rest();
    true
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    #[test]
    fn aix_names_the_host_that_it_forwards() {
        let message =
            read(b"<13>Jul 15 12:34:56 Message forwarded from aix1: sshd[4711]: Accepted password");
        assert_eq!(message.hostname, Some(&b"aix1"[..]));
        assert_eq!(message.app_name, Some(&b"sshd"[..]));
        assert_eq!(message.proc_id, Some(&b"4711"[..]));
        assert_eq!(message.text, b"Accepted password");
        let repeated =
            read(b"<13>Jul 15 12:34:56 Message forwarded from aix1: last message repeated 3 times");
        assert_eq!(repeated.text, b"last message repeated 3 times");
        for other in [
            "Message forwarded from ",
            "Message app: forwarded from aix1: x",
        ] {
            let input = format!("<13>Jul 15 12:34:56 {other}");
            assert_eq!(read(input.as_bytes()).os, None, "{other}");
        }
    }

    #[test]
    fn the_first_host_of_a_chain_is_the_sender() {
        for (chain, host) in [
            ("web1/relay1", "web1"),
            ("web-a/192.0.2.7/relay.example", "web-a"),
            ("s_net@web/relay", "web"),
            ("src@web1", "web1"),
        ] {
            let input = format!("<38>Jul 15 12:34:56 {chain} sshd[4711]: Accepted");
            let message = read(input.as_bytes());
            assert_eq!(message.hostname, Some(host.as_bytes()), "{input}");
            assert_eq!(message.app_name, Some(&b"sshd"[..]), "{input}");
            assert_eq!(message.text, b"Accepted", "{input}");
        }
    }

    #[test]
    fn paths_and_words_between_slashes_are_no_chain() {
        for text in [
            "/usr/sbin/cron job[12]: hello",
            "I/O scheduler[33]: hello",
            "TCP/UDP server[33]: hello",
            "kernel/net driver[33]: hello",
            "usr/lib64 loader[33]: hello",
            "web1//relay1 sshd[33]: hello",
            "web1/relay1/ sshd[33]: hello",
            "12/07/2026 sshd[33]: hello",
            "a1/.. sshd[33]: hello",
            "@web1 sshd[33]: hello",
            "a@b@web1 sshd[33]: hello",
            "web1/relay1 no tag",
        ] {
            let input = format!("<78>Jul 15 12:34:56 {text}");
            let message = read(input.as_bytes());
            assert_eq!(message.hostname, None, "{input}");
            assert_eq!(message.text, text.as_bytes(), "{input}");
        }
    }

    #[test]
    fn solaris_numbers_its_messages() {
        let message = read(b"<38>Jul 15 12:34:56 sun1 sshd[4711]: [ID 800047 auth.info] Accepted");
        assert_eq!(message.msg_id, Some(&b"800047"[..]));
        assert_eq!(
            (message.text, message.os),
            (&b"Accepted"[..], Some("solaris"))
        );
        assert_eq!(message.fidelity, Fidelity::Exact);
        for pri in ["", "<13>", "<39>"] {
            let input = format!("{pri}Jul 15 12:34:56 sun1 sshd[4711]: [ID 800047 auth.info] x");
            let message = read(input.as_bytes());
            assert_eq!(message.fidelity, Fidelity::Changed, "{input}");
        }
        for other in ["[ID x auth.info] a", "[ID 1 auth.info", "[ID 1] a"] {
            let input = format!("<38>Jul 15 12:34:56 h sshd[1]: {other}");
            assert_eq!(read(input.as_bytes()).text, other.as_bytes());
        }
    }
}
