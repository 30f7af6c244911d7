//! What the tests need beside Rust, and how to get it on Debian.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::shell;

/// A Debian package and how to see whether what it brings is there.
struct Tool {
    package: &'static str,
    purpose: &'static str,
    is_present: fn() -> bool,
}

const TOOLS: &[Tool] = &[
    Tool {
        package: "postgresql",
        purpose: "the store's tests run on a real Postgres",
        is_present: has_postgres,
    },
    Tool {
        package: "prometheus",
        purpose: "the dashboard's queries run on a real Prometheus",
        is_present: has_prometheus,
    },
    Tool {
        package: "python3-venv",
        purpose: "the Tryton tests install a real Tryton",
        is_present: has_python_venv,
    },
];

/// Installs what the tests need and the machine lacks if we are root, else says exactly what to install.
pub(crate) fn install_missing() -> Result<()> {
    install(TOOLS)
}

/// The same for what Tryton alone needs.
pub(crate) fn install_missing_for_tryton() -> Result<()> {
    install(&TOOLS[2..])
}

fn install(tools: &[Tool]) -> Result<()> {
    let missing: Vec<&Tool> = tools.iter().filter(|tool| !(tool.is_present)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.iter().map(|tool| tool.package).collect::<Vec<_>>();
    for tool in &missing {
        eprintln!("{} is missing: {}", tool.package, tool.purpose);
    }
    if !is_root() {
        bail!(
            "packages are needed that are not installed\nhint: sudo apt-get install -y {}",
            packages.join(" ")
        );
    }
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    shell::run(apt().args(["-q", "update"]))?;
    shell::run(apt().args(["-q", "install", "-y", "--no-install-recommends"]).args(&packages))?;
    for tool in missing {
        if !(tool.is_present)() {
            bail!("{} was installed, but what it should bring is still not found", tool.package);
        }
    }
    Ok(())
}

fn is_root() -> bool {
    shell::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

/// Debian keeps the server's programs out of `PATH`, in a folder per version.
fn has_postgres() -> bool {
    let in_debian = std::fs::read_dir("/usr/lib/postgresql")
        .is_ok_and(|versions| versions.flatten().any(|version| version.path().join("bin/initdb").is_file()));
    let on_path = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder: std::path::PathBuf| is_program(&folder, "initdb"))
    });
    in_debian || on_path
}

fn has_prometheus() -> bool {
    shell::succeeds(Command::new("prometheus").arg("--version"))
}

fn is_program(folder: &Path, name: &str) -> bool {
    folder.join(name).is_file()
}

fn has_python_venv() -> bool {
    shell::succeeds(Command::new("python3").args(["-c", "import venv, ensurepip"]))
}
