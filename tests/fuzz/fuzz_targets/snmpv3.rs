#![no_main]
//! Some messages of one source, one after the other, to one receiver: what they are judged, and what is answered.
//!
//! Each message is `kind 1 │ seconds since the last 1 │ length 2 │ octets`. Its kind says what of it is made right before it
//! is judged, so that the later checks are reached too: nothing; its digest; or it is the scoped PDU of a message that is
//! right up to there, in the clear or encrypted.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use trapline_fuzz::decode::snmp::{self, v3};
use trapline_fuzz::usm::auth::AuthProtocol;
use trapline_fuzz::usm::keys::Key;
use trapline_fuzz::usm::privacy::{Nonce, PrivProtocol};
use trapline_fuzz::usm::users::{Credential, ExtensionPolicy};
use trapline_fuzz::usm::{
    Config, EngineKey, FailedPolicy, Moment, OwnEngine, SecurityLevel, UserConfig, Usm, Verdict,
    WindowPolicy, Writer,
};

const DEVICE: [u8; 9] = [0x80, 0, 0, 9, 3, 0, 0x1b, 0x54, 1];
const OWN: [u8; 9] = [0x80, 0, 0x7e, 0xd9, 5, 1, 2, 3, 4];
const AUTH_KEY: [u8; 32] = [7; 32];
const PRIV_KEY: [u8; 32] = [9; 32];
const DIGEST_BYTES: usize = 24;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let own = OwnEngine {
        id: EngineKey::new(&OWN).unwrap(),
        boots: 3,
    };
    let Some((policy, mut rest)) = bytes.split_first() else {
        return;
    };
    let usm = Usm::new(&config(*policy), own, 0);
    let (mut plain, mut response, mut out) = (Vec::new(), Vec::new(), Vec::new());
    let mut writer = Writer::default();
    let mut seconds = 0_u64;
    while let [kind, later, high, low, behind @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(behind.len());
        let (octets, next) = behind.split_at(length);
        rest = next;
        seconds += u64::from(*later) * 8;
        let now = Moment::after_start(Duration::from_secs(seconds));
        let packet = made(*kind, octets, seconds as u32);
        let Ok(message) = v3::read(&packet) else {
            continue;
        };
        match usm.take(&message, IpAddr::V4(Ipv4Addr::LOCALHOST), now, &mut plain) {
            Ok(Verdict::Accepted(accepted)) => {
                let notification = &accepted.notification;
                // The User-based Security Model has let it through: it must be right.
                assert!(
                    packet != octets
                        || message.level == SecurityLevel::NoAuthNoPriv
                        || message.digest.len() == DIGEST_BYTES
                );
                for varbind in notification.varbinds {
                    assert!(varbind.at.end <= accepted.scoped.len());
                }
                if snmp::response(accepted.scoped, notification, &mut response) {
                    let keys = accepted.keys.as_deref();
                    usm.write_response(&message, keys, &response, now, &mut writer, &mut out);
                    assert!(v3::read(&out).is_ok(), "a Response that is none");
                }
                snmp::mask::copy(accepted.scoped, notification, &mut response);
            }
            Ok(Verdict::Discovery(Some(report)))
            | Ok(Verdict::Refused {
                report: Some(report),
                ..
            }) => {
                if usm.write_report(&message, &report, now, &mut writer, &mut out) {
                    assert!(v3::read(&out).is_ok(), "a Report that is none");
                }
            }
            _ => {}
        }
    }
    // What was learned can be kept and taken back.
    let now = Moment::after_start(Duration::from_secs(seconds));
    let learned = usm.learned(now, 1_795_227_247);
    assert!(learned.len() <= 2, "only what authenticated is learned");
    usm.restore(&learned, now, 1_795_227_247);
});

fn config(policy: u8) -> Config {
    let of = |name: &str, engine: &[u8]| UserConfig {
        name: name.to_owned(),
        auth: Some((
            AuthProtocol::Sha256,
            Credential::Localised(Key::new(&AUTH_KEY)),
        )),
        privacy: Some((
            PrivProtocol::Aes128,
            Credential::Localised(Key::new(&PRIV_KEY)),
        )),
        extension: ExtensionPolicy::Auto,
        level_min: SecurityLevel::NoAuthNoPriv,
        engine_id: Some(engine.to_vec()),
    };
    let open = UserConfig {
        name: "open".to_owned(),
        auth: None,
        privacy: None,
        extension: ExtensionPolicy::Auto,
        level_min: SecurityLevel::NoAuthNoPriv,
        engine_id: None,
    };
    Config {
        users: vec![of("fleet", &DEVICE), of("fleet", &OWN), open],
        level_min: SecurityLevel::NoAuthNoPriv,
        time_window: match policy % 3 {
            0 => WindowPolicy::Strict,
            1 => WindowPolicy::LearnAfterReboot,
            _ => WindowPolicy::Ignore,
        },
        failed: FailedPolicy::Event,
    }
}

/// The message to be judged.
fn made(kind: u8, octets: &[u8], time: u32) -> Vec<u8> {
    let engine = if kind & 8 == 0 { &DEVICE } else { &OWN };
    match kind % 8 {
        0 => octets.to_vec(),
        1 => digested(octets.to_vec()),
        2 => message(engine, "open", 0, time, &[], octets),
        3 => digested(message(
            engine,
            "fleet",
            1 | (kind >> 4 & 4),
            time,
            &[],
            octets,
        )),
        _ => {
            let salt = [0, 0, 0, 7, 1, 2, 3, kind];
            let nonce = Nonce {
                boots: 3,
                time,
                salt,
            };
            let mut scoped = octets.to_vec();
            PrivProtocol::Aes128
                .encrypt(&Key::new(&PRIV_KEY[..16]), nonce, &mut scoped)
                .unwrap();
            let scoped = tlv(4, &scoped);
            digested(message(
                engine,
                "fleet",
                3 | (kind >> 4 & 4),
                time,
                &salt,
                &scoped,
            ))
        }
    }
}

fn message(engine: &[u8], user: &str, flags: u8, time: u32, salt: &[u8], scoped: &[u8]) -> Vec<u8> {
    let digest = if flags & 1 == 0 { 0 } else { DIGEST_BYTES };
    let usm = [
        tlv(4, engine),
        vec![2, 1, 3],
        tlv(2, &(u64::from(time)).to_be_bytes()[3..]),
        tlv(4, user.as_bytes()),
        tlv(4, &vec![0; digest]),
        tlv(4, salt),
    ]
    .concat();
    let header = [2, 1, 1, 2, 3, 0, 0xff, 0xe3, 4, 1, flags, 2, 1, 3];
    let parts = [
        vec![2, 1, 3],
        tlv(0x30, &header),
        tlv(4, &tlv(0x30, &usm)),
        scoped.to_vec(),
    ];
    tlv(0x30, &parts.concat())
}

/// The same with the right digest, where it has room for one.
fn digested(mut packet: Vec<u8>) -> Vec<u8> {
    let Ok(message) = v3::read(&packet) else {
        return packet;
    };
    if message.digest.len() != DIGEST_BYTES {
        return packet;
    }
    let (before, after) = message.around_digest();
    let mut mac = Hmac::<Sha256>::new_from_slice(&AUTH_KEY).unwrap();
    mac.update(before);
    mac.update(&[0; DIGEST_BYTES]);
    mac.update(after);
    let digest = mac.finalize().into_bytes();
    let place = message.digest_range();
    packet[place].copy_from_slice(&digest[..DIGEST_BYTES]);
    packet
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u32).to_be_bytes();
    [&[tag, 0x84], &length[..], content].concat()
}
