//! Cisco's web proxy (Secure Web Appliance, AsyncOS): access lines like squid's, with the decision that was made.
//!
//! ```text
//!  <14>Jul 15 12:34:56 wsa1 1784118896.789 97 192.0.2.7 TCP_DENIED/403 0 GET http://a.example/ - NONE/- - BLOCK_WEBCAT_12-DefaultGroup-...-NONE <IW_x,...>
//!                           time       elapsed client   result                                      decision, then seven policies
//!  <13>Jul 15 12:34:56 wsa1 Wed Jul 15 12:34:56 2026 Info: Begin Logfile                     any other log of AsyncOS
//! ```
//!
//! Evidence: seconds with milliseconds, and a word that starts with a decision and has policies behind hyphens. A squid
//! itself writes no such word. The decision is the event. (Cisco, "User Guide for AsyncOS for Cisco Secure Web
//! Appliance": access log files, ACL decision tags.)

use super::super::Message;
use super::super::fields::Fields;
use super::super::timestamp::{self, ZoneWords};
use crate::decode::reader::Reader;

/// How decision tags start.
const DECISIONS: [&[u8]; 12] = [
    b"ALLOW_",
    b"AMP_",
    b"ARCHIVESCAN_",
    b"BLOCK_",
    b"DECRYPT_",
    b"DEFAULT_CASE_",
    b"DROP_",
    b"MONITOR_",
    b"NO_",
    b"OTHER_",
    b"PASSTHRU_",
    b"REDIRECT_",
];

/// Words in front of the decision: the standard access log has 10, the W3C forms up to 13, and users' names have spaces.
const WORDS_MAX: usize = 24;

pub(in super::super) fn refine(message: &mut Message<'_>) -> bool {
    if message.app_name.is_some() {
        return false;
    }
    if take_text_log(message) {
        return true;
    }
    let mut input = Reader::new(message.text);
    let seconds = input.take_while(|byte| byte.is_ascii_digit());
    let dot = input.eat(b'.');
    let millis = input.take_while(|byte| byte.is_ascii_digit());
    if seconds.len() != 10 || !dot || millis.len() != 3 {
        return false;
    }
    let mut words = input.rest().split(|byte| *byte == b' ').take(WORDS_MAX);
    let decided = words.find_map(|word| decision(word).map(|decision| (decision, word)));
    let Some((decision, word)) = decided else {
        return false;
    };
    let policies = word.get(decision.len() + 1..).unwrap_or_default();
    message.event_code = Some(decision);
    message.fields = Some(Fields::parts(
        &["decision", "policies"],
        [decision, policies, b"", b""],
    ));
    message.vendor = Some("cisco");
    message.os = Some("asyncos");
    true
}

/// How the lines start with which every log file of AsyncOS does, and those of the traffic monitor.
const TEXTS: [&[u8]; 8] = [
    b"Address ",
    b"Begin Logfile",
    b"End Logfile",
    b"Firewall blocked ",
    b"Firewall noted ",
    b"Logfile rolled over",
    b"Time offset from UTC: ",
    b"Version: ",
];

/// Reads `Mon May 04 12:59:59 2020 Info: ` or `04 May 2020 12:59:59 (GMT+5:00) Info: ` with one of [`TEXTS`] behind it.
/// The first names no zone; the header's time stays, and what the line says of it is a field.
fn take_text_log(message: &mut Message<'_>) -> bool {
    const LEVELS: [&[u8]; 5] = [b"Critical", b"Warning", b"Info", b"Debug", b"Trace"];
    /// The longer of the two stamps has 33 bytes.
    const REACH: usize = 48;
    // Every message of no other dialect comes by: most are turned away by the first word's length.
    if !matches!(message.text, [_, _, b' ', ..] | [_, _, _, b' ', ..]) {
        return false;
    }
    let reach = message.text.get(..REACH).unwrap_or(message.text);
    let ends = |at: &usize| reach.get(at + 1) == Some(&b' ');
    let Some(at) = memchr::memchr_iter(b':', reach).find(ends) else {
        return false;
    };
    let (head, rest) = message.text.split_at_checked(at).unwrap_or_default();
    let Some(space) = memchr::memrchr(b' ', head) else {
        return false;
    };
    let (logged, level) = head.split_at_checked(space).unwrap_or_default();
    let level = level.trim_ascii_start();
    let text = rest.get(2..).unwrap_or_default();
    let known = TEXTS.iter().any(|start| text.starts_with(start));
    if !LEVELS.contains(&level) || !known || !is_stamp(logged) {
        return false;
    }
    message.fields = Some(Fields::parts(
        &["logged", "level"],
        [logged, level, b"", b""],
    ));
    message.text = text;
    message.vendor = Some("cisco");
    message.os = Some("asyncos");
    true
}

/// `Mon May 04 12:59:59 2020` or `04 May 2020 12:59:59 (GMT+5:00)`.
fn is_stamp(text: &[u8]) -> bool {
    let mut input = Reader::new(text);
    let day = input.take_while(|byte| byte.is_ascii_alphanumeric());
    let space = input.eat(b' ');
    let named = day.len() == 3 && timestamp::bsd(&mut { input }, ZoneWords::Known).is_some();
    let dated = day.len() == 2
        && day.iter().all(u8::is_ascii_digit)
        && text.ends_with(b")")
        && memchr::memmem::find(text, b" (GMT").is_some();
    space && (named || dated)
}

/// `BLOCK_WEBCAT` of `BLOCK_WEBCAT_12-DefaultGroup-NONE-...`, which has a number and at least six policies behind it.
fn decision(word: &[u8]) -> Option<&[u8]> {
    DECISIONS
        .iter()
        .any(|start| word.starts_with(start))
        .then_some(())?;
    let tag = word.split(|byte| *byte == b'-').next()?;
    let at = memchr::memrchr(b'_', tag)?;
    let (decision, number) = tag.split_at_checked(at)?;
    let number = number.get(1..)?;
    let is_number = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    let hyphens = word.iter().filter(|byte| **byte == b'-').count();
    (is_number && hyphens >= 6).then_some(decision)
}

#[cfg(test)]
mod tests {
    use super::super::super::fields::tests::json;
    use super::super::super::read;

    #[test]
    fn the_decision_is_the_event() {
        let message = read(
            b"<14>Jul 15 12:34:56 wsa1 1784118896.789 97 192.0.2.7 TCP_DENIED/403 0 GET http://a.example/ - NONE/- - BLOCK_WEBCAT_12-DefaultGroup-ID-NONE-NONE-NONE-NONE-NONE <IW_x,1>",
        );
        assert_eq!(
            (message.vendor, message.os),
            (Some("cisco"), Some("asyncos"))
        );
        assert_eq!(message.event_code, Some(&b"BLOCK_WEBCAT"[..]));
        assert_eq!(message.hostname, Some(&b"wsa1"[..]));
        assert_eq!(
            json(message.fields.unwrap()),
            r#"{"decision":"BLOCK_WEBCAT","policies":"12-DefaultGroup-ID-NONE-NONE-NONE-NONE-NONE"}"#
        );
    }

    #[test]
    fn logs_of_the_appliance_itself_are_told_by_stamp_and_text() {
        for text in [
            "Wed Jul 15 12:34:56 2026 Info: Begin Logfile",
            "Wed Jul 15 12:34:56 2026 Info: Version: 14.0.1-053 SN: 000000000001",
            "15 Jul 2026 12:34:56 (GMT-1:00) Info: Firewall noted TCP data from 10.0.0.7 to 198.51.100.7:80.",
        ] {
            let input = format!("<13>Jul 15 12:34:56 wsa1 {text}");
            let message = read(input.as_bytes());
            assert_eq!(message.os, Some("asyncos"), "{text}");
            assert_eq!(message.hostname, Some(&b"wsa1"[..]));
        }
        for text in [
            "Wed Jul 15 12:34:56 2026 Info: hello",
            "Wed Jul 15 12:34:56 2026 Begin Logfile",
            "15 Jul 2026 12:34:56 Info: Begin Logfile",
            "Info: Begin Logfile",
            ": ",
        ] {
            let input = format!("<13>Jul 15 12:34:56 h {text}");
            assert_eq!(read(input.as_bytes()).os, None, "{text}");
        }
    }

    #[test]
    fn a_squid_is_none_and_a_cut_line_keeps_its_text() {
        for text in [
            "1784118896.789 97 192.0.2.7 TCP_MISS/200 0 GET http://a.example/ - DIRECT/192.0.2.8 text/html",
            "1784118896.789 97 192.0.2.7 TCP_MISS/200 0 GET http://a/ - NONE/- - BLOCK_WEBCAT_12-Def",
            "1784118896.7 97 BLOCK_WEBCAT_12-a-b-c-d-e-f-g",
        ] {
            let input = format!("<14>Jul 15 12:34:56 wsa1 {text}");
            let message = read(input.as_bytes());
            assert_eq!((message.vendor, message.text), (None, text.as_bytes()));
        }
    }
}
