//! Reading topics from their beginning to the end that they have now: what an audit stands on.
//!
//! ```text
//!  topics ──watermarks, twice──▶ from..to of each partition ──assign, poll──▶ take(record), topic by topic
//!                                 └ from > 0: Kafka has deleted older records ──▶ expired(topic, time)
//! ```
//!
//! A report speaks of records that were in their topics before it. All ends are taken before the last ones are, so what a
//! report says that stands before the first end of its partition is in what is read; a later one is marked as late.
//!
//! Nothing is committed, no group is joined, nothing is written.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use super::Options;
use super::client::refused;

/// How long one question to a broker may take.
const ASK: Duration = Duration::from_secs(15);

/// How long no record may come before the reading is given up.
const SILENCE: Duration = Duration::from_secs(60);

/// Memory for records that wait in the client, in KiB: enough for a fast reader, little beside the audit's own.
const QUEUE_KBYTES: &str = "16384";

/// What to read.
#[derive(Debug, Clone)]
pub struct Reading {
    /// `host:port`, several separated by commas.
    pub bootstrap_servers: String,
    /// librdkafka's properties, TLS and SASL among them.
    pub options: Options,
    /// The topics, each once.
    pub topics: Vec<String>,
    /// Only records of this time or later (ms since the epoch).
    pub since_ms: Option<i64>,
}

/// One record.
#[derive(Debug, Clone, Copy)]
pub struct Found<'m> {
    /// Its topic.
    pub topic: &'m str,
    /// Its partition. Within it records come in the order of their offsets.
    pub partition: i32,
    /// Its payload; empty for a tombstone.
    pub payload: &'m [u8],
    /// It came after the first ends were taken: what it says of other records need not be in what is read.
    pub is_late: bool,
}

/// What the reading of all topics came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Read {
    /// Topics that do not exist.
    pub absent: Vec<String>,
    /// Topics whose oldest records Kafka has deleted, and the time (ms since the epoch) before which some may be gone.
    pub expired: Vec<(String, i64)>,
}

/// Why topics could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// librdkafka refuses a setting.
    #[error("the Kafka client cannot be set up: {0}; check the options")]
    Client(String),
    /// No answer, or none that helps.
    #[error(
        "{what} failed: {source}; check kafka.bootstrap_servers, the options and the rights to read; `trapline doctor` says how far it gets"
    )]
    Ask {
        /// What was asked for.
        what: String,
        /// In librdkafka's words.
        source: KafkaError,
    },
    /// Records that should be there do not come.
    #[error("topic {topic}: no record came for {} s, {left} partitions are not read to their end: {why}", SILENCE.as_secs())]
    Silent {
        /// The topic.
        topic: String,
        /// Partitions that are not at their end.
        left: usize,
        /// The last error, if there was one.
        why: String,
    },
}

impl ReadError {
    fn asking(what: String) -> impl FnOnce(KafkaError) -> ReadError {
        move |source| ReadError::Ask { what, source }
    }
}

/// A partition's part that is read.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// The oldest offset there is.
    low: i64,
    from: i64,
    /// The end at first.
    settled_to: i64,
    /// The end when those of all partitions were known.
    to: i64,
}

/// Reads everything, and hands each record to `take`.
///
/// # Errors
/// Not all of it could be read.
pub fn read(reading: &Reading, mut take: impl FnMut(Found<'_>)) -> Result<Read, ReadError> {
    let consumer = consumer(reading).map_err(|error| ReadError::Client(refused(error)))?;
    let mut read = Read::default();
    let mut parts = Vec::new();
    for topic in &reading.topics {
        match topic_parts(&consumer, topic, reading.since_ms)? {
            Some(found) => parts.push((topic, found)),
            None => read.absent.push(topic.clone()),
        }
    }
    for (topic, parts) in &mut parts {
        take_ends(&consumer, topic, parts)?;
    }
    for (topic, parts) in parts {
        if let Some(until_ms) = read_topic(&consumer, topic, parts, &mut take)? {
            read.expired.push((topic.clone(), until_ms));
        }
    }
    Ok(read)
}

fn consumer(reading: &Reading) -> Result<BaseConsumer, KafkaError> {
    let mut native = ClientConfig::new();
    for (key, value) in &reading.options.0 {
        native.set(key, value);
    }
    native
        .set("bootstrap.servers", &reading.bootstrap_servers)
        .set("group.id", "trapline-audit")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "earliest")
        .set("queued.max.messages.kbytes", QUEUE_KBYTES)
        // Options of the producer are said to be unused at a lower level.
        .set_log_level(RDKafkaLogLevel::Error)
        .create()
}

/// The parts of a topic to read; `None` where there is no such topic.
fn topic_parts(
    consumer: &BaseConsumer,
    topic: &str,
    since_ms: Option<i64>,
) -> Result<Option<BTreeMap<i32, Part>>, ReadError> {
    let asking = || ReadError::asking(format!("asking for topic {topic}"));
    let metadata = consumer
        .fetch_metadata(Some(topic), ASK)
        .map_err(asking())?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let Some(found) = found else {
        return Ok(None);
    };
    match found.error().map(Code::from) {
        None => {}
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => return Ok(None),
        Some(code) => return Err(asking()(KafkaError::MetadataFetch(code))),
    }
    let mut parts = BTreeMap::new();
    for partition in found.partitions().iter().map(|partition| partition.id()) {
        let (low, to) = consumer
            .fetch_watermarks(topic, partition, ASK)
            .map_err(asking())?;
        let (from, settled_to) = (low, to);
        parts.insert(
            partition,
            Part {
                low,
                from,
                settled_to,
                to,
            },
        );
    }
    if let Some(since_ms) = since_ms {
        let mut times = TopicPartitionList::new();
        for partition in parts.keys() {
            times
                .add_partition_offset(topic, *partition, Offset::Offset(since_ms))
                .map_err(asking())?;
        }
        let offsets = consumer.offsets_for_times(times, ASK).map_err(asking())?;
        for found in offsets.elements() {
            if let Some(part) = parts.get_mut(&found.partition()) {
                part.from = match found.offset() {
                    Offset::Offset(from) => from.max(part.low),
                    // No record is that young.
                    _ => part.to,
                };
            }
        }
    }
    Ok(Some(parts))
}

/// What came meanwhile is read too.
fn take_ends(
    consumer: &BaseConsumer,
    topic: &str,
    parts: &mut BTreeMap<i32, Part>,
) -> Result<(), ReadError> {
    for (partition, part) in parts {
        let ends = consumer.fetch_watermarks(topic, *partition, ASK);
        let asking = ReadError::asking(format!("asking for topic {topic}"));
        (_, part.to) = ends.map_err(asking)?;
    }
    Ok(())
}

/// Reads one topic. Returns the time before which Kafka may have deleted records, if it has deleted some.
fn read_topic(
    consumer: &BaseConsumer,
    topic: &str,
    mut parts: BTreeMap<i32, Part>,
    take: &mut impl FnMut(Found<'_>),
) -> Result<Option<i64>, ReadError> {
    let asking = || ReadError::asking(format!("reading topic {topic}"));
    let mut expired = None;
    let mut first_is_oldest: Vec<i32> = Vec::new();
    for (partition, part) in parts.iter().filter(|(_, part)| part.low > 0) {
        if part.low == part.to {
            // All that it ever had is gone, whenever it was.
            expired = Some(i64::MAX);
        } else if part.from == part.low {
            first_is_oldest.push(*partition);
        }
    }
    parts.retain(|_, part| part.from < part.to);
    let mut assignment = TopicPartitionList::new();
    for (partition, part) in &parts {
        assignment
            .add_partition_offset(topic, *partition, Offset::Offset(part.from))
            .map_err(asking())?;
    }
    consumer.assign(&assignment).map_err(asking())?;
    let mut deadline = Instant::now() + SILENCE;
    let mut why = "nothing was said".to_owned();
    while !parts.is_empty() {
        if Instant::now() >= deadline {
            return Err(ReadError::Silent {
                topic: topic.to_owned(),
                left: parts.len(),
                why,
            });
        }
        let message = match consumer.poll(Duration::from_millis(200)) {
            None => continue,
            // Behind the last record there may be marks of transactions, which never come as records.
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                parts.remove(&partition);
                continue;
            }
            Some(Err(error)) => {
                why = error.to_string();
                continue;
            }
            Some(Ok(message)) => message,
        };
        let partition = message.partition();
        let Some(part) = parts.get(&partition).copied() else {
            continue;
        };
        deadline = Instant::now() + SILENCE;
        if let Some(at) = first_is_oldest.iter().position(|known| *known == partition) {
            first_is_oldest.swap_remove(at);
            expired = expired.max(message.timestamp().to_millis());
        }
        if message.offset() < part.to {
            take(Found {
                topic,
                partition,
                payload: message.payload().unwrap_or_default(),
                is_late: message.offset() >= part.settled_to,
            });
        }
        if message.offset() + 1 >= part.to {
            parts.remove(&partition);
        }
    }
    consumer
        .assign(&TopicPartitionList::new())
        .map_err(asking())?;
    Ok(expired)
}
