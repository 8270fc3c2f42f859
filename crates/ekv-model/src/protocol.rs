//! The protocols whose data is decoded: one row for each, and whatever there is once for each of them.

/// Hands the rows of all protocols to a macro: variant, field and module, facts. What there is of each in a layer is made from them.
///
/// A scope is what holds a protocol's `things`: `noun` says what it is called, `scope` is its option, `scopes` the list of them in a
/// manifest. Scopes that `are_numbers` are
/// nothing of themselves: names are those of things, whichever scope holds them. Names of things have at most `name_parts`.
#[macro_export]
macro_rules! for_each_protocol {
    ($take:ident) => {
        $take! {
            Redis redis {
                name: "redis", noun: "database", things: ["key", "keys"], scope: "db", scopes: "databases",
                are_numbers: true, name_parts: 1,
                kinds: [String "string", Hll "hll", Hash "hash", List "list", Set "set", ZSet "zset", Stream "stream"]
            }
            DynamoDb dynamodb {
                name: "dynamodb", noun: "table", things: ["item", "items"], scope: "table", scopes: "tables",
                are_numbers: false, name_parts: 2,
                kinds: [Item "item"]
            }
            S3 s3 {
                name: "s3", noun: "bucket", things: ["object", "objects"], scope: "bucket", scopes: "buckets",
                are_numbers: false, name_parts: 1,
                kinds: [Object "object"]
            }
            Sqs sqs {
                name: "sqs", noun: "queue", things: ["message", "messages"], scope: "queue", scopes: "queues",
                are_numbers: false, name_parts: 1,
                kinds: [Message "message"]
            }
            Fs fs {
                name: "fs", noun: "file system", things: ["file or directory", "files and directories"],
                scope: "filesystem", scopes: "filesystems", are_numbers: true, name_parts: 1,
                kinds: [File "file", Directory "directory"]
            }
        }
    };
}

macro_rules! protocols {
    ($($variant:ident $field:ident {
        name: $name:literal, noun: $noun:literal, things: $things:expr, scope: $scope:literal, scopes: $scopes:literal,
        are_numbers: $are_numbers:literal, name_parts: $name_parts:literal,
        kinds: [$($kind:ident $kind_name:literal),*]
    })*) => {
        /// A protocol that elastickv speaks and this tool decodes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each is described by its row")]
        pub enum Protocol {
            $($variant,)*
        }

        impl Protocol {
            /// All of them.
            pub const ALL: [Protocol; [$($name),*].len()] = [$(Protocol::$variant),*];

            /// Lower-case name, as in options, addresses and reports; also of its directory in a dump.
            pub fn name(self) -> &'static str {
                match self {
                    $(Protocol::$variant => $name,)*
                }
            }

            /// What one of its scopes is called.
            pub fn scope_noun(self) -> &'static str {
                match self {
                    $(Protocol::$variant => $noun,)*
                }
            }

            /// What one of its things is called, and what several are.
            pub fn thing_nouns(self) -> [&'static str; 2] {
                match self {
                    $(Protocol::$variant => $things,)*
                }
            }

            /// The option that names a scope of it.
            pub fn scope_word(self) -> &'static str {
                match self {
                    $(Protocol::$variant => $scope,)*
                }
            }

            /// The list of its scopes in a manifest.
            pub fn scopes_word(self) -> &'static str {
                match self {
                    $(Protocol::$variant => $scopes,)*
                }
            }

            /// Whether its scopes are numbers, and nothing of themselves: names are those of things, whichever scope holds them.
            pub fn has_numbered_scopes(self) -> bool {
                match self {
                    $(Protocol::$variant => $are_numbers,)*
                }
            }

            /// Most parts of the name of a thing in a scope.
            pub(crate) fn name_parts_max(self) -> usize {
                match self {
                    $(Protocol::$variant => $name_parts,)*
                }
            }
        }

        /// The kinds of things that a store holds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each is described by the row of its protocol")]
        pub enum Kind {
            $($($kind,)*)*
        }

        impl Kind {
            /// All kinds.
            pub const ALL: [Kind; [$($($kind_name),*),*].len()] = [$($(Kind::$kind),*),*];

            /// Lower-case name, as in options and reports.
            pub fn name(self) -> &'static str {
                match self {
                    $($(Kind::$kind => $kind_name,)*)*
                }
            }

            /// Whose kind it is.
            pub fn protocol(self) -> Protocol {
                match self {
                    $($(Kind::$kind)|* => Protocol::$variant,)*
                }
            }
        }

        /// One `T` for each protocol.
        ///
        /// ```
        /// use ekv_model::{Map, Protocol};
        /// let names = Map::of(Protocol::name);
        /// assert_eq!(names.get(Protocol::S3), &"s3");
        /// assert!(Map::only(&[Protocol::Sqs]).has(Protocol::Sqs));
        /// ```
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Map<T> {
            $($field: T,)*
        }

        impl<T> Map<T> {
            /// What `make` gives for each.
            pub fn of(mut make: impl FnMut(Protocol) -> T) -> Self {
                Map { $($field: make(Protocol::$variant),)* }
            }

            /// All of them, in the order of [`Protocol::ALL`].
            pub fn into_values(self) -> impl Iterator<Item = T> {
                [$(self.$field),*].into_iter()
            }

            /// That of one protocol.
            pub fn get(&self, protocol: Protocol) -> &T {
                match protocol {
                    $(Protocol::$variant => &self.$field,)*
                }
            }

            /// That of one protocol, to be changed.
            pub fn get_mut(&mut self, protocol: Protocol) -> &mut T {
                match protocol {
                    $(Protocol::$variant => &mut self.$field,)*
                }
            }
        }
    };
}

for_each_protocol!(protocols);

impl Protocol {
    /// All of them in the order in which a dump is written and its manifest lists them.
    pub const IN_DUMPS: [Protocol; Protocol::ALL.len()] =
        [Protocol::DynamoDb, Protocol::S3, Protocol::Redis, Protocol::Sqs, Protocol::Fs];

    /// The names of all of them, as messages list them.
    pub fn in_words(separator: &str) -> String {
        Protocol::IN_DUMPS.map(Protocol::name).join(separator)
    }

    /// The protocol with a name.
    pub fn named(name: &[u8]) -> Option<Protocol> {
        Protocol::ALL.into_iter().find(|protocol| protocol.name().as_bytes() == name)
    }
}

impl Kind {
    /// Whether its things consist of elements that are counted.
    pub(crate) fn has_elements(self) -> bool {
        match self {
            Kind::Hash | Kind::List | Kind::Set | Kind::ZSet | Kind::Stream => true,
            Kind::String | Kind::Hll | Kind::Item | Kind::Object | Kind::Message | Kind::File | Kind::Directory => {
                false
            }
        }
    }

    /// Whether its things can have an expiry.
    pub(crate) fn can_expire(self) -> bool {
        match self {
            Kind::String | Kind::Hll | Kind::Hash | Kind::List | Kind::Set | Kind::ZSet | Kind::Stream => true,
            Kind::Item | Kind::Object | Kind::Message | Kind::File | Kind::Directory => false,
        }
    }
}

impl Map<bool> {
    /// Which protocols are among some.
    pub fn only(protocols: &[Protocol]) -> Self {
        Map::of(|protocol| protocols.contains(&protocol))
    }

    /// Whether a protocol is among them.
    pub fn has(&self, protocol: Protocol) -> bool {
        *self.get(protocol)
    }
}
