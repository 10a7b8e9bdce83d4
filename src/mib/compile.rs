//! MIB modules (text) → definitions, and what is wrong with the modules. Offline: the agent never runs it.
//!
//! ```text
//!  DIR | FILE … ──gather──▶ files ──mib-rs──▶ tree of OIDs ──▶ Vec<Definition>
//!                             │                  └──▶ Finding { file, line, severity, text }
//!                             └──▶ Finding: cannot be read, no module in it
//! ```
//!
//! Nothing stops the rest: what cannot be read, parsed or resolved is a finding, and everything else is compiled. Of
//! modules with one name the first file's counts, of OIDs with several names the one that SMIv2 prefers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use mib_rs::{
    BaseType, DiagnosticConfig, DiagnosticReport, LoadError, Loader, Mib, Object, ReportingLevel,
    ResolverStrictness, Severity, Type, mib::UnresolvedKind, source,
};

use super::format::{Base, Component, Convention, Definition, Form, Kind, Syntax};

/// The largest file that is read as a module: ten times the largest that vendors publish.
const MODULE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// How deep folders are followed: deeper is a loop of links.
const FOLDERS_DEEP_MAX: usize = 16;

/// Octets of a notification's sentence: longer ones are cut, since it stands in a message of one line.
const SENTENCE_BYTES_MAX: usize = 160;

/// How textual conventions may build on each other. They cannot be circular; this is for those that are.
const CONVENTIONS_DEEP_MAX: usize = 16;

/// What was made of some files.
#[derive(Debug)]
pub struct Compiled {
    /// What is defined, sorted by OID.
    pub definitions: Vec<Definition>,
    /// What is wrong, in the order of the files and lines.
    pub findings: Vec<Finding>,
    /// Modules that others import from and that were not among the files, with how many miss them; most missed first.
    pub missing: Vec<(String, usize)>,
    /// How many files were read.
    pub files: usize,
    /// How many modules came of them.
    pub modules: usize,
    /// Octets of all files.
    pub bytes: u64,
}

/// How much is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Against the standard (RFC 2578 to 2580): something of the module may be missing in the result.
    Error,
    /// Bad style, or a guess that was needed.
    Warning,
}

/// Something that is wrong with a module or a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, as it was named or found.
    pub file: String,
    /// The line, from 1 on; 0 where the whole file is meant.
    pub line: usize,
    /// How much is wrong.
    pub grade: Grade,
    /// What is wrong.
    pub text: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let grade = match self.grade {
            Grade::Error => "error",
            Grade::Warning => "warning",
        };
        match self.line {
            0 => write!(f, "{}: {grade}: {}", self.file, self.text),
            line => write!(f, "{}:{line}: {grade}: {}", self.file, self.text),
        }
    }
}

/// Why nothing was compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// No argument led to a module.
    #[error(
        "no MIB module found, files read: {files}; a module is a text file with `NAME DEFINITIONS ::= BEGIN`"
    )]
    NoModules {
        /// How many files were looked at.
        files: usize,
        /// What could not be read.
        findings: Vec<Finding>,
    },
    /// The parser gave up.
    #[error("the modules could not be loaded: {0}")]
    Load(LoadError),
}

/// Reads files, and folders with all below them, and resolves what they define. `lint` asks for warnings as well.
///
/// # Errors
/// There is no module at all.
pub fn compile(paths: &[PathBuf], lint: bool) -> Result<Compiled, CompileError> {
    let mut gathered = Gathered::default();
    for path in paths {
        gathered.add(path, 0);
    }
    let Gathered {
        files,
        bytes,
        mut findings,
        ..
    } = gathered;
    // All readable files were looked at a moment ago, so a failure means that none of them holds a module.
    let Ok(source) = source::files(&files) else {
        let files = files.len();
        return Err(CompileError::NoModules { files, findings });
    };
    let config = DiagnosticConfig {
        reporting: if lint {
            ReportingLevel::Verbose
        } else {
            ReportingLevel::Quiet
        },
        fail_at: Severity::Fatal,
        ..DiagnosticConfig::default()
    };
    let mib = Loader::new()
        .source(source)
        .resolver_strictness(ResolverStrictness::Permissive)
        .diagnostic_config(config)
        .load()
        .map_err(CompileError::Load)?;
    findings.extend(findings_of(&mib.diagnostic_report()));
    findings.extend(unresolved(&mib, &findings));
    findings.sort();
    findings.dedup();
    Ok(Compiled {
        definitions: definitions(&mib),
        findings,
        missing: missing(&mib),
        files: files.len(),
        modules: mib.user_modules().count(),
        bytes,
    })
}

#[derive(Default)]
struct Gathered {
    files: Vec<PathBuf>,
    seen: BTreeSet<PathBuf>,
    bytes: u64,
    findings: Vec<Finding>,
}

impl Gathered {
    fn add(&mut self, path: &Path, deep: usize) {
        match self.look_at(path, deep) {
            Ok(()) => {}
            Err(text) => self.findings.push(Finding {
                file: path.display().to_string(),
                line: 0,
                grade: Grade::Error,
                text,
            }),
        }
    }

    fn look_at(&mut self, path: &Path, deep: usize) -> Result<(), String> {
        let cannot_read = |error: std::io::Error| format!("cannot be read: {error}");
        let metadata = std::fs::metadata(path).map_err(cannot_read)?;
        if metadata.is_dir() {
            if deep == FOLDERS_DEEP_MAX {
                return Err(format!(
                    "more than {FOLDERS_DEEP_MAX} folders deep, left out"
                ));
            }
            let entries = std::fs::read_dir(path).map_err(cannot_read)?;
            let mut below: Vec<PathBuf> = entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| !is_hidden(path))
                .collect();
            below.sort();
            for path in below {
                self.add(&path, deep + 1);
            }
            return Ok(());
        }
        if !metadata.is_file() {
            return Err("neither a file nor a folder, left out".to_owned());
        }
        if metadata.len() > MODULE_BYTES_MAX {
            return Err(format!("more than {MODULE_BYTES_MAX} bytes, left out"));
        }
        std::fs::File::open(path).map_err(cannot_read)?;
        let known = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if self.seen.insert(known) {
            self.bytes += metadata.len();
            self.files.push(path.to_owned());
        }
        Ok(())
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn findings_of(report: &DiagnosticReport) -> impl Iterator<Item = Finding> {
    report.iter().map(|entry| {
        let diagnostic = entry.diagnostic();
        let module = diagnostic.module.clone().unwrap_or_default();
        let place = entry.range().ok().flatten().map(|(document, range)| {
            let line = document.line_column(range.start());
            (
                document.label().to_owned(),
                line.map_or(0, |(line, _)| line),
            )
        });
        let (file, line) = place.unwrap_or((module, 0));
        let is_error = diagnostic.severity.at_least(Severity::Error);
        Finding {
            file,
            line,
            grade: if is_error {
                Grade::Error
            } else {
                Grade::Warning
            },
            text: diagnostic.message.replace('\n', " "),
        }
    })
}

/// References that lead nowhere and of which no diagnostic speaks.
fn unresolved(mib: &Mib, said: &[Finding]) -> Vec<Finding> {
    let silent = |symbol: &str| !said.iter().any(|finding| finding.text.contains(symbol));
    mib.unresolved()
        .iter()
        .filter(|reference| silent(&reference.symbol))
        .map(|reference| {
            let label = mib
                .module(&reference.module)
                .and_then(|module| module.source_label());
            Finding {
                file: label.unwrap_or(&reference.module).to_owned(),
                line: 0,
                grade: Grade::Error,
                text: format!(
                    "{} is not defined anywhere: {}",
                    reference.symbol, reference.reason
                ),
            }
        })
        .collect()
}

/// The modules whose absence left an import without meaning.
fn missing(mib: &Mib) -> Vec<(String, usize)> {
    let unresolved: BTreeSet<(&str, &str)> = mib
        .unresolved()
        .iter()
        .filter(|reference| reference.kind == UnresolvedKind::Import)
        .map(|reference| (reference.module.as_str(), reference.symbol.as_str()))
        .collect();
    let mut missing: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for module in mib.user_modules() {
        for import in module.imports() {
            let is_lost = |name: &str| unresolved.contains(&(module.name(), name));
            let mut symbols = import.symbols.iter();
            if mib.module(&import.module).is_none() && symbols.any(|symbol| is_lost(&symbol.name)) {
                missing
                    .entry(&import.module)
                    .or_default()
                    .insert(module.name());
            }
        }
    }
    let mut missing: Vec<(String, usize)> = missing
        .into_iter()
        .map(|(name, of)| (name.to_owned(), of.len()))
        .collect();
    missing.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    missing
}

fn definitions(mib: &Mib) -> Vec<Definition> {
    let mut definitions: Vec<Definition> = mib
        .nodes()
        .filter(|node| !node.name().is_empty() && !stands_below_an_object(*node))
        .map(definition)
        .collect();
    definitions.sort_by(|a, b| a.oid.cmp(&b.oid));
    definitions
}

/// `sysUpTimeInstance` is `sysUpTime.0` by another name; an instance keeps the object's.
fn stands_below_an_object(node: mib_rs::Node<'_>) -> bool {
    let mut above = node.parent();
    // Two steps: names of instances stand directly below their object.
    for _ in 0..2 {
        let Some(parent) = above else { return false };
        if matches!(parent.kind(), mib_rs::Kind::Scalar | mib_rs::Kind::Column) {
            return true;
        }
        above = parent.parent();
    }
    false
}

fn definition(node: mib_rs::Node<'_>) -> Definition {
    let object = node.object();
    let notification = node.notification();
    let kind = match (node.kind(), &notification) {
        (_, Some(_)) => Kind::Notification,
        (mib_rs::Kind::Scalar, _) => Kind::Scalar,
        (mib_rs::Kind::Table, _) => Kind::Table,
        (mib_rs::Kind::Row, _) => Kind::Row,
        (mib_rs::Kind::Column, _) => Kind::Column,
        _ => Kind::Place,
    };
    let (module, name) = match (&notification, &object) {
        (Some(notification), _) => (notification.module(), notification.name()),
        (None, Some(object)) => (object.module(), object.name()),
        (None, None) => (node.module(), node.name()),
    };
    let with_value = object.filter(|_| kind.has_values());
    let text = notification.map_or("", |notification| notification.description());
    Definition {
        oid: node.oid().to_vec(),
        // What the SMI itself registers: iso, org, enterprises.
        module: module
            .map_or("SNMPv2-SMI", |module| module.name())
            .to_owned(),
        name: name.to_owned(),
        kind,
        syntax: with_value.map(syntax_of_object),
        index: with_value
            .filter(|_| kind == Kind::Column)
            .and_then(index)
            .unwrap_or_default(),
        units: with_value.map_or("", Object::units).to_owned(),
        objects: notification
            .into_iter()
            .flat_map(|notification| notification.objects())
            .map(|object| object.name().to_owned())
            .collect(),
        description: sentence(text),
    }
}

fn syntax_of_object(object: Object<'_>) -> Syntax {
    let labels = match object.effective_bits() {
        [] => object.effective_enums(),
        bits => bits,
    };
    Syntax {
        hint: object.effective_display_hint().to_owned(),
        labels: labels_of(labels),
        ..object.ty().map_or_else(unknown_syntax, syntax_of_type)
    }
}

fn syntax_of_type(ty: Type<'_>) -> Syntax {
    let labels = match ty.effective_bits() {
        [] => ty.effective_enums(),
        bits => bits,
    };
    Syntax {
        base: base(ty.effective_base()),
        convention: convention(ty),
        hint: ty.effective_display_hint().to_owned(),
        labels: labels_of(labels),
    }
}

fn unknown_syntax() -> Syntax {
    Syntax {
        base: Base::Unknown,
        convention: Convention::Other,
        hint: String::new(),
        labels: Vec::new(),
    }
}

fn labels_of(values: &[mib_rs::mib::NamedValue]) -> Vec<(i32, String)> {
    values
        .iter()
        .filter_map(|named| Some((i32::try_from(named.value).ok()?, named.label.clone())))
        .collect()
}

fn base(base: BaseType) -> Base {
    match base {
        BaseType::Integer32
        | BaseType::Unsigned32
        | BaseType::Counter32
        | BaseType::Counter64
        | BaseType::Gauge32
        | BaseType::TimeTicks
        | BaseType::Integer64
        | BaseType::Unsigned64 => Base::Integer,
        BaseType::IpAddress => Base::IpAddress,
        BaseType::OctetString => Base::OctetString,
        BaseType::ObjectIdentifier => Base::ObjectIdentifier,
        BaseType::Bits => Base::Bits,
        BaseType::Opaque => Base::Opaque,
        BaseType::Unknown | BaseType::Sequence => Base::Unknown,
    }
}

fn convention(ty: Type<'_>) -> Convention {
    let mut next = Some(ty);
    for _ in 0..CONVENTIONS_DEEP_MAX {
        let Some(ty) = next else { break };
        match ty.name() {
            "DateAndTime" => return Convention::DateAndTime,
            "InetAddressType" => return Convention::InetAddressType,
            "InetAddress" => return Convention::InetAddress,
            _ => next = ty.parent(),
        }
    }
    Convention::Other
}

/// The parts of a column's index; `None` where one of them is unknown, since the others cannot be found without it.
fn index(column: Object<'_>) -> Option<Vec<Component>> {
    column
        .effective_indexes()
        .map(|index| {
            let syntax = match (index.object(), index.ty()) {
                (Some(object), _) => syntax_of_object(object),
                (None, Some(ty)) => syntax_of_type(ty),
                (None, None) => return None,
            };
            let fixed = match index.fixed_size() {
                (size, true) => u16::try_from(size).ok(),
                _ => None,
            };
            let form = match (syntax.base, index.implied(), fixed) {
                (Base::Unknown, ..) => return None,
                (Base::Integer, ..) => Form::Integer,
                (Base::IpAddress, ..) => Form::IpAddress,
                (Base::ObjectIdentifier, true, _) => Form::ImpliedOid,
                (Base::ObjectIdentifier, false, _) => Form::CountedOid,
                (_, _, Some(_)) => Form::Fixed,
                (_, true, None) => Form::Implied,
                (_, false, None) => Form::Counted,
            };
            Some(Component {
                name: index.name().to_owned(),
                form,
                size: fixed.filter(|_| form == Form::Fixed).unwrap_or_default(),
                syntax,
            })
        })
        .collect()
}

/// The first sentence, its white space made single spaces, cut at a word where it is long.
fn sentence(text: &str) -> String {
    let mut sentence = String::new();
    for word in text.split_whitespace() {
        if sentence.len() + 1 + word.len() > SENTENCE_BYTES_MAX {
            sentence.push('…');
            return sentence;
        }
        if !sentence.is_empty() {
            sentence.push(' ');
        }
        sentence.extend(word.chars().filter(|c| !c.is_control()));
        if word.len() > 2 && word.ends_with(['.', '!', '?', ';']) && !is_abbreviation(word) {
            sentence.pop();
            break;
        }
    }
    sentence
}

fn is_abbreviation(word: &str) -> bool {
    [
        "e.g.", "i.e.", "etc.", "cf.", "vs.", "(e.g.", "(i.e.", "approx.",
    ]
    .contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_the_first_one_and_fits_a_line() {
        let text = "A linkDown trap\n          is sent, e.g. when a port fails.  Not for others.";
        assert_eq!(
            sentence(text),
            "A linkDown trap is sent, e.g. when a port fails"
        );
        let long = "word ".repeat(100);
        assert!(sentence(&long).len() <= SENTENCE_BYTES_MAX + '…'.len_utf8());
        assert_eq!(sentence(""), "");
    }

    #[test]
    fn a_folder_without_a_module_is_an_error_that_says_how_many_files_were_seen() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("README"), "nothing").unwrap();
        let error = compile(&[folder.path().to_owned(), "/nowhere".into()], false).unwrap_err();
        let CompileError::NoModules { files, findings } = error else {
            panic!("{error}");
        };
        assert_eq!((files, findings.len()), (1, 1));
        assert_eq!(findings[0].file, "/nowhere");
    }
}
