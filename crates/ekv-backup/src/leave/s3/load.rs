//! Objects into buckets of S3.
//!
//! Source: `docs/format/leave.md`, section 4.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ekv_aws::s3::{self, Attributes, Part};
use ekv_aws::{Client, Error as AwsError, FaultKind};
use ekv_model::s3::{Bucket, Event, Object};
use ekv_model::{Body, Class, Consumer, Error, Event as AnyEvent, Kind, Result};
use ekv_spill::{Scratch, Sorter};

use super::address;
use super::buckets::{OpenBucket, open_bucket, probe};
use super::limits::{self, Unfit};
use super::parts::{ONE_PUT_LEN_MAX, part_len};
use super::send::{Upload, Whole, Written, write_whole};
use super::survey::Surveyor;
use super::verify::list;
use crate::leave::aws::{
    AwsAccess, AwsLoadOptions, AwsLoadReport, AwsOnExists, LoadedScope, Run, Scopes, Settling, Verify, Window, failed,
    stopped_by_service, with_window,
};
use crate::leave::checkpoint::{Done, ThingOutcome};
use crate::leave::destination::AwsService;
use crate::leave::ledger::Verified;
use crate::losses::scratch_error;
use crate::progress::Progress;
use crate::see::Source;

/// Memory for putting the keys of a bucket in order that were sent, in bytes.
const SORT_BUDGET: usize = 8 << 20;

/// Writes objects and their buckets. What is under way has at most 64 MiB.
///
/// # Errors
/// As [`crate::leave::load_into_service`].
pub(in crate::leave) fn load(
    source: &mut Source,
    access: &AwsAccess,
    options: &AwsLoadOptions,
    progress: &dyn Progress,
) -> Result<AwsLoadReport> {
    let usage = |text| Err(Error::new(Class::Environment, text));
    match (options.on_exists, options.verify) {
        (AwsOnExists::Append, _) => return usage("--on-exists append is for queues: an object is there or not"),
        (_, Verify::None | Verify::List) => {}
        _ => return usage("--verify for s3: none or list; compare --deep reads back everything"),
    }
    let connection = access.connect(AwsService::S3)?;
    let client = &connection.client;
    let scratch = options.resources.scratch();
    let mut run = Run::new(AwsService::S3, &connection, options, progress);
    if run.has_preflight() || !options.renames.is_empty() {
        let mut surveyor = Surveyor::new(&options.renames, options.keeps_etag);
        let look = source.look(&options.events, &mut surveyor, &scratch, progress)?;
        let (survey, scopes) = surveyor.finish();
        run.surveyed(look, survey)?;
        (run.report.scopes, run.report.scope_count) = scopes.finish();
        for scope in run.report.scopes.iter_mut().filter(|scope| limits::is_bucket_name(&scope.target)) {
            scope.is_new = !s3::has_bucket(client, &scope.target).map_err(failed)?;
        }
    }
    if options.is_dry_run {
        return Ok(run.report);
    }
    let mut checkpoint = run.open_checkpoint(source)?;
    let mut mark = format!("{:012x}", options.seed & 0xffff_ffff_ffff);
    if let Some(checkpoint) = &mut checkpoint {
        mark = checkpoint.mark().to_owned();
        for (id, (bucket, key)) in checkpoint.uploads().clone() {
            s3::abort_upload(client, &bucket, &key, &id).map_err(failed)?;
            checkpoint.end_upload(&id);
        }
    }
    run.begin(checkpoint)?;
    let poll = || Ok(progress.advance(0)?);
    let (poured, sent, verified, warnings, scopes) = with_window(
        connection.connections,
        &poll,
        |job| work(client, job),
        |window| {
            let mut loading = Loading {
                client,
                run: &run,
                window,
                books: Books { run: &run, client, sent: keys_of_bucket(&scratch), parts: Vec::new() },
                scratch: &scratch,
                number: 0,
                mark: &mark,
                bucket: None,
                verified: (options.verify == Verify::List).then(Verified::default),
                warnings: Vec::new(),
                scopes: Scopes::default(),
                is_probed: options.on_exists == AwsOnExists::Replace,
            };
            let poured = source.look(&options.events, &mut loading, &scratch, &Settling(progress));
            let poured = poured.and_then(|look| loading.settle().map(|()| look));
            if poured.is_err() {
                connection.stop.now();
                loading.wind_up();
            }
            (poured, loading.number, loading.verified, loading.warnings, loading.scopes)
        },
    );
    run.close(poured, sent, client.sent.load(Ordering::Relaxed))?;
    run.report.verified = verified;
    run.report.notes.extend(warnings);
    (run.report.scopes, run.report.scope_count) = scopes.finish();
    Ok(run.report)
}

/// What a thread does.
enum Job {
    /// Writes an object.
    Whole(Box<Whole>),
    /// Sends a part of an object.
    Part(Arc<Upload>, u32, Vec<u8>),
}

/// What came of it.
enum Ended {
    /// Of an object; its content is gone.
    Whole(Box<Whole>, Result<Written, AwsError>),
    /// Of a part.
    Part(Result<(Part, [u8; 32]), AwsError>),
}

fn work(client: &Client, job: Job) -> Ended {
    match job {
        Job::Whole(mut whole) => {
            let written = write_whole(client, &whole);
            whole.content = Vec::new();
            Ended::Whole(whole, written)
        }
        Job::Part(upload, number, content) => Ended::Part(upload.send_part(client, number, &content)),
    }
}

fn keys_of_bucket(scratch: &Arc<dyn Scratch>) -> Sorter {
    Sorter::new(Arc::clone(scratch), SORT_BUDGET)
}

/// What becomes of objects.
struct Books<'l> {
    run: &'l Run<'l>,
    client: &'l Client,
    /// Keys of the bucket that its list must show, with their lengths if they were written just now.
    sent: Sorter,
    /// Parts of the upload at hand.
    parts: Vec<(Part, [u8; 32])>,
}

impl Books<'_> {
    fn take(&mut self, ended: Ended) -> Result<()> {
        match ended {
            Ended::Part(sent) => {
                self.parts.push(sent.map_err(stopped_by_service)?);
                Ok(())
            }
            Ended::Whole(whole, written) => {
                let Whole { number, bucket, key, len, .. } = *whole;
                self.written(number, &bucket, &key, len, written)
            }
        }
    }

    fn written(
        &mut self,
        number: u64,
        bucket: &str,
        key: &str,
        len: u64,
        written: Result<Written, AwsError>,
    ) -> Result<()> {
        let fate = match written {
            Ok(Written::New) => ThingOutcome::Loaded,
            Ok(Written::Existed) if self.run.options.on_exists == AwsOnExists::Fail => {
                return Err(exists_error(bucket, key));
            }
            Ok(Written::Existed) => ThingOutcome::Existed,
            Err(error) => match error.fault() {
                Some(fault) if fault.kind() == FaultKind::Refused => {
                    let why = format!("the service refuses it: {fault}");
                    self.run.note_failure(&why, || address(bucket, key.as_bytes()));
                    ThingOutcome::Failed
                }
                _ => return Err(stopped_by_service(error)),
            },
        };
        if fate != ThingOutcome::Failed {
            let len = (fate == ThingOutcome::Loaded).then_some(len);
            self.must_be_listed(key, len)?;
        }
        self.done(number, fate, len)
    }

    fn must_be_listed(&mut self, key: &str, len: Option<u64>) -> Result<()> {
        let len = len.map(u64::to_be_bytes);
        self.sent.push(key.as_bytes(), len.as_ref().map_or(&[], |len| len)).map_err(scratch_error)
    }

    fn done(&self, number: u64, fate: ThingOutcome, bytes: u64) -> Result<()> {
        self.run.done(number, Done { fate, kind: Kind::Object, elements: 0, bytes }, self.client.clock.elapsed())
    }
}

/// Makes objects of events and sends them.
struct Loading<'l, 'w> {
    client: &'l Client,
    run: &'l Run<'l>,
    window: &'l mut Window<'w, Job, Ended>,
    books: Books<'l>,
    scratch: &'l Arc<dyn Scratch>,
    /// Objects so far.
    number: u64,
    /// Names this load.
    mark: &'l str,
    bucket: Option<OpenBucket>,
    /// What the service's lists show of what was sent.
    verified: Option<Verified>,
    warnings: Vec<String>,
    scopes: Scopes,
    /// Whether the service was seen to keep what is there where it is told to.
    is_probed: bool,
}

impl Loading<'_, '_> {
    /// Waits until nothing is under way.
    fn settle(&mut self) -> Result<()> {
        self.window.settle(&mut |ended| self.books.take(ended))
    }

    /// The same, of a run that has failed.
    fn wind_up(&mut self) {
        self.window.wind_up(&mut |ended| self.books.take(ended));
    }

    fn begin(&mut self, bucket: &Bucket<'_>) -> Result<()> {
        self.settle()?;
        let mut ledger = self.run.ledger.borrow_mut();
        let opened = open_bucket(self.client, bucket, self.run.options, ledger.checkpoint.as_mut())?;
        drop(ledger);
        self.warnings.extend(opened.warning.clone());
        if opened.is_fit && !self.is_probed {
            probe(self.client, &opened.name, self.mark)?;
            self.is_probed = true;
        }
        let (name, target) = (bucket.name.to_owned(), opened.name.clone());
        self.scopes.begin(LoadedScope { name, target, is_new: opened.is_new, things: 0 });
        self.bucket = Some(opened);
        Ok(())
    }

    fn object(&mut self, object: &Object<'_>) -> Result<()> {
        let number = self.number;
        self.number = number.saturating_add(1);
        self.scopes.add_thing();
        let Some(OpenBucket { name, is_fit, .. }) = &self.bucket else { return Ok(()) };
        let (bucket, len, options) = (name.clone(), object.body.len(), self.run.options);
        let fit = if *is_fit { limits::key(object) } else { Err(Unfit::Bucket) };
        let fit = fit.and_then(|key| Ok((key, limits::headers(object, options.keeps_etag)?)));
        if number < self.run.position {
            return fit.map_or(Ok(()), |(key, _)| self.books.must_be_listed(key, None));
        }
        let (key, headers) = match fit {
            Ok(fit) => fit,
            Err(unfit) => {
                self.run.note_failure(unfit.why(), || address(&bucket, object.key));
                return self.books.done(number, ThingOutcome::Failed, len);
            }
        };
        let attributes = Attributes { headers, must_be_new: options.on_exists != AwsOnExists::Replace };
        let key = key.to_owned();
        if len > ONE_PUT_LEN_MAX {
            return self.in_parts(number, bucket, key, &attributes, object.body);
        }
        self.window.make_room(len, &mut |ended| self.books.take(ended))?;
        let mut content = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
        object.body.for_each_chunk(|chunk| {
            content.extend_from_slice(chunk);
            Ok(())
        })?;
        let is_in_doubt = self.run.is_in_doubt;
        let whole = Box::new(Whole { number, bucket, key, attributes, len, content, is_in_doubt });
        self.window.push(Job::Whole(whole), len, &mut |ended| self.books.take(ended))
    }

    /// Sends an object in parts, each of which is read once.
    fn in_parts(
        &mut self,
        number: u64,
        bucket: String,
        key: String,
        attributes: &Attributes,
        body: Body<'_>,
    ) -> Result<()> {
        self.settle()?;
        let (len, is_in_doubt, must_be_new) = (body.len(), self.run.is_in_doubt, attributes.must_be_new);
        // Otherwise it would come out when everything has been sent.
        if must_be_new && !is_in_doubt {
            match s3::head_object(self.client, &bucket, &key) {
                Ok(None) => {}
                Ok(Some(_)) => return self.books.written(number, &bucket, &key, len, Ok(Written::Existed)),
                Err(error) => return self.books.written(number, &bucket, &key, len, Err(error)),
            }
        }
        let id = match s3::create_upload(self.client, &bucket, &key, attributes) {
            Ok(id) => id,
            Err(error) => return self.books.written(number, &bucket, &key, len, Err(error)),
        };
        let upload = Arc::new(Upload { bucket, key, id, len, part_len: part_len(len), must_be_new, is_in_doubt });
        self.note_upload(&upload, true)?;
        self.books.parts.clear();
        if let Err(error) = self.send_parts(&upload, body) {
            // What is still under way would come after it.
            self.wind_up();
            return Err(error.after_cleaning_up(upload.abort(self.client).map_err(stopped_by_service)));
        }
        self.books.parts.sort_by_key(|(part, _)| part.number);
        let written = upload.complete(self.client, &self.books.parts);
        self.note_upload(&upload, false)?;
        self.books.written(number, &upload.bucket, &upload.key, len, written)
    }

    /// Writes down that an upload begins, before its first part is sent, or that it is no more.
    fn note_upload(&self, upload: &Upload, is_under_way: bool) -> Result<()> {
        let mut ledger = self.run.ledger.borrow_mut();
        let Some(checkpoint) = &mut ledger.checkpoint else { return Ok(()) };
        if is_under_way {
            checkpoint.begin_upload(upload.id.clone(), upload.bucket.clone(), upload.key.clone());
            return checkpoint.write();
        }
        checkpoint.end_upload(&upload.id);
        Ok(())
    }

    fn send_parts(&mut self, upload: &Arc<Upload>, body: Body<'_>) -> Result<()> {
        let (mut number, mut rest) = (1_u32, upload.len);
        let mut part: Vec<u8> = Vec::new();
        body.for_each_chunk(|mut chunk| {
            while !chunk.is_empty() {
                let bytes = rest.min(upload.part_len);
                let wanted = usize::try_from(bytes).unwrap_or(usize::MAX);
                if part.is_empty() {
                    self.window.make_room(bytes, &mut |ended| self.books.take(ended))?;
                    part.reserve_exact(wanted);
                }
                let (piece, later) = chunk.split_at(chunk.len().min(wanted.saturating_sub(part.len())));
                part.extend_from_slice(piece);
                chunk = later;
                if part.len() >= wanted {
                    let job = Job::Part(Arc::clone(upload), number, std::mem::take(&mut part));
                    self.window.push(job, bytes, &mut |ended| self.books.take(ended))?;
                    (number, rest) = (number.saturating_add(1), rest.saturating_sub(bytes));
                }
            }
            Ok(())
        })?;
        self.settle()
    }

    /// The bucket is done: its list must show what was sent.
    fn end(&mut self) -> Result<()> {
        self.settle()?;
        let sent = std::mem::replace(&mut self.books.sent, keys_of_bucket(self.scratch));
        match (self.bucket.take().filter(|bucket| bucket.is_fit), &mut self.verified) {
            (Some(bucket), Some(verified)) => list(self.client, &bucket, sent, self.scratch, verified),
            _ => Ok(()),
        }
    }
}

impl Consumer for Loading<'_, '_> {
    fn event(&mut self, event: AnyEvent<'_>) -> Result<()> {
        match event {
            AnyEvent::S3(Event::Begin(bucket)) => self.begin(&bucket),
            AnyEvent::S3(Event::Object(object)) => self.object(&object),
            AnyEvent::S3(Event::End) => self.end(),
            _ => Ok(()),
        }
    }
}

fn exists_error(bucket: &str, key: &str) -> Error {
    let text = format!(
        "{}: the target has this object already, and keeps what it has; --on-exists skip leaves such objects out, --on-exists replace replaces \
         them",
        address(bucket, key.as_bytes())
    );
    Error::new(Class::Environment, text)
}
