//! `tenuto doctor`, and the start of roles, with set-ups that are broken in one way each: each is
//! reported in one line, with the cause and the remedy.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use event_store::EventStore;
use futures::StreamExt;
use postgres_cluster::testing::{OwnCluster, TlsFiles, loopback_address};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tls::testing::{Authority, Files};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command as Spawned;
use tokio::time::timeout;

use crate::process::{Process, binary};
use crate::security::{Certificates, text};

/// The promised time of the command.
const PROMISED: Duration = Duration::from_secs(5);
/// The longest that a role may take until it reports its fault.
const START: Duration = Duration::from_mins(1);
/// How many set-ups are tried at once.
const AT_ONCE: usize = 4;
/// The password of every user. No output has it.
const PASSWORD: &str = "s3cret-of-all";
const NO_HOST: &str = "no-such-host.invalid";
/// Who may connect: all of them with TLS and a password.
const ACCESS: &str = "local all all trust\nhostssl all owner,reader,frozen,late all scram-sha-256\n";

/// A broken set-up.
struct Broken {
    name: &'static str,
    /// The role, with its options.
    role: Vec<String>,
    environment: Vec<(String, String)>,
    /// What a line of `tenuto doctor` has.
    found: Vec<&'static str>,
    /// What a line of the role has when it starts. Empty: the role starts without noticing.
    told: Vec<&'static str>,
}

/// Servers that work, and files.
struct World {
    /// A disk that is nearly full. `None`: this user may not make one. Dropped before the folder
    /// that it is in.
    small: Option<SmallDisk>,
    certificates: Certificates,
    /// The node, with TLS and users.
    node: (Process, String),
    /// The same with a certificate that has expired.
    expired: (Process, String),
    /// A node without TLS, whose orders have another prefix.
    prefixed: (Process, String),
    postgres: String,
    _cluster: OwnCluster,
    /// An address that another program listens on.
    taken: TcpListener,
    /// An address that nothing listens on.
    closed: SocketAddr,
}

/// A disk in memory that is smaller than what the node keeps free.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Option<Self> {
        std::fs::create_dir(&at).unwrap();
        let options = ["-t", "tmpfs", "-o", "size=64m", "tmpfs", text(&at)];
        let is_mounted = Command::new("mount").args(options).output().is_ok_and(|output| output.status.success());
        is_mounted.then(|| Self(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A node that was killed may still be ending, so the disk goes when it has.
        let _ = Command::new("umount").args(["-l", text(&self.0)]).output();
    }
}

impl World {
    async fn new() -> Self {
        let certificates = Certificates::new();
        let folder = certificates.folder.path();
        let address = loopback_address();
        let issued = certificates.authority.issue("postgres", &[&address.to_string()]);
        let client_ca = certificates.authority.certificate().to_owned();
        let files = TlsFiles { certificate: issued.certificate, key: issued.key, client_ca };
        let cluster = OwnCluster::on_the_network(&[address], Some(&files), ACCESS).await.unwrap();
        fill(cluster.url()).await;
        let password = folder.join("password");
        std::fs::write(&password, PASSWORD).unwrap();
        let past = "2020-01-01T00:00:00Z".parse().unwrap();
        let old = certificates.authority.issue_until("node", &["127.0.0.1"], past).files(folder, "old");
        let main = node(folder, "log", Some((&certificates.listener, &password)));
        let expired = node(folder, "old log", Some((&old, &password)));
        let prefixed = node(folder, "prefixed log", None);
        let other = EventStore::connect(&format!("esdb://{}?tls=false", prefixed.1)).unwrap();
        other.begin(Some("shop-order-")).await.unwrap();
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let postgres = address.to_string();
        let small = SmallDisk::mount(folder.join("small"));
        Self { certificates, node: main, expired, prefixed, postgres, _cluster: cluster, taken, closed, small }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.certificates.folder.path().join(name)
    }

    /// Writes a file, and returns its path.
    fn file(&self, name: &str, content: &str) -> String {
        std::fs::write(self.path(name), content).unwrap();
        text(&self.path(name)).to_owned()
    }

    /// The connection string of a node, with these credentials, and an authority of its
    /// certificate.
    fn log(credentials: &str, node: &str, authority: &Path) -> String {
        format!("esdb://{credentials}{node}?tls=true&tlsCAFile={}", text(authority))
    }

    fn good_log(&self) -> String {
        Self::log(&format!("admin:{PASSWORD}@"), &self.node.1, &self.certificates.root)
    }

    /// The URL of a database, as a user.
    fn database(&self, user: &str, name: &str) -> String {
        self.database_with(user, PASSWORD, name, "verify-full", &self.certificates.root)
    }

    fn database_with(&self, user: &str, password: &str, name: &str, mode: &str, authority: &Path) -> String {
        let Self { postgres, .. } = self;
        format!("postgres://{user}:{password}@{postgres}/{name}?sslmode={mode}&sslrootcert={}", text(authority))
    }

    fn good_database(&self) -> String {
        self.database("owner", "good")
    }

    /// A set-up that works, but for what the caller changes.
    fn with(&self, name: &'static str, role: &[&str], changed: &[(&str, String)]) -> Broken {
        let mut environment = vec![
            ("TENUTO_EVENTSTORE".to_owned(), self.good_log()),
            ("TENUTO_POSTGRES".to_owned(), self.good_database()),
        ];
        environment.retain(|(name, _)| !changed.iter().any(|(changed, _)| changed.strip_suffix("_FILE") == Some(name)));
        environment.extend(changed.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let role = role.iter().map(|&word| word.to_owned()).collect();
        Broken { name, role, environment, found: Vec::new(), told: Vec::new() }
    }

    /// A query API with these options and settings.
    fn queries(&self, name: &'static str, options: &[&str], changed: &[(&str, String)]) -> Broken {
        let listen: &[&str] = if options.contains(&"--listen") { &[] } else { &["--listen", "127.0.0.1:0"] };
        self.with(name, &[&["query-api"], listen, options].concat(), changed)
    }
}

impl Broken {
    /// What both report.
    fn says(self, parts: &[&'static str]) -> Self {
        self.finds(parts).tells(parts)
    }

    fn finds(self, parts: &[&'static str]) -> Self {
        Self { found: parts.to_vec(), ..self }
    }

    fn tells(self, parts: &[&'static str]) -> Self {
        Self { told: parts.to_vec(), ..self }
    }

    fn command(&self, before: &[&str]) -> Spawned {
        let mut command = binary();
        command.args(before).args(&self.role).envs(self.environment.iter().cloned()).env("TENUTO_LOG", "warn");
        spawned(command)
    }

    /// Checks what both report, and returns what is wrong with that.
    async fn tried(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let name = self.name;
        let output = self.command(&["doctor"]).env_remove("TENUTO_LOG").output();
        let output = timeout(PROMISED, output).await.unwrap_or_else(|_| panic!("{name}: it takes too long")).unwrap();
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8(printed).unwrap();
        let faults = printed.lines().filter(|line| line.trim_start().starts_with("fault"));
        if output.status.code() != Some(1) || !faults.into_iter().any(|line| has(line, &self.found)) {
            wrong.push(format!("{name}: the doctor does not find {:?}:\n{printed}", self.found));
        }
        let mut told = String::new();
        if !self.told.is_empty() {
            let mut role = self.command(&[]).spawn().unwrap();
            let mut lines = BufReader::new(role.stderr.take().unwrap()).lines();
            let reported = async {
                while let Some(line) = lines.next_line().await.unwrap() {
                    told.extend([line.as_str(), "\n"]);
                    if has(&line, &self.told) {
                        return true;
                    }
                }
                false
            };
            if timeout(START, reported).await != Ok(true) {
                wrong.push(format!("{name}: the role does not report {:?}:\n{told}", self.told));
            }
        }
        if printed.contains(PASSWORD) || told.contains(PASSWORD) {
            wrong.push(format!("{name}: a password is printed:\n{printed}{told}"));
        }
        wrong
    }
}

fn has(line: &str, parts: &[&str]) -> bool {
    parts.iter().all(|part| line.contains(part))
}

fn spawned(command: Command) -> Spawned {
    let mut command = Spawned::from(command);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

fn node(folder: &Path, name: &str, secured: Option<(&Files, &Path)>) -> (Process, String) {
    let data = folder.join(name);
    let mut arguments = vec!["event-store", "--listen", "127.0.0.1:0", "--data", text(&data)];
    if let Some((Files { certificate, key }, password)) = secured {
        arguments.extend(["--tls-certificate", text(certificate), "--tls-key", text(key)]);
        arguments.extend(["--admin-password-file", text(password)]);
    }
    let process = Process::start(&arguments, &[]);
    let printed = process.line_after("the log at esdb://");
    let at = printed.split('?').next().unwrap().to_owned();
    (process, at)
}

/// Databases, and users with and without rights.
async fn fill(url: &str) {
    let execute = async |url: &str, statements: &str| {
        let mut db = PgConnection::connect(url).await.unwrap();
        for statement in statements.split(";\n") {
            sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut db).await.unwrap();
        }
    };
    let users = format!(
        "CREATE ROLE owner LOGIN PASSWORD '{PASSWORD}';
         CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}';
         CREATE ROLE frozen LOGIN PASSWORD '{PASSWORD}' IN ROLE owner;
         ALTER ROLE frozen SET default_transaction_read_only = on;
         CREATE ROLE late LOGIN PASSWORD '{PASSWORD}' IN ROLE owner;
         ALTER ROLE late SET search_path = fake, public, pg_catalog;
         CREATE DATABASE good OWNER owner;
         CREATE DATABASE newer OWNER owner"
    );
    execute(url, &users).await;
    // One of the users reads the time from here.
    execute(
        &url.replace("/test", "/good"),
        "CREATE SCHEMA fake AUTHORIZATION owner;
         CREATE FUNCTION fake.clock_timestamp() RETURNS timestamptz LANGUAGE sql
             AS 'SELECT pg_catalog.clock_timestamp() + make_interval(secs => 90)'",
    )
    .await;
    execute(
        &url.replace("/test", "/newer"),
        "CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, description text NOT NULL,
             installed_on timestamptz NOT NULL DEFAULT now(), success boolean NOT NULL, checksum bytea NOT NULL,
             execution_time bigint NOT NULL);
         ALTER TABLE _sqlx_migrations OWNER TO owner;
         INSERT INTO _sqlx_migrations VALUES (9999, 'of a later version', now(), true, '', 0)",
    )
    .await;
}

fn broken_logs(world: &World) -> Vec<Broken> {
    let World { certificates, node, expired, prefixed, closed, .. } = world;
    let root = &certificates.root;
    let elsewhere = world.path("other");
    std::fs::create_dir(&elsewhere).unwrap();
    let unknown = Authority::new().file(&elsewhere);
    let admin = format!("admin:{PASSWORD}@");
    let queries = |name, log: String| world.queries(name, &[], &[("TENUTO_EVENTSTORE", log)]);
    let prefix = [("TENUTO_EVENTSTORE", format!("esdb://{}?tls=false", prefixed.1))];
    let handler = ["command-handler", "--listen", "127.0.0.1:0", "--stream-prefix", "mine-"];
    vec![
        queries("the log refuses", format!("esdb://{closed}?tls=false"))
            .says(&["refuses the connection", "start the server"]),
        queries("the log's host is unknown", format!("esdb://{NO_HOST}?tls=false")).says(&[
            NO_HOST,
            "is not found",
            "correct its name",
        ]),
        queries("the log needs TLS", format!("esdb://{admin}{}?tls=false", node.1)).says(&["remove tls=false"]),
        queries("the log has no TLS", format!("esdb://{}?tls=true&tlsVerifyCert=false", prefixed.1))
            .says(&["add tls=false"]),
        queries("the log's authority is unknown", World::log(&admin, &node.1, &unknown))
            .says(&["authority that is not trusted", "tlsCAFile=FILE"]),
        queries("the log's certificate has expired", World::log(&admin, &expired.1, root))
            .says(&["has expired", "renew it on the server"]),
        queries("the log's password is wrong", World::log("admin:wrong@", &node.1, root))
            .says(&["does not accept the user admin", "correct USER:PASSWORD"]),
        queries("the log needs a user", World::log("", &node.1, root)).says(&["requires a user", "USER:PASSWORD@"]),
        queries("the log's connection string is none", "http://127.0.0.1".to_owned())
            .says(&["the scheme http is unknown", "esdb"]),
        queries("the log's authority is no file", World::log(&admin, &node.1, Path::new("/missing.pem"))).says(&[
            "tlsCAFile",
            "/missing.pem",
            "cannot be read",
        ]),
        world.with("the log has another prefix", &handler, &prefix).says(&[
            "--stream-prefix",
            "shop-order-",
            "leave the option out",
        ]),
    ]
}

fn broken_databases(world: &World) -> Vec<Broken> {
    let (root, closed) = (&world.certificates.root, world.closed);
    let unknown = world.path("other").join("authority.pem");
    let queries = |name, url: String| world.queries(name, &[], &[("TENUTO_POSTGRES", url)]);
    let with = |password, mode, authority| world.database_with("owner", password, "good", mode, authority);
    vec![
        queries("Postgres refuses", format!("postgres://owner@{closed}/good"))
            .says(&["refuses the connection", "start the server"]),
        queries("the host of Postgres is unknown", format!("postgres://owner@{NO_HOST}/good")).says(&[
            NO_HOST,
            "is not found",
            "correct the URL",
        ]),
        queries("the password of Postgres is wrong", with("wrong", "verify-full", root))
            .says(&["password authentication failed", "correct USER:PASSWORD"]),
        queries("Postgres needs TLS", with(PASSWORD, "disable", root)).says(&["no encryption", "sslmode=require"]),
        queries("the authority of Postgres is unknown", with(PASSWORD, "verify-full", &unknown))
            .says(&["authority that is not trusted", "sslrootcert=FILE"]),
        queries("the database does not exist", world.database("owner", "missing"))
            .says(&["does not exist", "CREATE DATABASE"]),
        queries("the user has no entry", world.database("stranger", "good")).says(&["add a line", "pg_hba.conf"]),
        queries("the URL of Postgres is none", "good".to_owned()).says(&["postgres://USER@HOST:PORT/DATABASE"]),
        queries("the user writes nothing", world.database("frozen", "good"))
            .says(&["read-only", "default_transaction_read_only to off"]),
        queries("the user has no right", world.database("reader", "good"))
            .finds(&["may not create tables", "GRANT CREATE"])
            .tells(&["permission denied", "grant this user the right"]),
        queries("the schema is of a later version", world.database("owner", "newer")).says(&[
            "a later version of Tenuto",
            "9999",
            "install that version",
        ]),
        queries("the clocks differ", world.database("late", "good")).finds(&[
            "clock of Postgres",
            " s ahead of",
            "NTP",
        ]),
    ]
}

fn broken_listeners(world: &World) -> Vec<Broken> {
    let folder = world.certificates.folder.path();
    let taken = world.taken.local_addr().unwrap().to_string();
    let Files { certificate, key } = &world.certificates.listener;
    let past = "2020-01-01T00:00:00Z".parse().unwrap();
    let old = world.certificates.authority.issue_until("own", &["127.0.0.1"], past).files(folder, "expired");
    let pair = |certificate: &Path, key: &Path| {
        let named = |path: &Path| text(path).to_owned();
        [("TENUTO_TLS_CERTIFICATE", named(certificate)), ("TENUTO_TLS_KEY", named(key))]
    };
    let data = world.path("unused");
    let node = ["event-store", "--listen", &taken, "--data", text(&data)];
    vec![
        world.queries("the port is taken", &["--listen", &taken], &[]).says(&["in use", "choose another address"]),
        world.with("the node's port is taken", &node, &[]).says(&["in use", "choose another address"]),
        world
            .queries("the listener is open", &["--listen", "0.0.0.0:0"], &[])
            .says(&["reached from other machines", "--access"]),
        world.queries("the certificate is missing", &[], &pair(Path::new("/missing.pem"), key)).says(&[
            "--tls-certificate",
            "/missing.pem",
            "cannot be read",
        ]),
        world
            .queries("the key is of another certificate", &[], &pair(certificate, &old.key))
            .says(&["--tls-key", "cannot be used together"]),
        world
            .queries("the certificate has expired", &[], &pair(&old.certificate, &old.key))
            .says(&["expired.pem has expired", "renew it"]),
        world.queries("the address is none", &["--listen", "nowhere"], &[]).says(&["'nowhere'", "--listen"]),
    ]
}

fn other_faults(world: &World) -> Vec<Broken> {
    let closed = world.closed;
    let access = |name: &str, content: &str| [("TENUTO_ACCESS", world.file(name, content))];
    let issuer = format!(
        "[issuers.company]\nurl = \"http://{closed}\"\naudiences = [\"tenuto\"]\nroles = {{ a = [\"viewer\"] }}\n"
    );
    std::fs::create_dir(world.path("workflows")).unwrap();
    let workflow =
        "workflow: tax\nversion: 1\nparticipants: { tax: { url: '${TAX_URL}' } }\nsteps: { a: { call: tax.a } }\n";
    world.file("workflows/tax.yaml", workflow);
    let folder = world.path("workflows");
    let handler = ["command-handler", "--listen", "127.0.0.1:0", "--workflows", text(&folder)];
    let data = world.path("password").join("data");
    let node = ["event-store", "--listen", "127.0.0.1:0", "--data", text(&data)];
    let full = world.small.as_ref().map(|disk| {
        let data = disk.0.join("data");
        let node = ["event-store", "--listen", "127.0.0.1:0", "--data", text(&data)];
        world.with("the disk is nearly full", &node, &[]).says(&["256 MiB", "make room, or move the folder"])
    });
    if full.is_none() {
        eprintln!("no disk can be mounted here: what a full one does is not tested");
    }
    let others = vec![
        world.queries("the access file is faulty", &[], &access("faulty.toml", "issuers = 3\n")).says(&[
            "access file",
            "faulty.toml",
            "line 1",
        ]),
        world.queries("the access file is missing", &[], &[("TENUTO_ACCESS", "/missing.toml".to_owned())]).says(&[
            "access file",
            "/missing.toml",
            "name another one",
        ]),
        world.queries("the issuer is away", &[], &access("away.toml", &issuer)).says(&[
            "the issuer does not answer",
            "refuses the connection",
            "start the server",
        ]),
        world.queries("a secret is missing", &[], &[("TENUTO_POSTGRES_FILE", "/missing".to_owned())]).says(&[
            "TENUTO_POSTGRES",
            "/missing",
            "cannot be read",
            "correct",
        ]),
        world.with("a participant has no address", &handler, &[]).says(&["TAX_URL has no value", "set TAX_URL"]),
        world.with("a participant is away", &handler, &[("TAX_URL", format!("http://{closed}"))]).finds(&[
            "participant tax",
            "refuses the connection",
            "start the server",
        ]),
        world
            .with("the data folder cannot be made", &node, &[])
            .finds(&["cannot be made or written", "--data"])
            .tells(&["cannot be made", "choose a folder"]),
    ];
    others.into_iter().chain(full).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_broken_set_up_is_reported_with_the_cause_and_the_remedy_by_the_doctor_and_at_the_start() {
    let world = World::new().await;
    let mut broken = broken_logs(&world);
    broken.extend(broken_databases(&world));
    broken.extend(broken_listeners(&world));
    broken.extend(other_faults(&world));
    assert!(broken.len() >= 20, "{}", broken.len());
    let wrong: Vec<Vec<String>> =
        futures::stream::iter(&broken).map(Broken::tried).buffer_unordered(AT_ONCE).collect().await;
    assert!(wrong.iter().all(Vec::is_empty), "{}", wrong.concat().join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_up_that_works_has_no_fault_before_and_while_its_roles_run() {
    let world = World::new().await;
    let queries = world.queries("good", &[], &[]);
    let checked = async |options: &[&str], role: &[&str]| {
        let mut command = binary();
        command.arg("doctor").args(options).args(role).envs(queries.environment.iter().cloned());
        let output = timeout(PROMISED, spawned(command).output()).await.expect("it takes too long").unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{printed}");
        printed
    };
    let printed = checked(&["--write", "--json"], &["query-api", "--listen", "127.0.0.1:0"]).await;
    let report: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((&report["faults"], &report["warnings"]), (&0.into(), &0.into()), "{report:#}");
    let found: Vec<&str> =
        report["findings"].as_array().unwrap().iter().map(|finding| finding["checked"].as_str().unwrap()).collect();
    for checked in ["log", "clock of the log", "append to the log", "Postgres", "schema of the views", "open files"] {
        assert!(found.contains(&checked), "{checked}: {report:#}");
    }
    // All roles of a file, without options.
    let file = world.file("tenuto.toml", "[command-handler]\nlisten = \"127.0.0.1:0\"\n[projector]\n");
    let printed = checked(&["--config", &file], &[]).await;
    assert!(printed.contains("it may be read and appended to"), "{printed}");

    let settings: Vec<(&str, &str)> =
        queries.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let role = Process::start(&["query-api", "--listen", "127.0.0.1:0"], &settings);
    let address = role.line_after("queries at http://").trim_end_matches("/graphql").to_owned();
    let printed = checked(&[], &["query-api", "--listen", &address]).await;
    assert!(printed.contains("a running role answers there"), "{printed}");
}

/// Their ports accept connections, and nothing is answered.
#[tokio::test(flavor = "multi_thread")]
async fn servers_that_never_answer_are_reported_within_the_promised_time() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = silent.local_addr().unwrap();
    let mut command = binary();
    command.args(["doctor", "projector"]).env("TENUTO_EVENTSTORE", format!("esdb://{at}?tls=false"));
    command.env("TENUTO_POSTGRES", format!("postgres://owner@{at}/good"));
    let output = timeout(PROMISED, spawned(command).output()).await.expect("it takes too long").unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{printed}");
    for server in ["log", "Postgres"] {
        let line = printed.lines().find(|line| line.contains("fault") && line.contains(server));
        assert!(line.is_some_and(|line| line.contains("does the network reach it?")), "{printed}");
    }
}
