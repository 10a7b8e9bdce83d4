//! One record on its way into librdkafka: `rd_kafka_produceva` and what it takes.
//!
//! ```text
//!  Topic (handle, no search by name) ─┐
//!  key, payload (a pointer), time ────┼─▶ Handing ──hand_over──▶ Ok: in flight
//!  opaque value, headers ─────────────┘                     └──▶ Err(code): librdkafka did not take it
//! ```
//!
//! In: a borrowed record. Out: librdkafka holds a pointer to its payload, and copies of all the rest; whoever calls
//! promises that the payload stays (`client` says why it does).

use std::ffi::{CStr, CString, c_void};

use rdkafka::bindings as rd;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::producer::{BaseProducer, Producer};

use super::Headers;
use super::inbox::Context;

/// A topic of a client: spares librdkafka a search by name for each record.
pub(super) struct Topic(*mut rd::rd_kafka_topic_t);

// SAFETY: librdkafka's handles may be used, and given back, on any thread (its "rdkafka.h", "Thread safety").
unsafe impl Send for Topic {}

impl Topic {
    /// Registers `name` with the client. `None` for a name that librdkafka does not take.
    pub fn new(producer: &BaseProducer<Context>, name: &str) -> Option<Topic> {
        let name = CString::new(name).ok()?;
        // SAFETY: the client's handle is valid while `producer` lives; `name` is copied; a null configuration means the
        // default one.
        let topic = unsafe {
            rd::rd_kafka_topic_new(
                producer.client().native_ptr(),
                name.as_ptr(),
                std::ptr::null_mut(),
            )
        };
        (!topic.is_null()).then_some(Topic(topic))
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: the handle came from rd_kafka_topic_new, is given back once, and before its client is destroyed
        // (see the order of the fields of `Client`). Messages in flight hold references of their own.
        unsafe { rd::rd_kafka_topic_destroy(self.0) }
    }
}

/// Headers as librdkafka wants them.
pub(super) struct NativeHeader {
    name: &'static CStr,
    value: String,
}

/// The headers that each record gets.
pub(super) fn native_headers(headers: &Headers) -> Vec<NativeHeader> {
    match headers {
        Headers::None => Vec::new(),
        Headers::Standard { schema, agent } => vec![
            NativeHeader {
                name: c"schema",
                value: schema.clone(),
            },
            NativeHeader {
                name: c"agent",
                value: agent.clone(),
            },
        ],
    }
}

/// One record as produceva takes it.
pub(super) struct Handing<'a> {
    pub topic: &'a Topic,
    pub key: &'a [u8],
    pub payload: &'a [u8],
    pub timestamp_ms: i64,
    pub opaque: usize,
    pub headers: &'a [NativeHeader],
}

/// Topic, key, payload, time, opaque value, flags, and up to two headers.
const PARTS_MAX: usize = 8;

impl Handing<'_> {
    /// Hands the record to the client without copying its payload.
    ///
    /// # Safety
    ///
    /// When this returns `Ok`, the payload's bytes must stay where they are, unchanged, until the record's delivery
    /// report is in or the client is destroyed.
    pub unsafe fn hand_over(&self, producer: &BaseProducer<Context>) -> Result<(), Code> {
        use rd::rd_kafka_vtype_t as Type;
        use rd::rd_kafka_vu_s__bindgen_ty_1 as Value;
        let part = |vtype, u| rd::rd_kafka_vu_t { vtype, u };
        let bytes = |bytes: &[u8]| Value {
            mem: rd::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
                // librdkafka only reads through this pointer.
                ptr: bytes.as_ptr().cast_mut().cast::<c_void>(),
                size: bytes.len(),
            },
        };
        let opaque = self.opaque as *mut c_void;
        let mut parts = [part(Type::RD_KAFKA_VTYPE_END, Value { i: 0 }); PARTS_MAX];
        let fixed = [
            part(Type::RD_KAFKA_VTYPE_RKT, Value { rkt: self.topic.0 }),
            part(Type::RD_KAFKA_VTYPE_KEY, bytes(self.key)),
            part(Type::RD_KAFKA_VTYPE_VALUE, bytes(self.payload)),
            part(
                Type::RD_KAFKA_VTYPE_TIMESTAMP,
                Value {
                    i64_: self.timestamp_ms,
                },
            ),
            part(Type::RD_KAFKA_VTYPE_OPAQUE, Value { ptr: opaque }),
            // Neither F_COPY nor F_FREE: the payload stays ours.
            part(Type::RD_KAFKA_VTYPE_MSGFLAGS, Value { i: 0 }),
        ];
        let headers = self.headers.iter().map(|header| {
            let header = rd::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_2 {
                name: header.name.as_ptr(),
                val: header.value.as_ptr().cast::<c_void>(),
                size: header.value.len().cast_signed(),
            };
            part(Type::RD_KAFKA_VTYPE_HEADER, Value { header })
        });
        let mut count = 0;
        for (to, from) in parts.iter_mut().zip(fixed.into_iter().chain(headers)) {
            *to = from;
            count += 1;
        }
        // SAFETY: the client and the topic handle are alive (both belong to the same `Client`); the first `count` parts
        // are set, each with the member of the union that its type names; key and headers are copied by the call;
        // the payload lives as long as the caller promises.
        unsafe {
            let error =
                rd::rd_kafka_produceva(producer.client().native_ptr(), parts.as_ptr(), count);
            if error.is_null() {
                return Ok(());
            }
            let code = rd::rd_kafka_error_code(error);
            rd::rd_kafka_error_destroy(error);
            Err(code.into())
        }
    }
}
