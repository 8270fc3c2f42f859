//! Scopes by names and prefixes.

use std::sync::Arc;

use ekv_model::Scope;

/// The scope with these names (`TABLE/HASH/RANGE` and so on) or one of these prefixes, in which `%HH` is a byte.
///
/// Other than options of a command, names and prefixes add up: both are written as patterns.
pub fn selection(names: impl IntoIterator<Item = Vec<u8>>, prefixes: impl IntoIterator<Item = Vec<u8>>) -> Arc<Scope> {
    let literal = |text: &[u8]| -> Vec<u8> {
        let escaped = |byte: &u8| match byte {
            b'*' | b'?' | b'[' | b'\\' => format!("%{byte:02X}").into_bytes(),
            byte => vec![*byte],
        };
        text.iter().flat_map(escaped).collect()
    };
    let mut scope = Scope::everything();
    for name in names {
        scope.add_match(&literal(&name), false).unwrap();
    }
    for prefix in prefixes {
        scope.add_match(&[literal(&prefix), b"*".to_vec()].concat(), false).unwrap();
    }
    Arc::new(scope)
}
