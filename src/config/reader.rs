//! Takes values out of [`Settings`] by key, supplies the default where nothing was set, and notes what came of it.
//!
//! ```text
//!  Settings ──Reader::{text, number, word, list}──▶ plain values
//!                          ├──▶ Effective   every key with the value that counts, for reload and display
//!                          └──▶ Problem     collected; the default stands in, so that one problem does not hide the next
//! ```

use std::collections::BTreeMap;
use std::fmt;

use serde::de::IntoDeserializer;
use serde::de::value::{Error as WordError, StrDeserializer};
use serde::{Deserialize, Serialize};

use super::files::Deadline;
use super::problem::{Place, Problem, Warning};
use super::raw::{Set, Settings};
use super::schema;
use super::secret::Secret;
use super::value::Value;

/// What each key says after files, variables and defaults were put together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effective(pub(super) BTreeMap<String, Said>);

/// The value that counts at one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// As it would be written in the file.
    Plain(String),
    /// Never shown.
    Masked(Secret),
}

impl Effective {
    /// Every key and its value as the file would write it; secrets are `***`.
    pub fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, said)| match said {
            Said::Plain(text) => (key.as_str(), text.as_str()),
            Said::Masked(_) => (key.as_str(), "***"),
        })
    }

    pub(super) fn note(&mut self, key: String, value: &impl Serialize) {
        let text = serde_json::to_string(value).unwrap_or_default();
        self.0.insert(key, Said::Plain(text));
    }

    pub(super) fn note_masked(&mut self, key: String, secret: Secret) {
        self.0.insert(key, Said::Masked(secret));
    }
}

/// What resolving brings to light.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// What has to be put right.
    pub problems: Vec<Problem>,
    /// What works and may not be meant.
    pub warnings: Vec<Warning>,
    /// What each key says.
    pub effective: Effective,
    /// Until when pipes among the files are waited for.
    pub deadline: Deadline,
}

impl Findings {
    pub fn warn(&mut self, at: &Place, key: &str, text: impl Into<String>) {
        self.warnings.push(Warning {
            at: at.clone(),
            key: key.to_owned(),
            text: text.into(),
        });
    }
}

/// One table of settings being read.
pub(super) struct Reader<'r> {
    settings: &'r Settings,
    /// What stands for `listener` in a key that is shown: `listener.syslog-udp`. The same of a user.
    table: Option<(&'static str, String)>,
    /// Where a problem is shown that has no place of its own.
    pub at: Place,
    /// Where problems and values go.
    pub findings: &'r mut Findings,
}

impl<'r> Reader<'r> {
    /// Reads the keys outside listeners.
    pub fn new(settings: &'r Settings, findings: &'r mut Findings) -> Reader<'r> {
        Reader {
            settings,
            table: None,
            at: Place::Absent,
            findings,
        }
    }

    /// Reads the keys of one listener.
    pub fn of_listener(
        settings: &'r Settings,
        name: &str,
        at: &Place,
        findings: &'r mut Findings,
    ) -> Reader<'r> {
        Reader {
            settings,
            table: Some((schema::LISTENER, format!("{}.{name}", schema::LISTENER))),
            at: at.clone(),
            findings,
        }
    }

    /// Reads the keys of one SNMPv3 user.
    pub fn of_user(
        settings: &'r Settings,
        name: &str,
        at: &Place,
        findings: &'r mut Findings,
    ) -> Reader<'r> {
        Reader {
            settings,
            table: Some((schema::SNMP_USER, format!("{}.{name}", schema::SNMP_USER))),
            at: at.clone(),
            findings,
        }
    }

    /// Reads the keys of one rule, which is `shown` as `route.urgent`.
    pub fn of_route(
        settings: &'r Settings,
        shown: String,
        at: &Place,
        findings: &'r mut Findings,
    ) -> Reader<'r> {
        Reader {
            settings,
            table: Some((schema::ROUTE, shown)),
            at: at.clone(),
            findings,
        }
    }

    /// The key as it is shown.
    pub fn shown(&self, path: &str) -> String {
        match &self.table {
            Some((table, shown)) => path.replacen(table, shown, 1),
            None => path.to_owned(),
        }
    }

    /// Where the key's value stands; the table's own place if it was not set.
    pub fn place(&self, path: &str) -> Place {
        self.set(path)
            .map_or_else(|| self.at.clone(), |set| set.at.clone())
    }

    /// Whether the key was set.
    pub fn is_set(&self, path: &str) -> bool {
        self.set(path).is_some()
    }

    /// Whether a value of this table cannot be used, so that a default stands in for it.
    pub fn is_broken(&self) -> bool {
        self.settings.is_broken
    }

    fn set(&self, path: &str) -> Option<&'r Set> {
        debug_assert!(
            schema::find(path).is_some(),
            "{path} is not in schema::KEYS"
        );
        self.settings.values.get(path)
    }

    /// Notes the value that counts.
    pub fn note(&mut self, path: &str, value: &impl Serialize) {
        let key = self.shown(path);
        self.findings.effective.note(key, value);
    }

    /// Reports that something else came than was expected, at the place of the value.
    pub fn problem(&mut self, path: &str, expected: &str, found: &str, advice: impl Into<String>) {
        let problem = Problem::expected(
            &self.place(path),
            &self.shown(path),
            expected,
            found,
            advice,
        );
        self.findings.problems.push(problem);
    }

    /// Reports any other problem, at the place of the value.
    pub fn problem_text(&mut self, path: &str, text: impl Into<String>, advice: impl Into<String>) {
        let problem = Problem::new(&self.place(path), &self.shown(path), text, advice);
        self.findings.problems.push(problem);
    }

    /// Text as it was set, if it was. An empty text counts as not set.
    pub fn text(&self, path: &str) -> Option<&'r str> {
        match &self.set(path)?.value {
            Value::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// A list's parts as they were set, if they were.
    pub fn list(&self, path: &str) -> Option<&'r [(String, Place)]> {
        match &self.set(path)?.value {
            Value::List(parts) => Some(parts),
            _ => None,
        }
    }

    /// A number, or `default`.
    pub fn number(&mut self, path: &str, default: u64) -> u64 {
        let number = match self.set(path).map(|set| &set.value) {
            Some(Value::Number(number)) => *number,
            _ => default,
        };
        self.note(path, &number);
        number
    }

    /// A number that is used as a size in memory, or `default`. Ranges in the schema keep it within `usize`.
    pub fn size(&mut self, path: &str, default: usize) -> usize {
        let default_wide = u64::try_from(default).unwrap_or(u64::MAX);
        usize::try_from(self.number(path, default_wide)).unwrap_or(default)
    }

    /// A number as librdkafka counts, or `default`. Ranges in the schema keep it within 32 bits.
    pub fn number_u32(&mut self, path: &str, default: u32) -> u32 {
        u32::try_from(self.number(path, default.into())).unwrap_or(default)
    }

    /// One of an enum's words, or `default`.
    pub fn word<T: Serialize + Deserialize<'r>>(&mut self, path: &str, default: T) -> T {
        let value = self.known_word(path).unwrap_or(default);
        self.note(path, &value);
        value
    }

    /// One of an enum's words, if one was set.
    pub fn word_if_set<T: Serialize + Deserialize<'r>>(&mut self, path: &str) -> Option<T> {
        let value = self.known_word(path);
        self.note(path, &value);
        value
    }

    fn known_word<T: Deserialize<'r>>(&self, path: &str) -> Option<T> {
        let words: StrDeserializer<'r, WordError> = self.text(path)?.into_deserializer();
        T::deserialize(words).ok()
    }

    /// Text that `read` understands, or `default`; `expected` and `advice` are for the one who wrote something else.
    pub fn parsed<T: fmt::Display>(
        &mut self,
        path: &str,
        default: T,
        read: impl Fn(&str) -> Option<T>,
        expected: &str,
        advice: impl Fn(&str) -> String,
    ) -> T {
        let value = match self.text(path).map(|text| (text, read(text))) {
            None => default,
            Some((_, Some(value))) => value,
            Some((text, None)) => {
                self.problem(path, expected, &format!("{text:?}"), advice(text));
                default
            }
        };
        self.note(path, &value.to_string());
        value
    }
}
