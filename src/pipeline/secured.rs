//! SNMPv3: from the message to its event, and to what its sender is told.
//!
//! ```text
//!   v3::read ─▶ Usm::take ─┬▶ Accepted ─▶ came before? ─▶ event ─▶ spool ─▶ Response (to an inform)
//!                          ├▶ Refused ──▶ event or count, by policy ─▶ Report, if it asks
//!                          └▶ Discovery ▶ Report
//! ```

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::copies::Seen;
use super::{Pipeline, answered_after, outcome};
use crate::decode::snmp::v3::{self, Message, SecurityLevel};
use crate::decode::snmp::{self, Fault, PduKind, UnreadMessage, Version};
use crate::normalize;
use crate::packet::{Outcome, Packet, Reason, Reply, Verdict};
use crate::record::{LaneId, Number};
use crate::usm::{self, FailedPolicy, Moment, Refusal, Report, Writer};

/// Buffers of one thread, used again for every message.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    plain: Vec<u8>,
    response: Vec<u8>,
    writer: Writer,
}

impl Pipeline {
    pub(super) fn take_v3(&mut self, packet: &Packet<'_>) -> Verdict<'_> {
        let message = match v3::read(packet.bytes) {
            Ok(message) => message,
            Err(unread) => return self.take_unread(packet, &unread),
        };
        let now = self.access.now();
        let source = packet.peer.address();
        let source = source.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let mut plain = std::mem::take(&mut self.v3.plain);
        let access = &self.access;
        let came_before = || {
            let copies = &access.copies;
            let copy = copies.fingerprint(message.engine_id, message.digest);
            copies.knows(copy, now.seconds())
        };
        let usm = &access.usm;
        let judged = usm.take_unless_copy(&message, source, now, &came_before, &mut plain);
        let (outcome, answer) = match judged {
            Err(unread) => (self.append_unread(packet, &unread), Answer::None),
            Ok(usm::Verdict::Limited) => (Outcome::Rejected(Reason::UsmLimited), Answer::None),
            Ok(usm::Verdict::NotANotification(_)) => {
                (Outcome::Rejected(Reason::NotANotification), Answer::None)
            }
            Ok(usm::Verdict::Discovery(report)) => {
                let reply = self.write_report(&message, report.as_ref(), now);
                (Outcome::Rejected(Reason::Discovery), reply)
            }
            Ok(usm::Verdict::Refused {
                reason,
                is_own,
                report,
            }) => {
                let sends_again = report.is_some()
                    && (reason == Refusal::UnknownEngineId
                        || (reason == Refusal::NotInTimeWindow && is_own));
                let outcome = self.refuse(packet, reason, sends_again);
                (outcome, self.write_report(&message, report.as_ref(), now))
            }
            Ok(usm::Verdict::Accepted(accepted)) => self.accept(packet, &message, &accepted, now),
        };
        self.v3.plain = plain;
        let reply = match answer {
            Answer::None => None,
            Answer::Now => Some(None),
            Answer::After(record) => Some(Some(record)),
        };
        Verdict {
            outcome,
            reply: reply.map(|after| Reply {
                bytes: &self.reply,
                after,
            }),
        }
    }

    /// The event of an accepted message, unless it came before.
    fn accept(
        &mut self,
        packet: &Packet<'_>,
        message: &Message<'_>,
        accepted: &usm::Accepted<'_>,
        now: Moment,
    ) -> (Outcome, Answer) {
        let notification = &accepted.notification;
        let is_inform = notification.kind == PduKind::Inform;
        let access = Arc::clone(&self.access);
        let copies = &access.copies;
        let copy = (message.level > SecurityLevel::NoAuthNoPriv)
            .then(|| copies.fingerprint(message.engine_id, message.digest));
        let seen = copy.map_or(Seen::New, |copy| {
            let (seen, has_forgotten) = copies.claim(copy, now.seconds());
            if has_forgotten {
                access.usm.stats.forgotten.fetch_add(1, Ordering::Relaxed);
            }
            seen
        });
        // Who asks again has another msgID, and so another digest. What a cipher's blocks were filled with may be another
        // too (RFC 3414, section 8.1.1.2).
        let repeat = is_inform.then(|| {
            let pdu = accepted.scoped.get(notification.pdu_at..notification.end);
            let context = notification
                .security
                .map(|security| (security.context_engine_id, security.context_name));
            self.repeats
                .fingerprint((sender(packet), message.user, context, pdu))
        });
        let earlier = match seen {
            Seen::Claimed => Some(None),
            Seen::Record(record) if self.exit.spool.is_lost(record) => None,
            Seen::New => repeat.and_then(|it| self.earlier(it, packet)).map(Some),
            Seen::Record(record) => Some(Some(record)),
        };
        let duplicate = Outcome::Rejected(Reason::Duplicate);
        let (outcome, after) = match earlier {
            // Another thread makes its event, and answers.
            Some(None) => (duplicate, None),
            Some(Some(record)) => {
                if let Some(copy) = copy {
                    copies.settle(copy, Some(record));
                }
                (duplicate, Some(Some(record)))
            }
            None => {
                let scoped = Packet {
                    bytes: accepted.scoped,
                    ..*packet
                };
                let mut event = normalize::trap::event(
                    Ok(notification),
                    &scoped,
                    &self.config,
                    &self.names,
                    &mut self.scratch,
                );
                let (names, payload) = (&self.names, &mut self.payload);
                let appended = self.exit.append(&mut event, packet, names, payload);
                if let Some(copy) = copy {
                    copies.settle(copy, appended.ok());
                }
                if let (Some(repeat), Ok(record)) = (repeat, &appended) {
                    self.repeats.remember(repeat, *record, packet.received);
                }
                (outcome(&appended), answered_after(&appended))
            }
        };
        let Some(after) = after.filter(|_| is_inform) else {
            return (outcome, Answer::None);
        };
        let Buffers {
            response, writer, ..
        } = &mut self.v3;
        let keys = accepted.keys.as_deref();
        let is_written = snmp::response(accepted.scoped, notification, response)
            && self.access.usm.write_response(
                message,
                keys,
                response,
                now,
                writer,
                &mut self.reply,
            );
        match is_written {
            true => (outcome, after.map_or(Answer::Now, Answer::After)),
            false => (outcome, Answer::None),
        }
    }

    /// An event by policy, that says who sent the message and why it failed, and nothing of what it says. A sender that
    /// is told our engine or time sends again, so that is only counted.
    fn refuse(&mut self, packet: &Packet<'_>, refusal: Refusal, sends_again: bool) -> Outcome {
        let policy = self.access.usm.failed_policy();
        if policy == FailedPolicy::Reject || sends_again {
            return Outcome::Rejected(reason(refusal));
        }
        let unread = UnreadMessage {
            fault: Fault {
                reason: refusal.as_str(),
                at: 0,
            },
            version: Some(Version::V3),
            advice: Some(refusal.advice()),
        };
        self.append_unread(packet, &unread)
    }

    fn take_unread(&mut self, packet: &Packet<'_>, unread: &UnreadMessage) -> Verdict<'_> {
        Verdict {
            outcome: self.append_unread(packet, unread),
            reply: None,
        }
    }

    fn append_unread(&mut self, packet: &Packet<'_>, unread: &UnreadMessage) -> Outcome {
        let scratch = &mut self.scratch;
        let mut event =
            normalize::trap::event(Err(unread), packet, &self.config, &self.names, scratch);
        let (names, payload) = (&self.names, &mut self.payload);
        outcome(&self.exit.append(&mut event, packet, names, payload))
    }

    fn write_report(
        &mut self,
        message: &Message<'_>,
        report: Option<&Report>,
        now: Moment,
    ) -> Answer {
        let (usm, writer) = (&self.access.usm, &mut self.v3.writer);
        let is_written = |report| usm.write_report(message, report, now, writer, &mut self.reply);
        match report.is_some_and(is_written) {
            true => Answer::Now,
            false => Answer::None,
        }
    }
}

/// What is sent back of what was written.
enum Answer {
    None,
    Now,
    After((LaneId, Number)),
}

/// Who asks again: address and port.
pub(super) fn sender(packet: &Packet<'_>) -> Option<(IpAddr, u16)> {
    match packet.peer {
        crate::packet::Peer::Inet(address, port) => Some((address, port)),
        crate::packet::Peer::Local => None,
    }
}

/// The ledger's word for a refusal.
fn reason(refusal: Refusal) -> Reason {
    match refusal {
        Refusal::UnsupportedSecLevel => Reason::UnsupportedSecLevel,
        Refusal::NotInTimeWindow => Reason::NotInTimeWindow,
        Refusal::UnknownUserName => Reason::UnknownUserName,
        Refusal::UnknownEngineId => Reason::UnknownEngineId,
        Refusal::WrongDigest => Reason::WrongDigest,
        Refusal::DecryptionError => Reason::DecryptionError,
    }
}

#[cfg(test)]
mod tests;
