//! Which numbers of which device have arrived, in a bit each: millions of records are judged while they are read.

use std::collections::BTreeMap;

use super::audit::{Answer, audit};
use super::kafka::{Broker, Delivered};
use super::load::{Sent, total};
use super::oracle::{assert_well_made_with_repeats, number_after, string};

/// One record in so many is judged by the schema; the order and the numbers of all are.
const WELL_MADE_EVERY: usize = 50;

/// What has arrived.
#[derive(Debug, Default)]
pub struct Tally {
    devices: BTreeMap<String, Numbers>,
    records: usize,
}

#[derive(Debug, Default)]
struct Numbers {
    seen: Vec<u64>,
    distinct: u64,
    highest: Option<u64>,
}

impl Tally {
    /// Takes the next record of its partition. Panics where a number arrives for the first time behind a higher one.
    #[track_caller]
    pub fn take(&mut self, record: &Delivered) {
        if self.records.is_multiple_of(WELL_MADE_EVERY) {
            assert_well_made_with_repeats(std::slice::from_ref(record));
        }
        self.records += 1;
        let number = number_after(string(&record.event["message"]), "n=");
        let device = self.devices.entry(record.key.clone()).or_default();
        if device.insert(number) {
            let (key, highest) = (&record.key, device.highest);
            assert!(
                highest < Some(number),
                "of {key}: {number} after {highest:?}"
            );
            device.highest = Some(number);
        }
    }

    /// How many different messages there are.
    pub fn distinct(&self) -> u64 {
        self.devices.values().map(|device| device.distinct).sum()
    }

    /// How many records are repeats of others.
    pub fn repeats(&self) -> u64 {
        self.records as u64 - self.distinct()
    }

    /// The numbers below `sent` that have not arrived of `name`.
    pub fn missing(&self, name: &str, sent: u64) -> Vec<u64> {
        let device = self.devices.get(name);
        let absent = |number: &u64| device.is_none_or(|device| !device.contains(*number));
        (0..sent).filter(absent).collect()
    }

    /// Exactly the numbers below `sent` have arrived, device by device.
    #[track_caller]
    pub fn assert_complete(&self, sent: &Sent) {
        for (name, sent) in sent {
            let missing = self.missing(name, *sent);
            let first = missing.iter().take(20).collect::<Vec<_>>();
            assert!(
                missing.is_empty(),
                "of {name}, {} are missing: {first:?}",
                missing.len()
            );
        }
        assert_eq!(
            self.distinct(),
            sent.values().sum::<u64>(),
            "more arrived than was sent"
        );
    }
}

/// The last question of every fault test whose agent has one topic besides `reports`: everything that was sent is in
/// `topic`, and the agent's own reports account for the same. The agent has ended: its reports must not grow while they
/// are read. Returns how many repeats there are.
#[track_caller]
pub fn assert_nothing_missing(broker: &Broker, topic: &str, reports: &str, sent: &Sent) -> u64 {
    let repeats = assert_arrived(broker, topic, sent);
    let findings = audit(broker, &[topic, reports], Answer::Complete);
    findings.assert_accounts_for(topic, total(sent));
    assert_eq!(findings.count(topic, "repeated"), repeats);
    repeats
}

/// Everything that was sent is in `topic`, first occurrences in order. Returns how many repeats there are.
#[track_caller]
pub fn assert_arrived(broker: &Broker, topic: &str, sent: &Sent) -> u64 {
    let mut tally = Tally::default();
    let count = usize::try_from(total(sent)).expect("some millions");
    broker.read_each(topic, count, |record| tally.take(&record));
    tally.assert_complete(sent);
    tally.repeats()
}

impl Numbers {
    fn insert(&mut self, number: u64) -> bool {
        let (word, bit) = place(number);
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
        }
        let is_new = self.seen[word] & bit == 0;
        self.seen[word] |= bit;
        self.distinct += u64::from(is_new);
        is_new
    }

    fn contains(&self, number: u64) -> bool {
        let (word, bit) = place(number);
        self.seen.get(word).is_some_and(|seen| seen & bit != 0)
    }
}

fn place(number: u64) -> (usize, u64) {
    let word = usize::try_from(number / 64).expect("some millions");
    (word, 1 << (number % 64))
}
