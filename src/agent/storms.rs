//! What was held back, said once a second.
//!
//! ```text
//!  Storms::take ──Summary──▶ event of kind `storm` ──▶ Spool::append
//!       ▲                                                └ no room: given back, and said with what comes next
//!       └────────────────────────────────────────────────┘
//! ```

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::names::Names;
use crate::names::storm::{Rate, Storms, Summary, Telling};
use crate::observe::mute::Mute;
use crate::packet::Reason;
use crate::record::Origin;
use crate::route::{RouteError, Router};
use crate::spool::Spool;
use crate::time::UnixMicros;

/// How often what was held back is said.
const EVERY: Duration = Duration::from_secs(1);

/// Says what the limits of the senders held back.
#[derive(Debug)]
pub(super) struct StormReports {
    storms: Option<Arc<Storms>>,
    names: Arc<Names>,
    spool: Arc<Spool>,
    router: Arc<Router>,
    agent_id: String,
    said: Mutex<Option<Instant>>,
    mute: Mute,
}

/// Why a summary is not in the spool.
#[derive(Debug, thiserror::Error)]
enum NotAppended {
    #[error("the spool does not take it: {}; it is tried again", .0.as_str())]
    Spool(Reason),
    #[error(transparent)]
    Route(#[from] RouteError),
}

impl StormReports {
    /// Limits of this rate, if there are any, and who says in the agent's name what they held back.
    pub fn new(
        rate: Option<Rate>,
        names: &Arc<Names>,
        spool: &Arc<Spool>,
        router: &Arc<Router>,
        agent_id: &str,
    ) -> StormReports {
        StormReports {
            storms: rate.map(|rate| Arc::new(Storms::new(rate))),
            names: names.clone(),
            spool: spool.clone(),
            router: router.clone(),
            agent_id: agent_id.to_owned(),
            said: Mutex::default(),
            mute: Mute::usual(),
        }
    }

    /// The limits, for the pipelines.
    pub fn limits(&self) -> Option<Arc<Storms>> {
        self.storms.clone()
    }

    /// Says what was held back since the last time, once a second.
    pub fn tick(&self, now: UnixMicros, clock: Instant) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_some_and(|said| clock.saturating_duration_since(said) < EVERY) {
            return;
        }
        *said = Some(clock);
        drop(said);
        self.say(now);
    }

    /// Says it now: nothing more will be received.
    pub fn say(&self, now: UnixMicros) {
        let Some(storms) = &self.storms else {
            return;
        };
        let summaries = storms.take();
        // Events of our own are bounded, whatever they are about.
        self.names.notices.spend(summaries.len());
        for summary in summaries {
            match self.append(&summary, now) {
                // An operator who drops storm events has said so.
                Ok(()) | Err(NotAppended::Route(RouteError::Filtered { .. })) => {}
                Err(error) => {
                    if let Some(skipped) = self.mute.admit(Instant::now()) {
                        tracing::error!(%error, skipped, "the summary of a storm waits");
                    }
                    storms.give_back(summary);
                }
            }
        }
    }

    fn append(&self, summary: &Summary, now: UnixMicros) -> Result<(), NotAppended> {
        let telling = Telling::new(summary, &self.agent_id, now);
        let mut event = telling.event(&self.agent_id);
        let mut payload = Vec::new();
        let record = self
            .router
            .record(&mut event, now, Origin::Generated, &mut payload)?;
        self.spool.append(&record).map_err(NotAppended::Spool)?;
        self.router.count(event.kind);
        Ok(())
    }
}
