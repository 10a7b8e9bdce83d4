//! One message through the checks of RFC 3414, section 3.2, in their order.
//!
//! ```text
//!  take ─▶ engine ID ─▶ authenticate ─▶ take_authenticated ─▶ standing ─▶ open ─▶ take_opened ─▶ learn ─▶ Accepted
//!            └─────────────┴──────────────────────────────────────┴─────────┴─────────┴─▶ refuse ─▶ report
//! ```

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::engines::{EngineKey, LocalKeys};
use super::opening::{Opened, Unopened, open};
use super::users::SecretId;
use super::window::{self, EngineClock, Excuse, Standing, WindowPolicy};
use super::{Accepted, Judge, Moment, Refusal, Report, Usm, Verdict, lock};
use crate::decode::snmp::v3::{self, Data, Message, SecurityLevel};
use crate::decode::snmp::{Anomalies, PduKind, UnreadMessage};

/// A message, and how it came.
#[derive(Clone, Copy)]
struct Heard<'m, 's> {
    message: &'m Message<'s>,
    engine: EngineKey,
    /// Whether it is addressed to our engine.
    is_own: bool,
    source: IpAddr,
    now: Moment,
}

/// A key that fits a message.
struct Fitting {
    secret: SecretId,
    keys: Arc<LocalKeys>,
    is_new: bool,
}

impl Usm {
    /// Judges one message. `plain` is a buffer that is used again and again; the verdict borrows what was decrypted into it.
    ///
    /// # Errors
    /// What it says is no scoped PDU, though nothing was encrypted.
    pub fn take<'s>(
        &self,
        message: &Message<'s>,
        source: IpAddr,
        now: Moment,
        plain: &'s mut Vec<u8>,
    ) -> Result<Verdict<'s>, UnreadMessage> {
        let judge = self.judge();
        let engine = EngineKey::new(message.engine_id);
        let heard = Heard {
            message,
            engine: engine.unwrap_or(EngineKey::NONE),
            is_own: message.engine_id == self.own.id.octets(),
            source,
            now,
        };
        if message.engine_id.is_empty() && message.is_reportable {
            let report = self.report(&heard, Refusal::UnknownEngineId, None);
            return Ok(Verdict::Discovery(report));
        }
        if engine.is_none_or(|id| id.octets().is_empty()) {
            return Ok(self.refuse(&heard, Refusal::UnknownEngineId, None));
        }
        match self.authenticate(&judge, &heard) {
            Ok(fitting) => self.take_authenticated(&heard, fitting, judge.time_window, plain),
            Err(None) => {
                self.stats.limited.fetch_add(1, Ordering::Relaxed);
                Ok(Verdict::Limited)
            }
            Err(Some(reason)) => Ok(self.refuse(&heard, reason, None)),
        }
    }

    /// What follows once the digest held, or none was asked for.
    fn take_authenticated<'s>(
        &self,
        heard: &Heard<'_, 's>,
        fitting: Option<Fitting>,
        policy: WindowPolicy,
        plain: &'s mut Vec<u8>,
    ) -> Result<Verdict<'s>, UnreadMessage> {
        let keys = fitting.as_ref().map(|fitting| Arc::clone(&fitting.keys));
        let standing = match fitting {
            Some(_) => self.standing(heard, policy),
            None => Standing::Within,
        };
        if standing == Standing::Outside {
            return Ok(self.refuse(heard, Refusal::NotInTimeWindow, keys));
        }
        match open(heard.message, keys.as_deref(), plain) {
            Ok(opened) => Ok(self.take_opened(heard, fitting, standing, opened)),
            Err(Unopened::Encrypted) => Ok(self.refuse(heard, Refusal::DecryptionError, None)),
            Err(Unopened::Plain(unread)) => Err(unread),
        }
    }

    /// What follows once the scoped PDU is in the clear.
    fn take_opened<'s>(
        &self,
        heard: &Heard<'_, 's>,
        fitting: Option<Fitting>,
        standing: Standing,
        opened: Opened<'s>,
    ) -> Verdict<'s> {
        let mut notification = match opened.pdu.notification(heard.message) {
            Ok(notification) => notification,
            Err(name) => return Verdict::NotANotification(name),
        };
        // The engine of an inform is its receiver's, that of a trap its sender's (RFC 3412, section 2.1).
        if (notification.kind == PduKind::Inform) != heard.is_own {
            return self.refuse(heard, Refusal::UnknownEngineId, None);
        }
        let scoped = opened.octets;
        let keys = fitting.map(|fitting| {
            let completed = opened
                .key
                .filter(|_| fitting.keys.is_open())
                .map(|(protocol, key)| Arc::new(fitting.keys.with_privacy(protocol, key)));
            self.learn(heard, standing, fitting, completed)
        });
        notification.anomalies.add(self.mark(standing));
        Verdict::Accepted(Accepted {
            notification,
            scoped,
            keys,
        })
    }

    /// The key with which the message authenticates; none where its level asks for none. The error is the reason, or
    /// nothing where the source asks for too much.
    fn authenticate(
        &self,
        judge: &Judge,
        heard: &Heard<'_, '_>,
    ) -> Result<Option<Fitting>, Option<Refusal>> {
        let message = heard.message;
        let fail = |reason| Err(self.may_work(heard).then_some(reason));
        if !judge.users.knows(message.user) {
            return fail(Refusal::UnknownUserName);
        }
        if judge.candidates(message).next().is_none() {
            return fail(Refusal::UnsupportedSecLevel);
        }
        if message.level == SecurityLevel::NoAuthNoPriv {
            return Ok(None);
        }
        self.fitting(judge, heard).map(Some)
    }

    fn may_work(&self, heard: &Heard<'_, '_>) -> bool {
        lock(&self.work).allows(heard.source, heard.now.0)
    }

    /// The key whose digest is that of the message. What is known comes first, and needs no token: a flood takes no known
    /// device's events.
    fn fitting(&self, judge: &Judge, heard: &Heard<'_, '_>) -> Result<Fitting, Option<Refusal>> {
        let message = heard.message;
        let (before, after) = message.around_digest();
        let fits = |keys: &LocalKeys| {
            let (protocol, key) = &keys.auth;
            protocol.verify(key, before, message.digest, after)
        };
        for secret in judge.candidates(message) {
            let seconds = heard.now.seconds();
            let cached = lock(&self.engines).keys(heard.engine, secret.id, seconds);
            if let Some(keys) = cached.filter(|keys| fits(keys)) {
                return Ok(Fitting {
                    secret: secret.id,
                    keys,
                    is_new: false,
                });
            }
        }
        if !self.may_work(heard) {
            return Err(None);
        }
        for secret in judge.candidates(message) {
            let made = LocalKeys::new(secret, message.engine_id);
            if let Some(keys) = made.filter(|keys| fits(keys)) {
                return Ok(Fitting {
                    secret: secret.id,
                    keys: Arc::new(keys),
                    is_new: true,
                });
            }
        }
        Err(Some(Refusal::WrongDigest))
    }

    fn standing(&self, heard: &Heard<'_, '_>, policy: WindowPolicy) -> Standing {
        let (boots, time) = (heard.message.boots, heard.message.time);
        if heard.is_own {
            let own_time = self.time(heard.now);
            return match window::is_within_own(self.own.boots, own_time, boots, time) {
                true => Standing::Within,
                false => Standing::Outside,
            };
        }
        let known = lock(&self.engines).clock(&heard.engine);
        window::judge(known.as_ref(), boots, time, heard.now.seconds(), policy)
    }

    /// Keeps what an accepted message taught, and returns its keys: `completed` where its decryption showed more of them.
    fn learn(
        &self,
        heard: &Heard<'_, '_>,
        standing: Standing,
        fitting: Fitting,
        completed: Option<Arc<LocalKeys>>,
    ) -> Arc<LocalKeys> {
        let Heard {
            message, engine, ..
        } = *heard;
        let is_changed = fitting.is_new || completed.is_some();
        let keys = completed.unwrap_or(fitting.keys);
        let seconds = heard.now.seconds();
        let mut engines = lock(&self.engines);
        if is_changed {
            engines.keep_keys(engine, fitting.secret, Arc::clone(&keys), seconds);
        }
        if !heard.is_own {
            let first = EngineClock::first(message.boots, message.time, seconds);
            let mut clock = engines.clock(&engine).unwrap_or(first);
            clock.hear(message.boots, message.time, standing, seconds);
            engines.keep_clock(engine, clock, seconds);
        }
        keys
    }

    /// Counts a message that the policy excuses, and names what is odd about it.
    fn mark(&self, standing: Standing) -> Anomalies {
        let Standing::Excused(excuse) = standing else {
            return Anomalies::NONE;
        };
        self.stats.excuse(excuse);
        match excuse {
            Excuse::BootsAndTimeZero => Anomalies::BOOTS_AND_TIME_ZERO,
            Excuse::BootsBackwards => Anomalies::BOOTS_BACKWARDS,
            Excuse::BootsNotRaised => Anomalies::BOOTS_NOT_RAISED,
            Excuse::Ignored => Anomalies::OUTSIDE_TIME_WINDOW,
        }
    }

    fn refuse<'s>(
        &self,
        heard: &Heard<'_, '_>,
        reason: Refusal,
        keys: Option<Arc<LocalKeys>>,
    ) -> Verdict<'s> {
        let is_own = heard.is_own;
        let report = match heard.message.is_reportable {
            // Whoever addresses another engine is told who we are, before anything else (RFC 3414, section 3.2 (3)).
            true if !is_own && reason != Refusal::UnknownEngineId => {
                self.stats.refuse(reason);
                self.report(heard, Refusal::UnknownEngineId, None)
            }
            true => self.report(heard, reason, keys),
            false => {
                self.stats.refuse(reason);
                None
            }
        };
        Verdict::Refused {
            reason,
            is_own,
            report,
        }
    }

    /// Counts, and makes a Report unless its receiver had too many.
    fn report(
        &self,
        heard: &Heard<'_, '_>,
        stat: Refusal,
        keys: Option<Arc<LocalKeys>>,
    ) -> Option<Report> {
        let value = self.stats.refuse(stat);
        if !lock(&self.reports).allows(heard.source, heard.now.0) {
            self.stats.reports_limited.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let request_id = match heard.message.data {
            Data::Plain(scoped) => v3::scoped(scoped).ok().and_then(|pdu| pdu.request_id()),
            Data::Encrypted(_) => None,
        };
        Some(Report {
            stat,
            // A Counter32 begins anew at 2³².
            value: value as u32,
            keys,
            request_id: request_id.unwrap_or_default(),
        })
    }
}
