//! A change of settings by request: which of the keys are taken, which refuse the whole of it.
//!
//! Only what is declared as such changes: keys that take effect at once, and with the next start those that hold a number, a
//! switch or one of some words. Paths, addresses, names and other free text are read at start only, whatever any list says: the
//! history of upstream shows what else comes of it (RocketMQ 5.5.0). Never here: files, response codes.

use super::{ConfigError, ConfigRow, Outcome, nearest};
use crate::properties_file::Properties;

/// What a request changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Keys that hold at once, with their new text.
    pub now: Vec<(String, String)>,
    /// Keys that hold from the next start.
    pub later: Vec<(String, String)>,
    /// Keys that do nothing here, and why.
    pub idle: Vec<(String, String, &'static str)>,
    /// Keys that nobody knows, passed over: scripts for several versions set such beside those that are known here.
    pub unknown: Vec<String>,
}

/// Why a request changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeRefusal {
    /// No request may change the key.
    #[error("Can not update config in black list: {key}")]
    Barred {
        /// The key.
        key: String,
    },
    /// The key is read at start only.
    #[error("{key} is read at start only, as all paths, addresses and names are: write it to the configuration file")]
    AtStartOnly {
        /// The key.
        key: String,
    },
    /// None of the keys is known; the first of them.
    #[error("{key} is not a known key{}; see CONFIG.md", super::suggestion(*.nearest))]
    Unknown {
        /// The key.
        key: String,
        /// A known key that looks much like it.
        nearest: Option<&'static str>,
    },
    /// The text is not a value of its key.
    #[error(transparent)]
    Value(#[from] ConfigError),
}

impl Change {
    /// Asks `update` for each wanted key, and stops at the first that refuses: what was updated until then is to be thrown away.
    /// `black_list` names keys that no request may change, separated by `;`, beside those of `never`.
    ///
    /// # Errors
    /// [`ChangeRefusal`] of the first key that cannot be changed.
    pub fn collect(
        wanted: &Properties,
        never: &[&str],
        black_list: &str,
        rows: &[ConfigRow],
        mut update: impl FnMut(&str, &str) -> Result<Outcome, ConfigError>,
    ) -> Result<Self, ChangeRefusal> {
        let is_barred = |key: &str| never.contains(&key) || black_list.split(';').any(|barred| barred.trim() == key);
        if let Some((key, _)) = wanted.iter().find(|(key, _)| is_barred(key)) {
            return Err(ChangeRefusal::Barred { key: key.to_owned() });
        }
        let mut change = Self::default();
        let mut unchanged = 0;
        for (key, value) in wanted.iter() {
            let pair = || (key.to_owned(), value.trim().to_owned());
            match update(key, value)? {
                Outcome::Applied => change.now.push(pair()),
                Outcome::AfterRestart => change.later.push(pair()),
                Outcome::NoEffect(why) => change.idle.push((key.to_owned(), value.trim().to_owned(), why)),
                Outcome::Unchanged => unchanged += 1,
                Outcome::AtStartOnly => return Err(ChangeRefusal::AtStartOnly { key: key.to_owned() }),
                Outcome::UnknownKey => change.unknown.push(key.to_owned()),
            }
        }
        match change.unknown.first() {
            Some(key) if change.is_empty() && unchanged == 0 => {
                Err(ChangeRefusal::Unknown { key: key.to_owned(), nearest: nearest(rows, key) })
            }
            _ => Ok(change),
        }
    }

    /// True when nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.now.is_empty() && self.later.is_empty() && self.idle.is_empty()
    }

    /// All keys with their new text, for the file.
    #[must_use]
    pub fn to_keep(&self) -> Vec<(String, String)> {
        let idle = self.idle.iter().map(|(key, value, _)| (key.clone(), value.clone()));
        self.now.iter().chain(&self.later).cloned().chain(idle).collect()
    }

    /// What whoever asked should know beyond success; `None` when all of it holds now, and is kept. `unkept` says why the file of
    /// the start was not changed.
    #[must_use]
    pub fn remark(&self, unkept: Option<&str>) -> Option<String> {
        let mut remarks: Vec<String> =
            unkept.map(|error| format!("holds until the next start only: {error}")).into_iter().collect();
        if !self.later.is_empty() {
            let keys: Vec<_> = self.later.iter().map(|(key, _)| key.as_str()).collect();
            remarks.push(format!("from the next start on: {}", keys.join(", ")));
        }
        if !self.unknown.is_empty() {
            remarks.push(format!("not known and passed over: {}", self.unknown.join(", ")));
        }
        remarks.extend(self.idle.iter().map(|(key, _, why)| format!("{key} does nothing here: {why}")));
        (!remarks.is_empty()).then(|| remarks.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    crate::config! {
        /// Settings of a shed.
        struct Shed {
            /// Light.
            light: bool = false, "light", Live;
            /// Shelves.
            shelves: u32 = 3, "shelves", Restart, 1..=9;
            /// Name on the door.
            name: String = "shed".into(), "name", Restart;
            /// Where it stands.
            port: u16 = 1, "port", Restart;
            /// Old.
            doors: u32 = 1, "doors", Inert("it has one door");
            /// Old.
            class: String = String::new(), "class", Inert("no classes");
            /// Not yet.
            lock: bool = false, "lock", Refused("it has no lock");
        }
    }

    fn change(text: &str) -> Result<(Change, Shed), String> {
        let mut shed = Shed::default();
        let wanted = Properties::parse("", text.as_bytes()).unwrap();
        Change::collect(&wanted, &["never"], "one; two", &Shed::rows(), |key, value| shed.update(key, value))
            .map(|change| (change, shed))
            .map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn each_key_is_taken_for_now_or_later_or_refuses_all() {
        let (found, shed) = change("light=true\nshelves=9\ndoors=2\nname=shed\nlock=false\nport=1\nclass=").unwrap();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!((found.now.clone(), found.later.clone()), (vec![pair("light", "true")], vec![pair("shelves", "9")]));
        assert_eq!(found.to_keep(), [pair("light", "true"), pair("shelves", "9"), pair("doors", "2")]);
        assert_eq!(
            found.remark(None).unwrap(),
            "from the next start on: shelves; doors does nothing here: it has one door"
        );
        assert!(shed.light && shed.shelves == 3);
        assert_eq!(change("light=true").unwrap().0.remark(None), None);
        let mixed = change("light=true\nshelfes=1").unwrap().0;
        assert_eq!(mixed.remark(None).unwrap(), "not known and passed over: shelfes");
        assert_eq!(mixed.to_keep(), [pair("light", "true")]);
        assert!(change("").unwrap().0.is_empty());
        for (text, expected) in [
            ("never=1", "Can not update config in black list: never"),
            ("light=true\ntwo=1", "Can not update config in black list: two"),
            (
                "name=other",
                "name is read at start only, as all paths, addresses and names are: write it to the configuration file",
            ),
            (
                "port=2",
                "port is read at start only, as all paths, addresses and names are: write it to the configuration file",
            ),
            (
                "class=X",
                "class is read at start only, as all paths, addresses and names are: write it to the configuration file",
            ),
            ("shelfes=1", "shelfes is not a known key; did you mean shelves?; see CONFIG.md"),
            ("shelves=10", "shelves=10: expected a whole number from 1 to 9"),
            ("light=on", "light=on: expected true or false"),
            ("lock=true", "lock=true cannot be kept: it has no lock; take the key out"),
        ] {
            assert_eq!(change(text).unwrap_err(), expected, "{text}");
        }
    }
}
