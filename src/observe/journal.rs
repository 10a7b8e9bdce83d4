//! Log events as the journal's own entries, each field searchable: `journalctl -u trapline TRAPLINE_LISTENER=syslog-udp`.
//!
//! ```text
//!  tracing event ──▶ EntryForm ──entry──▶ stderr::Lines ──▶ Journal ──one datagram──▶ /run/systemd/journal/socket
//!                                                              └── when that fails ──▶ stderr: <4>message
//!
//!  PRIORITY=4
//!  MESSAGE=spool is full listener=syslog-udp dropped=17
//!  SYSLOG_IDENTIFIER=trapline
//!  TRAPLINE_TARGET=trapline::spool
//!  TRAPLINE_LISTENER=syslog-udp
//!  TRAPLINE_DROPPED=17
//! ```
//!
//! The protocol is systemd's "Native Journal Protocol": lines `NAME=value`, the whole entry one datagram. A value with a
//! line feed would need the protocol's binary form; here control characters are escaped, as in every other form of the
//! log, so there is none. The message says the fields once more, because `journalctl` without options shows it alone.

use std::fmt;
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::log::{Fields, priority, push_escaped};

/// Where the journal listens (systemd-journald.service(8)).
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";

/// What the fields of an entry may take, in bytes; those beyond are in the message alone. Far above any event of ours,
/// and below the 212 992 bytes that a datagram may have by default.
const FIELDS_BYTES_MAX: usize = 32 * 1024;

/// What stands before the message. [`plain`] reads it back.
const PRIORITY: &str = "PRIORITY=";
const MESSAGE: &str = "\nMESSAGE=";

/// Forms an event as an entry.
pub(super) struct EntryForm;

impl<S, N> FormatEvent<S, N> for EntryForm
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut entry = Entry::default();
        event.record(&mut entry);
        let metadata = event.metadata();
        let (message, rest) = (&entry.text.message, &entry.text.rest);
        let priority = priority(*metadata.level());
        writeln!(writer, "{PRIORITY}{priority}{MESSAGE}{message}{rest}")?;
        writeln!(writer, "SYSLOG_IDENTIFIER=trapline")?;
        writeln!(writer, "TRAPLINE_TARGET={}", metadata.target())?;
        writer.write_str(&entry.fields)
    }
}

/// An event's fields, as text for the message and as fields of the entry.
#[derive(Default)]
struct Entry {
    text: Fields,
    fields: String,
}

impl Entry {
    fn push(&mut self, field: &Field, value: &str) {
        let bytes = field.name().len() + value.len();
        if field.name() == "message" || self.fields.len() + bytes > FIELDS_BYTES_MAX {
            return;
        }
        self.fields.push_str("TRAPLINE_");
        self.fields.extend(field.name().chars().map(name_char));
        self.fields.push('=');
        push_escaped(&mut self.fields, value);
        self.fields.push('\n');
    }
}

/// Names are of capital letters, digits and underscores (systemd.journal-fields(7)).
fn name_char(each: char) -> char {
    if each.is_ascii_alphanumeric() {
        each.to_ascii_uppercase()
    } else {
        '_'
    }
}

impl Visit for Entry {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text.record_debug(field, value);
        self.push(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text.record_str(field, value);
        self.push(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.record_str(field, &value.to_string());
    }
}

/// Sends each entry that is written to it; what the journal does not take goes to the fallback as a plain line.
///
/// The socket is looked up for every entry, so that a journal which is restarted is found again.
pub(super) struct Journal<W> {
    socket: Option<UnixDatagram>,
    path: &'static Path,
    fallback: W,
}

impl<W: Write> Journal<W> {
    /// Speaks to [`SOCKET`].
    pub fn new(fallback: W) -> Self {
        Self::at(Path::new(SOCKET), fallback)
    }

    fn at(path: &'static Path, fallback: W) -> Self {
        Journal {
            socket: UnixDatagram::unbound().ok(),
            path,
            fallback,
        }
    }
}

impl<W: Write> Write for Journal<W> {
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        let sent = self
            .socket
            .as_ref()
            .is_some_and(|socket| socket.send_to(entry, self.path).is_ok());
        if !sent {
            self.fallback.write_all(&plain(entry))?;
        }
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.fallback.flush()
    }
}

/// The line `<priority>message` (sd-daemon(3)) of an entry.
fn plain(entry: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(entry);
    let parts = text
        .strip_prefix(PRIORITY)
        .and_then(|text| text.split_once(MESSAGE));
    match parts {
        Some((priority, rest)) => {
            let message = rest.lines().next().unwrap_or_default();
            format!("<{priority}>{message}\n").into_bytes()
        }
        None => entry.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::layer::SubscriberExt;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn entry(event: impl FnOnce()) -> String {
        let captured = Captured::default();
        let writer = captured.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .event_format(EntryForm);
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, event);
        let bytes = captured.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_entry_has_priority_message_and_every_field_by_name() {
        let text = entry(|| {
            tracing::warn!(
                target: "trapline::spool",
                dropped = 17_u64,
                listener = "syslog-udp",
                why = %"no room",
                peer.address = ?std::net::Ipv4Addr::LOCALHOST,
                "spool is full"
            );
        });
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "PRIORITY=4",
                "MESSAGE=spool is full dropped=17 listener=syslog-udp why=no room peer.address=127.0.0.1",
                "SYSLOG_IDENTIFIER=trapline",
                "TRAPLINE_TARGET=trapline::spool",
                "TRAPLINE_DROPPED=17",
                "TRAPLINE_LISTENER=syslog-udp",
                "TRAPLINE_WHY=no room",
                "TRAPLINE_PEER_ADDRESS=127.0.0.1",
            ]
        );
    }

    #[test]
    fn a_strangers_text_cannot_add_a_field() {
        let hostile = "x\nPRIORITY=0\n_UID=0";
        let text = entry(|| tracing::info!(shown = %hostile, plain = hostile, "odd {hostile}"));
        assert_eq!(text.lines().count(), 6, "{text:?}");
        assert!(!text.contains("\n_UID"), "{text:?}");
        assert_eq!(text.matches("\nPRIORITY=").count(), 0, "{text:?}");
    }

    #[test]
    fn fields_beyond_the_limit_are_in_the_message_alone() {
        let long = "y".repeat(FIELDS_BYTES_MAX);
        let text = entry(|| tracing::info!(long, short = 1, "much"));
        assert!(!text.contains("TRAPLINE_LONG"));
        assert!(text.contains("\nTRAPLINE_SHORT=1\n"));
        assert!(text.len() < 2 * FIELDS_BYTES_MAX, "{}", text.len());
    }

    #[test]
    fn an_entry_is_one_datagram_and_a_line_where_nobody_listens() {
        let folder = tempfile::tempdir().unwrap();
        let path: &'static Path = Box::leak(folder.path().join("socket").into_boxed_path());
        let fallback = Captured::default();
        let mut journal = Journal::at(path, fallback.clone());
        let first = entry(|| tracing::error!(n = 1, "first"));
        journal.write_all(first.as_bytes()).unwrap();
        assert_eq!(*fallback.0.lock().unwrap(), b"<3>first n=1\n");

        let there = UnixDatagram::bind(path).unwrap();
        let second = entry(|| tracing::info!(n = 2, "second"));
        journal.write_all(second.as_bytes()).unwrap();
        let mut buffer = [0; 512];
        let bytes = there.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..bytes], second.as_bytes());
        assert_eq!(*fallback.0.lock().unwrap(), b"<3>first n=1\n");
    }
}
