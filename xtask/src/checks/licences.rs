//! Every dependency's licence is one of those that `deny.toml` allows.
//!
//! `cargo deny` says more (advisories, sources, duplicates) and is run too where it is installed; this check needs
//! nothing but cargo.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::Metadata;
use crate::shell;

#[derive(Deserialize)]
struct Deny {
    licenses: Licences,
}

#[derive(Deserialize)]
struct Licences {
    allow: BTreeSet<String>,
}

/// Checks every package that is built on this platform.
pub(crate) fn check(metadata: &Metadata) -> Result<()> {
    let path = shell::root().join("deny.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let deny: Deny = toml::from_str(&text).context("cannot read deny.toml")?;
    let mut refused = Vec::new();
    for package in &metadata.packages {
        let licence = package.license.as_deref().unwrap_or("none");
        if !is_allowed(licence, &deny.licenses.allow) {
            refused.push(format!("{} {}: {licence}", package.name, package.version));
        }
    }
    if !refused.is_empty() {
        bail!("licences that deny.toml does not allow:\n  {}", refused.join("\n  "));
    }
    eprintln!("{} packages", metadata.packages.len());
    if shell::succeeds(shell::cargo().args(["deny", "--version"])) {
        shell::run(shell::cargo().args(["deny", "check", "licenses", "bans", "sources"]))?;
    }
    Ok(())
}

/// Whether an SPDX expression can be satisfied by allowed licences alone. `/` is the old way to write `OR`.
fn is_allowed(expression: &str, allow: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser { words: &words, allow };
    parser.either() && parser.words.is_empty()
}

struct Parser<'a> {
    words: &'a [&'a str],
    allow: &'a BTreeSet<String>,
}

impl Parser<'_> {
    fn next_is(&mut self, word: &str) -> bool {
        let found = self.words.first() == Some(&word);
        if found {
            self.words = &self.words[1..];
        }
        found
    }

    fn either(&mut self) -> bool {
        let mut allowed = self.both();
        while self.next_is("OR") {
            allowed |= self.both();
        }
        allowed
    }

    fn both(&mut self) -> bool {
        let mut allowed = self.one();
        while self.next_is("AND") {
            allowed &= self.one();
        }
        allowed
    }

    fn one(&mut self) -> bool {
        if self.next_is("(") {
            let allowed = self.either();
            return self.next_is(")") && allowed;
        }
        let Some((licence, rest)) = self.words.split_first() else { return false };
        self.words = rest;
        if self.next_is("WITH")
            && let Some((exception, rest)) = self.words.split_first()
        {
            self.words = rest;
            return self.allow.contains(&format!("{licence} WITH {exception}"));
        }
        self.allow.contains(*licence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expression: &str, expected: bool) {
        let allow =
            ["MIT", "Apache-2.0", "Unicode-3.0", "Apache-2.0 WITH LLVM-exception"].map(String::from).into();
        assert_eq!(is_allowed(expression, &allow), expected, "{expression}");
    }

    #[test]
    fn an_expression_needs_one_allowed_choice() {
        check("MIT", true);
        check("GPL-3.0", false);
        check("GPL-3.0 OR MIT", true);
        check("GPL-3.0/MIT", true);
        check("Apache-2.0 WITH LLVM-exception OR GPL-3.0", true);
        check("MIT WITH GCC-exception", false);
    }

    #[test]
    fn an_expression_needs_every_licence_that_and_joins() {
        check("(MIT OR GPL-3.0) AND Unicode-3.0", true);
        check("MIT AND GPL-3.0", false);
        check("MIT OR Apache-2.0 AND GPL-3.0", true);
    }

    #[test]
    fn nonsense_is_not_allowed() {
        check("", false);
        check("(MIT", false);
        check("MIT MIT", false);
    }
}
