//! Claims about names that come from reverse DNS.

use super::*;

#[test]
fn reverse_dns_names_a_sender_that_gives_no_name_and_the_first_event_did_not_wait() {
    let (names, view) = names("");
    assert_eq!(
        identify(&view, claim(ROUTER, None, 1000)),
        "10.0.0.1 Address"
    );
    names.take_dns_answer(ROUTER.into(), "r1.example.net", UnixMicros(1_001_000_000));
    assert_eq!(
        identify(&view, claim(ROUTER, None, 1002)),
        "r1.example.net Dns"
    );
}

#[test]
fn reverse_dns_is_asked_or_not_as_at_the_start_whatever_a_reload_says() {
    for (start, reload) in [
        (DnsPolicy::On, DnsPolicy::Off),
        (DnsPolicy::Off, DnsPolicy::On),
    ] {
        let with = |dns| Config {
            dns,
            ..Config::default()
        };
        let names = Arc::new(Names::new(with(start)));
        names.reload(with(reload), None, UnixMicros(0));
        let view = View::new(names.clone());
        identify(&view, claim(ROUTER, None, 1000));
        let was_asked = names.resolver().is_waiting(ROUTER.into());
        assert_eq!(was_asked, start == DnsPolicy::On);
    }
}

#[test]
fn an_answer_of_reverse_dns_for_a_newcomer_is_told_with_the_device_and_not_before() {
    let (names, view) = names("");
    identify(&view, claim(ROUTER, None, 0));
    names.take_dns_answer(ROUTER.into(), "r1.example.net", UnixMicros(1_000_000));
    assert_eq!(told(&names), []);
    for seconds in [30, 60] {
        identify(&view, claim(ROUTER, None, seconds));
    }
    assert_eq!(told(&names), [("r1.example.net".into(), News::New)]);
}

#[test]
fn where_the_inventory_has_a_name_another_of_reverse_dns_changes_no_key_and_is_not_told() {
    let (names, mut view) = names("");
    let at = |seconds: i64| UnixMicros(seconds * 1_000_000);
    for seconds in [0, 30, 60] {
        identify(&view, claim(ROUTER, None, seconds));
    }
    names.take_dns_answer(ROUTER.into(), "dns.example.net", at(61));
    let text = "address,hostname\n10.0.0.1,r1\n";
    let parsed = inventory::parse(text, DomainPolicy::Keep).unwrap();
    names.replace_inventory(Arc::new(parsed.inventory), at(62));
    view.refresh();
    names.notices.take();
    let said = |seconds| {
        let text = identify_all(&view, claim(ROUTER, None, seconds));
        text.split(" Some(").next().unwrap_or_default().to_owned()
    };
    names.rewrite_dns_names(DomainPolicy::Strip, at(90));
    assert_eq!(said(91), r#"Ok("r1") Ok("dns.example.net")"#);
    names.take_dns_answer(ROUTER.into(), "late.example.net", at(92));
    assert_eq!(said(93), r#"Ok("r1") Ok("dns.example.net")"#);
    let stored = names.devices.get(ROUTER.into()).unwrap().standing.name;
    assert_eq!(stored, "late.example.net");
    assert_eq!(told(&names), []);
}

#[test]
fn a_name_of_reverse_dns_that_the_inventory_gives_to_another_is_not_taken() {
    let address = [10, 0, 0, 66];
    for (inventory, expected) in [
        ("address,hostname\n10.0.0.7,core\n", "10.0.0.66 Address"),
        (
            "address,hostname\n10.0.0.7,core\n10.0.0.66,core\n",
            "core Inventory",
        ),
    ] {
        let (names, view) = names(inventory);
        identify(&view, claim(address, None, 61));
        names.take_dns_answer(address.into(), "core", UnixMicros(62_000_000));
        let named = identify(&view, claim(address, None, 63));
        assert_eq!(named, expected);
        let stored = names.devices.get(address.into()).unwrap().standing.name;
        assert_eq!(stored == "core", expected == "core Inventory");
    }
}

#[test]
fn a_second_address_of_a_router_has_its_name_of_reverse_dns_whichever_is_heard_first() {
    for is_learned_first in [true, false] {
        let (names, view) = names("");
        let learn = || teach(&view, ROUTER, "r1");
        let resolve = || {
            identify(&view, claim(OTHER, None, 61));
            names.take_dns_answer(OTHER.into(), "r1", UnixMicros(62_000_000));
        };
        if is_learned_first {
            learn();
        }
        resolve();
        learn();
        for seconds in [63, 64] {
            assert_eq!(identify(&view, claim(ROUTER, None, seconds)), "r1 Learned");
            assert_eq!(identify(&view, claim(OTHER, None, seconds)), "r1 Dns");
        }
    }
}
