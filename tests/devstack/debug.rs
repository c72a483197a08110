//! The endpoints for people who look for a cause, of a running controller.

use berth::recording::Recording;
use serde_json::{Value, json};

use crate::main_job::{GIB, begin, datastores, placement, settled};
use crate::stack::Stack;

#[test]
fn a_running_controller_shows_its_inventory_and_explains_a_placement() {
    let stack = Stack::shared_blocking().unwrap();
    let (_vcenter, mut controller) = begin(&stack, &datastores(&["large", "small"], 100 * GIB));
    let namespace = stack.fresh_namespace("debug").unwrap();
    let spec = json!({"image": {"virtualSize": "10Gi"}, "datastores": {"namePattern": "large"}});
    stack.apply_yaml(&placement(&namespace, "web", &spec)).unwrap();
    settled(&stack, &namespace, 1, 0);

    let recording = Recording::read(&controller.metrics("/debug/inventory").unwrap()).unwrap();
    let names: Vec<_> = recording.inventory.datastores().iter().map(|d| d.name.as_str()).collect();
    assert_eq!(names, ["large", "small"]);

    let path = format!("/debug/explain?namespace={namespace}&name=web");
    let explained: Value = serde_json::from_str(&controller.metrics(&path).unwrap()).unwrap();
    assert_eq!(explained["placement"]["reason"], "Placed");
    assert_eq!(explained["placement"]["status"]["datastore"]["name"], "large");
    assert_eq!(explained["vCenter"], "vc-east");
    let verdicts: Vec<_> =
        explained["datastores"].as_array().unwrap().iter().map(|d| (&d["name"], &d["eligible"])).collect();
    assert_eq!(verdicts, [(&json!("large"), &json!(true)), (&json!("small"), &json!(false))]);

    let address = controller.metrics_address();
    let ask = |output: &str| {
        let arguments = ["explain", "web", "-n", &namespace, "--server", address, "-o", output];
        let answer = std::process::Command::new(super::berth()).args(arguments).output().unwrap();
        assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
        String::from_utf8(answer.stdout).unwrap()
    };
    assert_eq!(serde_json::from_str::<Value>(&ask("json")).unwrap(), explained);
    let table = ask("table");
    assert!(table.contains("selected") && table.contains("NameNotMatched"), "{table}");

    let level = |text: &str| controller.put("/debug/log-level", text);
    // Each change is said at the level from before it.
    for word in ["error", "info", "debug"] {
        assert_eq!(level(word).unwrap(), format!("{word}\n"));
    }
    let log = controller.log().unwrap();
    let said = |word: &str| log.contains(&format!("the level of the log is changed level=\"{word}\""));
    assert_eq!([said("error"), said("info"), said("debug")], [true, false, true], "{log}");
    assert!(controller.terminate().unwrap().success());
}
