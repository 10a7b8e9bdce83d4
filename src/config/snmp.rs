//! `[snmp]` and each `[[snmp.user]]` → who may send.
//!
//! ```text
//!  communities, communities_file ─────────────────▶ Communities
//!  security_level, time_window, failed ───────────▶ usm::Config
//!  [[snmp.user]] auth, auth_password | _file | auth_key ─▶ long enough? fits its protocol? ─▶ UserConfig
//!  engine_id, state_folder ───────────────────────▶ our own engine
//! ```
//!
//! No secret is shown, neither its text nor how long it is.

use std::collections::BTreeMap;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::kafka::{line_in_file, secret_in_file};
use super::problem::Place;
use super::raw::{Raw, RawUser};
use super::reader::{Findings, Reader};
use super::secret::Secret;
use crate::pipeline::{AccessConfig, Communities};
use crate::usm::auth::AuthProtocol;
use crate::usm::keys::{Key, PASSPHRASE_BYTES_MIN, Passphrase};
use crate::usm::privacy::PrivProtocol;
use crate::usm::users::{Credential, ExtensionPolicy, SECRETS_MAX};
use crate::usm::{self, EngineKey, FailedPolicy, SecurityLevel, UserConfig, WindowPolicy, stored};

/// Where state is kept unless something else is said. The package's unit makes the folder above it.
const STATE_FOLDER_DEFAULT: &str = "/var/lib/trapline/state";

/// Octets of the longest user name (RFC 3414, msgUserName).
const NAME_BYTES_MAX: usize = 32;

/// Octets of an engine ID (RFC 3411, SnmpEngineID).
const ENGINE_ID_BYTES: std::ops::RangeInclusive<usize> = 5..=32;

const STATE_FOLDER: &str = "agent.state_folder";

/// The word for no folder.
const OFF: &str = "off";

/// `agent.state_folder`; `None` where nothing is kept.
pub(super) fn state_folder(reader: &mut Reader<'_>) -> Option<PathBuf> {
    const KEY: &str = STATE_FOLDER;
    let folder = reader.text(KEY).unwrap_or(STATE_FOLDER_DEFAULT);
    reader.note(KEY, &folder);
    if folder == OFF {
        return None;
    }
    if !folder.starts_with('/') {
        reader.problem(
            KEY,
            "the path of a folder, starting with /, or \"off\"",
            &format!("{folder:?}"),
            "write the whole path: a service has no working folder of its own",
        );
    }
    Some(folder.into())
}

/// `snmp.engine_id`.
pub(super) fn own_engine_id(reader: &mut Reader<'_>) -> Option<EngineKey> {
    const KEY: &str = "snmp.engine_id";
    let id = EngineKey::new(&engine_id(reader, KEY)?);
    if reader.text(STATE_FOLDER) == Some(OFF) {
        let text = "has no effect while agent.state_folder is \"off\": the boots of an engine must be kept, so the agent has a new ID at each start";
        let at = reader.place(KEY);
        reader.findings.warn(&at, KEY, text);
    }
    id
}

fn engine_id(reader: &mut Reader<'_>, key: &str) -> Option<Vec<u8>> {
    let text = reader.text(key);
    reader.note(key, &text.unwrap_or_default());
    let octets = stored::octets(text?).filter(|octets| ENGINE_ID_BYTES.contains(&octets.len()));
    if octets.is_none() {
        reader.problem(
            key,
            "an engine ID: 5 to 32 octets in hex",
            &format!("{:?}", text.unwrap_or_default()),
            "write it as the device shows it, for example \"80000009030021541a2b3c\"",
        );
    }
    octets
}

/// Resolves communities, policies and users.
pub(super) fn resolve(raw: &Raw, file_mode: Option<u32>, findings: &mut Findings) -> AccessConfig {
    let mut reader = Reader::new(&raw.settings, findings);
    let communities = communities(&mut reader);
    let level_min = reader.word("snmp.security_level", SecurityLevel::default());
    let time_window = reader.word("snmp.time_window", WindowPolicy::default());
    let failed = reader.word("snmp.failed", FailedPolicy::default());
    let users = users(raw, file_mode, level_min, findings);
    AccessConfig {
        communities,
        usm: usm::Config {
            users,
            level_min,
            time_window,
            failed,
        },
    }
}

/// What the file of the communities has to hold.
const A_LINE_EACH: &str = "write the communities into the file, each on a line of its own";

fn communities(reader: &mut Reader<'_>) -> Communities {
    const KEY: &str = "snmp.communities";
    const KEY_FILE: &str = "snmp.communities_file";
    let here = reader.list(KEY).unwrap_or_default();
    let mut list: Vec<String> = here.iter().map(|(text, _)| text.clone()).collect();
    let path = reader.text(KEY_FILE);
    reader.note(KEY_FILE, &path.unwrap_or_default());
    if let Some(path) = path {
        let at = reader.place(KEY_FILE);
        match secret_in_file(path, KEY_FILE, &at, KEY, A_LINE_EACH, reader.findings) {
            Ok(text) => list.extend(text.expose().lines().map(|line| line.trim().to_owned())),
            Err(problem) => reader.findings.problems.push(problem),
        }
    }
    list.retain(|community| !community.is_empty());
    let secret = Secret::new(list.join("\n"));
    reader
        .findings
        .effective
        .note_masked(KEY.to_owned(), secret);
    if reader.is_set(KEY) && list.is_empty() && path.is_none() {
        reader.problem(
            KEY,
            "at least one community",
            "an empty list, which would turn every v1 and v2c device away",
            "name at least one, or leave the key out to take any",
        );
    }
    match list.is_empty() && path.is_none() {
        true => Communities::Any,
        false => Communities::These(
            list.into_iter()
                .map(|community| Zeroizing::new(community.into_bytes()))
                .collect(),
        ),
    }
}

fn users(
    raw: &Raw,
    file_mode: Option<u32>,
    level_min: SecurityLevel,
    findings: &mut Findings,
) -> Vec<UserConfig> {
    let mut users = Vec::new();
    let mut named: BTreeMap<&str, usize> = BTreeMap::new();
    let mut per_engine: BTreeMap<(&str, Option<Vec<u8>>), usize> = BTreeMap::new();
    for user in &raw.users {
        let name = user.name().unwrap_or_default();
        let nth = named.entry(name).or_default();
        *nth += 1;
        let shown = match *nth {
            _ if name.is_empty() => format!("[{}]", users.len() + 1),
            1 => name.to_owned(),
            nth => format!("{name}({nth})"),
        };
        let mut reader = Reader::of_user(&user.settings, &shown, &user.at, findings);
        check_name(&mut reader, name);
        warn_if_readable(&mut reader, user, file_mode);
        let config = one(&mut reader, name, level_min);
        *per_engine
            .entry((name, config.engine_id.clone()))
            .or_default() += 1;
        if secrets_tried(&per_engine, name, config.engine_id.as_ref()) > SECRETS_MAX {
            let text = format!(
                "the user {name:?} has more than {SECRETS_MAX} sets of secrets for one engine, those for any engine included"
            );
            let advice = "keep the old and the new ones of a change; each is work that a stranger can ask for";
            reader.problem_text("snmp.user.name", text, advice);
        }
        users.push(config);
    }
    users
}

/// How many sets of secrets a message of this user may be tried with: those of its engine and those of any. A set for any
/// engine counts at each of those that have their own.
fn secrets_tried(
    per_engine: &BTreeMap<(&str, Option<Vec<u8>>), usize>,
    name: &str,
    engine_id: Option<&Vec<u8>>,
) -> usize {
    let of_user = per_engine.iter().filter(|((user, _), _)| *user == name);
    let (mut of_any, mut of_one) = (0, 0);
    for ((_, engine), count) in of_user {
        match engine {
            None => of_any = *count,
            Some(engine) if engine_id.is_none_or(|it| it == engine) => of_one = of_one.max(*count),
            Some(_) => {}
        }
    }
    of_any + of_one
}

fn check_name(reader: &mut Reader<'_>, name: &str) {
    const KEY: &str = "snmp.user.name";
    reader.note(KEY, &name);
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        reader.problem(
            KEY,
            "a name of 1 to 32 octets",
            &format!("{name:?}"),
            "write the name that the devices are set to; letter case counts",
        );
    }
}

/// A secret that stands in the configuration is as safe as that file.
fn warn_if_readable(reader: &mut Reader<'_>, user: &RawUser, file_mode: Option<u32>) {
    const SECRETS: [&str; 4] = [
        "snmp.user.auth_password",
        "snmp.user.auth_key",
        "snmp.user.priv_password",
        "snmp.user.priv_key",
    ];
    let is_readable = file_mode.is_some_and(|mode| mode & 0o004 != 0);
    for key in SECRETS {
        let at = user.settings.values.get(key).map(|set| &set.at);
        if let Some(at @ Place::File { file, .. }) = at.filter(|_| is_readable) {
            let text = format!(
                "a secret stands in {file}, which every user of this host can read; run chmod o= {file}, or name a file of its own by {key}_file"
            );
            let shown = reader.shown(key);
            reader.findings.warn(at, &shown, text);
        }
    }
}

fn one(reader: &mut Reader<'_>, name: &str, level_min: SecurityLevel) -> UserConfig {
    let engine_id = engine_id(reader, "snmp.user.engine_id");
    let has_engine = engine_id.is_some();
    let auth = reader.word_if_set::<AuthProtocol>("snmp.user.auth");
    let privacy = reader.word_if_set::<PrivProtocol>("snmp.user.priv");
    let of_auth = Keys {
        protocol: "snmp.user.auth",
        password: "snmp.user.auth_password",
        password_file: "snmp.user.auth_password_file",
        key: "snmp.user.auth_key",
        key_file: "snmp.user.auth_key_file",
    };
    let of_priv = Keys {
        protocol: "snmp.user.priv",
        password: "snmp.user.priv_password",
        password_file: "snmp.user.priv_password_file",
        key: "snmp.user.priv_key",
        key_file: "snmp.user.priv_key_file",
    };
    let auth_bytes = auth.map(AuthProtocol::key_bytes);
    let priv_bytes = privacy.map(PrivProtocol::key_bytes);
    let auth_secret = of_auth.credential(reader, auth_bytes, has_engine);
    let priv_secret = of_priv.credential(reader, priv_bytes, has_engine);
    if privacy.is_some() && auth.is_none() && !reader.is_broken() {
        let advice = "set auth too: SNMPv3 has no privacy without authentication";
        reader.problem_text("snmp.user.priv", "the user has priv without auth", advice);
    }
    let mut user = UserConfig {
        name: name.to_owned(),
        auth: auth.zip(auth_secret),
        privacy: privacy.zip(priv_secret),
        extension: reader.word("snmp.user.priv_extension", ExtensionPolicy::default()),
        level_min: SecurityLevel::default(),
        engine_id,
    };
    let level_max = match (auth, privacy) {
        (None, _) => SecurityLevel::NoAuthNoPriv,
        (Some(_), None) => SecurityLevel::AuthNoPriv,
        (Some(_), Some(_)) => SecurityLevel::AuthPriv,
    };
    user.level_min = reader.word("snmp.user.security_level", level_max);
    check_level(reader, level_max, user.level_min.max(level_min));
    user
}

fn check_level(reader: &mut Reader<'_>, level_max: SecurityLevel, level_min: SecurityLevel) {
    const KEY: &str = "snmp.user.security_level";
    if level_min > level_max && !reader.is_broken() {
        let text = format!(
            "the user can send at {} at most, and {} is asked for: none of its messages would be taken",
            level_max.as_str(),
            level_min.as_str()
        );
        reader.problem_text(KEY, text, "set auth and priv, or a lower security_level");
    }
    if level_max == SecurityLevel::NoAuthNoPriv && level_min == level_max && !reader.is_broken() {
        let (at, shown) = (
            reader.place("snmp.user.name"),
            reader.shown("snmp.user.name"),
        );
        let text = "has no secret: anybody can send in this user's name";
        reader.findings.warn(&at, &shown, text);
    }
}

/// The keys at which one secret may stand.
struct Keys {
    protocol: &'static str,
    password: &'static str,
    password_file: &'static str,
    key: &'static str,
    key_file: &'static str,
}

impl Keys {
    /// The one secret that is set, judged.
    fn credential(
        &self,
        reader: &mut Reader<'_>,
        key_bytes: Option<usize>,
        has_engine: bool,
    ) -> Option<Credential> {
        let password = self.secret(reader, self.password, self.password_file);
        let key = self.secret(reader, self.key, self.key_file);
        let Some(key_bytes) = key_bytes else {
            if (password.is_some() || key.is_some()) && !reader.is_broken() {
                let text = format!("there is a secret, and {} is not set", last(self.protocol));
                let advice = "name the protocol that the devices use, or take the secret out";
                reader.problem_text(self.password, text, advice);
            }
            return None;
        };
        match (password, key) {
            (Some(password), None) => {
                let passphrase = Passphrase::new(password.expose());
                if !passphrase.is_long_enough() {
                    reader.problem_text(
                        self.password,
                        format!("a pass phrase of fewer than {PASSPHRASE_BYTES_MIN} characters (not shown)"),
                        "choose a longer one, on the devices too: RFC 3414, section 11.2, allows no shorter one",
                    );
                }
                Some(Credential::Passphrase(passphrase))
            }
            (None, Some(key)) => self.localised(reader, &key, key_bytes, has_engine),
            (None, None) if reader.is_broken() => None,
            (found, _) => {
                let text = match found {
                    None => format!(
                        "{} is set, and there is no secret for it",
                        last(self.protocol)
                    ),
                    Some(_) => "there are both a pass phrase and a key".to_owned(),
                };
                let advice = format!(
                    "set one of {}, {}, {} and {}",
                    last(self.password),
                    last(self.password_file),
                    last(self.key),
                    last(self.key_file)
                );
                reader.problem_text(self.protocol, text, advice);
                None
            }
        }
    }

    fn localised(
        &self,
        reader: &mut Reader<'_>,
        key: &Secret,
        key_bytes: usize,
        has_engine: bool,
    ) -> Option<Credential> {
        if !has_engine {
            let text = "a localised key is of one engine, and engine_id is not set";
            let advice = "set engine_id to the device's, or use a pass phrase for all devices";
            reader.problem_text(self.key, text, advice);
        }
        let octets = stored::octets(key.expose()).map(Zeroizing::new);
        let octets = octets.filter(|octets| octets.len() == key_bytes);
        if octets.is_none() {
            reader.problem(
                self.key,
                &format!("{key_bytes} octets in hex, as the protocol needs"),
                "something else (not shown)",
                "write the localised key as the device shows it",
            );
        }
        octets.map(|octets| Credential::Localised(Key::new(&octets)))
    }

    /// What stands at `key`, or in the file that stands at `file_key`.
    fn secret(&self, reader: &mut Reader<'_>, key: &str, file_key: &str) -> Option<Secret> {
        let path = reader.text(file_key);
        reader.note(file_key, &path.unwrap_or_default());
        let here = reader.text(key).map(Secret::new);
        let (at, shown) = (reader.place(file_key), reader.shown(file_key));
        let from_file = path.and_then(|path| {
            let elsewhere = last(key);
            match line_in_file(path, &shown, &at, elsewhere, reader.findings) {
                Ok(secret) => Some(secret),
                Err(problem) => {
                    reader.findings.problems.push(problem);
                    None
                }
            }
        });
        if here.is_some() && path.is_some() {
            let text = format!("{} is set as well", last(key));
            reader.problem_text(file_key, text, "keep one of the two");
        }
        // A file that cannot be read was reported; no second problem follows from it.
        let unread = path.is_some() && from_file.is_none();
        let secret = here.or(from_file);
        let noted = secret.clone().unwrap_or_else(|| Secret::new(""));
        let shown = reader.shown(key);
        reader.findings.effective.note_masked(shown, noted);
        secret.or_else(|| unread.then(|| Secret::new("-".repeat(PASSPHRASE_BYTES_MIN))))
    }
}

/// A key without the table that it stands in.
fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}
