//! The daemon as it runs: real processes, signals, and both databases.

#![expect(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it should")]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tributary_core::Time;
use tributary_core::dice::Dice;
use tributary_hubspot::SimulatedHubSpot;
use tributary_sandbox::simulator::{Fault, Habits, Served, When, serve};
use tributary_source::ExposeSecret;
use tributary_store::{Store, testkit};

use super::{folder, tributary};

/// Contacts of each vendor: ten pages.
const CONTACTS: u64 = 1_000;

/// A receiver of alerts that is not there.
const NOBODY: &str = "http://127.0.0.1:9/canary-path";

/// Vendors on loopback, and a configuration that reads them all.
struct Stack {
    runtime: Runtime,
    vendors: Vec<(SimulatedHubSpot, Served)>,
    folder: TempDir,
    store: String,
}

impl Stack {
    fn new(vendors: usize, store: String) -> Self {
        let runtime = Runtime::new().unwrap();
        let vendors = (0..vendors)
            .map(|_| {
                let clock = || Time(1_782_907_200_000_000);
                let vendor = SimulatedHubSpot::of_contacts(CONTACTS, Arc::new(clock));
                let served = runtime.block_on(serve(vendor.kit(), 0)).unwrap();
                (vendor, served)
            })
            .collect();
        let stack = Self { runtime, vendors, folder: folder(), store };
        stack.configure("");
        stack
    }

    /// Writes the configuration, and something after it.
    fn configure(&self, more: &str) {
        let source = |(at, (_, served)): (usize, &(SimulatedHubSpot, Served))| {
            format!(
                "[[source]]\nid = \"crm{at}\"\nconnector = \"hubspot\"\nurl = \"{}\"\nevery = \"1h\"\n\
                 requests_per_second = 1000.0\ntoken = {{ env = \"HUBSPOT_TOKEN\" }}\n",
                served.url()
            )
        };
        let sources: String = self.vendors.iter().enumerate().map(source).collect();
        let text = format!(
            "[store]\nurl = \"{}\"\n[daemon]\nlease = \"2s\"\nat_once = 2\n{sources}{more}",
            self.store
        );
        std::fs::write(self.folder.path().join("tributary.toml"), text).unwrap();
    }

    fn slow(&self, latency: Duration) {
        for (vendor, _) in &self.vendors {
            vendor.kit().behave(Habits { latency, ..Habits::default() });
        }
    }

    fn start(&self, command: &str, name: &str) -> Process {
        let log = self.folder.path().join(format!("{name}.log"));
        let token = SimulatedHubSpot::secrets()["token"].expose_secret().to_owned();
        let mut process = Command::new(env!("CARGO_BIN_EXE_tributary"));
        let process = process.arg(command).current_dir(self.folder.path()).stdin(Stdio::null());
        let process = process
            .env("HUBSPOT_TOKEN", token)
            .env("SECRET_WEBHOOK", NOBODY)
            .env_remove("TRIBUTARY_LOG")
            .stdout(Stdio::null());
        let child = process.stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
        Process { child, log }
    }

    fn serve(&self, name: &str) -> Process {
        self.start("serve", name)
    }

    /// Requests that the vendors were sent, in all.
    fn requests(&self) -> usize {
        self.vendors.iter().map(|(vendor, _)| vendor.kit().calls()).sum()
    }

    /// What the store holds.
    fn digest(&self) -> String {
        self.runtime.block_on(async {
            let store = Store::open(&self.store).await.unwrap();
            let digest = store.digest().await.unwrap();
            store.close().await;
            digest.to_string()
        })
    }

    /// Sources whose contacts were read to their end, and all is worked out.
    fn is_complete(&self) -> bool {
        let status = tributary(self.folder.path(), &["status", "--format", "json"]);
        let text = &status.stdout;
        text.matches(&format!("\"stream\":\"contacts\",\"records\":{CONTACTS}")).count() == self.vendors.len()
            && text.contains("\"unfinished\":[]")
            && text.contains("\"pending\":0")
    }
}

/// Waits for something, which `processes` are to bring about.
fn until(what: &str, holds: impl Fn() -> bool, processes: &[&Process]) {
    let since = Instant::now();
    while !holds() {
        let logs = || processes.iter().map(|it| it.log()).collect::<Vec<_>>().join("\n---\n");
        assert!(since.elapsed() < Duration::from_mins(2), "waited for: {what}\n{}", logs());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A process that ends with this value.
struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn log(&self) -> String {
        let mut text = String::new();
        std::fs::File::open(&self.log).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    fn end(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.child.wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Whether it ended already does not matter.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn sqlite_in(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("tributary.db").display())
}

/// What a store holds once a sync of so many vendors was left alone.
fn left_alone(vendors: usize) -> String {
    let file = folder();
    let stack = Stack::new(vendors, sqlite_in(file.path()));
    assert!(stack.start("sync", "sync").child.wait().unwrap().success());
    stack.digest()
}

/// An address on each database, with what must outlive its use.
fn stores() -> [(String, Option<TempDir>); 2] {
    let file = folder();
    [(sqlite_in(file.path()), Some(file)), (testkit::postgres_url(), None)]
}

#[test]
fn a_daemon_pulls_what_is_due_and_ends_in_good_order_at_sigterm() {
    for (store, _kept) in stores() {
        let stack = Stack::new(2, store);
        let mut daemon = stack.serve("daemon");
        until("both sources", || stack.is_complete(), &[&daemon]);
        let status = daemon.end();
        let log = daemon.log();
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(log.contains("sync ended") && log.contains("ended in good order"), "{log}");
        assert!(!log.contains('@'), "an address of a person is in the log: {log}");
    }
}

#[test]
fn sigterm_in_the_middle_lands_the_page_in_hand_and_the_next_start_goes_on() {
    for (store, _kept) in stores() {
        let stack = Stack::new(1, store);
        stack.slow(Duration::from_millis(200));
        let mut first = stack.serve("first");
        until("some pages", || stack.requests() >= 6, &[&first]);
        let asked = Instant::now();
        assert_eq!(first.end().code(), Some(0), "{}", first.log());
        assert!(asked.elapsed() < Duration::from_secs(10));
        assert!(first.log().contains("stopped after the page in hand"), "{}", first.log());
        stack.slow(Duration::ZERO);
        let second = stack.serve("second");
        until("the rest", || stack.is_complete(), &[&second]);
        let pages = stack.vendors[0].0.kit().journal();
        let pages = pages
            .iter()
            .filter(|call| call.path.ends_with("/contacts") && call.param("archived") == Some("false"));
        assert!(pages.count() <= 11, "a page was asked for again that had landed");
    }
}

#[test]
fn a_file_has_one_daemon_beside_which_reports_and_requests_go_on() {
    let file = folder();
    let stack = Stack::new(1, sqlite_in(file.path()));
    let daemon = stack.serve("daemon");
    until("the source", || stack.is_complete(), &[&daemon]);
    let mut second = stack.serve("second");
    assert_eq!(second.child.wait().unwrap().code(), Some(1));
    assert!(second.log().contains("already serves this store"), "{}", second.log());
    let report = tributary(stack.folder.path(), &["attribute", "--format", "json"]);
    assert_eq!(report.code, 0, "{}", report.all());
    // A sync is the daemon's to do: it is asked for one.
    let before = stack.requests();
    let mut sync = stack.start("sync", "sync");
    assert!(sync.child.wait().unwrap().success());
    assert!(sync.log().contains("was asked to sync it now"), "{}", sync.log());
    until("a run on request", || stack.requests() > before, &[&daemon]);
}

#[test]
fn a_changed_configuration_is_read_and_a_wrong_one_is_not() {
    let file = folder();
    let stack = Stack::new(1, sqlite_in(file.path()));
    let mut daemon = stack.serve("daemon");
    until("the source", || stack.is_complete(), &[&daemon]);
    stack.configure("[[source]]\nid = \"more\"\n");
    until("a complaint", || daemon.log().contains("the one before stays in force"), &[&daemon]);
    assert!(daemon.log().contains("this source lacks `connector`"), "{}", daemon.log());
    let files = stack.folder.path().join("files");
    std::fs::create_dir(&files).unwrap();
    std::fs::write(files.join("accounts.csv"), "id,name\nA1,Acme\n").unwrap();
    stack
        .configure("[[source]]\nid = \"more\"\nconnector = \"files\"\npaths = [\"files\"]\nevery = \"1h\"\n");
    let accounts = || {
        let status = tributary(stack.folder.path(), &["status", "--format", "json"]);
        status.stdout.contains("\"source\":\"more\",\"stream\":\"accounts\",\"records\":1")
    };
    until("the new source", accounts, &[&daemon]);
    let ended = || daemon.log().matches("sync ended source=\"more\"").count();
    until("its end", || ended() > 0, &[&daemon]);
    // Of most streams it has no file: they are due when the others are.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(ended(), 1, "{}", daemon.log());
    assert_eq!(daemon.end().code(), Some(0));
}

#[test]
fn processes_killed_at_any_moment_leave_a_store_that_ends_as_one_that_was_left_alone() {
    let mut dice = Dice::new(1, "kills", 0);
    let kills = std::env::var("SOAK_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    let left_alone = left_alone(2);
    let mut killed = 0;
    // One that has read everything has nothing to lose: then the next begins anew.
    while killed < kills {
        for (store, _kept) in stores() {
            let stack = Stack::new(2, store);
            stack.slow(Duration::from_millis(20));
            while killed < kills && !stack.is_complete() {
                let mut daemon = stack.serve(&format!("killed-{killed}"));
                let enough = stack.requests() + dice.below(6);
                until("requests", || stack.requests() >= enough || stack.is_complete(), &[&daemon]);
                std::thread::sleep(Duration::from_secs_f64(dice.between(0.0, 0.06)));
                killed += u32::from(!stack.is_complete());
                assert!(daemon.child.try_wait().unwrap().is_none(), "{}", daemon.log());
                daemon.child.kill().unwrap();
                daemon.child.wait().unwrap();
            }
            let last = stack.serve("last");
            until("the rest", || stack.is_complete(), &[&last]);
            drop(last);
            assert_eq!(stack.digest(), left_alone, "{}", stack.store);
        }
    }
}

#[test]
fn of_three_daemons_on_one_postgres_one_dies_and_one_sleeps_and_nothing_is_lost_or_pulled_twice() {
    let left_alone = left_alone(6);
    let stack = Stack::new(6, testkit::postgres_url());
    stack.slow(Duration::from_millis(150));
    let mut daemons: Vec<Process> = (0..3).map(|at| stack.serve(&format!("daemon-{at}"))).collect();
    let has_begun = |daemon: &Process| daemon.log().contains("sync begins");
    let all: Vec<&Process> = daemons.iter().collect();
    until("all to begin", || daemons.iter().all(has_begun), &all);
    daemons[0].child.kill().unwrap();
    daemons[1].signal(Signal::STOP);
    let slept = Instant::now();
    until("the rest", || stack.is_complete(), &[&daemons[2]]);
    assert!(slept.elapsed() < Duration::from_mins(1));
    // It wakes with a page in hand that is no longer its own.
    daemons[1].signal(Signal::CONT);
    let gave_up = || daemons[1].log().contains("another process has taken this work over");
    until("the sleeper to notice", gave_up, &[&daemons[1]]);
    let digest = stack.digest();
    assert_eq!(digest, left_alone);
    for daemon in &mut daemons[1..] {
        assert_eq!(daemon.end().code(), Some(0), "{}", daemon.log());
    }
    assert_eq!(stack.digest(), left_alone);
}

#[test]
fn a_postgres_that_drops_its_connections_again_and_again_costs_time_alone() {
    let left_alone = left_alone(2);
    let url = testkit::postgres_url();
    let stack = Stack::new(2, format!("{url}&application_name=dropped"));
    stack.slow(Duration::from_millis(50));
    let mut daemon = stack.serve("daemon");
    for _ in 0..4 {
        let enough = stack.requests() + 3;
        let is_over = || stack.is_complete() || daemon.log().contains("sync failed");
        until("requests", || stack.requests() >= enough || is_over(), &[&daemon]);
        testkit::cut_connections("dropped");
    }
    // Between two transactions a connection is made anew, and nobody notices. In the middle of one the sync fails, and
    // the daemon rests for a minute; somebody is in more of a hurry.
    stack.slow(Duration::ZERO);
    until("a sync", || stack.start("sync", "sync").child.wait().unwrap().success(), &[&daemon]);
    until("the rest", || stack.is_complete(), &[&daemon]);
    assert_eq!(stack.digest(), left_alone);
    assert_eq!(daemon.end().code(), Some(0), "{}", daemon.log());
}

#[test]
fn a_postgres_that_is_killed_and_comes_back_costs_time_alone() {
    let left_alone = left_alone(2);
    let server = testkit::OwnPostgres::start();
    let stack = Stack::new(2, server.url());
    stack.slow(Duration::from_millis(50));
    let mut daemons = [stack.serve("one"), stack.serve("other")];
    for _ in 0..2 {
        let [one, other] = &daemons;
        let enough = stack.requests() + 6;
        until("requests", || stack.requests() >= enough || stack.is_complete(), &[one, other]);
        server.kill();
        // Somebody has to notice it and start it again.
        std::thread::sleep(Duration::from_secs(2));
        server.restart();
        let [mut one_sync, mut other_sync] = [stack.start("sync", "sync"), stack.start("sync", "again")];
        assert!(one_sync.child.wait().is_ok() && other_sync.child.wait().is_ok());
    }
    stack.slow(Duration::ZERO);
    let [one, other] = &daemons;
    until("a sync", || stack.start("sync", "sync").child.wait().unwrap().success(), &[one, other]);
    until("the rest", || stack.is_complete(), &[one, other]);
    assert_eq!(stack.digest(), left_alone);
    for daemon in &mut daemons {
        assert!(daemon.child.try_wait().unwrap().is_none(), "it ended: {}", daemon.log());
        assert_eq!(daemon.end().code(), Some(0), "{}", daemon.log());
    }
}

/// A disk of one MiB, which somebody makes larger once the daemon has filled it. What the store became is kept.
const SMALL_DISK: &str = "
    set -e
    mount -t tmpfs -o size=1m none small
    \"$TRIBUTARY\" serve 2>daemon.log & daemon=$!
    for i in $(seq 600); do grep -q 'disk is full' daemon.log && break; sleep 0.1; done
    \"$TRIBUTARY\" status >full.txt
    mount -o remount,size=64m none small
    \"$TRIBUTARY\" sync
    for i in $(seq 600); do
        \"$TRIBUTARY\" status --format json >status.json
        grep -q '\"unfinished\":\\[\\]' status.json && grep -q '\"pending\":0' status.json && break
        sleep 0.1
    done
    kill $daemon
    wait $daemon
    cp small/tributary.db kept.db";

#[test]
fn a_full_disk_loses_nothing_and_once_there_is_room_the_daemon_goes_on() {
    let left_alone = left_alone(1);
    let mut stack = Stack::new(1, "sqlite:small/tributary.db".to_owned());
    std::fs::create_dir(stack.folder.path().join("small")).unwrap();
    // A file system of its own, which needs no rights but those over the user's own processes.
    let mut script = Command::new("unshare");
    let script = script.args(["--map-root-user", "--mount", "sh", "-c", SMALL_DISK]).stdin(Stdio::null());
    let script = script.current_dir(stack.folder.path()).env("TRIBUTARY", env!("CARGO_BIN_EXE_tributary"));
    let token = SimulatedHubSpot::secrets()["token"].expose_secret().to_owned();
    let ran = script.env("HUBSPOT_TOKEN", token).env_remove("TRIBUTARY_LOG").output().unwrap();
    let text = |name: &str| std::fs::read_to_string(stack.folder.path().join(name)).unwrap_or_default();
    let said = || format!("{}\n{}", String::from_utf8_lossy(&ran.stderr), text("daemon.log"));
    assert!(ran.status.success(), "{}", said());
    let full = "the disk is full: nothing of the last step was kept; free some space";
    assert!(text("daemon.log").contains(full), "{}", said());
    assert!(text("full.txt").contains("never read to the end: contacts"), "{}", text("full.txt"));
    stack.store = sqlite_in(stack.folder.path()).replace("tributary.db", "kept.db");
    assert_eq!(stack.digest(), left_alone, "{}", said());
}

#[test]
fn what_is_wrong_is_told_once_and_so_is_its_end() {
    let file = folder();
    let stack = Stack::new(1, sqlite_in(file.path()));
    let told = stack.folder.path().join("told");
    // Somebody's own program, one by JSON over HTTP, and one that is never there.
    let alerts = format!(
        "[[alerts]]\nname = \"program\"\ncommand = [\"sh\", \"-c\", \"cat >> {}; echo >> {}\"]\nafter_failures = 1\n\
         [[alerts]]\nname = \"nobody\"\nwebhook = {{ env = \"SECRET_WEBHOOK\" }}\nafter_failures = 1\n",
        told.display(),
        told.display()
    );
    stack.configure(&alerts);
    stack.vendors[0].0.kit().fail(When::Always, Fault::Status(403));
    let mut daemon = stack.serve("daemon");
    let lines = || std::fs::read_to_string(&told).unwrap_or_default();
    until("an alert", || lines().contains("\"began\""), &[&daemon]);
    let said: serde_json::Value = serde_json::from_str(lines().lines().next().unwrap()).unwrap();
    assert_eq!((said["source"].as_str(), said["code"].as_str()), (Some("crm0"), Some("failing")), "{said}");
    assert!(said["hint"].is_string(), "{said}");
    stack.vendors[0].0.kit().heal();
    assert!(stack.start("sync", "sync").child.wait().unwrap().success());
    until("its end", || lines().contains("\"ended\""), &[&daemon]);
    assert_eq!(lines().matches("\"began\"").count(), 1, "{}", lines());
    assert_eq!(daemon.end().code(), Some(0));
    assert!(daemon.log().contains("failed to tell"), "{}", daemon.log());
    assert!(!daemon.log().contains("canary-path"), "the receiver's address is a secret: {}", daemon.log());
}
