//! Arista EOS: an agent's name as the tag, and a code like Cisco's.
//!
//! ```text
//!  <165>Feb  6 09:42:36 switch1 Ebra: %LINEPROTO-5-UPDOWN: Line protocol on Interface Ethernet28, changed state to down
//!  <165>Nov 12 14:03:34 switch1 SuperServer: 1: %SYS-7-CLI_SCHEDULER_LOG_STORED: ...        a counter
//!  <165>1 2026-07-15T12:34:56Z switch1 Bgp 2030 - - %BGP-5-ADJCHANGE: peer 192.0.2.2 ...
//! ```
//!
//! Evidence: a code behind a tag that starts with a capital letter, as all agents of EOS do. Cisco's devices write no
//! tag; what relays put in front of them has small letters. (Arista, "EOS System Message Guide".)

use super::{Message, cisco};
use crate::decode::reader::Reader;

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    let is_agent = |name: &[u8]| {
        name.first().is_some_and(u8::is_ascii_uppercase)
            && name.iter().any(u8::is_ascii_lowercase)
            && name
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let is_agents = message.vendor.is_none() && message.app_name.is_some_and(is_agent);
    let found = is_agents && (message.event_code.is_some() || take_counted(message));
    if found {
        message.vendor = Some("arista");
        message.os = Some("eos");
    }
    found
}

/// Takes `4711: %SPANTREE-6-INTERFACE_ADD: `: the counter in front of the code (`logging format sequence-numbers`).
fn take_counted(message: &mut Message<'_>) -> bool {
    let mut input = Reader::new(message.text);
    let digits = input.take_while(|byte| byte.is_ascii_digit());
    let number = std::str::from_utf8(digits).ok();
    let Some(number) = number.and_then(|digits| digits.parse().ok()) else {
        return false;
    };
    if !input.eat(b':') || !input.eat(b' ') {
        return false;
    }
    let Some((code, text)) = cisco::split_code(input.rest()) else {
        return false;
    };
    message.sequence = Some(number);
    message.event_code = Some(code);
    message.text = text;
    true
}

#[cfg(test)]
mod tests {
    use super::super::read;

    #[test]
    fn an_agents_name_and_a_code_are_aristas() {
        for input in [
            "<165>Feb  6 09:42:36 switch1 Ebra: %LINEPROTO-5-UPDOWN: x",
            "<165>Feb  6 09:42:36 switch1 ProcMgr-worker: %PROCMGR-6-PROCESS_STARTED: x",
            "<165>1 2026-07-15T12:34:56Z switch1 Bgp 2030 - - %BGP-5-ADJCHANGE: x",
        ] {
            let message = read(input.as_bytes());
            assert_eq!((message.vendor, message.os), (Some("arista"), Some("eos")));
            assert_eq!(
                (message.hostname, message.text),
                (Some(&b"switch1"[..]), &b"x"[..])
            );
        }
        for input in [
            "<165>Feb  6 09:42:36 h app: %LINEPROTO-5-UPDOWN: x",
            "<165>Feb  6 09:42:36 h Ebra: no code",
        ] {
            assert_eq!(read(input.as_bytes()).vendor, None, "{input}");
        }
    }
}
