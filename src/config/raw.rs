//! The file's shape: every value that was set, with the place where it stands.
//!
//! ```text
//!  TOML text ──toml──▶ document with spans ──▶ schema::KEYS ──▶ Raw { settings, options, listeners }
//!                                                  └──▶ Problem: unknown key, wrong type, out of range
//! ```
//!
//! Nothing has a default here, and no value is interpreted beyond its type and range; [`super::resolve`] does that. All
//! problems of a document are found in one walk. The text of a value in `[kafka.options]` is never shown.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Place, Problem, Source, nearest};
use super::schema::{self, Key, Shape};
use super::size;
use crate::config::secret::Secret;

/// Everything that was set, by the file and by the environment.
#[derive(Debug, Default)]
pub(super) struct Raw {
    /// Keys outside listeners and Kafka options.
    pub settings: Settings,
    /// librdkafka options by their name.
    pub options: BTreeMap<String, KafkaOption>,
    /// One for each `[[listener]]`, in the order of the file.
    pub listeners: Vec<RawListener>,
    /// Whether the file says anything about listeners; if not, the default ones count.
    pub has_listeners: bool,
}

/// Values by the key's path.
#[derive(Debug, Default, Clone)]
pub(super) struct Settings {
    /// What was set.
    pub values: BTreeMap<&'static str, Set>,
    /// Whether a value was set that cannot be used. Its problem is reported; what others would follow from the default
    /// that stands in for it would mislead.
    pub is_broken: bool,
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Set {
    /// What was set.
    pub value: Value,
    /// Where it stands.
    pub at: Place,
}

/// A value of the right type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Text, or one of a choice's words.
    Text(String),
    /// A number within its range.
    Number(u64),
    /// The parts of a list, each with its place.
    List(Vec<(String, Place)>),
}

/// One librdkafka option.
#[derive(Debug, Clone)]
pub(super) struct KafkaOption {
    /// Its value, or where to read it.
    pub value: OptionValue,
    /// Where it stands.
    pub at: Place,
}

/// An option's value.
#[derive(Debug, Clone)]
pub(super) enum OptionValue {
    /// The value itself.
    Here(Secret),
    /// The path of the file that holds it.
    File(String),
}

/// One `[[listener]]`.
#[derive(Debug, Clone)]
pub(super) struct RawListener {
    /// Where its header stands.
    pub at: Place,
    /// Its keys, paths starting with `listener.`.
    pub settings: Settings,
}

impl RawListener {
    /// Its name as it was written, if it was.
    pub fn name(&self) -> Option<&str> {
        match &self.settings.values.get("listener.name")?.value {
            Value::Text(name) => Some(name),
            _ => None,
        }
    }
}

/// Reads a document: what was set, and what is wrong with the rest.
///
/// # Errors
/// Syntax errors: then nothing was read.
pub(super) fn read(source: Source<'_>) -> Result<(Raw, Vec<Problem>), Vec<Problem>> {
    let (document, errors) = DeTable::parse_recoverable(source.text);
    let mut walk = Walk {
        source,
        raw: Raw::default(),
        problems: Vec::new(),
    };
    if !errors.is_empty() {
        // What stands around a syntax error is guesswork; only the errors themselves are reported.
        walk.syntax(&errors);
        return Err(walk.problems);
    }
    walk.document(document.get_ref());
    Ok((walk.raw, walk.problems))
}

struct Walk<'t> {
    source: Source<'t>,
    raw: Raw,
    problems: Vec<Problem>,
}

impl Walk<'_> {
    fn syntax(&mut self, errors: &[toml::de::Error]) {
        for error in errors {
            let at = self.source.place(
                error
                    .span()
                    .map_or(self.source.text.len(), |span| span.start),
            );
            // Only the message: the error's own display repeats the line, which may hold a secret.
            let text = format!("this is not TOML: {}", error.message().replace('\n', ", "));
            self.problems.push(Problem::new(
                &at,
                "",
                text,
                "correct the line or put # in front of it; the other keys were not checked yet",
            ));
        }
    }

    fn document(&mut self, document: &DeTable<'_>) {
        for (name, value) in document {
            let section: &str = name.get_ref();
            let at = self.source.place(name.span().start);
            self.raw.has_listeners |= section == schema::LISTENER;
            match (section, value.get_ref()) {
                (schema::LISTENER, DeValue::Array(items)) => {
                    for item in items.iter() {
                        self.listener(item);
                    }
                }
                (schema::LISTENER, other) => self.wrong_table(&at, section, other, "[[listener]]"),
                (_, DeValue::Table(table)) if schema::SECTIONS.contains(&section) => {
                    let mut settings = std::mem::take(&mut self.raw.settings);
                    self.table(section, section, table, &mut settings);
                    self.raw.settings = settings;
                }
                (_, other) if schema::SECTIONS.contains(&section) => {
                    self.wrong_table(&at, section, other, &format!("[{section}]"));
                }
                _ => self.unknown_section(&at, section),
            }
        }
    }

    /// One table. `path` is the schema's, `shown` what is written in problems (they differ for listeners).
    fn table(&mut self, path: &str, shown: &str, table: &DeTable<'_>, settings: &mut Settings) {
        for (name, value) in table {
            let at = self.source.place(name.span().start);
            let path_here = format!("{path}.{}", name.get_ref());
            let shown_here = format!("{shown}.{}", name.get_ref());
            match (path_here.as_str(), value.get_ref()) {
                (schema::OPTIONS, DeValue::Table(options)) => self.options("", options, false),
                (schema::OPTIONS_FILE, DeValue::Table(options)) => self.options("", options, true),
                (schema::LISTENER_TLS, DeValue::Table(tls)) => {
                    self.table(&path_here, &shown_here, tls, settings);
                }
                (schema::OPTIONS | schema::OPTIONS_FILE | schema::LISTENER_TLS, other) => {
                    self.wrong_table(&at, &shown_here, other, &format!("[{path_here}]"));
                }
                _ => match schema::find(&path_here) {
                    Some(key) => self.key(key, &shown_here, value, settings),
                    None => {
                        settings.is_broken = true;
                        self.problems.push(unknown_key(&at, path, &shown_here));
                    }
                },
            }
        }
    }

    fn listener(&mut self, item: &Spanned<DeValue<'_>>) {
        let at = self.source.place(item.span().start);
        let number = self.raw.listeners.len() + 1;
        let DeValue::Table(table) = item.get_ref() else {
            self.wrong_table(&at, "listener", item.get_ref(), "[[listener]]");
            return;
        };
        let name = table.get("name").and_then(|name| name.get_ref().as_str());
        let shown = match name {
            Some(name) => format!("listener.{name}"),
            None => format!("listener[{number}]"),
        };
        let mut settings = Settings::default();
        self.table(schema::LISTENER, &shown, table, &mut settings);
        self.raw.listeners.push(RawListener { at, settings });
    }

    /// Options of librdkafka. Their names have dots, so `sasl.password = ...` without quotes makes tables in tables;
    /// that is taken for the name it was meant to be.
    fn options(&mut self, before: &str, table: &DeTable<'_>, from_file: bool) {
        for (name, value) in table {
            let name = format!("{before}{}", name.get_ref());
            if let DeValue::Table(inner) = value.get_ref() {
                self.options(&format!("{name}."), inner, from_file);
                continue;
            }
            let section = if from_file {
                schema::OPTIONS_FILE
            } else {
                schema::OPTIONS
            };
            let at = self.source.place(value.span().start);
            let key = format!("{section}.{name}");
            let value = match (from_file, value.get_ref()) {
                (true, DeValue::String(path)) => OptionValue::File(path.clone().into_owned()),
                (false, DeValue::String(text)) => OptionValue::Here(Secret::new(text.clone())),
                (false, DeValue::Integer(number)) => {
                    OptionValue::Here(Secret::new(number.to_string()))
                }
                (false, DeValue::Boolean(flag)) => OptionValue::Here(Secret::new(flag.to_string())),
                (_, other) => {
                    let expected = if from_file {
                        "the path of a file, in quotes"
                    } else {
                        "text, a number, true or false"
                    };
                    self.problems.push(Problem::expected(
                        &at,
                        &key,
                        expected,
                        kind(other),
                        "write the value in double quotes",
                    ));
                    continue;
                }
            };
            self.option(name, &key, KafkaOption { value, at });
        }
    }

    fn option(&mut self, name: String, key: &str, option: KafkaOption) {
        if let Some(other) = self.raw.options.get(&name) {
            self.problems.push(Problem::new(
                &option.at,
                key,
                format!("the option is set a second time, first at {}", other.at),
                "keep one of the two",
            ));
            return;
        }
        self.raw.options.insert(name, option);
    }

    fn key(
        &mut self,
        key: &'static Key,
        shown: &str,
        value: &Spanned<DeValue<'_>>,
        settings: &mut Settings,
    ) {
        let at = self.source.place(value.span().start);
        let read = match value.get_ref() {
            DeValue::String(text) => from_text(key, shown, text, &at),
            DeValue::Integer(number) => match key.shape {
                Shape::Number(range) | Shape::Bytes(range) => {
                    let parsed = number.as_str().replace('_', "");
                    let parsed = i128::from_str_radix(&parsed, number.radix()).ok();
                    in_range(key, shown, parsed, range, &number.to_string(), &at)
                }
                _ => Err(wrong_type(key, shown, &number.to_string(), &at)),
            },
            DeValue::Array(items) if key.shape == Shape::List => self.list(shown, items.iter()),
            other => Err(wrong_type(key, shown, kind(other), &at)),
        };
        match read {
            Ok(value) => {
                settings.values.insert(key.path, Set { value, at });
            }
            Err(problem) => {
                settings.is_broken = true;
                self.problems.push(problem);
            }
        }
    }

    fn list<'v, 'i: 'v>(
        &self,
        shown: &str,
        items: impl Iterator<Item = &'v Spanned<DeValue<'i>>>,
    ) -> Result<Value, Problem> {
        let mut parts = Vec::new();
        for item in items {
            let at = self.source.place(item.span().start);
            match item.get_ref().as_str() {
                Some(text) => parts.push((text.trim().to_owned(), at)),
                None => {
                    return Err(Problem::expected(
                        &at,
                        shown,
                        "text in quotes",
                        kind(item.get_ref()),
                        "write every part of the list in double quotes",
                    ));
                }
            }
        }
        Ok(Value::List(parts))
    }

    fn wrong_table(&mut self, at: &Place, key: &str, found: &DeValue<'_>, header: &str) {
        let advice =
            format!("write the header {header} on a line of its own, and the keys below it");
        self.problems.push(Problem::expected(
            at,
            key,
            &format!("a table {header}"),
            kind(found),
            advice,
        ));
    }

    fn unknown_section(&mut self, at: &Place, section: &str) {
        let advice = match (
            schema::section_of(section),
            nearest(section, schema::SECTIONS.iter().copied()),
        ) {
            (Some(table), _) => format!("`{section}` belongs below the header {}", header(table)),
            (None, Some(near)) => format!("did you mean {}?", header(near)),
            (None, None) => format!("the sections are {}", schema::SECTIONS.join(", ")),
        };
        self.problems
            .push(Problem::new(at, section, "unknown section", advice));
    }
}

fn header(section: &str) -> String {
    if section == schema::LISTENER {
        "[[listener]]".to_owned()
    } else {
        format!("[{section}]")
    }
}

/// The problem of a name that the table `section` does not have.
pub(super) fn unknown_key(at: &Place, section: &str, shown: &str) -> Problem {
    let name = shown.rsplit('.').next().unwrap_or(shown);
    let advice = if let Some(near) = nearest(name, schema::names_in(section)) {
        format!("did you mean `{near}`?")
    } else if let Some(other) = schema::section_of(name) {
        format!("`{name}` belongs below the header {}", header(other))
    } else {
        let known: Vec<&str> = schema::names_in(section).collect();
        format!("{} has {}", header(section), known.join(", "))
    };
    Problem::new(at, shown, "unknown key", advice)
}

/// Reads a value that came as text: from the file in quotes, or from the environment.
pub(super) fn from_text(key: &Key, shown: &str, text: &str, at: &Place) -> Result<Value, Problem> {
    let text = text.trim();
    let quoted = format!("{text:?}");
    match key.shape {
        Shape::Text => Ok(Value::Text(text.to_owned())),
        Shape::Choice(words) if words.contains(&text) => Ok(Value::Text(text.to_owned())),
        Shape::Choice(words) => {
            let advice = match nearest(text, words.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "write one of these words".to_owned(),
            };
            Err(Problem::expected(
                at,
                shown,
                &key.shape.expected(),
                &quoted,
                advice,
            ))
        }
        // Quotes around a number are meant as the number: the environment has nothing else.
        Shape::Number(range) => in_range(key, shown, text.parse().ok(), range, &quoted, at),
        Shape::Bytes(range) => in_range(
            key,
            shown,
            size::bytes(text).map(i128::from),
            range,
            &quoted,
            at,
        ),
        Shape::List => {
            let parts = text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty());
            Ok(Value::List(
                parts.map(|part| (part.to_owned(), at.clone())).collect(),
            ))
        }
    }
}

fn in_range(
    key: &Key,
    shown: &str,
    number: Option<i128>,
    range: schema::Range,
    found: &str,
    at: &Place,
) -> Result<Value, Problem> {
    let Some(number) = number else {
        let advice = match key.shape {
            Shape::Bytes(_) => "write a number, or a number with a unit, for example \"24 MiB\"",
            _ => "write the number alone, without a unit",
        };
        return Err(Problem::expected(
            at,
            shown,
            &key.shape.expected(),
            found,
            advice,
        ));
    };
    match u64::try_from(number) {
        Ok(number) if (range.min..=range.max).contains(&number) => Ok(Value::Number(number)),
        _ => {
            let advice = format!("choose a value in between: {}", range.reason);
            Err(Problem::expected(
                at,
                shown,
                &key.shape.expected(),
                found,
                advice,
            ))
        }
    }
}

fn wrong_type(key: &Key, shown: &str, found: &str, at: &Place) -> Problem {
    let name = key.path.rsplit('.').next().unwrap_or(key.path);
    let advice = match key.shape {
        Shape::Text => format!("write {name} = \"...\""),
        Shape::Choice(words) => format!("write {name} = \"{}\"", words.first().unwrap_or(&"")),
        Shape::Number(range) | Shape::Bytes(range) => {
            format!("write a number, for example {name} = {}", range.min)
        }
        Shape::List => format!("write {name} = [\"...\", \"...\"]"),
    };
    Problem::expected(at, shown, &key.shape.expected(), found, advice)
}

/// A value's type in words; never its text.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a decimal point",
        DeValue::Boolean(true) => "true",
        DeValue::Boolean(false) => "false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
