//! No byte is lost: another byte in its place makes another event, or the packet is in the event as it came.
//!
//! ```text
//!  fixtures/syslog/CASE/input ──each byte, one at a time──▶ another event, or `raw`
//! ```
//!
//! What is the same with another byte stands nowhere in the event. Where that is fixed syntax of the dialect, the place of
//! it is not tried: only letters and digits are changed, each into another of its kind.

use trapline::normalize::DomainPolicy;
use trapline::packet::Protocol;

/// A letter or digit in the place of another.
fn other(byte: u8) -> Option<u8> {
    Some(match byte {
        b'z' => b'a',
        b'Z' => b'A',
        b'9' => b'0',
        byte if byte.is_ascii_alphanumeric() => byte + 1,
        _ => return None,
    })
}

/// Where the version of CEF or LEEF stands. The versions of the standards differ in nothing that is read, so no event says
/// which it was.
fn version(bytes: &[u8]) -> std::ops::Range<usize> {
    const MARK: &[u8] = b"EF:";
    let start = bytes.windows(MARK.len()).position(|word| word == MARK);
    let bar = |start: usize| bytes.iter().skip(start).position(|byte| *byte == b'|');
    let range = start.and_then(|start| Some(start..start + bar(start)?));
    range.unwrap_or(0..0)
}

#[test]
fn another_byte_makes_another_event_or_is_kept_raw() {
    let mut lost = Vec::new();
    let mut tried = 0;
    for (protocol, folder) in super::cases() {
        if protocol != Protocol::Syslog {
            continue;
        }
        let case = super::case(protocol, &folder);
        // There the operator wants bytes to be left out.
        if case.settings.domain != DomainPolicy::Keep {
            continue;
        }
        let mut bytes = super::packet(&folder);
        let whole = super::without_running(case.event(&bytes));
        if whole["raw"].is_string() || whole["raw_base64"].is_string() {
            continue;
        }
        let mut same = Vec::new();
        let version = version(&bytes);
        for at in (0..bytes.len()).filter(|at| !version.contains(at)) {
            let byte = bytes[at];
            let Some(changed) = other(byte) else { continue };
            bytes[at] = changed;
            tried += 1;
            if super::without_running(case.event(&bytes)) == whole {
                same.push(at);
            }
            bytes[at] = byte;
        }
        if !same.is_empty() {
            let line = String::from_utf8_lossy(&bytes);
            lost.push(format!("{}: {line}\n  at {same:?}", folder.display()));
        }
    }
    assert!(tried > 10_000, "only {tried} bytes were changed");
    assert!(
        lost.is_empty(),
        "{} lines have bytes that no event shows\n{}",
        lost.len(),
        lost.join("\n")
    );
}
