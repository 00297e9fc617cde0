//! Compressed bodies, for those who look into them: tools and tests. A broker never does.
//!
//! zlib, LZ4 in its frame format, and Zstandard, as the flags say. Nobody can be made to hold more than the
//! caller allows, however small the compressed body is. Upstream: `CompressorFactory`.

use std::borrow::Cow;
use std::io::{Read, Write};

use super::flags::{Compression, SysFlag};

/// Level at which producers compress by default (RocketMQ 5.5.0).
pub const DEFAULT_LEVEL: u32 = 5;

/// Why a body could not be decompressed.
#[derive(Debug, thiserror::Error)]
pub enum DecompressError {
    /// The number in the flags is not known.
    #[error("body has compression type {number}, which is unknown: it was sent by a newer client")]
    Unknown {
        /// Number from the flags.
        number: u8,
    },
    /// It is longer than the caller allows.
    #[error("body is over the limit of {limit} bytes when decompressed: raise the limit if the sender is trusted")]
    TooLong {
        /// The caller's limit in bytes.
        limit: usize,
    },
    /// It is not what the flags say.
    #[error("body is not whole {compression:?} data: it is damaged, or its flags are wrong")]
    Damaged {
        /// What the flags say.
        compression: Compression,
        /// What the decoder says.
        source: std::io::Error,
    },
}

/// The body in plain: borrowed when the flags say that it is not compressed.
///
/// # Errors
/// [`DecompressError`] as [`decompress`].
pub fn plain_body(sys_flag: SysFlag, body: &[u8], limit: usize) -> Result<Cow<'_, [u8]>, DecompressError> {
    match sys_flag.compression() {
        None => Ok(Cow::Borrowed(body)),
        Some(compression) => decompress(compression, body, limit).map(Cow::Owned),
    }
}

/// Decompresses `body` to at most `limit` bytes.
///
/// # Errors
/// [`DecompressError`] for an unknown type, a longer result, or bytes that are no such data or not all of it.
pub fn decompress(compression: Compression, body: &[u8], limit: usize) -> Result<Vec<u8>, DecompressError> {
    let read = match compression {
        Compression::Unknown(number) => return Err(DecompressError::Unknown { number }),
        Compression::Zlib => read_bounded(flate2::read::ZlibDecoder::new(body), limit),
        Compression::Lz4 => read_bounded(lz4_flex::frame::FrameDecoder::new(EndIsError(body)), limit),
        Compression::Zstd => zstd_decoder(body).and_then(|decoder| read_bounded(decoder, limit)),
    };
    let plain = read.map_err(|source| DecompressError::Damaged { compression, source })?;
    if plain.len() > limit {
        return Err(DecompressError::TooLong { limit });
    }
    Ok(plain)
}

fn zstd_decoder(body: &[u8]) -> std::io::Result<impl Read> {
    /// A frame may ask for this window, 8 MiB, and no larger: all that the normal levels use.
    const WINDOW_LOG_MAX: u32 = 23;
    let mut decoder = zstd::stream::read::Decoder::with_buffer(body)?;
    decoder.window_log_max(WINDOW_LOG_MAX)?;
    Ok(decoder)
}

/// Bytes that must not be read to beyond their end. The LZ4 decoder would take a frame that is cut off between
/// two blocks for a whole one; but it asks for nothing after the mark that ends a frame.
struct EndIsError<'a>(&'a [u8]);

impl Read for EndIsError<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.0.is_empty() && !buffer.is_empty() {
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "the frame is cut off"));
        }
        self.0.read(buffer)
    }
}

/// Reads to the end, or one byte over the limit.
fn read_bounded(decoder: impl Read, limit: usize) -> std::io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    decoder.take(limit as u64 + 1).read_to_end(&mut plain)?;
    Ok(plain)
}

/// Why a body could not be compressed.
#[derive(Debug, thiserror::Error)]
pub enum CompressError {
    /// The type is not one to write.
    #[error("compression type {number} is unknown: use LZ4, ZSTD or ZLIB")]
    Unknown {
        /// Its number.
        number: u8,
    },
    /// The encoder gave up.
    #[error("body could not be compressed: send it as it is")]
    Encoder(#[from] std::io::Error),
}

/// Compresses `body`; `level` is the codec's own, [`DEFAULT_LEVEL`] in clients, and means nothing to LZ4.
///
/// # Errors
/// [`CompressError`] for an unknown type or a level that the codec refuses.
pub fn compress(compression: Compression, body: &[u8], level: u32) -> Result<Vec<u8>, CompressError> {
    Ok(match compression {
        Compression::Unknown(number) => return Err(CompressError::Unknown { number }),
        Compression::Zlib => {
            // flate2 asserts on levels above 9.
            let level = flate2::Compression::new(level.min(9));
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(body)?;
            encoder.finish()?
        }
        Compression::Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(body)?;
            encoder.finish().map_err(std::io::Error::from)?
        }
        Compression::Zstd => zstd::stream::encode_all(body, i32::try_from(level).unwrap_or(i32::MAX))?,
    })
}

#[cfg(test)]
mod tests;
