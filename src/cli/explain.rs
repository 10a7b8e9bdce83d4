//! `trapline explain`: one message → how it was read, field by field, and the event that it becomes.
//!
//! ```text
//!  argument | hex | file | standard input ──▶ bytes ──▶ decode ──▶ fields as text
//!                                                ├────▶ pipeline ──▶ the event, pretty-printed
//!                                                ├────▶ names ─────▶ whose it is, and why
//!                                                └────▶ rules ─────▶ the topic, and the rule that says so
//! ```

mod device;

use std::ffi::OsString;
use std::fmt::Write;
use std::io::{IsTerminal, Read};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use super::output::{Output, complain, tamed};
use super::{ConfigArguments, run as configuration};
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
    /// A file with one message; `-` or nothing for standard input
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
    /// The sender's address
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
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let loaded = match configuration::load(arguments.config.file().as_deref()) {
        Ok(loaded) => loaded,
        Err(problems) => {
            super::print_problems(&problems);
            return ExitCode::from(super::EXIT_USAGE);
        }
    };
    let (access, route) = (loaded.config.snmp, loaded.config.route);
    let identity = loaded.config.identity;
    let names = Arc::new(Names::new(identity.names.clone()));
    names.replace(identity.names, identity.inventory);
    let listeners: Vec<Listener> = loaded
        .config
        .listeners
        .into_iter()
        .map(|config| config.listener)
        .collect();
    let config = normalize::Config {
        mibs: loaded.config.normalize.mibs,
        severities: loaded.config.normalize.severities,
        ..normalize::Config::for_agent("explain")
    };
    let explained = bytes(arguments).and_then(|bytes| {
        let protocol = protocol(&bytes, arguments);
        let listener = listener(&listeners, protocol, arguments.listener.as_deref())?;
        let packet = Packet {
            bytes: &bytes,
            peer: Peer::Inet(arguments.peer, 0),
            listener: &listener,
            received: UnixMicros::now(),
            wholeness: Wholeness::Whole,
        };
        Ok(explain(&packet, &config, &access, &names, &route))
    });
    match explained {
        Ok(text) => {
            let mut output = Output::default();
            write!(output, "{text}");
            output.end()
        }
        Err(error) => {
            complain(&format!("trapline: {error}"));
            ExitCode::from(super::EXIT_USAGE)
        }
    }
}

fn bytes(arguments: &Arguments) -> Result<Vec<u8>, ExplainError> {
    let mut bytes = match (&arguments.text, &arguments.hex) {
        (Some(text), _) => text.clone().into_vec(),
        (_, Some(hex)) => from_hex(hex)?,
        _ => read(arguments.file.as_ref())?,
    };
    if arguments.hex.is_none() && !snmp::is_message(&bytes) {
        while bytes
            .last()
            .is_some_and(|byte| matches!(byte, b'\n' | b'\r'))
        {
            bytes.pop();
        }
    }
    if bytes.is_empty() {
        Err(ExplainError::Empty)
    } else {
        Ok(bytes)
    }
}

fn read(file: Option<&PathBuf>) -> Result<Vec<u8>, ExplainError> {
    let mut bytes = Vec::new();
    let named = file.filter(|path| path.as_os_str() != "-");
    let done = match named {
        Some(path) => std::fs::File::open(path)
            .and_then(|file| file.take(MESSAGE_BYTES_MAX + 1).read_to_end(&mut bytes)),
        None => {
            let stdin = std::io::stdin();
            if stdin.is_terminal() {
                complain("type one message, then Enter and Ctrl-D");
            }
            stdin
                .lock()
                .take(MESSAGE_BYTES_MAX + 1)
                .read_to_end(&mut bytes)
        }
    };
    let path = named.map_or("standard input".to_owned(), |path| {
        path.display().to_string()
    });
    match done {
        Err(error) => Err(ExplainError::Read { path, error }),
        Ok(length) if length as u64 > MESSAGE_BYTES_MAX => Err(ExplainError::TooLong { path }),
        Ok(_) => Ok(bytes),
    }
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
        Some(ProtocolArgument::Syslog) => Protocol::Syslog,
        Some(ProtocolArgument::Snmp) => Protocol::Snmp,
        None if snmp::is_message(bytes) => Protocol::Snmp,
        None => Protocol::Syslog,
    }
}

/// The listener of this name, or the first one for this protocol. A listener for syslog takes traps too.
fn listener(
    known: &[Listener],
    protocol: Protocol,
    name: Option<&str>,
) -> Result<Listener, ExplainError> {
    let fits = |listener: &&Listener| match name {
        Some(name) => listener.name == name,
        None => listener.protocol == protocol && listener.transport == Transport::Udp,
    };
    let found = known.iter().find(fits).cloned();
    match (found, name) {
        (Some(found), _) => Ok(Listener { protocol, ..found }),
        (None, None) => Ok(pipeline::listener(protocol, Transport::Udp)),
        (None, Some(name)) => {
            let known: Vec<&str> = known.iter().map(|it| it.name.as_str()).collect();
            Err(ExplainError::NoListener {
                name: name.to_owned(),
                known: known.join(", "),
            })
        }
    }
}

fn explain(
    packet: &Packet<'_>,
    config: &normalize::Config,
    access: &AccessConfig,
    names: &Arc<Names>,
    route: &route::Config,
) -> String {
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
