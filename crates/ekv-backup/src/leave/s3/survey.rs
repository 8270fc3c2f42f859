//! Looks at everything that is selected before the first object is written.

use std::collections::BTreeMap;

use ekv_model::s3::Event;
use ekv_model::{Consumer, Event as AnyEvent, Result};

use super::limits::{self, Unfit};
use super::{address, address_of_bucket};
use crate::leave::aws::{AwsSurvey, LoadedScope, Scopes, check_renames, rename};
use crate::leave::counts::Reasons;

/// Surveys what passes by.
pub(crate) struct Surveyor<'r> {
    renames: &'r BTreeMap<String, String>,
    keeps_etag: bool,
    taken: BTreeMap<String, String>,
    is_fit: bool,
    pub(crate) scopes: Scopes,
    survey: AwsSurvey,
    refused: Reasons,
    changed: Reasons,
}

impl<'r> Surveyor<'r> {
    pub(crate) fn new(renames: &'r BTreeMap<String, String>, keeps_etag: bool) -> Self {
        Surveyor {
            renames,
            keeps_etag,
            taken: BTreeMap::new(),
            is_fit: false,
            scopes: Scopes::default(),
            survey: AwsSurvey::default(),
            refused: Reasons::default(),
            changed: Reasons::default(),
        }
    }

    /// What there is.
    pub(crate) fn finish(self) -> (AwsSurvey, Scopes) {
        (AwsSurvey { refused: self.refused.report(), changed: self.changed.report(), ..self.survey }, self.scopes)
    }
}

impl Consumer for Surveyor<'_> {
    fn event(&mut self, event: AnyEvent<'_>) -> Result<()> {
        match event {
            AnyEvent::S3(Event::Begin(bucket)) => {
                let target = rename(self.renames, bucket.name);
                self.is_fit = limits::is_bucket_name(target);
                check_renames(&mut self.taken, bucket.name, target)?;
                if !self.is_fit {
                    self.refused.add(Unfit::Bucket.why(), || address_of_bucket(target));
                }
                let (name, target) = (bucket.name.to_owned(), target.to_owned());
                self.scopes.begin(LoadedScope { name, target, is_new: false, things: 0 });
            }
            AnyEvent::S3(Event::Object(object)) => {
                self.survey.things = self.survey.things.saturating_add(1);
                self.scopes.add_thing();
                let named = || address(self.scopes.target(), object.key);
                let fit = if self.is_fit { limits::key(&object).map(|_| ()) } else { Err(Unfit::Bucket) };
                if let Err(unfit) = fit.and_then(|()| limits::headers(&object, self.keeps_etag).map(|_| ())) {
                    self.refused.add(unfit.why(), named);
                    return Ok(());
                }
                self.survey.fitting = self.survey.fitting.saturating_add(1);
                self.survey.bytes = self.survey.bytes.saturating_add(object.body.len());
                if limits::is_etag_changed(&object) {
                    self.changed.add(
                        "etag_changed: another entity tag, since it was or will be written in several parts",
                        named,
                    );
                }
                if limits::is_folded(&object) {
                    self.changed.add("names of metadata, which come back in lower case", named);
                }
            }
            _ => {}
        }
        Ok(())
    }
}
