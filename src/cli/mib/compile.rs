//! `trapline mib compile` and `trapline mib lint`: modules → a file, and what is wrong with the modules.
//!
//! ```text
//!  paths ──mib::compile──▶ findings on stderr, file:line
//!                └──▶ definitions ──mib::format──▶ set.mibdb.new ──sync, rename──▶ set.mibdb
//! ```

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use super::super::output::{Output, complain, tamed};
use super::super::plural;
use crate::mib::compile::{self, CompileError, Compiled, Finding, Grade};
use crate::mib::format;
use crate::time::UnixMicros;

/// Errors of one file that `mib compile` shows: most follow from the first, often an import. `mib lint` shows all.
const SHOWN_OF_FILE_MAX: usize = 5;

/// Missing modules that are named: the most missed ones tell which folder was forgotten.
const MISSING_SHOWN_MAX: usize = 12;

/// What to compile, and where to.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Files with modules, and folders of such files
    #[arg(value_name = "DIR|FILE", required = true)]
    paths: Vec<PathBuf>,
    /// The file to write; an old one is replaced at once, when the new one is whole
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// What to look at.
#[derive(Debug, clap::Args)]
pub(super) struct LintArguments {
    /// Files with modules, and folders of such files
    #[arg(value_name = "DIR|FILE", required = true)]
    paths: Vec<PathBuf>,
    /// Leave warnings out
    #[arg(long)]
    errors: bool,
}

/// Runs `mib compile`.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let start = Instant::now();
    let path = &arguments.output;
    // Before anything is read: large sets take a minute.
    let place = match Place::beside(path) {
        Ok(place) => place,
        Err(error) => return fail(&format!("cannot write {}: {error}", path.display())),
    };
    complain(&format!("reading {}", shown_paths(&arguments.paths)));
    let compiled = match compile(&arguments.paths, false) {
        Ok(compiled) => compiled,
        Err(code) => return code,
    };
    complain_of(&compiled.findings);
    complain_of_missing(&compiled.missing);
    let Compiled {
        definitions,
        files,
        modules,
        bytes,
        findings,
        ..
    } = compiled;
    let made = match made(std::env::var("SOURCE_DATE_EPOCH").ok().as_deref()) {
        Ok(made) => made,
        Err(text) => return fail(&text),
    };
    complain(&format!("writing {} definitions", definitions.len()));
    let octets = match format::write(&definitions, made) {
        Ok(octets) => octets,
        Err(error) => return fail(&error.to_string()),
    };
    if let Err(error) = place.put(&octets) {
        return fail(&format!("cannot write {}: {error}", path.display()));
    }
    let errors = findings.len();
    let mut output = Output::default();
    writeln!(
        output,
        "{}: {} definitions of {modules} module{}, {} KiB of {} KiB in {files} file{}, {errors} error{}, {:.1} s",
        path.display(),
        definitions.len(),
        plural(modules),
        octets.len().div_ceil(1024),
        bytes.div_ceil(1024),
        plural(files),
        plural(errors),
        start.elapsed().as_secs_f64(),
    );
    output.end()
}

/// When the file says that it was made, in seconds of Unix time: now, or what a build that must give the same octets
/// each time says in SOURCE_DATE_EPOCH.
fn made(epoch: Option<&str>) -> Result<u64, String> {
    match epoch {
        None => Ok(UnixMicros::now().0.max(0) as u64 / 1_000_000),
        Some(epoch) => epoch.parse().map_err(|_| {
            format!("SOURCE_DATE_EPOCH: expected seconds of Unix time, found {epoch:?}")
        }),
    }
}

/// Runs `mib lint`.
pub(super) fn lint(arguments: &LintArguments) -> ExitCode {
    let compiled = match compile(&arguments.paths, !arguments.errors) {
        Ok(compiled) => compiled,
        Err(code) => return code,
    };
    let mut output = Output::default();
    let count = |grade: Grade| {
        let of_grade = |finding: &&Finding| finding.grade == grade;
        compiled.findings.iter().filter(of_grade).count()
    };
    for finding in &compiled.findings {
        writeln!(output, "{}", tamed(&finding.to_string()));
    }
    let (errors, warnings) = (count(Grade::Error), count(Grade::Warning));
    complain(&format!(
        "{} module{}: {errors} error{}, {warnings} warning{}",
        compiled.modules,
        plural(compiled.modules),
        plural(errors),
        plural(warnings)
    ));
    let printed = output.end();
    if errors > 0 {
        ExitCode::FAILURE
    } else {
        printed
    }
}

fn compile(paths: &[PathBuf], lint: bool) -> Result<Compiled, ExitCode> {
    compile::compile(paths, lint).map_err(|error| {
        if let CompileError::NoModules { findings, .. } = &error {
            for finding in findings {
                complain(&tamed(&finding.to_string()));
            }
        }
        fail(&error.to_string())
    })
}

fn fail(text: &str) -> ExitCode {
    complain(&format!("trapline: {text}"));
    ExitCode::FAILURE
}

fn shown_paths(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    paths.join(", ")
}

/// Says what is wrong, file by file; of a file with much the beginning.
fn complain_of(findings: &[Finding]) {
    for of_file in findings.chunk_by(|one, next| one.file == next.file) {
        for finding in of_file.iter().take(SHOWN_OF_FILE_MAX) {
            complain(&tamed(&finding.to_string()));
        }
        let more = of_file.len().saturating_sub(SHOWN_OF_FILE_MAX);
        if let Some(first) = of_file.first().filter(|_| more > 0) {
            complain(&tamed(&format!(
                "{}: {more} more error{}; `trapline mib lint` shows all",
                first.file,
                plural(more)
            )));
        }
    }
}

/// Says which modules were not given, and what to do.
fn complain_of_missing(missing: &[(String, usize)]) {
    if missing.is_empty() {
        return;
    }
    let mut shown: Vec<String> = missing
        .iter()
        .take(MISSING_SHOWN_MAX)
        .map(|(name, count)| format!("{} (by {count})", tamed(name)))
        .collect();
    if let Some(more) = missing
        .len()
        .checked_sub(MISSING_SHOWN_MAX)
        .filter(|more| *more > 0)
    {
        shown.push(format!("{more} more"));
    }
    complain(&format!(
        "imported, and not among the files: {}; give their folder too, else indexes and types that need them are \
         unknown",
        shown.join(", ")
    ));
}

/// A file beside the one that is to be replaced. It takes its place in one step, so that an agent which looks at it sees
/// the old one or the new one; if it does not come to that, it goes.
struct Place<'p> {
    path: &'p Path,
    beside: PathBuf,
    file: File,
}

impl<'p> Place<'p> {
    fn beside(path: &'p Path) -> io::Result<Place<'p>> {
        if path.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let beside = PathBuf::from(name);
        let file = File::create(&beside)?;
        Ok(Place { path, beside, file })
    }

    fn put(mut self, octets: &[u8]) -> io::Result<()> {
        self.file.write_all(octets)?;
        self.file.sync_all()?;
        fs::rename(&self.beside, self.path)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // After a rename there is nothing to remove; else what is left helps nobody, and that it is left is the lesser
        // trouble.
        let _ = fs::remove_file(&self.beside);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_says_when_the_file_was_made() {
        assert_eq!(made(Some("1700000000")), Ok(1_700_000_000));
        assert!(made(None).is_ok_and(|made| made > 1_700_000_000));
        let refused = made(Some("yesterday")).unwrap_err();
        assert!(refused.contains("\"yesterday\""), "{refused}");
    }
}
