//! SNMPv3 traps of devices: authPriv with SHA-256 and AES-128, each with a salt and digest of its own, as no two are
//! alike on the wire. They are made with async-snmp's keys and ciphers.

use async_snmp::v3::{PrivKey, SaltCounter};
use async_snmp::{AuthProtocol, LocalizedKey, MasterKey, PrivProtocol};

/// The one user of all devices.
pub const USER: &str = "fleet";

/// Its pass phrase, for authentication and for privacy.
pub const PASSPHRASE: &str = "a pass phrase of a bench";

const BOOTS: u32 = 7;
const TIME: u32 = 86_400;

/// Devices, each with an engine of its own.
pub struct Fleet {
    devices: Vec<Device>,
    salts: SaltCounter,
}

struct Device {
    engine_id: [u8; 11],
    auth: LocalizedKey,
    privacy: PrivKey,
}

/// The engine ID of a device: a MAC address of the enterprise 9 (RFC 3411, section 5).
pub fn engine_id(device: u32) -> [u8; 11] {
    let [a, b, c, d] = device.to_be_bytes();
    [0x80, 0, 0, 9, 3, 0, 0x1b, a, b, c, d]
}

impl Fleet {
    /// Makes the keys of so many devices: [`PASSPHRASE`] is the right one.
    pub fn new(devices: u32, passphrase: &str) -> Fleet {
        let ku = MasterKey::from_password(AuthProtocol::Sha256, passphrase.as_bytes());
        let ku = ku.expect("Ku");
        let device = |number| {
            let engine_id = engine_id(number);
            Device {
                engine_id,
                auth: LocalizedKey::from_master_key(&ku, &engine_id).expect("authKey"),
                privacy: PrivKey::from_master_key(&ku, PrivProtocol::Aes128, &engine_id)
                    .expect("privKey"),
            }
        };
        Fleet {
            devices: (0..devices).map(device).collect(),
            salts: SaltCounter::new().expect("a salt"),
        }
    }

    /// A trap of device number `device`, counted round; `pdu` is an SNMPv2-Trap-PDU.
    pub fn trap(&self, device: u64, pdu: &[u8]) -> Vec<u8> {
        let Device {
            engine_id,
            auth,
            privacy,
        } = &self.devices[device as usize % self.devices.len()];
        let scoped = tlv(0x30, &[&tlv(4, &[engine_id]), &[4, 0], pdu]);
        let (octets, salt) = privacy
            .encrypt_aes(&scoped, BOOTS, TIME, &self.salts)
            .expect("encrypted");
        let usm = tlv(
            0x30,
            &[
                &tlv(4, &[engine_id]),
                &tlv(2, &[&BOOTS.to_be_bytes()]),
                &tlv(2, &[&TIME.to_be_bytes()]),
                &tlv(4, &[USER.as_bytes()]),
                &tlv(4, &[&[0; 24]]),
                &tlv(4, &[&salt]),
            ],
        );
        let header = [2, 1, 1, 2, 3, 0, 0xff, 0xe3, 4, 1, 3, 2, 1, 3];
        let header = tlv(0x30, &[&header]);
        let mut message = tlv(
            0x30,
            &[&[2, 1, 3], &header, &tlv(4, &[&usm]), &tlv(4, &[&octets])],
        );
        let digest = auth.compute_hmac(&message).expect("a digest");
        let at = trapline::decode::snmp::v3::read(&message)
            .expect("SNMPv3")
            .digest_range();
        message[at].copy_from_slice(&digest);
        message
    }
}

/// Tag, length, and the parts one after the other.
pub fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len())
        .expect("a small packet")
        .to_be_bytes();
    let mut bytes = match content.len() {
        0..0x80 => vec![tag, length[1]],
        0x80..0x100 => vec![tag, 0x81, length[1]],
        _ => vec![tag, 0x82, length[0], length[1]],
    };
    bytes.extend(content);
    bytes
}
