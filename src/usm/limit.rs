//! How much work strangers may ask for: one bucket of tokens a source, and one for all of them.
//!
//! ```text
//!   message that no cached key authenticates ─▶ a token of its source, and one of all ─none left─▶ usm_limited
//!   key by Reeder's extension                ─▶ the same, of buckets of its own       ─none left─▶ usm_limited
//! ```
//!
//! A sender's address can be made up, so the bucket of all bounds what the buckets of many addresses cannot. A message
//! that a cached key authenticates needs no token: no flood takes a known device's events.

use std::net::{IpAddr, Ipv6Addr};

use super::table::Table;

/// Sources that are counted one by one. A forgotten one begins anew.
const SOURCES_MAX: usize = 4096;

/// How fast a bucket fills, and how much it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Tokens a second.
    pub per_second: u32,
    /// Tokens of a full bucket.
    pub burst: u32,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    /// In microseconds.
    filled: u64,
}

impl Bucket {
    fn full(rate: Rate, now: u64) -> Bucket {
        Bucket {
            tokens: f64::from(rate.burst),
            filled: now,
        }
    }

    fn take(&mut self, rate: Rate, now: u64) -> bool {
        let passed = now.saturating_sub(self.filled) as f64 / 1e6;
        let tokens = self.tokens + passed * f64::from(rate.per_second);
        self.tokens = tokens.min(f64::from(rate.burst));
        self.filled = self.filled.max(now);
        let is_allowed = self.tokens >= 1.0;
        if is_allowed {
            self.tokens -= 1.0;
        }
        is_allowed
    }
}

/// The buckets of one kind of work.
#[derive(Debug)]
pub struct Limit {
    each: Rate,
    all: Rate,
    sources: Table<IpAddr, Bucket>,
    total: Option<Bucket>,
}

impl Limit {
    /// Full buckets: `each` for a source, `all` for all together.
    pub fn new(each: Rate, all: Rate) -> Limit {
        Limit {
            each,
            all,
            sources: Table::new(SOURCES_MAX),
            total: None,
        }
    }

    /// Takes one token, and says whether there was one. `now` is in microseconds.
    pub fn allows(&mut self, source: IpAddr, now: u64) -> bool {
        let (each, all) = (self.each, self.all);
        let source = of_network(source);
        let mut bucket = match self.sources.peek(&source) {
            Some(bucket) => *bucket,
            None => Bucket::full(each, now),
        };
        let is_allowed = bucket.take(each, now)
            && self
                .total
                .get_or_insert_with(|| Bucket::full(all, now))
                .take(all, now);
        self.sources.insert(source, bucket, now);
        is_allowed
    }
}

/// A host has a whole /64 of IPv6 to send from, so that is one source.
fn of_network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EACH: Rate = Rate {
        per_second: 10,
        burst: 20,
    };
    const ALL: Rate = Rate {
        per_second: 100,
        burst: 50,
    };

    fn source(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn a_source_gets_its_burst_and_then_its_rate_whatever_others_do() {
        let mut limit = Limit::new(EACH, ALL);
        let count = |limit: &mut Limit, last, now| {
            (0..100).filter(|_| limit.allows(source(last), now)).count()
        };
        assert_eq!(count(&mut limit, 1, 0), 20);
        assert_eq!(count(&mut limit, 2, 0), 20);
        assert_eq!(count(&mut limit, 3, 0), 10, "all together have 50");
        assert_eq!(count(&mut limit, 1, 1_000_000), 10);
    }

    #[test]
    fn addresses_that_are_made_up_cost_no_more_than_the_table() {
        let mut limit = Limit::new(EACH, ALL);
        let mut allowed = 0;
        for number in 0..100_000_u32 {
            allowed += u32::from(limit.allows(IpAddr::from(number.to_be_bytes()), 0));
        }
        assert_eq!(allowed, 50);
        assert_eq!(limit.sources.len(), SOURCES_MAX);
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let mut limit = Limit::new(EACH, ALL);
        let allowed = (0..100_u16)
            .filter(|host| {
                limit.allows(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, *host).into(), 0)
            })
            .count();
        assert_eq!(allowed, 20);
    }
}
