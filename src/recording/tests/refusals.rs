//! Everything that is refused, each with the line that its reader gets.

use super::*;

/// What is said of the sample with one text in place of another.
fn refused(from: &str, to: &str) -> String {
    let text = FILE.replacen(from, to, 1);
    assert_ne!(text, FILE, "{from}");
    told(&text)
}

fn told(text: &str) -> String {
    let said = Recording::read(text).unwrap_err().to_string();
    assert!(said.len() < 800 && !said.chars().any(char::is_control), "one bounded line: {said}");
    said
}

#[test]
fn a_newer_version_is_named_before_its_fields() {
    let newer = FILE.replace("inventory/v1\",", "inventory/v2\",\n\"planets\": [],");
    assert_eq!(
        told(&newer),
        "its apiVersion is \"berth.dev/inventory/v2\", and this version of Berth reads berth.dev/inventory/v1: use a \
         newer Berth, or record it again with this one"
    );
    assert!(told(&newer.replace("v2", &"v2".repeat(5000))).starts_with("its apiVersion is \"berth.dev/inv"));
}

#[test]
fn something_else_is_no_recording() {
    let said = "it is no recorded inventory, whose apiVersion is berth.dev/inventory/v1; 'berth inventory' records one";
    for text in ["{}", r#"{"kind":"List"}"#, r#"{"apiVersion":"v1","items":[]}"#, r#"{"apiVersion":null}"#] {
        assert_eq!(told(text), said, "{text}");
    }
    assert_eq!(told("apiVersion: v1"), "line 1, column 1: expected value");
    assert!(told("[[]]").starts_with("line 1, column 1: invalid type"), "{}", told("[[]]"));
}

#[test]
fn an_empty_file_is_named() {
    assert_eq!(told(""), "it is empty: record it again");
    assert_eq!(told(" \n"), "it is empty: record it again");
}

#[test]
fn a_truncated_file_is_named_with_its_last_line() {
    let cut = FILE.find("\"type\":\"VMFS\"").unwrap();
    assert_eq!(told(&FILE[..cut]), "it ends early, in line 22: record it again");
    for (cut, _) in FILE.trim_end().char_indices().skip(1) {
        assert!(told(&FILE[..cut]).starts_with("it ends early, in line "), "{}", &FILE[..cut]);
    }
}

#[test]
fn text_behind_the_end_is_refused() {
    let said = told(&format!("{FILE}{{}}"));
    assert_eq!(said, "line 26, column 1: trailing characters");
}

#[test]
fn a_file_that_is_too_long_is_not_looked_at() {
    assert_eq!(told(&"x".repeat(MAX_BYTES + 1)), "it is longer than 64 MiB");
    assert_eq!(told(&"x".repeat(MAX_BYTES)), "line 1, column 1: expected value");
}

#[test]
fn a_negative_size_is_no_size() {
    assert_eq!(
        refused("\"freeBytes\":1073741824", "\"freeBytes\":-1"),
        "datastore-1: freeBytes is -1; a size is from 0 to 9223372036854775807 bytes"
    );
}

#[test]
fn an_absurd_size_is_no_size() {
    for (field, of) in [
        ("capacityBytes", "1099511627776"),
        ("freeBytes", "1073741824"),
        ("uncommittedBytes", "0"),
        ("maxVirtualDiskBytes", "68169720922112"),
    ] {
        let from = format!("\"{field}\":{of}");
        for absurd in ["9223372036854775808", "18446744073709551616"] {
            let said = refused(&from, &format!("\"{field}\":{absurd}"));
            let start = format!("datastore-1: {field} is {absurd}; a size is from 0 to ");
            assert!(said.starts_with(&start), "{said}");
        }
        for absurd in ["1.5", "1e30", "1e999", "\"1\"", "true", "[]"] {
            let said = refused(&from, &format!("\"{field}\":{absurd}"));
            assert!(said.starts_with("line 22, column "), "{said}");
        }
    }
    assert!(Recording::read(&FILE.replace("1099511627776", "9223372036854775807")).is_ok());
}

#[test]
fn a_moref_is_there_once_in_the_whole_file() {
    assert_eq!(refused("\"datastore-2\"", "\"datastore-1\""), "datastore-1: it is there twice");
    assert_eq!(refused("\"moRef\":\"host-h2\"", "\"moRef\":\"host-h1\""), "host-h1: it is there twice");
    assert_eq!(
        refused("\"moRef\":\"domain-c0\"", "\"moRef\":\"datacenter-0\""),
        "datacenter-0: it is there twice"
    );
}

#[test]
fn a_moref_has_the_characters_of_references() {
    for moref in ["", "a b", "a\\nb", "a<b", "é", &"a".repeat(129)] {
        let said = refused("\"moRef\":\"datastore-2\"", &format!("\"moRef\":\"{moref}\""));
        assert!(said.ends_with(": it is no managed object reference"), "{said}");
    }
    assert!(Recording::read(&FILE.replace("\"datastore-2\"", &format!("\"{}\"", "a".repeat(128)))).is_ok());
}

#[test]
fn another_kind_of_value_is_named_with_what_was_expected() {
    let said = refused("\"tags\":[{\"category\":\"tier\",\"name\":\"gold\"}]", "\"tags\":5");
    assert!(said.contains("invalid type: integer `5`, expected a list of at most "), "{said}");
    let said = refused("\"customAttributes\":{\"owner\":\"storage team\"}", "\"customAttributes\":[]");
    assert!(said.contains("expected an object of at most "), "{said}");
}

#[test]
fn a_datastore_cluster_is_named_only_where_they_were_read() {
    let pods = "\"datastoreClusters\": [\n{\"moRef\":\"group-p1\",\"name\":\"POD\",\"path\":\"/DC0/datastore/POD\"}\n],\n";
    assert_eq!(refused(pods, ""), "datastore-1: datastoreCluster is \"group-p1\", which is not in the file");
}

#[test]
fn an_overlong_text_is_refused() {
    let longest = FILE.replace("\"name\":\"POD\"", &format!("\"name\":\"{}\"", "x".repeat(256)));
    assert!(Recording::read(&longest).is_ok());
    let long = "x".repeat(70_000);
    for (from, to, said) in [
        (
            "\"datastore-2\"",
            "\"datastore-2\",\"name\":\"LONG\"",
            "datastore-2: name is longer than 256 bytes",
        ),
        ("\"type\":\"VMFS\"", "\"type\":\"LONG\"", "datastore-1: type is longer than 128 bytes"),
        ("ds:///", "ds:///LONG", "datastore-1: url is longer than 1024 bytes"),
        ("\"normal\"", "\"LONG\"", "datastore-1: maintenanceMode is longer than 128 bytes"),
        ("\"/DC0\"", "\"/LONG\"", "datacenter-0: path is longer than 65536 bytes"),
        ("\"name\":\"C0\"", "\"name\":\"LONG\"", "domain-c0: name is longer than 256 bytes"),
        ("\"/DC0/host/C0/h1\"", "\"/LONG\"", "host-h1: path is longer than 65536 bytes"),
        ("https://vc", "https://LONG", "vCenter: server is longer than 1024 bytes"),
        ("8.0.3", "LONG", "vCenter: version is longer than 1024 bytes"),
        ("consumer@", "LONG", "vCenter: consumer is longer than 256 bytes"),
        ("\"Gold\"", "\"LONG\"", "policies: name is longer than 256 bytes"),
        ("\"gold\"", "\"LONG\"", "datastore-1: tags is longer than 256 bytes"),
        ("storage team", "LONG", "datastore-1: customAttributes is longer than 1024 bytes"),
        ("usage", "LONG", "datastore-1: alarms is longer than 256 bytes"),
        ("too slow", "LONG", "datastore-1: policies is longer than 1024 bytes"),
        ("array-1", "LONG", "datastore-1: arrays is longer than 256 bytes"),
        ("Datastore.AllocateSpace", "LONG", "datastore-1: privileges is longer than 256 bytes"),
        (UUID, "LONG", "vCenter: instanceUUID is longer than 1024 bytes"),
    ] {
        assert_eq!(refused(from, &to.replace("LONG", &long)), said);
    }
}

#[test]
fn control_characters_are_refused() {
    for character in ["\\u0007", "\\u001b[2J", "\\n", "\\u009b", "\u{202e}"] {
        let said = refused("\"datastore-2\"", &format!("\"datastore-2\",\"name\":\"a{character}b\""));
        assert_eq!(said, "datastore-2: name has control characters");
    }
    assert!(
        refused("\"datastore-2\"", "\"datastore-2\",\"name\":\"a\u{7}b\"").starts_with("line 23, column "),
        "not even JSON"
    );
    assert_eq!(refused("ds:///", "ds:\\t///"), "datastore-1: url has control characters");
    assert_eq!(refused("8.0.3", "8\\n0"), "vCenter: version has control characters");
}

#[test]
fn an_unknown_field_is_told_with_the_nearest_known_one() {
    assert!(
        refused("\"freeBytes\"", "\"freeByte\"")
            .ends_with(": unknown field freeByte; did you mean freeBytes?")
    );
    assert!(refused("\"path\"", "\"pth\"").ends_with(": unknown field pth; did you mean path?"));
    let newer = refused("\"clusters\": [", "\"quotas\": [],\n\"clusters\": [");
    assert_eq!(
        newer,
        "line 7, column 8: unknown field quotas: if a newer Berth has recorded it, use that one"
    );
    let hostile = format!("\"{}\\u001b`\":1,\"name\"", "x".repeat(5000));
    assert!(refused("\"name\"", &hostile).contains(": unknown field xxx"));
}

#[test]
fn a_field_is_there_once_and_of_its_type() {
    let twice = refused("\"accessible\":true", "\"accessible\":true,\"accessible\":false");
    assert!(twice.ends_with(": duplicate field `accessible`"), "{twice}");
    for (from, to) in [
        ("\"accessible\":true", "\"accessible\":\"true\""),
        ("\"type\":\"VMFS\"", "\"type\":1"),
        ("\"2026-01-02T03:04:05.5Z\"", "\"yesterday\""),
        ("[\"thinProvisioning\"]", "[\"name\"]"),
        ("\"mounts\":{", "\"mounts\":{\"unmounted\":[],"),
        ("{\"moRef\":\"datastore-2\"}", "{}"),
        ("\"server\":\"https://vc-east.example.com\",", ""),
    ] {
        let said = refused(from, to);
        assert!(said.starts_with("line "), "{said}");
    }
}

#[test]
fn what_has_a_value_is_not_withheld() {
    let said = refused("[\"thinProvisioning\"]", "[\"maxVirtualDiskBytes\"]");
    assert_eq!(said, "datastore-1: maxVirtualDiskBytes has a value and is withheld");
    let said = refused("\"withheld\"", "\"thinProvisioning\":true,\"withheld\"");
    assert_eq!(said, "datastore-1: thinProvisioning has a value and is withheld");
}

#[test]
fn a_reference_leads_to_an_object_of_its_kind() {
    let host = "\"cluster\":\"domain-c0\",\"datacenter\":\"datacenter-0\"";
    for (from, to, said) in [
        (
            host,
            host.replace("domain-c0", "domain-c9"),
            "host-h1: cluster is \"domain-c9\", which is not in the file",
        ),
        (
            host,
            host.replace("datacenter-0", "domain-c0"),
            "host-h1: datacenter is \"domain-c0\", which is not in the file",
        ),
        (
            "\"datacenter\":\"datacenter-0\",\"type\"",
            "\"datacenter\":\"host-h1\",\"type\"".to_owned(),
            "datastore-1: datacenter is \"host-h1\", which is not in the file",
        ),
        (
            "[\"host-h1\"]",
            "[\"datastore-1\"]".to_owned(),
            "datastore-1: mounts has \"datastore-1\", which is not among the hosts",
        ),
    ] {
        assert_eq!(refused(from, &to), said);
    }
    for (from, to, said) in [
        (
            "\"group-p1\",\"tags\"",
            "\"p1\",\"tags\"",
            "datastore-1: datastoreCluster is \"p1\", which is not in the file",
        ),
        ("{\"p-1\"", "{\"p-9\"", "datastore-1: policies has \"p-9\", which is not in the file"),
        (
            "\"hosts\":[\"host-h1\"]",
            "\"hosts\":[\"h1\"]",
            "datastore-1: policies has \"h1\", which is not among the hosts",
        ),
        (
            "\"endpoints\":[\"host-h2\"]",
            "\"endpoints\":[\"h2\"]",
            "datastore-1: endpoints has \"h2\", which is not among the hosts",
        ),
    ] {
        assert_eq!(refused(from, to), said);
    }
    refused("[\"host-h1\"]", &format!("[\"{}\\u001b\"]", "x".repeat(5000)));
}

#[test]
fn a_host_mounts_a_datastore_once() {
    let said = "datastore-1: mounts has host-h1 twice";
    assert_eq!(refused("[\"host-h1\"]", "[\"host-h1\",\"host-h1\"]"), said);
    assert_eq!(refused("[\"host-h2\"]", "[\"host-h1\"]"), said);
}

#[test]
fn what_describes_storage_is_there_once() {
    let tag = "{\"category\":\"tier\",\"name\":\"gold\"}";
    let alarm = "{\"name\":\"usage\",\"status\":\"red\"}";
    for (from, to, said) in [
        ("\"id\":\"p-2\"", "\"id\":\"p-1\"".to_owned(), "policies: \"p-1\" is there twice"),
        (tag, format!("{tag},{tag}"), "datastore-1: tags has one of them twice"),
        (alarm, format!("{alarm},{alarm}"), "datastore-1: alarms has one of them twice"),
        ("[\"host-h2\"]}", "[\"host-h2\",\"host-h2\"]}".to_owned(), "datastore-1: mounts has host-h2 twice"),
        (
            "\"endpoints\":[\"host-h2\"",
            "\"endpoints\":[\"host-h2\",\"host-h2\"".to_owned(),
            "datastore-1: endpoints has host-h2 twice",
        ),
    ] {
        assert_eq!(refused(from, &to), said);
    }
    for (from, twice) in [
        ("\"owner\":", "\"owner\":\"\",\"owner\":"),
        ("{\"p-1\":", "{\"p-1\":{\"compatible\":true},\"p-1\":"),
        ("\"array-1\":", "\"array-1\":true,\"array-1\":"),
        ("\"Datastore.AllocateSpace\":", "\"Datastore.AllocateSpace\":true,\"Datastore.AllocateSpace\":"),
    ] {
        let said = refused(from, twice);
        assert!(said.starts_with("line 22, column ") && said.ends_with(" is there twice"), "{said}");
    }
}

#[test]
fn a_policy_fits_or_says_why_it_does_not() {
    let said = refused("\"compatible\":true", "\"compatible\":false");
    assert_eq!(said, "datastore-1: policies: \"p-1\" is not compatible and has hosts");
    let said = refused("\"compatible\":false", "\"compatible\":true");
    assert_eq!(said, "datastore-1: policies: \"p-2\" is compatible and has a why");
}

#[test]
fn the_vcenter_has_an_address_and_an_identity() {
    let said = refused("https://vc-east.example.com", "http://vc-east.example.com/sdk");
    assert_eq!(said, "vCenter: server \"http://vc-east.example.com/sdk\" is not https://host[:port]");
    assert_eq!(refused(UUID, ""), "vCenter: instanceUUID is empty");
}

#[test]
fn more_objects_than_a_vcenter_has_are_refused() {
    let many = |count: usize, kind: &str| {
        let objects = (0..count).map(|n| format!("{{\"moRef\":\"x-{n}\",\"name\":\"\"}}"));
        format!("\"{kind}\": [{},", objects.collect::<Vec<_>>().join(","))
    };
    for (kind, most) in
        [("datacenters", 10_000), ("clusters", 10_000), ("hosts", 10_000), ("datastores", 50_000)]
    {
        let said = refused(&format!("\"{kind}\": ["), &many(most, kind));
        assert!(said.contains(&format!(": there are more than {most} in this list")), "{said}");
    }
    let names = format!("[{}\"host-h1\"]", "\"host-h1\",".repeat(10_000));
    assert!(refused("[\"host-h1\"]", &names).contains("there are more than 10000 in this list"));
    let withheld = format!("[{}\"thinProvisioning\"]", "\"thinProvisioning\",".repeat(16));
    assert!(refused("[\"thinProvisioning\"]", &withheld).contains("there are more than 16 in this list"));
}

#[test]
fn no_depth_is_too_deep_for_the_reader() {
    for deep in ["[".repeat(1_000_000), "{\"a\":".repeat(1_000_000)] {
        told(&deep);
        told(&FILE.replacen("\"hosts\": [", &format!("\"hosts\": {deep}"), 1));
        told(&FILE.replacen("\"hosts\": [", &format!("\"deep\": {deep}"), 1));
        let closed = "[".repeat(100_000) + &"]".repeat(100_000);
        assert!(
            refused("\"hosts\": [", &format!("\"deep\": {closed},\"hosts\": ["))
                .contains("unknown field deep")
        );
    }
}
