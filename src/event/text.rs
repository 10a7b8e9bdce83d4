//! How bytes, instants and binary become JSON text, without allocating.

use serde::{Serialize, Serializer};

use crate::time::UnixMicros;

/// Text from a device: bytes that are usually UTF-8. Written as JSON text; what is not UTF-8 becomes
/// U+FFFD (the pipeline then keeps the original in `raw_base64`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text<'a>(pub &'a [u8]);

impl<'a> Text<'a> {
    /// The text, where it is UTF-8.
    pub fn as_str(&self) -> Option<&'a str> {
        std::str::from_utf8(self.0).ok()
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Text(text.as_bytes())
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => serializer.collect_str(self),
        }
    }
}

impl std::fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for chunk in self.0.utf8_chunks() {
            f.write_str(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                f.write_str("\u{fffd}")?;
            }
        }
        Ok(())
    }
}

/// Binary as standard base64 (RFC 4648, section 4). Only for the rare packet that is not text, so it allocates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Base64<'a>(pub &'a [u8]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl std::fmt::Display for Base64<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        use std::fmt::Write;
        for chunk in self.0.chunks(3) {
            let mut word: u32 = 0;
            for index in 0..3 {
                word = word << 8 | chunk.get(index).copied().map_or(0, u32::from);
            }
            for index in 0..4 {
                let sextet = word >> (18 - 6 * index) & 0x3f;
                let letter = if index <= chunk.len() {
                    ALPHABET[sextet as usize] as char
                } else {
                    '='
                };
                f.write_char(letter)?;
            }
        }
        Ok(())
    }
}

/// An instant as RFC 3339 text: `2026-11-21T02:14:07.131842Z`, with the digits that the source had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rfc3339 {
    at: UnixMicros,
    offset_minutes: i16,
    fraction_digits: u8,
}

impl Rfc3339 {
    /// The longest text; every digit stands in its place.
    const SHAPE: [u8; 32] = *b"0000-00-00T00:00:00.000000+00:00";

    /// In UTC, with microseconds.
    pub fn micros(at: UnixMicros) -> Self {
        Rfc3339 {
            at,
            offset_minutes: 0,
            fraction_digits: 6,
        }
    }

    /// In a zone, with as many digits of the second as the source gave (0, 3 or 6).
    pub fn with_offset(at: UnixMicros, offset_minutes: i16, fraction_digits: u8) -> Self {
        Rfc3339 {
            at,
            offset_minutes,
            fraction_digits: fraction_digits.min(6),
        }
    }

    /// The instant.
    pub fn instant(&self) -> UnixMicros {
        self.at
    }

    /// Writes the text over `out`, which has its shape, and says how much of it was used.
    fn format<'b>(&self, out: &'b mut [u8; Self::SHAPE.len()]) -> &'b str {
        let local = self
            .at
            .0
            .saturating_add(i64::from(self.offset_minutes) * 60_000_000);
        let (days, micros) = (
            local.div_euclid(86_400_000_000),
            local.rem_euclid(86_400_000_000) as u64,
        );
        let (year, month, day) = civil_from_days(days);
        let year = year.clamp(0, 9999) as u32;
        // A day has 86 400 seconds, a second 1 000 000 microseconds: both fit, and 32 bits are divided faster than 64.
        let (second, micro) = ((micros / 1_000_000) as u32, (micros % 1_000_000) as u32);
        two_digits(out, 0, year / 100);
        two_digits(out, 2, year % 100);
        two_digits(out, 5, month as u32);
        two_digits(out, 8, day as u32);
        two_digits(out, 11, second / 3600);
        two_digits(out, 14, second / 60 % 60);
        two_digits(out, 17, second % 60);
        two_digits(out, 20, micro / 10_000);
        two_digits(out, 22, micro / 100 % 100);
        two_digits(out, 24, micro % 100);
        let zone_at = match usize::from(self.fraction_digits) {
            0 => 19,
            digits => 20 + digits,
        };
        let end = self.write_zone(out, zone_at);
        std::str::from_utf8(out.get(..end).unwrap_or_default()).unwrap_or_default()
    }

    /// Writes the zone at `at`, over digits that the source did not have, and says where it ends.
    fn write_zone(&self, out: &mut [u8; Self::SHAPE.len()], at: usize) -> usize {
        let mut zone = *b"Z00:00";
        let mut length = 1;
        if self.offset_minutes != 0 {
            let minutes = u32::from(self.offset_minutes.unsigned_abs());
            zone[0] = if self.offset_minutes < 0 { b'-' } else { b'+' };
            two_digits(&mut zone, 1, minutes / 60);
            two_digits(&mut zone, 4, minutes % 60);
            length = zone.len();
        }
        for (to, from) in out.iter_mut().skip(at).zip(&zone[..length]) {
            *to = *from;
        }
        at + length
    }
}

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.format(&mut { Self::SHAPE }))
    }
}

impl std::fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.format(&mut { Self::SHAPE }))
    }
}

/// Writes a number below 100.
#[inline(always)]
fn two_digits<const N: usize>(out: &mut [u8; N], at: usize, value: u32) {
    out[at] = b'0' + (value / 10) as u8;
    out[at + 1] = b'0' + (value % 10) as u8;
}

/// Proleptic Gregorian date of a day count since 1970-01-01 (the inverse of the usual era arithmetic).
fn civil_from_days(days: i64) -> (i64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (
        year_of_era + era * 400 + i64::from(month <= 2),
        month as u64,
        day as u64,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(at: i64, offset_minutes: i16, digits: u8) -> String {
        Rfc3339::with_offset(UnixMicros(at), offset_minutes, digits).to_string()
    }

    #[test]
    fn instants_are_written_in_their_zone_with_their_digits() {
        assert_eq!(text(0, 0, 6), "1970-01-01T00:00:00.000000Z");
        assert_eq!(
            text(1_795_227_247_131_842, 0, 6),
            "2026-11-21T02:14:07.131842Z"
        );
        assert_eq!(
            text(1_795_227_247_131_842, 60, 3),
            "2026-11-21T03:14:07.131+01:00"
        );
        assert_eq!(
            text(1_795_227_247_131_842, -330, 0),
            "2026-11-20T20:44:07-05:30"
        );
        assert_eq!(text(951_782_400_000_000, 0, 0), "2000-02-29T00:00:00Z");
        assert_eq!(text(-1, 0, 6), "1969-12-31T23:59:59.999999Z");
    }

    #[test]
    fn instants_agree_with_an_independent_calendar_over_four_centuries() {
        for day in (-80_000..80_000).step_by(17) {
            let ours = text(day * 86_400_000_000, 0, 0);
            let theirs = jiff::Timestamp::from_second(day * 86_400)
                .unwrap()
                .to_string();
            assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn base64_matches_the_rfc_4648_vectors() {
        let vectors = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
        ];
        for (plain, coded) in vectors {
            assert_eq!(Base64(plain.as_bytes()).to_string(), coded);
        }
    }

    #[test]
    fn text_that_is_not_utf_8_is_written_with_replacement_characters() {
        assert_eq!(
            serde_json::to_string(&Text(b"a\xffb")).unwrap(),
            "\"a\u{fffd}b\""
        );
    }

    proptest::proptest! {
        #[test]
        fn bytes_that_are_not_text_are_replaced_as_the_standard_library_does(
            bytes in proptest::collection::vec(proptest::sample::select(b"a\"\xc3\xa9\xe2\x82\xac\xf0\x9f\xff\x80".to_vec()), 0..24),
        ) {
            let lossy = String::from_utf8_lossy(&bytes);
            proptest::prop_assert_eq!(Text(&bytes).to_string(), lossy.to_string());
            proptest::prop_assert_eq!(
                serde_json::to_string(&Text(&bytes)).unwrap(),
                serde_json::to_string(&lossy).unwrap()
            );
        }
    }
}
