//! The producer against the mock cluster that librdkafka carries.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers as _, Message};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr as Error};

use super::*;
use crate::observe::ledger::LossReason;
use crate::produce::{Backoff, Handle, Headers, State, Stopped, spawn};
use crate::record::{Origin, Record};
use crate::spool;
use crate::time::UnixMicros;

/// Long enough for a loaded machine; nothing waits that long when it works.
const PATIENCE: Duration = Duration::from_secs(60);
const RECEIVED_MS: i64 = 1_700_000_000_000;

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// A spool, a cluster and a producer between them.
struct Rig {
    cluster: Cluster,
    spool: Arc<Spool>,
    config: Config,
    handle: Option<Handle>,
    beats: Arc<AtomicU64>,
}

impl Rig {
    fn new(topics: &[(&str, i32)]) -> Rig {
        Rig::new_on(1, topics)
    }

    fn new_on(brokers: i32, topics: &[(&str, i32)]) -> Rig {
        let cluster = Cluster::new(brokers).unwrap();
        for (topic, partitions) in topics {
            cluster.create_topic(topic, *partitions, 1).unwrap();
        }
        let topics: Vec<String> = topics
            .iter()
            .map(|(topic, _)| (*topic).to_owned())
            .collect();
        let spool = Arc::new(Spool::new(&spool::Config {
            bytes_max: 64 << 20,
            when_full: spool::WhenFull::DropNewest,
            topics: topics.clone(),
            disk: None,
        }));
        let mut config = Config::new(topics);
        config.bootstrap_servers = Some(cluster.bootstrap_servers());
        config.backoff = Backoff {
            first_ms: 50,
            max_ms: 400,
        };
        config.linger_ms = 20;
        Rig {
            cluster,
            spool,
            config,
            handle: None,
            beats: Arc::default(),
        }
    }

    fn option(&mut self, key: &str, value: &str) {
        self.config
            .options
            .0
            .insert(key.to_owned(), value.to_owned());
    }

    fn start(&mut self) {
        let beats = Arc::clone(&self.beats);
        let beat = move |_| {
            beats.fetch_add(1, Ordering::Relaxed);
        };
        let handle = spawn(self.config.clone(), Arc::clone(&self.spool), beat).unwrap();
        self.handle = Some(handle);
    }

    fn append(&self, lane: u16, count: u64) {
        for _ in 0..count {
            self.append_payload(lane, br#"{"n":}"#, 5);
        }
    }

    fn append_payload(&self, lane: u16, payload: &[u8], number_at: usize) {
        let next = self.spool.lanes()[usize::from(lane)].next.0;
        let key = key(next);
        let record = Record {
            lane: LaneId(lane),
            received: UnixMicros((RECEIVED_MS + next.cast_signed()) * 1_000 + 7),
            key: key.as_bytes(),
            payload,
            number_at,
            origin: Origin::Packet,
        };
        self.spool.append(&record).unwrap();
    }

    fn state(&self) -> State {
        self.handle.as_ref().unwrap().state()
    }

    fn errors(&self, name: &str) -> u64 {
        self.state().errors.get(name).copied().unwrap_or_default()
    }

    fn fail_produce(&self, errors: &[Error]) {
        self.cluster.request_errors(RDKafkaApiKey::Produce, errors);
    }

    fn until_delivered(&self, lane: u16) {
        until("all of the lane is settled", || {
            self.spool.pending(LaneId(lane)) == 0
        });
    }

    fn stop(&mut self, patience: Duration) -> Stopped {
        let handle = self.handle.take().unwrap();
        let stopped = handle.stop(Instant::now() + patience);
        assert!(!stopped.panicked);
        stopped
    }

    /// Everything in a topic, a list a partition.
    fn consume(&self, topic: &str, partitions: i32) -> Vec<Vec<Consumed>> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.cluster.bootstrap_servers())
            .set("group.id", "test")
            .create()
            .unwrap();
        let mut list = TopicPartitionList::new();
        let mut left: u64 = 0;
        for partition in 0..partitions {
            let (low, high) = consumer
                .fetch_watermarks(topic, partition, PATIENCE)
                .unwrap();
            left += (high - low).unsigned_abs();
            list.add_partition_offset(topic, partition, Offset::Beginning)
                .unwrap();
        }
        consumer.assign(&list).unwrap();
        let mut read = vec![Vec::new(); usize::try_from(partitions).unwrap()];
        let deadline = Instant::now() + PATIENCE;
        while left > 0 {
            assert!(Instant::now() < deadline, "{left} records were not read");
            // An error is news of a broker that has just come back; the deadline ends what is not.
            let Some(Ok(message)) = consumer.poll(Duration::from_millis(20)) else {
                continue;
            };
            left -= 1;
            read[usize::try_from(message.partition()).unwrap()].push(Consumed::new(&message));
        }
        read
    }

    /// Every number of the lane but these is in the topic; first occurrences stand in order; returns the repeats.
    fn assert_complete(&self, lane: u16, topic: &str, partitions: i32, missing: &[u64]) -> u64 {
        let mut repeats = 0;
        let mut seen = BTreeSet::new();
        for partition in self.consume(topic, partitions) {
            let mut last = None;
            for record in partition {
                if !seen.insert(record.number) {
                    repeats += 1;
                    continue;
                }
                assert!(
                    last < Some(record.number),
                    "{} after {last:?}",
                    record.number
                );
                last = Some(record.number);
            }
        }
        let next = self.spool.lanes()[usize::from(lane)].next.0;
        let expected: BTreeSet<u64> = (0..next)
            .filter(|number| !missing.contains(number))
            .collect();
        assert_eq!(seen, expected);
        repeats
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take() {
            handle.stop(Instant::now());
        }
    }
}

#[derive(Debug, Clone)]
struct Consumed {
    number: u64,
    key: String,
    timestamp_ms: i64,
    headers: BTreeMap<String, String>,
}

impl Consumed {
    fn new(message: &impl Message) -> Consumed {
        let payload: serde_json::Value =
            serde_json::from_slice(message.payload().unwrap()).unwrap();
        let headers = message.headers().into_iter().flat_map(|headers| {
            headers.iter().map(|header| {
                let value = String::from_utf8(header.value.unwrap().to_vec()).unwrap();
                (header.key.to_owned(), value)
            })
        });
        Consumed {
            number: payload["n"].as_u64().unwrap(),
            key: String::from_utf8(message.key().unwrap().to_vec()).unwrap(),
            timestamp_ms: message.timestamp().to_millis().unwrap(),
            headers: headers.collect(),
        }
    }
}

fn key(number: u64) -> String {
    format!("router-{}.example", number % 37)
}

/// `org.apache.kafka.common.utils.Utils.murmur2`, written from the Java source's description: MurmurHash2 by Austin
/// Appleby, 32 bits, little endian, seed 0x9747b28c.
fn java_murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ u32::try_from(data.len()).unwrap();
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes(word.try_into().unwrap()).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let tail = words.remainder();
    if !tail.is_empty() {
        for (index, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ hash >> 15
}

/// `BuiltInPartitioner.partitionForKey`.
fn java_partition(key: &str, partitions: usize) -> usize {
    (java_murmur2(key.as_bytes()) & 0x7fff_ffff) as usize % partitions
}

#[test]
fn the_murmur2_of_this_test_is_that_of_kafka() {
    // From Kafka's UtilsTest.testMurmur2.
    let known: [(&str, i32); 5] = [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        (
            "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
            -58_897_971,
        ),
    ];
    for (text, hash) in known {
        assert_eq!(java_murmur2(text.as_bytes()).cast_signed(), hash, "{text}");
    }
}

#[test]
fn records_arrive_once_in_order_in_the_partition_that_java_chooses_with_their_time() {
    let mut rig = Rig::new(&[("net.syslog", 4)]);
    rig.start();
    rig.append(0, 10_000);
    rig.until_delivered(0);
    let mut count = 0;
    for (index, partition) in rig.consume("net.syslog", 4).into_iter().enumerate() {
        let numbers: Vec<u64> = partition.iter().map(|record| record.number).collect();
        assert!(numbers.is_sorted());
        for record in partition {
            count += 1;
            assert_eq!(record.key, key(record.number));
            assert_eq!(java_partition(&record.key, 4), index);
            assert_eq!(
                record.timestamp_ms,
                RECEIVED_MS + record.number.cast_signed()
            );
            assert!(record.headers.is_empty());
        }
    }
    assert_eq!(count, 10_000);
    assert_eq!(rig.spool.counts().delivered, 10_000);
    assert_eq!(rig.stop(PATIENCE).pending, 0);
    assert!(rig.beats.load(Ordering::Relaxed) > 0);
}

#[test]
fn standard_headers_say_schema_and_agent() {
    let mut rig = Rig::new(&[("net.syslog", 1)]);
    rig.config.headers = Headers::Standard {
        schema: "1".to_owned(),
        agent: "br17".to_owned(),
    };
    rig.start();
    rig.append(0, 3);
    rig.until_delivered(0);
    let expected = [("schema", "1"), ("agent", "br17")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    for record in rig.consume("net.syslog", 1).concat() {
        assert_eq!(record.headers, BTreeMap::from(expected.clone()));
    }
}

#[test]
fn without_a_broker_it_says_so_and_delivers_when_one_comes() {
    let mut rig = Rig::new(&[("net.syslog", 2)]);
    rig.option("reconnect.backoff.ms", "20");
    rig.cluster.broker_down(-1).unwrap();
    rig.start();
    rig.append(0, 500);
    until(
        "the state names the reason",
        || matches!(rig.state().connection, Connection::Connecting { why } if why.contains("bootstrap_servers")),
    );
    assert_eq!(rig.spool.counts().delivered, 0);
    rig.cluster.broker_up(-1).unwrap();
    rig.until_delivered(0);
    until("the state is up", || {
        rig.state().connection == Connection::Up
    });
    assert_eq!(rig.assert_complete(0, "net.syslog", 2, &[]), 0);
}

#[test]
fn an_idle_producer_finds_out_that_the_broker_is_there() {
    let mut rig = Rig::new(&[("net.syslog", 1)]);
    rig.start();
    until("the state is up", || {
        rig.state().connection == Connection::Up
    });
}

#[test]
fn without_bootstrap_servers_nothing_is_read_and_a_stop_returns_at_once() {
    let mut rig = Rig::new(&[("net.syslog", 1)]);
    rig.config.bootstrap_servers = None;
    rig.start();
    rig.append(0, 5);
    until("it moves", || rig.beats.load(Ordering::Relaxed) > 0);
    assert_eq!(rig.state().connection, Connection::NotConfigured);
    let start = Instant::now();
    assert_eq!(rig.stop(PATIENCE).pending, 5);
    assert!(start.elapsed() < PATIENCE / 2);
    assert_eq!(rig.spool.counts().redelivered, 0);
}

#[test]
fn a_stop_during_an_outage_returns_at_its_deadline_and_the_records_stay_pending() {
    let mut rig = Rig::new(&[("net.syslog", 1)]);
    rig.cluster.broker_down(-1).unwrap();
    rig.start();
    rig.append(0, 100);
    until("a record is with the client", || {
        rig.state().topics.iter().any(|topic| topic.in_flight == 1)
    });
    let start = Instant::now();
    let stopped = rig.stop(Duration::from_millis(300));
    assert_eq!(stopped.pending, 100);
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(rig.spool.counts().lost_total(), 0);
}

#[test]
fn a_stop_delivers_what_is_there_first() {
    let mut rig = Rig::new(&[("net.syslog", 3)]);
    rig.config.linger_ms = 500;
    rig.append(0, 2_000);
    rig.start();
    assert_eq!(rig.stop(PATIENCE).pending, 0);
    rig.assert_complete(0, "net.syslog", 3, &[]);
}

#[test]
fn a_record_that_is_too_large_for_the_client_removes_only_itself() {
    let mut rig = Rig::new(&[("net.syslog", 1)]);
    rig.append(0, 10);
    let large = format!(r#"{{"n":,"x":"{}"}}"#, "x".repeat(1_010_000));
    rig.append_payload(0, large.as_bytes(), 5);
    rig.append(0, 10);
    rig.start();
    rig.until_delivered(0);
    assert_eq!(rig.assert_complete(0, "net.syslog", 1, &[10]), 0);
    let counts = rig.spool.counts();
    assert_eq!(counts.delivered, 20);
    assert_eq!(counts.lost[LossReason::Poison as usize], 1);
    until("the state counts it", || rig.state().given_up == 1);
    assert_eq!(rig.state().producers_created, 1);
}

/// Each error gets a rig of its own, some at a time: they wait for the cluster most of the time.
fn for_each(errors: &[Error], check: impl Fn(Error) + Sync) {
    for some in errors.chunks(8) {
        std::thread::scope(|scope| {
            for &error in some {
                let check = &check;
                scope.spawn(move || check(error));
            }
        });
    }
}

#[test]
fn a_batch_that_fails_for_one_record_is_sent_one_by_one_and_only_the_culprit_is_given_up() {
    let errors = [
        Error::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
        Error::RD_KAFKA_RESP_ERR_INVALID_RECORD,
        Error::RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP,
    ];
    for_each(&errors, |error| {
        let mut rig = Rig::new(&[("net.syslog", 1)]);
        // All of the records are one batch, however slow this machine is.
        rig.config.linger_ms = 1_000;
        rig.start();
        rig.append(0, 1);
        rig.until_delivered(0);
        // The batch fails, and then the first record that is sent alone.
        rig.fail_produce(&[error, error]);
        rig.append(0, 200);
        rig.until_delivered(0);
        assert_eq!(rig.assert_complete(0, "net.syslog", 1, &[1]), 0);
        assert_eq!(rig.spool.counts().lost[LossReason::Poison as usize], 1);
        until("the state counts it", || rig.state().given_up == 1);
        let state = rig.state();
        assert_eq!(state.producers_created, 3, "{state:?}");
        // What was in flight once more, after each of the two faults.
        assert!(state.repeats <= 400, "{state:?}");
    });
}

#[test]
fn a_record_that_is_refused_lets_nobody_wait_for_a_back_off() {
    let mut rig = Rig::new(&[("net.syslog", 1), ("net.traps", 1)]);
    let hour_ms = 3_600_000;
    rig.config.backoff = Backoff {
        first_ms: hour_ms,
        max_ms: hour_ms,
    };
    rig.config.linger_ms = 1_000;
    rig.start();
    rig.append(0, 1);
    rig.until_delivered(0);
    let refused = Error::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    rig.fail_produce(&[refused, refused]);
    rig.append(0, 200);
    rig.until_delivered(0);
    assert_eq!(rig.assert_complete(0, "net.syslog", 1, &[1]), 0);
    rig.append(1, 10);
    rig.until_delivered(1);
    assert_eq!(rig.assert_complete(1, "net.traps", 1, &[]), 0);
    assert_eq!(rig.state().producers_created, 3);
}

#[test]
fn whatever_a_broker_answers_nothing_is_lost_and_first_occurrences_stand_in_order() {
    use Error as E;
    let errors = [
        E::RD_KAFKA_RESP_ERR__TRANSPORT,
        E::RD_KAFKA_RESP_ERR_INVALID_MSG,
        E::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
        E::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
        E::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        E::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        E::RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION,
        E::RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION,
        E::RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE,
        E::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        E::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        E::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        E::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
        E::RD_KAFKA_RESP_ERR_POLICY_VIOLATION,
        E::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
        E::RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID,
        E::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
        E::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
        E::RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH,
        E::RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED,
        E::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
        E::RD_KAFKA_RESP_ERR_INVALID_RECORD,
        E::RD_KAFKA_RESP_ERR_TELEMETRY_TOO_LARGE,
    ];
    for_each(&errors, |error| {
        let mut rig = Rig::new(&[("net.syslog", 3)]);
        rig.config.window_records = 200;
        rig.start();
        rig.append(0, 1);
        rig.until_delivered(0);
        rig.fail_produce(&[error]);
        rig.append(0, 1_500);
        rig.until_delivered(0);
        let repeats = rig.assert_complete(0, "net.syslog", 3, &[]);
        let counts = rig.spool.counts();
        let ends = (counts.delivered, counts.lost_total());
        assert_eq!(ends, (1_501, 0), "{error:?}");
        // One fault: at most what was in flight is sent twice.
        assert!(repeats <= 200, "{error:?}: {repeats} repeats");
        let state = rig.state();
        assert!(state.repeats <= 200, "{error:?}: {state:?}");
        assert!(state.producers_created <= 2, "{error:?}: {state:?}");
    });
}

#[test]
fn a_missing_topic_waits_in_words_and_does_not_disturb_its_neighbour() {
    let mut rig = Rig::new(&[("net.syslog", 2), ("net.snmp", 2)]);
    rig.option("topic.metadata.propagation.max.ms", "300");
    let missing = Error::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    rig.cluster.topic_error("net.snmp", missing).unwrap();
    rig.start();
    rig.append(1, 50);
    until("the missing topic is told", || {
        rig.state().topics[1]
            .mode
            .starts_with("waiting: topic does not exist")
    });
    rig.append(0, 500);
    rig.until_delivered(0);
    assert_eq!(rig.spool.pending(LaneId(1)), 50);
    assert_eq!(rig.state().producers_created, 1);
    let fine = Error::RD_KAFKA_RESP_ERR_NO_ERROR;
    rig.cluster.topic_error("net.snmp", fine).unwrap();
    rig.until_delivered(1);
    assert_eq!(rig.assert_complete(0, "net.syslog", 2, &[]), 0);
    assert_eq!(rig.assert_complete(1, "net.snmp", 2, &[]), 0);
}

#[test]
fn a_topic_without_rights_waits_in_words_and_goes_on_when_they_are_granted() {
    let mut rig = Rig::new(&[("net.syslog", 1), ("net.snmp", 1)]);
    let denied = Error::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    rig.cluster.topic_error("net.snmp", denied).unwrap();
    rig.start();
    rig.append(1, 50);
    until("the missing right is told", || {
        rig.state().topics[1]
            .mode
            .starts_with("waiting: no right to write")
    });
    until("it is counted", || {
        rig.errors("TOPIC_AUTHORIZATION_FAILED") > 1
    });
    rig.append(0, 500);
    rig.until_delivered(0);
    let fine = Error::RD_KAFKA_RESP_ERR_NO_ERROR;
    rig.cluster.topic_error("net.snmp", fine).unwrap();
    rig.until_delivered(1);
    assert_eq!(rig.assert_complete(1, "net.snmp", 1, &[]), 0);
    assert_eq!(rig.state().producers_created, 1);
}

#[test]
fn a_topic_whose_broker_is_gone_cannot_take_the_window_of_its_neighbour() {
    let mut rig = Rig::new_on(2, &[("net.syslog", 1), ("net.snmp", 1)]);
    rig.option("reconnect.backoff.ms", "20");
    rig.option("reconnect.backoff.max.ms", "200");
    rig.config.window_records = 100;
    rig.cluster
        .partition_leader("net.syslog", 0, Some(1))
        .unwrap();
    rig.cluster
        .partition_leader("net.snmp", 0, Some(2))
        .unwrap();
    rig.start();
    rig.append(0, 1);
    rig.append(1, 1);
    rig.until_delivered(0);
    rig.until_delivered(1);
    rig.cluster.broker_down(2).unwrap();
    rig.append(1, 1_000);
    until("the stalled topic holds its part", || {
        rig.state().topics[1].in_flight == 75
    });
    rig.append(0, 1_000);
    rig.until_delivered(0);
    rig.cluster
        .partition_leader("net.snmp", 0, Some(1))
        .unwrap();
    rig.until_delivered(1);
    assert_eq!(rig.assert_complete(0, "net.syslog", 1, &[]), 0);
    assert_eq!(rig.assert_complete(1, "net.snmp", 1, &[]), 0);
}

#[test]
fn a_reserved_option_keeps_the_producer_from_starting() {
    let mut rig = Rig::new(&[("net.syslog", 1)]);
    rig.option("acks", "0");
    let refused = spawn(rig.config.clone(), Arc::clone(&rig.spool), |_| {});
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("'acks' is reserved"), "{text}");
}

#[test]
fn a_producer_that_panics_inside_a_call_of_a_disk_does_not_count_as_waiting_for_it() {
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    let heartbeat: Heartbeat = Box::new(move |phase| lock(&telling).push(phase));
    at_disk(&heartbeat, || assert_eq!(*lock(&told), [Phase::OnDisk]));
    let bug = || resume_unwind(Box::new("a bug of the producer"));
    let panicking = || at_disk(&heartbeat, bug);
    assert!(catch_unwind(AssertUnwindSafe(panicking)).is_err());
    assert_eq!(
        lock(&told)[1..],
        [Phase::Waits, Phase::OnDisk, Phase::Waits]
    );
}
