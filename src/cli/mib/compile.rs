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
    complain(&format!("reading {}", shown_paths(&arguments.paths)));
    let compiled = match compile(&arguments.paths, false) {
        Ok(compiled) => compiled,
        Err(code) => return code,
    };
    for finding in &compiled.findings {
        complain(&tamed(&finding.to_string()));
    }
    let Compiled {
        definitions,
        files,
        modules,
        bytes,
        findings,
    } = compiled;
    let made = UnixMicros::now().0.max(0) as u64 / 1_000_000;
    complain(&format!("writing {} definitions", definitions.len()));
    let octets = match format::write(&definitions, made) {
        Ok(octets) => octets,
        Err(error) => return fail(&error.to_string()),
    };
    let path = &arguments.output;
    if let Err(error) = replace(path, &octets) {
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

/// Replaces a file in one step, so that an agent which looks at it sees the old one or the new one.
fn replace(path: &Path, octets: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = PathBuf::from(name);
    let written = File::create(&beside)
        .and_then(|mut file| {
            file.write_all(octets)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // What is left of it helps nobody; that it is left is the lesser trouble.
        let _ = fs::remove_file(&beside);
    }
    written
}
