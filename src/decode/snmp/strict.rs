//! The strict second opinion: the snmp-parser crate.
//!
//! It refuses whole packets that devices send and that [`super::read`] reads. So it is asked only where our reader
//! saw an anomaly or failed, to tell an operator whether a device's encoding is broken or ours is the only one to
//! complain. The test below lists every known difference.

use snmp_parser::SnmpGenericMessage;
use snmp_parser::asn1_rs::FromBer;

/// What the strict parser says of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StrictVerdict {
    /// It reads the packet; octets behind the message do not disturb it.
    Accepted,
    /// It does not.
    Refused {
        /// Its own words. They name types and rules, never content.
        what: String,
    },
}

/// Shows the packet to the strict parser. Allocates; not for every packet.
pub fn verdict(packet: &[u8]) -> StrictVerdict {
    match SnmpGenericMessage::from_ber(packet) {
        Ok(_) => StrictVerdict::Accepted,
        Err(error) => StrictVerdict::Refused { what: words(error) },
    }
}

fn words(error: snmp_parser::asn1_rs::nom::Err<snmp_parser::error::SnmpError>) -> String {
    use snmp_parser::asn1_rs::nom::Err;
    match error {
        Err::Incomplete(_) => "the packet ends too early".to_owned(),
        Err::Error(what) | Err::Failure(what) => what.to_string(),
    }
}
