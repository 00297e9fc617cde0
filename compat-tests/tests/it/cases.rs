//! `CASES.md` held to the sources: each case of the list stands in it once, and what it names exists.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use boostermq_compat_tests::harness::workspace_dir;

/// The list: a letter for each subject, and how many cases it has.
const LIST: [(char, u32); 14] = [
    ('S', 24),
    ('B', 6),
    ('O', 8),
    ('P', 21),
    ('F', 9),
    ('R', 11),
    ('D', 12),
    ('X', 10),
    ('Q', 4),
    ('M', 18),
    ('Z', 5),
    ('K', 18),
    ('V', 11),
    ('A', 22),
];

/// Parts that are not built, for which a case may be set aside.
const PARTS: [&str; 10] = [
    "BatchCQ",
    "HA",
    "access control",
    "compaction",
    "controllers",
    "lite topics",
    "pop",
    "priority",
    "proxy",
    "static topics",
];

/// All text below a folder of the workspace in files with this ending.
fn text_below(folder: &str, ending: &str) -> Result<String> {
    fn append(folder: &Path, ending: &str, text: &mut String) -> Result<()> {
        for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                append(&path, ending, text)?;
            } else if path.extension().is_some_and(|extension| extension == ending) {
                text.push_str(&std::fs::read_to_string(&path)?);
            }
        }
        Ok(())
    }
    let mut text = String::new();
    append(&workspace_dir().join(folder), ending, &mut text)?;
    Ok(text)
}

/// Where tests may stand.
struct Sources {
    java: String,
    go: String,
    broker: String,
    differences: String,
}

impl Sources {
    fn read() -> Result<Self> {
        Ok(Self {
            java: text_below("compat-tests/clients/java/src", "java")?,
            go: text_below("compat-tests/clients/go", "go")?,
            broker: text_below("broker/src", "rs")?,
            differences: std::fs::read_to_string(workspace_dir().join("compat-tests/differences.toml"))?,
        })
    }

    /// True when what one entry of the column `where` names is there.
    fn have(&self, place: &str) -> Result<bool> {
        if let Some(part) = place.strip_prefix("set aside: ") {
            return Ok(PARTS.contains(&part));
        }
        if let Some(text) = place.strip_prefix("differs: ") {
            return Ok(self.differences.contains(text));
        }
        let (kind, name) = place.split_once(' ').with_context(|| format!("{place:?} has no name"))?;
        Ok(match kind {
            "java" => ["add", "raw"].iter().any(|verb| self.java.contains(&format!("suite.{verb}(\"{name}\""))),
            "go" => self.go.contains(&format!("\"{name}\"")),
            "broker" => self.broker.contains(&format!("fn {name}(")),
            "it" => {
                let (module, function) = name.rsplit_once("::").with_context(|| format!("{name:?} has no module"))?;
                let path = format!("compat-tests/tests/it/{}.rs", module.replace("::", "/"));
                std::fs::read_to_string(workspace_dir().join(path))?.contains(&format!("fn {function}("))
            }
            _ => false,
        })
    }
}

#[test]
fn every_case_of_the_list_runs_somewhere_or_is_set_aside_by_name() -> Result<()> {
    let text = std::fs::read_to_string(workspace_dir().join("compat-tests/CASES.md"))?;
    let mut missing: BTreeSet<String> = LIST
        .iter()
        .flat_map(|(letter, count)| (1..=*count).map(move |number| format!("{letter}{number:02}")))
        .collect();
    ensure!(missing.len() == 179, "the list has {} cases", missing.len());
    let sources = Sources::read()?;
    let table = text.split_once("| case |").context("no table of cases")?.1;
    let mut wrong = Vec::new();
    // The rest of the head, then the line below it.
    for line in table.lines().skip(2).filter(|line| line.starts_with('|')) {
        let columns: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [case, what, places, slow] = columns[..] else {
            wrong.push(format!("not four columns: {line}"));
            continue;
        };
        if !missing.remove(case) {
            wrong.push(format!("{case} is not on the list, or stands here twice"));
        }
        if what.is_empty() || !["", "slow"].contains(&slow) {
            wrong.push(format!("{case} does not say what it is, or how slow: {line}"));
        }
        for place in places.split(", ") {
            if !sources.have(place).with_context(|| case.to_owned())? {
                wrong.push(format!("{case}: there is no {place}"));
            }
        }
    }
    wrong.extend(missing.iter().map(|case| format!("{case} is missing")));
    ensure!(wrong.is_empty(), "CASES.md:\n{}", wrong.join("\n"));
    Ok(())
}
