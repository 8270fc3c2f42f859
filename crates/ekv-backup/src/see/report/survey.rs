//! Everything that a report tells of the data, counted while they pass by once.

use std::sync::Arc;

use ekv_model::{Consumer, Event, Kind, Protocol, Result, Size, Step, Thing, Things};
use ekv_spill::Scratch;
use serde::Serialize;

use super::expiry::{Expiries, ExpiryRow};
use super::histogram::{Histogram, Spread};
use super::label::Label;
use super::largest::Largest;
use super::sums::Totals;
use super::tree::{Scopes, TreeBuilder, TreeNode, TreeOptions, TypeRow};

/// How large things of a type are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SpreadRow {
    /// Whose it is.
    pub adapter: &'static str,
    /// The type.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Their payload in bytes.
    pub bytes: Spread,
    /// Their elements, if they are collections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elements: Option<Spread>,
}

/// What there is: the same for a snapshot and for any dump of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Contents {
    /// All together.
    pub totals: Totals,
    /// Types that there are, in the order of `ekv_model::Kind`.
    pub types: Vec<TypeRow>,
    /// Databases, tables, buckets and queues.
    pub scopes: Scopes,
    /// Where in the names most is: the largest scopes and beginnings of names, each in the one around it.
    pub prefixes: Vec<TreeNode>,
    /// The largest things by bytes.
    pub biggest: Vec<TopRow>,
    /// The largest collections by elements.
    pub longest: Vec<TopRow>,
    /// How sizes are spread.
    pub sizes: Vec<SpreadRow>,
    /// When Redis keys expire; empty if there are none.
    pub expiry: Vec<ExpiryRow>,
}

/// One of the largest things.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TopRow {
    /// Its name.
    #[serde(flatten)]
    pub name: Label,
    /// Whose it is.
    pub adapter: &'static str,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its payload.
    pub bytes: u64,
    /// Its elements, if it is a collection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elements: Option<u64>,
    /// When it expires, in Unix milliseconds, if it does.
    pub expire_at_ms: Option<u64>,
}

/// Things with their names apart. Memory: about 4 KiB for each that is kept.
type Top = Largest<Label, Thingless>;

/// A thing without its name.
struct Thingless {
    kind: Kind,
    size: Size,
    expire_at_ms: Option<u64>,
}

fn add_to(top: &mut Top, number: u64, thing: &Thing<'_>) {
    let Thing { kind, size, expire_at_ms, .. } = *thing;
    let make = || (Label::of_thing(thing), Thingless { kind, size, expire_at_ms });
    top.add((number, 0), |kept| kept.cmp_thing(thing), make);
}

fn rows(top: Top) -> Vec<TopRow> {
    let row = |(name, Thingless { kind, size: Size { bytes, elements }, expire_at_ms })| {
        let kind: Kind = kind;
        TopRow { name, adapter: kind.protocol().name(), kind: kind.name(), bytes, elements, expire_at_ms }
    };
    top.finish().map(row).collect()
}

/// What is counted of one kind of things.
#[derive(Default)]
struct OfKind {
    totals: Totals,
    bytes: Histogram,
    elements: Histogram,
}

/// Counts things. Memory: about 300 KiB of counters, the budgets of the tree, and 4 KiB for each name in a top list.
pub(super) struct Survey {
    things: Things,
    kinds: [(Kind, OfKind); Kind::ALL.len()],
    tree: TreeBuilder,
    biggest: Top,
    longest: Top,
    expiries: Expiries,
}

impl Survey {
    /// `now_ms` is the moment that is read.
    pub(super) fn new(options: TreeOptions, now_ms: u64, scratch: &Arc<dyn Scratch>) -> Self {
        Survey {
            things: Things::default(),
            kinds: Kind::ALL.map(|kind| (kind, OfKind::default())),
            biggest: Top::new(options.top),
            longest: Top::new(options.top),
            tree: TreeBuilder::new(options, scratch),
            expiries: Expiries::new(now_ms),
        }
    }

    /// Ends counting.
    ///
    /// # Errors
    /// A failing scratch file.
    pub(super) fn finish(self) -> Result<Contents> {
        let Survey { kinds, tree, biggest, longest, expiries, .. } = self;
        let (scopes, prefixes) = tree.finish()?;
        let mut contents = Contents {
            scopes,
            prefixes,
            biggest: rows(biggest),
            longest: rows(longest),
            expiry: expiries.finish(),
            ..Contents::default()
        };
        for (kind, OfKind { totals, bytes, elements }) in kinds.into_iter().filter(|(_, of)| of.totals.keys > 0) {
            let (adapter, kind) = (kind.protocol().name(), kind.name());
            contents.totals.add(&totals);
            contents.types.push(TypeRow { adapter, kind, totals });
            let elements = Some(elements.spread()).filter(|spread| spread.count > 0);
            contents.sizes.push(SpreadRow { adapter, kind, bytes: bytes.spread(), elements });
        }
        Ok(contents)
    }
}

/// The scope that an event opens, with the kind of what is in it.
fn opened<'a>(event: &Event<'a>) -> Option<(Kind, &'a [u8])> {
    let Step::Scope { name, is_gone: false, .. } = event.step() else { return None };
    let kind = Kind::ALL.into_iter().find(|kind| Some(kind.protocol()) == event.protocol())?;
    Some((kind, name))
}

impl Consumer for Survey {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        if let Some((kind, scope)) = opened(&event) {
            self.tree.enter(kind, scope)?;
        }
        let Some(thing) = self.things.event(&event) else { return Ok(()) };
        let Thing { kind, size, expire_at_ms, .. } = thing;
        if let Some((_, of)) = self.kinds.iter_mut().find(|(one, _)| *one == kind) {
            of.totals.add(&Totals::of(size, expire_at_ms));
            of.bytes.add(size.bytes);
            size.elements.iter().for_each(|elements| of.elements.add(*elements));
        }
        if kind.protocol() == Protocol::Redis {
            self.expiries.add(expire_at_ms, size.bytes);
        }
        add_to(&mut self.biggest, size.bytes, &thing);
        if let Some(elements) = size.elements {
            add_to(&mut self.longest, elements, &thing);
        }
        self.tree.add(&thing)
    }
}
