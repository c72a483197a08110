//! What Berth may do is what it does: the rights of the chart against the audit log.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::main_job::{GIB, datastores, install, placement, settled};
use crate::stack::{AuditEvent, Stack, wait_for};

/// One right, or one use of it: `verb resource.group[/subresource] [name] in the cluster|in Berth's namespace`.
type Rights = BTreeSet<String>;

fn right(verb: &str, group: &str, resource: &str, name: &str, everywhere: bool) -> String {
    let place = if everywhere { "in the cluster" } else { "in Berth's namespace" };
    // A name cannot restrict a create.
    let name = if name.is_empty() || verb == "create" { String::new() } else { format!(" {name}") };
    format!("{verb} {resource}.{group}{name} {place}")
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().map(|all| all.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

/// What the chart has granted in this cluster.
fn granted(stack: &Stack) -> Rights {
    let mut rights = Rights::new();
    for (role, everywhere) in [("clusterrole", true), ("role", false)] {
        let role = stack.get_json(&[role, "berth-controller", "--namespace=berth-system"]).unwrap();
        for rule in role["rules"].as_array().unwrap() {
            let names = match texts(&rule["resourceNames"]) {
                names if names.is_empty() => vec![""],
                names => names,
            };
            for group in texts(&rule["apiGroups"]) {
                for resource in texts(&rule["resources"]) {
                    for verb in texts(&rule["verbs"]) {
                        rights
                            .extend(names.iter().map(|name| right(verb, group, resource, name, everywhere)));
                    }
                }
            }
        }
    }
    rights
}

/// The right that a request has made use of: the narrowest that the chart could grant for it.
fn used(event: &AuditEvent) -> String {
    let object = &event.object_ref;
    let resource = match object.subresource.as_str() {
        "" => object.resource.clone(),
        subresource => format!("{}/{subresource}", object.resource),
    };
    let own = ["configmaps", "leases", "secrets"].contains(&object.resource.as_str());
    let name = if own { object.name.as_str() } else { "" };
    right(&event.verb, &object.api_group, &resource, name, !own)
}

#[test]
fn every_right_of_the_chart_is_used_and_none_is_missing() {
    let stack = Stack::shared_blocking().unwrap();
    let own_identity = ["--cluster-name", "", "--leader-elect-identity", "berth-1"];
    let mut leader = stack.start_controller(super::berth(), &own_identity).unwrap();
    leader.wait_ready().unwrap();
    let mut standby =
        stack.start_controller(super::berth(), &["--leader-elect-identity", "berth-2"]).unwrap();
    standby.wait_ready().unwrap();
    let _vcenter = install(&stack, &datastores(&["a"], 15 * GIB));
    let namespace = stack.fresh_namespace("rights").unwrap();
    let spec = json!({"image": {"virtualSize": "10Gi"}});
    stack.apply_yaml(&placement(&namespace, "placed", &spec)).unwrap();
    settled(&stack, &namespace, 1, 0);
    stack.apply_yaml(&placement(&namespace, "refused", &spec)).unwrap();
    settled(&stack, &namespace, 1, 1);
    // A decision for what has a status reads it first.
    let again = json!({"image": {"virtualSize": "10Gi"}, "revision": 1});
    stack.apply_yaml(&placement(&namespace, "placed", &again)).unwrap();
    wait_for("revision 1", || {
        let path = ["--namespace", &namespace, "instanceplacement", "placed"];
        Ok((stack.get_json(&path)?["status"]["revision"] == 1).then_some(()))
    })
    .unwrap();
    assert!(leader.terminate().unwrap().success());
    let granted = granted(&stack);
    let used = wait_for("every right to be used", || {
        let mut own = stack.audit_events()?;
        own.retain(AuditEvent::is_berths);
        let used: Rights = own.iter().map(used).collect();
        let idle: Vec<_> = granted.difference(&used).collect();
        anyhow::ensure!(idle.is_empty(), "not used: {idle:?}");
        Ok(Some(used))
    });
    assert_eq!(used.unwrap(), granted);
    assert!(standby.terminate().unwrap().success());
}
