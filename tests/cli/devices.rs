//! `trapline devices`: who was heard by a running agent, filtered and ordered, and an agent that is not there.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;

use serde_json::Value;

use crate::process::{Ended, Running, end, folder, trapline, write};
use crate::wait::{SOON, wait_until};

const ADMIN_SOCKET: &str = "TRAPLINE_STATUS__ADMIN_SOCKET";

fn list(socket: &Path, arguments: &[&str]) -> Ended {
    end(trapline()
        .args(["devices", "--socket"])
        .arg(socket)
        .args(arguments)
        .env("COLUMNS", "80"))
}

fn names(shown: &Ended) -> Vec<String> {
    let rows = shown.out.lines();
    rows.map(|line| serde_json::from_str::<Value>(line).expect("one object a line"))
        .map(|row| row["hostname"].as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn those_that_were_heard_are_listed_and_filtered_and_those_that_were_not_are_silent() {
    let folder = folder();
    let inventory = folder.path().join("inventory.csv");
    std::fs::write(
        &inventory,
        "address,hostname,silent_seconds\n127.0.0.11,lax-r2,\n127.0.0.12,lax-r10,\n127.0.0.13,fra-r1,60\n",
    )
    .expect("own folder");
    let file = write(
        &folder,
        &format!(
            "[agent]\nid = \"br17\"\nstate_folder = {:?}\n[spool]\nkind = \"memory\"\n[status]\nbind = \"off\"\n\
             [identity]\ninventory_file = {inventory:?}\nreverse_dns = \"off\"\nrelays = [\"127.0.0.99\"]\n\
             [[listener]]\nname = \"a\"\nprotocol = \"syslog\"\ntransport = \"udp\"\nbind = \"127.0.0.1:0\"\n",
            folder.path().join("state")
        ),
    );
    let socket = folder.path().join("admin.sock");
    let agent = Running::start(trapline().env(ADMIN_SOCKET, &socket), &file);
    let bound = agent.line("listening");
    let target = bound["address"].as_str().expect("an address").to_owned();
    agent.line("admin socket");

    assert_eq!(list(&socket, &[]).out, "No device was heard yet.\n");
    for (last, message) in [
        (11, "<189>4: *Mar  1 18:48:50: %SYS-5-CONFIG_I: Configured"),
        (12, "<13>1 - whatever app - - - hello"),
        (66, "<13>1 - lax-r2 app - - - not believed"),
        (99, "<13>1 - behind-r1 app - - - brought by a relay"),
    ] {
        let from = UdpSocket::bind(SocketAddr::from(([127, 0, 0, last], 0)));
        let from = from.expect("a loopback address");
        from.send_to(message.as_bytes(), &target).expect("sent");
    }
    wait_until("all were heard", SOON, || {
        names(&list(&socket, &["--json"])).len() == 5
    });
    let all = names(&list(&socket, &["--json"]));
    assert_eq!(
        all,
        ["127.0.0.66", "127.0.0.99", "behind-r1", "lax-r2", "lax-r10"],
        "in the order in which people count"
    );
    for (arguments, expected) in [
        (&["lax"][..], &["lax-r2", "lax-r10"][..]),
        (&["*-r1"], &["behind-r1", "fra-r1"]),
        (&["127.0.0.12"], &["lax-r10"]),
        (&["--silent"], &["fra-r1"]),
        (&["--conflicts"], &["127.0.0.66"]),
        (&["--vendor", "Cisco"], &["lax-r2"]),
        (&["--unknown", "66"], &["127.0.0.66"]),
    ] {
        let found = names(&list(&socket, &[&["--json"], arguments].concat()));
        assert_eq!(found, expected, "{arguments:?}");
    }
    let text = list(&socket, &[]);
    assert_eq!(text.code, Some(0), "{text:#?}");
    for line in text.out.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let of = |name: &str| {
        let line = text.out.lines().find(|line| line.starts_with(name));
        let line = line.unwrap_or_else(|| panic!("{name} in {}", text.out));
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of("lax-r2 ")[1..5],
        ["inventory", "127.0.0.11", "cisco", "ios"]
    );
    assert_eq!(of("127.0.0.66")[1], "address");
    assert_eq!(of("behind-r1")[1..4], ["header", "via", "127.0.0.99"]);
    assert!(text.out.contains("5 heard, "), "{}", text.out);

    agent.signal(libc::SIGTERM);
    assert_eq!(agent.end().code, Some(0));
    let gone = list(&socket, &[]);
    assert_eq!((gone.code, gone.out.as_str()), (Some(1), ""), "{gone:#?}");
    assert!(gone.err.contains("no agent answers at"), "{}", gone.err);
    assert!(gone.err.contains("is it running?"), "{}", gone.err);
}
