//! Environment variables → the same values that a file can set. They come after the file and win.
//!
//! ```text
//!  TRAPLINE_KAFKA__LINGER_MS=20                          kafka.linger_ms
//!  TRAPLINE_KAFKA__BOOTSTRAP_SERVERS=k1:9092,k2:9092     lists have commas
//!  TRAPLINE_KAFKA__OPTIONS__SASL_USERNAME=br17           kafka.options "sasl.username"
//!  TRAPLINE_KAFKA__OPTIONS__SASL_PASSWORD_FILE=/run/...  kafka.options_file "sasl.password"
//!  TRAPLINE_SNMP__SEVERITY=IF-MIB::linkDown=critical,... snmp.severity, one pair after the other
//!  TRAPLINE_LISTENER__SYSLOG_UDP__BIND=[::]:5514         the listener `syslog-udp`
//!  TRAPLINE_LISTENER__LAB__TRANSPORT=udp                 the listener `lab`, made if there is none
//!  TRAPLINE_LISTENER__SYSLOG_TLS__TLS__KEY_FILE=/etc/... its table `tls`
//!  TRAPLINE_SNMP__USER__FLEET__AUTH_PASSWORD=...         the SNMPv3 user `fleet`, made if there is none
//!  TRAPLINE_SNMP__USER__FLEET__NAME=Fleet@HQ             its name, where a variable cannot spell it
//!  TRAPLINE_ROUTE__URGENT__TOPIC=net.urgent              the rule `urgent`
//!  TRAPLINE_ROUTE__URGENT__SEVERITY=error                with a condition as well it is made if there is none, as the last one
//! ```
//!
//! A name that no listener has makes one only where `PROTOCOL` or `TRANSPORT` says what it is. Without them it is taken
//! for a misspelling: it would open a port that nobody asked for, and leave the listener that was meant as it is.
//!
//! The same of a rule, which without a condition would take every event, and of a user's name: a new one says `AUTH` and
//! its secret, or `NAME`. Where a variable sets a secret, the file's
//! secret for the same end gives way, be it a pass phrase, a key, or the name of a file.
//!
//! Two underscores separate levels. An empty value counts as not set, since compose files and charts write one where
//! they have nothing to say. An unknown `TRAPLINE_` variable is an error like an unknown key, except:
//! `TRAPLINE_CONFIG` and `TRAPLINE_TEST_*`, and what Kubernetes itself puts into every pod beside a Service whose name
//! starts with `trapline` (`TRAPLINE_SERVICE_HOST`, `TRAPLINE_PORT_514_UDP`, `TRAPLINE_SYSLOG_SERVICE_PORT`, ...).

use std::collections::BTreeMap;

use super::listener;
use super::problem::{Place, Problem, nearest};
use super::raw::{
    self, KafkaOption, OptionValue, Raw, RawRoute, RawSeverity, RawUser, Set, Settings,
};
use super::schema;
use super::secret::Secret;
use super::value::{self, Value};

mod tables;

pub(super) use tables::fold;
use tables::{SECRETS_OF_USER, Tables};

const PREFIX: &str = "TRAPLINE_";

/// librdkafka options whose names have an underscore, or end in `file` without being a file of a secret. In all other
/// names `_` of a variable stands for a dot (librdkafka 2.12, CONFIGURATION.md).
const OPTIONS_WITH_ODD_NAMES: &[(&str, &str)] = &[
    ("LOG_LEVEL", "log_level"),
    (
        "SASL_OAUTHBEARER_ASSERTION_FILE",
        "sasl.oauthbearer.assertion.file",
    ),
    (
        "SASL_OAUTHBEARER_ASSERTION_JWT_TEMPLATE_FILE",
        "sasl.oauthbearer.assertion.jwt.template.file",
    ),
    (
        "SASL_OAUTHBEARER_ASSERTION_PRIVATE_KEY_FILE",
        "sasl.oauthbearer.assertion.private.key.file",
    ),
];

/// The variables of this process that concern the configuration. Bytes that are not UTF-8 become U+FFFD, which no
/// value allows, so that such a variable is reported and not passed over.
pub fn of_process() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .map(|(name, value)| {
            (
                name.to_string_lossy().into_owned(),
                value.to_string_lossy().into_owned(),
            )
        })
        .filter(|(name, _)| name.starts_with(PREFIX))
}

/// Puts the variables over what the file has set.
pub(super) fn overlay(
    raw: &mut Raw,
    variables: impl Iterator<Item = (String, String)>,
) -> Vec<Problem> {
    let ours: BTreeMap<String, String> = variables
        .filter(|(name, _)| {
            name.strip_prefix(PREFIX)
                .is_some_and(|rest| !is_exempt(rest))
        })
        .collect();
    let mut problems = Vec::new();
    let tables = Tables::new(raw, &ours);
    for (name, value) in &ours {
        let rest = name.strip_prefix(PREFIX).unwrap_or(name);
        let variable = Variable {
            at: Place::Variable(name.clone()),
            value: value.trim(),
        };
        if let Err(problem) = variable.put(rest, raw, &tables) {
            problems.push(problem);
        }
    }
    problems
}

fn is_exempt(rest: &str) -> bool {
    rest == "CONFIG" || rest.starts_with("TEST_") || is_of_kubernetes(rest)
}

/// `SERVICE_HOST`, `SERVICE_PORT[_NAME]`, `PORT`, `PORT_<number>_<UDP|TCP|SCTP>[_PROTO|_PORT|_ADDR]`, each also after
/// the rest of a Service's name.
fn is_of_kubernetes(rest: &str) -> bool {
    if rest.contains("__") {
        return false;
    }
    let words: Vec<&str> = rest.split('_').collect();
    let is_port = |pair: &[&str]| matches!(pair, [number, "UDP" | "TCP" | "SCTP"] if number.bytes().all(|digit| digit.is_ascii_digit()));
    words
        .windows(2)
        .any(|pair| matches!(pair, ["SERVICE", "HOST" | "PORT"]))
        || words.last() == Some(&"PORT")
        || words.windows(3).any(|three| {
            three.first() == Some(&"PORT") && is_port(three.get(1..).unwrap_or_default())
        })
}

/// A name as the file would write it.
fn dashed(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

struct Variable<'v> {
    at: Place,
    value: &'v str,
}

impl Variable<'_> {
    fn put(&self, rest: &str, raw: &mut Raw, tables: &Tables) -> Result<(), Problem> {
        let levels: Vec<&str> = rest.split("__").collect();
        match levels.as_slice() {
            ["KAFKA", "OPTIONS", name @ ..] if !name.is_empty() => {
                self.option(&name.join("_"), false, raw)
            }
            ["KAFKA", "OPTIONS_FILE", name @ ..] if !name.is_empty() => {
                self.option(&name.join("_"), true, raw)
            }
            ["SNMP", "SEVERITY"] => self.severities(raw),
            ["LISTENER", name, key] if !name.is_empty() => {
                self.listener(name, schema::LISTENER, key, raw, tables)
            }
            ["LISTENER", name, "TLS", key] if !name.is_empty() => {
                self.listener(name, schema::LISTENER_TLS, key, raw, tables)
            }
            ["SNMP", "USER", name, key] if !name.is_empty() => self.user(name, key, raw, tables),
            ["ROUTE", name, key] if !name.is_empty() => self.route(name, key, raw, tables),
            [section, key] if !matches!(*section, "LISTENER" | "ROUTE") => {
                let path = format!("{section}.{key}").to_ascii_lowercase();
                self.set(&path, &path, &mut raw.settings)
            }
            ["LISTENER", ..] => Err(Problem::new(
                &self.at,
                schema::LISTENER,
                "unknown variable",
                "write the listener's name and its key: TRAPLINE_LISTENER__SYSLOG_UDP__BIND",
            )),
            ["SNMP", "USER", ..] => Err(Problem::new(
                &self.at,
                schema::SNMP_USER,
                "unknown variable",
                "write the user's name and its key: TRAPLINE_SNMP__USER__FLEET__AUTH_PASSWORD_FILE",
            )),
            ["ROUTE", ..] => Err(Problem::new(
                &self.at,
                schema::ROUTE,
                "unknown variable",
                "write the rule's name and its key: TRAPLINE_ROUTE__URGENT__TOPIC",
            )),
            _ => Err(self.unknown(rest)),
        }
    }

    fn severities(&self, raw: &mut Raw) -> Result<(), Problem> {
        let pairs = self.value.split(',').map(str::trim);
        for pair in pairs.filter(|pair| !pair.is_empty()) {
            let Some((name, word)) = pair.split_once('=') else {
                return Err(Problem::expected(
                    &self.at,
                    schema::SEVERITY,
                    "pairs of notification and severity",
                    &format!("{pair:?}"),
                    "write IF-MIB::linkDown=critical, and a comma before the next pair",
                ));
            };
            let severity = RawSeverity {
                word: word.trim().to_owned(),
                at: self.at.clone(),
            };
            raw.severities.insert(name.trim().to_owned(), severity);
        }
        Ok(())
    }

    fn set(&self, path: &str, shown: &str, settings: &mut Settings) -> Result<(), Problem> {
        let key = schema::find(path).ok_or_else(|| self.unknown_in(path, shown))?;
        if self.value.is_empty() {
            return Ok(());
        }
        let value = value::from_text(key, shown, self.value, &self.at)
            .inspect_err(|_| settings.is_broken = true)?;
        settings.values.insert(
            key.path,
            Set {
                value,
                at: self.at.clone(),
            },
        );
        Ok(())
    }

    fn listener(
        &self,
        name: &str,
        table: &str,
        key: &str,
        raw: &mut Raw,
        tables: &Tables,
    ) -> Result<(), Problem> {
        let path = format!("{table}.{}", key.to_ascii_lowercase());
        let shown = |name: &str| path.replacen(schema::LISTENER, &format!("listener.{name}"), 1);
        if key == "NAME" {
            let advice = "the listener's name is the second part of the variable's name";
            return Err(Problem::new(
                &self.at,
                &path,
                "a name cannot be set by a variable",
                advice,
            ));
        }
        let position = tables.listeners.get(&fold(name)).copied();
        let known = listener::names(&raw.listeners);
        match position.and_then(|at| Some((raw.listeners.get_mut(at)?, known.get(at)?))) {
            Some((listener, known)) => {
                // One without a name goes by its protocol and transport, which a variable may change.
                let value = Value::Text(known.clone());
                let at = listener.at.clone();
                let pinned = listener.settings.values.entry("listener.name");
                pinned.or_insert(Set { value, at });
                self.set(&path, &shown(known), &mut listener.settings)
            }
            None => {
                self.set(&path, &shown(&dashed(name)), &mut Settings::default())?;
                match self.value {
                    "" => Ok(()),
                    _ => Err(self.no_such_listener(name, &known)),
                }
            }
        }
    }

    fn no_such_listener(&self, name: &str, known: &[String]) -> Problem {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let (known, near) = (there_are(&known), did_you_mean(name, &known));
        Problem::new(
            &self.at,
            &format!("{}.{}", schema::LISTENER, dashed(name)),
            format!("no listener has this name; {known}"),
            format!(
                "{near}to make a new listener, set {PREFIX}LISTENER__{name}__TRANSPORT too (udp, tcp, tls, unix_dgram or unix_stream)"
            ),
        )
    }

    /// A key of the first user of this name.
    fn user(&self, name: &str, key: &str, raw: &mut Raw, tables: &Tables) -> Result<(), Problem> {
        let path = format!("{}.{}", schema::SNMP_USER, key.to_ascii_lowercase());
        let position = tables.users.get(&fold(name)).copied();
        let Some(user) = position.and_then(|at| raw.users.get_mut(at)) else {
            self.set(&path, &path, &mut Settings::default())?;
            return match self.value {
                "" => Ok(()),
                _ => Err(self.no_such_user(name, &raw.users)),
            };
        };
        self.set(&path, &path, &mut user.settings)?;
        if self.value.is_empty() {
            return Ok(());
        }
        for same_end in SECRETS_OF_USER {
            if same_end.contains(&path.as_str()) {
                user.settings.values.retain(|key, set| {
                    !same_end.contains(key) || matches!(set.at, Place::Variable(_))
                });
            }
        }
        Ok(())
    }

    fn no_such_user(&self, name: &str, users: &[RawUser]) -> Problem {
        let known: Vec<&str> = users.iter().filter_map(RawUser::name).collect();
        let (known, near) = (there_are(&known), did_you_mean(name, &known));
        Problem::new(
            &self.at,
            &format!("{}.{}", schema::SNMP_USER, name.to_ascii_lowercase()),
            format!("no user has this name; {known}"),
            format!(
                "{near}a new user needs {PREFIX}SNMP__USER__{name}__AUTH and its secret (..__AUTH_PASSWORD_FILE or another), or ..__NAME where it has none"
            ),
        )
    }

    /// A key of the rule of this name.
    fn route(&self, name: &str, key: &str, raw: &mut Raw, tables: &Tables) -> Result<(), Problem> {
        let path = format!("{}.{}", schema::ROUTE, key.to_ascii_lowercase());
        let shown = |name: &str| path.replacen(schema::ROUTE, &format!("route.{name}"), 1);
        let position = tables.routes.get(&fold(name)).copied();
        if let Some(route) = position.and_then(|at| raw.routes.get_mut(at)) {
            let shown = shown(route.name().unwrap_or_default());
            return self.set(&path, &shown, &mut route.settings);
        }
        self.set(&path, &shown(&dashed(name)), &mut Settings::default())?;
        match self.value {
            "" => Ok(()),
            _ => Err(self.no_such_route(name, &raw.routes)),
        }
    }

    fn no_such_route(&self, name: &str, routes: &[RawRoute]) -> Problem {
        let known: Vec<&str> = routes.iter().filter_map(RawRoute::name).collect();
        let (known, near) = (there_are(&known), did_you_mean(name, &known));
        Problem::new(
            &self.at,
            &format!("{}.{}", schema::ROUTE, dashed(name)),
            format!("no rule has this name; {known}"),
            format!(
                "{near}a new rule needs a condition and what follows from it: {PREFIX}ROUTE__{name}__SEVERITY (or another) and ..__TOPIC, ..__ACTION or ..__SAMPLE"
            ),
        )
    }

    fn option(&self, folded: &str, from_file: bool, raw: &mut Raw) -> Result<(), Problem> {
        if self.value.is_empty() {
            return Ok(());
        }
        let odd = OPTIONS_WITH_ODD_NAMES
            .iter()
            .find(|(variable, _)| *variable == folded);
        let (name, from_file) = match (odd, folded.strip_suffix("_FILE")) {
            (Some((_, name)), _) => ((*name).to_owned(), from_file),
            (None, Some(stem)) if !from_file => (option_name(stem), true),
            (None, _) => (option_name(folded), from_file),
        };
        let value = if from_file {
            OptionValue::File(self.value.to_owned())
        } else {
            OptionValue::Here(Secret::new(self.value))
        };
        if let Some(KafkaOption {
            at: other @ Place::Variable(_),
            ..
        }) = raw.options.get(&name)
        {
            let text = format!("the option is set a second time, first by {other}");
            return Err(Problem::new(
                &self.at,
                &format!("{}.{name}", schema::OPTIONS),
                text,
                "unset one of the two",
            ));
        }
        raw.options.insert(
            name,
            KafkaOption {
                value,
                at: self.at.clone(),
            },
        );
        Ok(())
    }

    fn unknown_in(&self, path: &str, shown: &str) -> Problem {
        match path.rsplit_once('.') {
            Some((section, _)) if schema::names_in(section).next().is_some() => {
                let problem = raw::unknown_key(&Place::Absent, section, shown);
                Problem {
                    at: self.at.clone(),
                    ..problem
                }
            }
            _ => self.unknown(&path.to_ascii_uppercase().replace('.', "__")),
        }
    }

    /// A variable that names nothing: most often one underscore is missing.
    fn unknown(&self, rest: &str) -> Problem {
        let known: Vec<String> = schema::KEYS
            .iter()
            .filter(|key| {
                let tables = ["listener.", "snmp.user.", "route."];
                !tables.iter().any(|table| key.path.starts_with(table))
            })
            .map(|key| key.path.replacen('.', "__", 1))
            .collect();
        let advice = match nearest(rest, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean {PREFIX}{}?", near.to_ascii_uppercase()),
            None => "names are TRAPLINE_SECTION__KEY with two underscores, for example TRAPLINE_KAFKA__BOOTSTRAP_SERVERS; \
                     unset it if it is not meant for the agent"
                .to_owned(),
        };
        Problem::new(&self.at, "", "unknown variable", advice)
    }
}

/// The names that there are, in words.
fn there_are(names: &[&str]) -> String {
    match names {
        [] => "there is none".to_owned(),
        [only] => format!("there is {only}"),
        names => format!("there are {}", names.join(", ")),
    }
}

/// The name that was most likely meant, as a variable spells it.
fn did_you_mean(typed: &str, names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| fold(name)).collect();
    match nearest(typed, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {}? ", near.to_ascii_uppercase()),
        None => String::new(),
    }
}

fn option_name(folded: &str) -> String {
    folded.to_ascii_lowercase().replace('_', ".")
}

#[cfg(test)]
mod tests;
