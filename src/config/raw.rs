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
use super::secret::Secret;
use super::value::{self, Value};

/// Everything that was set, by the file and by the environment.
#[derive(Debug, Default)]
pub(super) struct Raw {
    /// Keys outside listeners and Kafka options.
    pub settings: Settings,
    /// librdkafka options by their name.
    pub options: BTreeMap<String, KafkaOption>,
    /// Severities of notifications by `MODULE::name` or OID.
    pub severities: BTreeMap<String, RawSeverity>,
    /// One for each `[[listener]]`, in the order of the file.
    pub listeners: Vec<RawListener>,
    /// One for each `[[snmp.user]]`, in the order of the file.
    pub users: Vec<RawUser>,
    /// One for each `[[route]]`, in the order of the file.
    pub routes: Vec<RawRoute>,
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

/// One entry of `[snmp.severity]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawSeverity {
    /// The severity's name as it was written.
    pub word: String,
    /// Where it stands.
    pub at: Place,
}

/// One `[[listener]]`.
#[derive(Debug, Clone)]
pub(super) struct RawListener {
    /// Where its header stands.
    pub at: Place,
    /// Its keys, paths starting with `listener.`.
    pub settings: Settings,
}

/// One `[[snmp.user]]`.
#[derive(Debug, Clone)]
pub(super) struct RawUser {
    /// Where its header stands.
    pub at: Place,
    /// Its keys, paths starting with `snmp.user.`.
    pub settings: Settings,
}

/// One `[[route]]`.
#[derive(Debug, Clone)]
pub(super) struct RawRoute {
    /// Where its header stands.
    pub at: Place,
    /// Its keys, paths starting with `route.`.
    pub settings: Settings,
}

impl RawRoute {
    /// Its name as it was written, if it was.
    pub fn name(&self) -> Option<&str> {
        match &self.settings.values.get("route.name")?.value {
            Value::Text(name) => Some(name),
            _ => None,
        }
    }
}

impl RawUser {
    /// Its name as it was written, if it was.
    pub fn name(&self) -> Option<&str> {
        match &self.settings.values.get("snmp.user.name")?.value {
            Value::Text(name) => Some(name),
            _ => None,
        }
    }
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

/// What the parser says of a key or a header that stands a second time.
const DUPLICATE: &str = "duplicate key";

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
            let advice = match error.message() {
                DUPLICATE => "it stands further up already: keep one of the two",
                _ => "correct the line (most often a quote is missing) or put # in front of it",
            };
            let advice = format!("{advice}; the other keys were not checked yet");
            self.problems.push(Problem::new(&at, "", text, advice));
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
                (schema::ROUTE, DeValue::Array(items)) => {
                    for item in items.iter() {
                        self.route(item);
                    }
                }
                (schema::ROUTE, other) => self.wrong_table(&at, section, other, "[[route]]"),
                (_, DeValue::Table(table)) if schema::SECTIONS.contains(&section) => {
                    let mut settings = std::mem::take(&mut self.raw.settings);
                    self.table(section, section, table, &mut settings);
                    self.raw.settings = settings;
                }
                (_, other) if schema::SECTIONS.contains(&section) => {
                    self.wrong_table(&at, section, other, &format!("[{section}]"));
                }
                (_, other) => self.unknown_section(&at, section, other),
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
                (schema::SEVERITY, DeValue::Table(severities)) => self.severities(severities),
                (schema::SNMP_USER, DeValue::Array(items)) => {
                    for item in items.iter() {
                        self.user(item);
                    }
                }
                (schema::SNMP_USER, other) => {
                    self.wrong_table(&at, &shown_here, other, "[[snmp.user]]");
                }
                (
                    schema::OPTIONS
                    | schema::OPTIONS_FILE
                    | schema::SEVERITY
                    | schema::LISTENER_TLS,
                    other,
                ) => {
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

    fn route(&mut self, item: &Spanned<DeValue<'_>>) {
        let at = self.source.place(item.span().start);
        let number = self.raw.routes.len() + 1;
        let DeValue::Table(table) = item.get_ref() else {
            self.wrong_table(&at, schema::ROUTE, item.get_ref(), "[[route]]");
            return;
        };
        let name = table.get("name").and_then(|name| name.get_ref().as_str());
        let shown = match name {
            Some(name) => format!("{}.{name}", schema::ROUTE),
            None => format!("{}[{number}]", schema::ROUTE),
        };
        let mut settings = Settings::default();
        self.table(schema::ROUTE, &shown, table, &mut settings);
        self.raw.routes.push(RawRoute { at, settings });
    }

    fn severities(&mut self, table: &DeTable<'_>) {
        for (name, value) in table {
            let at = self.source.place(value.span().start);
            match value.get_ref() {
                DeValue::String(word) => {
                    let word = word.trim().to_owned();
                    let name = name.get_ref().to_string();
                    self.raw.severities.insert(name, RawSeverity { word, at });
                }
                other => self.problems.push(Problem::expected(
                    &at,
                    &format!("{}.{}", schema::SEVERITY, name.get_ref()),
                    "a severity in quotes",
                    kind(other),
                    "names have colons or dots, so write them in quotes too: \"IF-MIB::linkDown\" = \"critical\"",
                )),
            }
        }
    }

    fn user(&mut self, item: &Spanned<DeValue<'_>>) {
        let at = self.source.place(item.span().start);
        let DeValue::Table(table) = item.get_ref() else {
            self.wrong_table(&at, schema::SNMP_USER, item.get_ref(), "[[snmp.user]]");
            return;
        };
        let mut settings = Settings::default();
        self.table(schema::SNMP_USER, schema::SNMP_USER, table, &mut settings);
        self.raw.users.push(RawUser { at, settings });
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
            DeValue::String(text) => value::from_text(key, shown, text, &at),
            DeValue::Integer(number) => {
                let digits = number.as_str().replace('_', "");
                let parsed = i128::from_str_radix(&digits, number.radix()).ok();
                value::from_number(key, shown, parsed, &number.to_string(), &at)
            }
            DeValue::Array(items)
                if matches!(key.shape, Shape::List | Shape::Texts | Shape::Secrets) =>
            {
                self.list(shown, items.iter())
            }
            other => Err(value::wrong_type(key, shown, kind(other), &at)),
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

    /// Something else stands where tables below `header` belong.
    fn wrong_table(&mut self, at: &Place, key: &str, found: &DeValue<'_>, header: &str) {
        let is_list = header.starts_with("[[");
        let expected = match is_list {
            true => format!("{header}, a list with one table for each"),
            false => format!("a table {header}"),
        };
        let (found, advice) = match found {
            DeValue::Table(_) if is_list => (
                "one table",
                format!("write the header with two brackets on each side: {header}"),
            ),
            DeValue::Array(_) if !is_list => (
                "a list",
                format!("write the header with one bracket on each side: {header}"),
            ),
            other => (
                kind(other),
                format!("write the header {header} on a line of its own, and the keys below it"),
            ),
        };
        let problem = Problem::expected(at, key, &expected, found, advice);
        self.problems.push(problem);
    }

    fn unknown_section(&mut self, at: &Place, section: &str, value: &DeValue<'_>) {
        // A table is meant as a section, a value as a key.
        let is_table = !matches!(value, DeValue::String(_) | DeValue::Integer(_));
        let advice = match (
            schema::section_of(section),
            nearest(section, schema::SECTIONS.iter().copied()),
        ) {
            (Some(table), near) if near.is_none() || !is_table => {
                format!("`{section}` belongs below the header {}", header(table))
            }
            (_, Some(near)) => format!("did you mean {}?", header(near)),
            (_, None) => match schema::inner_table(section) {
                Some(table) => format!("did you mean {}?", header(table)),
                None => format!("the sections are {}", schema::SECTIONS.join(", ")),
            },
        };
        let text = match value {
            DeValue::Table(_) | DeValue::Array(_) => "unknown section",
            _ => "stands below no header",
        };
        self.problems.push(Problem::new(at, section, text, advice));
    }
}

fn header(section: &str) -> String {
    if matches!(
        section,
        schema::LISTENER | schema::SNMP_USER | schema::ROUTE
    ) {
        format!("[[{section}]]")
    } else {
        format!("[{section}]")
    }
}

/// The problem of a name that the table `section` does not have.
pub(super) fn unknown_key(at: &Place, section: &str, shown: &str) -> Problem {
    let name = shown.rsplit('.').next().unwrap_or(shown);
    let advice = if let Some(near) = nearest(name, schema::names_in(section)) {
        format!("did you mean `{near}`?")
    } else if schema::SECTIONS.contains(&name) {
        format!(
            "it is a section of its own: write the header {}",
            header(name)
        )
    } else if let Some(other) = schema::section_of(name) {
        format!("`{name}` belongs below the header {}", header(other))
    } else {
        let known: Vec<&str> = schema::names_in(section).collect();
        let options = match section {
            "kafka" => "options of librdkafka belong below the header [kafka.options]; ",
            _ => "",
        };
        format!("{options}{} has {}", header(section), known.join(", "))
    };
    Problem::new(at, shown, "unknown key", advice)
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
