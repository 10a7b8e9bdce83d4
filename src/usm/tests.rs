//! Messages, and what is said of them.

use std::net::IpAddr;

use super::auth::AuthProtocol;
use super::keys::{Extension, Key};
use super::privacy::PrivProtocol;
use super::samples::Device;
use super::users::Credential;
use super::window::Excuse;
use super::*;
use crate::decode::snmp::{self, v3};

const OWN: [u8; 9] = [0x80, 0, 0x7e, 0xd9, 5, 1, 2, 3, 4];

fn own() -> OwnEngine {
    OwnEngine {
        id: EngineKey::new(&OWN).unwrap(),
        boots: 3,
    }
}

pub(super) fn source() -> IpAddr {
    IpAddr::from([10, 0, 0, 1])
}

pub(super) fn at(seconds: u64) -> Moment {
    Moment::after_start(Duration::from_secs(seconds))
}

pub(super) fn usm(users: &[UserConfig]) -> Usm {
    let config = Config {
        users: users.to_vec(),
        ..Config::default()
    };
    Usm::new(&config, own(), 1)
}

/// What is said of a packet, in a word.
pub(super) fn say(usm: &Usm, packet: &[u8], now: Moment) -> String {
    let mut plain = Vec::new();
    let message = match v3::read(packet) {
        Ok(message) => message,
        Err(unread) => return format!("unread: {}", unread.fault.reason),
    };
    match usm.take(&message, source(), now, &mut plain) {
        Err(unread) => format!("unread: {}", unread.fault.reason),
        Ok(Verdict::Accepted(accepted)) => {
            let names: Vec<&str> = accepted.notification.anomalies.names().collect();
            match names.is_empty() {
                true => "accepted".to_owned(),
                false => format!("accepted, {}", names.join(", ")),
            }
        }
        Ok(Verdict::NotANotification(name)) => name.to_owned(),
        Ok(Verdict::Discovery(_)) => "discovery".to_owned(),
        Ok(Verdict::Refused { reason, .. }) => reason.as_str().to_owned(),
        Ok(Verdict::Limited) => "limited".to_owned(),
    }
}

/// The Report that a packet is answered with.
fn report(usm: &Usm, packet: &[u8], now: Moment) -> Option<Vec<u8>> {
    let message = v3::read(packet).unwrap();
    let (mut plain, mut writer, mut out) = (Vec::new(), Writer::default(), Vec::new());
    let report = match usm.take(&message, source(), now, &mut plain).unwrap() {
        Verdict::Discovery(report) | Verdict::Refused { report, .. } => report?,
        other => panic!("{other:?}"),
    };
    let is_written = usm.write_report(&message, &report, now, &mut writer, &mut out);
    is_written.then_some(out)
}

#[test]
fn every_pair_and_level_is_taken_and_its_keys_are_found_again() {
    for auth in AuthProtocol::ALL {
        for privacy in PrivProtocol::ALL {
            for extension in [Extension::Blumenthal, Extension::Reeder] {
                for level in [SecurityLevel::AuthNoPriv, SecurityLevel::AuthPriv] {
                    let is_repeat = extension == Extension::Reeder
                        && !super::keys::needs_extension(auth, privacy);
                    if is_repeat
                        || (level == SecurityLevel::AuthNoPriv && privacy != PrivProtocol::Des)
                    {
                        continue;
                    }
                    let device = Device {
                        auth,
                        privacy,
                        extension,
                        ..Device::new(level)
                    };
                    let usm = usm(&[device.config()]);
                    for time in [1000, 1001] {
                        let packet = device.at(5, time).message();
                        let said = say(&usm, &packet, at(10));
                        assert_eq!(
                            said, "accepted",
                            "{auth:?} {privacy:?} {extension:?} {level:?}"
                        );
                    }
                    assert_eq!(usm.sizes(), (1, 1));
                }
            }
        }
    }
}

#[test]
fn what_is_decrypted_is_what_was_sent_and_says_who_sent_it() {
    let device = Device::new(SecurityLevel::AuthPriv);
    let usm = usm(&[device.config()]);
    let packet = device.message();
    let message = v3::read(&packet).unwrap();
    let mut plain = Vec::new();
    let verdict = usm.take(&message, source(), at(0), &mut plain).unwrap();
    let Verdict::Accepted(accepted) = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(accepted.scoped, device.scoped_pdu());
    let security = accepted.notification.security.unwrap();
    assert_eq!(security.user, b"fleet");
    assert_eq!(security.engine_id, device.engine_id);
    assert_eq!(security.level, SecurityLevel::AuthPriv);
    assert_eq!(accepted.notification.uptime, Some(0x63));
}

#[test]
fn each_failure_has_its_reason_and_its_counter() {
    let device = Device::new(SecurityLevel::AuthPriv);
    let usm = usm(&[device.config()]);
    let changed = |change: &dyn Fn(&mut Device)| {
        let mut other = device.clone();
        change(&mut other);
        other.message()
    };
    assert_eq!(say(&usm, &device.message(), at(0)), "accepted");
    let cases = [
        (changed(&|it| it.user = "nobody"), Refusal::UnknownUserName),
        (
            changed(&|it| it.level = SecurityLevel::NoAuthNoPriv),
            Refusal::UnsupportedSecLevel,
        ),
        (
            changed(&|it| it.level = SecurityLevel::AuthNoPriv),
            Refusal::UnsupportedSecLevel,
        ),
        (
            changed(&|it| it.auth_passphrase = "another phrase"),
            Refusal::WrongDigest,
        ),
        (
            changed(&|it| it.auth = AuthProtocol::Sha224),
            Refusal::WrongDigest,
        ),
        (
            changed(&|it| it.priv_passphrase = "another phrase"),
            Refusal::DecryptionError,
        ),
        (
            changed(&|it| it.privacy = PrivProtocol::Des),
            Refusal::DecryptionError,
        ),
        (changed(&|it| it.time = 100), Refusal::NotInTimeWindow),
        (changed(&|it| it.boots = 4), Refusal::NotInTimeWindow),
        (
            changed(&|it| it.engine_id = OWN.to_vec()),
            Refusal::NotInTimeWindow,
        ),
    ];
    for (packet, reason) in &cases {
        assert_eq!(say(&usm, packet, at(0)), reason.as_str());
    }
    for reason in Refusal::ALL {
        let expected = cases.iter().filter(|(_, it)| *it == reason).count() as u64;
        assert_eq!(usm.stats.refused(reason), expected, "{reason:?}");
    }
    assert_eq!(usm.sizes(), (1, 1), "nothing of these was learned");
}

#[test]
fn a_changed_bit_anywhere_is_seen() {
    let device = Device::new(SecurityLevel::AuthPriv);
    let usm = usm(&[device.config()]);
    let packet = device.message();
    for bit in 0..packet.len() * 8 {
        let mut changed = packet.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let said = say(&usm, &changed, at(u64::try_from(bit).unwrap()));
        assert!(!said.starts_with("accepted"), "bit {bit}: {said}");
    }
    assert_eq!(usm.sizes(), (0, 0));
}

#[test]
fn recordings_are_outside_the_window_and_reflections_are_not_for_us() {
    let device = Device::new(SecurityLevel::AuthNoPriv);
    let usm = usm(&[device.config()]);
    let recorded = device.message();
    assert_eq!(say(&usm, &recorded, at(0)), "accepted");
    assert_eq!(
        say(&usm, &device.at(5, 1300).message(), at(300)),
        "accepted"
    );
    assert_eq!(say(&usm, &recorded, at(301)), "notInTimeWindow");
    let to_another = device.inform(&[0x80, 0, 0, 9, 5, 9], 2, 50).message();
    assert_eq!(say(&usm, &to_another, at(301)), "unknownEngineID");
    let as_if_from_us = Device {
        pdu: 0xa7,
        ..device.inform(&OWN, 3, 301)
    };
    assert_eq!(
        say(&usm, &as_if_from_us.message(), at(301)),
        "unknownEngineID"
    );
    let our_own_response = Device {
        pdu: 0xa2,
        ..device.inform(&OWN, 3, 301)
    };
    assert_eq!(
        say(&usm, &our_own_response.message(), at(301)),
        "Response-PDU"
    );
}

#[test]
fn a_device_that_lost_its_boots_is_taken_marked_and_counted() {
    let device = Device::new(SecurityLevel::AuthNoPriv);
    let usm = usm(&[device.config()]);
    assert_eq!(say(&usm, &device.message(), at(0)), "accepted");
    let restarted = device.at(1, 30).message();
    let marked = "accepted, boots_backwards";
    assert_eq!(say(&usm, &restarted, at(3600)), marked);
    let later = device.at(1, 40);
    assert_eq!(say(&usm, &later.message(), at(3610)), marked);
    assert_eq!(usm.stats.excused(Excuse::BootsBackwards), 2);
    let recorded = [device.at(1, 900), device.at(4, 7000), device.at(5, 999)];
    for recorded in recorded {
        let said = say(&usm, &recorded.message(), at(3611));
        assert_eq!(said, "notInTimeWindow", "{recorded:?}");
    }
    assert_eq!(
        say(&usm, &device.at(5, 1001).message(), at(3700)),
        "accepted"
    );
    assert_eq!(
        say(&usm, &device.at(1, 131).message(), at(3701)),
        "notInTimeWindow"
    );
}

#[test]
fn a_device_that_lost_its_boots_is_taken_after_a_restart_too_and_a_recording_is_not() {
    let device = Device::new(SecurityLevel::AuthNoPriv);
    let before = usm(&[device.config()]);
    let marked = "accepted, boots_backwards";
    assert_eq!(say(&before, &device.message(), at(0)), "accepted");
    assert_eq!(say(&before, &device.at(1, 30).message(), at(60)), marked);
    let text = stored::learned_to_text(&before.learned(at(70), 1_000_070));
    let learned = stored::learned_from_text(&text).unwrap();
    // The agent was down for an hour; what the host's clock says of that is not always so.
    for (unix, says_nothing) in [(1_003_670, false), (1_000_030, true)] {
        let after = usm(&[device.config()]);
        after.restore(&learned, at(0), unix);
        let said = say(&after, &device.at(1, 9000).message(), at(5));
        assert_eq!(said == marked, says_nothing, "{said}");
        let after = usm(&[device.config()]);
        after.restore(&learned, at(0), unix);
        assert_eq!(say(&after, &device.at(1, 3645).message(), at(5)), marked);
        let said = say(&after, &device.at(4, 7000).message(), at(6));
        assert_eq!(said, "notInTimeWindow");
    }
}

#[test]
fn during_a_rotation_old_and_new_secrets_count_and_an_engines_own_too() {
    let old = Device::new(SecurityLevel::AuthPriv);
    let new = Device {
        auth_passphrase: "new auth phrase",
        priv_passphrase: "new priv phrase",
        engine_id: vec![0x80, 0, 0, 9, 5, 2],
        ..old.clone()
    };
    let third = Device {
        engine_id: vec![0x80, 0, 0, 9, 5, 3],
        auth_passphrase: "third phrase",
        ..Device::new(SecurityLevel::AuthNoPriv)
    };
    let ku = keys::master(third.auth, &keys::Passphrase::new(third.auth_passphrase));
    let localised = keys::localise(third.auth, &ku, &third.engine_id);
    let bound = UserConfig {
        auth: Some((third.auth, Credential::Localised(localised))),
        engine_id: Some(third.engine_id.clone()),
        ..third.config()
    };
    let usm = usm(&[old.config(), new.config(), bound]);
    for device in [&old, &new, &third] {
        assert_eq!(say(&usm, &device.message(), at(0)), "accepted");
    }
    let elsewhere = Device {
        engine_id: vec![0x80, 0, 0, 9, 5, 4],
        ..third
    };
    assert_eq!(
        say(&usm, &elsewhere.message(), at(0)),
        "unsupportedSecLevel"
    );
}

#[test]
fn when_only_the_priv_secret_is_changed_both_secrets_decrypt_before_and_after_they_are_kept() {
    let old = Device::new(SecurityLevel::AuthPriv);
    let changes: [fn(&Device) -> Device; 3] = [
        |old| Device {
            priv_passphrase: "new priv phrase",
            ..old.clone()
        },
        |old| Device {
            privacy: PrivProtocol::Des,
            ..old.clone()
        },
        |old| Device {
            privacy: PrivProtocol::Aes256,
            priv_passphrase: "new priv phrase",
            extension: Extension::Reeder,
            ..old.clone()
        },
    ];
    for change in changes {
        let new = change(&old);
        let third = Device {
            priv_passphrase: "known to nobody",
            ..old.clone()
        };
        for users in [[&old, &new], [&new, &old]] {
            let usm = usm(&users.map(Device::config));
            for (second, device) in [&old, &new, &new, &old, &new].into_iter().enumerate() {
                let time = 1000 + u32::try_from(second).unwrap();
                let packet = device.at(5, time).message();
                assert_eq!(say(&usm, &packet, at(10)), "accepted", "{second}");
            }
            assert_eq!(usm.sizes(), (1, 2), "each secret's keys are kept");
            let packet = third.at(5, 1010).message();
            assert_eq!(say(&usm, &packet, at(10)), "decryptionError");
            assert_eq!(usm.stats.refused(Refusal::DecryptionError), 1);
        }
    }
}

#[test]
fn a_reload_takes_old_secrets_out_and_keeps_what_was_learned() {
    let device = Device::new(SecurityLevel::AuthNoPriv);
    let usm = usm(&[device.config()]);
    assert_eq!(say(&usm, &device.message(), at(0)), "accepted");
    let new = Device {
        auth_passphrase: "new auth phrase",
        ..device.clone()
    };
    usm.replace(&Config {
        users: vec![new.config()],
        ..Config::default()
    });
    assert_eq!(usm.sizes(), (1, 0));
    assert_eq!(
        say(&usm, &device.at(5, 1001).message(), at(1)),
        "wrongDigest"
    );
    assert_eq!(say(&usm, &new.at(5, 1002).message(), at(1)), "accepted");
}

#[test]
fn a_reload_keeps_the_keys_of_secrets_that_are_as_they_were() {
    let device = Device::new(SecurityLevel::AuthPriv);
    let other = Device {
        user: "other",
        engine_id: vec![0x80, 0, 0, 9, 5, 2],
        ..device.clone()
    };
    let usm = usm(&[device.config(), other.config()]);
    for device in [&device, &other] {
        assert_eq!(say(&usm, &device.message(), at(0)), "accepted");
    }
    // Without a token no key can be made.
    *lock(&usm.work) = Limit::new(
        limit::Rate {
            per_second: 0,
            burst: 0,
        },
        WORK_ALL,
    );
    let changed = UserConfig {
        privacy: Some((
            PrivProtocol::Aes128,
            Credential::Passphrase(keys::Passphrase::new("new priv phrase")),
        )),
        ..other.config()
    };
    for users in [
        vec![other.config(), device.config()],
        vec![changed, device.config()],
    ] {
        usm.replace(&Config {
            users,
            ..Config::default()
        });
    }
    assert_eq!(usm.sizes(), (2, 1));
    assert_eq!(say(&usm, &device.at(5, 1001).message(), at(1)), "accepted");
    assert_eq!(say(&usm, &other.at(5, 1001).message(), at(1)), "limited");
}

#[test]
fn a_user_without_secrets_is_heard_only_where_the_whole_agent_allows_it() {
    let device = Device::new(SecurityLevel::NoAuthNoPriv);
    let open = usm(&[device.config()]);
    assert_eq!(say(&open, &device.message(), at(0)), "accepted");
    assert_eq!(
        open.sizes(),
        (0, 0),
        "nothing was proved, so nothing is learned"
    );
    let strict = Config {
        users: vec![device.config()],
        level_min: SecurityLevel::AuthNoPriv,
        ..Config::default()
    };
    let strict = Usm::new(&strict, own(), 1);
    assert_eq!(
        say(&strict, &device.message(), at(0)),
        "unsupportedSecLevel"
    );
}

#[test]
fn an_inform_is_led_to_our_engine_and_time_and_is_answered_as_it_was_protected() {
    for level in [SecurityLevel::AuthNoPriv, SecurityLevel::AuthPriv] {
        let device = Device::new(level);
        let usm = usm(&[device.config()]);
        let asks = Device {
            engine_id: Vec::new(),
            user: "",
            level: SecurityLevel::NoAuthNoPriv,
            pdu: 0xa0,
            ..device.inform(&[], 0, 0)
        };
        let told = report(&usm, &asks.message(), at(100)).unwrap();
        let told = v3::read(&told).unwrap();
        assert_eq!((told.engine_id, told.boots, told.time), (&OWN[..], 3, 100));
        assert_eq!(told.level, SecurityLevel::NoAuthNoPriv);

        let early = device.inform(&OWN, 0, 0).message();
        let told = report(&usm, &early, at(100)).unwrap();
        let told = v3::read(&told).unwrap();
        assert_eq!(
            told.level,
            SecurityLevel::AuthNoPriv,
            "so that it can be believed"
        );
        let keys = LocalKeys::new(
            Users::new(&[device.config()], 0)
                .secrets(b"fleet", &OWN)
                .next()
                .unwrap(),
            &OWN,
        );
        let keys = keys.unwrap();
        let (before, after) = told.around_digest();
        assert!(keys.auth.0.verify(&keys.auth.1, before, told.digest, after));

        let inform = device.inform(&OWN, told.boots, told.time).message();
        let message = v3::read(&inform).unwrap();
        let (mut plain, mut writer) = (Vec::new(), Writer::default());
        let (mut scoped, mut out) = (Vec::new(), Vec::new());
        let verdict = usm.take(&message, source(), at(101), &mut plain).unwrap();
        let Verdict::Accepted(accepted) = verdict else {
            panic!("{verdict:?}");
        };
        assert!(snmp::response(
            accepted.scoped,
            &accepted.notification,
            &mut scoped
        ));
        let keys = accepted.keys.as_deref();
        assert!(usm.write_response(&message, keys, &scoped, at(101), &mut writer, &mut out));
        let response = v3::read(&out).unwrap();
        assert_eq!((response.id, response.level), (message.id, level));
        assert!(!response.is_reportable);
        assert_eq!(say(&usm, &out, at(101)), "Response-PDU");
    }
}

#[test]
fn a_source_is_told_no_more_than_100_times_a_second() {
    let device = Device::new(SecurityLevel::AuthNoPriv);
    let usm = usm(&[device.config()]);
    let early = device.inform(&OWN, 0, 0).message();
    let told = (0..300)
        .filter(|_| report(&usm, &early, at(1)).is_some())
        .count();
    assert_eq!(told, 100);
    assert_eq!(usm.stats.reports_limited.load(Ordering::Relaxed), 200);
}

#[test]
fn forged_engines_cost_no_memory_and_no_known_device_its_messages() {
    let device = Device::new(SecurityLevel::AuthNoPriv);
    let usm = usm(&[device.config()]);
    assert_eq!(say(&usm, &device.message(), at(0)), "accepted");
    let mut forged = Device {
        auth_passphrase: "another phrase",
        engine_id: vec![0x80, 0, 0, 9, 5, 0, 0, 0, 0],
        ..device.clone()
    }
    .message();
    let engine_at =
        v3::read(&forged).unwrap().engine_id.as_ptr() as usize - forged.as_ptr() as usize;
    let mut plain = Vec::new();
    let mut limited = 0;
    for number in 0..100_000_u32 {
        forged[engine_at + 5..engine_at + 9].copy_from_slice(&number.to_be_bytes());
        let message = v3::read(&forged).unwrap();
        let spoofed = IpAddr::from(number.to_be_bytes());
        let verdict = usm.take(&message, spoofed, at(1), &mut plain);
        limited += u32::from(matches!(verdict, Ok(Verdict::Limited)));
    }
    assert_eq!(
        limited, 60_000,
        "what is beyond the burst of all is not looked at"
    );
    assert_eq!(usm.sizes(), (1, 1));
    assert_eq!(say(&usm, &device.at(5, 1001).message(), at(1)), "accepted");
}

#[test]
fn what_was_learned_is_taken_back_after_a_restart() {
    let device = Device::new(SecurityLevel::AuthNoPriv);
    let before = usm(&[device.config()]);
    assert_eq!(say(&before, &device.message(), at(0)), "accepted");
    let kept = stored::learned_to_text(&before.learned(at(50), 1_000_000));
    let after = usm(&[device.config()]);
    let learned = stored::learned_from_text(&kept).unwrap();
    assert_eq!(learned[0].heard, 999_950);
    after.restore(&learned, at(0), 1_000_100);
    assert_eq!(
        say(&after, &device.at(4, 90_000).message(), at(0)),
        "notInTimeWindow"
    );
    assert_eq!(
        say(&after, &device.at(5, 1000).message(), at(0)),
        "accepted"
    );
}

#[test]
fn what_is_kept_over_a_restart_is_what_the_device_said_and_not_what_became_of_it_here() {
    let device = Device::new(SecurityLevel::AuthNoPriv);
    let before = usm(&[device.config()]);
    assert_eq!(say(&before, &device.message(), at(0)), "accepted");
    // It says the same second once more, after 140 of ours.
    assert_eq!(say(&before, &device.message(), at(140)), "accepted");
    let learned = before.learned(at(140), 1_000_000);
    assert_eq!((learned[0].boots, learned[0].time), (5, 1000));
    let after = usm(&[device.config()]);
    after.restore(&learned, at(0), 1_000_000);
    assert_eq!(
        say(&after, &device.at(5, 1001).message(), at(149)),
        "accepted"
    );
    let again = after.learned(at(149), 1_000_149);
    assert_eq!((again[0].boots, again[0].time), (5, 1001));
}

#[test]
fn a_recorded_start_does_not_silence_a_device_over_a_restart_of_ours_either() {
    let device = Device::new(SecurityLevel::AuthNoPriv);
    let before = usm(&[device.config()]);
    let marked = "accepted, boots_backwards";
    assert_eq!(say(&before, &device.message(), at(0)), "accepted");
    for (time, now) in [(50_000, 60_000), (30, 60_100)] {
        let packet = device.at(1, time).message();
        assert_eq!(say(&before, &packet, at(now)), marked);
    }
    let text = stored::learned_to_text(&before.learned(at(60_100), 1_000_000));
    let learned = stored::learned_from_text(&text).unwrap();
    let after = usm(&[device.config()]);
    after.restore(&learned, at(0), 1_000_100);
    let packet = device.at(1, 50_220).message();
    assert_eq!(say(&after, &packet, at(20)), marked);
}

/// Another run of ours, 100 seconds later, that knows what this one learned.
fn restarted(before: &Usm, now: Moment) -> Usm {
    let text = stored::learned_to_text(&before.learned(now, 1_000_000));
    let learned = stored::learned_from_text(&text).unwrap();
    let after = usm(&[Device::new(SecurityLevel::AuthNoPriv).config()]);
    after.restore(&learned, at(0), 1_000_100);
    after
}

#[test]
fn recorded_starts_before_and_after_a_restart_of_ours_do_not_drive_out_the_device_s_own() {
    let device = Device::new(SecurityLevel::AuthNoPriv);
    let marked = "accepted, boots_backwards";
    // The device was started once since its boots were lost, or once before that too.
    for earlier in [&[][..], &[(1, 30_000, 40_000), (1, 30_010, 40_010)]] {
        for (recorded_before, recorded_after) in (0..16).map(|case| (case / 4, case % 4)) {
            let case = format!("{} {recorded_before} {recorded_after}", earlier.len());
            let before = usm(&[device.config()]);
            assert_eq!(say(&before, &device.message(), at(0)), "accepted");
            let own = [(1, 15_000, 60_000), (1, 15_010, 60_010)];
            let recorded = (1..=recorded_before).map(|n| (1 + n, 20, 60_010 + 300 * u64::from(n)));
            for (boots, time, now) in earlier.iter().copied().chain(own).chain(recorded) {
                let packet = device.at(boots, time).message();
                assert_eq!(say(&before, &packet, at(now)), marked, "{case} {now}");
            }
            let after = restarted(&before, at(61_000));
            for n in 1..=recorded_after {
                let (packet, now) = (device.at(1 + n, 20).message(), 300 * u64::from(n));
                assert_eq!(say(&after, &packet, at(now)), marked, "{case} {now}");
            }
            // Up for 16 000 seconds when the first run ended.
            let packet = device.at(1, 17_050).message();
            assert_eq!(say(&after, &packet, at(950)), marked, "{case}");
            // It was started while nobody listened.
            if recorded_after == 0 {
                let after = restarted(&before, at(61_000));
                let packet = device.at(1, 70).message();
                assert_eq!(say(&after, &packet, at(20)), marked, "{case} again");
            }
        }
    }
}

#[test]
fn a_message_that_came_before_is_no_new_start_of_its_engine() {
    let device = Device::new(SecurityLevel::AuthNoPriv);
    let usm = usm(&[device.config()]);
    assert_eq!(say(&usm, &device.message(), at(0)), "accepted");
    let start = device.at(1, 30).message();
    let message = v3::read(&start).unwrap();
    for came_before in [true, false] {
        let mut plain = Vec::new();
        let verdict = usm.take_unless_copy(&message, source(), at(60), &|| came_before, &mut plain);
        assert!(matches!(verdict, Ok(Verdict::Accepted(_))));
        let learned = usm.learned(at(60), 0);
        assert_eq!(learned[0].excused[0].is_none(), came_before);
    }
}

#[test]
fn a_device_that_lost_its_boots_in_the_same_power_cut_is_taken_where_the_host_s_clock_is_behind() {
    let device = Device::new(SecurityLevel::AuthNoPriv);
    let before = usm(&[device.config()]);
    assert_eq!(say(&before, &device.message(), at(0)), "accepted");
    let learned = before.learned(at(10), 1_000_010);
    let after = usm(&[device.config()]);
    after.restore(&learned, at(0), 900_000);
    let marked = "accepted, boots_backwards";
    assert_eq!(say(&after, &device.at(1, 3600).message(), at(5)), marked);
    let recorded = device.at(4, 7000).message();
    assert_eq!(say(&after, &recorded, at(6)), "notInTimeWindow");
}

#[test]
fn an_engine_id_of_more_than_32_octets_is_none() {
    assert!(EngineKey::new(&[1; 32]).is_some());
    assert!(EngineKey::new(&[1; 33]).is_none());
    assert_eq!(Key::new(&[7; 100]).octets().len(), 64);
}
