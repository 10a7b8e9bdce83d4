//! What stands in front of Cisco's code: counters, host, time, and whatever else a family puts there.
//!
//! ```text
//!  123: hostname: *Mar  1 18:48:50.483 UTC: %SYS-5-...     bytes ──item by item──▶ Header { sequence, hostname, clock, time, ... }
//!  ├─────────── of_code ──────────────────┤
//!  123: hostname: *Mar  1 18:48:50.483 UTC: OSPF-1 ADJ     without a code the time ends it
//!  ├─────────── take ─────────────────────┤
//! ```
//!
//! The items stand in any order, because relays put their own header in front of a whole one. An item that none of the
//! families has says that the header is somebody else's.

use super::super::fields::Fields;
use super::super::timestamp::{self, Stamp, ZoneWords};
use super::super::{Clock, Message, Numbering, arista};
use super::HEADER_BYTES_MAX;
use crate::decode::reader::Reader;

/// What only some headers have: the part of a chassis that speaks, the time since the start, the counter of all that
/// was logged (`service sequence-numbers`), and the number in a session of `logging host ... sequence-num-session`.
const PARTS: &[&str] = &["node", "uptime", "log_sequence", "session"];

/// The same with a virtual device of NX-OS in the first place: none of them has a node.
const PARTS_OF_VDC: &[&str] = &["vdc", "uptime", "log_sequence", "session"];

/// The same with the name of `logging host ... session-id` there.
const PARTS_OF_SESSION: &[&str] = &["session_id", "uptime", "log_sequence", "session"];

/// Places in these tables.
const FIRST: usize = 0;
const UPTIME: usize = 1;
const LOG_SEQUENCE: usize = 2;
const SESSION: usize = 3;

/// What stands in front of the code.
#[derive(Default)]
pub(super) struct Header<'a> {
    pub(super) sequence: Option<u64>,
    pub(super) numbering: Numbering,
    pub(super) clock: Option<Clock>,
    pub(super) time: Option<Stamp<'a>>,
    pub(super) hostname: Option<&'a [u8]>,
    pub(super) app_name: Option<&'a [u8]>,
    pub(super) proc_id: Option<&'a [u8]>,
    /// By the names of [`PARTS`]; empty where they do not stand.
    parts: [&'a [u8]; 4],
    /// What the first part is, where it is no node.
    names: Option<&'static [&'static str]>,
    /// The first counter as it is written; empty without one.
    counter: &'a [u8],
    /// How many words stand in front of the first time.
    words: u8,
    /// A colon is the header's first byte (NX-OS, and the EMBLEM format of ASA).
    has_colon: bool,
    /// The code behind it is a firewall's: its host stands behind the time, and its time has no zone.
    is_firewall: bool,
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

/// How IOS goes on with an error in lines of their own, which have neither time nor code but are counted.
fn is_dump(text: &[u8]) -> bool {
    text.starts_with(b"-Traceback=") || text.starts_with(b"-Process=")
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

impl<'a> Header<'a> {
    /// Reads all that stands in front of a code, item by item; `None` where an item is none of Cisco's. A relay may have
    /// taken the `counter` away; it is empty where none did.
    pub(super) fn of_code(header: &'a [u8], is_firewall: bool, counter: &'a [u8]) -> Option<Self> {
        let mut found = Header::starting(header, counter);
        found.is_firewall = is_firewall;
        let mut input = Reader::new(header);
        loop {
            input.take_while(|byte| matches!(byte, b' ' | b':'));
            if input.is_empty() {
                break;
            }
            if !found.take_item(&mut input) {
                return None;
            }
        }
        found.end();
        Some(found)
    }

    /// Takes a header with no code behind it: a counter, a node or NX-OS's colon, then a time and a colon, as every
    /// family ends it; or the counter alone, in front of what IOS dumps behind an error. Takes nothing where it returns
    /// `None`.
    pub(super) fn take(input: &mut Reader<'a>, counter: &'a [u8]) -> Option<Self> {
        let mut after = *input;
        // Most messages start with neither, and are told from these by their first bytes.
        let digits = after.take_while(|byte| byte.is_ascii_digit());
        let starts = match *after.rest() {
            [b':' | b'/', ..] if !digits.is_empty() => true,
            [b':', b' ', b'1' | b'2', ..] | [_, _, b'/', ..] => digits.is_empty(),
            _ => false,
        };
        (starts || !counter.is_empty()).then_some(())?;
        let mut after = *input;
        let mut found = Header::starting(after.rest(), counter);
        while found.time.is_none() && !found.has_uptime {
            after.take_while(|byte| matches!(byte, b' ' | b':'));
            if found.has_counter() && is_dump(after.rest()) {
                found.end();
                *input = after;
                return Some(found);
            }
            let is_near = after.at() < input.at() + HEADER_BYTES_MAX;
            (is_near && found.take_item(&mut after)).then_some(())?;
            let is_dated = found.has_colon && found.has_year_first;
            let is_evident = found.has_counter() || found.has_node || is_dated;
            (is_evident && !found.has_task).then_some(())?;
        }
        after.take_while(|byte| byte == b' ');
        after.eat(b':').then_some(())?;
        after.eat(b' ');
        if found.has_node && found.take_process(&mut after) {
            after.eat(b' ');
        }
        found.end();
        *input = after;
        Some(found)
    }

    fn starting(header: &[u8], counter: &'a [u8]) -> Self {
        Header {
            has_colon: header.first() == Some(&b':'),
            counter,
            sequence: number(counter),
            ..Header::default()
        }
    }

    /// Takes the next item, whichever it is.
    fn take_item(&mut self, input: &mut Reader<'a>) -> bool {
        self.take_time(input)
            || self.take_task(input)
            || self.take_address(input)
            || self.take_sequence(input)
            || self.take_uptime(input)
            || self.take_session(input)
            || self.take_vdc(input)
            || self.take_node(input)
            || self.take_process(input)
            || self.take_hostname(input)
    }

    /// A padded counter that stands alone is that of all that was logged: the sent-counter is off, and has no zeros in
    /// front. From 100000 on it has none either, and one line alone does not tell the two apart: it is taken for the
    /// sent-counter then, where the device was not heard before. (`logging message-counter syslog` turns that on.)
    fn end(&mut self) {
        if !self.log_sequence().is_empty() {
            return;
        }
        match self.counter {
            [b'0', _, ..] => {
                self.keep(LOG_SEQUENCE, self.counter);
                self.sequence = None;
                self.numbering = Numbering::Logged;
            }
            [_, _, _, _, _, _, ..] => self.numbering = Numbering::Either,
            _ => {}
        }
    }

    pub(super) fn has_counter(&self) -> bool {
        !self.counter.is_empty()
    }

    /// The parts, where there is one.
    pub(super) fn fields(&self) -> Option<Fields<'a>> {
        let any = self.parts.iter().any(|part| !part.is_empty());
        any.then(|| Fields::parts(self.names.unwrap_or(PARTS), self.parts))
    }

    /// `45: 000123:`: the second counter, or a padded first one that stands alone.
    pub(super) fn log_sequence(&self) -> &'a [u8] {
        self.part(LOG_SEQUENCE)
    }

    /// The number in a session.
    pub(super) fn session(&self) -> &'a [u8] {
        self.part(SESSION)
    }

    /// Whether it has anything that an IOS message in XML has no place for.
    pub(super) fn is_more_than_xml(&self) -> bool {
        let has_part = !self.part(FIRST).is_empty() || !self.part(UPTIME).is_empty();
        has_part || self.time.is_some() || self.app_name.is_some() || self.clock.is_some()
    }

    fn part(&self, place: usize) -> &'a [u8] {
        self.parts.get(place).copied().unwrap_or_default()
    }

    /// Keeps a part; a second of its kind is left out.
    fn keep(&mut self, place: usize, part: &'a [u8]) {
        match self.parts.get_mut(place) {
            Some(slot) if slot.is_empty() => *slot = part,
            _ => self.dropped = true,
        }
    }

    /// Keeps the first part under the name that another table has for it.
    fn keep_first(&mut self, names: &'static [&'static str], part: &'a [u8]) {
        if self.part(FIRST).is_empty() {
            self.names = Some(names);
        }
        self.keep(FIRST, part);
    }

    pub(super) fn take_time(&mut self, input: &mut Reader<'a>) -> bool {
        let mut after = *input;
        let marked = after.eat(b'*') || after.eat(b'.');
        let has_digit = after.peek().is_some_and(|byte| byte.is_ascii_digit());
        // A firewall's time has a zone in the EMBLEM format alone; elsewhere the word behind it is the host.
        let zones = match self.is_firewall && !self.has_colon {
            true => ZoneWords::Known,
            false => ZoneWords::BeforeColon,
        };
        let month_word = timestamp::bsd(&mut after, zones);
        let has_year_first = has_digit && month_word.is_some();
        let Some(mut stamp) = month_word.or_else(|| timestamp::rfc3339(&mut after)) else {
            return false;
        };
        if !stamp.has_zone() {
            stamp.zone = self.take_zone(&mut after);
        }
        // A relay puts its own time in front; the device's stands nearer to the code.
        self.dropped |= self.time.is_some();
        if self.time.is_none() && self.words > 1 {
            // Words, and not a relay and a host: `logging origin-id string`.
            self.hostname = None;
        }
        self.time = Some(stamp);
        self.clock = marked.then_some(Clock::Unsynchronized);
        self.has_year_first = has_year_first;
        self.open_word = false;
        *input = after;
        true
    }

    /// ` cet:`, ` CST6:`, ` Europe/Berlin:`: a zone as an operator named it. The device's own header has the host in front
    /// of the time; so where anything of it stood there, a word between time and colon is no host.
    fn take_zone(&self, input: &mut Reader<'a>) -> Option<&'a [u8]> {
        // Behind another time the host may be a relay's.
        let has_host = self.hostname.is_some() && self.time.is_none();
        let has_own = self.has_counter() || self.has_node || has_host;
        if self.is_firewall || !(has_own || self.has_colon) {
            return None;
        }
        let mut after = *input;
        after.eat(b' ').then_some(())?;
        let name = after.take_while(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'_' | b'/')
        });
        let starts = name.first().is_some_and(u8::is_ascii_alphabetic);
        // A host of a relay's has its counter behind it.
        let is_zone = match *after.rest() {
            [b':', b' ', b'0'..=b'9', ..] => self.has_counter(),
            [b':'] | [b':', b' ', ..] => true,
            [b' ', b':', ..] => self.has_node,
            _ => false,
        };
        (starts && is_zone).then(|| {
            *input = after;
            name
        })
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

    /// `2001:db8::5:` or `2001:db8::5 `: a host by its IPv6 address, whose first group may look like a counter.
    fn take_address(&mut self, input: &mut Reader<'a>) -> bool {
        let mut after = *input;
        let group = after.take_while(|byte| byte.is_ascii_hexdigit());
        // Most items end at their first colon.
        let goes_on = matches!(after.rest(), [b':', next, ..] if *next != b' ');
        if !goes_on || group.len() > 4 {
            return false;
        }
        let mut after = *input;
        let word = after.take_while(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'));
        let is_address = |word: &[u8]| {
            let text = std::str::from_utf8(word).ok();
            text.is_some_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok())
        };
        let ends = matches!(after.peek(), None | Some(b' '));
        let Some(word) = [Some(word), word.strip_suffix(b":")]
            .into_iter()
            .flatten()
            .find(|word| ends && is_address(word))
        else {
            return false;
        };
        self.take_word(word);
        self.open_word = false;
        input.take(word.len());
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
        let Some(sequence) = number(digits) else {
            return false;
        };
        if self.has_counter() {
            self.keep(LOG_SEQUENCE, digits);
        } else {
            self.counter = digits;
            self.sequence = Some(sequence);
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
        self.keep(UPTIME, word);
        self.open_word = false;
        self.clock = marked.then_some(Clock::Unsynchronized);
        input.take(usize::from(marked) + word.len());
        true
    }

    /// `[syslog@9 s_sn="5" s_id ="r1:514"]:` of IOS's `logging host ... session-id ... sequence-num-session`, in any order,
    /// and with the space that IOS writes there.
    fn take_session(&mut self, input: &mut Reader<'a>) -> bool {
        let mut after = *input;
        if after.take(9) != Some(b"[syslog@9") {
            return false;
        }
        let mut is_whole = false;
        while after.eat(b' ') {
            let name = after.take_to([b'=', b']']);
            let opens = after.eat(b'=') && after.eat(b'"');
            let Some(value) = after.take_until(b'"').filter(|_| opens) else {
                return false;
            };
            match name.trim_ascii_end() {
                b"s_sn" => self.keep(SESSION, value),
                b"s_id" => self.keep_first(PARTS_OF_SESSION, value),
                _ => self.dropped = true,
            }
            is_whole = true;
        }
        if !is_whole || !after.eat(b']') {
            return false;
        }
        *input = after;
        true
    }

    /// `%$ VDC-1 %$`: which virtual device of a NX-OS chassis speaks.
    fn take_vdc(&mut self, input: &mut Reader<'a>) -> bool {
        let mut after = *input;
        if after.take(7) != Some(b"%$ VDC-") {
            return false;
        }
        let number = after.take_while(|byte| byte.is_ascii_digit());
        if number.is_empty() || after.take(3) != Some(b" %$") {
            return false;
        }
        self.keep_first(PARTS_OF_VDC, number);
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
        self.keep_first(PARTS, word);
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
        self.dropped |= self.app_name.is_some();
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
        if word.is_empty() || !matches!(after.peek(), None | Some(b' ' | b':')) {
            return false;
        }
        // An interface has a slash, too: a host has it where the header is Cisco's already.
        let is_origin = self.has_counter() && self.time.is_none() && after.peek() == Some(b':');
        if word.contains(&b'/') && !is_origin && !self.is_firewall {
            return false;
        }
        let glued_behind_time = self.time.is_some() && after.peek() == Some(b':');
        let is_second = self.hostname.is_some();
        self.has_agent = is_second && glued_behind_time && arista::is_agent(word);
        // A counter in front of the word is the device's own, too: no agent has it there.
        let is_counted = self.has_counter() && glued_behind_time;
        self.open_word = (is_second || glued_behind_time) && !is_counted;
        self.take_word(word);
        *input = after;
        true
    }

    /// The last word is the host; one in front of it is left out.
    fn take_word(&mut self, word: &'a [u8]) {
        self.dropped |= self.hostname.is_some();
        self.hostname = Some(word);
        if self.time.is_none() {
            self.words = self.words.saturating_add(1);
        }
    }

    /// Tells a message all that the header says.
    pub(super) fn tell(&self, code: &[u8], message: &mut Message<'a>) {
        let os = self.os(code);
        let marked_clocks = matches!(os, Some("ios" | "ios-xr"));
        let unmarked = (marked_clocks && self.time.is_some()).then_some(Clock::Synchronized);
        let exact_time = self.time.is_none_or(|time| time.is_exact());
        message.fidelity = message.fidelity.changed_if(self.dropped || !exact_time);
        message.time = self.time;
        message.hostname = self.hostname;
        message.app_name = self.app_name;
        message.proc_id = self.proc_id;
        message.vendor = Some("cisco");
        message.os = os;
        (message.sequence, message.numbering) = (self.sequence, self.numbering);
        message.clock = self.clock.or(unmarked);
        message.fields = self.fields();
    }

    /// Tells a message that has its own time and host who counted it, and how far.
    pub(super) fn tell_counter(&self, code: &[u8], message: &mut Message<'a>) {
        message.vendor = Some("cisco");
        message.os = self.os(code);
        message.sequence = self.sequence.or(message.sequence);
        message.numbering = self.numbering;
        message.fields = self.fields();
    }

    /// The operating system that only this shape or this code has. IOS and IOS-XE write the same.
    fn os(&self, code: &[u8]) -> Option<&'static str> {
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
            _ if self.has_counter() || self.has_uptime || self.clock.is_some() => Some("ios"),
            _ => None,
        }
    }
}
