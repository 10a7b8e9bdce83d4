//! The tests of go-syslog: RFC 5424 and RFC 3164, field by field.

use serde_json::Value;
use trapline::decode::syslog::{Fidelity, Format, Message, read, timestamp};

use super::corpus;

/// Our value, theirs, and why they differ. Each is looked for; one that no longer occurs fails the test.
const KNOWN_DIFFERENCES: [(&str, &str); 1] = [(
    "Message",
    "theirs keeps the BOM; section 6.4 makes it a mark of the encoding, not a part of the text",
)];

fn bytes(case: &Value) -> Vec<u8> {
    let hex = case["input_hex"]
        .as_str()
        .expect("the corpus gives inputs in hex");
    let digits = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

/// The message in the corpus's own words.
fn in_their_words(message: &Message<'_>) -> Value {
    let text = |bytes: &[u8]| Value::from(String::from_utf8_lossy(bytes));
    let or_null = |bytes: Option<&[u8]>| bytes.map_or(Value::Null, text);
    let mut elements = serde_json::Map::new();
    if let Some(data) = message.structured_data {
        let Ok(()) = data.for_each_element::<std::convert::Infallible>(|id, params| {
            let params = serde_json::to_value(params).unwrap();
            let last_value = |(name, values): (&String, &Value)| {
                (
                    name.clone(),
                    values.as_array().unwrap().last().unwrap().clone(),
                )
            };
            let params = params.as_object().unwrap().iter().map(last_value).collect();
            elements.insert(String::from_utf8_lossy(id).into(), Value::Object(params));
            Ok(())
        });
    }
    let data = message.structured_data.map(|_| Value::Object(elements));
    serde_json::json!({
        "Facility": message.pri.map(|pri| pri.facility),
        "Severity": message.pri.map(|pri| pri.severity),
        "Hostname": or_null(message.hostname),
        "Appname": or_null(message.app_name),
        "ProcID": or_null(message.proc_id),
        "MsgID": or_null(message.msg_id),
        "StructuredData": data,
        "Message": or_null(Some(message.text).filter(|text| !text.is_empty())),
    })
}

/// The names of the fields that differ.
fn differences(case: &Value, message: &Message<'_>) -> Vec<String> {
    let theirs = &case["value"];
    let ours = in_their_words(message);
    let mut names: Vec<String> = ours
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, value)| **value != theirs[name.as_str()])
        .map(|(name, _)| name.clone())
        .collect();
    let our_time = message.time.map(|time| {
        // Theirs gives year 0 where none is written, which is a leap year like 2000.
        let year = Some(time.year.unwrap_or(0));
        timestamp::resolve(&timestamp::Stamp { year, ..time }, 0, 0)
            .unwrap()
            .at_micros
    });
    let their_time = theirs["Timestamp"]
        .as_str()
        .map(|time| time.parse::<jiff::Timestamp>().unwrap().as_microsecond());
    if our_time != their_time {
        names.push("Timestamp".into());
    }
    names
}

#[test]
fn every_valid_case_of_the_rfc_5424_corpus_is_read_with_equal_fields() {
    let Some(cases) = corpus("rfc5424.jsonl") else {
        return;
    };
    let (mut valid, mut equal, mut known) = (0, 0, [0; KNOWN_DIFFERENCES.len()]);
    for case in cases.iter().filter(|case| case["valid"] == true) {
        valid += 1;
        let bytes = bytes(case);
        let message = read(&bytes);
        assert_eq!(message.format, Format::Rfc5424, "{}", case["input"]);
        let names = differences(case, &message);
        for name in &names {
            let has_bom = bytes.windows(3).any(|three| three == b"\xef\xbb\xbf");
            let index = KNOWN_DIFFERENCES
                .iter()
                .position(|(known, _)| known == name && has_bom);
            let index = index
                .unwrap_or_else(|| panic!("{name} differs: {} read as {message:?}", case["input"]));
            known[index] += 1;
        }
        equal += usize::from(names.is_empty());
    }
    println!("rfc5424: {valid} valid, {equal} equal");
    for ((name, reason), count) in KNOWN_DIFFERENCES.iter().zip(known) {
        println!("  {count} differ in {name}: {reason}");
        assert!(count > 0, "{name} no longer differs: take it from the list");
    }
    assert!(valid > 500, "the corpus has been cut short");
}

#[test]
fn every_case_of_the_rfc_3164_corpus_is_read_with_equal_fields() {
    let Some(cases) = corpus("rfc3164.jsonl") else {
        return;
    };
    let mut valid = 0;
    for case in cases.iter().filter(|case| case["valid"] == true) {
        valid += 1;
        let mut case = case.clone();
        case["value"]["StructuredData"] = Value::Null;
        let bytes = bytes(&case);
        let message = read(&bytes);
        assert_eq!(
            differences(&case, &message),
            Vec::<String>::new(),
            "{}",
            case["input"]
        );
        assert_eq!(message.fidelity, Fidelity::Exact);
    }
    println!("rfc3164: {valid} valid, {valid} equal");
    assert!(valid > 0, "the corpus has been cut short");
}

#[test]
fn what_the_corpus_calls_invalid_is_kept_with_what_was_readable() {
    for name in ["rfc5424.jsonl", "rfc5424_noncompliantmsg.jsonl"] {
        let Some(cases) = corpus(name) else { return };
        let (mut invalid, mut errors) = (0, 0);
        for case in cases.iter().filter(|case| case["valid"] == false) {
            invalid += 1;
            let bytes = bytes(case);
            let message = read(&bytes);
            errors += usize::from(message.error.is_some());
            let whole = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
            let whole = whole.strip_suffix(b"\n").unwrap_or(whole);
            let whole = whole.strip_suffix(b"\r").unwrap_or(whole);
            assert!(whole.ends_with(message.text), "{}", case["input"]);
            if message.format == Format::Unknown {
                assert!(message.error.is_some(), "{}", case["input"]);
            }
        }
        println!("{name}: {invalid} invalid, all kept, {errors} with an error");
    }
}
