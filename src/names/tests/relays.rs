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
