//! Several nodes that are one cluster, each of which may be stopped by itself.

use std::path::PathBuf;

use super::node::Node;
use super::{PrivateKafka, artifacts};
use crate::error::ServerError;
use crate::port::Port;

/// How to run a cluster of [`PrivateKafka`].
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// The folder that Kafka's program is kept in between runs; it is fetched there once.
    pub cache: PathBuf,
    /// The folder for the data and logs of all; made anew at the start and removed at the end.
    pub folder: PathBuf,
    /// How many there are; three and more go on without one of them.
    pub nodes: usize,
}

impl PrivateKafka {
    /// Starts an empty cluster on free ports, and waits until each node knows of all.
    ///
    /// # Errors
    /// Any [`ServerError`]; nothing is left running then.
    pub fn start_cluster(options: &ClusterOptions) -> Result<Vec<Self>, ServerError> {
        let class_path = artifacts::fetch(&options.cache)?;
        let controllers = (0..options.nodes).map(|_| Port::Free.choose());
        let controllers = controllers.collect::<Result<Vec<u16>, _>>()?;
        let mut nodes = Vec::with_capacity(options.nodes);
        for id in 1..=options.nodes {
            nodes.push(Self {
                folder: options.folder.join(id.to_string()),
                class_path: class_path.clone(),
                node: Node {
                    id,
                    port: Port::Free.choose()?,
                    controllers: controllers.clone(),
                },
                process: None,
            });
        }
        let Some(first) = nodes.first() else {
            return Ok(nodes);
        };
        let cluster = first.random_id()?;
        for node in &mut nodes {
            node.format(&cluster)?;
            node.spawn()?;
        }
        let brokers = i32::try_from(nodes.len()).unwrap_or(i32::MAX);
        for node in &mut nodes {
            node.wait(brokers)?;
        }
        Ok(nodes)
    }
}
