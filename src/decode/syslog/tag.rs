//! Products that are told by their tag alone; their text has no syntax of its own.
//!
//! ```text
//!  <6>Jul 15 12:34:56 lb1 a10logd: [audit log] ...                    a tag that nobody else has
//!  <166>Jul 15 12:34:56 wan1 sport[21547]: [splice/client.INFO] ...   a tag and how the text starts
//! ```

use super::Message;

/// Tag, how the text starts behind it, and vendor.
const TAGS: [(&[u8], &[u8], &str); 5] = [
    (b"a10logd", b"", "a10"),
    (b"AasSipMgr", b"", "avaya"),
    (b"threat-protect-log", b"", "infoblox"),
    (b"PulseSecure:", b"", "pulsesecure"),
    (b"sport", b"[splice/", "riverbed"),
];

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    let Some(tag) = message.app_name else {
        return false;
    };
    let found = TAGS
        .iter()
        .find(|(known, start, _)| *known == tag && message.text.starts_with(start));
    if let Some((_, _, vendor)) = found {
        message.vendor = Some(vendor);
    }
    found.is_some()
}

#[cfg(test)]
mod tests {
    use super::super::read;

    #[test]
    fn a_tag_that_nobody_else_has_names_the_vendor() {
        for (input, vendor) in [
            ("<6>Jul 15 12:34:56 lb1 a10logd: [audit log] x", Some("a10")),
            (
                "<166>Jul 15 12:34:56 wan1 sport[7]: [splice/client.INFO] x",
                Some("riverbed"),
            ),
            ("<166>Jul 15 12:34:56 wan1 sport[7]: x", None),
            (
                "<14>1 2026-07-15T12:34:56Z h PulseSecure: - - - ive | x",
                Some("pulsesecure"),
            ),
            ("<6>Jul 15 12:34:56 lb1 a10log: x", None),
        ] {
            assert_eq!(read(input.as_bytes()).vendor, vendor, "{input}");
        }
    }
}
