//! The scoped PDU of a message, decrypted where it has to be.
//!
//! ```text
//!  Data::Plain ──────────────────────────────▶ Decryption::NotNeeded ─┐
//!  Data::Encrypted ─▶ each key's extension ──▶ Decryption::With(key) ─┴▶ opened ─▶ octets, scoped PDU
//!                     none fits ─────────────▶ Decryption::Failed: another secret's turn
//!                     too dear now ──────────▶ Decryption::TooMuchWork
//! ```

use super::engines::{LocalKeys, TooMuchWork};
use super::keys::Key;
use super::privacy::{Nonce, PrivProtocol};
use crate::decode::snmp::v3::{self, Data, Message, ScopedPdu};
use crate::decode::snmp::{UnreadMessage, Version};

/// What became of a message's encryption.
pub(super) enum Decryption {
    /// It was sent in the clear.
    NotNeeded,
    /// This key made a scoped PDU of it.
    With(PrivProtocol, Key),
    /// No key does.
    Failed,
    /// A key that may do so was not made: its source asks for too much.
    TooMuchWork,
}

/// Decrypts into `plain`, where there is something to decrypt. Which key extension is right shows in whether a scoped PDU
/// comes out. `may_expand` is asked before a key is made that costs milliseconds.
pub(super) fn decrypt(
    message: &Message<'_>,
    keys: &LocalKeys,
    plain: &mut Vec<u8>,
    may_expand: impl Fn() -> bool,
) -> Decryption {
    let Data::Encrypted(encrypted) = message.data else {
        return Decryption::NotNeeded;
    };
    let Ok(salt) = message.salt.try_into() else {
        return Decryption::Failed;
    };
    let nonce = Nonce {
        boots: message.boots,
        time: message.time,
        salt,
    };
    for extension in keys.extensions() {
        let (protocol, key) = match keys.extended(*extension, message.engine_id, &may_expand) {
            Ok(Some(key)) => key,
            Ok(None) => return Decryption::Failed,
            Err(TooMuchWork) => return Decryption::TooMuchWork,
        };
        plain.clear();
        plain.extend_from_slice(encrypted);
        if protocol.decrypt(&key, nonce, plain).is_ok() && v3::scoped(plain).is_ok() {
            return Decryption::With(protocol, key);
        }
    }
    Decryption::Failed
}

/// The scoped PDU's octets and what they say, once they are in the clear: in the message, or in `plain`.
///
/// # Errors
/// They cannot be read.
pub(super) fn opened<'s>(
    message: &Message<'s>,
    plain: &'s [u8],
) -> Result<(&'s [u8], ScopedPdu<'s>), UnreadMessage> {
    let octets = match message.data {
        Data::Plain(octets) => octets,
        Data::Encrypted(_) => plain,
    };
    match v3::scoped(octets) {
        Ok(pdu) => Ok((octets, pdu)),
        Err(fault) => Err(UnreadMessage {
            fault,
            version: Some(Version::V3),
            advice: None,
        }),
    }
}
