//! The pool of Postgres connections: every one bounded on the server's side, none opened before
//! it is needed.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgPool};

use crate::config::{Faulty, Reader, Section, Variable};

/// What every connection asks the server to hold it to. An append that is cut off somewhere must
/// end soon, for it holds back every reader of the feed.
pub(crate) const BOUNDS: [(&str, &str); 3] = [
    ("statement_timeout", "8s"),
    ("lock_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "5s"),
];

/// So that the server notices a client whose machine is gone.
const KEEPALIVE: [(&str, &str); 3] = [
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
];

/// Statements here are short, and many: compiling one costs more than running it.
const NOT_COMPILED: [(&str, &str); 1] = [("jit", "off")];

/// How long a request waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long an unused connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// From when on an unused connection is tried before it is given out: the server may have been
/// restarted meanwhile.
const TRIED_AFTER: Duration = Duration::from_secs(1);

/// Where Postgres is.
#[derive(Clone)]
pub struct DatabaseConfig {
    url: SecretString,
    options: PgConnectOptions,
    returned: Returned,
}

/// When the server was last found to answer again. What was connected before may be broken.
#[derive(Clone, Default)]
struct Returned(Arc<Mutex<Option<Instant>>>);

impl DatabaseConfig {
    /// `ATLAS_DATABASE_URL`.
    pub const URL: Variable = Variable::required(
        "ATLAS_DATABASE_URL",
        "the Postgres database, as postgres://USER:PASSWORD@HOST:PORT/DATABASE",
    )
    .secret();

    /// The options of a bounded connection that shows itself to the server under a name.
    #[must_use]
    pub fn connect_options(&self, application_name: &str) -> PgConnectOptions {
        self.options
            .clone()
            .application_name(application_name)
            .options(BOUNDS)
            .options(KEEPALIVE)
            .options(NOT_COMPILED)
    }

    /// Says that the server answers again, or for the first time: connections that are older are
    /// not given out any more.
    pub(crate) fn server_returned(&self) {
        *self.returned.lock() = Some(Instant::now());
    }

    /// The URL as it was given, password included, for a client that is not sqlx.
    #[must_use]
    pub const fn url(&self) -> &SecretString {
        &self.url
    }
}

impl fmt::Debug for DatabaseConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            url: _,
            options,
            returned: _,
        } = self;
        f.debug_struct("DatabaseConfig")
            .field("host", &options.get_host())
            .field("port", &options.get_port())
            .field("database", &options.get_database())
            .field("user", &options.get_username())
            .finish_non_exhaustive()
    }
}

impl Section for DatabaseConfig {
    fn read(reader: &mut Reader) -> Result<Self, Faulty> {
        reader.required(&Self::URL, |text| {
            parse(text).map(|options| Self {
                url: text.into(),
                options,
                returned: Returned::default(),
            })
        })
    }
}

/// One server. The driver would pass over what libpq has for several, and stay with a primary that
/// was.
fn parse(url: &str) -> Result<PgConnectOptions, &'static str> {
    const SEVERAL: &str = "expected one server: where a standby may take over, the address of \
                           something that leads to the primary (deploy/postgres/haproxy.cfg)";
    const NO_URL: &str = "expected a postgres:// URL";
    let (scheme, after_scheme) = url.split_once("://").ok_or(NO_URL)?;
    // The driver takes any scheme, and the local socket where no host follows one.
    if !["postgres", "postgresql"].contains(&scheme) {
        return Err(NO_URL);
    }
    let authority = after_scheme.split(['/', '?']).next().unwrap_or_default();
    let servers = authority.rsplit('@').next().unwrap_or_default();
    if servers.contains(',') || url.contains("target_session_attrs=") {
        return Err(SEVERAL);
    }
    let options: PgConnectOptions = url.parse().map_err(|_| NO_URL)?;
    if options.get_host().contains(',') {
        return Err(SEVERAL);
    }
    Ok(options)
}

impl Returned {
    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a connection of this age was made before the server returned.
    fn is_after(&self, age: Duration) -> bool {
        self.lock().is_some_and(|returned| age > returned.elapsed())
    }
}

/// How a pool of at most `max_connections` is kept: every wait bounded, no round trip spent on a
/// connection that is in use all the time. For connections of
/// [`connect_options`](DatabaseConfig::connect_options), and best beside
/// [`watch_postgres`](crate::watch_postgres) of the same configuration: what is left of a server
/// that was restarted is not given out then.
#[must_use]
pub fn options(config: &DatabaseConfig, max_connections: u32) -> PgPoolOptions {
    let returned = config.returned.clone();
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(IDLE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(move |connection, met| {
            let outlived = returned.is_after(met.age);
            Box::pin(async move {
                Ok(!outlived && (met.idle_for < TRIED_AFTER || connection.ping().await.is_ok()))
            })
        })
}

/// A pool that opens its first connection when it is first used. `application_name` is the name
/// of the process, as the server shows it.
#[must_use]
pub fn lazy(config: &DatabaseConfig, application_name: &str, max_connections: u32) -> PgPool {
    options(config, max_connections).connect_lazy_with(config.connect_options(application_name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        let mut reader = Reader::of([("ATLAS_DATABASE_URL", url)]);
        let refused = reader.read::<DatabaseConfig>().unwrap_err();
        refused.to_string()
    }

    #[test]
    fn one_server_is_taken_with_whatever_its_password_is() {
        let url = "postgres://atlas_app:a,b@first:5432/atlas?sslmode=require";
        let config = Reader::of([("ATLAS_DATABASE_URL", url)]).read::<DatabaseConfig>();
        assert_eq!(config.unwrap().options.get_host(), "first");
        assert!(refused("first:5432/atlas").contains("expected a postgres:// URL"));
    }

    #[test]
    fn what_would_be_passed_over_silently_is_refused() {
        for url in [
            "postgres://atlas_app@first:5432,second:5432/atlas",
            "postgres://atlas_app:a@first,second",
            "postgres://atlas_app@first/atlas?host=first,second",
            "postgres://atlas_app@first/atlas?target_session_attrs=read-write",
        ] {
            assert!(refused(url).contains("leads to the primary"), "{url}");
        }
    }
}
