//! A name server (or two) and a broker in a temporary folder.
//!
//! ```text
//! FOLDER/namesrv-0.conf  namesrv-0.log      FOLDER/broker.conf  broker.log      FOLDER/store/
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use tempfile::TempDir;

use super::process::{Server, log_tail};
use super::wire::Connection;
use super::{Report, binaries, client, ports, tool};

/// `GET_BROKER_CLUSTER_INFO`: which brokers a name server knows.
const GET_BROKER_CLUSTER_INFO: i32 = 106;
/// What a server of either kind prints when it serves.
const STARTED: &str = "boot success";
/// How long a process may take until it answers. The reference on a busy machine needs a dozen seconds.
const READY_LIMIT: Duration = Duration::from_secs(240);
/// Module openings the reference's store needs on JDK 17.
const JVM_OPENINGS: [&str; 4] = [
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
    "--add-opens=java.base/jdk.internal.misc=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
];

/// What is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// BoosterMQ, as built from this workspace.
    Ours,
    /// Apache RocketMQ 5.5.0.
    Reference,
    /// Our name server under the reference's broker, as it stands in the middle of a migration.
    Mixed,
}

impl Target {
    /// As `BOOSTERMQ_COMPAT_TARGET` says; ours when it is unset.
    pub fn from_env() -> Result<Target> {
        match std::env::var("BOOSTERMQ_COMPAT_TARGET").as_deref() {
            Err(_) | Ok("") => Ok(Target::Ours),
            Ok(name) => Target::parse(name).context("BOOSTERMQ_COMPAT_TARGET"),
        }
    }

    /// A target by its name.
    pub(super) fn parse(name: &str) -> Result<Target> {
        match name {
            "ours" => Ok(Target::Ours),
            "reference" => Ok(Target::Reference),
            "mixed" => Ok(Target::Mixed),
            other => bail!("no target {other}: `ours`, `reference` and `mixed` are known"),
        }
    }
}

/// What to start; see [`Cluster::builder`].
#[derive(Debug)]
pub struct ClusterBuilder {
    case: String,
    target: Option<Target>,
    name_servers: usize,
    broker_keys: BTreeMap<String, String>,
    system_properties: BTreeMap<String, String>,
    store: Option<PathBuf>,
    broker_wrapper: Vec<String>,
}

impl ClusterBuilder {
    /// Overrides `BOOSTERMQ_COMPAT_TARGET`.
    pub fn target(mut self, target: Target) -> ClusterBuilder {
        self.target = Some(target);
        self
    }

    /// Number of name servers; 1 unless said otherwise. The broker registers with all.
    pub fn name_servers(mut self, count: usize) -> ClusterBuilder {
        self.name_servers = count;
        self
    }

    /// A line of `broker.conf`; overrides the harness' own.
    pub fn broker_key(mut self, key: &str, value: &str) -> ClusterBuilder {
        self.broker_keys.insert(key.to_owned(), value.to_owned());
        self
    }

    /// A `-Dname=value` of all servers: to a JVM on its command line, to ours in the variable in which operators have it.
    pub fn system_property(mut self, name: &str, value: &str) -> ClusterBuilder {
        self.system_properties.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Starts on a copy of this store root instead of an empty one.
    pub fn store_copy(mut self, store: &Path) -> ClusterBuilder {
        self.store = Some(store.to_owned());
        self
    }

    /// Starts the broker by this program: it gets the broker's command line as its last arguments, and must become it.
    pub fn broker_wrapper(mut self, program: &[&str]) -> ClusterBuilder {
        self.broker_wrapper = program.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Starts everything and returns when the broker stands in the routes of each name server.
    pub fn start(self) -> Result<Cluster> {
        let target = match self.target {
            Some(target) => target,
            None => Target::from_env()?,
        };
        let folder = tempfile::Builder::new().prefix(&format!("boostermq-{}-", self.case)).tempdir()?;
        if let Some(store) = &self.store {
            copy_folder(store, &folder.path().join("store"))?;
        }
        let mut name_servers = Vec::new();
        for _ in 0..self.name_servers {
            name_servers.push(NameServer { port: ports::single_port()?, process: None });
        }
        let mut cluster = Cluster {
            target,
            broker_port: ports::broker_port()?,
            broker_keys: self.broker_keys,
            system_properties: self.system_properties,
            broker_wrapper: self.broker_wrapper,
            name_servers,
            broker: None,
            folder: Some(folder),
        };
        for index in 0..cluster.name_servers.len() {
            cluster.start_name_server(index)?;
        }
        cluster.start_broker()?;
        Ok(cluster)
    }
}

#[derive(Debug)]
struct NameServer {
    port: u16,
    process: Option<Server>,
}

/// A running name server and broker. Dropping it ends both; the folder stays unless [`Cluster::passed`] was called.
#[derive(Debug)]
pub struct Cluster {
    target: Target,
    broker_port: u16,
    broker_keys: BTreeMap<String, String>,
    system_properties: BTreeMap<String, String>,
    broker_wrapper: Vec<String>,
    name_servers: Vec<NameServer>,
    broker: Option<Server>,
    folder: Option<TempDir>,
}

impl Cluster {
    /// `case` names the temporary folder.
    pub fn builder(case: &str) -> ClusterBuilder {
        ClusterBuilder {
            case: case.to_owned(),
            target: None,
            name_servers: 1,
            broker_keys: BTreeMap::new(),
            system_properties: BTreeMap::new(),
            store: None,
            broker_wrapper: Vec::new(),
        }
    }

    /// What runs here.
    pub fn target(&self) -> Target {
        self.target
    }

    /// Whose broker starts next, on the same store.
    pub fn set_target(&mut self, target: Target) {
        self.target = target;
    }

    /// `host:port` of the name servers, separated by `;`, as clients take it.
    pub fn namesrv(&self) -> String {
        let all: Vec<String> = self.name_servers.iter().map(|server| address(server.port)).collect();
        all.join(";")
    }

    /// `host:port` of the broker, as it registers itself.
    pub fn broker(&self) -> String {
        address(self.broker_port)
    }

    /// Process id of the broker while it runs.
    pub fn broker_pid(&self) -> Option<u32> {
        self.broker.as_ref().map(Server::pid)
    }

    /// The folder of this cluster: configurations, logs, `store/`.
    pub fn folder(&self) -> &Path {
        self.folder.as_ref().map_or_else(|| Path::new("."), TempDir::path)
    }

    /// The broker's store root.
    pub fn store(&self) -> PathBuf {
        self.folder().join("store")
    }

    /// Runs a client program to its end (or `limit`) and obeys its CONTROL lines. See [`Report`] for what it prints.
    pub fn run(&mut self, program: Command, limit: Duration) -> Result<Report> {
        client::run(self, program, limit)
    }

    /// Everything held: the folder goes away.
    pub fn passed(mut self) -> Result<()> {
        self.stop_broker()?;
        for server in &mut self.name_servers {
            if let Some(process) = server.process.take() {
                process.terminate()?;
            }
        }
        drop(self.folder.take());
        Ok(())
    }

    /// Runs `mqbroker --check-store` of ours with the configuration of the last start. Whether it ended with success, and what it said.
    pub fn check_store(&self) -> Result<(bool, String)> {
        let mut command = Command::new(binaries::bin_dir()?.join("mqbroker"));
        let output = command.arg("--check-store").arg("-c").arg(self.folder().join("broker.conf")).output()?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
    }

    /// Changes a line of `broker.conf` for the next start.
    pub fn set_broker_key(&mut self, key: &str, value: &str) {
        self.broker_keys.insert(key.to_owned(), value.to_owned());
    }

    /// Starts the broker on its old store and ports, waits until every name server routes to it.
    pub fn start_broker(&mut self) -> Result<()> {
        let log = self.folder().join("broker.log");
        let mut server = self.spawn_broker(&log)?;
        let name = self.broker_keys.get("brokerName").map_or("broker-a", String::as_str);
        for target in &self.name_servers {
            wait_until(&mut server, &log, || match self.takes_plain_clients() {
                true => knows_broker(target.port, name, self.broker_port),
                false => log_tail(&log).contains(STARTED),
            })?;
        }
        self.broker = Some(server);
        Ok(())
    }

    /// SIGTERM and a clean end.
    pub fn stop_broker(&mut self) -> Result<()> {
        self.broker.take().map_or(Ok(()), Server::terminate)
    }

    /// `kill -9`.
    pub fn kill_broker(&mut self) -> Result<()> {
        self.broker.take().map_or(Ok(()), Server::kill)
    }

    /// Starts the broker and kills it before it can be ready: `after` so long.
    pub fn start_broker_and_kill(&mut self, after: Duration) -> Result<()> {
        let server = self.spawn_broker(&self.folder().join("broker.log"))?;
        std::thread::sleep(after);
        server.kill()
    }

    /// Stops the broker in its tracks: it holds its ports and connections and does nothing.
    pub fn pause_broker(&self) {
        if let Some(server) = &self.broker {
            server.signal(Signal::STOP);
        }
    }

    /// Lets it go on.
    pub fn resume_broker(&self) {
        if let Some(server) = &self.broker {
            server.signal(Signal::CONT);
        }
    }

    /// Fails with the end of its log when the broker has ended by itself.
    pub fn check_broker_alive(&mut self) -> Result<()> {
        self.broker.as_mut().context("the broker was not started")?.check_alive()
    }

    /// Clean stop, then start on the same store.
    pub fn restart_broker(&mut self) -> Result<()> {
        self.stop_broker()?;
        self.start_broker()
    }

    /// Ends a name server; the others keep answering.
    pub fn stop_name_server(&mut self, index: usize) -> Result<()> {
        let server = self.name_servers.get_mut(index).with_context(|| format!("no name server {index}"))?;
        server.process.take().map_or(Ok(()), Server::terminate)
    }

    /// Starts a name server on its old port and waits until it answers. It learns routes when the broker registers next.
    pub fn start_name_server(&mut self, index: usize) -> Result<()> {
        let folder = self.folder().to_owned();
        let port = self.name_servers.get(index).with_context(|| format!("no name server {index}"))?.port;
        let conf = folder.join(format!("namesrv-{index}.conf"));
        let kv = folder.join(format!("namesrv-{index}-kv.json"));
        std::fs::write(&conf, format!("listenPort={port}\norderMessageEnable=true\nkvConfigPath={}\n", kv.display()))?;
        let command = self.command("mqnamesrv", "org.apache.rocketmq.namesrv.NamesrvStartup", "256m", &conf)?;
        let log = folder.join(format!("namesrv-{index}.log"));
        let mut server = Server::start(&format!("name server {index}"), command, &log)?;
        wait_until(&mut server, &log, || match self.takes_plain_clients() {
            true => cluster_info(port).is_some(),
            false => log_tail(&log).contains(STARTED),
        })?;
        self.name_servers[index].process = Some(server);
        Ok(())
    }

    /// False where the harness, which knows no TLS, cannot ask a server whether it is ready.
    fn takes_plain_clients(&self) -> bool {
        self.system_properties.get("tls.server.mode").is_none_or(|mode| mode != "enforcing")
    }

    fn spawn_broker(&self, log: &Path) -> Result<Server> {
        let conf = self.folder().join("broker.conf");
        let lines: String = self.broker_conf().into_iter().map(|(key, value)| format!("{key}={value}\n")).collect();
        std::fs::write(&conf, lines)?;
        let command = self.command("mqbroker", "org.apache.rocketmq.broker.BrokerStartup", "1g", &conf)?;
        Server::start("the broker", self.wrapped(command), log)
    }

    fn wrapped(&self, command: Command) -> Command {
        let [program, words @ ..] = self.broker_wrapper.as_slice() else { return command };
        let mut wrapper = Command::new(program);
        wrapper.args(words).arg(command.get_program()).args(command.get_args()).current_dir(self.folder());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => wrapper.env(name, value),
                None => wrapper.env_remove(name),
            };
        }
        wrapper
    }

    fn broker_conf(&self) -> BTreeMap<String, String> {
        let store = self.store();
        let mut conf = BTreeMap::from([
            ("brokerClusterName".to_owned(), "DefaultCluster".to_owned()),
            ("brokerName".to_owned(), "broker-a".to_owned()),
            ("brokerId".to_owned(), "0".to_owned()),
            ("brokerIP1".to_owned(), "127.0.0.1".to_owned()),
            ("listenPort".to_owned(), self.broker_port.to_string()),
            ("haListenPort".to_owned(), (self.broker_port + 1).to_string()),
            ("namesrvAddr".to_owned(), self.namesrv()),
            ("storePathRootDir".to_owned(), store.display().to_string()),
            ("storePathCommitLog".to_owned(), store.join("commitlog").display().to_string()),
            ("enablePropertyFilter".to_owned(), "true".to_owned()),
            // A JVM that has just started may let the first burst of sends wait longer than the default of 200 ms.
            ("waitTimeMillsInSendQueue".to_owned(), "5000".to_owned()),
            // Several clusters may run side by side on a small disk.
            ("mappedFileSizeCommitLog".to_owned(), (128 * 1024 * 1024).to_string()),
        ]);
        conf.extend(self.broker_keys.clone());
        conf
    }

    fn command(&self, binary: &str, class: &str, heap: &str, conf: &Path) -> Result<Command> {
        let home = self.folder().join("home");
        std::fs::create_dir_all(home.join("conf"))?;
        let ours = self.target == Target::Ours || (self.target == Target::Mixed && binary == "mqnamesrv");
        let properties: Vec<String> =
            self.system_properties.iter().map(|(name, value)| format!("-D{name}={value}")).collect();
        let mut command = match ours {
            true => {
                let mut ours = Command::new(binaries::bin_dir()?.join(binary));
                ours.env("JAVA_OPT", format!("-server {}", properties.join(" ")));
                ours
            }
            false => {
                let mut java = Command::new(tool("java")?);
                java.args(JVM_OPENINGS).arg(format!("-Xmx{heap}")).arg("-Xms128m").arg("-XX:+UseSerialGC");
                java.args(&properties).arg(format!("-Duser.home={}", home.display())).arg("-cp");
                java.arg(format!("{}/*:{}", binaries::reference_jars()?.display(), home.join("conf").display()));
                java.arg(class);
                java
            }
        };
        command.arg("-c").arg(conf).current_dir(self.folder());
        command.env("HOME", &home).env("ROCKETMQ_HOME", &home).env_remove("NAMESRV_ADDR");
        Ok(command)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Killed, not asked: the outcome is decided, and the stores stay as they are for whoever looks at them.
        self.broker = None;
        for server in &mut self.name_servers {
            server.process = None;
        }
        if let Some(folder) = self.folder.take() {
            eprintln!("logs and stores of the failed run: {}", folder.keep().display());
        }
    }
}

fn address(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn cluster_info(port: u16) -> Option<String> {
    let mut connection = Connection::open(&address(port), Duration::from_secs(2)).ok()?;
    let answer = connection.call(GET_BROKER_CLUSTER_INFO, &[], b"").ok()?;
    (answer.code == 0).then(|| String::from_utf8_lossy(&answer.body).into_owned())
}

/// The body is fastjson's dialect with bare number keys, so it is searched rather than parsed.
fn knows_broker(namesrv_port: u16, name: &str, broker_port: u16) -> bool {
    let registered = cluster_info(namesrv_port).is_some_and(|body| {
        body.contains(&format!("\"{name}\"")) && body.contains(&format!("\"{}\"", address(broker_port)))
    });
    registered && Connection::open(&address(broker_port), Duration::from_secs(2)).is_ok()
}

fn wait_until(server: &mut Server, log: &Path, ready: impl Fn() -> bool) -> Result<()> {
    let deadline = Instant::now() + READY_LIMIT;
    while !ready() {
        server.check_alive()?;
        if Instant::now() > deadline {
            bail!("not ready after {READY_LIMIT:?}; the end of {}:\n{}", log.display(), log_tail(log));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    server.check_alive()
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
