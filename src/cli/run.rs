//! `trapline run`: the agent and its signals.
//!
//! ```text
//!  configuration ──▶ logs ──▶ Agent::start ──▶ every second: tick, watchdog ──▶ SIGTERM ──▶ Agent::stop ──▶ ledger
//!                                                └ SIGHUP: read again on a thread (loading)          └ SIGTERM again: at once
//!                                                └ read: put into force what can be
//! ```

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::loading::{HANGS_AFTER, Loading};
use super::{ConfigArguments, output};
use crate::agent::{Agent, AgentError};
use crate::config::{self, Loaded, Refused, Resolved};
use crate::observe::ledger::Snapshot;
use crate::observe::log;
use crate::observe::statement;
use crate::observe::systemd::{self, Notifier, State};
use crate::receive::inherited::Inherited;

/// A signal to stop counts as a second one only after this time. `timeout` and some supervisors send each signal to
/// the process and to its group, and nobody presses Ctrl-C twice as fast as that.
const SAME_SIGNAL: Duration = Duration::from_millis(250);

/// Why `run` ended other than by a signal.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Agent(#[from] AgentError),
    #[error("signals cannot be received: {0}")]
    Signals(#[from] io::Error),
}

/// Runs the command.
pub(super) fn run(arguments: &ConfigArguments) -> ExitCode {
    // First of all, while no other descriptor is open.
    let inherited = Inherited::from_env();
    forbid_core();
    let mut source = Source::new(arguments.clone());
    let loaded = match load(source.file()) {
        Ok(loaded) => loaded,
        Err(refused) => {
            super::print_refused(&refused);
            return ExitCode::from(super::EXIT_USAGE);
        }
    };
    let logs = match log::init(&loaded.config.log) {
        Ok(logs) => logs,
        Err(error) => {
            output::complain(&format!("trapline: logs cannot be written: {error}"));
            return ExitCode::FAILURE;
        }
    };
    // From here on standard error belongs to the log, in the form that its reader expects.
    let code = match serve(loaded, inherited, source, &logs) {
        Ok(ledger) => print_ledger(&ledger),
        Err(error) => {
            tracing::error!(%error, "cannot run");
            ExitCode::FAILURE
        }
    };
    logs.flush();
    code
}

/// Where the configuration is read from, again at each reload.
#[derive(Clone)]
struct Source {
    arguments: ConfigArguments,
    /// The file that was read last, if there was one.
    known: Option<PathBuf>,
}

impl Source {
    fn new(arguments: ConfigArguments) -> Source {
        Source {
            arguments,
            known: None,
        }
    }

    fn file(&mut self) -> Option<&Path> {
        self.file_or(Path::new(super::CONFIG_FILE_DEFAULT))
    }

    /// A file that was not there at the start may have been made since. One that was read and is gone is not passed over:
    /// reading it says so, and the defaults do not take its place.
    fn file_or(&mut self, default: &Path) -> Option<&Path> {
        if self.known.is_none() {
            self.known = self.arguments.file_or(default);
        }
        self.known.as_deref()
    }
}

/// A core file would hold communities, pass phrases and keys. The shipped unit allows none; a container's runtime has no
/// such setting, and programs that the kernel hands cores to need not ask for a limit.
fn forbid_core() {
    // SAFETY: PR_SET_DUMPABLE takes a number and touches no memory of ours (prctl(2)). 0 is never refused.
    let _ = unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
}

/// The ledger on standard output: a table for people, one line of JSON for programs.
fn print_ledger(ledger: &Snapshot) -> ExitCode {
    let text = if io::stdout().is_terminal() {
        format!("\n{}", statement::ledger_text(ledger))
    } else {
        format!("{}\n", statement::ledger_json(ledger))
    };
    match output::print_within_a_second(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the ledger cannot be printed");
            ExitCode::FAILURE
        }
    }
}

/// Reads file and environment.
pub(super) fn load(file: Option<&Path>) -> Result<Loaded, Refused> {
    config::load(file, config::of_process(), &host_name())
}

/// This host's name, the default of `agent.id`. Asked of the kernel and not of /proc, most of which a hardened unit hides.
fn host_name() -> String {
    // A name has 64 bytes at most on Linux (HOST_NAME_MAX), and a zero follows.
    let mut name = [0_u8; 65];
    // SAFETY: the kernel writes at most `name.len()` bytes to `name`, which outlives the call.
    let result = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len()) };
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    match std::str::from_utf8(name) {
        Ok(name) if result == 0 && !name.is_empty() => name.to_owned(),
        _ => "trapline".to_owned(),
    }
}

fn serve(
    loaded: Loaded,
    inherited: Inherited,
    source: Source,
    logs: &log::Handle,
) -> Result<Snapshot, RunError> {
    let path = source
        .known
        .as_ref()
        .map_or("none, built-in defaults".to_owned(), |path| {
            path.display().to_string()
        });
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        config = path,
        "starting"
    );
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // Before the first socket is bound: whoever stops the agent while it starts gets an orderly end as well.
    let mut signals = {
        let _inside = runtime.enter();
        Signals::new()?
    };
    let notifier = Notifier::from_env().unwrap_or_else(|error| {
        tracing::error!(%error, "the service manager will not be told");
        Notifier::silent()
    });
    let mut running = Running {
        agent: Agent::start_on(loaded.config, inherited)?,
        source,
        loading: Loading::new(),
        logs,
        notifier,
    };
    runtime.block_on(running.until_stopped(&mut signals));
    Ok(running.stop(runtime, signals))
}

/// The signals that `run` obeys.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Must be called inside a runtime.
    fn new() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next signal that is meant for the agent.
    async fn next(&mut self) -> Meaning {
        tokio::select! {
            _ = self.terminate.recv() => Meaning::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Meaning::Stop("SIGINT"),
            _ = self.hang_up.recv() => Meaning::Reload,
        }
    }

    /// Waits until somebody asks again to stop.
    async fn second_stop(&mut self) -> &'static str {
        let first = Instant::now();
        loop {
            match self.next().await {
                Meaning::Stop(name) if first.elapsed() >= SAME_SIGNAL => return name,
                Meaning::Stop(_) | Meaning::Reload => {}
            }
        }
    }
}

enum Meaning {
    /// Stop; the signal's name.
    Stop(&'static str),
    Reload,
}

/// A configuration that was read again, and where.
struct Read {
    source: Source,
    loaded: Result<Loaded, Refused>,
}

struct Running<'l> {
    agent: Agent,
    source: Source,
    loading: Loading<Read>,
    logs: &'l log::Handle,
    notifier: Notifier,
}

impl Running<'_> {
    /// Ticks every second and follows signals until one says stop.
    async fn until_stopped(&mut self, signals: &mut Signals) {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        self.notify_ready();
        loop {
            tokio::select! {
                _ = second.tick() => self.tick(),
                read = self.loading.ended() => self.loaded(read),
                meaning = signals.next() => match meaning {
                    Meaning::Reload => self.reload(),
                    Meaning::Stop(name) => {
                        tracing::info!(signal = name, "stopping");
                        return;
                    }
                },
            }
        }
    }

    fn tick(&mut self) {
        self.tell_if_load_hangs();
        self.agent.refresh_mibs();
        self.agent.hear_missing(Instant::now());
        self.agent.serve_missing(Instant::now());
        self.agent.tick();
        if self.agent.is_alive() {
            self.notify(&[State::Watchdog, State::Status(self.agent.status_line())]);
        }
    }

    fn reload(&mut self) {
        self.notify(&[State::Reloading {
            monotonic_usec: systemd::monotonic_usec(),
        }]);
        if !self.loading.ask_again() {
            self.begin_load();
            return;
        }
        tracing::info!("the configuration is being read, and is read again after that");
        if self.loading.hangs() {
            self.notify_ready();
        }
    }

    fn begin_load(&mut self) {
        let mut source = self.source.clone();
        let begun = self.loading.begin(Instant::now(), move || {
            let loaded = load(source.file());
            Read { source, loaded }
        });
        if let Err(error) = begun {
            tracing::error!(%error, "no thread to read the configuration with, the old one stays in force");
            self.agent.reload_failed();
            self.notify_ready();
        }
    }

    /// Whoever waits for the reload is told that it goes on without it.
    fn tell_if_load_hangs(&mut self) {
        if self.loading.begins_to_hang(Instant::now()) {
            tracing::error!(
                seconds = HANGS_AFTER.as_secs(),
                "the configuration is still being read, the old one stays in force until then: storage or a directory service does not answer"
            );
            self.agent.load_hangs(true);
            self.notify_ready();
        }
    }

    /// Follows a configuration that was read again; `None` where the reading had ended by a panic.
    fn loaded(&mut self, read: Option<Read>) {
        self.agent.load_hangs(false);
        match read {
            Some(Read { source, loaded }) => {
                self.source = source;
                match loaded {
                    Ok(loaded) => self.apply(loaded),
                    Err(refused) => self.refuse(&refused),
                }
            }
            None => {
                self.agent.reload_failed();
                tracing::error!(
                    "reading the configuration had ended by a panic, the old one stays in force"
                );
            }
        }
        if self.loading.take_asked_again() {
            self.begin_load();
        } else {
            self.notify_ready();
        }
    }

    fn refuse(&self, refused: &Refused) {
        self.agent.reload_failed();
        for problem in &refused.problems {
            tracing::error!(%problem, "configuration not reloaded, the old one stays in force");
        }
    }

    fn apply(&mut self, loaded: Loaded) {
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        let config: Resolved = loaded.config;
        if let Err(error) = self.logs.set_filter(&config.log.filter) {
            tracing::error!(%error, "log level not changed");
        }
        let reloaded = self.agent.reload(config);
        let reload = reloaded.difference;
        tracing::info!(
            applied = reload.applied.join(", "),
            "configuration reloaded"
        );
        if !reloaded.not_read.is_empty() {
            tracing::error!(
                keys = reloaded.not_read.join(", "),
                "reloaded in part: what these held before stays in use"
            );
        }
        if !reload.needs_restart.is_empty() {
            tracing::warn!(
                keys = reload.needs_restart.join(", "),
                "changed, and in force only after a restart"
            );
        }
    }

    fn notify_ready(&self) {
        self.notify(&[State::Ready, State::Status(self.agent.status_line())]);
    }

    /// Tells the service manager; a manager that does not listen is no reason to stop.
    fn notify(&self, states: &[State]) {
        if let Err(error) = self.notifier.notify(states) {
            tracing::debug!(%error, "the service manager was not told");
        }
    }

    /// Stops the agent and returns its last ledger. A second signal ends the wait for Kafka.
    fn stop(self, runtime: Runtime, mut signals: Signals) -> Snapshot {
        self.notify(&[State::Stopping]);
        let cut_short = Arc::new(AtomicBool::new(false));
        let flag = cut_short.clone();
        // The thread ends with the process: most agents are told to stop once.
        let listening = std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                let name = runtime.block_on(signals.second_stop());
                tracing::warn!(signal = name, "stopping at once");
                flag.store(true, Ordering::Relaxed);
            });
        if let Err(error) = listening {
            tracing::warn!(%error, "a second signal will not be obeyed");
        }
        self.agent.stop(&cut_short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_made_after_the_start_is_read_by_a_reload_and_one_that_goes_is_missed() {
        let folder = tempfile::tempdir().unwrap();
        let default = folder.path().join("trapline.toml");
        let mut source = Source::new(ConfigArguments { config: None });
        assert_eq!(source.file_or(&default), None);
        std::fs::write(&default, "").unwrap();
        assert_eq!(source.file_or(&default), Some(default.as_path()));
        std::fs::remove_file(&default).unwrap();
        assert_eq!(source.file_or(&default), Some(default.as_path()));
        assert!(load(source.file_or(&default)).is_err());
    }

    #[test]
    fn a_running_agent_leaves_no_core() {
        forbid_core();
        // SAFETY: PR_GET_DUMPABLE only answers.
        assert_eq!(unsafe { libc::prctl(libc::PR_GET_DUMPABLE, 0, 0, 0, 0) }, 0);
    }
}
