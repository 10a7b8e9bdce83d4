//! What `[kafka.options]` say of encryption and login, judged where librdkafka's own words would not help.
//!
//! ```text
//!  *.location, *.file = path ──▶ is it there? readable?      (librdkafka: "x509 certificate routines::BIO lib")
//!  security.protocol ─┬─ sasl_* ──▶ a mechanism that there is (librdkafka: "recompile librdkafka")
//!                     └─ not set ─▶ sasl.* and ssl.* have no effect: warned of
//! ```

use std::collections::BTreeMap;

use super::files;
use super::problem::{Place, Problem, nearest};
use super::raw::{KafkaOption, Raw};
use super::reader::Findings;
use super::schema;
use crate::produce;

const PROTOCOL: &str = "security.protocol";

/// Two names of one property.
const MECHANISM: [&str; 2] = ["sasl.mechanism", "sasl.mechanisms"];

/// The mechanisms that are built in. librdkafka's default is none of them: GSSAPI (Kerberos) needs a library of the host.
const MECHANISMS: [&str; 4] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"];

/// Options whose `.location` may say where to look instead of naming a file (librdkafka, CONFIGURATION.md).
const PROBE: &str = "probe";

/// Judges the options that were taken, and takes out those that name a file which cannot be used: the Kafka client would
/// try them, and may wait for a pipe without end.
pub(super) fn judge(raw: &Raw, taken: &mut BTreeMap<String, String>, findings: &mut Findings) {
    together(raw, taken, findings);
    taken.retain(|name, value| {
        let names_a_file = name.ends_with(".location") || name.ends_with(".file");
        if !names_a_file || value == PROBE || produce::is_secret(name) {
            return true;
        }
        let problem = unusable(&place(raw, name), &key(name), value);
        let is_usable = problem.is_none();
        findings.problems.extend(problem);
        is_usable
    });
}

/// Whether the options make a way in.
fn together(raw: &Raw, taken: &BTreeMap<String, String>, findings: &mut Findings) {
    match taken
        .get(PROTOCOL)
        .map(|protocol| protocol.to_ascii_lowercase())
    {
        Some(protocol) if protocol.starts_with("sasl") => mechanism(raw, taken, findings),
        Some(_) => {}
        None if raw.options.contains_key(PROTOCOL) => {}
        None => warn_without_protocol(raw, taken, findings),
    }
}

/// Why the file cannot be used, if it cannot.
fn unusable(at: &Place, key: &str, path: &str) -> Option<Problem> {
    if !path.starts_with('/') {
        return Some(Problem::expected(
            at,
            key,
            "the path of a file, starting with /",
            &format!("{path:?}"),
            "write the whole path: a service has no working folder of its own",
        ));
    }
    // The Kafka client opens it itself, more than once, and waits for a pipe until somebody writes to it.
    let error = files::open_lasting(std::path::Path::new(path)).err()?;
    let text = format!("cannot read {path}: {error}");
    Some(Problem::new(at, key, text, files::advice(&error)))
}

fn mechanism(raw: &Raw, taken: &BTreeMap<String, String>, findings: &mut Findings) {
    let expected = format!("one of {}", MECHANISMS.join(", "));
    let set = MECHANISM
        .into_iter()
        .find_map(|name| Some((name, taken.get(name)?)));
    let problem = match set {
        None => Problem::expected(
            &place(raw, PROTOCOL),
            &key(MECHANISM[0]),
            &expected,
            "none: Kerberos, which librdkafka then takes, is not built in",
            "set it to what the brokers ask for",
        ),
        Some((_, word)) if MECHANISMS.contains(&word.as_str()) => return,
        Some((name, word)) => {
            let advice = match nearest(word, MECHANISMS.into_iter()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "write one of these words".to_owned(),
            };
            Problem::expected(
                &place(raw, name),
                &key(name),
                &expected,
                &format!("{word:?}"),
                advice,
            )
        }
    };
    findings.problems.push(problem);
}

fn warn_without_protocol(raw: &Raw, taken: &BTreeMap<String, String>, findings: &mut Findings) {
    let idle = taken
        .keys()
        .find(|name| name.starts_with("sasl.") || name.starts_with("ssl."));
    if let Some(name) = idle {
        let text = format!(
            "has no effect: {PROTOCOL} is not set, so nothing is encrypted and nobody logs in; set it to \"sasl_ssl\", or to \"ssl\" without a login"
        );
        findings.warn(&place(raw, name), &key(name), text);
    }
}

fn key(name: &str) -> String {
    format!("{}.{name}", schema::OPTIONS)
}

fn place(raw: &Raw, name: &str) -> Place {
    let option: Option<&KafkaOption> = raw.options.get(name);
    option.map_or(Place::Absent, |option| option.at.clone())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_pipe_that_the_kafka_client_would_wait_for_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("ca.pem");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo").success());
        let text = format!(
            "[kafka]\nbootstrap_servers = \"k1:9093\"\n[kafka.options]\n\"security.protocol\" = \"ssl\"\n\"ssl.ca.location\" = {pipe:?}\n"
        );
        let problems = super::super::parse(&text, "host").unwrap_err();
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(shown.len(), 1, "{shown:?}");
        assert!(
            shown[0].contains("which can be read only once; name a regular file"),
            "{shown:?}"
        );
    }
}
