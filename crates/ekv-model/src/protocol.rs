//! The protocols whose data is decoded: one row for each, and whatever there is once for each of them.

macro_rules! protocols {
    ($($(#[$doc:meta])* $variant:ident $field:ident $name:literal;)*) => {
        /// A protocol that elastickv speaks and this tool decodes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Protocol {
            $($(#[$doc])* $variant,)*
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

protocols! {
    /// Redis.
    Redis redis "redis";
    /// DynamoDB.
    DynamoDb dynamodb "dynamodb";
    /// S3.
    S3 s3 "s3";
    /// SQS.
    Sqs sqs "sqs";
}

impl Protocol {
    /// All of them in the order in which a dump is written and its manifest lists them.
    pub const IN_DUMPS: [Protocol; Protocol::ALL.len()] =
        [Protocol::DynamoDb, Protocol::S3, Protocol::Redis, Protocol::Sqs];

    /// The names of all of them, as messages list them.
    pub fn in_words(separator: &str) -> String {
        Protocol::IN_DUMPS.map(Protocol::name).join(separator)
    }

    /// The protocol with a name.
    pub fn named(name: &[u8]) -> Option<Protocol> {
        Protocol::ALL.into_iter().find(|protocol| protocol.name().as_bytes() == name)
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
