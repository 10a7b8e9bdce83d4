//! Claims about who a device is.

mod belonging;
mod relays;
mod resolving;
mod watching;

use super::news::News;
use super::*;
use crate::names::watch::Watch;
use crate::normalize::DomainPolicy;
use crate::normalize::device::{Claim, Names as _};

const ROUTER: [u8; 4] = [10, 0, 0, 1];
const OTHER: [u8; 4] = [10, 0, 0, 2];
const RELAY: [u8; 4] = [10, 9, 9, 9];

fn names(inventory: &str) -> (Arc<Names>, View) {
    let names = Arc::new(Names::new(Config {
        relays: vec!["10.9.9.9/32".parse().unwrap()],
        ..Config::default()
    }));
    if !inventory.is_empty() {
        let parsed = inventory::parse(inventory, DomainPolicy::Keep).unwrap();
        assert_eq!(parsed.bad_lines, []);
        names.replace(names.known().config.clone(), Arc::new(parsed.inventory));
    }
    let view = View::new(names.clone());
    (names, view)
}

pub(super) fn claim(address: [u8; 4], name: Option<&str>, seconds: i64) -> Claim<'_> {
    Claim {
        address: Some(address.into()),
        name,
        received: UnixMicros(seconds * 1_000_000),
        ..Claim::default()
    }
}

fn identify(view: &View, claim: Claim<'_>) -> String {
    let (mut name, mut previous) = (Vec::new(), Vec::new());
    let identity = view
        .identify(&claim, &mut name, &mut previous)
        .expect("an identity");
    let name = String::from_utf8(name).unwrap();
    format!("{name} {:?}", identity.source)
}

/// Everything that an event says of its device.
pub(super) fn identify_all(view: &View, claim: Claim<'_>) -> String {
    let (mut name, mut previous) = (Vec::new(), Vec::new());
    let identity = view.identify(&claim, &mut name, &mut previous);
    let (name, previous) = (String::from_utf8(name), String::from_utf8(previous));
    format!("{name:?} {previous:?} {identity:?}")
}

fn teach(view: &View, address: [u8; 4], name: &str) {
    for seconds in [0, 30, 60] {
        identify(view, claim(address, Some(name), seconds));
    }
}

#[test]
fn the_inventory_wins_then_the_header_then_what_was_learned_then_the_address() {
    let (_, view) = names("address,hostname\n10.0.0.2,inv\n");
    assert_eq!(
        identify(&view, claim(OTHER, Some("header"), 0)),
        "inv Inventory"
    );
    assert_eq!(identify(&view, claim(ROUTER, None, 0)), "10.0.0.1 Address");
    assert_eq!(identify(&view, claim(ROUTER, Some("r1"), 0)), "r1 Header");
    teach(&view, ROUTER, "r1");
    assert_eq!(identify(&view, claim(ROUTER, None, 61)), "r1 Learned");
}

#[test]
fn a_name_that_belongs_to_another_address_is_not_taken_and_the_conflict_is_counted() {
    let (names, view) = names("address,hostname\n10.0.0.7,core\n");
    assert_eq!(
        identify(&view, claim(OTHER, Some("core"), 0)),
        "10.0.0.2 Address"
    );
    teach(&view, ROUTER, "r1");
    assert_eq!(
        identify(&view, claim(OTHER, Some("r1"), 61)),
        "10.0.0.2 Address"
    );
    assert_eq!(names.conflicts(), 2);
    assert_eq!(
        names.devices.get(OTHER.into()).unwrap().standing.conflicts,
        2
    );
}

#[test]
fn a_name_that_is_the_address_of_another_device_is_not_taken_and_the_conflict_is_counted() {
    let (names, view) = names("address,site\n10.0.0.7,lax\n2001:db8::7,lax\n10.8.0.0/16,ham\n");
    for seconds in [0, 30, 60] {
        identify(&view, claim(ROUTER, None, seconds));
    }
    let by_other = |name| identify(&view, claim(OTHER, Some(name), 61));
    for name in ["10.0.0.1", "10.0.0.7", "2001:db8::7"] {
        assert_eq!(by_other(name), "10.0.0.2 Address");
    }
    assert_eq!(names.conflicts(), 3);
    // Of nobody's device, or the sender's own: a device may write its own or another address of its own.
    for name in ["10.0.0.2", "10.8.0.1", "192.0.2.1"] {
        assert_eq!(by_other(name), format!("{name} Header"));
    }
    assert_eq!(names.conflicts(), 3);
    let by_relay = identify(&view, claim(RELAY, Some("10.0.0.1"), 62));
    assert_eq!(by_relay, "10.0.0.1 Header", "a relay is trusted");
}

#[test]
fn an_address_that_was_learned_as_a_name_is_given_up_when_its_own_device_is_known() {
    let (names, view) = names("");
    teach(&view, OTHER, "10.0.0.1");
    assert_eq!(identify(&view, claim(OTHER, None, 61)), "10.0.0.1 Learned");
    for seconds in [62, 90, 130] {
        let named = identify(&view, claim(ROUTER, None, seconds));
        assert_eq!(named, "10.0.0.1 Address");
    }
    told(&names);
    let named = identify_all(&view, claim(OTHER, None, 131));
    assert!(
        named.starts_with(r#"Ok("10.0.0.2") Ok("10.0.0.1")"#),
        "{named}"
    );
    let from = "10.0.0.1".into();
    assert_eq!(told(&names), [("10.0.0.2".into(), News::Renamed { from })]);
    let named = identify(&view, claim(OTHER, Some("10.0.0.1"), 132));
    assert_eq!(named, "10.0.0.2 Address");
    assert_eq!(names.conflicts(), 1);
    // Its own address is its own again, whoever had earned it as a name.
    let named = identify(&view, claim(ROUTER, Some("10.0.0.1"), 133));
    assert_eq!(named, "10.0.0.1 Header");
}

#[test]
fn two_addresses_that_the_inventory_gives_one_name_are_one_device_whose_addresses_it_may_say() {
    let (names, view) = names("address,hostname\n10.0.0.1,r1\n10.0.0.2,r1\n");
    let named = identify(&view, claim(OTHER, Some("10.0.0.1"), 0));
    assert_eq!(named, "r1 Inventory");
    assert_eq!(names.conflicts(), 0);
}

#[test]
fn a_relay_is_believed_whom_it_speaks_for_and_a_stranger_is_not() {
    let (_, view) = names("address,hostname,site\n10.0.0.2,inv,lax\n");
    teach(&view, ROUTER, "r1");
    let by = |address, name, subject: Option<[u8; 4]>| {
        let claim = claim(address, name, 61);
        let subject = subject.map(IpAddr::from);
        identify(&view, Claim { subject, ..claim })
    };
    assert_eq!(by(RELAY, Some("r1"), None), "r1 Header");
    assert_eq!(by(RELAY, None, Some(ROUTER)), "r1 Relay");
    assert_eq!(by(RELAY, None, Some(OTHER)), "inv Inventory");
    assert_eq!(by(RELAY, None, Some([10, 0, 0, 77])), "10.0.0.77 Relay");
    assert_eq!(by(RELAY, None, None), "10.9.9.9 Address");
    assert_eq!(by([10, 0, 0, 66], None, Some(ROUTER)), "10.0.0.66 Address");
}

#[test]
fn an_engine_that_was_heard_directly_is_the_same_device_behind_a_relay() {
    let (_, view) = names("");
    teach(&view, ROUTER, "r1");
    let engine_id = Some(&[0x80, 0, 0, 9, 1][..]);
    let by = |address| {
        let claim = claim(address, None, 61);
        identify(&view, Claim { engine_id, ..claim })
    };
    assert_eq!(by(ROUTER), "r1 Learned");
    assert_eq!(by(RELAY), "r1 Relay");
}

#[test]
fn labels_and_the_zone_come_from_the_inventory_by_address_and_behind_a_relay_by_name() {
    let (_, view) = names("address,hostname,zone,site\n10.0.0.1,r1,+01:00,lax\n");
    let facts = |claim: Claim<'_>| {
        let (mut name, mut previous) = (Vec::new(), Vec::new());
        let identity = view.identify(&claim, &mut name, &mut previous).unwrap();
        let labels = identity.facts.and_then(|facts| facts.labels.clone());
        labels.map(|labels| labels["site"].clone())
    };
    assert_eq!(facts(claim(ROUTER, None, 0)).as_deref(), Some("lax"));
    assert_eq!(facts(claim(RELAY, Some("r1"), 0)).as_deref(), Some("lax"));
    assert_eq!(facts(claim(OTHER, None, 0)), None);
}

#[test]
fn a_renamed_device_says_its_name_before_for_a_day() {
    let (_, view) = names("");
    teach(&view, ROUTER, "old");
    for seconds in [100, 130, 161] {
        identify(&view, claim(ROUTER, Some("new"), seconds));
    }
    let previous_at = |seconds| {
        let (mut name, mut previous) = (Vec::new(), Vec::new());
        view.identify(&claim(ROUTER, None, seconds), &mut name, &mut previous);
        (
            String::from_utf8(name).unwrap(),
            String::from_utf8(previous).unwrap(),
        )
    };
    assert_eq!(previous_at(200), ("new".into(), "old".into()));
    assert_eq!(previous_at(90_000), ("new".into(), String::new()));
}

/// What is told after these messages, by name and news.
fn told(names: &Names) -> Vec<(String, News)> {
    let said = names.notices.take().notices;
    let told = said.into_iter();
    told.map(|notice| (notice.name.to_string(), notice.news))
        .collect()
}

#[test]
fn a_sender_that_the_inventory_does_not_have_is_told_as_unknown_and_not_as_new() {
    let (names, view) = names("address,hostname\n10.0.0.7,r7\n");
    teach(&view, ROUTER, "r1");
    assert!(told(&names).contains(&("r1".into(), News::Unknown)));
    teach(&view, [10, 0, 0, 7], "r7");
    assert_eq!(told(&names), [("r7".into(), News::New)]);
}

#[test]
fn a_device_that_is_told_as_new_with_its_name_is_not_told_as_renamed_from_its_address() {
    let (names, view) = names("address,site\n10.0.0.2,lax\n");
    let said_before = |address| {
        let text = identify_all(&view, claim(address, None, 61));
        text.split(" Some(").next().unwrap_or_default().to_owned()
    };
    // One becomes known and earns its name by one message, one has a line and is known by its first.
    teach(&view, ROUTER, "r1");
    teach(&view, OTHER, "r2");
    let told_names = told(&names);
    assert_eq!(
        told_names,
        [("r1".into(), News::Unknown), ("r2".into(), News::New)]
    );
    assert_eq!(said_before(ROUTER), r#"Ok("r1") Ok("")"#);
    // Here a message without a name came first, whose key was the address.
    let third = [10, 0, 0, 3];
    identify(&view, claim(third, None, 0));
    teach(&view, third, "r3");
    assert_eq!(told(&names), [("r3".into(), News::Unknown)]);
    assert_eq!(said_before(third), r#"Ok("r3") Ok("10.0.0.3")"#);
}

#[test]
fn a_device_that_was_told_as_new_by_its_address_is_told_as_renamed_when_it_has_a_name() {
    let (names, view) = names("");
    for seconds in [0, 30, 60] {
        identify(&view, claim(ROUTER, None, seconds));
    }
    assert_eq!(told(&names), [("10.0.0.1".into(), News::New)]);
    for seconds in [70, 100, 130] {
        identify(&view, claim(ROUTER, Some("r1"), seconds));
    }
    let from = compact_str::CompactString::default();
    assert_eq!(told(&names), [("r1".into(), News::Renamed { from })]);
}

#[test]
fn a_conflict_that_goes_on_is_told_once_an_hour_and_one_that_does_not_is_counted_only() {
    let (names, view) = names("address,hostname\n10.0.0.7,core\n");
    let conflicts = |from: i64, to: i64| {
        for seconds in from..to {
            identify(&view, claim(OTHER, Some("core"), seconds));
        }
        told(&names)
            .into_iter()
            .filter(|(_, news)| matches!(news, News::Conflict { .. }))
            .collect::<Vec<_>>()
    };
    assert_eq!(conflicts(0, 60), []);
    let claimed = "core".into();
    assert_eq!(
        conflicts(60, 3600),
        [("10.0.0.2".into(), News::Conflict { claimed })]
    );
    assert_eq!(conflicts(3600, 3662).len(), 1);
}

#[test]
fn an_address_from_which_several_names_speak_is_told_as_shared_by_its_address() {
    let (names, view) = names("");
    for seconds in 0..200 {
        let name = ["r1", "r2", "r3"][seconds as usize % 3];
        identify(&view, claim(ROUTER, Some(name), seconds));
    }
    let shared: Vec<_> = told(&names)
        .into_iter()
        .filter(|(_, news)| *news == News::Shared)
        .collect();
    assert_eq!(shared, [(String::new(), News::Shared)]);
}

#[test]
fn a_relay_that_names_itself_is_one_device_and_its_own_numbers_are_followed() {
    let (names, mut view) = names("address,hostname\n10.9.9.9,relay1\n");
    let say = |view: &View, name, seconds: i64, number| {
        let sequence = Some(number);
        let claim = claim(RELAY, Some(name), seconds);
        let identity = identify(view, Claim { sequence, ..claim });
        assert_eq!(identity, format!("{name} Header"));
    };
    for (seconds, number) in [(0, 1), (30, 2), (60, 5), (63, 6)] {
        say(&view, "relay1", seconds, number);
    }
    assert_eq!(
        told(&names),
        [
            ("relay1".into(), News::New),
            ("relay1".into(), News::Missing(3..=4))
        ]
    );
    assert!(names.relayed.is_empty());
    assert_eq!(
        names.devices.get(RELAY.into()).unwrap().standing.messages,
        4
    );
    // Without a line: what reverse DNS calls the relay is its own name too.
    names.replace(names.known().config.clone(), Arc::default());
    view.refresh();
    names.take_dns_answer(RELAY.into(), "relay1", UnixMicros(64_000_000));
    say(&view, "relay1", 65, 7);
    assert!(names.relayed.is_empty());
    say(&view, "far", 66, 900);
    assert!(names.relayed.get("far").is_some());
}

#[test]
fn what_a_relay_sends_late_of_a_device_that_speaks_itself_is_no_gap() {
    let (names, view) = names("address,hostname\n10.0.0.1,r1\n");
    let mut watch = Watch::default();
    for step in 0..200 {
        let (seconds, behind) = (i64::try_from(step).unwrap(), 3_000 + step);
        for (address, number) in [(ROUTER, 9_000 + step), (RELAY, behind)] {
            let sequence = Some(number);
            let claim = claim(address, Some("r1"), seconds);
            identify(&view, Claim { sequence, ..claim });
        }
        names.watch(&mut watch, UnixMicros(seconds * 1_000_000));
    }
    names.watch(&mut watch, UnixMicros(300_000_000));
    let of_device = told(&names)
        .into_iter()
        .filter(|(name, _)| name == "r1")
        .collect::<Vec<_>>();
    assert_eq!(of_device, [("r1".into(), News::New)]);
    let device = names.devices.get(ROUTER.into()).unwrap();
    assert_eq!(device.standing.messages, 400);
    let sequence = device.sequence.unwrap();
    assert_eq!((sequence.missing, sequence.restarts), (0, 0));
}

#[test]
fn what_is_told_as_unknown_is_what_the_list_shows_as_unknown_behind_a_relay_too() {
    let (names, view) = names("address,hostname\n10.0.0.7,r7\n10.1.0.0/24,site1\n");
    let subject = Some(IpAddr::from(OTHER));
    for seconds in [0, 30, 60] {
        for name in ["r7", "far", "site1"] {
            identify(&view, claim(RELAY, Some(name), seconds));
        }
        let claim = claim(RELAY, None, seconds);
        identify(&view, Claim { subject, ..claim });
    }
    let told = names.notices.take().notices.into_iter();
    let mut unknown: Vec<_> = told
        .filter(|notice| notice.news == News::Unknown)
        .map(|notice| notice.name.to_string())
        .collect();
    let (mut listed, mut place) = (Vec::new(), Some(String::new()));
    while let Some(at) = place {
        let page = names.list(&at.parse().unwrap(), UnixMicros(61_000_000));
        let rows = page.devices.into_iter();
        listed.extend(rows.filter(|row| row.is_unknown()).map(|row| row.hostname));
        place = page.next;
    }
    unknown.sort();
    listed.sort();
    assert_eq!(unknown, ["10.0.0.2", "far"]);
    assert_eq!(listed, unknown);
}

#[test]
fn a_device_behind_a_relay_that_gets_a_line_with_its_address_is_not_told_as_silent_by_its_name() {
    let (names, mut view) = names("");
    let mut watch = Watch::default();
    names.watch(&mut watch, UnixMicros(0));
    for seconds in [0, 30, 60] {
        identify(&view, claim(RELAY, Some("far"), seconds));
    }
    let parsed = inventory::parse("address,hostname\n10.0.0.7,far\n", DomainPolicy::Keep);
    let config = Config {
        silent_seconds: 100,
        ..names.known().config.clone()
    };
    names.replace(config, Arc::new(parsed.unwrap().inventory));
    view.refresh();
    told(&names);
    for seconds in [90, 180, 270] {
        identify(&view, claim(RELAY, Some("far"), seconds));
        names.watch(&mut watch, UnixMicros(seconds * 1_000_000));
    }
    assert_eq!(told(&names), [("far".into(), News::New)]);
    assert!(names.relayed.is_empty());
}

/// A flood from made-up addresses, under made-up names and known ones, directly and in the name of a relay.
#[test]
fn a_flood_of_forged_addresses_and_names_changes_no_known_key_and_fills_no_more_than_its_room() {
    let names = Arc::new(Names::new(Config {
        relays: vec!["10.9.9.9/32".parse().unwrap()],
        devices_max: 1024,
        ..Config::default()
    }));
    let parsed = inventory::parse("address,hostname\n10.0.0.7,r7\n", DomainPolicy::Keep);
    let parsed = parsed.unwrap();
    names.replace(names.known().config.clone(), Arc::new(parsed.inventory));
    let view = View::new(names.clone());
    teach(&view, ROUTER, "r1");
    teach(&view, OTHER, "r2");
    let mut told = 0;
    for number in 0..200_000_u32 {
        let [_, high, middle, low] = number.to_be_bytes();
        let address = [172, 16 + high, middle, low];
        let made_up = format!("made-up-{number}");
        let name = ["r1", "r7", "core", &made_up][number as usize % 4];
        let seconds = 61 + i64::from(number) / 5_000;
        identify(&view, claim(address, Some(name), seconds));
        identify(&view, claim(RELAY, Some(&made_up), seconds));
        if number % 5_000 == 0 {
            names.devices.sweep(UnixMicros(seconds * 1_000_000));
            names.relayed.sweep(UnixMicros(seconds * 1_000_000));
            let said = names.notices.take();
            told = told.max(said.notices.len());
        }
    }
    assert_eq!(identify(&view, claim(ROUTER, None, 110)), "r1 Learned");
    assert_eq!(identify(&view, claim(OTHER, None, 110)), "r2 Learned");
    assert_eq!(
        identify(&view, claim([10, 0, 0, 7], None, 110)),
        "r7 Inventory"
    );
    let counts = names.devices.counts();
    assert!(counts.known <= 1024 && counts.newcomers <= devices::NEWCOMERS_MAX);
    let behind = names.relayed.len();
    assert!(behind <= devices::NEWCOMERS_MAX, "{behind}");
    assert!(told <= notices::EVENTS_MAX, "{told} events in a second");
}

#[test]
fn to_expect_senders_changes_nothing_that_is_known_of_them_nor_makes_them_known() {
    let (names, view) = names("");
    let address = |number: u32| IpAddr::from((0x0a00_0000 | number).to_be_bytes());
    let heard = |number| {
        let name = format!("sw{number}");
        for seconds in [0, 30, 60] {
            identify(
                &view,
                Claim {
                    address: Some(address(number)),
                    name: Some(&name),
                    received: UnixMicros(seconds * 1_000_000),
                    ..Claim::default()
                },
            );
        }
    };
    // Enough that none is near anyway.
    (0..2_500).for_each(heard);
    let seen = || {
        let devices: Vec<_> = (0..2_600)
            .map(|number| names.devices.get(address(number)))
            .map(|device| device.map(|device| (device.standing, device.said)))
            .collect();
        (devices, names.devices.counts())
    };
    let before = seen();
    assert_eq!(before.1.known, 2_500);
    view.expect((0..2_600).map(address).chain([IpAddr::from([0; 16])]));
    view.expect(std::iter::empty());
    assert_eq!(seen(), before);
}

/// The README shows one event of each kind; every field that it shows is the real event's.
#[test]
fn the_readme_shows_the_events_as_they_are() {
    const AT: i64 = 1_795_227_247;
    let known = [10, 20, 0, 7];
    let (names, view) = names("address,hostname,silent_seconds\n10.20.0.7,r7,100\n");
    let mut watch = Watch::default();
    let watch = &mut watch;
    let at = |seconds: i64| UnixMicros((AT + seconds) * 1_000_000);
    let say = |address, name, seconds, sequence| {
        let claim = claim(address, name, AT + seconds);
        identify(&view, Claim { sequence, ..claim });
    };
    names.watch(watch, at(-60));
    for (seconds, number) in [(-30, 41), (-20, 42), (0, 45)] {
        say(known, None, seconds, Some(number));
    }
    for seconds in 0..400 {
        say([10, 20, 0, 66], Some("r7"), seconds, None);
        let one = if seconds < 100 { "r1" } else { "r2" };
        say([10, 20, 0, 1], Some(one), seconds, None);
        let many = ["a", "b", "c"][seconds as usize % 3];
        say([10, 20, 0, 9], Some(many), seconds, None);
        if seconds % 5 == 0 {
            names.watch(watch, at(seconds));
        }
    }
    say(known, None, 401, None);
    let mut told = Vec::new();
    for notice in names.notices.drain() {
        let telling = telling::Telling::new(&notice);
        told.push(serde_json::to_value(telling.event("br17")).unwrap());
    }
    let readme = include_str!("../../README.md");
    let (_, behind) = readme
        .split_once("```json\n{\"kind\":\"device\"")
        .expect("the examples");
    let (block, _) = behind.split_once("```").expect("their end");
    let block = format!("{{\"kind\":\"device\"{block}");
    let shown = serde_json::Deserializer::from_str(&block).into_iter::<serde_json::Value>();
    let shown: Vec<serde_json::Value> = shown.collect::<Result<_, _>>().expect("JSON");
    assert_eq!(shown.len(), notices::Told::ALL.len());
    for example in &shown {
        let is_real = told.iter().any(|event| has_all(event, example));
        assert!(is_real, "{example}\nis none of\n{told:#?}");
    }
}

/// Whether `event` says all that `example` says.
fn has_all(event: &serde_json::Value, example: &serde_json::Value) -> bool {
    match example.as_object() {
        Some(fields) => fields
            .iter()
            .all(|(name, value)| event.get(name).is_some_and(|event| has_all(event, value))),
        None => event == example,
    }
}

#[test]
fn a_reload_tells_each_name_that_it_changes_and_an_unreadable_inventory_changes_none() {
    let (names, mut view) = names("address,hostname\n10.0.0.1,r1\n");
    identify(&view, claim(ROUTER, Some("x1"), 0));
    teach(&view, OTHER, "x2");
    names.notices.take();
    let mut reload = |text: Option<&str>| {
        let parsed = text.map(|text| inventory::parse(text, DomainPolicy::Keep).unwrap());
        let inventory = parsed.map(|parsed| Arc::new(parsed.inventory));
        names.reload(
            names.known().config.clone(),
            inventory,
            UnixMicros(70_000_000),
        );
        view.refresh();
        let mut told = told(&names);
        told.sort_by(|one, other| one.0.cmp(&other.0));
        (identify(&view, claim(ROUTER, None, 71)), told)
    };
    let renamed = |to: &str, from: &str| {
        let from = from.into();
        (to.to_owned(), News::Renamed { from })
    };
    let (name, told) = reload(Some("address,hostname\n10.0.0.1,r7\n10.0.0.2,r8\n"));
    assert_eq!(name, "r7 Inventory");
    assert_eq!(told, [renamed("r7", "r1"), renamed("r8", "x2")]);
    assert_eq!(reload(None), ("r7 Inventory".to_owned(), vec![]));
    let (name, told) = reload(Some("address,hostname\n10.0.0.2,r8\n"));
    assert_eq!(name, "10.0.0.1 Address");
    assert_eq!(told, [renamed("", "r7")]);
}

#[test]
fn a_device_that_the_inventory_renames_says_its_name_before_for_a_day_and_its_own_word_changes_nothing()
 {
    const DAY: i64 = 86_400;
    let (names, mut view) = names("address,hostname\n10.0.0.1,r1\n");
    teach(&view, ROUTER, "own");
    let said = |view: &View, seconds: i64| {
        let text = identify_all(view, claim(ROUTER, None, seconds));
        text.split(" Some(").next().unwrap_or_default().to_owned()
    };
    assert_eq!(said(&view, 61), r#"Ok("r1") Ok("")"#);
    let parsed = inventory::parse("address,hostname\n10.0.0.1,r7\n", DomainPolicy::Keep).unwrap();
    names.replace_inventory(Arc::new(parsed.inventory), UnixMicros(70_000_000));
    view.refresh();
    for (from, word) in [(100, "r7"), (200, "own2")] {
        for seconds in [from, from + 30, from + 60] {
            identify(&view, claim(ROUTER, Some(word), seconds));
        }
        let stored = names.devices.get(ROUTER.into()).unwrap().standing.name;
        assert_eq!(stored, word);
        assert_eq!(said(&view, from + 61), r#"Ok("r7") Ok("r1")"#);
    }
    assert_eq!(said(&view, 70 + DAY), r#"Ok("r7") Ok("r1")"#);
    assert_eq!(said(&view, 71 + DAY), r#"Ok("r7") Ok("")"#);
}
