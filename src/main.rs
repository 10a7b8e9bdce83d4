//! The `trapline` binary: parse arguments, call the library, turn the result into an exit code.

use std::process::ExitCode;

/// One allocator for Rust and librdkafka alike (its symbols replace malloc): measured 0.2–0.6 µs an event cheaper
/// than glibc's when memory is freed on another thread than the one that allocated it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What the allocator reads before it serves anything (jemalloc, "TUNING": `malloc_conf`), up to the NUL. A burst's memory
/// goes back to the system a quarter of a second after it was last needed, from a thread of the allocator's own: without
/// that thread it stays for as long as nobody allocates where it was freed, 20 MB after 20 000 traps (`make bench`).
// Safety: the allocator looks for this symbol and reads text from it; nothing else is called so.
#[unsafe(export_name = "malloc_conf")]
static ALLOCATOR_SETTINGS: &[u8; 67] =
    b"background_thread:true,max_background_threads:1,dirty_decay_ms:250\0";

fn main() -> ExitCode {
    trapline::cli::main()
}
