//! Tries the way to Kafka once, as the producer would go it, and says how far it gets. Produces nothing.
//!
//! ```text
//!  Config ──▶ a client of its own ──TLS, SASL, metadata──▶ Probe: brokers, each topic's partitions and right to write
//!                                                      └─▶ ProbeError: the step that failed, and why
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::producer::{BaseProducer, Producer};

use super::Config;
use super::client::create;
use super::errors::{Failure, row};
use super::inbox::{Context, ErrorEvent, Inbox};
use super::rights::describe;
use super::settings::native_config;

/// How long one question waits before the events are looked at; short, so that a refusal is seen at once.
const TURN: Duration = Duration::from_millis(500);

/// How long the cluster may take to tell rights.
const RIGHTS_PATIENCE: Duration = Duration::from_secs(5);

/// A step on the way to the cluster, behind the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Certificates and encryption.
    Tls,
    /// Who we are.
    Sasl,
    /// The first answer.
    Metadata,
}

/// What a cluster answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The brokers that it names, `host:port`.
    pub brokers: Vec<String>,
    /// Each topic that was asked about.
    pub topics: Vec<ProbedTopic>,
}

/// What a cluster answered about one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbedTopic {
    /// Its name.
    pub topic: String,
    /// How many partitions it has, or what is wrong with it and what to do.
    pub partitions: Result<usize, String>,
    /// Whether the cluster lets us write to it; `None` when it does not tell.
    pub may_write: Option<bool>,
}

/// What kept the client from the cluster.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The settings make no client.
    #[error("the Kafka settings cannot be used: {0}")]
    Settings(String),
    /// A broker refuses us, or is no broker.
    #[error("{words} ({name}): {reason}")]
    Refused {
        /// What it is and what to do.
        words: &'static str,
        /// The error's name.
        name: &'static str,
        /// The client's words.
        reason: String,
    },
    /// Nobody answered in time.
    #[error("no broker answered within {0} seconds")]
    Silent(u64),
}

impl ProbeError {
    /// The step that failed, where the client's error says which. The steps before it have then been passed.
    pub fn step(&self) -> Option<Step> {
        match self {
            ProbeError::Refused { name, .. } => match *name {
                "_SSL" => Some(Step::Tls),
                "_AUTHENTICATION" | "SASL_AUTHENTICATION_FAILED" => Some(Step::Sasl),
                _ => None,
            },
            ProbeError::Settings(_) | ProbeError::Silent(_) => None,
        }
    }
}

/// Asks the cluster about itself and about every topic. Waits at most for `patience`.
///
/// # Errors
/// [`ProbeError`]: the settings, the first refusal that the client tells, or silence.
pub fn probe(config: &Config, patience: Duration) -> Result<Probe, ProbeError> {
    let mut native = native_config(config);
    if let Some(servers) = &config.bootstrap_servers {
        native.set("bootstrap.servers", servers);
    }
    // A producer's question about a topic would make one that is missing.
    native.set("allow.auto.create.topics", "false");
    let inbox = Arc::new(Inbox::default());
    let producer = create(&native, &inbox).map_err(ProbeError::Settings)?;
    let deadline = Instant::now() + patience;
    let mut seen: Vec<ErrorEvent> = Vec::new();
    let brokers = loop {
        if let Ok(metadata) = producer
            .client()
            .fetch_metadata(config.topics.first().map(String::as_str), TURN)
        {
            let broker = |each: &rdkafka::metadata::MetadataBroker| {
                format!("{}:{}", each.host(), each.port())
            };
            break metadata.brokers().iter().map(broker).collect();
        }
        producer.poll(Duration::ZERO);
        seen.extend(inbox.take_errors());
        if Instant::now() >= deadline {
            return Err(told(seen, patience));
        }
    };
    Ok(Probe {
        brokers,
        topics: topics(&producer, &config.topics),
    })
}

/// With rights, or without where the cluster is too old to tell them.
fn topics(producer: &BaseProducer<Context>, names: &[String]) -> Vec<ProbedTopic> {
    match describe(producer, names, RIGHTS_PATIENCE) {
        Ok(answer) => answer
            .into_iter()
            .map(|topic| ProbedTopic {
                topic: topic.topic,
                partitions: topic.partitions.map_err(|code| row(code).words.to_owned()),
                may_write: topic.may_write,
            })
            .collect(),
        Err(_) => names
            .iter()
            .map(|name| ProbedTopic {
                topic: name.clone(),
                partitions: partitions(producer, name),
                may_write: None,
            })
            .collect(),
    }
}

/// The most telling of what was seen: that all brokers are down says less than why one is.
fn told(seen: Vec<ErrorEvent>, patience: Duration) -> ProbeError {
    let is_summary = |event: &&ErrorEvent| event.failure().row.name != "_ALL_BROKERS_DOWN";
    let event = seen.iter().find(is_summary).or(seen.first());
    match event {
        None => ProbeError::Silent(patience.as_secs()),
        Some(event) => {
            let Failure { row, .. } = event.failure();
            ProbeError::Refused {
                words: row.words,
                name: row.name,
                reason: event.reason.clone(),
            }
        }
    }
}

fn partitions(producer: &BaseProducer<Context>, topic: &str) -> Result<usize, String> {
    let answer = producer
        .client()
        .fetch_metadata(Some(topic), TURN * 10)
        .map_err(|error| error.to_string())?;
    let about = answer.topics().iter().find(|about| about.name() == topic);
    let about = about.ok_or("the cluster did not answer about it")?;
    match about.error() {
        None => Ok(about.partitions().len()),
        Some(code) => {
            let code = rdkafka::error::RDKafkaErrorCode::from(code);
            Err(row(code).words.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::produce::embedded::EmbeddedCluster;

    #[test]
    fn a_cluster_names_its_brokers_and_answers_for_each_topic() {
        let there = vec!["there".to_owned()];
        let cluster = EmbeddedCluster::start(&there, 3).unwrap();
        let mut config = Config::new(there);
        config.bootstrap_servers = Some(cluster.bootstrap_servers());
        let probed = probe(&config, Duration::from_secs(20)).unwrap();
        assert_eq!(probed.brokers.len(), 1);
        assert_eq!(probed.topics.len(), 1);
        assert_eq!(probed.topics[0].partitions, Ok(3));
    }

    #[test]
    fn nobody_at_the_address_is_told_in_the_client_s_words() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let mut config = Config::new(vec!["t".to_owned()]);
        config.bootstrap_servers = Some(address.to_string());
        let error = probe(&config, Duration::from_secs(2)).unwrap_err();
        assert!(
            error.to_string().contains(&address.port().to_string()),
            "{error}"
        );
    }
}
