//! Help and arguments.

use crate::process::{end, trapline};

const COMMANDS: [&str; 17] = [
    "run",
    "check",
    "demo",
    "devices",
    "doctor",
    "explain",
    "audit",
    "generate",
    "healthcheck",
    "spool",
    "spool ls",
    "spool verify",
    "spool cat",
    "spool export",
    "spool requeue",
    "mib",
    "status",
];

#[test]
fn every_command_s_help_has_examples_that_name_it() {
    for command in COMMANDS {
        let help = end(trapline().args(command.split(' ')).arg("--help"));
        assert_eq!(help.code, Some(0), "{help:#?}");
        let (_, examples) = help.out.split_once("Examples:").expect("examples");
        assert!(
            examples.contains(&format!("trapline {command}")),
            "{command}: {examples}"
        );
    }
}

#[test]
fn help_speaks_of_what_people_see_and_not_of_modules() {
    let mut texts = vec![end(trapline().arg("--help")).out];
    for command in COMMANDS {
        texts.push(end(trapline().args(command.split(' ')).arg("--help")).out);
    }
    for text in texts {
        for internal in ["librdkafka", "tokio", "::", "struct", "thread", "TODO"] {
            assert!(!text.contains(internal), "{internal}: {text}");
        }
    }
}

#[test]
fn the_examples_of_explain_work_as_they_stand() {
    let help = end(trapline().args(["explain", "--help"])).out;
    let examples: Vec<&str> = help.split("trapline explain --").skip(1).collect();
    assert_eq!(examples.len(), 2, "{help}");
    for example in examples {
        let mut parts = example.split('\'');
        let option = format!("--{}", parts.next().unwrap_or_default().trim());
        let message = parts.next().expect("a quoted message");
        let shown = end(trapline().args(["explain", &option, message]));
        assert_eq!(shown.code, Some(0), "{shown:#?}");
        assert!(!shown.out.contains("not understood"), "{}", shown.out);
    }
}

#[test]
fn wrong_arguments_end_with_2_and_nothing_on_stdout() {
    for arguments in [
        &["bogus"][..],
        &["run", "--bogus"],
        &["explain", "--text", "x", "--hex", "30"],
        &["explain", "--peer", "banana", "--text", "x"],
        &[],
    ] {
        let ended = end(trapline().args(arguments));
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:#?}");
        assert!(ended.err.contains("Usage:") || ended.err.contains("--help"));
        assert_eq!(ended.out, "", "{arguments:?}");
    }
}

#[test]
fn the_allocator_gives_back_what_was_freed_by_a_thread_of_its_own() {
    let version = end(trapline()
        .arg("--version")
        .env("MALLOC_CONF", "stats_print:true"));
    let said = version.out + &version.err;
    for setting in ["opt.background_thread: true", "opt.dirty_decay_ms: 250 "] {
        assert!(said.contains(setting), "{setting}: {said}");
    }
}

#[test]
fn the_version_is_the_crate_s() {
    let version = end(trapline().arg("--version"));
    assert_eq!(
        version.out,
        concat!("trapline ", env!("CARGO_PKG_VERSION"), "\n")
    );
}
