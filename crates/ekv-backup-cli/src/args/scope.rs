//! Options that say what is selected: the same ones for every command that reads data.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use ekv_backup::{AbsoluteTime, Class, Error, Kind, Protocol, Scope, TextError, format_commit_ts};

use super::bytes::parse_bytes;
use super::non_empty_text;

/// Longest list of names that is read, in bytes: what a scope takes, and line ends.
const NAMES_FILE_LEN_MAX: u64 = 80 << 20;

const HEADING: &str = "What is selected";

/// What is selected: options of different names must all be met, of the same option one.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ScopeArguments {
    /// Take only these: redis:0/user:1, dynamodb:orders/, s3:photos/2026/a%20b.jpg, sqs:jobs.fifo/, fs:0/etc/hosts
    ///
    /// A word without one of the five protocols in front is a Redis key. %HH is a byte, as addresses are printed; %25 is a percent sign, %empty
    /// a name without any byte. A slash inside a DynamoDB key is %2F. An address that is not there is a warning, and an error if nothing is there (or with --strict, where a command has that).
    #[arg(value_name = "ADDRESS", value_parser = non_empty_text(), help_heading = HEADING)]
    pub(crate) address: Vec<OsString>,
    /// Take the name TEXT of any protocol; may be given more than once
    ///
    /// A name is a Redis key, TABLE/HASH/RANGE, BUCKET/KEY, QUEUE/ID or the path of a file without a slash in front. The name of a table, bucket or queue alone is all of it. %HH is a
    /// byte; %25 is a percent sign.
    #[arg(long, value_name = "TEXT", value_parser = non_empty_text(), help_heading = HEADING)]
    pub(crate) key: Vec<OsString>,
    /// Take names that begin with TEXT; may be given more than once
    ///
    /// Names of items, objects and messages begin with their table, bucket or queue: --prefix photos/2026/
    #[arg(long, value_name = "TEXT", value_parser = non_empty_text(), help_heading = HEADING)]
    pub(crate) prefix: Vec<OsString>,
    /// Take names that GLOB matches, as KEYS in Redis does: * ? [a-z] [^a] \\x; may be given more than once
    ///
    /// The whole name must match; * takes / and : too. In quotes, or the shell takes it for file names: --match 'user:*:cart'
    #[arg(long = "match", value_name = "GLOB", value_parser = non_empty_text(), help_heading = HEADING)]
    pub(crate) matching: Vec<OsString>,
    /// Leave out names that GLOB matches; may be given more than once
    #[arg(long, value_name = "GLOB", value_parser = non_empty_text(), help_heading = HEADING)]
    pub(crate) exclude: Vec<OsString>,
    /// Take only things of these types, comma-separated
    #[arg(long = "type", value_name = "LIST", value_enum, value_delimiter = ',', help_heading = HEADING)]
    pub(crate) kind: Vec<KindRule>,
    /// Take only this Redis database
    #[arg(long, value_name = "N", help_heading = HEADING)]
    pub(crate) db: Vec<u32>,
    /// Take only this DynamoDB table
    #[arg(long, value_name = "NAME", value_parser = non_empty_text(), help_heading = HEADING)]
    pub(crate) table: Vec<OsString>,
    /// Take only this S3 bucket
    #[arg(long, value_name = "NAME", value_parser = non_empty_text(), help_heading = HEADING)]
    pub(crate) bucket: Vec<OsString>,
    /// Take only this SQS queue
    #[arg(long, value_name = "NAME", value_parser = non_empty_text(), help_heading = HEADING)]
    pub(crate) queue: Vec<OsString>,
    /// Take only what has more than SIZE bytes of payload; K, M, G and T count in powers of 1024
    ///
    /// Payload: values, and the names inside of them; of items what DynamoDB counts. Given twice, this option and those below count in their
    /// wider form.
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, help_heading = HEADING)]
    pub(crate) larger_than: Vec<u64>,
    /// Take only what has less than SIZE bytes of payload
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, help_heading = HEADING)]
    pub(crate) smaller_than: Vec<u64>,
    /// Take only Redis hashes, lists, sets, sorted sets and streams with more than N elements
    #[arg(long, value_name = "N", help_heading = HEADING)]
    pub(crate) more_than: Vec<u64>,
    /// Take only what has no expiry; that is everything but Redis keys with one
    #[arg(long, help_heading = HEADING)]
    pub(crate) no_expiry: bool,
    /// Take only Redis keys that had expired at the moment that is read; of a dump, at its last commit
    #[arg(long, help_heading = HEADING)]
    pub(crate) only_expired: bool,
    /// Take only Redis keys that expire at TIME or before
    ///
    /// TIME is that of --at of decode: RFC 3339, a Unix time, or hlc:NUMBER. Without fractions of a second it means the end of that second.
    #[arg(long, value_name = "TIME", help_heading = HEADING)]
    pub(crate) expires_before: Vec<AbsoluteTime>,
    /// Take only Redis keys that expire after TIME
    #[arg(long, value_name = "TIME", help_heading = HEADING)]
    pub(crate) expires_after: Vec<AbsoluteTime>,
    /// Take only what was last changed at TIME or before; not from a dump, which does not say that
    ///
    /// The newest record of a thing that clients see counts: of a collection its newest element, length or expiry. What was deleted from it leaves
    /// no trace there.
    #[arg(long, value_name = "TIME", help_heading = HEADING)]
    pub(crate) changed_before: Vec<AbsoluteTime>,
    /// Take only what was last changed after TIME; not from a dump
    #[arg(long, value_name = "TIME", help_heading = HEADING)]
    pub(crate) changed_after: Vec<AbsoluteTime>,
    /// Take the addresses in FILE, one on each line; - is standard input
    ///
    /// At most 1,000,000 names and 64 MiB.
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    pub(crate) from_file: Vec<PathBuf>,
    /// Addresses end with a NUL byte, not with the line: those in FILE, and those that `ls` prints
    #[arg(short = '0', long = "null", help_heading = HEADING)]
    pub(crate) null: bool,
    /// Names and patterns have no escapes: % is a percent sign
    #[arg(long, help_heading = HEADING)]
    pub(crate) raw_names: bool,
}

/// How much of what is selected is taken.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct FirstArguments {
    /// Take only the first N things that are selected; how many more there are is told
    ///
    /// The first ones in the order of the input: by protocol, then as the snapshot or the names of files have them.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = HEADING)]
    pub(crate) limit: Option<u64>,
}

impl FirstArguments {
    /// The first things of a scope.
    pub(crate) fn of(self, scope: Arc<Scope>) -> Arc<Scope> {
        let Some(count) = self.limit else { return scope };
        let mut scope = Arc::unwrap_or_clone(scope);
        scope.take_first(count);
        Arc::new(scope)
    }
}

/// See [`Kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KindRule {
    String,
    Hll,
    Hash,
    List,
    Set,
    Zset,
    Stream,
    Item,
    Object,
    Message,
    File,
    Directory,
}

impl From<KindRule> for Kind {
    fn from(rule: KindRule) -> Self {
        match rule {
            KindRule::String => Kind::String,
            KindRule::Hll => Kind::Hll,
            KindRule::Hash => Kind::Hash,
            KindRule::List => Kind::List,
            KindRule::Set => Kind::Set,
            KindRule::Zset => Kind::ZSet,
            KindRule::Stream => Kind::Stream,
            KindRule::Item => Kind::Item,
            KindRule::Object => Kind::Object,
            KindRule::Message => Kind::Message,
            KindRule::File => Kind::File,
            KindRule::Directory => Kind::Directory,
        }
    }
}

impl ScopeArguments {
    /// What is selected of `adapters`; `input` is what will be read, `allow_empty` whether that may be nothing.
    ///
    /// # Errors
    /// A text that is no name, a file of names that cannot be read, filters that exclude each other.
    pub(crate) fn scope(&self, adapters: &[Protocol], input: &Path, allow_empty: bool) -> Result<Arc<Scope>, Error> {
        if self.null && self.from_file.is_empty() {
            return Err(Error::new(
                Class::Environment,
                "-0 (--null) says how the names in a file end: it goes with --from-file",
            ));
        }
        self.scope_of_names(adapters, input, allow_empty)
    }

    /// As [`ScopeArguments::scope`], where `-0` may mean something else as well.
    ///
    /// # Errors
    /// As [`ScopeArguments::scope`].
    pub(crate) fn scope_of_names(
        &self,
        adapters: &[Protocol],
        input: &Path,
        allow_empty: bool,
    ) -> Result<Arc<Scope>, Error> {
        let mut scope = Scope::everything();
        self.fill(&mut scope).map_err(|error| Error::new(Class::Environment, error))?;
        for file in &self.from_file {
            self.read_names(file, input, &mut scope)?;
        }
        // Nothing listed is not everything.
        if !self.from_file.is_empty() && scope.names_count() == 0 {
            let files: Vec<String> = self.from_file.iter().map(|file| shown(file)).collect();
            let text = format!(
                "{}: there is no name in it; nothing is published (--allow-empty goes on with nothing)",
                files.join(", ")
            );
            return if allow_empty { Ok(Arc::new(scope)) } else { Err(Error::new(Class::NoMatch, text)) };
        }
        if scope.is_contradictory(adapters) {
            let rule = "options of different names must all be met, of the same option one (two scopes together: s3:BUCKET/ \
                        dynamodb:TABLE/ as addresses)";
            let hint = scope.hint().unwrap_or_else(|| rule.to_owned());
            let text = format!("nothing can meet all of these: {}; {hint}", scope.describe(adapters));
            return Err(Error::new(Class::Environment, text));
        }
        Ok(Arc::new(scope))
    }

    fn fill(&self, scope: &mut Scope) -> Result<(), TextError> {
        let is_raw = self.raw_names;
        let bytes = |text: &OsString| text.as_encoded_bytes().to_vec();
        self.address.iter().try_for_each(|text| scope.add_address(&bytes(text), is_raw))?;
        self.key.iter().try_for_each(|text| scope.add_key(&bytes(text), is_raw))?;
        self.prefix.iter().try_for_each(|text| scope.add_prefix(&bytes(text), is_raw))?;
        self.matching.iter().try_for_each(|text| scope.add_match(&bytes(text), is_raw))?;
        self.exclude.iter().try_for_each(|text| scope.add_exclude(&bytes(text), is_raw))?;
        self.kind.iter().for_each(|kind| scope.add_kind((*kind).into()));
        self.db.iter().try_for_each(|db| scope.add_scope(Protocol::Redis, db.to_string().as_bytes(), true))?;
        for (protocol, names) in
            [(Protocol::DynamoDb, &self.table), (Protocol::S3, &self.bucket), (Protocol::Sqs, &self.queue)]
        {
            names.iter().try_for_each(|name| scope.add_scope(protocol, &bytes(name), is_raw))?;
        }
        self.larger_than.iter().for_each(|bytes| scope.add_larger_than(*bytes));
        self.smaller_than.iter().for_each(|bytes| scope.add_smaller_than(*bytes));
        self.more_than.iter().for_each(|elements| scope.add_more_than(*elements));
        if self.no_expiry {
            scope.only_without_expiry();
        }
        if self.only_expired {
            scope.only_expired();
        }
        let hlc = |time: &AbsoluteTime| (time.commit_ts().0, format!("hlc:{}", time.commit_ts()));
        let unix = |time: &AbsoluteTime| (time.commit_ts().unix_ms(), format_commit_ts(time.commit_ts()));
        self.expires_before.iter().map(unix).for_each(|(at_ms, text)| scope.add_expires_before(at_ms, text));
        self.expires_after.iter().map(unix).for_each(|(at_ms, text)| scope.add_expires_after(at_ms, text));
        self.changed_before.iter().map(hlc).for_each(|(ts, text)| scope.add_changed_before(ts, text));
        self.changed_after.iter().map(hlc).for_each(|(ts, text)| scope.add_changed_after(ts, text));
        // Of scopes of several protocols nothing would be in all.
        let given = [!self.db.is_empty(), !self.table.is_empty(), !self.bucket.is_empty(), !self.queue.is_empty()];
        if given.into_iter().filter(|is_given| *is_given).count() > 1 {
            return Err(TextError::Contradiction);
        }
        Ok(())
    }

    /// Reads the addresses in a file.
    fn read_names(&self, file: &Path, input: &Path, scope: &mut Scope) -> Result<(), Error> {
        let is_stdin = file == Path::new("-");
        if is_stdin && input == Path::new("-") {
            return Err(Error::new(
                Class::Environment,
                "standard input cannot be both what is read and the list of names",
            ));
        }
        scope.only_names();
        let failed = |what: String| Error::new(Class::Environment, format!("{}: {what}", shown(file)));
        let cannot_read = |error: io::Error| failed(format!("cannot read the names in it: {error}"));
        let mut input: Box<dyn BufRead> = match is_stdin {
            true => Box::new(io::stdin().lock()),
            false => Box::new(BufReader::new(File::open(file).map_err(cannot_read)?)),
        };
        let (end, what) = if self.null { (0, "name") } else { (b'\n', "line") };
        let (mut left, mut line) = (NAMES_FILE_LEN_MAX, Vec::new());
        for number in 1_u64.. {
            line.clear();
            let len = input.by_ref().take(left).read_until(end, &mut line).map_err(cannot_read)?;
            left = left.saturating_sub(u64::try_from(len).unwrap_or(u64::MAX));
            if left == 0 {
                return Err(failed("more names than the limit of 64 MiB of names".to_owned()));
            }
            if len == 0 {
                break;
            }
            let name = line.strip_suffix(&[end]).unwrap_or(&line);
            let name = if self.null { name } else { name.strip_suffix(b"\r").unwrap_or(name) };
            if !name.is_empty() {
                scope.add_address(name, self.raw_names).map_err(|error| failed(format!("{what} {number}: {error}")))?;
            }
        }
        Ok(())
    }
}

/// A file of names, as messages call it.
fn shown(file: &Path) -> String {
    if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() }
}
