//! What a cluster holds of the kinds that a decision needs, read with the user's own kubeconfig.

use anyhow::Context as _;
use berth::api::{InstancePlacement, PlacementClass, VCenter};
use berth::manifests::{Kind, Manifest, Place};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::ApiResource;

/// So many objects are asked for at once.
const PAGE: u32 = 500;

/// All placements with their statuses, classes, `VCenter`s and namespaces.
///
/// # Errors
/// When there is no kubeconfig, or the cluster does not answer or does not let the user read one of them.
pub fn read() -> anyhow::Result<Vec<Manifest>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = kube::Client::try_default()
            .await
            .context("no cluster to read from: set KUBECONFIG, or name the manifests with -f")?;
        let kinds = [
            (Kind::InstancePlacement, ApiResource::erase::<InstancePlacement>(&())),
            (Kind::PlacementClass, ApiResource::erase::<PlacementClass>(&())),
            (Kind::VCenter, ApiResource::erase::<VCenter>(&())),
            (Kind::Namespace, ApiResource::erase::<Namespace>(&())),
        ];
        let mut found = Vec::new();
        for (kind, resource) in kinds {
            let listed = list(&client, kind, &resource).await;
            found.extend(listed.with_context(|| {
                format!("cannot list {}; whoever can may do it for you, see -f in --help", resource.plural)
            })?);
        }
        Ok(found)
    })
}

async fn list(client: &kube::Client, kind: Kind, resource: &ApiResource) -> anyhow::Result<Vec<Manifest>> {
    let api = Api::<DynamicObject>::all_with(client.clone(), resource);
    let mut found = Vec::new();
    let mut page = ListParams::default().limit(PAGE);
    loop {
        let listed = api.list(&page).await?;
        for object in listed.items {
            let place = Place { source: "the cluster".to_owned(), line: 1, column: 1 };
            found.push(Manifest { place, kind, object: serde_json::to_value(object)? });
        }
        match listed.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(found),
        }
    }
}
