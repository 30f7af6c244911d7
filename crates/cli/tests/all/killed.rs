//! A process that is killed at any moment leaves a store from which the next one goes on.

#![expect(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it should")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use tributary_core::Time;
use tributary_hubspot::SimulatedHubSpot;
use tributary_sandbox::simulator::{Call, serve};
use tributary_source::ExposeSecret;

use super::{folder, tributary};

/// Sizes of the store, in KiB, at which the process is killed; each later than the last.
const SIZES: [u64; 6] = [1, 100, 400, 1_000, 2_000, 4_000];

#[test]
fn a_sync_killed_again_and_again_ends_as_one_that_was_left_alone() {
    let folder = folder();
    let demo = tributary(folder.path(), &["demo", "whole", "--files", "--accounts", "60"]);
    assert_eq!(demo.code, 0, "{}", demo.all());
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    std::fs::create_dir_all(killed.join("files")).unwrap();
    for file in std::fs::read_dir(whole.join("files")).unwrap().flatten() {
        std::fs::copy(file.path(), killed.join("files").join(file.file_name())).unwrap();
    }
    std::fs::copy(whole.join("tributary.toml"), killed.join("tributary.toml")).unwrap();
    let kills = SIZES.iter().filter(|size| kill_at(&killed, **size << 10)).count();
    assert!(kills >= 3, "{kills}");
    let ran = tributary(&killed, &["sync"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let [left_alone, interrupted] = [&whole, &killed].map(|folder| exported(folder));
    assert!(left_alone.len() >= 5, "{left_alone:?}");
    for (one, other) in left_alone.iter().zip(&interrupted) {
        assert_eq!(one.0, other.0);
        assert!(one.1 == other.1, "{} differs", one.0);
    }
    assert_eq!(left_alone.len(), interrupted.len());
}

/// Pages of contacts.
const PAGES: usize = 20;

#[test]
fn a_sync_killed_at_any_page_asks_for_one_page_again_and_no_more() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for killed_at in [1, 2, 3, 5, 8, 13, 19, 20] {
        let clock = || Time(1_782_907_200_000_000);
        let vendor = SimulatedHubSpot::of_contacts(100 * PAGES as u64, Arc::new(clock));
        let served = runtime.block_on(serve(vendor.kit(), 0)).unwrap();
        let folder = folder();
        let configuration = format!(
            "[[source]]\nid = \"crm\"\nconnector = \"hubspot\"\nurl = \"{}\"\nrequests_per_second = 1000.0\n\
             token = {{ env = \"HUBSPOT_TOKEN\" }}\n",
            served.url()
        );
        std::fs::write(folder.path().join("tributary.toml"), configuration).unwrap();
        let sync = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_tributary"));
            let command = command.arg("sync").current_dir(folder.path()).stdin(Stdio::null());
            let token = SimulatedHubSpot::secrets()["token"].expose_secret().to_owned();
            command.env("HUBSPOT_TOKEN", token).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        // As the vendor itself recorded it.
        let asked = || {
            let journal = vendor.kit().journal();
            let is_page =
                |call: &&Call| call.path.ends_with("/contacts") && call.param("archived") == Some("false");
            journal.iter().filter(is_page).count()
        };
        let mut child = sync();
        while asked() < killed_at {
            assert!(child.try_wait().unwrap().is_none(), "it ended before page {killed_at}");
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(sync().wait().unwrap().success());
        assert!((PAGES..=PAGES + 1).contains(&asked()), "killed at {killed_at}: {} requests", asked());
        let status = tributary(folder.path(), &["status", "--format", "json"]);
        assert!(status.stdout.contains("\"stream\":\"contacts\",\"records\":2000"), "{}", status.all());
    }
}

/// Syncs until the store has grown to a size, then kills; `false` if the sync came to its end before.
fn kill_at(folder: &Path, size: u64) -> bool {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tributary"))
        .arg("sync")
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let grown = || {
        let files = std::fs::read_dir(folder).unwrap().flatten();
        let stores = files.filter(|file| file.file_name().to_string_lossy().contains(".db"));
        stores.filter_map(|file| Some(file.metadata().ok()?.len())).sum::<u64>() >= size
    };
    while !grown() {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::yield_now();
    }
    child.kill().unwrap();
    !child.wait().unwrap().success()
}

/// Every table for people, by name.
fn exported(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let ran = tributary(folder, &["export", "tables"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let files = std::fs::read_dir(folder.join("tables")).unwrap().flatten();
    let mut tables: Vec<(String, Vec<u8>)> = files
        .map(|file| (file.file_name().to_string_lossy().into_owned(), std::fs::read(file.path()).unwrap()))
        .collect();
    tables.sort();
    tables
}
