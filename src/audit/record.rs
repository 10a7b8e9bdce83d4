//! A payload of a topic → what the audit needs of it.
//!
//! ```text
//!  {"schema":1,"id":"br17-01JD8Q0AB-0-4711", ..., "report":{...}}  ──▶  Seen { agent br17, boot 01JD8Q0AB, number 4711, report }
//! ```
//!
//! An agent's name may hold `-`, so the id is read from its end.

use serde::Deserialize;

/// One event, as far as the audit looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The agent that made it.
    pub agent: String,
    /// The run of the agent that numbered it.
    pub boot: String,
    /// Its number in its topic.
    pub number: u64,
    /// Kind `agent`: the report.
    pub report: Option<Report>,
}

/// A report's `what`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The run began; the numbers are of earlier runs.
    Started,
    /// A window ended.
    Window,
    /// The run ends.
    Stopped,
}

/// Where the agent kept its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// Numbers go on from run to run.
    Disk,
    /// Each run begins at 0.
    Memory,
}

/// A report, as far as the audit looks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Report {
    /// What made the agent report.
    pub what: What,
    /// The run.
    pub boot: String,
    /// When the window began.
    pub begin: Time,
    /// When it ended.
    pub end: Time,
    /// Where records were kept.
    pub spool: Kept,
    /// `unknown`: what earlier runs took after their last report is in no report.
    pub previous_run: Option<String>,
    /// The numbers of each topic.
    pub topics: Vec<Topic>,
    /// What will never be in a topic.
    pub lost: Vec<Lost>,
}

/// One topic's numbers in a report.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Topic {
    /// The topic.
    pub topic: String,
    /// The first number of the window.
    pub first: Option<u64>,
    /// The last one.
    pub last: Option<u64>,
    /// The number that comes next.
    pub next: u64,
    /// All below are delivered or declared.
    pub settled_to: u64,
}

/// Missing numbers that a report declares.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Lost {
    /// The topic.
    pub topic: String,
    /// The first number.
    pub first: u64,
    /// The last number.
    pub last: u64,
    /// Why.
    pub reason: String,
    /// How many between the two.
    pub count: u64,
}

impl Lost {
    /// Whether every number of the range is missing.
    pub(super) fn is_whole(&self) -> bool {
        self.last.saturating_sub(self.first) < self.count
    }

    /// Whether this range says all that the `other` one does, or more.
    pub(super) fn holds(&self, other: &Lost) -> bool {
        self.is_around(other) && self.count >= other.count
    }

    /// Whether the `other` range lies in this one and has its reason.
    pub(super) fn is_around(&self, other: &Lost) -> bool {
        self.reason == other.reason && self.first <= other.first && self.last >= other.last
    }

    /// What lies below `number`, and what does not. Of a range of which only some numbers are missing nobody knows on which
    /// side they are: it counts as below.
    pub(super) fn parted_at(&self, number: u64) -> (Option<Lost>, Option<Lost>) {
        if self.first >= number {
            return (None, Some(self.clone()));
        }
        if self.last < number || !self.is_whole() {
            return (Some(self.clone()), None);
        }
        let part = |first, last| Lost {
            first,
            last,
            count: last - first + 1,
            ..self.clone()
        };
        let (below, above) = (part(self.first, number - 1), part(number, self.last));
        (Some(below), Some(above))
    }
}

/// Milliseconds since the epoch, read from and shown as RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub i64);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        let text = String::deserialize(deserializer)?;
        let at: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Time(at.as_millisecond()))
    }
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

#[derive(Deserialize)]
struct Payload {
    id: String,
    report: Option<Report>,
}

/// Reads one payload. `None` where it is no event of trapline's.
pub fn read(payload: &[u8]) -> Option<Seen> {
    let Payload { id, report } = serde_json::from_slice(payload).ok()?;
    let mut parts = id.rsplitn(4, '-');
    let number = parts.next()?.parse().ok()?;
    let _lane: u16 = parts.next()?.parse().ok()?;
    let boot = parts.next()?.to_owned();
    let agent = parts.next().filter(|agent| !agent.is_empty())?.to_owned();
    Some(Seen {
        agent,
        boot,
        number,
        report,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_from_its_end_and_what_is_no_event_is_nothing() {
        let seen = read(br#"{"schema":1,"id":"br-17-1M7Z-0-4711","kind":"syslog"}"#).unwrap();
        assert_eq!((seen.agent.as_str(), seen.number), ("br-17", 4711));
        assert_eq!((seen.boot.as_str(), seen.report), ("1M7Z", None));
        let random = read(br#"{"id":"br-17-1M7Z2Y1A25K9TQ0ZD-0-4711"}"#).unwrap();
        assert_eq!((random.agent.as_str(), random.number), ("br-17", 4711));
        assert_eq!(random.boot, "1M7Z2Y1A25K9TQ0ZD");
        for other in [
            &b"hello"[..],
            b"{}",
            br#"{"id":7}"#,
            br#"{"id":"4711"}"#,
            br#"{"id":"-1M7Z-0-1"}"#,
            br#"{"id":"a-1M7Z-x-1"}"#,
            br#"{"id":"a-1M7Z-0--1"}"#,
        ] {
            assert_eq!(read(other), None, "{}", String::from_utf8_lossy(other));
        }
    }
}
