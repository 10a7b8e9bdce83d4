//! One stream connection → packets, until it ends, falls silent or the agent stops.
//!
//! ```text
//!   read ─▶ Buffer ─▶ Framing::next ─▶ begin(1) ─▶ Sink::take ─▶ … ─▶ end(tally)
//!    ▲                                                │              │
//!    │                                   written ◀── replies         │
//!    └── after 64 KiB the other connections get their turn ◀─────────┘
//! ```

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::Instant;

use crate::observe::ledger::{ListenerLedger, Tally};
use crate::observe::mute::Mute;
use crate::packet::{Outcome, Packet, Peer, Protocol, Reason, Reply, Sink, Verdict, Wholeness};
use crate::time::UnixMicros;

use super::framing::ber::BerFramer;
use super::framing::{EndOfStream, Framer, Step};
use super::replies::{Outgoing, Replies, Writing};
use super::{AllowList, Config, Stop};

/// Bytes of a new connection's buffer: a dozen usual messages, and 512 idle connections cost 2 MiB. It grows when a
/// frame does not fit, up to the frame limit, and shrinks when that frame is taken.
const BUFFER_BYTES: usize = 4 * 1024;

/// Bytes after which a connection that never pauses lets the others have their turn.
const TURN_BYTES: usize = 64 * 1024;

/// How long a connection is still read after the wish to stop: what a device has sent already is there by then, and
/// one that never pauses must not hold up the stop.
pub(super) const DRAIN_MAX: Duration = Duration::from_secs(2);

/// A connection is quiet when nothing has come for so long: more than a round trip over a WAN between two segments.
const QUIET: Duration = Duration::from_millis(200);

/// What a connection's task works with.
pub(super) struct Connection<S> {
    pub(super) config: Rc<Config>,
    pub(super) peer: Peer,
    pub(super) allow: AllowList,
    pub(super) ledger: Arc<ListenerLedger>,
    pub(super) sink: Rc<RefCell<S>>,
    pub(super) replies: Rc<Replies>,
    pub(super) stop: Arc<Stop>,
}

/// Why a connection is no longer read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// By its sender.
    Closed,
    /// A read failed.
    Broken,
    Idle,
    NotAllowed,
    /// It speaks SNMP, and its listener reads syslog.
    Snmp,
    /// Where the next message begins cannot be told.
    FramingLost,
    Stopping,
}

impl<S: Sink> Connection<S> {
    /// Reads `stream` to its end, takes every frame and sends the replies.
    pub(super) async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut writing = Writing::new(&self.ledger);
        let mut frames = Frames::new(&self.config, Rc::clone(&writing.outgoing));
        let ending = tokio::select! {
            biased;
            ending = self.read_all(&mut reader, &mut frames) => ending,
            never = writing.run(&mut writer) => match never {},
        };
        drop(frames);
        // The sender of an inform may have closed its side already, and waits for the Response all the same.
        let deadline = Instant::now() + DRAIN_MAX;
        while writing.is_owing() {
            let step = tokio::time::timeout_at(deadline, writing.step(&mut writer));
            if step.await.is_err() {
                break;
            }
        }
        if matches!(ending, Ending::Idle | Ending::NotAllowed) {
            let idle = ending == Ending::Idle;
            tracing::debug!(listener = %self.config.listener.name, peer = %self.peer, idle, "closed a connection");
        }
    }

    async fn read_all(&self, stream: &mut (impl AsyncRead + Unpin), frames: &mut Frames) -> Ending {
        let mut ending = self.read(stream, frames).await;
        if ending == Ending::Stopping {
            ending = self.drain(stream, frames).await;
        }
        let end = match ending {
            Ending::Closed => EndOfStream::Reached,
            Ending::Broken
            | Ending::Idle
            | Ending::NotAllowed
            | Ending::Snmp
            | Ending::FramingLost
            | Ending::Stopping => EndOfStream::Abandoned,
        };
        self.take(frames, end).unwrap_or(ending)
    }

    async fn read(&self, stream: &mut (impl AsyncRead + Unpin), frames: &mut Frames) -> Ending {
        let idle_max = Duration::from_secs(self.config.idle_seconds_max);
        let mut heard = Instant::now();
        let idle = tokio::time::sleep(idle_max);
        let wanted = self.stop.wanted();
        tokio::pin!(idle, wanted);
        let mut turn_bytes = 0;
        loop {
            tokio::select! {
                biased;
                () = &mut wanted => return Ending::Stopping,
                read = stream.read(frames.buffer.room()) => {
                    let bytes = match self.read_bytes(read) {
                        Ok(bytes) => bytes,
                        Err(ending) => return ending,
                    };
                    frames.buffer.add(bytes);
                    heard = Instant::now();
                    if let Some(ending) = self.take(frames, EndOfStream::NotYet) {
                        return ending;
                    }
                    turn_bytes += bytes;
                }
                () = &mut idle => {
                    if heard.elapsed() >= idle_max {
                        return Ending::Idle;
                    }
                    idle.as_mut().reset(heard + idle_max);
                }
            }
            if turn_bytes >= TURN_BYTES {
                turn_bytes = 0;
                tokio::task::yield_now().await;
            }
        }
    }

    async fn drain(&self, stream: &mut (impl AsyncRead + Unpin), frames: &mut Frames) -> Ending {
        let deadline = Instant::now() + DRAIN_MAX;
        loop {
            let until = deadline.min(Instant::now() + QUIET);
            let read = tokio::time::timeout_at(until, stream.read(frames.buffer.room())).await;
            let Ok(read) = read else {
                return Ending::Stopping;
            };
            match self.read_bytes(read) {
                Ok(bytes) => frames.buffer.add(bytes),
                Err(ending) => return ending,
            }
            if Instant::now() >= deadline {
                return Ending::Stopping;
            }
            if let Some(ending) = self.take(frames, EndOfStream::NotYet) {
                return ending;
            }
            tokio::task::yield_now().await;
        }
    }

    /// How many bytes were read, never 0. A failed read ends the stream like a close: what came before it is taken.
    fn read_bytes(&self, read: std::io::Result<usize>) -> Result<usize, Ending> {
        static MUTE: Mute = Mute::usual();
        match read {
            Ok(0) => Err(Ending::Closed),
            Ok(bytes) => Ok(bytes),
            Err(error) => {
                if let Some(skipped) = MUTE.admit(std::time::Instant::now()) {
                    tracing::info!(listener = %self.config.listener.name, peer = %self.peer, %error, skipped, "a connection broke");
                }
                Err(Ending::Broken)
            }
        }
    }

    /// Takes all frames that are there. Returns why nothing more is to be read, where that is so.
    fn take(&self, frames: &mut Frames, end: EndOfStream) -> Option<Ending> {
        if frames.opening == Opening::Unknown {
            frames.opening = Opening::of(frames.buffer.filled(), end);
        }
        match frames.opening {
            Opening::Unknown => return None,
            Opening::Expected => {}
            Opening::Snmp => {
                self.refuse_snmp(frames);
                return Some(Ending::Snmp);
            }
        }
        let Frames {
            buffer,
            framing,
            reply,
            outgoing,
            ..
        } = frames;
        let peer = self.peer;
        let is_allowed = self.allow.current().permits(&peer);
        let mut ending = (!is_allowed).then_some(Ending::NotAllowed);
        let received = UnixMicros::now();
        let mut tally = Tally::default();
        loop {
            let consumed = match framing.next(buffer.filled(), end) {
                Step::NeedMore => break,
                Step::Skip { consumed } => consumed,
                Step::Lost { why } => {
                    tally.add(self.lose(why, buffer));
                    ending = Some(Ending::FramingLost);
                    break;
                }
                Step::Frame {
                    bytes,
                    wholeness,
                    consumed,
                } => {
                    self.ledger.begin(1);
                    let bytes = buffer.filled().get(bytes).unwrap_or_default();
                    let packet = Packet {
                        bytes,
                        peer,
                        listener: &self.config.listener,
                        received,
                        wholeness,
                    };
                    tally.add(self.take_one(&packet, is_allowed, outgoing, reply));
                    consumed
                }
            };
            buffer.consume(consumed);
        }
        self.ledger.end(&tally);
        ending
    }

    /// What is left of a stream that cannot be split into messages any more counts as one packet.
    fn lose(&self, why: &'static str, buffer: &mut Buffer) -> Outcome {
        static MUTE: Mute = Mute::usual();
        buffer.consume(buffer.filled().len());
        self.ledger.begin(1);
        if let Some(skipped) = MUTE.admit(std::time::Instant::now()) {
            tracing::warn!(listener = %self.config.listener.name, peer = %self.peer, why, skipped, "a connection is closed: it does not hold one SNMP message behind the other (RFC 3430)");
        }
        Outcome::Rejected(Reason::FramingLost)
    }

    /// Split into lines, a community would be shown as text. So nothing of it is taken, and it counts as one packet.
    fn refuse_snmp(&self, frames: &mut Frames) {
        static MUTE: Mute = Mute::usual();
        let bytes = frames.buffer.filled().len();
        frames.buffer.consume(bytes);
        if bytes == 0 {
            return;
        }
        let mut tally = Tally::default();
        self.ledger.begin(1);
        tally.add(Outcome::Rejected(Reason::SnmpOverStream));
        self.ledger.end(&tally);
        if let Some(skipped) = MUTE.admit(std::time::Instant::now()) {
            tracing::warn!(listener = %self.config.listener.name, peer = %self.peer, skipped, "a connection speaks SNMP, closed: send traps to a listener whose protocol is snmp");
        }
    }

    fn take_one(
        &self,
        packet: &Packet<'_>,
        is_allowed: bool,
        outgoing: &Rc<Outgoing>,
        copy: &mut Vec<u8>,
    ) -> Outcome {
        match packet.wholeness {
            Wholeness::Whole => {}
            Wholeness::Cut => {
                self.ledger.cut.fetch_add(1, Ordering::Relaxed);
            }
            Wholeness::Half => {
                self.ledger.half_frames.fetch_add(1, Ordering::Relaxed);
            }
        }
        if !is_allowed {
            return Outcome::Rejected(Reason::SourceNotAllowed);
        }
        let mut sink = self.sink.borrow_mut();
        let Verdict { outcome, reply } = sink.take(packet);
        let Some(Reply { bytes, after }) = reply else {
            return outcome;
        };
        if self.config.listener.protocol == Protocol::Syslog {
            // Syslog has no replies; one here is a mistake that must not go unseen.
            self.ledger.replies_dropped.fetch_add(1, Ordering::Relaxed);
            return outcome;
        }
        copy.clear();
        copy.extend_from_slice(bytes);
        let acceptance = |record| sink.acceptance(record);
        self.replies.send(outgoing, copy, after, acceptance);
        outcome
    }
}

struct Frames {
    buffer: Buffer,
    framing: Framing,
    opening: Opening,
    /// The present reply, copied out of the pipeline's buffer.
    reply: Vec<u8>,
    outgoing: Rc<Outgoing>,
}

impl Frames {
    fn new(config: &Config, outgoing: Rc<Outgoing>) -> Self {
        let framing = Framing::new(config.listener.protocol, config.frame_bytes_max);
        Frames {
            buffer: Buffer::new(framing.buffer_bytes_max()),
            opening: match config.listener.protocol {
                Protocol::Syslog => Opening::Unknown,
                Protocol::Snmp => Opening::Expected,
            },
            framing,
            reply: Vec::new(),
            outgoing,
        }
    }
}

/// How the listener's protocol splits a stream.
#[derive(Debug)]
enum Framing {
    Syslog(Framer),
    Snmp(BerFramer),
}

impl Framing {
    fn new(protocol: Protocol, frame_bytes_max: usize) -> Self {
        match protocol {
            Protocol::Syslog => Framing::Syslog(Framer::new(frame_bytes_max)),
            Protocol::Snmp => Framing::Snmp(BerFramer::new(frame_bytes_max)),
        }
    }

    fn buffer_bytes_max(&self) -> usize {
        match self {
            Framing::Syslog(framer) => framer.buffer_bytes_max(),
            Framing::Snmp(framer) => framer.buffer_bytes_max(),
        }
    }

    fn next(&mut self, buffered: &[u8], end: EndOfStream) -> Step {
        match self {
            Framing::Syslog(framer) => framer.next(buffered, end),
            Framing::Snmp(framer) => framer.next(buffered, end),
        }
    }
}

/// Bytes read and not yet consumed. Bounded, and as large as the largest frame on its way needs.
#[derive(Debug)]
struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    bytes_max: usize,
}

impl Buffer {
    fn new(bytes_max: usize) -> Self {
        Buffer {
            bytes: vec![0; BUFFER_BYTES.min(bytes_max)],
            start: 0,
            end: 0,
            bytes_max,
        }
    }

    fn filled(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Room for the next read; never empty as long as fewer than `bytes_max` bytes are filled.
    fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.bytes.len() > BUFFER_BYTES {
                self.bytes = vec![0; BUFFER_BYTES.min(self.bytes_max)];
            }
        } else if self.end == self.bytes.len() && self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == self.bytes.len() {
            let larger = self.bytes.len().saturating_mul(2).min(self.bytes_max);
            self.bytes.resize(larger, 0);
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    fn add(&mut self, bytes: usize) {
        self.end = self.end.saturating_add(bytes).min(self.bytes.len());
    }

    fn consume(&mut self, bytes: usize) {
        self.start = self.start.saturating_add(bytes).min(self.end);
    }
}

/// What the first bytes of a stream say that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opening {
    /// Too few bytes to tell.
    Unknown,
    /// What its listener reads: syslog, or whatever else is read as text.
    Expected,
    /// An ASN.1 SEQUENCE that begins with an INTEGER, as every SNMP message does (RFC 3430); no text begins so.
    Snmp,
}

impl Opening {
    fn of(bytes: &[u8], end: EndOfStream) -> Opening {
        match bytes {
            [0x30, 0x81, _, 0x02, ..] | [0x30, 0x82, _, _, 0x02, ..] => Opening::Snmp,
            [0x30, length, 0x02, ..] if *length < 0x80 => Opening::Snmp,
            [] | [0x30] | [0x30, _] | [0x30, 0x81, _] | [0x30, 0x82, _] | [0x30, 0x82, _, _]
                if end == EndOfStream::NotYet =>
            {
                Opening::Unknown
            }
            _ => Opening::Expected,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_grows_for_a_long_frame_up_to_its_limit_and_shrinks_behind_it() {
        let mut buffer = Buffer::new(10_000);
        assert_eq!(buffer.room().len(), BUFFER_BYTES);
        let mut filled = 0;
        while filled < 10_000 {
            let room = buffer.room().len();
            assert!(room > 0);
            buffer.add(room);
            filled += room;
        }
        assert_eq!(buffer.filled().len(), 10_000);
        assert!(buffer.room().is_empty());
        buffer.consume(9_999);
        assert_eq!(buffer.filled().len(), 1);
        assert_eq!(buffer.room().len(), 9_999);
        buffer.consume(1);
        assert_eq!(buffer.room().len(), BUFFER_BYTES);
    }

    #[test]
    fn snmp_is_known_by_its_first_bytes_however_they_are_split() {
        let trap = [0x30, 0x81, 0xa3, 0x02, 0x01, 0x01, 0x04];
        for length in 0..4 {
            assert_eq!(
                Opening::of(&trap[..length], EndOfStream::NotYet),
                Opening::Unknown
            );
        }
        assert_eq!(Opening::of(&trap, EndOfStream::NotYet), Opening::Snmp);
        assert_eq!(
            Opening::of(&[0x30, 0x29, 0x02, 0x01, 0x00], EndOfStream::NotYet),
            Opening::Snmp
        );
        assert_eq!(
            Opening::of(&[0x30, 0x82, 1, 2, 2, 1], EndOfStream::NotYet),
            Opening::Snmp
        );
    }

    #[test]
    fn text_that_begins_with_a_zero_is_text() {
        for text in [&b"0 errors"[..], b"0\n", b"<13>hello", b"58 <13>"] {
            assert_eq!(
                Opening::of(text, EndOfStream::NotYet),
                if text == b"0\n" {
                    Opening::Unknown
                } else {
                    Opening::Expected
                }
            );
            assert_eq!(Opening::of(text, EndOfStream::Reached), Opening::Expected);
        }
    }
}
