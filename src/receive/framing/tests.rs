use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

type Frames = Vec<(Vec<u8>, Wholeness)>;

/// Feeds `chunks` as a connection would and returns the frames and how many bytes were consumed.
fn frames_of(limit: usize, chunks: &[&[u8]]) -> (Frames, usize) {
    let mut framer = Framer::new(limit);
    let mut buffered = Vec::new();
    let (mut frames, mut total) = (Vec::new(), 0);
    let last: &[u8] = b"";
    let fed = chunks
        .iter()
        .map(|chunk| (*chunk, EndOfStream::NotYet))
        .chain([(last, EndOfStream::Reached)]);
    for (chunk, end) in fed {
        buffered.extend_from_slice(chunk);
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
                Step::Lost { why } => panic!("{why}"),
            };
            assert!(consumed > 0, "a step that consumes nothing never ends");
            buffered.drain(..consumed);
            total += consumed;
        }
        assert!(
            buffered.len() < framer.buffer_bytes_max(),
            "a full buffer must always be decided"
        );
    }
    (frames, total)
}

fn frames(limit: usize, stream: &[u8]) -> Frames {
    let (frames, consumed) = frames_of(limit, &[stream]);
    assert_eq!(consumed, stream.len());
    frames
}

fn whole(texts: &[&str]) -> Frames {
    texts
        .iter()
        .map(|text| (text.as_bytes().to_vec(), Wholeness::Whole))
        .collect()
}

#[test]
fn counted_frames_follow_each_other_without_anything_between() {
    assert_eq!(
        frames(100, b"16 <1>1 - - - - - -17 <4>11 - - - - - -"),
        whole(&["<1>1 - - - - - -", "<4>11 - - - - - -"])
    );
}

#[test]
fn lines_end_in_lf_or_cr_lf_or_nul() {
    assert_eq!(
        frames(100, b"<1>a\n<2>b\r\n<3>c\0<4>d\n\0<5>e"),
        whole(&["<1>a", "<2>b", "<3>c", "<4>d", "<5>e"])
    );
}

#[test]
fn one_connection_may_mix_counted_frames_and_lines() {
    assert_eq!(
        frames(100, b"4 <1>a<2>b\n4 <3>c\n<4>d\n"),
        whole(&["<1>a", "<2>b", "<3>c", "<4>d"])
    );
}

#[test]
fn a_line_feed_after_or_inside_a_counted_frame_is_not_part_of_the_message() {
    assert_eq!(
        frames(100, b"4 <1>a\n5 <2>b\n6 <3>c\r\n5 <4>d\0"),
        whole(&["<1>a", "<2>b", "<3>c", "<4>d"])
    );
}

#[test]
fn a_line_feed_in_the_middle_of_a_counted_frame_stays() {
    assert_eq!(frames(100, b"8 <1>a\nb\nc"), whole(&["<1>a\nb\nc"]));
}

#[test]
fn a_number_without_a_pri_behind_it_is_a_line() {
    assert_eq!(
        frames(100, b"123 hello\n0 <1>x\n16<1>1\n1\n007 <1>y\n"),
        whole(&["123 hello", "0 <1>x", "16<1>1", "1", "007 <1>y"])
    );
}

#[test]
fn empty_lines_are_keep_alives_and_not_packets() {
    assert_eq!(frames(100, b"\n\r\n\0\n<1>a\n\n\r\n"), whole(&["<1>a"]));
    assert_eq!(frames(100, b""), Frames::new());
}

#[test]
fn a_counted_frame_above_the_limit_is_cut_and_the_next_one_is_found() {
    assert_eq!(
        frames(6, b"10 <1>abcdefg4 <2>b"),
        vec![
            (b"<1>abc".to_vec(), Wholeness::Cut),
            (b"<2>b".to_vec(), Wholeness::Whole)
        ]
    );
}

#[test]
fn a_line_above_the_limit_is_cut_and_the_next_one_is_found() {
    let cut = (b"<1>abc".to_vec(), Wholeness::Cut);
    let next = (b"<2>b".to_vec(), Wholeness::Whole);
    for line in [
        &b"<1>abcd\n<2>b\n"[..],
        b"<1>abcdefghijkl\n<2>b\n",
        b"<1>abcd\r\n<2>b\n",
    ] {
        assert_eq!(frames(6, line), vec![cut.clone(), next.clone()]);
    }
}

#[test]
fn a_line_of_exactly_the_limit_is_whole() {
    assert_eq!(
        frames(6, b"<1>abc\n<2>abc\r\n<3>abc"),
        whole(&["<1>abc", "<2>abc", "<3>abc"])
    );
}

#[test]
fn an_absurd_count_costs_its_own_line_and_not_the_connection() {
    for count in ["99999999999", "4294967296", "99999999999999999999"] {
        let stream = format!("{count} <1>a\n<2>b\n");
        assert_eq!(
            frames(100, stream.as_bytes()),
            vec![
                (b"<1>a".to_vec(), Wholeness::Cut),
                (b"<2>b".to_vec(), Wholeness::Whole)
            ],
            "{count}"
        );
    }
    let mut endless = b"99999999999 <1>".to_vec();
    endless.resize(1000, b'x');
    let cut = frames(10, &endless);
    assert_eq!(cut, vec![(b"<1>xxxxxxx".to_vec(), Wholeness::Cut)]);
}

#[test]
fn a_counted_frame_cut_short_by_the_end_is_a_half() {
    assert_eq!(
        frames(100, b"16 <1>2"),
        vec![(b"<1>2".to_vec(), Wholeness::Half)]
    );
    assert_eq!(
        frames(100, b"99999999999 <1>2"),
        vec![(b"<1>2".to_vec(), Wholeness::Half)]
    );
}

#[test]
fn an_unterminated_line_at_the_end_is_whole() {
    assert_eq!(frames(100, b"<1>a\r"), whole(&["<1>a"]));
    assert_eq!(frames(100, b"12"), whole(&["12"]));
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..12),
        4 => prop::collection::vec(prop::sample::select(b"<>1209 \r\n\0ab".to_vec()), 0..24),
        3 => "[a-z \n]{0,24}".prop_map(|text| format!("{} <1>{text}", text.len() + 3).into_bytes()),
        3 => "<[0-9]{1,3}>[a-z ]{0,24}(\n|\r\n|\0)".prop_map(String::into_bytes),
        1 => "[1-9][0-9]{0,21} <1>[a-z]{0,30}\n?".prop_map(String::into_bytes),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn however_a_stream_is_split_its_frames_are_the_same(
        stream in stream(),
        limit in 1_usize..40,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let (at_once, consumed) = frames_of(limit, &[&stream]);
        prop_assert_eq!(consumed, stream.len());
        for (bytes, _) in &at_once {
            prop_assert!(!bytes.is_empty() && bytes.len() <= limit);
        }
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        prop_assert_eq!(&frames_of(limit, &chunks), &(at_once.clone(), stream.len()));
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(&frames_of(limit, &bytes), &(at_once, stream.len()));
    }
}

fn corpus(path: &str) -> Option<PathBuf> {
    let full = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/corpus/syslog")
        .join(path);
    if full.exists() {
        return Some(full);
    }
    eprintln!("SKIPPED: {path} is not on this machine");
    None
}

#[test]
fn the_octet_counting_corpus_is_framed_as_its_authors_expect() {
    let Some(path) = corpus("octetcounting.jsonl") else {
        return;
    };
    let text = std::fs::read_to_string(path).unwrap();
    let mut cases = 0;
    for line in text.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let input = unhex(case["input_hex"].as_str().unwrap());
        let ours = frames(1 << 20, &input);
        let messages = case["best_effort"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|result| !result["message"].is_null())
            .count();
        let framed = ours
            .iter()
            .filter(|(bytes, _)| bytes.starts_with(b"<"))
            .count();
        // The authors refuse one frame because of a limit of theirs of 10 bytes.
        let messages = messages.max(usize::from(case["descr"] == "MSGLEN gt max message length"));
        assert_eq!(framed, messages, "{}", case["descr"]);
        cases += 1;
    }
    assert!(cases > 10, "only {cases} cases were read");
}

#[test]
fn the_telegraf_streams_are_framed_into_as_many_messages_as_it_expects() {
    let Some(folder) = corpus("telegraf/testcases") else {
        return;
    };
    let mut cases = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let streamed = name.contains("octet_counting") || name.contains("non_transparent");
        let read = |file: &str| std::fs::read(folder.join(file));
        let (true, Ok(input), Ok(expected)) = (streamed, read("input.txt"), read("expected.out"))
        else {
            continue;
        };
        let expected = String::from_utf8(expected).unwrap();
        let messages = expected
            .lines()
            .filter(|line| line.starts_with("syslog,"))
            .count();
        let ours = frames(1 << 16, &input);
        assert!(ours.len() >= messages, "{name}: {ours:?}");
        assert!(
            ours.iter()
                .take(messages)
                .all(|(bytes, _)| bytes.starts_with(b"<")),
            "{name}: {ours:?}"
        );
        cases += 1;
    }
    assert!(cases > 10, "only {cases} cases were read");
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}
