//! Names on the target: the beginnings of some are replaced.

/// Beginnings of names and what stands in their place; the first that fits counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renames(Vec<(Vec<u8>, Vec<u8>)>);

/// Why a text is no rule, or rules do not go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenamesError {
    /// No equals sign.
    #[error("{0}: expected OLD=NEW, such as user:=old-user: (an empty NEW takes the beginning away)")]
    NoPair(String),
    /// Two keys would become one.
    #[error(
        "two keys would both be called {name} on the target: choose another NEW, or leave one of them out with --exclude"
    )]
    Meeting {
        /// The name that both would have.
        name: String,
    },
}

impl Renames {
    /// Reads rules of the form `OLD=NEW`.
    ///
    /// # Errors
    /// [`RenamesError::NoPair`].
    pub fn parse<'t>(rules: impl IntoIterator<Item = &'t [u8]>) -> Result<Renames, RenamesError> {
        let pair = |rule: &'t [u8]| {
            let at = rule.iter().position(|byte| *byte == b'=').filter(|at| *at > 0);
            let (old, new) = rule.split_at_checked(at?)?;
            Some((old.to_vec(), new.get(1..)?.to_vec()))
        };
        let rules = rules
            .into_iter()
            .map(|rule| pair(rule).ok_or_else(|| RenamesError::NoPair(String::from_utf8_lossy(rule).into_owned())));
        Ok(Renames(rules.collect::<Result<_, _>>()?))
    }

    /// Whether names stay as they are.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rules as options, for people.
    pub fn describe(&self) -> String {
        let shown = |bytes: &[u8]| bytes.escape_ascii().to_string();
        self.0.iter().map(|(old, new)| format!("{}={}", shown(old), shown(new))).collect::<Vec<_>>().join(", ")
    }

    /// The name of a key on the target.
    pub fn apply(&self, key: &[u8]) -> Vec<u8> {
        let fitting = self.0.iter().find_map(|(old, new)| Some((key.strip_prefix(old.as_slice())?, new)));
        fitting.map_or_else(|| key.to_vec(), |(rest, new)| [new.as_slice(), rest].concat())
    }

    /// The names that a key of the target may have here.
    pub(crate) fn origins<'n>(&'n self, name: &'n [u8]) -> impl Iterator<Item = Vec<u8>> + 'n {
        let through = self.0.iter().filter_map(move |(old, new)| {
            name.strip_prefix(new.as_slice()).map(|rest| [old.as_slice(), rest].concat())
        });
        through.chain([name.to_vec()]).filter(move |origin| self.apply(origin) == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renames(rules: &[&str]) -> Renames {
        Renames::parse(rules.iter().map(|rule| rule.as_bytes())).unwrap()
    }

    #[test]
    fn beginnings_are_replaced_by_the_first_rule_that_fits() {
        let renames = renames(&["user:=u:", "u=", "a=b=c"]);
        for (key, renamed) in [("user:1", "u:1"), ("u1", "1"), ("x", "x"), ("a1", "b=c1")] {
            assert_eq!(renames.apply(key.as_bytes()), renamed.as_bytes());
        }
        let origins =
            |name: &str| renames.origins(name.as_bytes()).map(|name| String::from_utf8(name).unwrap()).collect();
        let expected: [(&str, &[&str]); 3] =
            [("u:1", &["user:1", "uu:1"]), ("x", &["ux", "x"]), ("user:1", &["uuser:1"])];
        for (name, from) in expected {
            let found: Vec<String> = origins(name);
            assert_eq!(found, from, "{name}");
        }
        for rule in ["", "=a", "a"] {
            assert!(Renames::parse([rule.as_bytes()]).is_err(), "{rule}");
        }
    }
}
