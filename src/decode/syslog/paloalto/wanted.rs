//! The few columns that the message's own facts come from, by their places in a type's table.
//!
//! ```text
//!  names    … time_generated … device_name … high_res_timestamp      Columns::new, when trapline is compiled
//!  wanted      (6, TimeGenerated) (52, DeviceName) (…, HighResTimestamp)
//! ```
//!
//! A traffic log has some 110 columns, of which three are looked at: the others need not be compared by name.

/// The columns of one type of log.
pub(super) struct Columns {
    /// Their names.
    pub names: &'static [&'static str],
    /// Places of those that the message's own facts are taken from, in ascending order. Where a type has none of a
    /// name, its place is behind the last.
    pub wanted: [(usize, Wanted); WANTED.len()],
}

/// What the message itself takes from a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    TimeGenerated,
    EventId,
    Opaque,
    DeviceName,
    HighResTimestamp,
}

const WANTED: [(&str, Wanted); 5] = [
    ("time_generated", Wanted::TimeGenerated),
    ("eventid", Wanted::EventId),
    ("opaque", Wanted::Opaque),
    ("device_name", Wanted::DeviceName),
    ("high_res_timestamp", Wanted::HighResTimestamp),
];

impl Columns {
    pub(super) const fn new(names: &'static [&'static str]) -> Columns {
        let mut wanted = [(names.len(), Wanted::TimeGenerated); WANTED.len()];
        let (mut place, mut found) = (0, 0);
        while place < names.len() {
            let mut one = 0;
            while one < WANTED.len() {
                if is_same(names[place], WANTED[one].0) {
                    wanted[found] = (place, WANTED[one].1);
                    found += 1;
                }
                one += 1;
            }
            place += 1;
        }
        Columns { names, wanted }
    }
}

/// `==`, for constants.
const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut place = 0;
    while place < one.len() && place < other.len() && one[place] == other[place] {
        place += 1;
    }
    place == one.len() && place == other.len()
}
