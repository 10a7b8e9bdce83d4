//! When records arrived that memory has forgotten, so that the age of the oldest pending one needs no disk.
//!
//! ```text
//!   the log:  … 4 100 …………… 4 600 …………… 5 100 ……………
//!               ▲ 02:14:07    ▲ 02:14:09    ▲ 02:14:12     marks: a number and when it arrived
//!                  ▲ low 4 311: arrived at 02:14:07 or up to two seconds later
//! ```
//!
//! In: a mark for each batch that is read from the log, one for what memory forgets first, one from the opening. Out:
//! the mark at or below a number. The oldest record is in a batch that is with the client, or is the first that memory
//! forgot, so marks are as fine as needed and few.

use std::collections::VecDeque;

use crate::time::UnixMicros;

/// Where there are more, those that are missed least go: a kilobyte a lane, and an age that is a thirtieth of what is in
/// flight wrong at most.
const MARKS_MAX: usize = 64;

/// A lane's marks.
#[derive(Debug, Default)]
pub(super) struct Marks(VecDeque<(u64, UnixMicros)>);

impl Marks {
    /// Record `number` arrived at `received`.
    pub fn note(&mut self, number: u64, received: UnixMicros) {
        let (first, last) = (self.0.front(), self.0.back());
        if last.is_none_or(|(last, _)| *last < number) {
            self.0.push_back((number, received));
        } else if first.is_some_and(|(first, _)| number < *first) {
            self.0.push_front((number, received));
        }
        if self.0.len() > MARKS_MAX {
            self.thin();
        }
    }

    /// Takes out the mark that is missed least: the one between the two nearest neighbours.
    fn thin(&mut self) {
        let number = |place: usize| self.0.get(place).map_or(0, |(number, _)| *number);
        let gap = |place: &usize| number(place + 1).saturating_sub(number(place - 1));
        let least = (1..self.0.len().saturating_sub(1)).min_by_key(gap);
        if let Some(place) = least {
            self.0.remove(place);
        }
    }

    /// When the last marked record at or below `number` arrived.
    pub fn at(&self, number: u64) -> Option<UnixMicros> {
        let behind = self.0.partition_point(|(marked, _)| *marked <= number);
        let index = behind.checked_sub(1)?;
        self.0.get(index).map(|(_, received)| *received)
    }

    /// Nothing below `number` is asked for any more.
    pub fn forget_below(&mut self, number: u64) {
        while self.0.get(1).is_some_and(|(second, _)| *second <= number) {
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(numbers: impl IntoIterator<Item = u64>) -> Marks {
        let mut marks = Marks::default();
        for number in numbers {
            marks.note(number, UnixMicros(number as i64 * 10));
        }
        marks
    }

    #[test]
    fn the_mark_at_or_below_a_number_counts() {
        let marks = marks([100, 200, 150, 200, 50]);
        assert_eq!(marks.at(49), None);
        assert_eq!(marks.at(50), Some(UnixMicros(500)));
        assert_eq!(marks.at(199), Some(UnixMicros(1000)));
        assert_eq!(marks.at(u64::MAX), Some(UnixMicros(2000)));
    }

    #[test]
    fn the_mark_that_is_still_needed_is_kept() {
        let mut marks = marks([100, 200, 300]);
        marks.forget_below(250);
        assert_eq!(marks.at(199), None);
        assert_eq!(marks.at(250), Some(UnixMicros(2000)));
        marks.forget_below(9_000);
        assert_eq!(marks.at(9_000), Some(UnixMicros(3000)));
    }

    #[test]
    fn however_many_there_are_the_lowest_is_exact_and_the_others_are_near() {
        let marks = marks(0..10_000);
        assert!(marks.0.len() <= MARKS_MAX);
        assert_eq!(marks.at(0), Some(UnixMicros(0)));
        for number in (0..10_000).step_by(97) {
            let UnixMicros(found) = marks.at(number).expect("a mark");
            assert!(
                found <= number as i64 * 10 && found >= number as i64 * 10 - 4_000,
                "{number}"
            );
        }
    }
}
