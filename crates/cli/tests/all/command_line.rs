//! Help, exit codes, and which stream says what.

use super::{expect, folder, tributary};

#[test]
fn help_goes_to_stdout() {
    let ran = tributary(folder().path(), &["--help"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    insta::assert_snapshot!("help", ran.stdout);
}

#[test]
fn every_command_has_help() {
    for command in [
        "demo",
        "init",
        "check",
        "sync",
        "status",
        "runs",
        "import",
        "attribute",
        "compare",
        "report",
        "journey",
        "explain",
        "reconcile",
        "export",
        "paths",
    ] {
        let ran = tributary(folder().path(), &[command, "--help"]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{command}");
        assert!(ran.stdout.contains("Usage: tributary"), "{command}");
    }
}

#[test]
fn a_mistyped_command_is_a_usage_error_with_a_suggestion() {
    let ran = tributary(folder().path(), &["atribute"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("a similar subcommand exists: 'attribute'"), "{}", ran.stderr);
}

#[test]
fn without_a_configuration_the_way_to_one_is_shown() {
    let ran = tributary(folder().path(), &["status"]);
    expect(
        &ran.all(),
        "
exit code 2
--- stdout
--- stderr
error: tributary.toml: no such configuration file
hint: write one with `tributary init`, or name another with --config FILE
",
    );
}

#[test]
fn init_writes_a_configuration_that_check_accepts() {
    let folder = folder();
    let init = tributary(folder.path(), &["init"]);
    assert_eq!((init.code, init.stdout.as_str()), (0, ""));
    let check = tributary(folder.path(), &["check"]);
    assert_eq!((check.code, check.stdout.as_str()), (0, ""));
    assert_eq!(check.stderr, "the configuration of My company is in order; it has no sources\n");
}

#[test]
fn init_keeps_a_file_that_is_there() {
    let folder = folder();
    std::fs::write(folder.path().join("tributary.toml"), "# mine\n").unwrap();
    let ran = tributary(folder.path(), &["init"]);
    assert_eq!(ran.code, 2);
    assert_eq!(ran.stderr, "error: tributary.toml is there already\nhint: overwrite it with --force\n");
    assert_eq!(std::fs::read_to_string(folder.path().join("tributary.toml")).unwrap(), "# mine\n");
    assert_eq!(tributary(folder.path(), &["init", "--force"]).code, 0);
}

#[test]
fn an_unknown_source_is_a_usage_error() {
    let folder = folder();
    std::fs::write(folder.path().join("tributary.toml"), "").unwrap();
    let ran = tributary(folder.path(), &["check", "crm"]);
    assert_eq!(ran.code, 2);
    assert_eq!(ran.stderr, "error: no source has the id `crm`\nhint: the configuration has no [[source]]\n");
}
