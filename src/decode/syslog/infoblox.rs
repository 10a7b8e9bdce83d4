//! Infoblox NIOS, by what its daemons write beyond those that they were made from.
//!
//! ```text
//!  audit  <13>Jul 15 12:34:56 ddi1 httpd: 2026-07-15 12:34:56.789Z [admin]: Login_Denied - - to=AdminConnector ip=192.0.2.7 ...
//!                                         time                      user    event
//!  DHCP   <150>Jul 15 12:34:56 ddi1 dhcpd[4242]: DHCPDISCOVER from 00:00:5e:00:53:01 via eth1 TransID c02c6bb8 uid 01:00:...
//!  DNS    <111>Jul 15 12:34:56 ddi1 named[4242]: 15-Jul-2026 12:34:56.789 client 192.0.2.7#61567: UDP: query: a.example IN A response: NOERROR +
//!  grid   <13>Jul 15 12:34:56 ddi1 monitor[1970]: Type: clusterd, State: Red, Event: A grid daemon failure has occurred.
//! ```
//!
//! Evidence: a time in UTC and a user in brackets behind one of four tags, or the console's group of users; a transaction
//! or duration in a line of dhcpd; a response in a query line of named; a colour in a line of monitor, with a daemon of
//! the grid or the failure of another. The daemons' other lines are those of any host. Its CEF has its reader.
//! (Infoblox, "NIOS Administrator Guide": audit log, syslog message prefixes, capturing DNS queries and responses,
//! processing and software failure traps.)

use super::fields::Fields;
use super::{Message, timestamp};
use crate::decode::reader::Reader;

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    let found = match message.app_name {
        Some(b"serial_console" | b"-serial_console") => {
            audit(message) || message.text.starts_with(b"User group = ")
        }
        Some(b"httpd" | b"sshd") => audit(message),
        Some(b"monitor") => grid(message),
        Some(b"dhcpd") => message.text.starts_with(b"DHCP") && dhcp(message),
        Some(b"named") => {
            let has = |part: &[u8]| memchr::memmem::find(message.text, part).is_some();
            has(b"P: query: ") && has(b" response: ")
        }
        _ => false,
    };
    if found {
        message.vendor = Some("infoblox");
        message.os = Some("nios");
    }
    found
}

/// The header says the time to the second; what the text says of it is a field.
fn audit(message: &mut Message<'_>) -> bool {
    let mut input = Reader::new(message.text);
    let stamped = input
        .take(24)
        .filter(|stamp| stamp.ends_with(b"Z"))
        .filter(|stamp| timestamp::rfc3339(&mut Reader::new(stamp)).is_some());
    let (Some(logged), b" [") = (stamped, input.take(2).unwrap_or_default()) else {
        return false;
    };
    let user = input.take_while(|byte| byte != b']');
    if input.take(3) != Some(b"]: ") {
        return false;
    }
    message.fields = Some(Fields::parts(&["logged", "user"], [logged, user, b"", b""]));
    message.text = input.rest();
    // `Login_Denied - - ` and `Called - `; others are sentences.
    let event = input.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !event.is_empty() && input.take(3) == Some(b" - ") {
        message.event_code = Some(event);
    }
    true
}

/// `Type: clusterd, State: Red, Event: A grid daemon failure has occurred.`: the type is the event's name.
///
/// Any host may have a `monitor` that writes so. What only a grid has is a state that is a colour, beside a daemon of the
/// grid's own or the sentence with which it reports that any daemon failed.
fn grid(message: &mut Message<'_>) -> bool {
    let Some((kind, state, event)) = grid_parts(message.text) else {
        return false;
    };
    let is_colour = matches!(state, b"Green" | b"Yellow" | b"Red");
    let is_grids = matches!(kind, b"clusterd" | b"controld");
    let failed = memchr::memmem::find(event, b" failure has occurred").is_some();
    let found = is_colour && (is_grids || failed);
    if found {
        message.event_code = Some(kind);
        message.fields = Some(Fields::parts(&["type", "state"], [kind, state, b"", b""]));
    }
    found
}

/// Type, state and event; the type is one word.
fn grid_parts(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let mut input = Reader::new(text.strip_prefix(b"Type: ")?);
    let kind = input.take_while(|byte| byte.is_ascii_graphic() && byte != b',');
    let mut input = Reader::new(input.rest().strip_prefix(b", State: ")?);
    let state = input.take_while(|byte| byte.is_ascii_alphanumeric());
    let event = input.rest().strip_prefix(b", Event: ")?;
    (!kind.is_empty()).then_some((kind, state, event))
}

fn dhcp(message: &mut Message<'_>) -> bool {
    const MARKS: [&[u8]; 3] = [b" TransID ", b" lease-duration ", b" offered-duration "];
    let text = message.text;
    let found = MARKS
        .iter()
        .any(|mark| memchr::memmem::find(text, mark).is_some());
    if found {
        let kind = Reader::new(text).take_while(|byte| byte.is_ascii_uppercase());
        message.event_code = Some(kind);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::json;
    use super::super::read;

    #[test]
    fn the_audit_log_names_user_and_event() {
        let message = read(
            b"<13>Jul 15 12:34:56 ddi1 httpd: 2026-07-15 12:34:56.789Z [admin]: Login_Denied - - to=GUI ip=192.0.2.7",
        );
        assert_eq!(
            (message.vendor, message.os),
            (Some("infoblox"), Some("nios"))
        );
        assert_eq!(message.event_code, Some(&b"Login_Denied"[..]));
        assert_eq!(message.text, b"Login_Denied - - to=GUI ip=192.0.2.7");
        assert_eq!(
            json(message.fields.unwrap()),
            r#"{"logged":"2026-07-15 12:34:56.789Z","user":"admin"}"#
        );
    }

    #[test]
    fn daemons_are_told_from_those_of_other_hosts() {
        for (text, vendor, code) in [
            (
                "dhcpd[4242]: DHCPDISCOVER from 00:00:5e:00:53:01 via eth1 TransID c02c6bb8",
                Some("infoblox"),
                Some("DHCPDISCOVER"),
            ),
            (
                "dhcpd[4242]: DHCPDISCOVER from 00:00:5e:00:53:01 via eth1",
                None,
                None,
            ),
            (
                "named[1]: client 192.0.2.7#61567: UDP: query: a.example IN A response: NOERROR +",
                Some("infoblox"),
                None,
            ),
            (
                "named[1]: client 192.0.2.7#61567: query: a.example IN A +",
                None,
                None,
            ),
            ("httpd: 2026-07-15 12:34:56.789Z [admin", None, None),
            (
                "serial_console: 2026-07-15 12:34:56.789Z [root]: Login_Denied - - to=Serial",
                Some("infoblox"),
                Some("Login_Denied"),
            ),
            (
                "-serial_console: User group = admin-group4",
                Some("infoblox"),
                None,
            ),
            ("serial_console: ttyS0 is open", None, None),
            (
                "monitor[7]: Type: controld, State: Green, Event: running",
                Some("infoblox"),
                Some("controld"),
            ),
            (
                "monitor[7]: Type: TFTP, State: Red, Event: A TFTPD daemon failure has occurred",
                Some("infoblox"),
                Some("TFTP"),
            ),
            (
                "monitor[7]: Type: disk, State: OK, Event: 40% used",
                None,
                None,
            ),
            (
                "monitor[7]: Type: disk, State: Red, Event: 99% used",
                None,
                None,
            ),
            (
                "monitor[7]: Type: disk, State: Failed, Event: A disk failure has occurred",
                None,
                None,
            ),
            ("sshd[1]: Accepted password for root", None, None),
        ] {
            let input = format!("<13>Jul 15 12:34:56 ddi1 {text}");
            let message = read(input.as_bytes());
            assert_eq!(message.vendor, vendor, "{text}");
            assert_eq!(message.event_code, code.map(str::as_bytes), "{text}");
        }
    }
}
