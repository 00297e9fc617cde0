//! `top`: brokers, topics and groups on one screen that goes on by itself.
//!
//! ```text
//! keys ──► screen.rs (which table, its order, filter, choice: pure) ──┐
//!                                                                      ├─► draw.rs ──► terminal.rs
//! collect.rs ──► snapshot.rs (plain values) ──► grid.rs (rows: pure) ──┘
//! ```
//!
//! Servers are asked while keys are read: a key never waits for a server. Where output is no terminal, or `-o` is given, one
//! snapshot is printed, and that is all. Changes nothing.

use std::io::IsTerminal;
use std::time::Duration;

use crate::command::Session;
use crate::options::{Arguments, CommandOption};
use crate::output::{Column, Document, Format, Style, Table};

mod collect;
mod draw;
mod grid;
mod screen;
mod snapshot;
mod terminal;
#[cfg(test)]
mod tests;

use collect::Sampler;
use grid::{Grid, View};

/// Seconds between two looks when `-i` says nothing.
const INTERVAL_SECONDS: f64 = 2.0;

/// Options of the command.
pub(crate) const OPTIONS: &[CommandOption] =
    &[CommandOption::optional("i", "interval", "Seconds between two looks at the cluster, default:2")];

/// Shows the screen until it is left, or prints one snapshot.
pub(crate) async fn top(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let seconds = arguments.number::<f64>("i")?.unwrap_or(INTERVAL_SECONDS).clamp(0.5, 3_600.0);
    let interval = Duration::from_secs_f64(seconds);
    let is_screen = session.format() == Format::Text && arguments.watch().is_none() && std::io::stdout().is_terminal();
    if is_screen {
        return terminal::run(&session.admin, interval).await;
    }
    // Rates need two looks.
    let mut sampler = Sampler::default();
    sampler.look(&session.admin, None).await?;
    tokio::time::sleep(interval).await;
    let snapshot = sampler.look(&session.admin, None).await?;
    for problem in &snapshot.problems {
        session.complain(&format_args!("top: {problem}"));
    }
    let mut document = Document::new();
    for (at, (style, view)) in
        [(&BROKERS, View::Brokers), (&TOPICS, View::Topics), (&GROUPS, View::Groups)].into_iter().enumerate()
    {
        if at > 0 {
            document.line("");
        }
        document.table(table(style, &grid::grid(&snapshot, &view)));
    }
    Ok(session.print(&document)?)
}

fn table(style: &'static Style, grid: &Grid) -> Table {
    let mut table = Table::new(style);
    for line in &grid.lines {
        table.cells_row(line.cells.iter().map(grid::Cell::to_output).collect());
    }
    table
}

static BROKERS: Style = Style {
    name: "brokers",
    head: "",
    row: "",
    columns: &[
        Column::new("brokerName", "#Broker"),
        Column::new("brokerId", "#BID"),
        Column::new("addr", "#Addr"),
        Column::new("clusterName", "#Cluster"),
        Column::new("version", "#Version"),
        Column::new("inTps", "#In/s"),
        Column::new("outTps", "#Out/s"),
        Column::new("putLatency99Ms", "#Put99(ms)"),
        Column::new("diskRatio", "#Disk"),
        Column::new("dispatchBehindBytes", "#Behind(B)"),
        Column::new("state", "#State"),
    ],
};

static TOPICS: Style = Style {
    name: "topics",
    head: "",
    row: "",
    columns: &[
        Column::new("topic", "#Topic"),
        Column::new("inTps", "#In/s"),
        Column::new("messages", "#Messages"),
        Column::new("groups", "#Groups"),
        Column::new("lag", "#Lag"),
    ],
};

static GROUPS: Style = Style {
    name: "groups",
    head: "",
    row: "",
    columns: &[
        Column::new("group", "#Group"),
        Column::new("outTps", "#Out/s"),
        Column::new("topics", "#Topics"),
        Column::new("queues", "#Queues"),
        Column::new("lag", "#Lag"),
        Column::new("behindMs", "#Behind"),
    ],
};
