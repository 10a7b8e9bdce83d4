//! What holds of every message: any octets, any change of a message, anything that a user signs.

use proptest::prelude::*;

use super::samples::Device;
use super::tests::{at, say, usm};
use super::window::Standing;
use super::*;
use crate::decode::snmp::v3;

/// Octets that are nearly a scoped PDU: some changed, the end cut off.
fn nearly_scoped() -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (changes, 0.5..1.0_f64, any::<bool>()).prop_map(|(changes, kept, is_cut)| {
        let mut scoped = Device::new(SecurityLevel::AuthPriv).scoped_pdu();
        for (place, octet) in changes {
            let place = place.index(scoped.len());
            scoped[place] = octet;
        }
        if is_cut {
            scoped.truncate((scoped.len() as f64 * kept) as usize);
        }
        scoped
    })
}

proptest! {
    #[test]
    fn no_octets_are_a_message_of_a_user(packet in prop::collection::vec(any::<u8>(), 0..300)) {
        let usm = usm(&[Device::new(SecurityLevel::AuthPriv).config()]);
        let said = say(&usm, &packet, at(0));
        prop_assert!(said.starts_with("unread: "), "{}", said);
    }

    /// Behind the digest: what a device encrypts and signs is read, or it is told why not.
    #[test]
    fn whatever_a_user_signs_comes_to_a_named_end(
        scoped in prop_oneof![nearly_scoped(), prop::collection::vec(any::<u8>(), 0..100)],
        boots in 0..10_u32,
        time in 0..2000_u32,
    ) {
        let device = Device::new(SecurityLevel::AuthPriv);
        let usm = usm(&[device.config()]);
        prop_assert_eq!(say(&usm, &device.message(), at(0)), "accepted");
        let signed = Device {
            scoped: Some(scoped.clone()),
            ..device.at(boots, time)
        };
        let said = say(&usm, &signed.message(), at(100));
        let is_behind = boots < 5 || (boots == 5 && time < 950);
        let is_excused = is_behind && time <= 101;
        match said.as_str() {
            "notInTimeWindow" => prop_assert!(is_behind && !is_excused),
            "decryptionError" => prop_assert!(v3::scoped(&scoped).is_err()),
            said => {
                prop_assert!(!is_behind || is_excused, "{}", said);
                prop_assert!(v3::scoped(&scoped).is_ok(), "{}", said);
                let of_a_pdu = said.starts_with("accepted") || said.ends_with("-PDU");
                prop_assert!(of_a_pdu || said == "unknownEngineID", "{}", said);
            }
        }
    }

    #[test]
    fn no_change_of_a_message_passes(
        level in prop::sample::select(vec![SecurityLevel::AuthNoPriv, SecurityLevel::AuthPriv]),
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let device = Device::new(level);
        let usm = usm(&[device.config()]);
        let sent = device.message();
        let mut packet = sent.clone();
        for (place, octet) in places {
            let place = place.index(packet.len());
            packet[place] = octet;
        }
        prop_assert_eq!(
            say(&usm, &packet, at(0)).starts_with("accepted"),
            packet == sent
        );
        packet.truncate(cut.index(packet.len()));
        prop_assert!(!say(&usm, &packet, at(0)).starts_with("accepted"));
        prop_assert_eq!(say(&usm, &sent, at(0)), "accepted");
    }

    /// A restart of ours makes no difference to what is known of an engine's starts.
    #[test]
    fn no_recorded_starts_silence_a_device_however_often_we_are_started(
        boots in 0..=3_u32,
        steps in prop::collection::vec((0..5000_u64, prop::option::weighted(0.8, 0..=3_u32), any::<bool>()), 1..100),
    ) {
        let engine = EngineKey::new(&[1; 9]).unwrap();
        let mut known = EngineClock::first(3, 1_000_000, at(0).seconds());
        let take = |known: &mut EngineClock, boots, time: u64, now| {
            let time = u32::try_from(time).unwrap();
            let standing = window::judge(Some(known), boots, time, now, WindowPolicy::LearnAfterReboot);
            if standing != Standing::Outside {
                known.hear(boots, time, standing, now);
            }
            standing
        };
        // The start before its last one went on too, and for longer.
        let (mut begun, mut now) = (at(0).seconds(), at(0).seconds());
        for up in [60_000, 20_000] {
            begun = now + 1000;
            for up in [up, up + 100] {
                now = begun + up;
                take(&mut known, boots, up, now);
            }
        }
        for (passed, played, is_restarted) in steps {
            now += passed;
            if is_restarted {
                let (before, after) = (usm(&[]), usm(&[]));
                let moment = Moment(now * 1_000_000);
                lock(&before.engines).keep_clock(engine, known, now);
                let text = stored::learned_to_text(&before.learned(moment, 1_000_000));
                after.restore(&stored::learned_from_text(&text).unwrap(), moment, 1_000_000);
                known = lock(&after.engines).clock(&engine).unwrap();
            }
            if let Some(recorded) = played {
                take(&mut known, recorded, (3 + 7 * recorded).into(), now);
                continue;
            }
            let standing = take(&mut known, boots, now - begun, now);
            prop_assert_ne!(standing, Standing::Outside, "{} {:?}", now - begun, known);
        }
    }
}
