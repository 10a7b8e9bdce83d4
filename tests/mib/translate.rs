//! net-snmp's snmptranslate, and the same questions asked of a compiled file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use trapline::mib::Node;

/// Whether there is one; says so where there is none.
pub fn is_installed() -> bool {
    let is_there = Command::new("snmptranslate").arg("-V").output().is_ok();
    if !is_there {
        eprintln!("skipped: snmptranslate (Debian: snmp) is not installed");
    }
    is_there
}

/// `1.3.6.1.2.1.1.3`
pub fn dotted(node: &Node<'_>) -> String {
    let arcs: Vec<String> = node.oid().iter().map(u32::to_string).collect();
    arcs.join(".")
}

/// `MODULE::name`
pub fn name(node: &Node<'_>) -> String {
    let (module, name) = (node.module(), node.name());
    format!("{}::{}", module.unwrap_or(""), name.unwrap_or(""))
}

/// `up(1)`, of enumerations and bits.
pub fn labels(node: &Node<'_>) -> BTreeSet<String> {
    let syntax = node.syntax();
    let labels = syntax.iter().flat_map(|syntax| syntax.labels());
    labels
        .map(|(value, label)| format!("{label}({value})"))
        .collect()
}

/// The names of a column's INDEX.
pub fn index(column: &Node<'_>) -> Vec<String> {
    let parts = column.components();
    parts.map(|part| part.name.to_owned()).collect()
}

/// What snmptranslate prints of these OIDs, with all modules of these folders.
pub fn translate(folders: &[&Path], nodes: &[Node<'_>], options: &[&str]) -> Vec<String> {
    let folders: Vec<String> = folders
        .iter()
        .map(|folder| folder.display().to_string())
        .collect();
    let output = Command::new("snmptranslate")
        .env("MIBS", "ALL")
        .env("MIBDIRS", folders.join(":"))
        .args(options)
        .args(nodes.iter().map(|node| format!(".{}", dotted(node))))
        .output()
        .expect("snmptranslate runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .map(str::to_owned)
        .filter(|line| !options.is_empty() || !line.is_empty())
        .collect()
}

/// What one `-Td` block says.
#[derive(Debug, Default)]
pub struct Detail {
    /// `up(1)`
    pub labels: BTreeSet<String>,
    /// The names in the INDEX clause.
    pub index: Vec<String>,
}

/// The blocks of `snmptranslate -Td`, by the name in their first line.
pub fn described(lines: &[String]) -> BTreeMap<String, Detail> {
    let mut details = BTreeMap::new();
    let mut name = String::new();
    for line in lines {
        let is_name =
            !line.starts_with(char::is_whitespace) && line.contains("::") && !line.contains("::=");
        if is_name {
            name = line.trim().to_owned();
            details.insert(name.clone(), Detail::default());
        }
        let Some(detail) = details.get_mut(&name) else {
            continue;
        };
        let line = line.trim();
        if line.starts_with("SYNTAX") {
            detail.labels = listed(line).collect();
        } else if line.starts_with("INDEX") {
            let parts = listed(line);
            detail.index = parts
                .map(|part| part.trim_start_matches("IMPLIED ").to_owned())
                .collect();
        }
    }
    details
}

/// What stands between braces.
fn listed(line: &str) -> impl Iterator<Item = String> {
    let inside = line
        .split_once('{')
        .and_then(|(_, rest)| rest.rsplit_once('}'));
    let inside = inside.map_or("", |(inside, _)| inside);
    let parts = inside.split(',').map(|part| part.trim().to_owned());
    parts.filter(|part| !part.is_empty())
}
