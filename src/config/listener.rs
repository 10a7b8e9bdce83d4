//! One `[[listener]]` → one listener's configuration, and what several of them must not share.
//!
//! ```text
//!  name, protocol, transport, bind ──▶ who and where      (each has a default that follows from the ones before it)
//!  allow ────────────────────────────▶ Allow              none: anyone
//!  path, mode, owner, group ─────────▶ unix::Config       for unix sockets, instead of bind and allow
//!  tls = { ... } ────────────────────▶ file paths         required with transport tls, refused with the others
//! ```

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use compact_str::CompactString;

use super::certificate;
use super::environment::fold;
use super::local;
use super::problem::{Place, Problem};
use super::raw::{RawListener, Set, Settings};
use super::reader::{Findings, Reader};
use super::value::Value;
use crate::normalize::device::prefix;
use crate::packet::{Allow, Listener, Protocol, Transport};
use crate::receive;
use crate::status;

/// Longest name of a listener: it stands in every event.
const NAME_BYTES_MAX: usize = 64;

/// The listeners of an agent that was told of none. 601 is the registered port of syslog over TCP, 514 the one that
/// devices use.
const DEFAULTS: [(&str, &str, &str, &str); 4] = [
    ("syslog-udp", "syslog", "udp", "[::]:514"),
    ("syslog-tcp", "syslog", "tcp", "[::]:514"),
    ("syslog-conn", "syslog", "tcp", "[::]:601"),
    ("snmp-udp", "snmp", "udp", "[::]:162"),
];

/// What stands for the file where it has no `[[listener]]`.
pub(super) fn defaults() -> Vec<RawListener> {
    let set = |text: &str| Set {
        value: Value::Text(text.to_owned()),
        at: Place::Absent,
    };
    DEFAULTS
        .iter()
        .map(|(name, protocol, transport, bind)| RawListener {
            at: Place::Absent,
            settings: Settings {
                values: BTreeMap::from([
                    ("listener.name", set(name)),
                    ("listener.protocol", set(protocol)),
                    ("listener.transport", set(transport)),
                    ("listener.bind", set(bind)),
                ]),
                is_broken: false,
            },
        })
        .collect()
}

/// Resolves all listeners and checks them against each other.
pub(super) fn resolve(raw: &[RawListener], findings: &mut Findings) -> Vec<receive::Config> {
    let mut done: Vec<(receive::Config, Place)> = Vec::new();
    for (index, listener) in raw.iter().enumerate() {
        let problems_before = findings.problems.len();
        let resolved = one(index, listener, findings);
        let is_sound = findings.problems.len() == problems_before && !listener.settings.is_broken;
        let name = resolved.listener.name.as_str();
        if let Some((_, other)) = done
            .iter()
            .find(|(known, _)| fold(&known.listener.name) == fold(name))
        {
            findings.problems.push(Problem::new(
                &name_place(listener),
                &format!("listener.{name}.name"),
                format!("the name is taken by the listener at {other} (case, - and _ do not tell names apart)"),
                "give each listener a name of its own",
            ));
        }
        // A listener with a problem may stand on an address that nobody wrote.
        if !is_sound {
            continue;
        }
        if let Some((known, other)) = done.iter().find(|(known, _)| collide(known, &resolved)) {
            findings
                .problems
                .push(taken(listener, &resolved, known, other));
        }
        done.push((resolved, bind_place(listener)));
    }
    done.into_iter().map(|(config, _)| config).collect()
}

/// What the status page and the admin socket must not share with a listener: of two sockets only one can be bound.
pub(super) fn check_status(
    raw: &[RawListener],
    listeners: &[receive::Config],
    status: &status::Config,
    reader: &mut Reader<'_>,
) {
    for listener in listeners {
        let is_tcp = kernel_transport(listener.listener.transport) == "tcp";
        let (key, taken, advice) = match (&listener.unix, status.bind, &status.admin_socket) {
            (None, Some(bind), _) if is_tcp && share(bind, listener.bind) => (
                "status.bind",
                format!("tcp {bind}"),
                "choose another port for one of them, or status.bind = \"off\"",
            ),
            (Some(unix), _, Some(path)) if unix.path == *path => (
                "status.admin_socket",
                path.display().to_string(),
                "choose another path for one of them",
            ),
            _ => continue,
        };
        let place = raw
            .get(listener.listener.index)
            .map_or(Place::Absent, bind_place);
        // A default stands nowhere: then it is the listener that was written and can be changed.
        let (at, default) = match reader.is_set(key) {
            true => (reader.place(key), ""),
            false => (place.clone(), ", the default,"),
        };
        let name = &listener.listener.name;
        let text = format!("{taken}{default} is taken by {}", called(name, &place));
        let problem = Problem::new(&at, key, text, advice);
        reader.findings.problems.push(problem);
    }
}

/// The names of all listeners, those with problems too.
pub(super) fn names(raw: &[RawListener]) -> Vec<String> {
    let names = raw.iter().map(|listener| match listener.name() {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => default_name(&listener.settings),
    });
    names.collect()
}

fn name_place(listener: &RawListener) -> Place {
    let name = listener.settings.values.get("listener.name");
    name.map_or_else(|| listener.at.clone(), |set| set.at.clone())
}

fn bind_place(listener: &RawListener) -> Place {
    let values = &listener.settings.values;
    let bind = values
        .get("listener.bind")
        .or_else(|| values.get("listener.path"));
    bind.map_or_else(|| listener.at.clone(), |set| set.at.clone())
}

/// The problem of a listener that would stand where another one does.
fn taken(
    listener: &RawListener,
    resolved: &receive::Config,
    known: &receive::Config,
    other: &Place,
) -> Problem {
    let (key, place, advice) = match &resolved.unix {
        Some(unix) => (
            "path",
            unix.path.display().to_string(),
            "choose another path for one of them",
        ),
        None => (
            "bind",
            format!(
                "{} {}",
                kernel_transport(resolved.listener.transport),
                resolved.bind
            ),
            "choose another port or address for one of them ([::] takes the IPv4 addresses too)",
        ),
    };
    Problem::new(
        &bind_place(listener),
        &format!("listener.{}.{key}", resolved.listener.name),
        format!(
            "{place} is taken by {}",
            called(&known.listener.name, other)
        ),
        advice,
    )
}

/// A listener and where it stands. Those that nobody wrote stand nowhere.
fn called(name: &str, at: &Place) -> String {
    match at {
        Place::Absent => format!("the listener \"{name}\", one of the defaults"),
        at => format!("the listener \"{name}\" at {at}"),
    }
}

/// TLS listens on a TCP port.
fn kernel_transport(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "udp",
        Transport::Tcp | Transport::Tls => "tcp",
        Transport::UnixDgram | Transport::UnixStream => "unix",
    }
}

/// Whether the kernel would refuse the second of the two. `[::]` takes IPv4 as well; port 0 is a new port each time.
fn collide(left: &receive::Config, right: &receive::Config) -> bool {
    if let (Some(left), Some(right)) = (&left.unix, &right.unix) {
        return left.path == right.path;
    }
    share(left.bind, right.bind)
        && kernel_transport(left.listener.transport) == kernel_transport(right.listener.transport)
}

/// Whether one of two addresses takes the other's port.
fn share(left: SocketAddr, right: SocketAddr) -> bool {
    // An IPv4 address can be written as an IPv6 one.
    let (one, other) = (left.ip().to_canonical(), right.ip().to_canonical());
    left.port() != 0 && left.port() == right.port() && (takes(one, other) || takes(other, one))
}

/// Whether a socket at `wide` has taken `narrow` too.
fn takes(wide: IpAddr, narrow: IpAddr) -> bool {
    match wide {
        IpAddr::V4(ip) if ip.is_unspecified() => narrow.is_ipv4(),
        IpAddr::V6(ip) if ip.is_unspecified() => true,
        _ => wide == narrow,
    }
}

fn one(index: usize, raw: &RawListener, findings: &mut Findings) -> receive::Config {
    let name = match raw.name() {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => default_name(&raw.settings),
    };
    let mut reader = Reader::of_listener(&raw.settings, &name, &raw.at, findings);
    let protocol = reader.word("listener.protocol", Protocol::Syslog);
    let transport = reader.word("listener.transport", Transport::Udp);
    if protocol == Protocol::Snmp && !matches!(transport, Transport::Udp | Transport::Tcp) {
        reader.problem(
            "listener.transport",
            "\"udp\" or \"tcp\" where protocol is \"snmp\"",
            &format!("\"{}\"", transport.as_str()),
            "receive SNMP over UDP or TCP (RFC 3430); over TLS (RFC 6353) it is not received, SNMPv3 protects it instead",
        );
    }
    check_name(&mut reader, &name);
    let unix = local::resolve(&mut reader, transport, &name);
    let bind = match unix {
        Some(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        None => bind(&mut reader, protocol, transport),
    };
    let allow = match unix {
        Some(_) => Allow::Anyone,
        None => allow(&mut reader),
    };
    let listener = Listener {
        index,
        name: CompactString::from(name),
        protocol,
        transport,
    };
    let mut config = receive::Config::new(listener, bind);
    config.allow = allow;
    config.unix = unix;
    limits(&mut reader, &mut config);
    config.tls = certificate::resolve(&mut reader, transport);
    config
}

/// `syslog-udp` where nothing else is said.
fn default_name(settings: &Settings) -> String {
    let word = |key, default| match settings.values.get(key).map(|set| &set.value) {
        Some(Value::Text(word)) => word.clone(),
        _ => default,
    };
    let protocol = word("listener.protocol", "syslog".to_owned());
    let transport = word("listener.transport", "udp".to_owned());
    format!("{protocol}-{transport}")
}

fn check_name(reader: &mut Reader<'_>, name: &str) {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.len() > NAME_BYTES_MAX || !name.bytes().all(is_plain) {
        reader.problem(
            "listener.name",
            "1 to 64 letters, digits, - and _",
            &format!("{name:?}"),
            "choose a short name; it stands in every event and in variables such as TRAPLINE_LISTENER__SYSLOG_UDP__BIND",
        );
    }
    reader.note("listener.name", &name);
}

fn bind(reader: &mut Reader<'_>, protocol: Protocol, transport: Transport) -> SocketAddr {
    let port = match (protocol, transport) {
        (Protocol::Snmp, _) => 162,
        (Protocol::Syslog, Transport::Tls) => 6514,
        (Protocol::Syslog, _) => 514,
    };
    let default = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    reader.parsed(
        "listener.bind",
        default,
        |text| text.parse().ok(),
        "an address and a port",
        |text| bind_advice(text, "[::]", port),
    )
}

/// What to write instead of an address that could not be read. `any` is the address to suggest, in brackets if it is IPv6.
pub(super) fn bind_advice(text: &str, any: &str, port: u16) -> String {
    if text
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_ipv6())
    {
        return format!("write it in brackets with the port behind: \"[{text}]:{port}\"");
    }
    if text.parse::<IpAddr>().is_ok() {
        return format!("add the port: \"{text}:{port}\"");
    }
    let after_colon = text.rsplit(':').next().unwrap_or(text);
    let port = after_colon.parse().unwrap_or(port);
    format!(
        "write \"{any}:{port}\", or another address of this host as digits (names are not looked up)"
    )
}

fn allow(reader: &mut Reader<'_>) -> Allow {
    const KEY: &str = "listener.allow";
    let Some(parts) = reader.list(KEY) else {
        reader.note(KEY, &[ANY_IPV4, ANY_IPV6]);
        return Allow::Anyone;
    };
    if parts.is_empty() {
        let advice = "name at least one prefix, or leave the key out to hear everybody";
        reader.problem(
            KEY,
            "at least one prefix",
            "an empty list, which would turn every device away",
            advice,
        );
    }
    let mut prefixes = Vec::new();
    for (text, at) in parts {
        match prefix(text) {
            Some(net) => {
                if net != net.trunc() {
                    let meant = format!(
                        "{text} means {}; write that, or {}/{} for this one address",
                        net.trunc(),
                        net.addr(),
                        net.max_prefix_len()
                    );
                    let key = reader.shown(KEY);
                    reader.findings.warn(at, &key, meant);
                }
                prefixes.push(net.trunc());
            }
            None => {
                let advice = "write an address and how many of its bits count: \"10.20.0.0/16\", \"2001:db8::/32\", or a single address";
                let problem = Problem::expected(
                    at,
                    &reader.shown(KEY),
                    "an address or a prefix",
                    &format!("{text:?}"),
                    advice,
                );
                reader.findings.problems.push(problem);
            }
        }
    }
    let shown: Vec<String> = prefixes.iter().map(ToString::to_string).collect();
    reader.note(KEY, &shown);
    if shown.iter().any(|net| net == ANY_IPV4) && shown.iter().any(|net| net == ANY_IPV6) {
        return Allow::Anyone;
    }
    Allow::Prefixes(prefixes)
}

const ANY_IPV4: &str = "0.0.0.0/0";
const ANY_IPV6: &str = "::/0";

fn limits(reader: &mut Reader<'_>, config: &mut receive::Config) {
    warn_of_idle_limits(reader, config.listener.transport);
    if config.listener.transport == Transport::UnixDgram {
        return;
    }
    if config.listener.transport == Transport::Udp {
        config.receive_buffer_bytes =
            reader.size("listener.receive_buffer_bytes", config.receive_buffer_bytes);
        config.shards = reader.size("listener.shards", config.shards);
        return;
    }
    config.frame_bytes_max = reader.size("listener.frame_bytes_max", config.frame_bytes_max);
    config.connections_max = reader.size("listener.connections_max", config.connections_max);
    config.idle_seconds_max = reader.number("listener.idle_seconds_max", config.idle_seconds_max);
    if config.listener.transport == Transport::UnixStream {
        return;
    }
    config.connections_per_peer_max = reader.size(PER_PEER, config.connections_per_peer_max);
    let is_too_many = config.connections_per_peer_max > config.connections_max;
    if is_too_many && reader.is_set(PER_PEER) && !reader.is_broken() {
        let (at, shown) = (reader.place(PER_PEER), reader.shown(PER_PEER));
        let text = format!(
            "is never reached: connections_max is {}",
            config.connections_max
        );
        reader.findings.warn(&at, &shown, text);
    }
}

const PER_PEER: &str = "listener.connections_per_peer_max";

fn warn_of_idle_limits(reader: &mut Reader<'_>, transport: Transport) {
    const OF_STREAMS: &[&str] = &[
        "listener.frame_bytes_max",
        "listener.connections_max",
        "listener.idle_seconds_max",
    ];
    const OF_UDP: &[&str] = &["listener.receive_buffer_bytes", "listener.shards"];
    if !transport.is_stream() {
        warn_of_idle(reader, transport, OF_STREAMS, "tcp, tls and unix_stream");
    }
    if transport != Transport::Udp {
        warn_of_idle(reader, transport, OF_UDP, "udp");
    }
    if !matches!(transport, Transport::Tcp | Transport::Tls) {
        warn_of_idle(reader, transport, &[PER_PEER], "tcp and tls");
    }
}

/// Warns of each of `keys` that is set though `transport` has no use for it.
pub(super) fn warn_of_idle(
    reader: &mut Reader<'_>,
    transport: Transport,
    keys: &[&str],
    meant: &str,
) {
    // Of a transport that cannot be used it is not known what it was meant to be.
    let is_guessed = reader.is_broken() && !reader.is_set("listener.transport");
    for key in keys.iter().copied() {
        if reader.is_set(key) && !is_guessed {
            let (at, shown) = (reader.place(key), reader.shown(key));
            let text = format!(
                "has no effect with transport {}, it is for {meant}",
                transport.as_str()
            );
            reader.findings.warn(&at, &shown, text);
        }
    }
}
