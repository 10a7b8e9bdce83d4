//! The cases of `fixtures/config`, the shipped file, and what no file can show.
//!
//! `fixtures/config/invalid/<case>/` holds `trapline.toml`, sometimes `environment` (NAME=value, one a line), and
//! `expected.txt`: every problem and warning, one a line. `fixtures/config/valid/<case>/expected.txt` holds what each key says, and
//! the warnings. With `TRAPLINE_TEST_BLESS=1` the expected texts are written anew, to be read before they are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::schema::{KEYS, OnReload};
use super::*;
use crate::route::rules::{Pattern, Then};

const HOST: &str = "br17";

fn cases(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/config")
        .join(kind);
    let entries = std::fs::read_dir(&folder).expect("the folder of cases is there");
    let mut cases: Vec<PathBuf> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    cases.sort();
    assert!(!cases.is_empty(), "no case in {}", folder.display());
    cases
}

fn variables(text: &str) -> impl Iterator<Item = (String, String)> {
    let pairs: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    pairs.into_iter()
}

fn run(case: &Path) -> Result<Loaded, Refused> {
    let text = std::fs::read_to_string(case.join("trapline.toml")).expect("a case has a file");
    let environment = std::fs::read_to_string(case.join("environment")).unwrap_or_default();
    assemble(
        "trapline.toml",
        &text,
        Some(0o640),
        variables(&environment),
        HOST,
        Findings::default(),
    )
}

fn compare(case: &Path, found: &str) -> Option<String> {
    let expected = case.join("expected.txt");
    if std::env::var_os("TRAPLINE_TEST_BLESS").is_some() {
        std::fs::write(&expected, found).expect("the expected text can be written");
    }
    let wanted = std::fs::read_to_string(&expected).unwrap_or_default();
    (wanted != found).then(|| format!("{}\nexpected:\n{wanted}\nfound:\n{found}", case.display()))
}

#[test]
fn every_invalid_case_reports_all_its_problems() {
    let mut wrong = Vec::new();
    for case in cases("invalid") {
        let mut found = String::new();
        match run(&case) {
            Ok(_) => found.push_str("no problem\n"),
            Err(refused) => {
                for problem in &refused.problems {
                    writeln!(found, "{problem}").expect("a string takes it");
                }
                for warning in &refused.warnings {
                    writeln!(found, "warning: {warning}").expect("a string takes it");
                }
            }
        }
        assert!(
            !found.contains("hunter2"),
            "{} shows a secret: {found}",
            case.display()
        );
        wrong.extend(compare(&case, &found));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_valid_case_says_what_counts() {
    let mut wrong = Vec::new();
    for case in cases("valid") {
        let mut found = String::new();
        match run(&case) {
            Ok(loaded) => {
                for (key, value) in loaded.config.effective.lines() {
                    writeln!(found, "{key} = {value}").expect("a string takes it");
                }
                for warning in &loaded.warnings {
                    writeln!(found, "warning: {warning}").expect("a string takes it");
                }
            }
            Err(refused) => {
                for problem in &refused.problems {
                    writeln!(found, "{problem}").expect("a string takes it");
                }
                for warning in &refused.warnings {
                    writeln!(found, "warning: {warning}").expect("a string takes it");
                }
            }
        }
        assert!(
            !found.contains("hunter2"),
            "{} shows a secret: {found}",
            case.display()
        );
        wrong.extend(compare(&case, &found));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The shipped file with every setting in force: `#` is taken away where a setting follows at once.
fn shipped_with_every_key() -> String {
    let shipped = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/trapline.toml"),
    )
    .expect("the shipped file is there");
    let is_setting =
        |rest: &str| rest.starts_with(|first: char| first == '[' || first.is_ascii_lowercase());
    let lines = shipped.lines().map(|line| {
        line.strip_prefix('#')
            .filter(|rest| is_setting(rest))
            .unwrap_or(line)
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn effective(text: &str) -> BTreeMap<String, String> {
    let config = parse(text, HOST).expect("a valid configuration");
    config
        .effective
        .lines()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn the_shipped_file_says_the_defaults() {
    let mut shipped = effective(&shipped_with_every_key());
    let mut defaults = effective("");
    let key = "kafka.bootstrap_servers";
    assert_eq!(
        defaults.remove(key).as_deref(),
        Some("\"\""),
        "it is the one key without a default"
    );
    assert!(
        shipped
            .remove(key)
            .is_some_and(|servers| servers.contains(":9092"))
    );
    assert_eq!(shipped, defaults);
}

#[test]
fn the_shipped_file_as_it_is_sets_nothing() {
    let text = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/trapline.toml"),
    );
    let (raw, problems) = raw::read(Source {
        file: "f",
        text: &text.expect("the shipped file"),
    })
    .expect("no syntax error");
    assert!(problems.is_empty() && raw.settings.values.is_empty() && !raw.has_listeners);
}

#[test]
fn every_key_and_every_reload_stands_in_the_shipped_file() {
    let shipped = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/trapline.toml"),
    )
    .expect("the shipped file is there");
    let lines: Vec<&str> = shipped.lines().collect();
    for key in KEYS {
        let name = key.path.rsplit('.').next().expect("a path has a name");
        let section = key
            .path
            .strip_suffix(name)
            .expect("a path ends in its name")
            .trim_end_matches('.');
        let header = lines.iter().position(|line| {
            line.trim_start_matches(['#', ' ', '['])
                .trim_end_matches(']')
                == section
        });
        let header = header.unwrap_or_else(|| panic!("[{section}] is not in the shipped file"));
        let setting = format!("{name} = ");
        let at = lines
            .iter()
            .skip(header)
            .position(|line| line.trim_start_matches(['#', ' ']).starts_with(&setting));
        let at = header + at.unwrap_or_else(|| panic!("{} is not in the shipped file", key.path));
        let comment: Vec<&str> = lines[..at]
            .iter()
            .rev()
            .take_while(|line| line.starts_with("# "))
            .copied()
            .collect();
        let is_marked = comment.iter().any(|line| line.contains("[reload]"));
        let expected = key.on_reload == OnReload::Applied;
        // The names of certificate files need a restart; their content is what a reload reads.
        assert!(
            is_marked == expected || section == schema::LISTENER_TLS,
            "{}: [reload] is wrong",
            key.path
        );
    }
}

#[test]
fn every_key_is_read() {
    let config = parse(&every_key_text(), HOST).expect("a valid configuration");
    let said: BTreeSet<String> = config
        .effective
        .lines()
        .map(|(key, _)| {
            if let Some((_, name)) = key
                .strip_prefix("snmp.user.")
                .and_then(|rest| rest.rsplit_once('.'))
            {
                return format!("snmp.user.{name}");
            }
            if let Some((_, name)) = key
                .strip_prefix("route.")
                .and_then(|rest| rest.split_once('.'))
            {
                return format!("route.{name}");
            }
            match key
                .strip_prefix("listener.")
                .and_then(|rest| rest.split_once('.'))
            {
                Some((_, rest)) => format!("listener.{rest}"),
                None => key.to_owned(),
            }
        })
        .collect();
    for key in KEYS
        .iter()
        .filter(|key| !key.path.starts_with(schema::LISTENER_TLS))
    {
        assert!(
            said.contains(key.path),
            "{} is in the table and nobody reads it",
            key.path
        );
    }
}

fn every_key_text() -> String {
    let case = cases("valid")
        .into_iter()
        .find(|case| case.ends_with("every_key"))
        .expect("the case is there");
    std::fs::read_to_string(case.join("trapline.toml")).expect("a case has a file")
}

#[test]
fn every_word_of_a_choice_is_one_that_its_stage_knows() {
    for key in KEYS {
        let schema::Shape::Choice(words) = key.shape else {
            continue;
        };
        let Some((section, name)) = key.path.rsplit_once('.') else {
            continue;
        };
        if matches!(section, schema::SNMP_USER | schema::ROUTE) {
            continue;
        }
        for word in words
            .iter()
            .filter(|word| !matches!(**word, "tcp" | "tls" | "disk"))
        {
            let header = if section == schema::LISTENER {
                "[[listener]]".to_owned()
            } else {
                format!("[{section}]")
            };
            let said = effective(&format!("{header}\n{name} = \"{word}\"\n"));
            assert!(
                said.values().any(|value| value == &format!("\"{word}\"")),
                "{} = {word}",
                key.path
            );
        }
    }
}

#[test]
fn values_reach_their_stages() {
    let config = parse(&every_key_text(), HOST).expect("a valid configuration");
    assert_eq!(config.normalize.agent_id, "br17");
    assert_eq!(config.normalize.raw, crate::normalize::RawPolicy::Always);
    assert_eq!(
        config.normalize.domain,
        crate::normalize::DomainPolicy::Strip
    );
    assert_eq!(config.normalize.utc_offset_minutes, -210);
    assert_eq!(
        config.route.topics.join(" "),
        "a.syslog a.snmp a.device a.gap a.storm a.agent"
    );
    assert_eq!(config.spool.topics.len(), 6);
    let rules = &config.route.rules;
    assert_eq!(
        rules.iter().map(|rule| &rule.then).collect::<Vec<_>>(),
        [
            &Then::Topic("a.syslog".into()),
            &Then::Drop,
            &Then::Sample(100.try_into().expect("not 0"))
        ]
    );
    let chatter = &rules[1].when;
    assert_eq!(
        chatter.kinds,
        [crate::event::Kind::Syslog, crate::event::Kind::SnmpTrap]
    );
    assert_eq!(
        chatter.devices,
        [
            Pattern::Begins("lax-".into()),
            Pattern::Ends("-core".into())
        ],
        "names are in lower case"
    );
    assert_eq!(chatter.contains, ["logged in, from console"]);
    assert!(chatter.regex.is_some() && chatter.labels.len() == 2);
    assert_eq!(config.route.listeners, ["datagrams", "streams", "app"]);
    let storm = config.storm.expect("a limit");
    assert_eq!((storm.events_per_second, storm.burst), (200, 5000));
    let disk = config.spool.disk.as_ref().expect("a disk spool");
    assert_eq!(disk.folder, Path::new("/srv/trapline"));
    assert_eq!(disk.bytes_max, 2 << 30);
    assert_eq!(disk.fsync, crate::spool::Fsync::Always);
    assert_eq!(disk.free_bytes_min, 100 << 20);
    assert_eq!(disk.age_max, Some(std::time::Duration::from_secs(3600)));
    assert_eq!(config.spool.when_full, crate::spool::WhenFull::DropNewest);
    assert_eq!(config.status.bind, None);
    assert_eq!(
        config.status.admin_socket.as_deref(),
        Some(Path::new("/tmp/trapline.sock"))
    );
    let replay = config.produce.replay_bytes_per_second;
    assert_eq!(replay.map(std::num::NonZeroU64::get), Some(500_000));
    assert_eq!(config.log.filter, "debug".parse().expect("a level"));
    assert_eq!(config.log.format, crate::observe::log::Format::Json);
    assert_eq!(config.drain.as_secs(), 7);
    let produce = &config.produce;
    assert_eq!(
        produce.bootstrap_servers.as_deref(),
        Some("k1.example.net:9092,k2.example.net:9093")
    );
    assert_eq!(produce.compression, crate::produce::Compression::Zstd);
    assert_eq!(
        (
            produce.linger_ms,
            produce.batch_bytes,
            produce.batch_records
        ),
        (5, 131_072, 500)
    );
    assert_eq!(
        (produce.window_records, produce.window_bytes),
        (5_000, 4 * 1024 * 1024)
    );
    assert_eq!(
        produce
            .options
            .0
            .get("message.max.bytes")
            .map(String::as_str),
        Some("900000")
    );
    assert!(
        config.route.payload_bytes_max < 900_000,
        "key and headers have to fit too"
    );
    assert!(
        matches!(&produce.headers, crate::produce::Headers::Standard { agent, .. } if agent == "br17")
    );
    assert_eq!(produce.topics, config.spool.topics);
    let [datagrams, streams, local] = config.listeners.as_slice() else {
        panic!("three listeners")
    };
    let unix = local.unix.as_ref().expect("a unix socket");
    assert_eq!(unix.path, Path::new("/run/trapline/app.sock"));
    assert_eq!(unix.mode, 0o660);
    let whose = (unix.owner.as_deref(), unix.group.as_deref());
    assert_eq!(whose, (Some("root"), Some("4")));
    assert_eq!((datagrams.listener.index, streams.listener.index), (0, 1));
    assert_eq!(
        (datagrams.receive_buffer_bytes, datagrams.shards),
        (8 * 1024 * 1024, 2)
    );
    assert_eq!(
        (streams.frame_bytes_max, streams.connections_max),
        (8192, 100)
    );
    assert_eq!(
        (streams.connections_per_peer_max, streams.idle_seconds_max),
        (10, 600)
    );
}

#[test]
fn the_status_page_shares_its_port_with_another_address_another_transport_and_none() {
    let parsed = |listener: &str| parse(&format!("[[listener]]\n{listener}\n"), HOST);
    for listener in [
        "transport = \"tcp\"\nbind = \"10.0.0.1:9514\"",
        "transport = \"udp\"\nbind = \"127.0.0.1:9514\"",
    ] {
        assert!(parsed(listener).is_ok(), "{listener}");
    }
    let text = "transport = \"tcp\"\nbind = \"[::]:9514\"";
    assert!(parsed(text).is_err());
    assert!(parsed(&format!("{text}\n[status]\nbind = \"off\"")).is_ok());
}

fn reload(old: &str, new: &str) -> Reload {
    difference(
        &parse(old, HOST).expect("old"),
        &parse(new, HOST).expect("new"),
    )
}

#[test]
fn a_reload_applies_what_it_can_and_names_the_rest() {
    let old = "[[listener]]\nname = \"a\"\nallow = [\"10.0.0.0/8\"]\n";
    let new = "[event]\nraw = \"always\"\n[log]\nlevel = \"debug\"\n[kafka]\nlinger_ms = 5\n[kafka.options]\n\
               \"sasl.username\" = \"x\"\n[[listener]]\nname = \"a\"\nallow = [\"10.1.0.0/16\"]\nbind = \"[::]:1514\"\n";
    let reload = reload(old, new);
    assert_eq!(
        reload.applied,
        ["event.raw", "listener.a.allow", "log.level"]
    );
    assert_eq!(
        reload.needs_restart,
        [
            "kafka.linger_ms",
            "kafka.options.sasl.username",
            "listener.a.bind"
        ]
    );
}

#[test]
fn another_order_of_rules_is_a_change_that_needs_a_restart() {
    let (one, two) = (
        "[[route]]\nname = \"one\"\naction = \"drop\"\n",
        "[[route]]\nname = \"two\"\nsample = 2\n",
    );
    let reload = reload(&format!("{one}{two}"), &format!("{two}{one}"));
    assert_eq!(reload.needs_restart, ["route"]);
    assert_eq!(reload.applied, Vec::<String>::new());
}

#[test]
fn a_listener_that_is_new_or_gone_is_named_once() {
    let reload = reload(
        "[[listener]]\nname = \"a\"\n",
        "[[listener]]\nname = \"b\"\n",
    );
    assert_eq!(reload.applied, Vec::<String>::new());
    assert_eq!(reload.needs_restart, ["listener.a", "listener.b"]);
}

#[test]
fn the_same_said_in_another_way_is_no_change() {
    let reload = reload(
        "[spool]\nkind = \"memory\"\nbytes_max = \"24 MiB\"\n",
        "[spool]\nbytes_max = 25_165_824\nkind = \"memory\"\n",
    );
    assert_eq!(reload, Reload::default());
}

fn write(path: &Path, text: &str, mode: u32) {
    std::fs::write(path, text).expect("the folder takes it");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("our own file");
}

fn load_from(path: &Path) -> Result<Loaded, Vec<Problem>> {
    load(Some(path), std::iter::empty(), HOST).map_err(|refused| refused.problems)
}

#[test]
fn a_secret_comes_from_its_file_and_is_shown_nowhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, secret) = (
        folder.path().join("trapline.toml"),
        folder.path().join("password"),
    );
    write(&secret, "hunter2\n", 0o640);
    write(
        &file,
        &format!("[kafka.options_file]\n\"sasl.password\" = {secret:?}\n"),
        0o644,
    );
    let loaded = load_from(&file).expect("a valid configuration");
    assert_eq!(
        loaded
            .config
            .produce
            .options
            .0
            .get("sasl.password")
            .map(String::as_str),
        Some("hunter2")
    );
    assert!(!format!("{loaded:?}").contains("hunter2"));
    assert!(
        loaded
            .config
            .effective
            .lines()
            .any(|line| line == ("kafka.options.sasl.password", "***"))
    );
    assert!(
        !loaded
            .warnings
            .iter()
            .any(|warning| warning.text.contains("chmod")),
        "{:?}",
        loaded.warnings
    );
}

#[test]
fn a_file_of_communities_without_any_says_that_each_has_a_line_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, list) = (
        folder.path().join("trapline.toml"),
        folder.path().join("communities"),
    );
    write(
        &file,
        &format!("[snmp]\ncommunities_file = {list:?}\n"),
        0o640,
    );
    for nothing in ["", "\n", " \n\n\t\n"] {
        write(&list, nothing, 0o640);
        let problems = load_from(&file).expect_err("it would turn every device away");
        let text = problems[0].to_string();
        assert!(text.contains("each on a line of its own"), "{text}");
    }
    write(&list, "\nhunter2\n\nhunter22\n", 0o640);
    let loaded = load_from(&file).expect("two communities");
    let communities = loaded.config.snmp.communities;
    assert!(matches!(&communities, crate::pipeline::Communities::These(list) if list.len() == 2));
}

#[test]
fn a_secret_that_everybody_can_read_is_warned_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, secret) = (
        folder.path().join("trapline.toml"),
        folder.path().join("password"),
    );
    write(&secret, "hunter2\n", 0o644);
    let options = "[kafka.options]\n\"ssl.key.password\" = \"hunter2\"\n[kafka.options_file]\n";
    write(
        &file,
        &format!("{options}\"sasl.password\" = {secret:?}\n"),
        0o644,
    );
    let loaded = load_from(&file).expect("a valid configuration");
    let warned: Vec<&str> = loaded
        .warnings
        .iter()
        .filter(|warning| warning.text.contains("chmod"))
        .map(|warning| warning.key.as_str())
        .collect();
    assert_eq!(
        warned,
        [
            "kafka.options.ssl.key.password",
            "kafka.options_file.sasl.password"
        ]
    );
}

#[test]
fn a_renewed_certificate_is_applied_and_a_wrong_key_is_a_problem() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name);
    let renew = || rcgen::generate_simple_self_signed(["br17".to_owned()]).expect("a certificate");
    let (first, second) = (renew(), renew());
    write(&place("chain.pem"), &first.cert.pem(), 0o644);
    write(&place("key.pem"), &first.signing_key.serialize_pem(), 0o640);
    let tls = format!(
        "certificate_file = {:?}\nkey_file = {:?}\n",
        place("chain.pem"),
        place("key.pem")
    );
    write(
        &place("trapline.toml"),
        &format!("[[listener]]\nname = \"t\"\ntransport = \"tls\"\n[listener.tls]\n{tls}"),
        0o640,
    );
    let old = load_from(&place("trapline.toml")).expect("certificate and key fit");
    write(&place("chain.pem"), &second.cert.pem(), 0o644);
    let problems =
        load_from(&place("trapline.toml")).expect_err("the key is of the other certificate");
    assert_eq!(
        problems.first().map(|problem| problem.key.as_str()),
        Some("listener.t.tls.certificate_file")
    );
    write(
        &place("key.pem"),
        &second.signing_key.serialize_pem(),
        0o640,
    );
    let new = load_from(&place("trapline.toml")).expect("certificate and key fit");
    assert_eq!(
        difference(&old.config, &new.config).applied,
        ["listener.t.tls.content"]
    );
    write(&place("key.pem"), &second.cert.pem(), 0o640);
    let problems = load_from(&place("trapline.toml")).expect_err("a certificate is no key");
    assert!(
        problems
            .iter()
            .any(|problem| problem.text.contains("expected a private key in PEM")),
        "{problems:?}"
    );
}

#[test]
fn a_file_that_is_missing_or_not_utf8_is_one_problem_with_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("trapline.toml");
    let texts = |problems: Vec<Problem>| {
        problems
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    };
    let missing = texts(load_from(&file).expect_err("it is not there"));
    assert!(
        missing.contains("create the file or correct the path"),
        "{missing}"
    );
    std::fs::write(&file, b"[agent]\nid = \"b\xfc17\"\n").expect("the folder takes it");
    let latin1 = texts(load_from(&file).expect_err("it is not UTF-8"));
    assert!(
        latin1.contains("trapline.toml:2:8: the file is not UTF-8 here"),
        "{latin1}"
    );
}

#[test]
fn an_engine_id_whose_boots_are_kept_nowhere_is_warned_of() {
    let warned = |folder: &str| {
        let text = format!(
            "[agent]\nstate_folder = {folder:?}\n[snmp]\nengine_id = \"80007ed90501020304\"\n"
        );
        let loaded = assemble(
            "trapline.toml",
            &text,
            Some(0o640),
            std::iter::empty(),
            HOST,
            Findings::default(),
        );
        let warnings = loaded.expect("a valid configuration").warnings;
        warnings
            .iter()
            .any(|warning| warning.key == "snmp.engine_id")
    };
    assert!(warned("off"));
    assert!(!warned("/var/lib/trapline/state"));
}
