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
    /// v3: contextEngineID in hex (RFC 3411, section 3.3.1): the engine that the notification is about. For an inform that
    /// is the sender's, since the authoritative engine is ours. Left out with v1 and v2c.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_engine_id: Option<&'a str>,
    /// v3: contextName: which part of the device it is about, such as a VLAN or a virtual router. Left out where it is empty,
    /// which is the default context.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub context_name: Option<Text<'a>>,
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
    /// The parts of `index` by the MIB's INDEX clause (RFC 2578, section 7.7); left out where no MIB file knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<IndexPart<'a>>>")]
    pub index_parts: Option<IndexParts<'a>>,
    /// The SMI type: `INTEGER`, `OCTET STRING`, `Counter64`, `IpAddress`.
    pub r#type: &'static str,
    /// The value as text: numbers in decimal, octets as text where printable, else in hex.
    #[schemars(with = "String")]
    pub value: Text<'a>,
    /// How `value` shows octets: `text` as they are, `charset` by the character set that the inventory names for the device,
    /// `hex`, `hint` by the MIB's DISPLAY-HINT (`00:1b:21:aa:bb:cc`), or `date` for a DateAndTime as RFC 3339 (without a
    /// zone where the device sent none); left out for other types.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<&'static str>,
    /// The value as a number, where a double holds it exactly (|n| ≤ 2⁵³).
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "number_in_shortest_form"
    )]
    #[schemars(with = "Option<f64>")]
    pub number: Option<f64>,
    /// The MIB's name for an enumerated value; for BITS the names of those that are set, separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<&'a str>,
    /// A number as the MIB's DISPLAY-HINT shows it: 1234 by `d-2` is `12.34`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display: Option<&'a str>,
    /// The MIB's UNITS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units: Option<&'a str>,
}

/// One part of an index.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct IndexPart<'a> {
    /// The object in the INDEX clause.
    pub name: &'a str,
    /// Its value as text.
    pub value: &'a str,
    /// The MIB's name for an enumerated value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<&'a str>,
}

/// Something that has the parts of an index, so that a list needs no allocation.
pub trait Indexed: std::fmt::Debug {
    /// The part at this place, from 0 on; `None` behind the last one.
    fn part(&self, place: usize) -> Option<IndexPart<'_>>;
}

/// The parts of an index, in the order of the INDEX clause.
#[derive(Debug, Clone, Copy)]
pub struct IndexParts<'a>(pub &'a dyn Indexed);

impl Serialize for IndexParts<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq;
        let mut list = serializer.serialize_seq(None)?;
        for part in (0..).map_while(|place| self.0.part(place)) {
            list.serialize_element(&part)?;
        }
        list.end()
    }
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
