//! `mqadmin`: one command for a cluster, then the end.

use std::io::{BufWriter, Write};
use std::process::ExitCode;

use boostermq_tools::Environment;

fn main() -> ExitCode {
    let mut arguments = Vec::new();
    for argument in std::env::args_os().skip(1) {
        match argument.into_string() {
            Ok(text) => arguments.push(text),
            Err(bytes) => return refuse(&format!("the argument {bytes:?} is not UTF-8: write it in UTF-8")),
        }
    }
    // One command talks to few servers: a single thread starts in no time and is enough.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&format!("the system gives no sockets or timers: {error}")),
    };
    let mut out = BufWriter::new(std::io::stdout());
    let environment = Environment::of_process();
    let code = runtime.block_on(boostermq_tools::run(&arguments, &environment, &mut out, &mut std::io::stderr()));
    match out.flush() {
        Ok(()) => ExitCode::from(code),
        Err(_) => ExitCode::FAILURE,
    }
}

fn refuse(reason: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "mqadmin: {reason}");
    ExitCode::FAILURE
}
