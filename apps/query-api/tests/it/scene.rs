//! A store, its read models driven by hand, and an instance of the application.

use std::sync::Arc;
use std::time::Duration;

use event_store::{Follower, ReadModel};
use kernel::OrderId;
use projections::bonus::Bonus;
use projections::orders::Orders;
use projections::workshops::Workshops;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
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

    /// Brings every read model up to date, as the projector does.
    pub(crate) async fn catch_up(&self) {
        let models: [Arc<dyn ReadModel>; 3] =
            [Arc::new(Orders), Arc::new(Workshops), Arc::new(Bonus)];
        for model in models {
            let options = self.database.options("atlas_app");
            let lease = Duration::from_secs(10);
            let follower = Follower::new(model, options, "test".to_owned(), lease);
            follower.catch_up().await.unwrap();
        }
    }

    /// One more instance of the application, with a single connection.
    pub(crate) async fn instance_with_one_connection(&self) -> Api {
        let one = PgPoolOptions::new().max_connections(1);
        let pool = self.database.pool_app_with(one).await;
        Api::start(pool, self.clock.clone(), Duration::ZERO)
    }

    /// Connections as the owner of the tables.
    pub(crate) async fn owner(&self) -> PgPool {
        self.database.pool_owner().await
    }
}
