//! From a pass phrase to the keys of one engine (RFC 3414, section 2.6 and A.2; RFC 3826, section 1.2; RFC 7860, section 9).
//!
//! ```text
//!   pass phrase ──1 MiB of it, hashed──▶ Ku ──H(Ku ‖ engine ID ‖ Ku)──▶ Kul ─▶ authKey
//!                (milliseconds, once a user)     (a microsecond, once an engine)
//!
//!   privKey: of another pass phrase the same way, cut to what the cipher needs. Where Kul is shorter than that:
//!     Blumenthal   Kul ‖ H(Kul) ‖ H(Kul ‖ H(Kul)) ...            draft-blumenthal-aes-usm-04, section 3.1.2.1
//!     Reeder       Kul ‖ Kul' ..., where Kul' is made of Kul as if it were a pass phrase (1 MiB hashed for each engine)
//!                                                                draft-reeder-snmpv3-usm-3desede-00, section 2.1
//! ```
//!
//! Devices implement either extension (Cisco and many others Reeder's), and no message says which.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::auth::AuthProtocol;
use super::privacy::PrivProtocol;

/// Octets of the longest key: SHA-512's.
pub const KEY_BYTES_MAX: usize = 64;

/// The shortest pass phrase (RFC 3414, section 11.2).
pub const PASSPHRASE_BYTES_MIN: usize = 8;

/// How many octets of the repeated pass phrase are hashed (RFC 3414, section A.2).
const EXPANDED_BYTES: usize = 1024 * 1024;

/// A key, or what one is made from. Overwritten when it is dropped, never shown.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Key {
    octets: [u8; KEY_BYTES_MAX],
    count: usize,
}

impl Key {
    /// No octets.
    pub(super) const EMPTY: Key = Key {
        octets: [0; KEY_BYTES_MAX],
        count: 0,
    };

    /// A copy of `octets`; what is beyond [`KEY_BYTES_MAX`] is left out.
    pub fn new(octets: &[u8]) -> Key {
        let mut key = Key::EMPTY;
        key.append(octets);
        key
    }

    /// The key itself, for the ciphers.
    pub fn octets(&self) -> &[u8] {
        self.octets.get(..self.count).unwrap_or_default()
    }

    fn append(&mut self, more: &[u8]) {
        for (to, from) in self.octets.iter_mut().skip(self.count).zip(more) {
            *to = *from;
        }
        self.count = (self.count + more.len()).min(KEY_BYTES_MAX);
    }

    fn cut(mut self, count: usize) -> Key {
        self.count = self.count.min(count);
        self
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Key(***)")
    }
}

/// A pass phrase as a person typed it. Overwritten when it is dropped, never shown.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Passphrase(String);

impl Passphrase {
    /// Takes the text.
    pub fn new(text: impl Into<String>) -> Passphrase {
        Passphrase(text.into())
    }

    /// Whether it is as long as RFC 3414, section 11.2, asks for.
    pub fn is_long_enough(&self) -> bool {
        self.0.len() >= PASSPHRASE_BYTES_MIN
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Passphrase(***)")
    }
}

/// How a key is made longer than the hash is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extension {
    /// draft-blumenthal-aes-usm-04.
    Blumenthal,
    /// draft-reeder-snmpv3-usm-3desede-00.
    Reeder,
}

/// Ku of a pass phrase: milliseconds of work, so it is done once.
pub fn master(protocol: AuthProtocol, passphrase: &Passphrase) -> Key {
    expand(protocol, passphrase.0.as_bytes())
}

fn expand(protocol: AuthProtocol, secret: &[u8]) -> Key {
    if secret.is_empty() {
        return Key::EMPTY;
    }
    // Whole repeats first, so that the hash is fed with more than a few octets at a time.
    let mut repeats = secret.repeat(4096_usize.div_ceil(secret.len()));
    let whole = EXPANDED_BYTES / repeats.len();
    let rest = EXPANDED_BYTES % repeats.len();
    let parts = std::iter::repeat_n(repeats.as_slice(), whole).chain(repeats.get(..rest));
    let key = protocol.hash(parts);
    repeats.zeroize();
    key
}

/// Kul: a master key for one engine.
pub fn localise(protocol: AuthProtocol, master: &Key, engine_id: &[u8]) -> Key {
    protocol.hash([master.octets(), engine_id, master.octets()])
}

/// Whether the protocols' keys differ in length, so that [`Extension`] matters.
pub fn needs_extension(auth: AuthProtocol, privacy: PrivProtocol) -> bool {
    auth.key_bytes() < privacy.key_bytes()
}

/// privKey: the localised key `kul` in the length that the cipher needs.
pub fn privacy_key(
    auth: AuthProtocol,
    privacy: PrivProtocol,
    kul: &Key,
    engine_id: &[u8],
    extension: Extension,
) -> Key {
    let wanted = privacy.key_bytes();
    let mut key = kul.clone();
    let mut last = kul.clone();
    while key.count < wanted && key.count > 0 {
        last = match extension {
            Extension::Blumenthal => auth.hash([key.octets()]),
            Extension::Reeder => localise(auth, &expand(auth, last.octets()), engine_id),
        };
        key.append(last.octets());
    }
    key.cut(wanted)
}
