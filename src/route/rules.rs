//! The operator's rules: which event goes where, and which goes nowhere.
//!
//! ```text
//!  event ──▶ rule 1: no ──▶ rule 2: yes, sample 1 of 10 ──▶ the tenth goes on ──▶ rule 3: yes, topic ──▶ lane
//!                                    └ the other nine: filtered           none ──▶ the topic of its kind
//! ```
//!
//! In order; the first that sends or drops decides. Every condition of a rule must hold, and of a list one. A topic may
//! have placeholders whose values are known before the first event (`{kind}`, `{listener}`, `{severity}`), so that all
//! topics are known at start: each has a log of its own.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};

use regex::bytes::{Regex, RegexBuilder};

use crate::event::{Event, Kind, Severity};
use crate::record::LaneId;

/// Topics in all. Each is a log with a file of its own, and memory of its own.
pub const TOPICS_MAX: usize = 64;

/// Rules in all. Each is tried for every event.
pub const RULES_MAX: usize = 256;

/// Memory that a compiled expression may take. A message's length times this bounds the time of one look.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name in metrics and `explain`.
    pub name: String,
    /// Which events it is for.
    pub when: When,
    /// What happens to them.
    pub then: Then,
}

/// What happens to an event that a rule matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// It goes to this topic, and no further rule is asked.
    Topic(String),
    /// It becomes no record, and is counted as `rejected{filtered}`.
    Drop,
    /// One of so many goes on to the rules behind; the others are dropped as above.
    Sample(NonZeroU32),
}

/// Which events a rule is for. An empty list, or nothing, is every event.
#[derive(Debug, Clone, Default)]
pub struct When {
    /// Kinds.
    pub kinds: Vec<Kind>,
    /// Listeners by name.
    pub listeners: Vec<String>,
    /// Device names.
    pub devices: Vec<Pattern>,
    /// Labels and their values.
    pub labels: Vec<(String, Pattern)>,
    /// Vendors.
    pub vendors: Vec<String>,
    /// At least as severe. An event without a severity is not.
    pub severity: Option<Severity>,
    /// Event codes.
    pub event_codes: Vec<Pattern>,
    /// Words of which the message has one, as they stand.
    pub contains: Vec<String>,
    /// An expression that the message matches.
    pub regex: Option<Regex>,
}

/// A text with `*` at its ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// The text itself.
    Exactly(String),
    /// `text*`
    Begins(String),
    /// `*text`
    Ends(String),
    /// `*text*`
    Holds(String),
}

impl Pattern {
    /// Reads a pattern. A `*` in the middle is none.
    pub fn new(text: &str) -> Option<Pattern> {
        let (left, rest) = match text.strip_prefix('*') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (right, middle) = match rest.strip_suffix('*') {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        if middle.contains('*') {
            return None;
        }
        let middle = middle.to_owned();
        Some(match (left, right) {
            (false, false) => Pattern::Exactly(middle),
            (false, true) => Pattern::Begins(middle),
            (true, false) => Pattern::Ends(middle),
            (true, true) => Pattern::Holds(middle),
        })
    }

    /// Whether `text` fits.
    pub fn fits(&self, text: &[u8]) -> bool {
        match self {
            Pattern::Exactly(all) => text == all.as_bytes(),
            Pattern::Begins(begin) => text.starts_with(begin.as_bytes()),
            Pattern::Ends(end) => text.ends_with(end.as_bytes()),
            Pattern::Holds(part) => memchr::memmem::find(text, part.as_bytes()).is_some(),
        }
    }
}

/// Compiles an expression within our bounds; it takes time linear in the message.
///
/// # Errors
/// What is wrong with it, in the words of the `regex` crate.
pub fn regex(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text)
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_BYTES_MAX)
        .build()
        .map_err(|error| error.to_string())
}

impl When {
    /// Whether the rule is for this event.
    pub fn holds(&self, event: &Event<'_>) -> bool {
        let one_of = |list: &[String], text: Option<&str>| {
            list.is_empty() || text.is_some_and(|text| list.iter().any(|one| one == text))
        };
        (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && one_of(&self.listeners, event.agent.listener)
            && one_of(&self.vendors, event.device.vendor)
            && self
                .severity
                .is_none_or(|least| event.severity.is_some_and(|severity| severity <= least))
            && fits(&self.devices, Some(event.device.hostname.0))
            && fits(&self.event_codes, event.event_code.map(|code| code.0))
            && self.labels.iter().all(|(name, pattern)| {
                let value = event.device.labels.and_then(|labels| labels.get(name));
                value.is_some_and(|value| pattern.fits(value.as_bytes()))
            })
            && (self.contains.is_empty()
                || self
                    .contains
                    .iter()
                    .any(|word| memchr::memmem::find(event.message.0, word.as_bytes()).is_some()))
            && self
                .regex
                .as_ref()
                .is_none_or(|regex| regex.is_match(event.message.0))
    }
}

fn fits(patterns: &[Pattern], text: Option<&[u8]>) -> bool {
    patterns.is_empty()
        || text.is_some_and(|text| patterns.iter().any(|pattern| pattern.fits(text)))
}

/// Rules that are ready: their topics are lanes.
#[derive(Debug)]
pub(super) struct Rules {
    ready: Vec<Ready>,
}

#[derive(Debug)]
struct Ready {
    rule: Rule,
    lanes: Lanes,
    matched: AtomicU64,
    dropped: AtomicU64,
}

/// A topic's lanes: one, or one for each value of its placeholders.
#[derive(Debug)]
struct Lanes {
    template: Template,
    of: Vec<LaneId>,
}

/// What the rules say of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// It goes there.
    Lane(LaneId),
    /// The rule at this place takes it out.
    Filtered(usize),
    /// Nothing: the topic of its kind.
    Kind,
}

/// How often a rule matched, and how many events it took out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleCounts {
    /// Its name.
    pub name: String,
    /// Events that it matched.
    pub matched: u64,
    /// Those of them that it took out.
    pub dropped: u64,
}

impl Rules {
    /// `lanes` are all topics, those of [`topics`] among them.
    pub fn new(rules: &[Rule], listeners: &[String], lanes: &[String]) -> Rules {
        let ready = rules.iter().map(|rule| {
            let template = match &rule.then {
                Then::Topic(topic) => Template::new(topic).unwrap_or_default(),
                Then::Drop | Then::Sample(_) => Template::default(),
            };
            let of = template.all(listeners).into_iter().map(|topic| {
                let place = lanes.iter().position(|lane| *lane == topic);
                LaneId(place.unwrap_or_default() as u16)
            });
            Ready {
                rule: rule.clone(),
                lanes: Lanes {
                    of: of.collect(),
                    template,
                },
                matched: AtomicU64::new(0),
                dropped: AtomicU64::new(0),
            }
        });
        Rules {
            ready: ready.collect(),
        }
    }

    /// Asks the rules in order.
    pub fn decide(&self, event: &Event<'_>, listeners: &[String]) -> Decision {
        for (place, ready) in self.ready.iter().enumerate() {
            if !ready.rule.when.holds(event) {
                continue;
            }
            let nth = ready.matched.fetch_add(1, Ordering::Relaxed);
            match &ready.rule.then {
                Then::Topic(_) => {
                    let lane = ready
                        .lanes
                        .of
                        .get(ready.lanes.template.place(event, listeners));
                    return lane.map_or(Decision::Kind, |lane| Decision::Lane(*lane));
                }
                Then::Sample(of) if nth % u64::from(of.get()) == 0 => {}
                Then::Drop | Then::Sample(_) => {
                    ready.dropped.fetch_add(1, Ordering::Relaxed);
                    return Decision::Filtered(place);
                }
            }
        }
        Decision::Kind
    }

    /// Whether a rule may send to this lane.
    pub fn send_to(&self, lane: LaneId) -> bool {
        self.ready.iter().any(|ready| {
            matches!(ready.rule.then, Then::Topic(_)) && ready.lanes.of.contains(&lane)
        })
    }

    /// The first rule that sends or drops this event, by name, without counting.
    pub fn name_of(&self, event: &Event<'_>) -> Option<&str> {
        let ready = self.ready.iter().find(|ready| {
            !matches!(ready.rule.then, Then::Sample(_)) && ready.rule.when.holds(event)
        });
        ready.map(|ready| ready.rule.name.as_str())
    }

    /// What each rule did.
    pub fn counts(&self) -> Vec<RuleCounts> {
        let counts = self.ready.iter().map(|ready| RuleCounts {
            name: ready.rule.name.clone(),
            matched: ready.matched.load(Ordering::Relaxed),
            dropped: ready.dropped.load(Ordering::Relaxed),
        });
        counts.collect()
    }
}

/// Every topic that the rules may send to.
pub(super) fn topics(rules: &[Rule], listeners: &[String]) -> Vec<String> {
    let templates = rules.iter().filter_map(|rule| match &rule.then {
        Then::Topic(topic) => Template::new(topic).ok(),
        Then::Drop | Then::Sample(_) => None,
    });
    templates
        .flat_map(|template| template.all(listeners))
        .collect()
}

/// A topic with placeholders.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Kind,
    Listener,
    Severity,
}

/// Severities as topics name them, and for events that have none.
const SEVERITIES: [&str; 9] = [
    "emergency",
    "alert",
    "critical",
    "error",
    "warning",
    "notice",
    "informational",
    "debug",
    "none",
];

impl Template {
    /// Reads a topic's name.
    ///
    /// # Errors
    /// The placeholder that is none.
    pub fn new(text: &str) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let (name, behind) = after.split_once('}').ok_or("a { without its }")?;
            parts.push(match name {
                "kind" => Part::Kind,
                "listener" => Part::Listener,
                "severity" => Part::Severity,
                other => {
                    return Err(format!(
                        "{{{other}}} is no placeholder; there are {{kind}}, {{listener}} and {{severity}}"
                    ));
                }
            });
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Template { parts })
    }

    /// Every name that it may become, in the order of [`Template::place`].
    pub fn all(&self, listeners: &[String]) -> Vec<String> {
        let mut names = vec![String::new()];
        for part in &self.parts {
            let values = part.values(listeners);
            // Enough to be refused by whoever counts topics, not enough to fill the memory.
            let names_max = names.len().min(TOPICS_MAX * 16);
            names = names
                .iter()
                .take(names_max)
                .flat_map(|name| values.iter().map(move |value| format!("{name}{value}")))
                .collect();
        }
        names
    }

    /// The place of the event's topic in [`Template::all`].
    fn place(&self, event: &Event<'_>, listeners: &[String]) -> usize {
        self.parts.iter().fold(0, |place, part| {
            let (value, count) = match part {
                Part::Text(_) => (0, 1),
                Part::Kind => (event.kind as usize, Kind::ALL.len()),
                Part::Severity => {
                    let value = event
                        .severity
                        .map_or(SEVERITIES.len() - 1, |severity| severity as usize);
                    (value, SEVERITIES.len())
                }
                Part::Listener => {
                    let place = listeners
                        .iter()
                        .position(|name| Some(name.as_str()) == event.agent.listener);
                    (place.unwrap_or(listeners.len()), listeners.len() + 1)
                }
            };
            place * count + value
        })
    }
}

impl Part {
    fn values(&self, listeners: &[String]) -> Vec<String> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        match self {
            Part::Text(text) => vec![text.clone()],
            Part::Kind => owned(&Kind::ALL.map(Kind::as_str)),
            Part::Severity => owned(&SEVERITIES),
            // The agent's own events come from no listener.
            Part::Listener => listeners
                .iter()
                .cloned()
                .chain(std::iter::once("agent".to_owned()))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_stars_at_their_ends_alone() {
        let fits = |pattern: &str, text: &str| Pattern::new(pattern).unwrap().fits(text.as_bytes());
        assert!(fits("r1", "r1") && !fits("r1", "r11"));
        assert!(fits("lax-*", "lax-r1") && !fits("lax-*", "ham-r1"));
        assert!(fits("*-r1", "lax-r1") && fits("*x-*", "lax-r1") && fits("*", "anything"));
        assert_eq!(Pattern::new("a*b"), None);
    }

    #[test]
    fn a_topics_names_are_known_before_the_first_event() {
        let listeners = ["a".to_owned(), "b".to_owned()];
        let all = |topic: &str| Template::new(topic).unwrap().all(&listeners);
        assert_eq!(all("urgent"), ["urgent"]);
        assert_eq!(all("net.{listener}"), ["net.a", "net.b", "net.agent"]);
        assert_eq!(all("{kind}-{severity}").len(), 6 * 9);
        assert!(
            Template::new("net.{vendor}")
                .unwrap_err()
                .contains("{kind}")
        );
        assert!(Template::new("net.{kind").is_err());
    }

    #[test]
    fn an_expression_that_would_take_much_memory_is_refused() {
        assert!(regex("link (up|down)").is_ok());
        assert!(regex("(").is_err());
        assert!(regex(r"(\w{1000}){1000}").is_err());
    }
}
