//! What the cluster says of topics, and whether we may write to them, without writing anything.
//!
//! ```text
//!  topics ──DescribeTopics──▶ Described: partitions or the broker's error, and the right to write
//! ```
//!
//! It is Kafka's Metadata request with `include_topic_authorized_operations` (KIP-430, Kafka 2.3): the broker answers
//! with the operations that its authorizer grants to whoever asks. A topic that is missing is not made by it.

use std::ffi::{CStr, CString, c_char, c_int};
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::producer::{BaseProducer, Producer};

use super::inbox::Context;

/// What the cluster said about one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Described {
    /// Its name.
    pub topic: String,
    /// How many partitions it has, or the broker's error.
    pub partitions: Result<usize, Code>,
    /// Whether the authorizer lets us write. `None` when the cluster does not tell.
    pub may_write: Option<bool>,
}

/// Asks about `topics`, and waits at most for `patience`. The error is that of the whole question: a broker that is too
/// old for it, or none that answers. The client asks the cluster's controller, so it must have fetched metadata before.
pub(super) fn describe(
    producer: &BaseProducer<Context>,
    topics: &[String],
    patience: Duration,
) -> Result<Vec<Described>, Code> {
    let client = producer.client().native_ptr();
    let names = Names::new(topics).ok_or(Code::InvalidArgument)?;
    // SAFETY: the client lives as long as `producer`, and so longer than what is made of it here: the values below are
    // dropped before this function returns.
    let (queue, options) = unsafe {
        (
            Queue(rd::rd_kafka_queue_new(client)),
            Options(rd::rd_kafka_AdminOptions_new(
                client,
                rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
            )),
        )
    };
    let timeout_ms = c_int::try_from(patience.as_millis()).unwrap_or(c_int::MAX);
    let mut reason: [c_char; 128] = [0; 128];
    // SAFETY: the options are those of DescribeTopics, which takes both of these; `reason` has the size that is named.
    // The one error object that may come back is destroyed, and a null one is allowed there.
    unsafe {
        let room = reason.len();
        rd::rd_kafka_AdminOptions_set_request_timeout(
            options.0,
            timeout_ms,
            reason.as_mut_ptr(),
            room,
        );
        let error = rd::rd_kafka_AdminOptions_set_include_authorized_operations(options.0, 1);
        rd::rd_kafka_error_destroy(error);
    }
    // SAFETY: client, names, options and queue are alive; the call copies names and options. The event is the queue's
    // only one and is ours from here on; a null one means that the time is over.
    let event = unsafe {
        rd::rd_kafka_DescribeTopics(client, names.0, options.0, queue.0);
        // The request has its own limit of time, and always answers after it.
        Event(rd::rd_kafka_queue_poll(
            queue.0,
            timeout_ms.saturating_add(1000),
        ))
    };
    event.topics()
}

/// Topics' names, as the request takes them.
struct Names(*mut rd::rd_kafka_TopicCollection_t);

impl Names {
    /// `None` for a name with a zero in it.
    fn new(topics: &[String]) -> Option<Names> {
        let names: Result<Vec<CString>, _> = topics
            .iter()
            .map(|name| CString::new(name.as_str()))
            .collect();
        let names = names.ok()?;
        let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
        // SAFETY: the pointers lead to as many strings as are counted, which live until the call, that copies them,
        // has returned.
        Some(Names(unsafe {
            rd::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len())
        }))
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        // SAFETY: it was made by the library and is given back once.
        unsafe { rd::rd_kafka_TopicCollection_destroy(self.0) }
    }
}

struct Options(*mut rd::rd_kafka_AdminOptions_t);

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: it was made by the library and is given back once.
        unsafe { rd::rd_kafka_AdminOptions_destroy(self.0) }
    }
}

struct Queue(*mut rd::rd_kafka_queue_t);

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: it was made by the library and is given back once.
        unsafe { rd::rd_kafka_queue_destroy(self.0) }
    }
}

/// The answer.
struct Event(*mut rd::rd_kafka_event_t);

impl Drop for Event {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: it came from the queue and is given back once.
            unsafe { rd::rd_kafka_event_destroy(self.0) }
        }
    }
}

impl Event {
    fn topics(&self) -> Result<Vec<Described>, Code> {
        if self.0.is_null() {
            return Err(Code::OperationTimedOut);
        }
        // SAFETY: the event is alive as long as `self`, and so is all that the library lends out of it. It has a result
        // of DescribeTopics when it has no error, since nothing else was asked through its queue.
        unsafe {
            let error = rd::rd_kafka_event_error(self.0);
            if error != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return Err(error.into());
            }
            let result = rd::rd_kafka_event_DescribeTopics_result(self.0);
            if result.is_null() {
                return Err(Code::Unknown);
            }
            let mut count = 0;
            let topics = rd::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
            Ok(borrowed(topics, count)
                .iter()
                .map(|topic| described(*topic))
                .collect())
        }
    }
}

/// # Safety
/// `topic` is one of a result that is alive.
unsafe fn described(topic: *const rd::rd_kafka_TopicDescription_t) -> Described {
    // SAFETY: by the caller's promise everything that the library hands out of `topic` is alive, strings end with a
    // zero, and lists have the length that is written beside them.
    unsafe {
        let name = CStr::from_ptr(rd::rd_kafka_TopicDescription_name(topic));
        let error = rd::rd_kafka_error_code(rd::rd_kafka_TopicDescription_error(topic));
        let mut count = 0;
        rd::rd_kafka_TopicDescription_partitions(topic, &raw mut count);
        let partitions = match error {
            rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(count),
            error => Err(error.into()),
        };
        let mut count = 0;
        let rights = rd::rd_kafka_TopicDescription_authorized_operations(topic, &raw mut count);
        let write = rd::rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_WRITE;
        Described {
            topic: name.to_string_lossy().into_owned(),
            // No list is "not told"; an empty list has an address and no entry.
            may_write: (!rights.is_null()).then(|| borrowed(rights, count).contains(&write)),
            partitions,
        }
    }
}

/// # Safety
/// `first` is null, or leads to `count` values that live as long as the result is used.
unsafe fn borrowed<'a, T>(first: *const T, count: usize) -> &'a [T] {
    if first.is_null() || count == 0 {
        return &[];
    }
    // SAFETY: as the caller promises.
    unsafe { std::slice::from_raw_parts(first, count) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::Config;
    use super::super::client::create;
    use super::super::inbox::Inbox;
    use super::super::settings::native_config;
    use super::*;

    #[test]
    fn nobody_there_is_an_error_and_not_a_wait_without_end() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let topics = vec!["t".to_owned()];
        let mut native = native_config(&Config::new(topics.clone()));
        native.set("bootstrap.servers", address);
        let producer = create(&native, &Arc::new(Inbox::default())).unwrap();
        assert!(describe(&producer, &topics, Duration::from_secs(1)).is_err());
    }
}
