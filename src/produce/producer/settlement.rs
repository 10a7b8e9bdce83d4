//! Delivery reports, applied: what the broker has leaves the spool, what it refuses is kept or given up.
//!
//! ```text
//!  Settled ──▶ lane.reported ─┬ acknowledged ──▶ sorted into ranges ──▶ spool.acknowledge
//!                             ├ kept ──────────▶ counted; the lane goes back later
//!                             └ given up ──────▶ spool.give_up: set aside, or lost; counted, told in the log
//! ```
//!
//! In: the reports of the last poll. Out: calls of the spool, counts, log lines.

use super::{Producer, at_disk};
use crate::produce::client::Settled;
use crate::produce::errors::{Failure, Treatment};
use crate::produce::lane::Verdict;
use crate::record::{LaneId, Number};
use crate::spool::GivenUp;
use crate::time::UnixMicros;

/// How many given-up records are told in full in one [`GIVE_UP_LOG_MS`]. Somebody has to look at each, so each should
/// be told; but a device that makes them must not fill the log. All are counted.
const GIVE_UP_LINES_MAX: u64 = 20;
const GIVE_UP_LOG_MS: u64 = 60_000;

/// Counts the lines of one window of time.
#[derive(Default)]
pub(super) struct GiveUpLog {
    window_end_ms: u64,
    lines: u64,
    suppressed: u64,
}

impl GiveUpLog {
    /// Whether a line may be written, and how many were not since the last one.
    fn may_log(&mut self, now_ms: u64) -> Option<u64> {
        if now_ms >= self.window_end_ms {
            self.window_end_ms = now_ms + GIVE_UP_LOG_MS;
            self.lines = 0;
        }
        if self.lines >= GIVE_UP_LINES_MAX {
            self.suppressed += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

impl Producer {
    /// Takes in the reports that the last poll brought.
    pub(super) fn apply(&mut self) {
        let mut settled = std::mem::take(&mut self.settled);
        for record in settled.drain(..) {
            let Some(topic) = self.topics.get_mut(usize::from(record.lane.0)) else {
                continue;
            };
            let result = record.result.map_err(|failure| failure.row);
            let verdict = topic.lane.reported(record.number, result);
            match record.result {
                Ok(()) => topic.acknowledged.push(record.number),
                Err(failure) => {
                    if failure.row.treatment == Treatment::Poison {
                        self.has_refused = true;
                        self.connected();
                    }
                    self.failed(&record, failure, verdict);
                }
            }
        }
        self.settled = settled;
    }

    pub(super) fn failed(&mut self, record: &Settled, failure: Failure, verdict: Verdict) {
        *self.errors.entry(failure.row.name).or_default() += 1;
        if failure.row.treatment == Treatment::NewProducer {
            self.must_replace = Some(failure);
        }
        if verdict != Verdict::GiveUp {
            return;
        }
        self.given_up += 1;
        let reason = format!("{}: {}", failure.row.name, failure.row.words);
        let (number, now) = (Number(record.number), UnixMicros::now());
        let given_up = at_disk(&self.heartbeat, || {
            self.spool.give_up(record.lane, number, &reason, now)
        });
        self.tell_given_up(record, failure, &given_up);
    }

    fn tell_given_up(&mut self, record: &Settled, failure: Failure, given_up: &GivenUp) {
        let now_ms = self.now_ms();
        let Some(suppressed) = self.give_up_log.may_log(now_ms) else {
            return;
        };
        let became = match given_up {
            GivenUp::SetAside => {
                "set aside: see trapline spool cat --dead-letters, and trapline spool requeue"
                    .to_owned()
            }
            GivenUp::Lost(why) => format!("lost: {why}"),
            GivenUp::Settled => "was settled before".to_owned(),
        };
        tracing::error!(
            topic = self.topic_name(record.lane),
            number = record.number,
            payload_bytes = record.bytes,
            error = failure.row.name,
            what = failure.row.words,
            became,
            suppressed,
            "record given up, the broker will never take it"
        );
    }

    fn topic_name(&self, lane: LaneId) -> &str {
        let name = self.config.topics.get(usize::from(lane.0));
        name.map_or("", String::as_str)
    }

    /// Tells the spool what the broker has, in as few ranges as possible: the reports of several partitions, each of
    /// them with gaps, add up to whole ranges.
    pub(super) fn acknowledge(&mut self) {
        let now_ms = self.now_ms();
        let mut any = false;
        for (index, topic) in self.topics.iter_mut().enumerate() {
            let Ok(lane) = u16::try_from(index).map(LaneId) else {
                return;
            };
            if topic.lane.in_flight() == 0 || !topic.acknowledged.is_empty() {
                topic.progress_ms = now_ms;
            }
            any |= !topic.acknowledged.is_empty();
            topic.acknowledged.sort_unstable();
            for run in topic
                .acknowledged
                .chunk_by(|before, number| before + 1 == *number)
            {
                if let (Some(first), Some(last)) = (run.first(), run.last()) {
                    self.spool.acknowledge(lane, *first..last + 1);
                }
            }
            topic.acknowledged.clear();
        }
        if any {
            self.reopen_failures = 0;
            self.connected();
        }
    }
}
