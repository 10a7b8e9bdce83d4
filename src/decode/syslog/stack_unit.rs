//! The unit of a stack, glued to the address that stands for the host: Dell's N series and Netgear (Broadcom FASTPATH).
//!
//! ```text
//!  <189>Nov 22 01:20:01 10.1.1.1-1 TRAPMGR[105]: traputil.c(638) 4242 %% Link Down: Gi1/0/1
//!                       address  unit
//! ```
//!
//! One stack is one device: its name is the address, and the unit a field. A host name that an operator chose is left as it
//! is, because it may end like this itself (`core-1`). (Dell, "N-Series User's Configuration Guide": system log messages.)

use super::Message;
use super::fields::Fields;

/// Stacks have 12 units at most.
const UNIT_DIGITS_MAX: usize = 2;

/// Takes the unit off the host, once all else is read: fields of the text go before it.
pub(super) fn take(message: &mut Message<'_>) {
    let Some((address, unit)) = message.hostname.and_then(split) else {
        return;
    };
    message.hostname = Some(address);
    match message.fields {
        None => message.fields = Some(Fields::parts(&["unit"], [unit, b"", b"", b""])),
        Some(_) => message.fidelity = super::Fidelity::Changed,
    }
}

/// `10.1.1.1-1`: the address, and the unit.
fn split(host: &[u8]) -> Option<(&[u8], &[u8])> {
    let digits = |byte: &u8| byte.is_ascii_digit();
    // Most hosts start with a letter.
    let ends = host.first().is_some_and(digits) && host.last().is_some_and(digits);
    ends.then_some(())?;
    let at = host.iter().rposition(|byte| *byte == b'-')?;
    let (address, unit) = (host.get(..at)?, host.get(at + 1..)?);
    let is_unit = unit.len() <= UNIT_DIGITS_MAX && unit.iter().all(u8::is_ascii_digit);
    let address_text = std::str::from_utf8(address).ok()?;
    let is_address = address_text.parse::<std::net::Ipv4Addr>().is_ok();
    (is_unit && is_address).then_some((address, unit))
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::json;
    use super::super::{Fidelity, read};

    #[test]
    fn the_unit_of_a_stack_is_no_part_of_its_address() {
        let message = read(
            b"<189>Nov 22 01:20:01 10.1.1.1-1 TRAPMGR[105]: traputil.c(638) 4242 %% Link Down: Gi1/0/1",
        );
        assert_eq!(message.hostname, Some(&b"10.1.1.1"[..]));
        assert_eq!(json(message.fields.unwrap()), r#"{"unit":"1"}"#);
        assert_eq!(message.fidelity, Fidelity::Exact);
        let pairs = read(b"<189>Nov 22 01:20:01 10.1.1.1-12 app: a=1 b=2");
        assert_eq!(pairs.hostname, Some(&b"10.1.1.1"[..]));
        assert_eq!(pairs.fidelity, Fidelity::Changed);
    }

    #[test]
    fn names_that_only_end_alike_stay_whole() {
        for host in [
            "core-1",
            "10-1",
            "10.1.1-1",
            "10.1.1.1-123",
            "10.1.1.1-a1",
            "10.1.1.1-",
        ] {
            let input = format!("<189>Nov 22 01:20:01 {host} app: x");
            assert_eq!(read(input.as_bytes()).hostname, Some(host.as_bytes()));
        }
    }
}
