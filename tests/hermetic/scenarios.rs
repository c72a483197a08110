//! Plays every file of `tests/scenarios/` on the fakes, in virtual time: what the fakes are worth is that they
//! tell the same stories as the real servers.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::fake_vcenter::{Action, FakeVcenter, Fault, Options};
use crate::kube_server::{Berth, Kube, Verb, Version};
use crate::scenario::{self, DatastoreChange, Happening, Names, Scenario, Stage, scenarios};
use crate::tls::Authority;

const NAMESPACE: &str = "story";
/// Berth has seen a change of the vCenter after so long.
const SEEN: Duration = Duration::from_secs(2);

/// Between two things that a user does. Watches of different kinds keep no order between each other, so that
/// without it a story about what came first would be none.
const A_MOMENT: Duration = Duration::from_millis(200);

/// Both fakes, and the controller in the same thread.
struct Fakes {
    kube: Kube,
    vcenter: FakeVcenter,
    options: Options,
}

impl Stage for Fakes {
    fn names(&self) -> Names {
        Names {
            server: self.vcenter.url.clone(),
            thumbprint: self.vcenter.thumbprint.clone(),
            ca: self.vcenter.ca_pem.clone(),
            other_ca: Authority::new("another CA").unwrap().pem().to_owned(),
            username: self.options.username.clone(),
            password: self.options.password.clone(),
        }
    }

    fn namespace(&self) -> &str {
        NAMESPACE
    }

    async fn apply(&self, mut object: Value) -> anyhow::Result<()> {
        // The API server does this on the way in.
        if let Some(Value::Object(texts)) = object.get_mut("stringData").map(Value::take) {
            object["data"] = texts
                .into_iter()
                .map(|(key, text)| (key, json!(BASE64_STANDARD.encode(text.as_str().unwrap_or_default()))))
                .collect();
            object.as_object_mut().context("an object")?.remove("stringData");
        }
        self.kube.apply(object).map_err(|refusal| anyhow!(refusal))?;
        sleep(A_MOMENT).await;
        Ok(())
    }

    async fn delete(&self, namespace: &str, object: &str) -> anyhow::Result<()> {
        self.kube.delete(namespace, object).map_err(|refusal| anyhow!(refusal))?;
        sleep(A_MOMENT).await;
        Ok(())
    }

    async fn label(&self, label: &str) -> anyhow::Result<()> {
        self.kube.namespace(NAMESPACE, &[label]);
        Ok(())
    }

    async fn get(&self, kind: &str, name: &str) -> anyhow::Result<Value> {
        Ok(self.kube.get(NAMESPACE, &format!("{kind}/{name}")))
    }

    async fn change(&mut self, change: DatastoreChange) -> anyhow::Result<()> {
        match change {
            DatastoreChange::Set { name, set } => drop(self.vcenter.set_datastore(&name, &set)),
            DatastoreChange::Appears(datastore) => drop(self.vcenter.create_datastore("DC0", &datastore)),
            DatastoreChange::Vanishes(name) => self.vcenter.delete_datastore(&name),
        }
        sleep(SEEN).await;
        Ok(())
    }

    async fn happen(&mut self, happening: Happening) -> anyhow::Result<()> {
        match happening {
            Happening::Dies => self.vcenter.stop(),
            Happening::Returns => self.vcenter.restart().await,
            Happening::Expires => {
                self.vcenter.end_sessions();
                sleep(SEEN).await;
            }
            Happening::Hangs => self.vcenter.always("*", Action::Hang),
            Happening::Faults { method, fault } => {
                self.vcenter.always(&method, Action::Fault(Fault::new(&fault, "on purpose")));
            }
            Happening::GoesOn | Happening::Heals => self.vcenter.heal(),
        }
        Ok(())
    }

    async fn logins(&self) -> anyhow::Result<u64> {
        Ok(u64::try_from(self.vcenter.logins().len())?)
    }

    async fn requests(&self, verb: &str, name: &str) -> anyhow::Result<usize> {
        let verb = if verb == "get" { Verb::Get } else { Verb::Update };
        let exchanges = self.kube.exchanges();
        let own = exchanges.iter().filter(|exchange| {
            let call = &exchange.call;
            call.verb == verb
                && call.kind.plural == "instanceplacements"
                && call.name == name
                && exchange.code == Some(200)
        });
        Ok(own.count())
    }

    async fn pause(&self) {
        sleep(Duration::from_millis(50)).await;
    }
}

/// What a scenario has left behind.
pub struct Played {
    /// Name of its file.
    pub file: String,
    /// Everything that was stored.
    pub record: Vec<Arc<Version>>,
    /// Thumbprint of the vCenter's certificate.
    pub thumbprint: String,
}

/// Plays a file, for those who look at what it leaves behind.
///
/// # Errors
/// The step that went otherwise.
pub fn played(file: &Path) -> anyhow::Result<Played> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    runtime.block_on(async {
        let options = Options { inventory: Scenario::read(file)?.inventory(), ..Options::default() };
        let (kube, vcenter) = (Kube::start().await, FakeVcenter::start(options.clone()).await);
        kube.namespace(NAMESPACE, &[]);
        let berth = Berth::start(&kube);
        berth.ready(&kube).await;
        let mut fakes = Fakes { kube, vcenter, options };
        scenario::play(file, &mut fakes).await?;
        berth.stop().await.context("the controller did not end well")?;
        let file = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Played { file, record: fakes.kube.record(), thumbprint: fakes.vcenter.thumbprint.clone() })
    })
}

fn play(file: &Path) -> anyhow::Result<()> {
    played(file).map(drop)
}

scenarios!(play);
