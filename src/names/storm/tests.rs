//! Claims about limits and what they say.

use std::net::IpAddr;

use super::*;
use crate::event::{Kind, Text};

const RATE: Rate = Rate {
    events_per_second: 10,
    burst: 20,
};

/// An event of the device `name` at `address`.
fn with_event<T>(
    address: impl Into<IpAddr>,
    name: &str,
    severity: Option<Severity>,
    code: Option<&str>,
    then: impl FnOnce(&Event<'_>) -> T,
) -> T {
    let notice = super::super::news::Notice {
        address: address.into(),
        name: name.into(),
        source: crate::event::HostnameSource::Learned,
        at: UnixMicros(0),
        news: super::super::news::News::New,
    };
    let telling = super::super::telling::Telling::new(&notice);
    let mut event = telling.event("br17");
    event.kind = Kind::Syslog;
    event.severity = severity;
    event.event_code = code.map(|code| Text(code.as_bytes()));
    then(&event)
}

fn admits(storms: &Storms, last: u8, now: i64) -> bool {
    let address = [10, 0, 0, last];
    let code = Some("SYS-5-CONFIG_I");
    with_event(address, "r1", Some(Severity::Notice), code, |event| {
        storms.admits(event, false, UnixMicros(now))
    })
}

fn count(storms: &Storms, last: u8, now: i64) -> usize {
    (0..100).filter(|_| admits(storms, last, now)).count()
}

#[test]
fn a_sender_gets_its_burst_and_then_its_rate_whatever_others_do() {
    let storms = Storms::new(RATE);
    assert_eq!(count(&storms, 1, 0), 20);
    assert_eq!(count(&storms, 2, 0), 20);
    assert_eq!(count(&storms, 1, 1_000_000), 10);
    assert_eq!(count(&storms, 1, 100_000_000), 20);
}

#[test]
fn a_clock_that_is_set_back_does_not_silence_a_sender() {
    let storms = Storms::new(RATE);
    assert_eq!(count(&storms, 1, 1_000_000_000_000), 20);
    count(&storms, 1, 0);
    assert_eq!(count(&storms, 1, 2_000_000), 20);
}

#[test]
fn errors_and_worse_go_on_and_cost_nothing() {
    let storms = Storms::new(RATE);
    let urgent = || {
        let admitted = (0..100).filter(|_| {
            with_event([10, 0, 0, 1], "r1", Some(Severity::Error), None, |event| {
                storms.admits(event, false, UnixMicros(0))
            })
        });
        admitted.count()
    };
    assert_eq!(urgent(), 100);
    assert_eq!(count(&storms, 1, 0), 20);
    assert_eq!(urgent(), 100);
    assert_eq!(storms.take().iter().map(|held| held.count).sum::<u64>(), 80);
}

#[test]
fn behind_a_relay_each_device_has_its_own_bucket_and_elsewhere_a_name_makes_none() {
    let storms = Storms::new(RATE);
    let admitted = |is_relayed| {
        let admitted = (0..100).filter(|number| {
            let name = format!("r{number}");
            with_event([10, 0, 0, 9], &name, None, None, |event| {
                storms.admits(event, is_relayed, UnixMicros(0))
            })
        });
        admitted.count()
    };
    assert_eq!(admitted(true), 100);
    assert_eq!(admitted(false), 20);
}

#[test]
fn made_up_addresses_give_no_storming_sender_a_new_bucket() {
    let storms = Storms::new(RATE);
    assert_eq!(count(&storms, 1, 0), 20);
    for number in 0..200_000_u32 {
        with_event(number.to_be_bytes(), "x", None, None, |event| {
            storms.admits(event, false, UnixMicros(0))
        });
    }
    assert_eq!(count(&storms, 1, 0), 0);
}

#[test]
fn all_that_was_held_back_is_said_by_device_and_code_in_a_few_events() {
    let storms = Storms::new(Rate {
        events_per_second: 1,
        burst: 1,
    });
    let mut held_back = 0;
    for number in 0..1_500_u16 {
        let [high, low] = number.to_be_bytes();
        let messages = if number == 7 { 50 } else { 3 };
        for nth in 0..messages {
            let code = format!("CODE-{}", nth % 2);
            let name = format!("r{number}");
            with_event([10, 0, high, low], &name, None, Some(&code), |event| {
                held_back += u64::from(!storms.admits(event, false, UnixMicros(0)));
            });
        }
    }
    let said = storms.take();
    assert_eq!(said.len(), EVENTS_MAX);
    assert_eq!(said.iter().map(|held| held.count).sum::<u64>(), held_back);
    let told = Telling::new(&said[0], "br17", UnixMicros(0));
    let event = serde_json::to_value(told.event("br17")).unwrap();
    assert_eq!(event["kind"], "storm");
    assert_eq!(event["device"]["hostname"], "r7");
    assert_eq!(event["device"]["address"], "10.0.0.7");
    assert_eq!(event["storm"]["held_back"], 49);
    assert_eq!(event["storm"]["top_event_code"], "CODE-1");
    assert_eq!(
        event["storm"]["event_codes"][1],
        serde_json::json!({"event_code": "CODE-0", "count": 24})
    );
    assert_eq!(
        event["message"],
        "49 messages of r7 were held back: 25 CODE-1, 24 CODE-0"
    );
    let rest = said.last().unwrap();
    let told = Telling::new(rest, "br17", UnixMicros(0));
    assert_eq!(told.event("br17").device.hostname, Text(b"br17"));
    assert!(rest.devices > 900, "{}", rest.devices);
    assert_eq!(storms.take(), []);
}

#[test]
fn what_could_not_be_said_is_said_with_what_comes_next() {
    let storms = Storms::new(RATE);
    count(&storms, 1, 0);
    count(&storms, 2, 0);
    let first = storms.take();
    assert_eq!(first.len(), 2);
    count(&storms, 1, 0);
    first.into_iter().for_each(|held| storms.give_back(held));
    let second = storms.take();
    let counts: Vec<(u64, u64)> = second.iter().map(|it| (it.devices, it.count)).collect();
    assert_eq!(counts, [(1, 180), (1, 80)]);
    assert_eq!(second[0].codes, [("SYS-5-CONFIG_I".to_owned(), 180)]);
}
