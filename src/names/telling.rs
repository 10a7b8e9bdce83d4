//! A notice as an event: kind `device` or `gap`, about the device, made by the agent.
//!
//! ```text
//!  Notice { address, name, at, news } ──▶ Telling (texts) ──▶ Event<'_> { kind: device | gap, change | gap, message }
//!  Skipped { new: 4, gaps: 900, .. } ───▶ Telling ──────────▶ Event<'_> { kind: storm, held_back: 904 }
//! ```

use std::fmt::Write;
use std::net::IpAddr;

use crate::event::{
    Agent, Device, DeviceChange, DeviceChangeKind, Event, Gap, HostnameSource, Id, Kind, Rfc3339,
    SCHEMA, Severity, Storm, Text, TimeSource,
};
use crate::normalize::hostname::write_address;
use crate::time::UnixMicros;

use super::news::{News, Notice};
use super::notices::Skipped;

/// The texts that one event borrows.
#[derive(Debug)]
pub struct Telling {
    address: Option<IpAddr>,
    hostname: String,
    source: HostnameSource,
    at: UnixMicros,
    message: String,
    previous: Option<String>,
    claimed: Option<String>,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Change(DeviceChangeKind),
    Gap(u64, u64),
    Skipped(u64),
}

fn address_text(address: IpAddr) -> String {
    let mut text = Vec::new();
    write_address(address, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

impl Telling {
    /// What is told of one device.
    pub fn new(notice: &Notice) -> Telling {
        let address = address_text(notice.address);
        let (hostname, source) = match notice.name.as_str() {
            "" => (address.clone(), HostnameSource::Address),
            name => (name.to_owned(), notice.source),
        };
        let mut claimed = None;
        let (what, message, previous) = match &notice.news {
            News::New => (
                What::Change(DeviceChangeKind::New),
                format!("{hostname} ({address}) is heard for the first time"),
                None,
            ),
            News::Unknown => (
                What::Change(DeviceChangeKind::Unknown),
                format!(
                    "{hostname} ({address}) is heard for the first time, and the inventory does not have it"
                ),
                None,
            ),
            News::Conflict { claimed: name } => {
                claimed = Some(name.to_string());
                (
                    What::Change(DeviceChangeKind::Conflict),
                    format!(
                        "{address} calls itself {name}, which is another device's name; it is called {hostname}"
                    ),
                    None,
                )
            }
            News::Shared => (
                What::Change(DeviceChangeKind::Shared),
                format!(
                    "several devices speak from {address}: a relay or NAT; a relay that is to be believed belongs into \
                     identity.relays"
                ),
                None,
            ),
            News::Renamed { from } => {
                let from = match from.as_str() {
                    "" => address.clone(),
                    from => from.to_owned(),
                };
                (
                    What::Change(DeviceChangeKind::Renamed),
                    format!("{address} is now called {hostname}, before {from}"),
                    Some(from),
                )
            }
            News::Silent { last_heard } => {
                let since = match last_heard {
                    Some(at) => format!("since {}", Rfc3339::micros(*at)),
                    None => "since the agent started".to_owned(),
                };
                (
                    What::Change(DeviceChangeKind::Silent),
                    format!("{hostname} ({address}) is silent {since}"),
                    None,
                )
            }
            News::Back => (
                What::Change(DeviceChangeKind::Back),
                format!("{hostname} ({address}) speaks again"),
                None,
            ),
            News::Missing(numbers) => {
                let (first, last) = (*numbers.start(), *numbers.end());
                let count = last.saturating_sub(first).saturating_add(1);
                let mut message = format!("{hostname} ({address}): ");
                // Writing to a String cannot fail.
                let _ = match first == last {
                    true => write!(message, "its message {first} never arrived"),
                    false => write!(
                        message,
                        "its messages {first} to {last} never arrived, {count} in all"
                    ),
                };
                (What::Gap(first, last), message, None)
            }
        };
        Telling {
            address: Some(notice.address),
            hostname,
            source,
            at: notice.at,
            message,
            previous,
            claimed,
            what,
        }
    }

    /// What is told of all that there was no room for.
    pub fn of_skipped(skipped: &Skipped, agent_id: &str, at: UnixMicros) -> Telling {
        let counts: Vec<String> = skipped
            .parts()
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        Telling {
            address: None,
            hostname: agent_id.to_ascii_lowercase(),
            source: HostnameSource::Agent,
            at,
            message: format!(
                "more became known of devices than is told one by one: {}",
                counts.join(", ")
            ),
            previous: None,
            claimed: None,
            what: What::Skipped(skipped.total()),
        }
    }

    /// When it became known.
    pub fn at(&self) -> UnixMicros {
        self.at
    }

    /// The event.
    pub fn event<'a>(&'a self, agent_id: &'a str) -> Event<'a> {
        let severity = match self.what {
            What::Change(DeviceChangeKind::New) => Severity::Informational,
            What::Change(
                DeviceChangeKind::Renamed
                | DeviceChangeKind::Back
                | DeviceChangeKind::Unknown
                | DeviceChangeKind::Shared,
            ) => Severity::Notice,
            What::Change(DeviceChangeKind::Silent | DeviceChangeKind::Conflict)
            | What::Gap(..)
            | What::Skipped(_) => Severity::Warning,
        };
        let at = Rfc3339::micros(self.at);
        Event {
            schema: SCHEMA,
            id: Id(""),
            kind: match self.what {
                What::Change(_) => Kind::Device,
                What::Gap(..) => Kind::Gap,
                What::Skipped(_) => Kind::Storm,
            },
            time: at,
            time_source: TimeSource::Received,
            received: at,
            severity: Some(severity),
            severity_code: Some(severity as u8),
            device: Device {
                hostname: Text(self.hostname.as_bytes()),
                hostname_source: self.source,
                address: self.address,
                vendor: None,
                os: None,
                previous_hostname: self.previous.as_deref(),
                labels: None,
            },
            event_code: None,
            message: Text(self.message.as_bytes()),
            repeat_count: None,
            syslog: None,
            snmp: None,
            change: match self.what {
                What::Change(what) => Some(DeviceChange {
                    what,
                    previous_hostname: self.previous.as_deref(),
                    claimed_hostname: self.claimed.as_deref(),
                }),
                What::Gap(..) | What::Skipped(_) => None,
            },
            gap: match self.what {
                What::Gap(first_missing, last_missing) => Some(Gap {
                    counter: "sequence",
                    first_missing,
                    last_missing,
                }),
                What::Change(_) | What::Skipped(_) => None,
            },
            storm: match self.what {
                What::Skipped(held_back) => Some(Storm {
                    held_back,
                    top_event_code: None,
                    event_codes: &[],
                }),
                What::Change(_) | What::Gap(..) => None,
            },
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

#[cfg(test)]
mod tests {
    use super::*;

    fn told(news: News, name: &str) -> serde_json::Value {
        let notice = Notice {
            address: [10, 0, 0, 1].into(),
            name: name.into(),
            source: HostnameSource::Learned,
            at: UnixMicros(1_790_000_000_000_000),
            news,
        };
        serde_json::to_value(Telling::new(&notice).event("br17")).unwrap()
    }

    #[test]
    fn a_gap_says_which_numbers_never_arrived() {
        let event = told(News::Missing(7..=9), "r1");
        assert_eq!(event["kind"], "gap");
        assert_eq!(event["gap"]["first_missing"], 7);
        assert_eq!(
            event["message"],
            "r1 (10.0.0.1): its messages 7 to 9 never arrived, 3 in all"
        );
    }

    #[test]
    fn a_change_of_name_says_both_and_an_address_is_the_name_before_the_first() {
        let from = |from: &str| News::Renamed { from: from.into() };
        let event = told(from("old"), "new");
        assert_eq!(event["device"]["hostname"], "new");
        assert_eq!(event["change"]["previous_hostname"], "old");
        assert_eq!(
            told(from(""), "r1")["change"]["previous_hostname"],
            "10.0.0.1"
        );
    }

    #[test]
    fn a_nameless_device_is_its_address() {
        let event = told(News::New, "");
        assert_eq!(event["device"]["hostname"], "10.0.0.1");
        assert_eq!(event["device"]["hostname_source"], "address");
        assert_eq!(event["change"]["what"], "new");
    }
}
