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
