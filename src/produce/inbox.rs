//! What librdkafka tells the client: delivery reports, error events, log lines.
//!
//! ```text
//!  librdkafka ──poll──▶ Context ─┬ delivery ──▶ reports ──swap_reports──▶ Client
//!                                ├ error ─────▶ errors, each once ──take_errors──▶ Client
//!                                └ log ───────▶ no noise, each kind of line once in 30 s (Lines) ──▶ trapline's log
//! ```
//!
//! In: librdkafka's callbacks. Out: lists that the client takes, and log lines. Nothing is decided here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{DeliveryResult, ProducerContext};

use super::errors::Failure;

/// The same line of librdkafka's is logged once in this time.
const LOG_MUTE: Duration = Duration::from_secs(30);

/// How many kinds of lines the mute tells apart; librdkafka has some dozens.
const LOG_KINDS_MAX: usize = 64;

/// How many error events are kept between two polls; more of them say nothing new.
const ERRORS_KEPT_MAX: usize = 64;

/// An error event of the client's: about a broker, the cluster or the client itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ErrorEvent {
    pub code: Code,
    pub reason: String,
}

impl ErrorEvent {
    pub fn failure(&self) -> Failure {
        Failure::of_event(self.code, &self.reason)
    }
}

/// A delivery report: the opaque value that the record was handed over with, and what went wrong.
#[derive(Debug, Clone, Copy)]
pub(super) struct Report {
    pub opaque: usize,
    pub error: Option<Code>,
}

/// Where callbacks leave what they were told. They run on the thread that polls, so the locks are never waited for.
#[derive(Default)]
pub(super) struct Inbox {
    reports: Mutex<Vec<Report>>,
    /// How often a callback was told of a report or an error.
    arrivals: AtomicU64,
    errors: Mutex<Errors>,
    lines: Arc<Lines>,
}

/// The mute of librdkafka's lines. One client hands it to the next: of clients that end one after another, each for the same
/// reason, that reason is not logged each time.
#[derive(Default)]
pub(super) struct Lines(Mutex<Vec<LogKind>>);

#[derive(Default)]
struct Errors {
    events: Vec<ErrorEvent>,
    /// The event that rdkafka is about to tell a second time.
    echo: Option<ErrorEvent>,
}

struct LogKind {
    name: String,
    last: Instant,
    suppressed: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inbox {
    /// An empty one that goes on with the mute of the client before.
    pub fn new(lines: &Arc<Lines>) -> Inbox {
        Inbox {
            lines: Arc::clone(lines),
            ..Inbox::default()
        }
    }

    /// Puts the reports that came in since the last call in the place of `reports`, which is empty: the two lists
    /// change places, and neither gives up its memory.
    pub fn swap_reports(&self, reports: &mut Vec<Report>) {
        std::mem::swap(reports, &mut *lock(&self.reports));
    }

    /// Grows with every report and error, so that whoever polls sees whether there was one.
    pub fn arrivals(&self) -> u64 {
        self.arrivals.load(Ordering::Relaxed)
    }

    /// Error events since the last call.
    pub fn take_errors(&self) -> Vec<ErrorEvent> {
        std::mem::take(&mut lock(&self.errors).events)
    }

    /// rdkafka 0.39 calls the error callback twice for each event (`Client::poll_event`, then
    /// `BaseProducer::handle_error_event`), one after the other: the second call is its echo.
    fn error(&self, event: ErrorEvent) {
        self.arrivals.fetch_add(1, Ordering::Relaxed);
        let mut errors = lock(&self.errors);
        if errors.echo.as_ref() == Some(&event) {
            errors.echo = None;
            return;
        }
        errors.echo = Some(event.clone());
        if errors.events.len() < ERRORS_KEPT_MAX {
            errors.events.push(event);
        }
    }
}

impl Lines {
    /// Whether a line of this kind may be written at `now`, and how many were held back since the last one.
    fn may_log(&self, kind: &str, now: Instant) -> Option<u64> {
        let mut kinds = lock(&self.0);
        if let Some(known) = kinds.iter_mut().find(|known| known.name == kind) {
            if now.duration_since(known.last) < LOG_MUTE {
                known.suppressed += 1;
                return None;
            }
            known.last = now;
            return Some(std::mem::take(&mut known.suppressed));
        }
        if kinds.len() >= LOG_KINDS_MAX {
            return None;
        }
        kinds.push(LogKind {
            name: kind.to_owned(),
            last: now,
            suppressed: 0,
        });
        Some(0)
    }
}

/// The facility of librdkafka's warnings about properties.
const CONFWARN: &str = "CONFWARN";

/// Whether a line says nothing to anybody: each client begins with the warning that `enable.gapless.guarantee` is
/// experimental. It is set on purpose and cannot be changed in the configuration.
fn is_noise(facility: &str, text: &str) -> bool {
    facility == CONFWARN && text.contains("enable.gapless.guarantee")
}

/// What the mute takes for the same line. A facility is one kind of event, but for the warnings about properties: they
/// come all at once, and each is about another property.
fn kind<'a>(facility: &'a str, text: &'a str) -> &'a str {
    if facility == CONFWARN { text } else { facility }
}

/// The callbacks. All of them only write into the inbox, or a line of the log.
pub(super) struct Context(pub Arc<Inbox>);

impl ClientContext for Context {
    // The field is not called `message`: that is the name of the log line's own words.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        if is_noise(facility, text) {
            return;
        }
        let Some(suppressed) = self.0.lines.may_log(kind(facility, text), Instant::now()) else {
            return;
        };
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => {
                tracing::warn!(facility, text, suppressed, "kafka client");
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(facility, text, suppressed, "kafka client");
            }
            RDKafkaLogLevel::Debug => {
                tracing::debug!(facility, text, suppressed, "kafka client");
            }
        }
    }

    // Statistics are off unless asked for in the options; then they must not cost a parse.
    fn stats_raw(&self, _: &[u8]) {}

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(ErrorEvent {
            code: error.rdkafka_error_code().unwrap_or(Code::Fail),
            reason: reason.to_owned(),
        });
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: usize) {
        let error = result
            .as_ref()
            .err()
            .map(|(error, _)| error.rdkafka_error_code().unwrap_or(Code::Fail));
        self.0.arrivals.fetch_add(1, Ordering::Relaxed);
        lock(&self.0.reports).push(Report { opaque, error });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::produce::logged::logged;

    #[test]
    fn a_line_of_librdkafkas_has_each_key_once() {
        for level in [
            RDKafkaLogLevel::Error,
            RDKafkaLogLevel::Warning,
            RDKafkaLogLevel::Info,
        ] {
            let lines = logged(|| Context(Arc::default()).log(level, "FAIL", "refused"));
            assert_eq!(lines.len(), 1, "{lines:?}");
            assert_eq!(lines[0].matches("\"message\":").count(), 1, "{lines:?}");
            assert!(lines[0].contains("\"text\":\"refused\""), "{lines:?}");
        }
    }

    #[test]
    fn of_the_warnings_about_properties_only_that_about_the_gapless_guarantee_is_dropped() {
        let context = Context(Arc::default());
        let warn = |text| context.log(RDKafkaLogLevel::Warning, "CONFWARN", text);
        let lines = logged(|| {
            warn("Configuration property enable.gapless.guarantee is experimental: ...");
            warn("Configuration property group.id is a consumer property and will be ignored");
            warn("Configuration property `sasl.mechanism` set to `PLAIN` but ...");
        });
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].contains("group.id"), "{lines:?}");
        assert!(lines[1].contains("sasl.mechanism"), "{lines:?}");
    }

    #[test]
    fn an_error_that_is_told_twice_counts_once() {
        let inbox = Inbox::default();
        let event = |code, reason: &str| ErrorEvent {
            code,
            reason: reason.to_owned(),
        };
        for _ in 0..2 {
            inbox.error(event(Code::Resolve, "a"));
            inbox.error(event(Code::Resolve, "a"));
        }
        inbox.error(event(Code::Fatal, "b"));
        inbox.error(event(Code::Fatal, "b"));
        let events = lock(&inbox.errors).events.clone();
        assert_eq!(events.len(), 3, "{events:?}");
    }

    #[test]
    fn the_same_kind_of_line_is_logged_once_in_its_time_and_says_how_many_were_held_back() {
        let lines = Lines::default();
        let start = Instant::now();
        assert_eq!(lines.may_log("FAIL", start), Some(0));
        assert_eq!(lines.may_log("FAIL", start), None);
        assert_eq!(lines.may_log("ERROR", start), Some(0));
        assert_eq!(lines.may_log("FAIL", start + LOG_MUTE), Some(1));
    }

    #[test]
    fn the_next_client_does_not_repeat_the_lines_of_the_one_before() {
        let shared = Arc::default();
        let lines = logged(|| {
            for _ in 0..10 {
                let context = Context(Arc::new(Inbox::new(&shared)));
                context.log(RDKafkaLogLevel::Critical, "FATAL", "refused");
            }
        });
        assert_eq!(lines.len(), 1, "{lines:?}");
    }
}
