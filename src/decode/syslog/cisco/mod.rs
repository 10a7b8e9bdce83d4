//! Cisco's own header shapes: everything that stands in front of a `%FACILITY-SEVERITY-MNEMONIC:`.
//!
//! ```text
//!  IOS, IOS-XE  <189>123: hostname: *Mar  1 18:48:50.483 UTC: %SYS-5-CONFIG_I: text
//!                    45: 000123: 3w2d: %LINK-3-UPDOWN: text           two counters; uptime in place of a date
//!  IOS-XR       <189>123: hostname RP/0/RSP0/CPU0:Mar  1 18:48:50.483 : ifmgr[201]: %PKT_INFRA-LINK-3-UPDOWN : text
//!  NX-OS        <189>: 2021 Nov  6 16:16:05 UTC: %ETHPORT-5-IF_DOWN: text
//!               <190>2018 Apr 20 13:15:07 hostname %ETHPORT-5-IF_UP: text
//!  AireOS       <134>wlc1: *spamApTask0: Jul 15 12:34:56.039: %CAPWAP-3-ECHO_ERR: text
//!               <134>wlc1: *Dot1x_NW_MsgTask_0: Jul 15 12:34:56.039: #DOT1X-3-ABORT_AUTH: text
//!  UCS          <189>: 2026 Jul 15 12:34:56 CET: %UCSM-6-AUDIT: [session][internal] text
//!  IOS in XML   <190>82: R1: <ios-log-msg><facility>SYS</facility>...
//!  ASA, FTD     <166>Jul 29 2024 10:11:12 hostname : %ASA-6-302013: text
//!  CBS          <189>Jul 15 12:34:56 10.1.1.1 %LINK-W-Down:  gi1/0/1                                    small offices
//!  no code      <191>38: hostname: Mar  1 18:48:50.483: OSPF-1 ADJ   Gi0/0: text                        debugging
//!               <186>39: hostname: -Traceback= 23B5F24Cz 23B5F5E4z                                      behind an error
//! ```
//!
//! Evidence: the code, and nothing in front of it that none of these shapes has; without a code, a counter, a node or
//! NX-OS's colon in front of a time that ends in a colon. So `host Agent: %SYS-5-...` (Arista's
//! shape) is left to the next reader, which keeps the code and names no vendor. A `*` before the time says that the
//! clock was never set, a `.` that it lost its time source (Cisco, "Troubleshooting, Fault Management, and Logging":
//! time stamps on log messages).

mod code;
pub(super) mod ftd;
mod header;
pub(super) mod ise;
pub(super) mod meraki;
pub(super) mod products;
pub(super) mod wsa;

use super::{Clock, Fidelity, Format, Message, Pri};
use crate::decode::reader::Reader;
pub(super) use code::split_code;
use code::{find_code, is_firewall};
use header::Header;

/// A code that starts later than this is a quotation in some text: the longest header, with two names of 63 bytes, is
/// shorter.
const HEADER_BYTES_MAX: usize = 200;

pub(super) fn read<'a>(pri: Option<Pri>, input: Reader<'a>) -> Option<Message<'a>> {
    read_behind(b"", pri, input)
}

/// The same behind the counter that a relay took for the program, or behind nothing.
pub(super) fn read_behind<'a>(
    counter: &'a [u8],
    pri: Option<Pri>,
    input: Reader<'a>,
) -> Option<Message<'a>> {
    let Some((header, code, text)) = find_code(input.rest()) else {
        return read_without_code(counter, pri, input)
            .or_else(|| read_xml(counter, pri, input.rest()));
    };
    let header_bytes = header.len();
    let hash = input.rest().get(header_bytes) == Some(&b'#');
    let header = match Header::of_code(header, is_firewall(code), counter) {
        Some(header) if !header.open_word || is_firewall(code) => header,
        // A quotation, or somebody else's.
        _ => return read_without_code(counter, pri, input),
    };
    if hash && !header.has_task {
        return None;
    }
    if pri.is_none() && header.time.is_none() && !header.has_counter() {
        return None;
    }
    let mut message = Message::of(Format::Cisco, pri, text);
    // A code that the message ends with was cut: every sender writes a colon behind it.
    let is_whole = header_bytes + 1 + code.len() < input.rest().len();
    if !is_whole {
        message.text = input.rest().get(header_bytes..).unwrap_or_default();
    }
    header.tell(code, &mut message);
    message.event_code = Some(code).filter(|_| is_whole);
    Some(message)
}

/// A message without a code: debugging output, `last message repeated`, a daemon's line of IOS-XR, or all of it in XML.
/// What such lines count would be missing else.
fn read_without_code<'a>(
    counter: &'a [u8],
    pri: Option<Pri>,
    input: Reader<'a>,
) -> Option<Message<'a>> {
    let mut after = input;
    let header = Header::take(&mut after, counter)?;
    let mut message = Message::of(Format::Cisco, pri, after.rest());
    header.tell(b"", &mut message);
    Some(message)
}

/// The same behind a relay's header, which has found no more than its own time and name.
pub(super) fn refine(message: &mut Message<'_>) -> bool {
    if message.format == Format::Rfc5424 {
        return refine_rfc5424(message);
    }
    let is_bare = message.format == Format::Rfc3164 && message.app_name.is_none();
    let mut input = Reader::new(message.text);
    if !is_bare || message.vendor.is_some() || message.event_code.is_some() {
        return false;
    }
    let Some(header) = Header::take(&mut input, b"") else {
        return false;
    };
    let (relay, relayed) = (message.hostname, message.time);
    header.tell(b"", message);
    message.hostname = message.hostname.or(relay);
    message.time = message.time.or(relayed);
    message.text = input.rest();
    // The relay's time and name where the device says its own.
    message.fidelity = Fidelity::Changed;
    message.recognised(Format::Cisco);
    true
}

/// A line without a time that a relay wrote in the form of RFC 5424: its counter, its code or nothing stands in APP-NAME.
fn refine_rfc5424(message: &mut Message<'_>) -> bool {
    let mut counter = message.app_name.unwrap_or_default();
    if message.vendor.is_some_and(|vendor| vendor != "cisco") {
        return false;
    }
    if let (Some((code, b"")), None) = (split_code(counter), message.event_code) {
        message.event_code = Some(code);
        message.text = message.text.strip_prefix(b" ").unwrap_or(message.text);
        message.fidelity = Fidelity::Changed;
        counter = b"";
    }
    // What is longer than any number is none.
    let is_counter = counter.len() < 20 && counter.iter().all(u8::is_ascii_digit);
    let code = message.event_code.filter(|_| is_counter);
    let Some(code) = code else {
        return false;
    };
    let Some(header) = Header::of_code(b"", false, counter) else {
        return false;
    };
    header.tell_counter(code, message);
    message.app_name = None;
    true
}

/// An IOS message in XML: the header in front of it, and its text whole.
fn read_xml<'a>(counter: &'a [u8], pri: Option<Pri>, body: &'a [u8]) -> Option<Message<'a>> {
    let reach = body.get(..HEADER_BYTES_MAX).unwrap_or(body);
    // Every message without a code is asked: a searcher for the whole mark costs more to build than it saves.
    let is_mark = |at: &usize| {
        let rest = reach.get(*at..).unwrap_or_default();
        rest.starts_with(b"<ios-log-msg>")
    };
    let at = memchr::memchr_iter(b'<', reach).find(is_mark)?;
    let (header, text) = body.split_at_checked(at)?;
    let header = Header::of_code(header, false, counter)?;
    let mut message = Message::of(Format::Cisco, pri, text);
    message.hostname = header.hostname;
    (message.sequence, message.numbering) = (header.sequence, header.numbering);
    message.fidelity = Fidelity::Exact.changed_if(header.dropped || header.is_more_than_xml());
    message.vendor = Some("cisco");
    message.os = Some("ios");
    let mut clock = None;
    let parts = [header.log_sequence(), header.session()];
    products::xml(&mut message, parts, |time| {
        let mut inner = Header::default();
        inner.take_time(&mut Reader::new(time));
        inner.time
    });
    if message.time.is_some() {
        let unset = memchr::memmem::find(text, b"<time>*").is_some();
        let lost = memchr::memmem::find(text, b"<time>.").is_some();
        clock = Some(match unset || lost {
            true => Clock::Unsynchronized,
            false => Clock::Synchronized,
        });
    }
    message.clock = clock;
    Some(message)
}

#[cfg(test)]
mod tests;
