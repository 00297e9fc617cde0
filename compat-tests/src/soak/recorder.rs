//! Writes the history down as it happens.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};

use crate::history::{Line, Op};

/// The history of one generation: in memory for the rules, and in a file for people.
pub(super) struct Recorder {
    began: Instant,
    pages: Mutex<Pages>,
}

struct Pages {
    lines: Vec<Line>,
    file: BufWriter<File>,
    trouble: Option<std::io::Error>,
}

impl Recorder {
    /// Begins a history in a new file of JSON lines.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| path.display().to_string())?;
        let pages = Pages { lines: Vec::new(), file: BufWriter::new(file), trouble: None };
        Ok(Self { began: Instant::now(), pages: Mutex::new(pages) })
    }

    /// Notes what happened, all at one time.
    pub(super) fn note(&self, process: &Arc<str>, ops: impl IntoIterator<Item = Op>) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock: lines stand in the order of their times.
        let ns = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        for op in ops {
            pages.push(Line { ns, process: process.clone(), op });
        }
    }

    /// Ends the history.
    pub(super) fn finish(&self) -> Result<Vec<Line>> {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.file.flush().context("writing the history")?;
        match pages.trouble.take() {
            Some(error) => Err(error).context("writing the history"),
            None => Ok(std::mem::take(&mut pages.lines)),
        }
    }
}

impl Pages {
    fn push(&mut self, line: Line) {
        let written = serde_json::to_writer(&mut self.file, &line).map_err(std::io::Error::from);
        if let Err(error) = written.and_then(|()| self.file.write_all(b"\n")) {
            self.trouble.get_or_insert(error);
        }
        self.lines.push(line);
    }
}
