//! How much a device says, from a count that is looked at now and then.
//!
//! ```text
//!  messages so far, every few seconds ──▶ Pace::look ──▶ messages a second, the last minute weighs most
//! ```
//!
//! Eight bytes a device, and nothing on the path of a message: the count is kept anyway.

/// What is older than this weighs little.
const WINDOW_MICROS: f32 = 60.0 * 1e6;

/// Messages a second, decaying.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pace {
    /// The low half of the count: between two looks no device says four thousand million messages.
    counted: u32,
    per_second: f32,
}

impl Pace {
    /// Of a device that has said so many messages in an earlier life.
    pub fn from(messages: u64) -> Pace {
        Pace {
            counted: messages as u32,
            per_second: 0.0,
        }
    }

    /// The count is `messages`, and `elapsed_micros` have passed since the last look.
    pub fn look(&mut self, messages: u64, elapsed_micros: i64) {
        if elapsed_micros <= 0 {
            return;
        }
        let elapsed = elapsed_micros as f32;
        let said = (messages as u32).wrapping_sub(self.counted) as f32;
        self.counted = messages as u32;
        let weight = 1.0 - (-elapsed / WINDOW_MICROS).exp();
        self.per_second += (said / (elapsed / 1e6) - self.per_second) * weight;
    }

    /// Messages a second. Of a device that is younger than the window, the mean of its life.
    pub fn per_second(&self, messages: u64, age_micros: i64) -> f32 {
        let age = age_micros.max(1_000_000) as f32;
        match age < WINDOW_MICROS {
            true => messages as f32 / (age / 1e6),
            false => self.per_second,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_device_has_its_rate_and_one_that_fell_silent_none_after_some_minutes() {
        let mut pace = Pace::default();
        let mut messages = 0;
        for _ in 0..60 {
            messages += 50;
            pace.look(messages, 5_000_000);
        }
        assert!((pace.per_second(messages, i64::MAX) - 10.0).abs() < 0.2);
        assert_eq!(pace.per_second(30, 10_000_000), 3.0);
        for _ in 0..120 {
            pace.look(messages, 5_000_000);
        }
        assert!(pace.per_second(messages, i64::MAX) < 0.01);
    }

    #[test]
    fn what_an_earlier_process_counted_is_no_rate() {
        let mut pace = Pace::from(1_000_000);
        pace.look(1_000_010, 5_000_000);
        assert!(pace.per_second(1_000_010, i64::MAX) < 1.0);
    }
}
