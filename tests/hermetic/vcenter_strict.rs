//! What the fake vCenter refuses and how it writes its answers, seen by a client without manners.

use std::{pin::pin, time::Duration};

use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::fake_vcenter::{FakeVcenter, Options};

/// A client that sends what it is told.
struct Raw<'a> {
    fake: &'a FakeVcenter,
    client: reqwest::Client,
    cookie: Option<String>,
}

impl<'a> Raw<'a> {
    fn new(fake: &'a FakeVcenter) -> Self {
        let root = reqwest::Certificate::from_pem(fake.ca_pem.as_bytes()).unwrap();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([root]).build().unwrap();
        Self { fake, client, cookie: None }
    }

    async fn logged_in(fake: &'a FakeVcenter) -> Self {
        let mut raw = Self::new(fake);
        raw.ok(&login(&Options::default().password)).await;
        raw
    }

    /// Status and text of the answer to a call.
    async fn call(&mut self, call: &str) -> (u16, String) {
        let body = format!(
            "<?xml version=\"1.0\"?><Envelope xmlns=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><Body>{call}</Body></Envelope>"
        );
        let mut request = self
            .client
            .post(format!("{}/sdk", self.fake.url))
            .header("content-type", "text/xml; charset=\"utf-8\"")
            .header("soapaction", "\"urn:vim25/8.0.1.0\"")
            .body(body);
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let answer = request.send().await.unwrap();
        if let Some(cookie) = answer.headers().get("set-cookie") {
            self.cookie = Some(cookie.to_str().unwrap().split(';').next().unwrap().to_owned());
        }
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn ok(&mut self, call: &str) -> String {
        let (status, text) = self.call(call).await;
        assert_eq!(status, 200, "{call}: {text}");
        text
    }

    /// The type of the fault that a call ends with; its text for one without a type.
    async fn fault(&mut self, call: &str) -> String {
        let (status, text) = self.call(call).await;
        assert_eq!(status, 500, "{call}: {text}");
        match text.split_once("Fault xmlns=\"urn:vim25\" xsi:type=\"") {
            Some((_, rest)) => rest.split_once('"').unwrap().0.to_owned(),
            None => between(&text, "<faultstring>", "</faultstring>").to_owned(),
        }
    }

    /// A view, a collector and a filter of `properties` (`propSet` elements); the collector's id.
    async fn watch(&mut self, kinds: &[&str], properties: &str) -> String {
        let view = self.ok(&view(kinds)).await;
        let view = between(&view, "type=\"ContainerView\">", "<").to_owned();
        let collector = self.ok(&on("CreatePropertyCollector", DEFAULT, "")).await;
        let collector = between(&collector, "type=\"PropertyCollector\">", "<").to_owned();
        self.ok(&on(
            "CreateFilter",
            &collector,
            &format!("{}<partialUpdates>false</partialUpdates>", spec(&view, properties)),
        ))
        .await;
        collector
    }

    async fn wait(&mut self, collector: &str, version: &str) -> String {
        self.ok(&wait(collector, version, 0)).await
    }
}

const DEFAULT: &str = "propertyCollector";

fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split_once(after).unwrap().0
}

fn version(answer: &str) -> String {
    between(answer, "<version>", "</version>").to_owned()
}

fn login(password: &str) -> String {
    let password = password.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        "<Login xmlns=\"urn:vim25\"><_this type=\"SessionManager\">SessionManager</_this>\
         <userName>{}</userName><password>{password}</password><locale>en</locale></Login>",
        Options::default().username
    )
}

/// A method of a property collector.
fn on(method: &str, collector: &str, arguments: &str) -> String {
    format!(
        "<{method} xmlns=\"urn:vim25\"><_this type=\"PropertyCollector\">{collector}</_this>{arguments}</{method}>"
    )
}

fn wait(collector: &str, version: &str, seconds: u32) -> String {
    let options = format!("<options><maxWaitSeconds>{seconds}</maxWaitSeconds></options>");
    on("WaitForUpdatesEx", collector, &format!("<version>{version}</version>{options}"))
}

fn view(kinds: &[&str]) -> String {
    let kinds: Vec<_> = kinds.iter().map(|kind| format!("<type>{kind}</type>")).collect();
    format!(
        "<CreateContainerView xmlns=\"urn:vim25\"><_this type=\"ViewManager\">ViewManager</_this>\
         <container type=\"Folder\">group-d1</container>{}<recursive>true</recursive></CreateContainerView>",
        kinds.concat()
    )
}

fn spec(view: &str, properties: &str) -> String {
    format!(
        "<spec>{properties}<objectSet><obj type=\"ContainerView\">{view}</obj><skip>true</skip>\
         <selectSet xsi:type=\"TraversalSpec\"><name>v</name><type>ContainerView</type><path>view</path>\
         <skip>false</skip></selectSet></objectSet></spec>"
    )
}

fn properties(kind: &str, paths: &[&str]) -> String {
    let paths: Vec<_> = paths.iter().map(|path| format!("<pathSet>{path}</pathSet>")).collect();
    format!("<propSet><type>{kind}</type>{}</propSet>", paths.concat())
}

/// `RetrievePropertiesEx` of named objects.
fn retrieve(objects: &[(&str, &str)], properties: &str, options: &str) -> String {
    let objects =
        objects.iter().map(|(kind, id)| format!("<objectSet><obj type=\"{kind}\">{id}</obj></objectSet>"));
    let set = format!(
        "<specSet>{properties}{}</specSet><options>{options}</options>",
        objects.collect::<Vec<_>>().concat()
    );
    on("RetrievePropertiesEx", DEFAULT, &set)
}

async fn fake(datastores: serde_json::Value) -> FakeVcenter {
    FakeVcenter::start(Options { page: 2, ..Options::with_datastores(&datastores) }).await
}

#[tokio::test(start_paused = true)]
async fn a_request_out_of_order_or_unknown_is_refused_by_name() {
    let fake = fake(json!([])).await;
    let mut raw = Raw::logged_in(&fake).await;
    let filter = on("CreateFilter", DEFAULT, "<partialUpdates>false</partialUpdates><spec/>");
    let cases = [
        (filter, "CreateFilter: expected spec, found partialUpdates"),
        (
            wait(DEFAULT, "", 1)
                .replace("<version></version>", "")
                .replace("</options>", "</options><version></version>"),
            "WaitForUpdatesEx: version is unknown or in the wrong place",
        ),
        (
            retrieve(&[("Folder", "group-d1")], &properties("Folder", &["name"]), "")
                .replace("<options></options>", ""),
            "RetrievePropertiesEx: expected options, found nothing",
        ),
        (properties("Folder", &["name"]), "unknown namespace \"http://schemas.xmlsoap.org/soap/envelope/\""),
        (on("InventNothing", DEFAULT, ""), "MethodNotFound"),
        (on("Logout", DEFAULT, ""), "MethodNotFound"),
        (on("DestroyPropertyCollector", "session[x]y", ""), "ManagedObjectNotFound"),
        (view(&["Datastore"]).replace("group-d1", "group-d9"), "ManagedObjectNotFound"),
        (view(&["Datashop"]), "InvalidArgument"),
        (retrieve(&[("Folder", "group-d1")], &properties("Folder", &["summary"]), ""), "InvalidProperty"),
        (retrieve(&[("Folder", "group-d9")], &properties("Folder", &["name"]), ""), "ManagedObjectNotFound"),
        (wait(DEFAULT, "1", 1), "InvalidCollectorVersion"),
    ];
    for (call, expected) in cases {
        assert_eq!(raw.fault(&call).await, expected.replace('"', "&#34;"), "{call}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_but_the_service_content_is_shown_without_a_session() {
    let fake = fake(json!([])).await;
    let mut raw = Raw::new(&fake);
    let content = "<RetrieveServiceContent xmlns=\"urn:vim25\"><_this type=\"ServiceInstance\">ServiceInstance\
        </_this></RetrieveServiceContent>";
    assert!(raw.ok(content).await.contains("<instanceUuid>4d1a6d5e-"));
    assert_eq!(raw.fault(&login("wrong")).await, "InvalidLogin");
    for call in [view(&["Datastore"]), wait(DEFAULT, "", 0), on("CreatePropertyCollector", DEFAULT, "")] {
        assert_eq!(raw.fault(&call).await, "NotAuthenticated", "{call}");
    }
    // The answer that looks fine: HTTP 200, the object, and no property.
    let root = retrieve(&[("Folder", "group-d1")], &properties("Folder", &["name"]), "");
    let text = raw.ok(&root).await;
    assert!(text.contains("<path>name</path><fault><fault xsi:type=\"NotAuthenticated\">"), "{text}");
    assert!(!text.contains("<propSet>"));
    raw.ok(&login(&Options::default().password)).await;
    assert!(raw.ok(&root).await.contains("<val xsi:type=\"xsd:string\">Datacenters</val>"));
    // A second login within a session is refused.
    assert_eq!(raw.fault(&login(&Options::default().password)).await, "InvalidLogin");
    assert_eq!(fake.logins().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_truncated_version_is_good_once_and_a_complete_one_again_and_again() {
    let fake = fake(json!([{"name": "a"}, {"name": "b"}, {"name": "c"}])).await;
    let mut raw = Raw::logged_in(&fake).await;
    let collector = raw.watch(&["Datastore"], &properties("Datastore", &["name"])).await;
    let first = raw.wait(&collector, "").await;
    assert!(first.contains("<truncated>true</truncated>") && fake.is_truncated());
    let rest = raw.wait(&collector, &version(&first)).await;
    assert_eq!((rest.matches("<objectSet>").count(), rest.contains("truncated")), (1, false));
    assert_ne!(version(&first), version(&rest));
    assert_eq!(raw.fault(&wait(&collector, &version(&first), 0)).await, "InvalidCollectorVersion");
    // Another wait in between voids it too.
    let again = raw.wait(&collector, "").await;
    assert!(!raw.wait(&collector, &version(&rest)).await.contains("returnval"));
    assert_eq!(raw.fault(&wait(&collector, &version(&again), 0)).await, "InvalidCollectorVersion");
    fake.set_datastore("b", &json!({"name": "bb"}));
    let (one, other) =
        (raw.wait(&collector, &version(&rest)).await, raw.wait(&collector, &version(&rest)).await);
    assert_eq!(between(&one, "<filterSet>", "</filterSet>"), between(&other, "<filterSet>", "</filterSet>"));
    assert_ne!(version(&one), version(&other));
}

#[tokio::test(start_paused = true)]
async fn only_what_changed_is_told() {
    let fake = fake(json!([{"name": "a", "free": 9}, {"name": "b"}])).await;
    let mut raw = Raw::logged_in(&fake).await;
    let paths = ["name", "summary.freeSpace", "summary.maintenanceMode", "capability"];
    let collector = raw.watch(&["Datastore"], &properties("Datastore", &paths)).await;
    let mut current = version(&raw.wait(&collector, "").await);
    let mut step = async |expected: &str| {
        let answer = raw.wait(&collector, &current).await;
        current = version(&answer);
        assert_eq!(between(&answer, "</filter>", "</filterSet>"), expected);
    };
    let head = |kind| format!("<objectSet><kind>{kind}</kind><obj type=\"Datastore\">datastore-10001</obj>");
    fake.set_datastore("a", &json!({"free": 7}));
    let change = "<changeSet><name>summary.freeSpace</name><op>assign</op><val xsi:type=\"xsd:long\">7</val>\
        </changeSet></objectSet>";
    step(&(head("modify") + change)).await;
    fake.set_datastore("a", &json!({"maintenanceMode": null}));
    let change = "<changeSet><name>summary.maintenanceMode</name><op>remove</op></changeSet></objectSet>";
    step(&(head("modify") + change)).await;
    fake.withhold(&fake.datastore("a"), "summary", true);
    let missing = |path| {
        format!(
            "<missingSet><path>{path}</path><fault><fault xsi:type=\"NoPermission\">\
             <object type=\"Datastore\">datastore-10001</object><privilegeId>System.Read</privilegeId></fault>\
             <localizedMessage>Permission to perform this operation was denied.</localizedMessage></fault>\
             </missingSet>"
        )
    };
    let both = missing("summary.freeSpace") + &missing("summary.maintenanceMode");
    step(&(head("modify") + &both + "</objectSet>")).await;
    fake.delete_datastore("a");
    step(&format!("{}</objectSet>", head("leave"))).await;
    // A change of what is not watched is none.
    fake.set_datastore("b", &json!({"uncommitted": 3}));
    assert!(!raw.wait(&collector, &current).await.contains("returnval"));
}

#[tokio::test(start_paused = true)]
async fn a_session_has_one_wait_and_takes_its_objects_along() {
    let fake = fake(json!([])).await;
    let mut raw = Raw::logged_in(&fake).await;
    let collector = raw.watch(&["Datastore"], &properties("Datastore", &["name"])).await;
    let current = version(&raw.wait(&collector, "").await);
    let mut second = Raw { fake: &fake, client: raw.client.clone(), cookie: raw.cookie.clone() };
    let long = wait(&collector, &current, 600);
    // The second cancels the first, and hears of the change.
    let before = Instant::now();
    let mut second = pin!(async {
        while fake.count("WaitForUpdatesEx") < 2 {
            sleep(Duration::from_secs(1)).await;
        }
        second.ok(&long).await
    });
    tokio::select! {
        first = raw.fault(&long) => assert_eq!(first, "RequestCanceled"),
        answer = &mut second => panic!("{answer}"),
    }
    assert!(before.elapsed() < Duration::from_secs(10));
    fake.create_datastore("DC0", &json!({"name": "new"}));
    assert!(second.await.contains("<val xsi:type=\"xsd:string\">new</val>"));
    let mut other = Raw::logged_in(&fake).await;
    assert_eq!(other.fault(&wait(&collector, "", 0)).await, "ManagedObjectNotFound");
    fake.end_sessions();
    assert_eq!(raw.fault(&wait(&collector, "", 0)).await, "NotAuthenticated");
    assert_eq!(fake.session_objects(), 0);
}

/// Two hosts in a cluster and one alone, and a datastore that one of them has read only.
async fn three_hosts() -> FakeVcenter {
    let inventory = json!({"datacenters": [{
        "clusters": [{"hosts": [
            {"name": "esx-1"},
            {"name": "esx-2", "maintenance": true, "connectionState": "notResponding"},
        ]}],
        "hosts": [{"name": "alone"}],
        "datastores": [{
            "name": "a", "type": "VVOL",
            "maxVirtualDiskCapacity": 77, "timestamp": null, "thinProvisioning": false,
            "mounts": [{
                "host": "esx-2", "accessMode": "readOnly",
                "accessible": false, "mounted": null, "inaccessibleReason": "PermanentDeviceLoss",
            }],
        }],
    }]});
    FakeVcenter::start(Options { inventory, page: 2, ..Options::default() }).await
}

#[tokio::test(start_paused = true)]
async fn any_property_can_be_read() {
    let fake = three_hosts().await;
    let mut raw = Raw::logged_in(&fake).await;
    let paths = ["host", "info", "capability.perFileThinProvisioningSupported", "summary.multipleHostAccess"];
    let datastore = fake.datastore("a").id;
    let call = retrieve(&[("Datastore", &datastore)], &properties("Datastore", &paths), "");
    let text = raw.ok(&call).await;
    let mount = format!(
        "<val xsi:type=\"ArrayOfDatastoreHostMount\"><DatastoreHostMount xsi:type=\"DatastoreHostMount\">\
         <key type=\"HostSystem\">{}</key><mountInfo>",
        fake.host("esx-2").id
    );
    for part in [
        mount.as_str(),
        "<accessMode>readOnly</accessMode><accessible>false</accessible>\
         <inaccessibleReason>PermanentDeviceLoss</inaccessibleReason></mountInfo>",
        "<val xsi:type=\"VvolDatastoreInfo\"><name>a</name>",
        "<maxVirtualDiskCapacity>77</maxVirtualDiskCapacity>\
         <maxMemoryFileSize>1099511627776</maxMemoryFileSize></val>",
        "<name>capability.perFileThinProvisioningSupported</name><val xsi:type=\"xsd:boolean\">false</val>",
        "<name>summary.multipleHostAccess</name><val xsi:type=\"xsd:boolean\">false</val>",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn objects_are_found_along_named_selections_and_read_in_pages() {
    let fake = three_hosts().await;
    let mut raw = Raw::logged_in(&fake).await;
    let step = |name: &str, kind: &str, path: &str, next: &[&str]| {
        let next = next.iter().map(|next| format!("<selectSet><name>{next}</name></selectSet>"));
        format!(
            "<selectSet xsi:type=\"TraversalSpec\"><name>{name}</name><type>{kind}</type><path>{path}</path>\
             {}</selectSet>",
            next.collect::<Vec<_>>().concat()
        )
    };
    let host = ["name", "parent", "runtime.connectionState", "runtime.inMaintenanceMode", "datastore"];
    let set = [
        properties("HostSystem", &host),
        properties("ComputeResource", &["name", "host", "datastore"]),
        "<objectSet><obj type=\"Folder\">group-d1</obj><skip>true</skip>".to_owned(),
        step("folders", "Folder", "childEntity", &["folders", "hosts", "computes"]),
        step("hosts", "Datacenter", "hostFolder", &["folders"]),
        step("computes", "ComputeResource", "host", &[]),
        "</objectSet>".to_owned(),
    ];
    let set = format!("<specSet>{}</specSet><options/>", set.concat());
    let mut pages = vec![raw.ok(&on("RetrievePropertiesEx", DEFAULT, &set)).await];
    let more = |page: &str| {
        let (_, token) = page.split_once("<token>")?;
        let token = format!("<token>{}</token>", token.split_once('<')?.0);
        Some(on("ContinueRetrievePropertiesEx", DEFAULT, &token))
    };
    while let Some(call) = more(pages.last().unwrap()) {
        pages.push(raw.ok(&call).await);
    }
    // A token is good once.
    assert_eq!(raw.fault(&more(&pages[0]).unwrap()).await, "InvalidProperty");
    let all = pages.concat();
    assert_eq!((pages.len(), all.matches("<objects>").count()), (3, 5));
    for part in [
        "<obj type=\"ComputeResource\">domain-s",
        "<val xsi:type=\"HostSystemConnectionState\">notResponding</val>",
        "<val xsi:type=\"ArrayOfManagedObjectReference\">\
         <ManagedObjectReference type=\"Datastore\" xsi:type=\"ManagedObjectReference\">datastore-10001\
         </ManagedObjectReference></val>",
    ] {
        assert!(all.contains(part), "{part}\n{all}");
    }
}
