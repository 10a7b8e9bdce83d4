//! A stream of bytes → SNMP messages (RFC 3430, section 2.1). Pure, as [`super`] is.
//!
//! ```text
//!   30 82 01 0a  02 01 01 04 06 ...   30 29  02 01 ...
//!   └┬┘└───┬───┘└────── content ─────┘└ the next message
//!  SEQUENCE  length (X.690, 8.1.3: one octet, or 8n and n octets)
//! ```
//!
//! Nothing but the outermost length says where a message ends, so only that is read; what stands inside is for whoever
//! takes the message. There is no mark to find the next message by: where no message can begin, framing is lost, and
//! the connection must be closed, as the RFC says.
//!
//! - A message longer than the limit is cut to the limit and the rest is discarded by its length, up to
//!   [`COUNT_BELIEVED_MAX`]. A longer one is a mistake or an attack, and loses framing.
//! - At the end of the stream a message that is not all there is a half.

use super::{COUNT_BELIEVED_MAX, EndOfStream, Step, discard, frame};
use crate::packet::Wholeness;

/// The identifier octet of every SNMP message: SEQUENCE (RFC 3417, section 8).
const SEQUENCE: u8 = 0x30;

/// Length octets behind the first: one that needs more than 8 does not fit a `u64`, and no message is near that.
const LENGTH_OCTETS_MAX: u8 = 8;

/// What a buffer must hold so that a message's length can be read: identifier, first length octet, and the others.
const HEADER_BYTES_MAX: usize = 2 + LENGTH_OCTETS_MAX as usize;

/// The framing of one connection.
#[derive(Debug)]
pub struct BerFramer {
    message_bytes_max: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At a message's first byte.
    Start,
    /// In the rest of a message that was cut.
    Discard { left: u64 },
    /// Nothing that follows can be told apart.
    Lost { why: &'static str },
}

enum Header {
    /// The length is not all there.
    Undecided,
    /// Identifier, length and content have so many bytes.
    Message { bytes: u64 },
    /// No message begins so.
    None { why: &'static str },
}

impl BerFramer {
    /// A framer at the start of a stream; messages longer than `message_bytes_max` (at least 1) are cut.
    pub fn new(message_bytes_max: usize) -> Self {
        BerFramer {
            message_bytes_max: message_bytes_max.max(1),
            state: State::Start,
        }
    }

    /// How large the caller's buffer must be able to become: with so many bytes buffered there is always a decision.
    pub fn buffer_bytes_max(&self) -> usize {
        self.message_bytes_max.max(HEADER_BYTES_MAX)
    }

    /// Looks at `buffered`: all bytes read and not yet consumed. The caller drops exactly `consumed` bytes from the
    /// front before it asks again, and may append. After [`Step::Lost`] no frame ever comes.
    pub fn next(&mut self, buffered: &[u8], end: EndOfStream) -> Step {
        match self.state {
            _ if buffered.is_empty() => Step::NeedMore,
            State::Lost { why } => Step::Lost { why },
            State::Start => self.start(buffered, end),
            State::Discard { left } => {
                let (consumed, left) = discard(buffered, left);
                self.state = match left {
                    0 => State::Start,
                    left => State::Discard { left },
                };
                Step::Skip { consumed }
            }
        }
    }

    fn start(&mut self, buffered: &[u8], end: EndOfStream) -> Step {
        match header(buffered) {
            Header::None { why } => self.lose(why),
            Header::Undecided => self.wait(buffered, end),
            Header::Message { bytes } => self.message(buffered, end, bytes),
        }
    }

    fn message(&mut self, buffered: &[u8], end: EndOfStream, bytes: u64) -> Step {
        let limit = u64::try_from(self.message_bytes_max).unwrap_or(u64::MAX);
        if bytes > COUNT_BELIEVED_MAX.max(limit) {
            return self.lose("a message that says to be longer than 16 MiB");
        }
        let wanted = usize::try_from(bytes.min(limit)).unwrap_or(self.message_bytes_max);
        if buffered.len() < wanted {
            return self.wait(buffered, end);
        }
        if bytes > limit {
            let left = bytes - limit;
            self.state = State::Discard { left };
            return frame(0..wanted, Wholeness::Cut, wanted);
        }
        frame(0..wanted, Wholeness::Whole, wanted)
    }

    /// The message is not all there.
    fn wait(&mut self, buffered: &[u8], end: EndOfStream) -> Step {
        match end {
            EndOfStream::NotYet => Step::NeedMore,
            EndOfStream::Reached | EndOfStream::Abandoned => {
                let length = buffered.len().min(self.message_bytes_max);
                frame(0..length, Wholeness::Half, buffered.len())
            }
        }
    }

    fn lose(&mut self, why: &'static str) -> Step {
        self.state = State::Lost { why };
        Step::Lost { why }
    }
}

/// Reads identifier and length of what `buffered` begins with.
fn header(buffered: &[u8]) -> Header {
    let mut octets = buffered.iter().copied();
    match octets.next() {
        None => return Header::Undecided,
        Some(SEQUENCE) => {}
        Some(_) => {
            let why = "a byte other than 0x30, with which every SNMP message begins";
            return Header::None { why };
        }
    }
    let following = match octets.next() {
        None => return Header::Undecided,
        Some(length @ 0..0x80) => {
            let bytes = 2 + u64::from(length);
            return Header::Message { bytes };
        }
        Some(0x80) => {
            let why = "an indefinite length (RFC 3417, section 8, forbids it)";
            return Header::None { why };
        }
        Some(first) => first & 0x7f,
    };
    if following > LENGTH_OCTETS_MAX {
        let why = "a length of more than 8 octets";
        return Header::None { why };
    }
    let mut content = 0_u64;
    for _ in 0..following {
        let Some(octet) = octets.next() else {
            return Header::Undecided;
        };
        content = content << 8 | u64::from(octet);
    }
    let bytes = content.saturating_add(2 + u64::from(following));
    Header::Message { bytes }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = 300;

    /// What came of a stream that arrives in pieces of `piece` bytes.
    #[derive(Debug, PartialEq, Eq)]
    enum Got {
        Message(Vec<u8>, Wholeness),
        Lost(&'static str),
    }

    fn frames(stream: &[u8], piece: usize) -> Vec<Got> {
        let mut framer = BerFramer::new(LIMIT);
        let (mut buffered, mut got) = (Vec::new(), Vec::new());
        let mut pieces = stream.chunks(piece.max(1));
        loop {
            let next = pieces.next();
            let end = match next {
                Some(_) => EndOfStream::NotYet,
                None => EndOfStream::Reached,
            };
            buffered.extend_from_slice(next.unwrap_or_default());
            loop {
                assert!(buffered.len() <= framer.buffer_bytes_max() + piece);
                let consumed = match framer.next(&buffered, end) {
                    Step::NeedMore => break,
                    Step::Skip { consumed } => consumed,
                    Step::Frame {
                        bytes,
                        wholeness,
                        consumed,
                    } => {
                        got.push(Got::Message(buffered[bytes].to_vec(), wholeness));
                        consumed
                    }
                    Step::Lost { why } => {
                        got.push(Got::Lost(why));
                        return got;
                    }
                };
                assert!(consumed > 0 && consumed <= buffered.len());
                buffered.drain(..consumed);
            }
            if end == EndOfStream::Reached {
                assert!(buffered.is_empty());
                return got;
            }
        }
    }

    /// A message with `content` bytes inside, its length in the shortest form or in one with `octets` octets.
    fn message(content: usize, octets: Option<usize>) -> Vec<u8> {
        let octets = octets.unwrap_or(match content {
            0..0x80 => 0,
            0x80..0x100 => 1,
            _ => 2,
        });
        let mut bytes = vec![SEQUENCE];
        if octets == 0 {
            bytes.push(content as u8);
        } else {
            bytes.push(0x80 | octets as u8);
            bytes.extend(&(content as u64).to_be_bytes()[8 - octets..]);
        }
        bytes.extend((0..content).map(|at| at as u8));
        bytes
    }

    fn whole(message: &[u8]) -> Got {
        Got::Message(message.to_vec(), Wholeness::Whole)
    }

    #[test]
    fn messages_come_out_one_after_the_other_however_the_stream_is_split() {
        let messages = [
            message(41, None),
            message(0, None),
            message(200, None),
            message(20, Some(1)),
            message(20, Some(4)),
            message(5, Some(8)),
        ];
        let stream = messages.concat();
        let expected: Vec<Got> = messages.iter().map(|message| whole(message)).collect();
        for piece in [1, 2, 3, 7, 64, stream.len()] {
            assert_eq!(frames(&stream, piece), expected, "pieces of {piece}");
        }
    }

    #[test]
    fn a_message_above_the_limit_is_cut_and_the_next_one_is_whole() {
        let (long, next) = (message(5000, None), message(3, None));
        let stream = [long.clone(), next.clone()].concat();
        let cut = Got::Message(long[..LIMIT].to_vec(), Wholeness::Cut);
        for piece in [1, 100, stream.len()] {
            let got = frames(&stream, piece);
            assert_eq!(got.len(), 2);
            assert_eq!(got[0], cut);
            assert_eq!(got[1], whole(&next));
        }
    }

    #[test]
    fn a_message_that_ends_with_the_stream_is_a_half() {
        let message = message(100, None);
        for length in 1..message.len() {
            let half = Got::Message(message[..length].to_vec(), Wholeness::Half);
            assert_eq!(frames(&message[..length], 16), [half]);
        }
    }

    #[test]
    fn what_begins_as_no_message_does_loses_framing_in_words() {
        let why = |bytes: &[u8]| match frames(bytes, 1).pop() {
            Some(Got::Lost(why)) => why,
            other => panic!("{other:?}"),
        };
        assert!(why(b"<13>syslog").contains("0x30"));
        assert!(why(&[SEQUENCE, 0x80, 2, 1, 1, 0, 0]).contains("indefinite"));
        assert!(why(&[SEQUENCE, 0x89, 1, 2, 3, 4, 5, 6, 7, 8, 9]).contains("8 octets"));
        assert!(why(&[SEQUENCE, 0x84, 0xff, 0, 0, 0]).contains("16 MiB"));
        assert!(why(&[[SEQUENCE, 0x88].as_slice(), &[0xff; 8]].concat()).contains("16 MiB"));
        let behind = [message(3, None), vec![0, 0]].concat();
        assert!(matches!(
            frames(&behind, 4)[..],
            [Got::Message(..), Got::Lost(_)]
        ));
    }

    proptest! {
        #[test]
        fn any_stream_ends_and_is_split_alike_in_pieces_of_any_size(
            stream in proptest::collection::vec(prop_oneof![Just(SEQUENCE), 0_u8..8, any::<u8>()], 0..400),
            piece in 1_usize..50,
        ) {
            prop_assert_eq!(frames(&stream, piece), frames(&stream, stream.len()));
        }
    }
}
