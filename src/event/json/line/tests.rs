use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Serialize;

use super::*;
use crate::event::{Base64, Text};

fn ours(value: &impl Serialize) -> String {
    // What stands before it is none of its business.
    let mut out = b"{".to_vec();
    value.serialize(Line(&mut out)).unwrap();
    String::from_utf8(out.split_off(1)).unwrap()
}

/// Everything that events hold, without their meaning.
#[derive(Debug, Serialize)]
struct Sample<'a> {
    numbers: (u8, i64, u64, u32),
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<bool>,
    double: Option<f64>,
    text: Text<'a>,
    kind: crate::event::Kind,
    map: BTreeMap<String, Vec<String>>,
    binary: Base64<'a>,
    empty: Empty,
    nested: Option<Box<Sample<'a>>>,
}

#[derive(Debug, Serialize)]
struct Empty {}

/// Text in which what has to be escaped stands often, at any place of a piece of 8 or 16 bytes.
fn escaped_often() -> impl Strategy<Value = String> {
    let letter = prop_oneof![
        8 => prop::char::range('a', 'z'),
        1 => prop::char::range('\0', ' '),
        1 => prop::sample::select(vec!['"', '\\', '/', '\u{7f}', 'é', '\u{2028}', '💡']),
    ];
    prop::collection::vec(letter, 0..80).prop_map(String::from_iter)
}

proptest! {
    #[test]
    fn text_is_written_as_serde_json_writes_it(text in escaped_often(), any: String) {
        prop_assert_eq!(ours(&text), serde_json::to_string(&text).unwrap());
        prop_assert_eq!(ours(&any), serde_json::to_string(&any).unwrap());
    }

    #[test]
    fn values_are_written_as_serde_json_writes_them(
        numbers: (u8, i64, u64, u32),
        left_out: Option<bool>,
        double: Option<f64>,
        bytes: Vec<u8>,
        map in prop::collection::btree_map(escaped_often(), prop::collection::vec(escaped_often(), 0..3), 0..3),
        inner: Option<f64>,
    ) {
        let sample = |left_out, double, nested| Sample {
            numbers,
            left_out,
            double,
            text: Text(&bytes),
            kind: crate::event::Kind::SnmpTrap,
            map: map.clone(),
            binary: Base64(&bytes),
            empty: Empty {},
            nested,
        };
        let value = sample(left_out, double, Some(Box::new(sample(None, inner, None))));
        prop_assert_eq!(ours(&value), serde_json::to_string(&value).unwrap());
        prop_assert_eq!(ours(&bytes), serde_json::to_string(&bytes).unwrap());
    }
}

#[test]
fn every_control_character_is_escaped_at_every_place_of_a_piece() {
    for escaped in (0..0x20).chain([b'"', b'\\']) {
        for length in 1..40 {
            for at in 0..length {
                let mut bytes = vec![b'x'; length];
                bytes[at] = escaped;
                let text = std::str::from_utf8(&bytes).unwrap();
                assert_eq!(ours(&text), serde_json::to_string(text).unwrap());
            }
        }
    }
}

#[test]
fn what_no_event_holds_is_an_error_and_not_other_json() {
    #[derive(Serialize)]
    enum Carries {
        Value(u8),
    }
    let mut out = Vec::new();
    let error = Carries::Value(1).serialize(Line(&mut out)).unwrap_err();
    assert!(error.to_string().contains("Carries"), "{error}");
    assert!(BTreeMap::from([(1, 2)]).serialize(Line(&mut out)).is_err());
}
