//! What was held back, by device and code, and the event that says so.
//!
//! ```text
//!  add ──▶ 1 000 devices, 8 codes each ──take──▶ the 4 with the most, a summary each ──▶ Telling ──▶ Event<'_> { kind: storm }
//!          └ what is beyond: one count           └ the rest in one
//! ```

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt::Write;
use std::net::IpAddr;

use super::EVENTS_MAX;
use crate::event::{
    Agent, Device, Event, HeldCode, HostnameSource, Id, Kind, Rfc3339, SCHEMA, Severity, Storm,
    Text, TimeSource,
};
use crate::time::UnixMicros;

/// Devices of one second that are told apart.
const DEVICES_MAX: usize = 1_000;

/// Codes of a device that are told apart.
const CODES_MAX: usize = 8;

/// Bytes of a code that are kept; real ones are shorter.
const CODE_BYTES_MAX: usize = 128;

/// Counts since the last summary.
#[derive(Debug, Default)]
pub(super) struct Held {
    devices: HashMap<u64, Summary>,
    /// Of devices beyond those.
    others: Option<Summary>,
}

/// What was held back of one device, or of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    source: u64,
    /// The device; `None`: several.
    about: Option<About>,
    /// How many devices; of those beyond a thousand nobody keeps the number.
    pub devices: u64,
    /// How many messages.
    pub count: u64,
    /// The first codes, and how many messages each.
    pub codes: Vec<(String, u64)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct About {
    hostname: String,
    source: HostnameSource,
    address: Option<IpAddr>,
}

impl Held {
    /// One more message.
    pub fn add(&mut self, source: u64, event: &Event<'_>) {
        let is_full = self.devices.len() >= DEVICES_MAX && !self.devices.contains_key(&source);
        let summary = match is_full {
            true => self.others.get_or_insert_with(Summary::of_several),
            false => self.devices.entry(source).or_insert_with(|| Summary {
                source,
                about: Some(About {
                    hostname: String::from_utf8_lossy(event.device.hostname.0).into_owned(),
                    source: event.device.hostname_source,
                    address: event.device.address,
                }),
                devices: 1,
                count: 0,
                codes: Vec::new(),
            }),
        };
        summary.count += 1;
        if let Some(code) = event.event_code {
            let code = code.0.get(..CODE_BYTES_MAX).unwrap_or(code.0);
            summary.add_code(&String::from_utf8_lossy(code), 1);
        }
    }

    /// All of it, in at most [`EVENTS_MAX`] summaries.
    pub fn take(&mut self) -> Vec<Summary> {
        let mut summaries: Vec<Summary> = self.devices.drain().map(|(_, held)| held).collect();
        summaries.sort_by_key(|held| Reverse(held.count));
        let mut others = self.others.take();
        if summaries.len() > EVENTS_MAX || others.is_some() {
            let rest = summaries.split_off(summaries.len().min(EVENTS_MAX - 1));
            let others = others.get_or_insert_with(Summary::of_several);
            rest.into_iter().for_each(|held| others.merge(held));
        }
        summaries.extend(others);
        summaries
    }

    /// Counts that were taken come back.
    pub fn merge(&mut self, summary: Summary) {
        let known = match summary.about {
            Some(_) => self.devices.get_mut(&summary.source),
            None => self.others.as_mut(),
        };
        match known {
            // The device itself is counted already.
            Some(known) => known.merge(Summary {
                devices: summary.devices - u64::from(summary.about.is_some()),
                ..summary
            }),
            None if summary.about.is_none() => self.others = Some(summary),
            None => {
                self.devices.insert(summary.source, summary);
            }
        }
    }
}

impl Summary {
    fn of_several() -> Summary {
        Summary {
            source: 0,
            about: None,
            devices: 0,
            count: 0,
            codes: Vec::new(),
        }
    }

    fn add_code(&mut self, code: &str, count: u64) {
        let has_room = self.codes.len() < CODES_MAX;
        match self.codes.iter_mut().find(|(known, _)| known == code) {
            Some((_, known)) => *known += count,
            None if has_room => self.codes.push((code.to_owned(), count)),
            None => {}
        }
    }

    fn merge(&mut self, other: Summary) {
        self.devices += other.devices;
        self.count += other.count;
        for (code, count) in &other.codes {
            self.add_code(code, *count);
        }
    }
}

/// The texts that one summary's event borrows.
#[derive(Debug)]
pub struct Telling<'s> {
    summary: &'s Summary,
    at: UnixMicros,
    hostname: String,
    message: String,
    codes: Vec<HeldCode<'s>>,
}

impl<'s> Telling<'s> {
    /// What is said at `at`. Where it is of several devices it is the agent that says it of itself.
    pub fn new(summary: &'s Summary, agent_id: &str, at: UnixMicros) -> Telling<'s> {
        let mut codes: Vec<HeldCode<'s>> = summary
            .codes
            .iter()
            .map(|(code, count)| HeldCode {
                event_code: Some(code),
                count: *count,
            })
            .collect();
        codes.sort_by_key(|code| Reverse(code.count));
        let named: u64 = codes.iter().map(|code| code.count).sum();
        let mut message = format!("{} messages ", summary.count);
        // Writing to a String cannot fail.
        let _ = match &summary.about {
            Some(about) => write!(message, "of {} were held back", about.hostname),
            None => write!(message, "of more devices were held back"),
        };
        for (nth, code) in codes.iter().enumerate() {
            let before = if nth == 0 { ": " } else { ", " };
            let code_name = code.event_code.unwrap_or_default();
            let _ = write!(message, "{before}{} {code_name}", code.count);
        }
        let without = summary.count.saturating_sub(named);
        if without > 0 {
            if !codes.is_empty() {
                let _ = write!(message, ", {without} others");
            }
            codes.push(HeldCode {
                event_code: None,
                count: without,
            });
        }
        Telling {
            hostname: match &summary.about {
                Some(about) => about.hostname.clone(),
                None => agent_id.to_ascii_lowercase(),
            },
            summary,
            at,
            message,
            codes,
        }
    }

    /// The event.
    pub fn event<'a>(&'a self, agent_id: &'a str) -> Event<'a> {
        let at = Rfc3339::micros(self.at);
        let about = self.summary.about.as_ref();
        Event {
            schema: SCHEMA,
            id: Id(""),
            kind: Kind::Storm,
            time: at,
            time_source: TimeSource::Received,
            received: at,
            severity: Some(Severity::Warning),
            severity_code: Some(Severity::Warning as u8),
            device: Device {
                hostname: Text(self.hostname.as_bytes()),
                hostname_source: about.map_or(HostnameSource::Agent, |about| about.source),
                address: about.and_then(|about| about.address),
                vendor: None,
                os: None,
                previous_hostname: None,
                labels: None,
            },
            event_code: None,
            message: Text(self.message.as_bytes()),
            repeat_count: None,
            syslog: None,
            snmp: None,
            change: None,
            gap: None,
            storm: Some(Storm {
                held_back: self.summary.count,
                top_event_code: self.codes.iter().find_map(|code| code.event_code),
                event_codes: &self.codes,
            }),
            report: None,
            agent: Agent {
                id: agent_id,
                version: env!("CARGO_PKG_VERSION"),
                listener: None,
                transport: None,
            },
            parse_error: None,
            truncated: false,
            raw: None,
            raw_base64: None,
            raw_withheld: None,
        }
    }
}
