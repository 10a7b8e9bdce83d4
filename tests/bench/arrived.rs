//! Which numbers stand in a topic: the oracle beside the agent's own ledger.

use std::ops::Range;
use std::time::{Duration, Instant};

use rdkafka::Message;

use crate::kafka::Kafka;
use crate::trap;

/// How often the numbers of a range were found.
pub struct Arrived {
    /// Numbers that are there.
    pub distinct: u64,
    /// Numbers that are not.
    pub missing: u64,
    /// Records beyond the first of a number.
    pub repeated: u64,
}

/// Reads the whole topic.
pub fn numbers(kafka: &Kafka, topic: &str, sent: Range<u64>) -> Arrived {
    let mut seen = vec![0_u32; sent.end as usize];
    let consumer = kafka.reader(topic);
    let (mut left, until) = (
        kafka.count(topic),
        Instant::now() + Duration::from_secs(120),
    );
    while left > 0 && Instant::now() < until {
        if let Some(Ok(record)) = consumer.poll(Duration::from_millis(200)) {
            left -= 1;
            let number = record.payload().and_then(trap::number);
            if let Some(count) = number.and_then(|number| seen.get_mut(number as usize)) {
                *count += 1;
            }
        }
    }
    let of_range = &seen[sent.start as usize..];
    let distinct = of_range.iter().filter(|count| **count > 0).count() as u64;
    Arrived {
        distinct,
        missing: of_range.len() as u64 - distinct,
        repeated: of_range.iter().map(|count| u64::from(*count)).sum::<u64>() - distinct,
    }
}
