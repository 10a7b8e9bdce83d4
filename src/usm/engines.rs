//! What is learned of engines: clocks, and keys that were localised for them. Only what authenticated comes in.
//!
//! ```text
//!   clocks   engine ID ─▶ boots, time, heard            kept over restarts
//!   keys     engine ID, secret ─▶ authKey, privKey      localised again when needed
//! ```

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, OnceLock};

use super::auth::AuthProtocol;
use super::clock::EngineClock;
use super::keys::{self, Extension, Key};
use super::privacy::PrivProtocol;
use super::table::Table;
use super::users::{ExtensionPolicy, Master, SECRETS_MAX, Secret, SecretId};
use crate::decode::snmp::v3::ENGINE_ID_BYTES_MAX;

/// Engines whose clocks are kept, some 200 bytes each: more devices than one agent serves.
pub const ENGINES_MAX: usize = 16_384;

/// Keys that are kept, some 350 bytes each: one user an engine, whose secrets all make the digest while but its privacy
/// secret is changed. With less room than that, a whole fleet's keys would be made again and again meanwhile.
const KEYS_MAX: usize = ENGINES_MAX * SECRETS_MAX;

/// An engine ID in a fixed place, so that looking one up allocates nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EngineKey {
    octets: [u8; ENGINE_ID_BYTES_MAX],
    count: u8,
}

impl EngineKey {
    /// No octets.
    pub const NONE: EngineKey = EngineKey {
        octets: [0; ENGINE_ID_BYTES_MAX],
        count: 0,
    };

    /// `None` where there are more than 32 octets.
    pub fn new(engine_id: &[u8]) -> Option<EngineKey> {
        let mut octets = [0; ENGINE_ID_BYTES_MAX];
        octets
            .get_mut(..engine_id.len())?
            .copy_from_slice(engine_id);
        let count = u8::try_from(engine_id.len()).ok()?;
        Some(EngineKey { octets, count })
    }

    /// The engine ID.
    pub fn octets(&self) -> &[u8] {
        self.octets
            .get(..usize::from(self.count))
            .unwrap_or_default()
    }
}

impl fmt::Debug for EngineKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.octets()
            .iter()
            .try_for_each(|octet| write!(out, "{octet:02x}"))
    }
}

/// A user's keys for one engine.
#[derive(Debug, Clone)]
pub struct LocalKeys {
    /// authKey.
    pub auth: (AuthProtocol, Key),
    /// privKey; where the extension is not known yet, one for each that may be.
    pub privacy: Option<(PrivProtocol, PrivacyKeys)>,
}

/// privKey, as far as it is known.
#[derive(Debug, Clone)]
pub enum PrivacyKeys {
    /// The one.
    Known(Key),
    /// What it is made from: it was not needed yet.
    Unmade {
        /// Kul of the privacy pass phrase.
        kul: Key,
        /// Which extensions may be.
        policy: ExtensionPolicy,
        /// Reeder's, once it was tried: it is not made again for a message that nothing decrypts.
        reeder: OnceLock<Box<Key>>,
    },
}

/// An extension costs more work now than its source may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMuchWork;

impl LocalKeys {
    /// The secret's keys for `engine_id`. An extension is not made before [`LocalKeys::candidates`] is asked.
    pub fn new(secret: &Secret, engine_id: &[u8]) -> Option<LocalKeys> {
        let (hash, master) = secret.auth.as_ref()?;
        let local = |master: &Master| match master {
            Master::OfAnyEngine(ku) => keys::localise(*hash, ku, engine_id),
            Master::Localised(kul) => kul.clone(),
        };
        let privacy = secret.privacy.as_ref().map(|(protocol, master)| {
            let kul = local(master);
            let is_whole = kul.octets().len() >= protocol.key_bytes();
            let keys = if is_whole {
                let key = keys::privacy_key(*hash, *protocol, &kul, engine_id, Extension::Reeder);
                PrivacyKeys::Known(key)
            } else {
                PrivacyKeys::Unmade {
                    kul,
                    policy: secret.extension,
                    reeder: OnceLock::new(),
                }
            };
            (*protocol, keys)
        });
        Some(LocalKeys {
            auth: (*hash, local(master)),
            privacy,
        })
    }

    /// The extensions by which the privacy key may be made, in the order in which they are tried; one that stands for
    /// none where the key is known.
    pub fn extensions(&self) -> &'static [Extension] {
        match &self.privacy {
            None => &[],
            Some((_, PrivacyKeys::Known(_))) => &[Extension::Blumenthal],
            Some((protocol, PrivacyKeys::Unmade { policy, .. })) => match policy {
                ExtensionPolicy::Blumenthal => &[Extension::Blumenthal],
                ExtensionPolicy::Reeder => &[Extension::Reeder],
                // 3DES has but the one draft; of AES the cheaper one comes first.
                ExtensionPolicy::Auto if *protocol == PrivProtocol::TripleDes => {
                    &[Extension::Reeder, Extension::Blumenthal]
                }
                ExtensionPolicy::Auto => &[Extension::Blumenthal, Extension::Reeder],
            },
        }
    }

    /// The privacy key by one of [`LocalKeys::extensions`]. Reeder's costs milliseconds: it is made once, and only if
    /// `may_expand` lets it.
    ///
    /// # Errors
    /// It does not.
    pub fn extended(
        &self,
        extension: Extension,
        engine_id: &[u8],
        may_expand: impl FnOnce() -> bool,
    ) -> Result<Option<(PrivProtocol, Key)>, TooMuchWork> {
        let Some((protocol, keys)) = &self.privacy else {
            return Ok(None);
        };
        let (kul, reeder) = match keys {
            PrivacyKeys::Known(key) => return Ok(Some((*protocol, key.clone()))),
            PrivacyKeys::Unmade { kul, reeder, .. } => (kul, reeder),
        };
        let make = || keys::privacy_key(self.auth.0, *protocol, kul, engine_id, extension);
        let key = match extension {
            Extension::Blumenthal => make(),
            Extension::Reeder if reeder.get().is_none() && !may_expand() => {
                return Err(TooMuchWork);
            }
            Extension::Reeder => Key::clone(reeder.get_or_init(|| Box::new(make()))),
        };
        Ok(Some((*protocol, key)))
    }

    /// Whether the extension is still open, so that what a message shows should be kept.
    pub fn is_open(&self) -> bool {
        let open =
            |(_, keys): &(PrivProtocol, PrivacyKeys)| matches!(keys, PrivacyKeys::Unmade { .. });
        self.privacy.as_ref().is_some_and(open)
    }

    /// The same with the privacy key that a message was decrypted with.
    pub fn with_privacy(&self, protocol: PrivProtocol, key: Key) -> LocalKeys {
        LocalKeys {
            auth: self.auth.clone(),
            privacy: Some((protocol, PrivacyKeys::Known(key))),
        }
    }

    /// The privacy key, where it is known.
    pub fn privacy_key(&self) -> Option<(PrivProtocol, &Key)> {
        match self.privacy.as_ref()? {
            (protocol, PrivacyKeys::Known(key)) => Some((*protocol, key)),
            (_, PrivacyKeys::Unmade { .. }) => None,
        }
    }
}

/// Everything that was learned.
#[derive(Debug)]
pub struct Engines {
    clocks: Table<EngineKey, EngineClock>,
    keys: Table<(EngineKey, SecretId), Arc<LocalKeys>>,
}

impl Default for Engines {
    fn default() -> Engines {
        Engines {
            clocks: Table::new(ENGINES_MAX),
            keys: Table::new(KEYS_MAX),
        }
    }
}

impl Engines {
    /// What is known of an engine's clock.
    pub fn clock(&self, engine: &EngineKey) -> Option<EngineClock> {
        self.clocks.peek(engine).copied()
    }

    /// A secret's keys for an engine, if they were needed before.
    pub fn keys(
        &mut self,
        engine: EngineKey,
        secret: SecretId,
        now: u64,
    ) -> Option<Arc<LocalKeys>> {
        self.keys.get(&(engine, secret), now).cloned()
    }

    /// Keeps the keys with which a message was authenticated.
    pub fn keep_keys(
        &mut self,
        engine: EngineKey,
        secret: SecretId,
        keys: Arc<LocalKeys>,
        now: u64,
    ) {
        self.keys.insert((engine, secret), keys, now);
    }

    /// Keeps what an authenticated message said of its engine's clock.
    pub fn keep_clock(&mut self, engine: EngineKey, clock: EngineClock, now: u64) {
        self.clocks.insert(engine, clock, now);
    }

    /// Forgets the keys of all other secrets: the users changed.
    pub fn keep_keys_of(&mut self, secrets: &HashSet<SecretId>) {
        self.keys.retain(|(_, secret)| secrets.contains(secret));
    }

    /// How many engines are known.
    pub fn count(&self) -> usize {
        self.clocks.len()
    }

    /// How many keys are kept.
    pub fn keys_count(&self) -> usize {
        self.keys.len()
    }

    /// Every engine's clock.
    pub fn clocks(&self) -> impl Iterator<Item = (&EngineKey, &EngineClock)> {
        self.clocks.iter()
    }
}
