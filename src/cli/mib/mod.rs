//! `trapline mib`: compile MIB modules, look names up, find what is wrong with modules.
//!
//! ```text
//!  DIR | FILE … ──compile──▶ set.mibdb ──ls, lookup──▶ text
//!       └─────────lint─────▶ findings, file:line
//! ```

mod compile;
mod lookup;
mod ls;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::output::complain;
use super::{ConfigArguments, run};
use crate::mib::Set;

/// The group of commands.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compile MIB modules into one compact file that the agent looks names up in.
    #[command(after_help = "Examples:
  trapline mib compile /usr/share/snmp/mibs -o /etc/trapline/set.mibdb
  trapline mib compile cisco/ IF-MIB.txt -o cisco.mibdb
  trapline mib compile vendor/ -o vendor.mibdb 2>findings.txt

Folders are read with all below them. Errors are printed with file and line and never stop the rest. Of two modules \
with one name the first counts. Modules that others import from must be among the files: those of the IETF \
(IF-MIB, ENTITY-MIB and so on) for almost every vendor. Then name the file in the configuration, before the set that the \
packages carry:

  [snmp]
  mib_files = [\"/etc/trapline/set.mibdb\", \"/usr/share/trapline/mibs/ietf.mibdb\"]

A running agent takes a changed file by itself. Nothing is fetched from anywhere. SOURCE_DATE_EPOCH, if set, is the time \
that the file says it was made at: the same modules then give the same octets.
Exit code 1: nothing could be compiled or written. Modules with errors alone are no failure.")]
    Compile(compile::Arguments),
    /// Say what an OID or a name means.
    #[command(after_help = "Examples:
  trapline mib lookup 1.3.6.1.2.1.2.2.1.8.2
  trapline mib lookup IF-MIB::linkDown
  trapline mib lookup --file set.mibdb jnxFruRemoval

Without --file: the files of the configuration's snmp.mib_files, then the built-in names.
Exit code 1: nothing is known.")]
    Lookup(lookup::Arguments),
    /// List everything that is wrong with MIB modules, file and line; writes nothing.
    #[command(after_help = "Examples:
  trapline mib lint MY-MIB.txt
  trapline mib lint vendor/ --errors

Exit code 1: there are errors.")]
    Lint(compile::LintArguments),
    /// List the modules of compiled files.
    #[command(after_help = "Examples:
  trapline mib ls /etc/trapline/set.mibdb
  trapline mib ls                               the files of the configuration")]
    Ls(ls::Arguments),
}

/// The compiled files that a command looks into.
#[derive(Debug, Args)]
struct Files {
    /// A compiled file; may be given several times, the first counts [default: snmp.mib_files of the configuration]
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigArguments,
}

impl Files {
    /// Opens them; what cannot be opened is said.
    fn open(&self) -> Result<Set, ExitCode> {
        if self.files.is_empty() {
            return configured(&self.config);
        }
        let (set, errors) = Set::open(self.files.iter().map(PathBuf::as_path));
        for error in &errors {
            complain(&format!("trapline: {error}"));
        }
        if errors.is_empty() {
            Ok(set)
        } else {
            Err(ExitCode::FAILURE)
        }
    }
}

/// The files that the configuration names.
pub(super) fn configured(config: &ConfigArguments) -> Result<Set, ExitCode> {
    match run::load(config.file().as_deref()) {
        Ok(loaded) => Ok(loaded.config.normalize.mibs),
        Err(refused) => {
            super::print_problems(&refused.problems);
            Err(ExitCode::from(super::EXIT_USAGE))
        }
    }
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match &arguments.command {
        Command::Compile(arguments) => compile::run(arguments),
        Command::Lookup(arguments) => lookup::run(arguments),
        Command::Lint(arguments) => compile::lint(arguments),
        Command::Ls(arguments) => ls::run(arguments),
    }
}
