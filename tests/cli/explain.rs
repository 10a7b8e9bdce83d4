//! `trapline explain`.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

use serde_json::Value;

use crate::process::{Ended, end, end_with_input, folder, trapline};

/// An SNMPv1 linkDown trap, community `s3cr3t`.
const TRAP_V1: &str = "303902010004067333637233 74a42c06082b060106030101054004c00002010201020201004301073011300f060a2b06\
    0102010202010103020103";

/// An SNMPv2c coldStart inform, community `demo-community`.
const INFORM: &str = "304b020101040e64656d6f2d636f6d6d756e697479a63602043b6519670201000201003028300d06082b060102010103\
    004301633017060a2b06010603010104010006092b0601060301010501";

fn explain(arguments: &[&str]) -> Ended {
    end(trapline().arg("explain").args(arguments))
}

/// The event that is shown, as JSON.
#[track_caller]
fn event(ended: &Ended) -> Value {
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let (_, event) = ended.out.split_once("\nevent\n").expect("an event");
    serde_json::from_str(event).unwrap_or_else(|error| panic!("{error}: {event}"))
}

#[test]
fn a_syslog_message_is_read_the_same_by_every_way_in() {
    let message = "<34>1 2026-11-21T02:14:07Z r1 app - - - hello";
    let hex: String = message.bytes().map(|byte| format!("{byte:02x} ")).collect();
    let folder = folder();
    let file = folder.path().join("message");
    std::fs::write(&file, format!("{message}\n")).expect("own folder");
    let ways = [
        explain(&["--text", message]),
        explain(&["--hex", &hex]),
        end(trapline().arg("explain").arg(&file)),
        end_with_input(trapline().arg("explain"), message.as_bytes()),
        end_with_input(trapline().args(["explain", "-"]), message.as_bytes()),
    ];
    for way in &ways {
        let event = event(way);
        assert_eq!(event["device"]["hostname"], "r1");
        assert_eq!(event["message"], "hello");
        assert_eq!(event["severity"], "critical");
        assert!(
            way.out.starts_with("read as syslog, 45 bytes\n"),
            "{}",
            way.out
        );
    }
}

#[test]
fn each_dialect_is_named_and_what_is_none_becomes_an_event_all_the_same() {
    for (message, format) in [
        ("<13>Nov 21 02:14:09 app-7 cron[991]: x", "rfc3164"),
        (
            "<189>7: *Mar  1 18:48:50: %SYS-5-CONFIG_I: Configured",
            "cisco",
        ),
        ("-- no syslog at all", "unknown"),
    ] {
        let ended = explain(&["--text", message]);
        let event = event(&ended);
        assert_eq!(event["syslog"]["format"], format, "{message}");
        assert_eq!(
            event["parse_error"].is_null(),
            format != "unknown",
            "{message}"
        );
        assert_eq!(ended.out.contains("not understood"), format == "unknown");
    }
}

#[test]
fn no_byte_of_a_message_reaches_the_terminal_as_a_command() {
    let hostile = b"<13>\x1b]0;owned\x07 \xc2\x9b31m \xff \xe2\x80\xae \x7f\r\nx";
    let by_text = end(trapline()
        .args(["explain", "--text"])
        .arg(OsStr::from_bytes(hostile)));
    let by_input = end_with_input(trapline().arg("explain"), hostile);
    for ended in [by_text, by_input] {
        let odd = ended
            .out
            .chars()
            .find(|each| each.is_control() && *each != '\n' || *each == '\u{202e}');
        assert_eq!(odd, None, "{:?}", ended.out);
        let message = event(&ended)["message"].as_str().expect("text").to_owned();
        assert!(message.contains("\u{9b}31m") && message.contains('\u{202e}'));
    }
}

#[test]
fn traps_are_explained_and_a_community_is_never_shown() {
    let v1 = explain(&["--hex", TRAP_V1]);
    assert_eq!(event(&v1)["event_code"], "IF-MIB::linkDown");
    let v2c = explain(&["--hex", INFORM]);
    assert_eq!(event(&v2c)["snmp"]["pdu"], "inform");
    let cut: String = INFORM.chars().take(60).collect();
    let cut = explain(&["--hex", &cut]);
    assert!(cut.out.contains("not understood"), "{}", cut.out);
    let as_syslog = explain(&["--protocol", "snmp", "--text", "s3cr3t demo-community"]);
    for ended in [v1, v2c, cut, as_syslog] {
        let event = event(&ended);
        assert_eq!(event["kind"], "snmp_trap");
        for secret in [
            "s3cr3t",
            "demo-community",
            "czNjcjN0",
            "ZGVtby1jb21tdW5pdHk",
        ] {
            assert!(!ended.out.contains(secret), "{secret}: {}", ended.out);
        }
    }
}

#[test]
fn snmp_v3_is_named_and_becomes_an_event() {
    // msgVersion 3, msgGlobalData, and security parameters that say nothing (RFC 3412, section 6).
    let v3 = "303a020103300f02020539020300ffe304010402010304100000 0000";
    let ended = explain(&["--protocol", "snmp", "--hex", v3]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(event(&ended)["kind"], "snmp_trap");
    assert!(ended.out.contains("not understood"), "{}", ended.out);
}

#[test]
fn what_is_no_message_is_refused_with_a_reason() {
    for (arguments, words) in [
        (&["--hex", "30z"][..], "found 'z' as character 3"),
        (&["--hex", "303"], "found 3 digits"),
        (&["--text", ""], "there is nothing to read"),
        (&["/no/such/file"], "cannot read /no/such/file"),
        (&["/tmp"], "cannot read /tmp"),
        (&[], "there is nothing to read"),
    ] {
        let ended = explain(arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:#?}");
        assert!(ended.err.contains(words), "{arguments:?}: {}", ended.err);
    }
    let long = end_with_input(trapline().arg("explain"), &vec![b'x'; 2_000_000]);
    assert_eq!(long.code, Some(2), "{}", long.err);
    assert!(
        long.err.contains("longer than 1048576 bytes"),
        "{}",
        long.err
    );
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let message = "x".repeat(500_000);
    let child = trapline()
        .args(["explain", "--protocol", "syslog", "/dev/stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.expect("the binary starts");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    std::io::Write::write_all(&mut stdin, message.as_bytes()).expect("it reads");
    drop(stdin);
    let mut stdout = child.stdout.take().expect("stdout is a pipe");
    let mut first = [0; 16];
    stdout.read_exact(&mut first).expect("a beginning");
    drop(stdout);
    let ended = Ended::from(child.wait_with_output().expect("it ends"));
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
}

/// The section that says where the event goes.
#[track_caller]
fn route(ended: &Ended) -> &str {
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let (before, _) = ended.out.split_once("\nevent\n").expect("an event");
    let (_, route) = before.split_once("\nroute\n").expect("a route");
    route
}

#[test]
fn the_rule_that_takes_the_event_and_its_topic_are_named() {
    let folder = folder();
    let file = folder.path().join("trapline.toml");
    let config = r#"
[[listener]]
name = "edge"
[[listener]]
name = "core"
bind = "[::]:1514"
[[route]]
name = "few"
event_code = ["SYS-*"]
sample = 10
[[route]]
name = "quiet"
listener = "core"
severity = "notice"
action = "drop"
[[route]]
name = "urgent"
severity = "error"
topic = "net.urgent.{listener}"
"#;
    std::fs::write(&file, config).expect("own folder");
    let file = file.to_str().expect("UTF-8");
    let ask = |more: &[&str]| explain(&[&["--config", file], more].concat());
    let urgent = "<187>7: *Mar  1 18:48:50: %SYS-3-BAD: x";
    assert_eq!(
        route(&ask(&["--text", urgent])),
        "  rule      few: one of 10 goes on, the others are dropped\n  \
         rule      urgent: topic net.urgent.{listener}\n  topic     net.urgent.edge\n"
    );
    let at_core = ask(&["--text", urgent, "--listener", "core"]);
    assert!(
        route(&at_core)
            .ends_with("  rule      quiet: dropped\n  topic     none: rejected as `filtered`\n"),
        "{}",
        at_core.out
    );
    assert_eq!(event(&at_core)["agent"]["listener"], "core");
    assert_eq!(
        route(&ask(&["--text", "<14>x"])),
        "  topic     net.syslog, as its kind\n"
    );
    let nowhere = ask(&["--text", "x", "--listener", "nobody"]);
    assert_eq!(nowhere.code, Some(2), "{nowhere:#?}");
    assert!(nowhere.err.contains("edge, core"), "{nowhere:#?}");
}

#[test]
fn the_inventory_names_the_device_and_its_labels_choose_the_rule() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let inventory = folder.path().join("inventory.csv");
    std::fs::write(
        &inventory,
        "address,hostname,zone,role\n10.20.0.1,lax-cor-r1,+01:00,core\n",
    )
    .expect("an inventory");
    let config = folder.path().join("trapline.toml");
    let text = format!(
        "[identity]\ninventory_file = {inventory:?}\n\
         [[route]]\nname = \"core\"\nlabel = [\"role=core\"]\ntopic = \"net.core\"\n"
    );
    std::fs::write(&config, text).expect("a configuration");
    let explained = end(trapline().args(["explain", "--config"]).arg(&config).args([
        "--peer",
        "10.20.0.1",
        "--text",
        "<187>7: *Mar  1 18:48:50: %LINK-3-UPDOWN: Interface Gi0/1, changed state to down",
    ]));
    assert_eq!(explained.code, Some(0), "{explained:#?}");
    for words in [
        "device\n  name      lax-cor-r1\n  why       inventory: its line of 10.20.0.1\n  labels    role=core\n  \
         zone      +01:00, for time stamps that name none\n",
        "\"hostname\": \"lax-cor-r1\"",
        "\"hostname_source\": \"inventory\"",
        "core: topic net.core",
    ] {
        assert!(explained.out.contains(words), "{words}: {}", explained.out);
    }
}

#[test]
fn why_a_device_is_called_so_is_said_in_words() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let inventory = folder.path().join("inventory.csv");
    std::fs::write(&inventory, "address,hostname,site\n10.20.0.1,core,lax\n").expect("own folder");
    let config = folder.path().join("trapline.toml");
    let text = format!("[identity]\ninventory_file = {inventory:?}\nrelays = [\"10.0.9.1\"]\n");
    std::fs::write(&config, text).expect("own folder");
    for (peer, name, expected) in [
        (
            "10.0.9.1",
            "core",
            "name      core\n  why       header: the trusted relay 10.0.9.1 says so\n  labels    site=lax\n",
        ),
        (
            "10.0.0.7",
            "r7",
            "name      r7\n  why       header: the message says so",
        ),
        (
            "10.0.0.7",
            "core",
            "name      10.0.0.7\n  why       address: `core` is no name of a device, or another device's\n",
        ),
        (
            "10.0.0.7",
            "-",
            "name      10.0.0.7\n  why       address: nothing better is known",
        ),
    ] {
        let message = format!("<13>1 - {name} app - - - hello");
        let explained = end(trapline()
            .args(["explain", "--config"])
            .arg(&config)
            .args(["--peer", peer, "--text", &message]));
        assert!(
            explained.out.contains(expected),
            "{peer} {name}: {}",
            explained.out
        );
    }
}
