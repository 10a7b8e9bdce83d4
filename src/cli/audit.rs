//! `trapline audit`: whether everything that the agents say they produced is in the topics.
//!
//! ```text
//!  configuration, arguments ──▶ which topics, where ──produce::reading──▶ audit::History ──judge──▶ text or JSON, exit code
//! ```

use std::process::ExitCode;

use clap::Args;

use super::output::{Output, complain, tamed};
use super::{ConfigArguments, run};
use crate::audit::findings::Answer;
use crate::audit::history::{History, Place};
use crate::audit::judge::{self, Period};
use crate::audit::{record, statement};
use crate::config::Resolved;
use crate::produce::Options;
use crate::produce::reading::{self, Reading};

/// Something is missing, and reports declare all of it.
const EXIT_DECLARED: u8 = 1;
/// Something is missing that no report declares.
const EXIT_MISSING: u8 = 2;
/// It could not be found out, topics that were not read and wrong arguments included: 1 and 2 have other meanings here than with other commands.
pub(super) const EXIT_NOT_AUDITED: u8 = 3;

/// Records are read from so long before the period on (ms): a record is produced some time after it arrived.
const MARGIN_MS: i64 = 3_600_000;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// The brokers to start from [default: kafka.bootstrap_servers of the configuration]
    #[arg(short, long, value_name = "HOST:PORT,...")]
    bootstrap_servers: Option<String>,
    /// An option of the Kafka client, over those of the configuration
    #[arg(short = 'X', value_name = "KEY=VALUE", value_parser = option)]
    options: Vec<(String, String)>,
    /// A topic to read, the reports' among them [default: those of the configuration]
    #[arg(short, long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
    /// Only this agent [default: all that the topics know]
    #[arg(short, long, value_name = "ID")]
    agent: Option<String>,
    /// Only windows that end at or after this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = instant_ms)]
    since: Option<i64>,
    /// Only windows that begin before this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = instant_ms)]
    until: Option<i64>,
    /// Print one JSON object with every window
    #[arg(long)]
    json: bool,
}

fn option(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or("expected KEY=VALUE, for example security.protocol=ssl")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn instant_ms(text: &str) -> Result<i64, String> {
    let at: jiff::Timestamp = text
        .parse()
        .map_err(|error| format!("expected a time such as 2026-11-21T02:00:00Z: {error}"))?;
    Ok(at.as_millisecond())
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let config = match run::load(arguments.config.file().as_deref()) {
        Ok(loaded) => loaded.config,
        Err(refused) => {
            super::print_problems(&refused.problems);
            return ExitCode::from(EXIT_NOT_AUDITED);
        }
    };
    match audit(arguments, &config) {
        Ok((answer, output)) => match output.end() {
            code if code == ExitCode::SUCCESS => ExitCode::from(match answer {
                Answer::Complete => 0,
                Answer::Declared => EXIT_DECLARED,
                Answer::Expired | Answer::Unreported | Answer::Unread => EXIT_NOT_AUDITED,
                Answer::Missing => EXIT_MISSING,
            }),
            _ => ExitCode::from(EXIT_NOT_AUDITED),
        },
        Err(why) => {
            complain(&format!("trapline: {why}"));
            ExitCode::from(EXIT_NOT_AUDITED)
        }
    }
}

fn audit(arguments: &Arguments, config: &Resolved) -> Result<(Answer, Output), String> {
    let reading = reading(arguments, config)?;
    let mut history = History::new(arguments.agent.clone());
    history.reads(reading.topics.iter().cloned());
    let read = reading::read(&reading, |found| {
        let place = Place {
            topic: found.topic,
            partition: found.partition,
        };
        let seen = record::read(found.payload);
        // The next audit reads it, and all that it speaks of.
        let is_for_the_next = |seen: &record::Seen| found.is_late && seen.report.is_some();
        if !seen.as_ref().is_some_and(is_for_the_next) {
            history.take(place, seen);
        }
    })
    .map_err(|error| error.to_string())?;
    for topic in &read.absent {
        complain(&format!("topic {topic} does not exist"));
    }
    for (topic, until_ms) in &read.expired {
        history.expired(topic, *until_ms);
    }
    let period = Period {
        since_ms: arguments.since,
        until_ms: arguments.until,
    };
    let findings = judge::judge(&history, period);
    if !findings.has_reports() {
        let whose = match &arguments.agent {
            Some(agent) => format!("a report of the agent {}", tamed(agent)),
            None => "an agent's report".to_owned(),
        };
        return Err(format!(
            "none of {} records is {whose} of that time: read the reports' topic (topics.agent), and see that \
             agent.report_seconds is not 0",
            findings.records
        ));
    }
    let mut output = Output::default();
    match arguments.json {
        true => writeln!(output, "{}", statement::json(&findings)),
        false => write!(output, "{}", statement::text(&findings)),
    }
    Ok((findings.answer(), output))
}

/// What to read: the arguments over the configuration.
fn reading(arguments: &Arguments, config: &Resolved) -> Result<Reading, String> {
    let bootstrap_servers = arguments
        .bootstrap_servers
        .clone()
        .or_else(|| config.produce.bootstrap_servers.clone())
        .ok_or("no brokers: give --bootstrap-servers or set kafka.bootstrap_servers")?;
    let Options(mut options) = config.produce.options.clone();
    options.extend(arguments.options.iter().cloned());
    let mut topics = match arguments.topics.as_slice() {
        [] => config.route.lanes(),
        topics => topics.to_vec(),
    };
    topics.sort();
    topics.dedup();
    Ok(Reading {
        bootstrap_servers,
        options: Options(options),
        topics,
        since_ms: arguments
            .since
            .map(|since| since.saturating_sub(MARGIN_MS).max(0)),
    })
}
