//! Runs a client program and reads what it says, a line at a time.
//!
//! | the program prints | meaning |
//! | --- | --- |
//! | `PASS ID 120ms` | the case held |
//! | `FAIL ID why` | it did not |
//! | `CONTROL restart-broker` | clean stop and start of the broker |
//! | `CONTROL stop-broker`, `kill-broker`, `start-broker` | SIGTERM; `kill -9`; start again on the same store |
//! | `CONTROL target ours`, `target reference` | whose broker starts next, on the same store |
//! | `CONTROL set-broker KEY=VALUE` | a line of `broker.conf` for the next start |
//! | `CONTROL stop-namesrv N`, `start-namesrv N` | the N-th name server, from 0 |
//! | anything else | kept for the message of a failure |
//!
//! A CONTROL line is answered on the program's standard input with `OK` when done, or `ERROR why`.
//! The program ends with status 0 exactly when no case failed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{Cluster, Differences, Target};

/// What one case came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It held.
    Pass,
    /// It did not, and why.
    Fail(String),
}

/// All outcomes of one client program.
#[derive(Debug)]
pub struct Report {
    /// By case id.
    pub outcomes: BTreeMap<String, Outcome>,
    other_output: Vec<String>,
}

impl Report {
    /// Errors unless every case of the reference passed, or those that fail on ours are exactly the ones that
    /// `differences.toml` lists for `module` (a listed case that passes is an error too: the entry is stale).
    pub fn verify(&self, target: Target, module: &str) -> Result<()> {
        ensure!(!self.outcomes.is_empty(), "no case ran:\n{}", self.other_output.join("\n"));
        let differences = match target {
            Target::Ours => Differences::load()?,
            Target::Reference | Target::Mixed => Differences::default(),
        };
        let wrong = self.surprises(&differences, module);
        if !wrong.is_empty() {
            bail!("{} of {} cases of {module} went wrong:\n{}", wrong.len(), self.outcomes.len(), wrong.join("\n"));
        }
        eprintln!("{module}: {} cases", self.outcomes.len());
        Ok(())
    }

    /// A line for each case that did not end as `differences` says.
    fn surprises(&self, differences: &Differences, module: &str) -> Vec<String> {
        let surprise = |(case, outcome): (&String, &Outcome)| match (outcome, differences.reason(module, case)) {
            (Outcome::Pass, None) | (Outcome::Fail(_), Some(_)) => None,
            (Outcome::Pass, Some(reason)) => Some(format!("{case} passes, yet differences.toml says: {reason}")),
            (Outcome::Fail(why), None) => Some(format!("{case} {why}")),
        };
        self.outcomes.iter().filter_map(surprise).collect()
    }
}

pub(super) fn run(cluster: &mut Cluster, mut program: Command, limit: Duration) -> Result<Report> {
    let errors = std::fs::File::create(cluster.folder().join("client.err"))?;
    program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
    let mut child = Running(program.spawn().with_context(|| format!("cannot start {program:?}"))?);
    let mut answers = child.0.stdin.take().context("no standard input")?;
    let output = child.0.stdout.take().context("no standard output")?;
    let (sender, lines) = mpsc::channel();
    // A thread of its own, because only a channel can be read with a deadline. It ends when the program does.
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    let deadline = Instant::now() + limit;
    let mut report = Report { outcomes: BTreeMap::new(), other_output: Vec::new() };
    loop {
        let line = match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => line,
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                bail!("the client did not end within {limit:?}; it said so far:\n{report:?}")
            }
        };
        if let Some(order) = line.strip_prefix("CONTROL ") {
            let reply = match obey(cluster, order) {
                Ok(()) => "OK".to_owned(),
                Err(error) => format!("ERROR {}", format!("{error:#}").replace('\n', " | ")),
            };
            eprintln!("{line}: {reply}");
            writeln!(answers, "{reply}")?;
        } else {
            report.read(line);
        }
    }
    let status = child.0.wait()?;
    let failed = report.outcomes.values().any(|outcome| *outcome != Outcome::Pass);
    if !status.success() && !failed {
        let text = std::fs::read_to_string(cluster.folder().join("client.err")).unwrap_or_default();
        bail!("the client ended with {status} and no failed case:\n{}\n{text}", report.other_output.join("\n"));
    }
    Ok(report)
}

impl Report {
    fn read(&mut self, line: String) {
        let mut words = line.splitn(3, ' ');
        match (words.next(), words.next(), words.next()) {
            (Some("PASS"), Some(case), _) => {
                self.outcomes.insert(case.to_owned(), Outcome::Pass);
            }
            (Some("FAIL"), Some(case), why) => {
                self.outcomes.insert(case.to_owned(), Outcome::Fail(why.unwrap_or_default().to_owned()));
            }
            _ => {
                self.other_output.push(line);
                return;
            }
        }
        eprintln!("{line}");
    }
}

fn obey(cluster: &mut Cluster, order: &str) -> Result<()> {
    let (verb, rest) = order.split_once(' ').unwrap_or((order, ""));
    match verb {
        "restart-broker" => cluster.restart_broker(),
        "stop-broker" => cluster.stop_broker(),
        "kill-broker" => cluster.kill_broker(),
        "start-broker" => cluster.start_broker(),
        "target" => {
            cluster.set_target(Target::parse(rest)?);
            Ok(())
        }
        "set-broker" => {
            let (key, value) = rest.split_once('=').with_context(|| format!("KEY=VALUE expected, not {rest}"))?;
            cluster.set_broker_key(key, value);
            Ok(())
        }
        "stop-namesrv" => cluster.stop_name_server(rest.parse()?),
        "start-namesrv" => cluster.start_name_server(rest.parse()?),
        _ => bail!("unknown order {order}"),
    }
}

/// Ends the program when the harness gives up on it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_cases_may_fail() {
        let listed =
            "[[failing_case]]\ncase = 'B'\nreason = 'r'\n[[failing_case]]\ncase = 'C'\nmodule = 'go'\nreason = 'r'\n";
        let listed: Differences = toml::from_str(listed).unwrap();
        for (lines, module, surprises) in [
            (&["PASS A 1ms", "FAIL B why not", "noise"][..], "java", &[][..]),
            (&["FAIL A why not", "FAIL B x"], "java", &["A why not"]),
            (&["PASS B 2ms"], "java", &["B passes, yet differences.toml says: r"]),
            (&["FAIL C x"], "go", &[]),
            (&["FAIL C x"], "java", &["C x"]),
        ] {
            let mut report = Report { outcomes: BTreeMap::new(), other_output: Vec::new() };
            lines.iter().for_each(|line| report.read((*line).to_owned()));
            assert_eq!(report.surprises(&listed, module), surprises, "{lines:?} of {module}");
        }
    }
}
