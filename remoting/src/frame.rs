//! Frames: where one command ends and the next begins.
//!
//! ```text
//! offset  size        content
//! 0       4           length: bytes after this word = 4 + header length + body length
//! 4       1           header codec: 0 JSON, 1 binary
//! 5       3           header length
//! 8       header len  header
//! ..      rest        body
//! ```
//! All big-endian. Upstream: `NettyDecoder`, `RemotingCommand` (RocketMQ 5.5.0). Pure: bytes in,
//! slices or an error out.

/// The longest frame, its length word included: upstream's `com.rocketmq.remoting.frameMaxLength`.
pub const FRAME_MAX_LENGTH: usize = 16_777_216;
/// Bytes before the header.
pub const FRAME_PREFIX_LENGTH: usize = 8;

/// How a header is written. An answer uses the codec of its question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeaderCodec {
    /// A JSON object.
    #[default]
    Json,
    /// RocketMQ's compact binary form.
    Binary,
}

/// Why the bytes of a connection cannot be cut into frames. The connection is lost: there is no next boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The length word is under 4 or negative.
    #[error("frame length {length} is impossible")]
    Length {
        /// The length word as read.
        length: i32,
    },
    /// The frame is over [`FRAME_MAX_LENGTH`].
    #[error("a frame of {length} bytes is over the limit of {FRAME_MAX_LENGTH}")]
    TooLong {
        /// The whole frame's length.
        length: usize,
    },
    /// The header would reach past the frame.
    #[error("a header of {header} bytes does not fit a frame of {frame} bytes")]
    HeaderLength {
        /// Header length as read.
        header: usize,
        /// Bytes of the frame after the length word.
        frame: usize,
    },
    /// The codec byte is neither 0 nor 1.
    #[error("header codec {codec} is unknown (0 is JSON, 1 is binary)")]
    Codec {
        /// The byte as read.
        codec: u8,
    },
}

/// One whole frame, borrowed from the bytes it arrived in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Codec of the header.
    pub codec: HeaderCodec,
    /// The header's bytes.
    pub header: &'a [u8],
    /// The body's bytes.
    pub body: &'a [u8],
}

/// What stands at the front of a connection's unread bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split<'a> {
    /// A frame, and how many bytes it took.
    Whole(Frame<'a>, usize),
    /// The beginning of a frame: this many bytes in all are needed to go on (8 until the prefix is there).
    Partial(usize),
}

/// Looks for a frame at the front of `bytes`. Reserves nothing: a length is believed only up to the limit.
///
/// # Errors
/// [`FrameError`] when no boundary can be found; the connection must be closed.
pub fn split(bytes: &[u8]) -> Result<Split<'_>, FrameError> {
    let Some(prefix) = bytes.first_chunk::<4>() else { return Ok(Split::Partial(FRAME_PREFIX_LENGTH)) };
    let length = i32::from_be_bytes(*prefix);
    if length < 4 {
        return Err(FrameError::Length { length });
    }
    let whole = length as usize + 4;
    if whole > FRAME_MAX_LENGTH {
        return Err(FrameError::TooLong { length: whole });
    }
    let Some(word) = bytes.get(4..8).and_then(|word| word.first_chunk::<4>()) else {
        return Ok(Split::Partial(FRAME_PREFIX_LENGTH));
    };
    let codec = match word[0] {
        0 => HeaderCodec::Json,
        1 => HeaderCodec::Binary,
        codec => return Err(FrameError::Codec { codec }),
    };
    let header = u32::from_be_bytes([0, word[1], word[2], word[3]]) as usize;
    if header + 4 > length as usize {
        return Err(FrameError::HeaderLength { header, frame: length as usize });
    }
    let Some(frame) = bytes.get(FRAME_PREFIX_LENGTH..whole) else { return Ok(Split::Partial(whole)) };
    let (header, body) = frame.split_at(header);
    Ok(Split::Whole(Frame { codec, header, body }, whole))
}

/// Begins a frame at the end of `out`: leaves room for the prefix that [`finish`] fills in.
pub(crate) fn begin(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME_PREFIX_LENGTH]);
    start
}

/// Writes the prefix of the frame begun at `start`, whose header ends where `out` ends and whose body will be
/// `body_length` bytes.
pub(crate) fn finish(out: &mut [u8], start: usize, codec: HeaderCodec, body_length: usize) {
    let header_length = out.len() - start - FRAME_PREFIX_LENGTH;
    let length = (4 + header_length + body_length) as u32;
    let word = header_length as u32 & 0x00ff_ffff | if codec == HeaderCodec::Binary { 1 << 24 } else { 0 };
    if let Some(prefix) = out.get_mut(start..start + FRAME_PREFIX_LENGTH) {
        prefix[..4].copy_from_slice(&length.to_be_bytes());
        prefix[4..].copy_from_slice(&word.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(header: &[u8], body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let start = begin(&mut out);
        out.extend_from_slice(header);
        finish(&mut out, start, HeaderCodec::Json, body.len());
        out.extend_from_slice(body);
        out
    }

    #[test]
    fn a_frame_comes_back_and_every_prefix_of_it_is_partial() {
        let bytes = frame(b"{}", b"body");
        for end in 0..bytes.len() {
            assert!(matches!(split(&bytes[..end]), Ok(Split::Partial(_))), "{end}");
        }
        let expected = Frame { codec: HeaderCodec::Json, header: b"{}", body: b"body" };
        assert_eq!(split(&bytes), Ok(Split::Whole(expected, bytes.len())));
    }

    #[test]
    fn impossible_lengths_are_refused_before_anything_is_read() {
        assert_eq!(split(&[0, 0, 0, 3]), Err(FrameError::Length { length: 3 }));
        assert_eq!(split(&[0xff, 0, 0, 0]), Err(FrameError::Length { length: -16_777_216 }));
        assert_eq!(split(&[1, 0, 0, 0]), Err(FrameError::TooLong { length: 16_777_220 }));
        assert_eq!(split(&[0, 0, 0, 8, 0, 0, 0, 5]), Err(FrameError::HeaderLength { header: 5, frame: 8 }));
        assert_eq!(split(&[0, 0, 0, 8, 2, 0, 0, 4]), Err(FrameError::Codec { codec: 2 }));
    }

    proptest! {
        #[test]
        fn any_bytes_are_split_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(Split::Whole(frame, used)) = split(&bytes) {
                prop_assert_eq!(used, 8 + frame.header.len() + frame.body.len());
            }
        }
    }
}
