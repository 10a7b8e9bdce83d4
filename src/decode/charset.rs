//! Bytes that are no UTF-8 → UTF-8, before a message is read.
//!
//! ```text
//!  bytes ─ UTF-8? ──▶ as they are                                  nearly always; nothing is copied
//!     └─ no ─▶ the device's own character set, where it is known and fits
//!               ▷ UTF-8 with damage: left as it is                 U+FFFD stands for what is damaged
//!               ▷ Shift_JIS: it fits, and has a kana               82 9F-F1 or 83 40-96
//!               ▷ GB18030: it fits, and has GB 2312's pairs alone  runs of A1-FE of even length, one of 4 or more
//!               ▷ windows-1252 (Latin-1): letters and its marks    A0-FE, and 80 82 84 85 91-97 99 beside
//!               ▷ as they are                                      binary: U+FFFD, and the original in the event
//! ```
//!
//! The whole message is converted, header too, and before it is read: in Shift_JIS and GB18030 a letter's second byte
//! may be `|`, `[` or a backslash. The rules look at the bytes of this one message only, so the same bytes always give
//! the same text. What they cannot tell (Cyrillic, Korean, Big5, short texts) needs the device's character set to be
//! named. Whoever calls keeps the original, because what was converted was changed.
//!
//! The tables are those of the WHATWG's Encoding Standard, which calls Latin-1 windows-1252.

use encoding_rs::{DecoderResult, Encoding, GB18030, REPLACEMENT, SHIFT_JIS, WINDOWS_1252};

/// The bytes as UTF-8, in `out` where they had to be converted, and the character set that they were in; `None` where
/// nothing was converted. `known` is what the operator says of the device; where it does not fit it is not believed.
///
/// ```
/// use trapline::decode::charset;
/// let mut out = Vec::new();
/// let (text, converted) = charset::to_utf8(b"<13>Ger\xe4t gest\xf6rt", None, &mut out);
/// assert_eq!(text, "<13>Gerät gestört".as_bytes());
/// assert_eq!(converted.unwrap().name(), "windows-1252");
/// ```
pub fn to_utf8<'a>(
    bytes: &'a [u8],
    known: Option<&'static Encoding>,
    out: &'a mut Vec<u8>,
) -> (&'a [u8], Option<&'static Encoding>) {
    let known = known.filter(|known| *known != REPLACEMENT);
    let is_seven_bit = known.is_some_and(|known| !known.is_ascii_compatible());
    let damage = match std::str::from_utf8(bytes) {
        // ISO-2022-JP and UTF-16 are made of bytes that are ASCII, too.
        Ok(_) if !is_seven_bit => return (bytes, None),
        Ok(_) => None,
        Err(damage) => Some(damage),
    };
    let found = known.filter(|known| decode(known, bytes, out));
    let found = found.or_else(|| {
        damage?;
        guess(bytes).filter(|guessed| decode(guessed, bytes, out))
    });
    match found {
        Some(found) => (out, Some(found)),
        None => (bytes, None),
    }
}

/// Appends bytes of this character set to `out`, and says whether every one of them fits; nothing is appended otherwise.
pub fn append(encoding: &'static Encoding, bytes: &[u8], out: &mut String) -> bool {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let most = decoder.max_utf8_buffer_length_without_replacement(bytes.len());
    let Some(most) = most else {
        return false;
    };
    let start = out.len();
    out.reserve(most);
    let (result, _) = decoder.decode_to_string_without_replacement(bytes, out, true);
    let fits = result == DecoderResult::InputEmpty;
    if !fits {
        out.truncate(start);
    }
    fits
}

/// Fills `out`, and says whether every byte fits.
fn decode(encoding: &'static Encoding, bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let most = decoder.max_utf8_buffer_length_without_replacement(bytes.len());
    let Some(most) = most else {
        return false;
    };
    out.clear();
    out.resize(most, 0);
    let (result, _, written) = decoder.decode_to_utf8_without_replacement(bytes, out, true);
    out.truncate(written);
    result == DecoderResult::InputEmpty
}

fn guess(bytes: &[u8]) -> Option<&'static Encoding> {
    if is_damaged_utf8(bytes) {
        None
    } else if has_kana(bytes) && fits(SHIFT_JIS, bytes) {
        Some(SHIFT_JIS)
    } else if has_only_pairs(bytes) && fits(GB18030, bytes) {
        Some(GB18030)
    } else {
        is_western(bytes).then_some(WINDOWS_1252)
    }
}

/// Whether every byte fits, a few at a time and without keeping the text.
fn fits(encoding: &'static Encoding, bytes: &[u8]) -> bool {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let (mut left, mut text) = (bytes, [0; 256]);
    loop {
        let (result, read, _) = decoder.decode_to_utf8_without_replacement(left, &mut text, true);
        left = left.get(read..).unwrap_or_default();
        match result {
            DecoderResult::InputEmpty => return true,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => return false,
        }
    }
}

/// More letters of UTF-8 than places that are none; the place at the end is where a message was cut.
fn is_damaged_utf8(bytes: &[u8]) -> bool {
    let (mut letters, mut damages, mut cut) = (0, 0, 0);
    for chunk in bytes.utf8_chunks() {
        letters += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        cut = usize::from(!chunk.invalid().is_empty());
        damages += cut;
    }
    letters > damages - cut
}

/// Whether two bytes stand together that are a hiragana or katakana, and in no other character set anything usual.
fn has_kana(bytes: &[u8]) -> bool {
    bytes
        .windows(2)
        .any(|pair| matches!(pair, [0x82, 0x9f..=0xf1] | [0x83, 0x40..=0x7e | 0x80..=0x96]))
}

/// Whether all bytes above ASCII stand in runs of pairs of GB 2312, and one run has two letters or more. In Western
/// words such letters stand alone, or two together.
fn has_only_pairs(bytes: &[u8]) -> bool {
    let mut runs = bytes
        .split(u8::is_ascii)
        .filter(|run| !run.is_empty())
        .peekable();
    let mut longest = 0;
    let all = runs.all(|run| {
        longest = longest.max(run.len());
        run.len() % 2 == 0 && run.iter().all(|byte| (0xa1..=0xfe).contains(byte))
    });
    all && longest >= 4
}

/// Letters of Western Europe and the marks of windows-1252, and no byte that only binary has.
fn is_western(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| match byte {
        0x20..=0x7e | b'\t' | b'\r' | b'\n' => true,
        0xa0..=0xfe => true,
        0x80 | 0x82 | 0x84 | 0x85 | 0x91..=0x97 | 0x99 => true,
        // A NUL ends what some devices send.
        0 => bytes.last() == Some(&0) && bytes.iter().filter(|byte| **byte == 0).count() == 1,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use encoding_rs::{EUC_KR, ISO_2022_JP, WINDOWS_1251};

    use super::*;

    fn shown(bytes: &[u8], known: Option<&'static Encoding>) -> (String, Option<&'static str>) {
        let mut out = Vec::new();
        let (text, found) = to_utf8(bytes, known, &mut out);
        let text = String::from_utf8_lossy(text).into_owned();
        (text, found.map(Encoding::name))
    }

    #[test]
    fn what_is_utf_8_is_not_touched_whatever_is_said_of_the_device() {
        for known in [None, Some(GB18030), Some(REPLACEMENT)] {
            assert_eq!(
                shown("<13>端口 up".as_bytes(), known),
                ("<13>端口 up".into(), None)
            );
        }
    }

    #[test]
    fn three_character_sets_are_told_from_the_bytes_alone() {
        for (encoding, text) in [
            (
                WINDOWS_1252,
                "<13>Jul 15 12:34:56 sw1 Gerät gestört, größer als Größe 5 €",
            ),
            (WINDOWS_1252, "<13>sw1: don’t “panic” – café"),
            (
                GB18030,
                "<13>Jul 15 12:34:56 sw1 端口状态变为关闭 [接口] 1/0/1",
            ),
            (
                SHIFT_JIS,
                "<13>Jul 15 12:34:56 sw1 ポートがダウンしました: 表示|能力",
            ),
        ] {
            let (bytes, _, unmappable) = encoding.encode(text);
            assert!(!unmappable, "{text}");
            assert_eq!(
                shown(&bytes, None),
                (text.to_owned(), Some(encoding.name()))
            );
        }
    }

    #[test]
    fn a_known_character_set_is_believed_where_it_fits() {
        for (encoding, text) in [
            (WINDOWS_1251, "<13>порт выключен"),
            (EUC_KR, "<13>포트 다운"),
            (ISO_2022_JP, "<13>ポート"),
            (SHIFT_JIS, "<13>接続"),
        ] {
            let (bytes, _, _) = encoding.encode(text);
            assert_eq!(
                shown(&bytes, Some(encoding)),
                (text.to_owned(), Some(encoding.name()))
            );
        }
        // No pair of GB 18030: a single letter in front of a space.
        let wrong = shown(b"<13>caf\xe9 au lait", Some(GB18030));
        assert_eq!(wrong, ("<13>café au lait".into(), Some("windows-1252")));
    }

    #[test]
    fn damaged_utf_8_and_binary_are_left_as_they_are() {
        for bytes in [
            &"<13>端口".as_bytes()[..8],
            b"<13>\xe7\xab\xaf\xe5\x8f\xa3 \xff",
            b"<13>\xff\xfe\x00",
            b"<13>\xe4\x00\xe4",
            b"\x1b\xe4",
        ] {
            let mut out = Vec::new();
            assert_eq!(to_utf8(bytes, None, &mut out), (bytes, None));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_give_the_same_text_whatever_came_before(before: Vec<u8>, bytes: Vec<u8>) {
            let mut out = before;
            let first = to_utf8(&bytes, None, &mut out).0.to_vec();
            let (again, found) = to_utf8(&bytes, None, &mut out);
            proptest::prop_assert_eq!(&first, again);
            proptest::prop_assert!(found.is_none() || std::str::from_utf8(&first).is_ok());
        }
    }
}
