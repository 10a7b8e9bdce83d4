//! `trapline doctor`: everything that the agent depends on, looked at once, each line with what to do.
//!
//! ```text
//!  configuration, agent ─┐
//!  ports, buffers, drops │
//!  sockets, state folder ├──▶ Finding { ok | warn | fail, about, what, advice } ──▶ lines ──▶ exit code
//!  Kafka, step by step   │
//!  clock, spool, MIB sets ┘
//! ```
//!
//! It changes nothing and produces nothing, beside a running agent too. No value of an option and no content of a secret's
//! file is printed, so that the output can go into a support ticket.

mod host;
mod kafka;
mod ports;
mod rights;
mod unit;

use std::path::Path;
use std::process::ExitCode;

use super::admin::Admin;
use super::output::{Output, tamed};
use super::{ConfigArguments, healthcheck, run};
use crate::config::{Loaded, Resolved, Warning};
use crate::mib::{Mibdb, Set};
use crate::observe::report::Report;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
}

/// How it stands with one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Ok,
    Warn,
    Fail,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "fail",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    level: Level,
    about: &'static str,
    what: String,
    advice: Option<String>,
}

impl Finding {
    fn ok(about: &'static str, what: impl Into<String>) -> Finding {
        Finding {
            level: Level::Ok,
            about,
            what: what.into(),
            advice: None,
        }
    }

    fn warn(about: &'static str, what: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding {
            level: Level::Warn,
            advice: Some(advice.into()),
            ..Finding::ok(about, what)
        }
    }

    fn fail(about: &'static str, what: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding {
            level: Level::Fail,
            ..Finding::warn(about, what, advice)
        }
    }

    /// One line, and one more for the advice.
    fn text(&self) -> String {
        let (level, about, what) = (self.level.as_str(), self.about, tamed(&self.what));
        let line = format!("{level:<5} {about:<10} {what}\n");
        match &self.advice {
            Some(advice) => format!("{line}{:17}-> {}\n", "", tamed(advice)),
            None => line,
        }
    }
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let mut output = Output::default();
    let mut worst = Level::Ok;
    let mut say = |findings: Vec<Finding>| {
        for finding in findings {
            worst = worst.max(finding.level);
            write!(output, "{}", finding.text());
        }
        output.flush();
    };
    let file = arguments.config.file();
    let name = file
        .as_ref()
        .map_or("built-in defaults".to_owned(), |file| {
            file.display().to_string()
        });
    match run::load(file.as_deref()) {
        Ok(Loaded { config, warnings }) => {
            say(vec![Finding::ok("config", name)]);
            say(warned(&warnings));
            look(&config, arguments, &mut say);
        }
        Err(refused) => {
            let problem = |problem: &crate::config::Problem| {
                Finding::fail(
                    "config",
                    problem.to_string(),
                    "correct it: `trapline check`",
                )
            };
            say(refused.problems.iter().map(problem).collect());
            say(warned(&refused.warnings));
            say(host::findings());
        }
    }
    let code = output.end();
    if worst == Level::Fail {
        ExitCode::FAILURE
    } else {
        code
    }
}

fn warned(warnings: &[Warning]) -> Vec<Finding> {
    let warning =
        |warning: &Warning| Finding::warn("config", warning.to_string(), "see trapline.toml(5)");
    warnings.iter().map(warning).collect()
}

/// All that a configuration says where to look.
fn look(config: &Resolved, arguments: &Arguments, say: &mut impl FnMut(Vec<Finding>)) {
    let report = ask(config, arguments);
    say(agent(&report, config));
    say(ports::findings(&config.listeners));
    let admin_socket = config.status.admin_socket.as_deref();
    let account = rights::account(admin_socket.filter(|_| report.is_ok()));
    say(rights::sockets(&config.listeners, admin_socket, &account));
    say(vec![rights::state(
        config.state_folder.as_deref(),
        &account,
    )]);
    say(host::findings());
    say(host::spool(&config.spool));
    let disk = config.spool.disk.as_ref();
    let barred = disk.and_then(|disk| rights::kept_out_of("spool", &disk.folder, &account));
    say(barred.into_iter().collect());
    say(mibs(&config.normalize.mibs));
    say(kafka::findings(&config.produce));
}

/// The running agent's own picture.
fn ask(config: &Resolved, arguments: &Arguments) -> Result<Report, String> {
    let socket = config.status.admin_socket.as_deref();
    let file = arguments.config.file();
    let admin = Admin::new(socket, file.as_deref()).map_err(|error| error.to_string())?;
    let body = admin
        .ask("GET", "/status", "")
        .map_err(|error| error.to_string())?;
    serde_json::from_str(&body).map_err(|error| format!("its answer is not understood: {error}"))
}

fn agent(report: &Result<Report, String>, config: &Resolved) -> Vec<Finding> {
    let report = match report {
        Ok(report) => report,
        Err(why) => {
            return vec![Finding::warn(
                "agent",
                why.as_str(),
                "start it: systemctl start trapline; journalctl -u trapline says why it ended",
            )];
        }
    };
    let mut findings = Vec::new();
    let what = format!("version {}, {}", report.agent.version, report.status);
    if report.reasons.is_empty() {
        findings.push(Finding::ok("agent", what));
    } else {
        let reasons = report.reasons.join("; ");
        let advice = "`trapline status` shows more";
        findings.push(Finding::warn("agent", format!("{what}: {reasons}"), advice));
    }
    if report.agent.version != env!("CARGO_PKG_VERSION") {
        findings.push(Finding::warn(
            "agent",
            concat!("this command is version ", env!("CARGO_PKG_VERSION")),
            "the agent was not restarted after an upgrade: systemctl restart trapline",
        ));
    }
    for listener in &report.listeners {
        if listener.kernel_dropped > 0 {
            findings.push(Finding::warn(
                "drops",
                format!(
                    "{}: the kernel has dropped {} packets since the start",
                    listener.name, listener.kernel_dropped
                ),
                "raise ReceiveBuffer= of the socket unit, or receive_buffer_bytes and net.core.rmem_max",
            ));
        }
    }
    if let Some(trouble) = &report.spool.trouble {
        let advice = "the text says what to do; then restart the agent";
        findings.push(Finding::fail("spool", trouble.as_str(), advice));
    }
    if let Some(address) = config.status.bind {
        findings.push(match healthcheck::ask(address) {
            Ok(_) => Finding::ok("health", format!("http://{address}/healthz answers")),
            Err(error) => Finding::warn(
                "health",
                error.to_string(),
                "a container's health check would fail: see status.bind",
            ),
        });
    }
    findings
}

/// The compiled MIB files in use; those that cannot be used are warnings of the configuration.
fn mibs(set: &Set) -> Vec<Finding> {
    if set.is_empty() {
        let what = "no compiled file in use: names are those that are built in";
        return vec![Finding::ok("mibs", what)];
    }
    let file = |(path, db): (&Path, &Mibdb)| {
        let modules = db.modules().count();
        Finding::ok("mibs", format!("{}: {modules} modules", path.display()))
    };
    set.files().map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_in_one_line_what_and_in_the_next_what_to_do() {
        assert_eq!(
            Finding::ok("clock", "synchronized").text(),
            "ok    clock      synchronized\n"
        );
        let finding = Finding::fail("port", "udp 514 is rsyslogd's", "stop it");
        assert_eq!(
            finding.text(),
            "fail  port       udp 514 is rsyslogd's\n                 -> stop it\n"
        );
    }

    #[test]
    fn what_a_stranger_wrote_does_not_reach_the_terminal() {
        let finding = Finding::ok("port", "\u{1b}[31mred");
        assert!(!finding.text().contains('\u{1b}'));
    }

    #[test]
    fn an_agent_that_is_not_there_is_a_warning_and_not_the_end() {
        let config = crate::config::parse("", "host").unwrap();
        let findings = agent(&Err("no agent answers".to_owned()), &config);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].level, Level::Warn);
    }
}
