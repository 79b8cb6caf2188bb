//! Versions of read models: which there are, where their tables lie, and which one is served.

use std::fmt;

use event_store::{Sink, StreamId};
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;

use crate::bonus::Bonus;
use crate::orders::Orders;
use crate::workshops::Workshops;

/// A read model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Model {
    /// Orders: detail, lists, timeline.
    Orders,
    /// The directory of workshops.
    Workshops,
    /// Accounts of points and grades.
    Bonus,
}

impl Model {
    /// Every read model.
    pub const ALL: [Self; 3] = [Self::Orders, Self::Workshops, Self::Bonus];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Workshops => "workshops",
            Self::Bonus => "bonus",
        }
    }

    /// What follows the events for it, into the tables that the connection's search path names.
    #[must_use]
    pub fn sink(self) -> Box<dyn ReadModel> {
        match self {
            Self::Orders => Box::new(Orders::default()),
            Self::Workshops => Box::new(Workshops),
            Self::Bonus => Box::new(Bonus),
        }
    }

    /// Reads which version is served, in the caller's snapshot.
    ///
    /// # Errors
    /// What the database said.
    pub async fn served(self, connection: &mut PgConnection) -> Result<Version, sqlx::Error> {
        let version = sqlx::query_scalar!(
            "SELECT version FROM read.served WHERE model = $1",
            self.as_str(),
        )
        .fetch_one(connection)
        .await?;
        Ok(Version {
            model: self,
            version,
        })
    }

    /// Which version is served, and which is kept to go back to.
    pub(crate) async fn served_and_retired(
        self,
        connection: &mut PgConnection,
    ) -> Result<(Version, Option<Version>), sqlx::Error> {
        let row = sqlx::query!(
            "SELECT version, retired FROM read.served WHERE model = $1",
            self.as_str(),
        )
        .fetch_one(connection)
        .await?;
        Ok((
            self.version(row.version),
            row.retired.map(|it| self.version(it)),
        ))
    }

    pub(crate) const fn version(self, version: i32) -> Version {
        Version {
            model: self,
            version,
        }
    }

    /// The kind of the streams that its rows are of.
    #[must_use]
    pub const fn stream_kind(self) -> &'static str {
        match self {
            Self::Orders => StreamId::ORDER,
            Self::Workshops => StreamId::WORKSHOP,
            Self::Bonus => StreamId::ACCOUNT,
        }
    }
}

impl Model {
    /// Lets the statements of the transaction find the tables of the served version; its name.
    pub(crate) async fn look_at(
        self,
        transaction: &mut PgConnection,
    ) -> Result<String, sqlx::Error> {
        let served = sqlx::query!(
            r#"
            SELECT name, set_config('search_path', quote_ident(name), true) AS path
            FROM read.served WHERE model = $1
            "#,
            self.as_str(),
        )
        .fetch_one(transaction)
        .await?;
        Ok(served.name)
    }
}

/// Reads which version of each read model is served, in the caller's snapshot.
///
/// # Errors
/// What the database said.
pub async fn served(connection: &mut PgConnection) -> Result<Vec<Version>, sqlx::Error> {
    let names = sqlx::query_scalar!(r#"SELECT name AS "name!" FROM read.served ORDER BY model"#)
        .fetch_all(connection)
        .await?;
    let versions = names.iter().filter_map(|name| Version::of_reader(name));
    Ok(versions.collect())
}

/// The name of the reader that fills the tables which the connection reads: that of their schema.
pub(crate) async fn reader_here(connection: &mut PgConnection) -> Result<String, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT current_schema()::text AS "name!""#)
        .fetch_one(connection)
        .await
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A sink that writes the rows of a read model and has no other effect: nothing else can be one, so
/// that whatever builds a version anew cannot send a message.
///
/// ```
/// fn rebuilt_by(_sink: Box<dyn projections::ReadModel>) {}
/// rebuilt_by(projections::Model::Orders.sink());
/// ```
///
/// ```compile_fail,E0277
/// struct Relay;
/// impl event_store::Sink for Relay {}
///
/// fn rebuilt_by(_sink: Box<dyn projections::ReadModel>) {}
/// rebuilt_by(Box::new(Relay));
/// ```
pub trait ReadModel: Sink + Sync + sealed::Rows {}

mod sealed {
    pub trait Rows {}
}

impl sealed::Rows for Orders {}
impl ReadModel for Orders {}
impl sealed::Rows for Workshops {}
impl ReadModel for Workshops {}
impl sealed::Rows for Bonus {}
impl ReadModel for Bonus {}

/// A version of a read model. It is shown as `orders@1`, which is the name of its schema, and of
/// its checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Of which.
    pub model: Model,
    /// Its number, from 1.
    pub version: i32,
}

impl Version {
    /// The version whose reader has this name; none where the reader is no read model's.
    #[must_use]
    pub fn of_reader(name: &str) -> Option<Self> {
        let (model, version) = name.split_once('@')?;
        Some(Self {
            model: Model::ALL.into_iter().find(|it| it.as_str() == model)?,
            version: version.parse().ok()?,
        })
    }

    /// Reads which versions are kept up to date: those that are served, and those that are kept to
    /// go back to.
    ///
    /// # Errors
    /// What the database said.
    pub async fn followed(connection: &mut PgConnection) -> Result<Vec<Self>, sqlx::Error> {
        let rows = sqlx::query!("SELECT model, version, retired FROM read.served LIMIT 100")
            .fetch_all(connection)
            .await?;
        let mut versions = Vec::new();
        for row in rows {
            // A model that this release does not know is another one's to follow.
            if let Some(model) = Model::ALL.into_iter().find(|it| it.as_str() == row.model) {
                versions.push(model.version(row.version));
                versions.extend(row.retired.map(|retired| model.version(retired)));
            }
        }
        Ok(versions)
    }

    /// How its reader connects: statements name tables without a schema, and find them here.
    #[must_use]
    pub fn connect(self, options: PgConnectOptions) -> PgConnectOptions {
        let path = format!("\"{self}\"");
        options
            .options([("search_path", path.as_str())])
            .options(BY_KEY)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.model, self.version)
    }
}

/// A reader looks rows up by their keys and does nothing else. Its plans are made once and kept:
/// on a table that was empty then, they would go on to read it whole. What is left of the costs
/// would have each of them compiled. A batch of rows is kept in memory on its way into a table.
const BY_KEY: [(&str, &str); 6] = [
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_bitmapscan", "off"),
    ("jit", "off"),
    ("work_mem", "32MB"),
];
