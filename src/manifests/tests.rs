use proptest::prelude::*;
use serde_json::json;

use super::*;

const PLACEMENT: &str = "\
apiVersion: berth.dev/v1alpha1
kind: InstancePlacement
metadata:
  name: web-01
  namespace: team-a
spec:
  rootDisk:
    size: 40Gi
";

fn source(text: &str) -> Source {
    Source { name: "x.yaml".to_owned(), text: text.to_owned() }
}

thread_local! {
    static READER: Reader = Reader::new().unwrap();
}

fn read(text: &str) -> Reading {
    READER.with(|reader| reader.read(&source(text)))
}

fn read_stored(text: &str) -> Reading {
    READER.with(|reader| reader.read_stored(&source(text)))
}

fn problems(text: &str) -> Vec<String> {
    read(text).problems.iter().map(ToString::to_string).collect()
}

/// A placement with this as its last lines.
fn placement(more: &str) -> String {
    format!("{PLACEMENT}{more}")
}

/// Kinds and names, in order.
fn found(reading: &Reading) -> Vec<String> {
    reading.manifests.iter().map(|m| format!("{} {}", m.kind, m.object["metadata"]["name"])).collect()
}

#[test]
fn a_rendered_chart_is_read_past_what_means_nothing() {
    let text = format!(
        "---\n# Source: berth/templates/ns.yaml\napiVersion: v1\nkind: Namespace\nmetadata: {{name: team-a}}\n\
         ---\n# Source: nothing\n---\napiVersion: apps/v1\nkind: Deployment\nspec: {{replicas: many, replicas: 2}}\n\
         ---\r\n{PLACEMENT}...\n---\napiVersion: v1\nkind: InstancePlacement\n"
    );
    let reading = read(&text);
    assert_eq!(reading.problems, []);
    assert_eq!(found(&reading), ["Namespace \"team-a\"", "InstancePlacement \"web-01\""]);
    assert_eq!(reading.ignored, 2);
    assert_eq!(reading.manifests[1].place.to_string(), "x.yaml:13:1");
}

#[test]
fn an_object_is_as_the_api_server_would_create_it() {
    let text =
        placement("  datastores:\n  placementClassName: ~\nstatus: {revision: many, datastore: {name: d}}\n");
    let object = json!({
        "apiVersion": "berth.dev/v1alpha1", "kind": "InstancePlacement",
        "metadata": {"name": "web-01", "namespace": "team-a"},
        "spec": {"rootDisk": {"size": "40Gi"}, "revision": 0, "suspend": false},
        "status": {"observedGeneration": -1},
    });
    let reading = read(&text);
    assert_eq!(reading.problems, []);
    assert_eq!(reading.manifests[0].object, object);
    let class = read(
        "apiVersion: berth.dev/v1alpha1\nkind: PlacementClass\nmetadata: {name: a, namespace: b}\nspec: {}\n",
    );
    assert_eq!(class.manifests[0].object["metadata"], json!({"name": "a"}), "classes have no namespace");
}

#[test]
fn lists_are_taken_apart() {
    let items = "items:\n- apiVersion: berth.dev/v1alpha1\n  kind: InstancePlacement\n  metadata: {name: a}\n  \
                 spec: {rootDisk: {size: 1Gi}}\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: b}\n";
    for list in
        ["apiVersion: v1\nkind: List\n", "apiVersion: berth.dev/v1alpha1\nkind: InstancePlacementList\n"]
    {
        let reading = read(&format!("{list}{items}"));
        assert_eq!(found(&reading), ["InstancePlacement \"a\"", "Namespace \"b\""], "{:?}", reading.problems);
        assert_eq!(reading.manifests[0].place.to_string(), "x.yaml:4:3");
        for empty in ["items: []\n", "items:\n", ""] {
            assert_eq!(read(&format!("{list}{empty}")), Reading::default());
        }
        assert_eq!(problems(&format!("{list}items: 5\n")), ["x.yaml:3:1: items: expected a list of objects"]);
    }
    let bare = "apiVersion: v1\nkind: NamespaceList\nitems: [{metadata: {name: b}}]\n";
    assert_eq!(found(&read(bare)), ["Namespace \"b\""], "the API server leaves out what the list says");
    assert_eq!(
        problems("apiVersion: v1\nkind: NamespaceList\nitems: [{kind: 5, metadata: {name: b}}]\n"),
        ["x.yaml:3:9: not a Kubernetes object: apiVersion is missing or is no text"],
        "an item that says something must say it right"
    );
    let foreign = read("apiVersion: apps/v1\nkind: DeploymentList\nitems: [5]\n");
    assert_eq!((foreign.ignored, foreign.problems.len()), (1, 0));
}

#[test]
fn json_is_read_as_kubectl_and_jq_print_it() {
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}});
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [object, object]});
    let pretty = serde_json::to_string_pretty(&list).unwrap().replace("  ", "\t");
    assert_eq!(read(&pretty).manifests.len(), 2);
    let stream = read(&format!("{object}\n{object}{object}\n"));
    assert_eq!(stream.manifests.len(), 3);
    assert_eq!(stream.manifests[1].place.to_string(), "x.yaml:2:1");
}

#[test]
fn what_cannot_be_read_does_not_hide_the_rest() {
    let text = format!("a: b: c\n---\n{PLACEMENT}---\n\tx\n---\n{PLACEMENT}");
    let reading = read(&text);
    assert_eq!(reading.manifests.len(), 2);
    let problems: Vec<_> = reading.problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert_eq!(problems[0], "x.yaml:1:5: not valid YAML: mapping values are not allowed in this context");
    assert!(problems[1].starts_with("x.yaml:12:"), "{problems:?}");
}

#[test]
fn documents_without_content_mean_nothing() {
    for nothing in ["", "\n", "# only words\n", "~\n", "null\n", "---\n...\n"] {
        assert_eq!(read(&format!("{nothing}---\n{nothing}")), Reading::default(), "{nothing:?}");
    }
}

#[test]
fn what_is_no_object_or_not_known_is_said() {
    let known = "known are InstancePlacement, PlacementClass and VCenter of berth.dev/v1alpha1";
    for (text, expected) in [
        ("- a\n", "1:1: not a Kubernetes object: expected a map with apiVersion and kind".to_owned()),
        ("name: x\n", "1:1: not a Kubernetes object: apiVersion is missing or is no text".to_owned()),
        ("apiVersion: v1\n", "1:1: not a Kubernetes object: kind is missing or is no text".to_owned()),
        (
            "apiVersion: berth.dev/v2\nkind: VCenter\n",
            format!("1:1: VCenter of berth.dev/v2 is not known; {known}"),
        ),
        (
            "apiVersion: berth.dev/v1alpha1\nkind: Placement\n",
            format!("2:1: Placement of berth.dev/v1alpha1 is not known; {known}"),
        ),
    ] {
        assert_eq!(problems(text), [format!("x.yaml:{expected}")]);
    }
}

#[test]
fn unknown_fields_are_told_with_the_nearest_known_one() {
    let text = PLACEMENT.replace("rootDisk", "rootDsk");
    assert_eq!(problems(&text), ["x.yaml:7:3: spec.rootDsk: unknown field; did you mean rootDisk?"]);
    assert_eq!(
        problems(&placement("  datastores: {Types: [VMFS], zzz: 1}\n")),
        [
            "x.yaml:9:16: spec.datastores.Types: unknown field; did you mean types?",
            "x.yaml:9:31: spec.datastores.zzz: unknown field",
        ]
    );
    assert_eq!(
        problems(&placement("  additionalDisks:\n  - name: a\n    size: 1Gi\n    sise: 2Gi\n")),
        ["x.yaml:12:5: spec.additionalDisks[0].sise: unknown field; did you mean size?"]
    );
    assert_eq!(
        problems(&placement("Status: {}\n")),
        ["x.yaml:9:1: Status: unknown field; did you mean status?"]
    );
}

#[test]
fn a_field_that_is_set_twice_is_a_problem() {
    let text = placement("  rootDisk:\n    size: 41Gi\n");
    assert_eq!(problems(&text), ["x.yaml:9:3: spec.rootDisk: already set in line 7"]);
}

#[test]
fn names_are_what_names_can_be() {
    for (given, expected) in [
        (
            "name: web-01",
            "generateName: web-",
            "metadata.name: Required value: with generateName only the cluster \
          knows the name; give it one to plan with",
        ),
        ("name: web-01", "labels: {}", "metadata.name: Required value"),
    ]
    .map(|(old, new, expected)| (PLACEMENT.replace(old, new), expected))
    {
        assert_eq!(problems(&given), [format!("x.yaml:3:1: {expected}")]);
    }
    let cases = [
        ("name: web-01", "name: Web_01", "4:3: metadata.name: Invalid value: \"Web_01\""),
        ("name: web-01", "name: yes", "4:3: metadata.name: Invalid value: \"boolean\""),
        ("namespace: team-a", "namespace: a.b", "5:3: metadata.namespace: Invalid value: \"a.b\""),
        ("name: web-01", "name: a\n  labels: {a b: c}", "5:12: metadata.labels.a b: Invalid value: \"a b\""),
        ("name: web-01", "name: a\n  labels: {a: 5}", "5:12: metadata.labels.a: Invalid value: \"integer\""),
        (
            "name: web-01",
            "name: a\n  annotations: {a.B/c: true}",
            "5:17: metadata.annotations.a.B/c: Invalid",
        ),
        ("name: web-01", "name: a\n  label: {}", "5:3: metadata.label: unknown field; did you mean labels?"),
        (
            "metadata:\n  name: web-01\n  namespace: team-a",
            "metadata: 5",
            "3:1: metadata.name: Required value",
        ),
    ];
    for (old, new, expected) in cases {
        let problems = problems(&PLACEMENT.replace(old, new));
        assert!(problems[0].starts_with(&format!("x.yaml:{expected}")), "{new}: {problems:?}");
    }
    let namespace =
        |name: &str| problems(&format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n"));
    assert_eq!(namespace("team-a"), [""; 0]);
    assert!(namespace("team.a")[0].contains("should match"));
}

#[test]
fn whatever_the_schema_refuses_is_a_problem_in_the_api_servers_words() {
    for (more, expected) in [
        (
            "suspend: maybe",
            "9:3: spec.suspend: Invalid value: \"string\": spec.suspend in body must be of type \
          boolean: \"string\"",
        ),
        (
            "revision: -1",
            "9:3: spec.revision: Invalid value: -1: spec.revision in body should be greater than or \
          equal to 0",
        ),
        (
            "progressDeadlineSeconds: 99999999",
            "9:3: spec.progressDeadlineSeconds: Invalid value: 99999999: \
          spec.progressDeadlineSeconds in body should be less than or equal to 31536000",
        ),
        (
            "placementClassName: Gold",
            "9:3: spec.placementClassName: Invalid value: \"Gold\": \
          spec.placementClassName in body should match '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$'",
        ),
        (
            "compute: {hostAccess: Some}",
            "9:13: spec.compute.hostAccess: Unsupported value: \"Some\": supported \
          values: \"AnyHost\", \"OneCluster\", \"AllHosts\"",
        ),
        ("memory: {}", "9:3: spec.memory.size: Required value"),
        (
            "memory: {size: 1.5}",
            "9:12: spec.memory.size: Invalid value: \"number\": spec.memory.size in body must \
          be of type integer,string: \"number\"",
        ),
        (
            "memory: {size: 1Gi, reservation: 2Gi}",
            "9:3: spec.memory: Invalid value: \"object\": reservation cannot \
          be more than size",
        ),
        (
            "memory: {size: none}",
            "9:12: spec.memory.size: Invalid value: \"none\": must be a size greater than 0, \
          such as 40Gi or 21474836480",
        ),
        (
            "additionalDisks: [{name: a, size: 1}, {name: a, size: 2}]",
            "9:41: spec.additionalDisks[1]: Duplicate \
          value: {\"name\":\"a\"}",
        ),
        (
            "datastores: {preferred: [\"\"]}",
            "9:28: spec.datastores.preferred[0]: Invalid value: \"\": \
          spec.datastores.preferred[0] in body should be at least 1 chars long",
        ),
        (
            "datastores: {types: [~]}",
            "9:24: spec.datastores.types[0]: Invalid value: \"null\": \
          spec.datastores.types[0] in body must be of type string: \"null\"",
        ),
    ] {
        assert_eq!(problems(&placement(&format!("  {more}\n"))), [format!("x.yaml:{expected}")]);
    }
}

#[test]
fn every_problem_of_an_object_is_told() {
    let text = placement("  revision: -1\n  compute: {hostAccess: Some}\n  memory: {size: none}\n");
    assert_eq!(problems(&text).len(), 3);
    let empty = PLACEMENT.replace("rootDisk:\n    size: 40Gi\n", "suspend: true\n");
    assert_eq!(problems(&empty), ["x.yaml:6:1: spec: Required value: image or rootDisk.size is required"]);
    assert_eq!(
        problems(&PLACEMENT.replace("spec:\n  rootDisk:\n    size: 40Gi\n", "")),
        ["x.yaml:1:1: spec: Required value"]
    );
}

#[test]
fn what_a_cluster_stored_is_taken_as_it_is() {
    let stored = placement("  suspend: maybe\n  image: ~\nstatus: {revision: 3}\n");
    let reading = read_stored(&stored);
    assert_eq!(reading.problems, []);
    assert_eq!(reading.manifests[0].object["status"], json!({"revision": 3}));
    assert_eq!(reading.manifests[0].object["spec"]["suspend"], "maybe");
    let nameless = read_stored(&PLACEMENT.replace("name: web-01", "x: 1"));
    assert_eq!(nameless.problems[0].to_string(), "x.yaml:3:1: metadata.name: Required value");
    let text = "apiVersion: v1\nkind: Namespace\nmetadata: name\n";
    assert_eq!(read_stored(text).problems.len(), 1);
}

#[test]
fn the_same_object_twice_is_a_problem_of_the_second() {
    let other = PLACEMENT.replace("team-a", "team-b");
    let class = "apiVersion: berth.dev/v1alpha1\nkind: PlacementClass\nmetadata: {name: web-01}\nspec: {}\n";
    let text = format!("{PLACEMENT}---\n{other}---\n{class}");
    let mut manifests = read(&text).manifests;
    assert_eq!(duplicates(&manifests), []);
    for _ in 0..2 {
        let text = format!("{class}---\n{PLACEMENT}");
        let again = Source { name: "y.yaml".to_owned(), text };
        manifests.extend(READER.with(|reader| reader.read(&again)).manifests);
    }
    let problems: Vec<_> = duplicates(&manifests).iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 4);
    assert_eq!(problems[0], "y.yaml:1:1: PlacementClass web-01 is already at x.yaml:19:1");
    assert_eq!(problems[3], "y.yaml:6:1: InstancePlacement team-a/web-01 is already at x.yaml:1:1");
}

#[test]
fn everything_is_bounded() {
    let reading = read(&"- x\n---\n".repeat(500));
    assert_eq!(reading.problems.len(), MAX_PROBLEMS + 1);
    assert_eq!(
        reading.problems[MAX_PROBLEMS].to_string(),
        "x.yaml:201:1: there are more problems from here on"
    );
    let ignored = read(&"apiVersion: v1\nkind: X\n---\n".repeat(50_001));
    assert_eq!(ignored.ignored, 50_000);
    assert_eq!(ignored.problems[0].to_string(), "x.yaml:150000:1: more than 50000 documents; split the file");
    let annotated = |size: usize| {
        PLACEMENT.replace("name: web-01", &format!("name: a\n  annotations: {{a: \"{}\"}}", "x".repeat(size)))
    };
    assert_eq!(problems(&annotated((256 << 10) - 1)), [""; 0]);
    assert_eq!(
        problems(&annotated(256 << 10)),
        ["x.yaml:5:3: metadata.annotations: Too long: may not be more than 262144 bytes"]
    );
    let long = placement(&format!("  {}: 1\n", "x".repeat(900)));
    assert!(problems(&long)[0].len() < 700);
    let list = format!("apiVersion: v1\nkind: List\nitems: [{}]\n---\n- x\n", "x, ".repeat(2_000_000));
    let problems = problems(&list);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].ends_with("more values than can be read"), "{problems:?}");
}

/// Every rule of every CRD can be evaluated here.
#[test]
fn the_examples_of_the_repository_are_accepted() {
    for file in ["placementclass.yaml", "placements.yaml", "vcenter.yaml"] {
        let path = format!("{}/examples/{file}", env!("CARGO_MANIFEST_DIR"));
        let reading = read(&std::fs::read_to_string(path).unwrap());
        assert_eq!(reading.problems, []);
        assert!(!reading.manifests.is_empty());
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC*|[-:{}\\[\\]&*!|>'\"%@#,?a-c0-2 \n\t]{0,80}") {
        for problem in read(&text).problems {
            prop_assert!(problem.place.line >= 1 && problem.place.column >= 1);
            prop_assert!(problem.place.line <= 1 + text.matches(['\n', '\r']).count());
        }
    }

    #[test]
    fn no_change_of_a_good_file_makes_it_panic(
        at in 0..400_usize, take in 0..40_usize, put in "\\PC{0,3}|[-:{}\\[\\]&*!|>'\"%@#,?a0~ \n\t]{0,8}"
    ) {
        let mut text: Vec<char> = placement(
            "  image: &a {virtualSize: 20Gi, diskType: OVA}\n  additionalDisks:\n  - {name: a, size: 1Gi}\n  \
             memory: {size: 4Gi, reservation: 1e9}\n  datastores: {types: [vvol], namePattern: x}\n  revision: 7\n"
        ).chars().collect();
        let at = at.min(text.len());
        let end = (at + take).min(text.len());
        text.splice(at..end, put.chars());
        let text: String = text.into_iter().collect();
        let reading = read(&text);
        prop_assert!(reading.manifests.len() + reading.problems.len() + reading.ignored >= 1);
        prop_assert!(reading.manifests.iter().all(|m| m.object["metadata"]["name"].is_string()));
    }
}
