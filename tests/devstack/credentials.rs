//! Credentials, from their mistakes to their secrecy. After every other test it is looked whether one of them got
//! out, too; see `tests/support/stack/aftermath.rs`.

use std::fs;

use serde_json::{Value, json};

use crate::main_job::{GIB, apply_default_class, datastores, placement, settled, vcenter};
use crate::stack::{Controller, Stack, VcenterOptions, wait_for};
use crate::statuses;

fn one() -> Vec<Value> {
    datastores(&["a"], 100 * GIB)
}

fn write_secret(stack: &Stack, data: &Value) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "vc-east", "namespace": "berth-system"},
        "stringData": data,
    });
    stack.kubectl(&["replace", "--filename", "-"], Some(&secret.to_string())).unwrap();
}

fn wait_vcenter(stack: &Stack, expected: &str) {
    wait_for(&format!("vc-east to be {expected}"), || {
        let vcenter = stack.get_json(&["vcenter", "vc-east"])?;
        let ready = statuses::condition(&vcenter, "Ready");
        let reason = ready.and_then(|ready| ready["reason"].as_str()).unwrap_or("nothing");
        anyhow::ensure!(reason == expected, "it is {reason}");
        Ok(Some(()))
    })
    .unwrap();
}

fn wait_readyz(controller: &Controller, expected: &(u16, String)) {
    wait_for(&format!("{expected:?}"), || {
        let found = controller.readyz()?;
        anyhow::ensure!(found == *expected, "{found:?}");
        Ok(Some(()))
    })
    .unwrap();
}

#[test]
fn what_is_wrong_with_a_vcenters_configuration_is_what_readyz_says_until_it_is_mended() {
    let stack = Stack::shared_blocking().unwrap();
    let vcenter = vcenter(&stack, &one());
    stack.register_vcenter(&vcenter).unwrap();
    let VcenterOptions { username, password, .. } = vcenter.options();
    let mut controller = stack.start_controller(super::berth(), &[]).unwrap();
    controller.wait_ready().unwrap();
    let ready = (200, "ready\n".to_owned());
    let pending = |why: &str| (503, format!("configuration: vc-east: {why}\n"));
    assert!(controller.terminate().unwrap().success());

    write_secret(&stack, &json!({"username": username}));
    let mut controller = stack.start_controller(super::berth(), &[]).unwrap();
    wait_readyz(&controller, &pending("there is no Secret vc-east with password in Berth's namespace"));
    write_secret(&stack, &json!({"username": username, "password": password}));
    wait_readyz(&controller, &ready);
    stack
        .kubectl(
            &[
                "patch",
                "vcenter",
                "vc-east",
                "--type=merge",
                "--patch",
                r#"{"spec":{"caBundle":"not a certificate"}}"#,
            ],
            None,
        )
        .unwrap();
    wait_vcenter(&stack, "InvalidSpec");
    let (code, said) = controller.readyz().unwrap();
    assert!(code == 503 && said.starts_with("configuration: vc-east: "), "{said}");
    let lines = controller.log().unwrap();
    let said =
        lines.lines().filter(|line| line.contains("a VCenter cannot be used as it is configured")).count();
    assert_eq!(said, 2, "each is said once");
    stack.register_vcenter(&vcenter).unwrap();
    wait_readyz(&controller, &ready);
    assert!(controller.terminate().unwrap().success());
}

#[test]
fn no_credential_gets_out_whatever_becomes_of_it() {
    let stack = Stack::shared_blocking().unwrap();
    let vcenter = vcenter(&stack, &one());
    stack.register_vcenter(&vcenter).unwrap();
    let VcenterOptions { username, password, .. } = vcenter.options();
    write_secret(&stack, &json!({"username": username, "password": format!("{password}-wrong")}));
    let mut controller = stack.start_controller(super::berth(), &[]).unwrap();
    controller.wait_ready().unwrap();
    wait_vcenter(&stack, "InvalidCredentials");
    write_secret(&stack, &json!({"username": username, "password": password}));
    wait_vcenter(&stack, "Connected");
    apply_default_class(&stack);
    let namespace = stack.fresh_namespace("secrecy").unwrap();
    let spec = json!({"image": {"virtualSize": "10Gi"}});
    stack.apply_yaml(&placement(&namespace, "web", &spec)).unwrap();
    settled(&stack, &namespace, 1, 0);
    let cookie = vcenter.sessions().unwrap()[0].key.clone();
    vcenter.end_sessions().unwrap();
    wait_for("another session", || Ok((!vcenter.sessions()?.is_empty()).then_some(()))).unwrap();

    let arguments = fs::read_to_string(format!("/proc/{}/cmdline", controller.pid())).unwrap();
    let outputs = [
        controller.log().unwrap(),
        controller.metrics("/metrics").unwrap(),
        controller.readyz().unwrap().1,
        arguments,
    ];
    for output in &outputs {
        assert!(!output.contains(&cookie) && !output.contains("canary-"), "{output}");
    }
    assert!(outputs[0].contains(" DEBUG berth::"), "everything was to be logged");
    assert!(controller.terminate().unwrap().success());
    stack.check_aftermath().unwrap();

    // And it would be noticed.
    let leak = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "leak", "namespace": namespace}, "data": {"text": password}});
    stack.apply_yaml(&leak.to_string()).unwrap();
    let noticed = stack.check_aftermath().unwrap_err();
    assert!(noticed.to_string().starts_with("a credential is in configmaps"), "{noticed}");
    stack.kubectl(&["delete", "configmap", "leak", "--namespace", &namespace], None).unwrap();
}
