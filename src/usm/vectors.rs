//! Keys, digests and ciphers beside the RFCs' samples, and beside async-snmp, which shares no line with ours.

use async_snmp::v3::auth::verify_message;
use async_snmp::{LocalizedKey, MasterKey, v3};
use proptest::prelude::*;

use super::auth::AuthProtocol;
use super::keys::{self, Extension, Key, Passphrase};
use super::privacy::{Nonce, NotFitting, PrivProtocol};
use super::samples::Device;
use crate::decode::snmp::v3::{SecurityLevel, read};

const ENGINE: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn maplesyrup(protocol: AuthProtocol) -> (Key, Key) {
    let ku = keys::master(protocol, &Passphrase::new("maplesyrup"));
    let kul = keys::localise(protocol, &ku, &ENGINE);
    (ku, kul)
}

#[test]
fn the_samples_of_rfc_3414_a_3_come_out() {
    let (ku, kul) = maplesyrup(AuthProtocol::Md5);
    assert_eq!(hex(ku.octets()), "9faf3283884e92834ebc9847d8edd963");
    assert_eq!(hex(kul.octets()), "526f5eed9fcce26f8964c2930787d82b");
    let (ku, kul) = maplesyrup(AuthProtocol::Sha1);
    assert_eq!(hex(ku.octets()), "9fb5cc0381497b3793528939ff788d5d79145211");
    assert_eq!(
        hex(kul.octets()),
        "6695febc9288e36282235fc7151f128497b38f3f"
    );
}

/// draft-reeder-snmpv3-usm-3desede-00, section 2.2.
#[test]
fn the_samples_of_reeders_draft_come_out() {
    for (auth, expected) in [
        (
            AuthProtocol::Md5,
            "526f5eed9fcce26f8964c2930787d82b79eff44a90650ee0a3a40abfac5acc12",
        ),
        (
            AuthProtocol::Sha1,
            "6695febc9288e36282235fc7151f128497b38f3f9b8b6d78936ba6e7d19dfd9c",
        ),
    ] {
        let (_, kul) = maplesyrup(auth);
        let tdes = PrivProtocol::TripleDes;
        let key = keys::privacy_key(auth, tdes, &kul, &ENGINE, Extension::Reeder);
        assert_eq!(hex(key.octets()), expected);
    }
}

#[test]
fn secrets_are_not_shown() {
    let (ku, _) = maplesyrup(AuthProtocol::Md5);
    let user = Device::new(SecurityLevel::AuthPriv).config();
    let shown = format!("{ku:?} {user:?}");
    assert!(
        !shown.contains("pass phrase") && !shown.contains("159"),
        "{shown}"
    );
    assert_eq!(format!("{ku:?}"), "Key(***)");
}

fn oracle_auth(protocol: AuthProtocol) -> async_snmp::AuthProtocol {
    match protocol {
        AuthProtocol::Md5 => async_snmp::AuthProtocol::Md5,
        AuthProtocol::Sha1 => async_snmp::AuthProtocol::Sha1,
        AuthProtocol::Sha224 => async_snmp::AuthProtocol::Sha224,
        AuthProtocol::Sha256 => async_snmp::AuthProtocol::Sha256,
        AuthProtocol::Sha384 => async_snmp::AuthProtocol::Sha384,
        AuthProtocol::Sha512 => async_snmp::AuthProtocol::Sha512,
    }
}

/// async-snmp knows 3DES with Reeder's extension alone.
fn oracle_priv(protocol: PrivProtocol, extension: Extension) -> Option<async_snmp::PrivProtocol> {
    use async_snmp::PrivProtocol as Oracle;
    Some(match (protocol, extension) {
        (PrivProtocol::Des, _) => Oracle::Des,
        (PrivProtocol::TripleDes, Extension::Reeder) => Oracle::Des3,
        (PrivProtocol::TripleDes, Extension::Blumenthal) => return None,
        (PrivProtocol::Aes128, _) => Oracle::Aes128,
        (PrivProtocol::Aes192, Extension::Blumenthal) => Oracle::Aes192Blumenthal,
        (PrivProtocol::Aes192, Extension::Reeder) => Oracle::Aes192Reeder,
        (PrivProtocol::Aes256, Extension::Blumenthal) => Oracle::Aes256Blumenthal,
        (PrivProtocol::Aes256, Extension::Reeder) => Oracle::Aes256Reeder,
    })
}

fn every_pair() -> impl Iterator<Item = (AuthProtocol, PrivProtocol, Extension)> {
    AuthProtocol::ALL.into_iter().flat_map(|auth| {
        PrivProtocol::ALL.into_iter().flat_map(move |privacy| {
            [Extension::Blumenthal, Extension::Reeder]
                .into_iter()
                .map(move |extension| (auth, privacy, extension))
        })
    })
}

#[test]
fn every_pair_makes_the_key_that_async_snmp_makes_and_reads_what_it_encrypts() {
    let nonce = Nonce {
        boots: 7,
        time: 86_401,
        salt: [0, 0, 0, 7, 9, 8, 7, 6],
    };
    let text = [0x30; 64];
    let mut compared = 0;
    for auth in AuthProtocol::ALL {
        let ku = keys::master(auth, &Passphrase::new("maplesyrup"));
        let oracle_ku = MasterKey::from_password(oracle_auth(auth), b"maplesyrup").unwrap();
        assert_eq!(ku.octets(), oracle_ku.as_bytes());
        let kul = keys::localise(auth, &ku, &ENGINE);
        for (_, privacy, extension) in every_pair().filter(|(it, ..)| *it == auth) {
            let Some(name) = oracle_priv(privacy, extension) else {
                continue;
            };
            let key = keys::privacy_key(auth, privacy, &kul, &ENGINE, extension);
            let oracle = v3::PrivKey::from_master_key(&oracle_ku, name, &ENGINE).unwrap();
            let mut octets = text;
            privacy.encrypt(&key, nonce, &mut octets).unwrap();
            assert_ne!(octets, text);
            let read = oracle
                .decrypt(&octets, nonce.boots, nonce.time, &nonce.salt)
                .unwrap();
            assert_eq!(read, text[..], "{auth:?} {privacy:?} {extension:?}");
            privacy.decrypt(&key, nonce, &mut octets).unwrap();
            assert_eq!(octets, text);
            compared += 1;
        }
    }
    assert_eq!(compared, 6 * 9);
}

#[test]
fn octets_that_fill_no_block_and_keys_that_are_too_short_are_errors() {
    let nonce = Nonce {
        boots: 0,
        time: 0,
        salt: [0; 8],
    };
    for privacy in PrivProtocol::ALL {
        let short = Key::new(&[1; 7]);
        assert_eq!(
            privacy.decrypt(&short, nonce, &mut [0; 16]),
            Err(NotFitting)
        );
        let key = Key::new(&vec![1; privacy.key_bytes()]);
        let odd = privacy.decrypt(&key, nonce, &mut [0; 17]);
        assert_eq!(odd.is_err(), privacy.block_bytes() > 1, "{privacy:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn keys_and_digests_of_any_pass_phrase_and_engine_are_those_of_async_snmp(
        protocol in prop::sample::select(AuthProtocol::ALL.to_vec()),
        passphrase in "[ -~]{8,40}",
        engine in prop::collection::vec(any::<u8>(), 5..=32),
        message in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let ku = keys::master(protocol, &Passphrase::new(passphrase.clone()));
        let kul = keys::localise(protocol, &ku, &engine);
        let oracle = LocalizedKey::from_password(oracle_auth(protocol), passphrase.as_bytes(), &engine).unwrap();
        prop_assert_eq!(kul.octets(), oracle.as_bytes());
        let mac = protocol.mac(&kul, &[&message]);
        let digest = &mac.octets()[..protocol.mac_bytes()];
        prop_assert!(oracle.verify_hmac(&message, digest).unwrap());
    }

    #[test]
    fn messages_of_a_device_are_those_that_async_snmp_verifies(
        protocol in prop::sample::select(AuthProtocol::ALL.to_vec()),
        boots in 0_u32..0x7fff_ffff,
        time in 0_u32..0x7fff_ffff,
    ) {
        let device = Device { auth: protocol, ..Device::new(SecurityLevel::AuthNoPriv) }.at(boots, time);
        let bytes = device.message();
        let message = read(&bytes).unwrap();
        prop_assert_eq!((message.boots, message.time), (boots, time));
        let oracle = LocalizedKey::from_password(
            oracle_auth(protocol), device.auth_passphrase.as_bytes(), &device.engine_id,
        ).unwrap();
        prop_assert!(verify_message(&oracle, &bytes, message.digest_at, message.digest.len()).unwrap());
    }
}
