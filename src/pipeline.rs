//! Packet → record, in one synchronous call. Read this first.
//!
//! ```text
//!  Packet ──▶ decode ──▶ normalize ──▶ route ──▶ limit ──▶ spool.append ──▶ Outcome (and an inform's Response)
//!            └──────────────────── borrowed, no I/O, no waiting, no allocation once warm ────────────────────┘
//! ```
//!
//! Every receiving thread has a [`Pipeline`] of its own; they share the spool, the routing table and the settings.

mod access;
mod copies;
mod own_log;
mod repeats;
mod secured;

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::decode::snmp::{Notification, PduKind};
use crate::decode::{charset, snmp, syslog};
use crate::event::Event;
use crate::names::storm::Storms;
use crate::names::{self, Names};
use crate::normalize::device::Names as _;
use crate::normalize::{self, Scratch};
use crate::packet::{Listener, Outcome, Packet, Protocol, Reason, Reply, Sink, Transport, Verdict};
use crate::record::{Acceptance, LaneId, Number, Origin};
use crate::route::{RouteError, Router};
use crate::spool::Spool;
use crate::time::UnixMicros;

pub use access::{Communities, Config as AccessConfig, SnmpAccess};
use own_log::OwnLog;
use repeats::Repeats;

/// What a reload can change about normalising, shared by all pipelines.
#[derive(Debug)]
pub struct Settings {
    current: RwLock<Arc<normalize::Config>>,
    /// Grows with every change, so that a pipeline notices one without taking the lock for every packet.
    generation: AtomicU64,
}

impl Settings {
    /// The settings at start.
    pub fn new(config: normalize::Config) -> Settings {
        Settings {
            current: RwLock::new(Arc::new(config)),
            generation: AtomicU64::new(0),
        }
    }

    /// Replaces them; every pipeline uses the new ones from its next packet on.
    pub fn replace(&self, config: normalize::Config) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// What is in force now.
    pub fn config(&self) -> Arc<normalize::Config> {
        let current = self.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn current(&self) -> (u64, Arc<normalize::Config>) {
        let generation = self.generation.load(Ordering::Acquire);
        (generation, self.config())
    }
}

/// One thread's walk from packet to record, with its buffers.
#[derive(Debug)]
pub struct Pipeline {
    exit: Exit,
    own_log: OwnLog,
    settings: Arc<Settings>,
    generation: u64,
    config: Arc<normalize::Config>,
    names: names::View,
    scratch: Scratch,
    /// A message in UTF-8 that came in another character set.
    text: Vec<u8>,
    payload: Vec<u8>,
    reply: Vec<u8>,
    access: Arc<SnmpAccess>,
    repeats: Repeats,
    v3: secured::Buffers,
}

impl Pipeline {
    /// A pipeline with empty buffers. It takes every community, and knows no SNMPv3 user.
    pub fn new(spool: Arc<Spool>, router: Arc<Router>, settings: Arc<Settings>) -> Pipeline {
        let access = Arc::new(SnmpAccess::nobody());
        let (generation, config) = settings.current();
        Pipeline {
            exit: Exit {
                spool,
                router,
                storms: None,
            },
            own_log: OwnLog::of_process(std::process::id()),
            settings,
            generation,
            config,
            names: names::View::new(Arc::new(Names::new(names::Config::default()))),
            scratch: Scratch::default(),
            text: Vec::new(),
            payload: Vec::new(),
            reply: Vec::new(),
            access,
            repeats: Repeats::default(),
            v3: secured::Buffers::default(),
        }
    }

    /// The same with communities and SNMPv3 users.
    pub fn with_access(mut self, access: Arc<SnmpAccess>) -> Pipeline {
        self.access = access;
        self
    }

    /// The same with what is known of devices.
    pub fn with_names(mut self, names: Arc<Names>) -> Pipeline {
        self.names = names::View::new(names);
        self
    }

    /// The same with a limit for each sender.
    pub fn with_storms(mut self, storms: Option<Arc<Storms>>) -> Pipeline {
        self.exit.storms = storms;
        self
    }

    fn refresh(&mut self) {
        if self.settings.generation.load(Ordering::Acquire) != self.generation {
            (self.generation, self.config) = self.settings.current();
        }
        self.names.refresh();
    }

    fn take_syslog(&mut self, packet: &Packet<'_>) -> Verdict<'_> {
        let known = packet
            .peer
            .address()
            .and_then(|address| self.names.encoding(address));
        let (bytes, converted) = charset::to_utf8(packet.bytes, known, &mut self.text);
        let mut message = syslog::read(bytes);
        if self.own_log.is_own(&message, packet.peer) {
            return rejected(Reason::OwnLog);
        }
        if converted.is_some() {
            message.fidelity = syslog::Fidelity::Changed;
        }
        let mut event = normalize::syslog::event(
            &message,
            packet,
            &self.config,
            &self.names,
            &mut self.scratch,
        );
        let appended = self
            .exit
            .append(&mut event, packet, &self.names, &mut self.payload);
        Verdict {
            outcome: outcome(&appended),
            reply: None,
        }
    }

    fn take_snmp(&mut self, packet: &Packet<'_>) -> Verdict<'_> {
        if snmp::v3::is_v3(packet.bytes) && self.access.usm.has_users() {
            return self.take_v3(packet);
        }
        let decoded = match snmp::read(packet.bytes) {
            Err(snmp::Unread::NotANotification { .. }) => {
                return rejected(Reason::NotANotification);
            }
            Err(snmp::Unread::ParseFailed(unread)) => Err(unread),
            Ok(notification) => Ok(notification),
        };
        let mut repeat = None;
        if let Ok(notification) = &decoded {
            let community = packet.bytes.get(notification.community.clone());
            if !self.access.permits(community.unwrap_or_default()) {
                return rejected(Reason::CommunityNotAllowed);
            }
            repeat = self.fingerprint(packet, notification);
            if let Some(record) = repeat.and_then(|it| self.earlier(it, packet)) {
                return self.answer_again(packet, notification, record);
            }
        }
        let mut event = normalize::trap::event(
            decoded.as_ref(),
            packet,
            &self.config,
            &self.names,
            &mut self.scratch,
        );
        let appended = self
            .exit
            .append(&mut event, packet, &self.names, &mut self.payload);
        let wants_response = match &decoded {
            Ok(notification) => snmp::response(packet.bytes, notification, &mut self.reply),
            Err(_) => false,
        };
        if let (Some(fingerprint), Ok(record)) = (repeat, &appended) {
            self.repeats.remember(fingerprint, *record, packet.received);
        }
        let after = answered_after(&appended).filter(|_| wants_response);
        Verdict {
            outcome: outcome(&appended),
            reply: after.map(|after| Reply {
                bytes: &self.reply,
                after,
            }),
        }
    }

    /// By which a repeated inform of v2c is known.
    fn fingerprint(&self, packet: &Packet<'_>, notification: &Notification<'_>) -> Option<u64> {
        let message = packet.bytes.get(..notification.end);
        let is_inform = notification.kind == PduKind::Inform;
        is_inform.then(|| self.repeats.fingerprint((secured::sender(packet), message)))
    }

    /// The record of the same message, if it came lately and is not lost.
    fn earlier(&mut self, fingerprint: u64, packet: &Packet<'_>) -> Option<(LaneId, Number)> {
        let record = self.repeats.find(fingerprint, packet.received)?;
        if self.exit.spool.is_lost(record) {
            self.repeats.forget(fingerprint);
            return None;
        }
        Some(record)
    }

    /// The event of a repeated inform exists already.
    fn answer_again(
        &mut self,
        packet: &Packet<'_>,
        notification: &Notification<'_>,
        record: (LaneId, Number),
    ) -> Verdict<'_> {
        let is_written = snmp::response(packet.bytes, notification, &mut self.reply);
        let reply = is_written.then_some(Reply {
            bytes: &self.reply,
            after: Some(record),
        });
        Verdict {
            reply,
            ..rejected(Reason::Duplicate)
        }
    }
}

impl Sink for Pipeline {
    fn expect(&mut self, senders: impl Iterator<Item = IpAddr> + Clone) {
        self.names.expect(senders);
    }

    fn take(&mut self, packet: &Packet<'_>) -> Verdict<'_> {
        self.refresh();
        match packet.listener.protocol {
            _ if packet.bytes.is_empty() => rejected(Reason::Empty),
            // A trap that was sent to the wrong port is a trap all the same. Read as syslog, its community would be shown.
            Protocol::Syslog if snmp::is_message(packet.bytes) => self.take_snmp(packet),
            Protocol::Syslog => self.take_syslog(packet),
            Protocol::Snmp => self.take_snmp(packet),
        }
    }

    fn rest(&mut self) {
        self.refresh();
    }

    fn acceptance(&self, record: (LaneId, Number)) -> Acceptance {
        self.exit.spool.acceptance(record)
    }
}

fn rejected(reason: Reason) -> Verdict<'static> {
    Verdict {
        outcome: Outcome::Rejected(reason),
        reply: None,
    }
}

fn outcome(appended: &Result<(LaneId, Number), Reason>) -> Outcome {
    match appended {
        Ok(_) => Outcome::Used,
        Err(reason) => Outcome::Rejected(*reason),
    }
}

/// What an inform's Response waits for, if it is answered: its record. One that a rule takes out has come to its end, and
/// would only be sent again; one that is held back may well be.
fn answered_after(appended: &Result<(LaneId, Number), Reason>) -> Option<Option<(LaneId, Number)>> {
    match appended {
        Ok(record) => Some(Some(*record)),
        Err(Reason::Filtered) => Some(None),
        Err(_) => None,
    }
}

/// The last steps, the same for every kind.
#[derive(Debug)]
struct Exit {
    spool: Arc<Spool>,
    router: Arc<Router>,
    storms: Option<Arc<Storms>>,
}

impl Exit {
    /// A record with a number in its lane, or the reason why not.
    fn append<'e>(
        &'e self,
        event: &mut Event<'e>,
        packet: &Packet<'_>,
        names: &names::View,
        payload: &mut Vec<u8>,
    ) -> Result<(LaneId, Number), Reason> {
        // The rules first: what they drop anyway costs its sender nothing.
        let lane = self.router.lane(event).map_err(reason)?;
        if let Some(storms) = &self.storms {
            let address = packet.peer.address();
            let is_relayed = address.is_some_and(|address| names.trusts(address));
            if !storms.admits(event, is_relayed, packet.received) {
                return Err(Reason::HeldBack);
            }
        }
        let record = self
            .router
            .record_in(lane, event, packet.received, Origin::Packet, payload)
            .map_err(reason)?;
        let (lane, number) = (record.lane, self.spool.append(&record)?);
        self.router.count(event.kind);
        Ok((lane, number))
    }
}

fn reason(error: RouteError) -> Reason {
    match error {
        RouteError::TooLarge { .. } => Reason::TooLarge,
        RouteError::Filtered { .. } => Reason::Filtered,
        RouteError::Json(_) => Reason::NotWritten,
    }
}

/// The event of one message, outside of a running agent (`trapline explain`, golden tests): the whole path with a
/// spool of its own. The id is the one of a first boot and the first number.
pub fn one_event(
    packet: &Packet<'_>,
    config: &normalize::Config,
) -> Result<serde_json::Value, Reason> {
    one_event_with(
        packet,
        config,
        SnmpAccess::nobody(),
        Arc::new(Names::new(names::Config::default())),
    )
}

/// The same with communities and SNMPv3 users.
pub fn one_event_with(
    packet: &Packet<'_>,
    config: &normalize::Config,
    access: SnmpAccess,
    names: Arc<Names>,
) -> Result<serde_json::Value, Reason> {
    let route = crate::route::Config::default();
    let (spool, _, mut pipeline) = alone(&route, config, access, names);
    if let Outcome::Rejected(reason) = pipeline.take(packet).outcome {
        return Err(reason);
    }
    let mut batch = crate::spool::Batch::default();
    let limit = crate::spool::ReadLimit {
        records: 1,
        bytes: usize::MAX,
    };
    for lane in 0..route.lanes().len() as u16 {
        if spool.read(LaneId(lane), limit, &mut batch) == 1 {
            break;
        }
    }
    let payload = batch
        .entries()
        .first()
        .map(|entry| batch.payload(entry))
        .unwrap_or_default();
    serde_json::from_slice(payload).map_err(|_| Reason::NotWritten)
}

/// The end of one message by the operator's rules, outside of a running agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routed {
    /// The rules that matched, in their order; the last of them decided, unless it let a sample through.
    pub rules: Vec<String>,
    /// The topic, or why it goes to none.
    pub topic: Result<String, Reason>,
}

/// A pipeline outside of a running agent, and what stands behind it.
fn alone(
    route: &crate::route::Config,
    config: &normalize::Config,
    access: SnmpAccess,
    names: Arc<Names>,
) -> (Arc<Spool>, Arc<Router>, Pipeline) {
    let spool = Arc::new(Spool::new(&crate::spool::Config {
        bytes_max: crate::spool::Config::BYTES_MAX_DEFAULT,
        when_full: crate::spool::WhenFull::DropNewest,
        topics: route.lanes(),
        disk: None,
    }));
    let boot = crate::route::Boot::new(UnixMicros(0), 0);
    let router = Arc::new(Router::new(route, &config.agent_id, &boot));
    let settings = Arc::new(Settings::new(config.clone()));
    let pipeline = Pipeline::new(spool.clone(), router.clone(), settings)
        .with_access(Arc::new(access))
        .with_names(names);
    (spool, router, pipeline)
}

/// Where one message goes.
pub fn routed(
    packet: &Packet<'_>,
    config: &normalize::Config,
    access: SnmpAccess,
    names: Arc<Names>,
    route: &crate::route::Config,
) -> Routed {
    let (spool, router, mut pipeline) = alone(route, config, access, names);
    let outcome = pipeline.take(packet).outcome;
    let rules = router.rule_counts().into_iter();
    let rules = rules.filter(|rule| rule.matched > 0).map(|rule| rule.name);
    let topic = match outcome {
        Outcome::Rejected(reason) => Err(reason),
        Outcome::Used => {
            let lanes = spool.lanes().into_iter();
            let mut used = lanes.filter(|lane| lane.pending > 0).map(|lane| lane.topic);
            used.next().ok_or(Reason::NotWritten)
        }
    };
    Routed {
        rules: rules.collect(),
        topic,
    }
}

/// The listener of a packet that comes from no socket.
pub fn listener(protocol: Protocol, transport: Transport) -> Listener {
    let name = match protocol {
        Protocol::Syslog => "syslog",
        Protocol::Snmp => "snmp",
    };
    let name = format!("{name}-{}", transport.as_str());
    Listener {
        index: 0,
        name: name.into(),
        protocol,
        transport,
    }
}

#[cfg(test)]
mod tests;
