//! What people type. Each command is one file; this one holds the grammar, the help and the exit codes.
//!
//! ```text
//!  trapline run | check | demo | devices | doctor | explain | audit | healthcheck | mib | spool | status
//!  packagers: generate
//! ```
//!
//! Exit codes: 0 all went well; 1 it could not (the last line on stderr says why); 2 the arguments or the
//! configuration are wrong (every problem is printed). `audit` has codes of its own.

mod admin;
mod audit;
mod capture;
mod check;
mod demo;
mod devices;
mod doctor;
mod explain;
mod fields;
mod generate;
mod healthcheck;
mod loading;
mod mib;
mod output;
mod run;
mod secured;
mod spool;
mod status;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Parser, Subcommand};

use crate::config::{Problem, Refused, Warning};

/// Exit code for wrong arguments and wrong configuration.
const EXIT_USAGE: u8 = 2;

/// Where the configuration is when nothing else is said.
const CONFIG_FILE_DEFAULT: &str = "/etc/trapline/trapline.toml";

#[derive(Debug, Parser)]
#[command(
    name = "trapline",
    version,
    about = "Receives syslog and SNMP traps, and delivers each as one keyed JSON event to Kafka",
    after_help = "Examples:
  trapline demo                                 see the main job, with nothing installed
  trapline check --config trapline.toml         all problems of a file at once
  trapline run --config trapline.toml           receive and deliver until SIGTERM
  TRAPLINE_KAFKA__BOOTSTRAP_SERVERS=k1:9092 trapline run
  trapline status                               how the running agent is
  trapline devices                              who was heard
  echo '<189>7: *Mar  1 18:48:50: %SYS-5-CONFIG_I: Configured' | trapline explain

Every key of the file can also be given as TRAPLINE_SECTION__KEY in the environment.
Exit codes: 0 all went well, 1 it could not, 2 wrong arguments or configuration."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Receive, and deliver to Kafka, until SIGTERM or SIGINT.
    #[command(after_help = "Examples:
  trapline run                                  /etc/trapline/trapline.toml, or the defaults
  trapline run --config trapline.toml
  TRAPLINE_KAFKA__BOOTSTRAP_SERVERS=k1:9092,k2:9092 trapline run

Signals:
  SIGTERM, SIGINT   stop: read the sockets empty, deliver what is left within
                    shutdown.drain_seconds, print the ledger
  the same again    stop waiting for Kafka; what is left is counted as lost in the ledger
  SIGHUP            read the configuration again; a bad file leaves the old one running

Logs go to standard error. The ledger accounts for every packet and record, and is printed at the end on standard \
output: a table on a terminal, one line of JSON otherwise.")]
    Run(ConfigArguments),
    /// Check a configuration without running it: all problems at once, with line and column.
    #[command(after_help = "Examples:
  trapline check                                the file that `run` would read, or the defaults
  trapline check --config trapline.toml
  trapline check --print | grep kafka           what would be in force

Variables TRAPLINE_SECTION__KEY are read and checked as well. Exit code 2: there are problems.")]
    Check(CheckArguments),
    /// Show the main job with nothing installed: a Kafka cluster inside this process, real device messages, the events read back.
    #[command(after_help = "Examples:
  trapline demo
  trapline demo | grep -A1 ' net.snmp '         only the traps

Nothing leaves this host: everything listens on free ports of 127.0.0.1.
Exit code 1: not every message came back from Kafka, or the inform was not answered.")]
    Demo,
    /// List who was heard by the running agent: name and why, address, last seen, rate, gaps, conflicts.
    #[command(after_help = "Examples:
  trapline devices
  trapline devices 'lax-*'                      by name or address, a part is enough
  trapline devices --silent                     who should speak and does not
  trapline devices --conflicts --sort conflicts
  trapline devices --sort rate | head
  trapline devices --json | jq -r 'select(.missing > 0) | .hostname'

WHY is hostname_source of the device's events where a message brings no name itself. SEEN is how long ago the last \
message came, /S messages a second, GAPS messages that never arrived by the device's own numbering, CONFL messages that \
used the name of another device. NOTES: silent; never heard, though in the inventory; new, so not yet heard several \
times over a minute; unknown to the inventory; relay, or NAT? where several names speak from one address.
The agent is asked over its admin socket (status.admin_socket), which its user and group may open.
Exit code 1: no agent answers.")]
    Devices(devices::Arguments),
    /// Look at everything that the agent depends on, and say what to do: ports, sockets, folders, buffers, Kafka step by step, clock.
    #[command(after_help = "Examples:
  sudo trapline doctor                          root sees who has a port
  trapline doctor --config trapline.toml

Each line is ok, warn or fail, and says what to do. It changes nothing and shows no secret, so that it can go into a \
support ticket. Kafka is asked about its topics and our rights to them, and nothing is produced.
Exit code 1: at least one line says fail.")]
    Doctor(doctor::Arguments),
    /// Show how a message is read, field by field, and the event that it becomes.
    #[command(after_help = "Examples:
  trapline explain --text '<34>1 2026-11-21T02:14:07Z r1 app - - - hello'
  trapline explain --hex '303902010004067075626c6963a42c06082b060106030101054004c0
    0002010201020201004301073011300f060a2b060102010202010103020103'
  trapline explain message.bin
  journalctl -n 1 -o cat | trapline explain
  tcpdump -i eth0 -w traps.pcap udp port 162 and then trapline explain traps.pcap --packet 3

Of a capture (pcap, pcapng) each packet is explained that is syslog or SNMP over UDP, and what begins in a TCP segment.
Names of traps come from the configuration's snmp.mib_files and the built-in table.
Without --protocol: what begins as an SNMP message does is read as one, all else as syslog.
An SNMP community is never shown.")]
    Explain(explain::Arguments),
    /// Ask the running agent whether it is alive: exit code 0 when it is.
    #[command(after_help = "Examples:
  trapline healthcheck
  trapline healthcheck --address 127.0.0.1:9514

The agent is asked at its status page (status.bind), /healthz. Meant for a container's health check: it needs neither a \
shell nor curl. Kafka that is away does not count: starting the agent again would not help. Nor does a configuration \
that is not accepted: what is wrong with it is printed, and the agent that runs on what it read before is asked.
Exit code 1: the agent is not well, or nobody answers within 5 seconds.")]
    Healthcheck(healthcheck::Arguments),
    /// Write man pages, shell completions, the JSON Schema and the commented configuration into a folder.
    #[command(
        hide = true,
        after_help = "Examples:
  trapline generate /tmp/trapline               for whoever makes a package"
    )]
    Generate(generate::Arguments),
    /// Show the running agent: rates, what waits, Kafka and topics in words, how a replay goes.
    #[command(after_help = "Examples:
  trapline status
  trapline status --watch                       again every second
  trapline status --json | jq .replay
  trapline status --socket /tmp/admin.sock

The agent is asked over its admin socket (status.admin_socket), which its user and group may open.
Exit code 1: no agent answers.")]
    Status(status::Arguments),
    /// Look at the events that wait on disk, check them, and send again what the broker refused.
    #[command(after_help = "Examples:
  trapline spool ls
  trapline spool verify
  trapline spool cat net.syslog | head -3
  trapline spool cat --dead-letters
  trapline spool export --to pending.jsonl
  trapline spool requeue --all

All but requeue are safe beside a running agent: they change nothing. The spool belongs to the user that the agent runs \
as: sudo -u trapline trapline spool ls.")]
    Spool(spool::Arguments),
    /// Names for SNMP: compile MIB modules, look OIDs and names up, find errors in modules.
    #[command(after_help = "Examples:
  trapline mib compile /usr/share/snmp/mibs -o /etc/trapline/set.mibdb
  trapline mib lookup 1.3.6.1.2.1.2.2.1.8.2
  trapline mib lint MY-MIB.txt
  trapline mib ls /etc/trapline/set.mibdb

Nothing is fetched from anywhere: the modules are files of this host.")]
    Mib(mib::Arguments),
    /// Compare what the agents say they produced with what the topics hold: missing, repeated, out of order.
    #[command(after_help = "Examples:
  trapline audit --config /etc/trapline/trapline.toml
  trapline audit --bootstrap-servers k1:9092 --agent br17 --since 2026-11-21T00:00:00Z
  trapline audit -b k1:9093 -X security.protocol=ssl -X ssl.ca.location=/etc/ssl/ca.pem --json

Each agent reports once a minute (agent.report_seconds) which numbers its events have; topics are read from their \
beginning to the end that they have now. Nothing is written or committed.

Exit codes: 0 everything is there, or may still come; 1 something is missing, and reports say why; 2 something is \
missing and no report says why; 3 it could not be found out: wrong arguments or configuration, no answer from Kafka, \
no report.")]
    Audit(audit::Arguments),
}

#[derive(Debug, Clone, Args)]
struct ConfigArguments {
    /// The configuration file [default: /etc/trapline/trapline.toml if it exists, else built-in defaults]
    #[arg(short, long, value_name = "FILE", env = "TRAPLINE_CONFIG")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct CheckArguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// Print every key with the value in force, defaults included; secrets are masked
    #[arg(long)]
    print: bool,
}

impl ConfigArguments {
    /// The file to read: the one that was named, or the default one where it exists.
    fn file(&self) -> Option<PathBuf> {
        self.file_or(Path::new(CONFIG_FILE_DEFAULT))
    }

    fn file_or(&self, default: &Path) -> Option<PathBuf> {
        let named = self.config.clone();
        named.or_else(|| default.exists().then(|| default.to_owned()))
    }
}

/// Parses the arguments and runs the command.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return not_understood(&error),
    };
    match arguments.command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Demo => demo::run(),
        Command::Devices(arguments) => devices::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Healthcheck(arguments) => healthcheck::run(&arguments),
        Command::Generate(arguments) => generate::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Spool(arguments) => spool::run(&arguments),
        Command::Mib(arguments) => mib::run(&arguments),
        Command::Audit(arguments) => audit::run(&arguments),
    }
}

/// A file that stands where no argument belongs: other programs take their configuration so.
fn file_without_its_option(error: &clap::Error) -> Option<&str> {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(text))
            if error.kind() == ErrorKind::UnknownArgument && text.ends_with(".toml") =>
        {
            Some(text)
        }
        _ => None,
    }
}

/// Prints help, version or what is wrong with the arguments.
fn not_understood(error: &clap::Error) -> ExitCode {
    // Where nobody reads it there is nobody left to tell.
    let _ = error.print();
    if let Some(file) = file_without_its_option(error) {
        output::complain(&format!(
            "A configuration is named by its option: --config {}",
            output::tamed(file)
        ));
    }
    let is_audit = std::env::args_os()
        .nth(1)
        .is_some_and(|name| name == "audit");
    match error.exit_code() {
        0 => ExitCode::SUCCESS,
        _ if is_audit => ExitCode::from(audit::EXIT_NOT_AUDITED),
        _ => ExitCode::from(EXIT_USAGE),
    }
}

/// Prints every problem of a configuration, one a line, and how many there are.
fn print_problems(problems: &[Problem]) {
    for problem in problems {
        output::complain(&problem.to_string());
    }
    let count = problems.len();
    output::complain(&format!(
        "trapline: {count} problem{} in the configuration",
        plural(count)
    ));
}

/// Prints all that there is to say of a configuration that cannot be used.
fn print_refused(refused: &Refused) {
    if refused.warnings.is_empty() {
        return print_problems(&refused.problems);
    }
    for problem in &refused.problems {
        output::complain(&problem.to_string());
    }
    print_warnings(&refused.warnings);
    let (problems, warnings) = (refused.problems.len(), refused.warnings.len());
    output::complain(&format!(
        "trapline: {problems} problem{} in the configuration, and {warnings} warning{}",
        plural(problems),
        plural(warnings)
    ));
}

fn print_warnings(warnings: &[Warning]) {
    for warning in warnings {
        output::complain(&format!("warning: {warning}"));
    }
}

/// What stands behind a noun of which there are `count`.
fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
