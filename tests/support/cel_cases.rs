//! The cases of `tests/cel/`: what the API server must accept and refuse. Read here once for both judges, the
//! evaluator in the hermetic tests and a real API server.

use std::path::Path;

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

/// One file: cases of one kind.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    pub kind: String,
    pub cases: Vec<Case>,
}

/// A create, or an update of what is stored: of `spec` through the main endpoint, or of `status` through the
/// status endpoint.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Case {
    pub name: String,
    /// The object before; absent for a create.
    pub stored: Option<Stored>,
    /// It was stored when there were no rules and no bounds yet.
    #[serde(default)]
    pub stored_before_rules: bool,
    pub spec: Option<Value>,
    /// `Some(null)` takes the status away.
    #[serde(default, deserialize_with = "present")]
    pub status: Option<Value>,
    pub expect: Expect,
    /// Why only a real API server can judge it; the others it judges too.
    pub only_server: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    pub spec: Value,
    pub status: Option<Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Expect {
    Accepted,
    /// The message contains this.
    Refused(String),
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// kubectl and Helm turn YAML into JSON before they send it, and write a whole number without an exponent then,
/// even where the YAML had one. (A number with an exponent in JSON is refused by the API server: int-or-string.)
fn as_sent(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let whole: Option<i64> = number.as_f64().and_then(|float| float.to_string().parse().ok());
            if let Some(whole) = whole.filter(|_| number.is_f64()) {
                *value = whole.into();
            }
        }
        Value::Object(map) => map.values_mut().for_each(as_sent),
        Value::Array(list) => list.iter_mut().for_each(as_sent),
        _ => {}
    }
}

/// All files, by name.
pub fn load() -> Vec<(String, CaseFile)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cel");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            let mut file: CaseFile = serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
            for case in &mut file.cases {
                case.spec.iter_mut().chain(&mut case.status).for_each(as_sent);
                let one_change = case.spec.is_some() != case.status.is_some();
                assert!(one_change, "{name}: {}: either spec or status", case.name);
                assert!(
                    case.spec.is_some() || case.stored.is_some(),
                    "{name}: {}: a status needs a stored object",
                    case.name
                );
            }
            (name, file)
        })
        .collect()
}

/// An object of this kind.
pub fn object(kind: &str, name: &str, spec: &Value, status: Option<&Value>) -> Value {
    let mut object = json!({
        "apiVersion": "berth.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    });
    if let Some(status) = status {
        object["status"] = status.clone();
    }
    object
}
