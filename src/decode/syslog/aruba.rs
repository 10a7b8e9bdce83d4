//! Aruba: controllers and access points (ArubaOS), and the switches of the CX series.
//!
//! ```text
//!  ArubaOS  <187>Jul 15 12:34:56 2026 wc1 authmgr[4130]: <124198> <4130> <ERRS> <wc1 192.0.2.1>  text
//!           <188>Jul 15 12:34:56 2026 wc1 sapd[1362]: <127037> <WARN> |AP ap7@192.0.2.9 sapd| |ids-ap| text
//!           <187>Jul 15 12:34:56 2026 wc1 dot1x-proc:1[3833]: <132197> <3833> <ERRS> |dot1x-proc:1|  text
//!  Instant  <189>Jul 15 12:34:56 2026 192.0.2.9 <192.0.2.9 D8:C7:C8:CB:D4:20> stm[2021]: <501106> <NOTI> text
//!  CX       <190>1 2026-07-15T12:34:56.123456+00:00 cx1 intfd 2345 - - Event|403|LOG_INFO|AMM|1/1|text
//! ```
//!
//! Evidence: a number of five or six digits between angle brackets and one of the eight words for a severity; or
//! `Event|`, a number and `|LOG_`. (Aruba, "ArubaOS Syslog Messages Reference Guide"; "AOS-CX Event Log Message
//! Reference Guide".)

use super::fields::Fields;
use super::{Message, rfc3164};
use crate::decode::reader::Reader;

const LEVELS: [&[u8]; 8] = [
    b"EMRG", b"ALRT", b"CRIT", b"ERRS", b"WARN", b"NOTI", b"INFO", b"DBUG",
];

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    match message.text.first() {
        Some(b'<') => controller(message) || access_point(message),
        Some(b'E') => switch(message),
        Some(b'a'..=b'z') if message.app_name.is_none() => numbered_process(message),
        _ => false,
    }
}

/// `<192.0.2.9 D8:C7:C8:CB:D4:20> stm[2021]: ` in front: an access point says its address and its MAC behind its name.
fn access_point(message: &mut Message<'_>) -> bool {
    let mut input = Reader::new(message.text);
    let reporter = take_angle(&mut input).filter(|part| part.contains(&b':'));
    let mut inner = message.clone();
    let is_tagged = message.app_name.is_none() && rfc3164::take_tag(&mut input, &mut inner);
    inner.text = input.rest();
    let Some(reporter) = reporter.filter(|_| is_tagged && controller(&mut inner)) else {
        return false;
    };
    let part = |name| inner.fields.and_then(|fields| fields.get(name));
    let level = part("level").map_or(&b""[..], |level| level.bytes);
    inner.fidelity = inner.fidelity.changed_if(part("reporter").is_some());
    inner.fields = Some(Fields::parts(PARTS, [level, reporter, b"", b""]));
    *message = inner;
    true
}

/// `dot1x-proc:1[3833]: ` in front: of a process that runs several times each has a number, and a colon before it.
fn numbered_process(message: &mut Message<'_>) -> bool {
    let mut input = Reader::new(message.text);
    let name = input.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let is_colon = input.eat(b':');
    let number = input.take_while(|byte| byte.is_ascii_digit());
    if !is_colon || number.is_empty() || !input.eat(b'[') {
        return false;
    }
    let mut inner = message.clone();
    inner.app_name = message.text.get(..name.len() + 1 + number.len());
    inner.proc_id = Some(input.take_while(|byte| byte.is_ascii_digit()));
    let is_tag = input.take(3) == Some(b"]: ");
    inner.text = input.rest();
    let found = is_tag && controller(&mut inner);
    if found {
        *message = inner;
    }
    found
}

const PARTS: &[&str] = &["level", "reporter"];

fn controller(message: &mut Message<'_>) -> bool {
    let mut input = Reader::new(message.text);
    let is_number = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    let Some(code) = take_angle(&mut input).filter(|code| (5..=6).contains(&code.len())) else {
        return false;
    };
    let mut level = take_angle(&mut input);
    // The process id once more. Where the tag has none it is kept.
    if let Some(process) = level.filter(|word| !word.is_empty() && is_number(word)) {
        message.fidelity = message
            .fidelity
            .changed_if(message.proc_id.is_some_and(|known| known != process));
        message.proc_id = message.proc_id.or(Some(process));
        level = take_angle(&mut input);
    }
    let Some(level) = level.filter(|level| is_number(code) && LEVELS.contains(level)) else {
        return false;
    };
    let reporter = take_angle(&mut input).unwrap_or_default();
    input.take_while(|byte| byte == b' ');
    message.event_code = Some(code);
    message.fields = Some(Fields::parts(PARTS, [level, reporter, b"", b""]));
    message.text = input.rest();
    message.vendor = Some("aruba");
    message.os = Some("arubaos");
    true
}

/// Takes `<...>` and one space behind it.
fn take_angle<'a>(input: &mut Reader<'a>) -> Option<&'a [u8]> {
    let mut after = *input;
    after.eat(b'<').then_some(())?;
    let part = after.take_while(|byte| byte != b'>' && byte != b'<');
    after.eat(b'>').then_some(())?;
    after.eat(b' ');
    *input = after;
    Some(part)
}

fn switch(message: &mut Message<'_>) -> bool {
    let mut input = Reader::new(message.text);
    let mut part = || input.take_until(b'|');
    let head = (part(), part(), part(), part(), part());
    let (Some(b"Event"), Some(code), Some(level), Some(module), Some(slot)) = head else {
        return false;
    };
    if code.is_empty() || !code.iter().all(u8::is_ascii_digit) || !level.starts_with(b"LOG_") {
        return false;
    }
    message.event_code = Some(code);
    message.fields = Some(Fields::parts(
        &["level", "module", "slot"],
        [level, module, slot, b""],
    ));
    message.text = input.rest();
    message.vendor = Some("aruba");
    message.os = Some("aos-cx");
    true
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::json;
    use super::super::{Fidelity, read};

    #[test]
    fn a_controller_numbers_its_events_and_says_who_reports() {
        let message = read(
            b"<187>Jul 15 12:34:56 2026 wc1 authmgr[4130]: <124198> <4130> <ERRS> <wc1 192.0.2.1>  Missing server",
        );
        assert_eq!(
            (message.vendor, message.os),
            (Some("aruba"), Some("arubaos"))
        );
        assert_eq!(message.event_code, Some(&b"124198"[..]));
        assert_eq!(message.text, b"Missing server");
        assert_eq!(
            json(message.fields.unwrap()),
            r#"{"level":"ERRS","reporter":"wc1 192.0.2.1"}"#
        );
        let access_point = read(
            b"<188>Jul 15 12:34:56 2026 wc1 sapd[1362]: <127037> <WARN> |AP ap7@192.0.2.9 sapd| text",
        );
        assert_eq!(access_point.event_code, Some(&b"127037"[..]));
        assert_eq!(access_point.text, b"|AP ap7@192.0.2.9 sapd| text");
    }

    #[test]
    fn an_access_points_address_and_a_processs_number_stand_around_the_tag() {
        for (line, app, code, fields, text) in [
            (
                "10.0.0.9 <10.0.0.9 D8:C7:C8:CB:D4:20> stm[2021]: <501106> <NOTI> Deauth",
                "stm",
                "501106",
                r#"{"level":"NOTI","reporter":"10.0.0.9 D8:C7:C8:CB:D4:20"}"#,
                "Deauth",
            ),
            (
                "wc1 dot1x-proc:1[3833]: <132197> <3833> <ERRS> |dot1x-proc:1|  Maximum",
                "dot1x-proc:1",
                "132197",
                r#"{"level":"ERRS"}"#,
                "|dot1x-proc:1|  Maximum",
            ),
        ] {
            let input = format!("<187>Jul 15 12:34:56 2026 {line}");
            let message = read(input.as_bytes());
            assert_eq!(message.app_name, Some(app.as_bytes()), "{input}");
            assert_eq!(message.event_code, Some(code.as_bytes()), "{input}");
            assert_eq!(json(message.fields.unwrap()), fields, "{input}");
            assert_eq!(message.text, text.as_bytes(), "{input}");
            assert_eq!(
                (message.vendor, message.fidelity),
                (Some("aruba"), Fidelity::Exact)
            );
        }
        for line in [
            "<a:b> stm[1]: <1> x",
            "a:1[2]: <132197> x",
            "a:1[",
            "<a:b> stm: x",
        ] {
            let input = format!("<187>Jul 15 12:34:56 2026 wc1 {line}");
            let message = read(input.as_bytes());
            assert_eq!(
                (message.vendor, message.text),
                (None, line.as_bytes()),
                "{input}"
            );
        }
    }

    #[test]
    fn a_switch_of_the_cx_series_puts_bars_between_the_parts() {
        let message = read(
            b"<190>1 2026-07-15T12:34:56.123456+00:00 cx1 intfd 2345 - - Event|403|LOG_INFO|AMM|1/1|Link up | really",
        );
        assert_eq!(
            (message.vendor, message.os),
            (Some("aruba"), Some("aos-cx"))
        );
        assert_eq!(message.event_code, Some(&b"403"[..]));
        assert_eq!(message.text, b"Link up | really");
        assert_eq!(
            json(message.fields.unwrap()),
            r#"{"level":"LOG_INFO","module":"AMM","slot":"1/1"}"#
        );
    }

    #[test]
    fn what_is_cut_or_only_similar_keeps_its_text() {
        for text in [
            "<124198> <4130> <ER",
            "<124198> <4130>",
            "<12419> x",
            "<1241x8> <WARN> x",
            "Event|403|LOG_INFO|AMM",
            "Event|x|LOG_INFO|AMM|1|x",
        ] {
            let input = format!("<187>Jul 15 12:34:56 h app[1]: {text}");
            let message = read(input.as_bytes());
            assert_eq!((message.vendor, message.text), (None, text.as_bytes()));
        }
    }
}
