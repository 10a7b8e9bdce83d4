//! Authentication protocols: the hash, and the digest of a message (RFC 3414, sections 6 and 7; RFC 7860, section 4).
//!
//! ```text
//!   MAC = first octets of HMAC(authKey, message with zeros in place of its digest)
//!
//!            MD5   SHA-1   SHA-224   SHA-256   SHA-384   SHA-512
//!   key       16      20        28        32        48        64
//!   digest    12      12        16        24        32        48
//! ```

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;

use super::keys::Key;

/// The longest digest in a message, in octets (SHA-512).
pub const MAC_BYTES_MAX: usize = 48;

/// An authentication protocol, by the name that configurations use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum AuthProtocol {
    /// usmHMACMD5AuthProtocol.
    #[serde(rename = "MD5")]
    Md5,
    /// usmHMACSHAAuthProtocol.
    #[serde(rename = "SHA-1", alias = "SHA")]
    Sha1,
    /// usmHMAC128SHA224AuthProtocol.
    #[serde(rename = "SHA-224")]
    Sha224,
    /// usmHMAC192SHA256AuthProtocol.
    #[serde(rename = "SHA-256")]
    Sha256,
    /// usmHMAC256SHA384AuthProtocol.
    #[serde(rename = "SHA-384")]
    Sha384,
    /// usmHMAC384SHA512AuthProtocol.
    #[serde(rename = "SHA-512")]
    Sha512,
}

/// Runs `$body` with `$hash` standing for the protocol's hash.
macro_rules! with_hash {
    ($protocol:expr, $hash:ident => $body:expr) => {
        match $protocol {
            AuthProtocol::Md5 => {
                type $hash = Md5;
                $body
            }
            AuthProtocol::Sha1 => {
                type $hash = Sha1;
                $body
            }
            AuthProtocol::Sha224 => {
                type $hash = Sha224;
                $body
            }
            AuthProtocol::Sha256 => {
                type $hash = Sha256;
                $body
            }
            AuthProtocol::Sha384 => {
                type $hash = Sha384;
                $body
            }
            AuthProtocol::Sha512 => {
                type $hash = Sha512;
                $body
            }
        }
    };
}

impl AuthProtocol {
    /// All of them.
    pub const ALL: [AuthProtocol; 6] = [
        AuthProtocol::Md5,
        AuthProtocol::Sha1,
        AuthProtocol::Sha224,
        AuthProtocol::Sha256,
        AuthProtocol::Sha384,
        AuthProtocol::Sha512,
    ];

    /// The name that configurations use.
    pub fn as_str(self) -> &'static str {
        match self {
            AuthProtocol::Md5 => "MD5",
            AuthProtocol::Sha1 => "SHA-1",
            AuthProtocol::Sha224 => "SHA-224",
            AuthProtocol::Sha256 => "SHA-256",
            AuthProtocol::Sha384 => "SHA-384",
            AuthProtocol::Sha512 => "SHA-512",
        }
    }

    /// Octets of a key, which are those of the hash.
    pub fn key_bytes(self) -> usize {
        match self {
            AuthProtocol::Md5 => 16,
            AuthProtocol::Sha1 => 20,
            AuthProtocol::Sha224 => 28,
            AuthProtocol::Sha256 => 32,
            AuthProtocol::Sha384 => 48,
            AuthProtocol::Sha512 => 64,
        }
    }

    /// Octets of the digest in a message.
    pub fn mac_bytes(self) -> usize {
        match self {
            AuthProtocol::Md5 | AuthProtocol::Sha1 => 12,
            AuthProtocol::Sha224 => 16,
            AuthProtocol::Sha256 => 24,
            AuthProtocol::Sha384 => 32,
            AuthProtocol::Sha512 => 48,
        }
    }

    /// The hash of all `parts`, one after the other. The result is as secret as they are.
    pub(super) fn hash<'p>(self, parts: impl IntoIterator<Item = &'p [u8]>) -> Key {
        with_hash!(self, H => {
            let mut hash = H::new();
            for part in parts {
                hash.update(part);
            }
            Key::new(&hash.finalize())
        })
    }

    /// The digest of a message that consists of `parts`, not yet cut to [`AuthProtocol::mac_bytes`].
    pub(super) fn mac(self, key: &Key, parts: &[&[u8]]) -> Key {
        with_hash!(self, H => {
            // An HMAC takes keys of any length; the error is of the trait, not of this use.
            let Ok(mut mac) = Hmac::<H>::new_from_slice(key.octets()) else {
                return Key::EMPTY;
            };
            for part in parts {
                mac.update(part);
            }
            Key::new(&mac.finalize().into_bytes())
        })
    }

    /// Whether `found` is the digest of the message `before ‖ zeros ‖ after`, compared in constant time.
    pub(super) fn verify(self, key: &Key, before: &[u8], found: &[u8], after: &[u8]) -> bool {
        const ZEROS: [u8; MAC_BYTES_MAX] = [0; MAC_BYTES_MAX];
        let count = self.mac_bytes();
        if found.len() != count {
            return false;
        }
        let zeros = ZEROS.get(..count).unwrap_or_default();
        let mac = self.mac(key, &[before, zeros, after]);
        let expected = mac.octets().get(..count).unwrap_or_default();
        expected.ct_eq(found).into()
    }
}
