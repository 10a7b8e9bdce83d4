//! SNMPv3 traps of one device: authPriv with SHA-256 and AES-128, each with a salt and digest of its own, as no two are
//! alike on the wire. They are made with async-snmp's keys and ciphers.

use async_snmp::v3::{PrivKey, SaltCounter};
use async_snmp::{AuthProtocol, LocalizedKey, MasterKey, PrivProtocol};
use trapline::decode::snmp::SecurityLevel;
use trapline::pipeline::{AccessConfig, SnmpAccess};
use trapline::usm::keys::Passphrase;
use trapline::usm::users::{Credential, ExtensionPolicy};
use trapline::usm::{OwnEngine, UserConfig};

/// More than the agent remembers, so that none is taken for a repeat.
const TRAPS: usize = 16_384;

const ENGINE_ID: [u8; 11] = [0x80, 0, 0, 9, 3, 0, 0x1b, 0x54, 0xca, 0xfe, 1];
const PASSPHRASE: &str = "a pass phrase of a bench";
const BOOTS: u32 = 7;
const TIME: u32 = 86_400;

/// Access for the user of these traps.
pub fn access() -> SnmpAccess {
    let secret = || Credential::Passphrase(Passphrase::new(PASSPHRASE));
    let mut config = AccessConfig::default();
    config.usm.users.push(UserConfig {
        name: "fleet".to_owned(),
        auth: Some((trapline::usm::auth::AuthProtocol::Sha256, secret())),
        privacy: Some((trapline::usm::privacy::PrivProtocol::Aes128, secret())),
        extension: ExtensionPolicy::Auto,
        level_min: SecurityLevel::AuthPriv,
        engine_id: None,
    });
    SnmpAccess::new(&config, OwnEngine::NONE, 0, std::time::Instant::now())
}

/// The traps; `pdu` is an SNMPv2-Trap-PDU.
pub fn traps(pdu: &[u8]) -> Vec<Vec<u8>> {
    let ku = MasterKey::from_password(AuthProtocol::Sha256, PASSPHRASE.as_bytes()).expect("Ku");
    let auth = LocalizedKey::from_master_key(&ku, &ENGINE_ID).expect("authKey");
    let privacy = PrivKey::from_master_key(&ku, PrivProtocol::Aes128, &ENGINE_ID).expect("privKey");
    let salts = SaltCounter::new().expect("a salt");
    let scoped = tlv(0x30, &[&tlv(4, &[&ENGINE_ID]), &[4, 0], pdu]);
    let trap = || {
        let (octets, salt) = privacy
            .encrypt_aes(&scoped, BOOTS, TIME, &salts)
            .expect("encrypted");
        let usm = tlv(
            0x30,
            &[
                &tlv(4, &[&ENGINE_ID]),
                &tlv(2, &[&BOOTS.to_be_bytes()]),
                &tlv(2, &[&TIME.to_be_bytes()]),
                &tlv(4, &[b"fleet"]),
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
    };
    (0..TRAPS).map(|_| trap()).collect()
}

fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len())
        .expect("a small packet")
        .to_be_bytes();
    let mut bytes = match content.len() {
        0..0x80 => vec![tag, length[1]],
        _ => vec![tag, 0x82, length[0], length[1]],
    };
    bytes.extend(content);
    bytes
}
