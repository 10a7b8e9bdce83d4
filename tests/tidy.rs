//! The architecture, read off the source: who imports whom, how long files are, what must not be left behind.
//!
//! [`IMPORTS`] is the table. A module that it does not name fails the test, so that a new one is a decision.
//! What stands behind a file's `#[cfg(test)] mod` may import what it likes: tests are no part of the flow.

#[path = "tidy/source.rs"]
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use source::{imports, module_path, without_tests, without_text};

/// A file longer than this is two nouns.
const LINES_MAX: usize = 700;

/// Top-level module, and what it may name of ours: a module or one part of it. `*` is everything.
///
/// A stage never imports the next stage, and never `config`; only `agent` and `cli` see every stage.
const IMPORTS: &[(&str, &[&str])] = &[
    ("agent", &["*"]),
    // A judge of its own, which shares no shape with what it judges.
    ("audit", &[]),
    ("cli", &["*"]),
    // Every stage's own `Config`, and the nouns that settings are made of.
    (
        "config",
        &[
            "event",
            "mib",
            "names",
            "normalize",
            "observe",
            "packet",
            "pipeline::AccessConfig",
            "pipeline::Communities",
            "produce",
            "receive",
            "record",
            "route",
            "spool",
            "status",
            "time",
            "usm",
        ],
    ),
    ("decode", &["time"]),
    // The JSON of structured data and fields is written straight from the message's bytes.
    (
        "event",
        &[
            "decode::syslog::fields",
            "decode::syslog::rfc5424",
            "packet",
            "time",
        ],
    ),
    ("lib", &[]),
    ("main", &["cli"]),
    ("mib", &[]),
    // What it knows of devices is what normalising asks for.
    ("names", &["event", "normalize", "time"]),
    ("normalize", &["decode", "event", "mib", "packet", "time"]),
    ("observe", &["event", "packet", "time"]),
    ("packet", &["record", "time"]),
    (
        "pipeline",
        &[
            "decode",
            "event",
            "names",
            "normalize",
            "observe",
            "packet",
            "record",
            "route",
            "spool",
            "time",
            "usm",
        ],
    ),
    ("produce", &["observe", "record", "spool", "time"]),
    ("receive", &["observe", "packet", "record", "time"]),
    ("record", &["time"]),
    ("route", &["event", "packet", "record", "time"]),
    // It says why it does not take a record in the words in which the packet ends.
    (
        "spool",
        &[
            "observe::ledger",
            "observe::mute",
            "packet::Reason",
            "record",
            "time",
        ],
    ),
    ("status", &["observe"]),
    ("time", &[]),
    ("usm", &["decode"]),
];

/// Crates that only one stage, or one file of it, may name.
const ONLY_IN: &[(&str, &[&str])] = &[("mib_rs", &["mib/compile"]), ("rdkafka", &["produce"])];

/// One source file.
struct File {
    /// From the crate's root: `src/spool/tail.rs`.
    path: String,
    text: String,
}

#[test]
fn every_module_imports_only_what_the_table_allows() {
    let files = files("src");
    assert!(files.len() > 20, "only {} files found", files.len());
    let wrong: Vec<String> = files.iter().flat_map(forbidden_imports).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_names_no_module_that_is_gone() {
    let found: BTreeSet<String> = files("src")
        .iter()
        .map(|file| top_module(&file.path))
        .collect();
    let gone: Vec<&str> = IMPORTS
        .iter()
        .map(|(module, _)| *module)
        .filter(|module| !found.contains(*module))
        .collect();
    assert!(gone.is_empty(), "{gone:?}");
}

#[test]
fn files_are_short_and_nothing_is_left_undone() {
    let wrong: Vec<String> = ["src", "tests"]
        .into_iter()
        .flat_map(files)
        .flat_map(|file| blemishes(&file))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each import of `file` that the table does not allow, in words.
fn forbidden_imports(file: &File) -> Vec<String> {
    let File { path, text } = file;
    let module = top_module(path);
    let Some((_, allowed)) = IMPORTS.iter().find(|(name, _)| *name == module) else {
        return vec![format!(
            "{path}: the table in tests/tidy.rs does not name module {module}"
        )];
    };
    let code = without_tests(&without_text(text));
    let mut wrong: Vec<String> = imports(&code, &module_path(path))
        .into_iter()
        .filter(|import| !is_allowed(import, &module, allowed))
        .map(|import| format!("{path}: {module} may not import {}", import.join("::")))
        .collect();
    for (crate_name, places) in ONLY_IN {
        let is_place = places.iter().any(|place| is_in(path, place));
        if !is_place && source::names_crate(&code, crate_name) {
            wrong.push(format!(
                "{path}: only {places:?} may name the crate {crate_name}"
            ));
        }
    }
    wrong
}

/// Whether a file is `place` or below it: `src/mib/compile.rs` is in `mib` and in `mib/compile`.
fn is_in(path: &str, place: &str) -> bool {
    path.strip_prefix("src/")
        .and_then(|path| path.strip_prefix(place))
        .is_some_and(|rest| rest.starts_with(['/', '.']))
}

/// Whether `import` is `module`'s own, or begins with one of the `allowed` paths.
fn is_allowed(import: &[String], module: &str, allowed: &[&str]) -> bool {
    import.first().is_none_or(|first| first == module)
        || allowed.iter().any(|path| {
            *path == "*" || {
                let parts: Vec<&str> = path.split("::").collect();
                import.len() >= parts.len() && import.iter().zip(parts).all(|(a, b)| a == b)
            }
        })
}

/// What is wrong with a file whatever it imports.
fn blemishes(file: &File) -> Vec<String> {
    let File { path, text } = file;
    let code = without_text(text);
    let mut wrong = Vec::new();
    let lines = text.lines().count();
    if lines > LINES_MAX {
        wrong.push(format!("{path}: {lines} lines, more than {LINES_MAX}"));
    }
    for mark in ["todo!", "unimplemented!", "#[ignore"] {
        if code.contains(mark) {
            wrong.push(format!("{path}: {mark} is left in it"));
        }
    }
    // In comments as well; written in two halves, so that this file does not find itself.
    if text.contains(concat!("FIX", "ME")) {
        wrong.push(format!("{path}: a note to come back is left in it"));
    }
    // Benchmarks measure for a given time; they are no tests.
    let tests = match path.starts_with("tests/") {
        true if path.starts_with("tests/bench/") => "",
        true => code.as_str(),
        false => code.get(without_tests(&code).len()..).unwrap_or_default(),
    };
    if tests.contains("thread::sleep") || tests.contains("time::sleep") {
        wrong.push(format!(
            "{path}: a test sleeps instead of waiting for a condition"
        ));
    }
    wrong
}

/// `src/spool/tail.rs` and `src/spool/mod.rs` belong to `spool`, `src/time.rs` to `time`.
fn top_module(path: &str) -> String {
    let below = path.strip_prefix("src/").unwrap_or(path);
    let first = below.split('/').next().unwrap_or_default();
    first.strip_suffix(".rs").unwrap_or(first).to_owned()
}

/// Every Rust file below `folder`.
fn files(folder: &str) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a file in UTF-8");
                let path = path.strip_prefix(root).expect("below the root");
                let path = path.to_str().expect("a name in UTF-8").to_owned();
                found.push(File { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn file(path: &str, text: &str) -> File {
    File {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}

#[test]
fn a_forbidden_import_is_found_however_it_is_written() {
    for text in [
        "use crate::produce::Queue;",
        "use crate::{record::Record, produce};",
        "use crate::{\n    record::{LaneId, Number},\n    produce::{self, Queue},\n};",
        "fn f() { crate::produce::start(); }",
        "fn f() -> crate :: produce::Queue {}",
        "use super::super::produce::Queue;",
        "use super::super::super::spool::super_is_ignored_here; use crate::produce as p;",
        "pub(in crate::produce) fn f() {}",
        "const Q: char = '\"'; use crate::produce::Queue; const R: char = '\"';",
    ] {
        let wrong = forbidden_imports(&file("src/spool/tail.rs", text));
        let named = wrong
            .iter()
            .any(|line| line.contains("spool may not import produce"));
        assert!(named, "{text}: {wrong:?}");
    }
}

#[test]
fn what_is_allowed_or_only_talked_about_is_not_a_finding() {
    for text in [
        "use crate::record::Record;",
        "use crate::spool::segment;",
        "use crate::observe::ledger::LossReason;",
        "use crate::observe::{ledger, ledger::Snapshot};",
        "use super::segment::Segment;",
        "// use crate::produce::Queue;\n/* crate::produce /* nested */ crate::agent */",
        "//! [`crate::produce`] reads from here.",
        "const TEXT: &str = \"use crate::produce;\";",
        "const TEXT: &str = r#\"a \" crate::produce\"#;",
        "fn f<'a>(x: &'a str) -> char { '\\'' }",
        "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    use crate::produce::Queue;\n}\n",
        "use mycrate::produce::Queue;",
    ] {
        let wrong = forbidden_imports(&file("src/spool/tail.rs", text));
        assert!(wrong.is_empty(), "{text}: {wrong:?}");
    }
}

#[test]
fn a_part_of_a_module_is_not_the_whole_of_it() {
    for text in [
        "use crate::observe::metrics;",
        "use crate::observe::{ledger, metrics};",
    ] {
        let wrong = forbidden_imports(&file("src/spool/mod.rs", text));
        assert_eq!(
            wrong,
            ["src/spool/mod.rs: spool may not import observe::metrics"]
        );
    }
}

#[test]
fn an_unknown_module_and_a_crate_out_of_place_are_found() {
    let wrong = forbidden_imports(&file("src/utils.rs", ""));
    assert!(wrong[0].contains("does not name module utils"), "{wrong:?}");
    let wrong = forbidden_imports(&file("src/spool/mod.rs", "use rdkafka::producer;"));
    assert!(wrong[0].contains("the crate rdkafka"), "{wrong:?}");
    let wrong = forbidden_imports(&file("src/mib/reader.rs", "use mib_rs::Mib;"));
    assert!(wrong[0].contains("the crate mib_rs"), "{wrong:?}");
    for (path, text) in [
        ("src/produce/mod.rs", "use rdkafka::producer;"),
        ("src/mib/compile.rs", "use mib_rs::Mib;"),
    ] {
        let right = forbidden_imports(&file(path, text));
        assert!(right.is_empty(), "{right:?}");
    }
}

#[test]
fn a_long_file_and_work_left_undone_are_found() {
    let long = "\n".repeat(LINES_MAX + 1);
    for (path, text, finding) in [
        ("src/time.rs", long.as_str(), "lines, more than"),
        ("src/time.rs", "fn f() { todo!() }", "todo!"),
        (
            "src/time.rs",
            "fn f() { unimplemented!() }",
            "unimplemented!",
        ),
        (
            "src/time.rs",
            concat!("// FIX", "ME later"),
            "note to come back",
        ),
        ("tests/a.rs", "fn f() { std::thread::sleep(d); }", "sleeps"),
        (
            "tests/a.rs",
            "#[test]\n#[ignore = \"slow\"]\nfn f() {}",
            "#[ignore",
        ),
        (
            "src/time.rs",
            "#[cfg(test)]\nmod tests { fn f() { thread::sleep(d); } }",
            "sleeps",
        ),
    ] {
        let wrong = blemishes(&file(path, text));
        assert_eq!(wrong.len(), 1, "{text}: {wrong:?}");
        assert!(wrong[0].contains(finding), "{text}: {wrong:?}");
    }
    let clean = "// todo! is a word here\nfn f() { thread::sleep(d); }\nconst T: &str = \"todo!\";";
    assert!(blemishes(&file("src/time.rs", clean)).is_empty());
}
