//! `load` and `compare` with DynamoDB, S3 and SQS.

use std::collections::BTreeMap;

use ekv_backup::leave::{
    AwsAccess, AwsCompareOptions, AwsLoadOptions, AwsLoadReport, AwsService, InDoubt, Verify, compare_with_service,
    load_into_service,
};
use ekv_backup::see::{DiffOptions, Difference, Source};
use ekv_backup::{Class, Error, EventOptions};

use crate::args::{CompareArguments, LoadArguments};
use crate::commands::decode::read_options;
use crate::commands::diff::{Sums, Teller, end};
use crate::commands::load::{reasons, seed};
use crate::commands::text;
use crate::exit::Exit;
use crate::output::{Output, Page, first_of};

/// What is read back unless the user says otherwise.
fn usually_verified(service: AwsService) -> Verify {
    match service {
        AwsService::DynamoDb => Verify::Sample(1000),
        AwsService::S3 => Verify::List,
        // The service counts approximately, and each answer holds a checksum.
        AwsService::Sqs => Verify::None,
    }
}

pub(crate) fn load(arguments: &LoadArguments, service: AwsService, output: &mut Output) -> Result<Exit, Error> {
    let adapters = [service.protocol()];
    let read = read_options(&arguments.read)?;
    let scope = arguments.scope.scope(&adapters, &arguments.source, read.allow_empty)?;
    let options = AwsLoadOptions {
        events: EventOptions { scope: arguments.first.of(scope), ..EventOptions::of(adapters) },
        on_exists: arguments.on_exists.into(),
        renames: renames(&arguments.rename)?,
        has_preflight: !arguments.no_preflight,
        is_dry_run: arguments.dry_run,
        is_strict: arguments.strict,
        verify: arguments.verify.unwrap_or_else(|| usually_verified(service)),
        allow_empty: read.allow_empty,
        resources: read.resources.clone(),
        resume: arguments.resume.clone(),
        seed: seed(),
        capacity: arguments.capacity,
        creates: !arguments.no_create,
        keeps_etag: arguments.etag_metadata,
        in_doubt: arguments.in_doubt.map_or(InDoubt::Stop, InDoubt::from),
    };
    let access = AwsAccess { rate: arguments.rate, ..arguments.aws.access() };
    let mut source = Source::open(&arguments.source, &read, output.screen())?;
    let report = load_into_service(&mut source, service, &access, &options, output.screen())?;
    tell(&report, service, output);
    let exit = if report.is_whole() { Exit::Done } else { Exit::Losses };
    output.result(exit, &report, |out| show(&report, service, out));
    Ok(exit)
}

fn renames(pairs: &[(String, String)]) -> Result<BTreeMap<String, String>, Error> {
    let mut renames = BTreeMap::new();
    for (old, new) in pairs {
        if renames.insert(old.clone(), new.clone()).is_some() {
            return Err(Error::new(Class::Environment, format!("--rename {old}=… is given twice")));
        }
    }
    Ok(renames)
}

/// What must not be overlooked.
fn tell(report: &AwsLoadReport, service: AwsService, output: &Output) {
    let (one, several) = service.things();
    for filter in &report.unmatched {
        output.warning(format_args!("nothing matches {filter}"));
    }
    if report.source_losses > 0 {
        let what = text::count(report.source_losses, "thing", "things");
        output.loss_of_report(format_args!("{what} cannot be read, or were lost before; they are not on the target"));
        first_of(&report.source_lost, report.source_losses, "ls and verify tell more", |line| output.warning(line));
    }
    if let Some(things) = report.resumed_after {
        output.note(format_args!("went on behind {} that the run before had done", text::count(things, one, several)));
    }
    for note in &report.notes {
        output.note(note);
    }
    if report.scopes_failed > 0 {
        let protocol = service.protocol();
        let what = text::count(report.scopes_failed, protocol.scope_word(), protocol.scopes_word());
        output.loss_of_report(format_args!("{what} cannot be made on the target, nor can what is in them"));
    }
    if report.counts.failed > 0 {
        output.loss_of_report(format_args!("{} could not be loaded", text::count(report.counts.failed, one, several)));
    }
    if let Some(verified) = report.verified.as_ref().filter(|verified| verified.different > 0) {
        let what = text::count(verified.different, one, several);
        output
            .problem(format_args!("{what} of those that were read back are different: {}", verified.first.join(", ")));
    }
}

fn show(report: &AwsLoadReport, service: AwsService, out: &mut Page) {
    let things = service.things();
    let count = |number| text::count(number, things.0, things.1);
    let AwsLoadReport { target, counts, scopes, .. } = report;
    let protocol = service.protocol();
    let scope_count = text::count(report.scope_count, protocol.scope_word(), protocol.scopes_word());
    let place = format!("{} at {} ({})", target.service, target.endpoint, target.region);
    match report.survey.as_ref().filter(|_| report.dry_run) {
        Some(survey) => {
            let (fitting, bytes) = (count(survey.fitting), text::bytes(survey.bytes));
            let _ = writeln!(out, "Would load {fitting}, {bytes}, of {scope_count} into {place}");
        }
        None => {
            let bytes = counts.kinds.iter().fold(0_u64, |sum, kind| sum.saturating_add(kind.bytes));
            let (loaded, bytes) = (count(counts.loaded), text::bytes(bytes));
            let _ = writeln!(out, "Loaded {loaded}, {bytes}, of {scope_count} into {place}");
        }
    }
    for scope in scopes {
        let name = if scope.name == scope.target { String::new() } else { format!(" as {}", scope.target) };
        let is_new = if scope.is_new { ", new" } else { ", was there" };
        let _ = writeln!(out, "  {}{name}: {}{is_new}", scope.name, count(scope.things));
    }
    if let Some(survey) = report.survey.as_ref().filter(|_| report.dry_run) {
        for changed in &survey.changed {
            let _ = writeln!(out, "  changed: {}: {}", count(changed.count), changed.why);
        }
        reasons(&survey.refused, things, out);
        return;
    }
    let _ = writeln!(
        out,
        "  of {}: {} existed and stay as they were, {} lost; {}",
        count(counts.sent),
        counts.existed,
        counts.failed,
        text::count(report.requests, "request", "requests")
    );
    if let Some(verified) = &report.verified {
        let same = verified.count.saturating_sub(verified.different);
        let _ = writeln!(out, "  read back {}: {same} equal, {} different", count(verified.count), verified.different);
    }
    reasons(&counts.reasons, things, out);
}

pub(crate) fn compare(arguments: &CompareArguments, service: AwsService, output: &mut Output) -> Result<Exit, Error> {
    let adapters = [service.protocol()];
    let read = read_options(&arguments.read)?;
    let scope = arguments.scope.scope(&adapters, &arguments.source, read.allow_empty)?;
    let renames = renames(&arguments.rename)?;
    let diff = DiffOptions {
        events: EventOptions { scope, ..EventOptions::of(adapters) },
        strict_sqs: false,
        first_only: output.is_quiet(),
        resources: read.resources.clone(),
    };
    let options = AwsCompareOptions { diff, renames, is_deep: arguments.deep };
    let mut lines = output.lines()?;
    let mut source = Source::open(&arguments.source, &read, output.screen())?;
    if let Some(selection) = source.selection() {
        output
            .warning(format_args!("SOURCE is a part, selected by {selection}: what is not in it counts as not there"));
    }
    let mut teller = Teller::new(arguments.stat, output);
    let mut all = Sums::default();
    let mut take = |difference: &Difference| {
        all.add(difference);
        teller.take(difference, &mut lines)
    };
    let access = arguments.aws.access();
    let compared = compare_with_service(&mut source, service, &access, &options, &mut take, output.screen())?;
    teller.finish(&all, &mut lines)?;
    lines.finish()?;
    for note in &compared.notes {
        output.note(note);
    }
    end(&compared.compared, &options.diff, read.allow_empty, output)
}
