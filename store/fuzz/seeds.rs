//! Where cargo-fuzz looks for inputs to begin with.

/// Puts what a sound store has in place of a target's input into the target's corpus.
pub(crate) fn write(target: &str, seed: &[u8]) {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    std::fs::create_dir_all(&dir).expect("a folder for the corpus");
    std::fs::write(dir.join("sound"), seed).expect("a seed");
}
