//! Apache Kafka on this machine, for the benchmarks that measure the whole agent.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

/// Partitions of every topic.
pub const PARTITIONS: i32 = 6;

/// A broker of its own, that ends with this value.
pub struct Kafka {
    folder: PathBuf,
    /// Where it is.
    pub address: String,
}

impl Kafka {
    /// Starts one below `folder`.
    pub fn start(folder: &Path) -> Kafka {
        let folder = folder.join("kafka");
        let owner = format!("owner={}", std::process::id());
        let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka/broker"))
            .args([
                std::ffi::OsStr::new("start"),
                folder.as_os_str(),
                owner.as_ref(),
            ])
            .stderr(Stdio::inherit())
            .output()
            .expect("tests/kafka/broker runs");
        assert!(output.status.success(), "tests/kafka/broker start failed");
        Kafka {
            folder,
            address: String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        let text = std::fs::read_to_string(self.folder.join("pid")).expect("a living broker");
        text.trim().parse().expect("a process id")
    }

    /// What a client of it is made from.
    pub fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", &self.address)
            .set("group.id", "bench");
        client
    }

    /// Creates a topic.
    pub fn create(&self, topic: &str) {
        let admin: AdminClient<DefaultClientContext> =
            self.client().create().expect("an admin client");
        let topic = NewTopic::new(topic, PARTITIONS, TopicReplication::Fixed(1));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime
            .block_on(admin.create_topics([&topic], &AdminOptions::new()))
            .expect("the topic is created");
    }

    /// Records of a topic: the sum of its partitions' end offsets.
    pub fn count(&self, topic: &str) -> u64 {
        let consumer: BaseConsumer = self.client().create().expect("a consumer");
        let end = |partition| {
            consumer
                .fetch_watermarks(topic, partition, Duration::from_secs(10))
                .map_or(0, |(_, end)| end)
        };
        (0..PARTITIONS).map(end).sum::<i64>() as u64
    }

    /// Waits until `topic` holds `count` records or does not grow for 10 s; returns how many it holds.
    pub fn settle(&self, topic: &str, count: u64) -> u64 {
        let mut last = (self.count(topic), Instant::now());
        while last.0 < count && last.1.elapsed() < Duration::from_secs(10) {
            let now = self.count(topic);
            if now != last.0 {
                last = (now, Instant::now());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        last.0
    }

    /// A consumer of the whole topic.
    pub fn reader(&self, topic: &str) -> BaseConsumer {
        let consumer: BaseConsumer = self.client().create().expect("a consumer");
        let mut assignment = rdkafka::TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            assignment
                .add_partition_offset(topic, partition, rdkafka::Offset::Beginning)
                .expect("a partition");
        }
        consumer.assign(&assignment).expect("an assignment");
        consumer
    }

    /// Bytes of the first record's payload.
    pub fn payload_bytes(&self, topic: &str) -> usize {
        let consumer = self.reader(topic);
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            if let Some(Ok(message)) = consumer.poll(Duration::from_millis(200)) {
                return message.payload_len();
            }
        }
        0
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka/broker");
        let _ = Command::new(script).arg("stop").arg(&self.folder).status();
    }
}
