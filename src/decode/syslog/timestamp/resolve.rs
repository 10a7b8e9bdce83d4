//! What a stamp lacks is supplied: the instant that it means.

use super::{Stamp, calendar, zone};

/// The instant that a stamp means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub at_micros: i64,
    /// Minutes east of UTC.
    pub offset_minutes: i16,
    /// How many digits of the second's fraction the stamp had, at most 6.
    pub fraction_digits: u8,
    /// Whether the year or the zone was supplied.
    pub completed: bool,
    /// Whether the zone's name stands for several zones and the default is none of them: the instant may be hours off.
    pub guessed_zone: bool,
}

/// The instant of `stamp`, with what it lacks supplied.
///
/// - A missing year is the one that puts the stamp nearest to `received_micros`, so that a message of 31 December
///   that arrives on 1 January keeps its year. 29 February looks further, for the nearest leap year.
/// - A zone name is looked up in a small table. Where a name means several zones, the one that is
///   `default_offset_minutes` now is taken, else the one that more networks use (CST: US Central, IST: India, BST: British
///   summer, AST: Atlantic).
/// - A missing or unknown zone is `default_offset_minutes`.
/// - An offset beyond 18 hours is no zone's, and readers of events refuse it (Java's `ZoneOffset`): the instant is told in
///   UTC then.
///
/// `None` where the date does not exist (29 February 2023) or lies outside the range of microseconds.
pub fn resolve(
    stamp: &Stamp<'_>,
    received_micros: i64,
    default_offset_minutes: i16,
) -> Option<Resolved> {
    let name = stamp.zone.filter(|_| stamp.offset_minutes.is_none());
    let named = name.and_then(|name| zone::meaning(name, default_offset_minutes));
    let written = stamp.offset_minutes.or(named.map(|zone| zone.minutes));
    let offset_minutes = written.unwrap_or(default_offset_minutes);
    let at = |year: i32| instant(stamp, year, offset_minutes);
    let at_micros = match stamp.year {
        Some(year) => at(year)?,
        None => {
            let here = received_micros.saturating_add(i64::from(offset_minutes) * MICROS_A_MINUTE);
            let (year_now, _, _) = calendar::civil_from_days(here.div_euclid(MICROS_A_DAY));
            let nearest = |years: std::ops::RangeInclusive<i32>| {
                years
                    .filter_map(|ahead| at(year_now + ahead))
                    .min_by_key(|at| at.abs_diff(received_micros))
            };
            // Leap years are at most 8 years apart (1896, 1904), so 4 either way always finds one.
            nearest(-1..=1).or_else(|| nearest(-4..=4))?
        }
    };
    let is_told = offset_minutes.unsigned_abs() <= OFFSET_MINUTES_MAX;
    Some(Resolved {
        at_micros,
        offset_minutes: if is_told { offset_minutes } else { 0 },
        fraction_digits: stamp.fraction_digits.min(6),
        completed: stamp.year.is_none() || written.is_none(),
        guessed_zone: named.is_some_and(|zone| zone.is_guess),
    })
}

/// 18 hours: what Java's `ZoneOffset` takes at most, and whatever is built on it.
pub(super) const OFFSET_MINUTES_MAX: u16 = 18 * 60;

const MICROS_A_MINUTE: i64 = 60_000_000;
const MICROS_A_DAY: i64 = 86_400_000_000;

fn instant(stamp: &Stamp<'_>, year: i32, offset_minutes: i16) -> Option<i64> {
    if stamp.day > calendar::days_of_month(year, stamp.month) {
        return None;
    }
    let days = calendar::days_from_civil(year, stamp.month, stamp.day);
    let seconds = days * 86_400
        + i64::from(stamp.hour) * 3600
        + i64::from(stamp.minute) * 60
        + i64::from(stamp.second)
        - i64::from(offset_minutes) * 60;
    seconds
        .checked_mul(1_000_000)?
        .checked_add(i64::from(stamp.micros))
}
