//! File + environment → every stage's own `Config`.
//!
//! ```text
//!  trapline.toml ──raw──▶ Raw ──▶ Raw ──resolve──▶ Resolved ──▶ agent
//!                          ▲                          │
//!  TRAPLINE_... ──environment (over the file)         └──reload::difference(old, new)──▶ applied, needs_restart
//!
//!  each step: Vec<Problem>, all of them together at the end
//! ```
//!
//! - [`schema`] is the table of keys: types, ranges, what a reload does.
//! - `raw` is the file's shape, `value` judges one value, [`environment`] puts variables over it, `resolve` gives each stage what it needs.
//! - Every key is optional, and so is the file: with nothing at all the agent receives, keeps what it can, and warns.
//! - Problems name file, line, column, key, what was expected, what came and what to do ([`Problem`]).

use std::path::Path;

mod certificate;
mod environment;
mod files;
mod identity;
mod kafka;
mod listener;
mod local;
mod mibs;
mod problem;
mod raw;
mod reader;
mod reload;
mod resolve;
mod route;
pub mod schema;
mod secret;
mod security;
mod size;
mod snmp;
mod value;

pub use environment::of_process;
pub use files::FILE_BYTES_MAX;
pub use identity::Identity;
pub use kafka::MESSAGE_BYTES_MAX_DEFAULT;
pub use problem::{Place, Problem, Warning};
pub use reader::Effective;
pub use reload::{Reload, difference, in_force, restart_needed};
pub use resolve::{AGENT_ID_BYTES_MAX, DRAIN_SECONDS_DEFAULT, Resolved};

use files::Kept;
use problem::Source;
use reader::Findings;
use resolve::Surroundings;

/// A configuration that can be used.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Every stage's part.
    pub config: Resolved,
    /// What works and may not be meant; to be logged or printed once each.
    pub warnings: Vec<Warning>,
}

/// A configuration that cannot be used.
#[derive(Debug, Clone, Default)]
pub struct Refused {
    /// What has to be put right, in the order of the file.
    pub problems: Vec<Problem>,
    /// What would work and may not be meant, without what may only follow from a problem.
    pub warnings: Vec<Warning>,
}

impl Refused {
    /// Of nothing but problems.
    fn by(problems: Vec<Problem>) -> Refused {
        Refused {
            problems,
            warnings: Vec::new(),
        }
    }
}

/// Reads the file at `path`, puts the variables over it and resolves everything. Without a path there is only the
/// environment. `host_name` is the default of `agent.id`. Pipes among the files have five seconds, all together; storage
/// and directory services are waited for as long as they take.
///
/// # Errors
/// Every problem of file and environment at once, in the order of the file, and the warnings. With a syntax error it is
/// the only kind: what stands around it cannot be trusted.
pub fn load(
    path: Option<&Path>,
    variables: impl Iterator<Item = (String, String)>,
    host_name: &str,
) -> Result<Loaded, Refused> {
    let findings = Findings::default();
    let Some(path) = path else {
        return assemble("", "", None, variables, host_name, findings);
    };
    let name = path.display().to_string();
    let place = || Place::Unplaced(name.clone());
    let Kept { bytes, mode } = files::read(path, findings.deadline).map_err(|error| {
        Refused::by(vec![Problem::new(
            &place(),
            "",
            format!("cannot read the configuration: {error}"),
            files::advice(&error),
        )])
    })?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => assemble(&name, text, Some(mode), variables, host_name, findings),
        Err(error) => {
            let before =
                String::from_utf8_lossy(bytes.get(..error.valid_up_to()).unwrap_or_default());
            let at = Source {
                file: &name,
                text: &before,
            }
            .place(before.len());
            Err(Refused::by(vec![Problem::new(
                &at,
                "",
                "the file is not UTF-8 here",
                "save it as UTF-8, or retype the character",
            )]))
        }
    }
}

/// Like [`load`] with the file's content in hand and no environment; problems call the file `configuration`.
///
/// # Errors
/// Every problem at once.
pub fn parse(text: &str, host_name: &str) -> Result<Resolved, Vec<Problem>> {
    let findings = Findings::default();
    let variables = std::iter::empty();
    assemble("configuration", text, None, variables, host_name, findings)
        .map(|loaded| loaded.config)
        .map_err(|refused| refused.problems)
}

fn assemble(
    file: &str,
    text: &str,
    file_mode: Option<u32>,
    variables: impl Iterator<Item = (String, String)>,
    host_name: &str,
    mut findings: Findings,
) -> Result<Loaded, Refused> {
    let (mut raw, mut problems) = raw::read(Source { file, text }).map_err(Refused::by)?;
    if !raw.has_listeners {
        raw.listeners = listener::defaults();
    }
    problems.extend(environment::overlay(&mut raw, variables));
    let surroundings = Surroundings {
        host_name,
        file_mode,
    };
    let config = resolve::resolve(&raw, &surroundings, &mut findings);
    problems.append(&mut findings.problems);
    let mut warnings = findings.warnings;
    warnings.sort();
    if problems.is_empty() {
        return Ok(Loaded { config, warnings });
    }
    problems.sort();
    problems.dedup();
    warnings.retain(|warning| problems.iter().all(|problem| !problem.may_cause(warning)));
    Err(Refused { problems, warnings })
}

#[cfg(test)]
mod tests;
