//! Standard output and standard error as they are in practice: closed, full, or with a reader that has seen enough.
//!
//! ```text
//!  writeln!(output, ...) ──▶ Output ──▶ standard output      the first failure is kept, and decides the exit code
//!  text ──▶ print_within ──▶ a thread ──▶ standard output    a stuck reader costs a second, not the end of the process
//! ```
//!
//! `println!` panics where writing fails; nothing here does.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// How long a reader that does not read may hold up the end of the process.
const STUCK_MAX: Duration = Duration::from_secs(1);

/// Standard output of a command that prints as it goes.
#[derive(Debug, Default)]
pub(super) struct Output {
    failed: Option<io::Error>,
}

impl Output {
    /// Writes, for `write!` and `writeln!`; after a failure nothing more is written.
    pub(super) fn write_fmt(&mut self, text: fmt::Arguments<'_>) {
        if self.failed.is_none() {
            self.failed = io::stdout().lock().write_fmt(text).err();
        }
    }

    /// Puts what was written in front of the reader.
    pub(super) fn flush(&mut self) {
        if self.failed.is_none() {
            self.failed = io::stdout().lock().flush().err();
        }
    }

    /// Whether there still is a reader.
    pub(super) fn is_open(&self) -> bool {
        self.failed.is_none()
    }

    /// Whether all was written, as an exit code; a failure is said on standard error.
    pub(super) fn end(mut self) -> ExitCode {
        if self.failed.is_none() {
            self.failed = io::stdout().lock().flush().err();
        }
        match self.failed {
            Some(error) if !is_reader_gone(&error) => {
                complain(&format!(
                    "trapline: standard output cannot be written: {error}"
                ));
                ExitCode::FAILURE
            }
            _ => ExitCode::SUCCESS,
        }
    }
}

/// The end of a command whose standard output has failed.
pub(super) fn ended_by(error: io::Error) -> ExitCode {
    let failed = Some(error);
    Output { failed }.end()
}

/// Whether the reader has closed its end, as `head -1` does: it has what it wanted.
fn is_reader_gone(error: &io::Error) -> bool {
    error.kind() == ErrorKind::BrokenPipe
}

/// Writes one line to standard error. Where even that fails there is nobody left to tell.
pub(super) fn complain(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Writes to standard output and waits for it, at most a second.
///
/// # Errors
/// Standard output cannot be written, or nobody reads it.
pub(super) fn print_within_a_second(text: String) -> io::Result<()> {
    let (done, written) = sync_channel(1);
    std::thread::Builder::new()
        .name("stdout".to_owned())
        .spawn(move || {
            let mut out = io::stdout().lock();
            let result = out.write_all(text.as_bytes()).and_then(|()| out.flush());
            let _ = done.try_send(result);
        })?;
    written.recv_timeout(STUCK_MAX).unwrap_or_else(|_| {
        Err(io::Error::new(
            ErrorKind::TimedOut,
            "nobody reads standard output",
        ))
    })
}

/// Text of a stranger for a terminal: what a terminal might obey is shown as `\u` and four hex digits, which JSON
/// reads as the same character.
///
/// These are the control characters (C0, DEL, C1), the line separators, and the marks that turn the direction of
/// text (Unicode Standard Annex #9), by which one text can be made to look like another.
pub(super) fn tamed(text: &str) -> String {
    let mut tamed = String::with_capacity(text.len());
    for each in text.chars() {
        if is_obeyed(each) {
            tamed.push_str(&format!("\\u{:04x}", u32::from(each)));
        } else {
            tamed.push(each);
        }
    }
    tamed
}

fn is_obeyed(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown_and_stays_the_same_json() {
        assert_eq!(
            tamed("a\u{1b}[31m\u{9b}b\u{202e}ü"),
            r"a\u001b[31m\u009bb\u202eü"
        );
        let json = serde_json::to_string("x\u{9b}\u{7f}\u{2066}").unwrap();
        let back: String = serde_json::from_str(&tamed(&json)).unwrap();
        assert_eq!(back, "x\u{9b}\u{7f}\u{2066}");
    }
}
