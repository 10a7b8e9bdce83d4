//! The Kafka cluster that librdkafka carries for its own tests: one process, no Java. For `trapline demo` and quick
//! tests only; it keeps nothing on disk and knows only a part of the protocol.

use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::{Offset, TopicPartitionList};

/// A cluster of one broker on a free port of 127.0.0.1, for as long as this value lives.
pub struct EmbeddedCluster {
    cluster: MockCluster<'static, DefaultProducerContext>,
    partitions: i32,
}

/// What went wrong with the embedded cluster, in librdkafka's words.
pub use rdkafka::error::KafkaError as EmbeddedError;

/// A record read back from a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumed {
    /// Its topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: i64,
    /// Its key: the device's hostname.
    pub key: Vec<u8>,
    /// The event as JSON.
    pub payload: Vec<u8>,
    /// Its Kafka timestamp, ms since the epoch.
    pub timestamp_ms: i64,
}

impl EmbeddedCluster {
    /// Starts the cluster and creates `topics` with `partitions` each.
    pub fn start(topics: &[String], partitions: i32) -> Result<EmbeddedCluster, EmbeddedError> {
        let cluster = MockCluster::new(1)?;
        for topic in topics {
            cluster.create_topic(topic, partitions, 1)?;
        }
        Ok(EmbeddedCluster {
            cluster,
            partitions,
        })
    }

    /// What clients connect to.
    pub fn bootstrap_servers(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// Reads `topics` from their beginning until `count` records have come or `deadline` is over.
    pub fn read_back(
        &self,
        topics: &[String],
        count: usize,
        deadline: Duration,
    ) -> Result<Vec<Consumed>, EmbeddedError> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.bootstrap_servers())
            .set("group.id", "trapline-demo")
            .create()?;
        let mut assignment = TopicPartitionList::new();
        for topic in topics {
            for partition in 0..self.partitions {
                assignment.add_partition_offset(topic, partition, Offset::Beginning)?;
            }
        }
        consumer.assign(&assignment)?;
        let until = Instant::now() + deadline;
        let mut records = Vec::new();
        while records.len() < count && Instant::now() < until {
            let Some(message) = consumer.poll(Duration::from_millis(100)) else {
                continue;
            };
            let message = message?;
            records.push(Consumed {
                topic: message.topic().to_owned(),
                partition: message.partition(),
                offset: message.offset(),
                key: message.key().unwrap_or_default().to_vec(),
                payload: message.payload().unwrap_or_default().to_vec(),
                timestamp_ms: message.timestamp().to_millis().unwrap_or(-1),
            });
        }
        Ok(records)
    }
}
