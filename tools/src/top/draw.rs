//! The screen, drawn.
//!
//! ```text
//! BoosterMQ top  02:41:07  brokers 1  in 12.0/s  out 8.0/s  waiting 12,345       one line
//! [1] Brokers  [2] Topics  [3] Groups                                               one line
//! ┌ title ─────────────────────────────┐
//! │ heads, rows                        │                                            the rest
//! └────────────────────────────────────┘
//! what could not be seen                                                            one line, when there is something
//! keys, or the filter being typed                                                   one line
//! ```

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Cell, Paragraph, Row, Table, TableState};

use super::grid::{Grid, View};
use super::screen::Screen;
use crate::print;

/// Keys, as the last line tells them.
const KEYS: &str = "1-3 table  ↑↓ choose  Enter look into  Esc back  s/S sort  r reverse  / filter  q quit";

/// Draws all of it.
pub(super) fn draw(frame: &mut Frame<'_>, screen: &Screen) {
    let has_problems = !screen.snapshot.problems.is_empty();
    let rows = [
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(3),
        Constraint::Length(u16::from(has_problems)),
        Constraint::Length(1),
    ];
    let [head, tabs, body, problems, keys] = Layout::vertical(rows).areas(frame.area());
    frame.render_widget(Paragraph::new(summary(screen)), head);
    frame.render_widget(Paragraph::new(table_names(screen)), tabs);
    draw_grid(frame, screen, body);
    if let Some(first) = screen.snapshot.problems.first() {
        let more = screen.snapshot.problems.len() - 1;
        let text = if more > 0 { format!("{first} (and {more} more)") } else { first.clone() };
        frame.render_widget(Paragraph::new(text).style(Style::new().add_modifier(Modifier::BOLD)), problems);
    }
    frame.render_widget(Paragraph::new(bottom(screen)), keys);
}

fn summary(screen: &Screen) -> String {
    let snapshot = &screen.snapshot;
    if snapshot.at_ms == 0 {
        return "BoosterMQ top  asking the cluster".to_owned();
    }
    let sum = |key: &str| snapshot.brokers.iter().filter_map(|broker| broker.number(key)).sum::<f64>();
    let lag: i64 = snapshot.groups.iter().map(super::snapshot::GroupLoad::lag).sum();
    let time = print::local_time(snapshot.at_ms);
    format!(
        "BoosterMQ top  {}  brokers {}  in {:.1}/s  out {:.1}/s  waiting {}",
        time.split(',').next().unwrap_or(&time),
        snapshot.brokers.len(),
        sum("putTps"),
        sum("getTransferredTps"),
        super::grid::Cell::Count(lag).text(),
    )
}

fn table_names(screen: &Screen) -> Line<'static> {
    let view = screen.place().view;
    let names = [
        ("[1] Brokers", matches!(view, View::Brokers | View::Broker(_))),
        ("[2] Topics", matches!(view, View::Topics | View::Topic(_))),
        ("[3] Groups", matches!(view, View::Groups | View::Group(_))),
    ];
    let mut spans = Vec::new();
    for (name, is_shown) in names {
        let style = if is_shown { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
        spans.push(Span::styled(name, style));
        spans.push(Span::raw("  "));
    }
    Line::from(spans)
}

fn draw_grid(frame: &mut Frame<'_>, screen: &Screen, area: Rect) {
    let (grid, place) = (screen.grid(), screen.place());
    let columns = grid.heads.len();
    let is_number =
        |at: usize| grid.lines.first().and_then(|line| line.cells.get(at)).is_some_and(|cell| cell.is_number());
    let numbers: Vec<bool> = (0..columns).map(is_number).collect();
    let heads: Vec<String> = grid
        .heads
        .iter()
        .enumerate()
        .map(|(at, head)| match (at == place.sort, place.is_descending) {
            (true, true) => format!("{head}▼"),
            (true, false) => format!("{head}▲"),
            _ => (*head).to_owned(),
        })
        .collect();
    let widths = widths(&grid, &heads);
    let aligned = |at: usize, text: String| {
        let text = Text::from(text);
        Cell::from(if numbers.get(at).copied().unwrap_or_default() { text.right_aligned() } else { text })
    };
    let head = Row::new(heads.into_iter().enumerate().map(|(at, head)| aligned(at, head)))
        .style(Style::new().add_modifier(Modifier::BOLD));
    let rows = grid
        .lines
        .iter()
        .map(|line| Row::new(line.cells.iter().enumerate().map(|(at, cell)| aligned(at, cell.text()))));
    let mut title = format!(" {} ", grid.title);
    if !place.filter.is_empty() {
        title.push_str(&format!("with {:?}: {} ", place.filter, grid.lines.len()));
    }
    let table = Table::new(rows, widths)
        .header(head)
        .column_spacing(2)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
        .block(Block::bordered().title(title));
    let mut state = TableState::default().with_selected(screen.chosen(&grid));
    frame.render_stateful_widget(table, area, &mut state);
}

/// Each column as wide as its widest cell; ratatui shrinks them where there is no room.
fn widths(grid: &Grid, heads: &[String]) -> Vec<Constraint> {
    let width = |at: usize, head: &String| {
        let cells = grid.lines.iter().filter_map(|line| line.cells.get(at)).map(|cell| cell.text().chars().count());
        let widest = cells.chain([head.chars().count()]).max().unwrap_or_default();
        Constraint::Length(u16::try_from(widest).unwrap_or(u16::MAX))
    };
    heads.iter().enumerate().map(|(at, head)| width(at, head)).collect()
}

fn bottom(screen: &Screen) -> String {
    if screen.is_typing {
        format!("/{}▏ Enter keeps the filter, Esc clears it", screen.place().filter)
    } else {
        KEYS.to_owned()
    }
}
