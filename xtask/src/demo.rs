//! `cargo xtask demo`: builds the binary and lets it make a company up, or sync a real CRM that was filled for it.

use std::fs;
use std::io::{BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::{shell, tools};

/// The flag that asks for a real Tryton instead of made-up files.
const TRYTON: &str = "--tryton";

/// Passes everything else on to `tributary demo`.
pub(crate) fn run(rest: &[String]) -> Result<()> {
    let with_tryton = rest.iter().any(|argument| argument == TRYTON);
    let rest: Vec<&String> = rest.iter().filter(|argument| *argument != TRYTON).collect();
    let binary = build("tributary", &[])?;
    if with_tryton {
        return on_tryton(&binary, &rest);
    }
    shell::run(Command::new(binary).current_dir(shell::root()).arg("demo").args(rest))
}

/// Passes everything on to `tributary simulate`.
pub(crate) fn simulate(rest: &[String]) -> Result<()> {
    let binary = build("tributary", &[])?;
    shell::run(Command::new(binary).current_dir(shell::root()).arg("simulate").args(rest))
}

/// Builds as developers do: dependencies are optimised there, and that is what a demo spends its time in.
fn build(package: &str, more: &[&str]) -> Result<PathBuf> {
    shell::run(shell::cargo().args(["build", "--package", package]).args(more))?;
    Ok(target().join("debug").join(package))
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| shell::root().join("target"), Into::into)
}

/// Starts Tryton, fills it, syncs it, reports on it, and stops it when the reader has seen enough.
fn on_tryton(binary: &Path, rest: &[&String]) -> Result<()> {
    tools::install_missing_for_tryton()?;
    build("tributary-tryton-server", &["--example", "run"])?;
    // Relative to the root, where everything runs, so that what is printed is short.
    let name = Path::new("demo-tryton");
    let folder = shell::root().join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    eprintln!(
        "starting a real Tryton (the first time it is installed from PyPI, which takes a minute or two) …"
    );
    let server = Server::start(&folder)?;
    let text = configuration(&server.say("url")?, &server.say("database")?);
    let config = name.join("tributary.toml");
    fs::write(shell::root().join(&config), text)
        .with_context(|| format!("cannot write {}", config.display()))?;
    let mut command = Command::new(binary);
    command.current_dir(shell::root()).env("TRYTON_KEY", server.say("key")?);
    shell::run(command.arg("--config").arg(&config).arg("demo").args(rest))?;
    if std::io::stdin().is_terminal() {
        eprintln!("Tryton still answers, so `tributary sync` works with TRYTON_KEY={}", server.say("key")?);
        eprintln!("Press Enter to stop it.");
        std::io::stdin().lock().read_line(&mut String::new())?;
    }
    Ok(())
}

fn configuration(url: &str, database: &str) -> String {
    format!(
        r#"[company]
name = "A company with a real CRM"
domains = ["example.com"]
time_zone = "Europe/Berlin"
currency = "USD"

[[source]]
id = "crm"
connector = "tryton"
url = "{url}"
database = "{database}"
key = {{ env = "TRYTON_KEY" }}
"#
    )
}

/// A Tryton that ends with this value.
struct Server {
    child: Child,
    said: Vec<(String, String)>,
}

impl Server {
    fn start(folder: &Path) -> Result<Self> {
        let program = target().join("debug/examples/run");
        let mut child = Command::new(program)
            .arg(target().join("tryton"))
            .arg(folder.join("crm"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the program that runs Tryton")?;
        let stdout = child.stdout.take().context("the program that runs Tryton has a stdout")?;
        let mut said = Vec::new();
        for line in BufReader::new(stdout).lines().take(3) {
            let line = line?;
            if let Some((name, value)) = line.split_once(" = ") {
                said.push((name.to_owned(), value.to_owned()));
            }
        }
        if said.len() < 3 {
            bail!("Tryton did not start ({})", child.wait()?);
        }
        Ok(Self { child, said })
    }

    fn say(&self, name: &str) -> Result<String> {
        let found = self.said.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).with_context(|| format!("Tryton's {name} is not known"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends when its stdin closes; waiting fails only if it has ended already.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
