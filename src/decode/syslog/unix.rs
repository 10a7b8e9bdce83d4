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

use super::rfc3164;
use super::{Fidelity, Format, Message};
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
    if message.hostname != Some(b"Message") || host.is_empty() || !input.eat(b':') {
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

/// Takes `web1/relay1 sshd[4711]: ` or `src@web1/relay1 sshd[4711]: `: the first name of the chain is the sender's own. A
/// tag with a number has to follow, so that no path is taken for hosts.
fn take_chain(message: &mut Message<'_>) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if message.hostname.is_some() || message.app_name.is_some() {
        return false;
    }
    let mut input = Reader::new(message.text);
    let mut first = input.take_while(is_name);
    let is_source = input.eat(b'@');
    if is_source {
        first = input.take_while(is_name);
    }
    let mut names = usize::from(!first.is_empty());
    while input.eat(b'/') {
        names += usize::from(!input.take_while(is_name).is_empty());
    }
    let is_chain = names >= 2 || is_source && names == 1;
    let mut inner = message.clone();
    let tagged = input.eat(b' ') && rfc3164::take_tag(&mut input, &mut inner);
    if !is_chain || !tagged || inner.proc_id.is_none() {
        return false;
    }
    *message = inner;
    message.hostname = Some(first);
    message.text = input.rest();
    // The relays' names are left out.
    message.fidelity = Fidelity::Changed;
    true
}

/// Takes `[ID 800047 auth.info] `. Facility and severity are those of the PRI once more.
fn take_id(message: &mut Message<'_>) -> bool {
    let mut input = Reader::new(message.text);
    if input.take(4) != Some(b"[ID ") {
        return false;
    }
    let id = input.take_while(|byte| byte.is_ascii_digit());
    let space = input.eat(b' ');
    let word = input.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    let is_pri = word.contains(&b'.');
    if id.is_empty() || !space || !is_pri || !input.eat(b']') {
        return false;
    }
    input.eat(b' ');
    message.msg_id = Some(id);
    message.os = Some("solaris");
    message.text = input.rest();
    true
}

#[cfg(test)]
mod tests {
    use super::super::read;

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
        let cut = read(b"<13>Jul 15 12:34:56 Message forwarded from ");
        assert_eq!(cut.os, None);
    }

    #[test]
    fn solaris_numbers_its_messages() {
        let message = read(b"<38>Jul 15 12:34:56 sun1 sshd[4711]: [ID 800047 auth.info] Accepted");
        assert_eq!(message.msg_id, Some(&b"800047"[..]));
        assert_eq!(
            (message.text, message.os),
            (&b"Accepted"[..], Some("solaris"))
        );
        for other in ["[ID x auth.info] a", "[ID 1 auth.info", "[ID 1] a"] {
            let input = format!("<38>Jul 15 12:34:56 h sshd[1]: {other}");
            assert_eq!(read(input.as_bytes()).text, other.as_bytes());
        }
    }
}
