//! The key that seals sign-ins: `TRIBUTARY_KEY`, else a file beside the configuration that only its owner may read.
//!
//! The file holds random texts, one a line: the first seals, all open. There are two only while a new key takes the
//! place of an old one. Not responsible for sealing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tributary_source::{Error, ExposeSecret, NextStep, SecretString};
use tributary_store::credentials::SealKey;
use tributary_sync::{Keys, random};

/// The variable that holds a key, in place of the file.
pub(crate) const VARIABLE: &str = "TRIBUTARY_KEY";
/// What the file is called.
const FILE: &str = "tributary.key";
/// What the file begins with.
const HEAD: &str =
    "# Seals the sign-ins in Tributary's store. Without it, sources must be connected again.\n";
/// The shortest key that a variable may hold: it seals as it is, and is not made slow to guess.
const SHORTEST: usize = 16;

/// Where the key is.
pub(crate) enum KeyPlace {
    /// In the environment.
    Variable(SecretString),
    /// In a file, or it will be.
    File(PathBuf),
}

impl KeyPlace {
    /// The environment's key, else a file in this folder.
    pub(crate) fn find(folder: &Path) -> Self {
        match std::env::var(VARIABLE) {
            Ok(key) => Self::Variable(SecretString::from(key)),
            Err(_) => Self::File(folder.join(FILE)),
        }
    }
}

/// The key that a variable holds.
pub(crate) fn of_variable(name: &str, text: &SecretString) -> Result<SealKey, Error> {
    let text = text.expose_secret().trim();
    if text.len() < SHORTEST {
        let message =
            format!("{name} has fewer than {SHORTEST} characters: make a key with `openssl rand -base64 32`");
        return Err(Error::new(NextStep::FixConfig, message));
    }
    Ok(SealKey::of(text))
}

impl Keys for KeyPlace {
    fn known(&self) -> Result<Vec<SealKey>, Error> {
        match self {
            Self::Variable(text) => Ok(vec![of_variable(VARIABLE, text)?]),
            Self::File(path) => Ok(lines(path)?.iter().map(|it| SealKey::of(it.expose_secret())).collect()),
        }
    }

    fn make(&self) -> Result<SealKey, Error> {
        let Self::File(path) = self else { return Ok(self.known()?.remove(0)) };
        let key = random_key()?;
        match write(path, &[&key], Place::Free) {
            // Another process was quicker.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let known = self.known()?.into_iter().next();
                known.ok_or_else(|| fault(path, "has no key"))
            }
            Err(error) => Err(fault(path, &format!("can't be written: {error}"))),
            Ok(()) => {
                tracing::info!(path = %path.display(), "made a key");
                Ok(SealKey::of(key.expose_secret()))
            }
        }
    }
}

/// A new key on its way into a file: it seals already, and the old ones still open.
pub(crate) struct Changing {
    path: PathBuf,
    text: SecretString,
    /// The new key.
    pub(crate) key: SealKey,
}

/// Puts a new key before those of a file.
pub(crate) fn begin_change(path: &Path) -> Result<Changing, Error> {
    let (old, text) = (lines(path)?, random_key()?);
    let all: Vec<&SecretString> = std::iter::once(&text).chain(&old).collect();
    write(path, &all, Place::Taken).map_err(|error| fault(path, &format!("can't be written: {error}")))?;
    let key = SealKey::of(text.expose_secret());
    Ok(Changing { path: path.to_owned(), text, key })
}

impl Changing {
    /// Takes the old keys out, once nothing is sealed with them.
    pub(crate) fn end(self) -> Result<(), Error> {
        let written = write(&self.path, &[&self.text], Place::Taken);
        written.map_err(|error| fault(&self.path, &format!("can't be written: {error}")))
    }
}

/// A new random key, as text.
fn random_key() -> Result<SecretString, Error> {
    let half = || random().map(u128::from_le_bytes);
    Ok(SecretString::from(format!("{:032x}{:032x}", half()?, half()?)))
}

/// The keys of a file, none if there is no file.
fn lines(path: &Path) -> Result<Vec<SecretString>, Error> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fault(path, &format!("can't be read: {error}"))),
    };
    let unreadable = |error: io::Error| fault(path, &format!("can't be read: {error}"));
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let message = format!("is open to others (mode {mode:o}): chmod 600 {}", path.display());
        return Err(fault(path, &message));
    }
    let text = SecretString::from(io::read_to_string(&mut file).map_err(unreadable)?);
    let lines = text.expose_secret().lines().map(str::trim);
    let keys: Vec<_> =
        lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(SecretString::from).collect();
    if keys.is_empty() {
        return Err(fault(path, "has no key: put the right one back, or remove it"));
    }
    Ok(keys)
}

/// Whether a file may be there already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Free,
    Taken,
}

/// Writes a file with these keys: whole or not at all, and only for its owner.
fn write(path: &Path, keys: &[&SecretString], place: Place) -> io::Result<()> {
    let draft = path.with_extension(format!("key-{}", std::process::id()));
    let _ = fs::remove_file(&draft);
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(HEAD.as_bytes())?;
        for key in keys {
            writeln!(file, "{}", key.expose_secret())?;
        }
        file.sync_all()?;
        match place {
            Place::Free => fs::hard_link(&draft, path),
            Place::Taken => fs::rename(&draft, path),
        }?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    })();
    let _ = fs::remove_file(&draft);
    written
}

fn fault(path: &Path, what: &str) -> Error {
    Error::new(NextStep::FixConfig, format!("the key file {} {what}", path.display()))
}
