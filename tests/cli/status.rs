//! `trapline status`: a running agent, one that is gone, and an admin socket that cannot be.

use serde_json::Value;

use crate::process::{Running, end, folder, trapline, write};
use crate::wait::{SOON, wait_until};

const ADMIN_SOCKET: &str = "TRAPLINE_STATUS__ADMIN_SOCKET";

const CONFIG: &str = "[agent]\nid = \"br17\"\n[spool]\nkind = \"memory\"\n[status]\nbind = \"off\"\n\
    [[listener]]\nname = \"a\"\nprotocol = \"syslog\"\ntransport = \"udp\"\nbind = \"127.0.0.1:0\"\n";

#[test]
fn a_running_agent_is_shown_as_text_and_as_json_and_one_that_has_ended_is_not() {
    let folder = folder();
    let file = write(&folder, CONFIG);
    let socket = folder.path().join("run/admin.sock");
    let agent = Running::start(trapline().env(ADMIN_SOCKET, &socket), &file);
    agent.line("admin socket");

    let by_config = end(trapline()
        .env(ADMIN_SOCKET, &socket)
        .args(["status", "--config"])
        .arg(&file));
    assert_eq!(by_config.code, Some(0), "{by_config:#?}");
    for part in [
        "trapline br17 ",
        "degraded, up ",
        "no brokers are configured",
        "set kafka.bootstrap_servers",
        "spool    memory",
        "lost: nothing",
    ] {
        assert!(by_config.out.contains(part), "{part}: {}", by_config.out);
    }
    for line in by_config.out.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let mut by_socket = trapline();
    by_socket
        .args(["status", "--json", "--socket"])
        .arg(&socket);
    let json = end(&mut by_socket);
    let report: Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!(report["listeners"][0]["name"], "a");
    assert_eq!(report["ledger"]["balanced"], true);

    agent.signal(libc::SIGTERM);
    assert_eq!(agent.end().code, Some(0));
    let gone = end(&mut by_socket);
    assert_eq!((gone.code, gone.out.as_str()), (Some(1), ""), "{gone:#?}");
    let path = socket.display().to_string();
    assert!(
        gone.err
            .contains(&format!("no agent answers at {path}: is it running?")),
        "{}",
        gone.err
    );
}

#[test]
fn a_changed_bind_is_shown_as_one_that_needs_a_restart_until_it_is_taken_back() {
    let folder = folder();
    let file = write(&folder, CONFIG);
    let socket = folder.path().join("admin.sock");
    let agent = Running::start(trapline().env(ADMIN_SOCKET, &socket), &file);
    agent.line("admin socket");
    let look = |more: &[&str]| {
        let mut command = trapline();
        command
            .arg("status")
            .args(more)
            .arg("--socket")
            .arg(&socket);
        end(&mut command).out
    };
    write(&folder, &CONFIG.replace("127.0.0.1:0", "127.0.0.1:5514"));
    agent.signal(libc::SIGHUP);
    agent.line("changed, and in force only after a restart");
    let text = look(&[]).split_whitespace().collect::<Vec<_>>().join(" ");
    let words = "listener a is configured for 127.0.0.1:5514 and runs on 127.0.0.1:0";
    assert!(
        text.contains(&format!("! restart needed: {words}")),
        "{text}"
    );
    let report: Value = serde_json::from_str(&look(&["--json"])).expect("JSON");
    assert_eq!(report["restart_needed"][0], words);

    write(&folder, CONFIG);
    agent.signal(libc::SIGHUP);
    wait_until("nothing needs a restart", SOON, || {
        !look(&[]).contains("restart needed")
    });
    agent.signal(libc::SIGTERM);
    assert_eq!(agent.end().code, Some(0));
}

#[test]
fn a_killed_agent_s_socket_is_taken_over_and_a_living_one_s_is_not() {
    let folder = folder();
    let file = write(&folder, CONFIG);
    let socket = folder.path().join("admin.sock");
    let start = || Running::start(trapline().env(ADMIN_SOCKET, &socket), &file);
    let killed = start();
    killed.line("admin socket");
    killed.signal(libc::SIGKILL);
    killed.end();
    assert!(socket.exists());
    let first = start();
    first.line("admin socket");
    let second = start();
    let line = second.line("no admin socket, everything else goes on");
    let error = line["error"].as_str().expect("text");
    assert!(error.contains("another agent answers"), "{error}");
    second.line("listening");
    second.signal(libc::SIGTERM);
    assert_eq!(second.end().code, Some(0));
    assert!(socket.exists(), "it is the first one's");
    first.signal(libc::SIGTERM);
    assert_eq!(first.end().code, Some(0));
    assert!(!socket.exists());
}

#[test]
fn a_bad_edit_of_the_file_makes_no_running_agent_unhealthy() {
    const BIND: &str = "TRAPLINE_STATUS__BIND";
    let folder = folder();
    let file = write(&folder, CONFIG);
    let agent = Running::start(trapline().env(BIND, "127.0.0.1:0"), &file);
    let page = agent.line("status page");
    let page = page["address"].as_str().expect("an address");
    write(&folder, "[listener\nthis is no TOML");
    let check = || {
        let mut command = trapline();
        command.args(["healthcheck", "--config"]).arg(&file);
        command
    };
    let ended = end(check().env(BIND, page));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.out.contains("alive"), "{ended:#?}");
    assert!(ended.err.contains("trapline.toml"), "{}", ended.err);
    assert!(ended.err.contains(page), "{}", ended.err);
    agent.signal(libc::SIGTERM);
    assert_eq!(agent.end().code, Some(0));
    let nobody = end(check().env(BIND, page));
    assert_eq!(nobody.code, Some(1), "{nobody:#?}");
}

#[test]
fn where_the_socket_is_off_the_command_says_so() {
    let folder = folder();
    let file = write(&folder, CONFIG);
    let off = end(trapline()
        .env(ADMIN_SOCKET, "off")
        .args(["status", "--config"])
        .arg(&file));
    assert_eq!(off.code, Some(1), "{off:#?}");
    assert!(off.err.contains("\"off\""), "{}", off.err);
}
