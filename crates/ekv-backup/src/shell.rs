//! Words of commands that are printed for copying.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;

use ekv_text::is_shown_as_it_is;

/// A word as sh, bash, zsh and fish (3.4 and later) read it back, byte by byte.
///
/// Harmless words stay as they are. Others are quoted; control characters and bytes that are no text are written in octal for `printf`,
/// so that the command stays one line that steers no terminal. Only line feeds at the very end, which no command substitution keeps, stand
/// between quotes as they are.
///
/// ```
/// use ekv_backup::shell::quote;
/// assert_eq!(quote("dump".as_ref()), "dump");
/// assert_eq!(quote("my dump".as_ref()), "'my dump'");
/// assert_eq!(quote("it's".as_ref()), r#"'it'"'"'s'"#);
/// assert_eq!(quote("two\nlines".as_ref()), r#""$(printf 'two\012lines')""#);
/// ```
pub fn quote(word: &OsStr) -> String {
    let bytes = word.as_encoded_bytes();
    let is_harmless =
        |at: usize, byte: u8| byte.is_ascii_alphanumeric() || b"_./:@,+-".contains(&byte) || (at > 0 && byte == b'=');
    if !bytes.is_empty() && bytes.iter().enumerate().all(|(at, byte)| is_harmless(at, *byte)) {
        return word.to_string_lossy().into_owned();
    }
    match word.to_str().filter(|text| text.chars().all(is_shown_as_it_is)) {
        Some(text) => in_quotes(text),
        None => by_printf(bytes),
    }
}

/// A path as [`quote`] writes it; one that begins with a dash begins with `./`, so that no command takes it for an option.
pub fn path(path: &Path) -> String {
    match path.as_os_str() {
        word if word.as_encoded_bytes().starts_with(b"-") => quote(Path::new(".").join(path).as_os_str()),
        word => quote(word),
    }
}

/// In single quotes. A single quote and a backslash, which fish understands within them, stand in double quotes.
fn in_quotes(text: &str) -> String {
    let mut out = "'".to_owned();
    for character in text.chars() {
        match character {
            '\'' => out.push_str("'\"'\"'"),
            '\\' => out.push_str("'\"\\\\\"'"),
            other => out.push(other),
        }
    }
    out.push('\'');
    out
}

fn by_printf(bytes: &[u8]) -> String {
    let kept = bytes.iter().rposition(|byte| *byte != b'\n').map_or(0, |last| last + 1);
    let (front, line_feeds) = bytes.split_at_checked(kept).unwrap_or((bytes, &[]));
    let mut out = String::new();
    if !front.is_empty() {
        out.push_str("\"$(printf '");
        for chunk in front.utf8_chunks() {
            for character in chunk.valid().chars() {
                let is_plain = match character.is_ascii() {
                    // A leading dash would be an option of printf.
                    true => character.is_ascii_alphanumeric() || "_./:@,+= ".contains(character),
                    false => is_shown_as_it_is(character),
                };
                match is_plain {
                    true => out.push(character),
                    false => character.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| octal(byte, &mut out)),
                }
            }
            chunk.invalid().iter().for_each(|byte| octal(*byte, &mut out));
        }
        out.push_str("')\"");
    }
    if !line_feeds.is_empty() {
        out.push('\'');
        line_feeds.iter().for_each(|_| out.push('\n'));
        out.push('\'');
    }
    out
}

fn octal(byte: u8, out: &mut String) {
    let _ = write!(out, "\\{byte:03o}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_never_look_like_options() {
        assert_eq!(path(Path::new("-rf")), "./-rf");
        assert_eq!(path(Path::new("--force me")), "'./--force me'");
        assert_eq!(path(Path::new("a/-b")), "a/-b");
        assert_eq!(quote("".as_ref()), "''");
        assert_eq!(quote("=ls".as_ref()), "'=ls'");
        assert_eq!(quote("~/x".as_ref()), "'~/x'");
    }

    #[cfg(unix)]
    mod in_real_shells {
        use super::*;
        use proptest::prelude::*;
        use std::ffi::OsString;
        use std::io::Write as _;
        use std::os::unix::ffi::OsStringExt;
        use std::process::{Command, Stdio};

        /// What a shell makes of a word: `None` where there is no such shell.
        fn read_back(shell: &str, words: &[String]) -> Option<Vec<u8>> {
            let mut child =
                Command::new(shell).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
            let mut stdin = child.stdin.take()?;
            let script: String = words.iter().map(|word| format!("printf '%s\\0' {word}\n")).collect();
            let writer = std::thread::spawn(move || stdin.write_all(script.as_bytes()));
            let output = child.wait_with_output().ok()?;
            writer.join().unwrap().unwrap();
            Some(output.stdout)
        }

        fn assert_read_back(names: &[Vec<u8>]) {
            let words: Vec<String> = names.iter().map(|name| quote(&OsString::from_vec(name.clone()))).collect();
            let expected: Vec<u8> = names.iter().flat_map(|name| [name.as_slice(), b"\0"].concat()).collect();
            for shell in ["sh", "bash", "zsh", "fish", "dash", "ksh"] {
                match read_back(shell, &words) {
                    Some(found) => assert_eq!(
                        found.escape_ascii().to_string(),
                        expected.escape_ascii().to_string(),
                        "{shell}: {words:?}"
                    ),
                    None => println!("skipped, no {shell}"),
                }
            }
        }

        #[test]
        fn every_shell_reads_back_what_was_quoted() {
            let names: Vec<Vec<u8>> = [
                "",
                "dump",
                "my dump",
                "it's",
                "a\"b",
                "$HOME",
                "`id`",
                "$(id)",
                "a\\b",
                "\\",
                "a!b",
                "*",
                "?[x]",
                "{a,b}",
                "~",
                "#x",
                "=ls",
                "-n",
                "%d",
                "a%sb",
                "a;b",
                "a&b|c<d>e",
                "two\nlines",
                "\nfirst",
                "last\n",
                "\n\n",
                "tab\there",
                "esc\x1b[2J",
                "\x7f",
                "é",
                "日本 語",
                "\u{202e}x",
                "-\n",
                "a'\nb",
                "100%\n",
                "a\\012\n",
                "!\n",
                "x\\c\n",
            ]
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .chain([b"\xff\xfe".to_vec(), b"a\xe9 b".to_vec()])
            .chain((1..=255).map(|byte| vec![b'a', byte, b'b']))
            .collect();
            assert_read_back(&names);
        }

        proptest! {
            #![proptest_config(ProptestConfig::with_cases(8))]

            #[test]
            fn every_shell_reads_back_random_names(
                names in prop::collection::vec(prop::collection::vec(1..=255_u8, 0..24), 1..40),
                texts in prop::collection::vec("[ -~\n\t'\"\\\\!$é]{0,16}", 1..40),
            ) {
                let all: Vec<Vec<u8>> = names.into_iter().chain(texts.into_iter().map(String::into_bytes)).collect();
                assert_read_back(&all);
            }
        }
    }
}
