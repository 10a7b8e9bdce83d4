//! `trapline devices`: who was heard by the running agent, and what is the matter with them.
//!
//! ```text
//!  admin socket: GET /devices?place ──page by page──▶ rows ──filter, sort──▶ table: text as wide as the terminal
//!                                                                            --json: one object a line
//! ```

mod table;

use std::cmp::Ordering;
use std::io::{self, IsTerminal};
use std::os::fd::AsRawFd;
use std::process::ExitCode;

use super::admin::{Admin, AdminArguments, AdminError};
use super::output::{Output, complain, tamed};
use crate::names::listing::{Page, Row, State};

/// Pages of one list. A million devices have some thousands; more is an agent that goes round in a circle.
const PAGES_MAX: usize = 100_000;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    admin: AdminArguments,
    /// Only devices whose name or address contains this; with * or ? it must fit as a whole
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Only those that are silent, and hosts of the inventory that were never heard
    #[arg(long)]
    silent: bool,
    /// Only those that use names of others
    #[arg(long)]
    conflicts: bool,
    /// Only senders that the inventory does not have
    #[arg(long)]
    unknown: bool,
    /// Only devices of this vendor
    #[arg(long, value_name = "VENDOR")]
    vendor: Option<String>,
    /// What comes first
    #[arg(long, value_enum, value_name = "COLUMN", default_value_t = Sort::Name)]
    sort: Sort,
    /// Print JSON, one object a line, with everything that the agent says
    #[arg(long)]
    json: bool,
}

/// The order of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Sort {
    /// By name
    Name,
    /// By address
    Address,
    /// Those that were silent for longest
    Seen,
    /// Those that say most
    Rate,
    /// Those that most messages of were lost
    Gaps,
    /// Those that used names of others most often
    Conflicts,
}

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
enum DevicesError {
    #[error(transparent)]
    Admin(#[from] AdminError),
    #[error("the agent's answer is not understood ({0}): is it of another version?")]
    Answer(#[from] serde_json::Error),
    #[error("the agent's list does not end after {PAGES_MAX} pages")]
    Endless,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let rows = arguments
        .admin
        .admin()
        .map_err(DevicesError::from)
        .and_then(|admin| rows(&admin));
    let rows = match rows {
        Ok(rows) => rows,
        Err(error) => {
            complain(&format!("trapline: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let heard = rows.iter().filter(|row| row.state != State::Never).count();
    let mut shown: Vec<Row> = rows
        .into_iter()
        .filter(|row| arguments.wants(row))
        .collect();
    shown.sort_by(|one, other| arguments.sort.compare(one, other));
    let mut output = Output::default();
    if arguments.json {
        for row in &shown {
            match serde_json::to_string(row) {
                Ok(line) => writeln!(output, "{}", tamed(&line)),
                Err(error) => complain(&format!("trapline: {error}")),
            }
        }
        return output.end();
    }
    table::print(&mut output, &shown, heard, width());
    output.end()
}

/// All pages, one after another: the agent never has the whole list in its hands.
fn rows(admin: &Admin) -> Result<Vec<Row>, DevicesError> {
    let mut rows = Vec::new();
    let mut target = "/devices".to_owned();
    for _ in 0..PAGES_MAX {
        let page: Page = serde_json::from_str(&admin.ask("GET", &target, "")?)?;
        rows.extend(page.devices);
        match page.next {
            None => return Ok(rows),
            Some(next) => target = format!("/devices?{next}"),
        }
    }
    Err(DevicesError::Endless)
}

impl Arguments {
    fn wants(&self, row: &Row) -> bool {
        let is_never = row.state == State::Never;
        let is_silent = is_never || row.state == State::Silent;
        // What nobody has heard is not in a list of those that were, but a name that is asked for is found.
        (self.silent || self.name.is_some() || !is_never)
            && (!self.silent || is_silent)
            && (!self.conflicts || row.conflicts > 0)
            && (!self.unknown || row.is_unknown())
            && self.vendor.as_ref().is_none_or(|vendor| {
                let known = row.vendor.as_deref().unwrap_or_default();
                known.eq_ignore_ascii_case(vendor)
            })
            && self.name.as_ref().is_none_or(|name| {
                let address = row.address.map(|address| address.to_string());
                is_meant(name, &row.hostname)
                    || address.is_some_and(|address| is_meant(name, &address))
            })
    }
}

impl Sort {
    fn compare(self, one: &Row, other: &Row) -> Ordering {
        let by_name = || {
            (natural(&one.hostname), one.address).cmp(&(natural(&other.hostname), other.address))
        };
        let first = match self {
            Sort::Name => Ordering::Equal,
            Sort::Address => one.address.cmp(&other.address),
            // Those that were never heard are older than any age.
            Sort::Seen => {
                let age = |row: &Row| row.age_seconds.unwrap_or(u64::MAX);
                age(other).cmp(&age(one))
            }
            Sort::Rate => other.per_second.total_cmp(&one.per_second),
            Sort::Gaps => other.missing.cmp(&one.missing),
            Sort::Conflicts => other.conflicts.cmp(&one.conflicts),
        };
        first.then_with(by_name)
    }
}

/// Words and numbers by turns, so that `r2` comes before `r10` and 10.0.0.2 before 10.0.0.10.
fn natural(text: &str) -> Vec<(u64, &str)> {
    let is_digit = |character: char| character.is_ascii_digit();
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|it| !is_digit(it)).unwrap_or(rest.len());
        let (number, behind) = rest.split_at(digits);
        let (word, behind) = behind.split_at(behind.find(is_digit).unwrap_or(behind.len()));
        // A word without a number before it comes behind those with one.
        parts.push((number.parse().unwrap_or(u64::MAX), word));
        rest = behind;
    }
    parts
}

/// Whether `text` contains the pattern; one with `*` or `?` must fit as a whole. Case does not count.
fn is_meant(pattern: &str, text: &str) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    let text = text.to_ascii_lowercase();
    match pattern.contains(['*', '?']) {
        true => fits(pattern.as_bytes(), text.as_bytes()),
        false => text.contains(&pattern),
    }
}

/// `*` stands for any bytes, `?` for one. Goes back to the last `*` alone, so it takes time pattern × text at most.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut place) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while place < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, place));
                at += 1;
            }
            Some(byte) if *byte == b'?' || text.get(place) == Some(byte) => {
                at += 1;
                place += 1;
            }
            _ => match star {
                Some((star_at, star_place)) => {
                    star = Some((star_at, star_place + 1));
                    at = star_at + 1;
                    place = star_place + 1;
                }
                None => return false,
            },
        }
    }
    pattern
        .get(at..)
        .unwrap_or_default()
        .iter()
        .all(|byte| *byte == b'*')
}

/// Columns of the terminal; `None`: standard output is none, and lines may be as long as they are.
fn width() -> Option<usize> {
    let said = std::env::var("COLUMNS").ok();
    if let Some(columns) = said.and_then(|columns| columns.parse().ok()) {
        return Some(columns);
    }
    if !io::stdout().is_terminal() {
        return None;
    }
    // SAFETY: winsize is four integers, for which zero is a value.
    let mut size: libc::winsize = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open through the call, and `size` is what TIOCGWINSZ fills in.
    let result = unsafe { libc::ioctl(io::stdout().as_raw_fd(), libc::TIOCGWINSZ, &mut size) };
    (result == 0 && size.ws_col > 0).then_some(usize::from(size.ws_col))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_name_is_enough_and_a_pattern_must_fit_as_a_whole() {
        assert!(is_meant("cor", "lax-COR-r1") && is_meant("LAX", "lax-cor-r1"));
        assert!(is_meant("lax-*-r?", "lax-cor-r1") && is_meant("*r1", "lax-cor-r1"));
        assert!(!is_meant("cor*", "lax-cor-r1") && !is_meant("lax-?-r1", "lax-cor-r1"));
        assert!(is_meant("*", "") && is_meant("a*b*c", "aXbYbZc") && !is_meant("a*b", "aXbY"));
    }

    #[test]
    fn numbers_are_ordered_as_numbers() {
        let mut names = ["r10", "r2", "10.0.0.10", "r2-b", "10.0.0.9", "core"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(
            names,
            ["10.0.0.9", "10.0.0.10", "core", "r2", "r2-b", "r10"]
        );
    }
}
