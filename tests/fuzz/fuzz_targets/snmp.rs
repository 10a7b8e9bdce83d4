#![no_main]
use trapline_fuzz::decode::snmp;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut reply = Vec::new();
    if let Ok(notification) = snmp::read(bytes) {
        snmp::response(bytes, &notification, &mut reply);
    }
    std::hint::black_box(snmp::is_message(bytes));
});
