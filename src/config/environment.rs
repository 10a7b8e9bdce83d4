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
//!  TRAPLINE_ROUTE__URGENT__TOPIC=net.urgent              the rule `urgent`, made as the last one if there is none
//! ```
//!
//! A name that no listener has makes one only where `PROTOCOL` or `TRANSPORT` says what it is. Without them it is taken
//! for a misspelling: it would open a port that nobody asked for, and leave the listener that was meant as it is.
//!
//! Two underscores separate levels. An empty value counts as not set, since compose files and charts write one where
//! they have nothing to say. An unknown `TRAPLINE_` variable is an error like an unknown key, except:
//! `TRAPLINE_CONFIG` and `TRAPLINE_TEST_*`, and what Kubernetes itself puts into every pod beside a Service whose name
//! starts with `trapline` (`TRAPLINE_SERVICE_HOST`, `TRAPLINE_PORT_514_UDP`, `TRAPLINE_SYSLOG_SERVICE_PORT`, ...).

use std::collections::BTreeMap;

use super::listener;
use super::problem::{Place, Problem, nearest};
use super::raw::{
    self, KafkaOption, OptionValue, Raw, RawListener, RawRoute, RawSeverity, RawUser, Set, Settings,
};
use super::schema;
use super::secret::Secret;
use super::value::{self, Value};

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

/// Which table a name in a variable's name stands for: its position by the folded name. It is settled before the first
/// value is put, so that no order of variables matters.
#[derive(Debug)]
struct Tables {
    listeners: BTreeMap<String, usize>,
}

impl Tables {
    /// The tables of the file, and those that variables make.
    fn new(raw: &mut Raw, ours: &BTreeMap<String, String>) -> Tables {
        let mut listeners = BTreeMap::new();
        for (position, name) in listener::names(&raw.listeners).iter().enumerate() {
            listeners.entry(fold(name)).or_insert(position);
        }
        for (variable, value) in ours {
            let Some((name, "PROTOCOL" | "TRANSPORT")) = entry(variable, "LISTENER__") else {
                continue;
            };
            if value.trim().is_empty() || listeners.contains_key(&fold(name)) {
                continue;
            }
            listeners.insert(fold(name), raw.listeners.len());
            let at = Place::Variable(variable.clone());
            let mut settings = Settings::default();
            let value = Value::Text(dashed(name));
            let at_here = at.clone();
            settings
                .values
                .insert("listener.name", Set { value, at: at_here });
            raw.listeners.push(RawListener { at, settings });
        }
        Tables { listeners }
    }
}

/// Name and key in the name of a variable that concerns an entry of a table: `LAB` and `BIND`.
fn entry<'v>(variable: &'v str, table: &str) -> Option<(&'v str, &'v str)> {
    let rest = variable.strip_prefix(PREFIX)?.strip_prefix(table)?;
    let (name, key) = rest.split_once("__")?;
    (!name.is_empty()).then_some((name, key))
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
            ["SNMP", "USER", name, key] if !name.is_empty() => self.user(name, key, raw),
            ["ROUTE", name, key] if !name.is_empty() => self.route(name, key, raw),
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
        let folded: Vec<String> = known.iter().map(|known| fold(known)).collect();
        let near = match nearest(name, folded.iter().map(String::as_str)) {
            Some(near) => format!("did you mean {}? ", near.to_ascii_uppercase()),
            None => String::new(),
        };
        let known = match known {
            [] => "there is none".to_owned(),
            known => format!("there are {}", known.join(", ")),
        };
        Problem::new(
            &self.at,
            &format!("{}.{}", schema::LISTENER, dashed(name)),
            format!("no listener has this name; {known}"),
            format!(
                "{near}to make a new listener, set {PREFIX}LISTENER__{name}__TRANSPORT too (udp, tcp, tls, unix_dgram or unix_stream)"
            ),
        )
    }

    /// A key of the first user of this name; of one that is made where there is none.
    fn user(&self, folded: &str, key: &str, raw: &mut Raw) -> Result<(), Problem> {
        let path = format!("{}.{}", schema::SNMP_USER, key.to_ascii_lowercase());
        let is_this =
            |user: &&mut RawUser| user.name().is_some_and(|name| fold(name) == fold(folded));
        if let Some(user) = raw.users.iter_mut().find(is_this) {
            return self.set(&path, &path, &mut user.settings);
        }
        let mut settings = Settings::default();
        self.set(&path, &path, &mut settings)?;
        if settings.values.is_empty() {
            return Ok(());
        }
        let name = Set {
            value: Value::Text(folded.to_ascii_lowercase()),
            at: self.at.clone(),
        };
        settings.values.entry("snmp.user.name").or_insert(name);
        raw.users.push(RawUser {
            at: self.at.clone(),
            settings,
        });
        Ok(())
    }

    /// A key of the rule of this name; of one behind all others where there is none.
    fn route(&self, folded: &str, key: &str, raw: &mut Raw) -> Result<(), Problem> {
        let path = format!("{}.{}", schema::ROUTE, key.to_ascii_lowercase());
        let is_this =
            |route: &&mut RawRoute| route.name().is_some_and(|name| fold(name) == fold(folded));
        let shown = |name: &str| path.replacen(schema::ROUTE, &format!("route.{name}"), 1);
        if let Some(route) = raw.routes.iter_mut().find(is_this) {
            let shown = shown(route.name().unwrap_or_default());
            return self.set(&path, &shown, &mut route.settings);
        }
        let name = folded.to_ascii_lowercase().replace('_', "-");
        let mut settings = Settings::default();
        self.set(&path, &shown(&name), &mut settings)?;
        if settings.values.is_empty() {
            return Ok(());
        }
        let name = Set {
            value: Value::Text(name),
            at: self.at.clone(),
        };
        settings.values.entry("route.name").or_insert(name);
        raw.routes.push(RawRoute {
            at: self.at.clone(),
            settings,
        });
        Ok(())
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

/// A listener's name as it is compared: `syslog-udp` and `SYSLOG_UDP` are the same.
pub(super) fn fold(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

fn option_name(folded: &str) -> String {
    folded.to_ascii_lowercase().replace('_', ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(variables: &[(&str, &str)]) -> (Raw, Vec<String>) {
        let mut raw = Raw::default();
        let pairs = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let problems = overlay(&mut raw, pairs);
        (raw, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_secrets_file_is_told_from_an_option_that_ends_in_file() {
        let (raw, problems) = put(&[
            (
                "TRAPLINE_KAFKA__OPTIONS__SASL_PASSWORD_FILE",
                "/run/secrets/kafka",
            ),
            (
                "TRAPLINE_KAFKA__OPTIONS__SASL_OAUTHBEARER_ASSERTION_FILE",
                "/run/secrets/jwt",
            ),
            (
                "TRAPLINE_KAFKA__OPTIONS_FILE__SSL_KEY_PEM",
                "/run/secrets/key",
            ),
        ]);
        assert_eq!(problems, Vec::<String>::new());
        let is_file = |name: &str| {
            matches!(
                raw.options.get(name).map(|option| &option.value),
                Some(OptionValue::File(_))
            )
        };
        assert!(is_file("sasl.password"));
        assert!(is_file("ssl.key.pem"));
        assert!(raw.options.contains_key("sasl.oauthbearer.assertion.file"));
        assert!(!is_file("sasl.oauthbearer.assertion.file"));
    }

    #[test]
    fn a_missing_underscore_is_suggested() {
        let (_, problems) = put(&[("TRAPLINE_KAFKA_BOOTSTRAP_SERVERS", "k1")]);
        assert_eq!(
            problems,
            [
                "environment TRAPLINE_KAFKA_BOOTSTRAP_SERVERS: unknown variable; did you mean TRAPLINE_KAFKA__BOOTSTRAP_SERVERS?"
            ]
        );
    }

    #[test]
    fn what_kubernetes_puts_beside_a_service_is_not_ours() {
        let (_, problems) = put(&[
            ("TRAPLINE_SERVICE_HOST", "10.0.0.1"),
            ("TRAPLINE_SERVICE_PORT", "514"),
            ("TRAPLINE_SERVICE_PORT_SYSLOG", "514"),
            ("TRAPLINE_PORT", "udp://10.0.0.1:514"),
            ("TRAPLINE_PORT_514_UDP", "udp://10.0.0.1:514"),
            ("TRAPLINE_PORT_514_UDP_ADDR", "10.0.0.1"),
            ("TRAPLINE_SYSLOG_SERVICE_HOST", "10.0.0.1"),
            ("TRAPLINE_SYSLOG_PORT_514_TCP_PROTO", "tcp"),
            ("TRAPLINE_CONFIG", "/x"),
            ("TRAPLINE_TEST_BROKER", "1"),
        ]);
        assert_eq!(problems, Vec::<String>::new());
    }

    #[test]
    fn an_empty_value_is_not_set_and_an_unknown_name_stays_an_error() {
        let (raw, problems) = put(&[
            ("TRAPLINE_KAFKA__LINGER_MS", ""),
            ("TRAPLINE_KAFKA__LINGER", ""),
        ]);
        assert!(raw.settings.values.is_empty());
        assert_eq!(
            problems,
            [
                "environment TRAPLINE_KAFKA__LINGER: kafka.linger: unknown key; did you mean `linger_ms`?"
            ]
        );
    }

    fn put_over(listeners: Vec<RawListener>, variables: &[(&str, &str)]) -> (Raw, Vec<String>) {
        let mut raw = Raw {
            listeners,
            ..Raw::default()
        };
        let pairs = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let problems = overlay(&mut raw, pairs);
        (raw, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_listener_is_found_by_its_folded_name_or_made_where_its_transport_is_said() {
        let (raw, problems) = put_over(
            listener::defaults(),
            &[
                ("TRAPLINE_LISTENER__LAB__BIND", "[::]:5515"),
                ("TRAPLINE_LISTENER__LAB__TRANSPORT", "tcp"),
                ("TRAPLINE_LISTENER__SYSLOG_UDP__BIND", "[::]:5514"),
                ("TRAPLINE_LISTENER__SYSLOG_UDP__SHARD", "2"),
            ],
        );
        let names = listener::names(&raw.listeners);
        assert_eq!(
            names,
            ["syslog-udp", "syslog-tcp", "syslog-conn", "snmp-udp", "lab"]
        );
        assert_eq!(
            problems,
            [
                "environment TRAPLINE_LISTENER__SYSLOG_UDP__SHARD: listener.syslog-udp.shard: unknown key; did you mean `shards`?"
            ]
        );
        let set = |at: usize| raw.listeners[at].settings.values.get("listener.bind");
        let bind = |at| set(at).map(|set| set.value.clone());
        assert_eq!(bind(0), Some(Value::Text("[::]:5514".to_owned())));
        assert_eq!(bind(4), Some(Value::Text("[::]:5515".to_owned())));
    }

    #[test]
    fn a_misspelt_listener_is_a_problem_that_names_those_that_exist() {
        let (raw, problems) = put_over(
            listener::defaults(),
            &[
                ("TRAPLINE_LISTENER__SYSLOG_UPD__ALLOW", "10.0.0.0/8"),
                ("TRAPLINE_LISTENER__LAB__BIND", "[::]:5515"),
                ("TRAPLINE_LISTENER__NOT_SET__BIND", ""),
            ],
        );
        assert_eq!(raw.listeners.len(), 4, "none is made");
        assert_eq!(
            problems,
            [
                "environment TRAPLINE_LISTENER__LAB__BIND: listener.lab: no listener has this name; there are syslog-udp, syslog-tcp, syslog-conn, snmp-udp; \
                 to make a new listener, set TRAPLINE_LISTENER__LAB__TRANSPORT too (udp, tcp, tls, unix_dgram or unix_stream)",
                "environment TRAPLINE_LISTENER__SYSLOG_UPD__ALLOW: listener.syslog-upd: no listener has this name; there are syslog-udp, syslog-tcp, syslog-conn, snmp-udp; \
                 did you mean SYSLOG_UDP? to make a new listener, set TRAPLINE_LISTENER__SYSLOG_UPD__TRANSPORT too (udp, tcp, tls, unix_dgram or unix_stream)"
            ]
        );
    }

    #[test]
    fn a_listener_without_a_name_is_found_by_the_one_that_it_goes_by() {
        let unnamed = RawListener {
            at: Place::Absent,
            settings: Settings::default(),
        };
        let (raw, problems) = put_over(
            vec![unnamed],
            &[
                ("TRAPLINE_LISTENER__SYSLOG_UDP__BIND", "[::]:5514"),
                ("TRAPLINE_LISTENER__SYSLOG_UDP__TRANSPORT", "tcp"),
                ("TRAPLINE_LISTENER__SYSLOG_UDP__IDLE_SECONDS_MAX", "60"),
            ],
        );
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(listener::names(&raw.listeners), ["syslog-udp"]);
        assert_eq!(raw.listeners[0].settings.values.len(), 4);
    }
}
