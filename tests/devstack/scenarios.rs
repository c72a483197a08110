//! Plays every file of `tests/scenarios/` on the real servers.

use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::scenario::{self, DatastoreChange, Happening, Names, Scenario, Stage, scenarios};
use crate::stack::{Controller, Stack, Vcenter, VcenterOptions, wait_for};
use crate::statuses;

/// What the controller's log says of every inventory that differs from the one before.
const NEW_INVENTORY: &str = "the inventory is new";

/// Real servers, and the binary.
struct Real<'a> {
    stack: &'a Stack,
    vcenter: Vcenter,
    namespace: String,
    controller: Controller,
}

impl Real<'_> {
    /// Makes a change and waits until the controller has seen it: the next step is to meet it.
    fn seen(&self, change: impl FnOnce(&Vcenter) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let seen = || anyhow::Ok(self.controller.log()?.matches(NEW_INVENTORY).count());
        let before = seen()?;
        change(&self.vcenter)?;
        wait_for("the controller to see the change", || Ok((seen()? > before).then_some(())))
    }
}

/// Everything here blocks, and nothing ever waits for anything else.
impl Stage for Real<'_> {
    fn names(&self) -> Names {
        let options = self.vcenter.options();
        Names {
            server: self.vcenter.server_url().to_owned(),
            thumbprint: self.vcenter.thumbprint().to_owned(),
            ca: self.stack.ca_pem().to_owned(),
            other_ca: self.stack.unrelated_ca_pem().to_owned(),
            username: options.username.clone(),
            password: options.password.clone(),
        }
    }

    fn namespace(&self) -> &str {
        &self.namespace
    }

    async fn apply(&self, object: Value) -> anyhow::Result<()> {
        self.stack.apply_yaml(&object.to_string())
    }

    async fn delete(&self, namespace: &str, object: &str) -> anyhow::Result<()> {
        let arguments = ["delete", "--namespace", namespace, object, "--wait=false"];
        self.stack.kubectl(&arguments, None).map(drop)
    }

    async fn label(&self, label: &str) -> anyhow::Result<()> {
        let arguments = ["label", "--overwrite", "namespace", &self.namespace, label];
        self.stack.kubectl(&arguments, None).map(drop)
    }

    async fn get(&self, kind: &str, name: &str) -> anyhow::Result<Value> {
        self.stack.get_json(&["--namespace", &self.namespace, kind, name])
    }

    async fn change(&mut self, change: DatastoreChange) -> anyhow::Result<()> {
        self.seen(|vcenter| match change {
            DatastoreChange::Set { name, set } => vcenter.set_datastore(&name, set),
            DatastoreChange::Appears(datastore) => vcenter.create_datastore(datastore),
            DatastoreChange::Vanishes(name) => vcenter.delete_datastore(&name),
        })
    }

    async fn happen(&mut self, happening: Happening) -> anyhow::Result<()> {
        match happening {
            Happening::Dies => self.vcenter.kill(),
            Happening::Returns => self.vcenter.restart(),
            Happening::Expires => self.seen(Vcenter::end_sessions),
            Happening::Hangs => self.vcenter.signal("STOP"),
            Happening::GoesOn => self.vcenter.signal("CONT"),
            Happening::Faults { method, fault } => {
                self.vcenter.inject_fault(json!({"method": method, "fault": fault, "count": 0}))
            }
            Happening::Heals => self.vcenter.clear_faults(),
        }
    }

    async fn logins(&self) -> anyhow::Result<u64> {
        self.vcenter.logins().map(|logins| logins.succeeded + logins.failed)
    }

    async fn requests(&self, verb: &str, name: &str) -> anyhow::Result<usize> {
        super::requests(self.stack, verb, name)
    }

    async fn pause(&self) {
        sleep(Duration::from_millis(50));
    }
}

fn play(file: &Path) -> anyhow::Result<()> {
    let stack = Stack::shared_blocking()?;
    let inventory = Scenario::read(file)?.inventory();
    let vcenter =
        stack.start_vcenter("vc-east", VcenterOptions { inventory, ..VcenterOptions::default() })?;
    let namespace = stack.fresh_namespace("story")?;
    let mut controller = stack.start_controller(super::berth(), &[])?;
    controller.wait_ready()?;
    let mut real = Real { stack: &stack, vcenter, namespace, controller };
    let played = at_once(scenario::play(file, &mut real));
    played.with_context(|| format!("the controller's log:\n{}", super::tail(&real.controller)))?;
    let all = stack.get_json(&["instanceplacements,vcenters", "--all-namespaces"])?;
    all["items"].as_array().context("a list without items")?.iter().try_for_each(statuses::has_sample)?;
    ensure!(real.controller.terminate()?.success(), "the controller did not end well");
    Ok(())
}

/// The outcome of a future that never waits.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => unreachable!("a stage of real servers blocks"),
    }
}

scenarios!(play);
