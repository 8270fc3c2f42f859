//! What the errors of servers mean to a key that is to be written.
//!
//! Source: `docs/format/redis-live.md`, section 6.

use crate::address::Endpoint;

/// What becomes of a key after an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is there, whole.
    Written,
    /// The target has a key of this name.
    Exists,
    /// The server is out of memory.
    Full(String),
    /// This is a replica, or became one.
    ReadOnly(String),
    /// The server takes no writes for a reason that may not pass.
    Refusing(String),
    /// The server will take it later.
    Later(String),
    /// Another node has it.
    Moved(String),
    /// Another node is about to have it, and takes it already.
    Ask(Endpoint),
    /// Nothing can be written any more.
    Stop(String),
    /// Its serialised form is of another version than the server knows.
    OldPayload,
    /// Its serialised form is refused.
    BadPayload(String),
    /// A name of ours is taken by something else.
    Foreign(String),
    /// It cannot be written.
    Failed(String),
    /// Nobody knows: the connection was lost.
    Unknown,
}

/// What an error, without its dash, means.
pub(crate) fn verdict(error: &[u8]) -> Verdict {
    let text = String::from_utf8_lossy(error).into_owned();
    let word = text.split(' ').next().unwrap_or_default();
    match word {
        "BUSYKEY" => Verdict::Exists,
        "OOM" => Verdict::Full(text),
        "READONLY" => Verdict::ReadOnly(text),
        "MISCONF" | "NOREPLICAS" => Verdict::Refusing(text),
        "LOADING" | "BUSY" | "MASTERDOWN" | "TRYAGAIN" | "CLUSTERDOWN" => Verdict::Later(text),
        "MOVED" => Verdict::Moved(text),
        "ASK" => match text.split(' ').nth(2).and_then(Endpoint::of_host_and_port) {
            Some(place) => Verdict::Ask(place),
            None => Verdict::Stop(text),
        },
        "CROSSSLOT" | "NOAUTH" | "WRONGPASS" | "NOPERM" => Verdict::Stop(text),
        "WRONGTYPE" => Verdict::Foreign(text),
        _ if text.contains("DUMP payload version or checksum are wrong") => Verdict::OldPayload,
        _ if text.contains("Bad data format") => Verdict::BadPayload(text),
        _ => Verdict::Failed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_of_the_table_has_its_meaning() {
        let text = |verdict: fn(String) -> Verdict, text: &str| (text.to_owned(), verdict(text.to_owned()));
        let ask = Verdict::Ask(Endpoint::Tcp { host: "10.0.0.2".to_owned(), port: 7 });
        let cases = [
            ("BUSYKEY Target key name already exists.".to_owned(), Verdict::Exists),
            text(Verdict::Full, "OOM command not allowed when used memory > 'maxmemory'."),
            text(Verdict::ReadOnly, "READONLY You can't write against a read only replica."),
            text(Verdict::Refusing, "MISCONF Redis is configured to save RDB snapshots"),
            text(Verdict::Refusing, "NOREPLICAS Not enough good replicas to write."),
            text(Verdict::Later, "LOADING Redis is loading the dataset in memory"),
            text(Verdict::Later, "BUSY Redis is busy running a script."),
            text(Verdict::Later, "MASTERDOWN Link with MASTER is down"),
            text(Verdict::Later, "TRYAGAIN Multiple keys request during rehashing of slot"),
            text(Verdict::Later, "CLUSTERDOWN Hash slot not served"),
            text(Verdict::Moved, "MOVED 3999 127.0.0.1:6381"),
            ("ASK 3999 10.0.0.2:7".to_owned(), ask),
            text(Verdict::Stop, "ASK 3999"),
            text(Verdict::Stop, "CROSSSLOT Keys in request don't hash to the same slot"),
            text(Verdict::Stop, "NOAUTH Authentication required."),
            text(Verdict::Stop, "WRONGPASS invalid username-password pair"),
            text(Verdict::Stop, "NOPERM this user has no permissions to run the 'restore' command"),
            text(Verdict::Foreign, "WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("ERR DUMP payload version or checksum are wrong".to_owned(), Verdict::OldPayload),
            text(Verdict::BadPayload, "ERR Bad data format"),
            text(Verdict::Failed, "ERR string exceeds maximum allowed size"),
        ];
        for (error, meaning) in cases {
            assert_eq!(verdict(error.as_bytes()), meaning);
        }
    }
}
