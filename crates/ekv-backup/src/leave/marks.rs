//! What a load leaves on every node of the target until it is done, so that whoever goes on with it knows whether a node lost anything.
//!
//! Source: `docs/format/redis-live.md`, section 11.

use ekv_live::{Endpoint, Reply, Servers, tag};
use ekv_model::Result;

use super::checkpoint::{Checkpoint, Met};

/// What to do about a node that may have lost keys.
const ANEW: &str = "Begin anew, with --on-exists replace and without --resume";

/// Meets every node, and compares it with what the run before met.
///
/// # Errors
/// A node that was started anew; of the connections.
pub(super) fn meet_nodes(checkpoint: &mut Checkpoint, servers: &mut Servers) -> Result<()> {
    for place in servers.places() {
        servers.connect(&place)?;
    }
    let runs: Vec<(String, String)> =
        servers.runs().iter().map(|(place, run)| (place.to_string(), run.clone())).collect();
    for (place, now) in runs {
        if let Some(before) = checkpoint.met().get(&place).map(|met| &met.id).filter(|before| **before != now) {
            let text = format!(
                "{place} was started anew since (run id {before}, now {now}): it may have lost what it had acknowledged. {ANEW}"
            );
            return Err(checkpoint.refuse(&text));
        }
        checkpoint.meet(place, Met { id: now, is_own: false });
    }
    Ok(())
}

/// Puts the mark of a load on every node.
///
/// # Errors
/// Of the connections.
pub(super) fn put(checkpoint: &Checkpoint, servers: &mut Servers) -> Result<()> {
    for (place, key) in marks(checkpoint, servers) {
        servers.connect(&place)?.ask(&[b"SET", &key, checkpoint.mark().as_bytes()])?;
    }
    Ok(())
}

/// Compares the marks: whoever emptied a node took its mark as well.
///
/// # Errors
/// A mark that is not there; of the connections.
pub(super) fn check(checkpoint: &Checkpoint, servers: &mut Servers) -> Result<()> {
    for (place, key) in marks(checkpoint, servers) {
        let reply = servers.connect(&place)?.ask(&[b"GET", &key])?;
        if reply != Reply::Bulk(checkpoint.mark().as_bytes().to_vec()) {
            let text = format!("{place} was emptied since, or has lost what it had acknowledged. {ANEW}");
            return Err(checkpoint.refuse(&text));
        }
    }
    Ok(())
}

/// Removes the marks.
///
/// # Errors
/// Of the connections.
pub(super) fn remove(checkpoint: &Checkpoint, servers: &mut Servers) -> Result<()> {
    for (place, key) in marks(checkpoint, servers) {
        servers.connect(&place)?.ask(&[b"UNLINK", &key])?;
    }
    Ok(())
}

fn marks(checkpoint: &Checkpoint, servers: &Servers) -> Vec<(Endpoint, Vec<u8>)> {
    let mark = |slot| format!("ekv-load:{{{}}}:mark:{}", tag(slot), checkpoint.mark()).into_bytes();
    servers.slots().into_iter().map(|(place, slot)| (place, mark(slot))).collect()
}
