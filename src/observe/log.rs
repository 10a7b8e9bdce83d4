//! Logs on standard error, in the form that the reader there expects.
//!
//! ```text
//!  tracing event ──▶ EnvFilter (reloadable) ──▶ one of four forms ──▶ stderr::Lines
//!
//!  text      2026-11-21T02:14:07.131Z WARN  spool is full listener=syslog-udp dropped=17
//!  json      {"timestamp":"2026-11-21T02:14:07.131842Z","level":"WARN","message":"spool is full","dropped":17,"target":"trapline::spool"}
//!  journald  <4>spool is full listener=syslog-udp dropped=17        (sd-daemon(3); the journal adds the time)
//!  journal   the same message, and each field by its name: see `journal`
//! ```
//!
//! A line is always one line: control characters in fields are escaped, so that no text of a stranger can forge a line
//! or move a terminal's cursor.

use std::fmt;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::str::FromStr;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use super::journal::{self, EntryForm, Journal};
use super::stderr::Lines;

/// What is logged, and in which form.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// Which events are let through.
    pub filter: Filter,
    /// The form of a line.
    pub format: Format,
}

/// The form of a line.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// `journald` when standard error goes to the journal, `text` on a terminal, `json` otherwise.
    #[default]
    Auto,
    /// Short lines for people.
    Text,
    /// One JSON object a line.
    Json,
    /// Entries with fields where standard error goes to the journal and its socket is there; elsewhere short lines with
    /// the priority in front that the journal understands (sd-daemon(3)).
    Journald,
}

/// Which events are let through: a level for trapline's own (`info`), or directives (`trapline::produce=debug`), which
/// are added to `warn` for everybody and `info` for trapline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(String);

impl Default for Filter {
    fn default() -> Self {
        Filter::at(Level::INFO)
    }
}

impl Filter {
    /// trapline at `level`, everything else at `warn`.
    pub fn at(level: Level) -> Self {
        Filter(format!("warn,trapline={}", level.as_str().to_lowercase()))
    }

    fn env_filter(&self) -> Result<EnvFilter, LogError> {
        let parsed = EnvFilter::builder().parse(&self.0);
        parsed.map_err(|error| LogError::Filter {
            text: self.0.clone(),
            why: error.to_string(),
        })
    }
}

impl FromStr for Filter {
    type Err = LogError;

    /// Reads `error`, `warn`, `info`, `debug`, `trace`, or directives `target=level` separated by commas.
    ///
    /// A lone word that is no level is refused: the filter's own grammar would take a mistyped `inof` for the name of a
    /// module, and the log would be silent.
    fn from_str(text: &str) -> Result<Self, LogError> {
        let text = text.trim();
        let word = matches!(text, "error" | "warn" | "info" | "debug" | "trace");
        if let (true, Ok(level)) = (word, text.parse()) {
            return Ok(Filter::at(level));
        }
        if let Some(odd) = text.split(',').find(|part| !part.contains('=')) {
            return Err(LogError::Filter {
                text: text.to_owned(),
                why: format!("{odd:?} is neither a level nor target=level"),
            });
        }
        let filter = Filter(format!("warn,trapline=info,{text}"));
        filter.env_filter()?;
        Ok(filter)
    }
}

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is not understood.
    #[error(
        "log level {text:?} is not understood: {why}; expected error, warn, info, debug, trace, or target=level directives"
    )]
    Filter {
        /// What was configured.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// The thread that writes could not be started.
    #[error(
        "the log's thread could not be started: {0}; raise the limit on processes (ulimit -u, TasksMax=)"
    )]
    Thread(#[source] io::Error),
    /// Another subscriber was installed before.
    #[error("the log is set up already; it can be set up once a process")]
    AlreadyInstalled,
    /// The subscriber is gone, so its filter cannot be changed.
    #[error("the log's filter could not be changed: {0}")]
    Reload(String),
}

/// The running log. Dropping it writes out what waits.
#[derive(Debug)]
pub struct Handle {
    filter: reload::Handle<EnvFilter, Registry>,
    lines: Lines,
}

impl Handle {
    /// Changes what is let through, from the next event on.
    ///
    /// # Errors
    /// [`LogError::Filter`], [`LogError::Reload`]; the old filter then stays.
    pub fn set_filter(&self, filter: &Filter) -> Result<(), LogError> {
        let filter = filter.env_filter()?;
        let reloaded = self.filter.reload(filter);
        reloaded.map_err(|error| LogError::Reload(error.to_string()))
    }

    /// Lines dropped since the start because standard error did not keep up.
    pub fn lines_dropped(&self) -> u64 {
        self.lines.dropped()
    }

    /// Waits until the lines so far are written, at most [`super::stderr::FLUSH_WAIT`].
    pub fn flush(&self) {
        self.lines.flush();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.lines.flush();
    }
}

/// Sets up the log of this process. Once.
///
/// # Errors
/// See [`LogError`]. Nothing is logged then.
pub fn init(config: &Config) -> Result<Handle, LogError> {
    let filter = config.filter.env_filter()?;
    let form = form(config.format, &Surroundings::look());
    let lines = match form {
        Form::Journal => Lines::start(Journal::new(io::stderr())),
        _ => Lines::start(io::stderr()),
    };
    let lines = lines.map_err(LogError::Thread)?;
    let (subscriber, filter) = subscriber(filter, form, lines.clone());
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::AlreadyInstalled)?;
    Ok(Handle { filter, lines })
}

/// What standard error is connected to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Surroundings {
    is_terminal: bool,
    /// Device and inode of standard error.
    stderr: Option<(u64, u64)>,
    /// `$JOURNAL_STREAM`: `device:inode` of the stream to the journal that systemd connected.
    journal_stream: Option<String>,
    /// Whether the journal's own socket is there.
    has_journal_socket: bool,
    /// `$NO_COLOR` (no-color.org).
    no_color: bool,
}

impl Surroundings {
    fn look() -> Self {
        let stderr = io::stderr();
        let metadata = stderr
            .as_fd()
            .try_clone_to_owned()
            .and_then(|descriptor| std::fs::File::from(descriptor).metadata());
        Surroundings {
            is_terminal: stderr.is_terminal(),
            stderr: metadata.ok().map(|it| (it.dev(), it.ino())),
            journal_stream: std::env::var("JOURNAL_STREAM").ok(),
            has_journal_socket: Path::new(journal::SOCKET).exists(),
            no_color: std::env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty()),
        }
    }

    /// Whether standard error goes to the journal (systemd.exec(5), `$JOURNAL_STREAM`): a variable that was inherited
    /// by a process whose output was redirected does not match.
    fn is_journal(&self) -> bool {
        let stream = self
            .journal_stream
            .as_deref()
            .and_then(|it| it.split_once(':'));
        let numbers = stream.and_then(|(device, inode)| {
            let device: u64 = device.parse().ok()?;
            let inode: u64 = inode.parse().ok()?;
            Some((device, inode))
        });
        numbers.is_some() && numbers == self.stderr
    }
}

/// The form of a line, decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text {
        colour: bool,
    },
    Json,
    /// Lines with the priority in front.
    Journald,
    /// Entries with fields, to the journal's own socket.
    Journal,
}

fn form(format: Format, around: &Surroundings) -> Form {
    let text = Form::Text {
        colour: around.is_terminal && !around.no_color,
    };
    match format {
        Format::Text => text,
        Format::Json => Form::Json,
        Format::Journald | Format::Auto if around.is_journal() && around.has_journal_socket => {
            Form::Journal
        }
        Format::Journald => Form::Journald,
        Format::Auto if around.is_journal() => Form::Journald,
        Format::Auto if around.is_terminal => text,
        Format::Auto => Form::Json,
    }
}

fn subscriber<W>(
    filter: EnvFilter,
    form: Form,
    writer: W,
) -> (
    impl Subscriber + Send + Sync,
    reload::Handle<EnvFilter, Registry>,
)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    let layer: Box<dyn Layer<_> + Send + Sync> = match form {
        Form::Json => Box::new(
            layer
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false)
                .with_ansi(false),
        ),
        Form::Text { colour } => Box::new(layer.with_ansi(colour).event_format(TextLine)),
        Form::Journald => Box::new(layer.with_ansi(false).event_format(JournalLine)),
        Form::Journal => Box::new(layer.with_ansi(false).event_format(EntryForm)),
    };
    (Registry::default().with(filter).with(layer), handle)
}

/// `time LEVEL message field=value ...`
struct TextLine;

impl<S, N> FormatEvent<S, N> for TextLine
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
        let level = *event.metadata().level();
        write!(writer, "{:.3} ", jiff::Timestamp::now())?;
        if writer.has_ansi_escapes() {
            write!(writer, "\x1b[{}m{level:<5}\x1b[0m ", colour(level))?;
        } else {
            write!(writer, "{level:<5} ")?;
        }
        write_fields(&mut writer, event)
    }
}

/// `<priority>message field=value ...`
struct JournalLine;

impl<S, N> FormatEvent<S, N> for JournalLine
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
        write!(writer, "<{}>", priority(*event.metadata().level()))?;
        write_fields(&mut writer, event)
    }
}

/// The syslog severity that stands for a level (RFC 5424 section 6.2.1; sd-daemon(3)).
pub(super) fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

/// The SGR code of a level (ECMA-48): red, yellow, green, blue, faint.
fn colour(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 2,
    }
}

fn write_fields(writer: &mut Writer<'_>, event: &Event<'_>) -> fmt::Result {
    let mut fields = Fields::default();
    event.record(&mut fields);
    writer.write_str(&fields.message)?;
    writer.write_str(&fields.rest)?;
    writer.write_char('\n')
}

/// An event's message, and its other fields as ` name=value`, with control characters escaped.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub message: String,
    pub rest: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            push_escaped(&mut self.message, &format!("{value:?}"));
        } else {
            self.rest.push(' ');
            self.rest.push_str(field.name());
            self.rest.push('=');
            push_escaped(&mut self.rest, &format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        // Text with blanks is quoted, so that the end of a value can be seen.
        if value.is_empty() || value.contains([' ', '"', '=']) {
            self.record_debug(field, &value);
        } else {
            self.record_debug(field, &format_args!("{value}"));
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.record_str(field, &value.to_string());
    }
}

/// Control characters become `\u{..}`, also the C1 set and the line separators, which some terminals obey.
pub(super) fn push_escaped(out: &mut String, text: &str) {
    for each in text.chars() {
        if each.is_control() || matches!(each, '\u{2028}' | '\u{2029}') {
            out.extend(each.escape_default());
        } else {
            out.push(each);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Captured {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().expect("not poisoned").clone()).expect("UTF-8")
        }
    }

    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("not poisoned").extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str, form: Form, events: impl FnOnce()) -> String {
        let captured = Captured::default();
        let writer = captured.clone();
        let filter: Filter = filter.parse().expect("a filter");
        let filter = filter.env_filter().expect("a filter");
        let (subscriber, _handle) = subscriber(filter, form, move || writer.clone());
        tracing::subscriber::with_default(subscriber, events);
        captured.text()
    }

    #[test]
    fn a_json_line_is_one_flat_object() {
        let text = logged("info", Form::Json, || {
            tracing::warn!(
                target: "trapline::spool",
                dropped = 17_u64,
                topic = "net.syslog",
                why = %"two\nlines \u{1b}[31m",
                "spool is full"
            );
        });
        let mut lines = text.lines();
        let line: serde_json::Value =
            serde_json::from_str(lines.next().expect("a line")).expect("JSON");
        assert_eq!(lines.next(), None);
        let object = line.as_object().expect("an object");
        let stamp = object["timestamp"].as_str().expect("a time");
        assert!(stamp.ends_with('Z'), "{stamp}");
        stamp.parse::<jiff::Timestamp>().expect("RFC 3339");
        assert_eq!(object["level"], "WARN");
        assert_eq!(object["target"], "trapline::spool");
        assert_eq!(object["message"], "spool is full");
        assert_eq!(object["dropped"], 17);
        assert_eq!(object["topic"], "net.syslog");
        assert_eq!(object["why"], "two\nlines \u{1b}[31m");
        assert_eq!(object.len(), 7, "{object:?}");
    }

    #[test]
    fn a_text_line_has_time_level_message_and_fields() {
        let text = logged("info", Form::Text { colour: false }, || {
            tracing::info!(target: "trapline", address = %"127.0.0.1:9514", "status page");
        });
        let (stamp, rest) = text.split_once(' ').expect("a time");
        stamp.parse::<jiff::Timestamp>().expect("RFC 3339");
        assert_eq!(rest, "INFO  status page address=127.0.0.1:9514\n");
    }

    #[test]
    fn colour_stands_around_the_level_alone() {
        let text = logged("info", Form::Text { colour: true }, || {
            tracing::error!(target: "trapline", n = 1, "broken");
        });
        assert!(
            text.ends_with(" \u{1b}[31mERROR\u{1b}[0m broken n=1\n"),
            "{text:?}"
        );
    }

    #[test]
    fn a_strangers_text_cannot_forge_a_line_or_move_the_cursor() {
        for form in [Form::Text { colour: false }, Form::Journald] {
            let text = logged("info", form, || {
                let hostile = "x\n<0>forged \u{1b}[2J \u{9b}31m \u{2028}";
                tracing::warn!(target: "trapline", shown = %hostile, plain = hostile, "odd {hostile}");
            });
            assert_eq!(text.matches('\n').count(), 1, "{text:?}");
            assert!(text.ends_with('\n'), "{text:?}");
            let odd = |each: char| each != '\n' && (each.is_control() || each == '\u{2028}');
            assert!(!text.contains(odd), "{text:?}");
        }
    }

    #[test]
    fn the_journal_sees_priorities() {
        let text = logged("trace", Form::Journald, || {
            tracing::error!(target: "trapline", "e");
            tracing::warn!(target: "trapline", "w");
            tracing::info!(target: "trapline", "i");
            tracing::debug!(target: "trapline", "d");
            tracing::trace!(target: "trapline", "t");
        });
        assert_eq!(text, "<3>e\n<4>w\n<6>i\n<7>d\n<7>t\n");
    }

    #[test]
    fn the_level_is_for_trapline_and_others_speak_from_warn_on() {
        let text = logged("debug", Form::Journald, || {
            tracing::debug!(target: "trapline::spool", "ours");
            tracing::info!(target: "rustls::conn", "too quiet");
            tracing::warn!(target: "rustls::conn", "theirs");
        });
        assert_eq!(text, "<7>ours\n<4>theirs\n");
        let text = logged("trapline::produce=debug", Form::Journald, || {
            tracing::debug!(target: "trapline::produce", "ours");
            tracing::debug!(target: "trapline::spool", "too quiet");
            tracing::info!(target: "trapline::spool", "usual");
        });
        assert_eq!(text, "<7>ours\n<6>usual\n");
    }

    #[test]
    fn a_mistyped_level_is_refused_rather_than_taken_for_a_module() {
        for text in ["inof", "", "INFO", "warn,inof", "trapline=loud", "info,"] {
            let error = text.parse::<Filter>().expect_err(text).to_string();
            assert!(error.contains("expected error, warn, info"), "{error}");
        }
    }

    #[test]
    fn a_new_filter_holds_from_the_next_event_on() {
        let captured = Captured::default();
        let writer = captured.clone();
        let filter = Filter::at(Level::WARN).env_filter().expect("a filter");
        let (subscriber, handle) = subscriber(filter, Form::Journald, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(target: "trapline", "before");
            let debug = Filter::at(Level::DEBUG).env_filter().expect("a filter");
            handle.reload(debug).expect("the subscriber lives");
            tracing::debug!(target: "trapline", "after");
        });
        assert_eq!(captured.text(), "<7>after\n");
    }

    #[test]
    fn auto_follows_what_standard_error_is_connected_to() {
        let journal = Surroundings {
            stderr: Some((8, 4711)),
            journal_stream: Some("8:4711".into()),
            ..Default::default()
        };
        let with_socket = Surroundings {
            has_journal_socket: true,
            ..journal.clone()
        };
        let redirected = Surroundings {
            stderr: Some((8, 9)),
            ..with_socket.clone()
        };
        let garbled = Surroundings {
            stderr: None,
            journal_stream: Some("x:y".into()),
            ..Default::default()
        };
        let terminal = Surroundings {
            is_terminal: true,
            ..Default::default()
        };
        let plain = Surroundings {
            no_color: true,
            ..terminal.clone()
        };
        let table = [
            (Format::Auto, &journal, Form::Journald),
            (Format::Auto, &with_socket, Form::Journal),
            (Format::Journald, &with_socket, Form::Journal),
            (Format::Text, &with_socket, Form::Text { colour: false }),
            (Format::Journald, &redirected, Form::Journald),
            (Format::Auto, &redirected, Form::Json),
            (Format::Auto, &garbled, Form::Json),
            (Format::Auto, &terminal, Form::Text { colour: true }),
            (Format::Auto, &plain, Form::Text { colour: false }),
            (Format::Json, &terminal, Form::Json),
            (Format::Text, &journal, Form::Text { colour: false }),
            (Format::Journald, &terminal, Form::Journald),
        ];
        for (format, around, expected) in table {
            assert_eq!(form(format, around), expected, "{format:?} {around:?}");
        }
    }

    #[test]
    fn standard_error_has_a_device_and_an_inode() {
        assert!(Surroundings::look().stderr.is_some());
    }
}
