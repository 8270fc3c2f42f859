//! AES-256-GCM: of what fits into memory by the crate `aes-gcm`, of what does not in pieces, twice.
//!
//! GCM shows at its end only whether anything of it is authentic. So a long ciphertext is first hashed as a whole, and decrypted when its tag
//! is right.

use aes::Aes256;
use aes::cipher::{BlockCipherEncrypt, KeyInit, KeyIvInit, StreamCipher};
use aes_gcm::Aes256Gcm;
use aes_gcm::aead::AeadInOut;
use ctr::Ctr32BE;
use ghash::GHash;
use ghash::universal_hash::UniversalHash;
use zeroize::Zeroizing;

use crate::stream::{for_each_piece, len_u64};
use crate::{Input, Result};

/// Bytes of a key.
pub const KEY_LEN: usize = 32;
/// Bytes of a nonce, and of a tag.
pub(super) const NONCE_LEN: usize = 12;
pub(super) const TAG_LEN: usize = 16;
/// Bytes of a block of the cipher.
const BLOCK_LEN: usize = 16;

/// Bytes of a key, which are overwritten when it is dropped.
pub type SecretKey = Zeroizing<[u8; KEY_LEN]>;

/// A key, ready for use; it is overwritten when it is dropped.
pub(super) struct Cipher {
    short: Box<Aes256Gcm>,
    key: SecretKey,
}

/// A long ciphertext: bytes of an input, behind them the tag.
pub(super) struct Sealed<'s> {
    pub(super) input: &'s Input,
    pub(super) offset: u64,
    /// Without the tag.
    pub(super) len: u64,
    pub(super) nonce: &'s [u8; NONCE_LEN],
    pub(super) aad: &'s [u8],
}

impl Cipher {
    pub(super) fn new(key: &SecretKey) -> Self {
        Cipher { short: Box::new(Aes256Gcm::new((&**key).into())), key: key.clone() }
    }

    /// Decrypts `sealed`, ciphertext and tag, in its place; returns how many of its bytes are plain text, `None` if the tag is wrong.
    pub(super) fn open_in_place(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], sealed: &mut [u8]) -> Option<usize> {
        let (text, tag) = sealed.split_last_chunk_mut::<TAG_LEN>()?;
        let tag = (*tag).into();
        self.short.decrypt_inout_detached(nonce.into(), aad, text.into(), &tag).ok()?;
        Some(text.len())
    }

    /// Calls `f` with the plain text in pieces, once the tag was found right; `false` if it is wrong.
    pub(super) fn open_long(&self, sealed: &Sealed<'_>, mut f: impl FnMut(&[u8]) -> Result<()>) -> Result<bool> {
        let aes = Aes256::new((&*self.key).into());
        let mut subkey = Zeroizing::new([0; BLOCK_LEN]);
        aes.encrypt_block((&mut *subkey).into());
        let mut ghash = GHash::new((&*subkey).into());
        ghash.update_padded(sealed.aad);
        // Pieces but the last one are whole blocks.
        for_each_piece(sealed.input, sealed.offset, sealed.len, |piece| {
            ghash.update_padded(piece);
            Ok(())
        })?;
        let bits = |len: u64| len.saturating_mul(8).to_be_bytes();
        let mut lengths = [0; BLOCK_LEN];
        let both = bits(len_u64(sealed.aad)).into_iter().chain(bits(sealed.len));
        lengths.iter_mut().zip(both).for_each(|(to, from)| *to = from);
        ghash.update(&[lengths.into()]);
        let mut counter = [0; BLOCK_LEN];
        let first = sealed.nonce.iter().copied().chain([0, 0, 0, 1]);
        counter.iter_mut().zip(first).for_each(|(to, from)| *to = from);
        let mut keystream = Ctr32BE::<Aes256>::new((&*self.key).into(), (&counter).into());
        let mut tag: [u8; TAG_LEN] = ghash.finalize().into();
        keystream.apply_keystream(&mut tag);
        let mut stored = [0; TAG_LEN];
        sealed.input.fill_at(sealed.offset.saturating_add(sealed.len), &mut stored)?;
        if stored != tag {
            return Ok(false);
        }
        let mut plain = Vec::new();
        for_each_piece(sealed.input, sealed.offset, sealed.len, |piece| {
            plain.clear();
            plain.extend_from_slice(piece);
            keystream.apply_keystream(&mut plain);
            f(&plain)
        })?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FooterPolicy, MemoryInput};
    use std::sync::Arc;

    #[test]
    fn long_way_opens_what_the_library_sealed_and_nothing_that_was_changed() {
        let key = SecretKey::new([7; 32]);
        let (nonce, aad) = ([9; NONCE_LEN], b"a key of any length, and more than a block".as_slice());
        for len in [0_usize, 1, 15, 16, 17, 65_535, 65_536, 65_537, 200_003] {
            let plain: Vec<u8> = (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let mut sealed = plain.clone();
            let library = Aes256Gcm::new(key.as_slice().try_into().unwrap());
            let tag = library.encrypt_inout_detached(&nonce.into(), aad, sealed.as_mut_slice().into()).unwrap();
            sealed.extend_from_slice(&tag);
            let open = |bytes: &[u8], aad: &[u8]| {
                let (source, total) = (Arc::new(MemoryInput(bytes.into())), len_u64(bytes));
                let (name, footer) = ("memory".to_owned(), FooterPolicy::Optional);
                let input = Input { source, len: total, name, footer, token_crc32c: None };
                let len = total - u64::try_from(TAG_LEN).unwrap();
                let mut opened = Vec::new();
                let sealed = Sealed { input: &input, offset: 0, len, nonce: &nonce, aad };
                let is_open = Cipher::new(&key).open_long(&sealed, |piece| {
                    opened.extend_from_slice(piece);
                    Ok(())
                });
                let mut short = bytes.to_vec();
                let short_len = Cipher::new(&key).open_in_place(&nonce, aad, &mut short);
                assert_eq!(short_len.is_some(), *is_open.as_ref().unwrap(), "both ways agree");
                is_open.unwrap().then_some(opened)
            };
            assert!(open(&sealed, aad) == Some(plain), "{len}");
            assert_eq!(open(&sealed, b"other"), None);
            for at in [0, len / 2, sealed.len() - 1] {
                let mut changed = sealed.clone();
                changed[at] ^= 1;
                assert_eq!(open(&changed, aad), None, "byte {at} of {len}");
            }
        }
    }
}
