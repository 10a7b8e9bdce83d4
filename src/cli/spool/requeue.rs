//! `trapline spool requeue`: dead letters sent again, by the agent that holds the spool, or without one.
//!
//! ```text
//!  the lock is free ──▶ requeue_offline ──▶ the log        taken ──▶ POST /requeue on the agent's admin socket
//! ```

use std::path::PathBuf;
use std::process::ExitCode;

use super::{CommandError, Place, in_words};
use crate::cli::admin::Admin;
use crate::cli::output::{Output, complain, tamed};
use crate::cli::plural;
use crate::spool::disk::SpoolError;
use crate::spool::requeue::{RequeueError, Requeued, Which, requeue_offline};

/// Which letters.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("which").required(true)))]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The admin socket of the agent that uses the spool [default: status.admin_socket, unless --folder is given]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
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

    /// With `--folder` alone nobody knows which agent's socket belongs to it.
    fn may_ask(&self) -> bool {
        self.socket.is_some() || self.place.folder.is_none()
    }

    fn ask_agent(&self, mut each: impl FnMut(Requeued)) -> Result<(), CommandError> {
        let config = self.place.config.file();
        let admin = Admin::new(self.socket.as_deref(), config.as_deref())?;
        let which = serde_json::to_string(&self.which())?;
        loop {
            let requeued: Requeued = serde_json::from_str(&admin.ask("POST", "/requeue", &which)?)?;
            let more = requeued.more;
            each(requeued);
            if !more {
                return Ok(());
            }
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
    match done {
        Ok(()) => {}
        Err(RequeueError::Spool(SpoolError::Locked { .. })) if arguments.may_ask() => {
            arguments.ask_agent(|requeued| total.add(&requeued, &mut output))?;
        }
        Err(RequeueError::Spool(error)) => return Err(in_words(error, &opened.folder)),
        Err(error) => return Err(CommandError::Requeue(error)),
    }
    if total.is_empty() {
        return Ok(nothing(&arguments.which()));
    }
    let is_kept = total.tell();
    let ended = output.end();
    Ok(if is_kept { ExitCode::FAILURE } else { ended })
}

/// No letter was meant. Where one was named, that is a mistake.
fn nothing(which: &Which) -> ExitCode {
    let (text, code) = match which {
        Which::All => ("there are no dead letters".to_owned(), ExitCode::SUCCESS),
        Which::Topic(topic) => (
            format!(
                "trapline: no dead letter is of the topic {}; `trapline spool cat --dead-letters` shows them",
                tamed(topic)
            ),
            ExitCode::FAILURE,
        ),
        Which::Id(id) => (
            format!(
                "trapline: no dead letter has the id {}; `trapline spool cat --dead-letters` shows them",
                tamed(id)
            ),
            ExitCode::FAILURE,
        ),
    };
    complain(&text);
    code
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

    /// Whether no letter was met that was meant.
    fn is_empty(&self) -> bool {
        self.moved == 0
            && self.repeated == 0
            && self.still_pending == 0
            && self.last.kept.is_empty()
    }

    /// Says it on standard error; returns whether letters stay.
    fn tell(&self) -> bool {
        let count = self.moved;
        complain(&format!(
            "{count} dead letter{} in the spool again; the agent delivers them",
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
