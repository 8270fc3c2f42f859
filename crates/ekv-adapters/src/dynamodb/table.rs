//! A table with its generations: which items clients see, and in which order. Source: `docs/format/dynamodb.md`, section 3.

use ekv_model::dynamodb::{Event, KeyFormCensus, KeyForms, shown};
use ekv_model::{Event as ModelEvent, Keys, Protocol, Result};
use ekv_snapshot::{Lookup, Range, RangeScan, Visible};
use ekv_spill::{Sorted, Sorter};

use super::item::ItemReader;
use super::keys::{decode_name, generation_prefix, items_prefix, parse_item_key, push_name};
use super::orphans::malformed;
use super::schema::{BadSchema, KeySchema, Schema};
use super::{document, findings};
use crate::run::scratch_error;
use crate::{Family, Outcome, Run};

/// Memory for sorting the keys of items that are not stored in key order, in bytes.
const SORT_BUDGET_BYTES: usize = 8 << 20;

/// Decodes tables one after the other.
pub(super) struct Tables {
    survey_scan: RangeScan,
    item_scan: RangeScan,
    lookup: Lookup,
    reader: ItemReader,
}

/// What a first look at the items of a table told.
struct Survey {
    forms: KeyFormCensus,
    /// Whether every item of the table's own generation lies under its ordered primary key.
    is_ordered: bool,
    /// Keys of items that have to be put in order: ordered primary key and rank, then the record's user key.
    unordered: Sorter,
    /// Items of other generations.
    stale: u64,
}

/// Of items with equal keys the one of lowest rank is seen by clients.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rank {
    /// Of the table's own generation.
    Target = 0,
    /// Of the generation from which a move is under way.
    Source = 1,
}

impl Rank {
    fn byte(self) -> u8 {
        match self {
            Rank::Target => 0,
            Rank::Source => 1,
        }
    }
}

impl Tables {
    pub(super) fn new(run: &Run<'_>) -> Self {
        Tables {
            survey_scan: run.view().scan(),
            item_scan: run.view().scan(),
            lookup: run.view().lookup(),
            reader: ItemReader::default(),
        }
    }

    /// Emits the table of a schema record with its items, and accounts for all its records.
    pub(super) fn table(&mut self, run: &mut Run<'_>, found: &Visible<'_>) -> Result<()> {
        let scope = run.scope();
        let encoded = found.user_key.get(Family::DdbTable.prefix().len()..).unwrap_or(&[]);
        let Some(name) = decode_name(encoded).filter(|name| !name.is_empty()) else {
            if !scope.is_all_of(Protocol::DynamoDb) {
                return Ok(());
            }
            run.record_finding(findings::MALFORMED_KEY, found.user_key, Some(found.byte_offset), || {
                "a table key needs the table's name".to_owned()
            });
            return run.account(Family::DdbTable, Outcome::Lost, 1);
        };
        let keys = scope.keys_in(Protocol::DynamoDb, name.as_bytes());
        if keys.is_nothing() {
            return Ok(());
        }
        match Schema::read(&found.body)? {
            Ok(schema) => self.sound_table(run, &name, &schema, &keys),
            Err(bad) => self.lost_table(run, &name, found, &bad),
        }
    }

    fn lost_table(&mut self, run: &mut Run<'_>, name: &str, found: &Visible<'_>, bad: &BadSchema) -> Result<()> {
        let mut items = 0_u64;
        self.item_scan.seek(Range::prefix(&items_prefix(&encoded(name))))?;
        while self.item_scan.next_visible()?.is_some() {
            run.account(Family::DdbItem, Outcome::Lost, 1)?;
            items = items.saturating_add(1);
        }
        run.record_finding(bad.finding, name.as_bytes(), Some(found.byte_offset), || {
            format!("{}; {items} items are left out with it", bad.detail)
        });
        run.account(Family::DdbTable, Outcome::Lost, 1)
    }

    fn sound_table(&mut self, run: &mut Run<'_>, name: &str, schema: &Schema, keys: &Keys<'_>) -> Result<()> {
        for index in schema.keyless_indexes() {
            run.record_finding(findings::INDEX_WITHOUT_KEY, name.as_bytes(), None, || {
                format!("index \"{}\"", shown(index.as_bytes()))
            });
        }
        let encoded = encoded(name);
        let mut survey = self.survey(run, &encoded, schema)?;
        if survey.stale > 0 {
            let source = schema.migration_source().unwrap_or(0);
            run.record_finding(findings::STALE_GENERATION_ITEMS, name.as_bytes(), None, || {
                format!(
                    "active_generation {}, migration_source_generation {source}, stale_count {}",
                    schema.generation, survey.stale
                )
            });
        }
        let own = generation_prefix(&encoded, schema.generation);
        if !survey.is_ordered && schema.has_ordered_keys() {
            self.push_target(&own, &schema.primary_key, &mut survey.unordered)?;
        }
        let forms = survey.forms.verdict();
        let mut items = Items {
            run: &mut *run,
            name,
            schema,
            keys,
            forms,
            reader: &mut self.reader,
            previous: None,
            is_previous_selected: false,
            has_begun: false,
        };
        if keys.has_scope() {
            items.begin()?;
        }
        let unordered = Unordered::new(survey.unordered, &mut self.lookup)?;
        let scan = survey.is_ordered.then_some((&mut self.item_scan, own.as_slice()));
        if !items.emit(scan, unordered)? {
            return Ok(());
        }
        run.emit(ModelEvent::DynamoDb(Event::TableEnd))?;
        run.account(Family::DdbTable, Outcome::Emitted, 1)
    }

    /// Reads all items of all generations once: counts, checks, and notes those that have to be put in order.
    fn survey(&mut self, run: &mut Run<'_>, encoded: &[u8], schema: &Schema) -> Result<Survey> {
        let mut survey = Survey {
            forms: KeyFormCensus::default(),
            is_ordered: schema.has_ordered_keys(),
            unordered: Sorter::new(run.scratch(), SORT_BUDGET_BYTES),
            stale: 0,
        };
        let source_generation = schema.migration_source();
        self.survey_scan.seek(Range::prefix(&items_prefix(encoded)))?;
        while let Some(found) = self.survey_scan.next_visible()? {
            run.monitor().advance(0)?;
            let Some(record_key) = parse_item_key(found.user_key) else {
                malformed(run, found.user_key, found.byte_offset)?;
                continue;
            };
            let rank = match record_key.generation {
                generation if generation == schema.generation => Rank::Target,
                generation if Some(generation) == source_generation => Rank::Source,
                _ => {
                    survey.stale = survey.stale.saturating_add(1);
                    run.account(Family::DdbItem, Outcome::Orphaned, 1)?;
                    continue;
                }
            };
            match self.reader.read(&found.body, &schema.primary_key)? {
                Ok(item) => self.reader.reuse(item.source),
                Err(bad) => {
                    run.record_finding(bad.finding(), found.user_key, Some(found.byte_offset), || {
                        bad.detail(found.body.len())
                    });
                    run.account(Family::DdbItem, Outcome::Lost, 1)?;
                    continue;
                }
            }
            let key = self.reader.key();
            survey.forms.add(&key);
            if key.has_no_number() {
                run.record_finding(findings::KEY_NO_NUMBER, found.user_key, Some(found.byte_offset), String::new);
            }
            if rank == Rank::Source || !schema.has_ordered_keys() {
                push_unordered(&mut survey.unordered, key.sort_key, rank, found.user_key)?;
            } else if key.sort_key != record_key.primary_key {
                survey.is_ordered = false;
                run.record_finding(findings::KEY_MISMATCH, found.user_key, Some(found.byte_offset), || {
                    format!("ordered primary key {}", ekv_text::Percent(key.sort_key))
                });
            }
        }
        Ok(survey)
    }

    /// Notes all items of a generation whose records do not lie under their ordered primary keys.
    fn push_target(&mut self, prefix: &[u8], key_schema: &KeySchema, unordered: &mut Sorter) -> Result<()> {
        self.survey_scan.seek(Range::prefix(prefix))?;
        while let Some(found) = self.survey_scan.next_visible()? {
            if let Ok(item) = self.reader.read(&found.body, key_schema)? {
                self.reader.reuse(item.source);
                push_unordered(unordered, self.reader.key().sort_key, Rank::Target, found.user_key)?;
            }
        }
        Ok(())
    }
}

fn encoded(name: &str) -> Vec<u8> {
    let mut encoded = Vec::new();
    push_name(name.as_bytes(), &mut encoded);
    encoded
}

fn push_unordered(sorter: &mut Sorter, sort_key: &[u8], rank: Rank, user_key: &[u8]) -> Result<()> {
    sorter.push(&[sort_key, &[rank.byte()]].concat(), user_key).map_err(scratch_error)
}

/// Items that are looked up one by one in the order of their keys.
struct Unordered<'l> {
    sorted: Sorted,
    lookup: &'l mut Lookup,
    /// Sort key and user key of the next one.
    next: Option<(Vec<u8>, Vec<u8>)>,
}

impl<'l> Unordered<'l> {
    fn new(sorter: Sorter, lookup: &'l mut Lookup) -> Result<Self> {
        let mut unordered = Unordered { sorted: sorter.finish().map_err(scratch_error)?, lookup, next: None };
        unordered.pull()?;
        Ok(unordered)
    }

    fn pull(&mut self) -> Result<()> {
        let next = self.sorted.next().map_err(scratch_error)?;
        self.next = next.map(|(key, user_key)| {
            let sort_key = key.split_last().map_or(key, |(_, sort_key)| sort_key);
            (sort_key.to_vec(), user_key.to_vec())
        });
        Ok(())
    }

    fn is_below(&self, sort_key: &[u8]) -> bool {
        self.next.as_ref().is_some_and(|(next, _)| next.as_slice() < sort_key)
    }
}

/// Emits the items of one table.
struct Items<'r, 'v> {
    run: &'r mut Run<'v>,
    name: &'r str,
    schema: &'r Schema,
    keys: &'r Keys<'r>,
    /// What the keys of all items of the table look like, of those that are not selected, too: names of files depend on it.
    forms: KeyForms,
    reader: &'r mut ItemReader,
    /// The last sort key that clients see.
    previous: Option<Vec<u8>>,
    is_previous_selected: bool,
    has_begun: bool,
}

impl Items<'_, '_> {
    /// Emits the beginning of the table, once.
    fn begin(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.has_begun, true) {
            return Ok(());
        }
        let Items { run, name, schema, forms, .. } = self;
        schema.with_table(name, *forms, |table| run.emit(ModelEvent::DynamoDb(Event::TableBegin(table))))
    }

    /// Merges the items that lie in order below a prefix with the others; returns whether the table has begun.
    fn emit(mut self, scan: Option<(&mut RangeScan, &[u8])>, mut unordered: Unordered<'_>) -> Result<bool> {
        if let Some((scan, prefix)) = scan {
            scan.seek(Range::prefix(prefix))?;
            while let Some(found) = scan.next_visible()? {
                let sort_key = found.user_key.get(prefix.len()..).unwrap_or(&[]);
                if sort_key.is_empty() {
                    continue;
                }
                while unordered.is_below(sort_key) {
                    self.emit_unordered(&mut unordered)?;
                }
                if unordered.next.is_some() {
                    self.previous = Some(sort_key.to_vec());
                }
                self.item(&found)?;
            }
        }
        while unordered.next.is_some() {
            self.emit_unordered(&mut unordered)?;
        }
        Ok(self.has_begun)
    }

    fn emit_unordered(&mut self, unordered: &mut Unordered<'_>) -> Result<()> {
        let Some((sort_key, user_key)) = unordered.next.take() else { return Ok(()) };
        if self.previous.as_ref() == Some(&sort_key) {
            if !self.is_previous_selected {
                return unordered.pull();
            }
            self.run.record_finding(findings::SUPERSEDED_ITEMS, &user_key, None, || {
                "another item has an equal key".to_owned()
            });
            self.run.account(Family::DdbItem, Outcome::Shadowed, 1)?;
        } else {
            if let Some(found) = unordered.lookup.get(&user_key)? {
                self.item(&found)?;
            }
            self.previous = Some(sort_key);
        }
        unordered.pull()
    }

    /// Emits an item if it is selected, unless it is damaged, which the survey has noted.
    fn item(&mut self, found: &Visible<'_>) -> Result<()> {
        let Ok(mut item) = self.reader.read(&found.body, &self.schema.primary_key)? else { return Ok(()) };
        self.is_previous_selected = self.keys.contains_item(&self.reader.key(), self.forms);
        if !self.is_previous_selected {
            self.reader.reuse(item.source);
            return Ok(());
        }
        let mut bytes = None;
        if self.run.looks_ahead() {
            bytes = Some(document::measure(&mut item)?);
            self.reader.reuse(item.source);
            let Ok(again) = self.reader.read(&found.body, &self.schema.primary_key)? else { return Ok(()) };
            item = again;
        }
        self.begin()?;
        let key = self.reader.key();
        self.run.emit(ModelEvent::DynamoDb(Event::ItemBegin { key, commit_ts: found.commit_ts.0, bytes }))?;
        document::emit(self.run, &mut item)?;
        self.run.emit(ModelEvent::DynamoDb(Event::ItemEnd))?;
        self.reader.reuse(item.source);
        self.run.account(Family::DdbItem, Outcome::Emitted, 1)
    }
}
