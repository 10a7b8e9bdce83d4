//! `[identity]`: who devices are.
//!
//! ```text
//!  inventory_file ──read, parse──▶ Inventory, and a warning for each bad line (the first ones)
//!  relays, reverse_dns, devices_max, silent_seconds, events ──▶ names::Config
//! ```
//!
//! An inventory that is missing or damaged is no problem but a warning: the agent receives without it, or goes on with
//! the one that it has.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{self, Deadline};
use super::problem::Problem;
use super::reader::Reader;
use crate::names::inventory::{self, Inventory, InventoryError, OpenError, Parsed, Stamp};
use crate::names::notices::{Told, ToldKinds};
use crate::names::{self, DnsPolicy};
use crate::normalize::DomainPolicy;
use crate::normalize::device::prefix;

const INVENTORY_FILE: &str = "identity.inventory_file";

/// Bad lines that are shown one by one.
const BAD_LINES_SHOWN: usize = 10;

/// Names of devices, as the configuration gives them.
#[derive(Debug, Clone)]
pub struct Identity {
    /// For the names.
    pub names: names::Config,
    /// Where the inventory stands.
    pub inventory_file: Option<PathBuf>,
    /// How the file was when it was read.
    pub inventory_seen: Option<Stamp>,
    /// What the file says; empty without one.
    ///
    /// `None` where there is a file of which nothing can be read: an agent that starts goes without, one that runs keeps
    /// what it has.
    pub inventory: Option<Arc<Inventory>>,
}

/// Resolves the section.
pub(super) fn resolve(reader: &mut Reader<'_>, domain: DomainPolicy) -> Identity {
    let inventory_file = inventory_file(reader);
    // Before it is read: a change meanwhile is then seen as one.
    let inventory_seen = inventory_file.as_deref().and_then(Stamp::of);
    let inventory = match &inventory_file {
        Some(path) => read(reader, path, domain),
        None => Some(Inventory::default()),
    };
    let defaults = names::Config::default();
    Identity {
        names: names::Config {
            relays: relays(reader),
            dns: reader.word("identity.reverse_dns", DnsPolicy::default()),
            devices_max: reader.size("identity.devices_max", defaults.devices_max),
            silent_seconds: reader.number_u32("identity.silent_seconds", defaults.silent_seconds),
            told: told(reader),
        },
        inventory_file,
        inventory_seen,
        inventory: inventory.map(Arc::new),
    }
}

fn inventory_file(reader: &mut Reader<'_>) -> Option<PathBuf> {
    let text = reader.text(INVENTORY_FILE);
    reader.note(INVENTORY_FILE, &text.unwrap_or_default());
    let text = text?;
    if !text.starts_with('/') {
        reader.problem(
            INVENTORY_FILE,
            "the path of a file, starting with /",
            &format!("{text:?}"),
            "write the whole path: a service has no working folder of its own",
        );
        return None;
    }
    Some(text.into())
}

fn read(reader: &mut Reader<'_>, path: &Path, domain: DomainPolicy) -> Option<Inventory> {
    let at = reader.place(INVENTORY_FILE);
    let parsed = open(path, domain, reader.findings.deadline);
    let mut warn = |text: String| reader.findings.warn(&at, INVENTORY_FILE, text);
    match parsed {
        Err(error) => {
            warn(format!(
                "{error}; a start goes on without it, a reload with the lines before"
            ));
            None
        }
        Ok(parsed) => {
            for bad in parsed.bad_lines.iter().take(BAD_LINES_SHOWN) {
                warn(format!(
                    "{}:{}: {}; the line is skipped",
                    path.display(),
                    bad.line,
                    bad.why
                ));
            }
            if parsed.bad_count > BAD_LINES_SHOWN as u64 {
                warn(format!(
                    "{}: {} lines are skipped in all: {}",
                    path.display(),
                    parsed.bad_count,
                    parsed.bad_numbers()
                ));
            }
            Some(parsed.inventory)
        }
    }
}

/// A file, or what a pipe gives (`TRAPLINE_IDENTITY__INVENTORY_FILE=<(...) trapline check`).
fn open(path: &Path, domain: DomainPolicy, deadline: Deadline) -> Result<Parsed, OpenError> {
    match files::read_up_to(inventory::FILE_BYTES_MAX, path, deadline) {
        Ok(kept) => inventory::decode(path, kept.bytes, domain),
        Err(error) => Err(OpenError {
            path: path.to_owned(),
            why: match error.kind() {
                io::ErrorKind::FileTooLarge => InventoryError::TooLarge(inventory::FILE_BYTES_MAX),
                _ => error.into(),
            },
        }),
    }
}

fn relays(reader: &mut Reader<'_>) -> Vec<ipnet::IpNet> {
    const KEY: &str = "identity.relays";
    let mut relays = Vec::new();
    for (text, at) in reader.list(KEY).unwrap_or_default() {
        match prefix(text) {
            Some(net) => relays.push(net.trunc()),
            None => {
                let problem = Problem::expected(
                    at,
                    KEY,
                    "an address or a prefix",
                    &format!("{text:?}"),
                    "write the addresses of the syslog relays and trap forwarders that you trust",
                );
                reader.findings.problems.push(problem);
            }
        }
    }
    let shown: Vec<String> = relays.iter().map(ToString::to_string).collect();
    reader.note(KEY, &shown);
    relays
}

fn told(reader: &mut Reader<'_>) -> ToldKinds {
    const KEY: &str = "identity.events";
    let all: Vec<&str> = Told::ALL.iter().map(|kind| kind.as_str()).collect();
    let Some(parts) = reader.list(KEY) else {
        reader.note(KEY, &all);
        return ToldKinds::default();
    };
    let mut kinds = ToldKinds::NONE;
    let mut shown = Vec::new();
    for (text, at) in parts {
        match Told::ALL.iter().find(|kind| kind.as_str() == text) {
            Some(kind) => {
                kinds.add(*kind);
                shown.push(kind.as_str());
            }
            None => {
                let problem = Problem::expected(
                    at,
                    KEY,
                    &format!("some of {}", all.join(", ")),
                    &format!("{text:?}"),
                    "name what is to be told as events; an empty list tells nothing",
                );
                reader.findings.problems.push(problem);
            }
        }
    }
    reader.note(KEY, &shown);
    kinds
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread;

    use super::*;

    #[test]
    fn an_inventory_from_a_pipe_is_read_once_and_not_watched() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("inventory");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo").success());
        let to = pipe.clone();
        let writing = thread::spawn(move || fs::write(to, "address,hostname\n10.0.0.1,r1\n"));
        let text = format!("[identity]\ninventory_file = {pipe:?}\n");
        let identity = super::super::parse(&text, "host").unwrap().identity;
        writing.join().unwrap().unwrap();
        assert_eq!(identity.inventory.unwrap().len(), 1);
        assert_eq!(identity.inventory_seen, None);
        assert_eq!(Stamp::of(&pipe), None);
        // Who looks for changes of a file does not wait for a pipe that took its place.
        let error = inventory::open(&pipe, DomainPolicy::Keep).unwrap_err();
        assert!(error.to_string().contains("no regular file"), "{error}");
    }

    #[test]
    fn an_inventory_from_a_pipe_that_hangs_is_waited_for_until_the_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("inventory");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo").success());
        let mut both = fs::File::options();
        let _silent = both.read(true).write(true).open(&pipe).unwrap();
        let error = open(&pipe, DomainPolicy::Keep, Deadline::over()).unwrap_err();
        assert!(
            error.to_string().contains("does not come to its end"),
            "{error}"
        );
    }
}
