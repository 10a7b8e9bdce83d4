//! `trapline spool cat`: events as JSON lines on standard output.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;

use super::{CommandError, Opened, Place, record};
use crate::cli::output::tamed;
use crate::spool::dead_letter::{DeadLetter, Step};
use crate::spool::inspect::{Found, Shown};

/// What to print.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The topic
    #[arg(value_name = "TOPIC", required_unless_present = "dead_letters")]
    topic: Option<String>,
    #[command(flatten)]
    choice: Choice,
    /// Begin with this number
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 0,
        conflicts_with = "dead_letters"
    )]
    from: u64,
    /// Print at most so many
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,
}

/// Which records.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Choice {
    /// Everything that is still on disk, delivered or not
    #[arg(long, conflicts_with = "pending")]
    all: bool,
    /// Only what Kafka does not have yet (the default)
    #[arg(long)]
    pending: bool,
    /// What the broker refused, with the reason
    #[arg(long, conflicts_with_all = ["all", "pending"])]
    pub dead_letters: bool,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let opened = arguments.place.open()?;
    let wanted: Vec<String> = arguments.topic.iter().cloned().collect();
    let is_terminal = io::stdout().is_terminal();
    let mut out = BufWriter::new(io::stdout().lock());
    let mut left = arguments.limit.unwrap_or(u64::MAX);
    let mut print = |line: &str| {
        if left == 0 {
            return Ok(ControlFlow::Break(()));
        }
        left -= 1;
        let line = match is_terminal {
            true => writeln!(out, "{}", tamed(line)),
            false => writeln!(out, "{line}"),
        };
        line.map(|()| match left {
            0 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        })
    };
    if arguments.choice.dead_letters {
        let mut print = |letter: &DeadLetter<'_>| print(&record::letter_line(letter));
        each_letter(&opened, &wanted, &mut print)?.map_err(CommandError::Output)?;
    } else {
        let mut print =
            |_: &str, record: &Shown<'_>| print(&String::from_utf8_lossy(record.payload));
        each_record(
            &opened,
            &wanted,
            arguments.choice,
            arguments.from,
            &mut print,
        )?
        .map_err(CommandError::Output)?;
    }
    out.flush().map_err(CommandError::Output)?;
    Ok(ExitCode::SUCCESS)
}

/// Whether to go on; an error of the one who writes ends it too.
type Goes = io::Result<ControlFlow<()>>;

/// Hands every chosen record of the wanted topics to `each`. The inner result is that of `each`.
pub(super) fn each_record(
    opened: &Opened,
    wanted: &[String],
    choice: Choice,
    from: u64,
    each: &mut dyn FnMut(&str, &Shown<'_>) -> Goes,
) -> Result<io::Result<()>, CommandError> {
    for topic in opened.topics(wanted)? {
        let error = |error| opened.error(error);
        let log = opened.inspection.log(&topic).map_err(error)?;
        let (cursor, _) = log.cursor().map_err(error)?;
        let mut ended = None;
        log.read(from, &mut |found| {
            let Found::Record(record) = found else {
                return ControlFlow::Continue(());
            };
            if !choice.all && cursor.settled.contains(record.number.0) {
                return ControlFlow::Continue(());
            }
            match each(&topic, &record) {
                Ok(ControlFlow::Continue(())) => ControlFlow::Continue(()),
                Ok(ControlFlow::Break(())) => {
                    ended = Some(Ok(()));
                    ControlFlow::Break(())
                }
                Err(error) => {
                    ended = Some(Err(error));
                    ControlFlow::Break(())
                }
            }
        })
        .map_err(error)?;
        if let Some(ended) = ended {
            return Ok(ended);
        }
    }
    Ok(Ok(()))
}

/// Hands every dead letter of the wanted topics to `each`. The inner result is that of `each`.
pub(super) fn each_letter(
    opened: &Opened,
    wanted: &[String],
    each: &mut dyn FnMut(&DeadLetter<'_>) -> Goes,
) -> Result<io::Result<()>, CommandError> {
    let error = |error| opened.error(error);
    let Some(mut letters) = opened.inspection.dead_letters().map_err(error)? else {
        return Ok(Ok(()));
    };
    loop {
        match letters.step().map_err(error)? {
            Step::Letter(letter, _) => {
                let is_wanted = wanted.is_empty() || wanted.iter().any(|it| it == letter.topic);
                match is_wanted.then(|| each(&letter)) {
                    None | Some(Ok(ControlFlow::Continue(()))) => {}
                    Some(Ok(ControlFlow::Break(()))) => return Ok(Ok(())),
                    Some(Err(error)) => return Ok(Err(error)),
                }
            }
            Step::Damage(_) | Step::Torn(_) => {}
            Step::End => return Ok(Ok(())),
        }
    }
}
