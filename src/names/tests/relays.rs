//! Claims about devices that a trusted relay speaks for and that are heard directly too.

use super::*;

#[test]
fn a_device_that_a_relay_names_by_its_address_has_the_key_that_it_has_directly() {
    let (names, view) = names("address,hostname,site,silent_seconds\n10.0.0.2,inv,lax,100\n");
    let mut watch = Watch::default();
    names.watch(&mut watch, UnixMicros(0));
    teach(&view, ROUTER, "r1");
    let by_relay = |name| identify(&view, claim(RELAY, Some(name), 90));
    assert_eq!(by_relay("10.0.0.1"), "r1 Relay");
    assert_eq!(by_relay("10.0.0.2"), "inv Inventory");
    assert_eq!(by_relay("10.0.0.77"), "10.0.0.77 Header");
    assert_eq!(by_relay("10.9.9.9"), "10.9.9.9 Header");
    assert_eq!(by_relay("far"), "far Header");
    let facts = identify_all(&view, claim(RELAY, Some("10.0.0.2"), 91));
    assert!(facts.contains(r#""site": "lax""#), "{facts}");
    assert!(names.relayed.get("10.0.0.2").is_none());
    names.watch(&mut watch, UnixMicros(150_000_000));
    let is_silent = |(_, news): &(String, News)| matches!(news, News::Silent { .. });
    assert!(!told(&names).iter().any(is_silent));
}

#[test]
fn what_a_relay_brings_of_a_renamed_device_says_its_name_before_too() {
    let (_, view) = names("");
    teach(&view, ROUTER, "old");
    for seconds in [100, 130, 161] {
        identify(&view, claim(ROUTER, Some("new"), seconds));
    }
    let subject = Some(ROUTER.into());
    let by_relay = Claim {
        subject,
        ..claim(RELAY, None, 200)
    };
    let said = identify_all(&view, by_relay);
    assert!(said.starts_with(r#"Ok("new") Ok("old")"#), "{said}");
}

#[test]
fn an_engine_is_where_it_was_heard_last_though_it_was_there_before() {
    let (names, view) = names("");
    let engine_id = Some(&[0x80, 0, 0, 9, 1][..]);
    for address in [ROUTER, OTHER, ROUTER] {
        let claim = claim(address, None, 0);
        identify(&view, Claim { engine_id, ..claim });
        let found = names.devices.engines.of(&[0x80, 0, 0, 9, 1]);
        assert_eq!(found, Some(address.into()));
    }
}

#[test]
fn an_engine_that_was_replaced_at_its_address_is_nowhere_until_it_is_heard_again() {
    let (names, view) = names("");
    let (old, new) = ([0x80, 0, 0, 9, 1], [0x80, 0, 0, 9, 2]);
    let found = [&old, &new].map(|engine| {
        let claim = claim(ROUTER, None, 0);
        let engine_id = Some(&engine[..]);
        identify(&view, Claim { engine_id, ..claim });
        names.devices.engines.of(engine)
    });
    assert_eq!(found, [Some(ROUTER.into()); 2]);
    assert_eq!(names.devices.engines.of(&old), None);
    // The old unit, put to use elsewhere, stays there when the new one is replaced too.
    for (address, engine) in [(OTHER, &old), (ROUTER, &[0x80, 0, 0, 9, 3])] {
        let claim = claim(address, None, 1);
        let engine_id = Some(&engine[..]);
        identify(&view, Claim { engine_id, ..claim });
    }
    assert_eq!(names.devices.engines.of(&old), Some(OTHER.into()));
    assert_eq!(names.devices.engines.of(&new), None);
}

#[test]
fn an_engine_of_a_device_that_is_forgotten_leaves_its_place_to_another() {
    const DEVICES_MAX: u8 = 32;
    let names = Arc::new(Names::new(Config {
        devices_max: usize::from(DEVICES_MAX),
        ..Config::default()
    }));
    let view = View::new(names.clone());
    let say = |number: u8, seconds: i64| {
        let engine = [0x80, number];
        let engine_id = Some(&engine[..]);
        let claim = claim([10, 0, 0, number], None, seconds);
        identify(&view, Claim { engine_id, ..claim });
        names.devices.sweep(UnixMicros(seconds * 1_000_000));
        names.devices.engines.of(&engine)
    };
    for number in 0..200 {
        let begin = i64::from(number) * 100;
        for seconds in [begin, begin + 30, begin + 60] {
            let found = say(number, seconds);
            assert_eq!(found, Some([10, 0, 0, number].into()), "{number}");
        }
    }
}

#[test]
fn who_makes_a_relay_speak_takes_no_key_of_devices_that_share_an_address_and_they_earn_none() {
    const DAY: i64 = 86_400;
    let (names, view) = names("");
    let shared = |name, seconds| identify(&view, claim(ROUTER, Some(name), seconds));
    for seconds in 0..200 {
        shared(["r1", "r2", "r3"][seconds as usize % 3], seconds);
    }
    let is_shared = || names.devices.get(ROUTER.into()).unwrap().standing.is_shared;
    assert!(is_shared());
    // From here on `r1` alone speaks from the address, and so does the relay for it.
    for seconds in (200..200 + 2 * DAY).step_by(1_800) {
        identify(&view, claim(RELAY, Some("r1"), seconds));
        assert_eq!(shared("r1", seconds), "r1 Header");
    }
    assert!(names.relayed.get("r1").is_some());
    assert!(is_shared());
    assert_eq!(names.devices.owner("r1"), None);
    // The relay has fallen silent.
    assert_eq!(shared("r1", 10_000 + 2 * DAY), "r1 Header");
    assert!(!is_shared());
    assert_eq!(names.devices.owner("r1"), Some(ROUTER.into()));
}
