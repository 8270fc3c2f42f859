//! Keys of a running server, in the order of their names. Source: `docs/format/redis-live.md`, section 8.

use std::sync::Arc;

use ekv_live::{Connection, KeyRead, KeyReader, Servers, scan};
use ekv_model::{Consumer, Narrowing, Result};
use ekv_rdb::FieldExpiry;
use ekv_spill::{Scratch, Sorter};

use crate::losses::scratch_error;

/// Memory for putting names in order, in bytes.
const SORT_BUDGET: usize = 16 << 20;
/// Keys that are asked for at a time.
const BATCH: usize = 128;

/// Which keys of a logical database are read, and how.
pub(crate) struct Names<'n> {
    /// The logical database, which `servers` connect to.
    pub(crate) database: u32,
    /// Which keys are read.
    pub(crate) wanted: Wanted<'n>,
    /// Version of Redis that the server is compatible with.
    pub(crate) version: (u64, u64),
    /// What happens to hashes whose fields expire one by one, if there are any.
    pub(crate) field_expiry: Option<FieldExpiry>,
}

/// Which keys are read.
pub(crate) enum Wanted<'n> {
    /// Those that are found.
    Found {
        /// What has to be looked at.
        narrowing: Narrowing<'n>,
        /// Which of that is read.
        is_selected: &'n mut dyn FnMut(&[u8]) -> bool,
    },
    /// These.
    These(Sorter),
}

/// Hands keys to `consumer`, each once, in the order of their names, whatever nodes have them; `told` is what became of each. What is read is
/// not one moment.
///
/// Cost: scratch space for the names; otherwise as [`KeyReader::take`], and two waits for the server for each 128 keys.
///
/// # Errors
/// Of the connections, of scratch files, of `consumer` and `told`; a cluster whose slots are being moved, since keys would be missed.
pub(crate) fn pour_keys(
    servers: &mut Servers,
    names: Names<'_>,
    consumer: &mut dyn Consumer,
    told: &mut dyn FnMut(&[u8], &KeyRead) -> Result<()>,
    scratch: &Arc<dyn Scratch>,
) -> Result<()> {
    servers.check_settled()?;
    let Names { database, version, field_expiry, .. } = names;
    let mut sorted = list(servers, names, scratch)?.finish().map_err(scratch_error)?;
    let places = servers.places();
    let connect = |place| Ok((servers.connect(place)?, servers.connect(place)?));
    let mut connections: Vec<(Connection, Connection)> = places.iter().map(connect).collect::<Result<_>>()?;
    let readers = connections
        .iter_mut()
        .map(|(ahead, after)| KeyReader::new(ahead, after, scratch, database, version).with_field_expiry(field_expiry));
    let mut readers: Vec<KeyReader<'_>> = readers.collect();
    let mut batch: Vec<(usize, Vec<u8>)> = Vec::new();
    let mut last: Option<Vec<u8>> = None;
    loop {
        while batch.len() < BATCH
            && let Some((name, _)) = sorted.next().map_err(scratch_error)?
        {
            // A name may come more than once while the server moves things.
            if last.as_deref() != Some(name) {
                let place = servers.place_of(name);
                batch.push((places.iter().position(|one| one == place).unwrap_or(0), name.to_vec()));
                last = Some(name.to_vec());
            }
        }
        if batch.is_empty() {
            return Ok(servers.check_settled()?);
        }
        for (at, reader) in readers.iter_mut().enumerate() {
            let own = batch.iter().filter(|(node, _)| *node == at).map(|(_, name)| name.as_slice());
            let own: Vec<&[u8]> = own.collect();
            if !own.is_empty() {
                reader.ask(&own)?;
            }
        }
        for (at, _) in batch.drain(..) {
            let Some(reader) = readers.get_mut(at) else { continue };
            match reader.take(consumer)? {
                Some((_, KeyRead::Elsewhere)) => {
                    let place = places.get(at).cloned().unwrap_or_else(|| servers.place_of(b"").clone());
                    return Err(ekv_live::Error::Resharding { place }.into());
                }
                Some((name, read)) => told(&name, &read)?,
                None => {}
            }
        }
    }
}

/// The names of the keys that are to be read.
fn list(servers: &mut Servers, names: Names<'_>, scratch: &Arc<dyn Scratch>) -> Result<Sorter> {
    let (narrowing, is_selected) = match names.wanted {
        Wanted::These(names) => return Ok(names),
        Wanted::Found { narrowing, is_selected } => (narrowing, is_selected),
    };
    let mut listed = Sorter::new(Arc::clone(scratch), SORT_BUDGET);
    if let Narrowing::Keys(keys) = &narrowing {
        for key in keys.iter().filter(|key| is_selected(key)) {
            listed.push(key, b"").map_err(scratch_error)?;
        }
        return Ok(listed);
    }
    let pattern = match &narrowing {
        Narrowing::Prefixes(prefixes) => match prefixes.as_slice() {
            [prefix] => Some(pattern_of(prefix)),
            _ => None,
        },
        _ => None,
    };
    for place in servers.places() {
        let mut connection = servers.connect(&place)?;
        scan(&mut connection, pattern.as_deref(), &mut |name| {
            if is_selected(name) { Ok(listed.push(name, b"")?) } else { Ok(()) }
        })?;
    }
    Ok(listed)
}

/// The pattern of a server that takes what begins with these bytes.
fn pattern_of(prefix: &[u8]) -> Vec<u8> {
    let mut pattern = Vec::new();
    for byte in prefix {
        if b"*?[]\\^".contains(byte) {
            pattern.push(b'\\');
        }
        pattern.push(*byte);
    }
    pattern.push(b'*');
    pattern
}
