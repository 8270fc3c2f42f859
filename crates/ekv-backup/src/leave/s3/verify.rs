//! Whether a bucket shows what was sent.

use std::cmp::Ordering;
use std::sync::Arc;

use ekv_aws::Client;
use ekv_aws::s3;
use ekv_model::{Class, Error, Result};
use ekv_spill::{Scratch, Sorted, Sorter};

use super::address;
use super::buckets::OpenBucket;
use crate::leave::aws::stopped_by_service;
use crate::leave::ledger::Verified;
use crate::losses::{garbled_row, scratch_error};

/// Memory for putting a list in order, in bytes: not every server lists in the order of the keys' bytes.
const SORT_BUDGET: usize = 8 << 20;

/// An object in a list.
pub(crate) struct Listed {
    pub(crate) key: String,
    /// Length in bytes.
    pub(crate) len: u64,
    /// Entity tag, without quotes.
    pub(crate) etag: String,
}

/// A list of a bucket, in the order of the keys' bytes.
#[derive(Default)]
pub(crate) struct Listing {
    sorted: Option<Sorted>,
    /// The object at hand.
    pub(crate) object: Option<Listed>,
}

impl Listing {
    /// Asks for all objects whose keys `is_wanted` accepts.
    ///
    /// # Errors
    /// Of the service, and of scratch files.
    pub(crate) fn of(
        client: &Client,
        bucket: &str,
        scratch: &Arc<dyn Scratch>,
        is_wanted: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Listing> {
        let mut rows = Sorter::new(Arc::clone(scratch), SORT_BUDGET);
        let mut next: Option<String> = None;
        loop {
            let page = s3::list(client, bucket, "", next.as_deref()).map_err(stopped_by_service)?;
            for s3::Listed { key, len, etag, .. } in page.objects.into_iter().filter(|object| is_wanted(&object.key)) {
                let row = [&len.to_be_bytes()[..], etag.as_bytes()].concat();
                rows.push(key.as_bytes(), &row).map_err(scratch_error)?;
            }
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        let mut listing = Listing { sorted: Some(rows.finish().map_err(scratch_error)?), object: None };
        listing.advance()?;
        Ok(listing)
    }

    /// Goes on to the next object.
    ///
    /// # Errors
    /// Of scratch files.
    pub(crate) fn advance(&mut self) -> Result<()> {
        let next = self.sorted.as_mut().map_or(Ok(None), Sorted::next).map_err(scratch_error)?;
        self.object = match next {
            None => None,
            Some((key, row)) => {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| garbled_row());
                let (len, etag) = row.split_first_chunk().ok_or_else(garbled_row)?;
                Some(Listed { key: text(key)?, len: u64::from_be_bytes(*len), etag: text(etag)? })
            }
        };
        Ok(())
    }
}

/// Compares the list of a bucket with what was `sent`: a key, and its length as eight bytes where it was written just now.
///
/// # Errors
/// A bucket of this load shows a key that was not sent; those of the service and of scratch files.
pub(crate) fn list(
    client: &Client,
    bucket: &OpenBucket,
    sent: Sorter,
    scratch: &Arc<dyn Scratch>,
    verified: &mut Verified,
) -> Result<()> {
    let mut sent = sent.finish().map_err(scratch_error)?;
    let mut listing = Listing::of(client, &bucket.name, scratch, &mut |_| true)?;
    loop {
        let ours = sent.next().map_err(scratch_error)?.map(|(key, len)| (key.to_vec(), len.to_vec()));
        // What comes before it was not sent.
        while let Some(theirs) = &listing.object
            && ours.as_ref().is_none_or(|(key, _)| theirs.key.as_bytes() < key.as_slice())
        {
            if bucket.is_own {
                let text = format!(
                    "{} is there, and was not sent: this server gives objects other keys than they were sent with, or something else writes \
                     into the bucket",
                    address(&bucket.name, theirs.key.as_bytes())
                );
                return Err(Error::new(Class::WriteIo, text));
            }
            listing.advance()?;
        }
        let Some((key, len)) = ours else { return Ok(()) };
        verified.count = verified.count.saturating_add(1);
        let theirs = listing.object.as_ref().filter(|theirs| theirs.key.as_bytes().cmp(&key) == Ordering::Equal);
        let is_fine = theirs.is_some_and(|theirs| len.is_empty() || theirs.len.to_be_bytes() == *len);
        if !is_fine {
            verified.differs(|| address(&bucket.name, &key));
        }
        if theirs.is_some() {
            listing.advance()?;
        }
    }
}
