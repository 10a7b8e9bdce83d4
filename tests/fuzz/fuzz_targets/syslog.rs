#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    std::hint::black_box(trapline_fuzz::decode::syslog::read(bytes));
});
