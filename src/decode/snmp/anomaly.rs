//! What was odd about a packet that could be read all the same, as a set with names.

macro_rules! anomalies {
    ($($(#[$doc:meta])* $constant:ident = $bit:literal $name:literal,)+) => {
        impl Anomalies {
            $($(#[$doc])* pub const $constant: Anomalies = Anomalies(1 << $bit);)+
            const NAMES: &'static [(Anomalies, &'static str)] = &[$((Anomalies::$constant, $name),)+];
        }
    };
}

/// A set of anomalies. Copying and joining cost nothing, so that clean packets pay nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Anomalies(u32);

anomalies! {
    /// An unsigned number with its top bit set and no zero octet before it (X.690, 8.3.3 makes it negative).
    /// It is read as unsigned, since its type has no negative values.
    UNPADDED_UNSIGNED = 0 "unpadded_unsigned",
    /// A number in more octets than it needs (X.690, 8.3.2 forbids it).
    PADDED_INTEGER = 1 "padded_integer",
    /// A number that its SMI type cannot hold: an INTEGER above 2³¹-1, a Counter32 above 2³²-1.
    WIDE_INTEGER = 2 "wide_integer",
    /// A value whose octets do not fit its type. The octets are shown.
    BAD_VALUE = 3 "bad_value",
    /// A value of a type that SNMP does not have. The octets are shown.
    UNKNOWN_TYPE = 4 "unknown_type",
    /// An OID that ends within a sub-identifier, is empty, or is beyond the limits.
    BAD_OID = 5 "bad_oid",
    /// An OID with a sub-identifier above 2³²-1 (RFC 2578, section 7.1.3).
    LARGE_SUB_IDENTIFIER = 6 "large_sub_identifier",
    /// An OID with a sub-identifier in more octets than it needs (X.690, 8.19.2).
    PADDED_OID = 7 "padded_oid",
    /// A variable binding that is not a SEQUENCE of a name and a value. Its octets are shown.
    BAD_VARBIND = 8 "bad_varbind",
    /// Octets behind a variable binding's value.
    EXTRA_IN_VARBIND = 9 "extra_in_varbind",
    /// Octets behind the list of variable bindings, or behind the PDU.
    EXTRA_IN_PDU = 10 "extra_in_pdu",
    /// Octets behind the message.
    TRAILING_BYTES = 11 "trailing_bytes",
    /// The message, its PDU or its list announces more octets than came.
    LENGTH_PAST_END = 12 "length_past_end",
    /// An SNMPv2 PDU in a version 1 message.
    V2_PDU_IN_V1 = 13 "v2_pdu_in_v1",
    /// A version 1 Trap-PDU in a version 2c message.
    V1_PDU_IN_V2C = 14 "v1_pdu_in_v2c",
    /// A field of the PDU's header that is not what it should be; it is left out.
    BAD_FIELD = 15 "bad_field",
    /// No `sysUpTime.0`.
    NO_UPTIME = 16 "no_uptime",
    /// No `snmpTrapOID.0`.
    NO_TRAP_OID = 17 "no_trap_oid",
    /// A second `sysUpTime.0` or `snmpTrapOID.0`. The first counts, the others stay variable bindings.
    REPEATED_TRAP_OID = 18 "repeated_trap_oid",
    /// More variable bindings than are read.
    TOO_MANY_VARBINDS = 19 "too_many_varbinds",
    /// The community stands in the packet once more, outside its field; it is overwritten there too.
    COMMUNITY_REPEATED = 20 "community_repeated",
    /// A NUL behind a text, which the MIB does not have there; it is left out.
    TRAILING_NUL = 21 "trailing_nul",
    /// A text that is not UTF-8, read by the character set that the inventory names for the device.
    CHARSET = 22 "charset",
    /// A version 1 Trap-PDU in a version 3 message.
    V1_PDU_IN_V3 = 24 "v1_pdu_in_v3",
    /// v3: the device's snmpEngineBoots went backwards; taken by `snmp.time_window`.
    BOOTS_BACKWARDS = 25 "boots_backwards",
    /// v3: the device was started again and its snmpEngineBoots stayed as they were; taken by `snmp.time_window`.
    BOOTS_NOT_RAISED = 26 "boots_not_raised",
    /// v3: the device's snmpEngineBoots and snmpEngineTime are 0 for ever; taken by `snmp.time_window`.
    BOOTS_AND_TIME_ZERO = 27 "boots_and_time_zero",
    /// v3: outside the time window in another way, and so perhaps a recording; taken by `snmp.time_window`.
    OUTSIDE_TIME_WINDOW = 28 "outside_time_window",
}

impl Anomalies {
    /// Nothing odd.
    pub const NONE: Anomalies = Anomalies(0);

    /// Those after which the decoded fields do not hold everything that the packet said.
    pub const LOSSY: Anomalies = Anomalies(
        Self::BAD_VALUE.0
            | Self::UNKNOWN_TYPE.0
            | Self::BAD_OID.0
            | Self::BAD_VARBIND.0
            | Self::EXTRA_IN_VARBIND.0
            | Self::EXTRA_IN_PDU.0
            | Self::TRAILING_BYTES.0
            | Self::LENGTH_PAST_END.0
            | Self::BAD_FIELD.0
            | Self::TOO_MANY_VARBINDS.0
            | Self::TRAILING_NUL.0
            | Self::CHARSET.0,
    );

    /// Adds those of `more`.
    pub fn add(&mut self, more: Anomalies) {
        self.0 |= more.0;
    }

    /// Those of both.
    pub fn and(self, more: Anomalies) -> Anomalies {
        Anomalies(self.0 | more.0)
    }

    /// Whether at least one of `others` is in the set.
    pub fn any_of(self, others: Anomalies) -> bool {
        self.0 & others.0 != 0
    }

    /// Whether nothing is odd.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names, in a fixed order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .iter()
            .filter(move |(anomaly, _)| self.any_of(*anomaly))
            .map(|(_, name)| *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_anomaly_has_a_bit_and_a_name_of_its_own() {
        let mut seen = Anomalies::NONE;
        let mut names: Vec<&str> = Vec::new();
        for (anomaly, name) in Anomalies::NAMES {
            assert!(!seen.any_of(*anomaly), "{name} shares a bit");
            assert!(!names.contains(name), "{name} twice");
            seen.add(*anomaly);
            names.push(name);
        }
        assert!(seen.names().eq(names));
    }
}
