//! Reloads of a configuration whose storage does not answer.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::agent::Agent;
use crate::support::device::{fleet, send_in_turn};
use crate::support::failing_disk::{Failing, FailingDisk};
use crate::support::settings::{Listener, Settings};
use crate::support::wait::{SOON, wait_until};

const HANGS: &str = "the configuration is still being read, the old one stays in force until then: storage or a directory service does not answer";
const AGAIN: &str = "the configuration is being read, and is read again after that";

/// An agent without Kafka, whose inventory is on a disk of its own.
struct Scene {
    agent: Agent,
    settings: Settings,
    disk: FailingDisk,
    _share: TempDir,
}

impl Scene {
    fn start() -> Scene {
        let disk = FailingDisk::build();
        let share = TempDir::new().expect("a temporary folder");
        let inventory = share.path().join("inventory.csv");
        std::fs::write(&inventory, "address,hostname\n10.0.0.1,r1\n").expect("own folder");
        let mut settings = Settings::new("127.0.0.1:1", vec![Listener::syslog_udp()]);
        settings.identity = format!("inventory_file = {inventory:?}");
        settings.more = "[shutdown]\ndrain_seconds = 0".to_owned();
        settings.environment = disk.environment(share.path());
        let agent = Agent::start(&settings);
        // By then it has read its configuration.
        agent.status_page();
        Scene {
            agent,
            settings,
            disk,
            _share: share,
        }
    }

    /// A reload that hangs, and has been named.
    fn hang(&self) {
        self.disk.set(Failing::ReadsHang);
        self.agent.signal(libc::SIGHUP);
        wait_until("the reload is named", SOON, || self.said(HANGS) == 1);
    }

    /// How often the log has said so.
    fn said(&self, message: &str) -> usize {
        let lines = self.agent.log_since(0);
        let said = lines.iter().filter(|line| line.field("message") == message);
        said.count()
    }

    fn succeeded(&self, reloads: u8) -> bool {
        let line = format!("trapline_config_reloads_total{{result=\"succeeded\"}} {reloads}");
        let page = self.agent.get("/metrics").body;
        page.lines().any(|each| each == line)
    }
}

#[test]
fn a_reload_that_hangs_is_named_once_and_is_in_force_when_it_ends_as_is_one_that_came_meanwhile() {
    let mut scene = Scene::start();
    scene.hang();
    let hangs = |scene: &Scene| {
        let ready = scene.agent.get("/readyz").body;
        let is_shown = ready.contains("still being read again");
        let status = scene.agent.status();
        assert_eq!(status.contains("still being read again"), is_shown);
        is_shown
    };
    assert!(hangs(&scene));
    // Who receives does not notice, and neither does the watchdog.
    let fleet = fleet(1, scene.agent.listener("syslog-udp"));
    send_in_turn(&scene.agent, "syslog-udp", &fleet, 0..10, 0);
    assert_eq!(scene.agent.get("/healthz").status, 200);

    scene.settings.listeners[0].allow = vec!["192.0.2.1/32"];
    scene.agent.write_config(&scene.settings.toml());
    scene.agent.signal(libc::SIGHUP);
    wait_until("the second is known", SOON, || scene.said(AGAIN) == 1);
    assert!(scene.succeeded(0));
    scene.disk.set(Failing::Nothing);
    wait_until("both are done", SOON, || scene.succeeded(2));
    assert!(!hangs(&scene));
    assert_eq!(scene.said(HANGS), 1);
    fleet[0].send_number(10);
    wait_until("the list of the second is in force", SOON, || {
        let ledger = scene.agent.ledger();
        ledger.rejected("syslog-udp", "source_not_allowed") == 1
    });
    scene.agent.stop().ledger.assert_balances();
}

#[test]
fn sigterm_ends_an_agent_whose_reload_hangs() {
    let scene = Scene::start();
    scene.hang();
    let asked = Instant::now();
    scene.agent.signal(libc::SIGTERM);
    let ended = scene.agent.wait();
    // The stop writes and reads what is on that disk for seconds at most.
    assert!(asked.elapsed() < Duration::from_secs(10), "{}", ended.log);
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
    ended.ledger.assert_balances();
}
