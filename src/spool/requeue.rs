//! Dead letters sent again: each becomes a new record of its topic, and only then leaves the file.
//!
//! ```text
//!  dead-letters ──▶ Which? ──▶ append under a new number ──▶ wait until the disk has it ──▶ remove the letter
//!                                 id …-0-4711 → …-0-5203        a kill up to here sends it twice, and loses nothing
//! ```
//!
//! The letter was on the disk, and so is the record before the letter goes, however `fsync` is set.
//!
//! The poisoned number never reached Kafka and stays counted as `dead_letter`. The new record takes the next number of
//! its topic's lane, and its event's id ends in that number; it counts as `generated`. Its key, its time of arrival and
//! the rest of its payload are the old ones. A running agent gives it an id of its present run ([`NewId`]), so that the
//! numbers of a run have no holes for whoever compares them with what Kafka has.
//!
//! In: the wish of a person, through the running agent ([`Spool::requeue_dead_letters`]) or, where no agent has the
//! spool's lock, from a command ([`requeue_offline`]). Out: a [`Requeued`].

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::dead_letter::{DeadLetter, DeadLetters, LetterFile, NotSetAside, Step};
use super::disk::SpoolError;
use super::{Config, DiskConfig, Fsync, InformAck, Spool, WhenFull, WriterStop, inspect};
use crate::packet::Reason;
use crate::record::{LaneId, Number, Origin, Record};

/// One call moves at most so many letters, so that its answer and what it keeps in mind stay small. More are moved by
/// the next call.
const LETTERS_MAX: usize = 10_000;

/// How often it is looked whether the writer has written: it gathers for 2 ms where somebody waits.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// How long [`requeue_offline`] waits for the disk: far longer than any disk that works needs.
const OFFLINE_WAIT: Duration = Duration::from_secs(60);

/// Which dead letters. In JSON, for a request to the running agent: `"all"`, `{"topic":"net.syslog"}` or `{"id":"…"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// Every one.
    All,
    /// Those of one topic.
    Topic(String),
    /// The one whose event has this id.
    Id(String),
}

impl Which {
    fn takes(&self, letter: &DeadLetter<'_>) -> bool {
        match self {
            Which::All => true,
            Which::Topic(topic) => letter.topic == topic,
            Which::Id(id) => letter.id() == Some(id),
        }
    }
}

/// What the new id has before its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewId<'a> {
    /// What the old one had: no agent runs, and the number belongs to none of its runs.
    AsBefore,
    /// What the ids of this run of the agent have, by lane. A lane without an entry keeps the old one.
    OfThisRun(&'a [String]),
}

/// A letter that is a record again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Its topic.
    pub topic: String,
    /// The id under which it was set aside.
    pub old_id: String,
    /// The id under which it is sent now.
    pub new_id: String,
}

/// What became of the letters that were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Requeued {
    /// Sent again.
    pub moved: Vec<Moved>,
    /// Taken out of the file without being sent: the same letter was in it twice, after a kill.
    pub repeated: u64,
    /// Taken out of the file without being sent: after a kill its record is still in the log and is sent from there.
    pub still_pending: u64,
    /// Left in the file, by the reason why.
    pub kept: BTreeMap<String, u64>,
    /// A limit ended the call: another one goes on.
    pub more: bool,
}

/// Why nothing was sent again, or not for sure.
#[derive(Debug, thiserror::Error)]
pub enum RequeueError {
    /// The spool has no dead-letter file, or it cannot be read.
    #[error(transparent)]
    NoFile(#[from] NotSetAside),
    /// Another request has not ended.
    #[error("another request to send dead letters again has not ended yet: try again")]
    Busy,
    /// There is no room for the first of them.
    #[error(
        "the spool has no room ({}): wait until Kafka has taken some of it", .0.as_str()
    )]
    NoRoom(Reason),
    /// The disk did not take the records in time, or cannot say whether it still has all of them.
    #[error(
        "{records} records were handed to the spool and are not known to be on the disk: their letters stay, and sending them again may send them twice"
    )]
    NotWritten {
        /// How many.
        records: usize,
    },
    /// The records are in the log, and the letters could not be removed.
    #[error(
        "{records} records are in the log and will be delivered, but their letters could not be removed and would be sent twice: {source}"
    )]
    NotRemoved {
        /// How many.
        records: usize,
        /// What the disk said.
        source: SpoolError,
    },
    /// The spool could not be opened.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The system has no thread left.
    #[error("the spool's writer could not be started: {0}")]
    NoThread(#[from] std::io::Error),
}

/// Letters that became records and are not yet removed.
#[derive(Debug, Default)]
struct Begun {
    requeued: Requeued,
    places: Vec<Range<u64>>,
    /// The first and the last new number of each lane.
    numbers: BTreeMap<LaneId, (Number, Number)>,
}

impl Spool {
    /// Sends dead letters again. Waits for the disk, at most for `within`: never called by a thread that receives.
    ///
    /// # Errors
    /// Each says what became of the letters. Nothing is lost by any of them.
    pub fn requeue_dead_letters(
        &self,
        which: &Which,
        new_id: NewId<'_>,
        within: Duration,
    ) -> Result<Requeued, RequeueError> {
        let letters = self.dead_letters.as_ref().ok_or(NotSetAside::InMemory)?;
        let _only_one = match letters.requeueing.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => PoisonError::into_inner(poisoned),
            Err(TryLockError::WouldBlock) => return Err(RequeueError::Busy),
        };
        let begun = self.begin_requeue(which, new_id, letters)?;
        let until = Instant::now() + within;
        let not_written = || RequeueError::NotWritten {
            records: begun.requeued.moved.len(),
        };
        loop {
            let mut numbers = begun.numbers.iter();
            let is_safe =
                numbers.all(|(lane, (_, last))| self.is_safe((*lane, *last), InformAck::Synced));
            // A sync may have failed in between and taken the first of them, and the next one have reached the last.
            let mut numbers = begun.numbers.iter();
            let is_lost =
                numbers.any(|(lane, (first, last))| self.is_any_lost(*lane, first.0..last.0 + 1));
            if is_lost || (!is_safe && Instant::now() >= until) {
                return Err(not_written());
            }
            if is_safe {
                break;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        let removed = letters.lock().remove(&begun.places);
        match removed {
            Ok(()) => Ok(begun.requeued),
            Err(source) => Err(RequeueError::NotRemoved {
                records: begun.requeued.moved.len(),
                source,
            }),
        }
    }

    fn begin_requeue(
        &self,
        which: &Which,
        new_id: NewId<'_>,
        letters: &DeadLetters,
    ) -> Result<Begun, RequeueError> {
        let mut begun = Begun::default();
        let mut file = letters.lock();
        let Some(mut walk) = file.letters()? else {
            return Ok(begun);
        };
        let mut seen = HashSet::new();
        loop {
            let (letter, place) = match walk.step()? {
                Step::Letter(letter, place) if which.takes(&letter) => (letter, place),
                Step::Letter(..) | Step::Damage(_) | Step::Torn(_) => continue,
                Step::End => break,
            };
            if begun.places.len() >= LETTERS_MAX {
                begun.requeued.more = true;
                break;
            }
            // The id names boot, lane and number: the same id is the same record.
            let is_repeated = letter
                .id()
                .is_some_and(|id| !seen.insert((letter.topic.to_owned(), id.to_owned())));
            match self.requeue_one(&letter, is_repeated, new_id, &mut file)? {
                Fate::Moved(lane, number, moved) => {
                    let (_, last) = begun.numbers.entry(lane).or_insert((number, number));
                    *last = number;
                    begun.requeued.moved.push(moved);
                    begun.places.push(place);
                }
                Fate::Repeated => {
                    begun.requeued.repeated += 1;
                    begun.places.push(place);
                }
                Fate::StillPending => {
                    begun.requeued.still_pending += 1;
                    begun.places.push(place);
                }
                Fate::Kept(why) => *begun.requeued.kept.entry(why).or_default() += 1,
                Fate::NoRoom(reason) if begun.places.is_empty() => {
                    return Err(RequeueError::NoRoom(reason));
                }
                Fate::NoRoom(_) => {
                    begun.requeued.more = true;
                    break;
                }
            }
        }
        Ok(begun)
    }

    fn requeue_one(
        &self,
        letter: &DeadLetter<'_>,
        is_repeated: bool,
        new_id: NewId<'_>,
        file: &mut LetterFile,
    ) -> Result<Fate, RequeueError> {
        if is_repeated {
            return Ok(Fate::Repeated);
        }
        let Some((lane, is_settled)) = self.lane_of(letter) else {
            let why = format!(
                "this spool has no topic {}: add it to [topics]",
                letter.topic
            );
            return Ok(Fate::Kept(why));
        };
        if !is_settled {
            let found = inspect::record(file.disk(), file.folder(), letter.topic, letter.number)?;
            if found.is_some_and(|record| record.payload == letter.payload) {
                file.forget_unsettled(letter);
                return Ok(Fate::StillPending);
            }
        }
        let Some(old_prefix) = letter.id_prefix() else {
            return Ok(Fate::Kept("its id does not end in its number".to_owned()));
        };
        let prefix = match new_id {
            NewId::AsBefore => old_prefix,
            NewId::OfThisRun(prefixes) => prefixes
                .get(usize::from(lane.0))
                .map_or(old_prefix, String::as_str),
        };
        let Some((payload, number_at)) = letter.with_id_prefix(prefix) else {
            return Ok(Fate::Kept("it is no event".to_owned()));
        };
        let record = Record {
            lane,
            received: letter.received,
            key: letter.key,
            payload: &payload,
            number_at,
            origin: Origin::Generated,
        };
        match self.append(&record) {
            Ok(number) => {
                let moved = Moved {
                    topic: letter.topic.to_owned(),
                    old_id: format!("{old_prefix}{}", letter.number.0),
                    new_id: format!("{prefix}{}", number.0),
                };
                Ok(Fate::Moved(lane, number, moved))
            }
            Err(reason @ (Reason::SpoolFull | Reason::SpoolStalled)) => Ok(Fate::NoRoom(reason)),
            Err(reason) => Ok(Fate::Kept(format!(
                "the spool refuses it: {}",
                reason.as_str()
            ))),
        }
    }

    /// The lane of the letter's topic, and whether its number is settled there.
    fn lane_of(&self, letter: &DeadLetter<'_>) -> Option<(LaneId, bool)> {
        let inner = self.lock();
        let mut lanes = inner.lanes.iter().zip(0..);
        let (lane, id) = lanes.find(|(lane, _)| lane.topic() == letter.topic)?;
        Some((LaneId(id), lane.settled().contains(letter.number.0)))
    }
}

enum Fate {
    Moved(LaneId, Number, Moved),
    Repeated,
    StillPending,
    Kept(String),
    NoRoom(Reason),
}

/// Sends dead letters again without an agent: takes the spool's lock, appends to the logs, and closes the spool. The
/// next start of the agent delivers. Tells `each` the outcome of every step.
///
/// # Errors
/// The spool cannot be opened (an agent has its lock, another user's folder); or as [`Spool::requeue_dead_letters`].
pub fn requeue_offline(
    folder: &Path,
    which: &Which,
    mut each: impl FnMut(Requeued),
) -> Result<(), RequeueError> {
    let disk = DiskConfig {
        // The agent keeps the caps of its configuration; nothing is dropped here.
        bytes_max: u64::MAX,
        free_bytes_min: 0,
        dead_letter_bytes_max: u64::MAX,
        fsync: Fsync::Always,
        ..DiskConfig::new(folder)
    };
    let config = Config {
        bytes_max: Config::TAIL_BYTES_MAX,
        when_full: WhenFull::DropNewest,
        // Every topic that has a log.
        topics: Vec::new(),
        disk: Some(disk.clone()),
    };
    let opened = Spool::open(&config, &disk)?;
    let (spool, stop) = (opened.spool, Arc::new(WriterStop::default()));
    let writer = opened.writer.spawn(stop.clone(), |_| {})?;
    let done = loop {
        match spool.requeue_dead_letters(which, NewId::AsBefore, OFFLINE_WAIT) {
            Ok(requeued) => {
                let more = requeued.more;
                each(requeued);
                if !more {
                    break Ok(());
                }
            }
            Err(error) => break Err(error),
        }
    };
    stop.stop();
    // A panic of the writer was printed; what was written is written.
    let _ = writer.join();
    done
}

#[cfg(test)]
mod tests;
