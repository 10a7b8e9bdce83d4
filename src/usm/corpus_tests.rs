//! SNMPv3 packets that nobody here wrote: net-snmp's, gosnmp's, SharpSNMP's, with their pass phrases.
//!
//! The corpus lies beside the project where it was fetched, and is not part of it; without it these tests say so.

use std::net::IpAddr;
use std::path::PathBuf;

use serde_json::Value;

use super::engines::LocalKeys;
use super::keys::Passphrase;
use super::opening::{Decryption, decrypt, opened};
use super::users::{Credential, ExtensionPolicy};
use super::*;
use crate::decode::snmp::v3;

fn corpus(name: &str) -> Vec<Value> {
    let root = env!("CARGO_MANIFEST_DIR");
    let path: PathBuf = [root, "..", "shared", "corpus", "snmp", name]
        .iter()
        .collect();
    let Ok(lines) = std::fs::read_to_string(&path) else {
        println!("SKIPPED: no corpus at {}", path.display());
        return Vec::new();
    };
    let parse = |line| serde_json::from_str(line).expect("the corpus is JSON lines");
    lines.lines().map(parse).collect()
}

fn user(case: &Value, name: &[u8]) -> Option<UserConfig> {
    let keys = if case["usm_keys"].is_object() {
        &case["usm_keys"]
    } else {
        case
    };
    let secret = |key: &str| Some(Credential::Passphrase(Passphrase::new(keys[key].as_str()?)));
    let auth = match keys["auth"].as_str()? {
        "MD5" => auth::AuthProtocol::Md5,
        "SHA1" => auth::AuthProtocol::Sha1,
        other => panic!("{other}: new in the corpus"),
    };
    let privacy = keys["priv"].as_str().map(|privacy| match privacy {
        "DES" => privacy::PrivProtocol::Des,
        "AES" => privacy::PrivProtocol::Aes128,
        other => panic!("{other}: new in the corpus"),
    });
    Some(UserConfig {
        name: String::from_utf8(name.to_vec()).ok()?,
        auth: Some((auth, secret("auth_pass")?)),
        privacy: privacy.zip(secret("priv_pass")),
        extension: ExtensionPolicy::Auto,
        level_min: SecurityLevel::NoAuthNoPriv,
        engine_id: None,
    })
}

#[test]
fn what_others_sent_is_authenticated_and_decrypted_to_what_they_meant() {
    let cases = [corpus("net-snmp-clients.jsonl"), corpus("packets.jsonl")].concat();
    let (mut authenticated, mut decrypted) = (0, 0);
    for case in &cases {
        let packet = stored::octets(case["hex"].as_str().unwrap()).unwrap();
        let Ok(message) = v3::read(&packet) else {
            continue;
        };
        let Some(config) = user(case, message.user) else {
            continue;
        };
        let users = Users::new(&[config], 0);
        let secret = users
            .secrets(message.user, message.engine_id)
            .next()
            .unwrap();
        let keys = LocalKeys::new(secret, message.engine_id).unwrap();
        let (before, after) = message.around_digest();
        let fits = keys
            .auth
            .0
            .verify(&keys.auth.1, before, message.digest, after);
        assert!(fits, "{}", case["id"]);
        authenticated += 1;
        let mut plain = Vec::new();
        let decryption = decrypt(&message, &keys, &mut plain, || true);
        assert!(
            !matches!(decryption, Decryption::Failed | Decryption::TooMuchWork),
            "{}: not decrypted",
            case["id"]
        );
        let (octets, _) = opened(&message, &plain).unwrap();
        if let Some(expected) = case["plaintext_scopedpdu_hex"].as_str() {
            let expected = stored::octets(expected).unwrap();
            assert!(octets.starts_with(&expected), "{}", case["id"]);
            decrypted += 1;
        }
    }
    println!("{authenticated} packets authenticated, {decrypted} decrypted as expected");
    assert!(cases.is_empty() || (authenticated >= 16 && decrypted >= 12));
}

#[test]
fn what_others_sent_passes_as_it_is_and_in_no_other_way() {
    let cases = [corpus("net-snmp-clients.jsonl"), corpus("packets.jsonl")].concat();
    let nobody = Usm::new(&Config::default(), OwnEngine::NONE, 0);
    let (mut traps, mut others) = (0, 0);
    for case in &cases {
        let packet = stored::octets(case["hex"].as_str().unwrap()).unwrap_or_default();
        let Ok(message) = v3::read(&packet) else {
            continue;
        };
        let end = end(&nobody, &packet);
        assert!(!end.starts_with("accepted"), "{}: {end}", case["id"]);
        let Some(user) = user(case, message.user) else {
            continue;
        };
        let config = Config {
            users: vec![UserConfig {
                level_min: message.level,
                ..user
            }],
            ..Config::default()
        };
        let usm = Usm::new(&config, OwnEngine::NONE, 0);
        for place in 0..packet.len() {
            let mut changed = packet.clone();
            changed[place] ^= 1 << (place % 8);
            let end = self::end(&usm, &changed);
            assert!(
                !end.starts_with("accepted"),
                "{}, {place}: {end}",
                case["id"]
            );
        }
        match self::end(&usm, &packet).as_str() {
            "accepted" => traps += 1,
            // Informs and requests to an engine that is not ours.
            "unknownEngineID" => others += 1,
            name if name.ends_with("-PDU") => others += 1,
            end => panic!("{}: {end}", case["id"]),
        }
    }
    println!("{traps} traps taken, {others} others told apart");
    assert!(cases.is_empty() || (traps >= 4 && traps + others >= 16));
}

/// How a packet ends, in a word.
fn end(usm: &Usm, packet: &[u8]) -> String {
    let message = match v3::read(packet) {
        Ok(message) => message,
        Err(unread) => return format!("unread: {}", unread.fault.reason),
    };
    let (source, now) = (
        IpAddr::from([10, 0, 0, 1]),
        Moment::after_start(Duration::ZERO),
    );
    match usm.take(&message, source, now, &mut Vec::new()) {
        Err(unread) => format!("unread: {}", unread.fault.reason),
        Ok(Verdict::Accepted(_)) => "accepted".to_owned(),
        Ok(Verdict::NotANotification(name)) => name.to_owned(),
        Ok(Verdict::Refused { reason, .. }) => reason.as_str().to_owned(),
        Ok(Verdict::Discovery(_)) => "discovery".to_owned(),
        Ok(Verdict::Limited) => "limited".to_owned(),
    }
}
