//! The tests of napalm-logs: lines of switches and routers, and what that project reads in them.

use serde_json::Value;

use super::rates::Rates;
use super::{Exception, Exceptions, corpus, event, own_hostname};

const EXCEPTIONS: &[Exception] = &[
    (
        "fortinet/FORWARD_TRAFFIC",
        "code",
        "theirs is the subtype (`forward`); ours is the log id, the vendor's name of the event",
    ),
    (
        "fortinet/FORWARD_TRAFFIC",
        "message",
        "theirs is what stands behind the subtype; a line without `msg` is left whole",
    ),
    (
        "huawei/INTERFACE_DOWN",
        "code",
        "theirs has the version of the format (`01`) in front; ours has it as a field",
    ),
    (
        "ios/OSPF_NEIGHBOR_UP",
        "message",
        "theirs takes `Process 1` for a process id; it is the first words of the message",
    ),
];

const COLUMNS: [&str; 4] = ["host", "time", "code", "message"];

#[test]
fn every_line_is_read_as_its_owners_read_it_or_a_reason_is_written() {
    let Some(cases) = corpus("napalm-logs.jsonl") else {
        return;
    };
    let (mut rates, mut exceptions) = (Rates::default(), Exceptions::of(EXCEPTIONS));
    let mut wrong = Vec::new();
    for case in &cases {
        let (id, os) = (text(&case["id"]), text(&case["os"]));
        let input = text(&case["input"]);
        let event = event(input.as_bytes());
        for column in COLUMNS {
            let hit = agrees(column, &case["expected"], &event);
            rates.count(os, column, hit);
            if !hit && !exceptions.covers(id, column) {
                wrong.push(format!("{id}: {column}\n    {input}\n    {event}"));
            }
        }
        if event["syslog"]["fields"].is_object() {
            rates.count(os, "fields", true);
        }
        let vendor = event["device"]["vendor"].is_string();
        rates.count(os, "vendor", vendor);
    }
    rates.print("napalm-logs");
    exceptions.print();
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
    assert!(cases.len() >= 69, "the corpus has been cut short");
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn agrees(column: &str, theirs: &Value, event: &Value) -> bool {
    match column {
        "host" => {
            own_hostname(event).is_some_and(|host| host.eq_ignore_ascii_case(text(&theirs["host"])))
        }
        "time" => {
            let ours = text(&event["time"]);
            let day = month_and_day(text(&theirs["date"]));
            event["time_source"] != "received"
                && ours.get(11..19) == text(&theirs["time"]).get(..8)
                && day.is_some_and(|day| ours.get(5..10) == Some(&day))
        }
        // Where a line has no code, that project takes the process or the first word instead.
        "code" => [&event["event_code"], &event["syslog"]["app_name"]].contains(&&theirs["tag"]),
        "message" => {
            let trim = |text: &str| text.trim_matches([' ', ':']).to_owned();
            trim(text(&theirs["message"])) == trim(text(&event["message"]))
        }
        _ => false,
    }
}

/// `11-06` of `Nov  6`, `2018 Nov 6`, `2018-Nov- 6`, `2018-11-6`.
fn month_and_day(date: &str) -> Option<String> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let words: Vec<&str> = date
        .split([' ', '-'])
        .filter(|word| !word.is_empty())
        .collect();
    let day: u8 = words.last()?.parse().ok()?;
    let month = words.get(words.len().checked_sub(2)?)?;
    let named = MONTHS.find(month).filter(|_| month.len() == 3);
    let month = named.map_or_else(|| month.parse().ok(), |at| Some(at / 3 + 1))?;
    Some(format!("{month:02}-{day:02}"))
}
