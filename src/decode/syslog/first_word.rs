//! The word behind a time stamp: nearly always the host, sometimes the first of a sentence.
//!
//! ```text
//!  Nov 22 01:40:01 edge su: x                     the host: a tag follows
//!  Nov 22 01:40:01 error1 link down               the host: levels have no digit
//!  Nov 22 01:40:01 edge link down                 the host, on thin evidence: the event keeps the bytes
//!  Nov 22 01:40:01 Error connecting to database   a level, and nobody's name
//!  Nov 22 01:40:01 Interface eth1: link down      the start of a sentence, and nobody's name
//!  Nov 22 01:40:01 User admin logged in           a facility or the start of a sentence: the host only in front of a tag
//!  Nov 22 01:40:01 MET r1 app: x                  a zone, where a host stands behind it
//! ```
//!
//! Only whole words of short lists are judged, because a list that is too long costs hosts. Facilities after which hosts are
//! called (`mail`, `ftp`, `news`, `ntp`, `syslog`) are not on them.

use super::{Format, Message};

/// What a word can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// A host's name, or what nothing tells from one.
    Name,
    /// A zone's abbreviation; a name, too, where no host stands behind it.
    Zone,
    /// Nobody's name.
    Level,
    /// A name only in front of a tag.
    Ordinary,
}

/// Longer words stand on no list.
const WORD_BYTES_MAX: usize = 13;

impl Word {
    pub(super) fn of(word: &[u8]) -> Word {
        // Most names have a digit or a dash.
        if word.len() > WORD_BYTES_MAX || !word.iter().all(u8::is_ascii_alphabetic) {
            return Word::Name;
        }
        let mut folded = [0; WORD_BYTES_MAX];
        for (slot, byte) in folded.iter_mut().zip(word) {
            *slot = byte.to_ascii_lowercase();
        }
        let is_capital = word.iter().all(u8::is_ascii_uppercase);
        match folded.get(..word.len()).unwrap_or_default() {
            b"emerg" | b"emergency" | b"alert" | b"crit" | b"critical" | b"err" | b"error"
            | b"warn" | b"warning" | b"notice" | b"info" | b"informational" | b"debug"
            | b"trace" | b"fatal" | b"severe" => Word::Level,
            b"auth" | b"authpriv" | b"cron" | b"daemon" | b"kern" | b"lpr" | b"user" | b"uucp" => {
                Word::Ordinary
            }
            // Those that the table of zones has are read with the time, unless that is of ISO 8601.
            b"utc" | b"gmt" | b"cet" | b"cest" | b"met" | b"mest" | b"metdst" | b"eet"
            | b"eest" | b"eetdst" | b"cedt" | b"msk" | b"msd" | b"est" | b"edt" | b"cst"
            | b"cdt" | b"mst" | b"mdt" | b"pst" | b"pdt" | b"jst" | b"kst" | b"ist" | b"idt"
            | b"bst" | b"aest" | b"aedt" | b"nzst" | b"nzdt" | b"clt" | b"clst"
                if is_capital =>
            {
                Word::Zone
            }
            _ if STARTS.contains(&word) => Word::Level,
            _ if NOUNS.contains(&word) => Word::Ordinary,
            _ => Word::Name,
        }
    }
}

/// With which the sentences of devices start, written so. No host is called by one, even if a word with a colon stands
/// behind it (`Interface ethernet1/1/1: link down`).
const STARTS: [&[u8]; 8] = [
    b"Cannot",
    b"Connection",
    b"Failed",
    b"Interface",
    b"Login",
    b"Session",
    b"The",
    b"Unable",
];

/// The same, and a host may be called so.
const NOUNS: [&[u8]; 4] = [b"Link", b"Port", b"User", b"VLAN"];

/// Has what words have not: a digit, a dash or a dot.
pub(super) fn is_hosts(name: &[u8]) -> bool {
    name.iter()
        .any(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
}

/// Whether nothing but its place says that the host is one: a word of letters, and behind it text of no dialect.
pub(super) fn is_thin(message: &Message<'_>) -> bool {
    message.format == Format::Rfc3164
        && message.app_name.is_none()
        && message.event_code.is_none()
        && message.vendor.is_none()
        && !message.text.is_empty()
        && !message.text.starts_with(b"last message repeated ")
        && !message.text.starts_with(b"message repeated ")
        && message
            .hostname
            .is_some_and(|name| name.iter().all(u8::is_ascii_alphabetic))
}

#[cfg(test)]
mod tests {
    use super::super::{Fidelity, read};

    fn text(bytes: Option<&[u8]>) -> &str {
        bytes.map_or("~", |bytes| std::str::from_utf8(bytes).unwrap())
    }

    /// Host, tag, text, and whether the bytes are kept.
    fn parts(line: &str) -> String {
        let input = format!("<13>Nov 22 01:40:01 {line}");
        let message = read(input.as_bytes());
        format!(
            "{}|{}|{}|{}",
            text(message.hostname),
            text(message.app_name),
            text(Some(message.text)),
            match message.fidelity {
                Fidelity::Exact => "exact",
                Fidelity::Changed => "kept",
            }
        )
    }

    #[test]
    fn the_first_word_of_a_sentence_is_no_host() {
        for text in [
            "Port 5 is down",
            "Error connecting to database",
            "User admin logged in",
            "INFO main started",
            "warning: two words",
            "kern something",
            "Link down on port 3",
            "notice mcpd[1]: hello",
            "Interface ethernet1/1/1: link down",
            "Login admin: ok",
            "The ntpd: stopped",
        ] {
            let expected = match text.split_once(": ") {
                Some(("warning", rest)) => format!("~|warning|{rest}|exact"),
                _ => format!("~|~|{text}|exact"),
            };
            assert_eq!(parts(text), expected, "{text}");
        }
        let message = read(b"2026-11-22 01:20:01,123 INFO main started");
        assert_eq!(
            (message.hostname, message.text),
            (None, &b"INFO main started"[..])
        );
    }

    #[test]
    fn real_hosts_stay_hosts_whatever_follows() {
        for (line, expected) in [
            ("error1 link down", "error1|~|link down|exact"),
            ("sw-info link down", "sw-info|~|link down|exact"),
            ("mail postfix[1]: x", "mail|postfix|x|exact"),
            ("user su: x", "user|su|x|exact"),
            ("Port sshd[1]: x", "Port|sshd|x|exact"),
            ("edge su: x", "edge|su|x|exact"),
            ("port link down", "port|~|link down|kept"),
            ("edge link down", "edge|~|link down|kept"),
            ("mail queue is full", "mail|~|queue is full|kept"),
            ("edge", "edge|~||exact"),
            (
                "edge last message repeated 2 times",
                "edge|~|last message repeated 2 times|exact",
            ),
            ("MST app: x", "~|app|x|exact"),
            ("CLT app: x", "CLT|app|x|exact"),
        ] {
            assert_eq!(parts(line), expected, "{line}");
        }
    }

    #[test]
    fn a_zone_in_front_of_a_host_is_the_times() {
        for (line, expected) in [
            ("CLT r1 app: x", "r1|app|x|kept"),
            ("METDST edge app: x", "edge|app|x|kept"),
            ("METDST r1 link down", "r1|~|link down|kept"),
            ("METDST meets the others", "METDST|~|meets the others|kept"),
        ] {
            assert_eq!(parts(line), expected, "{line}");
        }
        let message = read(b"<13>2026-11-22 01:40:01 UTC r1 app: x");
        assert_eq!(message.hostname, Some(&b"r1"[..]));
        assert_eq!(message.time.and_then(|time| time.zone), Some(&b"UTC"[..]));
        assert_eq!(message.fidelity, Fidelity::Exact);
    }
}
