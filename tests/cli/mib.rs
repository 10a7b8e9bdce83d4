//! `trapline mib`, and `trapline explain` with what it compiled.

use std::path::{Path, PathBuf};

use crate::process::{Ended, end, folder, trapline};

/// The modules of `fixtures/mibs`.
fn modules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/mibs")
}

fn mib(arguments: &[&str]) -> Ended {
    end(trapline().arg("mib").args(arguments))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[test]
fn modules_are_compiled_listed_looked_up_and_named_by_explain() {
    let folder = folder();
    let set = folder.path().join("set.mibdb");
    let compiled = mib(&["compile", text(&modules()), "-o", text(&set)]);
    assert_eq!(compiled.code, Some(0), "{compiled:#?}");
    assert!(compiled.out.contains("of 3 modules"), "{}", compiled.out);
    assert!(
        compiled.err.contains("BROKEN-MIB.txt:5: error: "),
        "{}",
        compiled.err
    );
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .expect("own folder")
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");

    let listed = mib(&["ls", text(&set)]);
    assert!(
        listed.out.contains("  TRAPLINE-EXAMPLE-MIB\n"),
        "{}",
        listed.out
    );
    for (wanted, line) in [
        (
            "1.3.6.1.4.1.32473.0.1",
            "TRAPLINE-EXAMPLE-MIB::exampleAlarm",
        ),
        ("exampleState", "  values   onFire(-1) ok(1) warm(2)"),
        ("exampleUp", "  values   true(1) false(2)"),
        (
            "examplePathCost.2.1.3.97.98.99.7",
            "  index    examplePathObject=1.3 examplePathText=abc examplePathNumber=7",
        ),
        ("1.3.6.1.4.1.4711.5", "SNMPv2-SMI::enterprises.4711.5"),
        ("IF-MIB::linkDown", "  severity error"),
        ("exampleSTATE", "  values   onFire(-1) ok(1) warm(2)"),
        ("if-mib::linkdown", "  severity error"),
    ] {
        let found = mib(&["lookup", "--file", text(&set), wanted]);
        let is_there = found.out.lines().any(|found| found == line);
        assert!(is_there && found.code == Some(0), "{wanted}: {found:#?}");
    }
    let unknown = mib(&["lookup", "--file", text(&set), "noSuchName"]);
    assert_eq!(unknown.code, Some(1), "{unknown:#?}");
    assert!(
        unknown.err.contains("nothing is known of"),
        "{}",
        unknown.err
    );

    let config = folder.path().join("trapline.toml");
    let lines = format!(
        "[snmp]\nmib_files = [\"{}\"]\n[snmp.severity]\n\"TRAPLINE-EXAMPLE-MIB::exampleAlarm\" = \"alert\"\n",
        text(&set)
    );
    std::fs::write(&config, lines).expect("own folder");
    let packet =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/snmp/mib-file-names/input.hex");
    let packet = std::fs::read_to_string(packet).expect("a fixture");
    let hex: String = packet
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    let explained = end(trapline()
        .args(["explain", "--config", text(&config), "--hex"])
        .arg(&hex));
    assert_eq!(explained.code, Some(0), "{explained:#?}");
    for shown in [
        "\"event_code\": \"TRAPLINE-EXAMPLE-MIB::exampleAlarm\"",
        "\"severity\": \"alert\"",
        "\"label\": \"onFire\"",
    ] {
        assert!(explained.out.contains(shown), "{shown}: {}", explained.out);
    }
}

#[test]
fn what_cannot_be_compiled_or_opened_is_said_and_nothing_is_replaced() {
    let folder = folder();
    let set = folder.path().join("set.mibdb");
    std::fs::write(&set, "not a set").expect("own folder");
    let nothing = mib(&["compile", "/nowhere", "-o", text(&set)]);
    assert_eq!(nothing.code, Some(1), "{nothing:#?}");
    assert!(
        nothing.err.contains("/nowhere: error: cannot be read"),
        "{}",
        nothing.err
    );
    assert_eq!(std::fs::read(&set).expect("still there"), b"not a set");
    let damaged = mib(&["ls", text(&set)]);
    assert_eq!(damaged.code, Some(1), "{damaged:#?}");
    assert!(
        damaged.err.contains("no compiled MIB file"),
        "{}",
        damaged.err
    );
    let place = mib(&["compile", text(&modules()), "-o", "/nowhere/set.mibdb"]);
    assert_eq!(place.code, Some(1), "{place:#?}");
    assert!(
        place.err.contains("cannot write /nowhere/set.mibdb"),
        "{}",
        place.err
    );
    assert!(!place.err.contains("reading"), "too late: {}", place.err);
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .expect("own folder")
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn what_was_imported_and_not_given_is_named_and_a_build_can_set_the_date() {
    let folder = folder();
    let module = folder.path().join("LONELY-MIB.txt");
    std::fs::write(
        &module,
        "LONELY-MIB DEFINITIONS ::= BEGIN
IMPORTS enterprises FROM SNMPv2-SMI
    absentA, absentB, absentC, absentD, absentE, absentF, absentG FROM ABSENT-MIB;
lonely OBJECT IDENTIFIER ::= { enterprises 32473 7 }
END\n",
    )
    .expect("own folder");
    let set = folder.path().join("set.mibdb");
    let compile = || {
        let ended = end(trapline().env("SOURCE_DATE_EPOCH", "1700000000").args([
            "mib",
            "compile",
            text(&module),
            "-o",
            text(&set),
        ]));
        (ended, std::fs::read(&set).expect("a compiled file"))
    };
    let (ended, octets) = compile();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    for said in [
        "LONELY-MIB.txt:3: error: ",
        "LONELY-MIB.txt: 2 more errors; `trapline mib lint` shows all",
        "imported, and not among the files: ABSENT-MIB (by 1); give their folder too",
    ] {
        assert!(ended.err.contains(said), "{said}: {}", ended.err);
    }
    assert!(!ended.err.contains("absentG"), "{}", ended.err);
    assert_eq!(compile().1, octets, "the same octets each time");
    let listed = mib(&["ls", text(&set)]);
    assert!(
        listed.out.contains("2023-11-14T22:13:20Z"),
        "{}",
        listed.out
    );
}

#[test]
fn lint_says_everything_and_its_exit_code_whether_there_are_errors() {
    let broken = mib(&["lint", text(&modules().join("BROKEN-MIB.txt"))]);
    assert_eq!(broken.code, Some(1), "{broken:#?}");
    assert!(
        broken.out.contains("BROKEN-MIB.txt:22: error: "),
        "{}",
        broken.out
    );
    assert!(broken.out.contains("warning: "), "{}", broken.out);
    let errors = mib(&[
        "lint",
        "--errors",
        text(&modules().join("TRAPLINE-EXAMPLE-MIB.txt")),
    ]);
    assert_eq!(
        (errors.code, errors.out.as_str()),
        (Some(0), ""),
        "{errors:#?}"
    );
}
