//! `[snmp]`: the MIB files and the severities.
//!
//! ```text
//!  mib_files ──mib::Set::open──▶ Set, and a warning for each file that cannot be used
//!   (else the set that the packages carry, if it is there)
//!  severity  ──────────────────▶ Overrides, and a problem for each pair that is none
//! ```
//!
//! A MIB file that is missing or damaged is no problem but a warning: the agent receives without it, and names what it
//! can by the others and by the built-in table.

use std::path::Path;

use super::problem::{Problem, nearest};
use super::raw::{Raw, RawSeverity};
use super::reader::{Findings, Reader};
use super::schema;
use crate::event::Severity;
use crate::mib::Set;
use crate::normalize::severity::Overrides;

const MIB_FILES: &str = "snmp.mib_files";

/// The set that the packages carry, of the IETF's and IANA's modules. It is meant where no file is named.
pub(crate) const SHIPPED: &str = "/usr/share/trapline/mibs/ietf.mibdb";

/// The compiled MIB files, open.
pub(super) fn mibs(reader: &mut Reader<'_>) -> Set {
    let named = reader.list(MIB_FILES);
    let parts = named.unwrap_or_default();
    let paths: Vec<&str> = match named {
        Some(parts) => parts.iter().map(|(path, _)| path.as_str()).collect(),
        None => vec![SHIPPED],
    };
    reader.note(MIB_FILES, &paths);
    // Nobody asked for it: a binary without its package does with the built-in names.
    if named.is_none() && !Path::new(SHIPPED).exists() {
        return Set::default();
    }
    for (path, at) in parts {
        if !path.starts_with('/') {
            let advice = "write the whole path: a service has no working folder of its own";
            let found = format!("{path:?}");
            let expected = "paths of compiled MIB files, starting with /";
            let problem = Problem::expected(at, MIB_FILES, expected, &found, advice);
            reader.findings.problems.push(problem);
        }
    }
    let (set, errors) = Set::open(paths.iter().map(Path::new));
    for error in errors {
        let at = parts
            .iter()
            .find(|(path, _)| Path::new(path) == error.path())
            .map_or_else(|| reader.place(MIB_FILES), |(_, at)| at.clone());
        let text = format!("{error}; until then its names are missing");
        reader.findings.warn(&at, MIB_FILES, text);
    }
    set
}

/// The severities that differ from the built-in ones.
pub(super) fn severities(raw: &Raw, findings: &mut Findings) -> Overrides {
    let mut pairs = Vec::new();
    for (name, RawSeverity { word, at }) in &raw.severities {
        let key = format!("{}.{name}", schema::SEVERITY);
        findings.effective.note(key.clone(), word);
        if !Overrides::is_key(name) {
            findings.problems.push(Problem::expected(
                at,
                &key,
                "a notification, MODULE::name or a dotted OID",
                &format!("{name:?}"),
                "`trapline mib lookup NAME` shows the module, for example IF-MIB::linkDown",
            ));
            continue;
        }
        match Severity::from_name(word) {
            Some(severity) => pairs.push((name.clone(), severity)),
            None => {
                let words = || {
                    (0..=7)
                        .filter_map(Severity::from_code)
                        .map(Severity::as_str)
                };
                let advice = match nearest(word, words()) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => "write one of these words".to_owned(),
                };
                let expected: Vec<&str> = words().collect();
                findings.problems.push(Problem::expected(
                    at,
                    &key,
                    &expected.join(", "),
                    &format!("{word:?}"),
                    advice,
                ));
            }
        }
    }
    pairs.into_iter().collect()
}
