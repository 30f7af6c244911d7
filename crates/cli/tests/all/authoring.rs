//! What whoever writes a connector uses.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{folder, tributary};

#[test]
fn connectors_are_listed_and_explained() {
    let folder = folder();
    let listed = tributary(folder.path(), &["connectors", "--format", "json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let names: Vec<&str> =
        listed["connectors"].as_array().unwrap().iter().map(|it| it["connector"].as_str().unwrap()).collect();
    assert!(names.contains(&"hubspot") && names.contains(&"tryton"), "{names:?}");
    for name in names {
        let about = tributary(folder.path(), &["connectors", name]).stdout;
        for heading in ["## What it brings", "## Setup", "## Config", "## Limits", "## Not covered"] {
            assert!(about.contains(heading), "{name}: {heading}");
        }
    }
    let ran = tributary(folder.path(), &["connectors", "hubspt"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("did you mean `hubspot`?"), "{}", ran.stderr);
}

#[test]
fn records_show_what_they_mean() {
    let folder = folder();
    let record =
        r#"{"id": "7", "properties": {"hs_timestamp": "2026-01-05T09:00:00Z", "hs_call_title": "Hello"}}"#;
    std::fs::write(folder.path().join("calls.json"), format!("[{record}]\n{record}")).unwrap();
    let ran = tributary(folder.path(), &["normalize", "hubspot", "--stream", "calls", "calls.json"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let meant: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(meant.as_array().unwrap().len(), 2);
    assert_eq!(meant[0]["facts"][0]["Touch"]["content"], "Hello");
    assert_eq!(meant[0]["facts"][0]["Touch"]["occurred_at"], "2026-01-05T09:00:00Z");
    // A configuration of other sources changes nothing.
    std::fs::write(folder.path().join("tributary.toml"), "").unwrap();
    let again = tributary(folder.path(), &["normalize", "hubspot", "--stream", "calls", "calls.json"]);
    assert_eq!((again.code, again.stdout), (0, ran.stdout));
}

#[test]
fn what_is_no_record_is_told() {
    let folder = folder();
    for (name, text) in [("calls.json", "{}"), ("text.json", "[{}, \"x\"]"), ("empty.json", "")] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    for (source, stream, file, code, said) in [
        ("hubspot", "call", "calls.json", 2, "did you mean `calls`?"),
        ("hubspt", "calls", "calls.json", 2, "no source or connector is called `hubspt`"),
        ("hubspot", "calls", "none.json", 1, "failed to read none.json"),
        ("hubspot", "calls", "text.json", 1, "text.json: record 2 is no JSON object"),
        ("hubspot", "calls", "empty.json", 1, "empty.json has no record"),
    ] {
        let ran = tributary(folder.path(), &["normalize", source, "--stream", stream, file]);
        assert_eq!(ran.code, code, "{}", ran.all());
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
}

#[test]
fn a_simulated_vendor_is_tried_without_writing_anything() {
    let folder = folder();
    let mut child = Command::new(env!("CARGO_BIN_EXE_tributary"))
        .args(["simulate", "matomo", "--accounts", "12"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut configuration = String::new();
    let mut variable = None;
    while variable.is_none() {
        let line = lines.next().unwrap();
        variable = line
            .strip_prefix("# export ")
            .and_then(|it| it.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        configuration.push_str(&line);
        configuration.push('\n');
    }
    std::fs::write(folder.path().join("tributary.toml"), configuration).unwrap();
    let (name, value) = variable.unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tributary"));
        command.args(arguments).args(["--format", "json"]).current_dir(folder.path()).env(&name, &value);
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let visits = |streams: &Value| {
        streams.as_array().unwrap().iter().find(|it| it["stream"] == "visits").unwrap().clone()
    };
    let tried = run(&["sync", "--dry-run"]);
    assert!(visits(&tried["streams"])["facts"]["touches"].as_u64().unwrap() > 10, "{tried}");
    assert_eq!(run(&["status"])["counts"]["touches"], 0);
    let synced = run(&["sync"]);
    assert!(visits(&synced["sources"][0]["streams"])["added"].as_u64().unwrap() > 10, "{synced}");
    child.kill().unwrap();
    let mut rest = String::new();
    let _ = child.stderr.take().map(|mut stderr| stderr.read_to_string(&mut rest));
    child.wait().unwrap();
}
