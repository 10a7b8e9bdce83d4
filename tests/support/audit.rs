//! The last question of every fault test: is everything there that was sent?

use super::kafka::Broker;
use super::load::{Sent, total};
use super::tally::Tally;

/// Everything that was sent is in `topic`, first occurrences in order. Returns how many repeats there are.
#[track_caller]
pub fn assert_nothing_missing(broker: &Broker, topic: &str, sent: &Sent) -> u64 {
    let mut tally = Tally::default();
    let count = usize::try_from(total(sent)).expect("some millions");
    broker.read_each(topic, count, |record| tally.take(&record));
    tally.assert_complete(sent);
    tally.repeats()
}
