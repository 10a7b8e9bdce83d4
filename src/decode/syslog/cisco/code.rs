//! `%FACILITY-SEVERITY-MNEMONIC:`, Cisco's own name for what happened.
//!
//! ```text
//!  r1: *Mar  1 18:48:50.483: │ %PKT_INFRA-LINK-3-UPDOWN : text      header │ code ─▶ text
//! ```

use super::HEADER_BYTES_MAX;
use crate::decode::reader::Reader;

/// Longer words are no codes: the longest in Cisco's message guides has 60 bytes.
const CODE_BYTES_MAX: usize = 96;

/// The first code that starts a word within reach: what stands before it, the code, and the text behind it.
pub(super) fn find_code(body: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let reach = body.get(..HEADER_BYTES_MAX).unwrap_or(body);
    memchr::memchr2_iter(b'%', b'#', reach).find_map(|at| {
        let (header, rest) = body.split_at_checked(at)?;
        if !matches!(header.last(), None | Some(b' ' | b':')) {
            return None;
        }
        let mut marked = Reader::new(rest);
        marked.byte();
        let (code, text) = split_marked(marked)?;
        Some((header, code, text))
    })
}

/// Splits `%FACILITY-SEVERITY-MNEMONIC: text` into the code without `%`, and the text. The facility may have a
/// subfacility (`PKT_INFRA-LINK`), the mnemonic may be a number (`ASA-6-302013`), and the colon may have a space in
/// front of it or be missing.
pub(in crate::decode::syslog) fn split_code(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut input = Reader::new(text);
    input.eat(b'%').then_some(())?;
    split_marked(input)
}

/// What [`split_code`] does behind the mark; AireOS has `#` for it, too.
fn split_marked<'a>(mut input: Reader<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let code = input.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let has_severity = code
        .windows(3)
        .any(|three| matches!(three, [b'-', severity, b'-'] if is_severity(*severity)));
    let starts_well = code.first().is_some_and(u8::is_ascii_alphabetic);
    let ends_well = code.last().is_some_and(u8::is_ascii_alphanumeric);
    if !has_severity || !starts_well || !ends_well || code.len() > CODE_BYTES_MAX {
        return None;
    }
    let mut behind = input;
    behind.eat(b' ');
    if behind.eat(b':') {
        input = behind;
    } else if !matches!(input.peek(), None | Some(b' ')) {
        return None;
    }
    input.eat(b' ');
    Some((code, input.rest()))
}

/// A digit; or the first letter of the level's name, as the switches for small offices write it (`%LINK-W-Down:`).
fn is_severity(byte: u8) -> bool {
    matches!(
        byte,
        b'0'..=b'7' | b'A' | b'C' | b'D' | b'E' | b'I' | b'N' | b'W'
    )
}

/// Codes that nobody but Cisco's firewalls writes, whatever stands in front.
pub(super) fn is_firewall(code: &[u8]) -> bool {
    [b"ASA-".as_slice(), b"FTD-", b"PIX-", b"FWSM-"]
        .iter()
        .any(|prefix| code.starts_with(prefix))
}
