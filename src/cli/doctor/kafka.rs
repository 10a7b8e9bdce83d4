//! The way to Kafka, step by step: each broker's name, a connection to it, then what the cluster answers.
//!
//! ```text
//!  bootstrap_servers ──▶ resolve ──▶ connect ──▶ TLS ──▶ SASL ──▶ metadata ──▶ topics ──▶ rights
//!                                                └── one client, as the producer's ──┘
//! ```

use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::Finding;
use crate::produce::Config;
use crate::produce::probe::{Probe, ProbeError, ProbedTopic, Step, probe};

/// How long a connection may take: what a satellite line needs twice.
const CONNECT_PATIENCE: Duration = Duration::from_secs(3);

/// How long the cluster may take to answer, TLS and SASL included.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let Some(servers) = &config.bootstrap_servers else {
        return vec![Finding::warn(
            "kafka",
            "kafka.bootstrap_servers is not set: events wait in the spool and go nowhere",
            "set it to your brokers, \"host:port,host:port\", and restart",
        )];
    };
    let servers = servers
        .split(',')
        .map(str::trim)
        .filter(|it| !it.is_empty());
    let mut findings: Vec<Finding> = servers.flat_map(reach).collect();
    let protocol = config.options.0.get("security.protocol");
    let protocol = protocol.map_or("plaintext", String::as_str).to_lowercase();
    let steps = steps(&protocol);
    match probe(config, ANSWER_PATIENCE) {
        Ok(answer) => findings.extend(answered(&answer, steps)),
        Err(error) => findings.extend(refused(&error, steps)),
    }
    findings
}

/// What lies between the connection and the first answer.
fn steps(protocol: &str) -> &'static [Step] {
    match protocol {
        "ssl" => &[Step::Tls, Step::Metadata],
        "sasl_plaintext" => &[Step::Sasl, Step::Metadata],
        "sasl_ssl" => &[Step::Tls, Step::Sasl, Step::Metadata],
        _ => &[Step::Metadata],
    }
}

fn word(step: Step) -> &'static str {
    match step {
        Step::Tls => "TLS",
        Step::Sasl => "SASL",
        Step::Metadata => "metadata",
    }
}

/// A step that was passed and has nothing to show.
fn passed(step: Step) -> Finding {
    let what = match step {
        Step::Tls => "TLS: the broker's certificate is accepted",
        Step::Sasl => "SASL: the broker knows us",
        Step::Metadata => "metadata: the cluster answers",
    };
    Finding::ok("kafka", what)
}

/// The steps up to the one that failed.
fn refused(error: &ProbeError, steps: &[Step]) -> Vec<Finding> {
    let Some(failed) = error.step().filter(|step| steps.contains(step)) else {
        let names: Vec<&str> = steps.iter().map(|step| word(*step)).collect();
        return vec![Finding::fail(
            "kafka",
            format!("{}: {error}", names.join(", ")),
            "the steps above say how far it gets; a door that is silent or hangs up often speaks another security.protocol",
        )];
    };
    let advice = match failed {
        Step::Tls => {
            "see kafka.options ssl.ca.location, the names and dates in the broker's certificate, and this host's clock; for mTLS ssl.certificate.location and ssl.key.location"
        }
        Step::Sasl => {
            "see kafka.options sasl.mechanism and sasl.username, and the file with the password; the broker's log says more than it tells us"
        }
        Step::Metadata => "the steps above say how far it gets",
    };
    let before = steps.iter().take_while(|step| **step != failed);
    let mut findings: Vec<Finding> = before.map(|step| passed(*step)).collect();
    let what = format!("{}: {error}", word(failed));
    findings.push(Finding::fail("kafka", what, advice));
    findings
}

/// A broker's name and a connection to it. The client takes it without `//` and with the port 9092 by default.
fn reach(server: &str) -> Vec<Finding> {
    let place = server.rsplit_once("://").map_or(server, |(_, place)| place);
    let place = match place.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => place.to_owned(),
        _ => format!("{place}:9092"),
    };
    let begin = Instant::now();
    let addresses: Vec<_> = match place.to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(error) => {
            return vec![Finding::fail(
                "kafka",
                format!("resolve {place}: {error}"),
                "correct the name in kafka.bootstrap_servers, or this host's DNS (/etc/resolv.conf)",
            )];
        }
    };
    let names: Vec<String> = addresses.iter().map(|at| at.ip().to_string()).collect();
    let time_ms = begin.elapsed().as_millis();
    let mut findings = vec![Finding::ok(
        "kafka",
        format!("resolve {place}: {} ({time_ms} ms)", names.join(", ")),
    )];
    for address in addresses {
        let begin = Instant::now();
        findings.push(match TcpStream::connect_timeout(&address, CONNECT_PATIENCE) {
            Ok(_) => {
                let time_ms = begin.elapsed().as_millis();
                Finding::ok("kafka", format!("connect {address} ({time_ms} ms)"))
            }
            Err(error) => Finding::warn(
                "kafka",
                format!("connect {address}: {error}"),
                "nobody listens there, or a firewall is between: one address that works is enough",
            ),
        });
    }
    findings
}

fn answered(answer: &Probe, steps: &[Step]) -> Vec<Finding> {
    let before = steps.iter().filter(|step| **step != Step::Metadata);
    let mut findings: Vec<Finding> = before.map(|step| passed(*step)).collect();
    let brokers = answer.brokers.join(", ");
    let what = format!("metadata: the cluster names {brokers}");
    findings.push(Finding::ok("kafka", what));
    findings.extend(answer.topics.iter().flat_map(topic));
    findings
}

/// Whether the topic is there, and whether it may be written to.
fn topic(topic: &ProbedTopic) -> Vec<Finding> {
    let name = &topic.topic;
    let count = match &topic.partitions {
        Ok(count) => count,
        Err(why) => {
            return vec![Finding::fail(
                "topic",
                format!("{name}: {why}"),
                "create it, or grant Describe and Write on it; until then its events wait",
            )];
        }
    };
    let rights = match topic.may_write {
        Some(true) => Finding::ok("rights", format!("{name}: may be written to")),
        Some(false) => Finding::fail(
            "rights",
            format!("{name}: no right to write"),
            "grant the ACL Write on it (`kafka-acls --add --allow-principal User:... --operation Write --topic ...`); until then its events wait",
        ),
        None => Finding::warn(
            "rights",
            format!("{name}: the cluster does not tell whether it may be written to"),
            "`trapline status` of the running agent names a topic that it may not write to",
        ),
    };
    let there = Finding::ok("topic", format!("{name}: {count} partitions"));
    vec![there, rights]
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use crate::produce::embedded::EmbeddedCluster;

    #[test]
    fn without_brokers_the_way_is_said_to_be_missing() {
        let findings = findings(&Config::new(vec!["t".to_owned()]));
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].level, Level::Warn);
    }

    #[test]
    fn a_cluster_that_answers_passes_every_step_and_one_that_tells_no_rights_is_said_to() {
        let topics = vec!["there".to_owned()];
        let cluster = EmbeddedCluster::start(&topics, 2).unwrap();
        let mut config = Config::new(topics);
        config.bootstrap_servers = Some(cluster.bootstrap_servers());
        let findings = findings(&config);
        let (rights, others): (Vec<_>, Vec<_>) =
            findings.iter().partition(|each| each.about == "rights");
        assert!(
            others.iter().all(|each| each.level == Level::Ok),
            "{findings:?}"
        );
        assert!(others.iter().any(|each| each.what == "there: 2 partitions"));
        assert_eq!(rights.len(), 1, "{findings:?}");
        assert_eq!(rights[0].level, Level::Warn);
    }

    #[test]
    fn what_may_be_written_to_is_said_for_each_topic() {
        let probed = |partitions, may_write| ProbedTopic {
            topic: "net.syslog".to_owned(),
            partitions,
            may_write,
        };
        let levels = |probed: &ProbedTopic| -> Vec<Level> {
            topic(probed).iter().map(|finding| finding.level).collect()
        };
        assert_eq!(levels(&probed(Ok(6), Some(true))), [Level::Ok, Level::Ok]);
        assert_eq!(
            levels(&probed(Ok(6), Some(false))),
            [Level::Ok, Level::Fail]
        );
        let missing = Err("no such topic".to_owned());
        assert_eq!(levels(&probed(missing, None)), [Level::Fail]);
    }

    #[test]
    fn the_step_that_fails_comes_last_and_those_before_it_are_passed() {
        let error = ProbeError::Refused {
            words: "authentication failed",
            name: "_AUTHENTICATION",
            reason: "no".to_owned(),
        };
        let findings = refused(&error, steps("sasl_ssl"));
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert_eq!(findings[0].level, Level::Ok);
        assert!(findings[0].what.starts_with("TLS"), "{findings:?}");
        assert_eq!(findings[1].level, Level::Fail);
        assert!(findings[1].what.starts_with("SASL"), "{findings:?}");
        // One that does not say where it failed is not guessed at.
        let findings = refused(&ProbeError::Silent(10), steps("sasl_ssl"));
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(
            findings[0].what.starts_with("TLS, SASL, metadata"),
            "{findings:?}"
        );
    }

    #[test]
    fn a_name_that_does_not_resolve_stops_at_its_step() {
        let findings = reach("no-such-host.invalid:9092");
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].level, Level::Fail);
        assert!(
            findings[0]
                .what
                .starts_with("resolve no-such-host.invalid:9092")
        );
    }

    #[test]
    fn no_secret_is_in_any_line() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let mut config = Config::new(vec!["t".to_owned()]);
        config.bootstrap_servers = Some(address);
        for (key, value) in [
            ("security.protocol", "sasl_plaintext"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.username", "branch"),
            ("sasl.password", "hunter22"),
        ] {
            config.options.0.insert(key.to_owned(), value.to_owned());
        }
        let text: String = findings(&config).iter().map(Finding::text).collect();
        assert!(text.contains("fail"), "{text}");
        assert!(!text.contains("hunter22"), "{text}");
    }
}
