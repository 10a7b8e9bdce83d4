//! The tests of Splunk Connect for Syslog: lines of 40 products, and host and source type that it finds.

use serde_json::Value;

use super::rates::Rates;
use super::{Exception, Exceptions, corpus, event_at, own_hostname, unframed};

/// Vendors by the start of their source type there.
const VENDORS: [(&str, &str); 18] = [
    ("a10networks:", "a10"),
    ("aruba:", "aruba"),
    ("avaya:", "avaya"),
    ("barracuda:", "barracuda"),
    ("cisco:", "cisco"),
    ("cp_log", "checkpoint"),
    ("dell:sonic", "dell"),
    ("fgt_", "fortinet"),
    ("infoblox:", "infoblox"),
    ("netscreen:", "juniper"),
    ("nix:", "linux"),
    ("pan:", "paloalto"),
    ("pulse:", "pulsesecure"),
    ("riverbed:", "riverbed"),
    ("sophos:", "sophos"),
    ("ubnt", "ubiquiti"),
    ("sc4s:", "none"),
    ("", "none"),
];

/// By source type. A vendor that the line does not show is honestly absent; a wrong one is never excepted.
const EXCEPTIONS: &[Exception] = &[
    ("infoblox:dhcp", "vendor", PLAIN),
    ("infoblox:dns", "vendor", PLAIN),
    ("infoblox:port", "vendor", PLAIN),
    (
        "cisco:wsa:l4tm",
        "vendor",
        "the line has a date and a level, as many programs write; the vendor follows from the host's name",
    ),
    ("cisco:ms", "vendor", PLAIN),
    (
        "dell:sonic",
        "vendor",
        "SONiC runs on switches of many makers; the line shows the system (`os`), not whose",
    ),
    (
        "ubnt",
        "host",
        "there the name is the model (or missing); ours is the MAC, which no other device has",
    ),
    (
        "pan:decryption",
        "host",
        "made anonymous: the device's name in the log is not the header's any more",
    ),
];

const PLAIN: &str = "the line is any Linux daemon's; there the vendor follows from the host's name";

/// Rows of a hundred that must be right.
const RIGHT_PERCENT_MIN: usize = 65;

#[test]
fn host_and_vendor_are_those_that_splunk_connect_finds() {
    let Some(cases) = corpus("splunk-connect-for-syslog.jsonl") else {
        return;
    };
    let (mut rates, mut exceptions) = (Rates::default(), Exceptions::of(EXCEPTIONS));
    let (mut right, mut wrong) = (0, Vec::new());
    for case in &cases {
        let source_type = case["expected"]["sourcetype"].as_str().unwrap_or_default();
        let vendor = VENDORS
            .iter()
            .find(|(start, _)| source_type.starts_with(start))
            .map_or("none", |(_, vendor)| vendor);
        let mut row = Vec::new();
        for input in case["input"].as_array().into_iter().flatten() {
            let input = input.as_str().unwrap_or_default();
            let received = case["sent_at"].as_str().unwrap_or_default();
            let event = event_at(&unframed(input.as_bytes()), received);
            row.extend(differences(case, vendor, &event, &mut rates));
        }
        row.retain(|(column, value)| {
            let absent = *column == "host" || value.is_null();
            !(absent && exceptions.covers(source_type, column))
        });
        match row.is_empty() {
            true => right += 1,
            false => wrong.push(format!(
                "{} {source_type}: {row:?} {}",
                case["id"], case["input"][0]
            )),
        }
    }
    rates.print("SC4S");
    exceptions.print();
    println!(
        "{} rows, {right} right; the others:\n{}",
        cases.len(),
        wrong.join("\n")
    );
    assert!(
        right * 100 >= cases.len() * RIGHT_PERCENT_MIN,
        "{right} of {} rows are right",
        cases.len()
    );
    assert!(cases.len() >= 155, "the corpus has been cut short");
}

/// The columns that differ, with our value.
fn differences(
    case: &Value,
    vendor: &str,
    event: &Value,
    rates: &mut Rates,
) -> Vec<(&'static str, Value)> {
    let mut found = Vec::new();
    if let Some(host) = case["expected"]["host"].as_str() {
        let ours = own_hostname(event);
        let hit = ours.is_some_and(|name| name.eq_ignore_ascii_case(host));
        rates.count(vendor, "host", hit);
        if !hit {
            found.push(("host", event["device"]["hostname"].clone()));
        }
    }
    if !["none", "linux"].contains(&vendor) {
        let ours = &event["device"]["vendor"];
        rates.count(vendor, "vendor", ours == vendor);
        if ours != vendor {
            found.push(("vendor", ours.clone()));
        }
    }
    if case["expected"]["epoch"].is_array() {
        rates.count(vendor, "time", event["time_source"] != "received");
    }
    if event["syslog"]["fields"].is_object() {
        rates.count(vendor, "fields", true);
    }
    if event["event_code"].is_string() {
        rates.count(vendor, "code", true);
    }
    found
}
