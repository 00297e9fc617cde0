//! What the documents say of the source, held against the source.

mod source;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use boostermq_compat_tests::harness::workspace_dir;
use source::{Source, code, is_word};

/// The only file that may leave Rust's guarantees.
const MAPPED_MEMORY: &str = "store/src/mmap.rs";

/// Who may use whom, as ARCHITECTURE.md draws it.
const DIRECTIONS: [(&str, &[&str]); 6] = [
    ("remoting", &[]),
    ("store", &["remoting"]),
    ("namesrv", &["remoting"]),
    ("broker", &["remoting", "store", "namesrv"]),
    ("tools", &["remoting"]),
    ("compat-tests", &[]),
];

/// What the store may take from `boostermq_remoting`; `config!` and `constants!` belong to the settings.
const STORE_TAKES: [&str; 7] = ["message", "names", "offsets", "config", "properties_file", "config!", "constants!"];

/// Fails with all that was found.
#[track_caller]
fn assert_none(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

/// `path:line` of every line that `is_found` points out.
fn lines(source: &Source, text: &str, is_found: impl Fn(&str) -> bool) -> Vec<String> {
    let found = text.lines().enumerate().filter(|(_, line)| is_found(line));
    found.map(|(at, line)| format!("{}:{}: {}", source.path, at + 1, line.trim())).collect()
}

/// Where `word` stands in `text` as a word of its own.
fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_apart = move |at: &usize| {
        let (before, after) = (text[..*at].chars().next_back(), text[at + word.len()..].chars().next());
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    };
    text.match_indices(word).map(|(at, _)| at).filter(is_apart)
}

#[test]
fn unsafe_stands_in_one_file_and_each_says_why() -> Result<()> {
    let mut found = Vec::new();
    let mut blocks = 0;
    for source in source::all()?.iter().filter(|source| source.is_rust()) {
        let code = code(&source.text);
        if source.path != MAPPED_MEMORY {
            found.extend(lines(source, &code, |line| words(line, "unsafe").next().is_some()));
            continue;
        }
        let text: Vec<&str> = source.text.lines().collect();
        for at in words(&code, "unsafe") {
            let line = code[..at].matches('\n').count();
            // Upwards over the comment and the lint's expectation that belong to the statement.
            let above = text[..line].iter().rev().map(|line| line.trim());
            let mut above = above.take_while(|line| line.starts_with("//") || line.starts_with("#["));
            if !above.any(|line| line.starts_with("// SAFETY:")) {
                found.push(format!("{}:{}: no SAFETY comment above", source.path, line + 1));
            }
            blocks += 1;
        }
    }
    assert_none(&found, "unsafe code stands in the file of mapped memory only, each block under its SAFETY comment");
    assert!(blocks > 0, "{MAPPED_MEMORY} was not understood");
    Ok(())
}

/// What goes past this file, the tests that let power fail do not see.
#[test]
fn the_store_changes_files_in_one_place() -> Result<()> {
    const CHANGES: [&str; 10] = [
        "OpenOptions",
        "File::create",
        "set_len",
        "sync_all",
        "syncfs",
        "fallocate",
        "fs::write",
        "fs::rename",
        "fs::remove_file",
        "fs::create_dir",
    ];
    let mut found = Vec::new();
    for source in source::all()?.iter().filter(|source| source.is_rust() && source.path.starts_with("store/src/")) {
        let is_test = source.path.ends_with("tests.rs") || source.path.contains("/power_loss/");
        let is_it = source.path == "store/src/io.rs" || source.path.starts_with("store/src/io/");
        if is_test || is_it || source.path == "store/src/fixture.rs" {
            continue;
        }
        let code = code(&source.text);
        // Unit tests stand at the end of a file and may prepare their folders as they like.
        let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        found.extend(lines(source, code, |line| CHANGES.iter().any(|change| words(line, change).next().is_some())));
    }
    assert_none(&found, "the store changes files through store/src/io.rs only");
    Ok(())
}

#[test]
fn the_store_takes_little_from_remoting() -> Result<()> {
    let mut found = Vec::new();
    let mut uses = 0;
    for source in source::all()?.iter().filter(|source| source.is_rust() && source.path.starts_with("store/src/")) {
        let code = code(&source.text);
        for at in words(&code, "boostermq_remoting") {
            uses += 1;
            let path = code[at..].trim_start_matches(is_word).strip_prefix("::").unwrap_or("(the whole crate)");
            let end = path.find(|letter| !is_word(letter)).unwrap_or(path.len());
            let end = if path[end..].starts_with('!') { end + 1 } else { end };
            if !STORE_TAKES.contains(&&path[..end]) {
                let line = code[..at].matches('\n').count() + 1;
                found.push(format!("{}:{line}: {}", source.path, path.lines().next().unwrap_or_default()));
            }
        }
    }
    assert_none(&found, &format!("the store takes from remoting, each named in full, only {STORE_TAKES:?}"));
    assert!(uses > 30, "only {uses} uses were found");
    Ok(())
}

#[test]
fn nothing_unfinished_or_left_out() -> Result<()> {
    let unfinished = concat!("FIX", "ME");
    let mut found = Vec::new();
    for source in source::all()? {
        found.extend(lines(&source, &source.text, |line| line.contains(unfinished)));
        if source.is_rust() {
            let is_stub = |line: &str| {
                ["todo", "unimplemented"]
                    .iter()
                    .any(|name| words(line, name).any(|at| line[at + name.len()..].starts_with('!')))
            };
            let is_ignored = |line: &str| line.contains("#[ignore");
            found.extend(lines(&source, &code(&source.text), |line| is_stub(line) || is_ignored(line)));
        }
    }
    assert_none(&found, "no stub, no ignored test, no note to come back");
    Ok(())
}

#[test]
fn no_machine_and_no_registry_is_named() -> Result<()> {
    // Put together here, so that this file passes its own test.
    let folder = |name: &str| format!("/{name}/");
    let folders = ["root", "work", "home", "Users"].map(folder);
    // The home folder of a user who does not exist, in tests of settings.
    let example = format!("{}mq", folder("home"));
    let hosts = [
        ["crates", "io"].join("."),
        ["proxy.golang", "org"].join("."),
        ["goproxy", ""].join("."),
        ["repo.maven.apache", "org"].join("."),
        ["repo1.maven", "org"].join("."),
        ["npmjs", "org"].join("."),
        ["pypi", "org"].join("."),
        ["pythonhosted", "org"].join("."),
    ];
    // A path from the root, not the rest of a longer one.
    let begins = |line: &str, at: usize| {
        !line[..at].chars().next_back().is_some_and(|before| is_word(before) || ".-~/}*".contains(before))
    };
    let is_example = |path: &str| path.strip_prefix(example.as_str()).is_some_and(|rest| !rest.starts_with(is_word));
    let names_folder = |line: &str| {
        let mut places = folders.iter().flat_map(|folder| line.match_indices(folder.as_str()));
        places.any(|(at, _)| begins(line, at) && !is_example(&line[at..]))
    };
    let names_host = |line: &str| hosts.iter().any(|host| line.contains(host.as_str()));
    let mut found = Vec::new();
    for source in source::all()? {
        found.extend(lines(&source, &source.text, |line| names_folder(line) || names_host(line)));
    }
    assert_none(&found, "no folder of a machine, no host of a package registry");
    Ok(())
}

/// Whoever reads the source must have what it points to.
#[test]
fn documents_that_are_named_are_there() -> Result<()> {
    let sources = source::all()?;
    let is_there = |name: &str| {
        let name = name.trim_start_matches("../").trim_start_matches('/');
        let is_in = |folder: &str| folder.is_empty() || folder.ends_with('/');
        sources.iter().any(|source| source.path.strip_suffix(name).is_some_and(is_in))
    };
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "_-./".contains(letter);
    let mut found = Vec::new();
    for source in &sources {
        let words = source.text.split(|letter| !is_part(letter)).map(|word| word.trim_end_matches('.'));
        let names = words.filter(|word| word.rsplit_once('.').is_some_and(|(_, kind)| kind == "md"));
        found.extend(names.filter(|name| !is_there(name)).map(|name| format!("{}: {name}", source.path)));
    }
    assert_none(&found, "a document is named that is not there");
    Ok(())
}

#[test]
fn locked_packages_come_from_the_public_registry() -> Result<()> {
    let path = workspace_dir().join("Cargo.lock");
    let lock: toml::Table = std::fs::read_to_string(&path)?.parse().with_context(|| path.display().to_string())?;
    let packages = lock.get("package").and_then(toml::Value::as_array).context("no packages")?;
    let sources: BTreeSet<&str> = packages.iter().filter_map(|package| package.get("source")?.as_str()).collect();
    let public = format!("registry+https://github.com/rust-lang/{}-index", ["crates", "io"].join("."));
    assert_eq!(sources, BTreeSet::from([public.as_str()]));
    Ok(())
}

#[test]
fn crates_depend_as_the_architecture_draws_them() -> Result<()> {
    let manifest = |folder: &str| -> Result<toml::Table> {
        let path = workspace_dir().join(folder).join("Cargo.toml");
        std::fs::read_to_string(&path)?.parse().with_context(|| path.display().to_string())
    };
    let workspace = manifest("")?;
    let members = workspace.get("workspace").and_then(|table| table.get("members")?.as_array());
    let members: BTreeSet<&str> = members.context("no members")?.iter().filter_map(toml::Value::as_str).collect();
    assert_eq!(members, DIRECTIONS.iter().map(|(folder, _)| *folder).collect(), "a crate without a place in the map");
    let mut found = Vec::new();
    for (folder, allowed) in DIRECTIONS {
        let mut dependencies = BTreeMap::new();
        collect_dependencies(&manifest(folder)?, &mut dependencies);
        for (name, declaration) in &dependencies {
            if declaration.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
                found.push(format!("{folder}: {name} is not declared in the workspace"));
            }
            if name.strip_prefix("boostermq-").is_some_and(|used| !allowed.contains(&used)) {
                found.push(format!("{folder}: {name} lies above it"));
            }
        }
        for used in allowed {
            if !dependencies.contains_key(&format!("boostermq-{used}")) {
                found.push(format!("{folder}: the map lets it use {used}, and it does not"));
            }
        }
        if folder == "store" && dependencies.keys().any(|name| ["tokio", "socket2"].contains(&name.as_str())) {
            found.push("store: it knows neither sockets nor tokio".to_owned());
        }
    }
    assert_none(&found, "crates depend as ARCHITECTURE.md says");
    Ok(())
}

/// The dependencies of a manifest: of the crate, of its tests and build, on every platform.
fn collect_dependencies(table: &toml::Table, into: &mut BTreeMap<String, toml::Value>) {
    for (key, value) in table {
        let Some(inner) = value.as_table() else { continue };
        if key.ends_with("dependencies") {
            into.extend(inner.clone());
        } else if !["workspace", "package"].contains(&key.as_str()) {
            collect_dependencies(inner, into);
        }
    }
}
