//! Which API version to speak. No I/O.
//!
//! The server lists what it understands; the newest that Berth was written for is taken. Some servers name
//! their first version by an opaque word, so anything that is not dotted numbers is passed over.

use std::borrow::Cow;

use super::{
    error::Error,
    soap::reader::{Reader, XmlError},
};

/// The version whose types and faults Berth knows: vSphere 8.0 U1.
pub(crate) const WRITTEN_FOR: &str = "8.0.1.0";

/// The version to speak, from `vimServiceVersions.xml`; [`WRITTEN_FOR`] when the list offers nothing older.
pub(crate) fn choose(document: &str) -> Result<String, Error> {
    let offered = offered(document).map_err(|why| Error::Malformed(why.0))?;
    let newest = numbers(WRITTEN_FOR);
    let fitting = offered.into_iter().filter_map(|v| numbers(&v).map(|n| (n, v)));
    let best = fitting.filter(|(n, _)| Some(n) <= newest.as_ref()).max();
    Ok(best.map_or_else(|| WRITTEN_FOR.to_owned(), |(_, version)| version))
}

/// At most six dotted numbers, without trailing zeros so that `6.5` and `6.5.0.0` are the same.
fn numbers(version: &str) -> Option<Vec<u32>> {
    let mut parts: Vec<u32> = Vec::new();
    for part in version.split('.') {
        let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        parts.push(part.parse().ok().filter(|_| digits && parts.len() < 6)?);
    }
    while parts.last() == Some(&0) {
        parts.pop();
    }
    Some(parts)
}

/// All versions of namespace `urn:vim25`.
fn offered(document: &str) -> Result<Vec<String>, XmlError> {
    let mut reader = Reader::new(document);
    reader.root()?;
    let mut all = Vec::new();
    while let Some(tag) = reader.child()? {
        if tag.name() != "namespace" {
            reader.skip()?;
            continue;
        }
        let (mut name, mut versions): (Cow<'_, str>, Vec<Cow<'_, str>>) = ("".into(), Vec::new());
        while let Some(field) = reader.child()? {
            match field.name() {
                "name" => name = reader.text()?,
                "version" => versions.push(reader.text()?),
                "priorVersions" => {
                    while reader.child()?.is_some() {
                        versions.push(reader.text()?);
                    }
                }
                _ => reader.skip()?,
            }
        }
        if name.trim() == "urn:vim25" {
            all.extend(versions.into_iter().map(|v| v.trim().to_owned()));
        }
    }
    reader.finish()?;
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(version: &str, prior: &[&str]) -> String {
        let prior: String = prior.iter().flat_map(|v| ["<version>", v, "</version>"]).collect();
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<namespaces version=\"1.0\">\
             <namespace><name>urn:vim25</name><version>{version}</version>\n\
             <priorVersions>{prior}</priorVersions></namespace>\
             <namespace><name>urn:other</name><version>8.0.0.9</version></namespace></namespaces>"
        )
    }

    #[test]
    fn the_newest_known_version_is_taken() {
        let choose = |version: &str, prior: &[&str]| choose(&list(version, prior)).unwrap();
        assert_eq!(choose("uA046D008", &["8.0.2.0", "8.0.1.0", "8.0.0.1", "7.0.3.2"]), "8.0.1.0");
        assert_eq!(choose("8.0.0.1", &["7.0.3.2", "6.7.3"]), "8.0.0.1");
        assert_eq!(choose("6.5", &["6.0", "5.5"]), "6.5");
        assert_eq!(choose("10.0.0.0", &["9.0.0.0", "6.7", "6.10"]), "6.10");
        assert_eq!(choose("10.0.0.0", &["9.0.0.0"]), WRITTEN_FOR);
        assert_eq!(choose("+6.5", &["6..5", "6.5.", "99999999999.1", ""]), WRITTEN_FOR);
    }

    #[test]
    fn a_broken_list_is_an_error() {
        let whole = list("6.5", &["6.0"]);
        for (cut, _) in whole.char_indices() {
            assert!(choose(&whole[..cut]).is_err());
        }
        assert!(choose("<html></html>").is_ok_and(|v| v == WRITTEN_FOR));
    }
}
