//! Throw-away stores for tests: SQLite in a temporary folder, and a real Postgres from the system's own package.
//!
//! One Postgres server serves every test process that runs at the same time, each test in a schema of its own. It
//! is started by the first and stops by itself a few seconds after the last; its data lie in the temporary folder.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, Permissions};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use crate::Store;
use crate::db::Link;

/// A store of its own for one test.
pub struct TestStore {
    /// The store.
    pub store: Store,
    /// Its address, for a second connection or another process.
    pub url: String,
    /// `sqlite` or `postgres`, for messages.
    pub kind: &'static str,
    _folder: Option<tempfile::TempDir>,
}

impl std::ops::Deref for TestStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

static STANDS_STILL: AtomicBool = AtomicBool::new(false);

/// Has a paused clock stand still while a store of this process works, from now on: then a week may pass in a minute,
/// and no query seems to take a day.
pub fn stand_still() {
    STANDS_STILL.store(true, Ordering::Relaxed);
}

pub(crate) fn stands_still() -> bool {
    STANDS_STILL.load(Ordering::Relaxed)
}

/// An empty store on each database.
pub async fn stores() -> [TestStore; 2] {
    [sqlite().await, postgres().await]
}

/// An empty store on SQLite.
pub async fn sqlite() -> TestStore {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite:{}", folder.path().join("tributary.db").display());
    let store = Store::open(&url).await.expect("an empty SQLite store");
    TestStore { store, url, kind: "sqlite", _folder: Some(folder) }
}

/// An empty store on Postgres.
pub async fn postgres() -> TestStore {
    let url = postgres_url();
    let store = Store::open(&url).await.expect("an empty Postgres store");
    TestStore { store, url, kind: "postgres", _folder: None }
}

/// The address of an empty schema on Postgres, where no store was opened yet.
///
/// # Panics
///
/// If Postgres is not installed: a test that needs it must fail, not pass unseen.
pub fn postgres_url() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let server = Server::shared();
    let schema = format!("t{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let sql = format!("drop schema if exists {schema} cascade; create schema {schema}");
    server.query(&sql);
    let port = server.port;
    format!("postgres://postgres@127.0.0.1:{port}/postgres?options[search_path]={schema}")
}

/// Ends all connections to Postgres of one application, which its address names, as a restart of the server would.
pub fn cut_connections(application: &str) {
    Server::shared().query(&format!(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = '{application}'"
    ));
}

/// The server that this process uses, and keeps alive by holding its lock.
struct Server {
    programs: PathBuf,
    port: u16,
    _in_use: File,
}

impl Server {
    fn query(&self, sql: &str) {
        query(&self.programs, self.port, sql);
    }

    fn shared() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(Self::find_or_start)
    }

    fn find_or_start() -> Self {
        let programs = programs();
        let user = user();
        let folder = std::env::temp_dir().join(format!("tributary-test-postgres-{user}"));
        fs::create_dir_all(&folder).expect("a folder for Postgres");
        let in_use = lock_file(&folder.join("in-use"));
        in_use.lock_shared().expect("a shared lock");
        let starting = lock_file(&folder.join("starting"));
        starting.lock().expect("a lock");
        let known = fs::read_to_string(folder.join("port")).ok().and_then(|text| text.trim().parse().ok());
        let port = match known.filter(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok()) {
            Some(port) => port,
            None => start(&programs, &folder, user == 0),
        };
        drop(starting);
        Self { programs, port, _in_use: in_use }
    }
}

/// Has Postgres's own client run some statements.
fn query(programs: &Path, port: u16, sql: &str) {
    let port = port.to_string();
    let place = ["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-d", "postgres"];
    let strictly = ["-q", "-v", "ON_ERROR_STOP=1", "-c", sql];
    run(Command::new(programs.join("psql")).args(place).args(strictly));
}

/// Makes a new cluster, starts it, and leaves a watcher behind that stops it when nobody holds the lock.
fn start(programs: &Path, folder: &Path, is_root: bool) -> u16 {
    let data = folder.join("data");
    let _ = fs::remove_dir_all(&data);
    let cluster = Cluster::make(programs, data, is_root);
    run(&mut cluster.start());
    fs::write(folder.join("port"), cluster.port.to_string()).expect("the port on disk");
    let stop = if is_root { "runuser -u postgres --" } else { "env" };
    let watch = format!(
        "while sleep 5; do exec 9>starting; flock 9; if flock -n in-use true; then cd /; \
         {stop} '{programs}/pg_ctl' -D '{data}' -m immediate stop; rm -rf '{data}' '{folder}/port'; exit; fi; \
         exec 9>&-; done",
        programs = programs.display(),
        data = cluster.data.display(),
        folder = folder.display(),
    );
    let mut watcher = Command::new("setsid");
    watcher.args(["-f", "sh", "-c", &watch]).current_dir(folder);
    run(watcher.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()));
    cluster.port
}

/// A server's data on disk, and where it listens when it runs.
struct Cluster {
    programs: PathBuf,
    data: PathBuf,
    port: u16,
    is_root: bool,
}

impl Cluster {
    fn make(programs: &Path, data: PathBuf, is_root: bool) -> Self {
        fs::create_dir(&data).expect("a folder for the data");
        if is_root {
            // Postgres refuses to run as root.
            run(Command::new("chown").arg("postgres").arg(&data));
        }
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let cluster = Self { programs: programs.to_owned(), data, port, is_root };
        let habits = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"];
        run(cluster.as_user("initdb").args(habits));
        cluster
    }

    /// One of the server's programs, on this cluster's data.
    fn as_user(&self, program: &str) -> Command {
        let mut command = Command::new(if self.is_root { "runuser" } else { "env" });
        if self.is_root {
            command.args(["-u", "postgres", "--"]);
        }
        command.arg(self.programs.join(program)).arg("-D").arg(&self.data).current_dir("/");
        command
    }

    fn start(&self) -> Command {
        let (port, data) = (self.port, self.data.display());
        let options = format!(
            "-p {port} -k {data} -c listen_addresses=127.0.0.1 -c fsync=off -c synchronous_commit=off \
             -c full_page_writes=off -c max_connections=300"
        );
        let mut command = self.as_user("pg_ctl");
        command.arg("-w").arg("-l").arg(self.data.join("log")).arg("-o").arg(options).arg("start");
        command
    }
}

/// A Postgres of one test's own, which can die and come back.
pub struct OwnPostgres {
    cluster: Cluster,
    _folder: tempfile::TempDir,
}

impl OwnPostgres {
    /// A new server, which runs.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Its user is another one.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755))
            .expect("a folder that all may enter");
        let cluster = Cluster::make(&programs(), folder.path().join("data"), user() == 0);
        run(&mut cluster.start());
        Self { cluster, _folder: folder }
    }

    /// The address of its only database.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.cluster.port)
    }

    /// Has the server write what was committed.
    pub fn keep(&self) {
        query(&self.cluster.programs, self.cluster.port, "checkpoint");
    }

    /// Ends the server as a machine that crashes would: what it had not written is lost.
    pub fn kill(&self) {
        let pid = fs::read_to_string(self.cluster.data.join("postmaster.pid")).expect("a server that runs");
        run(Command::new("kill").arg("-9").arg(pid.lines().next().unwrap_or_default()));
    }

    /// Starts it again, once what is left of the killed one is gone.
    pub fn restart(&self) {
        for _ in 0..100 {
            let started = self
                .cluster
                .start()
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            if started.is_ok_and(|status| status.success()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the server does not start: {:?}", fs::read_to_string(self.cluster.data.join("log")));
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        // Whether it runs or not.
        let mut stop = self.cluster.as_user("pg_ctl");
        let stop = stop.args(["-m", "immediate", "stop"]).stdin(Stdio::null()).stdout(Stdio::null());
        let _ = stop.stderr(Stdio::null()).status();
    }
}

fn user() -> u32 {
    fs::metadata("/proc/self").expect("the process").uid()
}

/// Where Debian and others put the server's programs.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = versions.map(|version| version.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = debian.chain(std::env::split_paths(&path)).collect();
    places.retain(|place| ["initdb", "pg_ctl", "psql"].iter().all(|program| place.join(program).exists()));
    let found = places.into_iter().next();
    found.expect("Postgres is not installed: run `apt-get install postgresql`")
}

fn lock_file(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).expect("a lock file")
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?} did not start: {error}"));
    assert!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
}

impl Store {
    /// Makes the store look as if another version of the program had written it.
    pub async fn pretend_version(&self, version: i64) -> Result<(), crate::StoreError> {
        let mut tx = self.begin().await?;
        tx.execute("update schema_version set version = $1", &[version.into()]).await?;
        tx.commit().await
    }

    /// How many rows each table holds, and on Postgres which transaction wrote one of them last: to see that nothing
    /// was written.
    pub async fn written(&self) -> Result<BTreeMap<String, (i64, i64)>, crate::StoreError> {
        let mut tx = self.read().await?;
        let (tables, last) = match &tx.link {
            Link::Sqlite(_) => ("select name from sqlite_master where type = 'table'", "0"),
            Link::Postgres(_) => (
                "select tablename::text from pg_tables where schemaname = current_schema()",
                "coalesce(max(xmin::text::bigint), 0)",
            ),
        };
        let mut out = BTreeMap::new();
        for table in tx.fetch(tables, &[]).await? {
            let table = table.text(0)?;
            let rows = tx.fetch(&format!("select count(*), {last} from {table}"), &[]).await?;
            for row in rows {
                out.insert(table.clone(), (row.int(0)?, row.int(1)?));
            }
        }
        Ok(out)
    }

    /// How many rows were written since a SQLite store was opened: to see that little was.
    pub async fn writes(&self) -> Result<i64, crate::StoreError> {
        let mut tx = self.begin().await?;
        let rows = tx.fetch("select total_changes()", &[]).await?;
        rows.first().map_or(Ok(0), |row| row.int(0))
    }

    /// Makes the store look as if something else had made its tables.
    pub async fn pretend_foreign(&self) -> Result<(), crate::StoreError> {
        let mut tx = self.begin().await?;
        tx.script("drop table schema_version").await?;
        tx.commit().await
    }
}
