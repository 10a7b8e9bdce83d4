//! Users and their secrets: who may send, with what, at least how well protected.
//!
//! ```text
//!   name ─▶ User ─▶ secrets of any engine (≤ 3: one user has several while a password is changed)
//!                └▶ secrets of one engine each (localised keys)
//! ```

use std::collections::HashMap;

use super::auth::AuthProtocol;
use super::keys::{self, Key, Passphrase};
use super::privacy::PrivProtocol;
use crate::decode::snmp::v3::SecurityLevel;

/// Secrets that one user may have for one engine: each is a digest that a stranger can make us compute.
pub const SECRETS_MAX: usize = 3;

/// Which key extension a device uses where the cipher needs a longer key than the hash gives.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ExtensionPolicy {
    /// The first message of an engine decides: the one is tried, then the other.
    #[default]
    Auto,
    /// draft-blumenthal-aes-usm-04.
    Blumenthal,
    /// draft-reeder-snmpv3-usm-3desede-00, as Cisco devices do.
    Reeder,
}

/// Where a key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// Of a pass phrase, localised for each engine.
    Passphrase(Passphrase),
    /// Localised already, for the one engine of [`UserConfig::engine_id`].
    Localised(Key),
}

/// One user with one set of secrets, as it is configured. Several may have the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserConfig {
    /// msgUserName.
    pub name: String,
    /// How its messages are authenticated; `None` for a user of noAuthNoPriv.
    pub auth: Option<(AuthProtocol, Credential)>,
    /// How they are encrypted.
    pub privacy: Option<(PrivProtocol, Credential)>,
    /// Which key extension its devices use.
    pub extension: ExtensionPolicy,
    /// Messages of a lower level are refused.
    pub level_min: SecurityLevel,
    /// The one engine for which this counts; any engine where there is none.
    pub engine_id: Option<Vec<u8>>,
}

impl UserConfig {
    /// The highest level that the secrets allow.
    pub fn level_max(&self) -> SecurityLevel {
        match (&self.auth, &self.privacy) {
            (None, _) => SecurityLevel::NoAuthNoPriv,
            (Some(_), None) => SecurityLevel::AuthNoPriv,
            (Some(_), Some(_)) => SecurityLevel::AuthPriv,
        }
    }
}

/// Names one secret, so that a cached key never serves another one after a reload. A secret that a reload leaves as it was
/// keeps the name that it got in an earlier generation of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretId {
    generation: u32,
    number: u32,
}

/// One set of secrets, ready for use: pass phrases have become master keys.
#[derive(Debug)]
pub struct Secret {
    /// Its name in caches.
    pub id: SecretId,
    /// Who uses it.
    pub user: String,
    /// For authentication.
    pub auth: Option<(AuthProtocol, Master)>,
    /// For privacy.
    pub privacy: Option<(PrivProtocol, Master)>,
    /// Which key extension its devices use.
    pub extension: ExtensionPolicy,
    /// Messages of a lower level are refused.
    pub level_min: SecurityLevel,
    /// Better ones cannot be sent.
    pub level_max: SecurityLevel,
}

impl Secret {
    /// Whether its devices may extend their privacy keys in either way.
    pub fn has_open_extension(&self) -> bool {
        let protocols = self.auth.as_ref().zip(self.privacy.as_ref());
        let needs_one = |((auth, _), (privacy, _)): (&(AuthProtocol, _), &(PrivProtocol, _))| {
            keys::needs_extension(*auth, *privacy)
        };
        self.extension == ExtensionPolicy::Auto && protocols.is_some_and(needs_one)
    }

    /// Whether the same keys are made from both.
    fn is_same(&self, other: &Secret) -> bool {
        self.user == other.user
            && self.auth == other.auth
            && self.privacy == other.privacy
            && self.extension == other.extension
    }
}

/// What the key of an engine is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Master {
    /// Ku.
    OfAnyEngine(Key),
    /// Kul.
    Localised(Key),
}

impl Master {
    fn new(protocol: AuthProtocol, credential: &Credential) -> Master {
        match credential {
            Credential::Passphrase(passphrase) => {
                Master::OfAnyEngine(keys::master(protocol, passphrase))
            }
            Credential::Localised(key) => Master::Localised(key.clone()),
        }
    }
}

#[derive(Debug, Default)]
struct User {
    of_any_engine: Vec<usize>,
    of_one_engine: HashMap<Vec<u8>, Vec<usize>>,
}

/// All users.
#[derive(Debug, Default)]
pub struct Users {
    secrets: Vec<Secret>,
    by_name: HashMap<Vec<u8>, User>,
}

impl Users {
    /// Makes master keys of all pass phrases: milliseconds each.
    pub fn new(configs: &[UserConfig], generation: u32) -> Users {
        let mut users = Users::default();
        for config in configs {
            let number = users.secrets.len();
            let id = SecretId {
                generation,
                number: u32::try_from(number).unwrap_or(u32::MAX),
            };
            users.secrets.push(secret(config, id));
            let user = users.by_name.entry(config.name.clone().into_bytes());
            let user = user.or_default();
            let numbers = match &config.engine_id {
                Some(engine_id) => user.of_one_engine.entry(engine_id.clone()).or_default(),
                None => &mut user.of_any_engine,
            };
            numbers.push(number);
        }
        users
    }

    /// The same where a secret of `before` that is unchanged keeps its name, and so its keys.
    pub fn after(mut self, before: &Users) -> Users {
        let mut free: Vec<&Secret> = before.secrets.iter().collect();
        for secret in &mut self.secrets {
            if let Some(place) = free.iter().position(|known| known.is_same(secret)) {
                secret.id = free.swap_remove(place).id;
            }
        }
        self
    }

    /// The names of all secrets.
    pub fn ids(&self) -> impl Iterator<Item = SecretId> {
        self.secrets.iter().map(|secret| secret.id)
    }

    /// Whether nobody is known.
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    /// Whether there is a user of this name.
    pub fn knows(&self, name: &[u8]) -> bool {
        self.by_name.contains_key(name)
    }

    /// The secrets that may protect a message of this user and engine, at most [`SECRETS_MAX`]: the engine's own first.
    pub fn secrets(&self, name: &[u8], engine_id: &[u8]) -> impl Iterator<Item = &Secret> {
        let user = self.by_name.get(name);
        let own = user.and_then(|user| user.of_one_engine.get(engine_id));
        let any = user.map(|user| &user.of_any_engine);
        let numbers = own.into_iter().chain(any).flatten();
        numbers
            .filter_map(|number| self.secrets.get(*number))
            .take(SECRETS_MAX)
    }
}

fn secret(config: &UserConfig, id: SecretId) -> Secret {
    let auth = config.auth.as_ref();
    let auth = auth.map(|(protocol, credential)| (*protocol, Master::new(*protocol, credential)));
    // A privacy key is made with the hash of the authentication protocol (RFC 3414, section 2.6).
    let privacy = match (&auth, &config.privacy) {
        (Some((hash, _)), Some((protocol, credential))) => {
            Some((*protocol, Master::new(*hash, credential)))
        }
        _ => None,
    };
    Secret {
        id,
        user: config.name.clone(),
        auth,
        privacy,
        extension: config.extension,
        level_min: config.level_min,
        level_max: config.level_max(),
    }
}
