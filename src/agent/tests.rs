//! Claims about reloads of an agent that runs without Kafka.

use super::*;

/// A configuration that touches nothing of the host but a port.
fn config(agent: &str) -> Resolved {
    let text = format!(
        "[agent]\nstate_folder = \"off\"\n{agent}\n[spool]\nkind = \"memory\"\n\
         [identity]\nreverse_dns = \"off\"\n[status]\nbind = \"off\"\nadmin_socket = \"off\"\n\
         [[listener]]\nname = \"syslog-udp\"\nprotocol = \"syslog\"\ntransport = \"udp\"\nbind = \"127.0.0.1:0\"\n"
    );
    config::parse(&text, "host").expect("a configuration")
}

#[test]
fn events_keep_the_agent_s_name_until_it_is_started_again() {
    let mut agent = Agent::start(config("id = \"br17\"")).expect("an agent");
    let reload = agent.reload(config("id = \"br18\""));
    assert_eq!(reload.needs_restart, ["agent.id"]);
    assert_eq!(agent.settings.config().agent_id, "br17");
    agent.stop(&AtomicBool::new(true));
}

#[test]
fn a_reload_names_what_has_changed_since_the_one_before_and_what_still_waits_for_a_restart() {
    let mut agent = Agent::start(config("")).expect("an agent");
    let quick = "report_seconds = 7\n[log]\nlevel = \"debug\"";
    let reload = agent.reload(config(quick));
    assert_eq!(reload.applied, ["log.level"]);
    assert_eq!(reload.needs_restart, ["agent.report_seconds"]);
    let reload = agent.reload(config(quick));
    assert_eq!(reload.applied, [""; 0]);
    assert_eq!(reload.needs_restart, ["agent.report_seconds"]);
    let reload = agent.reload(config(""));
    assert_eq!(reload.applied, ["log.level"]);
    assert_eq!(reload.needs_restart, [""; 0]);
    agent.stop(&AtomicBool::new(true));
}
