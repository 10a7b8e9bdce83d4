#![no_main]
//! A stream of SNMP messages (RFC 3430) in pieces: the frames must not depend on how it is split.

use trapline_fuzz::packet::Wholeness;
use trapline_fuzz::receive::framing::ber::BerFramer;
use trapline_fuzz::receive::framing::{EndOfStream, Step};

const MESSAGE_BYTES_MAX: usize = 300;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((piece, stream)) = bytes.split_first() else {
        return;
    };
    let whole = frames(stream, stream.len());
    assert_eq!(frames(stream, usize::from(*piece)), whole);
    assert_eq!(frames(stream, 1), whole);
});

/// The frames of the stream, and whether framing was lost behind them.
fn frames(stream: &[u8], piece: usize) -> (Vec<(Vec<u8>, Wholeness)>, bool) {
    let mut framer = BerFramer::new(MESSAGE_BYTES_MAX);
    let (mut buffered, mut frames) = (Vec::new(), Vec::new());
    let mut pieces = stream.chunks(piece.max(1));
    loop {
        let next = pieces.next();
        let end = match next {
            Some(_) => EndOfStream::NotYet,
            None => EndOfStream::Reached,
        };
        buffered.extend_from_slice(next.unwrap_or_default());
        loop {
            let consumed = match framer.next(&buffered, end) {
                Step::NeedMore => break,
                Step::Skip { consumed } => consumed,
                Step::Frame {
                    bytes,
                    wholeness,
                    consumed,
                } => {
                    frames.push((buffered[bytes].to_vec(), wholeness));
                    consumed
                }
                Step::Lost { .. } => return (frames, true),
            };
            assert!(consumed > 0, "a step that consumes nothing never ends");
            buffered.drain(..consumed);
        }
        assert!(
            buffered.len() < framer.buffer_bytes_max(),
            "a full buffer must always be decided"
        );
        if end == EndOfStream::Reached {
            assert!(buffered.is_empty(), "octets that came to no end");
            return (frames, false);
        }
    }
}
