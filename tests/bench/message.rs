//! The message that the benchmarks send.

/// The devices that the load comes from.
const HOSTS: u64 = 50;

/// Message `number`, padded to `size` bytes.
pub fn message(number: u64, size: usize) -> Vec<u8> {
    let host = number % HOSTS;
    let mut text = format!(
        "<189>1 2026-11-21T02:14:07.123456Z lax-edge-{host} rpd 4242 BGP_PREFIX_THRESH [meta sequenceId=\"{number}\"] \
         peer 192.0.2.{} (External AS 64512): Configured maximum prefix-limit threshold exceeded for inet-unicast nlri ",
        number % 250
    );
    while text.len() < size {
        text.push((b'a' + (text.len() % 26) as u8) as char);
    }
    text.truncate(size);
    text.into_bytes()
}
