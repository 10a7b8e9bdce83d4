//! What a reload (SIGHUP) can change while running, and what waits for a restart.
//!
//! ```text
//!  old Resolved ─┐
//!                ├─▶ difference ─▶ Reload { applied, needs_restart }   key by key
//!  new Resolved ─┘
//! ```
//!
//! | key                                              | a reload                                                        |
//! |--------------------------------------------------|-----------------------------------------------------------------|
//! | `log.level`                                      | applied: from the next line on                                  |
//! | `event.*`                                        | applied: from the next event on                                 |
//! | `snmp.mib_files`, `snmp.severity`                | applied: from the next trap on; a changed file is noticed without a reload |
//! | `listener.*.allow`                               | applied: from the next datagram or connection on                |
//! | `identity.*` but `reverse_dns`, `devices_max`     | applied: from the next packet on; a changed inventory is noticed without a reload |
//! | `snmp.*` but `engine_id`                         | applied: from the next packet on                                |
//! | what the files of `listener.*.tls` hold          | applied: from the next connection on, open ones go on as they are |
//! | everything else                                  | needs a restart, and is named                                   |
//!
//! A reload with a bad file changes nothing at all. The table is [`super::schema::KEYS`], key by key.

use std::collections::BTreeSet;

use super::certificate::CONTENT;
use super::resolve::Resolved;
use super::schema::{self, OnReload};

/// What is different, by key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reload {
    /// These take effect now.
    pub applied: Vec<String>,
    /// These keep their old value until the agent is started again.
    pub needs_restart: Vec<String>,
}

/// Compares two configurations. A listener that is new or gone is named as a whole: `listener.syslog-tls`.
pub fn difference(old: &Resolved, new: &Resolved) -> Reload {
    let (old, new) = (&old.effective.0, &new.effective.0);
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let mut reload = Reload::default();
    for key in keys
        .into_iter()
        .filter(|key| old.get(*key) != new.get(*key))
    {
        if let Some(listener) = listener_of(key) {
            let name_key = format!("{listener}.name");
            if old.contains_key(&name_key) != new.contains_key(&name_key) {
                if !reload.needs_restart.contains(&listener) {
                    reload.needs_restart.push(listener);
                }
                continue;
            }
        }
        match on_reload(key) {
            OnReload::Applied => reload.applied.push(key.clone()),
            OnReload::Restart => reload.needs_restart.push(key.clone()),
        }
    }
    reload
}

/// `listener.syslog-udp` of `listener.syslog-udp.tls.key_file`. Names of listeners have no dots.
fn listener_of(key: &str) -> Option<String> {
    let mut parts = key.split('.');
    let is_listener = parts.next() == Some(schema::LISTENER);
    let name = parts.next().filter(|_| is_listener)?;
    Some(format!("{}.{name}", schema::LISTENER))
}

fn on_reload(key: &str) -> OnReload {
    let path = match listener_of(key) {
        Some(listener) => key.replacen(&listener, schema::LISTENER, 1),
        None => key.to_owned(),
    };
    if path == CONTENT {
        return OnReload::Applied;
    }
    if key.starts_with(schema::SEVERITY) {
        return OnReload::Applied;
    }
    if let Some((_, name)) = path
        .strip_prefix(schema::SNMP_USER)
        .and_then(|rest| rest.rsplit_once('.'))
    {
        let path = format!("{}.{name}", schema::SNMP_USER);
        return schema::find(&path).map_or(OnReload::Applied, |key| key.on_reload);
    }
    // Kafka options have no entry in the table.
    schema::find(&path).map_or(OnReload::Restart, |key| key.on_reload)
}
