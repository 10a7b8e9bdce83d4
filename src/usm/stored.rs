//! What is kept over restarts, as text: our own engines, and the engines that were learned.
//!
//! ```text
//!   trapline snmp-engine 1            trapline snmp-engines 1
//!   80007ed905...  7                  80001f8880ee84e1...  12 86400 1795226039      boots, time, heard (seconds since 1970)
//!   80000009...   50                  80001f8880ee84e2...  12 86400 1795226039 1 60 1795225979      excused: boots, time, begun
//!                                     80001f8880ee84e3...  12 86400 1795226039 1 60 1795225979 1 +7000 1795200000  and before
//!   crc32c 1a2b3c4d                   crc32c 5e6f7a8b                               over everything before this line
//! ```
//!
//! The first of our own is that of the run; the others are of earlier runs, the last one first. Whoever knows one of them
//! refuses it at fewer boots than it had (RFC 3414, section 3.2 (7) b), so an ID that is chosen again goes on counting.
//!
//! Of excused starts the newest stands first. A `+` before the time of one says that it went on: a later message of it was
//! heard than the first. To an earlier trapline it is the number's sign.
//!
//! An earlier trapline reads lines with excused starts without them, or the first of them, and this one reads that one's
//! lines. Of starts that one without the sign wrote, none counts as gone on until it is heard again.
//! A file that is torn or of a newer version is not believed at all.

use std::fmt::Write;

use super::clock::RUNS_MAX;
use super::engines::{ENGINES_MAX, EngineKey};
use super::window::BOOTS_MAX;

const OWN: &str = "trapline snmp-engine 1\n";
const LEARNED: &str = "trapline snmp-engines 1\n";

/// Engine IDs of our own whose boots are kept. An operator who changes the ID more often than that forgets none that a
/// device can still know.
pub const OWN_MAX: usize = 16;

/// Our own engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnEngine {
    /// snmpEngineID.
    pub id: EngineKey,
    /// snmpEngineBoots of the run that is under way.
    pub boots: u32,
}

impl OwnEngine {
    /// Nobody's: for where no inform is answered.
    pub const NONE: OwnEngine = OwnEngine {
        id: EngineKey::NONE,
        boots: 0,
    };
}

/// Another engine, as it was last heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LearnedEngine {
    /// Its engine ID.
    pub id: EngineKey,
    /// Its boots.
    pub boots: u32,
    /// The latest time that it said. Earlier versions kept what it would have been when it was last heard: of a clock that
    /// runs slow that is a little ahead, by less than the time window, and is passed as soon.
    pub time: u32,
    /// When it was last heard, in seconds since 1970.
    pub heard: i64,
    /// What it says now, where that is below what it said before; and starts before that one.
    pub excused: [Option<LearnedRun>; RUNS_MAX],
}

/// A start of an engine that was excused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LearnedRun {
    /// Its boots.
    pub boots: u32,
    /// The latest time that it said.
    pub time: u32,
    /// When it was started, in seconds since 1970.
    pub begun: i64,
    /// Whether a later message of it was heard than the first.
    pub goes_on: bool,
}

/// Why a text is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a whole file that begins with \"{}\"; it is torn, changed by hand or of another version", .0.trim_end())]
pub struct Damaged(&'static str);

/// Our own engines as text, that of the run first.
pub fn own_to_text(engines: &[OwnEngine]) -> String {
    let mut text = OWN.to_owned();
    for OwnEngine { id, boots } in engines.iter().take(OWN_MAX) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{id:?} {boots}");
    }
    sealed(text)
}

/// Reads them back: one at least.
///
/// # Errors
/// The text is damaged.
pub fn own_from_text(text: &str) -> Result<Vec<OwnEngine>, Damaged> {
    let read = |line: &str| {
        let (id, boots) = line.split_once(' ')?;
        let boots = boots.parse().ok().filter(|boots| *boots <= BOOTS_MAX)?;
        Some(OwnEngine {
            id: key(id)?,
            boots,
        })
    };
    let body = opened(text, OWN).ok_or(Damaged(OWN))?;
    let engines: Option<Vec<_>> = body.lines().take(OWN_MAX).map(read).collect();
    engines
        .filter(|engines| !engines.is_empty())
        .ok_or(Damaged(OWN))
}

/// Learned engines as text.
pub fn learned_to_text(engines: &[LearnedEngine]) -> String {
    let mut text = LEARNED.to_owned();
    for LearnedEngine {
        id,
        boots,
        time,
        heard,
        excused,
    } in engines
    {
        // Writing to a String cannot fail.
        let _ = write!(text, "{id:?} {boots} {time} {heard}");
        for run in excused.iter().flatten() {
            let LearnedRun {
                boots,
                time,
                begun,
                goes_on,
            } = run;
            let sign = if *goes_on { "+" } else { "" };
            let _ = write!(text, " {boots} {sign}{time} {begun}");
        }
        text.push('\n');
    }
    sealed(text)
}

/// Reads them back.
///
/// # Errors
/// The text is damaged.
pub fn learned_from_text(text: &str) -> Result<Vec<LearnedEngine>, Damaged> {
    let read = |line: &str| {
        let mut fields = line.split(' ');
        let mut engine = LearnedEngine {
            id: key(fields.next()?)?,
            boots: fields.next()?.parse().ok()?,
            time: fields.next()?.parse().ok()?,
            heard: fields.next()?.parse().ok()?,
            excused: [None; RUNS_MAX],
        };
        for excused in &mut engine.excused {
            let Some(boots) = fields.next() else { break };
            let time = fields.next()?;
            *excused = Some(LearnedRun {
                boots: boots.parse().ok()?,
                time: time.parse().ok()?,
                begun: fields.next()?.parse().ok()?,
                goes_on: time.starts_with('+'),
            });
        }
        Some(engine)
    };
    let body = opened(text, LEARNED).ok_or(Damaged(LEARNED))?;
    let engines = body.lines().take(ENGINES_MAX).map(read);
    engines.collect::<Option<Vec<_>>>().ok_or(Damaged(LEARNED))
}

fn sealed(mut text: String) -> String {
    let crc = crc32c::crc32c(text.as_bytes());
    let _ = writeln!(text, "crc32c {crc:08x}");
    text
}

fn opened<'t>(text: &'t str, head: &str) -> Option<&'t str> {
    let (body, seal) = text.trim_end_matches('\n').rsplit_once('\n')?;
    let sealed = text.get(..body.len() + 1)?;
    let expected = format!("crc32c {:08x}", crc32c::crc32c(sealed.as_bytes()));
    (seal == expected).then_some(sealed)?.strip_prefix(head)
}

/// An engine ID from hex.
pub fn key(hex: &str) -> Option<EngineKey> {
    EngineKey::new(&octets(hex)?)
}

/// Octets from hex, with or without `0x`, and with colons or spaces between them.
pub fn octets(hex: &str) -> Option<Vec<u8>> {
    let hex = hex.strip_prefix("0x").unwrap_or(hex);
    let digits: Option<Vec<u8>> = hex
        .chars()
        .filter(|letter| !matches!(letter, ':' | ' '))
        .map(|letter| {
            letter
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        })
        .collect();
    let digits = digits.filter(|digits| !digits.is_empty() && digits.len() % 2 == 0)?;
    let pairs = digits.chunks_exact(2);
    Some(
        pairs
            .map(|pair| pair.iter().fold(0, |octet, digit| octet << 4 | digit))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Vec<OwnEngine> {
        let engine = |id, boots| OwnEngine {
            id: key(id).unwrap(),
            boots,
        };
        vec![engine("80007ed90501020304", 7), engine("800000090501", 50)]
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(own_from_text(&own_to_text(&own())), Ok(own()));
        let learned: Vec<LearnedEngine> = (1..100)
            .map(|number| LearnedEngine {
                id: EngineKey::new(&[0x80, 0, 0, 9, 5, number]).unwrap(),
                boots: u32::from(number),
                time: 86_400,
                heard: 1_795_226_039,
                excused: [0, 1, 2].map(|place| {
                    (number % 4 > place).then_some(LearnedRun {
                        boots: place.into(),
                        time: 60,
                        // Long before 1970 where the host's clock was behind and nobody knows.
                        begun: [1_795_225_979, -2_499_741_317, 0][usize::from(place)],
                        goes_on: number % 8 > 4 + place,
                    })
                }),
            })
            .collect();
        assert_eq!(learned_from_text(&learned_to_text(&learned)), Ok(learned));
        assert_eq!(learned_from_text(&learned_to_text(&[])), Ok(vec![]));
    }

    #[test]
    fn lines_of_an_earlier_trapline_are_read_and_it_reads_those_of_this_one() {
        let text = sealed(format!("{LEARNED}8000000905 12 86400 1795226039\n"));
        let mut expected = LearnedEngine {
            id: key("8000000905").unwrap(),
            boots: 12,
            time: 86_400,
            heard: 1_795_226_039,
            excused: [None; RUNS_MAX],
        };
        assert_eq!(learned_from_text(&text), Ok(vec![expected]));
        let line = "8000000905 12 86400 1795226039 1 60 1795225979 1 7000 1795200000";
        let run = |time, begun, goes_on| LearnedRun {
            boots: 1,
            time,
            begun,
            goes_on,
        };
        let newest = run(60, 1_795_225_979, false);
        let before = |goes_on| run(7000, 1_795_200_000, goes_on);
        expected.excused = [Some(newest), Some(before(true)), None];
        let text = learned_to_text(&[expected]);
        assert!(text.contains(&line.replace(" 7000", " +7000")), "{text}");
        // It reads each of them as a number, and knows no sign.
        assert_eq!("+7000".parse(), Ok(7000_u32));
        expected.excused[1] = Some(before(false));
        let earlier = sealed(format!("{LEARNED}{line}\n"));
        assert_eq!(learned_from_text(&earlier), Ok(vec![expected]));
    }

    #[test]
    fn a_file_from_before_other_engines_were_kept_is_read() {
        let text = "trapline snmp-engine 1\n80007ed90501020304 7\ncrc32c CRC\n";
        let crc = crc32c::crc32c(text.rsplit_once("crc32c").unwrap().0.as_bytes());
        let text = text.replace("CRC", &format!("{crc:08x}"));
        assert_eq!(own_from_text(&text).as_deref(), Ok(&own()[..1]));
        assert!(own_from_text(&own_to_text(&[])).is_err());
    }

    #[test]
    fn a_torn_or_changed_file_is_not_believed() {
        let text = own_to_text(&own());
        for end in 0..text.len() - 1 {
            assert!(own_from_text(&text[..end]).is_err(), "{end}");
        }
        assert!(own_from_text(&text.replace(" 7\n", " 6\n")).is_err());
        assert!(learned_from_text(&text).is_err());
    }

    #[test]
    fn hex_is_read_as_people_write_it() {
        for hex in ["0x8000", "80:00", "80 00", "8000"] {
            assert_eq!(octets(hex), Some(vec![0x80, 0]), "{hex}");
        }
        for wrong in ["", "8", "0x", "8g", "é0"] {
            assert_eq!(octets(wrong), None, "{wrong}");
        }
    }
}
