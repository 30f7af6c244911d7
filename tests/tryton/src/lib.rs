#![doc = include_str!("../README.md")]

mod demo;
mod install;

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

pub use demo::demo_events;
use install::{DATABASE, Install};

/// The password of the user `admin`.
pub const PASSWORD: &str = "secret-Admin-1";

/// How long Tryton may take to answer after its start.
const START_LIMIT: Duration = Duration::from_mins(1);

/// Why Tryton could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder.
    #[error("failed to use {}: {cause}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// A command could not be started or ended badly.
    #[error("failed to run {command}: {output}{}", hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default())]
    Command {
        /// Which.
        command: String,
        /// What it said.
        output: String,
        /// What may help.
        hint: Option<&'static str>,
    },
    /// Tryton did not answer.
    #[error("tryton did not answer on {address} within {START_LIMIT:?}; see {}", log.display())]
    Silent {
        /// Where.
        address: SocketAddr,
        /// What it said.
        log: PathBuf,
    },
}

impl Error {
    pub(crate) fn file(path: &Path, cause: std::io::Error) -> Self {
        Self::File { path: path.to_owned(), cause }
    }

    pub(crate) fn hint(self, text: &'static str) -> Self {
        match self {
            Self::Command { command, output, .. } => Self::Command { command, output, hint: Some(text) },
            other => other,
        }
    }
}

/// A running Tryton with a database of its own; it ends with this value, or with this process at the latest.
#[derive(Debug)]
pub struct Tryton {
    install: Install,
    folder: PathBuf,
    config: PathBuf,
    port: u16,
    smtp_port: u16,
    key: String,
    server: Option<Child>,
}

impl Tryton {
    /// Installs Tryton into `cache` unless it is there, and starts it on a fresh database in `folder`.
    pub fn start(cache: &Path, folder: &Path) -> Result<Self, Error> {
        let mut tryton = Self::prepare(cache, folder)?;
        tryton.serve()?;
        Ok(tryton)
    }

    /// Like [`start`](Self::start), with the events played before the server is started.
    pub fn start_with(cache: &Path, folder: &Path, events: &Value) -> Result<Self, Error> {
        let mut tryton = Self::prepare(cache, folder)?;
        tryton.play(events)?;
        Ok(tryton)
    }

    fn prepare(cache: &Path, folder: &Path) -> Result<Self, Error> {
        let install = Install::ensure(cache)?;
        fs::create_dir_all(folder).map_err(|cause| Error::file(folder, cause))?;
        let folder = folder.canonicalize().map_err(|cause| Error::file(folder, cause))?;
        let (template, key_file) = install.prepared();
        let database = folder.join(format!("{DATABASE}.sqlite"));
        fs::copy(&template, &database).map_err(|cause| Error::file(&template, cause))?;
        let key = fs::read_to_string(&key_file).map_err(|cause| Error::file(&key_file, cause))?;
        let (port, smtp_port) = free_ports(&folder)?;
        let config = folder.join("trytond.conf");
        install::write(
            &config,
            &format!(
                "[web]\nlisten = 127.0.0.1:{port}\nhostname = 127.0.0.1:{port}\n\
                 [database]\nuri = sqlite://\npath = {}\n\
                 [email]\nuri = smtp://127.0.0.1:{smtp_port}\nfrom = crm@example.com\n",
                folder.display()
            ),
        )?;
        Ok(Self { install, folder, config, port, smtp_port, key, server: None })
    }

    /// The server's address: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The database's name.
    pub fn database(&self) -> &'static str {
        DATABASE
    }

    /// The key for Tryton's REST interface.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Plays events (see the README) with Tryton's own client library. The server pauses meanwhile.
    pub fn play(&mut self, events: &Value) -> Result<(), Error> {
        self.stop();
        let mut command = Command::new(self.install.python());
        command
            .arg(self.install.script("play.py"))
            .arg(&self.config)
            .arg(DATABASE)
            .args([self.port.to_string(), self.smtp_port.to_string()])
            .arg(self.folder.join("keys.json"));
        feed(&mut command, events.to_string().as_bytes())?;
        self.serve()
    }

    /// What Tryton itself says about accounts, people, roles, deals, stages and touches.
    pub fn say(&self) -> Result<Value, Error> {
        let mut command = Command::new(self.install.python());
        command.arg(self.install.script("say.py")).arg(&self.config).arg(DATABASE);
        let output = run(&mut command)?;
        serde_json::from_slice(&output).map_err(|error| Error::Command {
            command: "say.py".to_owned(),
            output: error.to_string(),
            hint: None,
        })
    }

    /// The Tryton id behind a key of the played events.
    pub fn id(&self, key: &str) -> Option<i64> {
        let keys = fs::read_to_string(self.folder.join("keys.json")).ok()?;
        serde_json::from_str::<Value>(&keys).ok()?.get(key)?.get(1)?.as_i64()
    }

    /// Stops the server; the database stays.
    pub fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            // Killing what has already ended is no error worth a word.
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// Starts the server, unless it runs.
    pub fn serve(&mut self) -> Result<(), Error> {
        if self.server.is_some() {
            return Ok(());
        }
        let log_path = self.folder.join("trytond.log");
        let log = fs::File::create(&log_path).map_err(|cause| Error::file(&log_path, cause))?;
        let errors = log.try_clone().map_err(|cause| Error::file(&log_path, cause))?;
        let mut command = Command::new(self.install.python());
        command
            .arg(self.install.script("serve.py"))
            .arg(self.install.program("trytond"))
            .arg("-c")
            .arg(&self.config)
            .args(["-d", DATABASE])
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors);
        self.server = Some(command.spawn().map_err(|cause| could_not_start(&command, cause))?);
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = self.server.as_mut().is_none_or(|server| !matches!(server.try_wait(), Ok(None)));
            if ended || started.elapsed() > START_LIMIT {
                self.stop();
                return Err(Error::Silent { address, log: log_path });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Tryton {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Two ports that are free now.
fn free_ports(folder: &Path) -> Result<(u16, u16), Error> {
    let bind = || TcpListener::bind(("127.0.0.1", 0)).map_err(|cause| Error::file(folder, cause));
    let (one, two) = (bind()?, bind()?);
    let port =
        |it: &TcpListener| it.local_addr().map(|it| it.port()).map_err(|cause| Error::file(folder, cause));
    Ok((port(&one)?, port(&two)?))
}

fn could_not_start(command: &Command, cause: std::io::Error) -> Error {
    Error::Command {
        command: command.get_program().to_string_lossy().into_owned(),
        output: cause.to_string(),
        hint: None,
    }
}

/// Runs a command to its end and gives its standard output.
pub(crate) fn run(command: &mut Command) -> Result<Vec<u8>, Error> {
    feed(command, b"")
}

/// Runs a command to its end, with something to read.
fn feed(command: &mut Command, input: &[u8]) -> Result<Vec<u8>, Error> {
    command.env("TZ", "UTC").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|cause| could_not_start(command, cause))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that ends early says why on its error output.
        let _ = stdin.write_all(input);
    }
    let output = child.wait_with_output().map_err(|cause| could_not_start(command, cause))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let words: Vec<_> = command.get_args().take(3).map(|it| it.to_string_lossy().into_owned()).collect();
    Err(Error::Command {
        command: format!("{} {}", command.get_program().to_string_lossy(), words.join(" ")),
        output: format!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr).trim_end()),
        hint: None,
    })
}
