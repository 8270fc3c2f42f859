//! `history`.

use ekv_backup::see::{CommitTime, Source, ThingState, Version, VersionState, history};
use ekv_backup::{Class, Error, ReadOptions, format_unix_ms};
use ekv_model::Name;
use serde::Serialize;

use crate::args::HistoryArguments;
use crate::commands::decode::snapshot_options;
use crate::commands::index;
use crate::commands::text;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn run(arguments: &HistoryArguments, output: &mut Output) -> Result<Exit, Error> {
    let name = Name::parse(arguments.address.as_encoded_bytes(), arguments.raw_names);
    let name = name.map_err(|error| Error::new(Class::Environment, error))?;
    let read = ReadOptions { index: index::cache(arguments.cache, output), ..snapshot_options(&arguments.snapshot)? };
    let mut lines = output.lines()?;
    let source = Source::open(&arguments.source, &read, output.screen())?;
    index::tell(&source, arguments.cache, output);
    let (address, is_json) = (name.to_string(), output.is_json());
    let mut has_damage = false;
    let mut take = |version: &Version| {
        has_damage |= matches!(version.state, VersionState::Damaged(_));
        match is_json {
            true => lines.put_json(&Line::of(&address, version)),
            false => lines.put(line(version).as_bytes()),
        }
    };
    let retained = history(&source, &name, &read.resources, &mut take, output.screen())?;
    if !is_json {
        let last = match CommitTime::of(retained.since) {
            None => "nothing was dropped: the store was never compacted".to_owned(),
            Some(since) => format!(
                "retained since {}: of what was overwritten before, the server may have dropped versions",
                since.time
            ),
        };
        lines.put(format!("{last}\n").as_bytes())?;
    }
    lines.finish()?;
    Ok(if has_damage { Exit::Losses } else { Exit::Done })
}

/// A version for people.
fn line(version: &Version) -> String {
    let Version { commit_ts, state, is_staged, group_id } = version;
    let time = CommitTime::of(*commit_ts).map(|commit| commit.time).unwrap_or_default();
    let what = match state {
        VersionState::Deleted => "deleted".to_owned(),
        VersionState::Damaged(why) => format!("damaged   {why}"),
        VersionState::There(state) if text::is_scope(state.kind) => {
            format!("{:<9}", state.kind)
        }
        VersionState::There(ThingState { kind, bytes, elements, expire_at_ms, .. }) => {
            let elements = elements.map(|elements| format!("  {}", text::count(elements, "element", "elements")));
            let expiry = expire_at_ms.map(|at_ms| format!("  expires {}", format_unix_ms(at_ms)));
            format!(
                "{kind:<9} {:>10}{}{}",
                text::bytes(*bytes),
                elements.unwrap_or_default(),
                expiry.unwrap_or_default()
            )
        }
    };
    let staged = if *is_staged { "  staged" } else { "" };
    let group = group_id.map(|id| format!("  group {id}")).unwrap_or_default();
    format!("{time}  hlc:{commit_ts}  {what}{staged}{group}").trim_end().to_owned() + "\n"
}

/// A version in JSON.
#[derive(Serialize)]
struct Line<'a> {
    address: &'a str,
    commit: Option<CommitTime>,
    change: &'static str,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    elements: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expire_at_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    staged: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<u64>,
}

impl<'a> Line<'a> {
    fn of(address: &'a str, version: &'a Version) -> Self {
        let (change, there, why) = match &version.state {
            VersionState::Deleted => ("deleted", None, None),
            VersionState::Damaged(why) => ("damaged", None, Some(why.as_str())),
            VersionState::There(state) => ("written", Some(state), None),
        };
        Line {
            address,
            commit: CommitTime::of(version.commit_ts),
            change,
            kind: there.map(|state| state.kind),
            bytes: there.map(|state| state.bytes),
            elements: there.and_then(|state| state.elements),
            expire_at_ms: there.and_then(|state| state.expire_at_ms),
            why,
            staged: version.is_staged,
            group: version.group_id,
        }
    }
}
