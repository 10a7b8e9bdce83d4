//! The spool as the agent starts it: on disk, or in memory where that cannot be.
//!
//! ```text
//!  spool::Config ──▶ Spool::open ──▶ writer's thread ──▶ Kept { spool, writer, .. }
//!                       └ refused: a memory spool, and the reason
//! ```

use std::sync::Arc;

use super::RunningWriter;
use super::reports;
use crate::event::PreviousRun;
use crate::observe::health::{Heartbeat, Heartbeats};
use crate::spool::{self, Phase, Spool, WriterStop};

/// The spool, and its writer where it is on disk.
pub(super) struct Kept {
    pub spool: Arc<Spool>,
    pub writer: Option<RunningWriter>,
    /// Why a spool on disk was asked for and there is one in memory.
    pub spool_trouble: Option<String>,
    pub previous_run: PreviousRun,
}

impl Kept {
    /// Opens the spool on disk; where that cannot be, one in memory takes its place and the reason is kept.
    /// A kill repeats what was with the Kafka client, at most `window_records`, and at most as many more.
    pub fn open(config: &spool::Config, window_records: usize, heartbeats: &Heartbeats) -> Kept {
        let Some(mut disk) = config.disk.clone() else {
            return Kept::in_memory(config, None);
        };
        disk.cursor_records_max = window_records as u64;
        let opened = match Spool::open(config, &disk) {
            Ok(opened) => opened,
            Err(error) => return Kept::in_memory(config, Some(error.to_string())),
        };
        for (topic, found) in &opened.recoveries {
            if found.lost > 0 || found.torn_bytes > 0 {
                tracing::warn!(
                    topic,
                    lost = found.lost,
                    torn_bytes = found.torn_bytes,
                    "the spool was damaged; what was lost is counted"
                );
            }
        }
        let previous_run = reports::previous_run(opened.recoveries.iter().map(|(_, found)| found));
        let counts = opened.spool.counts();
        let bytes_max = opened.spool.bytes_max();
        tracing::info!(folder = %disk.folder.display(), pending = counts.pending, bytes_max, "spool on disk");
        let stop = Arc::new(WriterStop::default());
        let heartbeat = heartbeats.register("spool-writer");
        match opened.writer.spawn(stop.clone(), beat(heartbeat.clone())) {
            Ok(thread) => Kept {
                spool: opened.spool,
                writer: Some(RunningWriter {
                    stop,
                    thread,
                    heartbeat,
                }),
                spool_trouble: None,
                previous_run,
            },
            Err(error) => Kept::in_memory(
                config,
                Some(format!("the writer's thread could not be started: {error}")),
            ),
        }
    }

    fn in_memory(config: &spool::Config, spool_trouble: Option<String>) -> Kept {
        if let Some(why) = &spool_trouble {
            tracing::error!(
                why,
                "the spool is in memory until the next start: what it holds is gone when the process ends"
            );
        }
        Kept {
            spool: Arc::new(Spool::new(config)),
            writer: None,
            spool_trouble,
            previous_run: PreviousRun::Unknown,
        }
    }
}

/// What a thread of the spool or of the producer tells: it is not missed while it is inside a call of a disk.
pub(super) fn beat(heartbeat: Arc<Heartbeat>) -> impl Fn(Phase) + Send + 'static {
    move |phase| match phase {
        Phase::Waits => heartbeat.beat(),
        Phase::OnDisk => heartbeat.wait_for_disk(),
    }
}
