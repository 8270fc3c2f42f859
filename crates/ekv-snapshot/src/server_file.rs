//! The frame that makes a payload a server file: header, payload, footer. Source: `docs/format/restore.md`, section 8.1.

use crate::footer::check_footer;
use crate::format::{FOOTER_LEN, HEADER_V1_LEN, HEADER_V1_MAGIC};
use crate::sequential::Sequential;
use crate::{CommitTs, Error, ErrorKind, Input, Result};
use ekv_model::Monitor;

/// Length of the version 1 header in bytes, as [`ServerFrame::begin`] returns it.
pub const HEADER_LEN: usize = 16;

/// Makes header and footer for a payload that passes through.
#[derive(Clone, Debug)]
pub struct ServerFrame {
    crc32c: u32,
}

impl ServerFrame {
    /// Begins a file: the header to be written first. Its clock ceiling is just above `last_commit_ts`.
    pub fn begin(last_commit_ts: CommitTs) -> (ServerFrame, [u8; HEADER_LEN]) {
        let mut header = [0; HEADER_LEN];
        let (magic, ceiling) = header.split_at_mut(HEADER_V1_MAGIC.len());
        magic.copy_from_slice(HEADER_V1_MAGIC);
        ceiling.copy_from_slice(&ceiling_ms(last_commit_ts).to_be_bytes());
        (ServerFrame { crc32c: crc32c::crc32c(&header) }, header)
    }

    /// Takes the next bytes of the payload.
    pub fn update(&mut self, payload: &[u8]) {
        self.crc32c = crc32c::crc32c_append(self.crc32c, payload);
    }

    /// CRC32C of everything so far; after the whole payload it is the footer, and what the token states.
    pub fn crc32c(&self) -> u32 {
        self.crc32c
    }

    /// The footer to be written last.
    pub fn footer(&self) -> [u8; 4] {
        self.crc32c.to_be_bytes()
    }
}

/// Clock ceiling of a store whose last commit is `last_commit_ts`, in Unix milliseconds.
pub fn ceiling_ms(last_commit_ts: CommitTs) -> u64 {
    if last_commit_ts.0 == 0 { 0 } else { last_commit_ts.unix_ms().saturating_add(1) }
}

/// A payload inside a server file, to be read from front to back.
pub struct FramedPayload {
    /// The payload, without header and footer.
    pub payload: Input,
    /// Checksum of the file, up to what was read of the payload.
    pub frame: ServerFrame,
    footer: u32,
    footer_offset: u64,
}

impl FramedPayload {
    /// Looks into a server file with a version 1 header; `None` if there is no such header.
    ///
    /// # Errors
    /// `Truncated` if the file cannot hold a footer, or a failing read.
    pub fn open(input: &Input) -> Result<Option<FramedPayload>> {
        let mut header = [0; HEADER_LEN];
        let header_len = input.fill_at(0, &mut header)?;
        if !header.starts_with(HEADER_V1_MAGIC) {
            return Ok(None);
        }
        let around = HEADER_V1_LEN.saturating_add(FOOTER_LEN);
        let len = input.len.checked_sub(around).filter(|_| header_len == header.len()).ok_or_else(|| {
            let cut = ErrorKind::Truncated { what: "header and footer", needed: around, available: input.len };
            Error::new(cut).at(0).in_file(&input.name)
        })?;
        let footer_offset = input.len.saturating_sub(FOOTER_LEN);
        let mut footer = [0; 4];
        input.fill_at(footer_offset, &mut footer)?;
        let frame = ServerFrame { crc32c: crc32c::crc32c(&header) };
        let payload = input.part(HEADER_V1_LEN, len);
        Ok(Some(FramedPayload { payload, frame, footer: u32::from_be_bytes(footer), footer_offset }))
    }

    /// Compares footer and checksum, when the whole payload went through [`FramedPayload::frame`].
    ///
    /// # Errors
    /// `FooterCrc`.
    pub fn finish(self) -> Result<()> {
        let (stored, computed) = (self.footer, self.frame.crc32c());
        match stored == computed {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::FooterCrc { stored, computed, parse_error: None })
                .at(self.footer_offset)
                .in_file(&self.payload.name)),
        }
    }
}

/// Reads a whole server file and compares its checksum with its footer, and the footer with the token if the input states one.
///
/// Returns the footer. Cost: one read.
///
/// # Errors
/// `FooterMissing` for a file too short for one, `FooterCrc`, `TokenCrc`, or a failing read.
pub fn verify_footer(input: &Input, monitor: &dyn Monitor) -> Result<u32> {
    let ending = Sequential::new(input, monitor).finish()?;
    let footer = check_footer(input, ending, None)?;
    footer.ok_or_else(|| Error::new(ErrorKind::FooterMissing).at(input.len).in_file(&input.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::len_u64;
    use crate::{FooterPolicy, MemoryInput};
    use ekv_model::NoMonitor;
    use std::sync::Arc;

    fn input(bytes: &[u8]) -> Input {
        let source = Arc::new(MemoryInput(bytes.into()));
        let (len, name) = (len_u64(bytes), "0000000000000001.fsm".to_owned());
        Input { source, len, name, footer: FooterPolicy::Required, token_crc32c: None }
    }

    fn framed(payload: &[u8], last_commit_ts: u64) -> Vec<u8> {
        let (mut frame, header) = ServerFrame::begin(CommitTs(last_commit_ts));
        payload.chunks(7).for_each(|piece| frame.update(piece));
        [&header, payload, &frame.footer()].concat()
    }

    #[test]
    fn documented_header_and_footer_are_written() {
        // Section 13: header of the last commit, checksum over header and payload.
        let payload = b"EKVPBBL1\x07\0\0\x68\xe5\xcf\x8b\x01\x16\0\0\0\0\0\0\0!redis|str|a/b\xfe\x74\x30\x1a\x97\xff\xff\xf8\x0e\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\x01\0hi";
        let file = framed(payload, 111_411_200_000_000_007);
        assert_eq!(&file[..16], b"EKVTHLC1\0\0\x01\x8b\xcf\xe5\x68\x01");
        assert_eq!(&file[84..], &[0xcf, 0xe7, 0x1b, 0x90]);
        assert_eq!(file.len(), 88);
        assert_eq!(verify_footer(&input(&file), &NoMonitor).unwrap(), 0xcfe7_1b90);
        let mut framed = FramedPayload::open(&input(&file)).unwrap().unwrap();
        let mut copy = vec![0; 99];
        let len = framed.payload.fill_at(0, &mut copy).unwrap();
        assert_eq!(&copy[..len], payload);
        framed.frame.update(payload);
        framed.finish().unwrap();
    }

    #[test]
    fn store_without_a_commit_has_no_ceiling() {
        assert_eq!(ceiling_ms(CommitTs(0)), 0);
        assert_eq!(ceiling_ms(CommitTs(1)), 1);
        assert_eq!(ceiling_ms(CommitTs::MAX), 1 << 48);
    }

    #[test]
    fn any_changed_byte_and_another_token_are_noticed() {
        let good = framed(b"payload", 5 << 16);
        for at in 0..good.len() {
            let mut changed = good.clone();
            changed[at] ^= 0x10;
            let whole = verify_footer(&input(&changed), &NoMonitor).unwrap_err();
            assert!(matches!(whole.kind(), ErrorKind::FooterCrc { .. }), "{at}");
            let Some(mut framed) = FramedPayload::open(&input(&changed)).unwrap() else {
                assert!(at < 8, "{at}");
                continue;
            };
            framed.frame.update(&changed[16..changed.len() - 4]);
            assert!(matches!(framed.finish().unwrap_err().kind(), ErrorKind::FooterCrc { .. }), "{at}");
        }
        let with_token = Input { token_crc32c: Some(1), ..input(&good) };
        let error = verify_footer(&with_token, &NoMonitor).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TokenCrc { token: 1, .. }));
        assert!(matches!(verify_footer(&input(b"abc"), &NoMonitor).unwrap_err().kind(), ErrorKind::FooterMissing));
    }

    #[test]
    fn bare_payload_has_no_frame_and_a_frame_without_room_is_cut() {
        assert!(FramedPayload::open(&input(b"EKVPBBL1")).unwrap().is_none());
        assert!(FramedPayload::open(&input(b"EKVTHLC")).unwrap().is_none());
        for len in 8..20 {
            let error = FramedPayload::open(&input(&framed(b"", 1)[..len])).err().unwrap();
            assert!(matches!(error.kind(), ErrorKind::Truncated { .. }));
        }
        assert_eq!(FramedPayload::open(&input(&framed(b"", 1))).unwrap().unwrap().payload.len, 0);
    }
}
