//! Things that are read back when a load is done.

/// Things that are chosen at random as they pass by, each with the same chance; what is known of each is a `T`.
pub(crate) struct Sample<T> {
    most: u64,
    seen: u64,
    state: u64,
    rows: Vec<(u64, T)>,
}

impl<T> Sample<T> {
    /// At most so many; `seed` decides which.
    pub(crate) fn new(most: u64, seed: u64) -> Self {
        Sample { most, seen: 0, state: seed | 1, rows: Vec::new() }
    }

    /// The place that the next thing gets, if it is chosen.
    pub(crate) fn choose(&mut self) -> Option<usize> {
        self.seen = self.seen.saturating_add(1);
        if self.most == 0 {
            return None;
        }
        // Xorshift64: any order will do.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let place = if self.seen <= self.most { self.seen.saturating_sub(1) } else { self.state % self.seen };
        usize::try_from(place).ok().filter(|_| place < self.most)
    }

    /// Keeps what is known of the thing with this number, at the place that was chosen.
    pub(crate) fn put(&mut self, place: usize, number: u64, row: T) {
        match self.rows.get_mut(place) {
            Some(slot) => *slot = (number, row),
            None => self.rows.push((number, row)),
        }
    }

    /// A thing is not there after all.
    pub(crate) fn forget(&mut self, number: u64) {
        if self.most > 0 {
            self.rows.retain(|(own, _)| *own != number);
        }
    }

    /// What was chosen.
    pub(crate) fn into_rows(self) -> impl Iterator<Item = T> {
        self.rows.into_iter().map(|(_, row)| row)
    }
}
