//! The names in the variables' names → the tables that they stand for: those of the file, and those that variables make.
//!
//! ```text
//!  [[listener]] name = "syslog-udp" ────────────┐
//!  TRAPLINE_LISTENER__LAB__TRANSPORT=tcp ─makes─┴─▶ Tables { listeners: syslog_udp -> 0, lab -> 1 }
//!  TRAPLINE_LISTENER__SYSLOG_UPD__BIND=... ─▶ in no table: misspelt
//! ```

use std::collections::BTreeMap;

use super::PREFIX;
use crate::config::listener;
use crate::config::problem::Place;
use crate::config::raw::{Raw, RawListener, RawRoute, RawUser, Set, Settings};
use crate::config::value::Value;

/// Which table a name in a variable's name stands for: its position by the folded name. It is settled before the first
/// value is put, so that no order of variables matters.
#[derive(Debug)]
pub(super) struct Tables {
    pub listeners: BTreeMap<String, usize>,
    pub users: BTreeMap<String, usize>,
    pub routes: BTreeMap<String, usize>,
}

/// The keys at which a user's secret may stand, for authentication and for privacy. One of each counts.
pub(super) const SECRETS_OF_USER: [[&str; 4]; 2] = [
    [
        "snmp.user.auth_password",
        "snmp.user.auth_password_file",
        "snmp.user.auth_key",
        "snmp.user.auth_key_file",
    ],
    [
        "snmp.user.priv_password",
        "snmp.user.priv_password_file",
        "snmp.user.priv_key",
        "snmp.user.priv_key_file",
    ],
];

/// The keys by which a rule chooses its events.
pub(super) const CONDITIONS: [&str; 9] = [
    "kind",
    "listener",
    "device",
    "label",
    "vendor",
    "severity",
    "event_code",
    "message_contains",
    "message_regex",
];

/// The keys that say what becomes of them.
pub(super) const CONSEQUENCES: [&str; 3] = ["topic", "action", "sample"];

impl Tables {
    /// The tables of the file, and those that variables make.
    pub fn new(raw: &mut Raw, ours: &BTreeMap<String, String>) -> Tables {
        Tables {
            listeners: listeners(raw, ours),
            users: users(raw, ours),
            routes: routes(raw, ours),
        }
    }
}

fn listeners(raw: &mut Raw, ours: &BTreeMap<String, String>) -> BTreeMap<String, usize> {
    let mut known = first_positions(listener::names(&raw.listeners).iter());
    for (name, keys) in entries(ours, "LISTENER__") {
        let makes_one = ["protocol", "transport"]
            .iter()
            .find_map(|key| keys.get(*key));
        if let (Some(at), false) = (makes_one, known.contains_key(&name)) {
            known.insert(name.clone(), raw.listeners.len());
            let at = Place::Variable((*at).to_owned());
            let settings = named("listener.name", name.replace('_', "-"), &at);
            raw.listeners.push(RawListener { at, settings });
        }
    }
    known
}

fn users(raw: &mut Raw, ours: &BTreeMap<String, String>) -> BTreeMap<String, usize> {
    let names = raw.users.iter().map(|user| user.name().unwrap_or_default());
    let mut known = first_positions(names);
    for (name, keys) in entries(ours, "SNMP__USER__") {
        let of_auth = SECRETS_OF_USER[0].map(|path| path.rsplit('.').next().unwrap_or(path));
        let secret = of_auth.iter().find_map(|key| keys.get(*key));
        let makes_one = keys.get("name").or(keys.get("auth").and(secret));
        if let (Some(at), false) = (makes_one, known.contains_key(&name)) {
            known.insert(name.clone(), raw.users.len());
            let at = Place::Variable((*at).to_owned());
            let settings = named("snmp.user.name", name, &at);
            raw.users.push(RawUser { at, settings });
        }
    }
    known
}

fn routes(raw: &mut Raw, ours: &BTreeMap<String, String>) -> BTreeMap<String, usize> {
    let names = raw
        .routes
        .iter()
        .map(|route| route.name().unwrap_or_default());
    let mut known = first_positions(names);
    for (name, keys) in entries(ours, "ROUTE__") {
        let first_of = |these: &[&str]| these.iter().find_map(|key| keys.get(*key));
        let makes_one = first_of(&CONDITIONS).and(first_of(&CONSEQUENCES));
        if let (Some(at), false) = (makes_one, known.contains_key(&name)) {
            known.insert(name.clone(), raw.routes.len());
            let at = Place::Variable((*at).to_owned());
            let settings = named("route.name", name.replace('_', "-"), &at);
            raw.routes.push(RawRoute { at, settings });
        }
    }
    known
}

/// The position of the first of each name, folded.
fn first_positions<N: AsRef<str>>(names: impl Iterator<Item = N>) -> BTreeMap<String, usize> {
    let mut positions = BTreeMap::new();
    for (position, name) in names.enumerate() {
        positions.entry(fold(name.as_ref())).or_insert(position);
    }
    positions
}

/// What variables say of the entries of a table: each folded name, its keys, and the variable of each.
fn entries<'v>(
    ours: &'v BTreeMap<String, String>,
    table: &str,
) -> BTreeMap<String, BTreeMap<String, &'v str>> {
    let mut entries: BTreeMap<String, BTreeMap<String, &str>> = BTreeMap::new();
    for (variable, value) in ours {
        let rest = variable.strip_prefix(PREFIX).unwrap_or_default();
        let entry = rest
            .strip_prefix(table)
            .and_then(|rest| rest.split_once("__"));
        if let Some((name, key)) =
            entry.filter(|(name, _)| !name.is_empty() && !value.trim().is_empty())
        {
            let keys = entries.entry(fold(name)).or_default();
            keys.insert(key.to_ascii_lowercase(), variable);
        }
    }
    entries
}

/// The settings of a table of which nothing but its name is known.
fn named(key: &'static str, name: String, at: &Place) -> Settings {
    let (value, at) = (Value::Text(name), at.clone());
    Settings {
        values: BTreeMap::from([(key, Set { value, at })]),
        is_broken: false,
    }
}

/// A name as it is compared: `syslog-udp` and `SYSLOG_UDP` are the same, and so are `Fleet@HQ` and `FLEET_HQ`.
pub(in crate::config) fn fold(name: &str) -> String {
    let plain = |letter: char| match letter {
        letter if letter.is_ascii_alphanumeric() => letter.to_ascii_lowercase(),
        _ => '_',
    };
    name.chars().map(plain).collect()
}
