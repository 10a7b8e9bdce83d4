//! An SNMPv3 packet step by step, as text for people: header, User-based Security Model, which check failed, scoped PDU.
//!
//! ```text
//!   header ─▶ USM parameters ─▶ user ─▶ level ─▶ digest ─▶ time window ─▶ decryption ─▶ addressee ─▶ scoped PDU
//!                               ok      ok      FAILED: wrongDigest, and what to look at
//! ```
//!
//! It is how an operator finds a wrong password. No secret is shown.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use super::fields::{Lines, notification};
use crate::decode::snmp::v3::{self, Data, Message, SecurityLevel};
use crate::decode::snmp::{UnreadMessage, engine_id};
use crate::pipeline::{AccessConfig, SnmpAccess};
use crate::usm::{EngineKey, Moment, OwnEngine, Refusal, Usm, Verdict};

/// The checks in their order, and how each fails.
const CHECKS: [(&str, Refusal); 6] = [
    ("user", Refusal::UnknownUserName),
    ("security level", Refusal::UnsupportedSecLevel),
    ("digest", Refusal::WrongDigest),
    ("time window", Refusal::NotInTimeWindow),
    ("decryption", Refusal::DecryptionError),
    ("addressee", Refusal::UnknownEngineId),
];

/// The steps, with the users of `access`.
pub(super) fn steps(packet: &[u8], access: &AccessConfig) -> String {
    let mut lines = Lines(format!("read as SNMPv3, {} bytes\n", packet.len()));
    match v3::read(packet) {
        Err(error) => lines.field("not understood", &error.to_string()),
        Ok(message) => {
            header(&mut lines, &message);
            if access.usm.users.is_empty() {
                lines.field(
                    "checks",
                    "none: name the configuration with the users by --config FILE",
                );
            } else {
                checks(&mut lines, &message, access);
            }
        }
    }
    lines.0
}

/// Who may send, for one packet alone: an inform is taken as if it were addressed to us, and as if it came just now.
pub(super) fn access(packet: &[u8], config: &AccessConfig) -> SnmpAccess {
    let message = v3::read(packet).ok();
    let own = message.as_ref();
    let own = own.map_or(OwnEngine::NONE, |message| addressee(message, config));
    let seconds = message.map_or(0, |message| u64::from(message.time));
    let now = Instant::now();
    let started = now.checked_sub(Duration::from_secs(seconds));
    SnmpAccess::new(config, own, 0, started.unwrap_or(now))
}

/// Our engine, if the message is to be for us. Only the PDU says whether it is an inform, so the message is opened for
/// an engine that nobody addresses: it refuses an inform at last, and only that, for its engine ID.
fn addressee(message: &Message<'_>, config: &AccessConfig) -> OwnEngine {
    let nobody = Usm::new(&config.usm, OwnEngine::NONE, 0);
    match judged(&nobody, message, &mut Vec::new()) {
        Ok(Verdict::Refused {
            reason: Refusal::UnknownEngineId,
            ..
        }) => {
            let id = EngineKey::new(message.engine_id).unwrap_or(EngineKey::NONE);
            OwnEngine {
                id,
                boots: message.boots,
            }
        }
        _ => OwnEngine::NONE,
    }
}

/// What is said of the message where it came in its own time.
fn judged<'s>(
    usm: &Usm,
    message: &Message<'s>,
    plain: &'s mut Vec<u8>,
) -> Result<Verdict<'s>, UnreadMessage> {
    let now = Moment::after_start(Duration::from_secs(message.time.into()));
    usm.take(message, IpAddr::V4(Ipv4Addr::LOCALHOST), now, plain)
}

fn header(lines: &mut Lines, message: &Message<'_>) {
    let reportable = match message.is_reportable {
        true => ", asks for a Report if it fails",
        false => "",
    };
    lines.field("msgID", &format!("{}{reportable}", message.id));
    lines.field("msgMaxSize", &message.size_max.to_string());
    lines.field("level", message.level.as_str());
    if message.engine_id.is_empty() {
        let asks = match message.is_reportable {
            true => "none: it asks for ours (discovery)",
            false => "none",
        };
        lines.field("engine ID", asks);
    } else {
        let hex: String = message
            .engine_id
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect();
        let decoded = engine_id(message.engine_id).to_string();
        lines.field(
            "engine ID",
            &format!("{hex}: {}", super::output::tamed(&decoded)),
        );
    }
    lines.field(
        "boots, time",
        &format!("{}, {} s", message.boots, message.time),
    );
    lines.text("user", message.user);
    lines.field(
        "digest",
        &format!(
            "{} octets{}",
            message.digest.len(),
            made_by(message.digest.len())
        ),
    );
    lines.field("salt", &format!("{} octets", message.salt.len()));
    let data = match message.data {
        Data::Plain(octets) => format!("{} octets in the clear", octets.len()),
        Data::Encrypted(octets) => format!("{} octets, encrypted", octets.len()),
    };
    lines.field("scoped PDU", &data);
}

/// The protocols whose digests are this long (RFC 3414, sections 6 and 7; RFC 7860, section 4.2): a device that is set to
/// another one than its user here shows by it.
fn made_by(octets: usize) -> &'static str {
    match octets {
        12 => ", as MD5 and SHA-1 make them",
        16 => ", as SHA-224 makes them",
        24 => ", as SHA-256 makes them",
        32 => ", as SHA-384 makes them",
        48 => ", as SHA-512 makes them",
        _ => "",
    }
}

fn checks(lines: &mut Lines, message: &Message<'_>, access: &AccessConfig) {
    let own = addressee(message, access);
    let usm = Usm::new(&access.usm, own, 0);
    let mut plain = Vec::new();
    match judged(&usm, message, &mut plain) {
        Err(error) => {
            passed(lines, message, None);
            lines.field("not understood", &error.to_string());
        }
        Ok(Verdict::Discovery(_)) => {
            lines.field("checks", "none: it is answered with our engine ID")
        }
        Ok(Verdict::Limited) => lines.field("checks", "none: too many"),
        Ok(Verdict::Refused { reason, .. }) if message.engine_id.is_empty() => {
            let text = format!(
                "FAILED: {}: a trap must name its sender's engine, and an inform this agent's",
                reason.as_str()
            );
            lines.field("check engine ID", &text);
        }
        Ok(Verdict::Refused { reason, .. }) => {
            passed(lines, message, Some(reason));
        }
        Ok(Verdict::NotANotification(name)) => {
            passed(lines, message, None);
            lines.field("PDU", &format!("{name}: neither a trap nor an inform"));
        }
        Ok(Verdict::Accepted(accepted)) => {
            passed(lines, message, None);
            if let Ok(scoped) = v3::scoped(accepted.scoped) {
                let context = engine_id(scoped.context_engine_id).to_string();
                lines.field("context engine", &super::output::tamed(&context));
                lines.text("context name", scoped.context_name);
            }
            notification(lines, accepted.scoped, &accepted.notification);
        }
    }
}

/// One line for each check up to the one that failed.
fn passed(lines: &mut Lines, message: &Message<'_>, failed: Option<Refusal>) {
    for (name, refusal) in CHECKS {
        let name = format!("check {name}");
        let is_needed = match refusal {
            Refusal::WrongDigest | Refusal::NotInTimeWindow => {
                message.level >= SecurityLevel::AuthNoPriv
            }
            Refusal::DecryptionError => message.level == SecurityLevel::AuthPriv,
            _ => true,
        };
        if failed == Some(refusal) {
            let text = format!("FAILED: {}: {}", refusal.as_str(), refusal.advice());
            lines.field(&name, &text);
            return;
        }
        let text = match refusal {
            _ if !is_needed => "not at this level",
            Refusal::NotInTimeWindow => "not here: nothing is known of the engine's clock",
            _ => "ok",
        };
        lines.field(&name, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usm::samples::Device;

    fn with(device: &Device) -> AccessConfig {
        let mut access = AccessConfig::default();
        access.usm.users = vec![device.config()];
        access
    }

    #[test]
    fn a_packet_is_shown_from_its_header_to_its_variable_bindings() {
        let device = Device::new(SecurityLevel::AuthPriv);
        let text = steps(&device.message(), &with(&device));
        for part in [
            "authPriv",
            "enterprise 9, MAC address 00:1b:54:01:02:03",
            "5, 1000 s",
            "fleet",
            "check digest     ok",
            "octets, as SHA-256 makes them",
            "check decryption ok",
            "snmpTrapOID",
            "1.3.6.1.6.3.1.1.5.3",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        let inform = device.inform(&[0x80, 0, 0x7e, 0xd9, 5, 1], 7, 12_345);
        let text = steps(&inform.message(), &with(&device));
        assert!(text.contains("check addressee  ok"), "{text}");
    }

    #[test]
    fn a_wrong_password_is_named_by_the_check_that_fails() {
        let device = Device::new(SecurityLevel::AuthPriv);
        for (other, expected) in [
            (
                Device {
                    auth_passphrase: "another phrase",
                    ..device.clone()
                },
                "check digest     FAILED: wrongDigest",
            ),
            (
                Device {
                    priv_passphrase: "another phrase",
                    ..device.clone()
                },
                "check decryption FAILED: decryptionError",
            ),
            (
                Device {
                    user: "fleet ",
                    ..device.clone()
                },
                "check user       FAILED: unknownUserName",
            ),
        ] {
            let text = steps(&other.message(), &with(&device));
            assert!(text.contains(expected), "{expected} is not in\n{text}");
        }
        let text = steps(&device.message(), &AccessConfig::default());
        assert!(text.contains("--config"), "{text}");
    }

    #[test]
    fn the_addressee_is_judged_by_the_pdu_and_not_by_the_reportable_flag() {
        let device = Device::new(SecurityLevel::AuthPriv);
        let inform = device.inform(&[0x80, 0, 0x7e, 0xd9, 5, 1], 7, 12_345);
        let trap = device.clone();
        for (name, message) in [("trap", &trap), ("inform", &inform)] {
            for is_reportable in [false, true] {
                let message = Device {
                    is_reportable,
                    ..message.clone()
                };
                let text = steps(&message.message(), &with(&device));
                let shown = format!("{name}, {is_reportable}: {text}");
                assert!(text.contains("check addressee  ok"), "{shown}");
                assert!(text.contains("snmpTrapOID"), "{shown}");
                let access = access(&message.message(), &with(&device));
                let is_ours = access.usm.own().id.octets() == message.engine_id;
                assert_eq!(is_ours, name == "inform", "{shown}");
            }
        }
    }

    #[test]
    fn of_a_trap_without_an_engine_id_nothing_else_is_checked() {
        let device = Device::new(SecurityLevel::AuthPriv);
        let mut trap = Device {
            engine_id: Vec::new(),
            ..device.clone()
        };
        let text = steps(&trap.message(), &with(&device));
        assert!(
            text.contains("check engine ID  FAILED: unknownEngineID"),
            "{text}"
        );
        assert!(!text.contains("check digest"), "{text}");
        assert!(!text.contains("discovery"), "{text}");
        trap.is_reportable = true;
        let text = steps(&trap.message(), &with(&device));
        assert!(text.contains("it is answered with our engine ID"), "{text}");
    }
}
