//! Two questions, each with a pure answer.
//!
//! ```text
//!  /healthz  do its threads move?      Heartbeats::pulses(now) ──▶ healthz() ──▶ Health     (no: restart me)
//!  /readyz   can it do its work?       Picture ──────────────────▶ readyz()  ──▶ Readiness  (no: send me nothing)
//! ```
//!
//! Kafka being down makes the agent *degraded*, not unready: it receives and keeps. An orchestrator that took it out of
//! service for that would turn a delay into a loss.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::picture::{
    KafkaCondition, ListenerCondition, Picture, SpoolCondition, SpoolKind, TopicCondition,
};

/// A thread that has not beaten for this long does not move. Every loop of ours turns at least once a second, and the
/// longest disk stall that is still normal (a batch's `write` on a busy disk) stays well below it.
pub const STALE_AFTER: Duration = Duration::from_secs(10);

/// `Heartbeat::last_ms` of a thread that has ended as it should.
const FINISHED: u64 = u64::MAX;

/// `Heartbeat::last_ms` of a thread that waits for a disk.
const AT_DISK: u64 = FINISHED - 1;

/// One long-running thread's sign of life.
#[derive(Debug)]
pub struct Heartbeat {
    name: String,
    origin: Instant,
    last_ms: AtomicU64,
}

impl Heartbeat {
    /// Says that the thread is alive: once each turn of its loop. Costs one clock read.
    pub fn beat(&self) {
        self.beat_at(Instant::now());
    }

    /// The same, with the time as an argument.
    pub fn beat_at(&self, now: Instant) {
        self.last_ms.store(self.ms(now), Ordering::Relaxed);
    }

    /// Says that from here until its next beat the thread is inside calls of a disk, and is not missed, as with
    /// [`Heartbeat::at_disk`]. For the spool's writer and the producer, whose disk's trouble the spool says, and which beat
    /// when they panic.
    pub fn wait_for_disk(&self) {
        self.last_ms.store(AT_DISK, Ordering::Relaxed);
    }

    /// Says that the thread ends as it should, and is not missed. A thread that panics does not get here, and is.
    pub fn finish(&self) {
        self.last_ms.store(FINISHED, Ordering::Relaxed);
    }

    /// Says that the thread waits for a disk until what is returned is dropped, and is not missed so long: a disk may take
    /// minutes, and a restart mends none. Only for threads that nobody waits for.
    pub fn at_disk(&self) -> AtDisk<'_> {
        self.wait_for_disk();
        AtDisk(self)
    }

    fn ms(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.origin);
        u64::try_from(since.as_millis()).map_or(AT_DISK - 1, |ms| ms.min(AT_DISK - 1))
    }

    fn pulse(&self, now: Instant) -> Option<Pulse> {
        let last_ms = self.last_ms.load(Ordering::Relaxed);
        (last_ms < AT_DISK).then(|| Pulse {
            thread: self.name.clone(),
            age_ms: self.ms(now).saturating_sub(last_ms),
        })
    }
}

/// A wait for a disk. Its end is a beat, that of a thread which panics too: from there on it is missed.
#[derive(Debug)]
pub struct AtDisk<'h>(&'h Heartbeat);

impl Drop for AtDisk<'_> {
    fn drop(&mut self) {
        self.0.beat();
    }
}

/// How long ago one thread last showed life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulse {
    /// The thread's name.
    pub thread: String,
    /// Milliseconds since its last beat.
    pub age_ms: u64,
}

/// The heartbeats of all long-running threads.
#[derive(Debug)]
pub struct Heartbeats {
    origin: Instant,
    threads: Mutex<Vec<Arc<Heartbeat>>>,
}

impl Heartbeats {
    /// No threads yet; `now` becomes the zero of the clock.
    pub fn new(now: Instant) -> Self {
        Heartbeats {
            origin: now,
            threads: Mutex::default(),
        }
    }

    /// Adds a thread. It counts as having beaten just now.
    pub fn register(&self, name: impl Into<String>) -> Arc<Heartbeat> {
        let heartbeat = Arc::new(Heartbeat {
            name: name.into(),
            origin: self.origin,
            last_ms: AtomicU64::new(0),
        });
        heartbeat.beat();
        let mut threads = self.lock();
        // A thread that ended and was started again (a reload) must not leave an entry behind each time.
        threads.retain(|thread| thread.last_ms.load(Ordering::Relaxed) != FINISHED);
        threads.push(Arc::clone(&heartbeat));
        heartbeat
    }

    /// Every thread that has not finished and does not wait for a disk.
    pub fn pulses(&self, now: Instant) -> Vec<Pulse> {
        let threads = self.lock();
        threads
            .iter()
            .filter_map(|thread| thread.pulse(now))
            .collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Heartbeat>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the threads move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// All do.
    Alive,
    /// These have not beaten for longer than [`STALE_AFTER`].
    Stalled(Vec<Pulse>),
}

impl Health {
    /// The HTTP status of the answer.
    pub fn http_status(&self) -> u16 {
        match self {
            Health::Alive => 200,
            Health::Stalled(_) => 503,
        }
    }

    /// The answer's body.
    pub fn json(&self) -> serde_json::Value {
        match self {
            Health::Alive => serde_json::json!({"status": "alive", "stalled": []}),
            Health::Stalled(pulses) => {
                let stalled: Vec<_> = pulses
                    .iter()
                    .map(|pulse| serde_json::json!({"thread": pulse.thread, "silent_ms": pulse.age_ms}))
                    .collect();
                serde_json::json!({"status": "stalled", "stalled": stalled})
            }
        }
    }
}

/// Whether the threads move: those silent for longer than [`STALE_AFTER`] do not.
pub fn healthz(pulses: &[Pulse]) -> Health {
    let limit_ms = STALE_AFTER.as_millis();
    let stalled: Vec<Pulse> = pulses
        .iter()
        .filter(|pulse| u128::from(pulse.age_ms) > limit_ms)
        .cloned()
        .collect();
    if stalled.is_empty() {
        Health::Alive
    } else {
        Health::Stalled(stalled)
    }
}

/// How well the agent can do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// All that is configured works.
    Ready,
    /// It receives and keeps, and something that is configured does not work.
    Degraded,
    /// It hears nobody, or can keep nothing.
    NotReady,
}

impl Status {
    /// Every status, for metrics.
    pub const ALL: [Status; 3] = [Status::Ready, Status::Degraded, Status::NotReady];

    /// The name used in bodies, metrics and on the page.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Ready => "ready",
            Status::Degraded => "degraded",
            Status::NotReady => "not_ready",
        }
    }
}

/// The status and what keeps it from being better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// The status.
    pub status: Status,
    /// Why it is not [`Status::Ready`], the gravest first; empty when it is.
    pub reasons: Vec<String>,
    /// How the replay of a backlog goes, while there is one. It is no reason: the agent does what it should.
    pub replay: Option<String>,
}

impl Readiness {
    /// The HTTP status of the answer.
    pub fn http_status(&self) -> u16 {
        match self.status {
            Status::Ready | Status::Degraded => 200,
            Status::NotReady => 503,
        }
    }

    /// The answer's body.
    pub fn json(&self) -> serde_json::Value {
        let mut body = serde_json::json!({"status": self.status.as_str(), "reasons": self.reasons});
        if let (Some(replay), Some(body)) = (&self.replay, body.as_object_mut()) {
            body.insert("replay".to_owned(), replay.as_str().into());
        }
        body
    }
}

/// How well the agent can do its work.
pub fn readyz(picture: &Picture) -> Readiness {
    let mut findings = Vec::new();
    judge_listeners(picture, &mut findings);
    judge_spool(picture, &mut findings);
    judge_kafka(picture, &mut findings);
    if picture.configuration.hangs {
        let text = "configuration: it is still being read again, the old one stays in force until then: see whether the storage of its files, and the directory service of sockets' owners, answer";
        findings.push((Status::Degraded, text.to_owned()));
    }
    findings.sort_by_key(|(status, _)| std::cmp::Reverse(*status));
    Readiness {
        status: findings
            .first()
            .map_or(Status::Ready, |(status, _)| *status),
        replay: picture.kafka.replay.map(|replay| replay.to_string()),
        reasons: findings.into_iter().map(|(_, reason)| reason).collect(),
    }
}

type Findings = Vec<(Status, String)>;

fn judge_listeners(picture: &Picture, findings: &mut Findings) {
    let mut bound = 0_usize;
    for listener in &picture.listeners {
        match &listener.state {
            ListenerCondition::Listening { .. } => bound += 1,
            ListenerCondition::Missing { why } => findings.push((
                Status::Degraded,
                format!("listener {} is not bound: {why}", listener.name),
            )),
        }
    }
    if bound == 0 {
        findings.push((
            Status::NotReady,
            format!(
                "no listener is bound ({} configured): nothing can be received",
                picture.listeners.len()
            ),
        ));
    }
}

fn judge_spool(picture: &Picture, findings: &mut Findings) {
    match &picture.spool.state {
        SpoolCondition::Ready => {}
        SpoolCondition::Degraded { why } => {
            findings.push((Status::Degraded, format!("spool: {why}")));
        }
        SpoolCondition::Failed { why } => findings.push((
            Status::NotReady,
            format!("spool: no record can be appended: {why}"),
        )),
    }
}

fn judge_kafka(picture: &Picture, findings: &mut Findings) {
    let kept = match picture.spool.kind {
        SpoolKind::Disk => "records wait in the spool",
        SpoolKind::Memory => "records wait in memory and end with the process",
    };
    match &picture.kafka.state {
        KafkaCondition::Up => {}
        KafkaCondition::NotConfigured => findings.push((
            Status::Degraded,
            format!("kafka: no bootstrap servers are configured; {kept}"),
        )),
        KafkaCondition::Connecting { why } => findings.push((
            Status::Degraded,
            format!("kafka: not connected: {why}; {kept}"),
        )),
        KafkaCondition::Refused { why } => {
            findings.push((Status::Degraded, format!("kafka: refused: {why}; {kept}")))
        }
    }
    for topic in &picture.kafka.topics {
        if let TopicCondition::Stalled { why } = &topic.state {
            findings.push((
                Status::Degraded,
                format!(
                    "topic {}: {why}; {} records wait",
                    topic.topic, topic.pending
                ),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::picture::{ListenerState, SpoolState, TopicState};

    fn listening(name: &str) -> ListenerState {
        ListenerState {
            name: name.into(),
            state: ListenerCondition::Listening {
                address: "0.0.0.0:514".into(),
                buffer: None,
            },
        }
    }

    fn missing(name: &str) -> ListenerState {
        ListenerState {
            name: name.into(),
            state: ListenerCondition::Missing {
                why: "port 514 is in use".into(),
            },
        }
    }

    fn well() -> Picture {
        let mut picture = Picture {
            listeners: vec![listening("syslog-udp")],
            ..Default::default()
        };
        picture.kafka.state = KafkaCondition::Up;
        picture
    }

    #[test]
    fn readiness_follows_the_table() {
        let why = || "some reason".to_owned();
        type Change = Box<dyn Fn(&mut Picture)>;
        let table: Vec<(Change, Status, &[&str])> = vec![
            (Box::new(|_| ()), Status::Ready, &[]),
            (
                Box::new(|picture| picture.listeners.push(missing("snmp"))),
                Status::Degraded,
                &["listener snmp is not bound: port 514 is in use"],
            ),
            (
                Box::new(|picture| picture.listeners = vec![missing("snmp")]),
                Status::NotReady,
                &[
                    "no listener is bound (1 configured)",
                    "listener snmp is not bound",
                ],
            ),
            (
                Box::new(|picture| picture.listeners.clear()),
                Status::NotReady,
                &["no listener is bound (0 configured)"],
            ),
            (
                Box::new(move |picture| {
                    picture.spool.state = SpoolCondition::Degraded { why: why() }
                }),
                Status::Degraded,
                &["spool: some reason"],
            ),
            (
                Box::new(move |picture| {
                    picture.spool.state = SpoolCondition::Failed { why: why() }
                }),
                Status::NotReady,
                &["no record can be appended: some reason"],
            ),
            (
                Box::new(|picture| picture.kafka.state = KafkaCondition::NotConfigured),
                Status::Degraded,
                &["no bootstrap servers are configured; records wait in the spool"],
            ),
            (
                Box::new(move |picture| {
                    picture.kafka.state = KafkaCondition::Connecting { why: why() };
                    picture.spool = SpoolState {
                        kind: SpoolKind::Memory,
                        ..Default::default()
                    };
                }),
                Status::Degraded,
                &["not connected: some reason; records wait in memory and end with the process"],
            ),
            (
                Box::new(move |picture| {
                    picture.kafka.state = KafkaCondition::Refused { why: why() }
                }),
                Status::Degraded,
                &["refused: some reason"],
            ),
            (
                Box::new(move |picture| {
                    picture.kafka.topics.push(TopicState {
                        topic: "net.syslog".into(),
                        pending: 7,
                        bytes: 0,
                        oldest_pending_age_ms: 0,
                        state: TopicCondition::Stalled { why: why() },
                    });
                }),
                Status::Degraded,
                &["topic net.syslog: some reason; 7 records wait"],
            ),
            (
                Box::new(|picture| picture.configuration.hangs = true),
                Status::Degraded,
                &["configuration: it is still being read again"],
            ),
        ];
        for (change, status, reasons) in table {
            let mut picture = well();
            change(&mut picture);
            let readiness = readyz(&picture);
            assert_eq!(readiness.status, status, "{readiness:?}");
            assert_eq!(readiness.reasons.len(), reasons.len(), "{readiness:?}");
            for (reason, expected) in readiness.reasons.iter().zip(reasons) {
                assert!(reason.contains(expected), "{reason:?} lacks {expected:?}");
            }
            let http = if status == Status::NotReady { 503 } else { 200 };
            assert_eq!(readiness.http_status(), http);
        }
    }

    #[test]
    fn a_silent_thread_is_named_after_the_limit_and_not_before() {
        let start = Instant::now();
        let heartbeats = Heartbeats::new(start);
        let writer = heartbeats.register("spool-writer");
        let receiver = heartbeats.register("receive-0");
        writer.beat_at(start);
        receiver.beat_at(start + Duration::from_secs(9));

        let at_limit = start + STALE_AFTER;
        assert_eq!(healthz(&heartbeats.pulses(at_limit)), Health::Alive);

        let after = at_limit + Duration::from_millis(1);
        let health = healthz(&heartbeats.pulses(after));
        assert_eq!(health.http_status(), 503);
        assert_eq!(
            health.json()["stalled"],
            serde_json::json!([{"thread": "spool-writer", "silent_ms": 10_001}])
        );
    }

    #[test]
    fn a_thread_is_not_missed_while_it_waits_for_a_disk_and_is_from_there_on() {
        let start = Instant::now();
        let heartbeats = Heartbeats::new(start);
        let heartbeat = heartbeats.register("devices");
        let later = start + Duration::from_secs(3600);
        let at_disk = heartbeat.at_disk();
        assert_eq!(heartbeats.pulses(later), []);
        // Another thread that begins meanwhile does not take its place.
        heartbeats.register("receive-0").finish();
        drop(at_disk);
        let pulses = heartbeats.pulses(later);
        assert_eq!(pulses.len(), 1);
        assert_eq!(healthz(&pulses).http_status(), 503);
    }

    #[test]
    fn a_thread_that_waits_for_a_disk_is_not_missed_until_it_has_beaten_again() {
        let start = Instant::now();
        let heartbeats = Heartbeats::new(start);
        let writer = heartbeats.register("spool-writer");
        writer.wait_for_disk();
        let later = start + Duration::from_secs(3600);
        assert_eq!(healthz(&heartbeats.pulses(later)), Health::Alive);
        heartbeats.register("receive-0").finish();
        writer.beat_at(later);
        assert_eq!(heartbeats.pulses(later).len(), 1);
        let health = healthz(&heartbeats.pulses(later + Duration::from_secs(11)));
        assert_eq!(health.http_status(), 503);
    }

    #[test]
    fn a_thread_that_finished_is_not_missed_and_leaves_no_entry_behind() {
        let start = Instant::now();
        let heartbeats = Heartbeats::new(start);
        for _ in 0..3 {
            heartbeats.register("reload").finish();
        }
        let later = start + Duration::from_secs(3600);
        assert_eq!(heartbeats.pulses(later), []);
        heartbeats.register("receive-0");
        assert_eq!(heartbeats.lock().len(), 1);
    }
}
