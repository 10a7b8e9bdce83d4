//! The way to Kafka, step by step: each broker's name, a connection to it, then what the cluster answers.
//!
//! ```text
//!  bootstrap_servers ──▶ resolve ──▶ connect ──▶ TLS, SASL, metadata (one client, as the producer's) ──▶ topics
//! ```

use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::Finding;
use crate::produce::Config;
use crate::produce::probe::{Probe, probe};

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
    match probe(config, ANSWER_PATIENCE) {
        Ok(answer) => findings.extend(answered(&answer, &protocol)),
        Err(error) => findings.push(Finding::fail(
            "kafka",
            format!("{}: {error}", steps(&protocol)),
            "the steps above say how far it gets; with TLS see ssl.ca.location, with SASL sasl.mechanism and the password's file",
        )),
    }
    findings
}

/// What lies between the connection and the first answer.
fn steps(protocol: &str) -> &'static str {
    match protocol {
        "ssl" => "TLS, metadata",
        "sasl_plaintext" => "SASL, metadata",
        "sasl_ssl" => "TLS, SASL, metadata",
        _ => "metadata",
    }
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

fn answered(answer: &Probe, protocol: &str) -> Vec<Finding> {
    let mut findings = vec![Finding::ok(
        "kafka",
        format!(
            "{}: the cluster names {}",
            steps(protocol),
            answer.brokers.join(", ")
        ),
    )];
    for topic in &answer.topics {
        let name = &topic.topic;
        findings.push(match &topic.partitions {
            Ok(count) => Finding::ok("topic", format!("{name}: {count} partitions")),
            Err(why) => Finding::fail(
                "topic",
                format!("{name}: {why}"),
                "create it, or grant Describe and Write on it; until then its events wait",
            ),
        });
    }
    findings
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
    fn a_cluster_that_answers_passes_every_step() {
        let topics = vec!["there".to_owned()];
        let cluster = EmbeddedCluster::start(&topics, 2).unwrap();
        let mut config = Config::new(topics);
        config.bootstrap_servers = Some(cluster.bootstrap_servers());
        let findings = findings(&config);
        assert!(
            findings.iter().all(|each| each.level == Level::Ok),
            "{findings:?}"
        );
        assert!(
            findings
                .iter()
                .any(|each| each.what == "there: 2 partitions")
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
