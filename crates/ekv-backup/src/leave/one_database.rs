//! A target is one logical database: keys of several do not go into it, where those of one name would meet.

use ekv_model::{Class, Consumer, Error, Event, Findings, Result};

/// Passes keys on, as long as all are of one logical database.
pub(crate) struct OneDatabase<'c> {
    consumer: &'c mut dyn Consumer,
    database: Option<u32>,
}

impl<'c> OneDatabase<'c> {
    pub(crate) fn new(consumer: &'c mut dyn Consumer) -> Self {
        OneDatabase { consumer, database: None }
    }

    /// The database of the keys; `None` if there was none.
    pub(crate) fn database(&self) -> Option<u32> {
        self.database
    }
}

impl Consumer for OneDatabase<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        if let Event::Redis { database, .. } = event {
            let first = *self.database.get_or_insert(database);
            if first != database {
                let text = format!(
                    "there are keys of database {first} and of database {database}, and the target is one database: select one of them, such as redis:{first}/, \
                     and name the target's behind its address, such as redis://HOST/{first}"
                );
                return Err(Error::new(Class::Environment, text));
            }
        }
        self.consumer.event(event)
    }

    fn findings(&self) -> Findings {
        self.consumer.findings()
    }
}
