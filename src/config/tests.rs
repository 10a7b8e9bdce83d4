//! The cases of `fixtures/config`, the shipped file, and what no file can show.
//!
//! `fixtures/config/invalid/<case>/` holds `trapline.toml`, sometimes `environment` (NAME=value, one a line), and
//! `expected.txt`: every problem, one a line. `fixtures/config/valid/<case>/expected.txt` holds what each key says, and
//! the warnings. With `TRAPLINE_TEST_BLESS=1` the expected texts are written anew, to be read before they are kept.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::schema::{KEYS, OnReload};
use super::*;

const HOST: &str = "br17";

fn cases(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/config")
        .join(kind);
    let entries = std::fs::read_dir(&folder).expect("the folder of cases is there");
    let mut cases: Vec<PathBuf> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    cases.sort();
    assert!(!cases.is_empty(), "no case in {}", folder.display());
    cases
}

fn variables(text: &str) -> impl Iterator<Item = (String, String)> {
    let pairs: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    pairs.into_iter()
}

fn run(case: &Path) -> Result<Loaded, Vec<Problem>> {
    let text = std::fs::read_to_string(case.join("trapline.toml")).expect("a case has a file");
    let environment = std::fs::read_to_string(case.join("environment")).unwrap_or_default();
    assemble(
        "trapline.toml",
        &text,
        Some(0o640),
        variables(&environment),
        HOST,
    )
}

fn compare(case: &Path, found: &str) -> Option<String> {
    let expected = case.join("expected.txt");
    if std::env::var_os("TRAPLINE_TEST_BLESS").is_some() {
        std::fs::write(&expected, found).expect("the expected text can be written");
    }
    let wanted = std::fs::read_to_string(&expected).unwrap_or_default();
    (wanted != found).then(|| format!("{}\nexpected:\n{wanted}\nfound:\n{found}", case.display()))
}

#[test]
fn every_invalid_case_reports_all_its_problems() {
    let mut wrong = Vec::new();
    for case in cases("invalid") {
        let mut found = String::new();
        match run(&case) {
            Ok(_) => found.push_str("no problem\n"),
            Err(problems) => problems
                .iter()
                .for_each(|problem| writeln!(found, "{problem}").expect("a string takes it")),
        }
        assert!(
            !found.contains("hunter2"),
            "{} shows a secret: {found}",
            case.display()
        );
        wrong.extend(compare(&case, &found));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_valid_case_says_what_counts() {
    let mut wrong = Vec::new();
    for case in cases("valid") {
        let mut found = String::new();
        match run(&case) {
            Ok(loaded) => {
                for (key, value) in loaded.config.effective.lines() {
                    writeln!(found, "{key} = {value}").expect("a string takes it");
                }
                for warning in &loaded.warnings {
                    writeln!(found, "warning: {warning}").expect("a string takes it");
                }
            }
            Err(problems) => problems
                .iter()
                .for_each(|problem| writeln!(found, "{problem}").expect("a string takes it")),
        }
        wrong.extend(compare(&case, &found));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
