//! Mistakes in `tributary.toml`, as a user sees them.

use super::{expect, folder, tributary};

fn check(text: &str) -> String {
    let folder = folder();
    std::fs::write(folder.path().join("tributary.toml"), text).expect("the folder may be written");
    tributary(folder.path(), &["check"]).all()
}

#[test]
fn a_mistyped_key_is_shown_with_a_caret_and_a_suggestion() {
    expect(
        &check("[company]\nname = \"Acme\"\ncurency = \"EUR\"\n"),
        r#"
exit code 2
--- stdout
--- stderr
error: tributary.toml:3:1: unknown key `curency`
  |
3 | curency = "EUR"
  | ^^^^^^^
hint: did you mean `currency`?
"#,
    );
}

#[test]
fn a_rule_without_its_channel_is_shown_where_it_stands() {
    expect(
        &check("[[channels]]\nwhen = { kind = \"call\" }\n"),
        r"
exit code 2
--- stdout
--- stderr
error: tributary.toml:1:1: missing key `channel`
  |
1 | [[channels]]
  | ^^^^^^^^^^^^
",
    );
}

#[test]
fn a_file_that_is_no_text_is_refused() {
    let folder = folder();
    std::fs::write(folder.path().join("tributary.toml"), b"\xff\xfe").unwrap();
    expect(
        &tributary(folder.path(), &["check"]).all(),
        r"
exit code 2
--- stdout
--- stderr
error: tributary.toml: cannot read it: stream did not contain valid UTF-8
",
    );
}

#[test]
fn another_file_can_be_named() {
    let folder = folder();
    std::fs::write(folder.path().join("other.toml"), "").unwrap();
    assert_eq!(tributary(folder.path(), &["--config", "other.toml", "check"]).code, 0);
    assert_eq!(tributary(folder.path(), &["check", "--config", "none.toml"]).code, 2);
}

#[test]
fn a_mistyped_setting_of_a_source_is_shown_with_a_suggestion() {
    expect(
        &check(
            "[[source]]\nid = \"crm\"\nconnector = \"hubspot\"\npagesize = 3\ntoken = { env = \"PATH\" }\n",
        ),
        r"
exit code 2
--- stdout
--- stderr
error: tributary.toml:4:1: unknown key `pagesize`
  |
4 | pagesize = 3
  | ^^^^^^^^
hint: did you mean `page_size`?
",
    );
}
