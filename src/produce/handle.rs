//! The running producer as others see it: started, watched, stopped.
//!
//! ```text
//!  spawn(Config, Spool) ──▶ thread "produce": Producer::run ──┐
//!  Handle::stop(deadline) ──────▶ Shared { deadline, state } ◀┘ publishes its State
//!  Watch::state() ◀──────────────────┘
//! ```
//!
//! In: settings, the spool, and when to end. Out: the [`State`], and at the end how it [`Stopped`].

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use super::producer::{Producer, state_at_start};
use super::{Config, ProduceError, State, options};
use crate::spool::{Phase, Spool};

/// The running producer. Dropping it without [`Handle::stop`] leaves the thread running.
#[derive(Debug)]
pub struct Handle {
    thread: JoinHandle<()>,
    shared: Arc<Shared>,
    spool: Arc<Spool>,
}

/// How the producer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Records that are still in the spool, not acknowledged.
    pub pending: u64,
    /// Whether the thread ended by a panic; then its last reports may be missing and records may be sent again.
    pub panicked: bool,
}

/// What the thread and its handles both hold.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub state: Mutex<State>,
    /// When to end; set once.
    pub deadline: Mutex<Option<Instant>>,
    /// Told when `deadline` is set.
    pub stopping: Condvar,
}

/// A panic in another thread is no reason to end this one: each value behind these locks is whole at any time.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the producer's thread. `heartbeat` is called at least every few seconds while the thread moves, and before and
/// after each call of a disk.
///
/// # Errors
///
/// Settings that librdkafka refuses or that are reserved, and a system without a thread left. A broker that cannot be
/// reached is not an error.
pub fn spawn(
    config: Config,
    spool: Arc<Spool>,
    heartbeat: impl Fn(Phase) + Send + 'static,
) -> Result<Handle, ProduceError> {
    options::check(&config).map_err(ProduceError::Config)?;
    let shared = Arc::new(Shared::default());
    *lock(&shared.state) = state_at_start(&config);
    let (queue, told) = (Arc::clone(&spool), Arc::clone(&shared));
    let thread = std::thread::Builder::new()
        .name("produce".to_owned())
        .spawn(move || Producer::new(config, queue, told, heartbeat).run())?;
    Ok(Handle {
        thread,
        shared,
        spool,
    })
}

/// The producer's state, for whoever shows it.
#[derive(Debug, Clone)]
pub struct Watch(Arc<Shared>);

impl Watch {
    /// What the producer does at present; at most some 250 ms old.
    pub fn state(&self) -> State {
        lock(&self.0.state).clone()
    }
}

impl Handle {
    /// What the producer does at present; at most some 250 ms old.
    pub fn state(&self) -> State {
        lock(&self.shared.state).clone()
    }

    /// A view of the state that outlives the handle.
    pub fn watch(&self) -> Watch {
        Watch(Arc::clone(&self.shared))
    }

    /// Says when to end, and does not wait for it. [`Handle::stop`] does.
    pub fn begin_stop(&self, deadline: Instant) {
        *lock(&self.shared.deadline) = Some(deadline);
        self.shared.stopping.notify_all();
        self.spool.close();
    }

    /// Whether the thread has ended.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Ends the producer: it goes on until the spool is empty or `deadline` has passed, takes back what is in flight,
    /// applies the last reports and returns. Closes the spool's wait; what is taken back stays pending.
    pub fn stop(self, deadline: Instant) -> Stopped {
        self.begin_stop(deadline);
        let panicked = self.thread.join().is_err();
        Stopped {
            pending: self.spool.counts().pending,
            panicked,
        }
    }
}
