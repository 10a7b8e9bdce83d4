//! Keys that cost milliseconds: which are made, how often, and for whom.

use super::auth::AuthProtocol;
use super::keys::Extension;
use super::privacy::PrivProtocol;
use super::samples::Device;
use super::tests::{at, say, source, usm};
use super::users::ExtensionPolicy;
use super::*;

#[test]
fn a_named_extension_is_the_only_one_that_is_tried() {
    let device = Device {
        auth: AuthProtocol::Sha1,
        privacy: PrivProtocol::Aes256,
        extension: Extension::Reeder,
        ..Device::new(SecurityLevel::AuthPriv)
    };
    for (policy, expected) in [
        (ExtensionPolicy::Reeder, "accepted"),
        (ExtensionPolicy::Blumenthal, "decryptionError"),
    ] {
        let user = UserConfig {
            extension: policy,
            ..device.config()
        };
        assert_eq!(say(&usm(&[user]), &device.message(), at(0)), expected);
    }
}

#[test]
fn a_key_that_costs_milliseconds_is_made_once_for_an_engine_and_seldom_for_many() {
    let device = Device {
        auth: AuthProtocol::Sha1,
        privacy: PrivProtocol::Aes256,
        extension: Extension::Reeder,
        ..Device::new(SecurityLevel::AuthPriv)
    };
    let three = limit::Rate {
        per_second: 1,
        burst: 3,
    };
    let mut usm = usm(&[device.config()]);
    usm.expansions = Mutex::new(Limit::new(three, three));
    let wrong = Device {
        priv_passphrase: "another phrase",
        ..device.clone()
    };
    let another_manager = vec![0x80, 0, 0, 9, 5, 9];
    let elsewhere = device.inform(&another_manager, 2, 50);
    for _ in 0..5 {
        assert_eq!(say(&usm, &wrong.message(), at(0)), "decryptionError");
        assert_eq!(say(&usm, &elsewhere.message(), at(0)), "unknownEngineID");
    }
    assert_eq!(
        usm.sizes(),
        (0, 2),
        "keys are kept, and no clock is learned"
    );
    let of_engine = |last| Device {
        engine_id: vec![0x80, 0, 0, 9, 5, 7, last],
        ..device.clone()
    };
    let said = [1, 2].map(|last| say(&usm, &of_engine(last).message(), at(0)));
    assert_eq!(said, ["accepted", "limited"], "there were three tokens");
    assert_eq!(
        say(&usm, &of_engine(1).at(5, 1001).message(), at(0)),
        "accepted"
    );
    assert_eq!(say(&usm, &of_engine(2).message(), at(1)), "accepted");
}

#[test]
fn thousands_of_engines_behind_one_address_have_their_extensions_made_at_a_start() {
    let usm = usm(&[]);
    let made = (0..3000).filter(|_| lock(&usm.expansions).allows(source(), at(0).0));
    assert_eq!(made.count(), 3000);
}

#[test]
fn a_secret_whose_key_is_too_dear_now_keeps_no_other_one_from_its_turn() {
    let old = Device {
        auth: AuthProtocol::Sha1,
        privacy: PrivProtocol::Aes256,
        ..Device::new(SecurityLevel::AuthPriv)
    };
    let new = Device {
        priv_passphrase: "new priv phrase",
        privacy: PrivProtocol::Aes128,
        ..old.clone()
    };
    let third = Device {
        priv_passphrase: "known to nobody",
        ..old.clone()
    };
    let none = limit::Rate {
        per_second: 0,
        burst: 0,
    };
    let mut usm = usm(&[old.config(), new.config()]);
    usm.expansions = Mutex::new(Limit::new(none, none));
    assert_eq!(say(&usm, &new.message(), at(0)), "accepted");
    assert_eq!(say(&usm, &third.at(5, 1001).message(), at(1)), "limited");
    assert_eq!(say(&usm, &new.at(5, 1002).message(), at(2)), "accepted");
}

#[test]
fn a_device_that_extends_its_key_another_way_by_now_is_taken_and_one_without_the_key_costs_no_more()
{
    let device = Device {
        auth: AuthProtocol::Sha1,
        privacy: PrivProtocol::Aes256,
        ..Device::new(SecurityLevel::AuthPriv)
    };
    let reeder = Device {
        extension: Extension::Reeder,
        ..device.clone()
    };
    let wrong = Device {
        priv_passphrase: "another phrase",
        ..device.clone()
    };
    let three = limit::Rate {
        per_second: 0,
        burst: 3,
    };
    let mut usm = usm(&[device.config()]);
    usm.expansions = Mutex::new(Limit::new(three, three));
    let mut time = 1000;
    let mut says = |device: &Device| {
        time += 1;
        say(&usm, &device.at(5, time).message(), at(10))
    };
    for device in [&device, &reeder, &reeder, &device, &reeder] {
        assert_eq!(says(device), "accepted");
    }
    // Two tokens are gone: one for each time that Reeder's key was made. The last one goes for what nothing decrypts.
    for _ in 0..5 {
        assert_eq!(says(&wrong), "decryptionError");
    }
    assert_eq!(says(&reeder), "accepted");
    assert_eq!(usm.sizes(), (1, 1));
}

#[test]
fn the_keys_of_all_secrets_of_all_engines_are_kept() {
    let config = Device::new(SecurityLevel::AuthPriv).config();
    let users = Users::new(&[config.clone(), config.clone(), config], 0);
    let secrets: Vec<&Secret> = users.secrets(b"fleet", b"engine").collect();
    let keys = Arc::new(LocalKeys::new(secrets[0], b"engine").unwrap());
    let mut engines = engines::Engines::default();
    for number in 0..ENGINES_MAX {
        let engine = EngineKey::new(&number.to_be_bytes()).unwrap();
        for secret in &secrets {
            engines.keep_keys(engine, secret.id, Arc::clone(&keys), 0);
        }
    }
    assert_eq!(secrets.len(), users::SECRETS_MAX);
    assert_eq!(engines.keys_count(), ENGINES_MAX * users::SECRETS_MAX);
}
