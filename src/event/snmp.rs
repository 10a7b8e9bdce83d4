//! The SNMP part of an event.

use schemars::JsonSchema;
use serde::Serialize;

use super::Text;

/// The notification.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SnmpPart<'a> {
    /// The message's SNMP version.
    pub version: SnmpVersion,
    /// What the sender sent.
    pub pdu: TrapPdu,
    /// `snmpTrapOID.0`; for v1 traps mapped by RFC 3584, section 3.1. Null where the PDU could not be read.
    pub trap_oid: Option<&'a str>,
    /// `sysUpTime.0` in hundredths of a second.
    pub uptime_ticks: Option<u32>,
    /// v3: the authoritative engine, in hex.
    pub engine_id: Option<&'a str>,
    /// v3: the user. Proved where `security_level` is `authNoPriv` or `authPriv`; otherwise what the message says.
    #[schemars(with = "Option<String>")]
    pub user: Option<Text<'a>>,
    /// `noAuthNoPriv`, `authNoPriv` or `authPriv`.
    pub security_level: Option<&'static str>,
    /// What was odd about the encoding, by name; empty for a clean packet.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub anomalies: &'a [&'static str],
    /// The variable bindings in the sender's order, without `sysUpTime.0` and `snmpTrapOID.0`.
    #[schemars(with = "Vec<Varbind<'a>>")]
    pub varbinds: VarbindList<'a>,
}

/// SNMP versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[expect(missing_docs, reason = "the names are the protocol's own")]
pub enum SnmpVersion {
    #[serde(rename = "v1")]
    V1,
    #[serde(rename = "v2c")]
    V2c,
    #[serde(rename = "v3")]
    V3,
    /// The packet could not be read up to its version.
    #[serde(rename = "unknown")]
    Unknown,
}

/// What kind of notification it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrapPdu {
    /// Trap-PDU of RFC 1157, or SNMPv2-Trap-PDU.
    Trap,
    /// InformRequest-PDU: the sender was told that the event is safe.
    Inform,
    /// The PDU could not be read.
    Unknown,
}

/// One variable binding. `value` is always text, so that a consumer's index maps the field once.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Varbind<'a> {
    /// The OID, dotted.
    #[schemars(with = "String")]
    pub oid: &'a str,
    /// `MODULE::object` of the longest known prefix; null where no MIB knows it.
    pub name: Option<&'a str>,
    /// What follows the known prefix, dotted.
    pub index: Option<&'a str>,
    /// The SMI type: `INTEGER`, `OCTET STRING`, `Counter64`, `IpAddress`.
    pub r#type: &'static str,
    /// The value as text: numbers in decimal, octets as text where printable, else in hex.
    #[schemars(with = "String")]
    pub value: Text<'a>,
    /// How `value` shows octets: `text` or `hex`; left out for other types.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<&'static str>,
    /// The value as a number, where a double holds it exactly (|n| ≤ 2⁵³).
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "number_in_shortest_form"
    )]
    #[schemars(with = "Option<f64>")]
    pub number: Option<f64>,
    /// The MIB's name for an enumerated value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<&'a str>,
}

/// Writes whole numbers without a fraction: `2`, not `2.0`.
fn number_in_shortest_form<S: serde::Serializer>(
    number: &Option<f64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    const EXACT_MAX: f64 = (1_u64 << 53) as f64;
    match number {
        Some(whole) if whole.fract() == 0.0 && whole.abs() <= EXACT_MAX => {
            serializer.serialize_i64(*whole as i64)
        }
        other => other.serialize(serializer),
    }
}

/// Something that can write its varbinds one by one, so that a list needs no allocation.
pub trait Varbinds: std::fmt::Debug {
    /// Calls `write` for each varbind in order, and stops at its first error.
    fn for_each(&self, write: &mut dyn FnMut(&Varbind<'_>) -> bool);
}

/// A list of varbinds, written lazily.
#[derive(Debug, Clone, Copy)]
pub struct VarbindList<'a>(pub &'a dyn Varbinds);

impl Serialize for VarbindList<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq;
        let mut list = serializer.serialize_seq(None)?;
        let mut failure = None;
        self.0
            .for_each(&mut |varbind| match list.serialize_element(varbind) {
                Ok(()) => true,
                Err(error) => {
                    failure = Some(error);
                    false
                }
            });
        match failure {
            Some(error) => Err(error),
            None => list.end(),
        }
    }
}
