//! Claims about the watch over devices: who is told as new, silent and back, and gaps that it finds.

use super::*;
use crate::normalize::device::Numbering;

#[test]
fn a_new_device_its_gap_its_silence_and_its_return_are_told_once_each() {
    let (names, view) =
        names("address,hostname,silent_seconds\n10.0.0.1,r1,100\n10.0.0.2,r2,100\n");
    let mut watch = Watch::default();
    names.watch(&mut watch, UnixMicros(0));
    for (seconds, number) in [(0, 1), (30, 2), (60, 5)] {
        let sequence = Some(number);
        identify(
            &view,
            Claim {
                sequence,
                ..claim(ROUTER, None, seconds)
            },
        );
    }
    let mut told = |seconds: i64| {
        names.watch(&mut watch, UnixMicros(seconds * 1_000_000));
        let said = names.notices.take().notices;
        said.into_iter()
            .map(|notice| (notice.name.to_string(), notice.news))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        told(63),
        [
            ("r1".into(), News::New),
            ("r1".into(), News::Missing(3..=4))
        ]
    );
    let never = News::Silent { last_heard: None };
    assert_eq!(told(150), [("r2".into(), never)]);
    let last_heard = Some(UnixMicros(60_000_000));
    assert_eq!(told(170), [("r1".into(), News::Silent { last_heard })]);
    assert_eq!(told(500), []);
    identify(&view, claim(ROUTER, None, 501));
    assert_eq!(told(502), [("r1".into(), News::Back)]);
}

#[test]
fn a_gap_of_a_device_that_has_not_earned_its_name_is_told_of_the_name_that_its_messages_carry() {
    let (names, view) = names("");
    let mut watch = Watch::default();
    names.watch(&mut watch, UnixMicros(0));
    identify(&view, claim(ROUTER, None, 0));
    for (seconds, number) in [(30, 1), (60, 2), (61, 5)] {
        let sequence = Some(number);
        let claim = claim(ROUTER, Some("r1"), seconds);
        assert_eq!(identify(&view, Claim { sequence, ..claim }), "r1 Header");
    }
    names.watch(&mut watch, UnixMicros(70_000_000));
    let told = told(&names);
    assert!(
        told.contains(&("r1".into(), News::Missing(3..=4))),
        "{told:?}"
    );
}

/// Silent devices that a look at this second tells of.
fn silent_at(names: &Names, watch: &mut Watch, seconds: i64) -> usize {
    names.watch(watch, UnixMicros(seconds * 1_000_000));
    let silent = |(_, news): &(String, News)| matches!(news, News::Silent { .. });
    told(names).iter().filter(|one| silent(one)).count()
}

#[test]
fn a_clock_that_is_set_makes_nobody_silent_and_hides_nobody_s_silence() {
    const YEARS: i64 = 1_000_000_000;
    for (before, after) in [(0, YEARS), (YEARS, 0)] {
        let (names, view) = names("address,hostname,silent_seconds\n10.0.0.1,r1,100\n");
        let mut watch = Watch::default();
        for seconds in [0, 30, 60] {
            identify(&view, claim(ROUTER, Some("r1"), before + seconds));
            assert_eq!(silent_at(&names, &mut watch, before + seconds), 0);
        }
        let set_to = UnixMicros(after * 1_000_000);
        names.clock_was_set(&mut watch, set_to);
        assert_eq!(silent_at(&names, &mut watch, after + 100), 0);
        assert_eq!(silent_at(&names, &mut watch, after + 101), 1);
        let standing = names.devices.get(ROUTER.into()).unwrap().standing;
        assert!(standing.first_heard <= standing.last_heard && standing.last_heard <= set_to);
    }
}

#[test]
fn a_clock_that_goes_with_the_steady_one_was_not_set() {
    let (start, second) = (std::time::Instant::now(), std::time::Duration::from_secs(1));
    let mut clock = watch::Clock::new(UnixMicros(0), start);
    let mut was_set = |wall_seconds: i64, steady_seconds: u32| {
        clock.was_set(
            UnixMicros(wall_seconds * 1_000_000),
            start + second * steady_seconds,
        )
    };
    assert!(!was_set(1, 1) && !was_set(60, 61), "a slow look");
    assert!(was_set(1_000_000, 62) && !was_set(1_000_001, 63));
    assert!(was_set(64, 64) && !was_set(65, 65));
}

#[test]
fn a_device_that_speaks_through_a_relay_is_not_silent_and_its_gaps_are_seen() {
    let (names, view) = names("address,hostname,silent_seconds\n10.0.0.1,r1,100\n");
    let mut watch = Watch::default();
    names.watch(&mut watch, UnixMicros(0));
    for (seconds, number) in [(0, 1), (90, 2), (180, 5), (270, 6)] {
        let sequence = Some(number);
        let claim = claim(RELAY, Some("r1"), seconds);
        assert_eq!(identify(&view, Claim { sequence, ..claim }), "r1 Header");
        names.watch(&mut watch, UnixMicros((seconds + 5) * 1_000_000));
    }
    assert_eq!(
        told(&names),
        [
            ("r1".into(), News::New),
            (String::new(), News::New),
            ("r1".into(), News::Missing(3..=4))
        ]
    );
    names.watch(&mut watch, UnixMicros(400_000_000));
    assert!(matches!(told(&names)[..], [(_, News::Silent { .. })]));
}

#[test]
fn a_device_that_only_relays_speak_for_is_known_by_name_and_told_as_new_silent_and_back() {
    let (names, view) = names("");
    let config = Config {
        silent_seconds: 100,
        ..names.known().config.clone()
    };
    names.replace(config, Arc::default());
    let mut view = view;
    view.refresh();
    let mut watch = Watch::default();
    names.watch(&mut watch, UnixMicros(0));
    for seconds in [0, 30, 60] {
        identify(&view, claim(RELAY, Some("far"), seconds));
    }
    assert!(told(&names).contains(&("far".into(), News::New)));
    names.watch(&mut watch, UnixMicros(200_000_000));
    let news = told(&names);
    assert!(
        news.iter()
            .any(|(name, news)| name == "far" && matches!(news, News::Silent { .. })),
        "{news:?}"
    );
    identify(&view, claim(RELAY, Some("far"), 201));
    let of_relay = (String::new(), News::Back);
    assert_eq!(told(&names), [of_relay, ("far".into(), News::Back)]);
    assert_eq!(names.relayed.len(), 1);
}

#[test]
fn a_device_behind_a_relay_has_the_limit_of_its_own_line_and_not_the_relays() {
    let (names, mut view) = names(
        "address,hostname,silent_seconds\n10.9.9.9,relay1,100\n10.1.0.0/24,site1,300\n10.2.0.0/24,site2,0\n",
    );
    let config = Config {
        silent_seconds: 600,
        ..names.known().config.clone()
    };
    names.replace(config, names.known().inventory.clone());
    view.refresh();
    let mut watch = Watch::default();
    names.watch(&mut watch, UnixMicros(0));
    for seconds in [0, 30, 60] {
        for name in ["far", "site1", "site2"] {
            identify(&view, claim(RELAY, Some(name), seconds));
        }
    }
    let mut silent_at = |seconds: i64| {
        names.watch(&mut watch, UnixMicros(seconds * 1_000_000));
        let told = told(&names).into_iter();
        told.filter(|(name, news)| name != "relay1" && matches!(news, News::Silent { .. }))
            .map(|(name, _)| name)
            .collect::<Vec<_>>()
    };
    assert_eq!(silent_at(300), [""; 0]);
    assert_eq!(silent_at(400), ["site1"]);
    assert_eq!(silent_at(700), ["far"]);
    assert_eq!(silent_at(90_000), [""; 0]);
}

#[test]
fn a_relay_is_told_as_new_silent_and_back_and_each_of_its_messages_counts_once() {
    let (names, view) = names("address,hostname,silent_seconds\n10.9.9.9,relay1,100\n");
    let mut watch = Watch::default();
    names.watch(&mut watch, UnixMicros(0));
    let subject = Some(IpAddr::from(ROUTER));
    let told_of_relay = || {
        let told = told(&names).into_iter();
        told.filter(|(name, _)| name == "relay1")
            .map(|(_, news)| news)
            .collect::<Vec<_>>()
    };
    identify(&view, claim(RELAY, Some("far"), 0));
    assert_eq!(told_of_relay(), [News::New]);
    let named_by_trap = Claim {
        subject,
        ..claim(RELAY, None, 30)
    };
    identify(&view, named_by_trap);
    identify(&view, claim(RELAY, None, 60));
    let messages = || names.devices.get(RELAY.into()).unwrap().standing.messages;
    assert_eq!(messages(), 3);
    names.watch(&mut watch, UnixMicros(200_000_000));
    assert!(matches!(told_of_relay()[..], [News::Silent { .. }]));
    identify(&view, claim(RELAY, Some("far"), 201));
    assert_eq!(told_of_relay(), [News::Back]);
    assert_eq!(messages(), 4);
}

#[test]
fn an_answer_of_reverse_dns_is_no_message_of_its_device() {
    let (names, view) = names("address,silent_seconds\n10.0.0.1,100\n");
    let mut watch = Watch::default();
    identify(&view, claim(ROUTER, None, 0));
    assert_eq!(silent_at(&names, &mut watch, 0), 0);
    assert_eq!(silent_at(&names, &mut watch, 101), 1);
    // It was asked when the device spoke, and the name server took its time.
    names.take_dns_answer(ROUTER.into(), "r1.example.net", UnixMicros(102_000_000));
    let from = compact_str::CompactString::default();
    let renamed = News::Renamed { from };
    assert_eq!(told(&names), [("r1.example.net".into(), renamed)]);
    assert_eq!(silent_at(&names, &mut watch, 103), 0, "told once");
    names.take_dns_answer(OTHER.into(), "r2.example.net", UnixMicros(104_000_000));
    assert!(names.devices.get(OTHER.into()).is_none(), "never heard");
}

/// What is told as missing of these messages from one address: name and number, ten a second.
fn missing(names: &Names, view: &View, said: &[(Option<&str>, u64)]) -> Vec<News> {
    let mut watch = Watch::default();
    for (step, (name, number)) in (0..).zip(said) {
        let message = Claim {
            sequence: Some(*number),
            received: UnixMicros(step * 100_000),
            ..claim(ROUTER, *name, 0)
        };
        identify(view, message);
        names.watch(&mut watch, UnixMicros(step * 100_000));
    }
    names.watch(&mut watch, UnixMicros(90_000_000_000));
    let told = told(names).into_iter().map(|(_, news)| news);
    told.filter(|news| matches!(news, News::Missing(_)))
        .collect()
}

#[test]
fn a_device_that_was_heard_to_count_what_it_logs_has_no_gaps_when_the_zeros_end_nor_after_a_restart()
 {
    use Numbering::{Either, Logged, Sent};
    let (before, view) = names("");
    let say = |view: &View, sequence, numbering, seconds| {
        let message = claim(ROUTER, Some("r1"), seconds);
        let message = Claim {
            sequence,
            numbering,
            ..message
        };
        identify(view, message);
    };
    let gaps = |names: &Names| {
        names.watch(&mut Watch::default(), UnixMicros(1_000_000_000));
        let told = told(names).into_iter().map(|(_, news)| news);
        told.filter(|news| matches!(news, News::Missing(_)))
            .collect::<Vec<_>>()
    };
    // 99997, 99999, ...: what it does not send has numbers too.
    for (seconds, number) in [(0, None), (30, None), (60, None), (61, Some(100_003))] {
        let numbering = number.map_or(Logged, |_| Either);
        say(&view, number, numbering, seconds);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("devices.jsonl");
    store::save(&path, &before).unwrap();
    let later = Arc::new(Names::new(before.known().config.clone()));
    store::load(&path, &later).unwrap();
    let after = View::new(later.clone());
    for (names, view) in [(&before, &view), (&later, &after)] {
        for (seconds, number) in [(62, 100_010), (63, 100_044)] {
            say(view, Some(number), Either, seconds);
        }
        assert_eq!(gaps(names), []);
        // It was told to count what it sends.
        for (seconds, number) in [(70, 7), (71, 8), (72, 10)] {
            say(view, Some(number), Sent, seconds);
        }
        assert_eq!(gaps(names), [News::Missing(9..=9)]);
    }
}

#[test]
fn what_one_device_behind_an_address_counts_says_nothing_of_another() {
    use Numbering::{Either, Logged};
    let (names, view) = names("");
    let say = |name, sequence, numbering, seconds| {
        let message = Claim {
            sequence,
            numbering,
            ..claim(ROUTER, Some(name), seconds)
        };
        identify(&view, message);
    };
    for seconds in [9_900, 9_930, 9_990] {
        identify(&view, claim(ROUTER, None, seconds));
    }
    say("core", None, Logged, 10_000);
    for (seconds, number) in [(10_001, 200_000), (10_002, 200_001), (10_003, 200_005)] {
        say("edge", Some(number), Either, seconds);
        say("core", None, Logged, seconds);
    }
    names.watch(&mut Watch::default(), UnixMicros(20_000_000_000));
    let news = told(&names).into_iter().map(|(_, news)| news);
    let gaps: Vec<_> = news
        .filter(|news| matches!(news, News::Missing(_)))
        .collect();
    assert_eq!(gaps, [News::Missing(200_002..=200_004)]);
}

#[test]
fn the_numbers_of_two_devices_behind_one_address_are_no_gaps() {
    for (inventory, second) in [("", "r2"), ("address,hostname\n10.0.0.7,core\n", "core")] {
        let (names, view) = names(inventory);
        let turns = (0..1_000).flat_map(|step| {
            let lost = u64::from(step >= 900);
            [
                (Some("r1"), 100_000 + step + lost),
                (Some(second), 5_000 + step),
            ]
        });
        let told = missing(&names, &view, &turns.collect::<Vec<_>>());
        assert_eq!(told, [News::Missing(100_900..=100_900)], "{second}");
    }
}

#[test]
fn a_device_with_two_names_and_one_counter_has_no_gaps_but_those_that_it_has() {
    let (names, view) = names("");
    let by_turns = |number: u64| [Some("r1"), Some("r1.example.net"), None][number as usize % 3];
    let said = (0..2_000).filter(|number| ![900, 901, 1_502].contains(number));
    let said = said.map(|number| (by_turns(number), number));
    let told = missing(&names, &view, &said.collect::<Vec<_>>());
    assert_eq!(
        told,
        [News::Missing(900..=901), News::Missing(1_502..=1_502)]
    );
}

#[test]
fn a_device_that_calls_itself_otherwise_goes_on_counting() {
    let (names, view) = names("");
    let said = (0..3_000).filter(|number| *number != 2_500);
    let said = said.map(|number| (Some(if number < 1_000 { "old" } else { "new" }), number));
    let told = missing(&names, &view, &said.collect::<Vec<_>>());
    assert_eq!(told, [News::Missing(2_500..=2_500)]);
}

#[test]
fn of_devices_that_all_call_themselves_the_same_each_has_its_gaps_told() {
    let (names, view) = names("");
    teach(&view, OTHER, "switch");
    let said = (0..1_000).filter(|number| *number != 900);
    let said = said.map(|number| (Some("switch"), number));
    let told = missing(&names, &view, &said.collect::<Vec<_>>());
    assert_eq!(told, [News::Missing(900..=900)]);
    assert_eq!(
        names.devices.owner("switch"),
        None,
        "it was silent for long"
    );
    let standing = names.devices.get(ROUTER.into()).unwrap().standing;
    assert_eq!(standing.conflicts, 999);
}

#[test]
fn the_numbers_of_devices_behind_one_address_are_no_gaps_though_their_names_are_refused() {
    let both = "address,hostname\n10.0.0.7,core\n10.0.0.8,edge\n";
    // Where one of the names may be earned, that is the one whose numbers are followed in the end.
    let core = "address,hostname\n10.0.0.7,core\n";
    for (inventory, lost) in [(both, 5_500..=5_500), (core, 100_700..=100_700)] {
        let (names, view) = names(inventory);
        let turns = (0..1_000).flat_map(|step| {
            [
                (Some("core"), 5_000 + step + u64::from(step >= 500)),
                (Some("edge"), 100_000 + step + u64::from(step >= 700)),
            ]
        });
        let told = missing(&names, &view, &turns.collect::<Vec<_>>());
        assert_eq!(told, [News::Missing(lost)], "{inventory}");
    }
}

#[test]
fn the_step_to_another_name_whose_numbers_are_followed_from_now_on_is_no_gap() {
    // The first that speaks has the numbers that are followed. Then it is silent, or another earns the address.
    for inventory in ["address,hostname\n10.0.0.7,core\n10.0.0.8,edge\n", ""] {
        let (names, view) = names(inventory);
        let first = (0..10).map(|step| (Some("core"), 5_000 + step));
        let rest = (0..7_000).filter(|step| *step != 6_500);
        let rest = rest.map(|step| (Some("edge"), 100_000 + step));
        let told = missing(&names, &view, &first.chain(rest).collect::<Vec<_>>());
        assert_eq!(told, [News::Missing(106_500..=106_500)], "{inventory}");
    }
}
