//! Arista EOS: an agent's name as the tag, and a code like Cisco's.
//!
//! ```text
//!  <165>Feb  6 09:42:36 switch1 Ebra: %LINEPROTO-5-UPDOWN: Line protocol on Interface Ethernet28, changed state to down
//!  <165>Nov 12 14:03:34 switch1 SuperServer: 1: %SYS-7-CLI_SCHEDULER_LOG_STORED: ...        a counter
//!  <165>1 2026-07-15T12:34:56Z switch1 Bgp 2030 - - %BGP-5-ADJCHANGE: peer 192.0.2.2 ...
//! ```
//!
//! Evidence: a code behind a tag that is an agent's name: one of a list, or any with capital and small letters and without a
//! dash where the code's facility is one of EOS (agents become more with every release, facilities seldom). Cisco's devices
//! write no tag; in their place behind a relay stands the device's name (`relay1 Core-Rtr: 118: %SYS-5-CONFIG_I:`), which
//! is told from an agent's by its letters alone. A counter and the code behind it are taken whoever wrote them: a line left
//! out would be missed among the others of its device. (Arista, "EOS System Message Guide".)

use super::{Message, cisco};
use crate::decode::reader::Reader;

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    let Some(agent) = message.app_name.filter(|name| is_agent(name)) else {
        return false;
    };
    let found = match message.event_code {
        Some(_) => None,
        None => counted(message.text),
    };
    let code = message
        .event_code
        .or(found.as_ref().map(|found| found.code));
    let is_ours = code.is_some_and(|code| {
        let facility = Reader::new(code).take_to([b'-']);
        AGENTS.contains(&without_worker(agent)) || FACILITIES.contains(&facility)
    });
    if message.vendor.is_some_and(|vendor| vendor != "arista") || found.is_none() && !is_ours {
        return false;
    }
    if let Some(found) = found {
        // Few agents' names end in a digit, and those stand in the list. Many a device's does: behind a relay its counter is
        // not that of who sent the line.
        let is_device = !is_ours && agent.last().is_some_and(u8::is_ascii_digit);
        message.fidelity = message.fidelity.changed_if(is_device);
        message.sequence = Some(found.sequence).filter(|_| !is_device);
        message.event_code = Some(found.code);
        message.text = found.text;
    }
    if is_ours {
        message.vendor = Some("arista");
        message.os = Some("eos");
    }
    true
}

/// Agents whose codes have facilities that others have, too (`SYS`), those that log most, and those whose names end in a
/// digit, as devices' do: of chips (`Lm73`), and of IPv6 (`McastCommon6`, as `show processes top once` has it).
const AGENTS: [&[u8]; 41] = [
    b"Aaa",
    b"Acl",
    b"Arp",
    b"Bfd",
    b"Bgp",
    b"Cli",
    b"ConfigAgent",
    b"Dot1x",
    b"Ebra",
    b"EventMgr",
    b"EventMon",
    b"Fru",
    b"IgmpSnooping",
    b"Intf",
    b"Isis",
    b"KernelFib",
    b"Lag",
    b"Launcher",
    b"Lldp",
    b"Lm73",
    b"MaintenanceMode",
    b"Max6658",
    b"McastCommon6",
    b"Mlag",
    b"Ntp",
    b"Ospf",
    b"PowerManager",
    b"ProcMgr",
    b"Rib",
    b"Snmp",
    b"Ssh",
    b"StageMgr",
    b"StorageDevices",
    b"Stp",
    b"StpTxRx",
    b"SuperServer",
    b"Sysdb",
    b"Thermostat",
    b"Ucd9012",
    b"Vxlan",
    b"XcvrAgent",
];

/// Facilities of EOS's codes that are not Cisco's.
const FACILITIES: [&[u8]; 36] = [
    b"ACCOUNTING",
    b"AGENT",
    b"BFD",
    b"BGP",
    b"CAPI",
    b"CVX",
    b"DATAPATH",
    b"DOT1X",
    b"ETH",
    b"FRU",
    b"FWK",
    b"HARDWARE",
    b"IGMPSNOOPING",
    b"INTF",
    b"ISIS",
    b"KERNELFIB",
    b"LACP",
    b"LAG",
    b"LAUNCHER",
    b"LINEPROTO",
    b"LLDP",
    b"LOOPPROTECT",
    b"MLAG",
    b"MMODE",
    b"MSRP",
    b"OSPF",
    b"PIM",
    b"POWER",
    b"PROCMGR",
    b"PWRMGMT",
    b"ROUTING",
    b"SAND",
    b"SPANTREE",
    b"STAGEMGR",
    b"VXLAN",
    b"ZTP",
];

/// A name as EOS gives its agents: `Ebra`, `StpTxRx`, `Dot1x`, and `ProcMgr-worker`. Words without a small letter, without
/// a capital in front, and with a dash are hosts; so are the names that Cisco's devices have from the factory.
pub(super) fn is_agent(name: &[u8]) -> bool {
    let word = without_worker(name);
    word.first().is_some_and(u8::is_ascii_uppercase)
        && word.iter().any(u8::is_ascii_lowercase)
        && word.iter().all(u8::is_ascii_alphanumeric)
        && !matches!(word, b"Router" | b"Switch")
}

fn without_worker(name: &[u8]) -> &[u8] {
    name.strip_suffix(b"-worker").unwrap_or(name)
}

/// A counter in front of the code (`logging format sequence-numbers`).
struct Counted<'a> {
    sequence: u64,
    code: &'a [u8],
    text: &'a [u8],
}

/// `4711: %SPANTREE-6-INTERFACE_ADD: `.
fn counted(text: &[u8]) -> Option<Counted<'_>> {
    let mut input = Reader::new(text);
    let digits = input.take_while(|byte| byte.is_ascii_digit());
    let sequence = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (input.eat(b':') && input.eat(b' ')).then_some(())?;
    let (code, text) = cisco::split_code(input.rest())?;
    Some(Counted {
        sequence,
        code,
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Fidelity, read};

    #[test]
    fn an_agents_name_and_a_code_are_aristas() {
        for input in [
            "<165>Feb  6 09:42:36 switch1 Ebra: %LINEPROTO-5-UPDOWN: x",
            "<165>Feb  6 09:42:36 switch1 ProcMgr-worker: %PROCMGR-6-PROCESS_STARTED: x",
            "<165>1 2026-07-15T12:34:56Z switch1 Bgp 2030 - - %BGP-5-ADJCHANGE: x",
            "<165>Feb  6 09:42:36 switch1 NewAgent: %LINEPROTO-5-UPDOWN: x",
            "<165>Feb  6 09:42:36 switch1 ConfigAgent: %SYS-5-CONFIG_E: x",
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
            "<165>Feb  6 09:42:36 h Backup: %JOB-3-FAILED: x",
            "<165>Feb  6 09:42:36 h Backup: 12: %JOB-3-FAILED: x",
            "<165>Feb  6 09:42:36 h Error: %LINK-3-UPDOWN: x",
            "<189>Feb  6 09:42:36 h Core-Rtr: %SYS-5-CONFIG_I: x",
            "<189>Feb  6 09:42:36 h R1: %SYS-5-CONFIG_I: x",
        ] {
            assert_eq!(read(input.as_bytes()).vendor, None, "{input}");
        }
    }

    #[test]
    fn two_devices_behind_a_relay_are_not_counted_as_one() {
        for (name, counter) in [("Sw1", 118), ("Sw2", 4711)] {
            let input =
                format!("<189>Jul 15 12:34:56 relay1 {name}: {counter}: %SYS-5-CONFIG_I: x");
            let message = read(input.as_bytes());
            assert_eq!(message.sequence, None, "{input}");
            assert_eq!(message.event_code, Some(&b"SYS-5-CONFIG_I"[..]));
            assert_eq!(message.fidelity, Fidelity::Changed, "raw has the counter");
        }
    }

    #[test]
    fn an_agents_name_that_ends_in_a_digit_is_no_device() {
        for agent in ["Lm73", "Max6658", "McastCommon6", "Ucd9012"] {
            let input = format!("<165>Feb  6 09:42:36 switch1 {agent}: 118: %CHIP-3-FAILED: x");
            let message = read(input.as_bytes());
            assert_eq!(message.sequence, Some(118), "{input}");
            assert_eq!(message.vendor, Some("arista"), "{input}");
            assert_eq!(message.fidelity, Fidelity::Exact, "{input}");
        }
    }

    #[test]
    fn a_counted_line_is_counted_though_neither_agent_nor_facility_is_known() {
        for (line, sequence, code, vendor) in [
            (
                "Ebra: 118: %LINEPROTO-5-UPDOWN: x",
                118,
                "LINEPROTO-5-UPDOWN",
                Some("arista"),
            ),
            (
                "Fhrp: 119: %VRRP-5-STATECHANGE: x",
                119,
                "VRRP-5-STATECHANGE",
                None,
            ),
        ] {
            let input = format!("<165>Feb  6 09:42:36 switch1 {line}");
            let message = read(input.as_bytes());
            assert_eq!(message.sequence, Some(sequence), "{input}");
            assert_eq!(message.event_code, Some(code.as_bytes()), "{input}");
            assert_eq!(
                (message.vendor, message.text),
                (vendor, &b"x"[..]),
                "{input}"
            );
        }
    }
}
