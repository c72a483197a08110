//! The public vCenter adapter against the strict fake, and with it the fake's own strictness.

use std::{sync::Arc, time::Duration};

use berth::{
    placement::inventory::Inventory,
    vsphere::{Credentials, Endpoint, Error, Report, Trust, run},
};
use serde_json::json;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::fake_vcenter::{FakeVcenter, Options};

/// A connection in its own task.
struct Running {
    reports: mpsc::Receiver<Report>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
}

fn start(fake: &FakeVcenter) -> Running {
    start_with(fake, Trust::CaBundle(fake.ca_pem.clone()), &Options::default().password)
}

fn start_with(fake: &FakeVcenter, trust: Trust, password: &str) -> Running {
    let (sender, reports) = mpsc::channel(8);
    let stop = CancellationToken::new();
    let endpoint = Endpoint::new(fake.url.parse().unwrap(), trust, Duration::from_mins(1));
    let credentials =
        Credentials::new(Options::default().username.into(), password.to_owned().into()).unwrap();
    let task = tokio::spawn(run(endpoint, credentials, sender, stop.clone()));
    Running { reports, stop, task }
}

impl Running {
    /// The next inventory; fails when the connection ends without one.
    async fn inventory(&mut self) -> Arc<Inventory> {
        while let Some(report) = self.reports.recv().await {
            if let Report::Inventory { inventory, .. } = report {
                return inventory;
            }
        }
        panic!("no inventory: {:?}", (&mut self.task).await);
    }

    /// Stops it, and how it ended.
    async fn stop(self) -> Result<(), Error> {
        self.stop.cancel();
        self.task.await.unwrap()
    }

    /// How it ends by itself, and how many inventories it reported on the way.
    async fn end(mut self) -> (Error, usize) {
        let mut inventories = 0;
        while let Some(report) = self.reports.recv().await {
            inventories += usize::from(matches!(report, Report::Inventory { .. }));
        }
        (self.task.await.unwrap().unwrap_err(), inventories)
    }
}

fn three() -> Options {
    Options::with_datastores(&json!([
        {"name": "gold/1", "capacity": 1000, "free": 400, "uncommitted": 7},
        {"name": "silver", "type": "vsan", "maintenanceMode": null},
        {"name": "in-pod", "type": "NFS41", "pod": "p%d", "accessible": false},
    ]))
}

#[tokio::test(start_paused = true)]
async fn the_first_inventory_is_complete_and_the_session_ends_with_the_connection() {
    let fake = FakeVcenter::start(three()).await;
    let mut running = start(&fake);
    let inventory = running.inventory().await;
    let [gold, silver, pod] = inventory.datastores() else { panic!() };
    assert_eq!((gold.moref.0.as_str(), gold.name.as_str()), ("datastore-10001", "gold/1"));
    assert_eq!((gold.capacity, gold.free, gold.uncommitted), (Some(1000), Some(400), Some(7)));
    assert_eq!((silver.kind.as_deref(), silver.maintenance_mode.as_deref()), (Some("vsan"), None));
    assert!(silver.url.starts_with("ds:///vmfs/volumes/vsan:"));
    assert_eq!((pod.accessible, pod.datacenter.as_str()), (Some(false), "DC0"));
    assert_eq!(inventory.instance_uuid, Options::default().instance_uuid);
    assert_eq!((fake.sessions(), fake.session_objects()), (1, 3));
    running.stop().await.unwrap();
    assert_eq!((fake.sessions(), fake.session_objects()), (0, 0));
    assert_eq!(fake.logins().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn changes_creations_and_removals_arrive_one_by_one() {
    let fake = FakeVcenter::start(three()).await;
    let mut running = start(&fake);
    running.inventory().await;
    fake.set_datastore("silver", &json!({"freeSpace": 5, "maintenanceMode": "inMaintenance"}));
    let inventory = running.inventory().await;
    assert_eq!(inventory.datastores()[1].free, Some(5));
    assert_eq!(inventory.datastores()[1].maintenance_mode.as_deref(), Some("inMaintenance"));
    fake.set_datastore("silver", &json!({"maintenanceMode": null}));
    assert_eq!(running.inventory().await.datastores()[1].maintenance_mode, None);
    let created = fake.create_datastore("", &json!({"name": "bronze", "free": 1}));
    let inventory = running.inventory().await;
    assert_eq!(inventory.datastores()[3].moref.0, created.id);
    fake.delete_datastore("gold/1");
    assert_eq!(running.inventory().await.datastores().len(), 3);
    running.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_session_that_expires_ends_the_connection_with_its_name() {
    let fake = FakeVcenter::start(three()).await;
    let mut running = start(&fake);
    running.inventory().await;
    fake.end_sessions();
    assert_eq!(running.end().await, (Error::NotAuthenticated, 0));
    let mut running = start(&fake);
    running.inventory().await;
    // As some servers do it: the answer is fine, only nothing can be read any more.
    fake.end_sessions_quietly();
    assert_eq!(running.end().await, (Error::NotAuthenticated, 0));
    assert_eq!(fake.logins().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_is_tried_once() {
    let fake = FakeVcenter::start(three()).await;
    let trust = Trust::CaBundle(fake.ca_pem.clone());
    let running = start_with(&fake, trust, "wrong");
    assert_eq!(running.end().await, (Error::InvalidLogin, 0));
    let logins = fake.logins();
    assert_eq!((logins.len(), logins[0].succeeded), (1, false));
    assert_eq!((fake.sessions(), fake.count("Logout")), (0, 0));
}
