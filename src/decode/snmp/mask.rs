//! The copy of a packet from which everything shown to others is taken: no community stands in it.
//!
//! ```text
//!   30 26 02 01 01 04 0a s 3 c r 3 t - c 0 m a7 ...  snmpTrapCommunity.0 = s3cr3t-c0m ...
//!   30 26 02 01 01 04 0a * * * * * * * * * * a7 ...  snmpTrapCommunity.0 = ********** ...
//! ```
//!
//! Overwritten with `*`, length kept:
//! - the community's field;
//! - the value of every `snmpTrapCommunity`, and where one stands in something unreadable, all that follows it there;
//! - every further place where the octets of such a secret stand, if it has at least [`REPEATED_MIN`] octets:
//!   devices send configuration text in traps. A shorter secret is not sought, since two or three octets stand in
//!   any packet by chance, and text would be damaged for nothing;
//! - octets behind the message, unless all are zero: a second message there has a community of its own.
//!
//! A packet without a [`Notification`] has no such copy: where its secrets stand is not known.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem;

use super::{Anomalies, Notification, Oid, Value, Varbinds};

/// Octets of a secret from which on it is sought outside its field.
pub const REPEATED_MIN: usize = 4;

/// `snmpTrapCommunity` values that are sought elsewhere in the packet. A trap has one; each costs a search of the
/// whole packet, and a stranger can send thousands.
const SOUGHT_MAX: usize = 4;

/// `snmpTrapCommunity` (RFC 3584, section 6), as arcs and as octets.
const TRAP_COMMUNITY: [u64; 9] = [1, 3, 6, 1, 6, 3, 18, 1, 4];
const TRAP_COMMUNITY_OCTETS: &[u8] = &[0x2b, 6, 1, 6, 3, 18, 1, 4];

/// Seeks these octets; preparing the search costs more than searching a usual packet.
static TRAP_COMMUNITY_FINDER: LazyLock<memmem::Finder<'static>> =
    LazyLock::new(|| memmem::Finder::new(TRAP_COMMUNITY_OCTETS));

/// Whether `name` is `snmpTrapCommunity` or below it, however it is encoded.
pub fn is_trap_community(name: Oid<'_>) -> bool {
    // The octet 0x80 is in every padded form.
    let padded = || {
        let arcs = name.arcs().take(TRAP_COMMUNITY.len());
        name.0.contains(&0x80) && arcs.eq(TRAP_COMMUNITY)
    };
    name.starts_with(TRAP_COMMUNITY_OCTETS) || padded()
}

/// Copies `packet` into `out` without its secrets. Says [`Anomalies::COMMUNITY_REPEATED`] where the community stood
/// outside its field too.
pub fn copy(packet: &[u8], notification: &Notification<'_>, out: &mut Vec<u8>) -> Anomalies {
    out.clear();
    out.extend_from_slice(packet);
    let field = notification.community.clone();
    let mut repeated = false;
    if let Some(community) = packet.get(field.clone()) {
        repeated = blot_each(packet, community, field.start, out);
    }
    blot(out, field);
    let padded = Anomalies::PADDED_OID.and(Anomalies::BAD_OID);
    if notification.anomalies.any_of(padded) || TRAP_COMMUNITY_FINDER.find(packet).is_some() {
        blot_trap_communities(packet, notification, out);
    }
    let trailing = notification.end..packet.len();
    let zeros = packet
        .get(trailing.clone())
        .is_some_and(|octets| octets.iter().all(|&octet| octet == 0));
    if !zeros {
        blot(out, trailing);
    }
    if repeated {
        Anomalies::COMMUNITY_REPEATED
    } else {
        Anomalies::NONE
    }
}

fn blot(out: &mut [u8], range: Range<usize>) {
    if let Some(octets) = out.get_mut(range) {
        octets.fill(b'*');
    }
}

/// Overwrites every place where `secret` stands, and says whether there is one that does not start at `known`.
fn blot_each(packet: &[u8], secret: &[u8], known: usize, out: &mut [u8]) -> bool {
    if secret.len() < REPEATED_MIN {
        return false;
    }
    let mut elsewhere = false;
    for at in memmem::find_iter(packet, secret) {
        elsewhere |= at != known;
        blot(out, at..at + secret.len());
    }
    elsewhere
}

fn blot_trap_communities(packet: &[u8], notification: &Notification<'_>, out: &mut [u8]) {
    let mut sought = 0;
    let mut elements = notification.varbinds.iter();
    for varbind in elements.by_ref() {
        if !is_trap_community(varbind.name) {
            blot_behind_name(packet, varbind.at, out);
            continue;
        }
        match varbind.value {
            Value::OctetString(secret) if !varbind.anomalies.any_of(Anomalies::LOSSY) => {
                if sought < SOUGHT_MAX {
                    sought += 1;
                    blot_each(packet, secret, varbind.content_at.start, out);
                }
                blot(out, varbind.content_at);
            }
            _ => blot(out, varbind.value_at),
        }
    }
    let unwalked = if notification.varbinds == Varbinds::EMPTY {
        notification.pdu_at
    } else {
        elements.at()
    };
    blot_behind_name(packet, unwalked..packet.len(), out);
}

/// Where `range` holds the octets of `snmpTrapCommunity`, overwrites what follows them there.
fn blot_behind_name(packet: &[u8], range: Range<usize>, out: &mut [u8]) {
    let found = packet
        .get(range.clone())
        .and_then(|octets| TRAP_COMMUNITY_FINDER.find(octets));
    if let Some(at) = found {
        blot(
            out,
            range.start + at + TRAP_COMMUNITY_OCTETS.len()..range.end,
        );
    }
}
