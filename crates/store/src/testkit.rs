//! Throw-away stores for tests: SQLite in a temporary folder, and a real Postgres from the system's own package.
//!
//! One Postgres server serves every test process that runs at the same time, each test in a schema of its own. It
//! is started by the first and stops by itself a few seconds after the last; its data lie in the temporary folder.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

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
    /// Has Postgres's own client run some statements.
    fn query(&self, sql: &str) {
        let port = self.port.to_string();
        let place = ["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-d", "postgres"];
        let strictly = ["-q", "-v", "ON_ERROR_STOP=1", "-c", sql];
        run(Command::new(self.programs.join("psql")).args(place).args(strictly));
    }

    fn shared() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(Self::find_or_start)
    }

    fn find_or_start() -> Self {
        let programs = programs();
        let user = fs::metadata("/proc/self").expect("the process").uid();
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

/// Makes a new cluster, starts it, and leaves a watcher behind that stops it when nobody holds the lock.
fn start(programs: &Path, folder: &Path, is_root: bool) -> u16 {
    let data = folder.join("data");
    let _ = fs::remove_dir_all(&data);
    fs::create_dir(&data).expect("a folder for the data");
    if is_root {
        // Postgres refuses to run as root.
        run(Command::new("chown").arg("postgres").arg(&data));
    }
    let as_user = |program: &str| {
        let mut command = Command::new(if is_root { "runuser" } else { "env" });
        if is_root {
            command.args(["-u", "postgres", "--"]);
        }
        command.arg(programs.join(program)).current_dir("/");
        command
    };
    let cluster = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"];
    run(as_user("initdb").arg("-D").arg(&data).args(cluster));
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
    let options = format!(
        "-p {port} -k {} -c listen_addresses=127.0.0.1 -c fsync=off -c synchronous_commit=off \
         -c full_page_writes=off -c max_connections=300",
        data.display()
    );
    let log = data.join("log");
    run(as_user("pg_ctl")
        .args(["-w", "-D"])
        .arg(&data)
        .arg("-l")
        .arg(&log)
        .arg("-o")
        .arg(options)
        .arg("start"));
    fs::write(folder.join("port"), port.to_string()).expect("the port on disk");
    let stop = if is_root { "runuser -u postgres --" } else { "env" };
    let watch = format!(
        "while sleep 5; do exec 9>starting; flock 9; if flock -n in-use true; then cd /; \
         {stop} '{programs}/pg_ctl' -D '{data}' -m immediate stop; rm -rf '{data}' '{folder}/port'; exit; fi; \
         exec 9>&-; done",
        programs = programs.display(),
        data = data.display(),
        folder = folder.display(),
    );
    let mut watcher = Command::new("setsid");
    watcher.args(["-f", "sh", "-c", &watch]).current_dir(folder);
    run(watcher.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()));
    port
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

    /// Makes the store look as if something else had made its tables.
    pub async fn pretend_foreign(&self) -> Result<(), crate::StoreError> {
        let mut tx = self.begin().await?;
        tx.script("drop table schema_version").await?;
        tx.commit().await
    }
}
