//! Memory that is needed soon, asked for early.
//!
//! ```text
//!  batch of senders ──▶ slot of each ──▶ entry of each        asked for, one behind the other, without waiting
//!                                          └── messages are decoded ──▶ the entry is there when it is looked at
//! ```
//!
//! With tens of thousands of devices in turn nothing that is known of them is in a cache, and each message would wait for
//! two looks at memory. A batch's senders are known before its first message is decoded, so the waits overlap.

use std::mem::size_of;

/// What a processor fetches at once, on all that this runs on; where it is more, a line is asked for twice.
const LINE_BYTES: usize = 64;

/// Has the first `bytes` of `wanted` brought near. A hint: it changes nothing, and does nothing where it is not known how.
pub(super) fn prefetch<T>(wanted: &T, bytes: usize) {
    let start = std::ptr::from_ref(wanted).cast::<u8>();
    for offset in (0..bytes.min(size_of::<T>())).step_by(LINE_BYTES) {
        prefetch_line(start.wrapping_add(offset));
    }
}

#[cfg(target_arch = "x86_64")]
fn prefetch_line(at: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: PREFETCHT0 is in every x86-64 processor and never faults, wherever it points.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
}

#[cfg(target_arch = "aarch64")]
fn prefetch_line(at: *const u8) {
    // SAFETY: PRFM is a hint that never faults, wherever it points, and touches neither flags nor stack.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{at}]", at = in(reg) at, options(nostack, preserves_flags, readonly));
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn prefetch_line(_: *const u8) {}
