//! The Java cases: compiled by Maven once, run by plain `java`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::{Cluster, binaries, selected_cases, slow_cases_wanted, tool, workspace_dir};

/// Which official client the cases are compiled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JavaClient {
    /// `rocketmq-client` and `rocketmq-tools` 5.5.0.
    V5_5_0,
    /// `rocketmq-client` 4.9.8, without the cases that need the admin library.
    V4_9_8,
}

impl JavaClient {
    /// A command that runs the cases against `cluster`; properties (`-Dname=value`) go to the JVM.
    pub fn cases(self, cluster: &Cluster, properties: &[&str]) -> Result<Command> {
        let mut java = self.program("compat.Cases", cluster, properties)?;
        if let Some(cases) = selected_cases() {
            java.args(["-cases", &cases]);
        }
        if slow_cases_wanted() {
            java.arg("-slow");
        }
        Ok(java)
    }

    /// A command that runs `class` with the cluster's addresses as arguments.
    pub fn program(self, class: &str, cluster: &Cluster, properties: &[&str]) -> Result<Command> {
        let built = self.build()?;
        let home = cluster.folder().join("client-home");
        std::fs::create_dir_all(&home)?;
        let mut java = Command::new(tool("java")?);
        java.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]).args(properties);
        java.arg(format!("-Duser.home={}", home.display()));
        java.arg(format!("-Drocketmq.client.logRoot={}", home.join("logs").display()));
        java.arg(format!("-Drocketmq.client.localOffsetStoreDir={}", home.join("offsets").display()));
        java.arg("-cp").arg(format!("{}:{}/*", built.join("classes").display(), built.join("lib").display()));
        java.args([class, "-namesrv", &cluster.namesrv(), "-broker", &cluster.broker()]);
        java.current_dir(&home);
        Ok(java)
    }

    fn build(self) -> Result<PathBuf> {
        let module = workspace_dir().join("compat-tests/clients/java");
        let (name, pom) = match self {
            JavaClient::V5_5_0 => ("java-5.5.0", module.join("pom.xml")),
            JavaClient::V4_9_8 => ("java-4.9.8", module.join("client-4.9.8/pom.xml")),
        };
        binaries::maven(name, &pom, &["compile", "dependency:copy-dependencies"], &[module.join("src")])
    }
}
