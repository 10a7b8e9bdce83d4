//! The writer: the only one who touches the disk. It takes what the lanes hold in memory to their logs.
//!
//! ```text
//!  each turn   lane ──take_unwritten──▶ run ──one write──▶ log ──mark_written──▶ lane: accepted, the producer is woken
//!  when due    sync (fsync = interval): a record has waited for the interval, and Kafka does not have it
//!  each second cursor saved · settled segments unlinked · caps by bytes, age and free space
//! ```
//!
//! So of a topic that Kafka keeps up with nothing is synced but the cursor: what is delivered and unlinked within seconds
//! costs a flash disk no write. In an outage the log is synced each interval.
//!
//! A turn holds the spool's lock only to take what is to be written and to mark it; it writes outside of it, so
//! receivers never wait for the disk. When the disk refuses, the spool goes on in memory
//! ([`super::Keeping::DiskFails`]) and the writer tries again every second; what is in memory is written first when the
//! disk is back.

mod ages;
mod caps;
mod opening;
mod place;
mod shortage;
mod unsynced;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::cursor::Cursor;
use super::disk::{self, Disk, DiskLock, SpoolError};
use super::lane::{Lane, Run};
use super::log::{Log, PassedOver};
use super::{DiskConfig, Fsync, InformAck, Keeping, Spool, WhenFull};
use crate::observe::ledger::LossReason;
use crate::observe::mute::Mute;
use crate::time::UnixMicros;

use ages::Ages;
use shortage::Shortage;
use unsynced::Unsynced;

pub use opening::Opened;

/// One write takes at most about so many bytes: large enough that a flood costs few writes, small enough that a disk
/// that is slow to take them does not keep the first of them from being accepted.
const RUN_BYTES_MAX: usize = 256 * 1024;

/// How long records gather before they are written: at 20 000 a second four hundred share one wake-up. A kill takes what
/// has gathered: nothing of it was accepted.
const GATHER: Duration = Duration::from_millis(20);

/// So many records in one turn are a flow: one a millisecond where nothing held the turn up, so that the next is hardly
/// for nothing.
const FLOW_RECORDS: u64 = 20;

/// How long they gather where an inform's Response waits for one of them: a storm of informs still shares its writes.
const GATHER_URGENT: Duration = Duration::from_millis(2);

/// The caps are kept each time so many bytes were written: they are overrun by no more, whatever comes in a second.
const CAPS_BYTES: u64 = 1024 * 1024;

/// A file that is given up when the disk is so full that no cursor can be saved: without a saved cursor nothing is
/// unlinked, and the disk would stay full of what Kafka has. A cursor takes some kilobytes.
const RESERVE_BYTES: usize = 64 * 1024;

/// How often cursors are saved, caps are kept, and a failing disk is tried again.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// What the writer's thread does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It waits for records, for a quarter of a second at most.
    Waits,
    /// It calls the disk, which may hang for as long as it likes.
    OnDisk,
}

/// The writer's side of a spool on disk.
#[derive(Debug)]
pub struct Writer {
    spool: Arc<Spool>,
    disk: Arc<dyn Disk>,
    config: DiskConfig,
    when_full: WhenFull,
    logs: Vec<Log>,
    /// Each log's cursor as it was last saved.
    saved: Vec<Cursor>,
    run: Run,
    /// The cap that the default may rise to; one that was chosen is there from the start.
    bytes_max_wanted: u64,
    /// Each log's ages, where there is a cap by age.
    ages: Vec<Ages>,
    /// What of each log waits for the disk, where there is an interval for that.
    unsynced: Vec<Unsynced>,
    shortage: Shortage,
    /// The logs that are to be synced in this turn, and when the next of the others is.
    due: Vec<usize>,
    due_next: Option<Instant>,
    /// The instant of this turn.
    clock: Instant,
    /// Records that this turn took from the lanes.
    taken: u64,
    /// Bytes written since the caps were last kept.
    uncapped_bytes: u64,
    /// Records that were settled when the cursors were last saved.
    saved_settled: u64,
    has_reserve: bool,
    housekept: Instant,
    /// Lines about segments that are given up: while the spool is full each one that comes costs one that goes.
    given_up: Mute,
    /// Since when the folder, or a file that is written, is not where it was.
    missing: Option<Instant>,
    /// The folder is ours for as long as this lives.
    lock: Box<dyn DiskLock>,
}

impl Spool {
    /// Waits until something is there to be written, or `timeout` is over; says whether something is there.
    fn wait_for_work(&self, timeout: Duration) -> bool {
        let mut inner = self.lock();
        let unwritten = inner.lanes.iter().any(|lane| lane.written() < lane.next());
        if unwritten || inner.sync_wanted {
            return true;
        }
        inner.writer_waits = true;
        let waited = self
            .to_write
            .wait_timeout_while(inner, timeout, |inner| inner.writer_waits);
        let (mut inner, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !std::mem::take(&mut inner.writer_waits)
    }

    /// Lets records gather for `timeout`, or until somebody waits for one of them; says whether somebody does.
    fn gather(&self, timeout: Duration) -> bool {
        let inner = self.lock();
        let gathered = self
            .to_write
            .wait_timeout_while(inner, timeout, |inner| !inner.urgent);
        let (inner, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        inner.urgent
    }

    /// Whether somebody has waited for a record to be on the disk since this was last asked. Those who wait for it to be
    /// written have their wish by this turn.
    fn take_wishes(&self) -> bool {
        let mut inner = self.lock();
        inner.urgent = false;
        std::mem::take(&mut inner.sync_wanted)
    }
}

impl Writer {
    /// Runs until `stop` says so, then writes and saves what is left. Calls `beat` before and after each
    /// turn.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn spawn(
        mut self,
        stop: Arc<WriterStop>,
        beat: impl Fn(Phase) + Send + 'static,
    ) -> std::io::Result<JoinHandle<()>> {
        std::thread::Builder::new()
            .name("spool-writer".to_owned())
            .spawn(move || {
                let spool = self.spool.clone();
                while !stop.is_wanted() {
                    // In a steady flow the next record is not waited for: being woken up by it costs more than itself.
                    let flows = self.taken >= FLOW_RECORDS;
                    if (flows || self.spool.wait_for_work(self.rest(Instant::now())))
                        && self.spool.gather(GATHER)
                    {
                        stop.wait(GATHER_URGENT);
                    }
                    let _on_disk = spool.enter_disk(&beat);
                    self.taken = 0;
                    self.turn(UnixMicros::now(), Instant::now());
                }
                let _on_disk = spool.enter_disk(&beat);
                self.finish(UnixMicros::now(), Instant::now());
            })
    }

    /// Writes what is there, and keeps house when a second has passed or much was settled.
    pub fn turn(&mut self, now: UnixMicros, clock: Instant) {
        self.clock = clock;
        let due = clock.saturating_duration_since(self.housekept) >= HOUSEKEEPING;
        // While the disk fails nobody's wish can be fulfilled; what is tried again is synced too.
        let sync_wanted = self.spool.take_wishes();
        if self.is_failing() {
            self.due_next = None;
            if due {
                self.housekept = clock;
                let tried = self.try_again(now, clock);
                self.report(tried);
            }
            return;
        }
        let written = self.write_and_make_room(now, clock);
        self.report(written);
        self.look_for_due(clock);
        if (sync_wanted || !self.due.is_empty()) && !self.is_failing() {
            let synced = match sync_wanted {
                true => self.sync(),
                false => self.sync_due(),
            };
            self.report(synced);
        }
        if (due || self.much_is_settled()) && !self.is_failing() {
            self.housekept = clock;
            let kept = self.keep_house(now, clock);
            self.report(kept);
        }
    }

    /// A full disk is no reason to keep records in memory where older ones can make room at once.
    fn write_and_make_room(&mut self, now: UnixMicros, clock: Instant) -> Result<(), SpoolError> {
        let written = self.write(now);
        if !is_full(&written) {
            return written;
        }
        self.note_refusal();
        self.try_again(now, clock)
    }

    /// A failing disk is not tried for every record, and it has to do all of its work before it counts as back. Making
    /// room comes first: it may be full.
    fn try_again(&mut self, now: UnixMicros, clock: Instant) -> Result<(), SpoolError> {
        self.find_place(clock)?;
        // What is delivered makes room that costs nothing. Where this fails, keeping house says so.
        let _ = self.save_cursors_at_all();
        let capped = self.keep_caps(now);
        let kept = self.keep_house(now, clock);
        let written = self.write(now).and_then(|()| self.sync_as_configured());
        capped.and(kept).and(written)
    }

    fn is_failing(&self) -> bool {
        matches!(self.spool.lock().keeping, Keeping::DiskFails(_))
    }

    fn much_is_settled(&self) -> bool {
        self.settled() - self.saved_settled >= self.config.cursor_records_max
    }

    fn settled(&self) -> u64 {
        let counts = self.spool.counts();
        counts.accepted - counts.pending
    }

    /// The last turn: everything written, what Kafka does not have synced (unless nothing ever is), and remembered. A disk
    /// that refuses is tried once more, as it would be a second later; what it does not take then is lost.
    fn finish(&mut self, now: UnixMicros, clock: Instant) {
        self.clock = clock;
        let written = self.write(now).and_then(|()| self.sync_as_configured());
        let again = match written {
            Ok(()) => Ok(()),
            failed => {
                self.report(failed);
                self.try_again(now, clock)
            }
        };
        if let Err(error) = again {
            let mut inner = self.spool.lock();
            inner.disk_fails(error.to_string());
            let records = inner.abandon_unwritten();
            tracing::error!(%error, records, "the spool could not be written to its end: these records are lost");
        }
        if let Err(error) = self.keep_house(now, clock) {
            tracing::error!(%error, "the spool could not be closed: the next start sends records again");
        }
    }

    /// Which logs hold a record that has waited for the disk as long as it may. One that Kafka has waits for nothing.
    fn look_for_due(&mut self, clock: Instant) {
        self.due.clear();
        self.due_next = None;
        let inner = self.spool.lock();
        let logs = self.unsynced.iter_mut().zip(&self.logs).enumerate();
        for ((index, (unsynced, log)), lane) in logs.zip(&inner.lanes) {
            unsynced.note(log.next(), clock);
            let done = lane.settled().first_unsettled(log.synced());
            match unsynced.due(done) {
                Some(due) if due <= clock => self.due.push(index),
                Some(due) => self.due_next = Some(self.due_next.map_or(due, |next| next.min(due))),
                None => {}
            }
        }
    }

    /// How long the writer may wait for records: until the next sync is due, or house is to be kept.
    fn rest(&self, clock: Instant) -> Duration {
        let due = self
            .due_next
            .map(|due| due.saturating_duration_since(clock));
        due.map_or(HOUSEKEEPING / 4, |due| due.min(HOUSEKEEPING / 4))
    }

    /// Takes to the logs what every lane holds now. What arrives meanwhile is the next turn's: no flood on one lane may
    /// keep the writer from the other lanes, from its house-keeping, or from stopping.
    fn write(&mut self, now: UnixMicros) -> Result<(), SpoolError> {
        let ends: Vec<u64> = self.spool.lock().lanes.iter().map(Lane::next).collect();
        for (index, end) in ends.into_iter().enumerate() {
            loop {
                let more = self.write_run(index, end, now)?;
                if self.uncapped_bytes >= CAPS_BYTES {
                    self.keep_caps(now)?;
                }
                if !more {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Takes one run of one lane to its log; says whether there was one, and more below `end`.
    fn write_run(&mut self, index: usize, end: u64, now: UnixMicros) -> Result<bool, SpoolError> {
        self.run.clear();
        let settled;
        {
            let mut inner = self.spool.lock();
            inner.advance_on_disk();
            let Some(lane) = inner.lanes.get(index) else {
                return Ok(false);
            };
            lane.take_unwritten(RUN_BYTES_MAX, &mut self.run);
            settled = lane.settled().low();
        }
        let numbers = self.run.numbers();
        if numbers.is_empty() {
            return Ok(false);
        }
        let Some(log) = self.logs.get_mut(index) else {
            return Ok(false);
        };
        // That may close a file, which takes some file systems long: not under the lock.
        log.note_settled(settled);
        self.taken += numbers.end - numbers.start;
        self.uncapped_bytes += self.run.bytes_len() as u64;
        let more = numbers.end < end;
        let mut done = log
            .skip_to(numbers.start)
            .and_then(|()| log.append(&self.run.parts(), now));
        if done.is_ok() && self.config.fsync == Fsync::Always {
            // Whatever the reason: what is in the log and was not accepted is appended again.
            done = log.sync().map(|_| ()).map_err(|error| log.doubt_of(error));
        }
        match done {
            Ok(()) => {
                let mut inner = self.spool.lock();
                if let Some(lane) = inner.lanes.get_mut(index) {
                    lane.mark_written(&self.run);
                    if self.config.fsync == Fsync::Always {
                        lane.mark_synced(log.synced());
                    }
                }
                let wake = std::mem::take(&mut inner.producer_waits);
                drop(inner);
                // Whoever gives a segment up next finds that nobody else holds it, and uses its memory again.
                self.run.clear();
                if wake {
                    self.spool.arrived.notify_one();
                }
                Ok(more)
            }
            Err(error) => {
                self.run.clear();
                self.recover(index, &error);
                Err(error)
            }
        }
    }

    /// After a failed sync, what is still in memory is written again, and the rest is counted as lost.
    fn recover(&mut self, index: usize, error: &SpoolError) {
        let (SpoolError::SyncFailed { numbers, .. }, Some(log)) = (error, self.logs.get_mut(index))
        else {
            return;
        };
        let mut inner = self.spool.lock();
        let Some(lane) = inner.lanes.get_mut(index) else {
            return;
        };
        let again = log.resume_at(lane.first_in_memory().max(numbers.start));
        let lost_to = again.start.min(numbers.end);
        lane.lose(numbers.start..lost_to, LossReason::DiskSync);
        lane.unwrite(again.start.max(lane.first_in_memory()));
    }

    /// Syncs, unless nothing is ever synced but by a wish.
    fn sync_as_configured(&mut self) -> Result<(), SpoolError> {
        match (self.config.fsync, self.config.inform_ack) {
            (Fsync::Never, InformAck::Written) => Ok(()),
            _ => self.sync(),
        }
    }

    fn sync(&mut self) -> Result<(), SpoolError> {
        (0..self.logs.len()).try_for_each(|index| self.sync_log(index))
    }

    fn sync_due(&mut self) -> Result<(), SpoolError> {
        let mut due = std::mem::take(&mut self.due);
        let synced = due.iter().try_for_each(|&index| self.sync_log(index));
        due.clear();
        self.due = due;
        synced
    }

    /// Syncs what one log holds and Kafka does not have.
    fn sync_log(&mut self, index: usize) -> Result<(), SpoolError> {
        let settled = self.settled_below(index);
        let Some(log) = self.logs.get_mut(index) else {
            return Ok(());
        };
        log.note_settled(settled);
        let synced = log.sync();
        let mut inner = self.spool.lock();
        inner.advance_on_disk();
        if let Err(error) = synced {
            drop(inner);
            self.recover(index, &error);
            return Err(error);
        }
        if let Some(lane) = inner.lanes.get_mut(index) {
            for PassedOver { numbers, error } in log.take_passed_over() {
                tracing::warn!(%error, from = numbers.start, to = numbers.end - 1, "records of the spool could not be synced: a power cut may take them");
                lane.pass_over(numbers);
            }
            lane.mark_synced(log.synced());
        }
        Ok(())
    }

    fn settled_below(&self, index: usize) -> u64 {
        let inner = self.spool.lock();
        inner
            .lanes
            .get(index)
            .map_or(0, |lane| lane.settled().low())
    }

    /// Saves cursors, unlinks what is settled, keeps the caps, keeps damaged bytes aside.
    fn keep_house(&mut self, now: UnixMicros, clock: Instant) -> Result<(), SpoolError> {
        self.check_place()?;
        self.keep_damage();
        self.save_cursors_at_all()?;
        self.keep_ages(now, clock)?;
        self.keep_caps(now)?;
        self.keep_reserve();
        Ok(())
    }

    /// Keeps aside what could not be read back. A disk that does not give it does not give it now either: that is said,
    /// and is no reason to stop writing.
    fn keep_damage(&mut self) {
        let (damage, unreadable) = {
            let mut inner = self.spool.lock();
            let unreadable = std::mem::take(&mut inner.unreadable);
            (std::mem::take(&mut inner.damage), unreadable)
        };
        for (lane, damage) in damage {
            tracing::error!(
                segment = %damage.segment.display(),
                records = damage.records(),
                "records of the spool could not be read back and are lost"
            );
            let log = self.logs.get(usize::from(lane.0));
            if let Some(Err(error)) = log.map(|log| log.quarantine(&damage)) {
                tracing::warn!(%error, "damaged bytes of the spool could not be kept aside");
            }
        }
        for (lane, path) in unreadable {
            let log = self.logs.get_mut(usize::from(lane.0));
            match log.map(|log| log.set_aside(&path)) {
                Some(Ok(false)) => self.spool.lock().unreadable.push((lane, path)),
                Some(Err(error)) => {
                    tracing::warn!(%error, "a segment that cannot be read could not be put aside");
                }
                Some(Ok(true)) | None => {}
            }
        }
    }

    fn save_cursors(&mut self) -> Result<(), SpoolError> {
        let settled = self.settled();
        for index in 0..self.logs.len() {
            self.save_cursor(index)?;
        }
        self.saved_settled = settled;
        Ok(())
    }

    /// Saves cursors. Where the disk is full the reserve makes room for them, and where others were faster to take that,
    /// a segment that is delivered.
    fn save_cursors_at_all(&mut self) -> Result<(), SpoolError> {
        let mut saved = self.save_cursors();
        if is_full(&saved) && self.disk.remove(&self.reserve()).is_ok() {
            self.has_reserve = false;
            saved = self.save_cursors();
        }
        if is_full(&saved) && self.remove_settled().unwrap_or(false) {
            saved = self.save_cursors();
        }
        saved
    }

    fn remove_settled(&mut self) -> Result<bool, SpoolError> {
        for (index, log) in self.logs.iter_mut().enumerate() {
            let settled = self.spool.lock().lanes.get(index).map(Lane::cursor);
            let low = settled.map_or(0, |cursor| cursor.settled.low());
            if log.remove_settled(low)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn save_cursor(&mut self, index: usize) -> Result<(), SpoolError> {
        let cursor = self.spool.lock().lanes.get(index).map(Lane::cursor);
        let cursor = cursor.filter(|cursor| self.saved.get(index) != Some(cursor));
        // Each save is two syncs: an idle agent must not wear out a flash disk.
        cursor.map_or(Ok(()), |cursor| self.save_this_cursor(index, cursor))
    }

    pub(super) fn save_this_cursor(
        &mut self,
        index: usize,
        cursor: Cursor,
    ) -> Result<(), SpoolError> {
        let Some(log) = self.logs.get_mut(index) else {
            return Ok(());
        };
        let saved = log.save_cursor(&cursor)?;
        log.trim(saved)?;
        self.spool.lock().advance_on_disk();
        if let Some(last) = self.saved.get_mut(index) {
            *last = cursor;
        }
        Ok(())
    }

    fn reserve(&self) -> PathBuf {
        self.config.folder.join("reserve")
    }

    /// Makes the reserve if it is not there. Where it cannot be made the spool works all the same.
    fn keep_reserve(&mut self) {
        if self.has_reserve {
            return;
        }
        let path = self.reserve();
        // A reserve of an earlier start may be half a one.
        let _ = self.disk.remove(&path);
        let made = self
            .disk
            .create_new(&path)
            .and_then(|file| super::disk::write_all_at(file.as_ref(), &[0; RESERVE_BYTES], 0));
        self.has_reserve = made.is_ok();
        if made.is_err() {
            let _ = self.disk.remove(&path);
        }
    }

    /// Turns an error into the spool's state, and its end into another.
    fn report(&mut self, done: Result<(), SpoolError>) {
        if is_full(&done) {
            self.note_refusal();
        }
        let mut inner = self.spool.lock();
        match done {
            Ok(()) if inner.keeping == Keeping::Disk => {}
            Ok(()) => {
                inner.keeping = Keeping::Disk;
                tracing::info!("the disk takes records again");
            }
            Err(error) => {
                if inner.keeping == Keeping::Disk {
                    tracing::error!(%error, "the disk does not take records: new ones are kept in memory only");
                }
                inner.disk_fails(error.to_string());
                let wake = std::mem::take(&mut inner.producer_waits);
                drop(inner);
                if wake {
                    self.spool.arrived.notify_one();
                }
            }
        }
    }
}

/// Whether it is for want of room. Some file systems say so no sooner than at a sync (NFS).
fn is_full(done: &Result<(), SpoolError>) -> bool {
    match done {
        Err(SpoolError::NoSpace { .. }) => true,
        Err(SpoolError::SyncFailed { source, .. }) => disk::is_for_want_of_room(source),
        _ => false,
    }
}

/// The wish to stop, for the writer's thread.
#[derive(Debug, Default)]
pub struct WriterStop {
    wanted: Mutex<bool>,
    told: std::sync::Condvar,
}

impl WriterStop {
    /// Asks the writer to write what is left and end.
    pub fn stop(&self) {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.told.notify_all();
    }

    fn is_wanted(&self) -> bool {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, timeout: Duration) {
        let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self
            .told
            .wait_timeout_while(wanted, timeout, |wanted| !*wanted);
    }
}

/// Where the spool of a topic lies, for commands that look at it from outside.
pub fn topic_folder(spool: &Path, topic: &str) -> PathBuf {
    spool.join("topics").join(topic)
}

#[cfg(test)]
mod capped;
#[cfg(test)]
mod model;
#[cfg(test)]
mod syncing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trouble;
