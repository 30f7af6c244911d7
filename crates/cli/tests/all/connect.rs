//! Signing in with the real binary at a real OAuth server: npm's oidc-provider, with a simulated HubSpot behind it.

#![expect(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it should")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

use serde_json::Value;
use tempfile::TempDir;
use tributary_core::Time;
use tributary_source::http::{Api, Assertion, Auth, Grant, OAuth, Request};
use tributary_source::{Environment, Http, NextStep, SecretString, Settings};

use super::{Ran, folder, ran};

/// The real thing.
const OIDC_PROVIDER: &str = "oidc-provider@9.13.3";

/// A program that says lines and is told some.
struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    stdin: ChildStdin,
}

impl Program {
    fn start(command: &mut Command) -> Self {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = piped.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let stdin = child.stdin.take().unwrap();
        Self { child, lines, stdin }
    }

    /// Reads on to a line that begins so, and gives the rest of it.
    fn line(&mut self, begin: &str) -> String {
        for line in self.lines.by_ref() {
            if let Some(rest) = line.unwrap().strip_prefix(begin) {
                return rest.to_owned();
            }
        }
        panic!("it ended without a line that begins with {begin}");
    }

    fn ask(&mut self, line: &str) -> String {
        writeln!(self.stdin, "{line}").unwrap();
        self.line("")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A vendor, a person with a browser, and a folder with a configuration.
struct World {
    vendor: Program,
    _upstream: Program,
    address: String,
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = folder();
        let mut simulate = Command::new(env!("CARGO_BIN_EXE_tributary"));
        let mut upstream = Program::start(simulate.args(["simulate", "hubspot", "--accounts", "12"]));
        let url: Value = toml_value(&upstream.line("url = "));
        let key = upstream.line("# export HUBSPOT_TOKEN=");
        let modules = modules();
        // Node finds modules beside the script only.
        for name in ["vendor.mjs", "browser.mjs"] {
            fs::copy(scripts().join(name), folder.path().join(name)).unwrap();
        }
        symlink(modules, folder.path().join("node_modules")).unwrap();
        let file = |name: &str| folder.path().join(name);
        let mut node = Command::new("node");
        let node = node.arg(file("vendor.mjs")).args([url.as_str().unwrap(), &key]);
        let mut vendor = Program::start(node.current_dir(folder.path()));
        let address = vendor.line("at ");
        // What opens a browser on Linux.
        let opener = file("xdg-open");
        fs::write(&opener, format!("#!/bin/sh\nexec node {} \"$@\"\n", file("browser.mjs").display()))
            .unwrap();
        fs::set_permissions(&opener, fs::Permissions::from_mode(0o755)).unwrap();
        let configuration = format!(
            "[[source]]\nid = \"crm\"\nconnector = \"hubspot\"\nurl = \"{address}\"\n\
             authorize_url = \"{address}/auth\"\ntoken_url = \"{address}/token\"\nclient_id = \"tributary\"\n\
             client_secret = {{ env = \"CLIENT_SECRET\" }}\nscopes = [\"openid\", \"crm.read\"]\n"
        );
        fs::write(file("tributary.toml"), configuration).unwrap();
        Self { vendor, _upstream: upstream, address, folder }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tributary"));
        let path = std::env::var("PATH").unwrap();
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("PATH", format!("{}:{path}", self.folder.path().display()))
            .env("CLIENT_SECRET", "canary-client-secret")
            .env("TRIBUTARY_LOG", "trace,hyper=info,hyper_util=info,rustls=info,sqlx=info,h2=info")
            .env("COLUMNS", "100")
            .env_remove("TRIBUTARY_KEY")
            .env_remove("TRIBUTARY_NEW_KEY")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        ran(&mut self.command(arguments))
    }

    /// Runs what must succeed.
    #[track_caller]
    fn ok(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.all());
        ran
    }

    fn wishing(&self, wish: &str, arguments: &[&str]) -> Ran {
        ran(self.command(arguments).env("BROWSER_WISH", wish))
    }

    /// What the token address was asked for so far, and every secret that went over it.
    fn seen(&mut self) -> (Vec<String>, Vec<String>) {
        let seen: Value = serde_json::from_str(&self.vendor.ask("seen")).unwrap();
        let texts = |name: &str| {
            seen[name].as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect()
        };
        (texts("asked"), texts("secrets"))
    }

    /// How often the token address was asked for tokens.
    fn asked(&mut self) -> usize {
        self.seen().0.len()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn toml_value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oidc")
}

/// The folder in which the server is installed; installs it if it is not there, one process at a time.
fn modules() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("oidc");
    fs::create_dir_all(&folder).unwrap();
    let installing = File::create(folder.join("installing")).unwrap();
    installing.lock().unwrap();
    let modules = folder.join("node_modules");
    if !modules.join("oidc-provider/package.json").exists() {
        fs::write(folder.join("package.json"), "{\"private\": true}\n").unwrap();
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", OIDC_PROVIDER]).current_dir(&folder);
        let output = npm.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    modules
}

#[test]
fn a_person_signs_in_once_and_every_sync_goes_on_from_there() {
    let mut world = World::new();
    let before = world.run(&["sync"]);
    assert_eq!(before.code, 3, "{}", before.all());
    assert!(before.stderr.contains("not connected: run `tributary connect crm`"), "{}", before.stderr);
    assert_eq!(world.asked(), 0);

    let connected = world.ok(&["connect", "crm", "--format", "json"]);
    let shown: Value = serde_json::from_str(&connected.stdout).unwrap();
    assert_eq!(shown["scopes"], serde_json::json!(["openid", "crm.read"]), "{shown}");
    assert!(shown["access_until"].is_string(), "{shown}");
    assert!(connected.stderr.contains(&format!("{}/auth?", world.address)), "{}", connected.stderr);
    let mode = fs::metadata(world.path("tributary.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // Access tokens live three seconds, and each process begins with the refresh token that the last one left.
    let runs =
        [world.ok(&["sync"]), world.ok(&["check"]), world.ok(&["sync", "--dry-run"]), world.ok(&["sync"])];
    let (asked, secrets) = world.seen();
    assert_eq!(asked[0], "authorization_code");
    assert!(asked.len() >= 6 && asked[1..].iter().all(|grant| grant == "refresh_token"), "{asked:?}");

    // Nothing that opens a door stands anywhere.
    let key = fs::read_to_string(world.path("tributary.key")).unwrap().lines().last().unwrap().to_owned();
    let mut files = Vec::new();
    for entry in fs::read_dir(world.folder.path()).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_file() && entry.file_name().unwrap().to_str().unwrap().starts_with("tributary.db") {
            files.extend(fs::read(entry).unwrap());
        }
    }
    assert!(secrets.len() > 10 && files.len() > 10_000);
    let said: String = runs.iter().chain([&before, &connected]).map(Ran::all).collect();
    assert!(said.contains("asked the vendor"), "the log is searched too");
    for secret in secrets.iter().chain([&key]) {
        assert!(!said.contains(secret.as_str()), "{secret} is printed");
        assert!(!files.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()), "{secret} is stored");
    }
}

#[test]
fn a_process_that_dies_before_it_uses_its_token_costs_nothing() {
    let mut world = World::new();
    world.ok(&["connect", "crm"]);
    let before = world.asked();
    for _ in 0..2 {
        assert_eq!(world.vendor.ask("hold"), "hold");
        let mut sync = world.command(&["sync"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // It has renewed, and waits for the first answer.
        assert_eq!(world.vendor.line(""), "held");
        sync.kill().unwrap();
        sync.wait().unwrap();
        assert_eq!(world.vendor.ask("answer"), "answer");
    }
    assert_eq!(world.asked(), before + 2);
    world.ok(&["sync"]);
}

#[test]
fn processes_that_renew_at_once_take_turns() {
    let mut world = World::new();
    world.ok(&["connect", "crm"]);
    assert_eq!(world.vendor.ask("slow"), "slow");
    // Two that used one refresh token would cost the whole grant.
    let checks: Vec<Child> = (0..4)
        .map(|_| world.command(&["check"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
        .collect();
    for mut check in checks {
        assert!(check.wait().unwrap().success());
    }
    world.ok(&["check"]);
}

#[test]
fn a_stolen_token_needs_a_person_and_the_vendor_is_left_alone_until_then() {
    let mut world = World::new();
    world.ok(&["connect", "crm"]);
    world.ok(&["sync"]);
    // Somebody uses an old refresh token: the vendor takes all of them back.
    assert_eq!(world.vendor.ask("reuse"), "invalid_grant");
    let refused = world.run(&["sync"]);
    assert_eq!(refused.code, 3, "{}", refused.all());
    assert!(refused.stderr.contains("run `tributary connect crm`"), "{}", refused.stderr);
    let asked = world.asked();
    for arguments in [["sync", "crm"], ["check", "crm"]] {
        let again = world.run(&arguments);
        assert_eq!(again.code, 3, "{}", again.all());
        assert!(again.all().contains("run `tributary connect crm`"), "{}", again.all());
    }
    assert_eq!(world.asked(), asked, "nothing was asked again");
    let sign_in = || {
        let status = world.ok(&["status", "--format", "json"]);
        serde_json::from_str::<Value>(&status.stdout).unwrap()["sign_ins"][0].clone()
    };
    let why = sign_in()["needs_authorization"].as_str().unwrap().to_owned();
    assert!(why.contains("run `tributary connect crm`"), "{why}");
    world.ok(&["connect", "crm"]);
    assert_eq!(sign_in()["needs_authorization"], Value::Null);
    assert_eq!(sign_in()["scopes"], serde_json::json!(["openid", "crm.read"]));
    world.ok(&["sync"]);
}

#[test]
fn a_server_without_a_browser_takes_what_is_pasted() {
    let world = World::new();
    let mut command = world.command(&["connect", "crm", "--paste", "--port", "9"]);
    let piped = command.env("TRIBUTARY_LOG", "warn").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut connect = piped.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(connect.stderr.take().unwrap()).lines().map_while(Result::ok);
    let address = said.find(|line| line.starts_with("http://")).unwrap();
    let mut browser = Command::new("node");
    let browser = browser.arg(world.path("browser.mjs")).args([&address, "print"]).output().unwrap();
    connect.stdin.take().unwrap().write_all(&browser.stdout).unwrap();
    let output = connect.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", said.collect::<String>());
    world.ok(&["check", "crm"]);
}

#[test]
fn what_goes_wrong_on_the_way_is_said_and_nothing_is_kept() {
    let mut world = World::new();
    let check = |world: &World, wish: &str, arguments: &[&str], expected: &str| {
        let ran = world.wishing(wish, arguments);
        assert_eq!(ran.code, 1, "{wish}: {}", ran.all());
        assert!(ran.stderr.contains(expected), "{wish}: {}", ran.stderr);
    };
    check(&world, "deny", &["connect", "crm"], "access was denied (access_denied)");
    check(&world, "forge", &["connect", "crm"], "the answer belongs to another attempt");
    check(&world, "sleep", &["connect", "crm", "--timeout", "0"], "nobody signed in within 0 s");
    check(&world, "sleep", &["connect", "crm", "--paste"], "nothing was pasted");
    assert_eq!(world.asked(), 0);
    let key = world.path("tributary.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    check(&world, "allow", &["connect", "crm"], "is open to others (mode 644): chmod 600");
    assert_eq!(world.asked(), 0);
    let mut command = world.command(&["connect", "crm"]);
    let short = ran(command.env("TRIBUTARY_KEY", "short"));
    assert!(short.stderr.contains("TRIBUTARY_KEY has fewer than 16 characters"), "{}", short.stderr);
    assert_eq!(world.run(&["disconnect", "crm"]).code, 2);
}

#[test]
fn a_key_is_changed_and_a_lost_one_is_told() {
    let world = World::new();
    world.ok(&["connect", "crm"]);
    let key = world.path("tributary.key");
    let old = fs::read_to_string(&key).unwrap();
    let rotated = world.ok(&["key", "rotate"]);
    assert!(rotated.stderr.contains("sealed 1 token under the new key"), "{}", rotated.stderr);
    let new = fs::read_to_string(&key).unwrap();
    assert_eq!((old.lines().count(), new.lines().count()), (2, 2));
    assert_ne!(old, new);
    world.ok(&["check", "crm"]);

    // From the file into the environment, and on.
    let (first, second) = ("first-passphrase-of-mine", "second-passphrase-of-mine");
    let with = |arguments: &[&str], key: Option<&str>, new: Option<&str>| {
        let mut command = world.command(arguments);
        command.envs(key.map(|key| ("TRIBUTARY_KEY", key))).envs(new.map(|new| ("TRIBUTARY_NEW_KEY", new)));
        ran(&mut command)
    };
    assert_eq!(with(&["key", "rotate"], None, Some(first)).code, 0);
    assert_eq!(with(&["check"], Some(first), None).code, 0);
    assert_eq!(with(&["key", "rotate"], Some(first), None).code, 2);
    assert_eq!(with(&["key", "rotate"], Some(first), Some(second)).code, 0);
    for lost in [None, Some(first)] {
        let ran = with(&["check"], lost, None);
        assert_eq!(ran.code, 3, "{}", ran.all());
        assert!(ran.all().contains("does not open with this key"), "{}", ran.all());
        assert_eq!(with(&["key", "rotate"], lost, Some("a-third-passphrase")).code, 1);
    }
    assert_eq!(with(&["check"], Some(second), None).code, 0);
    world.ok(&["disconnect", "crm"]);
    let ran = with(&["check"], Some(second), None);
    assert!(ran.all().contains("not connected"), "{}", ran.all());
}

#[test]
fn a_change_of_keys_that_broke_off_leaves_both_working() {
    let world = World::new();
    world.ok(&["connect", "crm"]);
    let key = world.path("tributary.key");
    let old = fs::read_to_string(&key).unwrap();
    let old = old.lines().last().unwrap();
    // As it stands between the two writes of a change.
    let both = |first: &str, second: &str| fs::write(&key, format!("{first}\n{second}\n")).unwrap();
    both("a new one that seals nothing yet", old);
    world.ok(&["check", "crm"]);
    world.ok(&["key", "rotate"]);
    world.ok(&["check", "crm"]);
    assert_eq!(fs::read_to_string(&key).unwrap().lines().count(), 2);
}

#[test]
fn a_token_that_dies_under_way_is_renewed_under_way() {
    let mut world = World::new();
    let file = world.path("tributary.toml");
    let configuration = fs::read_to_string(&file).unwrap();
    // A sync of some seconds, with tokens of three.
    fs::write(file, format!("{configuration}requests_per_second = 5\n")).unwrap();
    world.ok(&["connect", "crm"]);
    let before = world.asked();
    world.ok(&["sync"]);
    let renewals = world.asked() - before;
    assert!(renewals >= 2, "{renewals}");
}

/// Signs in by a grant that asks nobody, until the token has died and was renewed.
async fn signs_in(world: &World, grant: Grant, path: &str, by: &str) {
    let settings = Settings { source: "crm".to_owned(), ..Settings::default() };
    let oauth = OAuth::by(grant, &settings, "service", format!("{}/{path}", world.address));
    let oauth = OAuth {
        client_secret: Some(SecretString::from("canary-client-secret")),
        scopes: vec!["crm.read".to_owned()],
        ..oauth
    };
    let clock = Arc::new(AtomicI64::new(0));
    let shift = Arc::clone(&clock);
    let now = move || {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Time(now.as_micros() as i64 + shift.load(Ordering::SeqCst))
    };
    let environment = Environment::new(Arc::new(now));
    let tokens = Arc::clone(&environment.tokens);
    let auth = Auth::Login(Arc::new(oauth));
    let http = Http::new(Api { auth, ..Api::new(world.address.clone()) }, &environment).unwrap();
    for _ in 0..2 {
        let response = http.send(&Request::get("crm/owners/2026-09")).await;
        assert_eq!(response.unwrap_or_else(|error| panic!("{by}: {error}")).status, 200);
        // Our clock says that it has died, whatever the vendor's says.
        clock.fetch_add(3_000_000, Ordering::SeqCst);
    }
    let kept = tokens.take("crm").await.unwrap().unwrap();
    assert_eq!(kept.scopes, ["crm.read"]);
    assert!(kept.refresh_token.is_none() && kept.refused.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_signs_in_for_itself() {
    let mut world = tokio::task::block_in_place(World::new);
    signs_in(&world, Grant::ClientCredentials, "token", "client credentials").await;
    assert_eq!(world.seen().0, ["client_credentials", "client_credentials"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_assertion_signs_in() {
    let mut world = tokio::task::block_in_place(World::new);
    let assertion = |audience: &str| {
        Grant::JwtBearer(Assertion {
            issuer: "service".to_owned(),
            subject: None,
            audience: format!("{}/{audience}", world.address),
            key: SecretString::from(fs::read_to_string(world.path("private.pem")).unwrap()),
        })
    };
    signs_in(&world, assertion("token"), "assertion", "an assertion").await;
    let foreign = assertion("elsewhere");
    let settings = Settings { source: "crm".to_owned(), ..Settings::default() };
    let oauth = OAuth::by(foreign, &settings, "service", format!("{}/assertion", world.address));
    let auth = Auth::Login(Arc::new(oauth));
    let environment = Environment::new(Arc::new(|| Time(1)));
    let http = Http::new(Api { auth, ..Api::new(world.address.clone()) }, &environment).unwrap();
    let error = http.send(&Request::get("crm/owners/2026-09")).await.unwrap_err();
    assert_eq!(error.next, NextStep::Reauthorize);
    assert_eq!(world.asked(), 3);
}
