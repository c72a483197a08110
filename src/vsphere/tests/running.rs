//! What the tests of a whole connection share: starting it, listening to it, and short answers.

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    fake::{Fake, Reply, credentials},
    samples,
};
use crate::{
    placement::inventory::Inventory,
    vsphere::{Error, Report, run},
};

/// A connection in its own task.
pub(super) struct Running {
    pub reports: mpsc::Receiver<Report>,
    pub stop: CancellationToken,
    pub task: JoinHandle<Result<(), Error>>,
}

pub(super) fn start(fake: &Fake) -> Running {
    let (sender, reports) = mpsc::channel(8);
    let stop = CancellationToken::new();
    let task = tokio::spawn(run(fake.endpoint.clone(), credentials(), sender, stop.clone()));
    Running { reports, stop, task }
}

impl Running {
    pub async fn next(&mut self) -> Option<Report> {
        timeout(Duration::from_mins(1), self.reports.recv()).await.unwrap()
    }

    pub async fn connected(&mut self) {
        let Some(Report::Connected { version, instance_uuid, .. }) = self.next().await else { panic!() };
        assert_eq!((version.as_str(), instance_uuid.as_str()), ("8.0.3", "uuid-1"));
    }

    pub async fn inventory(&mut self) -> (Arc<Inventory>, usize) {
        match self.next().await {
            Some(Report::Inventory { inventory, skipped, .. }) => (inventory, skipped),
            other => panic!("{other:?}"),
        }
    }

    pub async fn end(self) -> Result<(), Error> {
        timeout(Duration::from_mins(1), self.task).await.unwrap().unwrap()
    }

    /// How it ended, and that no inventory was reported on the way.
    pub async fn end_without_inventory(mut self) -> Result<(), Error> {
        while let Some(report) = self.next().await {
            assert!(!matches!(report, Report::Inventory { .. } | Report::Confirmed { .. }), "{report:?}");
        }
        self.end().await
    }
}

pub(super) fn page(version: &str, truncated: bool, objects: &[String]) -> Reply {
    Reply::Ok(samples::updates(version, truncated, &objects.concat()))
}

pub(super) fn tree() -> String {
    samples::container_enter("Datacenter", "datacenter-3", "DC0", Some("group-d1"))
        + &samples::container_enter("Folder", "group-s5", "datastore", Some("datacenter-3"))
}

pub(super) fn datastore(n: u32, free: u64) -> String {
    samples::datastore_enter(&format!("datastore-{n}"), &format!("ds{n}"), 100, free)
}

pub(super) fn nothing() -> Reply {
    Reply::Ok(samples::NOTHING_NEW.to_owned())
}

pub(super) fn refusal(name: &str, detail: &str) -> Reply {
    Reply::Status(500, "", samples::fault(name, detail))
}
