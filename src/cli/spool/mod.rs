//! `trapline spool`: what the spool on disk holds, beside a running agent or without one.
//!
//! ```text
//!  spool ls | verify | cat | export ──▶ spool::inspect ──▶ text, JSON lines      changes nothing, locks nothing
//!  spool requeue ─────────────────────▶ spool::requeue ──▶ the log               takes the spool's lock, or asks its holder
//! ```

mod cat;
mod export;
mod ls;
mod record;
mod requeue;
mod verify;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::admin::AdminError;
use super::output::complain;
use super::{ConfigArguments, run as agent};
use crate::spool::disk::SpoolError;
use crate::spool::inspect::Inspection;
use crate::spool::requeue::RequeueError;
use crate::time::UnixMicros;

/// What to do with the spool.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List topics: segments, numbers, bytes, what is pending and since when; dead letters; files kept aside.
    #[command(after_help = "Examples:
  trapline spool ls
  trapline spool ls --folder /var/lib/trapline/spool

Beside a running agent, pending is what it was within the last second.")]
    Ls(Place),
    /// Read every record of the spool and say what is damaged.
    #[command(after_help = "Examples:
  trapline spool verify
  trapline spool verify --folder /mnt/old-disk/spool

Exit code 1: something is damaged, or could not be read.")]
    Verify(Place),
    /// Print events as JSON lines: those that Kafka does not have yet, or all, or the dead letters.
    #[command(after_help = "Examples:
  trapline spool cat net.syslog                   what is pending, as it will be sent
  trapline spool cat net.syslog --all --limit 10  what is still on disk, delivered or not
  trapline spool cat net.snmp --from 4711         from this number on
  trapline spool cat --dead-letters               what the broker refused, each with the reason

Beside a running agent, pending is what it was within the last second.")]
    Cat(cat::Arguments),
    /// Write events to a file as JSON lines with topic, key, number and time of arrival.
    #[command(after_help = "Examples:
  trapline spool export --to pending.jsonl                what is pending, of every topic
  trapline spool export --to all.jsonl --all net.syslog   whatever is still on disk, of one topic
  trapline spool export --to refused.jsonl --dead-letters
  trapline spool export --to - | gzip > pending.jsonl.gz

The file is made for its owner alone (0600) and must not exist yet. It holds what devices sent.")]
    Export(export::Arguments),
    /// Send dead letters again, once the reason for which they were refused is gone.
    #[command(after_help = "Examples:
  trapline spool cat --dead-letters               look at them and their reasons first
  trapline spool requeue --all
  trapline spool requeue --topic net.syslog
  trapline spool requeue --id br17-01JD8Q0AB-0-4711

Each gets a new number, and its event's id ends in that number; the rest of the event stays as it was. It is printed as \
`topic old-id -> new-id`. A letter leaves the file only when its event is in the spool. A running agent is asked to do it \
over its admin socket; without one the command does it itself.")]
    Requeue(requeue::Arguments),
}

/// Which spool.
#[derive(Debug, Args)]
struct Place {
    /// The spool's folder [default: spool.folder of the configuration]
    #[arg(short, long, value_name = "FOLDER", conflicts_with = "config")]
    folder: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArguments,
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error(
        "the configuration keeps events in memory (spool.kind = \"memory\"): there is no spool to look at; --folder names one"
    )]
    InMemory,
    #[error("the configuration has problems, see above; --folder names a spool without it")]
    Configuration,
    #[error("there is no spool in {}: --folder or --config names another place; an agent makes its spool when it starts", .0.display())]
    NoSpool(PathBuf),
    #[error("not allowed to open {}: run it as the user that owns the spool: sudo -u {user} trapline spool ...", .path.display())]
    NotAllowed { path: PathBuf, user: String },
    #[error("{}: this spool has no topic {topic}; it has {}", .folder.display(), .topics.join(", "))]
    NoTopic {
        folder: PathBuf,
        topic: String,
        topics: Vec<String>,
    },
    #[error(
        "process {0} uses this spool: --socket names the admin socket of that agent, which then does it; or stop it, send the letters again, start it"
    )]
    InUse(String),
    #[error(transparent)]
    Admin(#[from] AdminError),
    #[error("the agent's answer is not understood: {0}")]
    Answer(#[from] serde_json::Error),
    #[error("cannot write {}: {source}", .path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("standard output cannot be written: {0}")]
    Output(io::Error),
    #[error(transparent)]
    Spool(SpoolError),
    #[error(transparent)]
    Requeue(RequeueError),
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let done = match &arguments.command {
        Command::Ls(place) => ls::run(place),
        Command::Verify(place) => verify::run(place),
        Command::Cat(arguments) => cat::run(arguments),
        Command::Export(arguments) => export::run(arguments),
        Command::Requeue(arguments) => requeue::run(arguments),
    };
    match done {
        Ok(code) => code,
        Err(CommandError::Output(error)) => super::output::ended_by(error),
        Err(error) => {
            complain(&format!("trapline: {error}"));
            match error {
                CommandError::Configuration => ExitCode::from(super::EXIT_USAGE),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

impl Place {
    /// The spool's folder.
    fn folder(&self) -> Result<PathBuf, CommandError> {
        if let Some(folder) = &self.folder {
            return Ok(folder.clone());
        }
        let loaded = agent::load(self.config.file().as_deref()).map_err(|refused| {
            super::print_problems(&refused.problems);
            CommandError::Configuration
        })?;
        let disk = loaded.config.spool.disk;
        disk.map(|disk| disk.folder).ok_or(CommandError::InMemory)
    }

    /// The spool, to be looked at.
    fn open(&self) -> Result<Opened, CommandError> {
        let folder = self.folder()?;
        let inspection = Inspection::open(&folder).map_err(|error| in_words(error, &folder))?;
        Ok(Opened { folder, inspection })
    }
}

/// A spool that is looked at.
struct Opened {
    folder: PathBuf,
    inspection: Inspection,
}

impl Opened {
    /// The topics that were asked for, or every one.
    fn topics(&self, wanted: &[String]) -> Result<Vec<String>, CommandError> {
        let topics = self
            .inspection
            .topics()
            .map_err(|error| self.error(error))?;
        match wanted.iter().find(|topic| !topics.contains(topic)) {
            Some(topic) => Err(CommandError::NoTopic {
                folder: self.folder.clone(),
                topic: topic.clone(),
                topics,
            }),
            None if wanted.is_empty() => Ok(topics),
            None => Ok(wanted.to_vec()),
        }
    }

    fn error(&self, error: SpoolError) -> CommandError {
        in_words(error, &self.folder)
    }
}

/// What a person who typed a command needs to hear.
fn in_words(error: SpoolError, folder: &Path) -> CommandError {
    match error {
        SpoolError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            CommandError::NoSpool(folder.to_path_buf())
        }
        SpoolError::Denied { path, .. } | SpoolError::ForeignOwner { path, .. } => {
            let user = owner(folder);
            CommandError::NotAllowed { path, user }
        }
        SpoolError::Locked { holder, .. } => {
            let process = holder.strip_prefix("process ").unwrap_or(&holder);
            CommandError::InUse(process.to_owned())
        }
        error => CommandError::Spool(error),
    }
}

/// Who owns the folder, for sudo: a name of passwd(5), or `#` and the number; the service's user where that cannot be
/// asked.
fn owner(folder: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    let Ok(metadata) = std::fs::metadata(folder) else {
        return "trapline".to_owned();
    };
    let id = metadata.uid().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("'#{id}'"))
}

/// An instant as RFC 3339 writes it; `-` where there is none that it could write.
fn time_text(time: Option<UnixMicros>) -> String {
    time.and_then(|time| jiff::Timestamp::from_microsecond(time.0).ok())
        .map_or_else(|| "-".to_owned(), |time| time.to_string())
}
