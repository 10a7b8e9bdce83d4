//! `trapline run`: the agent and its signals.
//!
//! ```text
//!  configuration ──▶ logs ──▶ Agent::start ──▶ every second: tick, watchdog ──▶ SIGTERM ──▶ Agent::stop ──▶ ledger
//!                                                └ SIGHUP: read again, put into force what can be
//! ```

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::ConfigArguments;
use crate::agent::{Agent, AgentError};
use crate::config::{self, Loaded, Problem, Resolved};
use crate::observe::log::{self, LogError};
use crate::observe::statement;
use crate::observe::systemd::{self, Notifier, State};

/// Why `run` ended other than by a signal.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error("logs cannot be written: {0}")]
    Log(#[from] LogError),
    #[error(transparent)]
    Agent(#[from] AgentError),
    #[error("signals cannot be received: {0}")]
    Signals(#[from] std::io::Error),
}

/// Runs the command.
pub(super) fn run(arguments: &ConfigArguments) -> ExitCode {
    let file = arguments.file();
    let loaded = match load(file.as_deref()) {
        Ok(loaded) => loaded,
        Err(problems) => {
            super::print_problems(&problems);
            return ExitCode::from(super::EXIT_USAGE);
        }
    };
    match serve(loaded, file) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("trapline: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Reads file and environment.
pub(super) fn load(file: Option<&Path>) -> Result<Loaded, Vec<Problem>> {
    config::load(file, config::of_process(), &host_name())
}

/// This host's name, the default of `agent.id`.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() {
        "trapline".to_owned()
    } else {
        name.to_owned()
    }
}

fn serve(loaded: Loaded, file: Option<PathBuf>) -> Result<(), RunError> {
    let logs = log::init(&loaded.config.log)?;
    let path = file
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
    let notifier = Notifier::from_env().unwrap_or_else(|error| {
        tracing::error!(%error, "the service manager will not be told");
        Notifier::silent()
    });
    let mut running = Running {
        agent: Agent::start(loaded.config)?,
        file,
        logs,
        notifier,
    };
    runtime.block_on(running.until_stopped())?;
    running.stop();
    Ok(())
}

struct Running {
    agent: Agent,
    file: Option<PathBuf>,
    logs: log::Handle,
    notifier: Notifier,
}

impl Running {
    /// Ticks every second and follows signals until one says stop.
    async fn until_stopped(&mut self) -> Result<(), RunError> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let mut second = tokio::time::interval(Duration::from_secs(1));
        self.notify(&[State::Ready, State::Status(self.agent.status_line())]);
        loop {
            tokio::select! {
                _ = second.tick() => self.tick(),
                _ = hang_up.recv() => self.reload(),
                name = either(&mut terminate, &mut interrupt) => {
                    tracing::info!(signal = name, "stopping");
                    return Ok(());
                }
            }
        }
    }

    fn tick(&mut self) {
        self.agent.tick();
        if self.agent.is_alive() {
            self.notify(&[State::Watchdog, State::Status(self.agent.status_line())]);
        }
    }

    fn reload(&mut self) {
        self.notify(&[State::Reloading {
            monotonic_usec: systemd::monotonic_usec(),
        }]);
        match load(self.file.as_deref()) {
            Ok(loaded) => self.apply(loaded),
            Err(problems) => {
                self.agent.reload_failed();
                for problem in &problems {
                    tracing::error!(%problem, "configuration not reloaded, the old one stays in force");
                }
            }
        }
        self.notify(&[State::Ready, State::Status(self.agent.status_line())]);
    }

    fn apply(&mut self, loaded: Loaded) {
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        let config: Resolved = loaded.config;
        if let Err(error) = self.logs.set_filter(&config.log.filter) {
            tracing::error!(%error, "log level not changed");
        }
        let reload = self.agent.reload(config);
        tracing::info!(
            applied = reload.applied.join(", "),
            "configuration reloaded"
        );
        if !reload.needs_restart.is_empty() {
            tracing::warn!(
                keys = reload.needs_restart.join(", "),
                "changed, and in force only after a restart"
            );
        }
    }

    /// Tells the service manager; a manager that does not listen is no reason to stop.
    fn notify(&self, states: &[State]) {
        if let Err(error) = self.notifier.notify(states) {
            tracing::debug!(%error, "the service manager was not told");
        }
    }

    /// Stops the agent and prints the ledger: a table in the log's place for people, JSON as the last line of stdout.
    fn stop(self) {
        self.notify(&[State::Stopping]);
        let ledger = self.agent.stop();
        self.logs.flush();
        eprintln!("{}", statement::ledger_text(&ledger));
        println!("{}", statement::ledger_json(&ledger));
    }
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}
