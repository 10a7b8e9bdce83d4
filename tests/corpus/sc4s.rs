//! The tests of Splunk Connect for Syslog: lines of 40 products, and host and source type that it finds.

use serde_json::Value;

use super::rates::Rates;
use super::{Exception, Exceptions, corpus, event_at, event_with, own_hostname, unframed};

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

/// What the tests there configure by how a host's name starts, because its lines are those of any Linux host (or, of
/// SONiC, of any maker's switch). Here the inventory says it, in its column `vendor`.
const CONFIGURED: [(&str, &str); 4] = [
    ("cisco-wsa-", "cisco"),
    ("infoblox-", "infoblox"),
    ("sonic-", "dell"),
    ("test-cms-", "cisco"),
];

/// By source type. A name that the line does not show is honestly absent.
const EXCEPTIONS: &[Exception] = &[
    (
        "ubnt",
        "host",
        "there the name is the model, which every such device has, or missing; ours is the MAC, which no other device has",
    ),
    (
        "pan:decryption",
        "host",
        "made anonymous: the device's name in the log is not the header's any more",
    ),
];

/// Of a hundred: hosts, and vendors where the inventory says what is configured there.
const HOST_PERCENT_MIN: usize = 97;
const VENDOR_PERCENT_MIN: usize = 97;
/// Vendors by the lines alone.
const VENDOR_ALONE_PERCENT_MIN: usize = 84;

/// Rows that are right of rows that say what is right.
#[derive(Default)]
struct Share {
    right: usize,
    all: usize,
}

impl Share {
    fn count(&mut self, right: bool) {
        self.right += usize::from(right);
        self.all += 1;
    }

    fn print(&self, what: &str, percent_min: usize) {
        let Share { right, all } = self;
        println!(
            "  {what}: {right} of {all} rows, {:.1} %",
            *right as f64 * 100.0 / *all as f64
        );
        assert!(right * 100 >= all * percent_min, "{what}: {right} of {all}");
    }
}

#[test]
fn host_and_vendor_are_those_that_splunk_connect_finds() {
    let Some(cases) = corpus("splunk-connect-for-syslog.jsonl") else {
        return;
    };
    let (mut rates, mut exceptions) = (Rates::default(), Exceptions::of(EXCEPTIONS));
    let (mut hosts, mut vendors, mut alone) =
        (Share::default(), Share::default(), Share::default());
    let (mut right, mut wrong) = (0, Vec::new());
    for case in &cases {
        let source_type = case["expected"]["sourcetype"].as_str().unwrap_or_default();
        let vendor = VENDORS
            .iter()
            .find(|(start, _)| source_type.starts_with(start))
            .map_or("none", |(_, vendor)| vendor);
        let received = case["sent_at"].as_str().unwrap_or_default();
        let (mut row, mut row_alone) = (Vec::new(), Vec::new());
        for input in case["input"].as_array().into_iter().flatten() {
            let input = unframed(input.as_str().unwrap_or_default().as_bytes());
            let event = event_at(&input, received);
            row_alone.extend(differences(case, vendor, &event, &mut rates));
            let name = own_hostname(&event).unwrap_or_default();
            let configured = CONFIGURED.iter().find(|(start, _)| name.starts_with(start));
            let event = event_with(&input, received, configured.map(|(_, vendor)| *vendor));
            row.extend(differences(case, vendor, &event, &mut Rates::default()));
        }
        let is_right = |row: &[(&str, Value)], column| row.iter().all(|(name, _)| *name != column);
        if case["expected"]["host"].is_string() {
            hosts.count(is_right(&row_alone, "host"));
        }
        if has_vendor(vendor) {
            vendors.count(is_right(&row, "vendor"));
            alone.count(is_right(&row_alone, "vendor"));
        }
        row.retain(|(column, _)| !(*column == "host" && exceptions.covers(source_type, column)));
        match row.is_empty() {
            true => right += 1,
            false => wrong.push(format!(
                "{} {source_type}: {row:?} {}",
                case["id"], case["input"][0]
            )),
        }
    }
    rates.print("splunk-connect-for-syslog");
    hosts.print("host", HOST_PERCENT_MIN);
    vendors.print("vendor, with what is configured there", VENDOR_PERCENT_MIN);
    alone.print("vendor by the line alone", VENDOR_ALONE_PERCENT_MIN);
    exceptions.print();
    println!(
        "{} rows, {right} right or with a reason; the others:\n{}",
        cases.len(),
        wrong.join("\n")
    );
    assert!(
        wrong.is_empty(),
        "{} rows differ without a reason",
        wrong.len()
    );
    assert!(cases.len() >= 155, "the corpus has been cut short");
}

fn has_vendor(vendor: &str) -> bool {
    !["none", "linux"].contains(&vendor)
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
    if has_vendor(vendor) {
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
