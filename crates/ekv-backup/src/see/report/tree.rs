//! Which beginnings of names hold how much.
//!
//! The nodes of the tree are the scopes, and in each the beginnings of names that end in a separator. Things come mostly in the order of
//! their names: the beginnings of the last one are kept open, and what they hold is summed up when they are left ([`Sums`]).

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::sync::Arc;

use ekv_model::{Kind, Part, Protocol, Result, Thing};
use ekv_spill::Scratch;
use ekv_text::hex::hex;
use ekv_text::ordered::common_prefix_len;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::label::PART_LEN_MAX;
use super::largest::{Largest, Rank};
use super::sums::{Sums, Totals};

/// Longest beginning that is a node, in bytes; longer ones count in the node before.
const PREFIX_LEN_MAX: usize = PART_LEN_MAX;
/// Stands for a slash inside a key part of an item, where it separates nothing.
const INNER_SLASH: u8 = 0xff;
/// Stands for [`INNER_SLASH`] itself, which no text has.
const INNER_OTHER: u8 = 0xfe;

/// A scope or a beginning of names, with what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TreeNode {
    /// Address of the scope, or of the beginning with `*` at its end.
    pub address: String,
    /// What it holds.
    #[serde(flatten)]
    pub totals: Totals,
    /// The largest beginnings in it, the largest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<TreeNode>,
    /// What it holds beside these; absent if there is nothing, or it has no children.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub others: Option<Totals>,
}

/// A database, table, bucket or queue with what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScopeRow {
    /// Its address.
    pub address: String,
    /// Whose it is.
    pub adapter: &'static str,
    /// All together.
    #[serde(flatten)]
    pub totals: Totals,
    /// By type, of a Redis database.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<TypeRow>,
}

/// A type with what there is of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TypeRow {
    /// Whose it is.
    pub adapter: &'static str,
    /// The type.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What there is of it.
    #[serde(flatten)]
    pub totals: Totals,
}

/// What is told of all scopes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Scopes {
    /// How many there are.
    pub count: u64,
    /// The largest ones, by bytes, then keys.
    pub largest: Vec<ScopeRow>,
    /// What the rest of them holds; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub others: Option<Totals>,
}

/// How the tree is made.
#[derive(Clone, Debug)]
pub(super) struct TreeOptions {
    /// Bytes that end a beginning.
    pub(super) separators: Vec<u8>,
    /// Most separators in a beginning.
    pub(super) depth: usize,
    /// Nodes that are told.
    pub(super) top: usize,
}

/// What rows of the sums are about, in the first byte of their keys.
const OF_TYPE: u8 = 0;
const OF_PREFIX: u8 = 1;

/// Takes things and builds the tree.
pub(super) struct TreeBuilder {
    options: TreeOptions,
    is_separator: [bool; 256],
    sums: Sums,
    /// Protocol, scope and kind of the last thing.
    at: Option<(Protocol, Kind)>,
    scope: Vec<u8>,
    /// What the keys of rows of the scope begin with.
    header: Vec<u8>,
    of_type: Totals,
    /// Beginnings of the last name, each with what it holds beside those in it; the first one is the scope.
    open: Vec<(usize, Totals)>,
    /// The last name, as the tree has it.
    path: Vec<u8>,
    item_name: Vec<u8>,
    row: Vec<u8>,
}

impl TreeBuilder {
    pub(super) fn new(options: TreeOptions, scratch: &Arc<dyn Scratch>) -> Self {
        let mut is_separator = [false; 256];
        for byte in &options.separators {
            if let Some(place) = is_separator.get_mut(usize::from(*byte)) {
                *place = true;
            }
        }
        TreeBuilder {
            options,
            is_separator,
            sums: Sums::new(scratch),
            at: None,
            scope: Vec::new(),
            header: Vec::new(),
            of_type: Totals::default(),
            open: Vec::new(),
            path: Vec::new(),
            item_name: Vec::new(),
            row: Vec::new(),
        }
    }

    /// Notes a table, bucket or queue, which may be empty.
    ///
    /// # Errors
    /// A failing scratch file.
    pub(super) fn enter(&mut self, kind: Kind, scope: &[u8]) -> Result<()> {
        if self.at == Some((kind.protocol(), kind)) && self.scope == scope {
            return Ok(());
        }
        self.leave_type()?;
        if self.at.map(|(protocol, _)| protocol) != Some(kind.protocol()) || self.scope != scope {
            self.leave_to(0)?;
            self.open.clear();
            self.path.clear();
            self.scope.clear();
            self.scope.extend_from_slice(scope);
            put_header(kind.protocol(), scope, &mut self.header);
            self.open.push((0, Totals::default()));
        }
        self.at = Some((kind.protocol(), kind));
        Ok(())
    }

    /// Takes a thing.
    ///
    /// # Errors
    /// A failing scratch file.
    pub(super) fn add(&mut self, thing: &Thing<'_>) -> Result<()> {
        self.enter(thing.kind, thing.scope)?;
        let totals = Totals::of(thing.size, thing.expire_at_ms);
        self.of_type.add(&totals);
        let mut item_name = std::mem::take(&mut self.item_name);
        let name = match (thing.kind, thing.key) {
            (Kind::Item, parts) => {
                put_item_name(parts, &mut item_name);
                item_name.as_slice()
            }
            (_, [name]) => name,
            _ => &[],
        };
        let common = common_prefix_len(name, &self.path);
        let kept = self.open.partition_point(|(len, _)| *len <= common);
        self.leave_to(kept.max(1))?;
        let from = self.open.last().map_or(0, |(len, _)| *len);
        self.path.truncate(from);
        let searched = name.get(from..name.len().min(PREFIX_LEN_MAX)).unwrap_or_default();
        let is_separator = |(_, byte): &(usize, &u8)| self.is_separator.get(usize::from(**byte)) == Some(&true);
        let ends =
            searched.iter().enumerate().filter(is_separator).map(|(at, _)| from.saturating_add(at).saturating_add(1));
        let room = self.options.depth.saturating_add(1).saturating_sub(self.open.len());
        self.open.extend(ends.take(room).map(|end| (end, Totals::default())));
        let end = self.open.last().map_or(0, |(len, _)| *len);
        self.path.extend_from_slice(name.get(from..end).unwrap_or_default());
        if let Some((_, last)) = self.open.last_mut() {
            last.add(&totals);
        }
        self.item_name = item_name;
        Ok(())
    }

    /// Ends the beginnings behind the first `count`: what they hold belongs to those around them as well.
    fn leave_to(&mut self, count: usize) -> Result<()> {
        while self.open.len() > count {
            let Some((len, totals)) = self.open.pop() else { break };
            self.row.clear();
            self.row.push(OF_PREFIX);
            self.row.extend_from_slice(&self.header);
            self.row.extend_from_slice(self.path.get(..len).unwrap_or_default());
            self.sums.add(&self.row, &totals)?;
            if let Some((_, around)) = self.open.last_mut() {
                around.add(&totals);
            }
        }
        Ok(())
    }

    fn leave_type(&mut self) -> Result<()> {
        let Some((_, kind)) = self.at else { return Ok(()) };
        let number = Kind::ALL.iter().position(|one| *one == kind).unwrap_or(Kind::ALL.len());
        self.row.clear();
        self.row.push(OF_TYPE);
        self.row.extend_from_slice(&self.header);
        self.row.push(u8::try_from(number).unwrap_or(u8::MAX));
        self.sums.add(&self.row, &std::mem::take(&mut self.of_type))
    }

    /// The scopes with their types, and the largest nodes of the tree.
    ///
    /// # Errors
    /// A failing scratch file.
    pub(super) fn finish(mut self) -> Result<(Scopes, Vec<TreeNode>)> {
        self.leave_type()?;
        self.leave_to(0)?;
        let mut scopes = ScopesReader::new(self.options.top);
        let mut nodes = NodesReader::new(self.options.top);
        self.sums.finish(|row, totals| {
            match row.split_first() {
                Some((&OF_TYPE, rest)) => scopes.row(rest, totals),
                Some((_, rest)) => nodes.row(rest, totals),
                None => {}
            }
            Ok(())
        })?;
        Ok((scopes.finish(), nodes.finish()))
    }
}

/// The name of an item in which slashes separate its keys and nothing else.
fn put_item_name(parts: &[Vec<u8>], name: &mut Vec<u8>) {
    name.clear();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            name.push(b'/');
        }
        name.extend(part.iter().map(|byte| match byte {
            b'/' => INNER_SLASH,
            &INNER_SLASH => INNER_OTHER,
            byte => *byte,
        }));
    }
}

/// Protocol and scope in front of the key of a row. Of a long scope its beginning and a digest of all.
fn put_header(protocol: Protocol, scope: &[u8], header: &mut Vec<u8>) {
    header.clear();
    let number = Protocol::ALL.iter().position(|one| *one == protocol).unwrap_or(Protocol::ALL.len());
    header.push(u8::try_from(number).unwrap_or(u8::MAX));
    let long;
    let scope = match scope.get(..PART_LEN_MAX).filter(|_| scope.len() > PART_LEN_MAX) {
        Some(beginning) => {
            long = [beginning, hex(&Sha256::digest(scope)).as_bytes()].concat();
            long.as_slice()
        }
        None => scope,
    };
    header.extend_from_slice(&u16::try_from(scope.len()).unwrap_or(u16::MAX).to_be_bytes());
    header.extend_from_slice(scope);
}

/// Protocol and scope of a row, and the rest of its key.
fn split_header(row: &[u8]) -> Option<(Protocol, &[u8], &[u8])> {
    let (number, rest) = row.split_first()?;
    let (len, rest) = rest.split_first_chunk()?;
    let (scope, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
    Some((*Protocol::ALL.get(usize::from(*number))?, scope, rest))
}

/// The address of a scope, and of what begins with `prefix` in it.
fn address(protocol: Protocol, scope: &[u8], prefix: &[u8]) -> String {
    let mut text = format!("{}:{}/", protocol.name(), Part { bytes: scope, is_slash_escaped: true });
    if prefix.is_empty() {
        return text;
    }
    if protocol == Protocol::DynamoDb {
        for (at, part) in prefix.split(|byte| *byte == b'/').enumerate() {
            let bytes: Vec<u8> = part.iter().map(|byte| if *byte == INNER_SLASH { b'/' } else { *byte }).collect();
            let slash = if at > 0 { "/" } else { "" };
            let _ = write!(text, "{slash}{}", Part { bytes: &bytes, is_slash_escaped: true });
        }
    } else {
        let _ = write!(text, "{}", Part { bytes: prefix, is_slash_escaped: false });
    }
    text.push('*');
    text
}

/// By what scopes and beginnings are ranked.
fn rank(totals: &Totals) -> Rank {
    (totals.bytes, totals.keys)
}

/// Puts the rows of scopes and types together.
struct ScopesReader {
    count: u64,
    all: Totals,
    header: Vec<u8>,
    /// The scope at hand, with its types.
    open: Totals,
    types: Vec<TypeRow>,
    largest: Largest<Vec<u8>, (Totals, Vec<TypeRow>)>,
}

impl ScopesReader {
    fn new(top: usize) -> Self {
        ScopesReader {
            count: 0,
            all: Totals::default(),
            header: Vec::new(),
            open: Totals::default(),
            types: Vec::new(),
            largest: Largest::new(top),
        }
    }

    fn row(&mut self, row: &[u8], totals: &Totals) {
        let Some((number, header)) = row.split_last() else { return };
        if self.header != header {
            self.close();
            self.header.clear();
            self.header.extend_from_slice(header);
        }
        self.open.add(totals);
        if let Some(kind) = Kind::ALL.get(usize::from(*number)) {
            let adapter = kind.protocol().name();
            self.types.push(TypeRow { adapter, kind: kind.name(), totals: *totals });
        }
    }

    fn close(&mut self) {
        if self.header.is_empty() {
            return;
        }
        self.count = self.count.saturating_add(1);
        self.all.add(&self.open);
        let (totals, types) = (std::mem::take(&mut self.open), std::mem::take(&mut self.types));
        let header = &self.header;
        self.largest.add(rank(&totals), |kept| kept.cmp(header), || (header.clone(), (totals, types)));
    }

    fn finish(mut self) -> Scopes {
        self.close();
        let mut others = self.all;
        let rows = self.largest.finish().filter_map(|(key, (totals, types))| {
            let (protocol, scope, _) = split_header(&key)?;
            others = others.without(&totals);
            let types = if protocol == Protocol::Redis { types } else { Vec::new() };
            Some(ScopeRow { address: address(protocol, scope, b""), adapter: protocol.name(), totals, types })
        });
        let largest: Vec<ScopeRow> = rows.collect();
        let has_others = u64::try_from(largest.len()).is_ok_and(|shown| shown < self.count);
        Scopes { count: self.count, largest, others: has_others.then_some(others) }
    }
}

/// Keeps the largest nodes. A node is at least as large as each one in it, and comes before it: with a node all around it are kept.
struct NodesReader {
    /// The last row, until it is known whether the next one is all that is in it.
    last: Option<(Vec<u8>, Totals)>,
    largest: Largest<Vec<u8>, Totals>,
}

impl NodesReader {
    fn new(top: usize) -> Self {
        NodesReader { last: None, largest: Largest::new(top) }
    }

    fn row(&mut self, row: &[u8], totals: &Totals) {
        let is_all_of = |(around, all): &(Vec<u8>, Totals)| {
            let is_scope = split_header(around).is_some_and(|(_, _, prefix)| prefix.is_empty());
            row.starts_with(around) && all.keys == totals.keys && !is_scope
        };
        let last = self.last.take();
        if let Some((key, totals)) = last.as_ref().filter(|last| !is_all_of(last)) {
            self.keep(key, totals);
        }
        let (mut key, _) = last.unwrap_or_default();
        key.clear();
        key.extend_from_slice(row);
        self.last = Some((key, *totals));
    }

    fn keep(&mut self, key: &[u8], totals: &Totals) {
        // Where one key alone begins so, the beginning tells no more than the key.
        let is_scope = split_header(key).is_some_and(|(_, _, prefix)| prefix.is_empty());
        if totals.keys > u64::from(!is_scope) {
            self.largest.add(rank(totals), |kept| kept.as_slice().cmp(key), || (key.to_vec(), *totals));
        }
    }

    fn finish(mut self) -> Vec<TreeNode> {
        if let Some((key, totals)) = self.last.take() {
            self.keep(&key, &totals);
        }
        let mut nodes: Vec<(Vec<u8>, Totals)> = self.largest.finish().collect();
        nodes.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut nodes = nodes.into_iter().peekable();
        let mut roots = Vec::new();
        while let Some(root) = nodes.next() {
            roots.push(node_of(root, &mut nodes));
        }
        sort_by_size(&mut roots);
        roots
    }
}

/// A node with those in it, which follow it.
fn node_of(
    (key, totals): (Vec<u8>, Totals),
    rest: &mut std::iter::Peekable<impl Iterator<Item = (Vec<u8>, Totals)>>,
) -> TreeNode {
    let mut children = Vec::new();
    let mut others = totals;
    while let Some(child) = rest.next_if(|(next, _)| next.starts_with(&key)) {
        others = others.without(&child.1);
        children.push(node_of(child, rest));
    }
    sort_by_size(&mut children);
    let address = split_header(&key).map(|(protocol, scope, prefix)| address(protocol, scope, prefix));
    TreeNode {
        address: address.unwrap_or_default(),
        totals,
        others: (!children.is_empty() && others.keys > 0).then_some(others),
        children,
    }
}

fn sort_by_size(nodes: &mut [TreeNode]) {
    nodes.sort_by_key(|node| Reverse(rank(&node.totals)));
}

#[cfg(test)]
mod tests {
    use ekv_model::Size;
    use ekv_spill::SystemScratch;
    use proptest::prelude::*;

    use super::*;

    fn tree(keys: &[(&str, u64)], depth: usize, top: usize) -> (Scopes, Vec<TreeNode>) {
        let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
        let mut builder = TreeBuilder::new(TreeOptions { separators: b":/".to_vec(), depth, top }, &scratch);
        for (key, bytes) in keys {
            let key = [key.as_bytes().to_vec()];
            let size = Size { bytes: *bytes, elements: None };
            let thing = Thing { kind: Kind::String, scope: b"0", key: &key, size, expire_at_ms: None, commit_ts: 0 };
            builder.add(&thing).unwrap();
        }
        builder.finish().unwrap()
    }

    /// A line for each node, with its keys and bytes.
    fn lines(nodes: &[TreeNode], indent: usize, out: &mut Vec<String>) {
        for node in nodes {
            let front = " ".repeat(indent);
            out.push(format!("{front}{} {} {}", node.address, node.totals.keys, node.totals.bytes));
            lines(&node.children, indent + 1, out);
            if let Some(others) = &node.others {
                out.push(format!("{front} others {} {}", others.keys, others.bytes));
            }
        }
    }

    fn shown(keys: &[(&str, u64)], depth: usize, top: usize) -> Vec<String> {
        let mut out = Vec::new();
        lines(&tree(keys, depth, top).1, 0, &mut out);
        out
    }

    #[test]
    fn tree_has_the_largest_nodes_with_all_around_them_and_the_rest_as_others() {
        let keys = [("user:1:a", 5), ("user:1:b", 6), ("user:2:a", 7), ("z/", 1), ("plain", 2), ("user:x", 40)];
        // One key alone makes no beginning of its own.
        let all = ["redis:0/ 6 61", " redis:0/user:* 4 58", "  redis:0/user:1:* 2 11", "  others 2 47", " others 2 3"];
        assert_eq!(shown(&keys, 4, 20), all);
        assert_eq!(shown(&keys, 4, 3), all);
        assert_eq!(shown(&keys, 4, 2), [all[0], all[1], all[4]]);
        assert_eq!(shown(&keys, 1, 20), [all[0], all[1], all[4]]);
        assert_eq!(shown(&keys, 0, 20), ["redis:0/ 6 61"]);
    }

    #[test]
    fn beginning_that_all_go_on_with_in_the_same_way_is_told_once() {
        assert_eq!(shown(&[("a::b:1", 1), ("a::b:2", 1)], 4, 20), ["redis:0/ 2 2", " redis:0/a::b:* 2 2"]);
    }

    #[test]
    fn long_beginnings_count_in_the_node_before() {
        let long = format!("a:{}:b", "x".repeat(2000));
        assert_eq!(shown(&[(&long, 3), ("a:b", 1)], 4, 20), ["redis:0/ 2 4", " redis:0/a:* 2 4"]);
    }

    #[test]
    fn keys_of_items_stay_apart_from_slashes_in_them() {
        let scratch: Arc<dyn Scratch> = Arc::new(SystemScratch::new());
        let mut builder = TreeBuilder::new(TreeOptions { separators: b":/".to_vec(), depth: 4, top: 9 }, &scratch);
        let long_table = vec![b't'; 5000];
        for (table, hash, range) in [(&b"t"[..], "c/1", "1"), (b"t", "c/1", "2"), (&long_table, "x", "1")] {
            let key = [hash.as_bytes().to_vec(), range.as_bytes().to_vec()];
            let size = Size { bytes: 10, elements: None };
            builder
                .add(&Thing { kind: Kind::Item, scope: table, key: &key, size, expire_at_ms: None, commit_ts: 0 })
                .unwrap();
        }
        builder.enter(Kind::Object, b"empty").unwrap();
        let (scopes, nodes) = builder.finish().unwrap();
        let mut out = Vec::new();
        lines(&nodes, 0, &mut out);
        assert_eq!(out[..2], ["dynamodb:t/ 2 20", " dynamodb:t/c%2F1/* 2 20"]);
        assert_eq!(scopes.count, 3);
        assert_eq!(scopes.largest.last().unwrap().address, "s3:empty/");
    }

    proptest! {
        #[test]
        fn sums_of_a_tree_are_those_of_its_keys_in_any_order(
            keys in prop::collection::vec(("[ab:/]{0,8}", 0_u64..100), 1..80), depth in 0_usize..5
        ) {
            let keys: Vec<(&str, u64)> = keys.iter().map(|(key, bytes)| (key.as_str(), *bytes)).collect();
            let (scopes, nodes) = tree(&keys, depth, 1000);
            let mut open = nodes;
            while let Some(node) = open.pop() {
                let prefix = node.address.strip_prefix("redis:0/").unwrap().trim_end_matches('*');
                prop_assert!(prefix.matches([':', '/']).count() <= depth);
                let inside = keys.iter().filter(|(key, _)| key.starts_with(prefix));
                let (count, bytes) = inside.fold((0, 0), |(count, sum), (_, bytes)| (count + 1, sum + bytes));
                prop_assert_eq!((node.totals.keys, node.totals.bytes), (count, bytes), "{}", prefix);
                let mut sum = node.others.unwrap_or_default();
                node.children.iter().for_each(|child| sum.add(&child.totals));
                prop_assert!(node.children.is_empty() || sum == node.totals);
                open.extend(node.children);
            }
            prop_assert_eq!(scopes.largest[0].totals.keys, u64::try_from(keys.len()).unwrap());
        }
    }
}
