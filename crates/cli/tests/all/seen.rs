//! What a daemon lets be seen: state, runs, a live view, the API, and metrics as a real Prometheus reads them.

#![expect(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it should")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tributary_core::Time;
use tributary_hubspot::SimulatedHubSpot;
use tributary_sandbox::simulator::{Served, serve};
use tributary_source::ExposeSecret;

use super::{folder, tributary};

const TOKEN: &str = "canary-token-of-the-api";

/// A folder with a vendor on loopback and a configuration that reads it.
struct Stack {
    _runtime: Runtime,
    _served: Served,
    folder: TempDir,
}

impl Stack {
    fn new(daemon: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let vendor = SimulatedHubSpot::of_contacts(200, Arc::new(|| Time(1_782_907_200_000_000)));
        let served = runtime.block_on(serve(vendor.kit(), 0)).unwrap();
        let folder = folder();
        let text = format!(
            "[daemon]\n{daemon}\n[[source]]\nid = \"crm\"\nconnector = \"hubspot\"\nurl = \"{}\"\nevery = \"1h\"\n\
             requests_per_second = 1000.0\ntoken = {{ env = \"HUBSPOT_TOKEN\" }}\n",
            served.url()
        );
        std::fs::write(folder.path().join("tributary.toml"), text).unwrap();
        Self { _runtime: runtime, _served: served, folder }
    }

    fn command(&self, command: &str) -> Command {
        let token = SimulatedHubSpot::secrets()["token"].expose_secret().to_owned();
        let mut process = Command::new(env!("CARGO_BIN_EXE_tributary"));
        process.arg(command).current_dir(self.folder.path()).stdin(Stdio::null());
        process.env("HUBSPOT_TOKEN", token).env("TRIBUTARY_TOKEN", TOKEN).env_remove("TRIBUTARY_LOG");
        process
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let ran = tributary(self.folder.path(), &[arguments, &["--format", "json"]].concat());
        assert_eq!(ran.code, 0, "{}", ran.all());
        serde_json::from_str(&ran.stdout).unwrap()
    }
}

/// A process that ends with this value.
struct Process(Child, PathBuf);

impl Process {
    fn start(command: &mut Command, log: PathBuf) -> Self {
        let file = std::fs::File::create(&log).unwrap();
        Self(command.stdout(Stdio::null()).stderr(file).spawn().unwrap(), log)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.1).unwrap()
    }

    fn until<T>(&self, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
        let since = Instant::now();
        loop {
            if let Some(found) = found() {
                return found;
            }
            assert!(since.elapsed() < Duration::from_mins(2), "waited for {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Whether it ended already does not matter.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A daemon that listens, and where.
fn daemon(stack: &Stack) -> (Process, String) {
    let daemon = Process::start(&mut stack.command("serve"), stack.folder.path().join("daemon.log"));
    let address = daemon.until("an address", || {
        let log = daemon.log();
        let (_, rest) = log.split_once("answering over HTTP address=")?;
        Some(rest.split_whitespace().next()?.to_owned())
    });
    (daemon, address)
}

/// The status and body of an answer.
fn ask(address: &str, method: &str, path: &str, token: Option<&str>) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let token = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: 0\r\n{token}\r\n"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    // Prometheus sends large answers in chunks; their sizes stand on lines of their own.
    let is_chunked = head.to_lowercase().contains("transfer-encoding: chunked");
    Some((status, if is_chunked { unchunked(body) } else { body.to_owned() }))
}

fn unchunked(mut body: &str) -> String {
    let mut out = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        out.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
        if size == 0 {
            break;
        }
    }
    out
}

fn until_synced(daemon: &Process, address: &str) {
    daemon.until("a sync that ended well", || {
        let (_, body) = ask(address, "GET", "/api/v1/status", Some(TOKEN))?;
        let status: Value = serde_json::from_str(&body).ok()?;
        let crm = &status["sources"][0];
        (crm["last_run"]["outcome"] == "ok" && crm["state"] == "idle" && status["pending"] == 0).then_some(())
    });
}

const LISTEN: &str = "listen = \"127.0.0.1:0\"\ntoken = { env = \"TRIBUTARY_TOKEN\" }";

#[test]
fn status_and_runs_tell_of_sources_before_and_after_their_first_sync() {
    let stack = Stack::new("");
    let before = stack.json(&["status"]);
    let crm = &before["sources"][0];
    assert_eq!((&crm["state"], &crm["schedule"]), (&"never_run".into(), &"every 1h".into()));
    assert_eq!(before["problems"][0]["code"], "never_run");
    assert!(stack.command("sync").output().unwrap().status.success());
    let after = stack.json(&["status"]);
    let crm = &after["sources"][0];
    assert_eq!((&crm["state"], &crm["last_run"]["outcome"]), (&"idle".into(), &"ok".into()));
    assert!(crm["last_run"]["requests"].as_u64().unwrap() > 0);
    assert_eq!(after["problems"].as_array().unwrap().len(), 0, "{after}");
    let runs = stack.json(&["runs", "crm"]);
    assert_eq!((&runs["runs"][0]["source"], &runs["runs"][0]["outcome"]), (&"crm".into(), &"ok".into()));
    assert!(runs["runs"][0]["streams"].to_string().contains("\"stream\":\"contacts\""));
    let table = tributary(stack.folder.path(), &["status"]);
    assert!(table.stdout.contains("idle") && table.stdout.contains("Next run"), "{}", table.stdout);
    assert_eq!(tributary(stack.folder.path(), &["runs", "cmr"]).code, 2);
}

#[test]
fn the_live_view_draws_on_a_terminal_and_ends_with_q() {
    const SCRIPT: &str = r#"
import fcntl, os, pty, signal, struct, sys, select, termios, time
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
    os.execv(sys.argv[1], [sys.argv[1], "status", "--watch"])
seen, asked, end = b"", False, time.time() + 60
while time.time() < end:
    if select.select([fd], [], [], 0.1)[0]:
        try: data = os.read(fd, 65536)
        except OSError: break
        if not data: break
        seen += data
    if b"never run" in seen and b"q ends" in seen and not asked:
        os.write(fd, sys.argv[2].encode()); asked = True
else: os.kill(pid, signal.SIGKILL)
_, status = os.waitpid(pid, 0)
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(status))
"#;
    let stack = Stack::new("");
    for key in ["q", "\u{3}"] {
        let ran = Command::new("python3")
            .args(["-c", SCRIPT, env!("CARGO_BIN_EXE_tributary"), key])
            .current_dir(stack.folder.path())
            .env("TERM", "xterm")
            .output()
            .unwrap();
        let seen = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(ran.status.success(), "{seen}");
        // The screen is left as it was found, with its cursor.
        assert!(seen.contains("\u{1b}[?1049h") && seen.contains("\u{1b}[?1049l"), "{seen}");
        assert!(seen.contains("\u{1b}[?25h"), "{seen}");
    }
    let ran = tributary(stack.folder.path(), &["status", "--watch"]);
    assert_eq!(ran.code, 2, "{}", ran.all());
}

#[test]
fn a_daemon_answers_over_http_syncs_when_asked_and_ends_in_good_order() {
    let stack = Stack::new(LISTEN);
    let (mut daemon, address) = daemon(&stack);
    let get = |path: &str, token| ask(&address, "GET", path, token).unwrap();
    assert_eq!(get("/healthz", None).0, 200);
    daemon.until("readiness", || (get("/readyz", None).0 == 200).then_some(()));
    assert_eq!(get("/api/v1/status", None).0, 401);
    assert_eq!(get("/metrics", Some("wrong")).0, 401);
    until_synced(&daemon, &address);
    let runs = |text: String| text.matches("\"run\":").count();
    assert_eq!(runs(get("/api/v1/runs?source=crm", Some(TOKEN)).1), 1);
    assert_eq!(ask(&address, "POST", "/api/v1/sources/crm/sync", Some(TOKEN)).unwrap().0, 202);
    daemon.until("another run", || (runs(get("/api/v1/runs?source=crm", Some(TOKEN)).1) == 2).then_some(()));
    kill_process(Pid::from_child(&daemon.0), Signal::TERM).unwrap();
    assert_eq!(daemon.0.wait().unwrap().code(), Some(0), "{}", daemon.log());
    assert!(!daemon.log().contains(TOKEN), "{}", daemon.log());
}

#[test]
fn a_token_belongs_into_the_environment_and_is_long() {
    let stack = Stack::new("listen = \"127.0.0.1:0\"\ntoken = \"in the file\"");
    let ran = stack.command("serve").output().unwrap();
    assert_eq!(ran.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("a secret, which does not belong into a file"));
    let stack = Stack::new(LISTEN);
    let ran = stack.command("serve").env("TRIBUTARY_TOKEN", "short").output().unwrap();
    assert_eq!(ran.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("too short"));
}

/// The folder with what a machine needs to run the daemon.
fn deploy(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(file);
    std::fs::read_to_string(path).unwrap()
}

/// Panels that are empty as long as nothing is wrong, or in hand at this moment.
const MAY_BE_EMPTY: [&str; 2] = ["Leases", "Problems"];

#[test]
fn every_query_of_the_dashboard_finds_its_series_in_a_real_prometheus() {
    let stack = Stack::new(LISTEN);
    let (daemon, address) = daemon(&stack);
    until_synced(&daemon, &address);
    let folder = stack.folder.path();
    let token = folder.join("token");
    std::fs::write(&token, TOKEN).unwrap();
    let config = deploy("prometheus.yml");
    for known in ["127.0.0.1:7420", "/etc/prometheus/tributary.token", "15s"] {
        assert!(config.contains(known), "{known}");
    }
    let config = config
        .replace("127.0.0.1:7420", &address)
        .replace("/etc/prometheus/tributary.token", &token.display().to_string())
        .replace("scrape_interval: 15s", "scrape_interval: 1s");
    std::fs::write(folder.join("prometheus.yml"), config).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new("prometheus");
    command.current_dir(folder).stdin(Stdio::null()).args([
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=series",
        &format!("--web.listen-address=127.0.0.1:{port}"),
    ]);
    let prometheus = Process::start(&mut command, folder.join("prometheus.log"));
    let prometheus_at = format!("127.0.0.1:{port}");
    let query = |expression: &str| -> Option<Value> {
        let path = format!("/api/v1/query?query={}", encoded(expression));
        let (_, body) = ask(&prometheus_at, "GET", &path, None)?;
        serde_json::from_str(&body).ok()
    };
    prometheus.until("a scrape", || {
        let up = query("up{job=\"tributary\"}")?;
        (up["data"]["result"][0]["value"][1] == "1").then_some(())
    });
    let dashboard: Value = serde_json::from_str(&deploy("grafana-dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() >= 10);
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap().replace("$__rate_interval", "1m");
            let first = query(&expression).unwrap();
            assert_eq!(first["status"], "success", "{title}: {expression}: {first}");
            if MAY_BE_EMPTY.contains(&title) {
                continue;
            }
            // A rate needs two scrapes.
            prometheus.until(&format!("{title}: {expression}"), || {
                let found = query(&expression)?;
                (!found["data"]["result"].as_array()?.is_empty()).then_some(())
            });
        }
    }
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[test]
fn systemd_understands_the_unit() {
    let Ok(found) = Command::new("systemd-analyze").arg("--version").output() else {
        // A machine without systemd runs the daemon some other way.
        return;
    };
    assert!(found.status.success());
    let folder = folder();
    let unit = folder.path().join("tributary.service");
    // The program need not be installed where the unit expects it.
    let text =
        deploy("tributary.service").replace("/usr/local/bin/tributary", env!("CARGO_BIN_EXE_tributary"));
    std::fs::write(&unit, text).unwrap();
    let ran = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("tributary.service")).collect();
    assert!(ours.is_empty(), "{said}");
}
