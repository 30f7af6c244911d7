//! What is made once and cached: a Python environment with Tryton, and a prepared database.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Error, run};

/// What pip installs. Tryton's own packages follow its series; the helpers are pinned by their major version.
const PACKAGES: &[&str] = &[
    "trytond==8.2.*",
    "trytond-sale-opportunity==8.2.*",
    "trytond-marketing-automation==8.2.*",
    "trytond-marketing-campaign==8.2.*",
    "trytond-party-relationship==8.2.*",
    "proteus==8.2.*",
    "aiosmtpd==1.4.*",
    "time-machine==3.*",
];

/// The name of the database, which is also the name of its file.
pub(crate) const DATABASE: &str = "crm";

const SETUP: &str = include_str!("../scripts/setup.py");
const PLAY: &str = include_str!("../scripts/play.py");
const SAY: &str = include_str!("../scripts/say.py");
const SERVE: &str = include_str!("../scripts/serve.py");

/// The cached parts.
#[derive(Clone, Debug)]
pub(crate) struct Install {
    home: PathBuf,
}

impl Install {
    /// Installs what the cache lacks. Processes that ask at the same time wait for each other.
    pub(crate) fn ensure(cache: &Path) -> Result<Self, Error> {
        let home = cache.join("tryton-8.2");
        fs::create_dir_all(&home).map_err(|cause| Error::file(&home, cause))?;
        let home = home.canonicalize().map_err(|cause| Error::file(&home, cause))?;
        let install = Self { home };
        let lock_path = install.home.join("lock");
        let lock = File::create(&lock_path).map_err(|cause| Error::file(&lock_path, cause))?;
        lock.lock().map_err(|cause| Error::file(&lock_path, cause))?;
        install.packages()?;
        install.scripts()?;
        install.template()?;
        Ok(install)
    }

    pub(crate) fn python(&self) -> PathBuf {
        self.home.join("venv/bin/python")
    }

    /// The script that pip made of the same name.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.home.join("venv/bin").join(name)
    }

    pub(crate) fn script(&self, name: &str) -> PathBuf {
        self.home.join("scripts").join(name)
    }

    /// The prepared database and the REST key that it accepts.
    pub(crate) fn prepared(&self) -> (PathBuf, PathBuf) {
        let template = self.home.join("template");
        (template.join(format!("{DATABASE}.sqlite")), template.join("key"))
    }

    fn packages(&self) -> Result<(), Error> {
        let (venv, done) = (self.home.join("venv"), self.home.join("packages"));
        let wanted = PACKAGES.join("\n");
        if fs::read_to_string(&done).is_ok_and(|have| have == wanted) {
            return Ok(());
        }
        if venv.exists() {
            fs::remove_dir_all(&venv).map_err(|cause| Error::file(&venv, cause))?;
        }
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))
            .map_err(|error| error.hint("Debian has it in the package python3-venv"))?;
        run(Command::new(self.python())
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(PACKAGES))
        .map_err(|error| error.hint("Tryton comes from PyPI: is it reachable?"))?;
        write(&done, &wanted)
    }

    fn scripts(&self) -> Result<(), Error> {
        let folder = self.home.join("scripts");
        fs::create_dir_all(&folder).map_err(|cause| Error::file(&folder, cause))?;
        for (name, text) in [("setup.py", SETUP), ("play.py", PLAY), ("say.py", SAY), ("serve.py", SERVE)] {
            let path = folder.join(name);
            if !fs::read_to_string(&path).is_ok_and(|have| have == text) {
                write(&path, text)?;
            }
        }
        Ok(())
    }

    fn template(&self) -> Result<(), Error> {
        let (template, made_by) = (self.home.join("template"), self.home.join("template/made-by"));
        let wanted = format!("{}\n{SETUP}", PACKAGES.join("\n"));
        if fs::read_to_string(&made_by).is_ok_and(|have| have == wanted) {
            return Ok(());
        }
        if template.exists() {
            fs::remove_dir_all(&template).map_err(|cause| Error::file(&template, cause))?;
        }
        fs::create_dir_all(&template).map_err(|cause| Error::file(&template, cause))?;
        let config = template.join("trytond.conf");
        write(&config, &format!("[database]\nuri = sqlite://\npath = {}\n", template.display()))?;
        let password = template.join("password");
        write(&password, crate::PASSWORD)?;
        // Tryton wants the file to be there.
        write(&template.join(format!("{DATABASE}.sqlite")), "")?;
        run(Command::new(self.python())
            .arg(self.program("trytond-admin"))
            .arg("-c")
            .arg(&config)
            .args(["-d", DATABASE, "-u", "sale_opportunity", "marketing_automation", "marketing_campaign"])
            .args(["party_relationship", "--activate-dependencies", "--email", "admin@example.com", "-p"])
            .env("TRYTONPASSFILE", &password))?;
        run(Command::new(self.python())
            .arg(self.script("setup.py"))
            .arg(&config)
            .arg(DATABASE)
            .arg(template.join("key")))?;
        write(&made_by, &wanted)
    }
}

pub(crate) fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|cause| Error::file(path, cause))
}
