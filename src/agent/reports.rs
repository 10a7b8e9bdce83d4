//! Reports: one event at the start, one a minute, one at the stop; `trapline audit` holds them against the topics.
//!
//! ```text
//!  start ─▶ started ─┐                 tick, every second: is the last report kept? ─▶ spool.reported
//!  tick  ─▶ window  ─┼─▶ Spool::append                     is the next one due?     ─▶ window
//!  stop  ─▶ stopped ─┘     └ no room: tried again, every second, while the window stays open and grows
//! ```
//!
//! In: the ledger, and what the spool says of each topic ([`Spool::close_window`]). Out: records of the agent's own, in
//! the lane of kind `agent`, from which nothing is ever given up. A loss counts as declared when the report that names
//! it is in the log or with Kafka; until then it is in the spool's cursor.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::event::{PreviousRun, Report, ReportKind, Rfc3339, SpoolKind};
use crate::observe::ledger::Snapshot;
use crate::observe::mute::Mute;
use crate::packet::Reason;
use crate::record::{LaneId, Number, Origin};
use crate::route::{RouteError, Router};
use crate::spool::cursor::CursorFound;
use crate::spool::log::Recovery;
use crate::spool::{LaneWindow, Spool};
use crate::time::UnixMicros;

use super::report::{self, Counted};

/// What reports need to know.
#[derive(Debug)]
pub(super) struct Config {
    /// How often; `None`: never.
    pub every: Option<Duration>,
    /// The agent's name, which is also the reports' key.
    pub agent_id: String,
    /// This run, as in its events' ids.
    pub boot: String,
    /// What the spool may hold.
    pub bytes_max: u64,
}

/// The window that is open, and the report that is on its way.
#[derive(Debug)]
pub(super) struct Reports {
    config: Config,
    spool: Arc<Spool>,
    router: Arc<Router>,
    /// When the open window began.
    begin: UnixMicros,
    due: Option<Instant>,
    /// What was counted when it began.
    base: Counted,
    /// One past each lane's last number in a report that was appended.
    covered: Vec<u64>,
    /// Written, and not appended: it must be as it is, since later numbers are none of its business.
    waiting: Option<Box<Made>>,
    /// Appended, and not yet known to be kept.
    under_way: Option<UnderWay>,
    payload: Vec<u8>,
    mute: Mute,
}

/// A report, and what is true once it is appended.
#[derive(Debug)]
struct Made {
    report: Report,
    counted: Counted,
    ends: Vec<u64>,
}

#[derive(Debug)]
struct UnderWay {
    record: (LaneId, Number),
    ends: Vec<u64>,
}

/// Why a report is not in the spool.
#[derive(Debug, thiserror::Error)]
enum NotAppended {
    #[error("the spool does not take it: {}; it is tried again", .0.as_str())]
    Spool(Reason),
    #[error(transparent)]
    Route(#[from] RouteError),
}

impl Reports {
    /// Reports of a run that begins now.
    pub fn new(
        config: Config,
        spool: Arc<Spool>,
        router: Arc<Router>,
        started: UnixMicros,
    ) -> Reports {
        if let Some(lane) = router.lane_of_reports().filter(|_| config.every.is_some()) {
            spool.never_drop(lane, config.bytes_max);
        }
        Reports {
            config,
            spool,
            router,
            begin: started,
            due: None,
            base: Counted::default(),
            covered: Vec::new(),
            waiting: None,
            under_way: None,
            payload: Vec::new(),
            mute: Mute::usual(),
        }
    }

    /// The first report: what earlier runs took and no report has. To be called before anything is received.
    pub fn start(&mut self, previous_run: PreviousRun) {
        let lanes = self.spool.close_window();
        let ends: Vec<u64> = lanes.iter().map(|lane| lane.accepted).collect();
        let Some(every) = self.config.every else {
            // Whoever switches reports on later begins there.
            self.spool.reported(&ends);
            return;
        };
        self.due = Instant::now().checked_add(every);
        self.covered = lanes.iter().map(|lane| lane.reported_to).collect();
        self.base = Counted::now(&Snapshot::default(), &lanes, self.router.taken());
        let (counted, begin) = (self.base.clone(), self.begin);
        let mut made = self.make(ReportKind::Started, lanes, counted, begin);
        made.report.previous_run = Some(previous_run);
        self.waiting = Some(made);
        self.append_waiting();
    }

    /// Notes which report is kept, and makes the next one when its time has come.
    pub fn tick(&mut self, ledger: &Snapshot, now: UnixMicros, clock: Instant) {
        self.confirm();
        self.append_waiting();
        let is_due = self.due.is_some_and(|due| clock >= due);
        if !is_due || self.waiting.is_some() || self.under_way.is_some() {
            return;
        }
        let made = self.window(ReportKind::Window, ledger, now);
        if self.append(made).is_ok() {
            self.due = self.config.every.and_then(|every| clock.checked_add(every));
        }
    }

    /// The last report. What is received after it is in no report of this run.
    pub fn stop(&mut self, ledger: &Snapshot, now: UnixMicros) {
        self.confirm();
        self.append_waiting();
        if self.config.every.is_none() {
            let lanes = self.spool.close_window();
            let ends: Vec<u64> = lanes.iter().map(|lane| lane.accepted).collect();
            self.spool.reported(&ends);
        } else if self.waiting.is_none() {
            self.due = None;
            let made = self.window(ReportKind::Stopped, ledger, now);
            self.waiting = self.append(made).err();
            if self.waiting.is_some() {
                // It tells what came since too: the one before must not be taken to have told that. Both are told again.
                self.under_way = None;
            }
        }
        self.hurry();
    }

    /// How many reports Kafka has not acknowledged, where they have a topic of their own.
    pub fn pending(&self) -> u64 {
        let lane = self.router.lane_of_reports();
        lane.map_or(0, |lane| self.spool.pending(lane))
    }

    /// The report of everything since the last one that was appended.
    fn window(&mut self, what: ReportKind, ledger: &Snapshot, now: UnixMicros) -> Box<Made> {
        let lanes = self.spool.close_window();
        let counted = Counted::now(ledger, &lanes, self.router.taken());
        self.make(what, lanes, counted, now)
    }

    fn make(
        &self,
        what: ReportKind,
        lanes: Vec<LaneWindow>,
        counted: Counted,
        now: UnixMicros,
    ) -> Box<Made> {
        let covered = self.covered.iter().copied().chain(std::iter::repeat(0));
        let topics = lanes
            .iter()
            .zip(covered)
            .map(|(lane, covered)| report::topic(lane, covered, now));
        let report = Report {
            what,
            boot: self.config.boot.clone(),
            begin: Rfc3339::micros(self.begin),
            end: Rfc3339::micros(now),
            spool: match self.spool.is_on_disk() {
                true => SpoolKind::Disk,
                false => SpoolKind::Memory,
            },
            previous_run: None,
            kinds: counted.kinds_since(&self.base),
            listeners: counted.listeners_since(&self.base),
            records: counted.records_since(&self.base),
            topics: topics.collect(),
            lost: lanes.iter().flat_map(report::lost).collect(),
        };
        Box::new(Made {
            report,
            counted,
            ends: lanes.iter().map(|lane| lane.accepted).collect(),
        })
    }

    /// What was appended counts as reported when it is in the log for sure or with Kafka. Where a failed sync took it, the
    /// next report tells its losses once more.
    fn confirm(&mut self) {
        let Some(UnderWay { record, ends }) = self.under_way.take() else {
            return;
        };
        if self.spool.is_kept(record) {
            self.spool.reported(&ends);
        } else if !self.spool.is_lost(record) {
            self.under_way = Some(UnderWay { record, ends });
        }
    }

    /// Whether a report was appended and does not count as reported yet.
    pub fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Has the report that is under way soon count as reported.
    pub fn hurry(&self) {
        if let Some(under_way) = &self.under_way {
            self.spool.hurry(under_way.record);
        }
    }

    fn append_waiting(&mut self) {
        if let Some(made) = self.waiting.take() {
            self.waiting = self.append(made).err();
            let is_last = self.due.is_none();
            if is_last && self.waiting.is_none() {
                self.hurry();
            }
        }
    }

    /// Appends a report, which ends its window. Gives it back where that cannot be now.
    fn append(&mut self, made: Box<Made>) -> Result<(), Box<Made>> {
        let mut shorter = None;
        let appended = loop {
            let report = shorter.as_ref().unwrap_or(&made.report);
            match append(
                &self.spool,
                &self.router,
                &self.config.agent_id,
                report,
                &mut self.payload,
            ) {
                Err(NotAppended::Route(RouteError::TooLarge { .. }))
                    if let Some(next) = report::shortened(report) =>
                {
                    shorter = Some(next);
                }
                appended => break appended,
            }
        };
        match appended {
            Ok(record) => {
                self.begin = made.report.end.instant();
                self.base = made.counted;
                self.covered.clone_from(&made.ends);
                self.under_way = Some(UnderWay {
                    record,
                    ends: made.ends,
                });
                Ok(())
            }
            Err(error) => {
                if let Some(skipped) = self.mute.admit(Instant::now()) {
                    tracing::error!(%error, skipped, "the agent's report waits, its window grows");
                }
                Err(made)
            }
        }
    }
}

fn append(
    spool: &Spool,
    router: &Router,
    agent_id: &str,
    report: &Report,
    payload: &mut Vec<u8>,
) -> Result<(LaneId, Number), NotAppended> {
    let message = report::message(report);
    let mut event = report::event(report, agent_id, &message);
    let received = report.end.instant();
    let record = router.record(&mut event, received, Origin::Generated, payload)?;
    let number = spool.append(&record).map_err(NotAppended::Spool)?;
    router.count(event.kind);
    Ok((record.lane, number))
}

/// What the logs of all topics tell of earlier runs.
pub(super) fn previous_run<'r>(found: impl Iterator<Item = &'r Recovery>) -> PreviousRun {
    let mut previous = PreviousRun::None;
    for log in found {
        match log.cursor {
            CursorFound::Missing if log.segments == 0 => {}
            CursorFound::Missing | CursorFound::Damaged(_) => return PreviousRun::Unknown,
            CursorFound::Whole => previous = PreviousRun::Known,
        }
    }
    previous
}

#[cfg(test)]
mod tests;
