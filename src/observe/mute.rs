//! At most so many log lines a period about one thing that a stranger can cause.
//!
//! ```text
//!   something happened ──▶ Mute::admit(now) ──▶ Some(skipped)  write the line, with how many were skipped before it
//!                                           └─▶ None           write nothing; a counter has it anyway
//! ```

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Limits one kind of log line. Cheap enough to ask on every failure; never on the path of a good packet.
#[derive(Debug)]
pub struct Mute {
    lines_max: u32,
    period: Duration,
    window: Mutex<Window>,
}

#[derive(Debug)]
struct Window {
    began: Option<Instant>,
    lines: u32,
    skipped: u64,
}

impl Mute {
    /// Lets `lines_max` lines through in each `period`.
    pub const fn new(lines_max: u32, period: Duration) -> Self {
        Mute {
            lines_max,
            period,
            window: Mutex::new(Window {
                began: None,
                lines: 0,
                skipped: 0,
            }),
        }
    }

    /// Five lines a minute: enough to see what is going on, too few to fill a disk.
    pub const fn usual() -> Self {
        Mute::new(5, Duration::from_secs(60))
    }

    /// Whether a line may be written now; if so, how many were skipped since the last one.
    pub fn admit(&self, now: Instant) -> Option<u64> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = window
            .began
            .is_none_or(|began| now.saturating_duration_since(began) >= self.period);
        if is_over {
            window.began = Some(now);
            window.lines = 0;
        }
        if window.lines >= self.lines_max {
            window.skipped += 1;
            return None;
        }
        window.lines += 1;
        Some(std::mem::take(&mut window.skipped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_gives_a_few_lines_a_period_and_the_next_one_says_how_many_were_skipped() {
        let mute = Mute::new(2, Duration::from_secs(60));
        let start = Instant::now();
        let admitted = (0..100).filter_map(|_| mute.admit(start)).count();
        assert_eq!(admitted, 2);
        let later = start + Duration::from_secs(61);
        assert_eq!(mute.admit(later), Some(98));
        assert_eq!(mute.admit(later), Some(0));
        assert_eq!(mute.admit(later), None);
    }
}
