//! `trapline mib ls`: the modules of compiled files.

use std::path::PathBuf;
use std::process::ExitCode;

use super::super::output::{Output, complain, tamed};
use super::super::{ConfigArguments, plural};
use super::Files;

/// Which files.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Compiled files [default: snmp.mib_files of the configuration]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigArguments,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let files = Files {
        files: arguments.files.clone(),
        config: ConfigArguments {
            config: arguments.config.config.clone(),
        },
    };
    let set = match files.open() {
        Ok(set) => set,
        Err(code) => return code,
    };
    if set.is_empty() {
        complain("no compiled MIB file is configured; the built-in names are in use");
        return ExitCode::SUCCESS;
    }
    let mut output = Output::default();
    for (path, db) in set.files() {
        let mut modules: Vec<(&str, u32)> = db.modules().collect();
        modules.sort_unstable();
        let made = i64::try_from(db.made())
            .ok()
            .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
        writeln!(
            output,
            "{}: {} module{}, {} KiB, compiled {}",
            path.display(),
            modules.len(),
            plural(modules.len()),
            db.bytes().div_ceil(1024),
            made.map_or("at an unknown time".to_owned(), |made| made.to_string())
        );
        for (name, definitions) in modules {
            writeln!(output, "{definitions:>7}  {}", tamed(name));
        }
    }
    output.end()
}
