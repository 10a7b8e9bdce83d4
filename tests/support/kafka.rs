//! The real broker, and oracles that read back from it.
//!
//! The address comes from `TRAPLINE_TEST_KAFKA` (and its folder from `TRAPLINE_TEST_KAFKA_DIR`), as `tests/run` sets
//! them; without them the test process starts a broker of its own, which ends with it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message, Offset, TopicPartitionList};
use serde_json::Value;
use tempfile::TempDir;

use super::wait::{SOON, wait_for};

/// How many partitions every topic of the tests has.
pub const PARTITIONS: i32 = 6;

/// A broker that serves, whoever started it.
#[derive(Debug, Clone)]
pub struct Broker {
    /// `host:port`, several separated by commas.
    pub address: String,
    folder: PathBuf,
    /// How many brokers keep each partition of a topic.
    replicas: i32,
}

/// One record, as a consumer sees it.
#[derive(Debug, Clone)]
pub struct Delivered {
    pub partition: i32,
    pub offset: i64,
    pub key: String,
    pub payload: Vec<u8>,
    /// Kafka's timestamp, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// The payload as JSON.
    pub event: Value,
}

impl Broker {
    /// The broker that all tests share.
    pub fn shared() -> &'static Broker {
        static SHARED: OnceLock<Broker> = OnceLock::new();
        SHARED.get_or_init(|| {
            let given = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
            if let Some(address) = given("TRAPLINE_TEST_KAFKA") {
                let folder = given("TRAPLINE_TEST_KAFKA_DIR").unwrap_or_default();
                return Broker::alone(address, folder.into());
            }
            let name = format!("kafka-{}", std::process::id());
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
            let owner = format!("owner={}", std::process::id());
            let address = broker_script(&["start", &text(&folder), &owner]);
            Broker::alone(address, folder)
        })
    }

    fn alone(address: String, folder: PathBuf) -> Broker {
        Broker {
            address,
            folder,
            replicas: 1,
        }
    }

    /// Several brokers, `addresses` separated by commas; topics are replicated to `replicas` of them.
    pub fn cluster(addresses: String, replicas: i32) -> Broker {
        Broker {
            address: addresses,
            folder: PathBuf::new(),
            replicas,
        }
    }

    /// A new topic with a name of its own that begins with `name`.
    pub fn topic(&self, name: &str) -> String {
        let topic = unique(name);
        self.create(&topic, &[]);
        topic
    }

    /// Creates a topic with settings of its own, and waits until it can be used.
    pub fn create(&self, topic: &str, settings: &[(&str, &str)]) {
        self.create_on(topic, TopicReplication::Fixed(self.replicas), settings);
    }

    /// As [`Broker::create`], on chosen brokers.
    pub fn create_on(
        &self,
        topic: &str,
        replication: TopicReplication<'_>,
        settings: &[(&str, &str)],
    ) {
        let admin: AdminClient<DefaultClientContext> =
            self.client().create().expect("an admin client");
        let mut new = NewTopic::new(topic, PARTITIONS, replication);
        for (name, value) in settings {
            new = new.set(name, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let results = runtime
            .block_on(admin.create_topics([&new], &options))
            .expect("the broker answers");
        for result in results {
            result.unwrap_or_else(|(topic, error)| panic!("creating {topic}: {error}"));
        }
    }

    /// Changes a setting of a topic.
    pub fn alter(&self, topic: &str, name: &str, value: &str) {
        let admin: AdminClient<DefaultClientContext> =
            self.client().create().expect("an admin client");
        let change = AlterConfig::new(ResourceSpecifier::Topic(topic)).set(name, value);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let results = runtime
            .block_on(admin.alter_configs([&change], &AdminOptions::new()))
            .expect("the broker answers");
        for result in results {
            result.unwrap_or_else(|(_, error)| panic!("altering {topic}: {error}"));
        }
    }

    /// Reads the topic from its beginning until `count` records are there, and then to its present end, so that a
    /// record too many is seen as well. The order is that of the partitions, each from its first offset on.
    #[track_caller]
    pub fn read(&self, topic: &str, count: usize) -> Vec<Delivered> {
        let mut records: Vec<Delivered> = Vec::new();
        self.read_each(topic, count, |record| records.push(record));
        records.sort_by_key(|record| (record.partition, record.offset));
        records
    }

    /// As [`Broker::read`], one record after the other: in order within a partition, the partitions mixed.
    #[track_caller]
    pub fn read_each(&self, topic: &str, count: usize, mut take: impl FnMut(Delivered)) {
        let consumer = self.reader(topic);
        let mut taken = 0;
        let mut wanted = count;
        let mut deadline = Instant::now() + SOON;
        loop {
            while taken < wanted {
                match consumer.poll(Duration::from_millis(100)) {
                    Some(Ok(message)) => {
                        take(Delivered::new(&message));
                        taken += 1;
                        deadline = Instant::now() + SOON;
                    }
                    // One of several brokers may be away; the client goes on with the others.
                    Some(Err(error)) if self.replicas > 1 => {
                        assert!(Instant::now() < deadline, "reading {topic}: {error}");
                    }
                    Some(Err(error)) => panic!("reading {topic}: {error}"),
                    None => {}
                }
                assert!(
                    Instant::now() < deadline,
                    "{taken} of {wanted} records in {topic}, and no more in {} s",
                    SOON.as_secs()
                );
            }
            // Asking for the end takes long, so it is asked for only where the reading may be at it.
            match self.length(&consumer, topic) {
                length if length > taken => wanted = length,
                _ => break,
            }
        }
    }

    /// How many records the topic holds now.
    #[track_caller]
    pub fn count(&self, topic: &str) -> usize {
        self.length(&self.reader(topic), topic)
    }

    /// Two members or more with the same `group` share the topic's partitions.
    pub fn member(&self, topic: &str, group: &str) -> BaseConsumer {
        let consumer: BaseConsumer = self
            .client()
            .set("group.id", group)
            .set("auto.offset.reset", "earliest")
            .create()
            .expect("a consumer");
        consumer.subscribe(&[topic]).expect("a subscription");
        consumer
    }

    /// The codecs of the topic's batches as they lie on the broker's disk: the lowest three bits of a batch's
    /// attributes (Kafka protocol, record batch version 2).
    pub fn codecs(&self, topic: &str) -> Vec<u8> {
        assert!(
            self.folder.is_dir(),
            "TRAPLINE_TEST_KAFKA_DIR has to name the broker's folder"
        );
        let mut codecs = Vec::new();
        for partition in 0..PARTITIONS {
            let segment = self
                .folder
                .join(format!("data/{topic}-{partition}/00000000000000000000.log"));
            let bytes = std::fs::read(&segment)
                .unwrap_or_else(|error| panic!("{}: {error}", segment.display()));
            let mut rest = bytes.as_slice();
            // baseOffset 8, batchLength 4 (counted from behind itself), leaderEpoch 4, magic 1, crc 4, attributes 2
            while let Some(head) = rest.get(..23) {
                let length = u32::from_be_bytes([head[8], head[9], head[10], head[11]]);
                codecs.push(head[22] & 7);
                rest = rest.get(12 + length as usize..).unwrap_or_default();
            }
        }
        codecs.sort_unstable();
        codecs.dedup();
        codecs
    }

    /// A client of this broker, for what is asked rarely.
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address);
        config
    }

    fn reader(&self, topic: &str) -> BaseConsumer {
        let consumer: BaseConsumer = self
            .client()
            .set("group.id", unique("reader"))
            .set("enable.auto.commit", "false")
            .create()
            .expect("a consumer");
        let mut partitions = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            partitions
                .add_partition_offset(topic, partition, Offset::Beginning)
                .expect("an offset");
        }
        consumer.assign(&partitions).expect("an assignment");
        consumer
    }

    /// How many records the topic holds now.
    #[track_caller]
    fn length(&self, consumer: &BaseConsumer, topic: &str) -> usize {
        let length: i64 = (0..PARTITIONS)
            .map(|partition| {
                wait_for("the partition's end is known", SOON, || {
                    let known = consumer.fetch_watermarks(topic, partition, Duration::from_secs(5));
                    known.ok().map(|(_, high)| high)
                })
            })
            .sum();
        usize::try_from(length).expect("a length")
    }
}

impl Delivered {
    /// Copies what the client library holds.
    pub fn new(message: &BorrowedMessage<'_>) -> Delivered {
        let payload = message.payload().unwrap_or_default().to_vec();
        let event = serde_json::from_slice(&payload).unwrap_or_else(|error| {
            panic!("no JSON ({error}): {}", String::from_utf8_lossy(&payload))
        });
        Delivered {
            partition: message.partition(),
            offset: message.offset(),
            key: String::from_utf8(message.key().unwrap_or_default().to_vec()).expect("UTF-8"),
            payload,
            timestamp_ms: message.timestamp().to_millis().unwrap_or_default(),
            event,
        }
    }
}

/// A broker of one test's own, which may come late, go and return. It ends with this value.
pub struct OwnBroker {
    folder: TempDir,
    port: u16,
    /// What `tests/kafka/broker start` is told besides.
    settings: Vec<String>,
}

impl OwnBroker {
    /// Chooses an address at which nothing listens yet.
    pub fn absent() -> OwnBroker {
        OwnBroker::absent_with(&[])
    }

    /// The same with settings of its own, as `tests/kafka/broker start` takes them.
    pub fn absent_with(settings: &[String]) -> OwnBroker {
        OwnBroker {
            folder: TempDir::new().expect("a temporary folder"),
            port: quiet_port(),
            settings: settings.to_vec(),
        }
    }

    /// Where it serves, once it does.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts it, or starts it again with the data that it had.
    pub fn start(&self) -> Broker {
        let folder = text(self.folder.path());
        let port = format!("port={}", self.port);
        let owner = format!("owner={}", std::process::id());
        let mut arguments = vec!["start", &folder, &port, &owner, "heap=384"];
        arguments.extend(self.settings.iter().map(String::as_str));
        let address = broker_script(&arguments);
        assert_eq!(address, self.address());
        self.broker()
    }

    /// The broker, which may be away.
    pub fn broker(&self) -> Broker {
        Broker::alone(self.address(), self.folder.path().to_owned())
    }

    /// Runs one of Kafka's own tools on it and returns what it printed.
    pub fn tool(&self, class: &str, arguments: &[&str]) -> String {
        let folder = text(self.folder.path());
        broker_script(&[&["tool", &folder, class], arguments].concat())
    }
}

impl OwnBroker {
    /// Asks it to end, and waits until it has.
    pub fn stop(&self) {
        broker_script(&["stop", &text(self.folder.path())]);
    }

    /// kill -9.
    pub fn kill(&self) {
        broker_script(&["kill", &text(self.folder.path())]);
    }

    /// Sends it a signal: SIGSTOP and SIGCONT make it deaf for a while with its connections open.
    pub fn signal(&self, signal: libc::c_int) {
        signal_broker(self.folder.path(), signal);
    }
}

impl Drop for OwnBroker {
    fn drop(&mut self) {
        broker_script(&["stop", &text(self.folder.path())]);
    }
}

/// A port at which nothing listens, below the range that the kernel hands out, so that nobody takes it meanwhile.
pub fn quiet_port() -> u16 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    wait_for("a free port", SOON, || {
        let number = u64::from(std::process::id()) * 7 + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(12_000 + number % 8_000).expect("a port");
        std::net::TcpListener::bind(("127.0.0.1", port))
            .is_ok()
            .then_some(port)
    })
}

/// `name` with a tail that no other test, and no other run of this one, uses.
pub fn unique(name: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{name}-{}-{number}", std::process::id())
}

/// Sends a signal to the broker that was started in `folder`.
#[track_caller]
pub(super) fn signal_broker(folder: &Path, signal: libc::c_int) {
    let id = std::fs::read_to_string(folder.join("pid")).expect("the broker runs");
    let id: libc::pid_t = id.trim().parse().expect("a process id");
    // SAFETY: kill takes two integers; the broker is this test's own child and still runs.
    let result = unsafe { libc::kill(id, signal) };
    assert_eq!(result, 0, "kill: {}", std::io::Error::last_os_error());
}

/// Runs `tests/kafka/broker` and returns what it printed.
#[track_caller]
pub(super) fn broker_script(arguments: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kafka/broker");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    // Output goes to files: the broker lives on and would hold a pipe open.
    let printed = tempfile::NamedTempFile::new().expect("a temporary file");
    let status = Command::new(&script)
        .args(arguments)
        .env("CARGO_TARGET_DIR", target.expect("the build folder"))
        .stdout(printed.reopen().expect("the file again"))
        .status()
        .expect("bash runs");
    assert!(
        status.success(),
        "{} {arguments:?}: {status}",
        script.display()
    );
    let text = std::fs::read_to_string(printed.path()).expect("what was printed");
    text.trim().to_owned()
}

/// A path as an argument.
pub(super) fn text(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}
