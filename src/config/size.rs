//! Sizes and offsets as people write them: `24 MiB`, `+05:45`.

/// Bytes of `24 MiB`, `1 GB`, `4096` or `4096 B`. `KiB`, `MiB`, `GiB` are powers of 1024; `kB`, `MB`, `GB` of 1000.
/// Letters may be large or small; `None` where the text is something else.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits_end = text
        .find(|letter: char| !letter.is_ascii_digit() && letter != '_')
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(digits_end)?;
    let number: u64 = digits.replace('_', "").parse().ok()?;
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" => 1024,
        "mib" => 1024 * 1024,
        "gib" => 1024 * 1024 * 1024,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// Bytes in the largest unit that needs no fraction: `24 MiB`, `480`.
pub(super) fn shown(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = units
        .into_iter()
        .find(|(factor, _)| bytes >= *factor && bytes.is_multiple_of(*factor));
    unit.map_or_else(
        || bytes.to_string(),
        |(factor, name)| format!("{} {name}", bytes / factor),
    )
}

/// Minutes east of UTC of `+01:00`, `-0330`, `Z` or `UTC`. No zone on earth is further away than -12:00 and +14:00.
pub(super) fn utc_offset_minutes(text: &str) -> Option<i16> {
    if matches!(text, "Z" | "z" | "UTC" | "utc") {
        return Some(0);
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+')?),
    };
    let digits = match rest.split_once(':') {
        Some((hours, minutes)) if hours.len() == 2 => format!("{hours}{minutes}"),
        Some(_) => return None,
        None => rest.to_owned(),
    };
    let well_formed = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_digit());
    let number: i16 = digits.parse().ok().filter(|_| well_formed)?;
    let (hours, minutes) = (number / 100, number % 100);
    let offset = sign * (hours * 60 + minutes);
    (minutes < 60 && (-12 * 60..=14 * 60).contains(&offset)).then_some(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_1024_and_of_1000() {
        assert_eq!(bytes("24 MiB"), Some(25_165_824));
        assert_eq!(bytes("24mib"), Some(25_165_824));
        assert_eq!(bytes("1 GB"), Some(1_000_000_000));
        assert_eq!(bytes("65_536"), Some(65_536));
        assert_eq!(bytes("512 B"), Some(512));
    }

    #[test]
    fn a_size_is_shown_as_it_can_be_written() {
        assert_eq!(shown(25_165_824), "24 MiB");
        assert_eq!(shown(480), "480");
        assert_eq!(shown(1_000_000), "1000000");
        for size in [0, 480, 4096, 1 << 20, 17_179_869_184] {
            assert_eq!(bytes(&shown(size)), Some(size));
        }
    }

    #[test]
    fn what_is_no_size_is_none() {
        for text in [
            "",
            "MiB",
            "1.5 GiB",
            "-1",
            "10 MBit",
            "18446744073709551615 GiB",
            "3 M",
        ] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }

    #[test]
    fn offsets_reach_from_twelve_hours_west_to_fourteen_east() {
        assert_eq!(utc_offset_minutes("+01:00"), Some(60));
        assert_eq!(utc_offset_minutes("-0330"), Some(-210));
        assert_eq!(utc_offset_minutes("+14:00"), Some(840));
        assert_eq!(utc_offset_minutes("UTC"), Some(0));
        for text in [
            "+14:01", "-12:30", "+01:60", "01:00", "+1", "CET", "+1:000", "++100",
        ] {
            assert_eq!(utc_offset_minutes(text), None, "{text}");
        }
    }
}
