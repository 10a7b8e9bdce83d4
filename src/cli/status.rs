//! `trapline status`: the running agent at a glance.
//!
//! ```text
//!  admin socket: GET /status ──▶ Report ──▶ table: text of 80 columns   --json: as it came   --watch: again each second
//! ```

mod table;

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use super::admin::{Admin, AdminArguments, AdminError};
use super::output::{Output, complain};
use crate::observe::report::Report;

/// The pause between two looks.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// What a terminal takes for: go to the upper left corner, clear from there (ECMA-48, CUP and ED).
const CLEAR: &str = "\x1b[H\x1b[J";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    admin: AdminArguments,
    /// Print JSON, one line, with everything that the agent says
    #[arg(long)]
    json: bool,
    /// Look again every second, until Ctrl-C
    #[arg(long)]
    watch: bool,
}

/// Why there is no status.
#[derive(Debug, thiserror::Error)]
enum StatusError {
    #[error(transparent)]
    Admin(#[from] AdminError),
    #[error("the agent's answer is not understood ({0}): is it of another version?")]
    Answer(#[from] serde_json::Error),
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let admin = match arguments.admin.admin() {
        Ok(admin) => admin,
        Err(error) => return fail(&error.into()),
    };
    let mut output = Output::default();
    match look(&admin, arguments.json) {
        Ok(text) => print(&mut output, arguments, &text),
        Err(error) => return fail(&error),
    }
    // An agent that is restarted comes back: only the first look decides whether there is one.
    while arguments.watch && output.is_open() {
        std::thread::sleep(WATCH_EVERY);
        match look(&admin, arguments.json) {
            Ok(text) => print(&mut output, arguments, &text),
            Err(error) => complain(&format!("trapline: {error}")),
        }
    }
    output.end()
}

fn fail(error: &StatusError) -> ExitCode {
    complain(&format!("trapline: {error}"));
    ExitCode::FAILURE
}

fn look(admin: &Admin, json: bool) -> Result<String, StatusError> {
    let body = admin.ask("GET", "/status", "")?;
    if json {
        return Ok(body);
    }
    let report: Report = serde_json::from_str(&body)?;
    Ok(table::text(&report))
}

fn print(output: &mut Output, arguments: &Arguments, text: &str) {
    if arguments.watch && !arguments.json && io::stdout().is_terminal() {
        write!(output, "{CLEAR}");
    }
    write!(output, "{text}");
    output.flush();
}
