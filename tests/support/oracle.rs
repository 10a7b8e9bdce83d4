//! What must be true of every delivered record, computed without the agent.

use std::collections::BTreeMap;

use serde_json::Value;

use super::kafka::{Delivered, PARTITIONS};
use super::schema::violations;

/// Key, partition, timestamp and schema of each record; no id twice.
#[track_caller]
pub fn assert_well_made(records: &[Delivered]) {
    assert_well_made_with_repeats(records);
    let mut ids = std::collections::BTreeSet::new();
    for record in records {
        let event = &record.event;
        assert!(ids.insert(string(&event["id"])), "an id twice: {event:#}");
    }
}

/// Key, partition, timestamp and schema of each record.
#[track_caller]
pub fn assert_well_made_with_repeats(records: &[Delivered]) {
    for record in records {
        let event = &record.event;
        let violations = violations(event);
        assert!(violations.is_empty(), "{violations:#?}\n{event:#}");
        assert_eq!(
            record.key,
            string(&event["device"]["hostname"]),
            "{event:#}"
        );
        let partition = partition(record.key.as_bytes(), PARTITIONS);
        assert_eq!(
            record.partition, partition,
            "partition of key {:?}",
            record.key
        );
        let received: jiff::Timestamp = string(&event["received"]).parse().expect("RFC 3339");
        assert_eq!(record.timestamp_ms, received.as_millisecond(), "{event:#}");
    }
}

/// The numbers `n=17` in the messages, by key, in the order in which they lie in the partition.
#[track_caller]
pub fn numbers_by_key(records: &[Delivered]) -> BTreeMap<String, Vec<u64>> {
    let mut numbers: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for record in records {
        let list = numbers.entry(record.key.clone()).or_default();
        list.push(number_after(string(&record.event["message"]), "n="));
    }
    numbers
}

/// Each of `keys` has exactly the numbers 0, 1, 2, ... `count` - 1, in this order.
#[track_caller]
pub fn assert_numbered(records: &[Delivered], keys: &[String], count: u64) {
    let numbers = numbers_by_key(records);
    assert_eq!(
        numbers.keys().collect::<Vec<_>>(),
        keys.iter().collect::<Vec<_>>(),
        "the devices"
    );
    for (key, numbers) in numbers {
        assert_eq!(numbers, (0..count).collect::<Vec<_>>(), "of {key}");
    }
}

/// The decimal number right behind the last `mark`.
#[track_caller]
pub fn number_after(message: &str, mark: &str) -> u64 {
    let (_, rest) = message
        .rsplit_once(mark)
        .unwrap_or_else(|| panic!("no {mark:?} in {message:?}"));
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits
        .parse()
        .unwrap_or_else(|error| panic!("{error} in {message:?}"))
}

/// The text of a JSON string.
#[track_caller]
pub fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// Where Java's clients put a key: murmur2 with the sign bit cleared, modulo the number of partitions
/// (`org.apache.kafka.clients.producer.internals.BuiltInPartitioner.partitionForKey`).
pub fn partition(key: &[u8], partitions: i32) -> i32 {
    (murmur2(key) & 0x7fff_ffff).cast_signed() % partitions
}

/// `org.apache.kafka.common.utils.Utils.murmur2`.
fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    let mut hash = SEED ^ u32::try_from(key.len()).expect("a short key");
    let (words, tail) = key.as_chunks::<4>();
    for word in words {
        let mut mixed = u32::from_le_bytes(*word).wrapping_mul(M);
        mixed ^= mixed >> 24;
        hash = hash.wrapping_mul(M) ^ mixed.wrapping_mul(M);
    }
    if !tail.is_empty() {
        for (place, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * place);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// The bytes of standard base64 (RFC 4648, section 4).
#[track_caller]
pub fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut bits, mut width) = (0_u32, 0);
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let value = ALPHABET.iter().position(|known| *known == letter);
        let value = value.unwrap_or_else(|| panic!("no base64: {text:?}"));
        bits = (bits << 6) | u32::try_from(value).expect("below 64");
        width += 6;
        if width >= 8 {
            width -= 8;
            bytes.push(((bits >> width) & 0xff) as u8);
        }
    }
    bytes
}

/// Values of Kafka's own test, `UtilsTest.testMurmur2`.
#[test]
fn the_oracle_hashes_as_java_does() {
    let java: [(&[u8], i32); 7] = [
        (b"21", -973_932_308),
        (b"foobar", -790_332_482),
        (b"a-little-bit-long-string", -985_981_536),
        (b"a-little-bit-longer-string", -1_486_304_829),
        (
            b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
            -58_897_971,
        ),
        (b"abc", 479_470_107),
        (b"", 275_646_681),
    ];
    for (key, hash) in java {
        assert_eq!(murmur2(key).cast_signed(), hash, "{key:?}");
    }
    assert_eq!(base64("AAECAw=="), [0, 1, 2, 3]);
}
