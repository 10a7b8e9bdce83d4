//! Claims about names that belong to another: by the inventory, by the table, or because a trusted relay speaks for them.

use super::*;

/// Puts another inventory into force.
fn give(names: &Names, view: &mut View, text: &str) {
    let parsed = inventory::parse(text, DomainPolicy::Keep).unwrap();
    let config = names.known().config.clone();
    names.replace(config, Arc::new(parsed.inventory));
    view.refresh();
}

#[test]
fn a_device_that_comes_back_after_hours_keeps_its_key_though_a_stranger_has_earned_its_name_meanwhile()
 {
    let (names, view) = names("");
    teach(&view, ROUTER, "r1");
    identify(&view, claim(ROUTER, Some("r1"), 61));
    for seconds in [8_000, 8_030, 8_061] {
        names.devices.sweep(UnixMicros(seconds * 1_000_000));
        identify(&view, claim(OTHER, Some("r1"), seconds));
    }
    told(&names);
    let named = identify_all(&view, claim(ROUTER, None, 8_070));
    assert!(named.starts_with(r#"Ok("r1") Ok("")"#), "{named}");
    assert_eq!(told(&names), []);
    // Its word is a conflict while the stranger owns the name, and its key is the same. So it is after a restart.
    for seconds in [8_071, 8_072] {
        let named = identify(&view, claim(ROUTER, Some("r1"), seconds));
        assert_eq!(named, "r1 Learned");
    }
    assert_eq!(names.conflicts(), 2);
    assert_eq!(names.devices.owner("r1"), Some(OTHER.into()));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("devices.jsonl");
    store::save(&path, &names).unwrap();
    let (after, later) = super::names("");
    store::load(&path, &after).unwrap();
    for address in [ROUTER, OTHER] {
        let named = identify(&later, claim(address, None, 8_080));
        assert_eq!(named, "r1 Learned");
    }
    // The stranger has fallen silent.
    names.devices.sweep(UnixMicros(12_000_000_000));
    let named = identify(&view, claim(ROUTER, Some("r1"), 12_000));
    assert_eq!(named, "r1 Header");
    assert_eq!(names.devices.owner("r1"), Some(ROUTER.into()));
}

#[test]
fn a_device_whose_name_a_stranger_has_earned_keeps_it_though_it_uses_another_name_too() {
    let (names, view) = names("");
    teach(&view, ROUTER, "r1");
    for seconds in [8_000, 8_030, 8_061] {
        names.devices.sweep(UnixMicros(seconds * 1_000_000));
        identify(&view, claim(OTHER, Some("r1"), seconds));
    }
    for seconds in 8_070..8_300 {
        let name = ["r1", "r1.example.net"][seconds as usize % 2];
        identify(&view, claim(ROUTER, Some(name), seconds));
    }
    let named = identify(&view, claim(ROUTER, None, 8_300));
    assert_eq!(named, "r1 Learned");
}

#[test]
fn a_name_that_a_new_inventory_gives_to_another_is_no_longer_believed_of_who_had_learned_it() {
    let (names, mut view) = names("");
    teach(&view, ROUTER, "r1");
    identify(&view, claim(ROUTER, Some("r1"), 61));
    teach(&view, OTHER, "r2");
    give(
        &names,
        &mut view,
        "address,hostname\n10.0.0.7,r1\n10.0.0.8,r2\n",
    );
    let by_relay = Claim {
        subject: Some(OTHER.into()),
        ..claim(RELAY, None, 62)
    };
    for (claim, expected) in [
        (claim(ROUTER, Some("r1"), 62), "10.0.0.1 Address"),
        (claim(ROUTER, None, 63), "10.0.0.1 Address"),
        (by_relay, "10.0.0.2 Relay"),
        (claim(OTHER, None, 63), "10.0.0.2 Address"),
    ] {
        assert_eq!(identify(&view, claim), expected);
    }
    assert_eq!(names.conflicts(), 1);
}

#[test]
fn a_name_of_reverse_dns_that_a_new_inventory_gives_to_another_is_given_up() {
    let (names, mut view) = names("");
    identify(&view, claim(ROUTER, None, 0));
    names.take_dns_answer(ROUTER.into(), "r1", UnixMicros(1_000_000));
    assert_eq!(identify(&view, claim(ROUTER, None, 2)), "r1 Dns");
    give(&names, &mut view, "address,hostname\n10.0.0.7,r1\n");
    let named = identify(&view, claim(ROUTER, None, 3));
    assert_eq!(named, "10.0.0.1 Address");
}

#[test]
fn a_name_that_the_inventory_gives_to_another_is_given_up_after_a_restart_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("devices.jsonl");
    let (before, view) = names("");
    teach(&view, ROUTER, "r1");
    teach(&view, OTHER, "r2");
    store::save(&path, &before).unwrap();
    let (after, view) = names("address,hostname\n10.0.0.7,r1\n");
    store::load(&path, &after).unwrap();
    let named = identify(&view, claim(ROUTER, None, 70));
    assert_eq!(named, "10.0.0.1 Address");
    assert_eq!(identify(&view, claim(OTHER, None, 70)), "r2 Learned");
}

#[test]
fn a_device_that_says_its_name_seldom_and_speaks_on_keeps_it() {
    let (names, view) = names("");
    let mut watch = Watch::default();
    teach(&view, ROUTER, "r1");
    for seconds in (100..20_000).step_by(100) {
        assert_eq!(identify(&view, claim(ROUTER, None, seconds)), "r1 Learned");
        names.watch(&mut watch, UnixMicros(seconds * 1_000_000));
        let named = identify(&view, claim(OTHER, Some("r1"), seconds));
        assert_eq!(named, "10.0.0.2 Address");
    }
    // Silent for long, but nobody has taken it.
    names.watch(&mut watch, UnixMicros(50_000_000_000));
    assert_eq!(identify(&view, claim(ROUTER, None, 50_000)), "r1 Learned");
    let named = identify(&view, claim(OTHER, Some("r1"), 50_001));
    assert_eq!(named, "10.0.0.2 Address", "it is its own again");
}

#[test]
fn a_stranger_cannot_take_the_name_of_a_device_that_only_a_relay_speaks_for() {
    let (names, view) = names("");
    let mut watch = Watch::default();
    let stranger = [10, 66, 6, 6];
    teach(&view, RELAY, "core-9");
    for step in 0..120 {
        let seconds = 61 + i64::try_from(step).unwrap();
        // The device loses its message 50; what the stranger counts is no number of it.
        let sequence = Some(step + u64::from(step >= 50));
        let real = claim(RELAY, Some("core-9"), seconds);
        let named = identify(&view, Claim { sequence, ..real });
        assert_eq!(named, "core-9 Header");
        let sequence = Some(500_000 + step);
        let forged = claim(stranger, Some("core-9"), seconds);
        let named = identify(&view, Claim { sequence, ..forged });
        assert_eq!(named, "10.66.6.6 Address");
        names.watch(&mut watch, UnixMicros(seconds * 1_000_000));
    }
    assert_eq!(names.devices.owner("core-9"), None);
    assert_eq!(names.conflicts(), 120);
    assert!(names.relayed.get("core-9").is_some());
    let gaps: Vec<_> = told(&names)
        .into_iter()
        .filter(|(name, news)| name == "core-9" && matches!(news, News::Missing(_)))
        .collect();
    assert_eq!(gaps, [("core-9".into(), News::Missing(50..=50))]);
}

/// Three names speak from this address side by side, until it is known as shared.
fn share(names: &Names, view: &View, address: [u8; 4], begin: i64) {
    for seconds in begin..begin + 200 {
        let name = ["s1", "s2", "s3"][seconds as usize % 3];
        identify(view, claim(address, Some(name), seconds));
    }
    let standing = names.devices.get(address.into()).unwrap().standing;
    assert!(standing.is_shared);
}

#[test]
fn a_stranger_that_shares_its_address_out_takes_no_name_that_a_relay_spoke_for_before() {
    let (names, view) = names("");
    let stranger = [10, 66, 6, 6];
    teach(&view, RELAY, "core-9");
    share(&names, &view, stranger, 100);
    let forged = |view: &View, seconds| identify(view, claim(stranger, Some("core-9"), seconds));
    assert_eq!(forged(&view, 301), "10.66.6.6 Address");
    assert_eq!(names.conflicts(), 1);
    let other = claim(stranger, Some("s1"), 302);
    assert_eq!(identify(&view, other), "s1 Header", "names of nobody");
    // A restart gives it nothing.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("devices.jsonl");
    store::save(&path, &names).unwrap();
    let later = Arc::new(Names::new(names.known().config.clone()));
    store::load(&path, &later).unwrap();
    assert_eq!(forged(&View::new(later), 303), "10.66.6.6 Address");
    // As for everybody: what the relay has not spoken for in an hour is free.
    assert_eq!(forged(&view, 60 + 3_600), "core-9 Header");
}

#[test]
fn devices_that_shared_an_address_before_a_relay_spoke_for_them_keep_their_names_over_a_restart() {
    let (names, view) = names("");
    share(&names, &view, ROUTER, 0);
    for seconds in [300, 330, 360] {
        identify(&view, claim(RELAY, Some("s1"), seconds));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("devices.jsonl");
    store::save(&path, &names).unwrap();
    let later = Arc::new(Names::new(names.known().config.clone()));
    store::load(&path, &later).unwrap();
    for view in [view, View::new(later)] {
        let named = identify(&view, claim(ROUTER, Some("s1"), 361));
        assert_eq!(named, "s1 Header");
    }
}

#[test]
fn a_device_that_comes_out_from_behind_a_relay_has_its_name_after_an_hour_or_by_the_inventory() {
    let (names, mut view) = names("");
    teach(&view, RELAY, "far");
    let direct = |view: &View, seconds| identify(view, claim(ROUTER, Some("far"), seconds));
    for seconds in [100, 3_000, 3_659] {
        assert_eq!(direct(&view, seconds), "10.0.0.1 Address");
    }
    for seconds in [3_660, 3_690, 3_720] {
        assert_eq!(direct(&view, seconds), "far Header");
    }
    assert_eq!(names.devices.owner("far"), Some(ROUTER.into()));
    teach(&view, RELAY, "near");
    give(&names, &mut view, "address,hostname\n10.0.0.2,near\n");
    let near = claim(OTHER, Some("near"), 61);
    assert_eq!(identify(&view, near), "near Inventory");
}

#[test]
fn a_device_that_had_its_name_before_a_relay_spoke_for_it_keeps_it() {
    let (names, view) = names("");
    let mut watch = Watch::default();
    teach(&view, ROUTER, "r1");
    for seconds in [8_000, 8_030, 8_060] {
        names.watch(&mut watch, UnixMicros(seconds * 1_000_000));
        identify(&view, claim(RELAY, Some("r1"), seconds));
    }
    assert!(names.relayed.get("r1").is_some());
    let named = identify(&view, claim(ROUTER, Some("r1"), 8_061));
    assert_eq!(named, "r1 Header");
}
