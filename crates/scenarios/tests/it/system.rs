//! The processes of one system, and how to reach, stop and kill them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use dev_servers::{Process, Signal, free_port};
use test_support::{Proxy, TestDatabase, TestServer, eventually};

/// The secret that signs the scenarios' tokens.
pub(crate) const SECRET: &str = "a secret of the scenarios, and of nothing else";
const READY_BOUND: Duration = Duration::from_secs(20);

/// One application, running or not.
pub(crate) struct App {
    binary: &'static str,
    arguments: &'static [&'static str],
    variables: BTreeMap<String, String>,
    address: String,
    log: PathBuf,
    process: Option<Process>,
}

impl App {
    fn new(
        binary: &'static str,
        arguments: &'static [&'static str],
        address_variable: &str,
        variables: &BTreeMap<String, String>,
    ) -> Self {
        let port = free_port().unwrap();
        let address = format!("127.0.0.1:{port}");
        let mut variables = variables.clone();
        variables.insert(address_variable.to_owned(), address.clone());
        let folder = state_folder().join("scenarios");
        std::fs::create_dir_all(&folder).unwrap();
        Self {
            binary,
            arguments,
            variables,
            address,
            log: folder.join(format!("{binary}-{port}.log")),
            process: None,
        }
    }

    /// The same application as seen by a client: an address, and nothing to control.
    pub(crate) fn at_same_address(&self) -> Self {
        self.at(&self.address)
    }

    /// The same as it is reached at another address.
    pub(crate) fn at(&self, address: &str) -> Self {
        Self {
            binary: self.binary,
            arguments: self.arguments,
            variables: BTreeMap::new(),
            address: address.to_owned(),
            log: self.log.clone(),
            process: None,
        }
    }

    /// Starts it, without waiting until it is ready.
    pub(crate) fn start(&mut self) {
        let mut command = Command::new(target_folder().join(self.binary));
        command.args(self.arguments).envs(&self.variables);
        let process = Process::spawn(self.binary, command, &self.log, Signal::KILL).unwrap();
        self.process = Some(process);
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
        }
    }

    /// The same, started with these arguments.
    pub(crate) fn with_arguments(self, arguments: &'static [&'static str]) -> Self {
        Self { arguments, ..self }
    }

    /// The same, started with this variable in the place of its own.
    pub(crate) fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&mut self, signal: Signal) {
        self.process.as_mut().unwrap().signal(signal).unwrap();
    }

    /// Waits until it has ended of itself, well.
    pub(crate) async fn ended(&mut self) {
        let mut process = self.process.take().unwrap();
        let status = eventually("its end", READY_BOUND, || {
            let ended = process.ended().unwrap();
            async move { ended.ok_or("it runs") }
        });
        let status = status.await;
        assert!(status.success(), "{status}, see {}", self.log.display());
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn port(&self) -> u16 {
        let (_, port) = self.address.split_once(':').unwrap();
        port.parse().unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Waits until it says of itself that it is ready, or that it is not.
    pub(crate) async fn until(&self, ready: bool) {
        let what = format!(
            "{} to be ready: {ready}, see {}",
            self.binary,
            self.log.display()
        );
        eventually(&what, READY_BOUND, || async {
            match reqwest::get(self.url("/health/ready")).await {
                Ok(answer) if answer.status().is_success() == ready => Ok(()),
                Ok(answer) => Err(answer.text().await.unwrap_or_default()),
                Err(error) => Err(error.to_string()),
            }
        })
        .await;
    }
}

/// Two command APIs, a query API and a projector over one database.
pub(crate) struct System {
    server: TestServer,
    pub(crate) database: TestDatabase,
    pub(crate) commands: [App; 2],
    pub(crate) query: App,
    pub(crate) projector: App,
}

impl System {
    /// Starts all of them. `brokers` is where Kafka is, or where nobody answers.
    pub(crate) async fn start(brokers: &str) -> Self {
        Self::start_with(brokers, &[]).await
    }

    /// The same, with these variables in the place of ours.
    pub(crate) async fn start_with(brokers: &str, others: &[(&str, &str)]) -> Self {
        let server = TestServer::start().await;
        let database = TestDatabase::create_on(&server).await;
        Self::start_on(server, database, brokers, others).await
    }

    /// The same on a database that holds something.
    pub(crate) async fn start_on(
        server: TestServer,
        database: TestDatabase,
        brokers: &str,
        others: &[(&str, &str)],
    ) -> Self {
        let url = database.url_app();
        let ours = [
            ("ATLAS_DATABASE_URL", url.as_str()),
            ("ATLAS_KAFKA_BROKERS", brokers),
            ("ATLAS_JWT_SECRET", SECRET),
            ("ATLAS_LEASE_MS", "2000"),
            // Few parties do what many would.
            ("ATLAS_RATE_PLACE_PER_MINUTE", "0"),
            ("ATLAS_RATE_ALL_PER_MINUTE", "0"),
        ];
        let variables = ours
            .iter()
            .chain(others)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<BTreeMap<_, _>>();
        let command = || App::new("command-api", &[], "ATLAS_COMMAND_ADDR", &variables);
        let mut system = Self {
            commands: [command(), command()],
            query: App::new("query-api", &[], "ATLAS_QUERY_ADDR", &variables),
            projector: App::new("projector", &["run"], "ATLAS_PROJECTOR_ADDR", &variables),
            server,
            database,
        };
        let [first, second] = &mut system.commands;
        for app in [first, second, &mut system.query, &mut system.projector] {
            app.start();
        }
        system.until(true).await;
        system
    }

    /// Its processes, for who watches them: what each is, and where.
    pub(crate) fn targets(&self) -> Vec<(String, String)> {
        let apps = self.commands.iter().chain([&self.query, &self.projector]);
        apps.map(|app| (app.binary.to_owned(), app.address.clone()))
            .collect()
    }

    /// Another projector of the same system, not started yet.
    pub(crate) fn another_projector(&self) -> App {
        another(&self.projector, "ATLAS_PROJECTOR_ADDR")
    }

    /// Another query API of the same system, not started yet.
    pub(crate) fn another_query(&self) -> App {
        another(&self.query, "ATLAS_QUERY_ADDR")
    }

    pub(crate) async fn until(&self, ready: bool) {
        for app in self.commands.iter().chain([&self.query, &self.projector]) {
            app.until(ready).await;
        }
    }

    /// Kills every process, and starts it again on another database, without waiting for it.
    pub(crate) fn move_to(&mut self, server: TestServer, database: TestDatabase) {
        let url = database.url_app();
        let Self {
            commands: [first, second],
            query,
            projector,
            ..
        } = self;
        for app in [first, second, query, projector] {
            app.kill();
            app.variables
                .insert("ATLAS_DATABASE_URL".to_owned(), url.clone());
            app.start();
        }
        // The database is removed while its server is there.
        self.database = database;
        self.server = server;
    }

    /// Where applications find Postgres behind this proxy.
    pub(crate) fn url_through(&self, proxy: &Proxy) -> String {
        let port = self.database.options("atlas_app").get_port();
        let url = self.database.url_app();
        url.replace(&format!(":{port}/"), &format!(":{}/", proxy.port()))
    }

    /// Starts every process again, so that it reaches Postgres through this proxy.
    pub(crate) async fn go_through(&mut self, proxy: &Proxy) {
        let url = self.url_through(proxy);
        let [first, second] = &mut self.commands;
        for app in [first, second, &mut self.query, &mut self.projector] {
            app.kill();
            app.variables
                .insert("ATLAS_DATABASE_URL".to_owned(), url.clone());
            app.start();
        }
        self.until(true).await;
    }

    /// Starts the APIs again, with these variables in the place of ours, and waits for them.
    pub(crate) async fn restart_with(&mut self, others: &[(&str, &str)]) {
        let [first, second] = &mut self.commands;
        for app in [first, second, &mut self.query] {
            app.kill();
            for (name, value) in others {
                app.variables
                    .insert((*name).to_owned(), (*value).to_owned());
            }
            app.start();
        }
        self.until(true).await;
    }

    /// Stops Postgres hard and starts it again; every process notices both.
    pub(crate) async fn crash_postgres(&self) {
        self.stop_postgres().await;
        self.start_postgres().await;
        self.until(true).await;
    }

    /// Stops Postgres hard; every process notices.
    pub(crate) async fn stop_postgres(&self) {
        self.server.stop_immediate().await;
        self.until(false).await;
    }

    /// Starts it again, without waiting for who notices.
    pub(crate) async fn start_postgres(&self) {
        self.server.restart().await;
    }
}

/// The same application at an address of its own, which is read from this variable.
fn another(app: &App, address: &str) -> App {
    App::new(app.binary, app.arguments, address, &app.variables)
}

/// Where logs, and programs that are fetched once, lie.
pub(crate) fn state_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/atlas")
}

/// Where the binaries of this build lie: beside the folder of the test itself.
pub(crate) fn target_folder() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().to_owned()
}
