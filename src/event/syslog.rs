//! The syslog part of an event.

use schemars::JsonSchema;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::Text;
use crate::decode::syslog::fields::Fields;

/// The header's fields, as the dialect has them.
#[derive(Debug, Clone, serde::Serialize, JsonSchema)]
pub struct SyslogPart<'a> {
    /// The dialect that was read: `rfc5424`, `rfc3164`, `cisco`, `key_value`, ... `loose`, `unknown`.
    pub format: &'a str,
    /// Facility in words (`local7`); null where the message has no PRI.
    pub facility: Option<&'static str>,
    /// Facility as number, 0 to 23.
    pub facility_code: Option<u8>,
    /// RFC 5424 APP-NAME, or the tag of RFC 3164.
    #[schemars(with = "Option<String>")]
    pub app_name: Option<Text<'a>>,
    /// RFC 5424 PROCID, or the number in brackets behind the tag.
    #[schemars(with = "Option<String>")]
    pub proc_id: Option<Text<'a>>,
    /// RFC 5424 MSGID.
    #[schemars(with = "Option<String>")]
    pub msg_id: Option<Text<'a>>,
    /// RFC 5424 structured data: element → name → values (a name may repeat).
    #[schemars(
        with = "Option<std::collections::BTreeMap<String, std::collections::BTreeMap<String, Vec<String>>>>"
    )]
    pub structured_data: Option<StructuredData<'a>>,
    /// Key=value, CEF, LEEF and CSV dialects: name → value; a repeated name gets `_2`, `_3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<std::collections::BTreeMap<String, String>>")]
    pub fields: Option<Fields<'a>>,
    /// The device's own message counter, where it has one.
    pub sequence: Option<u64>,
    /// What the device says of its clock.
    pub clock: Option<Clock>,
}

/// What a device says of its clock (Cisco's `*` and `.` marks; RFC 5424 `timeQuality`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// It follows a time source.
    Synchronized,
    /// It lost its time source, or says that it never had one.
    Unsynchronized,
}

/// Structured data as a JSON map, written straight from the message's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StructuredData<'a>(pub crate::decode::syslog::rfc5424::StructuredData<'a>);

impl Serialize for StructuredData<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.0
            .for_each_element(|id, params| map.serialize_entry(&Text(id), params))?;
        map.end()
    }
}
