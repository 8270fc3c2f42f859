//! What a backup and buckets of S3 differ in.
//!
//! Source: `docs/format/leave.md`, section 4.

use std::collections::BTreeMap;
use std::sync::Arc;

use ekv_aws::Client;
use ekv_aws::s3;
use ekv_model::s3::{Event, Object};
use ekv_model::{Consumer, Event as AnyEvent, Protocol, Result};
use ekv_spill::Scratch;
use ekv_text::hex::hex;
use sha2::{Digest as _, Sha256};

use super::limits::{self, ETAG_HEADER, METADATA_PREFIX, SENT_HEADERS};
use super::send::sum_of;
use super::verify::Listing;
use super::{address, address_of_bucket};
use crate::leave::aws::{AwsAccess, AwsCompareOptions, AwsCompared, failed, rename};
use crate::leave::destination::AwsService;
use crate::progress::Progress;
use crate::see::{Change, Compared, Difference, Enough, Look, Side, Source};

/// Compares objects by the lists of their buckets: key, length, and entity tag where it is the MD5 of the content on both sides. A deep comparison
/// reads every object back, and compares what describes it, too.
///
/// # Errors
/// As [`crate::leave::compare_with_service`].
pub(in crate::leave) fn compare(
    source: &mut Source,
    access: &AwsAccess,
    options: &AwsCompareOptions,
    take: &mut dyn FnMut(&Difference) -> Result<()>,
    progress: &dyn Progress,
) -> Result<AwsCompared> {
    let connection = access.connect(AwsService::S3)?;
    let scratch: Arc<dyn Scratch> = options.diff.resources.scratch();
    let mut comparing = Comparing {
        client: &connection.client,
        options,
        scratch: &scratch,
        take,
        bucket: String::new(),
        listing: Listing::default(),
        theirs: 0,
        differences: 0,
    };
    let first = source.look(&options.diff.events, &mut comparing, &scratch, progress)?;
    let (differences, theirs) = (comparing.differences, comparing.theirs);
    let compared = Compared { differences, first, second: Look::of_server(theirs), not_compared: Vec::new() };
    let mut notes = Vec::new();
    if !options.is_deep {
        notes.push("compared are keys, lengths and entity tags that are MD5; --deep reads the objects back".to_owned());
    }
    Ok(AwsCompared { compared, target: connection.report, notes })
}

struct Comparing<'c> {
    client: &'c Client,
    options: &'c AwsCompareOptions,
    scratch: &'c Arc<dyn Scratch>,
    take: &'c mut dyn FnMut(&Difference) -> Result<()>,
    /// The bucket at hand, as the target calls it.
    bucket: String,
    listing: Listing,
    /// Objects and buckets on the target.
    theirs: u64,
    differences: u64,
}

fn side(kind: &'static str, bytes: u64, digest: &str) -> Side {
    Side { kind, bytes, elements: None, expire_at_ms: None, digest: digest.to_owned() }
}

impl Comparing<'_> {
    fn tell(&mut self, key: &[u8], change: Change, before: Option<Side>, after: Option<Side>) -> Result<()> {
        self.tell_of(address(&self.bucket, key), change, before, after)
    }

    fn tell_of(&mut self, address: String, change: Change, before: Option<Side>, after: Option<Side>) -> Result<()> {
        let difference = Difference { address, change, scope: address_of_bucket(&self.bucket), before, after };
        self.differences = self.differences.saturating_add(1);
        (self.take)(&difference)?;
        if self.options.diff.first_only { Err(Enough::error()) } else { Ok(()) }
    }

    fn begin(&mut self, bucket: &str) -> Result<()> {
        self.bucket = rename(&self.options.renames, bucket).to_owned();
        self.listing = Listing::default();
        if !limits::is_bucket_name(&self.bucket) || !s3::has_bucket(self.client, &self.bucket).map_err(failed)? {
            return self.tell_of(address_of_bucket(&self.bucket), Change::Removed, Some(side("bucket", 0, "")), None);
        }
        self.theirs = self.theirs.saturating_add(1);
        let selected = self.options.diff.events.scope.keys_in(Protocol::S3, bucket.as_bytes());
        let mut is_selected = |key: &str| selected.contains(key.as_bytes());
        self.listing = Listing::of(self.client, &self.bucket, self.scratch, &mut is_selected)?;
        Ok(())
    }

    /// Tells what the target has before `key`, or behind everything.
    fn pass(&mut self, key: Option<&[u8]>) -> Result<()> {
        while let Some(object) = self.listing.object.take_if(|object| key.is_none_or(|key| object.key.as_bytes() < key))
        {
            self.theirs = self.theirs.saturating_add(1);
            let after = side("object", object.len, &object.etag);
            self.tell(object.key.as_bytes(), Change::Added, None, Some(after))?;
            self.listing.advance()?;
        }
        Ok(())
    }

    fn object(&mut self, object: &Object<'_>) -> Result<()> {
        self.pass(Some(object.key))?;
        let before = side("object", object.body.len(), object.etag);
        let Some(theirs) = self.listing.object.take_if(|theirs| theirs.key.as_bytes() == object.key) else {
            return self.tell(object.key, Change::Removed, Some(before), None);
        };
        self.theirs = self.theirs.saturating_add(1);
        self.listing.advance()?;
        let after = side("object", theirs.len, &theirs.etag);
        let is_tag_told = limits::is_md5(object.etag) && limits::is_md5(&theirs.etag);
        let is_same = theirs.len == object.body.len()
            && (self.options.is_deep || !is_tag_told || theirs.etag.eq_ignore_ascii_case(object.etag));
        if !is_same {
            return self.tell(object.key, Change::Value, Some(before), Some(after));
        }
        match self.options.is_deep {
            true => self.read_back(object, &theirs.key, before, after),
            false => Ok(()),
        }
    }

    fn read_back(&mut self, object: &Object<'_>, key: &str, before: Side, after: Side) -> Result<()> {
        let Some(there) = s3::head_object(self.client, &self.bucket, key).map_err(failed)? else {
            return self.tell(object.key, Change::Removed, Some(before), None);
        };
        let mut sum = Sha256::new();
        object.body.for_each_chunk(|chunk| {
            sum.update(chunk);
            Ok(())
        })?;
        let sum: [u8; 32] = sum.finalize().into();
        let len = object.body.len();
        let theirs = match len {
            0 => Some(sum),
            _ => sum_of(self.client, &self.bucket, key, 0..len, &there.etag).map_err(failed)?,
        };
        let digest =
            |side: Side, sum: Option<[u8; 32]>| Side { digest: sum.map(|sum| hex(&sum)).unwrap_or_default(), ..side };
        let (before, after) = (digest(before, Some(sum)), digest(after, theirs));
        if theirs != Some(sum) {
            return self.tell(object.key, Change::Value, Some(before), Some(after));
        }
        match limits::headers(object, false).is_ok_and(|headers| is_described_by(headers, &there.headers)) {
            true => Ok(()),
            false => self.tell(object.key, Change::Metadata, Some(before), Some(after)),
        }
    }
}

/// Whether an object there is described as it is here. A type that nobody gave the service makes up.
fn is_described_by(ours: Vec<(String, String)>, theirs: &[(String, String)]) -> bool {
    let ours: BTreeMap<String, String> = ours.into_iter().collect();
    let is_told = |name: &str| {
        name != ETAG_HEADER
            && (name.starts_with(METADATA_PREFIX) || SENT_HEADERS.contains(&name))
            && (name != "content-type" || ours.contains_key(name))
    };
    let theirs: BTreeMap<&String, &String> =
        theirs.iter().filter(|(name, _)| is_told(name)).map(|(name, value)| (name, value)).collect();
    ours.iter().eq(theirs)
}

impl Consumer for Comparing<'_> {
    fn event(&mut self, event: AnyEvent<'_>) -> Result<()> {
        match event {
            AnyEvent::S3(Event::Begin(bucket)) => self.begin(bucket.name),
            AnyEvent::S3(Event::Object(object)) => self.object(&object),
            AnyEvent::S3(Event::End) => self.pass(None),
            _ => Ok(()),
        }
    }
}
