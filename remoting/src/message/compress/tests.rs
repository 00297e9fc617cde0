use proptest::prelude::*;

use super::*;

const KINDS: [Compression; 3] = [Compression::Zlib, Compression::Lz4, Compression::Zstd];

#[test]
fn bodies_survive_and_stay_within_the_limit() {
    let long = b"abcdefgh".repeat(100_000);
    for kind in KINDS {
        for body in [&b""[..], b"x", &long] {
            let packed = compress(kind, body, DEFAULT_LEVEL).unwrap();
            assert_eq!(decompress(kind, &packed, body.len()).unwrap(), body, "{kind:?}");
            if !body.is_empty() {
                let error = decompress(kind, &packed, body.len() - 1).unwrap_err();
                assert!(matches!(error, DecompressError::TooLong { .. }), "{kind:?}: {error}");
            }
        }
    }
}

#[test]
fn every_cut_is_an_error() {
    for kind in KINDS {
        let packed = compress(kind, &b"some text, some more text, some text".repeat(3), DEFAULT_LEVEL).unwrap();
        for length in 0..packed.len() {
            let error = decompress(kind, &packed[..length], 1000);
            assert!(matches!(error, Err(DecompressError::Damaged { .. })), "{kind:?} cut to {length}: {error:?}");
        }
    }
}

#[test]
fn flags_decide() {
    let packed = compress(Compression::Zlib, b"text", 9).unwrap();
    for (flag, body, plain) in [
        (0, &b"text"[..], Some("text")),
        (1, &packed, Some("text")),
        (0x301, &packed, Some("text")),
        (0x701, &packed, None),
        (0x101, &packed, None),
    ] {
        let found = plain_body(SysFlag(flag), body, 100).ok();
        assert_eq!(found.as_deref(), plain.map(str::as_bytes), "{flag:#x}");
    }
    assert!(matches!(compress(Compression::Unknown(7), b"", 5), Err(CompressError::Unknown { number: 7 })));
}

proptest! {
    #[test]
    fn any_bytes_stay_within_the_limit(bytes in prop::collection::vec(any::<u8>(), 0..300), limit in 0_usize..2000) {
        for kind in KINDS {
            if let Ok(plain) = decompress(kind, &bytes, limit) {
                prop_assert!(plain.len() <= limit);
            }
        }
    }

    #[test]
    fn damaged_bodies_stay_within_the_limit(seed in prop::collection::vec(any::<u8>(), 1..50), at in any::<prop::sample::Index>(), value in any::<u8>()) {
        for kind in KINDS {
            let mut packed = compress(kind, &seed.repeat(40), DEFAULT_LEVEL).unwrap();
            let place = at.index(packed.len());
            packed[place] = value;
            if let Ok(plain) = decompress(kind, &packed, 4000) {
                prop_assert!(plain.len() <= 4000);
            }
        }
    }
}
