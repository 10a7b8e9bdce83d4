//! `trapline spool requeue`: dead letters sent again, while no agent has the spool's lock.

use std::process::ExitCode;

use super::{CommandError, Place, in_words};
use crate::cli::output::{Output, complain, tamed};
use crate::cli::plural;
use crate::spool::requeue::{RequeueError, Requeued, Which, requeue_offline};

/// Which letters.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("which").required(true)))]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Every dead letter
    #[arg(long, group = "which")]
    all: bool,
    /// Those of one topic
    #[arg(long, value_name = "TOPIC", group = "which")]
    topic: Option<String>,
    /// The one whose event has this id
    #[arg(long, value_name = "ID", group = "which")]
    id: Option<String>,
}

impl Arguments {
    fn which(&self) -> Which {
        match (&self.topic, &self.id) {
            (Some(topic), _) => Which::Topic(topic.clone()),
            (_, Some(id)) => Which::Id(id.clone()),
            (None, None) => Which::All,
        }
    }
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    // Looked at first: opening a spool would make one where there is none.
    let opened = arguments.place.open()?;
    let mut output = Output::default();
    let mut total = Total::default();
    let done = requeue_offline(&opened.folder, &arguments.which(), |requeued| {
        total.add(&requeued, &mut output);
    });
    done.map_err(|error| match error {
        RequeueError::Spool(error) => in_words(error, &opened.folder),
        error => CommandError::Requeue(error),
    })?;
    let is_kept = total.tell();
    let ended = output.end();
    Ok(if is_kept { ExitCode::FAILURE } else { ended })
}

/// What all steps came to.
#[derive(Default)]
struct Total {
    moved: usize,
    last: Requeued,
    repeated: u64,
    still_pending: u64,
}

impl Total {
    fn add(&mut self, requeued: &Requeued, output: &mut Output) {
        for moved in &requeued.moved {
            writeln!(
                output,
                "{} {} -> {}",
                tamed(&moved.topic),
                tamed(&moved.old_id),
                tamed(&moved.new_id)
            );
        }
        self.moved += requeued.moved.len();
        self.repeated += requeued.repeated;
        self.still_pending += requeued.still_pending;
        // What stays is met by every step again.
        self.last.kept.clone_from(&requeued.kept);
    }

    /// Says it on standard error; returns whether letters stay.
    fn tell(&self) -> bool {
        let count = self.moved;
        complain(&format!(
            "{count} dead letter{} in the spool again; the agent delivers them when it runs",
            plural(count)
        ));
        if self.repeated > 0 {
            complain(&format!(
                "{} were in the file twice and are sent once",
                self.repeated
            ));
        }
        if self.still_pending > 0 {
            complain(&format!(
                "{} were still pending in the spool and are sent from there under their old id",
                self.still_pending
            ));
        }
        for (why, count) in &self.last.kept {
            complain(&format!("{count} stay: {}", tamed(why)));
        }
        !self.last.kept.is_empty()
    }
}
