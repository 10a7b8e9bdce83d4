//! `trapline spool export`: records with all that belongs to them, in a file.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::cat::{Choice, each_letter, each_record};
use super::{CommandError, Place, record};
use crate::cli::output::complain;

/// What to export, and where to.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The file, which must not exist; `-` for standard output
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// The topics; every one where none is named
    #[arg(value_name = "TOPIC")]
    topics: Vec<String>,
    #[command(flatten)]
    choice: Choice,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let opened = arguments.place.open()?;
    let path = arguments.to.as_path();
    let to_stdout = path == Path::new("-");
    let failed = |source: io::Error| match to_stdout {
        true => CommandError::Output(source),
        false => CommandError::Write {
            path: path.to_path_buf(),
            source,
        },
    };
    let target: Box<dyn Write> = match to_stdout {
        true => Box::new(io::stdout().lock()),
        false => {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o600);
            Box::new(options.open(path).map_err(failed)?)
        }
    };
    let mut out = BufWriter::new(target);
    let mut count: u64 = 0;
    let mut write = |line: String| {
        count += 1;
        writeln!(out, "{line}").map(ControlFlow::Continue)
    };
    let written = match arguments.choice.dead_letters {
        true => each_letter(&opened, &arguments.topics, &mut |letter| {
            write(record::letter_line(letter))
        }),
        false => each_record(
            &opened,
            &arguments.topics,
            arguments.choice,
            0,
            &mut |topic, record| write(record::line(topic, record)),
        ),
    };
    written?.and_then(|()| out.flush()).map_err(failed)?;
    complain(&format!("{count} written to {}", path.display()));
    Ok(ExitCode::SUCCESS)
}
