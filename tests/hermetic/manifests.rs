//! The cases of `tests/cel/`, judged by the reader of manifests: a plan accepts what an API server accepts.

use berth::manifests::{Reader, Reading, Source};
use serde_json::Value;

use crate::cel_cases::{Expect, load, object};

fn read(reader: &Reader, kind: &str, spec: &Value) -> Reading {
    let text = serde_saphyr::to_string(&object(kind, "x", spec, None)).unwrap();
    reader.read(&Source { name: "x.yaml".to_owned(), text })
}

#[test]
fn a_manifest_is_accepted_or_refused_as_by_the_api_server() {
    let reader = Reader::new().unwrap();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (file, cases) in load() {
        for case in cases.cases {
            let specs = [
                case.stored
                    .as_ref()
                    .filter(|_| !case.stored_before_rules)
                    .map(|s| (&s.spec, &Expect::Accepted)),
                case.spec.as_ref().filter(|_| case.stored.is_none()).map(|spec| (spec, &case.expect)),
            ];
            for (spec, expect) in specs.into_iter().flatten() {
                count += 1;
                let reading = read(&reader, &cases.kind, spec);
                let good = match expect {
                    Expect::Accepted => reading.problems.is_empty() && reading.manifests.len() == 1,
                    Expect::Refused(text) => {
                        reading.manifests.is_empty()
                            && reading.problems.iter().any(|p| p.message.contains(text))
                    }
                };
                if !good {
                    wrong.push(format!(
                        "{file}: {}: expected {expect:?}, got {:?}",
                        case.name, reading.problems
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 100, "{count} cases");
}
