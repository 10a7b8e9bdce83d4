//! The report as text for people, 80 columns wide.
//!
//! ```text
//!  trapline br17 0.1.0                                     ready, up 2h 4m
//!
//!  listener          address                  10 s/s    1 min/s     received
//!  syslog-udp        [::]:514                  812.4      790.1     12345678
//!    the kernel dropped 17 (0.0/s)
//!  ...
//! ```
//!
//! Pure: a report goes in, text comes out. What an agent says is tamed for the terminal like any stranger's text.

use std::fmt::{Arguments, Write as _};

use serde_json::Value;

use crate::cli::output::tamed;
use crate::observe::report::{
    KafkaReport, ListenerReport, ReplayReport, Report, SpoolReport, TopicReport,
};

/// Columns of a terminal as it opens.
const WIDTH: usize = 80;

/// The whole text; ends with a line feed.
pub(super) fn text(report: &Report) -> String {
    let mut page = Page::default();
    head(&mut page, report);
    listeners(&mut page, &report.listeners);
    topics(&mut page, &report.kafka.topics);
    page.line(format_args!(""));
    kafka(&mut page, &report.kafka);
    if let Some(it) = &report.replay {
        replay(&mut page, it);
    }
    spool(&mut page, &report.spool);
    records(&mut page, report);
    page.0
}

fn head(page: &mut Page, report: &Report) {
    let agent = &report.agent;
    let left = format!("trapline {} {}", agent.id, agent.version);
    let right = format!(
        "{}, up {}",
        report.status.replace('_', " "),
        duration(agent.uptime_ms / 1000)
    );
    let gap = WIDTH.saturating_sub(left.chars().count()).max(1);
    page.line(format_args!("{left}{right:>gap$}"));
    let mut process = format!("pid {}", agent.pid);
    if let Some(bytes) = agent.resident_bytes {
        let _ = write!(process, ", memory {}", size(bytes));
    }
    if let Some(seconds) = agent.cpu_seconds {
        let _ = write!(process, ", processor time {}", duration(seconds as u64));
    }
    page.line(format_args!("{process}"));
    for reason in &report.reasons {
        page.wrapped("! ", reason);
    }
    for it in &report.restart_needed {
        page.wrapped("! ", &format!("restart needed: {it}"));
    }
}

fn listeners(page: &mut Page, listeners: &[ListenerReport]) {
    page.line(format_args!(""));
    page.line(format_args!(
        "{:<16} {:<28} {:>9} {:>9} {:>14}",
        "listener", "address", "10 s /s", "1 min /s", "received"
    ));
    for it in listeners {
        let address = it.address.as_deref().unwrap_or("missing");
        let rate = it.per_second.received;
        page.line(format_args!(
            "{:<16} {:<28} {:>9.1} {:>9.1} {:>14}",
            it.name, address, rate.ten_seconds, rate.minute, it.received
        ));
        if it.kernel_dropped > 0 {
            let rate = it.per_second.kernel_dropped.minute;
            page.line(format_args!(
                "  the kernel dropped {} ({rate:.1} /s)",
                it.kernel_dropped
            ));
        }
        if !it.rejected.is_empty() {
            page.wrapped("  ", &format!("rejected: {}", counts(&it.rejected)));
        }
    }
}

fn topics(page: &mut Page, topics: &[TopicReport]) {
    page.line(format_args!(""));
    page.line(format_args!(
        "{:<24} {:>12} {:>10} {:>9}  {}",
        "topic", "pending", "bytes", "oldest", "state"
    ));
    for it in topics {
        let oldest = match it.pending {
            0 => "-".to_owned(),
            _ => duration(it.oldest_pending_age_ms / 1000),
        };
        let state = match it.state.as_str() {
            "untried" => "nothing sent yet",
            "flowing" => "flowing",
            _ => "does not move",
        };
        page.line(format_args!(
            "{:<24} {:>12} {:>10} {oldest:>9}  {state}",
            it.topic,
            it.pending,
            size(it.bytes)
        ));
        if let Some(why) = &it.why {
            page.wrapped("  ", why);
        }
    }
}

fn kafka(page: &mut Page, kafka: &KafkaReport) {
    let state = match kafka.state.as_str() {
        "up" => "connected",
        "not_configured" => "no brokers are configured",
        "refused" => "the brokers refuse us",
        _ => "not connected",
    };
    page.line(format_args!(
        "kafka    {state}, {} in flight, producer replaced {} times",
        kafka.in_flight, kafka.producer_restarts
    ));
    for text in [&kafka.why, &kafka.advice].into_iter().flatten() {
        page.wrapped("         ", text);
    }
}

fn replay(page: &mut Page, replay: &ReplayReport) {
    let left = match replay.seconds_left {
        Some(seconds) => format!("{} left", duration(seconds)),
        None => "it does not shrink".to_owned(),
    };
    page.line(format_args!(
        "replay   {} records, {}; shrinks by {}/s, {left}",
        replay.records,
        size(replay.bytes),
        size(replay.bytes_per_second)
    ));
    if let Some(cap) = replay.bytes_per_second_max {
        page.line(format_args!(
            "         at most {}/s above what arrives (replay.bytes_per_second)",
            size(cap)
        ));
    }
}

fn spool(page: &mut Page, spool: &SpoolReport) {
    let percent = spool.bytes.saturating_mul(100) / spool.bytes_max.max(1);
    let oldest = match spool.oldest_pending_age_ms {
        0 => "nothing waits".to_owned(),
        age => format!("the oldest event waits for {}", duration(age / 1000)),
    };
    page.line(format_args!(
        "spool    {}, {} of {} ({percent} %), {oldest}",
        spool.kind,
        size(spool.bytes),
        size(spool.bytes_max)
    ));
    if let Some(trouble) = &spool.trouble {
        page.wrapped("         ", trouble);
    }
}

fn records(page: &mut Page, report: &Report) {
    let records = report.ledger.get("records");
    let count = |name: &str| {
        let value = records.and_then(|records| records.get(name));
        value.and_then(Value::as_u64).unwrap_or(0)
    };
    page.line(format_args!(
        "records  accepted {} ({:.1} /s), delivered {} ({:.1} /s)",
        count("accepted"),
        report.accepted_per_second.ten_seconds,
        count("delivered"),
        report.delivered_per_second.ten_seconds
    ));
    page.line(format_args!(
        "         pending {}, set aside {}, sent again {}",
        count("pending"),
        count("dead_letter"),
        count("redelivered")
    ));
    let lost = records.and_then(|records| records.get("lost"));
    let lost = lost.and_then(Value::as_object).filter(|it| !it.is_empty());
    let lost = lost.map_or("nothing".to_owned(), counts);
    page.wrapped("         ", &format!("lost: {lost}"));
    if report.ledger.get("balanced") != Some(&Value::Bool(true)) {
        page.wrapped(
            "! ",
            "the ledger does not balance: a defect of trapline, please report it with `trapline status --json`",
        );
    }
}

/// `reason 3, other 4`
fn counts(map: &serde_json::Map<String, Value>) -> String {
    let each = map.iter().map(|(name, count)| format!("{name} {count}"));
    each.collect::<Vec<_>>().join(", ")
}

/// Two units, the second only where it matters: `2h 4m`.
fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// At most four digits and a unit: `17.3 MiB`.
fn size(bytes: u64) -> String {
    let units = [
        (1 << 40, "TiB"),
        (1 << 30, "GiB"),
        (1 << 20, "MiB"),
        (1 << 10, "KiB"),
    ];
    let unit = units.into_iter().find(|(factor, _)| bytes >= *factor);
    unit.map_or_else(
        || format!("{bytes} B"),
        |(factor, name): (u64, &str)| format!("{:.1} {name}", bytes as f64 / factor as f64),
    )
}

/// The text being written.
#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, text: Arguments<'_>) {
        self.0.push_str(&tamed(&text.to_string()));
        self.0.push('\n');
    }

    /// Text of any length behind `lead`; the lines below begin under the text.
    fn wrapped(&mut self, lead: &str, text: &str) {
        let indent = lead.chars().count();
        let mut line = lead.to_owned();
        let mut used = indent;
        for word in text.split_whitespace() {
            let length = word.chars().count();
            if used > indent && used + 1 + length > WIDTH {
                self.line(format_args!("{line}"));
                line = " ".repeat(indent);
                used = indent;
            }
            if used > indent {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += length;
        }
        self.line(format_args!("{line}"));
    }
}

#[cfg(test)]
mod tests;
