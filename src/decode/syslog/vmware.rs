//! VMware: ESXi and vCenter.
//!
//! ```text
//!  <166>2026-07-15T12:34:56.789Z esx1 Hostd: info hostd[2099999] [Originator@6876 sub=Vimsvc.ha-eventmgr opID=1] Event 123 : text
//!  <182>2026-07-15T12:34:56.789Z esx1 vmkernel: cpu3:2097591)NMP: nmp_ThrottleLogForDevice:3861: text
//!  <14>2026-07-15T12:34:56.789Z esx1 vobd: [netCorrelator] 123us: [esx.problem.net.connectivity.lost] text
//!  <166>1 2026-07-15T12:34:56.789Z esx1 Hostd 2099 - [Originator@6876 sub="Vimsvc"] text
//!  <14>1 2026-07-15T12:34:56.789Z vc1 vpxd 4711 - - Event [77] [1-1] [2026-07-15T12:34:56Z] [vim.event.UserLoginSessionEvent] [info] ...
//! ```
//!
//! Evidence: `[Originator@6876`, a CPU and a world in front of a parenthesis, or the tag vobd or vpxd with an event's
//! name in brackets. (VMware, KB 2004201: location of ESXi log files.)

use super::Message;
use super::fields::{Fields, Syntax};
use crate::decode::reader::Reader;

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    let Some(tag) = message.app_name else {
        return false;
    };
    match tag {
        b"vmkernel" | b"vmkwarning" | b"vmkalert" => kernel(message),
        b"vobd" => event(message, &[b"[esx.", b"[vob."]),
        b"vpxd" => {
            event(message, &[b"[vim.event.", b"[esx.", b"[com.vmware."]) || originator(message)
        }
        _ => originator(message) || element(message),
    }
}

/// The same mark as an element's id in RFC 5424, whose parameters are structured data then.
fn element(message: &mut Message<'_>) -> bool {
    let data = message.structured_data;
    data.is_some_and(|data| data.first_id().starts_with(b"Originator@6876"))
        && ours(message, "esxi")
}

fn ours(message: &mut Message<'_>, os: &'static str) -> bool {
    message.vendor = Some("vmware");
    message.os = Some(os);
    true
}

/// `cpu3:2097591)` or `cpu3:2097591 opID=1)`.
fn kernel(message: &mut Message<'_>) -> bool {
    let mut input = Reader::new(message.text);
    // Some stand behind a level: `WARNING: cpu3:2097591)`.
    let mut after = input;
    let level = after.take_until(b':');
    let level = level.filter(|word| matches!(*word, b"WARNING" | b"ALERT"));
    if level.is_some() {
        after.eat(b' ');
        input = after;
    }
    let cpu = input.take_while(|byte| byte.is_ascii_alphanumeric());
    let colon = input.eat(b':');
    let world = input.take_while(|byte| byte.is_ascii_digit());
    let between = input.take_while(|byte| byte != b')' && byte != b'(');
    if !cpu.starts_with(b"cpu") || !colon || world.is_empty() || !input.eat(b')') {
        return false;
    }
    message.fields = Some(Fields::parts(
        &["level", "cpu", "world", "operation"],
        [level.unwrap_or_default(), cpu, world, between.trim_ascii()],
    ));
    message.text = input.rest();
    ours(message, "esxi")
}

/// The first name in brackets that starts like an event's.
fn event(message: &mut Message<'_>, starts: &[&[u8]]) -> bool {
    let found = starts
        .iter()
        .filter_map(|start| memchr::memmem::find(message.text, start))
        .min();
    let name = found.and_then(|at| {
        let mut input = Reader::new(message.text.get(at + 1..)?);
        let name = input
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
        input.eat(b']').then_some(name)
    });
    if name.is_none() {
        return false;
    }
    message.event_code = name;
    let os = match message.app_name {
        Some(b"vpxd") => "vcenter",
        _ => "esxi",
    };
    ours(message, os)
}

/// `info hostd[2099999] [Originator@6876 sub=... opID=...] `: level, thread and subsystem; newer ones leave out the level.
fn originator(message: &mut Message<'_>) -> bool {
    const MARK: &[u8] = b"[Originator@6876";
    /// The mark stands near the start: behind a level, a process and its number.
    const REACH: usize = 128;
    let reach = message.text.get(..REACH).unwrap_or(message.text);
    let found = memchr::memchr_iter(b'[', reach).find(|at| {
        message
            .text
            .get(*at..)
            .is_some_and(|rest| rest.starts_with(MARK))
    });
    let Some(found) = found else {
        return false;
    };
    let mut input = Reader::new(message.text);
    let head = input.take(found).unwrap_or_default();
    let logger = head.trim_ascii();
    // One space stands in front of the mark, and vCenter's own text starts with one.
    let is_spaced = head.len() > logger.len() + 2;
    input.take(MARK.len());
    let pairs = input.take_while(|byte| byte != b']');
    if !input.eat(b']') {
        return false;
    }
    input.eat(b' ');
    // Names of subsystems have spaces in them: `sub=Proxy Req 87930`.
    let fields = Fields::parts(&["logger"], [logger, b"", b"", b""]);
    let fields = fields.and_read(Syntax::OpenPairs, pairs, |_| {});
    message.fidelity = message.fidelity.changed_if(is_spaced || !fields.is_whole());
    message.fields = Some(fields);
    message.text = input.rest();
    let os = match message.app_name {
        Some(b"vpxd") => "vcenter",
        _ => "esxi",
    };
    ours(message, os)
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::json;
    use super::super::{Fidelity, read};

    #[test]
    fn the_originators_pairs_are_fields_and_the_text_stands_behind_them() {
        let message = read(
            b"<166>2026-07-15T12:34:56.789Z esx1 Hostd: info hostd[2099999] [Originator@6876 sub=Vimsvc opID=1a] Event 123 : text",
        );
        assert_eq!((message.vendor, message.os), (Some("vmware"), Some("esxi")));
        assert_eq!(message.app_name, Some(&b"Hostd"[..]));
        assert_eq!(message.text, b"Event 123 : text");
        assert_eq!(
            json(message.fields.unwrap()),
            r#"{"logger":"info hostd[2099999]","sub":"Vimsvc","opID":"1a"}"#
        );
    }

    #[test]
    fn a_subsystems_name_with_spaces_is_whole() {
        let start =
            "<166>2026-07-15T12:34:56.789Z esx1 Rhttpproxy: verbose rhttpproxy[1] [Originator@6876";
        for (pairs, fields, fidelity) in [
            (
                "sub=Proxy Req 87930",
                r#"{"logger":"verbose rhttpproxy[1]","sub":"Proxy Req 87930"}"#,
                Fidelity::Exact,
            ),
            (
                "sub=Proxy Req 87930 opID=1a",
                r#"{"logger":"verbose rhttpproxy[1]","sub":"Proxy Req 87930","opID":"1a"}"#,
                Fidelity::Exact,
            ),
            (
                "stray sub=Proxy",
                r#"{"logger":"verbose rhttpproxy[1]","sub":"Proxy"}"#,
                Fidelity::Changed,
            ),
        ] {
            let input = format!("{start} {pairs}] hello");
            let message = read(input.as_bytes());
            assert_eq!(json(message.fields.unwrap()), fields);
            assert_eq!((message.text, message.fidelity), (&b"hello"[..], fidelity));
        }
    }

    #[test]
    fn the_kernel_says_cpu_and_world() {
        for (text, fields) in [
            ("cpu3:2097591)NMP: x", r#"{"cpu":"cpu3","world":"2097591"}"#),
            (
                "WARNING: cpu3:2097591 opID=7)NMP: x",
                r#"{"level":"WARNING","cpu":"cpu3","world":"2097591","operation":"opID=7"}"#,
            ),
        ] {
            let input = format!("<182>2026-07-15T12:34:56.789Z esx1 vmkernel: {text}");
            let message = read(input.as_bytes());
            assert_eq!(
                (message.vendor, message.text),
                (Some("vmware"), &b"NMP: x"[..])
            );
            assert_eq!(json(message.fields.unwrap()), fields);
        }
    }

    #[test]
    fn observations_and_events_have_names() {
        let message = read(
            b"<14>2026-07-15T12:34:56.789Z esx1 vobd: [netCorrelator] 123us: [esx.problem.net.connectivity.lost] text",
        );
        assert_eq!(
            message.event_code,
            Some(&b"esx.problem.net.connectivity.lost"[..])
        );
        let message = read(
            b"<14>1 2026-07-15T12:34:56.789Z vc1 vpxd 4711 - - Event [77] [1-1] [2026-07-15T12:34:56Z] [vim.event.UserLoginSessionEvent] [info] x",
        );
        assert_eq!(
            (message.vendor, message.os),
            (Some("vmware"), Some("vcenter"))
        );
        assert_eq!(
            message.event_code,
            Some(&b"vim.event.UserLoginSessionEvent"[..])
        );
    }

    #[test]
    fn what_is_cut_or_of_others_keeps_its_text() {
        for text in [
            "Hostd: info [Originator@6876 sub=x",
            "vmkernel: cpu3:20",
            "vobd: [esx.pro",
            "vmkernel: hello",
        ] {
            let input = format!("<166>2026-07-15T12:34:56.789Z esx1 {text}");
            assert_eq!(read(input.as_bytes()).vendor, None, "{text}");
        }
    }
}
