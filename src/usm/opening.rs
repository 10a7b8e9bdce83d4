//! The scoped PDU of a message, decrypted where it has to be.
//!
//! ```text
//!  Data::Plain ──────────────────────────────▶ Opened { pdu }        unreadable ─▶ Unopened::Plain
//!  Data::Encrypted ─▶ each key's extension ──▶ Opened { pdu, key }   none fits ──▶ Unopened::Encrypted
//! ```

use super::engines::LocalKeys;
use super::keys::Key;
use super::privacy::{Nonce, PrivProtocol};
use crate::decode::snmp::v3::{self, Data, Message, ScopedPdu};
use crate::decode::snmp::{UnreadMessage, Version};

/// A scoped PDU in the clear.
pub(super) struct Opened<'s> {
    pub octets: &'s [u8],
    pub pdu: ScopedPdu<'s>,
    /// What it was decrypted with.
    pub key: Option<(PrivProtocol, Key)>,
}

/// Why there is none.
pub(super) enum Unopened {
    /// No key makes a scoped PDU of it.
    Encrypted,
    /// It was sent in the clear, and cannot be read.
    Plain(UnreadMessage),
}

/// Decrypts, where there is something to decrypt. Which key extension is right shows in whether a scoped PDU comes out.
pub(super) fn open<'s>(
    message: &Message<'s>,
    keys: Option<&LocalKeys>,
    plain: &'s mut Vec<u8>,
) -> Result<Opened<'s>, Unopened> {
    let encrypted = match message.data {
        Data::Plain(octets) => {
            let pdu = v3::scoped(octets).map_err(|fault| {
                Unopened::Plain(UnreadMessage {
                    fault,
                    version: Some(Version::V3),
                    advice: None,
                })
            })?;
            return Ok(Opened {
                octets,
                pdu,
                key: None,
            });
        }
        Data::Encrypted(octets) => octets,
    };
    let salt = message.salt.try_into().map_err(|_| Unopened::Encrypted)?;
    let nonce = Nonce {
        boots: message.boots,
        time: message.time,
        salt,
    };
    let candidates = keys.map(|keys| keys.candidates(message.engine_id));
    let found = candidates.into_iter().flatten().find(|(protocol, key)| {
        plain.clear();
        plain.extend_from_slice(encrypted);
        protocol.decrypt(key, nonce, plain).is_ok() && v3::scoped(plain).is_ok()
    });
    let key = found.ok_or(Unopened::Encrypted)?;
    let octets: &'s [u8] = plain;
    match v3::scoped(octets) {
        Ok(pdu) => Ok(Opened {
            octets,
            pdu,
            key: Some(key),
        }),
        Err(_) => Err(Unopened::Encrypted),
    }
}
