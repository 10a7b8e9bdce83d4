//! `trapline explain`: one message → how it was read, field by field, and the event that it becomes.
//!
//! ```text
//!  argument | hex | file | standard input ──▶ bytes ──▶ decode ──▶ fields as text
//!                               │           ▲    ├────▶ pipeline ──▶ the event, pretty-printed
//!                               │           │    ├────▶ names ─────▶ whose it is, and why
//!                               │           │    └────▶ rules ─────▶ the topic, and the rule that says so
//!                               └▶ captured ┘ one packet after the other, of a pcap or pcapng file
//! ```

mod captured;
mod device;

use std::ffi::OsString;
use std::fmt::Write;
use std::io::{BufReader, IsTerminal, Read};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use super::capture::{self, CaptureError};
use super::output::{Output, complain, tamed};
use super::{ConfigArguments, run as configuration};
use crate::config::Resolved;
use crate::decode::{snmp, syslog};
use crate::names::Names;
use crate::normalize;
use crate::packet::{Listener, Packet, Peer, Protocol, Transport, Wholeness};
use crate::pipeline::{self, AccessConfig, Routed};
use crate::route;
use crate::route::rules::{Rule, Then};
use crate::time::UnixMicros;

/// The longest message that is read: more than any datagram, and more than the default frame limit.
const MESSAGE_BYTES_MAX: u64 = 1024 * 1024;

/// What to explain.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A file with one message, or a capture (pcap, pcapng); `-` or nothing for standard input
    #[arg(value_name = "FILE", conflicts_with_all = ["text", "hex"])]
    file: Option<PathBuf>,
    /// The message itself
    #[arg(
        long,
        value_name = "MESSAGE",
        conflicts_with = "hex",
        allow_hyphen_values = true
    )]
    text: Option<OsString>,
    /// The packet in hex; white space and colons are ignored
    #[arg(long, value_name = "HEX")]
    hex: Option<String>,
    /// Read it as this protocol
    #[arg(long, value_enum, value_name = "PROTOCOL")]
    protocol: Option<ProtocolArgument>,
    /// Of a capture this packet alone, counted from 1 as Wireshark does
    #[arg(
        long,
        value_name = "NUMBER",
        conflicts_with_all = ["text", "hex", "peer"],
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    packet: Option<u64>,
    /// The sender's address; a capture says it itself
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    peer: IpAddr,
    /// As the listener of this name receives it; without it the first that reads this protocol
    #[arg(long, value_name = "NAME")]
    listener: Option<String>,
    #[command(flatten)]
    config: ConfigArguments,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ProtocolArgument {
    Syslog,
    Snmp,
}

/// Why there was nothing to explain.
#[derive(Debug, thiserror::Error)]
enum ExplainError {
    #[error("cannot read {path}: {error}")]
    Read { path: String, error: std::io::Error },
    #[error(
        "{path} is longer than {MESSAGE_BYTES_MAX} bytes, and no message is; give one message alone"
    )]
    TooLong { path: String },
    #[error("not hex: expected digits 0-9 and a-f, found {found:?} as character {at}")]
    Hex { at: usize, found: char },
    #[error("not hex: expected two digits for each byte, found {digits} digits")]
    HalfByte { digits: usize },
    #[error("there is no listener {name:?} for this protocol; the configuration has {known}")]
    NoListener { name: String, known: String },
    #[error(
        "there is nothing to read: give a message by --text, --hex, a file name, or on standard input"
    )]
    Empty,
    #[error("there is no packet {number}: the capture has {packets}")]
    NoPacket { number: u64, packets: u64 },
    #[error("--packet is for a capture (pcap or pcapng), and this is one message")]
    NotACapture,
    #[error(transparent)]
    Capture(#[from] CaptureError),
}

/// What a message is read with.
struct Settings {
    /// Each with its port; a unix socket has 0.
    listeners: Vec<(Listener, u16)>,
    normalize: normalize::Config,
    access: AccessConfig,
    names: Arc<Names>,
    route: route::Config,
}

impl Settings {
    fn new(resolved: Resolved) -> Settings {
        let identity = resolved.identity;
        let names = Arc::new(Names::new(identity.names.clone()));
        names.replace(identity.names, identity.inventory.unwrap_or_default());
        let listeners = resolved.listeners.into_iter();
        Settings {
            listeners: listeners
                .map(|config| (config.listener, config.bind.port()))
                .collect(),
            normalize: normalize::Config {
                mibs: resolved.normalize.mibs,
                severities: resolved.normalize.severities,
                ..normalize::Config::for_agent("explain")
            },
            access: resolved.snmp,
            names,
            route: resolved.route,
        }
    }
}

/// What there is to explain.
enum Input {
    Message(Vec<u8>),
    Capture(Box<dyn Read>),
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let settings = match configuration::load(arguments.config.file().as_deref()) {
        Ok(loaded) => Settings::new(loaded.config),
        Err(refused) => {
            super::print_problems(&refused.problems);
            return ExitCode::from(super::EXIT_USAGE);
        }
    };
    let mut output = Output::default();
    let explained = input(arguments).and_then(|input| match input {
        Input::Message(bytes) => one(&bytes, arguments, &settings, &mut output),
        Input::Capture(file) => captured::explain(file, arguments, &settings, &mut output),
    });
    let written = output.end();
    match explained {
        Ok(()) => written,
        Err(error) => {
            complain(&format!("trapline: {error}"));
            match error {
                ExplainError::Capture(_) => ExitCode::FAILURE,
                _ => ExitCode::from(super::EXIT_USAGE),
            }
        }
    }
}

/// Explains a message that came alone.
fn one(
    bytes: &[u8],
    arguments: &Arguments,
    settings: &Settings,
    output: &mut Output,
) -> Result<(), ExplainError> {
    if arguments.packet.is_some() {
        return Err(ExplainError::NotACapture);
    }
    let protocol = protocol(bytes, arguments);
    let name = arguments.listener.as_deref();
    let listener = listener(&settings.listeners, protocol, Transport::Udp, name)?;
    let packet = Packet {
        bytes,
        peer: Peer::Inet(arguments.peer, 0),
        listener: &listener,
        received: UnixMicros::now(),
        wholeness: Wholeness::Whole,
    };
    write!(output, "{}", explain(&packet, settings));
    Ok(())
}

fn input(arguments: &Arguments) -> Result<Input, ExplainError> {
    let bytes = match (&arguments.text, &arguments.hex) {
        (Some(text), _) => text.clone().into_vec(),
        (_, Some(hex)) => {
            let bytes = from_hex(hex)?;
            return message(bytes);
        }
        _ => match read(arguments.file.as_ref())? {
            Input::Message(bytes) => bytes,
            capture => return Ok(capture),
        },
    };
    message(without_line_end(bytes))
}

fn message(bytes: Vec<u8>) -> Result<Input, ExplainError> {
    if bytes.is_empty() {
        return Err(ExplainError::Empty);
    }
    Ok(Input::Message(bytes))
}

fn without_line_end(mut bytes: Vec<u8>) -> Vec<u8> {
    if !snmp::is_message(&bytes) {
        while bytes
            .last()
            .is_some_and(|byte| matches!(byte, b'\n' | b'\r'))
        {
            bytes.pop();
        }
    }
    bytes
}

fn read(file: Option<&PathBuf>) -> Result<Input, ExplainError> {
    let named = file.filter(|path| path.as_os_str() != "-");
    let path = named.map_or("standard input".to_owned(), |path| {
        path.display().to_string()
    });
    let failed = |error| ExplainError::Read {
        path: path.clone(),
        error,
    };
    let mut input: Box<dyn Read> = match named {
        Some(path) => Box::new(BufReader::new(std::fs::File::open(path).map_err(failed)?)),
        None => {
            let stdin = std::io::stdin();
            if stdin.is_terminal() {
                complain("type one message, then Enter and Ctrl-D");
            }
            Box::new(stdin.lock())
        }
    };
    let mut bytes = Vec::new();
    let magic = input.by_ref().take(4).read_to_end(&mut bytes);
    magic.map_err(failed)?;
    if capture::is_capture(&bytes) {
        let begin = std::io::Cursor::new(bytes);
        return Ok(Input::Capture(Box::new(begin.chain(input))));
    }
    let rest = input.take(MESSAGE_BYTES_MAX).read_to_end(&mut bytes);
    rest.map_err(failed)?;
    if bytes.len() as u64 > MESSAGE_BYTES_MAX {
        return Err(ExplainError::TooLong { path });
    }
    Ok(Input::Message(bytes))
}

fn from_hex(hex: &str) -> Result<Vec<u8>, ExplainError> {
    let mut digits = Vec::new();
    for (before, found) in hex
        .chars()
        .enumerate()
        .filter(|(_, character)| !character.is_whitespace() && *character != ':')
    {
        let at = before + 1;
        let digit = found.to_digit(16).ok_or(ExplainError::Hex { at, found })?;
        digits.push(digit as u8);
    }
    if !digits.len().is_multiple_of(2) {
        let digits = digits.len();
        return Err(ExplainError::HalfByte { digits });
    }
    Ok(digits
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
        .collect())
}

fn protocol(bytes: &[u8], arguments: &Arguments) -> Protocol {
    match arguments.protocol {
        Some(ProtocolArgument::Snmp) => Protocol::Snmp,
        // Whatever was said: a listener for syslog reads it as SNMP too, since its community would be shown otherwise.
        _ if snmp::is_message(bytes) => Protocol::Snmp,
        Some(ProtocolArgument::Syslog) | None => Protocol::Syslog,
    }
}

/// The listener of this name, or the first one for this protocol and transport. A listener for syslog takes traps too.
fn listener(
    known: &[(Listener, u16)],
    protocol: Protocol,
    transport: Transport,
    name: Option<&str>,
) -> Result<Listener, ExplainError> {
    let fits = |listener: &&Listener| match name {
        Some(name) => listener.name == name,
        None => listener.protocol == protocol && listener.transport == transport,
    };
    let mut listeners = known.iter().map(|(listener, _)| listener);
    let found = listeners.find(fits).cloned();
    match (found, name) {
        (Some(found), _) => Ok(Listener { protocol, ..found }),
        (None, None) => Ok(pipeline::listener(protocol, transport)),
        (None, Some(name)) => {
            let known: Vec<&str> = known.iter().map(|(it, _)| it.name.as_str()).collect();
            Err(ExplainError::NoListener {
                name: name.to_owned(),
                known: known.join(", "),
            })
        }
    }
}

fn explain(packet: &Packet<'_>, settings: &Settings) -> String {
    let Settings {
        normalize: config,
        access,
        names,
        route,
        ..
    } = settings;
    let bytes = packet.bytes;
    let fields = match packet.listener.protocol {
        Protocol::Syslog => super::fields::syslog(bytes),
        Protocol::Snmp if snmp::v3::is_v3(bytes) => super::secured::steps(bytes, access),
        Protocol::Snmp => super::fields::snmp(bytes),
    };
    let allowed = super::secured::access(bytes, access);
    let (device, event) = match pipeline::one_event_with(packet, config, allowed, names.clone()) {
        Ok(event) => (shown_device(&event, packet, names), shown(&event)),
        Err(reason) => (
            String::new(),
            format!(
                "none: the packet would be rejected as `{}`",
                reason.as_str()
            ),
        ),
    };
    let allowed = super::secured::access(bytes, access);
    let routed = pipeline::routed(packet, config, allowed, names.clone(), route);
    let route = shown_route(&routed, &route.rules);
    format!("{fields}{device}\n{route}\nevent\n{event}\n")
}

/// Whose message it is, behind an empty line. A process on this host has no address to be known by.
fn shown_device(event: &serde_json::Value, packet: &Packet<'_>, names: &Names) -> String {
    let Some(sender) = packet.peer.address() else {
        return String::new();
    };
    let claimed = match packet.listener.protocol {
        Protocol::Syslog => syslog::read(packet.bytes).hostname,
        Protocol::Snmp => None,
    };
    let claimed = claimed.map(String::from_utf8_lossy);
    let section = device::section(event, claimed.as_deref(), sender, names);
    format!("\n{section}")
}

/// Which rule takes the event, and to which topic it goes.
fn shown_route(routed: &Routed, rules: &[Rule]) -> String {
    let mut text = "route\n".to_owned();
    let is_matched = |rule: &&Rule| routed.rules.contains(&rule.name);
    let mut is_decided = false;
    for Rule { name, then, .. } in rules.iter().filter(is_matched) {
        is_decided |= !matches!(then, Then::Sample(_));
        // Writing to a String cannot fail.
        let _ = match then {
            Then::Topic(topic) => writeln!(text, "  rule      {name}: topic {topic}"),
            Then::Drop => writeln!(text, "  rule      {name}: dropped"),
            Then::Sample(of) => writeln!(
                text,
                "  rule      {name}: one of {of} goes on, the others are dropped"
            ),
        };
    }
    let _ = match &routed.topic {
        Ok(topic) if is_decided => writeln!(text, "  topic     {topic}"),
        Ok(topic) => writeln!(text, "  topic     {topic}, as its kind"),
        Err(reason) => writeln!(text, "  topic     none: rejected as `{}`", reason.as_str()),
    };
    text
}

/// The event in lines. What a terminal might obey is inside strings only, where `\u` stands for the same character.
fn shown(event: &serde_json::Value) -> String {
    let text = serde_json::to_string_pretty(event).unwrap_or_default();
    let lines: Vec<String> = text.lines().map(tamed).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_may_have_colons_and_spaces_and_an_error_says_where() {
        assert_eq!(from_hex("30:0A ff\n01").unwrap(), [0x30, 0x0a, 0xff, 0x01]);
        let odd = from_hex("30x").unwrap_err().to_string();
        assert!(odd.ends_with("found 'x' as character 3"), "{odd}");
        let half = from_hex("301").unwrap_err().to_string();
        assert!(half.ends_with("found 3 digits"), "{half}");
    }

    #[test]
    fn a_message_that_begins_with_the_digit_zero_is_not_taken_for_snmp() {
        assert!(!snmp::is_message(b"0 errors since start"));
        assert!(snmp::is_message(&[0x30, 0x81, 0xa3, 0x02, 0x01, 0x00]));
        assert!(
            snmp::is_message(&[0x30, 0x4b, 0x02, 0x01, 0x01, 0x04]),
            "cut short"
        );
    }
}
