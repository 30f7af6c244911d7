//! What this process, or another one as a whole, used, as Linux tells it; zeros where it does not.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failed;

/// How often a running process is looked at.
const GLANCE: Duration = Duration::from_millis(2);

/// Clock ticks a second, in which Linux tells the processor time of processes that ended.
const TICKS: f64 = 100.0;

/// The processor time of this thread so far.
pub(crate) fn cpu() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// The most memory that a process held so far; this one is called `self`.
pub(crate) fn peak_mebibytes(process: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kibibytes: f64 = line.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0.0);
    kibibytes / 1024.0
}

/// The processor time of all threads of this process so far.
pub(crate) fn cpu_of_threads() -> Duration {
    Duration::from_secs_f64(ticks(11))
}

/// The processor time of all processes that this one started and that ended.
fn cpu_of_ended() -> f64 {
    ticks(13)
}

/// Two times of `/proc/self/stat` together, in seconds; the first at this place behind the name.
fn ticks(place: usize) -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().skip(place).take(2).filter_map(|text| text.parse::<f64>().ok());
    ticks.sum::<f64>() / TICKS
}

/// What a whole process took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whole {
    pub(crate) wall_s: f64,
    pub(crate) cpu_s: f64,
    pub(crate) peak_mib: f64,
}

/// Runs a program some times and says what the quickest run took.
pub(crate) fn measure(program: &str, arguments: &[&str], runs: usize) -> Result<Whole, Failed> {
    let mut least: Option<Whole> = None;
    for _ in 0..runs {
        let (start, cpu, mut peak_mib) = (Instant::now(), cpu_of_ended(), 0.0_f64);
        let mut child =
            Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let status = loop {
            peak_mib = peak_mib.max(peak_mebibytes(&child.id().to_string()));
            if let Some(status) = child.try_wait()? {
                break status;
            }
            std::thread::sleep(GLANCE);
        };
        if !status.success() {
            return Err(format!("{program} failed ({status})").into());
        }
        let next = Whole { wall_s: start.elapsed().as_secs_f64(), cpu_s: cpu_of_ended() - cpu, peak_mib };
        if least.is_none_or(|least| next.wall_s < least.wall_s) {
            least = Some(next);
        }
    }
    least.ok_or_else(|| "nothing was run".into())
}
