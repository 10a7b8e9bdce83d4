//! The end, in flow order, each step with a limit: storage that does not answer keeps nothing from being delivered or counted.
//!
//! ```text
//!  listeners read empty ▶ devices told ▶ writer ▶ last report ▶ writer ▶ producer drains ▶ last cursor, devices, engines ▶ ledger
//! ```

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Agent, RunningWriter};
use crate::observe::ledger::Snapshot;
use crate::receive::socket::Ownership;
use crate::time::UnixMicros;

/// How long a stop waits for the listeners' threads. They read for two seconds at most; only one that removes a socket's
/// file from storage that does not answer, or has a defect, takes longer. All limits together are below the 30 seconds
/// that systemd and Kubernetes give.
const RECEIVE_WAIT: Duration = Duration::from_secs(3);

/// How long a stop waits for the threads of status page and admin socket, which give their clients half a second.
const PAGES_WAIT: Duration = Duration::from_secs(1);

/// How long a stop waits for the writer to take the last records to the log. It needs milliseconds; a disk that takes
/// longer must not hold up the end, and the writer has a last turn anyway.
const WRITE_WAIT: Duration = Duration::from_secs(2);

/// How long a stop waits for a disk to take what is kept besides records, and for an answer to the writer. It needs
/// milliseconds as well. Storage over a network may not answer for hours, and must not keep a stop from delivering or from
/// ending.
const STATE_WAIT: Duration = Duration::from_secs(2);

/// How much longer a stop waits for a writer whose disk answers, but slowly: a dozen syncs are its last turn.
const WRITER_WAIT: Duration = Duration::from_secs(3);

/// The same where somebody wants the stop at once: a disk that answers needs no longer.
const STATE_WAIT_CUT: Duration = Duration::from_millis(250);

/// How long a stop waits for the producer after its deadline: it ends its turn, takes back what is in flight, and gives its
/// client a second to end. Only a disk that does not answer keeps it for longer.
pub(super) const PRODUCER_WAIT: Duration = Duration::from_secs(3);

/// How long a stop waits for Kafka where only reports of the agent's own are pending. A new connection, which a busy cluster
/// gives in some seconds, fits in; an outage is not waited for. A disk spool keeps them for the next start.
const REPORTS_DRAIN: Duration = Duration::from_secs(5);

/// How long a stop may deliver while the next process's datagrams wait in sockets that outlive this one: they hold two
/// seconds of what a busy branch sends, and what is not delivered waits on disk.
const HANDOVER_DRAIN_MAX: Duration = Duration::from_secs(1);

impl Agent {
    /// Stops in flow order: sockets are read empty, then the spool is delivered for as long as `shutdown.drain_seconds`
    /// allows, or until `cut_short` becomes true. What is left in a memory spool is lost, counted, and in the ledger that
    /// is returned. The last report goes into the spool before that, so that it is delivered with the rest: what happens
    /// after it is in the first report of the next run, or, with a memory spool, in the returned ledger only.
    pub fn stop(mut self, cut_short: &AtomicBool) -> Snapshot {
        let begun = Instant::now();
        self.stop_receiving();
        self.snmp.begin_close();
        self.devices.begin_stop();
        self.while_alive_within(STATE_WAIT, cut_short, |agent| agent.devices.has_told());
        self.reports().hurry();
        self.wait_for_writer();
        self.reports().stop(&self.ledger(), UnixMicros::now());
        self.wait_for_writer();
        self.drain(begun, cut_short);
        self.tick();
        let left = self.spool.abandon();
        if left > 0 {
            tracing::error!(
                records = left,
                "the memory spool ended with records that Kafka had not acknowledged"
            );
        }
        self.close_storage(cut_short);
        let ledger = self.ledger();
        self.end_pages();
        self.main_heartbeat.finish();
        ledger
    }

    /// A thread that does not end does so with the process.
    fn end_pages(&mut self) {
        let _ = self.status_stop.send(true);
        let status = self.status.take().map(|status| status.thread);
        let admin = self.admin.take().map(|admin| admin.thread);
        let threads = [status, admin];
        self.while_alive_within(PAGES_WAIT, &AtomicBool::new(false), |_| {
            threads.iter().flatten().all(JoinHandle::is_finished)
        });
    }

    fn stop_receiving(&mut self) {
        self.hearing.begin_stop();
        self.while_alive_within(RECEIVE_WAIT, &AtomicBool::new(false), |agent| {
            agent.hearing.is_over()
        });
        self.hearing.join();
        self.storms.say(UnixMicros::now());
        self.tick();
    }

    /// What the listeners read last is on its way to the disk, and only then can the producer see it. A report is confirmed
    /// as soon as it is there, or the next start would tell once more what it tells; a disk that fails is not waited for.
    fn wait_for_writer(&self) {
        let Some(writer) = &self.writer else {
            return;
        };
        let until = Instant::now() + WRITE_WAIT;
        self.while_alive(|agent| {
            let is_told = !agent.reports().is_under_way() || agent.spool.trouble().is_some();
            let is_done = agent.spool.is_at_rest() && is_told;
            is_done || writer.thread.is_finished() || Instant::now() >= until
        });
    }

    /// How long a stop may deliver what is left.
    fn drain_max(&self) -> Duration {
        let is_awaited = self
            .hearing
            .ears
            .iter()
            .any(|ear| ear.ownership == Ownership::Inherited);
        if is_awaited && self.writer.is_some() {
            self.config.drain.min(HANDOVER_DRAIN_MAX)
        } else {
            self.config.drain
        }
    }

    /// What the stop took until now counts, up to half of the time: the service manager waits for all of it.
    fn drain(&mut self, begun: Instant, cut_short: &AtomicBool) {
        let pending = self.spool.counts().pending;
        let drain_max = match pending == self.reports().pending() {
            true => self.drain_max().min(REPORTS_DRAIN),
            false => self.drain_max(),
        };
        let left = self.config.drain.saturating_sub(begun.elapsed());
        let left = left.max(self.config.drain / 2);
        let drain_max = drain_max.min(left);
        if pending > 0 {
            tracing::info!(
                records = pending,
                seconds_max = drain_max.as_secs(),
                "delivering what is left"
            );
        }
        let Some(producer) = self.producer.take() else {
            return;
        };
        let mut deadline = Instant::now() + drain_max;
        producer.begin_stop(deadline);
        self.while_alive(|_| {
            let is_over = cut_short.load(Ordering::Relaxed) || Instant::now() >= deadline;
            producer.is_finished() || is_over
        });
        if !producer.is_finished() {
            deadline = Instant::now();
            producer.begin_stop(deadline);
            self.while_alive_within(PRODUCER_WAIT, &AtomicBool::new(false), |_| {
                producer.is_finished()
            });
        }
        if !producer.is_finished() {
            tracing::error!(
                "the producer waits for a disk that does not answer, and ends with the process: what it has delivered last may come again"
            );
        } else if producer.stop(deadline).panicked {
            tracing::error!("the producer had ended by a panic");
        }
        self.producer_heartbeat.finish();
    }

    /// The last cursor is saved, so that the next start knows what Kafka has, and so is what was learned. Storage that does
    /// not answer is not waited for: its threads end with the process.
    fn close_storage(&mut self, cut_short: &AtomicBool) {
        let writer = self.writer.take();
        if let Some(writer) = &writer {
            writer.stop.stop();
        }
        let is_written = || {
            let writer = writer.as_ref();
            writer.is_none_or(|writer| writer.thread.is_finished())
        };
        self.while_alive_within(STATE_WAIT, cut_short, |agent| {
            is_written() && agent.devices.is_finished() && agent.snmp.is_closed()
        });
        // A disk that is slow has some seconds more for the last cursor, as long as each of its calls comes back within this.
        // After that the next start sends again what Kafka had last.
        let answers_within = match cut_short.load(Ordering::Relaxed) {
            true => STATE_WAIT_CUT,
            false => STATE_WAIT,
        };
        self.while_alive_within(WRITER_WAIT, &AtomicBool::new(false), |agent| {
            is_written() || agent.spool.disk_silence() >= answers_within
        });
        self.devices.end();
        if !self.snmp.is_closed() {
            tracing::error!(
                "the disk does not answer: SNMPv3 engines that were learned last are not kept"
            );
        }
        if let Some(writer) = writer {
            self.end_writer(writer);
        }
    }

    fn end_writer(&self, writer: RunningWriter) {
        let RunningWriter {
            thread, heartbeat, ..
        } = writer;
        heartbeat.finish();
        if !thread.is_finished() {
            let records = self.spool.abandon_unwritten();
            tracing::error!(
                records,
                "the disk does not answer: records that are not in the log yet are lost with the process"
            );
            return;
        }
        if thread.join().is_err() {
            tracing::error!("the spool's writer had ended by a panic");
        }
        let pending = self.spool.counts().pending;
        if pending > 0 {
            tracing::info!(records = pending, "events wait on disk for the next start");
        }
    }

    /// Waits until something is done, as [`Agent::while_alive`] does, but not for longer than this; and not for longer than
    /// [`STATE_WAIT_CUT`] once the stop was cut short.
    fn while_alive_within(
        &self,
        time_max: Duration,
        cut_short: &AtomicBool,
        done: impl Fn(&Agent) -> bool,
    ) {
        let begun = Instant::now();
        self.while_alive(|agent| {
            let time_max = match cut_short.load(Ordering::Relaxed) {
                true => time_max.min(STATE_WAIT_CUT),
                false => time_max,
            };
            done(agent) || begun.elapsed() >= time_max
        });
    }

    /// Waits for threads to end, and keeps the watchdog and the kernel's counters fed meanwhile.
    fn while_alive(&self, done: impl Fn(&Agent) -> bool) {
        while !done(self) {
            self.tick();
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
