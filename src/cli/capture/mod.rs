//! A capture file → its packets, one after the other: pcap and pcapng, as tcpdump and Wireshark write them.
//!
//! ```text
//!   pcap     header 24 ─ [ record header 16 ─ octets ] …
//!   pcapng   [ type 4 ─ length 4 ─ body ─ length 4 ] …    Section Header, Interface Description, Enhanced or Simple Packet
//!
//!   file ──▶ Capture::next ──▶ Frame { number, link, time, octets } ──▶ link::payload ──▶ what UDP or TCP carried
//! ```
//!
//! Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng. The file is a stranger's: it is read as a stream, one
//! packet is in memory at a time, and nothing is as large as a length in the file says before the octets came.

mod link;

use std::io::{self, Read};

use crate::decode::reader::Reader;
use crate::time::UnixMicros;

pub(super) use link::{Payload, Sent, payload};

/// Octets of the longest packet: what libpcap takes of one at most (MAXIMUM_SNAPLEN).
const PACKET_BYTES_MAX: u32 = 256 * 1024;

/// Octets of the longest pcapng block of another kind, which is skipped: name resolution and secrets are far smaller.
const BLOCK_BYTES_MAX: u32 = 16 * 1024 * 1024;

/// Interfaces of one section: a capture has a handful.
const INTERFACES_MAX: usize = 1024;

/// Why a capture could not be read further.
#[derive(Debug, thiserror::Error)]
pub(super) enum CaptureError {
    /// The file could not be read.
    #[error("packet {number}: {error}")]
    Read { number: u64, error: io::Error },
    /// The file ends where something was expected.
    #[error("the capture ends within packet {number}: it was cut, what came before is whole")]
    Cut { number: u64 },
    /// A number in the file cannot be right.
    #[error("packet {number}: expected {expected}, found {found}: the capture is damaged")]
    Damaged {
        number: u64,
        expected: &'static str,
        found: u64,
    },
}

/// One captured packet; its octets are in the caller's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    /// As Wireshark counts: the first is 1.
    pub number: u64,
    /// The kind of its first header (the LINKTYPE_ registry of tcpdump.org).
    pub link: u32,
    /// When it was captured, where the file says so.
    pub time: Option<UnixMicros>,
    /// Whether fewer octets were captured than there were.
    pub is_cut: bool,
}

/// An interface of a pcapng section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Interface {
    link: u32,
    snap_bytes: u32,
    ticks: Ticks,
}

/// The end of the year 9999 (µs since the epoch): RFC 3339 writes no later time.
const MICROS_MAX: i64 = 253_402_300_799_999_999;

/// What one unit of a time stamp is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticks {
    per_second: u64,
}

impl Ticks {
    const MICROS: Ticks = Ticks {
        per_second: 1_000_000,
    };
    const NANOS: Ticks = Ticks {
        per_second: 1_000_000_000,
    };

    /// `if_tsresol`: a power of ten, or with the top bit a power of two.
    fn of(resolution: u8) -> Option<Ticks> {
        let power = u32::from(resolution & 0x7f);
        let base = if resolution & 0x80 == 0 { 10 } else { 2 };
        let per_second = u64::checked_pow(base, power)?;
        Some(Ticks { per_second })
    }

    fn at(self, ticks: u64) -> Option<UnixMicros> {
        let micros = u128::from(ticks) * 1_000_000 / u128::from(self.per_second);
        let micros = i64::try_from(micros).ok()?;
        (micros <= MICROS_MAX).then_some(UnixMicros(micros))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn long(self, reader: &mut Reader<'_>) -> Option<u32> {
        let octets = reader.take(4)?.try_into().ok()?;
        Some(match self {
            Order::Little => u32::from_le_bytes(octets),
            Order::Big => u32::from_be_bytes(octets),
        })
    }

    fn short(self, reader: &mut Reader<'_>) -> Option<u16> {
        let octets = reader.take(2)?.try_into().ok()?;
        Some(match self {
            Order::Little => u16::from_le_bytes(octets),
            Order::Big => u16::from_be_bytes(octets),
        })
    }
}

#[derive(Debug)]
enum Format {
    Pcap {
        order: Order,
        ticks: Ticks,
        link: u32,
    },
    PcapNg {
        order: Order,
        interfaces: Vec<Interface>,
    },
}

/// Whether a file begins as a capture does. No message begins so.
pub(super) fn is_capture(bytes: &[u8]) -> bool {
    bytes
        .first_chunk()
        .is_some_and(|magic| *magic == SECTION_HEADER || pcap(*magic).is_some())
}

/// The first octets of a pcapng file; a palindrome, so that they say nothing of the order.
const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

fn pcap(magic: [u8; 4]) -> Option<(Order, Ticks)> {
    match magic {
        [0xa1, 0xb2, 0xc3, 0xd4] => Some((Order::Big, Ticks::MICROS)),
        [0xd4, 0xc3, 0xb2, 0xa1] => Some((Order::Little, Ticks::MICROS)),
        [0xa1, 0xb2, 0x3c, 0x4d] => Some((Order::Big, Ticks::NANOS)),
        [0x4d, 0x3c, 0xb2, 0xa1] => Some((Order::Little, Ticks::NANOS)),
        _ => None,
    }
}

/// A capture that is being read.
#[derive(Debug)]
pub(super) struct Capture<R> {
    input: R,
    format: Format,
    /// Of the packet that comes next.
    number: u64,
}

impl<R: Read> Capture<R> {
    /// Starts at the first octet of a file that [`is_capture`].
    ///
    /// # Errors
    /// The file ends within its header, or it is of another kind.
    pub(super) fn open(input: R) -> Result<Self, CaptureError> {
        let mut capture = Capture {
            input,
            format: Format::PcapNg {
                order: Order::Big,
                interfaces: Vec::new(),
            },
            number: 1,
        };
        let magic: [u8; 4] = capture.read()?;
        if magic == SECTION_HEADER {
            capture.section()?;
            return Ok(capture);
        }
        let Some((order, ticks)) = pcap(magic) else {
            let found = u64::from(u32::from_be_bytes(magic));
            return Err(capture.damaged("the first octets of a pcap or pcapng file", found));
        };
        let header: [u8; 20] = capture.read()?;
        let mut header = Reader::new(&header);
        header.take(16);
        // The upper half says whether a checksum follows each packet.
        let link = order.long(&mut header).unwrap_or_default() & 0xffff;
        capture.format = Format::Pcap { order, ticks, link };
        Ok(capture)
    }

    /// The next packet, its octets in `out`; `None` at the end of the file.
    ///
    /// # Errors
    /// The file is damaged or cut. Nothing more can be read then.
    pub(super) fn next(&mut self, out: &mut Vec<u8>) -> Result<Option<Frame>, CaptureError> {
        out.clear();
        let frame = match &self.format {
            Format::Pcap { order, ticks, link } => self.record(*order, *ticks, *link, out)?,
            Format::PcapNg { .. } => self.block(out)?,
        };
        self.number += u64::from(frame.is_some());
        Ok(frame)
    }

    fn record(
        &mut self,
        order: Order,
        ticks: Ticks,
        link: u32,
        out: &mut Vec<u8>,
    ) -> Result<Option<Frame>, CaptureError> {
        let Some(header) = self.read_or_end::<16>()? else {
            return Ok(None);
        };
        let mut header = Reader::new(&header);
        let mut field = || order.long(&mut header).unwrap_or_default();
        let (seconds, part, captured, original) = (field(), field(), field(), field());
        let stamp = u64::from(seconds) * ticks.per_second + u64::from(part);
        self.octets(captured, out)?;
        Ok(Some(Frame {
            number: self.number,
            link,
            time: ticks.at(stamp),
            is_cut: captured < original,
        }))
    }

    /// Reads blocks up to the next one with a packet.
    fn block(&mut self, out: &mut Vec<u8>) -> Result<Option<Frame>, CaptureError> {
        const INTERFACE_DESCRIPTION: u32 = 1;
        const SIMPLE_PACKET: u32 = 3;
        const ENHANCED_PACKET: u32 = 6;
        loop {
            let Some(kind) = self.read_or_end::<4>()? else {
                return Ok(None);
            };
            if kind == SECTION_HEADER {
                self.section()?;
                continue;
            }
            let order = self.order();
            let kind = order.long(&mut Reader::new(&kind)).unwrap_or_default();
            let length = self.length(order)?;
            match kind {
                INTERFACE_DESCRIPTION => self.interface(order, length, out)?,
                ENHANCED_PACKET => return self.enhanced(order, length, out).map(Some),
                SIMPLE_PACKET => return self.simple(order, length, out).map(Some),
                _ => self.skip(length)?,
            }
        }
    }

    fn order(&self) -> Order {
        match self.format {
            Format::Pcap { order, .. } | Format::PcapNg { order, .. } => order,
        }
    }

    /// Behind the type of a block: how many octets its body has.
    fn length(&mut self, order: Order) -> Result<u32, CaptureError> {
        let total: [u8; 4] = self.read()?;
        let total = order.long(&mut Reader::new(&total)).unwrap_or_default();
        match total.checked_sub(12) {
            Some(body) if total <= BLOCK_BYTES_MAX && total.is_multiple_of(4) => Ok(body),
            _ => Err(self.damaged("a block of 12 octets to 16 MiB", total.into())),
        }
    }

    /// Behind the type of a Section Header Block: the order of octets follows, and interfaces are counted anew.
    fn section(&mut self) -> Result<(), CaptureError> {
        let length: [u8; 4] = self.read()?;
        let magic: [u8; 4] = self.read()?;
        let order = match magic {
            [0x1a, 0x2b, 0x3c, 0x4d] => Order::Big,
            [0x4d, 0x3c, 0x2b, 0x1a] => Order::Little,
            other => {
                let found = u64::from(u32::from_be_bytes(other));
                return Err(self.damaged("the byte-order magic of a section", found));
            }
        };
        let total = order.long(&mut Reader::new(&length)).unwrap_or_default();
        if !(28..=BLOCK_BYTES_MAX).contains(&total) {
            return Err(self.damaged("a section header of 28 octets to 16 MiB", total.into()));
        }
        self.format = Format::PcapNg {
            order,
            interfaces: Vec::new(),
        };
        // Type, length and magic are read; the trailing length goes with the rest.
        self.discard(total - 12)
    }

    fn interface(
        &mut self,
        order: Order,
        length: u32,
        body: &mut Vec<u8>,
    ) -> Result<(), CaptureError> {
        self.octets(length, body)?;
        let mut reader = Reader::new(body);
        let link = order.short(&mut reader).unwrap_or_default();
        order.short(&mut reader);
        let interface = Interface {
            link: link.into(),
            snap_bytes: order.long(&mut reader).unwrap_or_default(),
            ticks: resolution(order, &mut reader).unwrap_or(Ticks::MICROS),
        };
        body.clear();
        if let Format::PcapNg { interfaces, .. } = &mut self.format {
            if interfaces.len() >= INTERFACES_MAX {
                return Err(self.damaged("at most 1024 interfaces", INTERFACES_MAX as u64 + 1));
            }
            interfaces.push(interface);
        }
        self.discard(4)
    }

    fn enhanced(
        &mut self,
        order: Order,
        length: u32,
        out: &mut Vec<u8>,
    ) -> Result<Frame, CaptureError> {
        let header: [u8; 20] = self.read()?;
        let mut header = Reader::new(&header);
        let mut field = || order.long(&mut header).unwrap_or_default();
        let (id, high, low, captured, original) = (field(), field(), field(), field(), field());
        let interface = self.interface_of(id)?;
        self.packet(captured, length.checked_sub(20), out)?;
        Ok(Frame {
            number: self.number,
            link: interface.link,
            time: interface.ticks.at(u64::from(high) << 32 | u64::from(low)),
            is_cut: captured < original,
        })
    }

    fn simple(
        &mut self,
        order: Order,
        length: u32,
        out: &mut Vec<u8>,
    ) -> Result<Frame, CaptureError> {
        let original: [u8; 4] = self.read()?;
        let original = order.long(&mut Reader::new(&original)).unwrap_or_default();
        let interface = self.interface_of(0)?;
        let captured = match interface.snap_bytes {
            0 => original,
            snap => original.min(snap),
        };
        self.packet(captured, length.checked_sub(4), out)?;
        Ok(Frame {
            number: self.number,
            link: interface.link,
            time: None,
            is_cut: captured < original,
        })
    }

    fn interface_of(&self, id: u32) -> Result<Interface, CaptureError> {
        let interfaces = match &self.format {
            Format::PcapNg { interfaces, .. } => interfaces.as_slice(),
            Format::Pcap { .. } => &[],
        };
        let found = usize::try_from(id).ok().and_then(|id| interfaces.get(id));
        found
            .copied()
            .ok_or_else(|| self.damaged("an interface that was described before", id.into()))
    }

    /// Reads the packet of a block whose body has `room` octets from here on, and what follows it up to the next block.
    fn packet(
        &mut self,
        captured: u32,
        room: Option<u32>,
        out: &mut Vec<u8>,
    ) -> Result<(), CaptureError> {
        let Some(behind) = room.and_then(|room| room.checked_sub(captured)) else {
            return Err(self.damaged("a packet that fits into its block", captured.into()));
        };
        self.octets(captured, out)?;
        self.skip(behind)
    }

    /// Reads so many octets into `out`.
    fn octets(&mut self, count: u32, out: &mut Vec<u8>) -> Result<(), CaptureError> {
        if count > PACKET_BYTES_MAX {
            return Err(self.damaged("a packet of at most 256 KiB", count.into()));
        }
        out.clear();
        let read = self.input.by_ref().take(count.into()).read_to_end(out);
        match read {
            Ok(read) if read as u64 == u64::from(count) => Ok(()),
            Ok(_) => Err(self.cut()),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Skips the rest of a block's body and the length behind it.
    fn skip(&mut self, body: u32) -> Result<(), CaptureError> {
        self.discard(body.saturating_add(4))
    }

    fn discard(&mut self, count: u32) -> Result<(), CaptureError> {
        let mut skipped = self.input.by_ref().take(count.into());
        match io::copy(&mut skipped, &mut io::sink()) {
            Ok(read) if read == u64::from(count) => Ok(()),
            Ok(_) => Err(self.cut()),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn read<const COUNT: usize>(&mut self) -> Result<[u8; COUNT], CaptureError> {
        self.read_or_end()?.ok_or_else(|| self.cut())
    }

    /// `None` where the file ends right here.
    fn read_or_end<const COUNT: usize>(&mut self) -> Result<Option<[u8; COUNT]>, CaptureError> {
        let mut octets = Vec::with_capacity(COUNT);
        let read = self.input.by_ref().take(COUNT as u64);
        match { read }.read_to_end(&mut octets) {
            Ok(0) => Ok(None),
            Ok(_) => octets.try_into().map(Some).map_err(|_| self.cut()),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn cut(&self) -> CaptureError {
        CaptureError::Cut {
            number: self.number,
        }
    }

    fn failed(&self, error: io::Error) -> CaptureError {
        CaptureError::Read {
            number: self.number,
            error,
        }
    }

    fn damaged(&self, expected: &'static str, found: u64) -> CaptureError {
        CaptureError::Damaged {
            number: self.number,
            expected,
            found,
        }
    }
}

/// The option `if_tsresol` (9) of an Interface Description Block.
fn resolution(order: Order, options: &mut Reader<'_>) -> Option<Ticks> {
    loop {
        let (code, length) = (order.short(options)?, order.short(options)?);
        let value = options.take(usize::from(length).next_multiple_of(4))?;
        match code {
            0 => return None,
            9 => return value.first().copied().and_then(Ticks::of),
            _ => {}
        }
    }
}

#[cfg(test)]
pub(super) mod samples;
#[cfg(test)]
mod tests;
