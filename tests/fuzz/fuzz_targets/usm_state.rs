#![no_main]
//! What is kept of engines over restarts, as it is found on a disk: what is believed is written and read back the same.

use trapline_fuzz::usm::stored;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    std::hint::black_box(stored::octets(&text));
    let body = format!("{}\n", text.trim_end_matches('\n'));
    let sealed = format!("{body}crc32c {:08x}\n", crc32c::crc32c(body.as_bytes()));
    for text in [text.as_ref(), &sealed] {
        if let Ok(own) = stored::own_from_text(text) {
            assert_eq!(stored::own_from_text(&stored::own_to_text(&own)), Ok(own));
        }
        if let Ok(learned) = stored::learned_from_text(text) {
            let again = stored::learned_from_text(&stored::learned_to_text(&learned));
            assert_eq!(again, Ok(learned));
        }
    }
});
