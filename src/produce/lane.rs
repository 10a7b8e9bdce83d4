//! One topic's way through the Kafka client: when to send how much, and what a delivery report means.
//!
//! ```text
//!            ack, nothing suspect           any failure
//!   Probing ─────────────────────▶ Open ─────────────────▶ (drain: nothing more is sent,
//!    ▲  ▲  └─ one record at a time  └─ as the window allows   until every report is in)
//!    │  │                                                        │ rewind
//!    │  └── until_ms is over ── Waiting ◀── topic or broker ─────┤
//!    └──────────────────────────────────── one of a batch ───────┘
//! ```
//!
//! In: what was handed to the client, delivery reports, the time, randomness. Out: how much may be sent, whether to
//! acknowledge, keep or give up a record, and when the spool has to go back. No clock, no Kafka.
//!
//! Order holds because of two rules. Nothing of a lane is sent between a failure and the end of the last record in
//! flight; and what is sent then begins at the lowest record that is not settled. (What is in flight behind the failed
//! record cannot overtake it in its partition: the broker checks the producer's sequence numbers.)

use super::errors::{Row, Treatment};

/// How long to wait before something is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure, in milliseconds.
    pub first_ms: u64,
    /// At most, in milliseconds.
    pub max_ms: u64,
}

impl Backoff {
    /// The default: 1 s is soon enough for a restarted broker; 30 s keeps repeats rare where somebody has to act.
    pub const DEFAULT: Backoff = Backoff {
        first_ms: 1_000,
        max_ms: 30_000,
    };

    /// The pause after `failures` failures in a row: doubled each time, and between 75 % and 100 % of that, so that
    /// many agents do not come back in the same instant. `jitter` is any random number.
    pub fn delay_ms(self, failures: u32, jitter: u32) -> u64 {
        let doublings = failures.saturating_sub(1).min(20);
        let full = self
            .first_ms
            .saturating_mul(1 << doublings)
            .min(self.max_ms);
        full - full / 4 * u64::from(jitter % 1000) / 1000
    }
}

/// How a lane sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// As much as the window allows.
    Open,
    /// One record at a time: at first contact, after a failure, and over a range that holds a record which the broker
    /// refuses.
    Probing,
    /// Not at all, until this time in milliseconds of the caller's clock; then it probes.
    Waiting {
        /// When it probes.
        until_ms: u64,
    },
}

/// How much may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// Nothing.
    Nothing,
    /// One record.
    One,
    /// As much as the window allows.
    Many,
}

/// What to do with a record after its report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The broker has it.
    Acknowledge,
    /// It stays in the spool and is sent again.
    Keep,
    /// The broker will never take it.
    GiveUp,
}

/// Why a lane has to go back. The later variants say more than the earlier ones and win over them.
#[derive(Debug, Clone, Copy)]
enum Failure {
    /// Nothing is wrong with this lane: again, at once.
    Again,
    /// A record of the batch is refused; it is not known which.
    Suspect,
    /// Something is wrong: again, after a pause.
    Pause(&'static Row),
}

/// One topic's state.
#[derive(Debug)]
pub struct Lane {
    mode: Mode,
    in_flight: u64,
    failure: Option<Failure>,
    /// One past the highest number of the range that is sent one by one; 0 when nothing is suspect.
    suspect_end: u64,
    /// Failures in a row.
    failures: u32,
    /// What the last failure was, until the lane is over it.
    why: Option<&'static Row>,
    /// One past the highest number that was ever handed over.
    handed_end: u64,
    /// Whether fresh metadata was asked for since the lane began to wait.
    asked: bool,
}

impl Default for Lane {
    fn default() -> Self {
        Lane {
            mode: Mode::Probing,
            in_flight: 0,
            failure: None,
            suspect_end: 0,
            failures: 0,
            why: None,
            handed_end: 0,
            asked: false,
        }
    }
}

impl Lane {
    /// How it sends.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Records handed to the client and not reported.
    pub fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// What the last failure was, until the lane is over it.
    pub fn why(&self) -> Option<&'static Row> {
        self.why
    }

    /// Whether it goes through a range one by one in search of a record that the broker refuses.
    pub fn is_searching(&self) -> bool {
        self.suspect_end > 0 && self.mode == Mode::Probing
    }

    /// How much may be sent at `now_ms`. A wait that is over turns into probing.
    pub fn feed(&mut self, now_ms: u64) -> Feed {
        if self.failure.is_some() {
            return Feed::Nothing;
        }
        if let Mode::Waiting { until_ms } = self.mode
            && until_ms <= now_ms
        {
            self.mode = Mode::Probing;
        }
        match self.mode {
            Mode::Open => Feed::Many,
            Mode::Probing if self.in_flight == 0 => Feed::One,
            Mode::Probing | Mode::Waiting { .. } => Feed::Nothing,
        }
    }

    /// Whether the topic's metadata should be asked for now: once a wait, a second before it ends, so that the answer
    /// is there when the record is tried.
    pub fn wants_metadata(&mut self, now_ms: u64) -> bool {
        let soon = matches!(self.mode, Mode::Waiting { until_ms } if until_ms <= now_ms.saturating_add(1_000));
        soon && !std::mem::replace(&mut self.asked, true)
    }

    /// `number` was handed to the client. Returns whether it had been handed over before.
    pub fn handed(&mut self, number: u64) -> bool {
        self.in_flight += 1;
        let repeated = number < self.handed_end;
        self.handed_end = self.handed_end.max(number + 1);
        repeated
    }

    /// The client did not even take `number`. It is not in flight.
    pub fn refused(&mut self, number: u64, row: &'static Row) -> Verdict {
        // Here it is certain which record is meant, and nothing that was sent is disturbed.
        if row.treatment == Treatment::Poison {
            return self.give_up(number);
        }
        self.fail(number, row)
    }

    /// A delivery report.
    pub fn reported(&mut self, number: u64, result: Result<(), &'static Row>) -> Verdict {
        self.in_flight = self.in_flight.saturating_sub(1);
        match result {
            Ok(()) => self.acknowledged(number),
            // A probing lane has one record in flight: it was alone in its batch, so it is the culprit.
            Err(row) if row.treatment == Treatment::Poison && self.mode == Mode::Probing => {
                self.why = Some(row);
                self.give_up(number)
            }
            Err(row) => self.fail(number, row),
        }
    }

    /// The producer is gone, and with it all that was in flight.
    pub fn producer_gone(&mut self) {
        self.in_flight = 0;
        self.failure.get_or_insert(Failure::Again);
    }

    /// To be called when reports have been taken in. Returns true when the spool has to rewind the lane now.
    pub fn must_rewind(&mut self, now_ms: u64, backoff: Backoff, jitter: u32) -> bool {
        if self.in_flight > 0 {
            return false;
        }
        let Some(failure) = self.failure.take() else {
            return false;
        };
        match (failure, self.mode) {
            (Failure::Pause(row), _) => {
                self.failures = self.failures.saturating_add(1);
                self.why = Some(row);
                self.asked = false;
                let until_ms = now_ms.saturating_add(backoff.delay_ms(self.failures, jitter));
                self.mode = Mode::Waiting { until_ms };
            }
            // A wait is not cut short by the end of a producer.
            (Failure::Again, Mode::Waiting { .. }) => {}
            (Failure::Again | Failure::Suspect, _) => self.mode = Mode::Probing,
        }
        true
    }

    fn acknowledged(&mut self, number: u64) -> Verdict {
        self.failures = 0;
        if number + 1 >= self.suspect_end && self.failure.is_none() {
            self.suspect_end = 0;
            self.why = None;
            if self.mode == Mode::Probing {
                self.mode = Mode::Open;
            }
        }
        Verdict::Acknowledge
    }

    fn give_up(&mut self, number: u64) -> Verdict {
        if number + 1 >= self.suspect_end && self.failure.is_none() {
            self.suspect_end = 0;
        }
        Verdict::GiveUp
    }

    fn fail(&mut self, number: u64, row: &'static Row) -> Verdict {
        let failure = match row.treatment {
            Treatment::Bystander => Failure::Again,
            Treatment::Poison => {
                self.suspect_end = self.suspect_end.max(number + 1);
                self.why = Some(row);
                Failure::Suspect
            }
            Treatment::Wait | Treatment::TopicState | Treatment::NewProducer => Failure::Pause(row),
        };
        self.failure = Some(match (self.failure, failure) {
            (Some(Failure::Pause(first)), _) => Failure::Pause(first),
            (Some(Failure::Suspect), Failure::Again) => Failure::Suspect,
            (_, new) => new,
        });
        Verdict::Keep
    }
}

/// What a lane holds of the window, or may still take of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Share {
    /// Records.
    pub records: usize,
    /// Bytes of keys and payloads.
    pub bytes: usize,
    /// Batches.
    pub slots: usize,
}

/// How much `lane` may still take of `window` when the lanes hold `held`. Half of the window is set aside in equal
/// parts, one a lane, so that a lane that stalls cannot take what the others need; the other half goes to whoever
/// asks first.
pub fn room(window: Share, held: &[Share], lane: usize) -> Share {
    Share {
        records: room_of(window.records, held, lane, |share| share.records),
        bytes: room_of(window.bytes, held, lane, |share| share.bytes),
        slots: room_of(window.slots, held, lane, |share| share.slots),
    }
}

fn room_of(window: usize, held: &[Share], lane: usize, of: impl Fn(&Share) -> usize) -> usize {
    let set_aside = window / (2 * held.len().max(1));
    let taken: usize = held
        .iter()
        .enumerate()
        .map(|(index, share)| {
            if index == lane {
                of(share)
            } else {
                of(share).max(set_aside)
            }
        })
        .sum();
    window.saturating_sub(taken)
}

#[cfg(test)]
mod tests;
