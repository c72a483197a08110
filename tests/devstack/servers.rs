//! The development stack itself: what every other test here relies on.

use serde_json::json;

use crate::stack::{Logins, Stack, Vcenter, VcenterOptions, wait_for};

const SERVICE_CONTENT: &str = r#"<RetrieveServiceContent xmlns="urn:vim25"><_this type="ServiceInstance">ServiceInstance</_this></RetrieveServiceContent>"#;

fn inventory() -> VcenterOptions {
    let inventory = json!({"datacenters": [{"name": "DC0", "datastores": [
        {"name": "vmfs-1", "type": "VMFS", "free": 1000},
        {"name": "vvol-1", "type": "VVOL", "url": "ds:///vmfs/volumes/vvol:1a2b/"},
        {"name": "bare", "type": "NFS", "maintenanceMode": null},
    ]}]});
    VcenterOptions { inventory, ..VcenterOptions::default() }
}

/// The summary of one datastore as XML.
fn summary(stack: &Stack, vcenter: &Vcenter, session: &str, moref: &str) -> String {
    property(stack, vcenter, session, moref, "summary")
}

/// One property of one datastore as XML.
fn property(stack: &Stack, vcenter: &Vcenter, session: &str, moref: &str, path: &str) -> String {
    let body = format!(
        r#"<RetrieveProperties xmlns="urn:vim25"><_this type="PropertyCollector">propertyCollector</_this>
        <specSet><propSet><type>Datastore</type><pathSet>{path}</pathSet></propSet>
        <objectSet><obj type="Datastore">{moref}</obj></objectSet></specSet></RetrieveProperties>"#
    );
    let (status, text) = vcenter.soap(stack.ca_pem(), Some(session), &body).unwrap();
    assert!(status == 200 || text.contains("ManagedObjectNotFound"), "{status} {text}");
    text
}

fn login(stack: &Stack, vcenter: &Vcenter, password: &str) -> u16 {
    let user = &vcenter.options().username;
    let body = format!(
        r#"<Login xmlns="urn:vim25"><_this type="SessionManager">SessionManager</_this><userName>{user}</userName><password>{password}</password></Login>"#
    );
    vcenter.soap(stack.ca_pem(), None, &body).unwrap().0
}

#[test]
fn the_cluster_comes_up_with_crds_and_rights() {
    let stack = Stack::shared_blocking().unwrap();
    let crds = stack.kubectl(&["get", "crds", "--output=name"], None).unwrap();
    assert_eq!(crds.lines().filter(|name| name.ends_with(".berth.dev")).count(), 3, "{crds}");
    let version = stack.kubectl(&["version", "--output=json"], None).unwrap();
    assert!(version.contains(r#""minor": "36""#), "{version}");
    stack.berth_kubeconfig().unwrap();
    let berth = "--as=system:serviceaccount:berth-system:berth";
    let may = |args: &[&str]| {
        let args = [&["auth", "can-i", "--quiet", berth], args].concat();
        stack.kubectl(&args, None).is_ok()
    };
    assert!(may(&["watch", "instanceplacements.berth.dev", "--all-namespaces"]));
    assert!(may(&["update", "instanceplacements.berth.dev", "--subresource=status", "--all-namespaces"]));
    assert!(may(&["update", "configmaps/berth-journal", "--namespace=berth-system"]));
    assert!(may(&["update", "leases.coordination.k8s.io/berth-controller", "--namespace=berth-system"]));
    assert!(may(&["create", "events.events.k8s.io", "--namespace=default"]));
    assert!(!may(&["update", "instanceplacements.berth.dev", "--all-namespaces"]));
    assert!(!may(&["get", "secrets", "--namespace=default"]));
    assert!(!may(&["update", "configmaps/another", "--namespace=berth-system"]));
    assert!(!may(&["update", "leases.coordination.k8s.io/another", "--namespace=berth-system"]));
}

#[test]
fn a_reset_leaves_nothing_behind() {
    let stack = Stack::shared_blocking().unwrap();
    let namespace = stack.fresh_namespace("reset").unwrap();
    let placement = json!({
        "apiVersion": "berth.dev/v1alpha1", "kind": "InstancePlacement",
        "metadata": {"name": "one", "namespace": namespace},
        "spec": {"rootDisk": {"size": "10Gi"}},
    });
    stack.apply_yaml(&placement.to_string()).unwrap();
    let journal = ["create", "configmap", "berth-journal", "--namespace=berth-system"];
    stack.kubectl(&journal, None).unwrap();
    let seen = stack.audit_events().unwrap();
    let created = |event: &&crate::stack::AuditEvent| {
        event.object_ref.resource == "instanceplacements"
            && event.object_ref.name == "one"
            && event.user.username == "admin"
    };
    assert!(seen.iter().any(|event| created(&event)), "{seen:?}");
    stack.reset().unwrap();
    assert!(!stack.audit_events().unwrap().iter().any(|event| created(&event)));
    let left = stack.get_json(&["instanceplacements,vcenters,placementclasses", "--all-namespaces"]).unwrap();
    assert_eq!(left["items"], json!([]));
    let journal = stack.get_json(&["configmaps", "--namespace=berth-system"]).unwrap();
    assert_eq!(journal["items"], json!([]));
    // The same steps work again in the same cluster.
    stack.apply_yaml(&placement.to_string()).unwrap();
}

#[test]
fn the_vcenter_answers_over_tls_to_those_who_trust_its_authority() {
    let stack = Stack::shared_blocking().unwrap();
    let vcenter = stack.start_vcenter("tls", inventory()).unwrap();
    let (status, text) = vcenter.soap(stack.ca_pem(), None, SERVICE_CONTENT).unwrap();
    assert_eq!(status, 200);
    assert!(text.contains(&vcenter.options().instance_uuid), "{text}");
    let error = vcenter.soap(stack.unrelated_ca_pem(), None, SERVICE_CONTENT).unwrap_err();
    assert!(format!("{error:#}").contains("certificate"), "{error:#}");
    assert_eq!(vcenter.thumbprint().len(), 32 * 3 - 1);
}

#[test]
fn changes_of_datastores_are_visible() {
    let stack = Stack::shared_blocking().unwrap();
    let vcenter = stack.start_vcenter("changes", inventory()).unwrap();
    assert_eq!(login(&stack, &vcenter, &vcenter.options().password), 200);
    let sessions = vcenter.sessions().unwrap();
    let session = &sessions[0].key;
    let moref = vcenter.moref("vmfs-1").unwrap();
    assert!(summary(&stack, &vcenter, session, moref).contains("<freeSpace>1000</freeSpace>"));
    vcenter.set_datastore("vmfs-1", json!({"freeSpace": 12345, "maintenanceMode": "inMaintenance"})).unwrap();
    let changed = summary(&stack, &vcenter, session, moref);
    assert!(changed.contains("<freeSpace>12345</freeSpace>"), "{changed}");
    assert!(changed.contains("<maintenanceMode>inMaintenance</maintenanceMode>"), "{changed}");
    let vvol = summary(&stack, &vcenter, session, vcenter.moref("vvol-1").unwrap());
    assert!(vvol.contains("<url>ds:///vmfs/volumes/vvol:1a2b/</url>"), "{vvol}");
    let bare = summary(&stack, &vcenter, session, vcenter.moref("bare").unwrap());
    assert!(!bare.contains("maintenanceMode"), "absent is absent: {bare}");
    vcenter.create_datastore(json!({"name": "late", "type": "vsan"})).unwrap();
    vcenter.delete_datastore("vmfs-1").unwrap();
    assert!(!summary(&stack, &vcenter, session, moref).contains("freeSpace"));
}

#[test]
fn hosts_mounts_and_absent_data_are_under_control() {
    let stack = Stack::shared_blocking().unwrap();
    let inventory = json!({"datacenters": [{
        "clusters": [{"hosts": [{"name": "esx-a"}, {"name": "esx-b", "connectionState": "notResponding"}]}],
        "datastores": [{"name": "local", "capacity": null, "mounts": [
            {"host": "esx-a", "accessMode": "readOnly", "mounted": null},
        ]}],
    }]});
    let vcenter =
        stack.start_vcenter("hosts", VcenterOptions { inventory, ..VcenterOptions::default() }).unwrap();
    assert_eq!(login(&stack, &vcenter, &vcenter.options().password), 200);
    let session = &vcenter.sessions().unwrap()[0].key;
    let moref = vcenter.moref("local").unwrap();
    let read = |path| property(&stack, &vcenter, session, moref, path);
    let keys = || read("host").matches("<key ").count();
    let text = read("summary");
    assert!(!text.contains("<capacity>"), "absent is absent: {text}");
    assert!(text.contains("<multipleHostAccess>false</multipleHostAccess>"), "{text}");
    let text = read("host");
    assert!(text.contains("<accessMode>readOnly</accessMode>") && !text.contains("<mounted>"), "{text}");

    vcenter.create_host("C0", "esx-c").unwrap();
    assert_eq!(keys(), 1, "a new host mounts nothing");
    let mounts = json!([{"host": "esx-a"}, {"host": "esx-c"}]);
    vcenter.set_datastore("local", json!({"mounts": mounts, "withheld": ["info"]})).unwrap();
    assert_eq!(keys(), 2);
    assert!(read("summary").contains("<multipleHostAccess>true</multipleHostAccess>"));
    assert!(read("info").contains("NoPermission"));
    vcenter.delete_host("esx-c").unwrap();
    assert_eq!(keys(), 1);
    assert!(vcenter.set_host("esx-c", json!({"maintenance": true})).is_err(), "it is gone");
    vcenter.set_host("esx-a", json!({"maintenance": true, "connectionState": "disconnected"})).unwrap();
}

#[test]
fn a_killed_vcenter_comes_back_as_the_same_one() {
    let stack = Stack::shared_blocking().unwrap();
    let mut vcenter = stack.start_vcenter("restart", inventory()).unwrap();
    let url = vcenter.server_url().to_owned();
    let moref = vcenter.moref("vvol-1").unwrap().to_owned();
    vcenter.kill().unwrap();
    assert!(vcenter.soap(stack.ca_pem(), None, SERVICE_CONTENT).is_err());
    vcenter.restart().unwrap();
    assert_eq!(vcenter.server_url(), url);
    assert_eq!(vcenter.moref("vvol-1").unwrap(), moref);
    let (_, text) = vcenter.soap(stack.ca_pem(), None, SERVICE_CONTENT).unwrap();
    assert!(text.contains(&vcenter.options().instance_uuid));
}

#[test]
fn logins_sessions_and_faults_are_under_control() {
    let stack = Stack::shared_blocking().unwrap();
    let vcenter = stack.start_vcenter("sessions", inventory()).unwrap();
    let password = vcenter.options().password.clone();
    assert_eq!(login(&stack, &vcenter, "wrong"), 500);
    assert_eq!(login(&stack, &vcenter, &password), 200);
    assert_eq!(vcenter.logins().unwrap(), Logins { succeeded: 1, failed: 1 });
    assert_eq!(vcenter.sessions().unwrap().len(), 1);
    vcenter.end_sessions().unwrap();
    wait_for("no session", || Ok(vcenter.sessions()?.is_empty().then_some(()))).unwrap();
    vcenter.inject_fault(json!({"method": "Login", "fault": "InvalidLogin"})).unwrap();
    assert_eq!(login(&stack, &vcenter, &password), 500);
    assert_eq!(login(&stack, &vcenter, &password), 200);
    vcenter.next_status(503).unwrap();
    assert_eq!(login(&stack, &vcenter, &password), 503);
}
