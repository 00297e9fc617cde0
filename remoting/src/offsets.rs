//! The two offsets of a message, as types that cannot be mixed up.
//!
//! A message is found by its byte position in the commit log ([`PhysicalOffset`]) or by its number in one
//! consume queue ([`QueueOffset`]). Both are `i64` on the wire and on disk (RocketMQ 5.5.0). There is no
//! conversion between them: only a consume queue knows which belongs to which.

use std::fmt;

macro_rules! offset_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl $name {
            /// The first one.
            pub const ZERO: Self = Self(0);

            /// The one `count` further on; saturates at `i64::MAX`, which no file reaches.
            #[must_use]
            pub const fn plus(self, count: i64) -> Self {
                Self(self.0.saturating_add(count))
            }

            /// How far this one lies past `earlier`; negative when it lies before.
            #[must_use]
            pub const fn since(self, earlier: Self) -> i64 {
                self.0.saturating_sub(earlier.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

offset_type! {
    /// Byte position of a record in the commit log, counted over all its files from 0.
    PhysicalOffset
}
offset_type! {
    /// Number of a message in one queue of one topic; the first is 0 and there are no gaps.
    QueueOffset
}
