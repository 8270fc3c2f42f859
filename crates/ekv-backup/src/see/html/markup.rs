//! Text that a page is made of. Whatever is foreign goes through [`Escaped`].

use std::fmt::{self, Write as _};

use ekv_text::Line;

/// Foreign text where text or a quoted attribute stands: no markup, no control character, nothing that turns the direction of writing.
pub(super) struct Escaped<T>(pub(super) T);

impl<T: fmt::Display> fmt::Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", Line(&self.0))
    }
}

struct Escaping<'f, 'g>(&'f mut fmt::Formatter<'g>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.split_inclusive(['&', '<', '>', '"', '\'']) {
            let end = piece.chars().next_back();
            let entity = match end {
                Some('&') => "&amp;",
                Some('<') => "&lt;",
                Some('>') => "&gt;",
                Some('"') => "&quot;",
                Some('\'') => "&#39;",
                _ => "",
            };
            let plain =
                if entity.is_empty() { piece } else { piece.get(..piece.len().saturating_sub(1)).unwrap_or("") };
            self.0.write_str(plain)?;
            self.0.write_str(entity)?;
        }
        Ok(())
    }
}

/// Longest name that is shown as a whole, in characters; the rest is in its `title`.
const NAME_LEN_SHOWN: usize = 200;

/// A name: its first 200 characters, and all of it for those who point at it.
pub(super) struct NameTag<T>(pub(super) T);

impl<T: fmt::Display> fmt::Display for NameTag<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.to_string();
        match name.char_indices().nth(NAME_LEN_SHOWN) {
            None => write!(f, "<code>{}</code>", Escaped(&name)),
            Some((end, _)) => {
                let shown = name.get(..end).unwrap_or_default();
                write!(f, "<code title=\"{}\">{}…</code>", Escaped(&name), Escaped(shown))
            }
        }
    }
}

/// A part of a whole as a length in percent, for attributes.
pub(super) fn share(part: u64, whole: u64) -> String {
    let hundredths = u128::from(part).saturating_mul(10_000).checked_div(whole.into()).unwrap_or(0).min(10_000);
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

/// Text that grows.
#[derive(Default)]
pub(super) struct Html(String);

impl Html {
    /// Adds markup, in which foreign text is [`Escaped`].
    pub(super) fn push(&mut self, markup: fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.0.write_fmt(markup);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn append(&mut self, other: Html) {
        self.0.push_str(&other.0);
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_neither_markup_nor_steers_anything() {
        let text = "</script><img src=x onerror='a'>\"&amp;\u{202e}\u{200b}\0\n";
        let expected = "&lt;/script&gt;&lt;img src=x onerror=&#39;a&#39;&gt;&quot;&amp;amp;\\u{202e}\\u{200b}\\0\\n";
        assert_eq!(Escaped(text).to_string(), expected);
    }

    #[test]
    fn long_name_is_cut_with_all_of_it_in_its_title() {
        let long = "é<".repeat(150);
        let shown = NameTag(&long).to_string();
        let whole = "é&lt;".repeat(150);
        assert_eq!(shown, format!("<code title=\"{whole}\">{}…</code>", "é&lt;".repeat(100)));
        assert_eq!(NameTag("a").to_string(), "<code>a</code>");
    }

    #[test]
    fn shares_are_lengths_up_to_the_whole() {
        assert_eq!([share(1, 3), share(0, 0), share(7, 7), share(9, 7)], ["33.33%", "0.00%", "100.00%", "100.00%"]);
    }
}
