//! Who used the cores while a load ran: the generator, the agent by its threads, Kafka.
//!
//! ```text
//!   begin ── the load is sent ──▶ sent ── Kafka holds it ──▶ end(events)
//!   └──── the generator's ──────┘                            │
//!   └──── the agent's and Kafka's ───────────────────────────┘
//! ```

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::cpu::thread_cpu;
use crate::process;

/// A load that runs.
pub struct Shares {
    agent: u32,
    kafka: u32,
    begun: Instant,
    generator: Duration,
    agent_before: Duration,
    threads_before: BTreeMap<String, Duration>,
    kafka_before: Duration,
    sending: Duration,
}

/// What came of it.
pub struct Spent {
    /// How long the load was sent.
    pub sending: Duration,
    /// CPU time of the agent for each event, in µs.
    pub agent_us: f64,
    /// The same of Kafka.
    pub kafka_us: f64,
    /// The agent's by thread, in words.
    pub by_thread: String,
    /// What the generator took of one core, in percent.
    pub generator_percent: f64,
}

impl Shares {
    /// The load begins; this thread sends it.
    pub fn begin(agent: u32, kafka: u32) -> Shares {
        Shares {
            agent,
            kafka,
            agent_before: process::cpu(agent),
            threads_before: process::threads(agent),
            kafka_before: process::cpu(kafka),
            sending: Duration::ZERO,
            generator: thread_cpu(),
            begun: Instant::now(),
        }
    }

    /// All of it is sent.
    pub fn sent(&mut self) {
        self.sending = self.begun.elapsed();
        self.generator = thread_cpu() - self.generator;
    }

    /// So many events of it are in Kafka, and no more will come.
    pub fn end(self, events: u64) -> Spent {
        let each = |used: Duration| used.as_secs_f64() * 1e6 / events.max(1) as f64;
        let sending = self.sending.as_secs_f64();
        Spent {
            sending: self.sending,
            agent_us: each(process::cpu(self.agent) - self.agent_before),
            kafka_us: each(process::cpu(self.kafka) - self.kafka_before),
            by_thread: process::by_thread(self.agent, &self.threads_before, events),
            generator_percent: 100.0 * self.generator.as_secs_f64() / sending,
        }
    }
}
