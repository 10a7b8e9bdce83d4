//! A disk that does not answer: neither an error nor an end of the call (a frozen file system, storage over a network).
//!
//! ```text
//!   writer ──enter_disk──▶ since ──advance_on_disk (another run)──▶ since ──OnDisk dropped──▶ none
//!                            └───────── hanging(now) ──▶ None, or for how long, in words
//! ```
//!
//! The writer may be inside such a call for hours, and nothing of ours can end it. Receiving goes on in memory. The producer
//! may be as well, where it reads the log or sets a record aside, or waits for somebody who sends such records again.

use std::time::{Duration, Instant};

use super::{Inner, Phase, Spool};

/// How long a call may take before that is said: longer than a busy disk needs for a run of records and its sync.
const HANGS_AFTER: Duration = Duration::from_secs(5);

/// The writer's time inside calls of the disk. A panic ends it too: a writer that is gone must be missed.
pub(super) struct OnDisk<'w, B: Fn(Phase)> {
    spool: &'w Spool,
    beat: &'w B,
}

impl<B: Fn(Phase)> Drop for OnDisk<'_, B> {
    fn drop(&mut self) {
        self.spool.lock().on_disk = None;
        (self.beat)(Phase::Waits);
    }
}

/// The producer's time inside such a call.
pub(super) struct Delivering<'s>(&'s Spool);

impl Drop for Delivering<'_> {
    fn drop(&mut self) {
        self.0.lock().delivery_on_disk = None;
    }
}

impl Spool {
    /// The writer is about to call the disk, until what is returned is dropped. `beat` hears of both.
    pub(super) fn enter_disk<'w, B: Fn(Phase)>(&'w self, beat: &'w B) -> OnDisk<'w, B> {
        beat(Phase::OnDisk);
        self.lock().on_disk = Some(Instant::now());
        OnDisk { spool: self, beat }
    }

    /// How long the writer's present call of the disk has lasted; nothing where it waits for work or has ended.
    pub fn disk_silence(&self) -> Duration {
        let on_disk = self.lock().on_disk;
        on_disk.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// The producer is about to call the disk, until what is returned is dropped.
    pub(super) fn enter_disk_to_deliver(&self) -> Delivering<'_> {
        self.lock().delivery_on_disk = Some(Instant::now());
        Delivering(self)
    }
}

impl Inner {
    /// One call has come back, the next one follows.
    pub(super) fn advance_on_disk(&mut self) {
        if let Some(since) = &mut self.on_disk {
            *since = Instant::now();
        }
    }

    /// What is to be said of a disk that does not answer.
    pub(super) fn hanging(&self, now: Instant) -> Option<String> {
        let hangs = |since: Option<Instant>, then: &str| {
            let lasts = now.saturating_duration_since(since?);
            (lasts >= HANGS_AFTER).then(|| {
                format!(
                    "the disk has not answered for {} s (frozen, or storage that is gone?): {then}",
                    lasts.as_secs()
                )
            })
        };
        hangs(self.on_disk, "new records are kept in memory only")
            .or_else(|| hangs(self.delivery_on_disk, "what is in the log is not delivered"))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    use super::*;
    use crate::spool::{Config, WhenFull};

    fn spool() -> Spool {
        Spool::new(&Config {
            bytes_max: 1 << 20,
            when_full: WhenFull::DropNewest,
            topics: vec!["t".to_owned()],
            disk: None,
        })
    }

    #[test]
    fn a_writer_that_panics_inside_a_call_does_not_count_as_waiting_for_it() {
        let (spool, phase) = (spool(), Cell::new(Phase::Waits));
        let beat = |now| phase.set(now);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _on_disk = spool.enter_disk(&beat);
            assert_eq!(phase.get(), Phase::OnDisk);
            resume_unwind(Box::new("a bug of the writer"));
        }));
        assert!(panicked.is_err());
        assert_eq!(phase.get(), Phase::Waits);
        assert_eq!(spool.lock().on_disk, None);
    }

    #[test]
    fn a_call_is_said_to_hang_after_five_seconds_in_which_nothing_came_back() {
        let spool = spool();
        let later = |seconds| Instant::now() + Duration::from_secs(seconds);
        assert_eq!(spool.lock().hanging(later(60)), None);
        let on_disk = spool.enter_disk(&|_| ());
        assert_eq!(spool.lock().hanging(later(4)), None);
        let why = spool.lock().hanging(later(61)).unwrap();
        assert!(
            why.contains("not answered for 61 s") || why.contains("60 s"),
            "{why}"
        );
        drop(on_disk);
        assert_eq!(spool.lock().hanging(later(60)), None);
        let delivering = spool.enter_disk_to_deliver();
        let why = spool.lock().hanging(later(60)).unwrap();
        assert!(why.contains("not delivered"), "{why}");
        drop(delivering);
        // Outside of its calls there is nothing to advance.
        spool.lock().advance_on_disk();
        assert_eq!(spool.lock().hanging(later(60)), None);
    }
}
