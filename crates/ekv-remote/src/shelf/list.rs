//! The dumps of a shelf.

use jiff::Timestamp;

use super::description::{DESCRIPTION_LEN_MAX, Description, DescriptionError};
use super::name::{DESCRIPTION, ShelfName};
use crate::download::read_range;
use crate::{Listed, Meta, Remote, Result};

/// A dump on a shelf, or what is left of one.
#[derive(Debug)]
pub struct Row {
    /// Its name.
    pub name: ShelfName,
    /// The archive: its key, and what the store says of it.
    pub archive: Option<(String, Meta, Option<Timestamp>)>,
    /// What is known of it.
    pub state: State,
}

/// What is known of a dump.
#[derive(Debug)]
pub enum State {
    /// It is whole, and this is its description.
    Described(Box<Description>),
    /// There is no description: it is being written, or a run was stopped, or it is being deleted.
    NotDescribed,
    /// There is a description without the archive that it describes, or one that says nothing.
    Unsound(DescriptionError),
}

impl Row {
    /// The description of a sound dump.
    pub fn description(&self) -> Option<&Description> {
        match &self.state {
            State::Described(description) => Some(description),
            _ => None,
        }
    }
}

/// What was found under one name.
struct Found {
    name: ShelfName,
    description: Option<Listed>,
    archive: Option<Listed>,
}

/// Calls `take` with the dumps below `prefix`, oldest first, and gives the number of objects that are called otherwise. Each description is read.
///
/// # Errors
/// Of the store, and of `take`: whoever acts upon a list is to know that it is whole.
pub fn list(remote: &dyn Remote, prefix: &str, take: &mut dyn FnMut(Row) -> Result<()>) -> Result<u64> {
    let mut others = 0_u64;
    let mut open: Option<Found> = None;
    remote.list(prefix, &mut |object| {
        // Deeper folders are other shelves.
        let parsed =
            object.key.strip_prefix(prefix).and_then(ShelfName::parse).map(|(name, ending)| (name, ending.to_owned()));
        let Some((name, ending)) = parsed.filter(|(_, ending)| ending == DESCRIPTION || ShelfName::is_archive(ending))
        else {
            others = others.saturating_add(1);
            return Ok(true);
        };
        if open.as_ref().is_some_and(|found| found.name != name)
            && let Some(found) = open.take()
        {
            take(row(remote, prefix, found)?)?;
        }
        let found = open.get_or_insert(Found { name, description: None, archive: None });
        match ending == DESCRIPTION {
            true => found.description = Some(object),
            false => found.archive = Some(object),
        }
        Ok(true)
    })?;
    if let Some(found) = open {
        take(row(remote, prefix, found)?)?;
    }
    Ok(others)
}

fn row(remote: &dyn Remote, prefix: &str, found: Found) -> Result<Row> {
    let Found { name, description, archive } = found;
    let state = match &description {
        None => State::NotDescribed,
        Some(listed) => match read(remote, listed)? {
            Ok(description) if describes(&description, prefix, archive.as_ref()) => {
                State::Described(Box::new(description))
            }
            Ok(description) => State::Unsound(DescriptionError::OtherArchive { found: description.archive }),
            Err(error) => State::Unsound(error),
        },
    };
    let archive = archive.map(|Listed { key, meta, modified }| (key, meta, modified));
    Ok(Row { name, archive, state })
}

/// Whether the archive beside a description is the one that it describes.
fn describes(description: &Description, prefix: &str, archive: Option<&Listed>) -> bool {
    archive.is_some_and(|archive| {
        archive.key.strip_prefix(prefix) == Some(&description.archive)
            && archive.meta.len == description.archive_len
            && archive.meta.tag == description.archive_tag
    })
}

/// Reads a description.
fn read(remote: &dyn Remote, listed: &Listed) -> Result<Result<Description, DescriptionError>> {
    let Listed { key, meta: Meta { len, tag }, .. } = listed;
    if *len > DESCRIPTION_LEN_MAX {
        return Ok(Err(DescriptionError::TooLong { len: *len }));
    }
    Ok(Description::read(&read_range(remote, key, tag, 0..*len)?))
}
