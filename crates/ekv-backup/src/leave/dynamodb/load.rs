//! Tables and items into DynamoDB, and an account of every item.
//!
//! Source: `docs/format/leave.md`, section 3.4.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ekv_aws::dynamodb::{self as aws, BATCH_WRITE_MAX, NewTable, Put};
use ekv_aws::{Client, Done as Answered};
use ekv_model::dynamodb::{Event as TableEvent, ItemKey, Table};
use ekv_model::{Class, Consumer, Error, Event, Kind, Result, Things};

use super::item::{Built, ItemBuilder};
use super::limits::{NUMBERS_REWRITTEN, REPEATS};
use super::read_back::{Fingerprint, fingerprint, read_back};
use super::served::KeyNames;
use super::table::{check_table, disagreement, new_table};
use crate::leave::aws::{
    AwsAccess, AwsLoadOptions, AwsLoadReport, AwsOnExists, AwsSurvey, Connection, LoadedScope, Run, Settling, Verify,
    Window, check_renames, failed, rename, stopped_by_service, with_window,
};
use crate::leave::checkpoint::{Checkpoint, Done, Met, ThingOutcome};
use crate::leave::counts::Reasons;
use crate::leave::destination::AwsService;
use crate::leave::ledger::Verified;
use crate::leave::sample::Sample;
use crate::progress::{Phase, Progress};
use crate::see::Source;

/// Text of items in one request, in bytes; the service takes 16 MiB of everything.
const BATCH_LEN_MAX: usize = 15 << 20;
/// How long a new table may take until it can be written to.
const CREATION_MAX: Duration = Duration::from_secs(600);
/// How often it is asked for.
const CREATION_POLL: Duration = Duration::from_secs(1);
/// Items that may be done while one before them is not.
const AHEAD_MAX: u64 = 100_000;
/// Tables that a report lists.
const TABLES_LISTED_MAX: usize = 1000;
/// The state of a table that can be written to.
const ACTIVE: &str = "ACTIVE";

/// Writes the tables and items that are selected of `source`.
///
/// # Errors
/// See [`crate::leave::load_into_service`].
pub(crate) fn load(
    source: &mut Source,
    access: &AwsAccess,
    options: &AwsLoadOptions,
    progress: &dyn Progress,
) -> Result<AwsLoadReport> {
    if options.on_exists == AwsOnExists::Append || options.verify == Verify::List {
        let text = "dynamodb: takes --on-exists fail, skip or replace, and --verify none, count, sample:N or full";
        return Err(Error::new(Class::Environment, text));
    }
    let connection = access.connect(AwsService::DynamoDb)?;
    let scratch = options.resources.scratch();
    let mut run = Run::new(AwsService::DynamoDb, &connection, options, progress);
    if run.has_preflight() {
        let mut surveyor = Surveyor::new(&connection, options);
        let look = source.look(&options.events, &mut surveyor, &scratch, progress)?;
        let Surveyor { survey, refused, changed, scopes, scope_count, unfit_tables, .. } = surveyor;
        let survey = AwsSurvey { refused: refused.report(), changed: changed.report(), ..survey };
        (run.report.scopes, run.report.scope_count, run.report.scopes_failed) = (scopes, scope_count, unfit_tables);
        run.surveyed(look, survey)?;
    }
    if options.is_dry_run {
        return Ok(run.report);
    }
    let checkpoint = run.open_checkpoint(source)?;
    if let Some(checkpoint) = &checkpoint {
        check_met(&connection.client, checkpoint)?;
    }
    run.begin(checkpoint)?;
    let most = if let Verify::Sample(most) = options.verify { most } else { 0 };
    let sample = RefCell::new(Sample::new(most, options.seed));
    let poll = || Ok(progress.advance(0)?);
    let (poured, told) = with_window(
        connection.connections,
        &poll,
        |job: Job| job.done(&connection.client),
        |window| {
            let mut loading = Loading::new(&run, &connection, &sample, window);
            let poured = source.look(&options.events, &mut loading, &scratch, &Settling(progress));
            let poured = poured.and_then(|look| loading.flush().map(|()| look));
            let poured = poured.and_then(|look| loading.settle().map(|()| look));
            if poured.is_err() {
                connection.stop.now();
                loading.wind_up();
            }
            (poured, loading.told)
        },
    );
    (run.report.scopes, run.report.scope_count, run.report.scopes_failed) = (told.listed, told.count, told.unfit);
    run.close(poured, told.items, connection.requests())?;
    progress.begin(Phase::ReadBack, None);
    let mut report = run.report;
    report.verified = match options.verify {
        Verify::None | Verify::List => None,
        Verify::Count => Some(count(&connection.client, &told.expected, progress)?),
        Verify::Sample(_) => Some(read_back(&connection.client, sample.into_inner().into_rows().collect(), progress)?),
        Verify::Full => Some(compare_all(source, &connection, options, progress, report.counts.loaded)?),
    };
    report.requests = connection.requests();
    Ok(report)
}

/// Compares all of what was sent with what is there; what else is there does not count.
fn compare_all(
    source: &mut Source,
    connection: &Connection,
    options: &AwsLoadOptions,
    progress: &dyn Progress,
    loaded: u64,
) -> Result<Verified> {
    let mut verified = Verified { count: loaded, ..Verified::default() };
    let diff = crate::see::DiffOptions {
        events: options.events.clone(),
        strict_sqs: false,
        first_only: false,
        resources: options.resources.clone(),
    };
    let mut is_told = |difference: &crate::see::Difference| {
        use crate::see::Change;
        !matches!(difference.change, Change::Added | Change::Metadata)
    };
    let mut take = |difference: &crate::see::Difference| {
        verified.differs(|| difference.address.clone());
        Ok(())
    };
    super::compare::compare(source, connection, &options.renames, &diff, &mut is_told, &mut take, progress)?;
    Ok(verified)
}

/// Compares the numbers of items of tables with what was sent to them.
fn count(client: &Client, expected: &BTreeMap<String, Expected>, progress: &dyn Progress) -> Result<Verified> {
    let mut verified = Verified::default();
    for (table, Expected { items, is_own }) in expected {
        let mut found = 0_u64;
        let mut from = None;
        loop {
            let ask = aws::Scan { from: from.as_deref(), is_count: true, ..aws::Scan::default() };
            let page = aws::scan(client, table, &ask).map_err(failed)?;
            found = found.saturating_add(page.count);
            progress.advance(page.count)?;
            from = page.last_evaluated_key;
            if from.is_none() {
                break;
            }
        }
        verified.count = verified.count.saturating_add(*items);
        if found < *items || (*is_own && found > *items) {
            verified.differs(|| format!("dynamodb:{table}/: {found} items, and {items} were sent"));
        }
    }
    Ok(verified)
}

/// Whether the tables that the run before met are still those.
fn check_met(client: &Client, checkpoint: &Checkpoint) -> Result<()> {
    for (name, met) in checkpoint.met() {
        let found = aws::describe_table(client, name).map_err(failed)?;
        let text = match found {
            Some(found) if id_of(&found) == met.id => continue,
            Some(_) => format!("the table {name} is another one than that which the load began with"),
            None => format!("the table {name}, which the load began with, is not there"),
        };
        return Err(checkpoint.refuse(&format!("{text}: what was written is gone. Begin anew, without --resume")));
    }
    Ok(())
}

/// What no other table of the same name has.
fn id_of(table: &aws::Table) -> String {
    let created = || format!("created {}", table.creation_date_time.unwrap_or_default());
    table.table_id.clone().unwrap_or_else(created)
}

/// Looks at everything beforehand.
struct Surveyor<'s> {
    client: &'s Client,
    options: &'s AwsLoadOptions,
    things: Things,
    survey: AwsSurvey,
    refused: Reasons,
    changed: Reasons,
    taken: BTreeMap<String, String>,
    /// The table at hand: how items are made, or why there will be no such table.
    open: Option<Result<ItemBuilder, String>>,
    scopes: Vec<LoadedScope>,
    scope_count: u64,
    unfit_tables: u64,
}

impl<'s> Surveyor<'s> {
    fn new(connection: &'s Connection, options: &'s AwsLoadOptions) -> Self {
        Surveyor {
            client: &connection.client,
            options,
            things: Things::default(),
            survey: AwsSurvey::default(),
            refused: Reasons::default(),
            changed: Reasons::default(),
            taken: BTreeMap::new(),
            open: None,
            scopes: Vec::new(),
            scope_count: 0,
            unfit_tables: 0,
        }
    }

    fn begin_table(&mut self, table: &Table<'_>) -> Result<()> {
        let name = rename(&self.options.renames, table.name);
        check_renames(&mut self.taken, table.name, name)?;
        self.scope_count = self.scope_count.saturating_add(1);
        if let Err(unfit) = check_table(table, name) {
            self.unfit_tables = self.unfit_tables.saturating_add(1);
            self.open = Some(Err(format!("items of a table that {}", unfit.reason())));
            return Ok(());
        }
        let found = aws::describe_table(self.client, name).map_err(failed)?;
        if let Some(found) = &found {
            agree(&new_table(table, name, None), found)?;
        }
        if self.scopes.len() < TABLES_LISTED_MAX {
            let (own, target) = (table.name.to_owned(), name.to_owned());
            self.scopes.push(LoadedScope { name: own, target, is_new: found.is_none(), things: 0 });
        }
        self.open = Some(Ok(ItemBuilder::new(table)));
        Ok(())
    }
}

/// Whether a table that is there can take what is in another one.
fn agree(wanted: &NewTable, found: &aws::Table) -> Result<()> {
    disagreement(wanted, found).map_or(Ok(()), |what| {
        let name = &wanted.table_name;
        let text = format!(
            "there is a table {name} already, and {what}: --rename gives this one another name, or leave it out with --exclude"
        );
        Err(Error::new(Class::Environment, text))
    })
}

impl Consumer for Surveyor<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        let name = self.things.event(&event).map(|thing| thing.name());
        let Event::DynamoDb(event) = event else { return Ok(()) };
        if let TableEvent::TableBegin(table) = event {
            return self.begin_table(table);
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let address = || name.map(|name| name.to_string()).unwrap_or_default();
        match (event, open) {
            (TableEvent::ItemBegin { key, .. }, Ok(builder)) => builder.begin(&key),
            (TableEvent::Node(node), Ok(builder)) => builder.node(node)?,
            (TableEvent::ItemEnd, open) => {
                let survey = &mut self.survey;
                survey.things = survey.things.saturating_add(1);
                if let Some(scope) = self.scopes.last_mut().filter(|_| open.is_ok()) {
                    scope.things = scope.things.saturating_add(1);
                }
                match open {
                    Err(why) => self.refused.add(why, address),
                    Ok(builder) => match builder.end()? {
                        Built::Unfit(unfit) => self.refused.add(unfit.finding().meaning, address),
                        Built::Item { len, changed, .. } => {
                            survey.fitting = survey.fitting.saturating_add(1);
                            survey.bytes = survey.bytes.saturating_add(len);
                            let address = address();
                            for (is_so, finding) in [(changed.numbers, NUMBERS_REWRITTEN), (changed.repeats, REPEATS)] {
                                if is_so {
                                    self.changed.add(finding.meaning, || address.clone());
                                }
                            }
                        }
                    },
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// An item on its way.
struct Item {
    number: u64,
    /// Its text, as the service takes it.
    json: String,
    /// Its key, as the service is asked for it.
    key: String,
    /// Its length in bytes as the service counts them.
    len: u64,
    address: String,
}

/// The table that items go to.
struct Target {
    name: String,
    keys: KeyNames,
    /// Whether an item is written only where none of its key is.
    is_conditional: bool,
    /// Whether items may have been written by an earlier run.
    is_in_doubt: bool,
}

/// A request: items that go together, or one that must not be there.
struct Job {
    target: Arc<Target>,
    items: Vec<Item>,
}

/// What became of an item.
enum Written {
    Loaded,
    Existed,
    Refused(String),
}

/// What became of the items of a job; those that are not among them met the error.
struct Told {
    items: Vec<(Item, Written)>,
    error: Option<ekv_aws::Error>,
}

impl Job {
    fn done(self, client: &Client) -> Told {
        let Job { target, items } = self;
        let mut told = Told { items: Vec::new(), error: None };
        let written = match target.is_conditional {
            true => items.into_iter().try_for_each(|item| target.put(client, item, &mut told.items)),
            false => target.write(client, items, &mut told.items),
        };
        told.error = written.err();
        told
    }
}

impl Target {
    /// Writes items together, and one by one those among which there is one that the service refuses.
    fn write(&self, client: &Client, mut items: Vec<Item>, told: &mut Vec<(Item, Written)>) -> ekv_aws::Result<()> {
        let texts: Vec<&str> = items.iter().map(|item| item.json.as_str()).collect();
        match aws::batch_write(client, &self.name, &texts) {
            Ok(_) => told.extend(items.into_iter().map(|item| (item, Written::Loaded))),
            Err(error) if !is_of_an_item(&error) => return Err(error),
            Err(error) if items.len() < 2 => {
                let why = refusal(&error);
                told.extend(items.into_iter().map(|item| (item, Written::Refused(why.clone()))));
            }
            Err(_) => {
                let second = items.split_off(items.len() / 2);
                self.write(client, items, told)?;
                self.write(client, second, told)?;
            }
        }
        Ok(())
    }

    /// Writes an item unless one of its key is there. One that may be there because of an earlier try is read back.
    fn put(&self, client: &Client, item: Item, told: &mut Vec<(Item, Written)>) -> ekv_aws::Result<()> {
        let written = match aws::put_new(client, &self.name, &item.json, &self.keys.hash) {
            Ok(Answered { value: Put::Written, .. }) => Written::Loaded,
            Ok(Answered { value: Put::Exists, is_unsure }) => {
                let is_ours = (is_unsure || self.is_in_doubt) && self.is_there(client, &item)?;
                if is_ours { Written::Loaded } else { Written::Existed }
            }
            Err(error) if is_of_an_item(&error) => Written::Refused(refusal(&error)),
            Err(error) => return Err(error),
        };
        told.push((item, written));
        Ok(())
    }

    fn is_there(&self, client: &Client, item: &Item) -> ekv_aws::Result<bool> {
        let found = aws::batch_get(client, &self.name, &[&item.key])?;
        let same = |found: &str| match (fingerprint(&self.keys, found), fingerprint(&self.keys, &item.json)) {
            (Ok(theirs), Ok(ours)) => theirs == ours,
            _ => false,
        };
        Ok(found.first().is_some_and(|found| same(found.get())))
    }
}

/// Whether the service refuses what is in an item, so that others may go.
fn is_of_an_item(error: &ekv_aws::Error) -> bool {
    let code = error.fault().map_or("", |fault| fault.code.as_str());
    ["ValidationException", "ItemCollectionSizeLimitExceededException"].contains(&code)
}

fn refusal(error: &ekv_aws::Error) -> String {
    error.fault().map(|fault| format!("DynamoDB refuses items: {fault}")).unwrap_or_default()
}

/// What is known of the tables so far.
#[derive(Default)]
struct Tables {
    listed: Vec<LoadedScope>,
    count: u64,
    unfit: u64,
    /// Items that were looked at.
    items: u64,
    expected: BTreeMap<String, Expected>,
}

/// What a table should have.
#[derive(Default)]
struct Expected {
    items: u64,
    /// Whether that is all that it should have.
    is_own: bool,
}

/// The table at hand.
struct OpenTable {
    target: Arc<Target>,
    builder: ItemBuilder,
    /// Key of the item at hand, as the service is asked for it.
    key: String,
}

/// Makes requests of events, and keeps the account of what comes back.
struct Loading<'l, 'w> {
    run: &'l Run<'l>,
    connection: &'l Connection,
    sample: &'l RefCell<Sample<Fingerprint>>,
    window: &'l mut Window<'w, Job, Told>,
    things: Things,
    taken: BTreeMap<String, String>,
    told: Tables,
    /// The table at hand, or why there is none.
    open: Option<std::result::Result<OpenTable, String>>,
    batch: Vec<Item>,
    batch_len: usize,
}

impl<'l, 'w> Loading<'l, 'w> {
    fn new(
        run: &'l Run<'l>,
        connection: &'l Connection,
        sample: &'l RefCell<Sample<Fingerprint>>,
        window: &'l mut Window<'w, Job, Told>,
    ) -> Self {
        Loading {
            run,
            connection,
            sample,
            window,
            things: Things::default(),
            taken: BTreeMap::new(),
            told: Tables::default(),
            open: None,
            batch: Vec::new(),
            batch_len: 0,
        }
    }

    fn begin_table(&mut self, table: &Table<'_>) -> Result<()> {
        let options = self.run.options;
        let name = rename(&options.renames, table.name);
        check_renames(&mut self.taken, table.name, name)?;
        self.told.count = self.told.count.saturating_add(1);
        if let Err(unfit) = check_table(table, name) {
            self.told.unfit = self.told.unfit.saturating_add(1);
            self.open = Some(Err(format!("items of a table that {}", unfit.reason())));
            return Ok(());
        }
        let (met, is_new) = self.ensure(&new_table(table, name, options.capacity))?;
        let is_conditional = !met.is_own && options.on_exists != AwsOnExists::Replace;
        let expected = self.told.expected.entry(name.to_owned()).or_default();
        expected.is_own = met.is_own;
        if self.told.listed.len() < TABLES_LISTED_MAX {
            let (own, target) = (table.name.to_owned(), name.to_owned());
            self.told.listed.push(LoadedScope { name: own, target, is_new, things: 0 });
        }
        let keys = KeyNames::of(&table.primary_key);
        let target =
            Arc::new(Target { name: name.to_owned(), keys, is_conditional, is_in_doubt: self.run.is_in_doubt });
        self.open = Some(Ok(OpenTable { target, builder: ItemBuilder::new(table), key: String::new() }));
        Ok(())
    }

    /// Makes a table unless it is there, and waits until it can be written to. Says whether it is new.
    fn ensure(&self, wanted: &NewTable) -> Result<(Met, bool)> {
        let client = &self.connection.client;
        let name = &wanted.table_name;
        let known = {
            let ledger = self.run.ledger.borrow();
            ledger.checkpoint.as_ref().and_then(|checkpoint| checkpoint.met().get(name).cloned())
        };
        let found = aws::describe_table(client, name).map_err(failed)?;
        let is_new = found.is_none();
        if is_new {
            match aws::create_table(client, wanted) {
                // An earlier try may have made it.
                Err(error) if !is_in_use(&error) => return Err(failed(error)),
                _ => {}
            }
        }
        let found = self.wait_until_active(name, found)?;
        agree(wanted, &found)?;
        let is_empty = || {
            let first = aws::Scan { limit: Some(1), ..aws::Scan::default() };
            let page = aws::scan(client, name, &first).map_err(failed)?;
            Ok::<bool, Error>(page.items.is_empty() && page.last_evaluated_key.is_none())
        };
        let is_own = match known {
            Some(known) => known.is_own,
            None => is_new || is_empty()?,
        };
        let met = Met { id: id_of(&found), is_own };
        if let Some(checkpoint) = &mut self.run.ledger.borrow_mut().checkpoint {
            checkpoint.meet(name.clone(), met.clone());
            // Before the first item: whoever goes on must know whose items these are.
            checkpoint.write()?;
        }
        Ok((met, is_new))
    }

    fn wait_until_active(&self, name: &str, mut found: Option<aws::Table>) -> Result<aws::Table> {
        let client = &self.connection.client;
        let end = client.clock.elapsed().saturating_add(CREATION_MAX);
        loop {
            match found {
                Some(table) if table.table_status == ACTIVE => return Ok(table),
                _ => found = aws::describe_table(client, name).map_err(failed)?,
            }
            if found.as_ref().is_some_and(|table| table.table_status == ACTIVE) {
                continue;
            }
            if client.clock.elapsed() >= end {
                let state = found.map_or_else(|| "not there".to_owned(), |table| table.table_status);
                let text = format!("the table {name} is still {state} after {} s", CREATION_MAX.as_secs());
                return Err(Error::new(Class::WriteIo, text));
            }
            self.run.progress().advance(0)?;
            client.clock.wait(CREATION_POLL);
        }
    }

    fn end_item(&mut self, address: String) -> Result<()> {
        let number = self.told.items;
        self.told.items = number.saturating_add(1);
        if let Some(scope) = self.told.listed.last_mut().filter(|_| matches!(self.open, Some(Ok(_)))) {
            scope.things = scope.things.saturating_add(1);
        }
        let is_done = number < self.run.position;
        let open = match &mut self.open {
            Some(Ok(open)) => open,
            Some(Err(why)) => {
                let why = why.clone();
                return if is_done { Ok(()) } else { self.leave_out(number, &why, address) };
            }
            None => return Ok(()),
        };
        let expected = self.told.expected.entry(open.target.name.clone()).or_default();
        let (json, len) = match open.builder.end()? {
            Built::Item { json, len, .. } => (json.to_owned(), len),
            Built::Unfit(unfit) => {
                let why = unfit.finding().meaning;
                return if is_done { Ok(()) } else { self.leave_out(number, why, address) };
            }
        };
        expected.items = expected.items.saturating_add(1);
        if is_done {
            return Ok(());
        }
        let place = self.sample.borrow_mut().choose();
        if let Some(place) = place {
            let row = Fingerprint::of(&open.target.name, &open.target.keys, &open.key, &json, &address)?;
            self.sample.borrow_mut().put(place, number, row);
        }
        let target = Arc::clone(&open.target);
        let item = Item { number, json, key: std::mem::take(&mut open.key), len, address };
        let (count_max, len_max) = if target.is_conditional { (1, 0) } else { (BATCH_WRITE_MAX, BATCH_LEN_MAX) };
        if !self.batch.is_empty() && self.batch_len.saturating_add(item.json.len()) > len_max {
            self.flush()?;
        }
        self.batch_len = self.batch_len.saturating_add(item.json.len());
        self.batch.push(item);
        if self.batch.len() >= count_max { self.flush() } else { Ok(()) }
    }

    /// An item cannot go.
    fn leave_out(&mut self, number: u64, why: &str, address: String) -> Result<()> {
        self.run.note_failure(why, || address);
        let done = Done { fate: ThingOutcome::Failed, kind: Kind::Item, elements: 0, bytes: 0 };
        self.run.done(number, done, self.connection.client.clock.elapsed())
    }

    /// Sends what is gathered.
    fn flush(&mut self) -> Result<()> {
        let items = std::mem::take(&mut self.batch);
        let len = std::mem::take(&mut self.batch_len);
        let (Some(first), Some(Ok(open))) = (items.first(), &self.open) else { return Ok(()) };
        let (first, target) = (first.number, Arc::clone(&open.target));
        let (run, connection, sample, expected) = (self.run, self.connection, self.sample, &mut self.told.expected);
        let mut take = |told| account(run, connection, sample, expected, told);
        while self.window.is_busy() && first.saturating_sub(run.position_now()) > AHEAD_MAX {
            self.window.wait_for_one(&mut take)?;
        }
        // Its text is there up to four times: as it is, as puts, as they are sent, and on the way into the request.
        let len = u64::try_from(len).unwrap_or(u64::MAX).saturating_mul(4);
        self.window.push(Job { target, items }, len, &mut take)
    }

    fn settle(&mut self) -> Result<()> {
        let (run, connection, sample, expected) = (self.run, self.connection, self.sample, &mut self.told.expected);
        self.window.settle(&mut |told| account(run, connection, sample, expected, told))
    }

    fn wind_up(&mut self) {
        let (run, connection, sample, expected) = (self.run, self.connection, self.sample, &mut self.told.expected);
        self.window.wind_up(&mut |told| account(run, connection, sample, expected, told));
    }
}

/// Takes down what became of the items of a request.
fn account(
    run: &Run<'_>,
    connection: &Connection,
    sample: &RefCell<Sample<Fingerprint>>,
    expected: &mut BTreeMap<String, Expected>,
    told: Told,
) -> Result<()> {
    let now = connection.client.clock.elapsed();
    let mut accounted = Ok(());
    for (item, written) in told.items {
        let (outcome, bytes) = match &written {
            Written::Loaded => (ThingOutcome::Loaded, item.len),
            Written::Existed if run.options.on_exists == AwsOnExists::Fail => {
                let text = format!(
                    "{}: the table has this item already, and keeps what it has; --on-exists skip leaves such items out, --on-exists replace \
                     replaces them",
                    item.address
                );
                accounted = accounted.and(Err(Error::new(Class::Environment, text)));
                continue;
            }
            Written::Existed => (ThingOutcome::Existed, 0),
            Written::Refused(why) => {
                run.note_failure(why, || item.address.clone());
                let table = item.address.strip_prefix("dynamodb:").and_then(|rest| rest.split('/').next());
                let table = table.map(|table| rename(&run.options.renames, table));
                if let Some(expected) = table.and_then(|table| expected.get_mut(table)) {
                    expected.items = expected.items.saturating_sub(1);
                }
                (ThingOutcome::Failed, 0)
            }
        };
        if !matches!(written, Written::Loaded) {
            sample.borrow_mut().forget(item.number);
        }
        let done = Done { fate: outcome, kind: Kind::Item, elements: 0, bytes };
        accounted = accounted.and(run.done(item.number, done, now));
    }
    match told.error {
        Some(error) => Err(stopped_by_service(error)),
        None => accounted,
    }
}

fn is_in_use(error: &ekv_aws::Error) -> bool {
    error.fault().is_some_and(|fault| fault.code == "ResourceInUseException")
}

impl Consumer for Loading<'_, '_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        let name = self.things.event(&event).map(|thing| thing.name());
        let Event::DynamoDb(event) = event else { return Ok(()) };
        match (event, &mut self.open) {
            (TableEvent::TableBegin(table), _) => self.begin_table(table),
            (TableEvent::ItemBegin { key, .. }, Some(Ok(open))) => {
                open.begin(&key);
                Ok(())
            }
            (TableEvent::Node(node), Some(Ok(open))) => open.builder.node(node),
            (TableEvent::ItemEnd, _) => self.end_item(name.map(|name| name.to_string()).unwrap_or_default()),
            (TableEvent::TableEnd, _) => {
                self.flush()?;
                self.open = None;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl OpenTable {
    fn begin(&mut self, key: &ItemKey<'_>) {
        self.key = self.target.keys.question(key);
        self.builder.begin(key);
    }
}
