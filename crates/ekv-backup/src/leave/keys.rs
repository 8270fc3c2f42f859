//! All keys of a running server, in the order of their names. Source: `docs/format/redis-live.md`, sections 8 and 10.

use std::sync::Arc;

use ekv_live::{KeyReader, scan};
use ekv_model::{Consumer, Protocol, Result, Scope};
use ekv_spill::{Scratch, Sorter};

use super::renames::Renames;
use super::target::Opened;
use crate::losses::scratch_error;
use crate::progress::Progress;

/// Memory for putting names in order, in bytes.
const SORT_BUDGET: usize = 16 << 20;
/// Keys that are asked for at a time.
const BATCH: usize = 128;

/// What there was.
#[derive(Clone, Debug, Default)]
pub(crate) struct PouredKeys {
    /// Keys that were read.
    pub(crate) keys: u64,
    /// Keys of types that no backup has, such as those of modules, with the type.
    pub(crate) foreign: Vec<(Vec<u8>, String)>,
    /// How many of those there are.
    pub(crate) foreign_count: u64,
}

/// Most keys of foreign types that are named.
const FOREIGN_MAX: usize = 20;

/// Hands those keys of a server to `consumer` whose names `scope` selects, by the names that they have at home. What is read is not one moment.
///
/// Cost: scratch space for the names; otherwise as [`KeyReader::read`].
///
/// # Errors
/// Of the connections, of scratch files, and of the consumer; that the user wants to stop.
pub(crate) fn pour_keys(
    opened: &mut Opened,
    scope: &Scope,
    renames: &Renames,
    consumer: &mut dyn Consumer,
    scratch: &Arc<dyn Scratch>,
    progress: &dyn Progress,
) -> Result<PouredKeys> {
    let selected = scope.keys_in(Protocol::Redis, b"0");
    let version = opened.identity.compatible();
    let mut served = PouredKeys::default();
    for place in opened.servers.places() {
        let (mut ahead, mut after) = (opened.servers.connect(&place)?, opened.servers.connect(&place)?);
        let mut names = Sorter::new(Arc::clone(scratch), SORT_BUDGET);
        scan(&mut after, None, &mut |name| {
            let is_selected = renames.origins(name).any(|origin| selected.contains(&origin));
            if is_selected { Ok(names.push(name, b"")?) } else { Ok(()) }
        })?;
        let mut sorted = names.finish().map_err(scratch_error)?;
        let mut reader = KeyReader::new(&mut ahead, &mut after, scratch, 0, version);
        let mut batch: Vec<Vec<u8>> = Vec::new();
        let mut last: Option<Vec<u8>> = None;
        loop {
            let name = sorted.next().map_err(scratch_error)?.map(|(name, _)| name.to_vec());
            let is_end = name.is_none();
            if let Some(name) = name {
                // A name may come more than once while the server moves things.
                if last.as_ref() == Some(&name) {
                    continue;
                }
                last = Some(name.clone());
                batch.push(name);
            }
            if batch.len() < BATCH && !is_end {
                continue;
            }
            let keys: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
            let unread = reader.read(&keys, consumer)?;
            let foreign = count(&unread.foreign);
            let read = count(&keys).saturating_sub(unread.gone).saturating_sub(foreign);
            served.keys = served.keys.saturating_add(read);
            served.foreign_count = served.foreign_count.saturating_add(foreign);
            let room = FOREIGN_MAX.saturating_sub(served.foreign.len());
            served.foreign.extend(unread.foreign.into_iter().take(room));
            progress.advance(read)?;
            batch.clear();
            if is_end {
                break;
            }
        }
    }
    Ok(served)
}

fn count<T>(things: &[T]) -> u64 {
    u64::try_from(things.len()).unwrap_or(u64::MAX)
}
