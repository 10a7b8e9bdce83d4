//! A stream of bytes → frames. Pure: no sockets, no clock, no buffer of its own.
//!
//! ```text
//!   caller's buffer ──▶ Framer::next(buffered, end) ──▶ Frame { bytes, wholeness, consumed }   hand it on, then drop `consumed`
//!                                                   ├─▶ Skip { consumed }                      drop `consumed`, ask again
//!                                                   ├─▶ NeedMore                               read, ask again (at the end: all done)
//!                                                   └─▶ Lost                                   close (SNMP alone)
//! ```
//!
//! This is the framing of syslog; [`ber`] is that of SNMP, and takes the same steps. RFC 6587 has two framings, and one
//! connection may mix them, so each frame is told apart by itself:
//!
//! ```text
//!   octet counting (§3.4.1)      MSG-LEN SP SYSLOG-MSG      16 <1>1 - - - - - -
//!   non-transparent (§3.4.2)     SYSLOG-MSG TRAILER         <1>1 - - - - - - LF      (TRAILER: LF, CR LF or NUL)
//! ```
//!
//! - A frame is counted when it starts with 1-9, more digits, one space **and** `<`, with which every message that has a
//!   PRI begins. `123 hello` is a line: a count without `<` behind it is no evidence.
//! - LF, CR and NUL before a frame are no part of it. Senders put an LF behind counted frames, or send empty lines to
//!   keep a connection alive; neither is a packet.
//! - An LF, CR LF or NUL at the end of a counted frame is inside the count at some senders; it is taken off, so that
//!   one message makes the same event over every transport.
//! - A counted frame longer than the limit is cut to the limit and the rest is discarded by count. A count above
//!   [`COUNT_BELIEVED_MAX`] is a mistake or an attack: discarding by it would swallow all that the connection ever
//!   says, so such a frame ends at the next trailer, and is marked as cut.
//! - A line longer than the limit is cut, and what follows is skipped up to its trailer.
//! - Where the sender has closed, an unterminated line is whole (many close without a last LF); a counted frame that is
//!   not all there is a half. Where the stream was given up before its end (the agent stops, the sender was silent for too
//!   long, the connection broke) nobody knows what was to follow: then an unterminated line is a half as well.

pub mod ber;

use std::ops::Range;

use memchr::memchr2;

use crate::packet::Wholeness;

/// Digits that a count may have: as many as a 64-bit number. With more it is no count but a line.
const COUNT_DIGITS_MAX: usize = 20;

/// The longest announced frame whose remainder is discarded by count: 16 MiB, 256 times the largest datagram and far
/// above any message that a device logs, yet read within seconds on a thin line.
pub const COUNT_BELIEVED_MAX: u64 = 16 * 1024 * 1024;

/// What a buffer must hold beyond the limit so that a frame can always be decided: the count, its space and the `<`,
/// or a line's CR LF.
pub const OVERHEAD_BYTES_MAX: usize = COUNT_DIGITS_MAX + 2;

/// Whether the stream may bring more bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndOfStream {
    /// More may come: an incomplete frame waits.
    NotYet,
    /// The sender has closed: what is left is a frame, or half of one.
    Reached,
    /// Nothing more is read, and the sender has not closed: what is left is half a frame.
    Abandoned,
}

/// What to do next with the buffered bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The buffered bytes do not decide anything. At the end of the stream: all is done.
    NeedMore,
    /// One frame.
    Frame {
        /// Where its bytes stand in the buffered bytes, without framing. Never empty, never above the limit.
        bytes: Range<usize>,
        /// Whether bytes of it are missing.
        wholeness: Wholeness,
        /// How many buffered bytes to drop after use.
        consumed: usize,
    },
    /// Bytes that belong to no frame, or to the part of one that is discarded.
    Skip {
        /// How many buffered bytes to drop. Never 0.
        consumed: usize,
    },
    /// What follows cannot be told apart: the connection must be closed. Syslog finds its next line and never says so.
    Lost {
        /// What stands where a frame must begin, in words.
        why: &'static str,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At a frame's first byte, or at fillers before it.
    Start,
    /// In a line; `best` is what it is when its trailer comes within the limit.
    Line { best: Wholeness },
    /// Behind a count, at the frame's `<`.
    Counted { count: u64 },
    /// In the rest of a counted frame that was cut.
    DiscardCounted { left: u64 },
    /// In the rest of a line that was cut.
    DiscardLine,
}

/// The framing of one connection.
#[derive(Debug)]
pub struct Framer {
    frame_bytes_max: usize,
    state: State,
    /// Bytes of the present line that were already searched for a trailer, so that a peer that sends one byte at a
    /// time does not cost a search of the whole line each time.
    searched: usize,
}

impl Framer {
    /// A framer at the start of a stream; frames longer than `frame_bytes_max` (at least 1) are cut.
    pub fn new(frame_bytes_max: usize) -> Self {
        Framer {
            frame_bytes_max: frame_bytes_max.max(1),
            state: State::Start,
            searched: 0,
        }
    }

    /// How large the caller's buffer must be able to become: with so many bytes buffered there is always a decision.
    pub fn buffer_bytes_max(&self) -> usize {
        self.frame_bytes_max.saturating_add(OVERHEAD_BYTES_MAX)
    }

    /// Looks at `buffered`: all bytes read and not yet consumed. The caller drops exactly `consumed` bytes from the
    /// front before it asks again, and may append.
    pub fn next(&mut self, buffered: &[u8], end: EndOfStream) -> Step {
        if buffered.is_empty() {
            return Step::NeedMore;
        }
        match self.state {
            State::Start => self.start(buffered, end),
            State::Line { best } => self.line(buffered, end, best),
            State::Counted { count } => self.counted(buffered, end, count),
            State::DiscardCounted { left } => self.discard_counted(buffered, left),
            State::DiscardLine => self.discard_line(buffered),
        }
    }

    fn start(&mut self, buffered: &[u8], end: EndOfStream) -> Step {
        let fillers = buffered
            .iter()
            .take_while(|byte| matches!(byte, b'\n' | b'\r' | 0))
            .count();
        if fillers > 0 {
            return Step::Skip { consumed: fillers };
        }
        match prefix(buffered) {
            Prefix::Undecided if end == EndOfStream::NotYet => Step::NeedMore,
            Prefix::Undecided | Prefix::Line => {
                let best = Wholeness::Whole;
                self.state = State::Line { best };
                self.line(buffered, end, best)
            }
            Prefix::Count { count, length } => {
                self.state = if count > COUNT_BELIEVED_MAX.max(self.limit()) {
                    State::Line {
                        best: Wholeness::Cut,
                    }
                } else {
                    State::Counted { count }
                };
                Step::Skip { consumed: length }
            }
        }
    }

    fn line(&mut self, buffered: &[u8], end: EndOfStream, best: Wholeness) -> Step {
        // The longest line that is within the limit has its CR LF behind it.
        let window = buffered
            .get(..self.frame_bytes_max.saturating_add(2))
            .unwrap_or(buffered);
        let unsearched = window.get(self.searched..).unwrap_or_default();
        if let Some(found) = memchr2(b'\n', 0, unsearched) {
            let length = self.searched + found;
            return self.end_line(window.get(..length).unwrap_or_default(), length + 1, best);
        }
        if window.len() > self.frame_bytes_max.saturating_add(1) {
            self.enter(State::DiscardLine);
            return frame(
                0..self.frame_bytes_max,
                Wholeness::Cut,
                self.frame_bytes_max,
            );
        }
        self.searched = window.len();
        match end {
            EndOfStream::NotYet => Step::NeedMore,
            EndOfStream::Reached => {
                let best = match best {
                    Wholeness::Whole => Wholeness::Whole,
                    Wholeness::Cut | Wholeness::Half => Wholeness::Half,
                };
                self.end_line(window, window.len(), best)
            }
            EndOfStream::Abandoned => self.end_line(window, window.len(), Wholeness::Half),
        }
    }

    /// Ends the present line, whose bytes without LF or NUL are `line`.
    fn end_line(&mut self, line: &[u8], consumed: usize, best: Wholeness) -> Step {
        self.enter(State::Start);
        let length = line.strip_suffix(b"\r").unwrap_or(line).len();
        match length {
            0 => Step::Skip { consumed },
            length if length > self.frame_bytes_max => {
                frame(0..self.frame_bytes_max, Wholeness::Cut, consumed)
            }
            length => frame(0..length, best, consumed),
        }
    }

    fn counted(&mut self, buffered: &[u8], end: EndOfStream, count: u64) -> Step {
        let wanted = usize::try_from(count.min(self.limit())).unwrap_or(self.frame_bytes_max);
        match (buffered.get(..wanted), end) {
            (Some(_), _) if count > self.limit() => {
                let left = count - self.limit();
                self.enter(State::DiscardCounted { left });
                frame(0..wanted, Wholeness::Cut, wanted)
            }
            (Some(bytes), _) => {
                self.enter(State::Start);
                let length = without_trailer(bytes).len();
                frame(0..length, Wholeness::Whole, wanted)
            }
            (None, EndOfStream::NotYet) => Step::NeedMore,
            (None, EndOfStream::Reached | EndOfStream::Abandoned) => {
                self.enter(State::Start);
                let length = without_trailer(buffered).len();
                frame(0..length, Wholeness::Half, buffered.len())
            }
        }
    }

    fn discard_counted(&mut self, buffered: &[u8], left: u64) -> Step {
        let (consumed, left) = discard(buffered, left);
        self.enter(match left {
            0 => State::Start,
            left => State::DiscardCounted { left },
        });
        Step::Skip { consumed }
    }

    fn discard_line(&mut self, buffered: &[u8]) -> Step {
        match memchr2(b'\n', 0, buffered) {
            Some(found) => {
                self.enter(State::Start);
                Step::Skip {
                    consumed: found + 1,
                }
            }
            None => Step::Skip {
                consumed: buffered.len(),
            },
        }
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.searched = 0;
    }

    fn limit(&self) -> u64 {
        u64::try_from(self.frame_bytes_max).unwrap_or(u64::MAX)
    }
}

/// How many of the buffered bytes go with the `left` bytes that are to be discarded, and how many are left after them.
fn discard(buffered: &[u8], left: u64) -> (usize, u64) {
    let there = u64::try_from(buffered.len()).unwrap_or(u64::MAX);
    let consumed = usize::try_from(left.min(there)).unwrap_or(buffered.len());
    (consumed, left.saturating_sub(there))
}

fn frame(bytes: Range<usize>, wholeness: Wholeness, consumed: usize) -> Step {
    Step::Frame {
        bytes,
        wholeness,
        consumed,
    }
}

enum Prefix {
    /// All that is there could still become a count.
    Undecided,
    Line,
    /// `length` bytes are digits and the space.
    Count {
        count: u64,
        length: usize,
    },
}

fn prefix(buffered: &[u8]) -> Prefix {
    if !matches!(buffered.first(), Some(b'1'..=b'9')) {
        return Prefix::Line;
    }
    let mut count: u64 = 0;
    for (at, byte) in buffered.iter().enumerate().take(COUNT_DIGITS_MAX + 1) {
        match byte {
            b'0'..=b'9' if at < COUNT_DIGITS_MAX => {
                let digit = u64::from(byte - b'0');
                count = count.saturating_mul(10).saturating_add(digit);
            }
            b' ' => {
                return match buffered.get(at + 1) {
                    Some(b'<') => Prefix::Count {
                        count,
                        length: at + 1,
                    },
                    Some(_) => Prefix::Line,
                    None => Prefix::Undecided,
                };
            }
            _ => return Prefix::Line,
        }
    }
    Prefix::Undecided
}

fn without_trailer(frame: &[u8]) -> &[u8] {
    let line = frame
        .strip_suffix(b"\n")
        .or_else(|| frame.strip_suffix(b"\0"))
        .unwrap_or(frame);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests;
