//! What is selected of a store or a dump. Source: `docs/format/tree.md`, section 17.
//!
//! A [`Scope`] is made of filters. Filters of different kinds must all be met, of several of the same kind one. Whoever reads asks it from
//! the outside in: [`Scope::includes`] a protocol, [`Scope::includes_kind`], then [`Scope::keys_in`] a table, bucket, queue or database,
//! which says what to read there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::address::{Byte, EMPTY, Part, bytes_of, part_of, plain, shown};
use crate::dynamodb::{ItemKey, KeyForms, KeyType, KeyValue, Number};
use crate::step::ThingKey;
use crate::{Glob, Kind, Name, Protocol, TextError};

/// Stands for a slash inside a key part of an item, since a slash ends the part. No UTF-8 text has this byte.
const INNER_SLASH: u8 = 0xff;
/// In front of a number in the names that are looked for, so that a text of the same digits is another name.
const NUMBER_MARK: u8 = 0xfe;

/// Most names that a scope takes.
const NAMES_MAX: usize = 1_000_000;
/// Most bytes in these names.
const NAMES_LEN_MAX: usize = 64 << 20;

/// Names in one scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Picks {
    is_whole: bool,
    keys: BTreeSet<Box<[u8]>>,
}

/// Names of one protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Listed {
    is_whole: bool,
    scopes: BTreeMap<Vec<u8>, Picks>,
    /// Things in any scope, where scopes are numbers.
    anywhere: BTreeSet<Box<[u8]>>,
}

/// A prefix or glob, in the two forms in which names are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    glob: Glob,
    /// With [`INNER_SLASH`] for escaped slashes.
    item_glob: Glob,
}

impl Pattern {
    /// A glob, or with `is_prefix` a text of which every byte stands for itself and anything may follow.
    fn of(text: &[u8], is_raw: bool, is_prefix: bool) -> Result<Self, TextError> {
        let bytes = bytes_of(text, is_raw)?;
        let glob = |byte_of: fn(Byte) -> u8| {
            let own = bytes.iter().map(|byte| Byte { byte: byte_of(*byte), is_escaped: byte.is_escaped || is_prefix });
            let rest = is_prefix.then_some(Byte { byte: b'*', is_escaped: false });
            Glob::of(&own.chain(rest).collect::<Vec<_>>())
        };
        Ok(Pattern { glob: glob(|byte| byte.byte), item_glob: glob(item_byte) })
    }

    fn glob(&self, protocol: Protocol) -> &Glob {
        if protocol.name_parts_max() > 1 { &self.item_glob } else { &self.glob }
    }
}

/// A byte of a text as it stands in the names of items.
fn item_byte(byte: Byte) -> u8 {
    match byte.byte {
        b'/' if byte.is_escaped => INNER_SLASH,
        INNER_SLASH => NUMBER_MARK,
        byte => byte,
    }
}

/// What is selected. The default is everything.
///
/// ```
/// use ekv_model::{Kind, Protocol, Scope};
/// let mut scope = Scope::everything();
/// scope.add_prefix(b"photos/2026/", false)?;
/// assert!(scope.keys_in(Protocol::S3, b"photos").contains(b"2026/a.jpg"));
/// assert!(scope.keys_in(Protocol::S3, b"other").is_nothing());
/// # Ok::<(), ekv_model::TextError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    kinds: Option<BTreeSet<Kind>>,
    scopes: Option<BTreeSet<(Protocol, Vec<u8>)>>,
    names: Option<BTreeMap<Protocol, Listed>>,
    prefixes: Vec<Pattern>,
    globs: Vec<Pattern>,
    excluded: Vec<Pattern>,
    /// The filters as they were given: name of the option and text.
    given: Vec<(&'static str, String)>,
    names_count: usize,
    names_len: usize,
    /// What of `given` is told of names that are many.
    names_told: usize,
    pending: Pending,
    /// The first escape of a letter or digit.
    needless_escape: Option<u8>,
    limits: Limits,
}

/// Length from which on filters are only counted, in bytes: it must fit into an info file.
const DESCRIPTION_LEN_MAX: usize = 16 << 10;

/// Names that are told one by one; of more their number is told.
const NAMES_TOLD_MAX: usize = 16;

impl Scope {
    /// A scope that holds everything.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Whether nothing is left out.
    pub fn is_everything(&self) -> bool {
        !self.is_narrowed()
    }

    /// Whether there is any filter.
    pub fn is_narrowed(&self) -> bool {
        let Scope { kinds, scopes, names, prefixes, globs, excluded, .. } = self;
        let has_patterns = [prefixes, globs, excluded].into_iter().any(|patterns| !patterns.is_empty());
        kinds.is_some() || scopes.is_some() || names.is_some() || has_patterns || self.limits.is_any()
    }

    /// Whether there is a filter that only [`Filtered`] applies: by size, expiry or time, or by number.
    pub fn has_limits(&self) -> bool {
        self.limits.is_any()
    }

    /// Whether every thing must tell at its beginning how large it is and when it was changed.
    pub fn looks_ahead(&self) -> bool {
        self.limits.looks_ahead()
    }

    /// Whether it is asked for Redis keys that may have expired.
    pub fn is_about_expired(&self) -> bool {
        self.limits.is_expired || self.limits.expires_before_ms.is_some()
    }

    /// Whether it is asked when things were changed, which a dump does not say.
    pub fn is_about_changes(&self) -> bool {
        self.limits.is_about_changes()
    }

    /// Whether an object that is selected by its name is also within the limits of size and time; `commit_ts` is 0 if it is unknown.
    pub fn admits_object(&self, bytes: u64, commit_ts: u64) -> bool {
        self.limits.admit(&Traits::whole(bytes, commit_ts), 0)
    }

    /// Takes things with more than so many bytes of payload.
    pub fn add_larger_than(&mut self, bytes: u64) {
        wider(&mut self.limits.larger_than, bytes, u64::min);
        self.given.push(("larger-than", bytes.to_string()));
    }

    /// Takes things with fewer than so many bytes of payload.
    pub fn add_smaller_than(&mut self, bytes: u64) {
        wider(&mut self.limits.smaller_than, bytes, u64::max);
        self.given.push(("smaller-than", bytes.to_string()));
    }

    /// Takes Redis collections with more than so many elements.
    pub fn add_more_than(&mut self, elements: u64) {
        wider(&mut self.limits.more_than, elements, u64::min);
        self.given.push(("more-than", elements.to_string()));
    }

    /// Takes things without expiry.
    pub fn only_without_expiry(&mut self) {
        self.limits.is_without_expiry = true;
        self.given.push(("no-expiry", String::new()));
    }

    /// Takes Redis keys that had expired at the moment that is read.
    pub fn only_expired(&mut self) {
        self.limits.is_expired = true;
        self.given.push(("only-expired", String::new()));
    }

    /// Takes Redis keys that expire at this moment or before, in Unix milliseconds; `text` says it to people.
    pub fn add_expires_before(&mut self, at_ms: u64, text: String) {
        wider(&mut self.limits.expires_before_ms, at_ms, u64::max);
        self.given.push(("expires-before", text));
    }

    /// Takes Redis keys that expire after this moment, in Unix milliseconds; `text` says it to people.
    pub fn add_expires_after(&mut self, at_ms: u64, text: String) {
        wider(&mut self.limits.expires_after_ms, at_ms, u64::min);
        self.given.push(("expires-after", text));
    }

    /// Takes things whose last change was committed at this timestamp (HLC) or before; `text` says it to people.
    pub fn add_changed_before(&mut self, commit_ts: u64, text: String) {
        wider(&mut self.limits.changed_before, commit_ts, u64::max);
        self.given.push(("changed-before", text));
    }

    /// Takes things whose last change was committed after this timestamp (HLC); `text` says it to people.
    pub fn add_changed_after(&mut self, commit_ts: u64, text: String) {
        wider(&mut self.limits.changed_after, commit_ts, u64::min);
        self.given.push(("changed-after", text));
    }

    /// Takes the first `count` things that are selected otherwise, in the order of the source.
    pub fn take_first(&mut self, count: u64) {
        wider(&mut self.limits.count, count, u64::max);
        self.given.push(("limit", count.to_string()));
    }

    /// Takes things of this kind.
    pub fn add_kind(&mut self, kind: Kind) {
        self.kinds.get_or_insert_default().insert(kind);
        self.given.push(("type", kind.name().to_owned()));
    }

    /// Takes what is in this database, table, bucket or queue.
    ///
    /// # Errors
    /// [`TextError`].
    pub fn add_scope(&mut self, protocol: Protocol, text: &[u8], is_raw: bool) -> Result<(), TextError> {
        let name = plain(&bytes_of(text, is_raw)?);
        if name.is_empty() {
            return Err(TextError::Empty);
        }
        self.given.push((protocol.scope_word(), Part { bytes: &name, is_slash_escaped: true }.to_string()));
        self.scopes.get_or_insert_default().insert((protocol, name));
        Ok(())
    }

    /// Takes what is named one by one, even if that is nothing.
    pub fn only_names(&mut self) {
        self.names.get_or_insert_default();
    }

    /// Takes what an address names.
    ///
    /// # Errors
    /// [`TextError`]; more than a million names, or 64 MiB of them.
    pub fn add_address(&mut self, text: &[u8], is_raw: bool) -> Result<(), TextError> {
        self.look_for_escapes(text, is_raw);
        let name = Name::parse(text, is_raw)?;
        self.count_name(text.len())?;
        self.tell("address", || name.to_string());
        self.pending.add(|| name.to_string());
        self.put_name(name);
        Ok(())
    }

    /// Takes the name of any protocol: a Redis key, a table, bucket or queue with all that is in it, or one thing in it.
    ///
    /// # Errors
    /// [`TextError`]; more than a million names, or 64 MiB of them.
    pub fn add_key(&mut self, text: &[u8], is_raw: bool) -> Result<(), TextError> {
        self.look_for_escapes(text, is_raw);
        let name_of = |protocol: Protocol| match protocol.has_numbered_scopes() {
            true => part_of(text, is_raw).map(|key| Name { protocol, scope: Vec::new(), key: vec![key] }),
            false => Name::of(protocol, text, is_raw),
        };
        // What is no name of one protocol, such as too many parts for an item, may be one of another.
        let names: Vec<Name> = Protocol::ALL.into_iter().map(name_of).filter_map(Result::ok).collect();
        if text.is_empty() || names.is_empty() {
            return part_of(text, is_raw).and(Err(TextError::Empty));
        }
        self.count_name(text.len())?;
        let shown = shown(text, is_raw)?;
        self.pending.add(|| format!("--key {shown}"));
        self.tell("key", || shown);
        for name in names {
            if !name.scope.is_empty() {
                self.put_name(name);
                continue;
            }
            for key in name.key {
                self.pending.target(name.protocol, b"", Some(&key));
                self.listed(name.protocol).anywhere.insert(key.into());
            }
        }
        Ok(())
    }

    fn count_name(&mut self, len: usize) -> Result<(), TextError> {
        self.names_count = self.names_count.saturating_add(1);
        self.names_len = self.names_len.saturating_add(len);
        match () {
            () if self.names_count > NAMES_MAX => Err(TextError::TooMany { limit: "1,000,000 names" }),
            () if self.names_len > NAMES_LEN_MAX => Err(TextError::TooMany { limit: "64 MiB of names" }),
            () => Ok(()),
        }
    }

    fn tell(&mut self, option: &'static str, text: impl FnOnce() -> String) {
        if self.names_told < NAMES_TOLD_MAX {
            self.names_told = self.names_told.saturating_add(1);
            self.given.push((option, text()));
        }
    }

    fn listed(&mut self, protocol: Protocol) -> &mut Listed {
        self.names.get_or_insert_default().entry(protocol).or_default()
    }

    fn put_name(&mut self, name: Name) {
        let Name { protocol, scope, key } = name;
        let has_parts = protocol.name_parts_max() > 1 && !key.is_empty();
        let keys = if has_parts { item_spellings(&key) } else { key };
        if keys.is_empty() {
            self.pending.target(protocol, &scope, None);
        }
        keys.iter().for_each(|key| self.pending.target(protocol, &scope, Some(key)));
        let listed = self.listed(protocol);
        if scope.is_empty() && keys.is_empty() {
            listed.is_whole = true;
            return;
        }
        let picks = listed.scopes.entry(scope).or_default();
        match keys.is_empty() {
            true => picks.is_whole = true,
            false => picks.keys.extend(keys.into_iter().map(Vec::into_boxed_slice)),
        }
    }

    /// Takes names that begin with `text`.
    ///
    /// # Errors
    /// [`TextError`].
    pub fn add_prefix(&mut self, text: &[u8], is_raw: bool) -> Result<(), TextError> {
        self.look_for_escapes(text, is_raw);
        self.prefixes.push(Pattern::of(text, is_raw, true)?);
        self.given.push(("prefix", shown(text, is_raw)?));
        Ok(())
    }

    /// Takes names that a pattern matches.
    ///
    /// # Errors
    /// [`TextError`].
    pub fn add_match(&mut self, text: &[u8], is_raw: bool) -> Result<(), TextError> {
        self.look_for_escapes(text, is_raw);
        self.globs.push(Pattern::of(text, is_raw, false)?);
        self.given.push(("match", shown_glob(&bytes_of(text, is_raw)?)));
        Ok(())
    }

    /// Leaves out names that a pattern matches.
    ///
    /// # Errors
    /// [`TextError`].
    pub fn add_exclude(&mut self, text: &[u8], is_raw: bool) -> Result<(), TextError> {
        self.look_for_escapes(text, is_raw);
        self.excluded.push(Pattern::of(text, is_raw, false)?);
        self.given.push(("exclude", shown_glob(&bytes_of(text, is_raw)?)));
        Ok(())
    }

    /// Remembers an escape that nobody needs: the text may be a name with a percent sign in it.
    fn look_for_escapes(&mut self, text: &[u8], is_raw: bool) {
        if is_raw || self.needless_escape.is_some() || !text.contains(&b'%') {
            return;
        }
        let bytes = bytes_of(text, is_raw).unwrap_or_default();
        let needless = bytes.iter().find(|byte| byte.is_escaped && byte.byte.is_ascii_alphanumeric());
        self.needless_escape = needless.map(|byte| byte.byte);
    }

    /// What may be meant instead, where nothing is selected.
    pub fn hint(&self) -> Option<String> {
        let patterns = self.given.iter().filter(|(option, _)| ["prefix", "match", "exclude"].contains(option));
        let after_protocol = |text: &str| {
            let (front, rest) = text.split_once(':')?;
            Protocol::named(front.as_bytes()).map(|protocol| (protocol, rest.to_owned()))
        };
        for (option, text) in patterns {
            // Names begin with their table, bucket or queue also where it was named beside them.
            let scopes =
                Protocol::ALL.into_iter().filter(|protocol| !protocol.has_numbered_scopes()).filter_map(|protocol| {
                    let scope = self.scopes_of(protocol)?.into_iter().next()?;
                    Some((protocol, Part { bytes: scope, is_slash_escaped: true }.to_string()))
                });
            let is_beside =
                |scope: &String| *option != "exclude" && !text.starts_with(scope) && !text.starts_with(['*', '?', '[']);
            if let Some((protocol, scope)) = scopes.into_iter().find(|(_, scope)| is_beside(scope)) {
                let noun = protocol.scope_noun();
                return Some(format!("names begin with the {noun} they are in: --{option} {scope}/{text}"));
            }
            if let Some((protocol, rest)) = after_protocol(text) {
                // Names of keys do not begin with the database.
                let rest = match protocol.has_numbered_scopes() {
                    true => rest.split_once('/').map_or(rest.as_str(), |(_, key)| key),
                    false => &rest,
                };
                return Some(format!("names have no protocol in front: --{option} {rest}"));
            }
        }
        let folder = self.given.iter().find(|(option, text)| {
            *option == "address"
                && text.ends_with('/')
                && after_protocol(text).is_some_and(|(_, rest)| rest.matches('/').count() > 1)
        });
        if let Some((_, text)) = folder {
            let rest = text.split_once(':').map_or("", |(_, rest)| rest);
            return Some(format!("an address names one thing; --prefix {rest} takes all that begins so"));
        }
        let byte = self.needless_escape?;
        let kind = if byte.is_ascii_digit() { "digit" } else { "letter" };
        let character = char::from(byte);
        Some(format!(
            "%{byte:02X} is the {kind} {character}; where the name has %{byte:02X} in it, write %25{byte:02X}"
        ))
    }

    /// The filters as they were given, option by option: name of the option without hyphens, text. Of many names the first ones.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.given.iter().map(|(option, text)| (*option, text.as_str()))
    }

    /// How many names were given one by one.
    pub fn names_count(&self) -> usize {
        self.names_count
    }

    /// The filters as options, for people: `--prefix user: --type hash`, at most 16 names and some 16 KiB. `adapters` are told unless they
    /// are all.
    pub fn describe(&self, adapters: &[Protocol]) -> String {
        let mut text = String::new();
        if !Protocol::IN_DUMPS.iter().all(|adapter| adapters.contains(adapter)) {
            let adapters: Vec<&str> = adapters.iter().map(|adapter| adapter.name()).collect();
            let _ = write!(text, "--adapter {}", adapters.join(","));
        }
        for (at, (option, value)) in self.given.iter().enumerate() {
            if text.len() > DESCRIPTION_LEN_MAX {
                let _ = write!(text, " and {} more filters", self.given.len().saturating_sub(at));
                break;
            }
            let lead = if text.is_empty() { "" } else { " " };
            let _ = match *option {
                "address" => write!(text, "{lead}{value}"),
                option if value.is_empty() => write!(text, "{lead}--{option}"),
                option => write!(text, "{lead}--{option} {value}"),
            };
        }
        if self.names.is_some() && self.names_count == 0 {
            text.push_str(if text.is_empty() { "an empty list of names" } else { " and an empty list of names" });
        }
        if self.names_count > self.names_told {
            let _ = write!(text, " and {} more names", self.names_count.saturating_sub(self.names_told));
        }
        text
    }

    /// Whether anything of a protocol may be selected.
    pub fn includes(&self, protocol: Protocol) -> bool {
        let has_kind = || Kind::ALL.into_iter().any(|kind| kind.protocol() == protocol && self.admits_kind(kind));
        let has_scope = |scopes: &BTreeSet<(Protocol, Vec<u8>)>| scopes.iter().any(|(owner, _)| *owner == protocol);
        has_kind()
            && self.scopes.as_ref().is_none_or(has_scope)
            && self.names.as_ref().is_none_or(|names| names.contains_key(&protocol))
    }

    /// Whether nothing of these protocols can meet all filters, whatever a source holds.
    pub fn is_contradictory(&self, protocols: &[Protocol]) -> bool {
        let reaches = |protocol: Protocol| match self.scopes_of(protocol) {
            _ if !self.includes(protocol) => false,
            Some(scopes) => scopes.iter().any(|scope| !self.keys_in(protocol, scope).is_nothing()),
            None => true,
        };
        !protocols.iter().any(|protocol| reaches(*protocol))
    }

    /// The scopes of a protocol in which alone something can be selected, if they were named.
    fn scopes_of(&self, protocol: Protocol) -> Option<Vec<&[u8]>> {
        if let Some(scopes) = &self.scopes {
            let own = scopes.iter().filter(|(owner, _)| *owner == protocol);
            return Some(own.map(|(_, name)| name.as_slice()).collect());
        }
        let listed = self.names.as_ref()?.get(&protocol)?;
        let is_anywhere = listed.is_whole || !listed.anywhere.is_empty();
        (!is_anywhere).then(|| listed.scopes.keys().map(Vec::as_slice).collect())
    }

    /// Whether things of a kind may be selected.
    pub fn includes_kind(&self, kind: Kind) -> bool {
        self.includes(kind.protocol()) && self.admits_kind(kind)
    }

    fn admits_kind(&self, kind: Kind) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind)) && self.limits.admit_kind(kind)
    }

    /// Whether everything of a protocol is selected.
    pub fn is_all_of(&self, protocol: Protocol) -> bool {
        let own_kinds = Kind::ALL.into_iter().filter(|kind| kind.protocol() == protocol);
        self.includes(protocol)
            && own_kinds.into_iter().all(|kind| self.includes_kind(kind))
            && self.scopes.is_none()
            && self.names.as_ref().is_none_or(|names| names.get(&protocol).is_some_and(|listed| listed.is_whole))
            && self.prefixes.is_empty()
            && self.globs.is_empty()
            && self.excluded.is_empty()
            && !self.limits.is_any()
    }

    /// What is selected in a scope: the database with this number in decimal, the table, bucket or queue of this name.
    pub fn keys_in(&self, protocol: Protocol, scope: &[u8]) -> Keys<'_> {
        // Names in numbered scopes are those of things; in the others they begin with the scope.
        let front = if protocol.has_numbered_scopes() { Vec::new() } else { scope_front(protocol, scope) };
        let is_in_scope = self
            .scopes
            .as_ref()
            .is_none_or(|scopes| scopes.iter().any(|(owner, name)| *owner == protocol && name == scope));
        let listed = self.names.as_ref().map(|names| names.get(&protocol));
        let mut keys = Keys { scope: self, protocol, is_nothing: false, front, picks: None, anywhere: None };
        if let Some(listed) = listed {
            let picks = listed.and_then(|listed| listed.scopes.get(scope));
            let is_whole = listed.is_some_and(|listed| listed.is_whole) || picks.is_some_and(|picks| picks.is_whole);
            if !is_whole {
                keys.anywhere = listed.map(|listed| &listed.anywhere).filter(|keys| !keys.is_empty());
                keys.picks = Some(picks.map(|picks| &picks.keys));
                keys.is_nothing |= keys.anywhere.is_none() && picks.is_none();
            }
        }
        keys.is_nothing |= !self.includes(protocol) || !is_in_scope || keys.is_excluded() || !keys.is_reached();
        keys
    }
}

/// A pattern as text that reads back as the same pattern: of bytes that stand for themselves as addresses show them.
fn shown_glob(bytes: &[Byte]) -> String {
    if bytes.is_empty() {
        return EMPTY.to_owned();
    }
    let mut shown = String::new();
    let is_plain = |byte: &Byte| !byte.is_escaped && !b"*?[]^\\".contains(&byte.byte);
    for run in bytes.chunk_by(|one, next| is_plain(one) && is_plain(next)) {
        let _ = match run {
            [byte] if !byte.is_escaped && !is_plain(byte) => write!(shown, "{}", char::from(byte.byte)),
            [byte] if byte.is_escaped => write!(shown, "%{:02X}", byte.byte),
            run => write!(shown, "{}", Part { bytes: &plain(run), is_slash_escaped: false }),
        };
    }
    shown
}

/// What the names in a scope begin with.
fn scope_front(protocol: Protocol, scope: &[u8]) -> Vec<u8> {
    let mut front = scope.to_vec();
    if protocol.name_parts_max() > 1 {
        front.iter_mut().filter(|byte| **byte == b'/').for_each(|byte| *byte = INNER_SLASH);
    }
    front.push(b'/');
    front
}

/// What is selected in one scope.
#[derive(Clone, Debug)]
pub struct Keys<'s> {
    scope: &'s Scope,
    protocol: Protocol,
    is_nothing: bool,
    /// What stands in front of a key in a name.
    front: Vec<u8>,
    /// The keys that were named, where not all are.
    picks: Option<Option<&'s BTreeSet<Box<[u8]>>>>,
    anywhere: Option<&'s BTreeSet<Box<[u8]>>>,
}

/// What has to be looked at to find all that is selected in a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Narrowing<'s> {
    /// Everything.
    All,
    /// These keys, in byte order, each once.
    Keys(Vec<&'s [u8]>),
    /// The keys that begin with one of these, in byte order; none begins with another.
    Prefixes(Vec<Vec<u8>>),
}

impl<'s> Keys<'s> {
    /// Whether nothing in the scope is selected.
    pub fn is_nothing(&self) -> bool {
        self.is_nothing
    }

    /// Whether everything in the scope is selected.
    pub fn is_all(&self) -> bool {
        let touches = |pattern: &Pattern| {
            let literal = pattern.glob(self.protocol).literal_beginning();
            literal.starts_with(&self.front) || self.front.starts_with(literal)
        };
        let has_kinds = || {
            let mut own = Kind::ALL.into_iter().filter(|kind| kind.protocol() == self.protocol);
            own.all(|kind| self.scope.includes_kind(kind))
        };
        self.has_scope()
            && has_kinds()
            && !self.scope.excluded.iter().any(touches)
            && self.covers_all(&self.scope.globs)
            && !self.scope.limits.is_any()
    }

    /// Whether one of the patterns takes everything in the scope.
    fn covers_all(&self, patterns: &[Pattern]) -> bool {
        let covers = |pattern: &Pattern| {
            let glob = pattern.glob(self.protocol);
            (glob.is_prefix() && self.front.starts_with(glob.literal_beginning())) || self.is_name_of_scope(glob)
        };
        patterns.is_empty() || patterns.iter().any(covers)
    }

    /// Whether the scope itself is selected, though nothing in it may be: an empty bucket, the settings of a queue.
    ///
    /// Never of a numbered scope, which is nothing of itself.
    pub fn has_scope(&self) -> bool {
        let matches = |pattern: &Pattern| {
            let glob = pattern.glob(self.protocol);
            glob.matches(&self.front) || self.is_name_of_scope(glob)
        };
        !self.is_nothing
            && !self.scope.limits.is_about_traits()
            && self.picks.is_none()
            && self.covers_all(&self.scope.prefixes)
            && (self.scope.globs.is_empty() || self.scope.globs.iter().any(matches))
    }

    /// Whether a pattern is the name of the scope and nothing else.
    fn is_name_of_scope(&self, glob: &Glob) -> bool {
        let name = self.front.strip_suffix(b"/");
        glob.is_literal() && name.is_some_and(|name| name == glob.literal_beginning())
    }

    fn is_excluded(&self) -> bool {
        let is_meant = |pattern: &Pattern| {
            let glob = pattern.glob(self.protocol);
            self.is_name_of_scope(glob) || (glob.is_prefix() && self.front.starts_with(glob.literal_beginning()))
        };
        self.scope.excluded.iter().any(is_meant)
    }

    /// Whether a name in the scope can be met by the prefixes and globs.
    fn is_reached(&self) -> bool {
        let reaches = |pattern: &Pattern| {
            let glob = pattern.glob(self.protocol);
            let literal = glob.literal_beginning();
            literal.starts_with(&self.front) || self.front.starts_with(literal) || self.is_name_of_scope(glob)
        };
        let is_met = |patterns: &[Pattern]| patterns.is_empty() || patterns.iter().any(reaches);
        is_met(&self.scope.prefixes) && is_met(&self.scope.globs)
    }

    /// Whether a key in the scope is selected. Not for items: see [`Keys::contains_item`].
    pub fn contains(&self, key: &[u8]) -> bool {
        self.contains_as(key, key)
    }

    /// Whether an item of the table is selected; `forms` are those of all items of the table.
    pub fn contains_item(&self, key: &ItemKey<'_>, forms: KeyForms) -> bool {
        if self.is_nothing || self.is_all() {
            return !self.is_nothing;
        }
        self.contains_as(&item_key(key, forms, false), &item_key(key, forms, true))
    }

    /// Whether a thing in the scope is selected; `forms` are those of all items of a table.
    pub(crate) fn contains_thing(&self, key: &ThingKey<'_>, forms: KeyForms) -> bool {
        match key {
            ThingKey::Plain(key) => self.contains(key),
            ThingKey::Item(key) => self.contains_item(key, forms),
        }
    }

    /// `key` as patterns see it, and as names are looked for.
    fn contains_as(&self, key: &[u8], looked_for: &[u8]) -> bool {
        if self.is_nothing {
            return false;
        }
        let is_picked = |picks: &Option<&BTreeSet<Box<[u8]>>>| {
            picks.is_some_and(|keys| keys.contains(looked_for))
                || self.anywhere.is_some_and(|keys| keys.contains(looked_for))
        };
        if !self.picks.as_ref().is_none_or(is_picked) {
            return false;
        }
        let Scope { prefixes, globs, excluded, .. } = self.scope;
        if prefixes.is_empty() && globs.is_empty() && excluded.is_empty() {
            return true;
        }
        let joined;
        let name = if self.front.is_empty() {
            key
        } else {
            joined = [self.front.as_slice(), key].concat();
            &joined
        };
        let matches = |pattern: &Pattern| {
            let glob = pattern.glob(self.protocol);
            glob.matches(name) || self.is_name_of_scope(glob)
        };
        (prefixes.is_empty() || prefixes.iter().any(matches))
            && (globs.is_empty() || globs.iter().any(matches))
            && !excluded.iter().any(matches)
    }

    /// What has to be looked at to find all that is selected; [`Keys::contains`] then decides. Not for items.
    pub fn narrowing(&self) -> Narrowing<'s> {
        if self.is_nothing {
            return Narrowing::Keys(Vec::new());
        }
        if let Some(picks) = self.picks {
            let anywhere = self.anywhere.into_iter().flatten();
            let mut keys: Vec<&[u8]> = picks.into_iter().flatten().chain(anywhere).map(AsRef::as_ref).collect();
            keys.sort_unstable();
            keys.dedup();
            return Narrowing::Keys(keys);
        }
        let Scope { prefixes, globs, .. } = self.scope;
        match self.beginnings(prefixes) {
            Narrowing::All => self.beginnings(globs),
            narrowed => narrowed,
        }
    }

    fn beginnings(&self, patterns: &[Pattern]) -> Narrowing<'s> {
        let mut beginnings: Vec<Vec<u8>> = Vec::new();
        for pattern in patterns {
            let glob = pattern.glob(self.protocol);
            let literal = glob.literal_beginning();
            match literal.strip_prefix(self.front.as_slice()) {
                _ if self.is_name_of_scope(glob) => return Narrowing::All,
                Some(rest) if !rest.is_empty() => beginnings.push(rest.to_vec()),
                None if !self.front.starts_with(literal) => {}
                _ => return Narrowing::All,
            }
        }
        if patterns.is_empty() {
            return Narrowing::All;
        }
        beginnings.sort_unstable();
        beginnings.dedup_by(|longer, shorter| longer.starts_with(shorter.as_slice()));
        Narrowing::Prefixes(beginnings)
    }
}

/// The key parts of an item as an address has them, without escapes. Source: `docs/format/tree.md`, section 17.
pub fn item_parts(key: &ItemKey<'_>, forms: KeyForms) -> Vec<Vec<u8>> {
    [Some(key.hash), key.range].into_iter().flatten().map(|value| item_part(&value, forms, false)).collect()
}

/// The parts with [`INNER_SLASH`] inside and a slash between them.
fn item_key(key: &ItemKey<'_>, forms: KeyForms, is_marked: bool) -> Vec<u8> {
    let mut joined = Vec::new();
    for (at, value) in [Some(key.hash), key.range].into_iter().flatten().enumerate() {
        if at > 0 {
            joined.push(b'/');
        }
        joined.extend(item_part(&value, forms, is_marked).into_iter().map(inner));
    }
    joined
}

fn inner(byte: u8) -> u8 {
    if byte == b'/' { INNER_SLASH } else { byte }
}

fn item_part(value: &KeyValue<'_>, forms: KeyForms, is_marked: bool) -> Vec<u8> {
    let mut part = Vec::new();
    if forms == KeyForms::Mixed {
        part.extend_from_slice(value.key_type.letter().as_bytes());
        part.push(b'.');
    }
    match (value.key_type, value.number()) {
        (KeyType::String, _) | (KeyType::Number, None) => part.extend_from_slice(value.bytes),
        (KeyType::Number, Some(number)) => {
            part.extend(is_marked.then_some(NUMBER_MARK));
            part.extend_from_slice(number.shortest().as_bytes());
        }
        (KeyType::Binary, _) => {
            part.extend_from_slice(b"b64.");
            push_base64url(value.bytes, &mut part);
        }
    }
    part
}

/// All names under which an item is looked for that these parts name: as text, and as a number where one is written.
fn item_spellings(parts: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let spellings = |part: &Vec<u8>| -> Vec<Vec<u8>> {
        let (front, rest) = match part.strip_prefix(b"N.") {
            Some(rest) => (&b"N."[..], rest),
            None => (&b""[..], part.as_slice()),
        };
        let number = std::str::from_utf8(rest).ok().and_then(|text| Number::parse(text).ok());
        let number = number.map(|number| [front, &[NUMBER_MARK], number.shortest().as_bytes()].concat());
        let text = part.iter().map(|byte| inner(*byte)).collect();
        [Some(text), number].into_iter().flatten().collect()
    };
    let mut names = vec![Vec::new()];
    for (at, part) in parts.iter().enumerate() {
        let slash: &[u8] = if at > 0 { b"/" } else { b"" };
        let spelled = spellings(part);
        names = names.iter().flat_map(|name| spelled.iter().map(move |part| [name, slash, part].concat())).collect();
    }
    names
}

/// Appends base64url without padding.
fn push_base64url(bytes: &[u8], out: &mut Vec<u8>) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().chain([0, 0].iter()).take(3).fold(0_u32, |group, byte| (group << 8) | u32::from(*byte));
        for place in 0..=chunk.len() {
            let shift = 18_usize.saturating_sub(place.saturating_mul(6));
            let digit = usize::try_from((group >> shift) & 0x3f).unwrap_or(0);
            out.extend(ALPHABET.get(digit));
        }
    }
}

/// Of the same filter given twice the wider one counts.
fn wider(limit: &mut Option<u64>, new: u64, choose: fn(u64, u64) -> u64) {
    *limit = Some(limit.map_or(new, |old| choose(old, new)));
}

mod filtered;
mod limits;
mod pending;
mod unmatched;

pub use filtered::Filtered;
use limits::{Limits, Traits};
use pending::Pending;
pub use unmatched::Unmatched;

#[cfg(test)]
mod tests;
