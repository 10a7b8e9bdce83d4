//! `trapline spool ls`: one line a topic, then what is beside the topics.

use std::ops::ControlFlow;
use std::process::ExitCode;

use super::{CommandError, Opened, Place, time_text};
use crate::cli::output::{Output, tamed};
use crate::cli::plural;
use crate::spool::dead_letter::Step;
use crate::spool::disk::SpoolError;
use crate::spool::inspect::{Found, Holder, TopicLog};
use crate::time::UnixMicros;

/// Runs the command.
pub(super) fn run(place: &Place) -> Result<ExitCode, CommandError> {
    let opened = place.open()?;
    let mut output = Output::default();
    let used_by = match opened.inspection.holder() {
        Holder::Nobody => "no agent uses it".to_owned(),
        Holder::Process(process) => format!("process {process} uses it"),
        Holder::Unknown => "it is not known whether an agent uses it".to_owned(),
    };
    writeln!(output, "{}: {used_by}\n", opened.folder.display());
    topics(&opened, &mut output)?;
    writeln!(output);
    letters(&opened, &mut output)?;
    Ok(output.end())
}

fn topics(opened: &Opened, output: &mut Output) -> Result<(), CommandError> {
    let topics = opened.topics(&[])?;
    let width = topics
        .iter()
        .map(String::len)
        .max()
        .unwrap_or(0)
        .max("topic".len());
    writeln!(
        output,
        "{:width$}  {:>8} {:>12} {:>12} {:>14} {:>12}  oldest pending",
        "topic", "segments", "first", "last", "bytes", "pending"
    );
    let mut aside = Vec::new();
    for topic in topics {
        let error = |error| opened.error(error);
        let log = opened.inspection.log(&topic).map_err(error)?;
        let row = Row::of(&log).map_err(error)?;
        let number = |number: Option<u64>| number.map_or("-".to_owned(), |it| it.to_string());
        writeln!(
            output,
            "{:width$}  {:>8} {:>12} {:>12} {:>14} {:>12}  {}",
            tamed(&topic),
            log.segments.len(),
            number(row.first),
            number(row.last),
            log.bytes(),
            row.pending,
            time_text(row.oldest)
        );
        aside.extend(log.aside.into_iter().map(|file| (topic.clone(), file)));
    }
    for (topic, file) in aside {
        writeln!(
            output,
            "kept aside: topics/{}/{}, {} bytes",
            tamed(&topic),
            tamed(&file.name),
            file.bytes
        );
    }
    Ok(())
}

/// What is to be said of one log.
struct Row {
    first: Option<u64>,
    last: Option<u64>,
    pending: u64,
    oldest: Option<UnixMicros>,
}

impl Row {
    fn of(log: &TopicLog) -> Result<Row, SpoolError> {
        let (cursor, _) = log.cursor()?;
        let first = log.first().unwrap_or(0);
        let next = log.next()?.unwrap_or(0);
        let pending = cursor.settled.unsettled_in(first..next.max(first));
        let mut oldest = None;
        if let Some(pending) = pending.first() {
            log.read(pending.start, &mut |found| match found {
                Found::Record(record) => {
                    oldest = Some(record.received);
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Continue(()),
            })?;
        }
        Ok(Row {
            first: (next > first).then_some(first),
            last: (next > first).then(|| next - 1),
            pending: pending.iter().map(|range| range.end - range.start).sum(),
            oldest,
        })
    }
}

fn letters(opened: &Opened, output: &mut Output) -> Result<(), CommandError> {
    let error = |error| opened.error(error);
    let Some(mut letters) = opened.inspection.dead_letters().map_err(error)? else {
        writeln!(output, "dead letters: none");
        return Ok(());
    };
    let (mut count, mut damaged_bytes) = (0, 0);
    let mut newest = None;
    loop {
        match letters.step().map_err(error)? {
            Step::Letter(letter, _) => {
                count += 1;
                newest = newest.max(Some(letter.set_aside));
            }
            Step::Damage(bytes) => damaged_bytes += bytes.end - bytes.start,
            Step::Torn(_) => {}
            Step::End => break,
        }
    }
    let bytes = letters.bytes();
    match newest {
        None => writeln!(output, "dead letters: none"),
        Some(_) => writeln!(
            output,
            "dead letters: {count} letter{}, {bytes} bytes, the last at {}; see trapline spool cat --dead-letters",
            plural(count),
            time_text(newest)
        ),
    }
    if damaged_bytes > 0 {
        writeln!(
            output,
            "dead letters: {damaged_bytes} bytes are damaged; see trapline spool verify"
        );
    }
    Ok(())
}
