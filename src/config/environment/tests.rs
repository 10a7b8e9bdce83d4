//! What variables set, and what is wrong with them.

use super::*;
use crate::config::raw::RawListener;

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

fn put_over(mut raw: Raw, variables: &[(&str, &str)]) -> (Raw, Vec<String>) {
    let pairs = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let problems = overlay(&mut raw, pairs);
    (raw, problems.iter().map(ToString::to_string).collect())
}

fn put_over_listeners(
    listeners: Vec<RawListener>,
    variables: &[(&str, &str)],
) -> (Raw, Vec<String>) {
    let raw = Raw {
        listeners,
        ..Raw::default()
    };
    put_over(raw, variables)
}

#[test]
fn a_listener_is_found_by_its_folded_name_or_made_where_its_transport_is_said() {
    let (raw, problems) = put_over_listeners(
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
    let (raw, problems) = put_over_listeners(
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

fn user(settings: &[(&'static str, &str)]) -> RawUser {
    let (file, line, column) = ("f".to_owned(), 1, 1);
    let at = Place::File { file, line, column };
    let set = |text: &str| Set {
        value: Value::Text(text.to_owned()),
        at: at.clone(),
    };
    let values = settings.iter().map(|(key, text)| (*key, set(text)));
    let settings = Settings {
        values: values.collect(),
        is_broken: false,
    };
    RawUser {
        at: at.clone(),
        settings,
    }
}

fn put_over_users(users: Vec<RawUser>, variables: &[(&str, &str)]) -> (Raw, Vec<String>) {
    let raw = Raw {
        users,
        ..Raw::default()
    };
    put_over(raw, variables)
}

#[test]
fn a_user_stays_one_whatever_variables_say_of_it() {
    for name in ["fleet", "Fleet", "fleet@hq", "fleet.hq"] {
        let variable = fold(name).to_ascii_uppercase();
        let key = |key: &str| format!("TRAPLINE_SNMP__USER__{variable}__{key}");
        let (auth, renamed, privacy) = (key("AUTH"), key("NAME"), key("PRIV"));
        let (raw, problems) = put_over_users(
            vec![user(&[]), user(&[("snmp.user.name", name)])],
            &[(&auth, "SHA-512"), (&renamed, "other"), (&privacy, "AES")],
        );
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(raw.users.len(), 2, "{name}");
        assert_eq!(raw.users[1].name(), Some("other"));
        assert_eq!(raw.users[1].settings.values.len(), 3);
    }
}

#[test]
fn a_user_is_made_of_variables_alone_under_a_name_that_no_variable_can_spell() {
    let (raw, problems) = put(&[
        ("TRAPLINE_SNMP__USER__FLEET__AUTH", "SHA-256"),
        (
            "TRAPLINE_SNMP__USER__FLEET__AUTH_PASSWORD_FILE",
            "/run/auth",
        ),
        ("TRAPLINE_SNMP__USER__FLEET__NAME", "Fleet@HQ"),
        ("TRAPLINE_SNMP__USER__FLEET__PRIV", "AES"),
        (
            "TRAPLINE_SNMP__USER__FLEET__PRIV_PASSWORD_FILE",
            "/run/priv",
        ),
        ("TRAPLINE_SNMP__USER__OPEN__NAME", "open"),
    ]);
    assert_eq!(problems, Vec::<String>::new());
    let names: Vec<_> = raw.users.iter().filter_map(RawUser::name).collect();
    assert_eq!(names, ["Fleet@HQ", "open"]);
    assert_eq!(raw.users[0].settings.values.len(), 5);
}

#[test]
fn a_misspelt_user_is_a_problem_that_names_those_that_exist() {
    let (raw, problems) = put_over_users(
        vec![user(&[("snmp.user.name", "fleet")])],
        &[(
            "TRAPLINE_SNMP__USER__FLEAT__AUTH_PASSWORD",
            "hunter2hunter2",
        )],
    );
    assert_eq!(raw.users.len(), 1);
    assert_eq!(
        problems,
        [
            "environment TRAPLINE_SNMP__USER__FLEAT__AUTH_PASSWORD: snmp.user.fleat: no user has this name; there is fleet; did you mean FLEET? \
                 a new user needs TRAPLINE_SNMP__USER__FLEAT__AUTH and its secret (..__AUTH_PASSWORD_FILE or another), or ..__NAME where it has none"
        ]
    );
}

#[test]
fn a_secret_of_a_variable_takes_the_place_of_the_file_s_own() {
    let file = user(&[
        ("snmp.user.name", "fleet"),
        ("snmp.user.auth_password", "hunter2hunter2"),
        ("snmp.user.priv_key_file", "/etc/priv"),
    ]);
    let (raw, problems) = put_over_users(
        vec![file],
        &[
            (
                "TRAPLINE_SNMP__USER__FLEET__AUTH_PASSWORD_FILE",
                "/run/auth",
            ),
            ("TRAPLINE_SNMP__USER__FLEET__PRIV_PASSWORD", ""),
        ],
    );
    assert_eq!(problems, Vec::<String>::new());
    let keys: Vec<_> = raw.users[0].settings.values.keys().copied().collect();
    assert_eq!(
        keys,
        [
            "snmp.user.auth_password_file",
            "snmp.user.name",
            "snmp.user.priv_key_file"
        ]
    );
}

#[test]
fn a_listener_without_a_name_is_found_by_the_one_that_it_goes_by() {
    let unnamed = RawListener {
        at: Place::Absent,
        settings: Settings::default(),
    };
    let (raw, problems) = put_over_listeners(
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

#[test]
fn a_rule_stays_one_when_a_variable_gives_it_another_name() {
    let (raw, problems) = put(&[
        ("TRAPLINE_ROUTE__URGENT__ACTION", "drop"),
        ("TRAPLINE_ROUTE__URGENT__NAME", "quiet"),
        ("TRAPLINE_ROUTE__URGENT__SEVERITY", "error"),
    ]);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(raw.routes.len(), 1);
    assert_eq!(raw.routes[0].settings.values.len(), 3);
}

#[test]
fn a_misspelt_rule_does_not_become_one_that_takes_every_event() {
    let (raw, problems) = put(&[
        ("TRAPLINE_ROUTE__URGENT__SEVERITY", "error"),
        ("TRAPLINE_ROUTE__URGENT__TOPIC", "net.urgent"),
        ("TRAPLINE_ROUTE__URGNT__TOPIC", "net.pager"),
    ]);
    assert_eq!(raw.routes.len(), 1);
    assert_eq!(
        problems,
        [
            "environment TRAPLINE_ROUTE__URGNT__TOPIC: route.urgnt: no rule has this name; there is urgent; did you mean URGENT? \
             a new rule needs a condition and what follows from it: TRAPLINE_ROUTE__URGNT__SEVERITY (or another) and ..__TOPIC, ..__ACTION or ..__SAMPLE"
        ]
    );
}

#[test]
fn every_key_of_a_rule_is_a_condition_or_a_consequence() {
    let keys = schema::names_in(schema::ROUTE).filter(|key| *key != "name");
    let known = tables::CONDITIONS.iter().chain(&tables::CONSEQUENCES);
    assert_eq!(keys.collect::<Vec<_>>(), known.copied().collect::<Vec<_>>());
}
