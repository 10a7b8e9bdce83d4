//! What librdkafka tells the client: delivery reports, error events, log lines.
//!
//! ```text
//!  librdkafka ──poll──▶ Context ─┬ delivery ──▶ reports ──swap_reports──▶ Client
//!                                ├ error ─────▶ errors, each once ──take_errors──▶ Client
//!                                └ log ───────▶ the same kind of line once in 30 s ──▶ trapline's log
//! ```
//!
//! In: librdkafka's callbacks. Out: lists that the client takes, and log lines. Nothing is decided here.

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
        Failure::new(self.code)
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
    errors: Mutex<Errors>,
    log: Mutex<Vec<LogKind>>,
}

#[derive(Default)]
struct Errors {
    events: Vec<ErrorEvent>,
    /// The event that rdkafka is about to tell a second time.
    echo: Option<ErrorEvent>,
}

struct LogKind {
    facility: String,
    last: Instant,
    suppressed: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inbox {
    /// Puts the reports that came in since the last call in the place of `reports`, which is empty: the two lists
    /// change places, and neither gives up its memory.
    pub fn swap_reports(&self, reports: &mut Vec<Report>) {
        std::mem::swap(reports, &mut *lock(&self.reports));
    }

    /// Error events since the last call.
    pub fn take_errors(&self) -> Vec<ErrorEvent> {
        std::mem::take(&mut lock(&self.errors).events)
    }

    /// rdkafka 0.39 calls the error callback twice for each event (`Client::poll_event`, then
    /// `BaseProducer::handle_error_event`), one after the other: the second call is its echo.
    fn error(&self, event: ErrorEvent) {
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

    /// Whether a line of this kind may be written at `now`, and how many were held back since the last one.
    fn may_log(&self, facility: &str, now: Instant) -> Option<u64> {
        let mut kinds = lock(&self.log);
        if let Some(kind) = kinds.iter_mut().find(|kind| kind.facility == facility) {
            if now.duration_since(kind.last) < LOG_MUTE {
                kind.suppressed += 1;
                return None;
            }
            kind.last = now;
            return Some(std::mem::take(&mut kind.suppressed));
        }
        if kinds.len() >= LOG_KINDS_MAX {
            return None;
        }
        kinds.push(LogKind {
            facility: facility.to_owned(),
            last: now,
            suppressed: 0,
        });
        Some(0)
    }
}

/// The callbacks. All of them only write into the inbox, or a line of the log.
pub(super) struct Context(pub Arc<Inbox>);

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let Some(suppressed) = self.0.may_log(facility, Instant::now()) else {
            return;
        };
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => {
                tracing::warn!(facility, message, suppressed, "kafka client");
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(facility, message, suppressed, "kafka client");
            }
            RDKafkaLogLevel::Debug => {
                tracing::debug!(facility, message, suppressed, "kafka client");
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
        lock(&self.0.reports).push(Report { opaque, error });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let inbox = Inbox::default();
        let start = Instant::now();
        assert_eq!(inbox.may_log("FAIL", start), Some(0));
        assert_eq!(inbox.may_log("FAIL", start), None);
        assert_eq!(inbox.may_log("ERROR", start), Some(0));
        assert_eq!(inbox.may_log("FAIL", start + LOG_MUTE), Some(1));
    }
}
