//! A PRI in words, as some write it once more in front of the text.
//!
//! ```text
//!  auth.info        Solaris, OpenWrt        RFC 5424, section 6.2.1, tables 1 and 2, by the words of syslog.conf(5)
//!  DAEMON-4-        Junos                   and its own facilities, which it sends as local ones
//! ```

use super::Pri;

/// What a facility is called, and its number. Junos's own stand for what "System Logging Facility Codes" says.
const FACILITIES: [(&[u8], u8); 35] = [
    (b"kern", 0),
    (b"kernel", 0),
    (b"user", 1),
    (b"mail", 2),
    (b"daemon", 3),
    (b"auth", 4),
    (b"authorization", 4),
    (b"syslog", 5),
    (b"lpr", 6),
    (b"news", 7),
    (b"uucp", 8),
    (b"cron", 9),
    (b"authpriv", 10),
    (b"ftp", 11),
    (b"ntp", 12),
    (b"security", 13),
    (b"audit", 13),
    (b"alert", 14),
    // Solaris numbers it so.
    (b"cron", 15),
    (b"local0", 16),
    (b"local1", 17),
    (b"local2", 18),
    (b"local3", 19),
    (b"local4", 20),
    (b"local5", 21),
    (b"local6", 22),
    (b"local7", 23),
    (b"dfc", 17),
    (b"external", 18),
    (b"firewall", 19),
    (b"pfe", 20),
    (b"conflict", 21),
    (b"change", 22),
    (b"interact", 23),
    (b"interactive", 23),
];

/// What a severity is called, and its number.
const LEVELS: [(&[u8], u8); 13] = [
    (b"emerg", 0),
    (b"emergency", 0),
    (b"panic", 0),
    (b"alert", 1),
    (b"crit", 2),
    (b"critical", 2),
    (b"err", 3),
    (b"error", 3),
    (b"warning", 4),
    (b"warn", 4),
    (b"notice", 5),
    (b"info", 6),
    (b"debug", 7),
];

/// Whether it is a facility's name, in whatever case.
pub(super) fn is_facility(name: &[u8]) -> bool {
    FACILITIES
        .iter()
        .any(|(known, _)| name.eq_ignore_ascii_case(known))
}

/// Whether it is a severity's name, in whatever case.
pub(super) fn is_level(name: &[u8]) -> bool {
    LEVELS
        .iter()
        .any(|(known, _)| name.eq_ignore_ascii_case(known))
}

/// Whether these words, or this facility and a digit, say what the PRI says.
pub(super) fn says(pri: Option<Pri>, facility: &[u8], level: &[u8]) -> bool {
    let Some(pri) = pri else { return false };
    let is_facility = FACILITIES
        .iter()
        .any(|(name, number)| *number == pri.facility && facility.eq_ignore_ascii_case(name));
    let is_level = match level {
        [digit @ b'0'..=b'7'] => digit - b'0' == pri.severity,
        _ => LEVELS
            .iter()
            .any(|(name, number)| *number == pri.severity && level.eq_ignore_ascii_case(name)),
    };
    is_facility && is_level
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_say_the_pri_are_told_from_others() {
        let pri = |facility, severity| Some(Pri { facility, severity });
        assert!(says(pri(4, 6), b"auth", b"info"));
        assert!(says(pri(3, 4), b"DAEMON", b"4"));
        assert!(says(pri(20, 3), b"PFE", b"3"));
        assert!(says(pri(9, 3), b"cron", b"err") && says(pri(15, 3), b"cron", b"error"));
        assert!(!says(pri(4, 6), b"auth", b"notice") && !says(pri(4, 6), b"mail", b"info"));
        assert!(!says(pri(3, 4), b"DAEMON", b"5") && !says(pri(3, 4), b"NOBODY", b"4"));
        assert!(!says(None, b"auth", b"info"));
        assert!(is_facility(b"local7") && !is_facility(b"local8"));
        assert!(is_level(b"WARNING") && !is_level(b"warnings"));
    }
}
