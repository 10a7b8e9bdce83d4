//! Whether compressed blocks in the log would pay: CPU and bytes of lz4 and zstd on events as the pipeline makes them.
//!
//! The libraries are those that librdkafka carries anyway. A block is what the writer writes at once: at 20 000 events
//! a second some hundred of them.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use trapline::normalize;
use trapline::packet::{Listener, Packet, Peer, Protocol, Sink, Transport, Wholeness};
use trapline::pipeline::{Pipeline, Settings};
use trapline::record::LaneId;
use trapline::route::{self, Boot, Router};
use trapline::spool::{Batch, Config, ReadLimit, Spool, WhenFull};
use trapline::time::UnixMicros;

use crate::{message, thread_cpu};

/// Events of one block.
const BLOCK_EVENTS: usize = 100;
const EVENTS: u64 = 4_000;

// The names and types of lz4.h and zstd.h.
unsafe extern "C" {
    fn LZ4_compress_default(source: *const u8, target: *mut u8, size: i32, room: i32) -> i32;
    fn LZ4_decompress_safe(source: *const u8, target: *mut u8, size: i32, room: i32) -> i32;
    fn ZSTD_createCCtx() -> *mut std::ffi::c_void;
    fn ZSTD_compressCCtx(
        context: *mut std::ffi::c_void,
        target: *mut u8,
        room: usize,
        source: *const u8,
        size: usize,
        level: i32,
    ) -> usize;
    fn ZSTD_decompress(target: *mut u8, room: usize, source: *const u8, size: usize) -> usize;
}

/// Events of varied messages, in blocks of [`BLOCK_EVENTS`].
fn blocks() -> Vec<Vec<u8>> {
    let config = route::Config {
        topics: route::Config::TOPICS_DEFAULT.map(String::from),
        payload_bytes_max: route::Config::PAYLOAD_BYTES_MAX_DEFAULT,
        ..route::Config::default()
    };
    let spool = Arc::new(Spool::new(&Config {
        bytes_max: 64 << 20,
        disk: None,
        when_full: WhenFull::DropNewest,
        topics: config.lanes(),
    }));
    let router = Arc::new(Router::new(
        &config,
        "bench",
        &Boot::new(UnixMicros::now(), 0),
    ));
    let settings = Arc::new(Settings::new(normalize::Config::for_agent("bench")));
    let mut pipeline = Pipeline::new(spool.clone(), router, settings);
    let listener = Listener {
        index: 0,
        name: "bench-udp".into(),
        protocol: Protocol::Syslog,
        transport: Transport::Udp,
    };
    for number in 0..EVENTS {
        let bytes = match number % 3 {
            0 => message::message(number, 300),
            1 => format!(
                "<189>{number}: lax-edge-{}: Nov 21 02:14:{:02}.{:03} UTC: %LINEPROTO-5-UPDOWN: Line protocol on Interface \
                 GigabitEthernet0/{}, changed state to {}",
                number % 40, number / 100 % 60, number * 7 % 1000, number % 48, ["up", "down"][(number / 3 % 2) as usize]
            )
            .into_bytes(),
            _ => format!(
                "<86>Nov 21 02:14:{:02} app-{} sshd[{}]: Failed password for root from 203.0.113.{} port {} ssh2",
                number / 100 % 60, number % 25, 1000 + number * 13 % 30_000, number * 31 % 256, 1024 + number * 7919 % 60_000
            )
            .into_bytes(),
        };
        pipeline.take(&Packet {
            bytes: &bytes,
            peer: Peer::Inet(
                [10, 20, (number % 7) as u8, (number % 250) as u8].into(),
                514,
            ),
            listener: &listener,
            received: UnixMicros(1_763_690_400_000_000 + number as i64 * 50),
            wholeness: Wholeness::Whole,
        });
    }
    let limit = ReadLimit {
        records: BLOCK_EVENTS,
        bytes: 1 << 30,
    };
    let (mut batch, mut blocks) = (Batch::default(), Vec::new());
    while spool.read(LaneId(0), limit, &mut batch) > 0 {
        let events = batch.entries().iter();
        blocks.push(
            events
                .flat_map(|event| [batch.key(event), batch.payload(event)].concat())
                .collect(),
        );
    }
    blocks
}

/// Prints what a block costs and saves.
pub fn measure() {
    let blocks = blocks();
    let bytes: usize = blocks.iter().map(Vec::len).sum();
    println!(
        "  blocks of {BLOCK_EVENTS} events ({} bytes an event on average), were they compressed in the log:",
        bytes / EVENTS as usize
    );
    let mut packed = vec![0_u8; 1 << 20];
    let mut plain = vec![0_u8; 1 << 20];
    let room = packed.len();
    // SAFETY: lengths are those of the buffers, and both libraries stay within them.
    compare("lz4", &blocks, bytes, |block| unsafe {
        LZ4_compress_default(
            block.as_ptr(),
            packed.as_mut_ptr(),
            block.len() as i32,
            room as i32,
        ) as usize
    });
    // SAFETY: as zstd.h asks; the context lives as long as the process.
    let context = unsafe { ZSTD_createCCtx() };
    for level in [1, 3] {
        // SAFETY: lengths are those of the buffers.
        compare(
            &format!("zstd level {level}"),
            &blocks,
            bytes,
            |block| unsafe {
                ZSTD_compressCCtx(
                    context,
                    packed.as_mut_ptr(),
                    room,
                    block.as_ptr(),
                    block.len(),
                    level,
                )
            },
        );
    }
    let mut stored = vec![0_u8; 1 << 20];
    let lz4: Vec<Vec<u8>> = blocks
        .iter()
        .map(|block| {
            // SAFETY: as above.
            let size = unsafe {
                LZ4_compress_default(
                    block.as_ptr(),
                    stored.as_mut_ptr(),
                    block.len() as i32,
                    room as i32,
                )
            };
            stored[..size as usize].to_vec()
        })
        .collect();
    // SAFETY: as above; the library checks what it reads.
    let back = time(|| {
        for block in &lz4 {
            unsafe {
                LZ4_decompress_safe(
                    block.as_ptr(),
                    plain.as_mut_ptr(),
                    block.len() as i32,
                    room as i32,
                )
            };
        }
    });
    let zstd: Vec<Vec<u8>> = blocks
        .iter()
        .map(|block| {
            // SAFETY: as above.
            let size = unsafe {
                ZSTD_compressCCtx(
                    context,
                    stored.as_mut_ptr(),
                    room,
                    block.as_ptr(),
                    block.len(),
                    1,
                )
            };
            stored[..size].to_vec()
        })
        .collect();
    // SAFETY: as above.
    let zstd_back = time(|| {
        for block in &zstd {
            unsafe { ZSTD_decompress(plain.as_mut_ptr(), room, block.as_ptr(), block.len()) };
        }
    });
    let write = time(|| {
        for block in &blocks {
            plain[..block.len()].copy_from_slice(block);
            black_box(&plain);
        }
    });
    println!(
        "    read back: lz4 {back:.0} ns an event, zstd {zstd_back:.0}; a plain copy {write:.0}"
    );
}

fn compare(name: &str, blocks: &[Vec<u8>], bytes: usize, mut pack: impl FnMut(&[u8]) -> usize) {
    let mut packed = 0;
    let each = time(|| packed = blocks.iter().map(|block| pack(block)).sum());
    println!(
        "    {name}: {:.1} times smaller, {each:.0} ns an event",
        bytes as f64 / packed as f64
    );
}

/// CPU time an event, best of 5.
fn time(mut work: impl FnMut()) -> f64 {
    let run = |work: &mut dyn FnMut()| -> Duration {
        let start = thread_cpu();
        work();
        thread_cpu() - start
    };
    let best = (0..5).map(|_| run(&mut work)).min().unwrap_or_default();
    best.as_nanos() as f64 / EVENTS as f64
}
