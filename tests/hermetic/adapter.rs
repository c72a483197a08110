//! The public vCenter adapter in a task of its own, as tests drive it.

use std::{sync::Arc, time::Duration};

use berth::{
    placement::inventory::Inventory,
    vsphere::{Credentials, Endpoint, Error, Report, Trust, run},
};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::fake_vcenter::{FakeVcenter, Options};

/// A connection in its own task.
pub(crate) struct Running {
    pub reports: mpsc::Receiver<Report>,
    pub stop: CancellationToken,
    pub task: JoinHandle<Result<(), Error>>,
}

/// Starts one to the fake with what is right for it.
pub(crate) fn start(fake: &FakeVcenter) -> Running {
    start_with(&fake.url, Trust::CaBundle(fake.ca_pem.clone()), &Options::default().password)
}

/// Starts one to any address with the user of the fake.
pub(crate) fn start_with(url: &str, trust: Trust, password: &str) -> Running {
    let (sender, reports) = mpsc::channel(8);
    let stop = CancellationToken::new();
    let endpoint = Endpoint::new(url.parse().unwrap(), trust, Duration::from_mins(1));
    let credentials =
        Credentials::new(Options::default().username.into(), password.to_owned().into()).unwrap();
    let task = tokio::spawn(run(endpoint, credentials, sender, stop.clone()));
    Running { reports, stop, task }
}

/// Nothing here takes as long, whatever goes wrong; an hour of paused time is over at once.
const LONG: Duration = Duration::from_hours(1);

impl Running {
    /// The next report; `None` when there is none any more.
    pub async fn report(&mut self) -> Option<Report> {
        timeout(LONG, self.reports.recv()).await.unwrap()
    }

    /// The next inventory; fails when the connection ends without one.
    pub async fn inventory(&mut self) -> Arc<Inventory> {
        while let Some(report) = self.report().await {
            if let Report::Inventory { inventory, .. } = report {
                return inventory;
            }
        }
        panic!("no inventory: {:?}", (&mut self.task).await);
    }

    /// Stops it, and how it ended.
    pub async fn stop(self) -> Result<(), Error> {
        self.stop.cancel();
        self.task.await.unwrap()
    }

    /// How it ends by itself, and how many inventories it reported on the way.
    pub async fn end(mut self) -> (Error, usize) {
        let (begin, mut inventories) = (Instant::now(), 0);
        while let Some(report) = self.report().await {
            assert!(begin.elapsed() < LONG, "it goes on and on");
            inventories += usize::from(matches!(report, Report::Inventory { .. }));
        }
        (self.task.await.unwrap().unwrap_err(), inventories)
    }
}
