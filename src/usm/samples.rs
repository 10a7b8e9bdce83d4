//! For tests: a device that sends SNMPv3 messages, written apart from [`super::answer`].

use super::UserConfig;
use super::auth::AuthProtocol;
use super::keys::{self, Extension, Passphrase};
use super::privacy::{Nonce, PrivProtocol};
use super::users::{Credential, ExtensionPolicy};
use crate::decode::snmp::v3::{self, SecurityLevel};

pub(crate) const AUTH: &str = "auth pass phrase";
pub(crate) const PRIV: &str = "priv pass phrase";

/// What a device is set to, and what its next message says.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub engine_id: Vec<u8>,
    pub user: &'static str,
    pub auth: AuthProtocol,
    pub auth_passphrase: &'static str,
    pub privacy: PrivProtocol,
    pub priv_passphrase: &'static str,
    pub extension: Extension,
    pub level: SecurityLevel,
    pub boots: u32,
    pub time: u32,
    pub is_reportable: bool,
    pub id: u8,
    /// Where it is not the message's.
    pub request_id: Option<u8>,
    /// What the blocks of its cipher are filled with.
    pub padding: u8,
    pub pdu: u8,
    pub context_engine_id: Vec<u8>,
    pub context_name: &'static str,
    /// Any octets in the place of the scoped PDU.
    pub scoped: Option<Vec<u8>>,
}

impl Device {
    pub fn new(level: SecurityLevel) -> Device {
        let engine_id = vec![0x80, 0, 0, 9, 3, 0, 0x1b, 0x54, 1, 2, 3];
        Device {
            context_engine_id: engine_id.clone(),
            context_name: "",
            scoped: None,
            engine_id,
            user: "fleet",
            auth: AuthProtocol::Sha256,
            auth_passphrase: AUTH,
            privacy: PrivProtocol::Aes128,
            priv_passphrase: PRIV,
            extension: Extension::Blumenthal,
            level,
            boots: 5,
            time: 1000,
            is_reportable: false,
            id: 1,
            request_id: None,
            padding: 0,
            pdu: 0xa7,
        }
    }

    /// The same at a moment of its own.
    pub fn at(&self, boots: u32, time: u32) -> Device {
        let id = self.id.wrapping_add(1) & 0x7f;
        Device {
            boots,
            time,
            id,
            ..self.clone()
        }
    }

    /// An inform to the engine `engine_id`.
    pub fn inform(&self, engine_id: &[u8], boots: u32, time: u32) -> Device {
        Device {
            engine_id: engine_id.to_vec(),
            is_reportable: true,
            pdu: 0xa6,
            ..self.at(boots, time)
        }
    }

    /// What the receiver must be told to take its messages.
    pub fn config(&self) -> UserConfig {
        let secret = |text: &str| Credential::Passphrase(Passphrase::new(text));
        let auth = (self.level >= SecurityLevel::AuthNoPriv)
            .then(|| (self.auth, secret(self.auth_passphrase)));
        let privacy = (self.level >= SecurityLevel::AuthPriv)
            .then(|| (self.privacy, secret(self.priv_passphrase)));
        UserConfig {
            name: self.user.to_owned(),
            auth,
            privacy,
            extension: ExtensionPolicy::Auto,
            level_min: self.level,
            engine_id: None,
        }
    }

    pub fn scoped_pdu(&self) -> Vec<u8> {
        if let Some(scoped) = &self.scoped {
            return scoped.clone();
        }
        let uptime = tlv(0x30, &[&[6, 8, 0x2b, 6, 1, 2, 1, 1, 3, 0, 0x43, 1, 0x63]]);
        let trap_oid = [
            &[6, 10, 0x2b, 6, 1, 6, 3, 1, 1, 4, 1, 0][..],
            &[6, 9, 0x2b, 6, 1, 6, 3, 1, 1, 5, 3],
        ];
        let list = tlv(0x30, &[&uptime, &tlv(0x30, &trap_oid)]);
        let request_id = self.request_id.unwrap_or(self.id);
        let pdu = tlv(self.pdu, &[&[2, 1, request_id, 2, 1, 0, 2, 1, 0], &list]);
        let context = tlv(4, &[&self.context_engine_id]);
        let name = tlv(4, &[self.context_name.as_bytes()]);
        tlv(0x30, &[&context, &name, &pdu])
    }

    /// The message.
    pub fn message(&self) -> Vec<u8> {
        let ku = keys::master(self.auth, &Passphrase::new(self.auth_passphrase));
        let auth_key = keys::localise(self.auth, &ku, &self.engine_id);
        let salt = [0, 0, 0, 7, 1, 2, 3, self.id];
        let mut scoped = self.scoped_pdu();
        if self.level == SecurityLevel::AuthPriv {
            let ku = keys::master(self.auth, &Passphrase::new(self.priv_passphrase));
            let kul = keys::localise(self.auth, &ku, &self.engine_id);
            let (auth, privacy) = (self.auth, self.privacy);
            let key = keys::privacy_key(auth, privacy, &kul, &self.engine_id, self.extension);
            let padded = scoped.len().next_multiple_of(privacy.block_bytes());
            scoped.resize(padded, self.padding);
            let nonce = Nonce {
                boots: self.boots,
                time: self.time,
                salt,
            };
            privacy.encrypt(&key, nonce, &mut scoped).unwrap();
            scoped = tlv(4, &[&scoped]);
        }
        let (flags, mac_bytes, salt) = match self.level {
            SecurityLevel::NoAuthNoPriv => (0, 0, &[][..]),
            SecurityLevel::AuthNoPriv => (1, self.auth.mac_bytes(), &[][..]),
            SecurityLevel::AuthPriv => (3, self.auth.mac_bytes(), &salt[..]),
        };
        let flags = flags | if self.is_reportable { 4 } else { 0 };
        let usm = tlv(
            0x30,
            &[
                &tlv(4, &[&self.engine_id]),
                &tlv(2, &[&self.boots.to_be_bytes()]),
                &tlv(2, &[&self.time.to_be_bytes()]),
                &tlv(4, &[self.user.as_bytes()]),
                &tlv(4, &[&vec![0; mac_bytes]]),
                &tlv(4, &[salt]),
            ],
        );
        let header = [2, 1, self.id, 2, 3, 0, 0xff, 0xe3, 4, 1, flags, 2, 1, 3];
        let mut message = tlv(
            0x30,
            &[
                &[2, 1, 3],
                &tlv(0x30, &[&header]),
                &tlv(4, &[&usm]),
                &scoped,
            ],
        );
        let place = v3::read(&message).unwrap().digest_range();
        let mac = self.auth.mac(&auth_key, &[&message]);
        message[place].copy_from_slice(&mac.octets()[..mac_bytes]);
        message
    }
}

fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let mut bytes = match content.len() {
        0..0x80 => vec![tag, length[1]],
        _ => vec![tag, 0x82, length[0], length[1]],
    };
    bytes.extend(content);
    bytes
}
