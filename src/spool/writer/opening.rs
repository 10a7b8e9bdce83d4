//! Opening a spool on disk: its folder, its lock, its logs, and what was found in them.
//!
//! ```text
//!   folder ─▶ lock ─▶ topics: of the configuration, and those that only a folder has ─▶ Log::open each ─▶ Opened
//! ```

use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::ages::Ages;
use super::unsynced::Unsynced;
use super::{Writer, caps};
use crate::observe::mute::Mute;
use crate::spool::cursor::Cursor;
use crate::spool::dead_letter::{DeadLetters, LetterFile};
use crate::spool::disk::{self, Disk, Operation, RealDisk, SpoolError};
use crate::spool::lane::{Lane, Run};
use crate::spool::log::{self, AtRoll, Log, Recovery};
use crate::spool::segment::is_segment;
use crate::spool::{Config, DiskConfig, Fsync, InformAck, Keeping, Spool};

/// A spool on disk, open, and what was found there.
#[derive(Debug)]
pub struct Opened {
    /// For receivers and the producer.
    pub spool: Arc<Spool>,
    /// Not yet started.
    pub writer: Writer,
    /// What was found, by topic, where it is worth a line in the log.
    pub recoveries: Vec<(String, Recovery)>,
}

impl Spool {
    /// Opens the spool in `disk.folder` and makes what is missing there.
    ///
    /// # Errors
    /// It cannot be read or locked (newer version, foreign owner, another agent, no rights); then it was left untouched.
    pub fn open(config: &Config, disk: &DiskConfig) -> Result<Opened, SpoolError> {
        Spool::open_on(Arc::new(RealDisk), config, disk)
    }

    /// The same on any file system.
    pub fn open_on(
        disk: Arc<dyn Disk>,
        config: &Config,
        disk_config: &DiskConfig,
    ) -> Result<Opened, SpoolError> {
        let mut kept = disk_config.clone();
        let folder = disk_config.folder.as_path();
        let made = |path: &Path| {
            disk.create_folder(path)
                .map_err(SpoolError::at(Operation::Create, path))
        };
        if let Some(above) = folder.parent() {
            // On a host where no package made it. Where this fails, the next line says what is missing.
            let _ = disk.create_folder(above);
        }
        made(folder)?;
        disk::check_owner(disk.as_ref(), folder)?;
        let lock = disk.lock(&folder.join("lock"))?;
        let topics_folder = folder.join("topics");
        made(&topics_folder)?;
        if kept.bytes_max == DiskConfig::BYTES_MAX_DEFAULT {
            let free = disk
                .free_bytes(folder)
                .map_err(SpoolError::at(Operation::Stat, folder))?;
            let held = held_bytes(disk.as_ref(), &topics_folder)?;
            // What waits was taken under a cap: others who took the space meanwhile must not have it given up. What is
            // to stay free stays free all the same.
            let taken = held.min(kept.bytes_max);
            kept.bytes_max = caps::half_of_free(kept.bytes_max, free, held).max(taken);
        }
        let log_config = log::Config {
            segment_bytes: caps::segment_bytes(kept.bytes_max),
            at_roll: match (kept.fsync, kept.inform_ack) {
                // Nobody but a person who sends dead letters again asks for a sync, and it reaches back to what was left.
                (Fsync::Never, InformAck::Written) => AtRoll::Leave,
                (Fsync::Interval(_), _) => AtRoll::LeaveDelivered,
                (Fsync::Never | Fsync::Always, _) => AtRoll::Sync,
            },
            ..log::Config::default()
        };
        let (mut lanes, mut logs, mut recoveries) = (Vec::new(), Vec::new(), Vec::new());
        for topic in all_topics(disk.as_ref(), &topics_folder, config)? {
            let mut opened = Log::open(
                disk.clone(),
                &topics_folder.join(&topic),
                log_config.clone(),
            )?;
            // What was found is remembered before anything new is written: killed again before the first second is over,
            // the next start would count the hole that a torn record left as a loss. A full disk may not take it now.
            match opened.log.save_cursor(&opened.cursor) {
                Ok(saved) => _ = opened.log.trim(saved)?,
                Err(error) => {
                    tracing::warn!(topic, %error, "the spool's cursor could not be saved at start");
                }
            }
            let mut lane = Lane::new(topic.clone(), opened.log.next(), opened.cursor);
            let low = lane.settled().low();
            if lane.pending() > 0
                && let Some(received) = opened.log.reader().received_of(low)
            {
                lane.note_received(low, received);
            }
            lanes.push(lane);
            logs.push(opened.log);
            recoveries.push((topic, opened.recovery));
        }
        let readers = logs.iter().map(|log| Mutex::new(log.reader())).collect();
        let views = logs.iter().map(Log::view).collect();
        let letters = LetterFile::open(
            disk.clone(),
            folder,
            kept.dead_letter_bytes_max,
            kept.fsync != Fsync::Never,
            |topic, number| {
                let lane = lanes.iter().find(|lane| lane.topic() == topic);
                lane.is_some_and(|lane| number < lane.next() && !lane.settled().contains(number))
            },
        );
        let inform_ack = kept.inform_ack;
        let mut spool = Spool::with(config, lanes, Keeping::Disk, readers, views, inform_ack);
        spool.lock().report_kept = match kept.fsync {
            Fsync::Never => InformAck::Written,
            Fsync::Interval(_) | Fsync::Always => InformAck::Synced,
        };
        spool.dead_letters = Some(DeadLetters::new(letters));
        spool.bytes_max = AtomicU64::new(kept.bytes_max);
        let spool = Arc::new(spool);
        let now = Instant::now();
        let writer = Writer {
            spool: spool.clone(),
            disk,
            when_full: config.when_full,
            ages: match kept.age_max {
                None => Vec::new(),
                Some(age_max) => logs
                    .iter()
                    .map(|log| Ages::new(age_max, log.next(), now))
                    .collect(),
            },
            unsynced: match kept.fsync {
                Fsync::Never | Fsync::Always => Vec::new(),
                Fsync::Interval(interval) => logs
                    .iter()
                    .map(|log| Unsynced::new(interval, log.next()))
                    .collect(),
            },
            saved: vec![Cursor::default(); logs.len()],
            logs,
            run: Run::default(),
            shortage: super::shortage::Shortage::default(),
            due: Vec::new(),
            due_next: None,
            clock: now,
            taken: 0,
            uncapped_bytes: 0,
            saved_settled: 0,
            has_reserve: false,
            housekept: now,
            given_up: Mute::usual(),
            missing: None,
            lock,
            bytes_max_wanted: disk_config.bytes_max,
            config: kept,
        };
        Ok(Opened {
            spool,
            writer,
            recoveries,
        })
    }
}

/// Bytes of all segments that are there.
fn held_bytes(disk: &dyn Disk, topics_folder: &Path) -> Result<u64, SpoolError> {
    let mut held = 0;
    let topics = disk
        .list_folders(topics_folder)
        .map_err(SpoolError::at(Operation::List, topics_folder))?;
    for topic in topics {
        let folder = topics_folder.join(topic);
        let names = disk
            .list(&folder)
            .map_err(SpoolError::at(Operation::List, &folder))?;
        for name in names.iter().filter(|name| is_segment(name)) {
            let path = folder.join(name);
            let length = disk.open_to_read(&path).and_then(|file| file.len());
            held += length.map_err(SpoolError::at(Operation::Stat, &path))?;
        }
    }
    Ok(held)
}

/// The configured topics, then those that only have a folder: their records are delivered too, though nothing new goes
/// there.
fn all_topics(disk: &dyn Disk, folder: &Path, config: &Config) -> Result<Vec<String>, SpoolError> {
    let mut topics = config.topics.clone();
    let mut found = disk
        .list_folders(folder)
        .map_err(SpoolError::at(Operation::List, folder))?;
    found.sort();
    topics.extend(
        found
            .into_iter()
            .filter(|name| !config.topics.contains(name)),
    );
    Ok(topics)
}
