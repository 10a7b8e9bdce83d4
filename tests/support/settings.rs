//! The agent's configuration file, as a test wants it.

use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Settings of one agent; `toml` writes the file.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where Kafka is.
    pub bootstrap: String,
    /// The codec.
    pub compression: &'static str,
    /// More lines of the section `[kafka]`.
    pub kafka: &'static str,
    /// Topics by kind: `syslog`, `snmp_trap`.
    pub topics: Vec<(&'static str, String)>,
    /// Size of the memory spool.
    pub spool_bytes_max: u64,
    /// What a full spool does.
    pub when_full: &'static str,
    /// The spool on disk; one in memory where there is none.
    pub disk: Option<DiskSpool>,
    /// Seconds between two reports of the agent; 0: none, so that the ledger counts the test's own messages only.
    pub report_seconds: u64,
    /// The listeners.
    pub listeners: Vec<Listener>,
    /// Where what was learned is kept; a folder of the agent's own where it is `None`.
    pub state_folder: Option<PathBuf>,
    /// `[identity]`. Without it no events about devices are made, so that the ledger counts the test's own messages only.
    pub identity: String,
    /// More lines at the end of the file.
    pub more: String,
    /// Variables of the agent's environment.
    pub environment: Vec<(&'static str, String)>,
}

/// A spool on disk.
#[derive(Debug, Clone)]
pub struct DiskSpool {
    /// Its folder.
    pub folder: PathBuf,
    /// What is always left free on its file system.
    pub free_bytes_min: u64,
    /// `spool.inform_ack`.
    pub inform_ack: &'static str,
}

/// One listener of the file. Its port is chosen by the kernel unless it is given.
#[derive(Debug, Clone)]
pub struct Listener {
    pub name: &'static str,
    pub protocol: &'static str,
    pub transport: &'static str,
    pub allow: Vec<&'static str>,
    /// 0: the kernel chooses one.
    pub port: u16,
}

impl Listener {
    /// Syslog datagrams.
    pub fn syslog_udp() -> Self {
        Listener::new("syslog-udp", "syslog", "udp")
    }

    /// Syslog streams.
    pub fn syslog_tcp() -> Self {
        Listener::new("syslog-tcp", "syslog", "tcp")
    }

    /// Traps and informs.
    pub fn snmp_udp() -> Self {
        Listener::new("snmp-udp", "snmp", "udp")
    }

    /// Traps and informs over TCP.
    pub fn snmp_tcp() -> Self {
        Listener::new("snmp-tcp", "snmp", "tcp")
    }

    fn new(name: &'static str, protocol: &'static str, transport: &'static str) -> Self {
        Listener {
            name,
            protocol,
            transport,
            allow: vec!["127.0.0.0/8"],
            port: 0,
        }
    }

    /// The same at a port that is known before the agent starts.
    pub fn at(mut self, port: u16) -> Self {
        self.port = port;
        self
    }
}

impl Settings {
    /// An agent with these listeners that sends to `bootstrap`.
    pub fn new(bootstrap: &str, listeners: Vec<Listener>) -> Self {
        Settings {
            bootstrap: bootstrap.to_owned(),
            compression: "lz4",
            kafka: "",
            topics: Vec::new(),
            spool_bytes_max: 32 * 1024 * 1024,
            when_full: "drop_oldest",
            disk: None,
            report_seconds: 0,
            listeners,
            state_folder: None,
            identity: "events = []\nreverse_dns = \"off\"".to_owned(),
            more: String::new(),
            environment: Vec::new(),
        }
    }

    /// Sends events of `kind` to `topic`.
    pub fn topic(mut self, kind: &'static str, topic: &str) -> Self {
        self.topics.push((kind, topic.to_owned()));
        self
    }

    /// Reports to `topic` every second, so that `trapline audit` can tell what is missing.
    pub fn reporting(mut self, topic: &str) -> Self {
        self.report_seconds = 1;
        self.topic("agent", topic)
    }

    /// Keeps events in `folder` on disk, up to 1 GiB of them.
    pub fn on_disk(mut self, folder: &Path) -> Self {
        self.disk = Some(DiskSpool {
            folder: folder.to_owned(),
            free_bytes_min: 0,
            inform_ack: "written",
        });
        self.spool_bytes_max = 1024 * 1024 * 1024;
        self
    }

    /// The file's text.
    pub fn toml(&self) -> String {
        let mut file = String::new();
        let mut line = |text: String| writeln!(file, "{text}").expect("a String takes all text");
        line(format!(
            "[agent]\nid = \"br17\"\nreport_seconds = {}",
            self.report_seconds
        ));
        line(format!(
            "[kafka]\nbootstrap_servers = {:?}\ncompression = {:?}\nlinger_ms = 20\n{}",
            self.bootstrap, self.compression, self.kafka
        ));
        line("[topics]".to_owned());
        for (kind, topic) in &self.topics {
            line(format!("{kind} = {topic:?}"));
        }
        line(format!(
            "[spool]\nbytes_max = {}\nwhen_full = {:?}",
            self.spool_bytes_max, self.when_full
        ));
        line(match &self.disk {
            None => "kind = \"memory\"".to_owned(),
            Some(disk) => format!(
                "kind = \"disk\"\nfolder = {:?}\nfree_bytes_min = {}\ninform_ack = {:?}",
                disk.folder, disk.free_bytes_min, disk.inform_ack
            ),
        });
        line(format!("[identity]\n{}", self.identity));
        line("[status]\nbind = \"127.0.0.1:0\"\n[log]\nformat = \"json\"".to_owned());
        for listener in &self.listeners {
            line(format!(
                "[[listener]]\nname = {:?}\nprotocol = {:?}\ntransport = {:?}\nbind = \"127.0.0.1:{}\"\nallow = {:?}",
                listener.name, listener.protocol, listener.transport, listener.port, listener.allow
            ));
        }
        line(self.more.clone());
        file
    }
}

/// A number that the environment sets for the tests. The agent leaves names that begin with `TRAPLINE_TEST_` alone.
pub fn count_from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    let number = text.parse();
    Some(number.unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}
