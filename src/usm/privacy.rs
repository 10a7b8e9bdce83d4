//! Privacy protocols: encrypting and decrypting a scoped PDU in place (RFC 3414, section 8; RFC 3826, section 3;
//! draft-reeder-snmpv3-usm-3desede-00, section 5; draft-blumenthal-aes-usm-04, section 3).
//!
//! ```text
//!             privKey                          salt (msgPrivacyParameters)   IV
//!   DES       8 key, 8 pre-IV                  boots ‖ counter               pre-IV xor salt              CBC
//!   3DES      24 key, 8 pre-IV                 boots ‖ counter               pre-IV xor salt              CBC
//!   AES       16, 24 or 32 key                 64-bit counter                boots ‖ time ‖ salt          CFB-128
//! ```

use cbc::cipher::{
    Block, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, KeyInit, KeyIvInit,
};

use super::keys::Key;

/// Octets of a salt, whatever the protocol.
pub const SALT_BYTES: usize = 8;

/// Octets of a block of DES and 3DES.
const DES_BLOCK_BYTES: usize = 8;

/// A privacy protocol, by the name that configurations use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum PrivProtocol {
    /// usmDESPrivProtocol.
    #[serde(rename = "DES")]
    Des,
    /// usm3DESEDEPrivProtocol.
    #[serde(rename = "3DES")]
    TripleDes,
    /// usmAesCfb128Protocol.
    #[serde(rename = "AES-128", alias = "AES")]
    Aes128,
    /// AES with a key of 192 bits.
    #[serde(rename = "AES-192")]
    Aes192,
    /// AES with a key of 256 bits.
    #[serde(rename = "AES-256")]
    Aes256,
}

/// What the IV of a message is made from, beside the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonce {
    /// snmpEngineBoots of the message.
    pub boots: u32,
    /// snmpEngineTime of the message.
    pub time: u32,
    /// Its msgPrivacyParameters.
    pub salt: [u8; SALT_BYTES],
}

/// The octets cannot be the work of this protocol: of a length that its blocks do not fill, or the key is too short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the encrypted octets do not fill the cipher's blocks")]
pub struct NotFitting;

impl PrivProtocol {
    /// All of them.
    pub const ALL: [PrivProtocol; 5] = [
        PrivProtocol::Des,
        PrivProtocol::TripleDes,
        PrivProtocol::Aes128,
        PrivProtocol::Aes192,
        PrivProtocol::Aes256,
    ];

    /// The name that configurations use.
    pub fn as_str(self) -> &'static str {
        match self {
            PrivProtocol::Des => "DES",
            PrivProtocol::TripleDes => "3DES",
            PrivProtocol::Aes128 => "AES-128",
            PrivProtocol::Aes192 => "AES-192",
            PrivProtocol::Aes256 => "AES-256",
        }
    }

    /// Octets of privKey, a pre-IV included.
    pub fn key_bytes(self) -> usize {
        match self {
            PrivProtocol::Des | PrivProtocol::Aes128 => 16,
            PrivProtocol::Aes192 => 24,
            PrivProtocol::TripleDes | PrivProtocol::Aes256 => 32,
        }
    }

    /// Octets of a cipher's block that a message must fill: 1 for AES in CFB mode.
    pub(super) fn block_bytes(self) -> usize {
        match self {
            PrivProtocol::Des | PrivProtocol::TripleDes => DES_BLOCK_BYTES,
            PrivProtocol::Aes128 | PrivProtocol::Aes192 | PrivProtocol::Aes256 => 1,
        }
    }

    /// Decrypts `octets` in place.
    ///
    /// # Errors
    /// They do not fill the cipher's blocks.
    pub fn decrypt(self, key: &Key, nonce: Nonce, octets: &mut [u8]) -> Result<(), NotFitting> {
        match self {
            PrivProtocol::Des => {
                let (key, iv) = des_parts(key, 8, nonce).ok_or(NotFitting)?;
                cbc_decrypt::<cbc::Decryptor<des::Des>>(key, &iv, octets)
            }
            PrivProtocol::TripleDes => {
                let (key, iv) = des_parts(key, 24, nonce).ok_or(NotFitting)?;
                cbc_decrypt::<cbc::Decryptor<des::TdesEde3>>(key, &iv, octets)
            }
            PrivProtocol::Aes128 => cfb_decrypt::<aes::Aes128>(key, nonce, octets),
            PrivProtocol::Aes192 => cfb_decrypt::<aes::Aes192>(key, nonce, octets),
            PrivProtocol::Aes256 => cfb_decrypt::<aes::Aes256>(key, nonce, octets),
        }
    }

    /// Encrypts `octets` in place.
    ///
    /// # Errors
    /// They do not fill the cipher's blocks: pad them first.
    pub fn encrypt(self, key: &Key, nonce: Nonce, octets: &mut [u8]) -> Result<(), NotFitting> {
        match self {
            PrivProtocol::Des => {
                let (key, iv) = des_parts(key, 8, nonce).ok_or(NotFitting)?;
                cbc_encrypt::<cbc::Encryptor<des::Des>>(key, &iv, octets)
            }
            PrivProtocol::TripleDes => {
                let (key, iv) = des_parts(key, 24, nonce).ok_or(NotFitting)?;
                cbc_encrypt::<cbc::Encryptor<des::TdesEde3>>(key, &iv, octets)
            }
            PrivProtocol::Aes128 => cfb_encrypt::<aes::Aes128>(key, nonce, octets),
            PrivProtocol::Aes192 => cfb_encrypt::<aes::Aes192>(key, nonce, octets),
            PrivProtocol::Aes256 => cfb_encrypt::<aes::Aes256>(key, nonce, octets),
        }
    }
}

/// The cipher's key, and the IV: pre-IV xor salt.
fn des_parts(key: &Key, key_bytes: usize, nonce: Nonce) -> Option<(&[u8], [u8; SALT_BYTES])> {
    let (key, rest) = key.octets().split_at_checked(key_bytes)?;
    let mut iv = nonce.salt;
    let (before, _) = rest.split_at_checked(SALT_BYTES)?;
    for (octet, before) in iv.iter_mut().zip(before) {
        *octet ^= before;
    }
    Some((key, iv))
}

fn aes_iv(nonce: Nonce) -> [u8; 16] {
    let mut iv = [0; 16];
    let parts = nonce.boots.to_be_bytes().into_iter();
    let parts = parts.chain(nonce.time.to_be_bytes()).chain(nonce.salt);
    for (octet, part) in iv.iter_mut().zip(parts) {
        *octet = part;
    }
    iv
}

fn cbc_decrypt<C: BlockModeDecrypt + KeyIvInit>(
    key: &[u8],
    iv: &[u8],
    octets: &mut [u8],
) -> Result<(), NotFitting> {
    let mut cipher = C::new_from_slices(key, iv).map_err(|_| NotFitting)?;
    let (blocks, rest) = Block::<C>::slice_as_chunks_mut(octets);
    if !rest.is_empty() {
        return Err(NotFitting);
    }
    cipher.decrypt_blocks(blocks);
    Ok(())
}

fn cbc_encrypt<C: BlockModeEncrypt + KeyIvInit>(
    key: &[u8],
    iv: &[u8],
    octets: &mut [u8],
) -> Result<(), NotFitting> {
    let mut cipher = C::new_from_slices(key, iv).map_err(|_| NotFitting)?;
    let (blocks, rest) = Block::<C>::slice_as_chunks_mut(octets);
    if !rest.is_empty() {
        return Err(NotFitting);
    }
    cipher.encrypt_blocks(blocks);
    Ok(())
}

fn cfb_decrypt<C: BlockCipherEncrypt + KeyInit>(
    key: &Key,
    nonce: Nonce,
    octets: &mut [u8],
) -> Result<(), NotFitting> {
    let cipher = cfb_mode::Decryptor::<C>::new_from_slices(key.octets(), &aes_iv(nonce));
    cipher.map_err(|_| NotFitting)?.decrypt(octets);
    Ok(())
}

fn cfb_encrypt<C: BlockCipherEncrypt + KeyInit>(
    key: &Key,
    nonce: Nonce,
    octets: &mut [u8],
) -> Result<(), NotFitting> {
    let cipher = cfb_mode::Encryptor::<C>::new_from_slices(key.octets(), &aes_iv(nonce));
    cipher.map_err(|_| NotFitting)?.encrypt(octets);
    Ok(())
}
