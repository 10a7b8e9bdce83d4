//! `trapline check`.

use std::path::Path;
use std::process::Stdio;

use crate::process::{end, folder, trapline, write};

#[test]
fn all_problems_are_said_at_once_each_with_its_place_and_advice() {
    let folder = folder();
    let file = write(
        &folder,
        "[agent]\ncolour = \"red\"\n[kafka.options]\n\"acks\" = \"1\"\n\"message.timeout.ms\" = \"5\"\n\
         [[listener]]\nname = \"a\"\nprotocol = \"syslog\"\ntransport = \"udq\"\nbind = \"514\"\n\
         [shutdown]\ndrain_seconds = -1\n",
    );
    let ended = end(trapline().args(["check", "--config"]).arg(&file));
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    let name = file.display();
    for (place, words) in [
        ("2:1", "agent.colour: unknown key"),
        ("4:10", "'acknowledged before forgotten'"),
        ("5:24", "'nothing vanishes'"),
        ("9:13", "did you mean \"udp\"?"),
        ("10:8", "listener.a.bind"),
        ("12:17", "shutdown.drain_seconds"),
    ] {
        let found = ended
            .err
            .lines()
            .any(|line| line.starts_with(&format!("{name}:{place}: ")) && line.contains(words));
        assert!(found, "{place} {words}:\n{}", ended.err);
    }
    assert!(ended.err.ends_with("6 problems in the configuration\n"));
    let run = end(trapline().args(["run", "--config"]).arg(&file));
    assert_eq!(
        (run.code, run.err),
        (Some(2), ended.err),
        "run says the same"
    );
}

#[test]
fn without_a_file_the_defaults_are_checked() {
    let ended = end(trapline().arg("check"));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.err.contains("kafka.bootstrap_servers: is not set"));
    assert!(
        ended.err.contains("the built-in defaults: no problems, "),
        "{}",
        ended.err
    );
    assert_eq!(ended.out, "");
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_what_to_do() {
    let folder = folder();
    for (file, words) in [
        (folder.path().join("missing.toml"), "correct the path"),
        (folder.path().to_owned(), "is a directory"),
    ] {
        let ended = end(trapline().args(["check", "--config"]).arg(&file));
        assert_eq!(ended.code, Some(2), "{ended:#?}");
        assert!(ended.err.contains(&file.display().to_string()));
        assert!(ended.err.contains(words), "{}", ended.err);
    }
}

#[test]
fn warnings_are_said_beside_problems_and_what_only_follows_from_a_problem_is_not() {
    let folder = folder();
    let text = "[kafka]\nbootstrap_servers = 9092\n[spool]\nkind = \"memory\"\n\
                [[listener]]\nname = \"a\"\ntransport = \"tpc\"\nbind = \"[::]:5514\"\nconnections_max = 5\n";
    let file = write(&folder, text);
    let ended = end(trapline().args(["check", "--config"]).arg(&file));
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    let (name, lines) = (file.display(), ended.err.lines().collect::<Vec<_>>());
    let starts = [
        format!("{name}:2:21: kafka.bootstrap_servers: expected text"),
        format!("{name}:7:13: listener.a.transport: expected \"udp\""),
        format!("warning: {name}:4:8: spool.kind: the spool is in memory"),
        "trapline: 2 problems in the configuration, and 1 warning".to_owned(),
    ];
    assert_eq!(lines.len(), starts.len(), "{}", ended.err);
    for (line, start) in lines.iter().zip(&starts) {
        assert!(line.starts_with(start), "{line}\n{start}");
    }
}

#[test]
fn a_file_without_its_option_is_told_how_it_is_named() {
    let ended = end(trapline().args(["check", "/etc/trapline/trapline.toml"]));
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert!(
        ended
            .err
            .ends_with("--config /etc/trapline/trapline.toml\n"),
        "{}",
        ended.err
    );
}

#[test]
fn a_file_that_is_no_toml_says_where() {
    let folder = folder();
    let file = write(&folder, "[kafka]\nlinger_ms = \n");
    let ended = end(trapline().args(["check", "--config"]).arg(&file));
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("trapline.toml:2:"), "{}", ended.err);
    assert!(ended.err.contains("1 problem in the configuration"));
}

#[test]
fn secrets_are_masked_when_printed_and_in_problems() {
    let folder = folder();
    let text = "[kafka]\nbootstrap_servers = \"k1:9092\"\n[kafka.options]\n\"sasl.password\" = \"hunter2\"\n";
    let file = write(&folder, text);
    let printed = end(trapline().args(["check", "--print", "--config"]).arg(&file));
    assert_eq!(printed.code, Some(0), "{printed:#?}");
    assert!(printed.out.contains("kafka.options.sasl.password = ***\n"));
    assert!(
        printed
            .out
            .contains("kafka.bootstrap_servers = \"k1:9092\"\n")
    );
    let file = write(
        &folder,
        &format!("{text}\"no.such.option\" = \"hunter3\"\n"),
    );
    let refused = end(trapline().args(["check", "--config"]).arg(&file));
    assert_eq!(refused.code, Some(2), "{refused:#?}");
    for text in [printed.out, printed.err, refused.out, refused.err] {
        assert!(!text.contains("hunter"), "{text}");
    }
}

#[test]
fn the_environment_stands_over_the_file_and_a_mistyped_variable_is_a_problem() {
    let folder = folder();
    let file = write(&folder, "[kafka]\nbootstrap_servers = \"k1:9092\"\n");
    let ended = end(trapline()
        .args(["check", "--print"])
        .env("TRAPLINE_CONFIG", &file)
        .env("TRAPLINE_KAFKA__BOOTSTRAP_SERVERS", "k2:9092"));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(
        ended
            .out
            .contains("kafka.bootstrap_servers = \"k2:9092\"\n")
    );

    let ended = end(trapline()
        .arg("check")
        .env("TRAPLINE_KAFKA_BOOTSTRAP_SERVERS", "k2:9092")
        .env("TRAPLINE_SHUTDOWN__DRAIN_SECONDS", "soon"));
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert!(
        ended
            .err
            .contains("did you mean TRAPLINE_KAFKA__BOOTSTRAP_SERVERS?")
    );
    assert!(
        ended
            .err
            .contains("environment TRAPLINE_SHUTDOWN__DRAIN_SECONDS: shutdown.drain_seconds")
    );
}

#[test]
fn the_shipped_file_has_no_problems_and_says_what_the_defaults_are() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/trapline.toml");
    let ended = end(trapline()
        .args(["check", "--print", "--config"])
        .arg(shipped));
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let defaults = end(trapline().args(["check", "--print"]));
    assert_eq!(ended.out, defaults.out);
}

#[test]
fn a_full_disk_below_stdout_is_an_error_and_a_closed_stdout_is_not() {
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("/dev/full");
    let ended = end(trapline()
        .args(["check", "--print"])
        .stdout(Stdio::from(full)));
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(ended.err.contains("standard output cannot be written"));
    for command in ["check --print", "explain --text x", "demo"] {
        let line = format!("exec \"$0\" {command} >&- 2>&-");
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &line, env!("CARGO_BIN_EXE_trapline")]);
        assert_eq!(end(&mut shell).code, Some(0), "{command}");
    }
}
