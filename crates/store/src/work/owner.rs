//! Who has something in hand: which process, where, and whether it is known to be dead.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Owners of this process that live.
static LIVING: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());

/// One holder in one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    host: String,
    process: u32,
    /// Where process numbers mean what they mean here: the machine's start and its space of numbers.
    space: String,
    number: u64,
}

/// Ends with what holds it.
#[derive(Debug)]
pub(super) struct Alive(u64);

impl Drop for Alive {
    fn drop(&mut self) {
        LIVING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

impl Owner {
    /// Another holder in this process.
    pub(super) fn new() -> (Self, Alive) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        LIVING.lock().unwrap_or_else(PoisonError::into_inner).insert(number);
        let host = one_word("/proc/sys/kernel/hostname").unwrap_or_else(|| "localhost".to_owned());
        let owner = Self { host, process: std::process::id(), space: space().to_owned(), number };
        (owner, Alive(number))
    }

    /// Reads what [`Display`](fmt::Display) wrote; nothing else, and not nobody.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let owner = Self {
            host: words.next()?.to_owned(),
            process: words.next()?.parse().ok()?,
            space: words.next()?.to_owned(),
            number: words.next()?.parse().ok()?,
        };
        words.next().is_none().then_some(owner)
    }

    /// Whether it is certain that nothing of it runs any more. Of a process elsewhere nothing is certain.
    pub(super) fn is_dead(&self) -> bool {
        if self.space != space() || self.space == UNKNOWN {
            return false;
        }
        if self.process == std::process::id() {
            return !LIVING.lock().unwrap_or_else(PoisonError::into_inner).contains(&self.number);
        }
        !Path::new("/proc").join(self.process.to_string()).exists()
    }

    /// For people.
    pub(super) fn words(&self) -> String {
        format!("process {} on {}", self.process, self.host)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.host, self.process, self.space, self.number)
    }
}

/// Stands for a system that does not say.
const UNKNOWN: &str = "?";

fn space() -> &'static str {
    static SPACE: OnceLock<String> = OnceLock::new();
    SPACE.get_or_init(|| {
        let start = one_word("/proc/sys/kernel/random/boot_id");
        let numbers = std::fs::read_link("/proc/self/ns/pid").ok();
        match (start, numbers) {
            (Some(start), Some(numbers)) => format!("{start}/{}", numbers.display()),
            _ => UNKNOWN.to_owned(),
        }
    })
}

fn one_word(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let word: String = text.trim().chars().filter(|letter| !letter.is_whitespace()).collect();
    (!word.is_empty()).then_some(word)
}
