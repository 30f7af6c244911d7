//! `tributary status --watch`: how every source stands, drawn anew in place.

use std::io::{IsTerminal, Stdout, Write, stdout};
use std::time::Duration;

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use crossterm::style::Print;
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, DisableLineWrap, EnableLineWrap, EndSynchronizedUpdate,
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};
use crossterm::{execute, queue};
use tokio::sync::mpsc;
use tributary_answers::status::status;
use tributary_core::Time;

use super::{Context, all};
use crate::command::sync;
use crate::failure::{Failure, Outcome};
use crate::show::{Answer, Table};

/// How often the store is looked at.
const EVERY: Duration = Duration::from_secs(2);

/// Shows how every source stands until somebody presses `q` or Ctrl-C.
pub(in crate::command) async fn watch(context: &Context) -> Result<Outcome, Failure> {
    if !stdout().is_terminal() {
        return Err(Failure::usage("--watch draws on a terminal, and stdout is none")
            .hint("`tributary status` prints once; --format json is for programs"));
    }
    let store = sync::open(context).await?;
    let (configured, mut events) = (all(context), events());
    let mut screen = Screen::enter()?;
    loop {
        let now = sync::now();
        let text = match status(&store, &configured, now).await {
            Ok(status) => status.tables().iter().map(Table::to_text).collect::<Vec<_>>().join("\n"),
            Err(error) => format!("failed to look at the store: {error}\n"),
        };
        let seconds = Time(now.0 - now.0.rem_euclid(1_000_000));
        screen.draw(&text, &format!("{seconds} · q ends"))?;
        let event = tokio::select! {
            event = events.recv() => event,
            () = tokio::time::sleep(EVERY) => continue,
            () = context.cancel.cancelled() => break,
        };
        if event.as_ref().is_none_or(is_end) {
            break;
        }
    }
    drop(screen);
    store.close().await;
    Ok(Outcome::Done)
}

fn is_end(event: &Event) -> bool {
    let Event::Key(KeyEvent { code, modifiers, .. }) = event else { return false };
    match code {
        KeyCode::Char('q') | KeyCode::Esc => true,
        // A raw terminal sends a key, not a signal.
        KeyCode::Char('c') => modifiers.contains(KeyModifiers::CONTROL),
        _ => false,
    }
}

/// Keys, and changes of the terminal's size. The thread that waits for them ends with the process.
fn events() -> mpsc::Receiver<Event> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        while let Ok(event) = crossterm::event::read() {
            if sender.blocking_send(event).is_err() {
                return;
            }
        }
    });
    receiver
}

/// A screen of its own, which is left however the command ends.
struct Screen(Stdout);

impl Screen {
    fn enter() -> Result<Self, Failure> {
        enable_raw_mode().map_err(|error| failed(&error))?;
        let mut screen = Self(stdout());
        execute!(screen.0, EnterAlternateScreen, Hide, DisableLineWrap).map_err(|error| failed(&error))?;
        Ok(screen)
    }

    /// Replaces what is shown, without a flicker; the last line is `foot`.
    fn draw(&mut self, text: &str, foot: &str) -> Result<(), Failure> {
        let (_, height) = size().map_err(|error| failed(&error))?;
        // Some terminals do not say how high they are.
        let height = if height == 0 { 24 } else { height };
        let mut drawn = || {
            queue!(self.0, BeginSynchronizedUpdate, MoveTo(0, 0))?;
            for line in text.lines().take(usize::from(height).saturating_sub(1)) {
                queue!(self.0, Print(line), Clear(ClearType::UntilNewLine), Print("\r\n"))?;
            }
            queue!(self.0, Clear(ClearType::FromCursorDown), MoveTo(0, height.saturating_sub(1)))?;
            queue!(self.0, Print(foot), EndSynchronizedUpdate)?;
            self.0.flush()
        };
        drawn().map_err(|error: std::io::Error| failed(&error))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that is gone.
        let _ = execute!(self.0, EnableLineWrap, Show, LeaveAlternateScreen);
        let _ = disable_raw_mode();
    }
}

fn failed(error: &std::io::Error) -> Failure {
    Failure::failed(format!("failed to draw on the terminal: {error}"))
}
