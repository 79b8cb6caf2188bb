//! One node's place in its cluster: what it is configured with.

use std::fmt::Write as _;

/// A node, broker and controller in one.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    /// From 1 on.
    pub(super) id: usize,
    pub(super) port: u16,
    /// The ports of the controllers of all nodes, by their ids.
    pub(super) controllers: Vec<u16>,
}

impl Node {
    /// The only one of its cluster.
    pub(super) fn alone(port: u16, controller: u16) -> Self {
        Self {
            id: 1,
            port,
            controllers: vec![controller],
        }
    }

    fn is_alone(&self) -> bool {
        self.controllers.len() < 2
    }

    /// How much memory it may have: several share a machine.
    pub(super) fn heap(&self) -> [&'static str; 2] {
        if self.is_alone() {
            ["-Xms256m", "-Xmx512m"]
        } else {
            ["-Xms128m", "-Xmx256m"]
        }
    }

    /// What the tool that formats data folders needs to be told beside its settings.
    pub(super) fn format_arguments(&self) -> &'static [&'static str] {
        if self.is_alone() {
            &["--standalone"]
        } else {
            &[]
        }
    }

    /// Its `server.properties`.
    pub(super) fn settings(&self, data: &str) -> String {
        let (id, port) = (self.id, self.port);
        let own = self
            .id
            .checked_sub(1)
            .and_then(|index| self.controllers.get(index));
        let controller = own.copied().unwrap_or_default();
        let copies = self.controllers.len();
        let least = copies.saturating_sub(1).max(1);
        let quorum = if self.is_alone() {
            format!("controller.quorum.bootstrap.servers=127.0.0.1:{controller}")
        } else {
            format!("controller.quorum.voters={}", self.voters())
        };
        format!(
            "process.roles=broker,controller\n\
             node.id={id}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
             controller.listener.names=CONTROLLER\n\
             {quorum}\n\
             listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n\
             log.dirs={data}\n\
             auto.create.topics.enable=false\n\
             group.initial.rebalance.delay.ms=0\n\
             offsets.topic.replication.factor={copies}\n\
             offsets.topic.num.partitions=4\n\
             transaction.state.log.replication.factor={copies}\n\
             transaction.state.log.min.isr={least}\n\
             transaction.state.log.num.partitions=4\n\
             share.coordinator.state.topic.replication.factor={copies}\n\
             share.coordinator.state.topic.min.isr={least}\n\
             share.coordinator.state.topic.num.partitions=4\n"
        )
    }

    fn voters(&self) -> String {
        let mut voters = String::new();
        for (id, port) in (1..).zip(&self.controllers) {
            let comma = if id == 1 { "" } else { "," };
            // Writing to a string does not fail.
            write!(voters, "{comma}{id}@127.0.0.1:{port}").ok();
        }
        voters
    }
}
