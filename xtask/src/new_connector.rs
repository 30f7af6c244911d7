//! `cargo xtask new-connector NAME`: a crate that compiles and passes, from the one under `connectors/example`.
//!
//! The pattern is a connector like the others, built and tested with them, so what comes out of it is never stale.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell;

/// The connector that is copied.
const PATTERN: &str = "example";

/// The names of a connector in the forms that files need.
#[derive(Debug, PartialEq, Eq)]
struct Names {
    /// `acme-crm`
    kebab: String,
    /// `acme_crm`
    snake: String,
    /// `AcmeCrm`
    pascal: String,
}

impl Names {
    fn of(name: &str) -> Result<Self> {
        let words: Vec<&str> = name.split('-').collect();
        let is_word = |word: &&str| {
            word.starts_with(|c: char| c.is_ascii_lowercase())
                && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        };
        if !words.iter().all(is_word) {
            bail!(
                "`{name}` is no name of a connector: write lower-case words joined by `-`, such as acme-crm"
            );
        }
        let capital = |word: &&str| word[..1].to_uppercase() + &word[1..];
        Ok(Self {
            kebab: name.to_owned(),
            snake: name.replace('-', "_"),
            pascal: words.iter().map(capital).collect(),
        })
    }

    /// The pattern's text under these names.
    fn rename(&self, text: &str) -> String {
        text.replace("tributary-example", &format!("tributary-{}", self.kebab))
            .replace("tributary_example", &format!("tributary_{}", self.snake))
            .replace("connectors/example", &format!("connectors/{}", self.kebab))
            .replace("\"example\"", &format!("\"{}\"", self.kebab))
            .replace("api.example.com", &format!("api.{}.com", self.kebab))
            .replace("Example", &self.pascal)
    }
}

/// Copies the pattern and enters the new crate where connectors are listed.
pub(crate) fn run(name: &str) -> Result<()> {
    let names = Names::of(name)?;
    let root = shell::root();
    let target = root.join("connectors").join(&names.kebab);
    if target.exists() {
        bail!("{} is there already", target.display());
    }
    copy(&root.join("connectors").join(PATTERN), &target, &names)?;
    let kebab = &names.kebab;
    insert(
        &root.join("Cargo.toml"),
        "tributary-files = ",
        &format!("tributary-{kebab} = {{ path = \"connectors/{kebab}\" }}"),
    )?;
    insert(
        &root.join("crates/cli/Cargo.toml"),
        "tributary-files.workspace",
        &format!("tributary-{kebab} = {{ workspace = true, features = [\"simulator\"] }}"),
    )?;
    insert(
        &root.join("crates/cli/src/connectors.rs"),
        "        Arc::new(tributary_files::Files)",
        &format!("        Arc::new(tributary_{}::{}),", names.snake, names.pascal),
    )?;
    let vendor = format!("tributary_{}::Simulated{}", names.snake, names.pascal);
    insert(
        &root.join("crates/cli/src/simulators.rs"),
        "    (\"google-ads\", ",
        &format!(
            "    (\"{kebab}\", |world, clock| ({vendor}::new(world, clock).kit(), {vendor}::values, {vendor}::secrets())),"
        ),
    )?;
    let example = root.join("config.example.toml");
    let mut text =
        fs::read_to_string(&example).with_context(|| format!("cannot read {}", example.display()))?;
    let variable = names.snake.to_uppercase();
    let source = format!(
        "\n[[source]]\nid = \"{kebab}\"\nconnector = \"{kebab}\"\n# {kebab}: the API's address. Default: https://api.{kebab}.com.\n\
         url = \"https://api.{kebab}.com\"\n# {kebab}: the key.\nkey = {{ env = \"{variable}_KEY\" }}\n"
    );
    text.push_str(&source);
    fs::write(&example, text).with_context(|| format!("cannot write {}", example.display()))?;
    // Names of other lengths sort and wrap otherwise.
    shell::run(shell::cargo().args(["fmt", "--all"]))?;
    crate::schema()?;
    shell::run(shell::cargo().args(["test", "--quiet", "--package", &format!("tributary-{kebab}")]))?;
    eprintln!("connectors/{kebab} compiles and passes; go on with CONTRIBUTING.md, \"Add a connector\"");
    Ok(())
}

fn copy(from: &Path, to: &Path, names: &Names) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let path: PathBuf = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &path, names)?;
        } else {
            let text = fs::read_to_string(entry.path())?;
            fs::write(&path, names.rename(&text))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(())
}

/// Adds a line before the first one that begins so.
fn insert(file: &Path, before: &str, line: &str) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let Some(at) = text.lines().position(|known| known.starts_with(before)) else {
        bail!("{} has no line that begins with `{before}`", file.display());
    };
    let mut lines: Vec<&str> = text.lines().collect();
    lines.insert(at, line);
    fs::write(file, lines.join("\n") + "\n").with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_three_forms() {
        let names = Names::of("acme-crm2").unwrap();
        assert_eq!((names.snake.as_str(), names.pascal.as_str()), ("acme_crm2", "AcmeCrm2"));
        for name in ["Acme", "acme_crm", "", "-", "2acme", "acme crm", "../x"] {
            assert!(Names::of(name).is_err(), "{name}");
        }
    }

    #[test]
    fn only_names_are_renamed() {
        let names = Names::of("acme").unwrap();
        let text = "tributary_example::Example SimulatedExample \"example\" ann@acme.example for example";
        let renamed = "tributary_acme::Acme SimulatedAcme \"acme\" ann@acme.example for example";
        assert_eq!(names.rename(text), renamed);
    }
}
