//! What CEF and LEEF headers and the ids of structured data call vendors, and what events call them.

use crate::decode::reader::Reader;

/// How a name in a header starts, in lower case without spaces, and the vendor in events. The longer first.
const VENDORS: [(&str, &str); 42] = [
    ("a10", "a10"),
    ("arista", "arista"),
    ("aruba", "aruba"),
    ("avaya", "avaya"),
    ("barracuda", "barracuda"),
    ("broadcom", "broadcom"),
    ("checkpoint", "checkpoint"),
    ("ciena", "ciena"),
    ("cisco", "cisco"),
    ("citrix", "citrix"),
    ("crowdstrike", "crowdstrike"),
    ("cyber-ark", "cyberark"),
    ("cyberark", "cyberark"),
    ("dell", "dell"),
    ("extreme", "extreme"),
    ("f5", "f5"),
    ("fireeye", "fireeye"),
    ("forcepoint", "forcepoint"),
    ("fortinet", "fortinet"),
    ("h3c", "h3c"),
    ("hewlettpackard", "hpe"),
    ("hpe", "hpe"),
    ("huawei", "huawei"),
    ("imperva", "imperva"),
    ("incapsula", "imperva"),
    ("infoblox", "infoblox"),
    ("juniper", "juniper"),
    ("kaspersky", "kaspersky"),
    ("mcafee", "mcafee"),
    ("microsoft", "microsoft"),
    ("mikrotik", "mikrotik"),
    ("nokia", "nokia"),
    ("paloalto", "paloalto"),
    ("proofpoint", "proofpoint"),
    ("sonicwall", "sonicwall"),
    ("sophos", "sophos"),
    ("symantec", "symantec"),
    ("trendmicro", "trendmicro"),
    ("ubiquiti", "ubiquiti"),
    ("vmware", "vmware"),
    ("watchguard", "watchguard"),
    ("zscaler", "zscaler"),
];

/// The vendor by the name in a header; `None` for one that the table does not have: its own spelling is in the fields.
pub(super) fn named(name: &[u8]) -> Option<&'static str> {
    // Longer than every start of the table.
    let mut folded = [0; 16];
    let letters = name.iter().filter(|byte| **byte != b' ');
    for (slot, byte) in folded.iter_mut().zip(letters) {
        *slot = byte.to_ascii_lowercase();
    }
    // Most names differ in their first letter already.
    let starts = |start: &[u8]| start.first() == folded.first() && folded.starts_with(start);
    let found = VENDORS.iter().find(|(start, _)| starts(start.as_bytes()));
    found.map(|(_, vendor)| *vendor)
}

/// Vendors by IANA's enterprise number, in order; those that are known to write structured data of their own, or whose
/// devices may.
const ENTERPRISES: [(u32, &str); 20] = [
    (9, "cisco"),
    (1588, "brocade"),
    (1916, "extreme"),
    (2011, "huawei"),
    (2604, "sophos"),
    (2620, "checkpoint"),
    (2636, "juniper"),
    (3375, "f5"),
    (5951, "citrix"),
    (6527, "nokia"),
    (6876, "vmware"),
    (7779, "infoblox"),
    (12276, "f5"),
    (12356, "fortinet"),
    (14823, "aruba"),
    (14988, "mikrotik"),
    (25461, "paloalto"),
    (25506, "h3c"),
    (30065, "arista"),
    (41112, "ubiquiti"),
];

/// The vendor by the number in an id of structured data (`F5@12276`, `junos@2636.1.1.1.2.129`; RFC 5424, section 7.2.2).
pub(super) fn of_element(id: &[u8]) -> Option<&'static str> {
    let mut input = Reader::new(id);
    input.take_until(b'@')?;
    let digits = input.take_while(|byte| byte.is_ascii_digit());
    let number: u32 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let place = ENTERPRISES.binary_search_by_key(&number, |(known, _)| *known);
    let found = place.ok().and_then(|place| ENTERPRISES.get(place));
    found.map(|(_, vendor)| *vendor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_names_its_vendor_by_number() {
        assert!(ENTERPRISES.is_sorted_by(|a, b| a.0 < b.0));
        for (id, vendor) in [
            ("F5@12276", Some("f5")),
            ("junos@2636.1.1.1.2.129", Some("juniper")),
            ("Originator@6876", Some("vmware")),
            ("exampleSDID@32473", None),
            ("meta", None),
            ("x@", None),
            ("x@99999999999", None),
        ] {
            assert_eq!(of_element(id.as_bytes()), vendor, "{id}");
        }
    }

    #[test]
    fn a_vendor_has_one_name_however_its_header_spells_it() {
        for (name, vendor) in [
            ("Check Point", Some("checkpoint")),
            ("CheckPoint", Some("checkpoint")),
            ("Palo Alto Networks", Some("paloalto")),
            ("Cyber-Ark", Some("cyberark")),
            ("CISCO", Some("cisco")),
            ("MikroTik", Some("mikrotik")),
            ("Cis", None),
            ("Security", None),
            ("", None),
        ] {
            assert_eq!(named(name.as_bytes()), vendor, "{name}");
        }
    }
}
