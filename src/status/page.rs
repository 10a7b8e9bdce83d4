//! The page for people: plain HTML, no scripts, everything from outside the program escaped.
//!
//! ```text
//!  Picture + Readiness + Health ──▶ status and reasons · listeners · Kafka and topics · ledger
//! ```

use crate::observe::health::{Health, Readiness};
use crate::observe::picture::{
    ConfigurationState, KafkaCondition, KafkaState, ListenerCondition, ListenerState, Picture,
    SpoolCondition, SpoolState, TopicCondition, TopicState,
};
use crate::observe::statement;

const STYLE: &str = "body{font:15px/1.5 sans-serif;margin:2em;max-width:75em}\
table{border-collapse:collapse}td,th{border:1px solid #bbb;padding:.2em .7em;text-align:left}\
pre{background:#f4f4f4;padding:1em;overflow:auto}\
.ready{color:#176117}.degraded{color:#8a5300}.not_ready,.stalled{color:#a11212}";

/// The whole page.
pub(super) fn html(picture: &Picture, readiness: &Readiness, health: &Health) -> String {
    let mut page = Html::default();
    let id = picture.agent.id.as_str();
    page.markup("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>trapline ");
    page.text(id);
    page.markup("</title><style>");
    page.markup(STYLE);
    page.markup("</style>");
    page.element("h1", &format!("trapline {id}"));
    let agent = &picture.agent;
    let uptime = uptime(agent.uptime_ms);
    page.element("p", &format!("version {}, up {uptime}", agent.version));
    status(&mut page, readiness, health);
    restart_needed(&mut page, &picture.configuration);
    listeners(&mut page, &picture.listeners);
    spool(&mut page, &picture.spool);
    kafka(&mut page, &picture.kafka);
    page.element("h2", "Ledger");
    page.element("pre", &statement::ledger_text(&picture.ledger));
    page.markup(
        "<p><a href=\"/metrics\">metrics</a> <a href=\"/ledger\">ledger</a> \
         <a href=\"/readyz\">readyz</a> <a href=\"/healthz\">healthz</a></p></html>\n",
    );
    page.0
}

fn status(page: &mut Html, readiness: &Readiness, health: &Health) {
    let name = readiness.status.as_str();
    page.markup("<h2 class=\"");
    page.text(name);
    page.markup("\">");
    page.text(&name.replace('_', " "));
    page.markup("</h2>");
    if !readiness.reasons.is_empty() {
        page.markup("<ul>");
        for reason in &readiness.reasons {
            page.element("li", reason);
        }
        page.markup("</ul>");
    }
    if let Health::Stalled(pulses) = health {
        for pulse in pulses {
            page.markup("<p class=\"stalled\">");
            page.text(&format!(
                "thread {} has not moved for {} ms",
                pulse.thread, pulse.age_ms
            ));
            page.markup("</p>");
        }
    }
}

fn restart_needed(page: &mut Html, configuration: &ConfigurationState) {
    for it in &configuration.restart_needed {
        page.element("p", &format!("restart needed: {it}"));
    }
}

fn listeners(page: &mut Html, listeners: &[ListenerState]) {
    page.element("h2", "Listeners");
    page.markup("<table>");
    page.row("th", ["name", "state", "receive buffer"]);
    for listener in listeners {
        let (state, buffer) = match &listener.state {
            ListenerCondition::Listening { address, buffer } => {
                let buffer = buffer.map(|buffer| {
                    format!(
                        "{} of {} bytes granted, a burst of {} datagrams",
                        buffer.granted_bytes, buffer.requested_bytes, buffer.burst_datagrams
                    )
                });
                (format!("on {address}"), buffer.unwrap_or_default())
            }
            ListenerCondition::Missing { why } => (format!("missing: {why}"), String::new()),
        };
        page.row("td", [listener.name.as_str(), &state, &buffer]);
    }
    page.markup("</table>");
}

fn spool(page: &mut Html, spool: &SpoolState) {
    page.element("h2", "Spool");
    let state = match &spool.state {
        SpoolCondition::Ready => String::new(),
        SpoolCondition::Degraded { why } => format!("; degraded: {why}"),
        SpoolCondition::Failed { why } => format!("; failed: {why}"),
    };
    let text = format!(
        "{}, {} of {} bytes, oldest pending {}{state}",
        spool.kind.as_str(),
        spool.bytes,
        spool.bytes_max,
        uptime(spool.oldest_pending_age_ms)
    );
    page.element("p", &text);
}

fn kafka(page: &mut Html, kafka: &KafkaState) {
    page.element("h2", "Kafka");
    let state = match &kafka.state {
        KafkaCondition::NotConfigured => "no bootstrap servers are configured".to_owned(),
        KafkaCondition::Connecting { why } => format!("not connected: {why}"),
        KafkaCondition::Refused { why } => format!("refused: {why}"),
        KafkaCondition::Up => format!("up, {} records in flight", kafka.in_flight),
    };
    page.element("p", &state);
    if let Some(replay) = &kafka.replay {
        page.element("p", &format!("replay: {replay}"));
    }
    page.markup("<table>");
    page.row("th", ["topic", "state", "pending", "oldest", "bytes"]);
    for topic in &kafka.topics {
        topic_row(page, topic);
    }
    page.markup("</table>");
}

fn topic_row(page: &mut Html, topic: &TopicState) {
    let state = match &topic.state {
        TopicCondition::Untried => "nothing sent yet".to_owned(),
        TopicCondition::Flowing => "flowing".to_owned(),
        TopicCondition::Stalled { why } => format!("stalled: {why}"),
    };
    let pending = topic.pending.to_string();
    let oldest = uptime(topic.oldest_pending_age_ms);
    let bytes = topic.bytes.to_string();
    page.row(
        "td",
        [topic.topic.as_str(), &state, &pending, &oldest, &bytes],
    );
}

/// A duration in milliseconds as people say it: `2d 3h`, `4m 5s`.
fn uptime(ms: u64) -> String {
    let seconds = ms / 1000;
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest}s"),
        (0, 0, _) => format!("{minutes}m {rest}s"),
        (0, _, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

/// HTML being written: markup is ours and constant, text is not.
#[derive(Debug, Default)]
struct Html(String);

impl Html {
    fn markup(&mut self, markup: &'static str) {
        self.0.push_str(markup);
    }

    /// Escaped for element content and quoted attributes alike (HTML, section 13.1.2).
    fn text(&mut self, text: &str) {
        for each in text.chars() {
            match each {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                other => self.0.push(other),
            }
        }
    }

    fn element(&mut self, tag: &'static str, text: &str) {
        self.open(tag);
        self.text(text);
        self.close(tag);
    }

    fn row<const N: usize>(&mut self, tag: &'static str, cells: [&str; N]) {
        self.open("tr");
        for cell in cells {
            self.element(tag, cell);
        }
        self.close("tr");
    }

    fn open(&mut self, tag: &'static str) {
        self.0.push('<');
        self.0.push_str(tag);
        self.0.push('>');
    }

    fn close(&mut self, tag: &'static str) {
        self.0.push_str("</");
        self.0.push_str(tag);
        self.0.push('>');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::health::{self, Pulse};

    const HOSTILE: &str = "<script>alert(\"1\")</script>&'";

    fn hostile_picture() -> Picture {
        let why = || HOSTILE.to_owned();
        let mut picture = Picture {
            listeners: vec![ListenerState {
                name: HOSTILE.into(),
                state: ListenerCondition::Missing { why: why() },
            }],
            ..Default::default()
        };
        picture.agent.id = HOSTILE.into();
        picture.agent.version = HOSTILE.into();
        picture.configuration.restart_needed.push(why());
        picture.spool.state = SpoolCondition::Degraded { why: why() };
        picture.kafka.state = KafkaCondition::Connecting { why: why() };
        picture.kafka.topics.push(TopicState {
            topic: HOSTILE.into(),
            pending: 1,
            bytes: 2,
            oldest_pending_age_ms: 3,
            state: TopicCondition::Stalled { why: why() },
        });
        picture
    }

    #[test]
    fn text_from_outside_never_becomes_markup() {
        let picture = hostile_picture();
        let stalled = Health::Stalled(vec![Pulse {
            thread: HOSTILE.into(),
            age_ms: 11_000,
        }]);
        let page = html(&picture, &health::readyz(&picture), &stalled);
        assert!(!page.contains("<script"), "{page}");
        assert!(!page.contains(")</script"), "{page}");
        let escaped = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;";
        assert!(page.matches(escaped).count() >= 11, "{page}");
    }

    #[test]
    fn every_element_that_is_opened_is_closed() {
        let picture = hostile_picture();
        let page = html(&picture, &health::readyz(&picture), &Health::Alive);
        for tag in [
            "html", "title", "style", "h1", "h2", "p", "ul", "li", "table", "tr", "td", "pre",
        ] {
            let opened = page.matches(&format!("<{tag}>")).count()
                + page.matches(&format!("<{tag} ")).count();
            let closed = page.matches(&format!("</{tag}>")).count();
            assert!(opened > 0, "{tag} is absent");
            assert_eq!(opened, closed, "{tag}");
        }
    }

    #[test]
    fn durations_are_said_in_two_units() {
        assert_eq!(uptime(0), "0s");
        assert_eq!(uptime(245_000), "4m 5s");
        assert_eq!(uptime(3_600_000), "1h 0m");
        assert_eq!(uptime(183_600_000), "2d 3h");
    }
}
