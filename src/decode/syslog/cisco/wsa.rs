//! Cisco's web proxy (Secure Web Appliance, AsyncOS): access lines like squid's, with the decision that was made.
//!
//! ```text
//!  <14>Jul 15 12:34:56 wsa1 1784118896.789 97 192.0.2.7 TCP_DENIED/403 0 GET http://a.example/ - NONE/- - BLOCK_WEBCAT_12-DefaultGroup-...-NONE <IW_x,...>
//!                           time       elapsed client   result                                      decision, then seven policies
//! ```
//!
//! Evidence: seconds with milliseconds, and a word that starts with a decision and has policies behind hyphens. A squid
//! itself writes no such word. The decision is the event. (Cisco, "User Guide for AsyncOS for Cisco Secure Web
//! Appliance": access log files, ACL decision tags.)

use super::super::Message;
use super::super::fields::Fields;
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
