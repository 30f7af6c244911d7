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
    let ran = tributary(folder.path(), &["normalize", "hubspot", "--stream", "call", "calls.json"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("did you mean `calls`?"), "{}", ran.stderr);
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
