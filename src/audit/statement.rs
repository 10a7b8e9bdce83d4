//! Findings as text for people and as JSON for programs.
//!
//! ```text
//!  br17: 61 reports from 2026-11-21T02:00:00.000Z to 2026-11-21T03:00:00.000Z
//!    net.syslog    12345 produced   12340 found   5 declared
//!    2026-11-21T02:14:00.000Z to 2026-11-21T02:15:00.000Z, run 1M7Z2Y1A25K9TQ0ZD
//!      net.syslog    declared  4711-4715  spool_full
//! ```
//!
//! The text names only windows in which something is not as it should be; the JSON has all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::findings::{AgentFindings, Answer, Findings, Tally, WindowFindings};
use super::numbers::Ranges;
use super::record::What;

/// Ranges of one line of the text; the JSON has all.
const RANGES_SHOWN: usize = 20;

/// The findings for people.
pub fn text(findings: &Findings) -> String {
    let mut text = String::new();
    for agent in &findings.agents {
        // A String takes all text.
        let _ = agent_text(agent, &mut text);
    }
    let _ = summary(findings, &mut text);
    text
}

fn agent_text(agent: &AgentFindings, text: &mut String) -> std::fmt::Result {
    let begin = agent.windows.iter().map(|window| window.begin).min();
    let end = agent.windows.iter().map(|window| window.end).max();
    match (begin, end) {
        (Some(begin), Some(end)) => writeln!(
            text,
            "{}: {} reports from {begin} to {end}",
            agent.agent,
            agent.windows.len()
        )?,
        _ => writeln!(text, "{}: no report", agent.agent)?,
    }
    for total in totals(agent).values() {
        writeln!(text, "  {}", tally_line(total))?;
    }
    for topic in &agent.topics {
        if topic.uncovered > 0 || topic.repeats > 0 {
            writeln!(
                text,
                "  {}   {} in no report yet   {} came again",
                topic.topic, topic.uncovered, topic.repeats
            )?;
        }
    }
    for unknown in &agent.unknown {
        writeln!(
            text,
            "  run {} of {}: what the run before it took after its last report cannot be known",
            unknown.boot, unknown.at
        )?;
    }
    let odd = |window: &&WindowFindings| window.topics.iter().any(is_odd);
    agent
        .windows
        .iter()
        .filter(odd)
        .try_for_each(|window| window_text(window, text))
}

fn window_text(window: &WindowFindings, text: &mut String) -> std::fmt::Result {
    match &window.boot {
        Some(boot) => writeln!(text, "  {} to {}, run {boot}", window.begin, window.end)?,
        None => writeln!(
            text,
            "  between {} and {}, in no report",
            window.begin, window.end
        )?,
    }
    for tally in window.topics.iter().filter(|tally| is_odd(tally)) {
        let topic = &tally.topic;
        for (word, numbers) in [
            ("missing", &tally.missing),
            ("pending", &tally.pending),
            ("expired", &tally.expired),
            ("not read", &tally.unread),
        ] {
            if !numbers.is_empty() {
                writeln!(text, "    {topic}   {word}   {}", shown(numbers))?;
            }
        }
        for (reason, numbers) in &tally.declared {
            writeln!(
                text,
                "    {topic}   declared   {}   {reason}",
                shown(numbers)
            )?;
        }
        for (word, count) in [
            ("repeated", tally.repeated),
            ("out of order", tally.out_of_order),
        ] {
            if count > 0 {
                writeln!(text, "    {topic}   {count} {word}")?;
            }
        }
    }
    Ok(())
}

fn is_odd(tally: &Tally) -> bool {
    tally.found < tally.produced || tally.repeated > 0 || tally.out_of_order > 0
}

fn tally_line(tally: &Tally) -> String {
    let mut line = format!(
        "{}   {} produced   {} found",
        tally.topic, tally.produced, tally.found
    );
    for (word, count) in [
        ("missing", tally.missing.count()),
        ("declared", declared(tally)),
        ("pending", tally.pending.count()),
        ("expired", tally.expired.count()),
        ("not read", tally.unread.count()),
        ("repeated", tally.repeated),
        ("out of order", tally.out_of_order),
    ] {
        if count > 0 {
            let _ = write!(line, "   {count} {word}");
        }
    }
    line
}

fn summary(findings: &Findings, text: &mut String) -> std::fmt::Result {
    let sum = |count: fn(&Tally) -> u64| -> u64 {
        let tallies = findings.agents.iter().flat_map(AgentFindings::tallies);
        tallies.map(count).sum()
    };
    if findings.foreign > 0 {
        writeln!(text, "{} records are no events", findings.foreign)?;
    }
    let (produced, found) = (sum(|tally| tally.produced), sum(|tally| tally.found));
    match findings.answer() {
        Answer::Missing => writeln!(
            text,
            "{} of {produced} records are missing and no report says why, {} are declared",
            sum(|tally| tally.missing.count()),
            sum(declared)
        ),
        Answer::Unread => writeln!(
            text,
            "{} of {produced} records are in topics that were not read: give --topic {} too",
            sum(|tally| tally.unread.count()),
            unread(findings)
                .into_iter()
                .collect::<Vec<_>>()
                .join(" --topic ")
        ),
        Answer::Unreported => writeln!(
            text,
            "no report of {} was read: read the topic of its reports (topics.agent there), and see that its \
             agent.report_seconds is not 0",
            unreported(findings).join(", ")
        ),
        Answer::Expired => writeln!(
            text,
            "{} of {produced} records are not there, and Kafka has deleted records of that time or all of a partition: \
             whether they were there cannot be known; --since leaves out what is older than Kafka keeps",
            sum(|tally| tally.expired.count())
        ),
        Answer::Declared => writeln!(
            text,
            "{} of {produced} records are missing, and reports say why",
            sum(declared)
        ),
        Answer::Complete if found == produced => {
            writeln!(text, "all {produced} records are there")
        }
        Answer::Complete => writeln!(
            text,
            "{found} of {produced} records are there, {} may still come",
            sum(|tally| tally.pending.count())
        ),
    }
}

/// Agents of whom no report was read.
fn unreported(findings: &Findings) -> Vec<&str> {
    let agents = findings.agents.iter().filter(|agent| agent.reports == 0);
    agents.map(|agent| agent.agent.as_str()).collect()
}

/// Topics that reports name and that were not read.
fn unread(findings: &Findings) -> BTreeSet<&str> {
    let tallies = findings.agents.iter().flat_map(AgentFindings::tallies);
    tallies
        .filter(|tally| !tally.unread.is_empty())
        .map(|tally| tally.topic.as_str())
        .collect()
}

fn declared(tally: &Tally) -> u64 {
    let declared = tally.declared.iter();
    declared.map(|(_, numbers)| numbers.count()).sum()
}

/// Each topic's windows added up.
fn totals(agent: &AgentFindings) -> BTreeMap<&str, Tally> {
    let mut totals: BTreeMap<&str, Tally> = BTreeMap::new();
    for tally in agent.tallies() {
        let total = totals.entry(&tally.topic).or_default();
        total.topic.clone_from(&tally.topic);
        total.add(tally);
    }
    totals
}

/// `4711-4715, 4720`
fn shown(numbers: &Ranges) -> String {
    let range = |range: std::ops::Range<u64>| match range.end - range.start {
        1 => range.start.to_string(),
        _ => format!("{}-{}", range.start, range.end - 1),
    };
    let first: Vec<String> = numbers.iter().take(RANGES_SHOWN).map(range).collect();
    let mut text = first.join(", ");
    let more = numbers.iter().skip(RANGES_SHOWN).count();
    if more > 0 {
        let _ = write!(text, " and {more} more ranges");
    }
    text
}

/// The findings for programs: one object.
pub fn json(findings: &Findings) -> Value {
    let answer = match findings.answer() {
        Answer::Complete => "complete",
        Answer::Declared => "declared",
        Answer::Expired => "expired",
        Answer::Unreported => "unreported",
        Answer::Unread => "unread",
        Answer::Missing => "missing",
    };
    json!({
        "answer": answer,
        "records": findings.records,
        "foreign": findings.foreign,
        "agents": findings.agents.iter().map(agent_json).collect::<Vec<_>>(),
    })
}

fn agent_json(agent: &AgentFindings) -> Value {
    let topics = agent.topics.iter().map(|topic| {
        json!({"topic": topic.topic, "repeats": topic.repeats, "uncovered": topic.uncovered})
    });
    let unknown = agent
        .unknown
        .iter()
        .map(|unknown| json!({"boot": unknown.boot, "at": unknown.at.to_string()}));
    json!({
        "agent": agent.agent,
        "totals": totals(agent).values().map(tally_json).collect::<Vec<_>>(),
        "windows": agent.windows.iter().map(window_json).collect::<Vec<_>>(),
        "topics": topics.collect::<Vec<_>>(),
        "unknown": unknown.collect::<Vec<_>>(),
    })
}

fn window_json(window: &WindowFindings) -> Value {
    let what = window.what.map_or("gap", |what| match what {
        What::Started => "started",
        What::Window => "window",
        What::Stopped => "stopped",
    });
    json!({
        "what": what,
        "boot": window.boot,
        "begin": window.begin.to_string(),
        "end": window.end.to_string(),
        "topics": window.topics.iter().map(tally_json).collect::<Vec<_>>(),
    })
}

fn tally_json(tally: &Tally) -> Value {
    let declared = tally.declared.iter().map(|(reason, numbers)| {
        json!({"reason": reason, "count": numbers.count(), "ranges": ranges_json(numbers)})
    });
    json!({
        "topic": tally.topic,
        "produced": tally.produced,
        "found": tally.found,
        "missing": ranges_json(&tally.missing),
        "declared": declared.collect::<Vec<_>>(),
        "pending": ranges_json(&tally.pending),
        "expired": ranges_json(&tally.expired),
        "unread": ranges_json(&tally.unread),
        "repeated": tally.repeated,
        "out_of_order": tally.out_of_order,
    })
}

/// `[[first, last], ...]`
fn ranges_json(numbers: &Ranges) -> Value {
    numbers
        .iter()
        .map(|range| json!([range.start, range.end - 1]))
        .collect()
}
