//! A store, its read models driven by hand, and an instance of the application.

use std::sync::Arc;
use std::time::Duration;

use event_store::{Reader, ReaderOptions};
use kernel::OrderId;
use projections::{Model, Version};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use test_support::TestDatabase;

use crate::api::{Api, HandClock};
use crate::story::Story;

/// A database, a clock, and an instance of the application.
pub(crate) struct Scene {
    pub(crate) api: Api,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) pool: PgPool,
    database: TestDatabase,
}

impl Scene {
    /// Nothing has happened; it is the February of 2027.
    pub(crate) async fn set() -> Self {
        Self::waiting(Duration::from_millis(50)).await
    }

    /// The same; reads wait so long for the position that is asked for.
    pub(crate) async fn waiting(min_position_wait: Duration) -> Self {
        let database = TestDatabase::create().await;
        let pool = database.pool_app().await;
        let clock = HandClock::at("2027-02-01T00:00:00Z");
        Self {
            api: Api::start(pool.clone(), clock.clone(), min_position_wait),
            clock,
            pool,
            database,
        }
    }

    /// One order that the first of two workshops has won.
    pub(crate) async fn with_work_in_progress() -> (Self, OrderId) {
        let scene = Self::set().await;
        let mut story = Story::placed(&scene.pool, 1).await;
        story.offered(&scene.pool).await;
        story.confirmed(&scene.pool).await;
        story.marked(&scene.pool).await;
        scene.catch_up().await;
        (scene, story.order_id)
    }

    /// How the application's role connects.
    pub(crate) fn connect(&self) -> PgConnectOptions {
        self.database.options("atlas_app")
    }

    /// Brings every read model up to date, as the projector does.
    pub(crate) async fn catch_up(&self) {
        for model in Model::ALL {
            let version = Version { model, version: 1 };
            let lease = Duration::from_secs(10);
            let options = ReaderOptions::new(&version.to_string(), "test", lease);
            let connect = version.connect(self.database.options("atlas_app"));
            let reader = Reader::new(connect, options);
            reader.catch_up(&mut *model.sink()).await.unwrap();
        }
    }

    /// One more instance of the application, with a single connection.
    pub(crate) async fn instance_with_one_connection(&self) -> Api {
        self.instance_and_its_connection().await.0
    }

    /// The same, and that connection.
    pub(crate) async fn instance_and_its_connection(&self) -> (Api, PgPool) {
        let one = PgPoolOptions::new().max_connections(1);
        let pool = self.database.pool_app_with(one).await;
        let api = Api::start(pool.clone(), self.clock.clone(), Duration::ZERO);
        (api, pool)
    }

    /// One more instance of the application, with two connections, whose reads wait so long for the
    /// position that is asked for.
    pub(crate) async fn instance_with_two_connections(&self, min_position_wait: Duration) -> Api {
        let two = PgPoolOptions::new().max_connections(2);
        let pool = self.database.pool_app_with(two).await;
        Api::start(pool, self.clock.clone(), min_position_wait)
    }

    /// Connections as the owner of the tables.
    pub(crate) async fn owner(&self) -> PgPool {
        self.database.pool_owner().await
    }
}
