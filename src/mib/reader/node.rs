//! What is known of one node of the tree: read from the file when it is asked for.
//!
//! ```text
//!  Node ─┬▶ name, module, kind, OID
//!        ├▶ an object's: Syntax (base, hint, labels), units, Components of the index
//!        └▶ a notification's: description, objects
//! ```

use super::{ARCS_MAX, Mibdb};
use crate::mib::format::{Base, COMPONENTS_MAX, Convention, FACTS_BYTES, Form, Kind, MODULE_BYTES};

/// A node of the tree.
#[derive(Debug, Clone, Copy)]
pub struct Node<'m> {
    pub(super) db: &'m Mibdb,
    /// Its number in the file.
    pub number: u32,
}

impl<'m> Node<'m> {
    fn facts(&self) -> usize {
        self.db.layout.facts_at + self.number as usize * FACTS_BYTES
    }

    pub(super) fn is_named(&self) -> bool {
        self.db
            .number_at(self.facts())
            .is_some_and(|name| name != 0)
    }

    /// The file that it is in.
    pub fn db(&self) -> &'m Mibdb {
        self.db
    }

    /// Its name in the module.
    pub fn name(&self) -> Option<&'m str> {
        self.db.string(self.db.number_at(self.facts())?)
    }

    /// The module that defines it.
    pub fn module(&self) -> Option<&'m str> {
        let number = usize::from(self.db.short_at(self.facts() + 8)?);
        if number >= self.db.layout.modules as usize {
            return None;
        }
        let at = self.db.layout.modules_at + number * MODULE_BYTES;
        self.db.string(self.db.number_at(at)?)
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        let number = self.db.octet_at(self.facts() + 10).unwrap_or_default();
        Kind::ALL
            .get(usize::from(number))
            .copied()
            .unwrap_or(Kind::Place)
    }

    /// Its arcs.
    pub fn oid(&self) -> Vec<u32> {
        let mut arcs = Vec::new();
        let mut node = self.number;
        while node != 0 && arcs.len() < ARCS_MAX {
            arcs.extend(self.db.arc(node));
            let Some(parent) = self.db.parent(node) else {
                break;
            };
            node = parent;
        }
        arcs.reverse();
        arcs
    }

    fn detail(&self) -> Option<usize> {
        self.db.piece(self.db.number_at(self.facts() + 4)?)
    }

    fn object_detail(&self) -> Option<usize> {
        self.detail().filter(|_| self.kind() != Kind::Notification)
    }

    /// An object's SYNTAX.
    pub fn syntax(&self) -> Option<Syntax<'m>> {
        Syntax::at(self.db, self.db.number_at(self.object_detail()?)?)
    }

    /// An object's UNITS.
    pub fn units(&self) -> Option<&'m str> {
        self.db
            .string(self.db.number_at(self.object_detail()? + 8)?)
    }

    /// The parts of a column's index, in their order; none for others.
    pub fn components(&self) -> impl Iterator<Item = Component<'m>> + use<'m> {
        let db = self.db;
        let at = self
            .object_detail()
            .and_then(|at| db.piece(db.number_at(at + 4)?));
        let count = at.and_then(|at| db.octet_at(at)).unwrap_or_default();
        let start = at.unwrap_or_default() + 1;
        (0..usize::from(count).min(COMPONENTS_MAX))
            .map_while(move |number| Component::at(db, start + number * 11))
    }

    /// A notification's sentence for people.
    pub fn description(&self) -> Option<&'m str> {
        let at = self
            .detail()
            .filter(|_| self.kind() == Kind::Notification)?;
        self.db.string(self.db.number_at(at)?)
    }

    /// A notification's OBJECTS.
    pub fn objects(&self) -> impl Iterator<Item = &'m str> + use<'m> {
        let db = self.db;
        let at = self.detail().filter(|_| self.kind() == Kind::Notification);
        let count = at.and_then(|at| db.short_at(at + 4)).unwrap_or_default();
        let start = at.unwrap_or_default() + 6;
        (0..usize::from(count))
            .map_while(move |number| db.string(db.number_at(start + number * 4)?))
    }
}

/// How a value is shown.
#[derive(Debug, Clone, Copy)]
pub struct Syntax<'m> {
    db: &'m Mibdb,
    /// What it comes down to.
    pub base: Base,
    /// What no hint says.
    pub convention: Convention,
    hint: u32,
    labels: u32,
}

impl<'m> Syntax<'m> {
    fn at(db: &'m Mibdb, offset: u32) -> Option<Syntax<'m>> {
        let at = db.piece(offset)?;
        Some(Syntax {
            db,
            base: *Base::ALL.get(usize::from(db.octet_at(at)?))?,
            convention: *Convention::ALL.get(usize::from(db.octet_at(at + 1)?))?,
            hint: db.number_at(at + 2)?,
            labels: db.number_at(at + 6)?,
        })
    }

    /// DISPLAY-HINT.
    pub fn hint(&self) -> Option<&'m str> {
        self.db.string(self.hint)
    }

    /// The name of a value, or of a bit.
    pub fn label(&self, value: i64) -> Option<&'m str> {
        let value = i32::try_from(value).ok()?;
        let at = self.db.piece(self.labels)?;
        let (mut low, mut high) = (0, usize::from(self.db.short_at(at)?));
        while low < high {
            let middle = low + (high - low) / 2;
            let entry = at + 2 + middle * 8;
            match (self.db.number_at(entry)? as i32).cmp(&value) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return self.db.string(self.db.number_at(entry + 4)?),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// Every value with its name, ascending.
    pub fn labels(&self) -> impl Iterator<Item = (i32, &'m str)> + use<'m> {
        let db = self.db;
        let at = db.piece(self.labels);
        let count = at.and_then(|at| db.short_at(at)).unwrap_or_default();
        let start = at.unwrap_or_default() + 2;
        (0..usize::from(count)).map_while(move |number| {
            let entry = start + number * 8;
            let label = db.string(db.number_at(entry + 4)?)?;
            Some((db.number_at(entry)? as i32, label))
        })
    }
}

/// One part of an index.
#[derive(Debug, Clone, Copy)]
pub struct Component<'m> {
    /// The object that it is the value of.
    pub name: &'m str,
    /// How it stands in the OID.
    pub form: Form,
    /// Octets, where the form is [`Form::Fixed`].
    pub size: u16,
    /// How its value is shown.
    pub syntax: Syntax<'m>,
}

impl<'m> Component<'m> {
    fn at(db: &'m Mibdb, at: usize) -> Option<Component<'m>> {
        Some(Component {
            name: db.string(db.number_at(at)?)?,
            form: *Form::ALL.get(usize::from(db.octet_at(at + 4)?))?,
            size: db.short_at(at + 5)?,
            syntax: Syntax::at(db, db.number_at(at + 7)?)?,
        })
    }
}
