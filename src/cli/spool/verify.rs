//! `trapline spool verify`: reads every record and says what is damaged.
//!
//! ```text
//!  topic's segments ──▶ each record, each damaged stretch ─┐
//!  topic's cursor, read afterwards ────────────────────────┴▶ what is missing and was not delivered ──▶ exit code 1
//! ```

use std::ops::{ControlFlow, Range};
use std::path::PathBuf;
use std::process::ExitCode;

use super::{CommandError, Opened, Place};
use crate::cli::output::{Output, tamed};
use crate::cli::plural;
use crate::spool::cursor::{Cursor, CursorFound};
use crate::spool::dead_letter::Step;
use crate::spool::disk::SpoolError;
use crate::spool::inspect::{Found, Holder, TopicLog};

/// So many damaged places of a topic are told one by one; a disk that has more is to be replaced, not to be listed.
const PLACES_MAX: usize = 1_000;

/// What is not as it should be.
enum Spot {
    Damaged {
        segment: PathBuf,
        bytes: Range<u64>,
        numbers: Range<u64>,
    },
    Missing(Range<u64>),
}

/// What one log holds.
#[derive(Default)]
struct Verdict {
    records: u64,
    places: Vec<Spot>,
    untold: u64,
    gone_segments: u64,
    torn_bytes: u64,
}

/// Runs the command.
pub(super) fn run(place: &Place) -> Result<ExitCode, CommandError> {
    let opened = place.open()?;
    let is_used = opened.inspection.holder() != Holder::Nobody;
    let mut output = Output::default();
    let mut damaged = 0;
    for topic in opened.topics(&[])? {
        let verified = log(&opened, &topic, is_used, &mut output);
        damaged += verified.map_err(|error| opened.error(error))?;
    }
    damaged += letters(&opened, &mut output).map_err(|error| opened.error(error))?;
    match damaged {
        0 => writeln!(output, "no damage"),
        count => writeln!(output, "{count} place{} damaged", plural(count)),
    }
    let ended = output.end();
    Ok(if damaged > 0 {
        ExitCode::FAILURE
    } else {
        ended
    })
}

/// Verifies one log; returns how many places of it are damaged.
fn log(
    opened: &Opened,
    topic: &str,
    is_used: bool,
    output: &mut Output,
) -> Result<usize, SpoolError> {
    let log = opened.inspection.log(topic)?;
    let verdict = Verdict::of(&log)?;
    // Segments are unlinked only after the cursor that allows it: read now, it knows all that is gone.
    let (cursor, found) = log.cursor()?;
    let topic = tamed(topic);
    writeln!(
        output,
        "{topic}: {} segment{}, {} whole record{}, {} bytes",
        log.segments.len(),
        plural(log.segments.len()),
        verdict.records,
        plural(usize::try_from(verdict.records).unwrap_or(usize::MAX)),
        log.bytes()
    );
    let mut damaged = 0;
    for place in &verdict.places {
        damaged += usize::from(tell(&topic, place, &cursor, is_used, output));
    }
    if verdict.untold > 0 {
        writeln!(output, "{topic}: and {} more places", verdict.untold);
        damaged += usize::try_from(verdict.untold).unwrap_or(usize::MAX);
    }
    if let CursorFound::Damaged(why) = found {
        writeln!(
            output,
            "{topic}: damaged: cursor: {why}; what is on disk will be sent again"
        );
        damaged += 1;
    }
    if verdict.torn_bytes > 0 {
        let what = match is_used {
            true => "a record is being written",
            false => {
                "a record was being written when the process ended; it was not accepted yet, the next start cuts it off"
            }
        };
        writeln!(
            output,
            "{topic}: {} bytes at the end: {what}",
            verdict.torn_bytes
        );
    }
    if verdict.gone_segments > 0 {
        writeln!(
            output,
            "{topic}: {} segment{} removed while they were read",
            verdict.gone_segments,
            plural(usize::try_from(verdict.gone_segments).unwrap_or(usize::MAX))
        );
    }
    for file in &log.aside {
        let name = tamed(&file.name);
        writeln!(
            output,
            "{topic}: {name} was kept aside by an earlier start, {} bytes",
            file.bytes
        );
    }
    Ok(damaged)
}

impl Verdict {
    fn of(log: &TopicLog) -> Result<Verdict, SpoolError> {
        let mut verdict = Verdict::default();
        let from = log.first().unwrap_or(0);
        log.read(from, &mut |found| {
            match found {
                Found::Record(_) => verdict.records += 1,
                Found::Damage {
                    segment,
                    bytes,
                    numbers,
                } => verdict.add(Spot::Damaged {
                    segment: segment.to_path_buf(),
                    bytes,
                    numbers,
                }),
                Found::Missing(numbers) => verdict.add(Spot::Missing(numbers)),
                Found::Gone(_) => verdict.gone_segments += 1,
                Found::Torn { bytes, .. } => verdict.torn_bytes += bytes,
            }
            ControlFlow::Continue(())
        })?;
        Ok(verdict)
    }

    fn add(&mut self, place: Spot) {
        if self.places.len() < PLACES_MAX {
            self.places.push(place);
        } else {
            self.untold += 1;
        }
    }
}

/// Says what is wrong at one place; returns whether it is damage.
fn tell(topic: &str, place: &Spot, cursor: &Cursor, is_used: bool, output: &mut Output) -> bool {
    let pending = |numbers: &Range<u64>| -> u64 {
        let parts = cursor.settled.unsettled_in(numbers.clone());
        parts.iter().map(|part| part.end - part.start).sum()
    };
    match place {
        Spot::Damaged {
            segment,
            bytes,
            numbers,
        } => {
            let lost = match numbers.is_empty() {
                true => "no record is missing".to_owned(),
                false => format!(
                    "records {} to {} cannot be read, {} of them not delivered",
                    numbers.start,
                    numbers.end - 1,
                    pending(numbers)
                ),
            };
            let file = segment.file_name().unwrap_or_default().to_string_lossy();
            writeln!(
                output,
                "{topic}: damaged: {} bytes {} to {}: {lost}",
                tamed(&file),
                bytes.start,
                bytes.end
            );
            true
        }
        // Dropped, delivered, or never given to a record.
        Spot::Missing(numbers) if pending(numbers) == 0 => false,
        Spot::Missing(numbers) => {
            let why = match is_used {
                true => " (or dropped by the agent within this second: run it again)",
                false => "",
            };
            writeln!(
                output,
                "{topic}: missing: records {} to {} are in no segment, {} of them not delivered{why}",
                numbers.start,
                numbers.end - 1,
                pending(numbers)
            );
            !is_used
        }
    }
}

/// Verifies the dead letters; returns how many places of the file are damaged.
fn letters(opened: &Opened, output: &mut Output) -> Result<usize, SpoolError> {
    let Some(mut letters) = opened.inspection.dead_letters()? else {
        return Ok(0);
    };
    let (mut count, mut damaged) = (0, 0);
    loop {
        match letters.step()? {
            Step::Letter(..) => count += 1,
            Step::Damage(bytes) => {
                damaged += 1;
                writeln!(
                    output,
                    "dead letters: damaged: bytes {} to {} hold no whole letter",
                    bytes.start, bytes.end
                );
            }
            Step::Torn(bytes) => {
                let length = bytes.end - bytes.start;
                writeln!(
                    output,
                    "dead letters: {length} bytes at the end: a letter that was being written"
                );
            }
            Step::End => break,
        }
    }
    writeln!(
        output,
        "dead letters: {count} whole letter{}",
        plural(count)
    );
    Ok(damaged)
}
