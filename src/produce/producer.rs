//! The producer thread: feeds lanes from the spool, applies delivery reports, replaces a producer that has failed.
//!
//! ```text
//!  ┌▶ open ─▶ feed lanes ─▶ poll or wait ─▶ apply reports ─▶ acknowledge ─▶ rewind failed lanes ─┐
//!  │                                             └ fatal error: replace the producer             │
//!  └─────────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! In: the spool's records. Out: calls of the spool's `acknowledge`, `give_up` and `rewind`, and a [`State`] for the
//! status page. The thread owns the client; nobody else touches it. What to do is decided in `lane`; this is the shell
//! that has the clock.
//!
//! This file is the loop. Its steps are `feeding` (spool to client), `settlement` (reports to spool), `connection`
//! (up or not; `outage` is what the log is told of it), `replacement` (a new client), `replaying` (backlogs, and their
//! pace) and `picture` (the state for others).
//!
//! [`State`]: super::State

mod connection;
mod feeding;
mod outage;
mod picture;
mod replacement;
mod replaying;
mod settlement;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::client::{Client, Settled, SlotId, slots_max};
use super::closing::Closing;
use super::errors::{Failure, Treatment};
use super::handle::{Shared, lock};
use super::inbox::Lines;
use super::lane::{Lane, Mode, Share};
use super::{Config, Connection};
use crate::observe::mute::Mute;
use crate::record::LaneId;
use crate::spool::{Phase, Spool};
use outage::Outage;
use picture::connection_at_start;
pub(super) use picture::state_at_start;
use replaying::Replaying;
use settlement::GiveUpLog;

/// How long one turn serves the client while records move: long enough that a busy agent wakes 200 times a second and
/// not for each record, short beside linger.
const POLL_MS: u64 = 5;

/// The longest turn while records are in flight and nothing moves (an outage).
const POLL_MS_MAX: u64 = 100;

/// How long one turn waits for records when there are none.
const IDLE_WAIT: Duration = Duration::from_millis(250);

/// How long a turn waits without a broker's address.
const UNCONFIGURED_WAIT: Duration = Duration::from_secs(1);

/// How long the end waits for a client to be destroyed: it takes some milliseconds, unless one of its threads waits for a
/// name server. Its last reports were taken before, so what is left of it may end with the process.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// How often the state is written down for others.
const PUBLISH_MS: u64 = 250;

/// What is told of each turn, and of each call of a disk.
type Heartbeat = Box<dyn Fn(Phase) + Send>;

/// Calls what reads or writes a disk, which may hang for as long as it likes. A panic inside ends that too: a thread that
/// is gone must be missed.
fn at_disk<T>(heartbeat: &Heartbeat, call: impl FnOnce() -> T) -> T {
    struct Back<'h>(&'h Heartbeat);
    impl Drop for Back<'_> {
        fn drop(&mut self) {
            (self.0)(Phase::Waits);
        }
    }
    heartbeat(Phase::OnDisk);
    let _back = Back(heartbeat);
    call()
}

/// What the thread has.
pub(super) struct Producer {
    config: Config,
    window: Share,
    spool: Arc<Spool>,
    shared: Arc<Shared>,
    heartbeat: Heartbeat,
    client: Option<Client>,
    /// The client before, while it is destroyed.
    closing: Option<Closing>,
    topics: Vec<Topic>,
    connection: Connection,
    /// While there is no connection to a cluster that is configured.
    outage: Option<Outage>,
    reopen_at_ms: u64,
    /// Producers that failed in a row, none of them with an acknowledged record.
    reopen_failures: u32,
    /// Whether the cluster has refused a record of the client that is open now: it ends for that, and not for trouble.
    has_refused: bool,
    /// Why the producer has to be replaced though librdkafka did not raise a fatal error.
    must_replace: Option<Failure>,
    errors: BTreeMap<&'static str, u64>,
    lines: Arc<Lines>,
    /// Lines about producers that end because a record was refused: a device can make some a second.
    replaced: Mute,
    producers_created: u64,
    repeats: u64,
    given_up: u64,
    give_up_log: GiveUpLog,
    pause_ms: u64,
    replaying: Replaying,
    publish_at_ms: u64,
    ask_at_ms: u64,
    settled: Vec<Settled>,
    start: Instant,
    random: u64,
}

/// What the thread keeps for a lane.
#[derive(Default)]
struct Topic {
    lane: Lane,
    /// A slot that could not be handed over to its end because the client's queue was full.
    feeding: Option<SlotId>,
    acknowledged: Vec<u64>,
    /// When it last had nothing in flight or something acknowledged.
    progress_ms: u64,
    /// The trouble that the log was told of.
    logged: Option<&'static str>,
}

impl Producer {
    /// A producer that has not begun. `heartbeat` will be called in each turn, and around each call of a disk.
    pub fn new(
        config: Config,
        spool: Arc<Spool>,
        shared: Arc<Shared>,
        heartbeat: impl Fn(Phase) + Send + 'static,
    ) -> Producer {
        let connection = connection_at_start(&config);
        Producer {
            window: Share {
                records: config.window_records,
                bytes: config.window_bytes,
                slots: slots_max(&config),
            },
            topics: config.topics.iter().map(|_| Topic::default()).collect(),
            replaying: Replaying::new(config.replay_bytes_per_second, config.topics.len()),
            config,
            spool,
            shared,
            heartbeat: Box::new(heartbeat),
            client: None,
            closing: None,
            outage: (connection != Connection::NotConfigured).then(|| Outage::new(0)),
            connection,
            reopen_at_ms: 0,
            reopen_failures: 0,
            has_refused: false,
            must_replace: None,
            errors: BTreeMap::new(),
            lines: Arc::default(),
            replaced: Mute::usual(),
            producers_created: 0,
            repeats: 0,
            given_up: 0,
            give_up_log: GiveUpLog::default(),
            pause_ms: POLL_MS,
            publish_at_ms: 0,
            ask_at_ms: 0,
            settled: Vec::new(),
            start: Instant::now(),
            // Any number but 0; the standard library's hasher is seeded by the system.
            random: RandomState::new().hash_one(0) | 1,
        }
    }

    /// Works until it is told to stop.
    pub fn run(mut self) {
        self.publish(0);
        while !self.is_finished() {
            self.beat();
            self.turn();
        }
        if let Some(client) = self.client.take() {
            let closing = client.close(|settled| self.settled.push(settled));
            self.apply();
            self.acknowledge();
            if !closing.wait(CLOSE_WAIT, || self.beat()) {
                tracing::info!(
                    "the kafka client still waits for the answer of a name server, and ends with the process"
                );
            }
        }
        self.publish(self.now_ms());
    }

    fn beat(&self) {
        (self.heartbeat)(Phase::Waits);
    }

    fn turn(&mut self) {
        let now_ms = self.now_ms();
        self.open(now_ms);
        self.watch_backlog(now_ms);
        let moved = self.feed(now_ms);
        let moved = self.rest(now_ms) || moved;
        self.pause_ms = if moved {
            POLL_MS
        } else {
            (self.pause_ms * 2).min(POLL_MS_MAX)
        };
        self.apply();
        self.note_errors();
        self.acknowledge();
        let now_ms = self.now_ms();
        self.replace_if_failed(now_ms);
        self.rewind(now_ms);
        self.remind_of_outage(now_ms);
        if now_ms >= self.publish_at_ms {
            self.publish_at_ms = now_ms + PUBLISH_MS;
            self.publish(now_ms);
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Xorshift (Marsaglia 2003): spreads retries, protects nothing.
    fn jitter(&mut self) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 32) as u32
    }

    fn deadline(&self) -> Option<Instant> {
        *lock(&self.shared.deadline)
    }

    fn is_finished(&self) -> bool {
        let Some(deadline) = self.deadline() else {
            return false;
        };
        self.connection == Connection::NotConfigured
            || Instant::now() >= deadline
            || self.spool.counts().pending == 0
    }

    /// Serves the client or waits for records, whichever makes sense; returns whether reports came in.
    fn rest(&mut self, now_ms: u64) -> bool {
        let Some(client) = &mut self.client else {
            let wait = match self.connection {
                Connection::NotConfigured => UNCONFIGURED_WAIT,
                _ => Duration::from_millis(self.reopen_at_ms.saturating_sub(now_ms)).min(IDLE_WAIT),
            };
            let deadline = lock(&self.shared.deadline);
            let wait = deadline.map_or(wait, |deadline| {
                wait.min(deadline.saturating_duration_since(Instant::now()))
            });
            let _waited = self
                .shared
                .stopping
                .wait_timeout(deadline, wait)
                .unwrap_or_else(PoisonError::into_inner);
            return false;
        };
        let stopping = lock(&self.shared.deadline).is_some();
        let lanes = || self.topics.iter().map(|topic| &topic.lane);
        let in_flight = lanes().any(|lane| lane.in_flight() > 0);
        let waits = lanes().any(|lane| matches!(lane.mode(), Mode::Waiting { .. }));
        let settled = &mut self.settled;
        if !in_flight && !waits && !stopping && !self.replaying.is_held_back() {
            client.poll(Duration::from_millis(1), |record| settled.push(record));
            client.shrink();
            self.spool.wait(IDLE_WAIT);
            return false;
        }
        let searching = lanes().any(Lane::is_searching);
        if searching || stopping {
            // Linger would make a search through some hundred records take minutes, and a stop longer.
            client.hurry(Duration::from_millis(1));
        }
        let pause_ms = match (searching, stopping) {
            (true, _) => 1,
            (_, true) => POLL_MS,
            _ => self.pause_ms,
        };
        client.poll(Duration::from_millis(pause_ms), |record| {
            settled.push(record);
        });
        !settled.is_empty()
    }

    /// Lets lanes that failed, and have nothing in flight any more, begin again at their lowest unsettled record.
    fn rewind(&mut self, now_ms: u64) {
        for index in 0..self.topics.len() {
            let jitter = self.jitter();
            let backoff = self.config.backoff;
            let Some(topic) = self.topics.get_mut(index) else {
                return;
            };
            if topic.lane.must_rewind(now_ms, backoff, jitter) {
                if let (Some(slot), Some(client)) = (topic.feeding.take(), &mut self.client) {
                    client.finish(slot);
                }
                if let Ok(lane) = u16::try_from(index).map(LaneId) {
                    self.spool.rewind(lane);
                }
            }
            self.log_trouble(index);
        }
    }

    /// One line when a topic's trouble begins, changes or ends.
    fn log_trouble(&mut self, index: usize) {
        let name = self.config.topics.get(index).map_or("", String::as_str);
        let Some(topic) = self.topics.get_mut(index) else {
            return;
        };
        let why = topic.lane.why();
        // Of a record that is refused there is a line when it is given up. The topic takes others, or is in trouble still.
        if why.is_some_and(|row| row.treatment == Treatment::Poison) {
            return;
        }
        if topic.logged == why.map(|row| row.name) {
            return;
        }
        topic.logged = why.map(|row| row.name);
        match why {
            Some(row) => tracing::warn!(
                topic = name,
                error = row.name,
                what = row.words,
                "topic does not take records, they wait in the spool"
            ),
            None => tracing::info!(topic = name, "topic takes records again"),
        }
    }
}

#[cfg(test)]
mod tests;
