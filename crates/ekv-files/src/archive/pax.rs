//! Extended headers: records of the form `LENGTH KEY=VALUE` and a line feed.

use super::ArchiveFault;

/// Appends a record; its length counts its own digits.
pub fn push_record(key: &[u8], value: &[u8], out: &mut Vec<u8>) {
    // The blank, the equals sign and the line feed.
    let rest_len = key.len().saturating_add(value.len()).saturating_add(3);
    let mut len = rest_len;
    loop {
        let total = rest_len.saturating_add(decimal_len(len));
        if total == len {
            break;
        }
        len = total;
    }
    out.extend_from_slice(len.to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(key);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

fn decimal_len(number: usize) -> usize {
    usize::try_from(number.checked_ilog10().unwrap_or(0)).unwrap_or_default().saturating_add(1)
}

/// What extended headers say that matters here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extended {
    pub(super) path: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) is_sparse: bool,
}

impl Extended {
    /// Reads all records.
    pub(super) fn parse(records: &[u8]) -> Result<Self, ArchiveFault> {
        let mut extended = Extended::default();
        for_each_record(records, &mut |record| extended.take(record))?;
        Ok(extended)
    }

    /// Whether nothing is said that matters here.
    pub(super) fn is_harmless(&self) -> bool {
        *self == Extended::default()
    }

    fn take(&mut self, (key, value): (&[u8], &[u8])) -> Result<(), ArchiveFault> {
        match key {
            b"path" => set(&mut self.path, value.to_vec()),
            b"size" => set(&mut self.size, decimal(value)?),
            _ => {
                self.is_sparse |= key.starts_with(b"GNU.sparse.");
                Ok(())
            }
        }
    }
}

fn set<T>(slot: &mut Option<T>, value: T) -> Result<(), ArchiveFault> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(ArchiveFault::ExtendedHeader),
    }
}

/// A record as key and value.
pub type Record<'r> = (&'r [u8], &'r [u8]);

/// Calls `take` for each record of an extended header, in their order.
///
/// # Errors
/// [`ArchiveFault::ExtendedHeader`] where no record is; the first error of `take`.
pub fn for_each_record<'r, E: From<ArchiveFault>>(
    mut records: &'r [u8],
    take: &mut dyn FnMut(Record<'r>) -> Result<(), E>,
) -> Result<(), E> {
    while !records.is_empty() {
        let (record, rest) = first_record(records).ok_or(ArchiveFault::ExtendedHeader)?;
        take(record)?;
        records = rest;
    }
    Ok(())
}

/// The first record, and what follows it.
fn first_record(records: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let digits_len = records.iter().position(|byte| *byte == b' ')?;
    let digits = records.get(..digits_len)?;
    let len = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    let (record, rest) = records.split_at_checked(len.parse().ok()?)?;
    let text = record.get(digits_len.checked_add(1)?..)?.strip_suffix(b"\n")?;
    let equals = text.iter().position(|byte| *byte == b'=')?;
    let (key, value) = text.split_at_checked(equals)?;
    let value = value.strip_prefix(b"=")?;
    (!key.is_empty()).then_some(((key, value), rest))
}

fn decimal(value: &[u8]) -> Result<u64, ArchiveFault> {
    if value.starts_with(b"-") {
        return Err(ArchiveFault::NegativeSize);
    }
    let digits = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits.and_then(|digits| digits.parse::<i64>().ok());
    number.and_then(|number| u64::try_from(number).ok()).ok_or(ArchiveFault::Number { field: "size" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_every_length_count_their_own_digits_and_are_read_back() {
        for len in (0..250).chain(980..1010).chain(9_980..10_010) {
            let path = vec![b'k'; len];
            let mut records = Vec::new();
            push_record(b"path", &path, &mut records);
            push_record(b"size", b"12", &mut records);
            push_record(b"comment", b"a=b\nc", &mut records);
            let expected = Extended { path: Some(path), size: Some(12), is_sparse: false };
            assert_eq!(Extended::parse(&records), Ok(expected));
        }
        let mut record = Vec::new();
        push_record(b"path", b"a", &mut record);
        assert_eq!(record, b"9 path=a\n");
    }

    #[test]
    fn records_that_lie_are_refused() {
        let bad: [&[u8]; 14] = [
            b"x",
            b"9 path=a",
            b"11 path=a\n",
            b"8 path=a\n",
            b"0 path=a\n",
            b" path=a\n",
            b"+9 path=a\n",
            b"99999999999999999999999 path=a\n",
            b"8 patha\n",
            b"6 =aa\n",
            b"9 path=a\n9 path=b\n",
            b"9 size=a\n",
            b"28 size=9223372036854775808\n",
            b"\0\0\0\0",
        ];
        for records in bad {
            assert!(Extended::parse(records).is_err(), "{}", records.escape_ascii());
        }
        assert_eq!(Extended::parse(b"11 size=-1\n"), Err(ArchiveFault::NegativeSize));
    }

    #[test]
    fn sparse_files_are_recognised_and_other_records_passed_over() {
        assert!(Extended::parse(b"22 GNU.sparse.major=1\n").unwrap().is_sparse);
        assert!(Extended::parse(b"13 mtime=1.5\n29 SCHILY.xattr.user.a=b\xff\0\nc\n").unwrap().is_harmless());
    }
}
