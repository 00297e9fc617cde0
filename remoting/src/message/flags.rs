//! The bits that travel with every message and stand in its record.
//!
//! ```text
//! bit  0  0x001  body is compressed            bits 8-10 0x700  by what: 0 zlib (older clients),
//! bit  1  0x002  tags hold several tags                         1 LZ4, 2 ZSTD, 3 zlib
//! bits 2-3 0x00C transaction: 0 none, 4 prepared, 8 commit, C rollback
//! bit  4  0x010  born host is IPv6             bit  6  0x040  consumer unwraps the body
//! bit  5  0x020  store host is IPv6            bit  7  0x080  body is an inner batch
//! ```
//!
//! Bits that nobody knows are kept. The flags of a pull request and of a topic are other namespaces.
//! Upstream: `MessageSysFlag`, `CompressionType`.

use std::fmt;

/// System flag of a message (RocketMQ 5.5.0).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SysFlag(pub i32);

/// What a message means to a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transaction {
    /// Not part of one.
    None,
    /// A half message: not to be seen before it is committed.
    Prepared,
    /// A committed message.
    Commit,
    /// A rolled-back message; never delivered.
    Rollback,
}

/// How a compressed body was compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// LZ4 frame format.
    Lz4,
    /// Zstandard.
    Zstd,
    /// zlib: number 3, and number 0 as older clients write it.
    Zlib,
    /// A number this version does not know (4 to 7).
    Unknown(u8),
}

impl SysFlag {
    /// No bit set: a plain message between IPv4 hosts.
    pub const NONE: Self = Self(0);
    /// The body is compressed.
    pub const COMPRESSED: Self = Self(0x1);
    /// The tags property holds several tags.
    pub const MULTI_TAGS: Self = Self(0x2);
    /// The two transaction bits; see [`SysFlag::transaction`].
    pub const TRANSACTION_MASK: Self = Self(0xC);
    /// A half message.
    pub const TRANSACTION_PREPARED: Self = Self(0x4);
    /// A committed message.
    pub const TRANSACTION_COMMIT: Self = Self(0x8);
    /// A rolled-back message.
    pub const TRANSACTION_ROLLBACK: Self = Self(0xC);
    /// The born host takes 20 bytes in the record instead of 8.
    pub const BORN_HOST_V6: Self = Self(0x10);
    /// The store host takes 20 bytes in the record instead of 8.
    pub const STORE_HOST_V6: Self = Self(0x20);
    /// The consumer has to unwrap the body into messages.
    pub const NEED_UNWRAP: Self = Self(0x40);
    /// The body is a batch that was stored as one record.
    pub const INNER_BATCH: Self = Self(0x80);
    /// The three bits of the compression number; see [`SysFlag::compression`].
    pub const COMPRESSION_MASK: Self = Self(0x700);

    /// True when all bits of `bits` are set.
    #[must_use]
    pub const fn contains(self, bits: Self) -> bool {
        self.0 & bits.0 == bits.0
    }

    /// These flags with `bits` set.
    #[must_use]
    pub const fn with(self, bits: Self) -> Self {
        Self(self.0 | bits.0)
    }

    /// These flags with `bits` cleared.
    #[must_use]
    pub const fn without(self, bits: Self) -> Self {
        Self(self.0 & !bits.0)
    }

    /// What the message means to a transaction.
    #[must_use]
    pub const fn transaction(self) -> Transaction {
        match self.0 & Self::TRANSACTION_MASK.0 {
            0x4 => Transaction::Prepared,
            0x8 => Transaction::Commit,
            0xC => Transaction::Rollback,
            _ => Transaction::None,
        }
    }

    /// These flags with the transaction bits replaced.
    #[must_use]
    pub const fn with_transaction(self, transaction: Transaction) -> Self {
        let bits = match transaction {
            Transaction::None => Self::NONE,
            Transaction::Prepared => Self::TRANSACTION_PREPARED,
            Transaction::Commit => Self::TRANSACTION_COMMIT,
            Transaction::Rollback => Self::TRANSACTION_ROLLBACK,
        };
        self.without(Self::TRANSACTION_MASK).with(bits)
    }

    /// How the body is compressed; `None` when it is not.
    #[must_use]
    pub const fn compression(self) -> Option<Compression> {
        if !self.contains(Self::COMPRESSED) {
            return None;
        }
        Some(match (self.0 & Self::COMPRESSION_MASK.0) >> 8 {
            0 | 3 => Compression::Zlib,
            1 => Compression::Lz4,
            2 => Compression::Zstd,
            // Three bits: 4 to 7.
            number => Compression::Unknown(number as u8),
        })
    }

    /// These flags for a body compressed by `compression`, or for a plain body.
    #[must_use]
    pub const fn with_compression(self, compression: Option<Compression>) -> Self {
        let cleared = self.without(Self::COMPRESSED).without(Self::COMPRESSION_MASK);
        let number = match compression {
            None => return cleared,
            Some(Compression::Lz4) => 1,
            Some(Compression::Zstd) => 2,
            Some(Compression::Zlib) => 3,
            Some(Compression::Unknown(number)) => (number & 7) as i32,
        };
        Self(cleared.0 | Self::COMPRESSED.0 | (number << 8))
    }
}

impl fmt::Display for SysFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transaction_bits() {
        for (bits, meaning) in [
            (0, Transaction::None),
            (4, Transaction::Prepared),
            (8, Transaction::Commit),
            (12, Transaction::Rollback),
            (0x1 | 8 | 0x300, Transaction::Commit),
        ] {
            assert_eq!(SysFlag(bits).transaction(), meaning, "{bits:#x}");
            assert_eq!(SysFlag(bits).with_transaction(meaning), SysFlag(bits), "{bits:#x}");
        }
        assert_eq!(SysFlag(0x30D).with_transaction(Transaction::Commit), SysFlag(0x309));
    }

    #[test]
    fn compression_numbers() {
        for (bits, kind) in [
            (0, None),
            (0x300, None),
            (0x001, Some(Compression::Zlib)),
            (0x101, Some(Compression::Lz4)),
            (0x201, Some(Compression::Zstd)),
            (0x301, Some(Compression::Zlib)),
            (0x501, Some(Compression::Unknown(5))),
        ] {
            assert_eq!(SysFlag(bits).compression(), kind, "{bits:#x}");
        }
        assert_eq!(SysFlag(0x112).with_compression(Some(Compression::Zlib)), SysFlag(0x313));
        assert_eq!(SysFlag(0x313).with_compression(None), SysFlag(0x012));
    }

    #[test]
    fn unknown_bits_are_kept() {
        let flag = SysFlag(0x7fff_f000);
        assert_eq!(flag.with(SysFlag::BORN_HOST_V6).without(SysFlag::BORN_HOST_V6), flag);
    }
}
