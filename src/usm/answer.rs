//! What we say: Reports and Responses, encoded, encrypted and authenticated (RFC 3412, section 7.1; RFC 3414, section 3.1).
//!
//! ```text
//!   parts, last octet first ──▶ turned round ──▶ message with zeros for its digest ──HMAC──▶ message
//! ```
//!
//! BER puts lengths before what they measure, so a message is written from its end to its start: each length is known
//! when its turn comes, and nothing is moved.

use super::engines::LocalKeys;
use super::privacy::{Nonce, SALT_BYTES};
use super::refusal::Refusal;
use crate::decode::snmp::v3::{Message, SecurityLevel};

/// msgMaxSize of what we send: the largest UDP datagram over IPv4, which is what a listener reads.
const SIZE_MAX: u32 = 65_507;

/// 1.3.6.1.6.3.15.1.1: usmStats.
const USM_STATS: [u8; 9] = [0x2b, 6, 1, 6, 3, 15, 1, 1, 0];

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const COUNTER32: u8 = 0x41;
const REPORT: u8 = 0xa8;

/// Our engine, as messages name it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own<'o> {
    pub engine_id: &'o [u8],
    pub boots: u32,
    pub time: u32,
    /// Never the same twice in one boot.
    pub salt: u64,
}

/// Octets that are written last to first. Reused, so that a steady stream of informs does not allocate.
#[derive(Debug, Default)]
pub struct Writer {
    reversed: Vec<u8>,
    plain: Vec<u8>,
}

impl Writer {
    fn octets(&mut self, octets: &[u8]) {
        self.reversed.extend(octets.iter().rev());
    }

    /// Puts identifier and length before everything that was written since `end`.
    fn wrap(&mut self, tag: u8, end: usize) {
        let length = self.reversed.len() - end;
        let octets = length.to_be_bytes();
        match length {
            0..0x80 => self.octets(octets.get(7..).unwrap_or_default()),
            _ => {
                let zeros = octets.iter().take_while(|octet| **octet == 0).count();
                let octets = octets.get(zeros..).unwrap_or_default();
                self.octets(octets);
                self.octets(&[0x80 | octets.len() as u8]);
            }
        }
        self.octets(&[tag]);
    }

    fn element(&mut self, tag: u8, content: &[u8]) {
        let end = self.reversed.len();
        self.octets(content);
        self.wrap(tag, end);
    }

    /// A number without sign, in as few octets as it needs.
    fn number(&mut self, tag: u8, number: u32) {
        let octets = u64::from(number).to_be_bytes();
        let zeros = octets.iter().take_while(|octet| **octet == 0).count();
        let digits = octets.get(zeros..).unwrap_or_default();
        // The octet before the digits is a zero: it keeps the sign bit away.
        let has_sign_bit = digits.first().is_none_or(|digit| digit & 0x80 != 0);
        let start = zeros - usize::from(has_sign_bit && zeros > 0);
        self.element(tag, octets.get(start..).unwrap_or_default());
    }

    /// The Report's scoped PDU, to [`Writer::plain`].
    pub(super) fn report(&mut self, own: &Own<'_>, stat: Refusal, value: u32, request_id: i32) {
        self.reversed.clear();
        self.number(COUNTER32, value);
        let mut name = [0; 10];
        let arcs = USM_STATS.iter().take(8).copied().chain([stat.stat(), 0]);
        for (octet, arc) in name.iter_mut().zip(arcs) {
            *octet = arc;
        }
        self.element(OBJECT_IDENTIFIER, &name);
        self.wrap(SEQUENCE, 0);
        self.wrap(SEQUENCE, 0);
        self.number(INTEGER, 0);
        self.number(INTEGER, 0);
        self.number(INTEGER, request_id.unsigned_abs());
        self.wrap(REPORT, 0);
        self.element(OCTET_STRING, &[]);
        self.element(OCTET_STRING, own.engine_id);
        self.wrap(SEQUENCE, 0);
        self.plain.clear();
        self.plain.extend(self.reversed.iter().rev());
    }

    /// A Response's scoped PDU, to [`Writer::plain`].
    pub(super) fn response(&mut self, scoped: &[u8]) {
        self.plain.clear();
        self.plain.extend_from_slice(scoped);
    }

    /// The whole message around the scoped PDU, to `out`. Says whether there is one: not where a key is missing.
    pub(super) fn message(
        &mut self,
        to: &Message<'_>,
        own: &Own<'_>,
        level: SecurityLevel,
        keys: Option<&LocalKeys>,
        out: &mut Vec<u8>,
    ) -> bool {
        out.clear();
        self.reversed.clear();
        let salted = match level {
            SecurityLevel::AuthPriv => match self.encrypt(own, keys) {
                Some(salt) => Some(salt),
                None => return false,
            },
            _ => None,
        };
        let Writer { reversed, plain } = self;
        reversed.extend(plain.iter().rev());
        if salted.is_some() {
            self.wrap(OCTET_STRING, 0);
        }
        let salt = salted.as_ref().map_or(&[][..], |salt| salt);
        let mac_bytes = match (level, keys) {
            (SecurityLevel::NoAuthNoPriv, _) => 0,
            (_, Some(keys)) => keys.auth.0.mac_bytes(),
            (_, None) => return false,
        };
        let digest_end = self.parameters(to.user, own, mac_bytes, salt);
        self.header(to.id, level);
        self.number(INTEGER, 3);
        self.wrap(SEQUENCE, 0);
        out.extend(self.reversed.iter().rev());
        let at = out.len() - digest_end;
        match keys {
            Some(keys) if mac_bytes > 0 => sign(out, at, keys),
            _ => true,
        }
    }

    /// Encrypts the scoped PDU in its place, and returns the salt.
    fn encrypt(&mut self, own: &Own<'_>, keys: Option<&LocalKeys>) -> Option<[u8; SALT_BYTES]> {
        let (protocol, key) = keys?.privacy_key()?;
        let mut salt = own.salt.to_be_bytes();
        let block = protocol.block_bytes();
        if block > 1 {
            for (octet, boots) in salt.iter_mut().zip(own.boots.to_be_bytes()) {
                *octet = boots;
            }
            let padded = self.plain.len().next_multiple_of(block);
            self.plain.resize(padded, 0);
        }
        let nonce = Nonce {
            boots: own.boots,
            time: own.time,
            salt,
        };
        protocol.encrypt(key, nonce, &mut self.plain).ok()?;
        Some(salt)
    }

    /// msgSecurityParameters. Returns where the digest's first octet is, counted from the message's end.
    fn parameters(&mut self, user: &[u8], own: &Own<'_>, mac_bytes: usize, salt: &[u8]) -> usize {
        let end = self.reversed.len();
        self.element(OCTET_STRING, salt);
        let before = self.reversed.len();
        self.reversed.resize(before + mac_bytes, 0);
        let digest_end = self.reversed.len();
        self.wrap(OCTET_STRING, before);
        self.element(OCTET_STRING, user);
        self.number(INTEGER, own.time);
        self.number(INTEGER, own.boots);
        self.element(OCTET_STRING, own.engine_id);
        self.wrap(SEQUENCE, end);
        self.wrap(OCTET_STRING, end);
        digest_end
    }

    fn header(&mut self, id: i32, level: SecurityLevel) {
        let end = self.reversed.len();
        let flags = match level {
            SecurityLevel::NoAuthNoPriv => 0,
            SecurityLevel::AuthNoPriv => 1,
            SecurityLevel::AuthPriv => 3,
        };
        self.number(INTEGER, 3);
        self.element(OCTET_STRING, &[flags]);
        self.number(INTEGER, SIZE_MAX);
        self.number(INTEGER, id.unsigned_abs());
        self.wrap(SEQUENCE, end);
    }
}

/// Puts the digest over the zeros at `at`.
fn sign(message: &mut [u8], at: usize, keys: &LocalKeys) -> bool {
    let (protocol, key) = &keys.auth;
    let mac = protocol.mac(key, &[message]);
    let digest = mac.octets().get(..protocol.mac_bytes());
    let place = message.get_mut(at..at + protocol.mac_bytes());
    match (digest, place) {
        (Some(digest), Some(place)) => {
            place.copy_from_slice(digest);
            true
        }
        _ => false,
    }
}
