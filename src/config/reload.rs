//! What a reload (SIGHUP) can change while running, and what waits for a restart.
//!
//! ```text
//!  old Resolved ─┐
//!                ├─▶ difference ─▶ Reload { applied, needs_restart }   key by key
//!  new Resolved ─┼─▶ in_force ───▶ what the next reload is compared with
//!                └─▶ restart_needed ─▶ sentences for people, until the file says again what runs
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
use super::reader::{Effective, Said};
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
    let mut reload = Reload::default();
    for key in changed(&old.effective, &new.effective) {
        match listener_that_comes_or_goes(key, &old.effective, &new.effective) {
            Some(listener) if reload.needs_restart.contains(&listener) => {}
            Some(listener) => reload.needs_restart.push(listener),
            None => match on_reload(key, &old.effective, &new.effective) {
                OnReload::Applied => reload.applied.push(key.clone()),
                OnReload::Restart => reload.needs_restart.push(key.clone()),
            },
        }
    }
    reload
}

/// What the configuration says otherwise than what runs, and only a restart changes: a sentence each, without values that may be
/// secret. `running` is what [`in_force`] gave.
pub fn restart_needed(running: &Effective, configured: &Effective) -> Vec<String> {
    let mut sentences = Vec::new();
    for key in changed(running, configured) {
        let sentence = match listener_that_comes_or_goes(key, running, configured) {
            Some(listener) => {
                let name = name_of(&listener);
                match configured.0.contains_key(&format!("{listener}.name")) {
                    true => format!("listener {name} is configured and does not run"),
                    false => format!("listener {name} runs and is not configured any more"),
                }
            }
            None if matches!(on_reload(key, running, configured), OnReload::Applied) => continue,
            // The key that waits with it says so.
            None if is_content(key) => continue,
            None => value_that_waits(key, running, configured),
        };
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }
    sentences
}

/// Where it listens is said of a listener: others have to send there.
fn value_that_waits(key: &str, running: &Effective, configured: &Effective) -> String {
    let said = |effective: &Effective| match effective.0.get(key) {
        Some(Said::Plain(text)) => Some(text.trim_matches('"').to_owned()),
        Some(Said::Masked(_)) | None => None,
    };
    let place = listener_of(key).filter(|listener| {
        let name = key.strip_prefix(listener.as_str());
        matches!(name, Some(".bind" | ".path"))
    });
    match (place, said(configured), said(running)) {
        (Some(listener), Some(new), Some(old)) => {
            let name = name_of(&listener);
            format!("listener {name} is configured for {new} and runs on {old}")
        }
        _ => format!("{key} is not as it is configured"),
    }
}

/// The name in `listener.syslog-udp`.
fn name_of(listener: &str) -> &str {
    let name = listener.strip_prefix(schema::LISTENER);
    name.map_or(listener, |name| name.trim_start_matches('.'))
}

/// What each key says once a reload from `old` to `new` is done: what needs a restart stays.
pub fn in_force(old: &Effective, new: &Effective) -> Effective {
    let mut now = old.clone();
    for key in changed(old, new) {
        let is_applied = listener_that_comes_or_goes(key, old, new).is_none()
            && matches!(on_reload(key, old, new), OnReload::Applied);
        match new.0.get(key).filter(|_| is_applied) {
            Some(said) => _ = now.0.insert(key.clone(), said.clone()),
            None if is_applied => _ = now.0.remove(key),
            None => {}
        }
    }
    now
}

/// The keys that do not say the same.
fn changed<'e>(old: &'e Effective, new: &'e Effective) -> impl Iterator<Item = &'e String> {
    let keys: BTreeSet<&String> = old.0.keys().chain(new.0.keys()).collect();
    let keys = keys.into_iter();
    keys.filter(|key| old.0.get(*key) != new.0.get(*key))
}

/// The listener that a key is of, where only one of the two has it.
fn listener_that_comes_or_goes(key: &str, old: &Effective, new: &Effective) -> Option<String> {
    let listener = listener_of(key)?;
    let name_key = format!("{listener}.name");
    (old.0.contains_key(&name_key) != new.0.contains_key(&name_key)).then_some(listener)
}

/// `listener.syslog-udp` of `listener.syslog-udp.tls.key_file`. Names of listeners have no dots.
fn listener_of(key: &str) -> Option<String> {
    let mut parts = key.split('.');
    let is_listener = parts.next() == Some(schema::LISTENER);
    let name = parts.next().filter(|_| is_listener)?;
    Some(format!("{}.{name}", schema::LISTENER))
}

/// What `listener.*.tls` names, and what those files hold.
const TLS: &str = ".tls.";

/// The key as the table has it, without the listener's name.
fn path_of(key: &str) -> String {
    match listener_of(key) {
        Some(listener) => key.replacen(&listener, schema::LISTENER, 1),
        None => key.to_owned(),
    }
}

fn is_content(key: &str) -> bool {
    path_of(key) == CONTENT
}

/// What other files hold waits for the restart with their names.
fn content_waits(key: &str, old: &Effective, new: &Effective) -> bool {
    let tls = key.rfind(TLS).and_then(|at| key.get(..at + TLS.len()));
    tls.is_some_and(|tls| changed(old, new).any(|other| other.starts_with(tls) && other != key))
}

fn on_reload(key: &str, old: &Effective, new: &Effective) -> OnReload {
    let path = path_of(key);
    if is_content(key) {
        return match content_waits(key, old, new) {
            true => OnReload::Restart,
            false => OnReload::Applied,
        };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn tls(certificate: &str, content: &str) -> Effective {
        let said = |text: &str| Said::Plain(text.to_owned());
        Effective(
            [
                ("listener.a.name", said("a")),
                ("listener.a.tls.certificate_file", said(certificate)),
                ("listener.a.tls.content", said(content)),
            ]
            .map(|(key, said)| (key.to_owned(), said))
            .into(),
        )
    }

    #[test]
    fn what_files_hold_is_taken_at_once_and_what_other_files_hold_waits_with_their_names() {
        let running = tls("a.pem", "1");
        assert_eq!(in_force(&running, &tls("a.pem", "2")), tls("a.pem", "2"));
        let other = tls("b.pem", "2");
        assert_eq!(in_force(&running, &other), running);
        let needed = restart_needed(&running, &other);
        let certificate = "listener.a.tls.certificate_file is not as it is configured";
        assert_eq!(needed, [certificate]);
    }
}
