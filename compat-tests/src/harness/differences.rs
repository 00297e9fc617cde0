//! `differences.toml`: where ours differs from the reference on purpose, and the cases that fail for it; each with its reason.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::workspace_dir;

/// What a difference may be about.
const AREAS: [&str; 6] = ["name server", "broker", "store", "configuration", "process", "mqadmin"];

/// What may have been decided about an oddity of upstream's.
const STANCES: [&str; 3] = ["kept", "mended", "later"];
/// How many oddities there are to decide.
const ODDITIES: u32 = 24;

/// The tolerated differences.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Differences {
    #[serde(default)]
    difference: Vec<Difference>,
    #[serde(default)]
    failing_case: Vec<FailingCase>,
    #[serde(default)]
    oddity: Vec<Oddity>,
}

/// What people may notice; no case needs to fail for it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    area: String,
    what: String,
    reason: String,
}

/// A case that passes on the reference and fails on ours.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FailingCase {
    case: String,
    #[serde(default)]
    module: Option<String>,
    reason: String,
}

/// What upstream surprises people with, and what was decided about it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Oddity {
    number: u32,
    what: String,
    stance: String,
    reason: String,
}

impl Differences {
    /// Reads `compat-tests/differences.toml`.
    ///
    /// # Errors
    /// Says which entry has an empty text, an unknown area, or stands there twice.
    pub fn load() -> Result<Differences> {
        let path = workspace_dir().join("compat-tests/differences.toml");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    fn parse(text: &str) -> Result<Differences> {
        let differences: Differences = toml::from_str(text)?;
        differences.check()?;
        Ok(differences)
    }

    fn check(&self) -> Result<()> {
        let mut seen = BTreeSet::new();
        for Difference { area, what, reason } in &self.difference {
            ensure!(AREAS.contains(&area.as_str()), "{area:?} is none of the areas {AREAS:?}");
            ensure!(!what.trim().is_empty(), "a difference of area {area:?} does not say what it is");
            ensure!(!reason.trim().is_empty(), "no reason is given for: {what}");
            ensure!(seen.insert(what.trim().to_lowercase()), "this difference stands here twice: {what}");
        }
        for (position, FailingCase { case, module, reason }) in self.failing_case.iter().enumerate() {
            ensure!(!case.trim().is_empty(), "a failing case has no id");
            ensure!(
                module.as_deref().is_none_or(|module| !module.trim().is_empty()),
                "case {case} has an empty module"
            );
            ensure!(!reason.trim().is_empty(), "no reason is given for case {case}");
            let is_same = |other: &FailingCase| {
                other.case == *case && (other.module.is_none() || module.is_none() || other.module == *module)
            };
            let before = self.failing_case.iter().take(position);
            ensure!(!before.into_iter().any(is_same), "case {case} stands here twice");
        }
        for (position, Oddity { number, what, stance, reason }) in self.oddity.iter().enumerate() {
            ensure!((1..=ODDITIES).contains(number), "there is no oddity {number}");
            ensure!(STANCES.contains(&stance.as_str()), "{stance:?} of oddity {number} is none of {STANCES:?}");
            ensure!(!what.trim().is_empty() && !reason.trim().is_empty(), "oddity {number} has an empty text");
            let mut before = self.oddity.iter().take(position);
            ensure!(before.all(|other| other.number != *number), "oddity {number} stands here twice");
        }
        Ok(())
    }

    /// Why `case` of `module` is expected to fail; `None` when it is expected to pass.
    pub fn reason(&self, module: &str, case: &str) -> Option<&str> {
        self.failing_case
            .iter()
            .find(|entry| entry.case == case && entry.module.as_deref().is_none_or(|named| named == module))
            .map(|entry| entry.reason.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_the_workspace_is_sound() {
        let differences = Differences::load().unwrap();
        for area in AREAS {
            assert!(differences.difference.iter().any(|difference| difference.area == area), "nothing about {area}");
        }
        let decided: BTreeSet<u32> = differences.oddity.iter().map(|oddity| oddity.number).collect();
        assert_eq!(decided, (1..=ODDITIES).collect(), "each oddity is decided");
    }

    #[test]
    fn a_case_fails_for_its_own_module_only() {
        let text =
            "[[failing_case]]\ncase = 'S1'\nreason = 'r'\n[[failing_case]]\ncase = 'S2'\nmodule = 'go'\nreason = 'q'";
        let differences = Differences::parse(text).unwrap();
        for (module, case, expected) in [
            ("go", "S1", Some("r")),
            ("java-5.5.0", "S1", Some("r")),
            ("go", "S2", Some("q")),
            ("java-5.5.0", "S2", None),
        ] {
            assert_eq!(differences.reason(module, case), expected, "{case} of {module}");
        }
    }

    #[test]
    fn a_faulty_list_is_refused_with_what_is_wrong() {
        let difference = |area: &str, what: &str, reason: &str| {
            format!("[[difference]]\narea = '{area}'\nwhat = '{what}'\nreason = '{reason}'\n")
        };
        let case = |case: &str, rest: &str| format!("[[failing_case]]\ncase = '{case}'\n{rest}\n");
        let oddity = |number: u32, stance: &str, reason: &str| {
            format!("[[oddity]]\nnumber = {number}\nwhat = 'w'\nstance = '{stance}'\nreason = '{reason}'\n")
        };
        for (text, expected) in [
            (difference("brokers", "w", "r"), "none of the areas"),
            (difference("broker", " ", "r"), "does not say what"),
            (difference("broker", "w", ""), "no reason is given for: w"),
            (difference("broker", "w", "r") + &difference("store", "W ", "q"), "stands here twice"),
            (difference("broker", "w", "r") + "case = 'S1'", "unknown field"),
            (case("", "reason = 'r'"), "no id"),
            (case("S1", ""), "missing field"),
            (case("S1", "reason = ' '"), "no reason is given for case S1"),
            (case("S1", "reason = 'r'\nmodule = ''"), "empty module"),
            (case("S1", "reason = 'r'") + &case("S1", "reason = 'q'\nmodule = 'go'"), "case S1 stands here twice"),
            (oddity(25, "kept", "r"), "no oddity 25"),
            (oddity(1, "kept well", "r"), "none of"),
            (oddity(1, "kept", " "), "oddity 1 has an empty text"),
            (oddity(1, "kept", "r") + &oddity(1, "mended", "q"), "oddity 1 stands here twice"),
        ] {
            let error = format!("{:#}", Differences::parse(&text).unwrap_err());
            assert!(error.contains(expected), "{text}\n{error}");
        }
        let by_module = case("S1", "reason = 'r'\nmodule = 'java-4.9.8'") + &case("S1", "reason = 'q'\nmodule = 'go'");
        assert!(Differences::parse(&by_module).is_ok());
    }
}
