//! What is to be said of devices: few events a second, whatever happens.
//!
//! ```text
//!  receiving threads ──add──▶ bounded list ──take, once a second──▶ at most 10 events
//!                                                                   └ the rest: counts by kind, in one summary
//! ```
//!
//! A flood from forged addresses must not become a flood of our own making in Kafka.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::news::{News, Notice};

/// Events of our own making a second, the summary included.
pub const EVENTS_MAX: usize = 10;

/// Notices that wait for the next second. What comes beyond is only counted.
const WAITING_MAX: usize = 1_000;

/// A kind of news, as the configuration names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Told {
    /// A device that was not known before.
    New,
    /// A name, and so a key, that changed.
    Renamed,
    /// A device that fell silent.
    Silent,
    /// A device that speaks again.
    Back,
    /// Messages of a device that never arrived.
    Gap,
    /// A new device that the inventory does not have.
    Unknown,
    /// A device that uses another's name.
    Conflict,
    /// An address that turned out to be a relay or NAT.
    Shared,
}

impl Told {
    /// Every kind.
    pub const ALL: [Told; 8] = [
        Told::New,
        Told::Renamed,
        Told::Silent,
        Told::Back,
        Told::Gap,
        Told::Unknown,
        Told::Conflict,
        Told::Shared,
    ];

    /// The name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Told::New => "new",
            Told::Renamed => "renamed",
            Told::Silent => "silent",
            Told::Back => "back",
            Told::Gap => "gap",
            Told::Unknown => "unknown",
            Told::Conflict => "conflict",
            Told::Shared => "shared",
        }
    }

    fn of(news: &News) -> Told {
        match news {
            News::New => Told::New,
            News::Renamed { .. } => Told::Renamed,
            News::Silent { .. } => Told::Silent,
            News::Back => Told::Back,
            News::Missing(_) => Told::Gap,
            News::Unknown => Told::Unknown,
            News::Conflict { .. } => Told::Conflict,
            News::Shared => Told::Shared,
        }
    }
}

/// The kinds that become events. The others are counted all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToldKinds(u8);

impl Default for ToldKinds {
    fn default() -> Self {
        let mut all = ToldKinds::NONE;
        Told::ALL.into_iter().for_each(|kind| all.add(kind));
        all
    }
}

impl ToldKinds {
    /// None of them.
    pub const NONE: ToldKinds = ToldKinds(0);

    /// One more.
    pub fn add(&mut self, kind: Told) {
        self.0 |= 1 << kind as u8;
    }

    fn has(self, kind: Told) -> bool {
        self.0 & 1 << kind as u8 != 0
    }
}

/// What waits to be said.
#[derive(Debug, Default)]
pub struct Notices {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<Notice>,
    skipped: Skipped,
    totals: Skipped,
    told: ToldKinds,
    untold: u64,
    /// Events of our own that others made this second.
    spent: usize,
}

/// How many notices, by what they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Skipped {
    /// Devices heard for the first time.
    pub new: u64,
    /// Names that changed.
    pub renamed: u64,
    /// Devices that fell silent.
    pub silent: u64,
    /// Devices that spoke again.
    pub back: u64,
    /// Gaps in a device's own numbering.
    pub gaps: u64,
    /// Devices that the inventory does not have.
    pub unknown: u64,
    /// Devices that use another's name.
    pub conflicts: u64,
    /// Addresses that turned out to be a relay or NAT.
    pub shared: u64,
}

impl Skipped {
    fn add(&mut self, news: &News) {
        let count = match news {
            News::New => &mut self.new,
            News::Renamed { .. } => &mut self.renamed,
            News::Silent { .. } => &mut self.silent,
            News::Back => &mut self.back,
            News::Missing(_) => &mut self.gaps,
            News::Unknown => &mut self.unknown,
            News::Conflict { .. } => &mut self.conflicts,
            News::Shared => &mut self.shared,
        };
        *count += 1;
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.parts().into_iter().map(|(count, _)| count).sum()
    }

    /// Each count with its word.
    pub fn parts(&self) -> [(u64, &'static str); 8] {
        [
            (self.new, "new"),
            (self.renamed, "renamed"),
            (self.silent, "silent"),
            (self.back, "back"),
            (self.gaps, "gaps"),
            (self.unknown, "unknown to the inventory"),
            (self.conflicts, "conflicts"),
            (self.shared, "shared by several"),
        ]
    }
}

/// What is said in one second.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// One event each.
    pub notices: Vec<Notice>,
    /// What there was no room for, in one event, if it is not zero.
    pub skipped: Skipped,
}

impl Notices {
    /// One more thing to say.
    pub fn add(&self, notice: Notice) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.totals.add(&notice.news);
        if !inner.told.has(Told::of(&notice.news)) {
            return;
        }
        match inner.waiting.len() < WAITING_MAX {
            true => inner.waiting.push_back(notice),
            false => inner.skipped.add(&notice.news),
        }
    }

    /// So many events of our own are made elsewhere this second, so that fewer notices are said.
    pub fn spend(&self, events: usize) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.spent += events;
    }

    /// What may be said this second.
    pub fn take(&self) -> Said {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        // One is always left, for the summary.
        let events_max = EVENTS_MAX - inner.spent.min(EVENTS_MAX - 1);
        inner.spent = 0;
        let fits = inner.waiting.len() <= events_max && inner.skipped.total() == 0;
        let count = if fits { events_max } else { events_max - 1 };
        let count = count.min(inner.waiting.len());
        let notices = inner.waiting.drain(..count).collect();
        let mut skipped = std::mem::take(&mut inner.skipped);
        for late in std::mem::take(&mut inner.waiting) {
            skipped.add(&late.news);
        }
        Said { notices, skipped }
    }

    /// All that waits, for tests.
    #[cfg(test)]
    pub fn drain(&self) -> Vec<Notice> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.waiting.drain(..).collect()
    }

    /// Only these become events from now on.
    pub fn tell_only(&self, told: ToldKinds) {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .told = told;
    }

    /// The spool had no room for an event.
    pub fn count_untold(&self, reason: &'static str) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.untold += 1;
        if inner.untold == 1 {
            tracing::warn!(
                reason,
                "the spool has no room for events about devices; the counts go on"
            );
        }
    }

    /// Events that the spool had no room for.
    pub fn untold(&self) -> u64 {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .untold
    }

    /// How many there were since the start, said alone or in a summary.
    pub fn totals(&self) -> Skipped {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::HostnameSource;
    use crate::time::UnixMicros;

    fn notice(number: u64) -> Notice {
        Notice {
            address: [10, 0, 0, 1].into(),
            name: "r1".into(),
            source: HostnameSource::Learned,
            at: UnixMicros(0),
            news: News::Missing(number..=number),
        }
    }

    #[test]
    fn ten_are_said_each_and_of_more_the_first_nine_and_a_summary() {
        let notices = Notices::default();
        assert_eq!(notices.take(), Said::default());
        (0..10).for_each(|number| notices.add(notice(number)));
        assert_eq!(notices.take().notices.len(), 10);
        (0..5000).for_each(|number| notices.add(notice(number)));
        let said = notices.take();
        assert_eq!(said.notices.first(), Some(&notice(0)));
        assert_eq!((said.notices.len(), said.skipped.gaps), (9, 4991));
        assert_eq!(notices.take(), Said::default());
        assert_eq!(notices.totals().gaps, 5010);
    }

    #[test]
    fn what_others_say_in_the_same_second_counts_too() {
        let notices = Notices::default();
        (0..10).for_each(|number| notices.add(notice(number)));
        notices.spend(4);
        let said = notices.take();
        assert_eq!((said.notices.len(), said.skipped.gaps), (5, 5));
        (0..10).for_each(|number| notices.add(notice(number)));
        assert_eq!(notices.take().notices.len(), 10);
        notices.spend(100);
        notices.add(notice(1));
        assert_eq!(notices.take().notices.len(), 1);
    }
}
