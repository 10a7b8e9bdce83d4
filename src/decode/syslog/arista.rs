//! Arista EOS: an agent's name as the tag, and a code like Cisco's.
//!
//! ```text
//!  <165>Feb  6 09:42:36 switch1 Ebra: %LINEPROTO-5-UPDOWN: Line protocol on Interface Ethernet28, changed state to down
//!  <165>Nov 12 14:03:34 switch1 SuperServer: 1: %SYS-7-CLI_SCHEDULER_LOG_STORED: ...        a counter
//!  <165>1 2026-07-15T12:34:56Z switch1 Bgp 2030 - - %BGP-5-ADJCHANGE: peer 192.0.2.2 ...
//! ```
//!
//! Evidence: a code behind a tag that is an agent's name: capital and small letters, without a dash. Cisco's devices
//! write no tag; in their place behind a relay stands the device's name (`relay1 Core-Rtr: 118: %SYS-5-CONFIG_I:`), which
//! is told from an agent's by its letters alone. (Arista, "EOS System Message Guide".)

use super::{Message, cisco};
use crate::decode::reader::Reader;

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    let is_agents = message.vendor.is_none() && message.app_name.is_some_and(is_agent);
    let found = is_agents && (message.event_code.is_some() || take_counted(message));
    if found {
        message.vendor = Some("arista");
        message.os = Some("eos");
    }
    found
}

/// A name as EOS gives its agents: `Ebra`, `StpTxRx`, `Dot1x`, and `ProcMgr-worker`. Words without a small letter, without
/// a capital in front, and with a dash are hosts; so are the names that Cisco's devices have from the factory.
pub(super) fn is_agent(name: &[u8]) -> bool {
    let word = name.strip_suffix(b"-worker").unwrap_or(name);
    word.first().is_some_and(u8::is_ascii_uppercase)
        && word.iter().any(u8::is_ascii_lowercase)
        && word.iter().all(u8::is_ascii_alphanumeric)
        && !matches!(word, b"Router" | b"Switch")
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
            "<165>Feb  6 09:42:36 switch1 Ebra: 118: %LINEPROTO-5-UPDOWN: x",
            "<165>Feb  6 09:42:36 switch1 StpTxRx: 118: %SPANTREE-6-INTERFACE_ADD: x",
            "<165>Feb  6 09:42:36 switch1 Dot1x: 118: %DOT1X-6-SUPPLICANT_AUTHENTICATED: x",
            "<165>Feb  6 09:42:36 switch1 ProcMgr-worker: 118: %PROCMGR-6-PROCESS_STARTED: x",
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
            "<189>Feb  6 09:42:36 h Core-Rtr: %SYS-5-CONFIG_I: x",
            "<189>Feb  6 09:42:36 h R1: %SYS-5-CONFIG_I: x",
        ] {
            assert_eq!(read(input.as_bytes()).vendor, None, "{input}");
        }
    }
}
