//! Two instances of the application, one of which reaches its store through a proxy.

use std::time::Duration;

use test_support::Proxy;

use crate::api::Api;
use crate::scene::Scene;

/// How long a request may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// An instance that reaches its store through a proxy, and another that reaches it directly.
pub(crate) struct Apart {
    pub(crate) scene: Scene,
    pub(crate) proxy: Proxy,
    pub(crate) through: Api,
}

impl Apart {
    pub(crate) async fn set() -> Self {
        let scene = Scene::set().await;
        let port = scene.database.options("atlas_app").get_port();
        let proxy = Proxy::to(port).await;
        let direct = format!(":{port}/");
        let url = scene
            .database
            .url_app()
            .replace(&direct, &format!(":{}/", proxy.port()));
        let through = Api::start(&url, scene.clock.clone(), PATIENCE);
        Self {
            scene,
            proxy,
            through,
        }
    }
}
