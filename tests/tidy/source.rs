//! Just enough of Rust's syntax to read `crate::` and `super::` paths: comments and literals are blanked first, then
//! the rest is read as words and punctuation.

/// A path of ours, from the crate's root: `["observe", "ledger"]`.
pub type Import = Vec<String>;

/// `text` with every comment and literal replaced by spaces, byte for byte, so that lines and places stay.
pub fn without_text(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(next) = rest.chars().next() {
        let length = match literal_length(rest, before) {
            0 => {
                code.push(next);
                before = next;
                rest = &rest[next.len_utf8()..];
                continue;
            }
            length => length,
        };
        let (blanked, after) = rest.split_at(length);
        let blank = |letter: char| if letter == '\n' { '\n' } else { ' ' };
        for letter in blanked.chars() {
            (0..letter.len_utf8()).for_each(|_| code.push(blank(letter)));
        }
        before = ' ';
        rest = after;
    }
    code
}

/// How many bytes at the start of `rest` are a comment or a literal; 0 for none.
fn literal_length(rest: &str, before: char) -> usize {
    let ends = |end: Option<usize>, more: usize| end.map_or(rest.len(), |at| at + more);
    if rest.starts_with("//") {
        return ends(rest.find('\n'), 0);
    }
    if rest.starts_with("/*") {
        return block_comment_length(rest);
    }
    if rest.starts_with('"') {
        return quoted_length(rest, '"').unwrap_or(rest.len());
    }
    if rest.starts_with('\'') {
        return char_length(rest);
    }
    let is_word_start = !is_word(before);
    let raw = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'));
    if let Some(raw) = raw.filter(|_| is_word_start) {
        let hashes = raw.bytes().take_while(|byte| *byte == b'#').count();
        if raw[hashes..].starts_with('"') {
            let start = rest.len() - raw.len() + hashes + 1;
            let end = format!("\"{}", "#".repeat(hashes));
            return ends(rest[start..].find(&end).map(|at| at + start), end.len());
        }
    }
    0
}

/// Block comments nest.
fn block_comment_length(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        match rest.as_bytes().get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// A character (`'x'`, `'\''`, `'\u{1f}'`), not a lifetime (`'a`).
fn char_length(rest: &str) -> usize {
    let mut letters = rest[1..].char_indices();
    match letters.next() {
        Some((_, '\\')) => quoted_length(rest, '\'').unwrap_or(0),
        Some(_) => match letters.next() {
            Some((at, '\'')) => at + 2,
            _ => 0,
        },
        None => 0,
    }
}

/// From a quote to the next one that no backslash stands before.
fn quoted_length(rest: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if letter == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// `code` up to its first `#[cfg(test)] mod`. By custom nothing but tests stands behind it.
pub fn without_tests(code: &str) -> String {
    let mark = "#[cfg(test)]";
    let tests = code.match_indices(mark).find(|(at, _)| {
        let behind = code[at + mark.len()..].trim_start();
        behind.starts_with("mod ") || behind.starts_with("pub mod ")
    });
    match tests {
        Some((at, _)) => code[..at].to_owned(),
        None => code.to_owned(),
    }
}

/// `src/spool/tail.rs` is `["spool", "tail"]`, `src/spool/mod.rs` is `["spool"]`.
pub fn module_path(path: &str) -> Vec<String> {
    let below = path.strip_prefix("src/").unwrap_or(path);
    let below = below.strip_suffix(".rs").unwrap_or(below);
    let below = below.strip_suffix("/mod").unwrap_or(below);
    below
        .split('/')
        .filter(|part| !matches!(*part, "lib" | "main"))
        .map(str::to_owned)
        .collect()
}

/// Every path of ours that `code` names by `crate::`, or by enough `super::` to reach the root.
pub fn imports(code: &str, module: &[String]) -> Vec<Import> {
    let words = words(code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let follows = at > 0 && words[at - 1] == "::";
        match words[at] {
            "crate" if !follows && words.get(at + 1) == Some(&"::") => {
                at = read_tree(&words, at + 2, &mut Vec::new(), &mut found);
            }
            "super" if !follows => {
                let mut depth = module.to_vec();
                while words.get(at) == Some(&"super") && words.get(at + 1) == Some(&"::") {
                    depth.pop();
                    at += 2;
                }
                if depth.is_empty() {
                    at = read_tree(&words, at, &mut depth, &mut found);
                } else {
                    at += 1;
                }
            }
            _ => at += 1,
        }
    }
    found
}

/// Reads `a::b`, `a::{b, c::d}` or `{a, b}` from `at` on, adds each path to `found`, and returns the place behind it.
fn read_tree(words: &[&str], mut at: usize, path: &mut Import, found: &mut Vec<Import>) -> usize {
    let depth = path.len();
    loop {
        match words.get(at) {
            Some(&"{") => {
                at += 1;
                while words.get(at).is_some_and(|word| *word != "}") {
                    let next = read_tree(words, at, path, found);
                    // What is neither a name nor a comma (`as`, `*`) is stepped over.
                    at = next.max(at + 1);
                    if words.get(at) == Some(&",") {
                        at += 1;
                    }
                }
                path.truncate(depth);
                return at + 1;
            }
            Some(word) if word.chars().all(is_word) => {
                if *word != "self" {
                    path.push((*word).to_owned());
                }
                at += 1;
                if words.get(at) == Some(&"::") {
                    at += 1;
                    continue;
                }
                if words.get(at) == Some(&"as") {
                    at += 2;
                }
            }
            _ => {}
        }
        if path.len() > depth || depth > 0 {
            found.push(path.clone());
        }
        path.truncate(depth);
        return at;
    }
}

/// Whether `code` names a crate: in a path, or in a `use`.
pub fn names_crate(code: &str, name: &str) -> bool {
    let words = words(code);
    words.iter().enumerate().any(|(at, word)| {
        let is_root =
            at == 0 || words[at - 1] != "::" || (at > 1 && !words[at - 2].ends_with(is_word));
        let is_path = words.get(at + 1) == Some(&"::");
        let is_used = at > 0 && words[at - 1] == "use";
        *word == name && is_root && (is_path || is_used)
    })
}

/// Identifiers, `::`, and every other character by itself.
fn words(code: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if is_word(first) {
            rest.find(|letter| !is_word(letter)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (word, after) = rest.split_at(length);
        words.push(word);
        rest = after.trim_start();
    }
    words
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}
