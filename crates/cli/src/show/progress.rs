//! Progress on stderr: bars on a terminal, nothing elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Where bars are drawn.
#[derive(Clone)]
pub(crate) struct Progress {
    bars: MultiProgress,
}

impl Progress {
    /// Draws on stderr if that is a terminal.
    pub(crate) fn to_stderr() -> Self {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self { bars: MultiProgress::with_draw_target(target) }
    }

    /// A bar for work of known or unknown length.
    pub(crate) fn bar(&self, name: &str) -> ProgressBar {
        let bar = self.bars.add(ProgressBar::new_spinner());
        bar.set_style(style("{prefix:20} {spinner} {human_pos} {msg}"));
        bar.set_prefix(name.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    }

    /// Prints a line of talk above the bars, or plainly where there are none.
    pub(crate) fn say(&self, line: &str) {
        if self.bars.is_hidden() {
            eprintln!("{line}");
        } else {
            // A terminal that is gone has nobody to tell.
            let _ = self.bars.println(line);
        }
    }
}

/// Sets how far a bar is, giving it a length once that is known.
pub(crate) fn advance(bar: &ProgressBar, done: u64, total: Option<u64>) {
    if let Some(total) = total
        && bar.length() != Some(total)
    {
        bar.set_style(style("{prefix:20} {bar:30} {human_pos}/{human_len} {msg}"));
        bar.set_length(total);
    }
    bar.set_position(done);
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
