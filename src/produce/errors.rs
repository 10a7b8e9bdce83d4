//! What every error code of the Kafka client means for the record, its topic and the producer: one table.
//!
//! ```text
//!  delivery report ─┐
//!  produceva ───────┼─ code ──▶ row(code) ──▶ Row { name, treatment, words }
//!  error callback ──┤
//!  fatal error ─────┘
//! ```
//!
//! The codes are librdkafka's (`rdkafka.h`, `rd_kafka_resp_err_t`): negative ones are its own, positive ones are the
//! Kafka protocol's (<https://kafka.apache.org/protocol#protocol_error_codes>). A code that the table does not name
//! gets [`OTHER`].
//!
//! A treatment says what happens to the *record's lane*. Whether the producer has to be replaced as well is
//! librdkafka's own word: with `enable.gapless.guarantee` every permanent failure of a batch raises a fatal error
//! (`rd_kafka_handle_Produce_error`), and then there is a new producer whatever the row says.

use rdkafka::types::RDKafkaErrorCode as Code;

/// What a failed record means for its lane. No treatment loses a record but [`Treatment::Poison`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// The record failed because of others or because its producer ended. It is sent again, without a pause.
    Bystander,
    /// The connection or the cluster is in trouble, and time repairs it. It is sent again after a back-off.
    Wait,
    /// The topic is in trouble until somebody repairs it. Its lane waits, tries one record, waits longer; the other
    /// lanes go on.
    TopicState,
    /// The broker will never take this record. Alone in its batch it is given up; in a batch with others the batch is
    /// first sent again one by one, because only then is it known which record it was.
    Poison,
    /// The producer cannot go on. A new one is made after a back-off, and every lane goes back to its lowest
    /// unacknowledged record.
    NewProducer,
}

/// One line of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// The code.
    code: Code,
    /// The code's name in `rdkafka.h` without its prefix: the name that counters and log lines use.
    pub name: &'static str,
    /// What follows from it.
    pub treatment: Treatment,
    /// What it is and what to do, for people.
    pub words: &'static str,
}

/// The row for codes that the table does not name: keep every record, start over with a new producer and a growing
/// pause. That is right for whatever the code may mean, only slower than a row of its own.
pub static OTHER: Row = Row {
    code: Code::Unknown,
    name: "OTHER",
    treatment: Treatment::NewProducer,
    words: "an error that has no row in the table: nothing is lost, a new producer is made after a pause; see the log for the code",
};

/// The row of `code`.
pub fn row(code: Code) -> &'static Row {
    TABLE.iter().find(|row| row.code == code).unwrap_or(&OTHER)
}

/// An error code and its row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failure {
    pub code: Code,
    pub row: &'static Row,
}

impl Failure {
    /// With the row of `code`.
    pub fn new(code: Code) -> Failure {
        Failure {
            code,
            row: row(code),
        }
    }

    /// The same for an error event and its text. A broker that does not take our certificate ends the connection with a
    /// TLS alert, which librdkafka calls a transport failure: whoever looked for a firewall then would look in vain.
    pub fn of_event(code: Code, reason: &str) -> Failure {
        let is_alert = code == Code::BrokerTransportFailure && reason.contains("SSL alert number");
        Failure::new(if is_alert { Code::SSL } else { code })
    }
}

const fn new(code: Code, name: &'static str, treatment: Treatment, words: &'static str) -> Row {
    Row {
        code,
        name,
        treatment,
        words,
    }
}

use Treatment::{Bystander, NewProducer, Poison, TopicState, Wait};

/// Every code that can come from a delivery report, from produceva, from the error callback or as a fatal error.
pub static TABLE: &[Row] = &[
    // The record was purged because the producer ended, or failed because another record of its batch did.
    new(
        Code::PurgeQueue,
        "_PURGE_QUEUE",
        Bystander,
        "taken back from the client's queue",
    ),
    new(
        Code::PurgeInflight,
        "_PURGE_INFLIGHT",
        Bystander,
        "taken back on its way to the broker; it may have arrived",
    ),
    new(
        Code::BrokerDestroy,
        "_DESTROY",
        Bystander,
        "the client was closed",
    ),
    new(
        Code::Retry,
        "_RETRY",
        Bystander,
        "taken back to be sent again",
    ),
    new(
        Code::InvalidDifferentRecord,
        "_INVALID_DIFFERENT_RECORD",
        Bystander,
        "another record of its batch was refused",
    ),
    // produceva: there is no room. The feeder waits and offers the same record again.
    new(
        Code::QueueFull,
        "_QUEUE_FULL",
        Wait,
        "the client's queue is full; sending goes on when the broker has acknowledged some",
    ),
    // The way to a broker. librdkafka repairs these by itself and only tells about them.
    new(
        Code::BrokerTransportFailure,
        "_TRANSPORT",
        Wait,
        "no connection to the broker: check kafka.bootstrap_servers, the network and the firewall",
    ),
    new(
        Code::AllBrokersDown,
        "_ALL_BROKERS_DOWN",
        Wait,
        "no broker can be reached: check kafka.bootstrap_servers, the network and the firewall",
    ),
    new(
        Code::Resolve,
        "_RESOLVE",
        Wait,
        "the broker's name cannot be resolved: check kafka.bootstrap_servers and DNS",
    ),
    new(
        Code::OperationTimedOut,
        "_TIMED_OUT",
        Wait,
        "the broker did not answer in time",
    ),
    new(
        Code::TimedOutQueue,
        "_TIMED_OUT_QUEUE",
        Wait,
        "the request waited too long for a connection",
    ),
    new(
        Code::MessageTimedOut,
        "_MSG_TIMED_OUT",
        Wait,
        "the broker did not answer in time",
    ),
    new(
        Code::UnknownBroker,
        "_UNKNOWN_BROKER",
        Wait,
        "the broker has left the cluster",
    ),
    new(
        Code::DestroyBroker,
        "_DESTROY_BROKER",
        Wait,
        "the broker has left the cluster",
    ),
    new(
        Code::NetworkException,
        "NETWORK_EXCEPTION",
        Wait,
        "the broker was disconnected before it answered",
    ),
    new(
        Code::RebootstrapRequired,
        "REBOOTSTRAP_REQUIRED",
        Wait,
        "the cluster asks its clients to look for brokers anew",
    ),
    // Who we are. A state of the connection: nothing is lost, it goes on when the credentials are right.
    new(
        Code::Authentication,
        "_AUTHENTICATION",
        Wait,
        "authentication failed: check sasl.* and ssl.* in kafka.options",
    ),
    new(
        Code::SaslAuthenticationFailed,
        "SASL_AUTHENTICATION_FAILED",
        Wait,
        "the broker refuses the credentials: check sasl.username and sasl.password in kafka.options",
    ),
    new(
        Code::UnsupportedSASLMechanism,
        "UNSUPPORTED_SASL_MECHANISM",
        Wait,
        "the broker does not offer this SASL mechanism: check sasl.mechanism in kafka.options",
    ),
    new(
        Code::IllegalSASLState,
        "ILLEGAL_SASL_STATE",
        Wait,
        "the broker did not expect SASL now: check security.protocol in kafka.options",
    ),
    new(
        Code::SSL,
        "_SSL",
        Wait,
        "the TLS handshake failed: check ssl.ca.location, ssl.certificate.location and security.protocol in kafka.options, and names and dates of the certificates",
    ),
    new(
        Code::SecurityDisabled,
        "SECURITY_DISABLED",
        Wait,
        "the broker has no authentication configured: check security.protocol in kafka.options",
    ),
    // The partition is in motion or short of replicas. librdkafka asks for the new leader and sends again.
    new(
        Code::LeaderNotAvailable,
        "LEADER_NOT_AVAILABLE",
        Wait,
        "the partition has no leader at present",
    ),
    new(
        Code::NotLeaderForPartition,
        "NOT_LEADER_FOR_PARTITION",
        Wait,
        "the partition has moved to another broker",
    ),
    new(
        Code::BrokerNotAvailable,
        "BROKER_NOT_AVAILABLE",
        Wait,
        "the broker is not available",
    ),
    new(
        Code::ReplicaNotAvailable,
        "REPLICA_NOT_AVAILABLE",
        Wait,
        "a replica is not available",
    ),
    new(
        Code::RequestTimedOut,
        "REQUEST_TIMED_OUT",
        Wait,
        "the replicas did not confirm in time",
    ),
    new(
        Code::NotEnoughReplicas,
        "NOT_ENOUGH_REPLICAS",
        Wait,
        "fewer replicas in sync than min.insync.replicas asks for",
    ),
    new(
        Code::NotEnoughReplicasAfterAppend,
        "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
        Wait,
        "fewer replicas in sync than min.insync.replicas asks for",
    ),
    new(
        Code::ISRInsufficient,
        "_ISR_INSUFF",
        Wait,
        "fewer replicas in sync than min.insync.replicas asks for",
    ),
    new(
        Code::FencedLeaderEpoch,
        "FENCED_LEADER_EPOCH",
        Wait,
        "the partition has a new leader",
    ),
    new(
        Code::UnknownLeaderEpoch,
        "UNKNOWN_LEADER_EPOCH",
        Wait,
        "the partition has a new leader",
    ),
    new(
        Code::KafkaStorageError,
        "KAFKA_STORAGE_ERROR",
        Wait,
        "the broker's disk failed",
    ),
    new(
        Code::LogDirNotFound,
        "LOG_DIR_NOT_FOUND",
        Wait,
        "the broker's disk is missing",
    ),
    new(
        Code::InvalidMessage,
        "INVALID_MSG",
        Wait,
        "a batch was damaged on its way (its checksum is wrong)",
    ),
    new(
        Code::CoordinatorLoadInProgress,
        "COORDINATOR_LOAD_IN_PROGRESS",
        Wait,
        "the cluster is starting",
    ),
    new(
        Code::CoordinatorNotAvailable,
        "COORDINATOR_NOT_AVAILABLE",
        Wait,
        "the cluster is starting",
    ),
    new(
        Code::NotCoordinator,
        "NOT_COORDINATOR",
        Wait,
        "the coordinator has moved",
    ),
    // The topic: somebody has to create it, grant rights, or change its settings.
    new(
        Code::UnknownTopic,
        "_UNKNOWN_TOPIC",
        TopicState,
        "topic does not exist (create it, or allow auto creation)",
    ),
    new(
        Code::UnknownTopicOrPartition,
        "UNKNOWN_TOPIC_OR_PART",
        TopicState,
        "topic does not exist (create it, or allow auto creation)",
    ),
    new(
        Code::UnknownTopicId,
        "UNKNOWN_TOPIC_ID",
        TopicState,
        "topic was deleted or made anew",
    ),
    new(
        Code::UnknownPartition,
        "_UNKNOWN_PARTITION",
        TopicState,
        "topic has lost partitions (it was made anew with fewer)",
    ),
    new(
        Code::InvalidTopic,
        "TOPIC_EXCEPTION",
        TopicState,
        "topic name is not one that the broker takes (letters, digits, '.', '_' and '-', at most 249)",
    ),
    new(
        Code::TopicAuthorizationFailed,
        "TOPIC_AUTHORIZATION_FAILED",
        TopicState,
        "no right to write to the topic (grant the ACLs Write and Describe)",
    ),
    new(
        Code::PolicyViolation,
        "POLICY_VIOLATION",
        TopicState,
        "a policy of the broker's refuses the topic or its records",
    ),
    new(
        Code::ThrottlingQuotaExceeded,
        "THROTTLING_QUOTA_EXCEEDED",
        TopicState,
        "the client's quota is used up",
    ),
    new(
        Code::UnsupportedForMessageFormat,
        "UNSUPPORTED_FOR_MESSAGE_FORMAT",
        TopicState,
        "topic has an old message format (set message.format.version to 0.11 or later)",
    ),
    new(
        Code::UnsupportedCompressionType,
        "UNSUPPORTED_COMPRESSION_TYPE",
        TopicState,
        "topic does not take this compression (change kafka.compression)",
    ),
    // The record. Only these can end a record that is not delivered.
    new(
        Code::MessageSizeTooLarge,
        "MSG_SIZE_TOO_LARGE",
        Poison,
        "record is larger than the topic takes (raise max.message.bytes of the topic, or message.max.bytes in kafka.options)",
    ),
    new(
        Code::MessageBatchTooLarge,
        "RECORD_LIST_TOO_LARGE",
        Poison,
        "batch is larger than the topic's segment.bytes",
    ),
    new(
        Code::InvalidRecord,
        "INVALID_RECORD",
        Poison,
        "the broker's validation refuses the record (schema or compaction rules of the topic)",
    ),
    new(
        Code::InvalidTimestamp,
        "INVALID_TIMESTAMP",
        Poison,
        "record is older or newer than the topic takes (message.timestamp.before.max.ms, after.max.ms)",
    ),
    // The producer's own state is no longer that of the broker, or librdkafka has given up.
    new(
        Code::Fatal,
        "_FATAL",
        NewProducer,
        "the client stopped to keep the order of records",
    ),
    new(
        Code::GaplessGuarantee,
        "_GAPLESS_GUARANTEE",
        NewProducer,
        "the client stopped to keep the order of records",
    ),
    new(
        Code::State,
        "_STATE",
        NewProducer,
        "the client is in a state that it cannot leave",
    ),
    new(
        Code::OutOfOrderSequenceNumber,
        "OUT_OF_ORDER_SEQUENCE_NUMBER",
        NewProducer,
        "broker and client disagree about what was sent",
    ),
    new(
        Code::DuplicateSequenceNumber,
        "DUPLICATE_SEQUENCE_NUMBER",
        NewProducer,
        "broker and client disagree about what was sent",
    ),
    new(
        Code::UnknownProducerId,
        "UNKNOWN_PRODUCER_ID",
        NewProducer,
        "the broker has forgotten this producer",
    ),
    new(
        Code::InvalidProducerIdMapping,
        "INVALID_PRODUCER_ID_MAPPING",
        NewProducer,
        "the broker has forgotten this producer",
    ),
    new(
        Code::InvalidProducerEpoch,
        "INVALID_PRODUCER_EPOCH",
        NewProducer,
        "the broker has forgotten this producer",
    ),
    new(
        Code::ProducerFenced,
        "PRODUCER_FENCED",
        NewProducer,
        "another producer took this one's place",
    ),
    new(
        Code::Fenced,
        "_FENCED",
        NewProducer,
        "another producer took this one's place",
    ),
    new(
        Code::Inconsistent,
        "_INCONSISTENT",
        NewProducer,
        "the client lost track of what was sent",
    ),
    // InitProducerId (KIP-98): librdkafka makes these fatal, and only a new producer asks again.
    new(
        Code::ClusterAuthorizationFailed,
        "CLUSTER_AUTHORIZATION_FAILED",
        NewProducer,
        "no right to produce idempotently (grant the ACL IdempotentWrite, or Write on a topic)",
    ),
    new(
        Code::UnsupportedFeature,
        "_UNSUPPORTED_FEATURE",
        NewProducer,
        "the broker is too old for idempotent producing (Kafka 0.11 or later is needed)",
    ),
    new(
        Code::UnsupportedVersion,
        "UNSUPPORTED_VERSION",
        NewProducer,
        "the broker does not speak the client's version of the protocol",
    ),
    new(
        Code::BadMessage,
        "_BAD_MSG",
        NewProducer,
        "the broker's answer could not be read",
    ),
    new(
        Code::BadCompression,
        "_BAD_COMPRESSION",
        NewProducer,
        "the batch could not be compressed",
    ),
    new(
        Code::CriticalSystemResource,
        "_CRIT_SYS_RESOURCE",
        NewProducer,
        "the host is short of memory, threads or file descriptors",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_one_row_and_a_name_of_its_own() {
        for (index, row) in TABLE.iter().enumerate() {
            for other in TABLE.iter().skip(index + 1) {
                assert_ne!(row.code, other.code, "{}", row.name);
                assert_ne!(row.name, other.name);
            }
            assert!(!row.words.is_empty(), "{}", row.name);
        }
    }

    #[test]
    fn only_what_concerns_one_record_is_poison() {
        let poison: Vec<&str> = TABLE
            .iter()
            .filter(|row| row.treatment == Treatment::Poison)
            .map(|row| row.name)
            .collect();
        let expected = [
            "MSG_SIZE_TOO_LARGE",
            "RECORD_LIST_TOO_LARGE",
            "INVALID_RECORD",
            "INVALID_TIMESTAMP",
        ];
        assert_eq!(poison, expected);
    }

    #[test]
    fn a_tls_alert_is_told_as_such_and_not_as_a_lost_connection() {
        let alert = "Receive failed: error:0A000412:SSL routines::ssl/tls alert bad certificate: SSL alert number 42";
        let name = |reason| {
            Failure::of_event(Code::BrokerTransportFailure, reason)
                .row
                .name
        };
        assert_eq!(name(alert), "_SSL");
        assert_eq!(
            name("Connect to 127.0.0.1:9092 failed: Connection refused"),
            "_TRANSPORT"
        );
    }

    #[test]
    fn an_unknown_code_keeps_the_records() {
        let unknown = row(Code::TelemetryTooLarge);
        assert_eq!(unknown.name, "OTHER");
        assert_eq!(unknown.treatment, Treatment::NewProducer);
    }
}
