//! Processes of this host, by unix sockets: a sidecar's own container.

use std::io::Write;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::PathBuf;

use tempfile::TempDir;

use crate::support::agent::Agent;
use crate::support::device::{line, numbered, octet_counted};
use crate::support::kafka::Broker;
use crate::support::oracle::{assert_numbered, assert_well_made, number_after, string};
use crate::support::settings::Settings;
use crate::support::tool::{run, tool};

/// An agent with one socket of each kind, and where they stand.
struct Sockets {
    agent: Agent,
    datagrams: PathBuf,
    stream: PathBuf,
    _folder: TempDir,
}

impl Sockets {
    fn open(broker: &Broker, topic: &str) -> Sockets {
        let folder = TempDir::new().expect("a temporary folder");
        let (datagrams, stream) = (folder.path().join("d.sock"), folder.path().join("s.sock"));
        let mut settings = Settings::new(&broker.address, Vec::new()).topic("syslog", topic);
        settings.more = format!(
            "[[listener]]\nname = \"datagrams\"\ntransport = \"unix_dgram\"\npath = {datagrams:?}\nmode = \"0600\"\n\
             [[listener]]\nname = \"stream\"\ntransport = \"unix_stream\"\npath = {stream:?}\n"
        );
        let agent = Agent::start(&settings);
        for name in ["datagrams", "stream"] {
            agent.wait_for_line("a socket is bound", |line| {
                let message = string(line.field("message")).starts_with("listening");
                (message && line.field("listener") == name).then_some(())
            });
        }
        Sockets {
            agent,
            datagrams,
            stream,
            _folder: folder,
        }
    }
}

#[test]
fn messages_by_either_kind_of_socket_arrive_once_each_in_order() {
    let broker = Broker::shared();
    let topic = broker.topic("unix");
    let sockets = Sockets::open(broker, &topic);
    let sender = UnixDatagram::unbound().expect("a socket");
    let mut stream = UnixStream::connect(&sockets.stream).expect("somebody listens");
    for number in 0..2000 {
        // A fast sender waits: nothing of it may be lost.
        let datagram = numbered("app-d", number);
        sender
            .send_to(datagram.as_bytes(), &sockets.datagrams)
            .expect("it takes what fits");
        let message = numbered("app-s", number);
        let framed = match number % 2 {
            0 => octet_counted(&message),
            _ => line(&message),
        };
        stream.write_all(&framed).expect("it takes what fits");
    }
    drop(stream);

    let records = broker.read(&topic, 4000);
    assert_well_made(&records);
    assert_numbered(&records, &["app-d".to_owned(), "app-s".to_owned()], 2000);
    for record in &records {
        let event = &record.event;
        let transport = match record.key.as_str() {
            "app-d" => "unix_dgram",
            _ => "unix_stream",
        };
        assert_eq!(event["agent"]["transport"], transport);
        assert_eq!(event["device"]["hostname_source"], "header");
        assert!(event["device"]["address"].is_null());
    }
    sockets.agent.wait_until_delivered(4000).assert_balances();
    let page = sockets.agent.get("/metrics").body;
    assert!(page.contains("trapline_connections_accepted_total{listener=\"stream\""));
    assert!(!page.contains("trapline_connections_accepted_total{listener=\"datagrams\""));
    let ended = sockets.agent.stop();
    ended.assert_in_order();
    assert_eq!(ended.ledger.listener("datagrams", "kernel_dropped"), 0);
    assert!(ended.log.contains("\"burst_datagrams\""), "{}", ended.log);
    assert!(!sockets.datagrams.exists() && !sockets.stream.exists());
}

#[test]
fn a_message_that_names_no_host_is_of_the_agents_own() {
    let broker = Broker::shared();
    let topic = broker.topic("unix-local");
    let sockets = Sockets::open(broker, &topic);
    for number in 0..20 {
        // What util-linux and glibc write to /dev/log: no host name.
        run(tool("logger", "bsdutils")
            .arg("--socket")
            .arg(&sockets.datagrams)
            .args(["--tag", "app", "--id=77", &format!("n={number}")]));
    }
    let records = broker.read(&topic, 20);
    assert_well_made(&records);
    for (number, record) in records.iter().enumerate() {
        let event = &record.event;
        assert_eq!(event["device"]["hostname"], "br17", "{event:#}");
        assert_eq!(event["device"]["hostname_source"], "agent", "{event:#}");
        assert_eq!(event["syslog"]["app_name"], "app", "{event:#}");
        assert_eq!(event["syslog"]["proc_id"], "77", "{event:#}");
        assert_eq!(number_after(string(&event["message"]), "n="), number as u64);
    }
    sockets.agent.wait_until_delivered(20);
    sockets.agent.stop().assert_in_order();
}
