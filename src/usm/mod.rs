//! The User-based Security Model for one who receives (RFC 3414, section 3.2): is this message of a known user, unchanged,
//! of now, and what does it say?
//!
//! ```text
//!  v3::Message ─▶ user? ─▶ level? ─▶ digest? ─▶ time window? ─▶ decrypt ─▶ notification, for us? ─▶ learn ─▶ Accepted
//!                  │         │          │            │             │             │
//!                  └─────────┴──────────┴────────────┴─────────────┴─────────────┴─▶ Refused (and a Report, if it asks)
//! ```
//!
//! Any engine that authenticates with a known user is accepted; its clock is learned, and its keys are kept. Nothing that
//! did not authenticate is learned, so no stranger fills a table or turns a clock. A stranger's message costs at most
//! [`users::SECRETS_MAX`] localisations and digests, as often as [`limit`] lets its source.
//!
//! Time comes in as an argument, bytes go out as values: no clock, socket or file is touched here.

mod answer;
pub mod auth;
pub mod clock;
mod engines;
mod judging;
pub mod keys;
pub mod limit;
mod opening;
pub mod privacy;
mod refusal;
pub mod stored;
mod table;
pub mod users;
pub mod window;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use crate::decode::snmp::Notification;
use crate::decode::snmp::v3::Message;

use answer::Own;
use clock::{EngineClock, ExcusedRun, Run};
use limit::{Limit, Rate};
use users::{Secret, Users};

pub use crate::decode::snmp::v3::SecurityLevel;
pub use answer::Writer;
pub use engines::{ENGINES_MAX, EngineKey, LocalKeys};
pub use refusal::{Refusal, Stats};
pub use stored::{LearnedEngine, LearnedRun, OwnEngine};
pub use users::UserConfig;
pub use window::WindowPolicy;

/// Work for messages that no cached key authenticates. A source may stand for a thousand devices behind one address that
/// are all heard for the first time; all sources together cost a tenth of a core.
const WORK_EACH: Rate = Rate {
    per_second: 1000,
    burst: 2000,
};
const WORK_ALL: Rate = Rate {
    per_second: 20_000,
    burst: 40_000,
};

/// Keys by Reeder's extension, a millisecond each. They are kept once they are made; all together cost a fifth of a core,
/// and ten seconds of it at once after a start. A source may have all of it: no stranger gets here, since the digest has
/// held before, and a whole fleet may stand behind one address.
const EXPANSIONS: Rate = Rate {
    per_second: 200,
    burst: 10_000,
};

/// Reports: a device needs two for its first inform. Whoever makes up the address of another must not reach it with more.
const REPORTS_EACH: Rate = Rate {
    per_second: 100,
    burst: 100,
};
const REPORTS_ALL: Rate = Rate {
    per_second: 10_000,
    burst: 10_000,
};

/// Seconds of the start in [`Moment`]: engines were heard before it.
const START_SECONDS: u64 = 1 << 32;

/// What becomes of messages that fail.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum FailedPolicy {
    /// They are counted by their reason and gone.
    Reject,
    /// Each is an event too: who sent it and why it failed, and nothing of what it says.
    #[default]
    Event,
}

/// How messages are judged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// Who may send. Without any, version 3 is not configured.
    pub users: Vec<UserConfig>,
    /// Messages of a lower level are refused, whatever their user allows.
    pub level_min: SecurityLevel,
    /// What becomes of messages outside the time window.
    pub time_window: WindowPolicy,
    /// What becomes of messages that fail.
    pub failed: FailedPolicy,
}

/// A moment of the caller's clock, which never goes back: how long after the start it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// So long after the start.
    pub fn after_start(since: Duration) -> Moment {
        let micros = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
        Moment((START_SECONDS * 1_000_000).saturating_add(micros))
    }

    /// Whole seconds. That of the start is not 0, but its lower 32 bits are.
    pub fn seconds(self) -> u64 {
        self.0 / 1_000_000
    }
}

/// What all threads share. Locks are held for a look-up, never while a key is made.
#[derive(Debug)]
pub struct Usm {
    own: OwnEngine,
    config: RwLock<Arc<Judge>>,
    generation: AtomicU32,
    engines: Mutex<engines::Engines>,
    work: Mutex<Limit>,
    expansions: Mutex<Limit>,
    reports: Mutex<Limit>,
    salt: AtomicU64,
    /// Counts what happened.
    pub stats: Stats,
}

/// The part that a reload replaces.
#[derive(Debug)]
struct Judge {
    users: Users,
    level_min: SecurityLevel,
    time_window: WindowPolicy,
    failed: FailedPolicy,
}

/// What is said of a message.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "the large one is the usual one, and a box would be an allocation for each message"
)]
pub enum Verdict<'s> {
    /// It is what it says to be, as far as its level proves it.
    Accepted(Accepted<'s>),
    /// Accepted, and no notification.
    NotANotification(&'static str),
    /// It asks who we are: the first step of every inform.
    Discovery(Option<Report>),
    /// It fails.
    Refused {
        /// Why.
        reason: Refusal,
        /// Whether it is addressed to our engine: then its sender tries again with what the Report says.
        is_own: bool,
        /// What its sender is told.
        report: Option<Report>,
    },
    /// It was not looked at: its source asks for too much.
    Limited,
}

/// A message that was accepted.
#[derive(Debug)]
pub struct Accepted<'s> {
    /// What it says. Positions are offsets into `scoped`.
    pub notification: Notification<'s>,
    /// The scoped PDU in the clear.
    pub scoped: &'s [u8],
    /// For the Response.
    pub keys: Option<Arc<LocalKeys>>,
}

/// A Report that should be sent.
#[derive(Debug)]
pub struct Report {
    stat: Refusal,
    value: u32,
    /// Authenticated with these.
    keys: Option<Arc<LocalKeys>>,
    request_id: i32,
}

impl Usm {
    /// Makes the master keys of all users: milliseconds for each pass phrase. `salt` is any number.
    pub fn new(config: &Config, own: OwnEngine, salt: u64) -> Usm {
        Usm {
            own,
            config: RwLock::new(Arc::new(Judge::new(config, 0))),
            generation: AtomicU32::new(0),
            engines: Mutex::default(),
            work: Mutex::new(Limit::new(WORK_EACH, WORK_ALL)),
            expansions: Mutex::new(Limit::new(EXPANSIONS, EXPANSIONS)),
            reports: Mutex::new(Limit::new(REPORTS_EACH, REPORTS_ALL)),
            salt: AtomicU64::new(salt),
            stats: Stats::default(),
        }
    }

    /// Puts other users and policies into force. What was learned of engines stays, and so do the keys of secrets that
    /// are as they were.
    pub fn replace(&self, config: &Config) {
        let generation = self.generation.fetch_add(1, Ordering::Relaxed) + 1;
        let mut judge = Judge::new(config, generation);
        judge.users = judge.users.after(&self.judge().users);
        let secrets = judge.users.ids().collect();
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(judge);
        lock(&self.engines).keep_keys_of(&secrets);
    }

    /// Whether there are users: without any, version 3 is not configured.
    pub fn has_users(&self) -> bool {
        !self.judge().users.is_empty()
    }

    /// What becomes of messages that fail.
    pub fn failed_policy(&self) -> FailedPolicy {
        self.judge().failed
    }

    /// Our own engine.
    pub fn own(&self) -> &OwnEngine {
        &self.own
    }

    /// How many engines are known, and how many keys are kept for them.
    pub fn sizes(&self) -> (usize, usize) {
        let engines = lock(&self.engines);
        (engines.count(), engines.keys_count())
    }

    fn judge(&self) -> Arc<Judge> {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&config)
    }

    /// Encodes a Report about `message`, and says whether there is one. `notInTimeWindow` is authenticated, so that its
    /// receiver can believe our clock (RFC 3414, section 3.2 (7) a).
    pub fn write_report(
        &self,
        message: &Message<'_>,
        report: &Report,
        now: Moment,
        writer: &mut Writer,
        out: &mut Vec<u8>,
    ) -> bool {
        let own = self.speak(now);
        let level = match report.keys {
            Some(_) => SecurityLevel::AuthNoPriv,
            None => SecurityLevel::NoAuthNoPriv,
        };
        writer.report(&own, report.stat, report.value, report.request_id);
        writer.message(message, &own, level, report.keys.as_deref(), out)
    }

    /// Encodes the Response to an accepted inform, as well protected as it was, and says whether there is one. `scoped`
    /// is the scoped PDU with the Response in it.
    pub fn write_response(
        &self,
        message: &Message<'_>,
        keys: Option<&LocalKeys>,
        scoped: &[u8],
        now: Moment,
        writer: &mut Writer,
        out: &mut Vec<u8>,
    ) -> bool {
        writer.response(scoped);
        writer.message(message, &self.speak(now), message.level, keys, out)
    }

    fn speak(&self, now: Moment) -> Own<'_> {
        Own {
            engine_id: self.own.id.octets(),
            boots: self.own.boots,
            time: self.time(now),
            salt: self.salt.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// snmpEngineTime of our own engine.
    fn time(&self, now: Moment) -> u32 {
        let since = now.seconds().saturating_sub(START_SECONDS);
        u32::try_from(since.min(window::BOOTS_MAX.into())).unwrap_or_default()
    }

    /// What was learned, to be kept. `unix` is what the wall clock shows at `now`, in seconds since 1970.
    pub fn learned(&self, now: Moment, unix: i64) -> Vec<LearnedEngine> {
        let on_the_wall =
            |seconds| unix.saturating_sub_unsigned(now.seconds().saturating_sub(seconds));
        let engines = lock(&self.engines);
        let kept = |excused: ExcusedRun| LearnedRun {
            boots: excused.run.boots,
            time: excused.run.time,
            begun: on_the_wall(excused.begun),
            goes_on: excused.goes_on,
        };
        let learned = engines.clocks().map(|(id, clock)| LearnedEngine {
            id: *id,
            boots: clock.highest.boots,
            // As the engine said it: what we made of it since may be ahead of a clock that runs slow.
            time: clock.highest.time,
            heard: on_the_wall(clock.heard),
            excused: clock.excused.map(|run| run.map(kept)),
        });
        learned.collect()
    }

    /// Takes back what an earlier run learned. Clocks go on from where they were last heard: the host's own clock may be
    /// wrong after a start, and must not make every device late. Where it is behind what it was, nobody knows how long a
    /// device was silent or is up, and what it says is believed once more.
    pub fn restore(&self, learned: &[LearnedEngine], now: Moment, unix: i64) {
        let now = now.seconds();
        let mut engines = lock(&self.engines);
        for engine in learned {
            let run = |boots, time| Run {
                boots,
                time,
                at: now,
            };
            let passed = |since: i64| u64::try_from(unix.saturating_sub(since)).ok();
            let silent = passed(engine.heard);
            let clock = EngineClock {
                highest: run(engine.boots, engine.time),
                excused: engine.excused.map(|excused| {
                    excused.map(|kept: LearnedRun| ExcusedRun {
                        run: run(kept.boots, kept.time),
                        begun: silent
                            .and(passed(kept.begun))
                            .map_or(0, |passed| now.saturating_sub(passed)),
                        goes_on: kept.goes_on,
                    })
                }),
                heard: silent.map_or(0, |passed| now.saturating_sub(passed)),
            };
            let used = now.saturating_sub(silent.unwrap_or_default());
            engines.keep_clock(engine.id, clock, used);
        }
    }
}

impl Judge {
    fn new(config: &Config, generation: u32) -> Judge {
        Judge {
            users: Users::new(&config.users, generation),
            level_min: config.level_min,
            time_window: config.time_window,
            failed: config.failed,
        }
    }

    /// The secrets that may protect this message, at its level.
    fn candidates<'j>(&'j self, message: &Message<'j>) -> impl Iterator<Item = &'j Secret> {
        let level = message.level;
        self.users
            .secrets(message.user, message.engine_id)
            .filter(move |secret| {
                level <= secret.level_max && level >= secret.level_min.max(self.level_min)
            })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod extension_tests;
#[cfg(test)]
mod properties;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
