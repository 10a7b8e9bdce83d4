//! How severe a notification is: what the user says, else the built-in table, else nothing.
//!
//! ```text
//!  IF-MIB::linkDown, 1.3.6.1.6.3.1.1.5.3 ──Overrides (name, then OID)──▶ severity
//!                                         └─else─▶ mib::exact(OID).severity ─▶ severity or none
//! ```
//!
//! No MIB says how severe its notifications are. The built-in severities are ours, and stand in the table of
//! [`super::mib`]; one whose meaning depends on a value (`ospfNbrStateChange`) has none.

use std::collections::HashMap;
use std::sync::Arc;

use crate::event::Severity;

/// Severities by notification: `MODULE::name` or a dotted OID. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Overrides(Arc<HashMap<String, Severity>>);

impl Overrides {
    /// The severity of a notification, its name sought first.
    pub fn get(&self, name: &str, oid: &str) -> Option<Severity> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(name).or_else(|| self.0.get(oid)).copied()
    }

    /// Whether a key can be one: `MODULE::name`, or a dotted OID of at least two arcs.
    pub fn is_key(key: &str) -> bool {
        let is_word = |text: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.bytes().all(plain)
        };
        match key.split_once("::") {
            Some((module, name)) => is_word(module) && is_word(name),
            None => key.contains('.') && key.split('.').all(|arc| arc.parse::<u32>().is_ok()),
        }
    }
}

impl FromIterator<(String, Severity)> for Overrides {
    fn from_iter<I: IntoIterator<Item = (String, Severity)>>(pairs: I) -> Overrides {
        Overrides(Arc::new(pairs.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_counts_before_its_oid() {
        let pair = |key: &str, severity| (key.to_owned(), severity);
        let overrides = Overrides::from_iter([
            pair("IF-MIB::linkDown", Severity::Critical),
            pair("1.3.6.1.6.3.1.1.5.3", Severity::Debug),
        ]);
        let oid = "1.3.6.1.6.3.1.1.5.3";
        assert_eq!(
            overrides.get("IF-MIB::linkDown", oid),
            Some(Severity::Critical)
        );
        assert_eq!(
            overrides.get("OTHER-MIB::linkDown", oid),
            Some(Severity::Debug)
        );
        assert_eq!(overrides.get("", "1.3"), None);
        for key in ["IF-MIB::linkDown", "1.3.6", "A::b_c-1"] {
            assert!(Overrides::is_key(key), "{key}");
        }
        for key in [
            "linkDown",
            "",
            "1",
            "1..3",
            "1.3.x",
            "IF-MIB::",
            "::x",
            "IF MIB::x",
            "9::x",
        ] {
            assert!(!Overrides::is_key(key), "{key}");
        }
    }
}
