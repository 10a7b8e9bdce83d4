//! A device's stored name, kept inside its entry.
//!
//! ```text
//!  r1.branch.example.net ──▶ 38 bytes in place: found where the entry is found
//!  a longer one          ──▶ elsewhere, as a text of its own
//! ```
//!
//! Every message with a name is compared with it. A text that stands elsewhere is one more place of memory to wait for.

use std::fmt;
use std::ops::Deref;

/// So long a name stands in place: a host and three labels of its domain, as most are.
const SHORT_BYTES_MAX: usize = 38;

/// A name; empty where there is none.
#[derive(Clone)]
pub struct Name(Kept);

#[derive(Clone)]
enum Kept {
    Short {
        length: u8,
        octets: [u8; SHORT_BYTES_MAX],
    },
    Long(Box<str>),
}

impl Name {
    /// The name's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Kept::Short { length, octets } => {
                octets.get(..usize::from(*length)).unwrap_or_default()
            }
            Kept::Long(text) => text.as_bytes(),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // It was text when it was put here.
            Kept::Short { .. } => std::str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Kept::Long(text) => text,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Name {
        let mut octets = [0; SHORT_BYTES_MAX];
        let place = octets.get_mut(..text.len());
        Name(match (place, u8::try_from(text.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(text.as_bytes());
                Kept::Short { length, octets }
            }
            _ => Kept::Long(text.into()),
        })
    }
}

impl Default for Name {
    fn default() -> Name {
        Name::from("")
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Name {}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_any_length_comes_back_and_equals_only_itself() {
        for length in 0..300 {
            let text = "é".repeat(length / 2) + &"x".repeat(length % 2);
            let name = Name::from(text.as_str());
            assert_eq!(name.as_str(), text);
            assert_eq!(name.len(), length);
            assert_eq!(name.is_empty(), length == 0);
            assert_eq!(name, Name::from(text.as_str()));
            assert_ne!(name, format!("{text}y").as_str());
        }
    }

    #[test]
    fn a_name_takes_forty_bytes() {
        assert_eq!(size_of::<Name>(), 40);
    }
}
