//! Which table is on the screen, how it is sorted and filtered, which row is chosen: what keys change. Pure.

use super::grid::{Grid, Line, View, first_order, grid};
use super::snapshot::Snapshot;

/// Rows that a page key moves by.
const PAGE: usize = 10;
/// Longest filter, in characters.
const FILTER_LIMIT: usize = 128;

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Left,
    Right,
    Enter,
    Escape,
    Backspace,
    /// Ctrl-C.
    Interrupt,
}

/// What is on the screen.
#[derive(Debug)]
pub(super) struct Screen {
    /// What was seen last.
    pub(super) snapshot: Snapshot,
    /// Tables, each reached from the one before; at least one.
    path: Vec<Place>,
    /// The filter is being typed.
    pub(super) is_typing: bool,
}

/// A table as it is looked at.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) view: View,
    /// Column that rows are sorted by.
    pub(super) sort: usize,
    /// The largest comes first.
    pub(super) is_descending: bool,
    pub(super) filter: String,
    /// The chosen row: by its name, so that it stays chosen when others come and go, and where it was.
    chosen: (Option<String>, usize),
}

impl Place {
    const fn new(view: View) -> Self {
        let (sort, is_descending) = first_order(&view);
        Self { view, sort, is_descending, filter: String::new(), chosen: (None, 0) }
    }
}

impl Screen {
    pub(super) fn new() -> Self {
        Self { snapshot: Snapshot::default(), path: vec![Place::new(View::Groups)], is_typing: false }
    }

    /// The table that is looked at.
    pub(super) fn place(&self) -> Place {
        self.path.last().cloned().unwrap_or_else(|| Place::new(View::Groups))
    }

    /// The group that is looked into.
    pub(super) fn focus(&self) -> Option<String> {
        match self.place().view {
            View::Group(group) => Some(group),
            _ => None,
        }
    }

    /// The table with the rows that are shown, in their order.
    pub(super) fn grid(&self) -> Grid {
        let place = self.place();
        let mut grid = grid(&self.snapshot, &place.view);
        let wanted = place.filter.to_lowercase();
        let matches = |line: &Line| line.cells.iter().any(|cell| cell.text().to_lowercase().contains(&wanted));
        grid.lines.retain(matches);
        grid.lines.sort_by(|one, other| {
            let order = match (one.cells.get(place.sort), other.cells.get(place.sort)) {
                (Some(one), Some(other)) => one.compare(other),
                _ => std::cmp::Ordering::Equal,
            };
            let order = if place.is_descending { order.reverse() } else { order };
            order.then_with(|| one.key.cmp(&other.key))
        });
        grid
    }

    /// Which of the rows is chosen; `None` when there is none.
    pub(super) fn chosen(&self, grid: &Grid) -> Option<usize> {
        let (key, at) = self.place().chosen;
        let by_key = key.and_then(|key| grid.lines.iter().position(|line| line.key == key));
        by_key.or_else(|| grid.lines.len().checked_sub(1).map(|last| at.min(last)))
    }

    /// Takes what was seen.
    pub(super) fn show(&mut self, snapshot: Snapshot) {
        self.snapshot = snapshot;
    }

    /// Does what a key says. True when the screen is to be left.
    pub(super) fn press(&mut self, key: Key) -> bool {
        if key == Key::Interrupt {
            return true;
        }
        if self.is_typing {
            self.type_filter(key);
            return false;
        }
        match key {
            Key::Char('q') => return true,
            Key::Char('1') => self.go_to(View::Brokers),
            Key::Char('2') => self.go_to(View::Topics),
            Key::Char('3') => self.go_to(View::Groups),
            Key::Char('/') => self.is_typing = true,
            Key::Char('s') | Key::Right => self.sort_by(1),
            Key::Char('S') | Key::Left => self.sort_by(-1),
            Key::Char('r') => self.change(|place| place.is_descending = !place.is_descending),
            Key::Up | Key::Char('k') => self.choose(|at| at.saturating_sub(1)),
            Key::Down | Key::Char('j') => self.choose(|at| at.saturating_add(1)),
            Key::PageUp => self.choose(|at| at.saturating_sub(PAGE)),
            Key::PageDown => self.choose(|at| at.saturating_add(PAGE)),
            Key::Home => self.choose(|_| 0),
            Key::End => self.choose(|_| usize::MAX),
            Key::Enter => self.enter(),
            Key::Escape | Key::Backspace => self.back(),
            Key::Char(_) | Key::Interrupt => {}
        }
        false
    }

    fn type_filter(&mut self, key: Key) {
        match key {
            Key::Enter => self.is_typing = false,
            Key::Escape => {
                self.is_typing = false;
                self.change(|place| place.filter.clear());
            }
            Key::Backspace => self.change(|place| {
                place.filter.pop();
            }),
            Key::Char(letter) => self.change(|place| {
                if place.filter.chars().count() < FILTER_LIMIT {
                    place.filter.push(letter);
                }
            }),
            _ => {}
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut Place)) {
        if let Some(place) = self.path.last_mut() {
            change(place);
        }
    }

    fn go_to(&mut self, view: View) {
        self.path = vec![Place::new(view)];
    }

    fn sort_by(&mut self, step: isize) {
        let columns = self.grid().heads.len().max(1);
        self.change(|place| {
            place.sort = (place.sort + columns).saturating_add_signed(step) % columns;
            // Names from the first, numbers from the largest.
            place.is_descending = place.sort > 0;
        });
    }

    fn choose(&mut self, to: impl Fn(usize) -> usize) {
        let grid = self.grid();
        let Some(at) = self.chosen(&grid) else { return };
        let at = to(at).min(grid.lines.len().saturating_sub(1));
        let key = grid.lines.get(at).map(|line| line.key.clone());
        self.change(|place| place.chosen = (key, at));
    }

    fn enter(&mut self) {
        let grid = self.grid();
        let chosen = self.chosen(&grid).and_then(|at| grid.lines.get(at));
        let Some(line) = chosen else { return };
        if let Some(view) = line.leads_to.clone() {
            self.choose(|at| at);
            self.path.push(Place::new(view));
        }
    }

    /// Clears the filter, or goes back to the table before.
    fn back(&mut self) {
        if self.path.last().is_some_and(|place| !place.filter.is_empty()) {
            self.change(|place| place.filter.clear());
        } else if self.path.len() > 1 {
            self.path.pop();
        }
    }
}
