//! What stands in front of Cisco's code: counters, host, time, and whatever else a family puts there.
//!
//! ```text
//!  123: hostname: *Mar  1 18:48:50.483 UTC:      bytes ──item by item──▶ Header { sequence, hostname, clock, time, ... }
//! ```
//!
//! The items stand in any order, because relays put their own header in front of a whole one. An item that none of the
//! families has says that the header is somebody else's.

use super::super::fields::Fields;
use super::super::timestamp::{self, Stamp, ZoneWords};
use super::super::{Clock, arista};
use crate::decode::reader::Reader;

/// What only some headers have: the part of a chassis that speaks, the time since the start, the counter of all that
/// was logged (`service sequence-numbers`), and the number in a session of `logging host ... session-id`.
const PARTS: &[&str] = &["node", "uptime", "log_sequence", "session"];

/// What stands in front of the code.
#[derive(Default)]
pub(super) struct Header<'a> {
    pub(super) sequence: Option<u64>,
    pub(super) clock: Option<Clock>,
    pub(super) time: Option<Stamp<'a>>,
    pub(super) hostname: Option<&'a [u8]>,
    pub(super) app_name: Option<&'a [u8]>,
    pub(super) proc_id: Option<&'a [u8]>,
    /// By the names of [`PARTS`]; empty where they do not stand.
    parts: [&'a [u8]; 4],
    /// Evidence of the operating system.
    has_node: bool,
    has_uptime: bool,
    has_year_first: bool,
    /// A task of AireOS stands in front.
    pub(super) has_task: bool,
    /// Something was understood that no field of a message holds.
    pub(super) dropped: bool,
    /// A word that is a host or a process; which of both shows only what follows.
    pub(super) open_word: bool,
    /// It stands behind a time and a host, and is an agent of Arista's even with a counter behind it (`leaf1 Stp: 12: %`).
    has_agent: bool,
}

impl<'a> Header<'a> {
    /// Reads item by item; `None` where an item is none of Cisco's.
    pub(super) fn read(header: &'a [u8]) -> Option<Self> {
        let mut found = Header::default();
        let mut input = Reader::new(header);
        loop {
            input.take_while(|byte| matches!(byte, b' ' | b':'));
            if input.is_empty() {
                break;
            }
            let read = found.take_time(&mut input)
                || found.take_task(&mut input)
                || found.take_sequence(&mut input)
                || found.take_uptime(&mut input)
                || found.take_session(&mut input)
                || found.take_node(&mut input)
                || found.take_process(&mut input)
                || found.take_hostname(&mut input);
            if !read {
                return None;
            }
        }
        Some(found)
    }

    /// The parts, where there is one.
    pub(super) fn fields(&self) -> Option<Fields<'a>> {
        let any = self.parts.iter().any(|part| !part.is_empty());
        any.then(|| Fields::parts(PARTS, self.parts))
    }

    /// Keeps a part; a second of its kind is left out.
    fn keep(&mut self, place: usize, part: &'a [u8]) {
        match self.parts.get_mut(place) {
            Some(slot) if slot.is_empty() => *slot = part,
            _ => self.dropped = true,
        }
    }

    pub(super) fn take_time(&mut self, input: &mut Reader<'a>) -> bool {
        let mut after = *input;
        let marked = after.eat(b'*') || after.eat(b'.');
        let has_year_first = after.peek().is_some_and(|byte| byte.is_ascii_digit());
        let stamp = timestamp::bsd(&mut after, ZoneWords::BeforeColon)
            .or_else(|| timestamp::rfc3339(&mut after));
        let Some(stamp) = stamp else { return false };
        // A relay puts its own time in front; the device's stands nearer to the code.
        self.dropped |= self.time.is_some();
        self.time = Some(stamp);
        self.clock = marked.then_some(Clock::Unsynchronized);
        self.has_year_first = has_year_first;
        self.open_word = false;
        *input = after;
        true
    }

    /// `*spamApTask0:` of AireOS, behind its name and in front of the time.
    fn take_task(&mut self, input: &mut Reader<'a>) -> bool {
        let mut after = *input;
        if self.has_task || !after.eat(b'*') {
            return false;
        }
        let task = after
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
        let starts = task.first().is_some_and(u8::is_ascii_alphabetic);
        if !starts || !after.eat(b':') {
            return false;
        }
        self.has_task = true;
        self.app_name = Some(task);
        *input = after;
        true
    }

    /// `123:`. The first counts what the device sent to its syslog servers, the second (`service sequence-numbers`)
    /// what it logged at all; only the first has no holes for a server.
    fn take_sequence(&mut self, input: &mut Reader<'a>) -> bool {
        let mut after = *input;
        let digits = after.take_while(|byte| byte.is_ascii_digit());
        let is_uptime = matches!(after.rest(), [b':', m, s, b':', ..] if m.is_ascii_digit() && s.is_ascii_digit());
        if digits.is_empty() || after.peek() != Some(b':') || is_uptime {
            return false;
        }
        let Some(sequence) = std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| digits.parse().ok())
        else {
            return false;
        };
        match self.sequence {
            None => self.sequence = Some(sequence),
            Some(_) => self.keep(2, digits),
        }
        self.open_word &= self.has_agent;
        *input = after;
        true
    }

    /// `00:00:46:`, `3w2d:`, `1y12w:`, `2d03h:`: the time since the device started. No instant follows from it.
    fn take_uptime(&mut self, input: &mut Reader<'a>) -> bool {
        let mut after = *input;
        let marked = after.eat(b'*') || after.eat(b'.');
        let word = after.take_while(|byte| {
            byte.is_ascii_digit() || matches!(byte, b':' | b'y' | b'w' | b'd' | b'h')
        });
        let word = word.strip_suffix(b":").unwrap_or(word);
        let is_clock = matches!(word, [h1, h2, b':', m1, m2, b':', s1, s2]
            if [h1, h2, m1, m2, s1, s2].iter().all(|digit| digit.is_ascii_digit()));
        let is_span = matches!(word, [first, .., last] if first.is_ascii_digit() && matches!(last, b'w' | b'd' | b'h'))
            && !word.contains(&b':')
            && word
                .iter()
                .filter(|byte| byte.is_ascii_alphabetic())
                .count()
                == 2;
        if !(is_clock || is_span) {
            return false;
        }
        self.has_uptime = true;
        self.keep(1, word);
        self.open_word = false;
        self.clock = marked.then_some(Clock::Unsynchronized);
        *input = after;
        true
    }

    /// `[syslog@9 s_sn="5"]:` of IOS's `logging host ... sequence-num-session`.
    fn take_session(&mut self, input: &mut Reader<'a>) -> bool {
        let mut after = *input;
        if after.take(10) != Some(b"[syslog@9 ") {
            return false;
        }
        let Some(element) = after.take_until(b']') else {
            return false;
        };
        let number = element
            .strip_prefix(b"s_sn=\"")
            .and_then(|rest| rest.strip_suffix(b"\""));
        match number {
            Some(number) => self.keep(3, number),
            None => self.dropped = true,
        }
        *input = after;
        true
    }

    /// `RP/0/RSP0/CPU0:`, `LC/0/2/CPU0:`, `0/RP0/CPU0:`: which part of an IOS-XR chassis speaks.
    fn take_node(&mut self, input: &mut Reader<'a>) -> bool {
        let mut after = *input;
        let word = after.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'/');
        let slashes = word.iter().filter(|byte| **byte == b'/').count();
        if slashes < 2 || self.has_node || !after.eat(b':') {
            return false;
        }
        self.has_node = true;
        self.keep(0, word);
        *input = after;
        true
    }

    /// `ifmgr[201]:` of IOS-XR, where a node stands in front.
    fn take_process(&mut self, input: &mut Reader<'a>) -> bool {
        let mut after = *input;
        let name = after.take_while(|byte| byte.is_ascii_graphic() && !matches!(byte, b'[' | b':'));
        if !self.has_node || name.is_empty() || !after.eat(b'[') {
            return false;
        }
        let proc_id = after.take_while(|byte| byte.is_ascii_digit());
        if proc_id.is_empty() || !after.eat(b']') || !after.eat(b':') {
            return false;
        }
        self.app_name = Some(name);
        self.proc_id = Some(proc_id);
        *input = after;
        true
    }

    /// `hostname:`, `hostname ` or an address. A second word, and a word glued to a colon behind a time, may be a
    /// process (`app:`). It is a host where another time follows or where a counter stands beside it: a relay's header
    /// is in front of the device's own (`relay1 Core-Rtr: 118: %`). Only Arista's agents have a counter, too: a second
    /// word of their shape stays open even then.
    fn take_hostname(&mut self, input: &mut Reader<'a>) -> bool {
        let mut after = *input;
        let word = after.take_while(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'/')
        });
        if word.is_empty()
            || word.contains(&b'/')
            || !matches!(after.peek(), None | Some(b' ' | b':'))
        {
            return false;
        }
        let glued_behind_time = self.time.is_some() && after.peek() == Some(b':');
        let is_second = self.hostname.is_some();
        self.has_agent = is_second && glued_behind_time && arista::is_agent(word);
        // A counter in front of the word is the device's own, too: no agent has it there.
        let is_counted = self.sequence.is_some() && glued_behind_time;
        self.open_word = (is_second || glued_behind_time) && !is_counted;
        self.dropped |= self.hostname.is_some();
        self.hostname = Some(word);
        *input = after;
        true
    }

    /// The operating system that only this shape or this code has. IOS and IOS-XE write the same.
    pub(super) fn os(&self, code: &[u8]) -> Option<&'static str> {
        let facility = code.split(|byte| *byte == b'-').next().unwrap_or_default();
        match facility {
            b"ASA" => Some("asa"),
            b"FTD" => Some("ftd"),
            b"PIX" => Some("pix"),
            b"FWSM" => Some("fwsm"),
            b"UCSM" => Some("ucs"),
            _ if self.has_task => Some("aireos"),
            _ if self.has_node => Some("ios-xr"),
            _ if self.has_year_first && self.time.is_some_and(|time| time.year.is_some()) => {
                Some("nx-os")
            }
            _ if self.sequence.is_some() || self.has_uptime || self.clock.is_some() => Some("ios"),
            _ => None,
        }
    }
}
