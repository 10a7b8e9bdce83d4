//! Which socket of a group gets a sender's datagrams: a classic BPF program that the kernel runs for each datagram.
//!
//! ```text
//!   datagram ─▶ IP version? ─4▶ source address ──────────────────────▶ × 0x9E3779B1 ─▶ high half ─▶ mod shards
//!                           ─6▶ its four words, joined by exclusive or ─┘
//! ```
//!
//! The kernel's own choice hashes ports too, so one device that changes its port would change its shard and its order
//! would be lost. The program is given the datagram from its UDP payload on; `SKF_NET_OFF` reaches the IP header
//! (source address at +12 in IPv4, RFC 791; +8..23 in IPv6, RFC 8200).

use std::net::IpAddr;

use libc::{
    BPF_ABS, BPF_ALU, BPF_B, BPF_JA, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_MISC, BPF_MOD, BPF_MUL,
    BPF_RET, BPF_RSH, BPF_TAX, BPF_W, BPF_X, BPF_XOR, sock_filter,
};

/// `BPF_A` of linux/bpf_common.h: return the accumulator.
const BPF_A: u32 = 0x10;

/// 2³² divided by the golden ratio (Knuth, volume 3, 6.4): neighbours such as .1 and .2 spread evenly.
const SPREAD: u32 = 0x9E37_79B1;

/// The program for a group of `shards` sockets.
pub(super) fn program(shards: u32) -> [sock_filter; 19] {
    [
        header_byte(0),
        step(BPF_ALU | BPF_RSH | BPF_K, 4),
        jump(BPF_JMP | BPF_JEQ | BPF_K, 6, 2, 0),
        header_word(12),
        jump(BPF_JMP | BPF_JA, 10, 0, 0),
        header_word(8),
        step(BPF_MISC | BPF_TAX, 0),
        header_word(12),
        step(BPF_ALU | BPF_XOR | BPF_X, 0),
        step(BPF_MISC | BPF_TAX, 0),
        header_word(16),
        step(BPF_ALU | BPF_XOR | BPF_X, 0),
        step(BPF_MISC | BPF_TAX, 0),
        header_word(20),
        step(BPF_ALU | BPF_XOR | BPF_X, 0),
        step(BPF_ALU | BPF_MUL | BPF_K, SPREAD),
        step(BPF_ALU | BPF_RSH | BPF_K, 16),
        step(BPF_ALU | BPF_MOD | BPF_K, shards.max(1)),
        step(BPF_RET | BPF_A, 0),
    ]
}

/// A filter that refuses everything: what it refuses is counted among the kernel's drops.
pub(super) fn refuse_all() -> [sock_filter; 1] {
    [step(BPF_RET | BPF_K, 0)]
}

/// Where [`program`] steers this source address to.
pub fn shard_of(source: IpAddr, shards: u32) -> u32 {
    let word = match source.to_canonical() {
        IpAddr::V4(address) => address.to_bits(),
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            [96, 64, 32, 0].iter().fold(0, |word, shift| {
                word ^ ((bits >> shift) & 0xFFFF_FFFF) as u32
            })
        }
    };
    (word.wrapping_mul(SPREAD) >> 16) % shards.max(1)
}

fn header_byte(at: i32) -> sock_filter {
    step(
        BPF_LD | BPF_B | BPF_ABS,
        (libc::SKF_NET_OFF + at).cast_unsigned(),
    )
}

fn header_word(at: i32) -> sock_filter {
    step(
        BPF_LD | BPF_W | BPF_ABS,
        (libc::SKF_NET_OFF + at).cast_unsigned(),
    )
}

fn step(code: u32, k: u32) -> sock_filter {
    jump(code, k, 0, 0)
}

fn jump(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    // Every code of the classic machine fits 16 bits (linux/filter.h).
    sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    }
}
