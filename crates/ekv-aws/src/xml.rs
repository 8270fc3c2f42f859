//! The few elements of XML answers that matter.

use quick_xml::events::Event;
use quick_xml::reader::Reader;

/// An element without its namespace, and the text in it.
pub(crate) struct Leaf {
    /// Names from the root down to the element itself, joined by `/`.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

/// Deepest nesting that is read; answers have four levels.
const LEVEL_MAX: usize = 16;

/// The elements that hold text or nothing, in their order; `None` if it is no well-formed document.
pub(crate) fn leaves(body: &[u8]) -> Option<Vec<Leaf>> {
    let mut reader = Reader::from_str(std::str::from_utf8(body).ok()?);
    let mut path: Vec<String> = Vec::new();
    let mut leaves = Vec::new();
    let mut text: Option<String> = None;
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                path.push(start.local_name().as_ref().to_owned());
                (path.len() <= LEVEL_MAX).then_some(())?;
                text = Some(String::new());
            }
            Event::Empty(start) => {
                let name = start.local_name().as_ref().to_owned();
                leaves.push(Leaf { path: joined(&path, Some(&name)), text: String::new() });
                text = None;
            }
            Event::Text(piece) => {
                if let Some(text) = &mut text {
                    text.push_str(&piece);
                }
            }
            Event::CData(piece) => {
                if let Some(text) = &mut text {
                    text.push_str(&piece);
                }
            }
            Event::GeneralRef(name) => {
                let piece = match name.resolve_char_ref().ok()? {
                    Some(character) => character.to_string(),
                    None => quick_xml::escape::resolve_predefined_entity(&name)?.to_owned(),
                };
                if let Some(text) = &mut text {
                    text.push_str(&piece);
                }
            }
            Event::End(_) => {
                if let Some(text) = text.take() {
                    leaves.push(Leaf { path: joined(&path, None), text });
                }
                path.pop()?;
            }
            Event::Eof => return path.is_empty().then_some(leaves),
            _ => {}
        }
    }
}

fn joined(path: &[String], last: Option<&str>) -> String {
    let mut joined = path.join("/");
    if let Some(last) = last {
        joined.push('/');
        joined.push_str(last);
    }
    joined
}

/// Code and message of an error document.
pub(crate) fn error(body: &[u8]) -> Option<(String, String)> {
    let leaves = leaves(body)?;
    let of = |names: [&str; 2]| {
        let leaf = leaves.iter().find(|leaf| names.contains(&leaf.path.as_str()));
        leaf.map(|leaf| leaf.text.clone())
    };
    let code = of(["Error/Code", "ErrorResponse/Error/Code"])?;
    Some((code, of(["Error/Message", "ErrorResponse/Error/Message"]).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_with_entities_blanks_and_no_text_is_read() {
        let body = b"<?xml version='1.0'?><a xmlns='x'><b> x&lt;y&#x41; </b><c/><d></d></a>";
        let leaves: Vec<_> = leaves(body).unwrap().into_iter().map(|leaf| (leaf.path, leaf.text)).collect();
        let expected = [("a/b", " x<yA "), ("a/c", ""), ("a/d", "")];
        assert_eq!(leaves, expected.map(|(path, text)| (path.to_owned(), text.to_owned())));
    }

    #[test]
    fn a_cut_document_is_none() {
        let body = b"<a><b>x</b></a>";
        assert!((0..body.len()).all(|len| leaves(&body[..len]).is_none_or(|leaves| leaves.is_empty())));
    }

    #[test]
    fn nesting_without_end_is_none() {
        assert!(leaves("<a>".repeat(100_000).as_bytes()).is_none());
    }
}
