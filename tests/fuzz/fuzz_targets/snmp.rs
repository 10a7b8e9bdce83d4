#![no_main]
use trapline_fuzz::decode::snmp::{self, mask};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut reply = Vec::new();
    if let Ok(notification) = snmp::read(bytes) {
        snmp::response(bytes, &notification, &mut reply);
        mask::copy(bytes, &notification, &mut reply);
        assert_eq!(reply.len(), bytes.len());
        let community = reply.get(notification.community.clone());
        assert!(
            community
                .unwrap_or_default()
                .iter()
                .all(|octet| *octet == b'*')
        );
    }
    std::hint::black_box(snmp::is_message(bytes));
});
