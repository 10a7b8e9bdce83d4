//! Three brokers: every topic is kept by all of them, and two have to hold a record before it is acknowledged.
//!
//! ```text
//!  node 1 ──┐ each a broker and a controller (KRaft) with a folder of its own
//!  node 2 ──┼── may be killed, stopped, frozen and started again by its number
//!  node 3 ──┘
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rdkafka::admin::AdminClient;
use rdkafka::client::DefaultClientContext;

use super::kafka::{Broker, PARTITIONS, broker_script, quiet_port, signal_broker, text};
use super::wait::{SOON, wait_for, wait_until};

/// The nodes' numbers.
pub const NODES: [i32; 3] = [1, 2, 3];

/// Three brokers. They end with the test process.
pub struct Cluster {
    folder: PathBuf,
    ports: [u16; 3],
    voters: String,
    /// All of them, as a client sees them.
    pub brokers: Broker,
}

impl Cluster {
    /// The cluster that tests share, one test at a time; all of its nodes run when a test gets it.
    pub fn shared() -> MutexGuard<'static, Cluster> {
        static SHARED: OnceLock<Mutex<Cluster>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| Mutex::new(Cluster::new()));
        let cluster = shared.lock().unwrap_or_else(PoisonError::into_inner);
        cluster.start_all();
        cluster
    }

    fn new() -> Cluster {
        let ports = NODES.map(|_| quiet_port());
        let voters: Vec<String> = NODES
            .iter()
            .map(|node| format!("{node}@127.0.0.1:{}", quiet_port()))
            .collect();
        let name = format!("cluster-{}", std::process::id());
        let addresses: Vec<String> = ports
            .iter()
            .map(|port| format!("127.0.0.1:{port}"))
            .collect();
        Cluster {
            folder: Path::new(env!("CARGO_TARGET_TMPDIR")).join(name),
            ports,
            voters: format!("voters={}", voters.join(",")),
            brokers: Broker::cluster(addresses.join(","), 3),
        }
    }

    /// Starts every node that does not run. A node serves only when another one does, so they start together.
    fn start_all(&self) {
        std::thread::scope(|scope| {
            for node in NODES {
                scope.spawn(move || {
                    if self.folder(node).join("pid").is_file() {
                        // A test that failed may have left it frozen, or killed and not yet forgotten.
                        signal_broker(&self.folder(node), libc::SIGCONT);
                    } else {
                        self.start(node);
                    }
                });
            }
        });
    }

    /// Starts a node, or starts it again with the data that it had; returns when it serves.
    pub fn start(&self, node: i32) {
        let folder = text(&self.folder(node));
        let at = usize::try_from(node - 1).expect("a node's number");
        let port = format!("port={}", self.ports[at]);
        let owner = format!("owner={}", std::process::id());
        let number = format!("node={node}");
        broker_script(&[
            "start",
            &folder,
            &port,
            &owner,
            "heap=256",
            &number,
            &self.voters,
        ]);
    }

    /// kill -9.
    pub fn kill(&self, node: i32) {
        broker_script(&["kill", &text(&self.folder(node))]);
    }

    /// Asks a node to end, which hands its partitions over, and waits until it has.
    pub fn stop(&self, node: i32) {
        broker_script(&["stop", &text(&self.folder(node))]);
    }

    /// Freezes a node: its connections stay open and nothing answers.
    pub fn freeze(&self, node: i32) {
        signal_broker(&self.folder(node), libc::SIGSTOP);
    }

    /// Ends [`Cluster::freeze`].
    pub fn thaw(&self, node: i32) {
        signal_broker(&self.folder(node), libc::SIGCONT);
    }

    /// The node that leads a partition now.
    #[track_caller]
    pub fn leader(&self, topic: &str, partition: i32) -> i32 {
        wait_for("the partition has a leader", SOON, || {
            let leader = self.partitions(topic)?.get(&partition)?.0;
            NODES.contains(&leader).then_some(leader)
        })
    }

    /// Waits until every node holds all of every partition, so that the next one may go.
    #[track_caller]
    pub fn wait_until_in_sync(&self, topic: &str) {
        wait_until("every node is in sync", SOON, || {
            self.partitions(topic).is_some_and(|partitions| {
                partitions
                    .values()
                    .all(|(leader, in_sync)| NODES.contains(leader) && in_sync.len() == NODES.len())
            })
        });
    }

    /// Leader and in-sync replicas by partition.
    fn partitions(&self, topic: &str) -> Option<Partitions> {
        let admin: AdminClient<DefaultClientContext> =
            self.brokers.client().create().expect("an admin client");
        let known = admin
            .inner()
            .fetch_metadata(Some(topic), Duration::from_secs(5))
            .ok()?;
        let topic = known.topics().first()?;
        let partitions: Partitions = topic
            .partitions()
            .iter()
            .map(|one| {
                (
                    one.id(),
                    (one.leader(), one.isr().iter().copied().collect()),
                )
            })
            .collect();
        (partitions.len() == usize::try_from(PARTITIONS).ok()?).then_some(partitions)
    }

    fn folder(&self, node: i32) -> PathBuf {
        self.folder.join(node.to_string())
    }
}

type Partitions = std::collections::BTreeMap<i32, (i32, BTreeSet<i32>)>;
