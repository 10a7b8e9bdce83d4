//! Zones behind a time: offsets and names.

use super::{Stamp, ZoneWords, two};
use crate::decode::reader::Reader;

/// What a zone's name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meaning {
    /// Minutes east of UTC.
    pub(super) minutes: i16,
    /// The name stands for several zones, and nothing says which.
    pub(super) is_guess: bool,
}

/// What `name` means for a device whose own zone is `own_minutes` east of UTC now: of several meanings the one that is
/// the device's own, else the one that more networks use.
pub(super) fn meaning(name: &[u8], own_minutes: i16) -> Option<Meaning> {
    let minutes = minutes(name)?;
    let others = other_meanings(name);
    let is_own = others.contains(&own_minutes);
    Some(Meaning {
        minutes: if is_own { own_minutes } else { minutes },
        is_guess: !others.is_empty() && !is_own && own_minutes != minutes,
    })
}

/// Minutes east of UTC of what a name means elsewhere than [`minutes`] says.
fn other_meanings(name: &[u8]) -> &'static [i16] {
    match name {
        // Arabia, and Canada's Atlantic coast.
        b"AST" => &[180],
        // Bangladesh, and the summer of Britain.
        b"BST" => &[360],
        // China, and the middle of North America.
        b"CST" => &[480],
        // Israel and the summer of Ireland, and India.
        b"IST" => &[120, 60],
        _ => &[],
    }
}

/// Minutes east of UTC of the zone names that network devices write.
pub(super) fn minutes(name: &[u8]) -> Option<i16> {
    Some(match name {
        b"UTC" | b"GMT" | b"Z" | b"WET" => 0,
        b"CET" | b"MET" | b"MEZ" | b"WEST" | b"BST" | b"WAT" => 60,
        b"CEST" | b"MEST" | b"MESZ" | b"EET" | b"SAST" | b"CAT" => 120,
        b"EEST" | b"MSK" | b"EAT" | b"TRT" => 180,
        b"GST" => 240,
        b"PKT" => 300,
        b"IST" => 330,
        b"ICT" | b"WIB" => 420,
        b"HKT" | b"SGT" | b"AWST" | b"PHT" => 480,
        b"JST" | b"KST" => 540,
        b"ACST" => 570,
        b"AEST" => 600,
        b"ACDT" => 630,
        b"AEDT" => 660,
        b"NZST" => 720,
        b"NZDT" => 780,
        b"ART" | b"BRT" => -180,
        b"NST" => -210,
        b"NDT" => -150,
        b"ADT" => -180,
        b"AST" | b"EDT" => -240,
        b"EST" | b"CDT" => -300,
        b"CST" | b"MDT" => -360,
        b"MST" | b"PDT" => -420,
        b"PST" | b"AKDT" => -480,
        b"AKST" => -540,
        b"HST" => -600,
        _ => return None,
    })
}

/// `Z`, `z`, `+01:00`, `+0100`, `+01` or `+1`, where a word ends after it.
pub(super) fn offset(input: &mut Reader<'_>) -> Option<i16> {
    let mut after = *input;
    let minutes = match after.byte()? {
        b'Z' | b'z' => 0,
        sign @ (b'+' | b'-') => {
            let hours = match *after.rest() {
                [tens, ones, ..] if ones.is_ascii_digit() => {
                    after.take(2);
                    two(tens, ones)?
                }
                _ => two(b'0', after.byte()?)?,
            };
            let minutes = match *after.rest() {
                // Any other colon ends the stamp (`GMT+1: %SYS-5-CONFIG_I:`).
                [b':', tens, ones, ..] if tens.is_ascii_digit() && ones.is_ascii_digit() => {
                    after.take(3);
                    two(tens, ones)?
                }
                [tens, ones, ..] if tens.is_ascii_digit() => {
                    after.take(2);
                    two(tens, ones)?
                }
                _ => 0,
            };
            if hours > 23 || minutes > 59 {
                return None;
            }
            let east = i16::from(hours) * 60 + i16::from(minutes);
            if sign == b'-' { -east } else { east }
        }
        _ => return None,
    };
    ends_word(&after).then(|| *input = after)?;
    Some(minutes)
}

pub(super) fn ends_word(input: &Reader<'_>) -> bool {
    // A colon inside a word belongs to an IPv6 address, not to a year.
    matches!(
        input.rest(),
        [] | [b' ' | b'\t', ..] | [b':'] | [b':', b' ', ..]
    )
}

pub(super) fn take<'a>(input: &mut Reader<'a>, stamp: &mut Stamp<'a>, zones: ZoneWords) {
    let mut after = *input;
    if let Some(minutes) = offset(&mut after) {
        stamp.offset_minutes = Some(minutes);
        // Huawei says so while the offset already has the hour.
        if after.rest().starts_with(b" DST ") {
            after.take(4);
        }
        *input = after;
        return;
    }
    if !after.eat(b' ') {
        return;
    }
    if matches!(after.peek(), Some(b'+' | b'-')) {
        if let Some(minutes) = offset(&mut after) {
            stamp.offset_minutes = Some(minutes);
            *input = after;
        }
        return;
    }
    let name = after.take_while(|byte| byte.is_ascii_uppercase());
    if matches!((name, after.peek()), (b"UTC" | b"GMT", Some(b'+' | b'-')))
        && let Some(minutes) = offset(&mut after)
    {
        stamp.offset_minutes = Some(minutes);
        *input = after;
        return;
    }
    let mut behind = after;
    behind.eat(b' ');
    let is_zone = match zones {
        _ if minutes(name).is_some() => ends_word(&after),
        ZoneWords::Known => false,
        ZoneWords::BeforeColon => (2..=7).contains(&name.len()) && behind.peek() == Some(b':'),
    };
    if is_zone {
        stamp.zone = Some(name);
        *input = after;
    }
}
