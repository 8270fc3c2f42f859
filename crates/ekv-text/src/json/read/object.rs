//! Objects.

use super::{JsonFault, JsonReader, JsonSource};
use crate::json::Bracket;

/// Longest name of a member that is compared with known ones, in bytes.
const NAME_LEN_MAX: usize = 64;

impl<S: JsonSource> JsonReader<S> {
    /// Reads an object that has exactly the members `known`, in any order. `member` is called with the index of each and must read
    /// its value.
    ///
    /// # Errors
    /// [`JsonFault::Expected`] if there is no object, [`JsonFault::UnknownMember`], [`JsonFault::RepeatedMember`] or
    /// [`JsonFault::MissingMember`]; the first error of `member`.
    pub fn object(
        &mut self,
        expected: &'static str,
        known: &'static [&'static str],
        member: impl FnMut(&mut Self, usize) -> Result<(), S::Error>,
    ) -> Result<(), S::Error> {
        self.object_with_optional(expected, known, known.len(), member)
    }

    /// As [`JsonReader::object`], but only the first `required` of the members `known` must be there.
    ///
    /// # Errors
    /// As [`JsonReader::object`].
    pub fn object_with_optional(
        &mut self,
        expected: &'static str,
        known: &'static [&'static str],
        required: usize,
        mut member: impl FnMut(&mut Self, usize) -> Result<(), S::Error>,
    ) -> Result<(), S::Error> {
        let mut seen = 0_u64;
        self.members(expected, |reader| {
            let index = reader.known_name("the name of a member", known)?;
            reader.see(known, index, &mut seen)?;
            member(reader, index)
        })?;
        match known.iter().take(required).enumerate().find(|(index, _)| (seen >> index) & 1 == 0) {
            Some((_, name)) => Err(self.fault(JsonFault::MissingMember { name })),
            None => Ok(()),
        }
    }

    /// Reads an object whose members `known` may be missing, and passes over others. `member` is called with the index of each known
    /// one and must read its value.
    ///
    /// # Errors
    /// [`JsonFault::Expected`] if there is no object, [`JsonFault::RepeatedMember`]; the first error of `member`.
    pub fn known_members(
        &mut self,
        expected: &'static str,
        known: &'static [&'static str],
        mut member: impl FnMut(&mut Self, usize) -> Result<(), S::Error>,
    ) -> Result<(), S::Error> {
        let mut seen = 0_u64;
        self.members(expected, |reader| match reader.any_name("the name of a member", known)? {
            Ok(index) => {
                reader.see(known, index, &mut seen)?;
                member(reader, index)
            }
            Err(_) => reader.skip(),
        })
    }

    /// Reads an object whose members may have any name. `member` is called before each name and must read it with
    /// [`JsonReader::name`], and then the value.
    ///
    /// # Errors
    /// [`JsonFault::Expected`] if there is no object; the first error of `member`.
    pub fn members(
        &mut self,
        expected: &'static str,
        mut member: impl FnMut(&mut Self) -> Result<(), S::Error>,
    ) -> Result<(), S::Error> {
        self.enter(Bracket::Object, expected)?;
        let mut is_first = true;
        while self.more(Bracket::Object, is_first)? {
            is_first = false;
            member(self)?;
        }
        Ok(())
    }

    /// Reads the name of a member and its colon; appends the name to `name`.
    ///
    /// # Errors
    /// As [`JsonReader::text`].
    pub fn name(&mut self, len_max: usize, name: &mut Vec<u8>) -> Result<(), S::Error> {
        self.text("the name of a member", len_max, name)?;
        self.take(b':', "a colon")
    }

    /// Reads one of the names `known` and its colon; returns its index.
    ///
    /// # Errors
    /// [`JsonFault::Expected`] if there is no name, [`JsonFault::UnknownMember`].
    pub fn known_name(&mut self, expected: &'static str, known: &'static [&'static str]) -> Result<usize, S::Error> {
        let start = self.position()?;
        self.any_name(expected, known)?.map_err(|name| {
            self.seek(start);
            self.fault(JsonFault::UnknownMember { name, known })
        })
    }

    /// Reads a name and its colon: its index among those known, or at most its first 64 characters.
    fn any_name(
        &mut self,
        expected: &'static str,
        known: &'static [&'static str],
    ) -> Result<Result<usize, String>, S::Error> {
        let mut name = Vec::new();
        self.string(expected, |piece| {
            let room = NAME_LEN_MAX.saturating_sub(name.len());
            name.extend(piece.iter().take(room.saturating_add(1)));
            Ok(())
        })?;
        self.take(b':', "a colon")?;
        let index = known.iter().position(|known| known.as_bytes() == name);
        Ok(index.ok_or_else(|| String::from_utf8_lossy(&name).chars().take(NAME_LEN_MAX).collect()))
    }

    /// Refuses a member that comes again.
    fn see(&self, known: &'static [&'static str], index: usize, seen: &mut u64) -> Result<(), S::Error> {
        let bit = u32::try_from(index).ok().and_then(|index| 1_u64.checked_shl(index)).unwrap_or(0);
        if *seen & bit != 0 {
            let name = known.get(index).copied().unwrap_or_default();
            return Err(self.fault(JsonFault::RepeatedMember { name }));
        }
        *seen |= bit;
        Ok(())
    }
}
