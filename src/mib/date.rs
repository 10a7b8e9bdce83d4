//! `DateAndTime` (RFC 2579, section 2) → RFC 3339.
//!
//! ```text
//!  07 ea │ 0b │ 15 │ 02 │ 0e │ 07 │ 01 │ 2b │ 01 │ 00   →  2026-11-21T02:14:07.1+01:00
//!  year   month day hour  min  sec  1/10  +   hours min
//! ```
//!
//! Eight octets have no zone, and then the text has none: it is the device's own local time.

/// Appends the date. `false`, and nothing appended, where the octets are none.
pub fn rfc3339(octets: &[u8], out: &mut String) -> bool {
    let Some((&[high, low, month, day, hour, minute, second, tenth], zone)) =
        octets.split_first_chunk::<8>()
    else {
        return false;
    };
    let year = u16::from_be_bytes([high, low]);
    let is_date = year <= 9999
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour <= 23
        && minute <= 59
        && second <= 60
        && tenth <= 9;
    let zone = match *zone {
        [] => None,
        [sign @ (b'+' | b'-'), hours @ 0..=14, minutes @ 0..=59] => {
            Some((char::from(sign), hours, minutes))
        }
        _ => return false,
    };
    if !is_date {
        return false;
    }
    // Both below 100, as the year is below 10 000.
    let (century, year) = ((year / 100) as u8, (year % 100) as u8);
    two_digits(century, out);
    for (number, mark) in [
        (year, '-'),
        (month, '-'),
        (day, 'T'),
        (hour, ':'),
        (minute, ':'),
        (second, '.'),
    ] {
        two_digits(number, out);
        out.push(mark);
    }
    out.push(char::from(b'0' + tenth));
    match zone {
        None => {}
        Some((_, 0, 0)) => out.push('Z'),
        Some((sign, hours, minutes)) => {
            out.push(sign);
            two_digits(hours, out);
            out.push(':');
            two_digits(minutes, out);
        }
    }
    true
}

/// Appends a number below 100. Without a formatter, which takes several times as long.
fn two_digits(number: u8, out: &mut String) {
    out.push(char::from(b'0' + number / 10));
    out.push(char::from(b'0' + number % 10));
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: [u8; 11] = [7, 0xea, 11, 21, 2, 14, 7, 1, b'+', 1, 0];

    fn shown(octets: &[u8]) -> Option<String> {
        let mut out = String::new();
        rfc3339(octets, &mut out).then_some(out)
    }

    #[test]
    fn a_date_has_its_zone_or_none() {
        assert_eq!(shown(&DATE).unwrap(), "2026-11-21T02:14:07.1+01:00");
        assert_eq!(shown(&DATE[..8]).unwrap(), "2026-11-21T02:14:07.1");
        let mut utc = DATE;
        utc[9] = 0;
        assert_eq!(shown(&utc).unwrap(), "2026-11-21T02:14:07.1Z");
    }

    #[test]
    fn octets_that_are_no_date_are_not_taken_for_one() {
        for length in [0, 7, 9, 10] {
            assert!(shown(&DATE[..length]).is_none(), "{length}");
        }
        for (place, octet) in [
            (0, 0xff),
            (2, 13),
            (3, 0),
            (4, 24),
            (5, 60),
            (7, 10),
            (8, b'x'),
            (9, 15),
        ] {
            let mut odd = DATE;
            odd[place] = octet;
            assert!(shown(&odd).is_none(), "{place}");
        }
    }
}
