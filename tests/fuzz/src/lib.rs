//! What the fuzz targets read strangers' bytes with: the files of the crate itself, by path.
//!
//! `make fuzz SECONDS=60` runs every target for so long.

#[path = "../../../src/decode/mod.rs"]
pub mod decode;
#[path = "../../../src/packet.rs"]
pub mod packet;
#[path = "../../../src/record.rs"]
pub mod record;
#[path = "../../../src/spool/mod.rs"]
pub mod spool;
#[path = "../../../src/time.rs"]
pub mod time;
#[path = "../../../src/usm/mod.rs"]
pub mod usm;

pub mod mib;

pub mod observe;

/// The part of the crate's `receive` that needs no socket.
#[path = "../../../src/receive"]
pub mod receive {
    pub mod framing;
}
