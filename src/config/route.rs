//! `[[route]]` → the rules that say which event goes where.
//!
//! ```text
//!  kind, listener, device, label, vendor, severity, event_code, message_contains, message_regex ──▶ When
//!  topic = "net.{listener}" | action = "drop" | sample = 10 ──────────────────────────────────────▶ Then
//! ```
//!
//! All that can be wrong with a rule is said before the first event: a rule that never holds, or a topic that Kafka does
//! not take, would show itself only by what is missing.

use std::num::NonZeroU32;

use super::environment::fold;
use super::problem::{Place, Problem, nearest};
use super::raw::RawRoute;
use super::reader::{Findings, Reader};
use super::resolve::is_topic;
use crate::event::{Kind, Severity};
use crate::route;
use crate::route::rules::{self, Pattern, RULES_MAX, Rule, TOPICS_MAX, Template, Then, When};

/// Longest name of a rule: it is a label of metrics.
const NAME_BYTES_MAX: usize = 64;

/// Resolves all rules, in order. `listeners` are the names of all listeners.
pub(super) fn resolve(
    raw: &[RawRoute],
    listeners: &[String],
    findings: &mut Findings,
) -> Vec<Rule> {
    if let Some(first_too_many) = raw.get(RULES_MAX) {
        findings.problems.push(Problem::expected(
            &first_too_many.at,
            "route",
            &format!("at most {RULES_MAX} rules"),
            &raw.len().to_string(),
            "put what has one consequence into one rule: its conditions are lists",
        ));
    }
    let mut rules = Vec::new();
    let mut named: Vec<(String, Place)> = Vec::new();
    for (index, route) in raw.iter().take(RULES_MAX).enumerate() {
        let name = route.name().unwrap_or_default();
        let shown = match name {
            "" => format!("route[{}]", index + 1),
            name => format!("route.{name}"),
        };
        let mut reader = Reader::of_route(&route.settings, shown, &route.at, findings);
        check_name(&mut reader, name);
        if let Some((_, other)) = named.iter().find(|(known, _)| *known == fold(name)) {
            let text = format!("the name is taken by the rule at {other}");
            let advice = "give each rule a name of its own (case, - and _ do not tell names apart)";
            reader.problem_text("route.name", text, advice);
        }
        if !name.is_empty() {
            named.push((fold(name), reader.place("route.name")));
        }
        let when = when(&mut reader, listeners);
        let then = then(&mut reader, listeners);
        rules.extend(then.map(|then| Rule {
            name: name.to_owned(),
            when,
            then,
        }));
    }
    if !raw.is_empty() {
        // Their order counts too, so that a reload sees a change of it.
        let order: Vec<&str> = raw.iter().filter_map(RawRoute::name).collect();
        findings.effective.note("route".to_owned(), &order);
    }
    rules
}

/// Each topic is a log of its own, so that there cannot be any number of them.
pub(super) fn check_topics(raw: &[RawRoute], route: &route::Config, findings: &mut Findings) {
    let lanes = route.lanes().len();
    if lanes > TOPICS_MAX {
        findings.problems.push(Problem::expected(
            &raw.first().map_or(Place::Absent, |route| route.at.clone()),
            "route",
            &format!("at most {TOPICS_MAX} topics in all"),
            &lanes.to_string(),
            "use fewer placeholders: a topic has one name for each value of {kind} (6), {severity} (9) and {listener}",
        ));
    }
}

fn check_name(reader: &mut Reader<'_>, name: &str) {
    const KEY: &str = "route.name";
    reader.note(KEY, &name);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !(1..=NAME_BYTES_MAX).contains(&name.len()) || !name.bytes().all(is_plain) {
        reader.problem(
            KEY,
            "1 to 64 letters, digits, - and _",
            &format!("{name:?}"),
            "choose a short name; metrics and `trapline explain` show it",
        );
    }
}

fn when(reader: &mut Reader<'_>, listeners: &[String]) -> When {
    let kinds = words(reader, "route.kind", "a kind of event", &kinds());
    let known: Vec<&str> = listeners.iter().map(String::as_str).collect();
    let severity = reader.text("route.severity");
    if let Some(severity) = severity {
        reader.note("route.severity", &severity);
    }
    When {
        kinds: kinds
            .iter()
            .filter_map(|name| Kind::from_name(name))
            .collect(),
        listeners: words(reader, "route.listener", "a listener's name", &known),
        // Names of devices and vendors are in lower case in every event.
        devices: patterns(reader, "route.device", |text| text.to_ascii_lowercase()),
        labels: labels(reader),
        vendors: texts(reader, "route.vendor")
            .into_iter()
            .map(|(vendor, _)| vendor.to_ascii_lowercase())
            .collect(),
        severity: severity.and_then(Severity::from_name),
        event_codes: patterns(reader, "route.event_code", str::to_owned),
        contains: texts(reader, "route.message_contains")
            .into_iter()
            .map(|(text, _)| text)
            .collect(),
        regex: regex(reader),
    }
}

fn kinds() -> Vec<&'static str> {
    // What the agent says of itself goes to its own topic, and no rule is asked.
    let kinds = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Agent);
    kinds.map(Kind::as_str).collect()
}

/// The texts of a list that was set. None of them may be empty: it would be in everything.
fn texts(reader: &mut Reader<'_>, key: &'static str) -> Vec<(String, Place)> {
    let Some(parts) = reader.list(key) else {
        return Vec::new();
    };
    let texts: Vec<&str> = parts.iter().map(|(text, _)| text.as_str()).collect();
    reader.note(key, &texts);
    if parts.is_empty() || texts.contains(&"") {
        reader.problem(
            key,
            "at least one text, and none that is empty",
            &format!("{texts:?}"),
            "leave the key out where any will do",
        );
    }
    parts.to_vec()
}

/// Texts that are all among `known`.
fn words(
    reader: &mut Reader<'_>,
    key: &'static str,
    expected: &str,
    known: &[&str],
) -> Vec<String> {
    let texts = texts(reader, key);
    for (text, at) in &texts {
        if !text.is_empty() && !known.contains(&text.as_str()) {
            let advice = match nearest(text, known.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("there are {}", known.join(", ")),
            };
            let shown = reader.shown(key);
            let problem = Problem::expected(at, &shown, expected, &format!("{text:?}"), advice);
            reader.findings.problems.push(problem);
        }
    }
    texts.into_iter().map(|(text, _)| text).collect()
}

fn patterns(
    reader: &mut Reader<'_>,
    key: &'static str,
    folded: impl Fn(&str) -> String,
) -> Vec<Pattern> {
    let mut patterns = Vec::new();
    for (text, at) in texts(reader, key) {
        match Pattern::new(&folded(&text)) {
            Some(pattern) => patterns.push(pattern),
            None => {
                let problem = not_a_pattern(reader, key, &text, &at);
                reader.findings.problems.push(problem);
            }
        }
    }
    patterns
}

fn not_a_pattern(reader: &Reader<'_>, key: &str, text: &str, at: &Place) -> Problem {
    Problem::expected(
        at,
        &reader.shown(key),
        "a text with * at its begin, its end, or both",
        &format!("{text:?}"),
        "name each variant, or match the message with message_regex",
    )
}

fn labels(reader: &mut Reader<'_>) -> Vec<(String, Pattern)> {
    const KEY: &str = "route.label";
    let mut labels = Vec::new();
    for (text, at) in texts(reader, KEY) {
        let pair = text
            .split_once('=')
            .filter(|(name, _)| !name.trim().is_empty());
        let problem = match pair.map(|(name, value)| (name, Pattern::new(value.trim()))) {
            Some((name, Some(pattern))) => {
                labels.push((name.trim().to_owned(), pattern));
                continue;
            }
            Some((_, None)) => not_a_pattern(reader, KEY, &text, &at),
            None => Problem::expected(
                &at,
                &reader.shown(KEY),
                "a label and its value",
                &format!("{text:?}"),
                "write \"site=lax\", or \"site=*\" for any value",
            ),
        };
        reader.findings.problems.push(problem);
    }
    labels
}

fn regex(reader: &mut Reader<'_>) -> Option<regex::bytes::Regex> {
    const KEY: &str = "route.message_regex";
    let text = reader.text(KEY)?;
    reader.note(KEY, &text);
    match rules::regex(text) {
        Ok(regex) => Some(regex),
        Err(error) => {
            // The error is drawn over several lines, with the expression on top; its last line says what it is.
            let error = error.lines().last().unwrap_or_default();
            let error = error.trim().trim_start_matches("error: ").to_owned();
            reader.problem_text(
                KEY,
                format!("the expression {text:?} cannot be used: {error}"),
                "write it as the Rust crate regex reads it (no look-around, no references back), in single quotes",
            );
            None
        }
    }
}

/// The one consequence of a rule.
fn then(reader: &mut Reader<'_>, listeners: &[String]) -> Option<Then> {
    const KEYS: [&str; 3] = ["route.topic", "route.action", "route.sample"];
    let set: Vec<&str> = KEYS.into_iter().filter(|key| reader.is_set(key)).collect();
    match set.as_slice() {
        ["route.topic"] => topic(reader, listeners).map(Then::Topic),
        ["route.action"] => {
            reader.note("route.action", &"drop");
            Some(Then::Drop)
        }
        ["route.sample"] => {
            let of = reader.number_u32("route.sample", 1);
            NonZeroU32::new(of).map(Then::Sample)
        }
        // What stands there cannot be used, and was reported.
        [] if reader.is_broken() => None,
        [] => {
            let text = "the rule says nothing of what happens to its events";
            let advice = "set one of topic = \"...\", action = \"drop\" and sample = 10";
            reader.problem_text("route.name", text, advice);
            None
        }
        [first, second, ..] => {
            let text = format!("{} is set as well", first.trim_start_matches("route."));
            let advice =
                "keep one of the two; what a sample lets through goes on to the rules behind it";
            reader.problem_text(second, text, advice);
            None
        }
        [_] => None,
    }
}

fn topic(reader: &mut Reader<'_>, listeners: &[String]) -> Option<String> {
    const KEY: &str = "route.topic";
    let text = reader.text(KEY).unwrap_or_default();
    reader.note(KEY, &text);
    let names = match Template::new(text) {
        Ok(template) => template.all(listeners),
        Err(error) => {
            let advice = "write the topic's name, with or without these placeholders";
            reader.problem_text(KEY, format!("in {text:?}: {error}"), advice);
            return None;
        }
    };
    if let Some(wrong) = names.iter().find(|name| !is_topic(name)) {
        reader.problem(
            KEY,
            "a Kafka topic: 1 to 249 letters, digits, dots, - and _",
            &format!("{wrong:?}"),
            "choose another name, for example \"net.urgent\" or \"net.{listener}\"",
        );
        return None;
    }
    Some(text.to_owned())
}
