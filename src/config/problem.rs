//! What is wrong with a configuration, in words that say where it stands and what to do.
//!
//! ```text
//!  trapline.toml:7:13: kafka.linger_ms: expected a whole number of milliseconds from 0 to 900000, found "fast"; ...
//!  └ file, line, column └ key            └ what was expected                                     └ what came  └ what to do
//! ```
//!
//! Values that may be secret are never part of the text: for those only their kind is named.

use std::collections::BTreeSet;
use std::fmt;

/// Where a key or a value stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the file.
    File {
        /// The file as it was named.
        file: String,
        /// Line, counted from 1.
        line: usize,
        /// Character of the line, counted from 1.
        column: usize,
    },
    /// The file as a whole.
    Unplaced(String),
    /// In this environment variable.
    Variable(String),
    /// Nowhere: it is a default, or something is missing.
    Absent,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File { file, line, column } => write!(out, "{file}:{line}:{column}"),
            Place::Unplaced(file) => write!(out, "{file}"),
            Place::Variable(name) => write!(out, "environment {name}"),
            Place::Absent => write!(out, "configuration"),
        }
    }
}

/// One thing that has to be put right before the agent can use the configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{at}: {}{text}; {advice}", prefix(.key))]
pub struct Problem {
    /// Where it stands.
    pub at: Place,
    /// The key's path, for example `kafka.linger_ms`; empty where the file as a whole is concerned.
    pub key: String,
    /// What was expected and what came.
    pub text: String,
    /// What to do.
    pub advice: String,
}

/// One thing that works and may not be meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// Where it stands.
    pub at: Place,
    /// The key's path.
    pub key: String,
    /// What follows from it, and what to do.
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}{}", self.at, prefix(&self.key), self.text)
    }
}

fn prefix(key: &str) -> String {
    if key.is_empty() {
        String::new()
    } else {
        format!("{key}: ")
    }
}

impl Problem {
    /// Something else came than was expected.
    pub(super) fn expected(
        at: &Place,
        key: &str,
        expected: &str,
        found: &str,
        advice: impl Into<String>,
    ) -> Problem {
        Problem {
            at: at.clone(),
            key: key.to_owned(),
            text: format!("expected {expected}, found {found}"),
            advice: advice.into(),
        }
    }

    /// Whether the warning may be there only because of this problem: it is of the same value, or it misses something of
    /// which this problem may be what was written, in the same section, in another one, or by a variable.
    pub(super) fn may_cause(&self, warning: &Warning) -> bool {
        let section = |key: &str| key.split('.').next().map(str::to_owned);
        let name = |key: &str| key.rsplit('.').next().map(str::to_owned);
        match warning.at {
            Place::Absent => {
                self.key.is_empty()
                    || section(&self.key) == section(&warning.key)
                    || name(&self.key) == name(&warning.key)
            }
            _ => self.at == warning.at && self.key == warning.key,
        }
    }

    /// Any other problem.
    pub(super) fn new(
        at: &Place,
        key: &str,
        text: impl Into<String>,
        advice: impl Into<String>,
    ) -> Problem {
        Problem {
            at: at.clone(),
            key: key.to_owned(),
            text: text.into(),
            advice: advice.into(),
        }
    }
}

/// Turns byte offsets of a file into lines and columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'t> {
    /// The file as it was named.
    pub file: &'t str,
    /// What it holds.
    pub text: &'t str,
}

impl Source<'_> {
    /// The place of the byte at `offset`; beyond the end it is the end.
    pub fn place(&self, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Place::File {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or("").chars().count() + 1,
        }
    }
}

/// The name of `known` that `typed` was most likely meant to be: one of the same words in another order, else one of
/// which at most a third of the letters differ, else the only one that has all its words, that it begins, or that
/// begins it. Letter case, - and _ do not count.
pub(super) fn nearest<'k>(typed: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let fold = |name: &str| name.to_ascii_lowercase().replace('-', "_");
    let typed = fold(typed);
    let words: BTreeSet<&str> = typed.split('_').collect();
    let known: Vec<(&str, String)> = known.map(|name| (name, fold(name))).collect();
    let words_of =
        |name: &'_ str| -> BTreeSet<String> { name.split('_').map(str::to_owned).collect() };
    let has_all = |name: &str| {
        let of_this = words_of(name);
        words.iter().all(|word| of_this.contains(*word))
    };
    let same = |name: &str| has_all(name) && words_of(name).len() == words.len();
    if let Some((name, _)) = known.iter().find(|(_, folded)| same(folded)) {
        return Some(name);
    }
    let close = known
        .iter()
        .map(|(name, folded)| (distance(&typed, folded), *name))
        .filter(|(distance, name)| *distance <= (name.len().max(3) / 3))
        .min();
    if let Some((_, name)) = close {
        return Some(name);
    }
    // Less than three letters begin too many names.
    let is_begun = |name: &str| {
        name.len().min(typed.len()) >= 3 && (name.starts_with(&typed) || typed.starts_with(name))
    };
    let mut cut = known
        .iter()
        .filter(|(_, folded)| has_all(folded) || is_begun(folded));
    let only = cut.next()?;
    cut.next().is_none().then_some(only.0)
}

/// How many letters must be put in, taken out or exchanged, with another one or with their neighbour (the distance of
/// Damerau and Levenshtein, each letter touched once).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    let mut last_letter = None;
    for (at, letter) in left.chars().enumerate() {
        let mut next = vec![at + 1];
        let mut last_other = None;
        for (column, other) in right.iter().enumerate() {
            let cell =
                |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX);
            let exchanged = cell(&row, column) + usize::from(letter != *other);
            let one_less = cell(&row, column + 1).min(cell(&next, column)) + 1;
            let is_swapped = last_letter == Some(*other) && last_other == Some(letter);
            let swapped = match column.checked_sub(1) {
                Some(column) if is_swapped => cell(&before, column) + 1,
                _ => usize::MAX,
            };
            next.push(exchanged.min(one_less).min(swapped));
            last_other = Some(*other);
        }
        before = std::mem::replace(&mut row, next);
        last_letter = Some(letter);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_count_from_one() {
        let source = Source {
            file: "f",
            text: "a = 1\nä = \"ö\" x",
        };
        let place = |offset| source.place(offset).to_string();
        assert_eq!(place(0), "f:1:1");
        assert_eq!(place(6), "f:2:1");
        assert_eq!(place(source.text.len() - 1), "f:2:9");
        assert_eq!(place(9_999), "f:2:10");
    }

    #[test]
    fn a_slip_of_the_keyboard_finds_its_key_and_a_strange_word_finds_none() {
        let known = ["bootstrap_servers", "linger_ms", "compression"];
        assert_eq!(
            nearest("bootstrap-server", known.into_iter()),
            Some("bootstrap_servers")
        );
        assert_eq!(nearest("lingerms", known.into_iter()), Some("linger_ms"));
        assert_eq!(nearest("password", known.into_iter()), None);
    }

    #[test]
    fn words_in_another_order_letters_in_another_case_and_a_name_s_beginning_find_it() {
        let keys = [
            "connections_max",
            "connections_per_peer_max",
            "client_ca_file",
        ];
        let found = |typed| nearest(typed, keys.into_iter());
        assert_eq!(found("max_connections"), Some("connections_max"));
        assert_eq!(found("client_ca"), Some("client_ca_file"));
        assert_eq!(found("per_peer"), Some("connections_per_peer_max"));
        assert_eq!(found("max"), None, "it may be two of them");
        let words = ["MD5", "SHA-1", "SHA", "SHA-256", "SHA-512"];
        assert_eq!(nearest("sha256", words.into_iter()), Some("SHA-256"));
        assert_eq!(nearest("sha", words.into_iter()), Some("SHA"));
        let words = ["error", "warn", "critical"];
        assert_eq!(nearest("err", words.into_iter()), Some("error"));
        assert_eq!(nearest("Warning", words.into_iter()), Some("warn"));
    }

    #[test]
    fn the_distance_counts_letters() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
        assert_eq!(distance("egde", "edge"), 1);
        assert_eq!(distance("ab", "ba"), 1);
    }
}
