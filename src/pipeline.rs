//! Packet → record, in one synchronous call. Read this first.
//!
//! ```text
//!  Packet ──▶ decode ──▶ normalize ──▶ route ──▶ limit ──▶ spool.append ──▶ Outcome (and an inform's Response)
//!            └──────────────────── borrowed, no I/O, no waiting, no allocation once warm ────────────────────┘
//! ```
//!
//! Every receiving thread has a [`Pipeline`] of its own; they share the spool, the routing table and the settings.

mod access;
mod own_log;
mod repeats;
mod secured;

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
use crate::record::{LaneId, Number, Origin};
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

    fn current(&self) -> (u64, Arc<normalize::Config>) {
        let generation = self.generation.load(Ordering::Acquire);
        (
            generation,
            self.current
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        )
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
            if let Some(record) = repeat.and_then(|it| self.repeats.find(it, packet.received)) {
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

    fn is_accepted(&self, record: (LaneId, Number)) -> bool {
        self.exit.spool.is_accepted(record)
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
    one_event_with(packet, config, SnmpAccess::nobody())
}

/// The same with communities and SNMPv3 users.
pub fn one_event_with(
    packet: &Packet<'_>,
    config: &normalize::Config,
    access: SnmpAccess,
) -> Result<serde_json::Value, Reason> {
    let route = crate::route::Config::default();
    let spool = Arc::new(Spool::new(&crate::spool::Config {
        bytes_max: crate::spool::Config::BYTES_MAX_DEFAULT,
        when_full: crate::spool::WhenFull::DropNewest,
        topics: route.lanes(),
        disk: None,
    }));
    let router = Arc::new(Router::new(
        &route,
        &config.agent_id,
        &crate::route::Boot::at(UnixMicros(0)),
    ));
    let mut pipeline = Pipeline::new(
        spool.clone(),
        router,
        Arc::new(Settings::new(config.clone())),
    )
    .with_access(Arc::new(access));
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

/// Where one message goes.
pub fn routed(
    packet: &Packet<'_>,
    config: &normalize::Config,
    access: SnmpAccess,
    route: &crate::route::Config,
) -> Routed {
    let spool = Arc::new(Spool::new(&crate::spool::Config {
        bytes_max: crate::spool::Config::BYTES_MAX_DEFAULT,
        when_full: crate::spool::WhenFull::DropNewest,
        topics: route.lanes(),
        disk: None,
    }));
    let boot = crate::route::Boot::at(UnixMicros(0));
    let router = Arc::new(Router::new(route, &config.agent_id, &boot));
    let settings = Arc::new(Settings::new(config.clone()));
    let mut pipeline = Pipeline::new(spool.clone(), router.clone(), settings);
    pipeline = pipeline.with_access(Arc::new(access));
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
mod tests {
    use super::*;
    use std::net::IpAddr;

    use crate::event::HostnameSource;
    use crate::names::storm::Rate;
    use crate::packet::{Peer, Wholeness};
    use crate::route::rules::{Rule, Then, When};

    /// An SNMPv2c coldStart inform, community `publ`.
    const INFORM: [u8; 67] = [
        0x30, 0x41, 2, 1, 1, 4, 4, b'p', b'u', b'b', b'l', 0xa6, 0x36, 2, 4, 0x3b, 0x65, 0x19,
        0x67, 2, 1, 0, 2, 1, 0, 0x30, 0x28, 0x30, 0x0d, 6, 8, 0x2b, 6, 1, 2, 1, 1, 3, 0, 0x43, 1,
        0x63, 0x30, 0x17, 6, 0x0a, 0x2b, 6, 1, 6, 3, 1, 1, 4, 1, 0, 6, 9, 0x2b, 6, 1, 6, 3, 1, 1,
        5, 1,
    ];

    fn pipeline() -> (Arc<Spool>, Arc<Settings>, Pipeline) {
        let route = crate::route::Config::default();
        let spool = Arc::new(Spool::new(&crate::spool::Config {
            bytes_max: 1 << 20,
            when_full: crate::spool::WhenFull::DropNewest,
            topics: route.lanes(),
            disk: None,
        }));
        let settings = Arc::new(Settings::new(normalize::Config::for_agent("test")));
        let router = Arc::new(Router::new(
            &route,
            "test",
            &crate::route::Boot::at(UnixMicros(0)),
        ));
        (
            spool.clone(),
            settings.clone(),
            Pipeline::new(spool, router, settings),
        )
    }

    fn packet<'a>(bytes: &'a [u8], listener: &'a Listener) -> Packet<'a> {
        let peer = Peer::Inet(IpAddr::from([10, 0, 0, 1]), 514);
        Packet {
            bytes,
            peer,
            listener,
            received: UnixMicros(0),
            wholeness: Wholeness::Whole,
        }
    }

    fn payloads(spool: &Spool) -> Vec<serde_json::Value> {
        let mut batch = crate::spool::Batch::default();
        spool.read(
            LaneId(0),
            crate::spool::ReadLimit {
                records: 100,
                bytes: 1 << 20,
            },
            &mut batch,
        );
        batch
            .entries()
            .iter()
            .map(|entry| serde_json::from_slice(batch.payload(entry)).unwrap())
            .collect()
    }

    #[test]
    fn anything_but_an_empty_packet_becomes_a_record() {
        let (spool, _, mut pipeline) = pipeline();
        let listener = listener(Protocol::Syslog, Transport::Udp);
        for bytes in [
            &b"<13>1 - r1 - - - - hello"[..],
            b"\xff\xfe\x00",
            b"<",
            b" ",
        ] {
            assert_eq!(
                pipeline.take(&packet(bytes, &listener)).outcome,
                Outcome::Used
            );
        }
        let empty = pipeline.take(&packet(b"", &listener)).outcome;
        assert_eq!(empty, Outcome::Rejected(Reason::Empty));
        let events = payloads(&spool);
        assert_eq!(events[0]["device"]["hostname"], "r1");
        assert_eq!(events[0]["id"], "test-0-0-0");
        assert_eq!(events[1]["raw_base64"], "//4A");
        assert_eq!(events.len(), 4);
    }

    #[test]
    fn new_settings_are_used_from_the_next_packet_on() {
        let (spool, settings, mut pipeline) = pipeline();
        let listener = listener(Protocol::Syslog, Transport::Udp);
        let bytes = b"<13>1 - r1.example.net - - - - hello";
        pipeline.take(&packet(bytes, &listener));
        let mut config = normalize::Config::for_agent("test");
        config.domain = normalize::DomainPolicy::Strip;
        settings.replace(config);
        pipeline.take(&packet(bytes, &listener));
        let events = payloads(&spool);
        assert_eq!(events[0]["device"]["hostname"], "r1.example.net");
        assert_eq!(events[1]["device"]["hostname"], "r1");
    }

    #[test]
    fn an_inform_is_answered_for_its_own_record() {
        let (spool, _, mut pipeline) = pipeline();
        let listener = listener(Protocol::Snmp, Transport::Udp);
        let verdict = pipeline.take(&packet(&INFORM, &listener));
        let reply = verdict.reply.expect("a Response");
        assert_eq!(reply.bytes[11], 0xa2);
        assert_eq!(reply.after, Some((LaneId(1), Number(0))));
        assert!(spool.is_accepted((LaneId(1), Number(0))));
        assert!(!spool.is_accepted((LaneId(1), Number(1))));
    }

    #[test]
    fn a_trap_on_a_syslog_listener_is_a_trap_whole_or_cut_and_its_community_stays_in() {
        let listener = listener(Protocol::Syslog, Transport::Udp);
        let trap = [
            &[0x30, 0x4b, 2, 1, 1, 4, 14][..],
            b"s3cr3t-c0mmuni",
            &[
                0xa7, 0x36, 2, 4, 0x3b, 0x65, 0x19, 0x67, 2, 1, 0, 2, 1, 0, 0x30, 0x28, 0x30, 0x0d,
                6, 8, 0x2b, 6,
            ],
            &[
                1, 2, 1, 1, 3, 0, 0x43, 1, 0x63, 0x30, 0x17, 6, 0x0a, 0x2b, 6, 1, 6, 3, 1, 1, 4, 1,
                0, 6, 9,
            ],
            &[0x2b, 6, 1, 6, 3, 1, 1, 5, 1],
        ]
        .concat();
        let config = normalize::Config {
            raw: normalize::RawPolicy::Always,
            ..normalize::Config::for_agent("test")
        };
        for length in 6..=trap.len() {
            let event = one_event(&packet(&trap[..length], &listener), &config).unwrap();
            assert_eq!(event["kind"], "snmp_trap", "{length} bytes: {event}");
            let text = event.to_string();
            assert!(
                !text.contains("s3cr3t") && !text.contains("czNjcjN0"),
                "{length} bytes: {text}"
            );
        }
    }

    #[test]
    fn a_full_spool_rejects_the_packet_and_does_not_answer_the_inform() {
        let (_, settings, _) = pipeline();
        let route = crate::route::Config::default();
        let spool = Arc::new(Spool::new(&crate::spool::Config {
            bytes_max: 10,
            when_full: crate::spool::WhenFull::DropNewest,
            topics: route.lanes(),
            disk: None,
        }));
        let router = Arc::new(Router::new(
            &route,
            "test",
            &crate::route::Boot::at(UnixMicros(0)),
        ));
        let mut pipeline = Pipeline::new(spool, router, settings);
        let listener = listener(Protocol::Syslog, Transport::Udp);
        let verdict = pipeline.take(&packet(b"<13>hello", &listener));
        assert_eq!(verdict.outcome, Outcome::Rejected(Reason::SpoolFull));
        assert!(verdict.reply.is_none());
    }

    #[test]
    fn the_address_is_the_name_of_a_device_that_gives_none() {
        let listener = listener(Protocol::Syslog, Transport::Udp);
        let event = one_event(
            &packet(b"hello", &listener),
            &normalize::Config::for_agent("test"),
        )
        .unwrap();
        assert_eq!(event["device"]["hostname"], "10.0.0.1");
        let source = serde_json::to_value(HostnameSource::Address).unwrap();
        assert_eq!(event["device"]["hostname_source"], source);
    }

    /// A pipeline with one rule for everything, and a limit of one event for each sender.
    fn limited(then: Option<Then>, storms: Option<&Arc<Storms>>) -> Pipeline {
        let rules = then.map(|then| Rule {
            name: "all".into(),
            when: When::default(),
            then,
        });
        let route = crate::route::Config {
            rules: rules.into_iter().collect(),
            ..crate::route::Config::default()
        };
        let boot = crate::route::Boot::at(UnixMicros(0));
        let router = Arc::new(Router::new(&route, "test", &boot));
        let (spool, settings, _) = pipeline();
        Pipeline::new(spool, router, settings).with_storms(storms.cloned())
    }

    #[test]
    fn an_inform_that_a_rule_takes_out_is_answered_at_once_and_one_that_is_held_back_is_not() {
        let listener = listener(Protocol::Snmp, Transport::Udp);
        let mut dropping = limited(Some(Then::Drop), None);
        let verdict = dropping.take(&packet(&INFORM, &listener));
        assert_eq!(verdict.outcome, Outcome::Rejected(Reason::Filtered));
        assert_eq!(verdict.reply.expect("a Response").after, None);

        let storms = Arc::new(Storms::new(Rate {
            events_per_second: 1,
            burst: 1,
        }));
        let mut limited = limited(None, Some(&storms));
        let trap = {
            let mut trap = INFORM;
            trap[13] = 0xa7;
            trap
        };
        let verdict = limited.take(&packet(&trap, &listener));
        assert_eq!(verdict.outcome, Outcome::Used);
        let verdict = limited.take(&packet(&INFORM, &listener));
        assert_eq!(verdict.outcome, Outcome::Rejected(Reason::HeldBack));
        assert!(verdict.reply.is_none());
        let held = storms.take();
        assert_eq!((held.len(), held[0].count), (1, 1));
    }

    #[test]
    fn what_a_rule_drops_costs_its_sender_no_token() {
        let storms = Arc::new(Storms::new(Rate {
            events_per_second: 1,
            burst: 1,
        }));
        let listener = listener(Protocol::Syslog, Transport::Udp);
        let dropped = packet(b"<14>x", &listener);
        let outcome = limited(Some(Then::Drop), Some(&storms))
            .take(&dropped)
            .outcome;
        assert_eq!(outcome, Outcome::Rejected(Reason::Filtered));
        let mut limited = limited(None, Some(&storms));
        assert_eq!(limited.take(&dropped).outcome, Outcome::Used);
        let outcome = limited.take(&dropped).outcome;
        assert_eq!(outcome, Outcome::Rejected(Reason::HeldBack));
    }

    #[test]
    fn a_line_of_this_very_process_from_this_host_ends_as_own_log() {
        let (_, _, mut pipeline) = pipeline();
        let listener = listener(Protocol::Syslog, Transport::Udp);
        let line = format!(
            "<30>Nov 21 02:14:07 br17 trapline[{}]: x",
            std::process::id()
        );
        let from = |address: [u8; 4]| Packet {
            peer: Peer::Inet(IpAddr::from(address), 514),
            ..packet(line.as_bytes(), &listener)
        };
        let outcome = pipeline.take(&from([127, 0, 0, 1])).outcome;
        assert_eq!(outcome, Outcome::Rejected(Reason::OwnLog));
        assert_eq!(pipeline.take(&from([10, 0, 0, 1])).outcome, Outcome::Used);
    }
}
