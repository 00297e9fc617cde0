//! The terminal: keys in, screen out, the cluster asked in between.

use std::pin::Pin;
use std::time::Duration;

use anyhow::Context;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::collect::Sampler;
use super::draw::draw;
use super::screen::{Key, Screen};
use super::snapshot::Snapshot;
use crate::admin::Admin;

/// Keys that may wait to be taken.
const KEYS: usize = 64;
/// Times as long as a look takes, at least, until the next.
const REST: u32 = 4;
/// How often the reader of keys looks whether the screen was left.
const POLL: Duration = Duration::from_millis(200);

/// What comes from the terminal.
enum Input {
    Key(Key),
    /// The window has another size.
    Resized,
}

/// A look at the cluster under way: the sampler comes back with what it saw.
type Look<'a> = Pin<Box<dyn Future<Output = (Sampler, anyhow::Result<Snapshot>)> + 'a>>;

/// Shows the screen until it is left.
pub(super) async fn run(admin: &Admin, interval: Duration) -> anyhow::Result<()> {
    let mut terminal = ratatui::try_init().context("the terminal cannot be taken over: use -o text for a snapshot")?;
    let (sender, receiver) = mpsc::channel(KEYS);
    let reader = std::thread::Builder::new().name("keys".to_owned()).spawn(move || read_keys(&sender));
    let ended = match reader {
        Ok(_) => show(admin, interval, receiver, &mut terminal).await,
        Err(error) => Err(error.into()),
    };
    ratatui::restore();
    ended
}

async fn show(
    admin: &Admin,
    interval: Duration,
    mut inputs: mpsc::Receiver<Input>,
    terminal: &mut ratatui::DefaultTerminal,
) -> anyhow::Result<()> {
    let mut screen = Screen::new();
    let mut looking: Option<Look<'_>> = Some(look(admin, Sampler::default(), None));
    let mut resting: Option<(Sampler, Instant)> = None;
    let mut began = Instant::now();
    loop {
        terminal.draw(|frame| draw(frame, &screen))?;
        let next = resting.as_ref().map(|(_, at)| *at);
        tokio::select! {
            input = inputs.recv() => {
                let focus = screen.focus();
                match input {
                    Some(Input::Key(key)) if screen.press(key) => return Ok(()),
                    Some(_) => {}
                    // The terminal is gone.
                    None => return Ok(()),
                }
                if let Some((_, at)) = resting.as_mut().filter(|_| screen.focus() != focus) {
                    // The members of a group are wanted at once.
                    *at = Instant::now();
                }
            }
            (sampler, seen) = async { finish(&mut looking).await } => {
                looking = None;
                match seen {
                    Ok(snapshot) => screen.show(snapshot),
                    Err(error) => screen.snapshot.problems = vec![format!("{error:#}")],
                }
                // A cluster that takes long to answer has much to do: it is left alone for longer.
                let rest = interval.max(began.elapsed() * REST);
                resting = Some((sampler, Instant::now() + rest));
            }
            () = wait_until(next) => {
                if let Some((sampler, _)) = resting.take() {
                    began = Instant::now();
                    looking = Some(look(admin, sampler, screen.focus()));
                }
            }
        }
    }
}

fn look(admin: &Admin, mut sampler: Sampler, focus: Option<String>) -> Look<'_> {
    Box::pin(async move {
        let seen = sampler.look(admin, focus.as_deref()).await;
        (sampler, seen)
    })
}

/// The end of the look that is under way; never, when none is.
async fn finish(looking: &mut Option<Look<'_>>) -> (Sampler, anyhow::Result<Snapshot>) {
    match looking {
        Some(look) => look.as_mut().await,
        None => std::future::pending().await,
    }
}

async fn wait_until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Hands keys on until nobody takes them.
fn read_keys(sender: &mpsc::Sender<Input>) {
    while !sender.is_closed() {
        match event::poll(POLL) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(_) => return,
        }
        let input = match event::read() {
            Ok(Event::Key(key)) if key.kind != KeyEventKind::Release => match translate(key.code, key.modifiers) {
                Some(key) => Input::Key(key),
                None => continue,
            },
            Ok(Event::Resize(..)) => Input::Resized,
            Ok(_) => continue,
            Err(_) => return,
        };
        if sender.blocking_send(input).is_err() {
            return;
        }
    }
}

const fn translate(code: KeyCode, modifiers: KeyModifiers) -> Option<Key> {
    Some(match code {
        KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => Key::Interrupt,
        KeyCode::Char(letter) => Key::Char(letter),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        _ => return None,
    })
}
