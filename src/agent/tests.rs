//! Claims about reloads of an agent that runs without Kafka.

use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc;

use super::*;
use crate::observe::picture::{ListenerCondition, View};

/// A configuration that touches nothing of the host but a port.
fn config(agent: &str) -> Resolved {
    config::parse(&text(agent), "host").expect("a configuration")
}

fn text(agent: &str) -> String {
    format!(
        "[agent]\nstate_folder = \"off\"\n{agent}\n[spool]\nkind = \"memory\"\n\
         [identity]\nreverse_dns = \"off\"\n[status]\nbind = \"off\"\nadmin_socket = \"off\"\n\
         [[listener]]\nname = \"syslog-udp\"\nprotocol = \"syslog\"\ntransport = \"udp\"\nbind = \"127.0.0.1:0\"\n"
    )
}

#[test]
fn events_keep_the_agent_s_name_until_it_is_started_again() {
    let mut agent = Agent::start(config("id = \"br17\"")).expect("an agent");
    let reload = agent.reload(config("id = \"br18\"")).difference;
    assert_eq!(reload.needs_restart, ["agent.id"]);
    assert_eq!(agent.settings.config().agent_id, "br17");
    agent.stop(&AtomicBool::new(true));
}

#[test]
fn what_needs_a_restart_is_shown_until_the_configuration_says_again_what_runs() {
    let mut agent = Agent::start(config("")).expect("an agent");
    let shown = |agent: &Agent| agent.observer.picture().configuration.restart_needed;
    assert_eq!(shown(&agent), [""; 0]);
    let moved = text("").replace("127.0.0.1:0", "127.0.0.2:5514")
        + "[[listener]]\nname = \"more\"\nbind = \"127.0.0.1:0\"\n[kafka]\nlinger_ms = 7\n[log]\nlevel = \"warn\"\n";
    for _ in 0..2 {
        agent.reload(config::parse(&moved, "host").expect("a configuration"));
        assert_eq!(
            shown(&agent),
            [
                "kafka.linger_ms is not as it is configured",
                "listener more is configured and does not run",
                "listener syslog-udp is configured for 127.0.0.2:5514 and runs on 127.0.0.1:0",
            ]
        );
    }
    let renamed = text("").replace("syslog-udp", "other");
    agent.reload(config::parse(&renamed, "host").expect("a configuration"));
    assert_eq!(
        shown(&agent),
        [
            "listener other is configured and does not run",
            "listener syslog-udp runs and is not configured any more",
        ]
    );
    agent.reload(config(""));
    assert_eq!(shown(&agent), [""; 0]);
    agent.stop(&AtomicBool::new(true));
}

/// The condition of the listener of this name.
fn condition(agent: &Agent, name: &str) -> ListenerCondition {
    let listeners = agent.observer.picture().listeners;
    let listener = listeners.iter().find(|listener| listener.name == name);
    listener.expect("the listener").state.clone()
}

#[test]
fn a_listener_whose_address_is_taken_at_the_start_hears_when_it_is_free_by_the_list_of_a_reload() {
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
    let late = |name: &str, transport: &str, at: SocketAddr, allow: &str| {
        format!(
            "[[listener]]\nname = \"{name}\"\nprotocol = \"syslog\"\ntransport = \"{transport}\"\nbind = \"{at}\"\nallow = [\"{allow}\"]\n"
        )
    };
    let (udp_at, tcp_at) = (udp.local_addr().unwrap(), tcp.local_addr().unwrap());
    let config = |allow: &str| {
        let more = late("late-udp", "udp", udp_at, allow) + &late("late-tcp", "tcp", tcp_at, allow);
        let file = text("report_seconds = 0") + &more;
        config::parse(&file, "host").expect("a configuration")
    };
    let mut agent = Agent::start(config("192.0.2.1/32")).expect("an agent");
    let names = ["late-udp", "late-tcp"];
    for name in names {
        let state = condition(&agent, name);
        assert!(
            matches!(&state, ListenerCondition::Missing { why } if why.contains("is taken")),
            "{state:?}"
        );
    }
    agent.reload(config("127.0.0.0/8"));
    agent.hear_missing(Instant::now());
    assert!(matches!(
        condition(&agent, "late-udp"),
        ListenerCondition::Missing { .. }
    ));
    drop((udp, tcp));
    // Not at once: a try is due every few seconds.
    agent.hear_missing(Instant::now());
    assert!(agent.address("late-udp").is_none());
    agent.hear_missing(Instant::now() + Duration::from_secs(5));
    let sender = UdpSocket::bind("127.0.0.1:0").expect("a port");
    sender.send_to(b"<13>one", udp_at).expect("it listens");
    let mut stream = TcpStream::connect(tcp_at).expect("it listens");
    stream.write_all(b"<13>two\n").expect("it reads");
    let used = |agent: &Agent, name: &str| {
        let ledger = agent.ledger();
        let listener = ledger.listeners.iter().find(|it| it.listener.name == name);
        listener.expect("the listener").counts.used
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    while names.iter().any(|name| used(&agent, name) == 0) {
        assert!(Instant::now() < deadline, "{:?}", agent.ledger());
        std::thread::park_timeout(Duration::from_millis(2));
    }
    for name in names {
        let state = condition(&agent, name);
        assert!(
            matches!(state, ListenerCondition::Listening { .. }),
            "{state:?}"
        );
    }
    let ledger = agent.stop(&AtomicBool::new(true));
    assert_eq!(ledger.imbalance(), [""; 0]);
}

#[test]
fn a_listener_whose_thread_cannot_be_started_is_missing_and_is_tried_again() {
    let more = "[[listener]]\nname = \"deaf\"\nprotocol = \"syslog\"\ntransport = \"udp\"\nbind = \"127.0.0.1:0\"\n";
    let mut config = config::parse(&(text("") + more), "host").expect("a configuration");
    let deaf = config.listeners.last_mut().expect("two");
    // The system has not so much memory.
    deaf.datagram_bytes_max = usize::MAX;
    let mut agent = Agent::start(config).expect("an agent");
    for _ in 0..2 {
        let state = condition(&agent, "deaf");
        assert!(
            matches!(&state, ListenerCondition::Missing { why } if why.contains("thread")),
            "{state:?}"
        );
        assert_eq!(agent.address("deaf"), None);
        agent.hear_missing(Instant::now() + Duration::from_secs(10));
    }
    let later = Instant::now() + Duration::from_secs(60);
    let health = health::healthz(&agent.heartbeats.pulses(later));
    let Health::Stalled(pulses) = health else {
        panic!("a minute has passed");
    };
    assert!(
        pulses.iter().all(|pulse| pulse.thread != "udp-1-0"),
        "{pulses:?}"
    );
    agent.stop(&AtomicBool::new(true));
}

#[test]
fn a_reload_names_what_has_changed_since_the_one_before_and_what_still_waits_for_a_restart() {
    let mut agent = Agent::start(config("")).expect("an agent");
    let quick = "report_seconds = 7\n[log]\nlevel = \"debug\"";
    let reload = agent.reload(config(quick)).difference;
    assert_eq!(reload.applied, ["log.level"]);
    assert_eq!(reload.needs_restart, ["agent.report_seconds"]);
    let reload = agent.reload(config(quick)).difference;
    assert_eq!(reload.applied, [""; 0]);
    assert_eq!(reload.needs_restart, ["agent.report_seconds"]);
    let reload = agent.reload(config("")).difference;
    assert_eq!(reload.applied, ["log.level"]);
    assert_eq!(reload.needs_restart, [""; 0]);
    agent.stop(&AtomicBool::new(true));
}

#[test]
fn a_reload_that_cannot_read_a_file_again_counts_as_partial_and_names_its_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let inventory = folder.path().join("inventory.csv");
    std::fs::write(&inventory, "address,hostname\n10.0.0.1,r1\n").expect("own folder");
    let key = format!("[identity]\nreverse_dns = \"off\"\ninventory_file = {inventory:?}\n");
    let config = || {
        let file = text("").replace("[identity]\nreverse_dns = \"off\"\n", &key);
        config::parse(&file, "host").expect("a configuration")
    };
    let mut agent = Agent::start(config()).expect("an agent");
    assert_eq!(agent.reload(config()).not_read, [""; 0]);
    std::fs::write(&inventory, "this is no inventory\n").expect("own folder");
    assert_eq!(agent.reload(config()).not_read, ["identity.inventory_file"]);
    let reloads = agent.observer.picture().reloads;
    assert_eq!(
        (reloads.succeeded, reloads.partial, reloads.failed),
        (1, 1, 0)
    );
    agent.stop(&AtomicBool::new(true));
}

#[test]
fn a_stop_does_not_wait_for_storage_that_does_not_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    // The table of devices is written beside the old one, and opened once somebody reads it: as slow as a file can be.
    let table = folder.path().join("devices.new");
    let made = std::process::Command::new("mkfifo").arg(&table).status();
    assert!(made.expect("mkfifo").success());
    let mut config = config("");
    config.state_folder = Some(folder.path().to_owned());
    let agent = Agent::start(config).expect("an agent");
    assert_eq!(stopped(agent, false).imbalance(), [""; 0]);
}

/// Stops the agent; panics where it does not come to its end.
fn stopped(agent: Agent, cut_short: bool) -> Snapshot {
    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = ended.send(agent.stop(&AtomicBool::new(cut_short)));
    });
    end.recv_timeout(Duration::from_secs(30))
        .expect("the stop ends")
}

#[test]
fn a_stop_gives_a_producer_that_does_not_end_its_time_and_leaves_it_to_the_process() {
    let mut agent = Agent::start(config("")).expect("an agent");
    let before = agent.producer.take().expect("a producer");
    before.stop(Instant::now());
    // It waits inside its first turn, as at a disk that does not answer, until the test is over.
    let (entered, inside) = mpsc::channel();
    let (_over, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let wait = move |_| {
        let _ = entered.send(());
        let _ = held.lock().map(|held| held.recv());
    };
    let config = produce::Config {
        topics: agent.spool.topics(),
        ..agent.config.produce.clone()
    };
    let stuck = produce::spawn(config, agent.spool.clone(), wait).expect("a producer");
    agent.producer = Some(stuck);
    let within = Duration::from_secs(30);
    inside.recv_timeout(within).expect("it has a turn");
    let begun = Instant::now();
    let ledger = stopped(agent, true);
    assert!(begun.elapsed() >= stop::PRODUCER_WAIT);
    assert_eq!(ledger.imbalance(), [""; 0]);
}

#[test]
fn a_missing_listener_that_a_reload_removed_or_moved_takes_no_port_until_it_is_put_back() {
    let taken = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let at = taken.local_addr().unwrap();
    let late = |at: SocketAddr| {
        let more = format!(
            "[[listener]]\nname = \"late\"\nprotocol = \"syslog\"\ntransport = \"udp\"\nbind = \"{at}\"\n"
        );
        config::parse(&(text("") + &more), "host").expect("a configuration")
    };
    let mut agent = Agent::start(late(at)).expect("an agent");
    drop(taken);
    for moved in [config(""), late("127.0.0.2:0".parse().unwrap())] {
        agent.reload(moved);
        agent.hear_missing(Instant::now());
        let state = condition(&agent, "late");
        assert!(
            matches!(&state, ListenerCondition::Missing { why } if why.contains("after a restart")),
            "{state:?}"
        );
        drop(UdpSocket::bind(at).expect("others may have it"));
    }
    agent.reload(late(at));
    agent.hear_missing(Instant::now());
    assert_eq!(agent.address("late"), Some(at));
    agent.stop(&AtomicBool::new(true));
}

#[test]
fn a_status_page_whose_port_is_taken_is_served_when_it_is_free() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = taken.local_addr().unwrap();
    let file = text("").replace("bind = \"off\"", &format!("bind = \"{at}\""));
    let config = config::parse(&file, "host").expect("a configuration");
    let mut agent = Agent::start(config).expect("an agent");
    let later = Instant::now() + TRY_STATUS_EVERY;
    agent.serve_missing(later);
    assert!(TcpStream::connect(at).is_ok_and(|_| agent.status.is_none()));
    drop(taken);
    // Not at once: a try is due every few seconds.
    agent.serve_missing(later);
    assert!(agent.status.is_none());
    agent.serve_missing(later + TRY_STATUS_EVERY);
    assert!(agent.status.is_some());
    assert!(TcpStream::connect(at).is_ok());
    agent.stop(&AtomicBool::new(true));
}
