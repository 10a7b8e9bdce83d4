//! One message through the checks of RFC 3414, section 3.2, in their order.
//!
//! ```text
//!  take ─▶ engine ID ─▶ admit ─▶ prove: next_fitting ─▶ standing ─▶ decrypt ─▶ take_opened ─▶ learn ─▶ Accepted
//!            │            │                ▲  │             │           │          │
//!            │            │                │  │             │       (next secret, or the same one made afresh)
//!            │            │                └──┼─────────────┼───────────┘          │
//!            └────────────┴───────────────────┴─────────────┴──────────────────────┴─▶ refuse ─▶ report
//! ```

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::clock::EngineClock;
use super::engines::{EngineKey, LocalKeys};
use super::keys::Key;
use super::opening::{Decryption, decrypt, opened};
use super::privacy::PrivProtocol;
use super::users::SecretId;
use super::window::{self, Excuse, Standing, WindowPolicy};
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
    /// Whether the same message was accepted lately.
    came_before: &'m dyn Fn() -> bool,
}

/// A key that fits a message.
struct Fitting {
    secret: SecretId,
    keys: Arc<LocalKeys>,
    is_new: bool,
}

/// How far the search for the key of a message has come. Numbers are those of the user's secrets.
#[derive(Default)]
struct Search {
    /// Secrets before this one were looked up among the keys that are kept.
    looked_up: usize,
    /// Those for which no key is kept.
    unknown: Numbers,
    /// Whether a token was taken for making keys.
    is_paid: bool,
    /// Secrets before this one had their keys made.
    made: usize,
    /// Whether any made the digest.
    digest_held: bool,
    /// Secrets before this one had their keys made afresh.
    reopened: usize,
}

/// A few small numbers, each a bit.
#[derive(Default)]
struct Numbers(u32);

impl Numbers {
    fn push(&mut self, number: usize) {
        self.0 |= 1_u32.checked_shl(number as u32).unwrap_or_default();
    }

    fn contains(&self, number: usize) -> bool {
        let bit = 1_u32.checked_shl(number as u32).unwrap_or_default();
        self.0 & bit != 0
    }

    fn is_empty(&self) -> bool {
        self.0 == 0
    }
}

/// A message that is its user's, of now, and can be read.
struct Proof {
    fitting: Fitting,
    standing: Standing,
    /// What it was decrypted with.
    key: Option<(PrivProtocol, Key)>,
}

/// What else a message can be.
enum Failed {
    /// For this reason; the keys are those of a Report about it.
    Refused(Refusal, Option<Arc<LocalKeys>>),
    /// Its source asks for too much.
    Limited,
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
        self.take_unless_copy(message, source, now, &|| false, plain)
    }

    /// The same for one who remembers messages: `came_before` says whether this one was accepted lately. Such a one is
    /// judged as any other, but begins no new start of its engine. It is asked only about one that would.
    ///
    /// # Errors
    /// As [`Usm::take`].
    pub fn take_unless_copy<'s>(
        &self,
        message: &Message<'s>,
        source: IpAddr,
        now: Moment,
        came_before: &dyn Fn() -> bool,
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
            came_before,
        };
        if message.engine_id.is_empty() && message.is_reportable {
            let report = self.report(&heard, Refusal::UnknownEngineId, None);
            return Ok(Verdict::Discovery(report));
        }
        if engine.is_none_or(|id| id.octets().is_empty()) {
            return Ok(self.refuse(&heard, Refusal::UnknownEngineId, None));
        }
        if let Err(refused) = self.admit(&judge, &heard) {
            return Ok(self.failed(&heard, refused));
        }
        if message.level == SecurityLevel::NoAuthNoPriv {
            return self.take_opened(&heard, None, plain);
        }
        match self.prove(&judge, &heard, plain) {
            Ok(proof) => self.take_opened(&heard, Some(proof), plain),
            Err(refused) => Ok(self.failed(&heard, refused)),
        }
    }

    /// Whether its user is known and may speak at its level.
    fn admit(&self, judge: &Judge, heard: &Heard<'_, '_>) -> Result<(), Failed> {
        let reason = if !judge.users.knows(heard.message.user) {
            Refusal::UnknownUserName
        } else if judge.candidates(heard.message).next().is_none() {
            Refusal::UnsupportedSecLevel
        } else {
            return Ok(());
        };
        match self.may_work(heard) {
            true => Err(Failed::Refused(reason, None)),
            false => Err(Failed::Limited),
        }
    }

    /// Digest, time window and decryption. While a password is changed several secrets may make the digest, and only one
    /// of them decrypts: the next one has its turn until none is left.
    fn prove(
        &self,
        judge: &Judge,
        heard: &Heard<'_, '_>,
        plain: &mut Vec<u8>,
    ) -> Result<Proof, Failed> {
        let mut search = Search::default();
        let mut is_too_dear = false;
        while let Some(fitting) = self.next_fitting(judge, heard, &mut search)? {
            search.digest_held = true;
            let standing = self.standing(heard, judge.time_window);
            if standing == Standing::Outside {
                let reason = Refusal::NotInTimeWindow;
                return Err(Failed::Refused(reason, Some(fitting.keys)));
            }
            // Also of a message that comes to nothing in the end: it may come again, and costs no second key.
            if fitting.is_new {
                let (keys, seconds) = (Arc::clone(&fitting.keys), heard.now.seconds());
                lock(&self.engines).keep_keys(heard.engine, fitting.secret, keys, seconds);
            }
            let may_expand = || lock(&self.expansions).allows(heard.source, heard.now.0);
            let key = match decrypt(heard.message, &fitting.keys, plain, may_expand) {
                Decryption::NotNeeded => None,
                Decryption::With(protocol, key) => Some((protocol, key)),
                Decryption::Failed => continue,
                // Another secret's key may be kept: it has its turn first.
                Decryption::TooMuchWork => {
                    is_too_dear = true;
                    continue;
                }
            };
            return Ok(Proof {
                fitting,
                standing,
                key,
            });
        }
        if is_too_dear {
            return Err(Failed::Limited);
        }
        let reason = match search.digest_held {
            true => Refusal::DecryptionError,
            false => Refusal::WrongDigest,
        };
        Err(Failed::Refused(reason, None))
    }

    /// What follows once the scoped PDU is in the clear.
    fn take_opened<'s>(
        &self,
        heard: &Heard<'_, 's>,
        proof: Option<Proof>,
        plain: &'s [u8],
    ) -> Result<Verdict<'s>, UnreadMessage> {
        let (scoped, pdu) = opened(heard.message, plain)?;
        let mut notification = match pdu.notification(heard.message) {
            Ok(notification) => notification,
            Err(name) => return Ok(Verdict::NotANotification(name)),
        };
        // The engine of an inform is its receiver's, that of a trap its sender's (RFC 3412, section 2.1).
        if (notification.kind == PduKind::Inform) != heard.is_own {
            return Ok(self.refuse(heard, Refusal::UnknownEngineId, None));
        }
        let keys = proof.map(|proof| {
            notification.anomalies.add(self.mark(proof.standing));
            self.learn(heard, proof)
        });
        Ok(Verdict::Accepted(Accepted {
            notification,
            scoped,
            keys,
        }))
    }

    fn may_work(&self, heard: &Heard<'_, '_>) -> bool {
        lock(&self.work).allows(heard.source, heard.now.0)
    }

    /// The next key whose digest is that of the message. What is known comes first, and needs no token: a flood takes no
    /// known device's events.
    fn next_fitting(
        &self,
        judge: &Judge,
        heard: &Heard<'_, '_>,
        search: &mut Search,
    ) -> Result<Option<Fitting>, Failed> {
        let message = heard.message;
        let seconds = heard.now.seconds();
        for (nth, secret) in judge.candidates(message).enumerate().skip(search.looked_up) {
            search.looked_up = nth + 1;
            let Some(keys) = lock(&self.engines).keys(heard.engine, secret.id, seconds) else {
                search.unknown.push(nth);
                continue;
            };
            if fits(message, &keys) {
                return Ok(Some(Fitting {
                    secret: secret.id,
                    keys,
                    is_new: false,
                }));
            }
        }
        // Whoever made the digest is one of ours, and has had all that is kept for it.
        if search.digest_held && search.unknown.is_empty() {
            return self.next_reopened(judge, heard, search);
        }
        self.pay(heard, search)?;
        for (nth, secret) in judge.candidates(message).enumerate().skip(search.made) {
            search.made = nth + 1;
            if !search.unknown.contains(nth) {
                continue;
            }
            let made = LocalKeys::new(secret, message.engine_id);
            if let Some(keys) = made.filter(|keys| fits(message, keys)) {
                return Ok(Some(Fitting {
                    secret: secret.id,
                    keys: Arc::new(keys),
                    is_new: true,
                }));
            }
        }
        match search.digest_held {
            true => self.next_reopened(judge, heard, search),
            false => Ok(None),
        }
    }

    /// The next kept key that makes the digest, and whose extension was learned: made afresh, so that all extensions are
    /// tried. A device's new firmware may extend its key another way. It is kept, so it costs no more when it is in vain.
    fn next_reopened(
        &self,
        judge: &Judge,
        heard: &Heard<'_, '_>,
        search: &mut Search,
    ) -> Result<Option<Fitting>, Failed> {
        let message = heard.message;
        if !matches!(message.data, Data::Encrypted(_)) {
            return Ok(None);
        }
        let seconds = heard.now.seconds();
        for (nth, secret) in judge.candidates(message).enumerate().skip(search.reopened) {
            search.reopened = nth + 1;
            let kept = lock(&self.engines).keys(heard.engine, secret.id, seconds);
            let learned = kept.filter(|keys| secret.has_open_extension() && !keys.is_open());
            if learned.is_none_or(|keys| !fits(message, &keys)) {
                continue;
            }
            self.pay(heard, search)?;
            if let Some(keys) = LocalKeys::new(secret, message.engine_id) {
                return Ok(Some(Fitting {
                    secret: secret.id,
                    keys: Arc::new(keys),
                    is_new: true,
                }));
            }
        }
        Ok(None)
    }

    /// Takes a token for making keys, unless this message has.
    fn pay(&self, heard: &Heard<'_, '_>, search: &mut Search) -> Result<(), Failed> {
        if !search.is_paid && !self.may_work(heard) {
            return Err(Failed::Limited);
        }
        search.is_paid = true;
        Ok(())
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

    /// Keeps what an accepted message taught, and returns its keys.
    fn learn(&self, heard: &Heard<'_, '_>, proof: Proof) -> Arc<LocalKeys> {
        let Heard {
            message, engine, ..
        } = *heard;
        let Proof {
            fitting,
            standing,
            key,
        } = proof;
        let completed = key
            .filter(|_| fitting.keys.is_open())
            .map(|(protocol, key)| Arc::new(fitting.keys.with_privacy(protocol, key)));
        let seconds = heard.now.seconds();
        let is_copy = matches!(standing, Standing::Excused(_)) && (heard.came_before)();
        let mut engines = lock(&self.engines);
        if let Some(keys) = &completed {
            engines.keep_keys(engine, fitting.secret, Arc::clone(keys), seconds);
        }
        let keys = completed.unwrap_or(fitting.keys);
        if !heard.is_own && !is_copy {
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

    fn failed<'s>(&self, heard: &Heard<'_, '_>, failed: Failed) -> Verdict<'s> {
        match failed {
            Failed::Refused(reason, keys) => self.refuse(heard, reason, keys),
            Failed::Limited => {
                self.stats.limited.fetch_add(1, Ordering::Relaxed);
                Verdict::Limited
            }
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

/// Whether these keys make the digest of a message.
fn fits(message: &Message<'_>, keys: &LocalKeys) -> bool {
    let (before, after) = message.around_digest();
    let (protocol, key) = &keys.auth;
    protocol.verify(key, before, message.digest, after)
}
