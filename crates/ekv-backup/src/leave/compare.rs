//! `compare`: what a backup and a running server differ in. Source: `docs/format/redis-live.md`, section 10.

use std::sync::Arc;

use ekv_adapters::redis::Expired;
use ekv_live::{KeyRead, is_same_time};
use ekv_model::redis::Event;
use ekv_model::{Class, Consumer, Error, Event as AnyEvent, Findings, Kind, Narrowing, Protocol, Result, Scope};

use super::counts::{Reason, Reasons};
use super::one_database::OneDatabase;
use super::preflight::address;
use super::renames::Renames;
use super::served::Served;
use crate::progress::{Phase, Progress};
use crate::see::{Change, Compared, DiffOptions, Difference, Look, Source, diff_side, diff_sides};
use crate::server::{Names, ServerTarget, TargetReport, Wanted, pour_keys};

/// What came of a comparison with a server.
pub struct ComparedServer {
    /// As of two backups.
    pub compared: Compared,
    /// The server.
    pub target: TargetReport,
    /// Keys of the server of types that no backup has; they are not compared.
    pub foreign: Option<Reason>,
}

/// Compares what `options` select of `source` with what a server has under the same names, or under those that `renames` make of them, and
/// calls `take` with each difference in the order of the names there.
///
/// What a server keeps in another form is no difference (`served.rs`), nor is a key that expired meanwhile. The server is not held up, so that
/// what is read of it is not one moment: keys that change meanwhile may be told in either state. Cost: both are read once; scratch space for
/// names and about 150 bytes of each key.
///
/// # Errors
/// As [`crate::see::diff`]; of the connection; filters by size, expiry or time, which nothing can be asked on a server.
pub fn compare(
    source: &mut Source,
    target: &ServerTarget,
    renames: &Renames,
    options: &DiffOptions,
    take: &mut dyn FnMut(&Difference) -> Result<()>,
    progress: &dyn Progress,
) -> Result<ComparedServer> {
    if options.events.scope.has_limits() {
        let text = "filters by size, expiry, time and number select keys of a backup only: compare takes names, patterns and types";
        return Err(Error::new(Class::Environment, text));
    }
    let mut opened = target.open()?;
    let mut events = options.events.clone();
    events.redis.expired = Expired::Keep;
    let scope = Arc::clone(&events.scope);
    let mut database = 0;
    let first = diff_side(options, &mut |fingers, scratch| {
        let mut served = Served::new(fingers, renames);
        let mut one = OneDatabase::new(&mut served);
        let look = source.look(&events, &mut one, scratch, progress)?;
        database = one.database().unwrap_or(0);
        Ok(look)
    })?;
    let selected = scope.keys_in(Protocol::Redis, database.to_string().as_bytes());
    let mut foreign = Reasons::default();
    let version = opened.identity.compatible();
    progress.begin(Phase::Look, Some(opened.report.keys_before));
    let second = diff_side(options, &mut |fingers, scratch| {
        let as_they_are = Renames::default();
        let mut kinds = OfKinds { scope: &scope, consumer: fingers, is_passing: true };
        let mut served = Served::new(&mut kinds, &as_they_are);
        let mut keys = 0_u64;
        let mut told = |name: &[u8], read: &KeyRead| {
            if let KeyRead::Foreign(kind) = read {
                foreign.add("keys of types that no backup has", || format!("{} ({kind})", address(name)));
            }
            keys = keys.saturating_add(u64::from(matches!(read, KeyRead::Whole { .. })));
            Ok(progress.advance(1)?)
        };
        let names = Names {
            database: opened.servers.database(),
            wanted: Wanted::Found {
                narrowing: if renames.is_empty() { selected.narrowing() } else { Narrowing::All },
                is_selected: &mut |name| renames.origins(name).any(|origin| selected.contains(&origin)),
            },
            version,
            field_expiry: None,
        };
        pour_keys(&mut opened.servers, names, &mut served, &mut told, scratch)?;
        Ok(Look::of_server(keys))
    })?;
    let now_ms = ekv_live::time_ms(&mut opened.connection)?;
    let expiry = |side: &Option<crate::see::Side>| side.as_ref().and_then(|side| side.expire_at_ms);
    let mut is_told = |difference: &Difference| {
        let (before, after) = (expiry(&difference.before), expiry(&difference.after));
        match difference.change {
            Change::Removed => before.is_none_or(|at_ms| at_ms > now_ms),
            Change::Expiry => !is_same_time(after, before, version),
            _ => true,
        }
    };
    let compared = diff_sides(first, second, options, &mut is_told, take)?;
    Ok(ComparedServer { compared, target: opened.report, foreign: foreign.report().into_iter().next() })
}

/// Lets keys of selected types pass.
struct OfKinds<'c> {
    scope: &'c Scope,
    consumer: &'c mut dyn Consumer,
    is_passing: bool,
}

impl Consumer for OfKinds<'_> {
    fn event(&mut self, event: AnyEvent<'_>) -> Result<()> {
        if let AnyEvent::Redis { event, .. } = &event {
            match event {
                Event::Scalar { kind, .. } => self.is_passing = self.scope.includes_kind(Kind::from(*kind)),
                Event::Begin { kind, .. } => self.is_passing = self.scope.includes_kind(Kind::from(*kind)),
                Event::Element(_) | Event::End => {}
            }
        }
        if self.is_passing { self.consumer.event(event) } else { Ok(()) }
    }

    fn findings(&self) -> Findings {
        self.consumer.findings()
    }
}
