//! What the README shows is what the demo prints.

use std::path::Path;

use super::{folder, tributary};

const BEGIN: &str =
    "<!-- What `cargo xtask demo` prints; UPDATE_README=1 cargo test -p tributary readme -->\n";
const END: &str = "<!-- end -->\n";

#[test]
fn the_readme_shows_what_the_demo_prints() {
    let folder = folder();
    let ran = tributary(folder.path(), &["demo"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let shown: String = [
        "Credit by channel under five models",
        "Sales against marketing",
        "How the biggest deal was won",
        "What the tools know together",
    ]
    .iter()
    .map(|heading| shortened(&section(&ran.stdout, heading)))
    .collect::<Vec<_>>()
    .join("\n");
    let shown: String =
        shown.lines().map(|line| format!("    {line}").trim_end().to_owned() + "\n").collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(&path).expect("the README is there");
    let (before, rest) = readme.split_once(BEGIN).expect("the README has the place for it");
    let (found, after) = rest.split_once(END).expect("the place has an end");
    let wanted = format!("\n{shown}\n");
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{wanted}{END}{after}"))
            .expect("the README can be written");
    } else {
        assert_eq!(
            found, wanted,
            "UPDATE_README=1 cargo test -p tributary readme brings the README up to date"
        );
    }
}

/// A heading and what stands below it.
fn section(text: &str, heading: &str) -> String {
    let start = text.find(&format!("{heading}\n═")).expect("the demo prints the section");
    let body = &text[start..];
    let below = body.find("\n\n").map_or(0, |at| at + 2);
    // The next section begins with a line and its underline.
    let lines: Vec<&str> = body[below..].lines().collect();
    let end = lines.iter().position(|line| line.starts_with("══")).map_or(lines.len(), |at| at - 1);
    format!("{}{}\n", &body[..below], lines[..end].join("\n").trim_end())
}

/// A long timeline without its middle.
fn shortened(section: &str) -> String {
    const LONGEST: usize = 32;
    let lines: Vec<&str> = section.lines().collect();
    if lines.len() <= LONGEST {
        return section.to_owned();
    }
    let (head, tail) = (18, 12);
    format!("{}\n  …\n{}\n", lines[..head].join("\n"), lines[lines.len() - tail..].join("\n"))
}
