//! Event → [`Record`]: which topic it goes to, and how large it may be.
//!
//! ```text
//!  Event ──▶ rules ──▶ else the lane of its kind ──▶ id prefix of that lane ──▶ JSON ──▶ too large? cut, write again ──▶ Record
//!              └▶ filtered
//! ```

pub mod rules;

use std::sync::atomic::{AtomicU64, Ordering};

use crate::event::{self, Event, Kind, Text};
use crate::record::{LaneId, Origin, Record};
use crate::time::UnixMicros;

use rules::{Decision, Rule, RuleCounts, Rules};

/// Which topics there are, and how large a payload may be.
#[derive(Debug, Clone)]
pub struct Config {
    /// The topic of each kind, in the order of [`Kind::ALL`]. Kinds may share a topic.
    pub topics: [String; Kind::ALL.len()],
    /// The largest payload in bytes; a larger event is cut and says `truncated`.
    pub payload_bytes_max: usize,
    /// The operator's rules, in order.
    pub rules: Vec<Rule>,
    /// The listeners' names, for rules whose topic has them in it.
    pub listeners: Vec<String>,
}

impl Config {
    /// Kafka brokers take messages of 1 048 588 bytes unless told otherwise; key, headers and batch overhead need some of it.
    pub const PAYLOAD_BYTES_MAX_DEFAULT: usize = 1_000_000;

    /// The default topics, in the order of [`Kind::ALL`].
    pub const TOPICS_DEFAULT: [&'static str; Kind::ALL.len()] = [
        "net.syslog",
        "net.snmp",
        "net.device",
        "net.device",
        "net.device",
        "net.agent",
    ];

    /// The distinct topics in order of their first use: the spool's lanes.
    pub fn lanes(&self) -> Vec<String> {
        let mut lanes: Vec<String> = Vec::new();
        for topic in self.topics.iter().chain(&self.topics_of_rules()) {
            if !lanes.contains(topic) {
                lanes.push(topic.clone());
            }
        }
        lanes
    }

    /// Every topic that the rules may send to; one may stand in it more than once.
    pub fn topics_of_rules(&self) -> Vec<String> {
        rules::topics(&self.rules, &self.listeners)
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            topics: Config::TOPICS_DEFAULT.map(String::from),
            payload_bytes_max: Config::PAYLOAD_BYTES_MAX_DEFAULT,
            rules: Vec::new(),
            listeners: Vec::new(),
        }
    }
}

/// The routing table of one boot.
#[derive(Debug)]
pub struct Router {
    lane_of_kind: [LaneId; Kind::ALL.len()],
    id_prefixes: Vec<String>,
    payload_bytes_max: usize,
    /// Records that the spool took, by kind; on the heap, away from what every thread reads.
    taken: Box<[AtomicU64; Kind::ALL.len()]>,
    rules: Rules,
    listeners: Vec<String>,
}

/// Why an event could not become a record.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// Everything that may be cut was cut, and it is still larger than the limit.
    #[error(
        "the event has {bytes} bytes after cutting, the limit is {bytes_max}; raise kafka.message_bytes_max"
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// A rule of the operator's takes it out.
    #[error("rule {place} takes it out")]
    Filtered {
        /// The rule's place, from 0.
        place: usize,
    },
    /// JSON could not be written. The event's types rule this out; it is named so that it would be seen.
    #[error("the event could not be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl Router {
    /// A table for this agent and boot.
    pub fn new(config: &Config, agent_id: &str, boot: &Boot) -> Router {
        let lanes = config.lanes();
        let lane_of = |topic: &String| {
            lanes
                .iter()
                .position(|lane| lane == topic)
                .unwrap_or_default()
        };
        Router {
            lane_of_kind: config
                .topics
                .each_ref()
                .map(|topic| LaneId(lane_of(topic) as u16)),
            id_prefixes: (0..lanes.len())
                .map(|lane| format!("{agent_id}-{}-{lane}-", boot.0))
                .collect(),
            payload_bytes_max: config.payload_bytes_max,
            taken: Box::default(),
            rules: Rules::new(&config.rules, &config.listeners, &lanes),
            listeners: config.listeners.clone(),
        }
    }

    /// What each rule did since the start.
    pub fn rule_counts(&self) -> Vec<RuleCounts> {
        self.rules.counts()
    }

    /// The rule that decides about this event, by name.
    pub fn rule_of(&self, event: &Event<'_>) -> Option<&str> {
        self.rules.name_of(event)
    }

    /// What the ids of this run have before their numbers, by lane.
    pub fn id_prefixes(&self) -> &[String] {
        &self.id_prefixes
    }

    /// The lane of the agent's own reports, unless events of another kind go there too.
    pub fn lane_of_reports(&self) -> Option<LaneId> {
        let lane = self.lane_of_kind[Kind::Agent as usize];
        let users = self.lane_of_kind.iter().filter(|other| **other == lane);
        (users.count() == 1 && !self.rules.send_to(lane)).then_some(lane)
    }

    /// The spool has taken a record of this kind.
    pub fn count(&self, kind: Kind) {
        self.taken[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How many records the spool has taken, in the order of [`Kind::ALL`].
    pub fn taken(&self) -> [u64; Kind::ALL.len()] {
        self.taken
            .each_ref()
            .map(|count| count.load(Ordering::Relaxed))
    }

    /// Writes `event` into `payload` (which is cleared first) and says where it goes.
    pub fn record<'s, 'e: 's>(
        &'e self,
        event: &mut Event<'e>,
        received: UnixMicros,
        origin: Origin,
        payload: &'s mut Vec<u8>,
    ) -> Result<Record<'s>, RouteError> {
        let lane = self.lane(event)?;
        self.record_in(lane, event, received, origin, payload)
    }

    /// The lane that the rules, or its kind, send this event to. Counts for the rules.
    pub fn lane(&self, event: &Event<'_>) -> Result<LaneId, RouteError> {
        // What the agent says of itself is no message that a rule could be meant for, and is never dropped.
        let decision = match event.kind {
            Kind::Agent => Decision::Kind,
            _ => self.rules.decide(event, &self.listeners),
        };
        match decision {
            Decision::Lane(lane) => Ok(lane),
            Decision::Kind => Ok(self.lane_of_kind[event.kind as usize]),
            Decision::Filtered(place) => Err(RouteError::Filtered { place }),
        }
    }

    /// Writes `event` as [`Router::record`] does, for a lane that [`Router::lane`] gave.
    pub fn record_in<'s, 'e: 's>(
        &'e self,
        lane: LaneId,
        event: &mut Event<'e>,
        received: UnixMicros,
        origin: Origin,
        payload: &'s mut Vec<u8>,
    ) -> Result<Record<'s>, RouteError> {
        event.id = event::Id(
            self.id_prefixes
                .get(usize::from(lane.0))
                .map_or("", String::as_str),
        );
        let mut number_at = write(event, payload)?;
        if payload.len() > self.payload_bytes_max {
            number_at = self.cut(event, payload)?;
        }
        Ok(Record {
            lane,
            received,
            key: event.device.hostname.0,
            payload,
            number_at,
            origin,
        })
    }

    /// Shortens `event` in steps, the least valuable first, until it fits.
    fn cut(&self, event: &mut Event<'_>, payload: &mut Vec<u8>) -> Result<usize, RouteError> {
        event.truncated = true;
        // JSON writes one byte as at most six (`\u0000`), so two texts of a sixteenth each fit in three quarters.
        let text_bytes_max = self.payload_bytes_max / 16;
        let cut = |bytes| shortened(bytes, text_bytes_max);
        event.message = Text(cut(event.message.0));
        event.raw = event.raw.map(|raw| Text(cut(raw.0)));
        event.raw_base64 = event.raw_base64.map(|raw| event::Base64(cut(raw.0)));
        let mut number_at = write(event, payload)?;
        if payload.len() > self.payload_bytes_max {
            if let Some(syslog) = &mut event.syslog {
                syslog.structured_data = None;
                syslog.fields = None;
            }
            if let Some(snmp) = &mut event.snmp {
                snmp.varbinds = event::VarbindList(&NoVarbinds);
            }
            number_at = write(event, payload)?;
        }
        match payload.len() {
            bytes if bytes <= self.payload_bytes_max => Ok(number_at),
            bytes => Err(RouteError::TooLarge {
                bytes,
                bytes_max: self.payload_bytes_max,
            }),
        }
    }
}

fn write(event: &Event<'_>, payload: &mut Vec<u8>) -> Result<usize, RouteError> {
    payload.clear();
    Ok(event::write(event, payload)?)
}

/// At most `bytes_max` bytes of `text`, without splitting a UTF-8 character (RFC 3629: at most 3 continuation bytes).
fn shortened(text: &[u8], bytes_max: usize) -> &[u8] {
    let continues = |at: usize| text.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let end = (bytes_max.saturating_sub(3)..=bytes_max)
        .rev()
        .find(|&at| !continues(at))
        .unwrap_or(bytes_max);
    text.get(..end).unwrap_or(text)
}

#[derive(Debug)]
struct NoVarbinds;

impl event::Varbinds for NoVarbinds {
    fn for_each(&self, _: &mut dyn FnMut(&event::Varbind<'_>) -> bool) {}
}

/// Random digits of a [`Boot`], 5 bits each: of 1 000 runs that start at the same millisecond two share their 40 bits
/// with a probability of one in two million. Every event carries them.
const BOOT_RANDOM_DIGITS: u32 = 8;

/// The last five bits as a digit of Crockford's base 32.
fn base32_digit(number: u64) -> char {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    char::from(ALPHABET[(number % 32) as usize])
}

/// One run of the agent: the part of every id that makes numbers of two runs different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot(String);

impl Boot {
    /// From the time of start, so that ids of later runs sort later, and from the kernel's random numbers: a host without
    /// a clock of its own starts at the same time again and again, and numbers begin at 0 again where the spool is in
    /// memory. Milliseconds in Crockford's base 32, then eight random digits of it.
    pub fn new(start: UnixMicros, random: u64) -> Boot {
        let mut left = start.as_millis().max(0) as u64;
        let mut digits: Vec<char> = (0..BOOT_RANDOM_DIGITS)
            .map(|place| base32_digit(random >> (5 * place)))
            .collect();
        loop {
            digits.push(base32_digit(left));
            left /= 32;
            if left == 0 {
                break;
            }
        }
        Boot(digits.iter().rev().collect())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests;
