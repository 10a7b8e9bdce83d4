//! A device's zone: a fixed offset, or a name of the IANA database on this host.
//!
//! ```text
//!  "+01:00" ──▶ Fixed(60)         "Europe/Berlin" ──▶ Named ──offset at the time of arrival──▶ 60 or 120
//! ```

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::time::UnixMicros;

/// The zone of time stamps that name none.
#[derive(Debug, Clone, PartialEq)]
pub enum Zone {
    /// Minutes east of UTC, all year.
    Fixed(i16),
    /// With its summer time, as this host's zone files say.
    Named(TimeZone),
}

impl Zone {
    /// Minutes east of UTC at this moment. A message arrives moments after its time stamp, so the moment of arrival
    /// decides; in the hour of a change it may be the other offset.
    pub fn offset_minutes(&self, at: UnixMicros) -> i16 {
        match self {
            Zone::Fixed(minutes) => *minutes,
            Zone::Named(zone) => {
                let at = Timestamp::from_microsecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH);
                (zone.to_offset(at).seconds() / 60) as i16
            }
        }
    }
}

/// As it is written in an inventory.
impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Zone::Fixed(minutes) => {
                let sign = if *minutes < 0 { '-' } else { '+' };
                let minutes = minutes.unsigned_abs();
                write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
            Zone::Named(zone) => f.write_str(zone.iana_name().unwrap_or("a zone of this host")),
        }
    }
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Zone, String> {
        if text == "UTC" || text == "Z" {
            return Ok(Zone::Fixed(0));
        }
        if let Some(minutes) = fixed(text) {
            return Ok(Zone::Fixed(minutes));
        }
        TimeZone::get(text).map(Zone::Named).map_err(|_| {
            "expected +01:00 or a name of this host's zone database, such as Europe/Berlin"
                .to_owned()
        })
    }
}

/// `+01:00`, `-0930`, `+1`.
fn fixed(text: &str) -> Option<i16> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match rest.split_once(':') {
        Some(parts) => parts,
        None if rest.len() == 4 => rest.split_at_checked(2)?,
        None => (rest, "0"),
    };
    let (hours, minutes): (i16, i16) = (hours.parse().ok()?, minutes.parse().ok()?);
    // The zones of the world go from -12 to +14.
    let valid = (0..=14).contains(&hours) && (0..=59).contains(&minutes);
    valid.then_some(sign * (hours * 60 + minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_read_in_its_usual_forms() {
        for (text, minutes) in [
            ("+01:00", 60),
            ("-0930", -570),
            ("+1", 60),
            ("UTC", 0),
            ("+14:00", 840),
        ] {
            assert_eq!(text.parse(), Ok(Zone::Fixed(minutes)), "{text}");
        }
        for text in ["", "01:00", "+25", "+01:99", "Mars/Olympus", "+ü"] {
            assert!(text.parse::<Zone>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_named_zone_follows_summer_time() {
        if !std::path::Path::new("/usr/share/zoneinfo/Europe/Berlin").exists() {
            println!("skipped: this host has no zone database");
            return;
        }
        let zone: Zone = "Europe/Berlin".parse().expect("a zone of this host");
        let (january, july) = (1_768_435_200_000_000, 1_784_073_600_000_000);
        assert_eq!(zone.offset_minutes(UnixMicros(january)), 60);
        assert_eq!(zone.offset_minutes(UnixMicros(july)), 120);
    }
}
