//! The layout of a `.mibdb` file, and its writer.
//!
//! ```text
//!  ┌────────┬───────────────┬──────────────────┬─────────────┬───────────────────────────────┐
//!  │ header │ tree          │ facts            │ modules     │ pool                          │
//!  │ 64     │ 8 × (nodes+1) │ 12 × nodes       │ 8 × modules │ strings, labels, syntaxes, …  │
//!  └────────┴───────────────┴──────────────────┴─────────────┴───────────────────────────────┘
//!
//!  header   magic 8 │ version 4 │ crc32c 4 of all octets from 16 on │ length 8 │ nodes 4 │ modules 4 │ tree at 4
//!           facts at 4 │ modules at 4 │ pool at 4 │ made, in seconds of Unix time 8 │ zeros 8
//!  tree     arc 4 │ number of its first child 4         breadth first: the children of node n are those from
//!                                                       first(n) to first(n+1), their arcs ascending
//!  facts    name 4 │ detail 4 │ module 2 │ kind 1 │ zero 1
//!  module   name 4 │ definitions 4
//!
//!  in the pool, found by offset (0 is "none"), equal pieces stored once:
//!  string   length 2 │ UTF-8
//!  labels   count 2 │ count × (value 4, signed │ string 4), ascending
//!  syntax   base 1 │ convention 1 │ hint 4 (string) │ labels 4
//!  index    count 1 │ count × (name 4 │ form 1 │ size 2 │ syntax 4)
//!  detail   of an object:       syntax 4 │ index 4 │ units 4 (string)
//!           of a notification:  description 4 (string) │ count 2 │ count × string 4
//! ```
//!
//! All numbers are little-endian. A look-up walks the tree arc by arc and touches some cache lines; what nobody looks
//! up stays on the disk.

use std::collections::{BTreeMap, HashMap};

/// The first octets of every file.
pub const MAGIC: [u8; 8] = *b"TLMIBDB\n";

/// The layout described above. Another number is refused with the advice to compile again.
pub const VERSION: u32 = 1;

/// Octets of the header.
pub const HEADER_BYTES: usize = 64;

/// Octets from which on the checksum counts.
pub const CHECKED_FROM: usize = 16;

/// Octets of one node in the tree.
pub const TREE_BYTES: usize = 8;

/// Octets of one node's facts.
pub const FACTS_BYTES: usize = 12;

/// Octets of one module.
pub const MODULE_BYTES: usize = 8;

/// The largest file: eight times what all modules of 112 vendors need. It bounds what a wrong file can cost.
pub const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Octets of the longest string. Names have 64 (RFC 2578, section 3.1), hints 255, and descriptions are cut.
pub const STRING_BYTES_MAX: usize = 512;

/// Parts of one INDEX clause: more than any module has, and each takes at least one of an OID's 128 sub-identifiers.
pub const COMPONENTS_MAX: usize = 128;

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A place in the tree: OBJECT IDENTIFIER, MODULE-IDENTITY, OBJECT-IDENTITY, a group.
    Place = 0,
    /// An object with one instance.
    Scalar = 1,
    /// A table.
    Table = 2,
    /// A table's entry.
    Row = 3,
    /// A column: an instance's index follows it.
    Column = 4,
    /// NOTIFICATION-TYPE or TRAP-TYPE.
    Notification = 5,
}

impl Kind {
    /// Every kind, at the place of its number.
    pub const ALL: [Kind; 6] = [
        Kind::Place,
        Kind::Scalar,
        Kind::Table,
        Kind::Row,
        Kind::Column,
        Kind::Notification,
    ];

    /// As people call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Place => "node",
            Kind::Scalar => "scalar",
            Kind::Table => "table",
            Kind::Row => "row",
            Kind::Column => "column",
            Kind::Notification => "notification",
        }
    }

    /// Whether it has instances with values.
    pub fn has_values(self) -> bool {
        matches!(self, Kind::Scalar | Kind::Column)
    }
}

/// The ASN.1 type that a SYNTAX comes down to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of RFC 2578")]
pub enum Base {
    Unknown = 0,
    Integer = 1,
    OctetString = 2,
    ObjectIdentifier = 3,
    Bits = 4,
    IpAddress = 5,
    Opaque = 6,
}

impl Base {
    /// Every base, at the place of its number.
    pub const ALL: [Base; 7] = [
        Base::Unknown,
        Base::Integer,
        Base::OctetString,
        Base::ObjectIdentifier,
        Base::Bits,
        Base::IpAddress,
        Base::Opaque,
    ];
}

/// A textual convention that no DISPLAY-HINT describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Convention {
    /// None of these.
    Other = 0,
    /// `DateAndTime` (RFC 2579, section 2).
    DateAndTime = 1,
    /// `InetAddressType` (RFC 4001): says what the next `InetAddress` is.
    InetAddressType = 2,
    /// `InetAddress` (RFC 4001): its form follows from type and length.
    InetAddress = 3,
}

impl Convention {
    /// Every convention, at the place of its number.
    pub const ALL: [Convention; 4] = [
        Convention::Other,
        Convention::DateAndTime,
        Convention::InetAddressType,
        Convention::InetAddress,
    ];
}

/// How one part of an index stands in an OID (RFC 2578, section 7.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// One sub-identifier.
    Integer = 0,
    /// Four, an octet each.
    IpAddress = 1,
    /// A string of a fixed size, an octet each.
    Fixed = 2,
    /// A length, then as many octets.
    Counted = 3,
    /// IMPLIED: octets up to the end.
    Implied = 4,
    /// A length, then as many arcs.
    CountedOid = 5,
    /// IMPLIED: arcs up to the end.
    ImpliedOid = 6,
}

impl Form {
    /// Every form, at the place of its number.
    pub const ALL: [Form; 7] = [
        Form::Integer,
        Form::IpAddress,
        Form::Fixed,
        Form::Counted,
        Form::Implied,
        Form::CountedOid,
        Form::ImpliedOid,
    ];
}

/// A SYNTAX clause, its textual conventions resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Syntax {
    /// What it comes down to.
    pub base: Base,
    /// What no hint says.
    pub convention: Convention,
    /// DISPLAY-HINT, or empty.
    pub hint: String,
    /// Names of values, or of bits where the base is BITS.
    pub labels: Vec<(i32, String)>,
}

/// One part of an INDEX clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// The object that it is the value of.
    pub name: String,
    /// How it stands in the OID.
    pub form: Form,
    /// Octets, where the form is [`Form::Fixed`].
    pub size: u16,
    /// How its value is shown.
    pub syntax: Syntax,
}

/// One named OID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its arcs.
    pub oid: Vec<u32>,
    /// The module that defines it.
    pub module: String,
    /// Its name in that module.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// An object's SYNTAX.
    pub syntax: Option<Syntax>,
    /// A column's INDEX, of a row that it AUGMENTS too.
    pub index: Vec<Component>,
    /// An object's UNITS, or empty.
    pub units: String,
    /// A notification's OBJECTS, in their order.
    pub objects: Vec<String>,
    /// A notification's DESCRIPTION: one sentence, or empty.
    pub description: String,
}

/// Why no file could be written.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FormatError {
    /// The offsets have 32 bits, and readers refuse more.
    #[error(
        "the result would have {bytes} bytes, and {FILE_BYTES_MAX} is the limit; compile fewer modules into one file"
    )]
    TooLarge {
        /// What it would have.
        bytes: usize,
    },
    /// The module's number has 16 bits.
    #[error(
        "{modules} modules define something, and 65535 is the limit; compile them into several files"
    )]
    TooManyModules {
        /// How many there are.
        modules: usize,
    },
}

/// A node while the tree is being put together.
#[derive(Default)]
struct Branch<'d> {
    definition: Option<&'d Definition>,
    children: BTreeMap<u32, usize>,
}

/// Writes a file of these definitions. Of two with one OID the first counts. `made` is Unix time in seconds.
///
/// # Errors
/// There is too much for one file.
pub fn write(definitions: &[Definition], made: u64) -> Result<Vec<u8>, FormatError> {
    let branches = branches(definitions);
    let mut pool = Pool::default();
    let mut tree = Vec::new();
    let mut facts = Vec::new();
    let mut modules = Modules::default();
    let mut order = vec![(0_u32, 0_usize)];
    let mut at = 0;
    while let Some(&(arc, branch)) = order.get(at) {
        at += 1;
        push_u32(&mut tree, arc);
        push_u32(&mut tree, order.len() as u32);
        let Some(branch) = branches.get(branch) else {
            continue;
        };
        order.extend(branch.children.iter().map(|(&arc, &child)| (arc, child)));
        let (name, detail, module, kind) = match branch.definition {
            None => (0, 0, 0, Kind::Place),
            Some(definition) => (
                pool.string(&definition.name),
                pool.detail(definition),
                modules.number(&definition.module, &mut pool),
                definition.kind,
            ),
        };
        push_u32(&mut facts, name);
        push_u32(&mut facts, detail);
        facts.extend_from_slice(&(module as u16).to_le_bytes());
        facts.extend_from_slice(&[kind as u8, 0]);
    }
    // The node behind the last one: where the last one's children end.
    push_u32(&mut tree, 0);
    push_u32(&mut tree, order.len() as u32);
    if modules.list.len() > usize::from(u16::MAX) {
        let modules = modules.list.len();
        return Err(FormatError::TooManyModules { modules });
    }
    let bytes = HEADER_BYTES
        + tree.len()
        + facts.len()
        + modules.list.len() * MODULE_BYTES
        + pool.bytes.len();
    if bytes as u64 > FILE_BYTES_MAX {
        return Err(FormatError::TooLarge { bytes });
    }
    Ok(file(
        order.len(),
        &tree,
        &facts,
        &modules.list,
        &pool.bytes,
        made,
    ))
}

fn branches(definitions: &[Definition]) -> Vec<Branch<'_>> {
    let mut branches = vec![Branch::default()];
    for definition in definitions {
        let mut place = 0;
        for &arc in &definition.oid {
            let next = branches.len();
            let Some(branch) = branches.get_mut(place) else {
                break;
            };
            place = *branch.children.entry(arc).or_insert(next);
            if place == next {
                branches.push(Branch::default());
            }
        }
        if let Some(branch) = branches.get_mut(place) {
            branch.definition.get_or_insert(definition);
        }
    }
    branches
}

/// Puts the parts, each at its place, behind a header.
fn file(
    nodes: usize,
    tree: &[u8],
    facts: &[u8],
    modules: &[(u32, u32)],
    pool: &[u8],
    made: u64,
) -> Vec<u8> {
    let tree_at = HEADER_BYTES;
    let facts_at = tree_at + tree.len();
    let modules_at = facts_at + facts.len();
    let pool_at = modules_at + modules.len() * MODULE_BYTES;
    let length = pool_at + pool.len();
    let mut out = Vec::with_capacity(length);
    out.extend_from_slice(&MAGIC);
    push_u32(&mut out, VERSION);
    push_u32(&mut out, 0);
    out.extend_from_slice(&(length as u64).to_le_bytes());
    for number in [nodes, modules.len(), tree_at, facts_at, modules_at, pool_at] {
        push_u32(&mut out, number as u32);
    }
    out.extend_from_slice(&made.to_le_bytes());
    out.resize(HEADER_BYTES, 0);
    out.extend_from_slice(tree);
    out.extend_from_slice(facts);
    for &(name, definitions) in modules {
        push_u32(&mut out, name);
        push_u32(&mut out, definitions);
    }
    out.extend_from_slice(pool);
    seal(&mut out);
    out
}

/// Writes the checksum of a file's octets into its header.
pub fn seal(file: &mut [u8]) {
    let sum = crc32c::crc32c(file.get(CHECKED_FROM..).unwrap_or_default());
    if let Some(place) = file.get_mut(12..16) {
        place.copy_from_slice(&sum.to_le_bytes());
    }
}

fn push_u32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

#[derive(Default)]
struct Modules {
    numbers: HashMap<String, usize>,
    /// Name's offset, and how many definitions it has.
    list: Vec<(u32, u32)>,
}

impl Modules {
    fn number(&mut self, name: &str, pool: &mut Pool) -> usize {
        let number = match self.numbers.get(name) {
            Some(&number) => number,
            None => {
                let number = self.list.len();
                self.list.push((pool.string(name), 0));
                self.numbers.insert(name.to_owned(), number);
                number
            }
        };
        if let Some((_, definitions)) = self.list.get_mut(number) {
            *definitions += 1;
        }
        number
    }
}

/// Pieces of any length, equal ones stored once. Offset 0 is taken, so that it can say "none".
struct Pool {
    bytes: Vec<u8>,
    known: HashMap<Vec<u8>, u32>,
}

impl Default for Pool {
    fn default() -> Pool {
        Pool {
            bytes: vec![0],
            known: HashMap::new(),
        }
    }
}

impl Pool {
    fn piece(&mut self, piece: Vec<u8>) -> u32 {
        if let Some(&at) = self.known.get(&piece) {
            return at;
        }
        let at = self.bytes.len() as u32;
        self.bytes.extend_from_slice(&piece);
        self.known.insert(piece, at);
        at
    }

    fn string(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let mut length = text.len().min(STRING_BYTES_MAX);
        while !text.is_char_boundary(length) {
            length -= 1;
        }
        let mut piece = (length as u16).to_le_bytes().to_vec();
        piece.extend(text.bytes().take(length));
        self.piece(piece)
    }

    fn labels(&mut self, labels: &[(i32, String)]) -> u32 {
        if labels.is_empty() {
            return 0;
        }
        let sorted: BTreeMap<i32, &str> = labels
            .iter()
            .rev()
            .take(usize::from(u16::MAX))
            .map(|(value, label)| (*value, label.as_str()))
            .collect();
        let mut piece = (sorted.len() as u16).to_le_bytes().to_vec();
        for (value, label) in sorted {
            piece.extend_from_slice(&value.to_le_bytes());
            let label = self.string(label);
            push_u32(&mut piece, label);
        }
        self.piece(piece)
    }

    fn syntax(&mut self, syntax: &Syntax) -> u32 {
        let mut piece = vec![syntax.base as u8, syntax.convention as u8];
        let hint = self.string(&syntax.hint);
        push_u32(&mut piece, hint);
        let labels = self.labels(&syntax.labels);
        push_u32(&mut piece, labels);
        self.piece(piece)
    }

    fn index(&mut self, index: &[Component]) -> u32 {
        if index.is_empty() || index.len() > COMPONENTS_MAX {
            return 0;
        }
        let mut piece = vec![index.len() as u8];
        for component in index {
            let name = self.string(&component.name);
            push_u32(&mut piece, name);
            piece.push(component.form as u8);
            piece.extend_from_slice(&component.size.to_le_bytes());
            let syntax = self.syntax(&component.syntax);
            push_u32(&mut piece, syntax);
        }
        self.piece(piece)
    }

    fn detail(&mut self, definition: &Definition) -> u32 {
        let mut piece = Vec::new();
        if definition.kind == Kind::Notification {
            let description = self.string(&definition.description);
            push_u32(&mut piece, description);
            let objects = definition.objects.iter().take(usize::from(u16::MAX));
            piece.extend_from_slice(&(objects.len() as u16).to_le_bytes());
            for object in objects {
                let object = self.string(object);
                push_u32(&mut piece, object);
            }
            return self.piece(piece);
        }
        let Some(syntax) = &definition.syntax else {
            return 0;
        };
        let parts = [
            self.syntax(syntax),
            self.index(&definition.index),
            self.string(&definition.units),
        ];
        for part in parts {
            push_u32(&mut piece, part);
        }
        self.piece(piece)
    }
}
