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

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::client::{Client, Failure, Sent, Settled, SlotId, slots_max};
use super::errors::Treatment;
use super::lane::{Feed, Lane, Mode, Share, Verdict, room};
use super::{Config, Connection, ProduceError, State, TopicState, options};
use crate::record::{LaneId, Number};
use crate::spool::{ReadLimit, Spool};

/// How long one turn serves the client while records move: long enough that a busy agent wakes 200 times a second and
/// not for each record, short beside linger.
const POLL_MS: u64 = 5;

/// The longest turn while records are in flight and nothing moves (an outage).
const POLL_MS_MAX: u64 = 100;

/// How long one turn waits for records when there are none.
const IDLE_WAIT: Duration = Duration::from_millis(250);

/// How long a turn waits without a broker's address.
const UNCONFIGURED_WAIT: Duration = Duration::from_secs(1);

/// How long a client with a fatal error may still hand in reports. librdkafka takes back what is queued and leaves
/// what is on its way: each report that comes in here is one record that need not be repeated.
const GRACE: Duration = Duration::from_secs(2);

/// How often the state is written down for others.
const PUBLISH_MS: u64 = 250;

/// After so long without an acknowledgement the state of a topic says so.
const SILENT_MS: u64 = 10_000;

/// How often an idle agent without a connection asks whether a broker answers, and how long it waits.
const ASK_MS: u64 = 1_000;
const ASK_WAIT: Duration = Duration::from_millis(100);

/// The running producer. Dropping it without [`Handle::stop`] leaves the thread running.
#[derive(Debug)]
pub struct Handle {
    thread: JoinHandle<()>,
    shared: Arc<Shared>,
    spool: Arc<Spool>,
}

/// How the producer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Records that are still in the spool, not acknowledged.
    pub pending: u64,
    /// Whether the thread ended by a panic; then its last reports may be missing and records may be sent again.
    pub panicked: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// When to end; set once.
    deadline: Mutex<Option<Instant>>,
    stopping: Condvar,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the producer's thread. `heartbeat` is called at least every few seconds while the thread moves.
///
/// # Errors
///
/// Settings that librdkafka refuses or that are reserved, and a system without a thread left. A broker that cannot be
/// reached is not an error.
pub fn spawn(
    config: Config,
    spool: Arc<Spool>,
    heartbeat: impl Fn() + Send + 'static,
) -> Result<Handle, ProduceError> {
    options::check(&config).map_err(ProduceError::Config)?;
    let shared = Arc::new(Shared::default());
    *lock(&shared.state) = state_at_start(&config);
    let (queue, told) = (Arc::clone(&spool), Arc::clone(&shared));
    let thread = std::thread::Builder::new()
        .name("produce".to_owned())
        .spawn(move || Producer::new(config, queue, told).run(heartbeat))?;
    Ok(Handle {
        thread,
        shared,
        spool,
    })
}

/// The producer's state, for whoever shows it.
#[derive(Debug, Clone)]
pub struct Watch(Arc<Shared>);

impl Watch {
    /// What the producer does at present; at most some 250 ms old.
    pub fn state(&self) -> State {
        lock(&self.0.state).clone()
    }
}

impl Handle {
    /// What the producer does at present; at most some 250 ms old.
    pub fn state(&self) -> State {
        lock(&self.shared.state).clone()
    }

    /// A view of the state that outlives the handle.
    pub fn watch(&self) -> Watch {
        Watch(Arc::clone(&self.shared))
    }

    /// Says when to end, and does not wait for it. [`Handle::stop`] does.
    pub fn begin_stop(&self, deadline: Instant) {
        *lock(&self.shared.deadline) = Some(deadline);
        self.shared.stopping.notify_all();
        self.spool.close();
    }

    /// Whether the thread has ended.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Ends the producer: it goes on until the spool is empty or `deadline` has passed, takes back what is in flight,
    /// applies the last reports and returns. Closes the spool's wait; what is taken back stays pending.
    pub fn stop(self, deadline: Instant) -> Stopped {
        self.begin_stop(deadline);
        let panicked = self.thread.join().is_err();
        Stopped {
            pending: self.spool.counts().pending,
            panicked,
        }
    }
}

fn connection_at_start(config: &Config) -> Connection {
    match &config.bootstrap_servers {
        None => Connection::NotConfigured,
        Some(_) => Connection::Connecting {
            why: "no broker has answered yet".to_owned(),
        },
    }
}

fn state_at_start(config: &Config) -> State {
    let connection = connection_at_start(config);
    let topics = config.topics.iter().map(|name| TopicState {
        topic: name.clone(),
        mode: words(&Lane::default(), &connection, 0, 0),
        in_flight: 0,
    });
    State {
        topics: topics.collect(),
        connection: connection.clone(),
        ..State::default()
    }
}

struct Producer {
    config: Config,
    window: Share,
    spool: Arc<Spool>,
    shared: Arc<Shared>,
    client: Option<Client>,
    topics: Vec<Topic>,
    connection: Connection,
    /// Whether the log knows that there is no connection.
    outage_told: bool,
    reopen_at_ms: u64,
    /// Producers that failed in a row, none of them with an acknowledged record.
    reopen_failures: u32,
    /// Why the producer has to be replaced though librdkafka did not raise a fatal error.
    must_replace: Option<Failure>,
    errors: BTreeMap<&'static str, u64>,
    producers_created: u64,
    repeats: u64,
    given_up: u64,
    give_up_log: GiveUpLog,
    pause_ms: u64,
    publish_at_ms: u64,
    ask_at_ms: u64,
    settled: Vec<Settled>,
    start: Instant,
    random: u64,
}

/// How many given-up records are told in full in one [`GIVE_UP_LOG_MS`]. Each is a loss, so each should be told; but a
/// device that makes them must not fill the log. All are counted.
const GIVE_UP_LINES_MAX: u64 = 20;
const GIVE_UP_LOG_MS: u64 = 60_000;

#[derive(Default)]
struct GiveUpLog {
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
    fn new(config: Config, spool: Arc<Spool>, shared: Arc<Shared>) -> Producer {
        let connection = connection_at_start(&config);
        Producer {
            window: Share {
                records: config.window_records,
                bytes: config.window_bytes,
                slots: slots_max(&config),
            },
            topics: config.topics.iter().map(|_| Topic::default()).collect(),
            config,
            spool,
            shared,
            client: None,
            connection,
            outage_told: false,
            reopen_at_ms: 0,
            reopen_failures: 0,
            must_replace: None,
            errors: BTreeMap::new(),
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

    fn run(mut self, heartbeat: impl Fn()) {
        self.publish(0);
        while !self.is_finished() {
            heartbeat();
            self.turn(&heartbeat);
        }
        if let Some(client) = self.client.take() {
            client.close(|settled| self.settled.push(settled));
            self.apply();
            self.acknowledge();
        }
        self.publish(self.now_ms());
    }

    fn turn(&mut self, heartbeat: &impl Fn()) {
        let now_ms = self.now_ms();
        self.open(now_ms);
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
        self.replace_if_failed(now_ms, heartbeat);
        self.rewind(now_ms);
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

    fn open(&mut self, now_ms: u64) {
        let configured = self.config.bootstrap_servers.is_some();
        if self.client.is_some() || !configured || now_ms < self.reopen_at_ms {
            return;
        }
        match Client::open(&self.config) {
            Ok(client) => {
                self.client = Some(client);
                self.producers_created += 1;
            }
            Err(why) => {
                self.reopen_later(now_ms);
                self.connection_lost(format!("the Kafka client cannot be set up: {why}"));
            }
        }
    }

    fn reopen_later(&mut self, now_ms: u64) {
        self.reopen_failures = self.reopen_failures.saturating_add(1);
        let jitter = self.jitter();
        let delay_ms = self.config.backoff.delay_ms(self.reopen_failures, jitter);
        self.reopen_at_ms = now_ms + delay_ms;
    }

    /// Hands over what the lanes and the window allow: a slot a lane in turn, until nothing more goes.
    fn feed(&mut self, now_ms: u64) -> bool {
        let mut moved = false;
        loop {
            let mut moved_now = false;
            for index in 0..self.topics.len() {
                moved_now |= self.feed_lane(index, now_ms);
            }
            if !moved_now {
                return moved;
            }
            moved = true;
        }
    }

    fn feed_lane(&mut self, index: usize, now_ms: u64) -> bool {
        let (Some(client), Some(topic)) = (&mut self.client, self.topics.get_mut(index)) else {
            return false;
        };
        if topic.lane.wants_metadata(now_ms) {
            client.ask_about(index);
        }
        let feed = topic.lane.feed(now_ms);
        if let Some(slot) = topic.feeding.take() {
            return match feed {
                Feed::Nothing => {
                    client.finish(slot);
                    false
                }
                Feed::One | Feed::Many => self.hand_over(index, slot),
            };
        }
        let room = room(self.window, client.held(), index);
        let records = match feed {
            Feed::Nothing => 0,
            Feed::One => room.records.min(1),
            Feed::Many => room.records,
        };
        if records == 0 || room.bytes == 0 || room.slots == 0 {
            return false;
        }
        let limit = ReadLimit {
            records,
            bytes: room.bytes,
        };
        let Ok(lane) = u16::try_from(index).map(LaneId) else {
            return false;
        };
        let slot = client.load(lane, limit, |limit, batch| {
            self.spool.read(lane, limit, batch)
        });
        slot.is_some_and(|slot| self.hand_over(index, slot))
    }

    /// Hands over a slot to its end, or as far as the client takes it.
    fn hand_over(&mut self, index: usize, slot: SlotId) -> bool {
        let mut moved = false;
        loop {
            let (Some(client), Some(topic)) = (&mut self.client, self.topics.get_mut(index)) else {
                return moved;
            };
            match client.send_next(slot) {
                Sent::Handed(number) => {
                    moved = true;
                    self.repeats += u64::from(topic.lane.handed(number));
                }
                Sent::Full => {
                    topic.feeding = Some(slot);
                    return false;
                }
                Sent::Done => {
                    client.finish(slot);
                    return moved;
                }
                // The fatal error is seen in this very turn; then the lane goes back.
                Sent::Fatal => {
                    client.finish(slot);
                    return false;
                }
                Sent::Refused(settled) => {
                    let Err(failure) = settled.result else {
                        continue;
                    };
                    let verdict = topic.lane.refused(settled.number, failure.row);
                    if verdict == Verdict::Keep {
                        client.finish(slot);
                        self.failed(&settled, failure, verdict);
                        return false;
                    }
                    moved = true;
                    self.failed(&settled, failure, verdict);
                }
            }
        }
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
        if !in_flight && !waits && !stopping {
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

    /// Takes in the reports that the last poll brought.
    fn apply(&mut self) {
        let mut settled = std::mem::take(&mut self.settled);
        for record in settled.drain(..) {
            let Some(topic) = self.topics.get_mut(usize::from(record.lane.0)) else {
                continue;
            };
            let result = record.result.map_err(|failure| failure.row);
            let verdict = topic.lane.reported(record.number, result);
            match record.result {
                Ok(()) => topic.acknowledged.push(record.number),
                Err(failure) => self.failed(&record, failure, verdict),
            }
        }
        self.settled = settled;
    }

    fn failed(&mut self, record: &Settled, failure: Failure, verdict: Verdict) {
        *self.errors.entry(failure.row.name).or_default() += 1;
        if failure.row.treatment == Treatment::NewProducer {
            self.must_replace = Some(failure);
        }
        if verdict != Verdict::GiveUp {
            return;
        }
        self.given_up += 1;
        let now_ms = self.now_ms();
        if let Some(suppressed) = self.give_up_log.may_log(now_ms) {
            tracing::error!(
                topic = self.topic_name(record.lane),
                number = record.number,
                payload_bytes = record.bytes,
                error = failure.row.name,
                what = failure.row.words,
                suppressed,
                "record given up, the broker will never take it"
            );
        }
        self.spool.give_up(record.lane, Number(record.number));
    }

    fn topic_name(&self, lane: LaneId) -> &str {
        let name = self.config.topics.get(usize::from(lane.0));
        name.map_or("", String::as_str)
    }

    /// Tells the spool what the broker has, in as few ranges as possible: the reports of several partitions, each of
    /// them with gaps, add up to whole ranges.
    fn acknowledge(&mut self) {
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

    fn connected(&mut self) {
        if self.connection != Connection::Up {
            self.connection = Connection::Up;
            self.outage_told = false;
            tracing::info!("kafka is connected");
        }
    }

    fn connection_lost(&mut self, why: String) {
        let known =
            matches!(&self.connection, Connection::Connecting { why: known } if *known == why);
        if known {
            return;
        }
        // One line for an outage; what changes during it is on the status page.
        if !std::mem::replace(&mut self.outage_told, true) {
            tracing::warn!(why, "kafka is not connected, records wait in the spool");
        }
        self.connection = Connection::Connecting { why };
    }

    /// Error events are about brokers and the client, never about a record.
    fn note_errors(&mut self) {
        let Some(client) = &self.client else {
            return;
        };
        for event in client.take_errors() {
            let failure = event.failure();
            *self.errors.entry(failure.row.name).or_default() += 1;
            let all_down = failure.row.name == "_ALL_BROKERS_DOWN";
            // A single broker's trouble matters only while there is no connection at all; then it says more than
            // "all brokers are down".
            let silent = self.connection != Connection::Up;
            if all_down && !silent || silent && !all_down {
                self.connection_lost(format!("{} ({})", failure.row.words, event.reason));
            }
        }
        self.ask_whether_connected();
    }

    /// Without records in flight nothing says that the connection is back, so an idle agent asks.
    fn ask_whether_connected(&mut self) {
        let now_ms = self.now_ms();
        let idle = self.topics.iter().all(|topic| topic.lane.in_flight() == 0);
        if self.connection == Connection::Up || !idle || now_ms < self.ask_at_ms {
            return;
        }
        self.ask_at_ms = now_ms + ASK_MS;
        if let Some(client) = &self.client
            && client.is_answered(ASK_WAIT)
        {
            self.connected();
        }
    }

    /// The one way out of a permanent failure.
    fn replace_if_failed(&mut self, now_ms: u64, heartbeat: &impl Fn()) {
        let Some(client) = &self.client else {
            return;
        };
        let (failure, text) = match (client.fatal(), self.must_replace.take()) {
            (Some(fatal), _) => fatal,
            (None, Some(failure)) => (failure, String::new()),
            (None, None) => return,
        };
        let row = failure.row;
        let why = if text.is_empty() { row.words } else { &text };
        let why = format!("the producer is replaced: {why}");
        tracing::warn!(
            error = row.name,
            code = ?failure.code,
            what = row.words,
            text,
            "kafka producer failed, it is replaced and unacknowledged records are sent again"
        );
        self.await_reports(heartbeat);
        if let Some(client) = self.client.take() {
            client.close(|settled| self.settled.push(settled));
        }
        self.apply();
        self.acknowledge();
        self.must_replace = None;
        for topic in &mut self.topics {
            topic.lane.producer_gone();
            topic.feeding = None;
        }
        self.reopen_later(now_ms);
        // It was told above.
        self.outage_told = true;
        self.connection = Connection::Connecting { why };
    }

    fn await_reports(&mut self, heartbeat: &impl Fn()) {
        let deadline = Instant::now() + GRACE;
        let in_flight = |topics: &[Topic]| topics.iter().any(|topic| topic.lane.in_flight() > 0);
        while in_flight(&self.topics) && Instant::now() < deadline {
            heartbeat();
            if let Some(client) = &mut self.client {
                let settled = &mut self.settled;
                client.poll(Duration::from_millis(POLL_MS), |record| {
                    settled.push(record);
                });
            }
            self.apply();
            self.acknowledge();
        }
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

    fn publish(&self, now_ms: u64) {
        let topics = self.topics.iter().zip(&self.config.topics);
        let topics = topics.map(|(topic, name)| TopicState {
            topic: name.clone(),
            mode: words(&topic.lane, &self.connection, now_ms, topic.progress_ms),
            in_flight: topic.lane.in_flight(),
        });
        *lock(&self.shared.state) = State {
            connection: self.connection.clone(),
            topics: topics.collect(),
            errors: self.errors.clone(),
            producers_created: self.producers_created,
            repeats: self.repeats,
            given_up: self.given_up,
        };
    }
}

/// What a lane does, for people.
fn words(lane: &Lane, connection: &Connection, now_ms: u64, progress_ms: u64) -> String {
    let why = lane
        .why()
        .map_or("the topic is in trouble", |row| row.words);
    let silent_ms = now_ms.saturating_sub(progress_ms);
    match (lane.mode(), connection) {
        (_, Connection::NotConfigured) => "waiting: kafka.bootstrap_servers is not set".to_owned(),
        (Mode::Waiting { until_ms }, _) => {
            let seconds = until_ms.saturating_sub(now_ms).div_ceil(1_000);
            format!("waiting: {why}; next try in {seconds} s")
        }
        (_, Connection::Connecting { .. }) => "waiting for the connection".to_owned(),
        (Mode::Probing, _) if lane.is_searching() => format!("sending one by one: {why}"),
        (_, Connection::Up) if silent_ms >= SILENT_MS => format!(
            "waiting: no acknowledgement for {} s (a partition without leader, too few replicas in sync, or a slow broker)",
            silent_ms / 1_000
        ),
        (Mode::Probing | Mode::Open, Connection::Up) => "sending".to_owned(),
    }
}

#[cfg(test)]
mod tests;
