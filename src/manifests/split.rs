//! Documents of a stream: YAML between `---` and `...`, and JSON objects one after another. No I/O.
//!
//! A line that begins with `---` or `...` cannot be part of any YAML value, so that lines are enough to find
//! the next document behind one that cannot be read.

use std::iter;

use serde::de::IgnoredAny;

use super::tree::Spot;

/// The text of one document, with the `---` that it begins with, and where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Document<'a> {
    pub(super) first: Spot,
    pub(super) text: &'a str,
}

/// Every document in which there is more than remarks.
pub(super) fn documents(text: &str) -> impl Iterator<Item = Document<'_>> {
    let mut rest = Document { first: Spot { line: 1, column: 1 }, text };
    let parts = iter::from_fn(move || {
        (!rest.text.is_empty()).then(|| {
            let (part, after) = rest.split_at(yaml_extent(rest.text));
            rest = after;
            part
        })
    });
    parts.filter(|part| !part.is_blank()).flat_map(json_objects)
}

impl Document<'_> {
    fn split_at(self, length: usize) -> (Self, Self) {
        let (part, after) = self.text.split_at_checked(length).unwrap_or((self.text, ""));
        let Spot { line, column } = self.first;
        let first = match part.rsplit_once('\n') {
            Some((lines, last)) => {
                Spot { line: line + 1 + lines.matches('\n').count(), column: 1 + last.chars().count() }
            }
            None => Spot { line, column: column + part.chars().count() },
        };
        (Self { text: part, ..self }, Self { first, text: after })
    }

    fn is_blank(&self) -> bool {
        self.text.lines().all(|line| {
            let line = without_mark(line);
            let is_marker = is_marker(line, "---") || is_marker(line, "...");
            is_prefix(if is_marker { line.get(3..).unwrap_or_default() } else { line })
        })
    }
}

/// How many bytes belong to the first document.
fn yaml_extent(text: &str) -> usize {
    let (mut length, mut begun) = (0, false);
    for line in text.split_inclusive('\n') {
        if is_marker(line, "---") {
            if begun {
                break;
            }
            begun = true;
        }
        length += line.len();
        if is_marker(line, "...") {
            break;
        }
        begun |= !is_prefix(line);
    }
    length
}

/// `jq` writes objects one after another, with nothing between them.
fn json_objects(document: Document<'_>) -> Vec<Document<'_>> {
    let mut ends = Vec::new();
    if without_mark(document.text).trim_start().starts_with('{') {
        let json = without_mark(document.text);
        let before = document.text.len() - json.len();
        let mut objects = serde_json::Deserializer::from_str(json).into_iter::<IgnoredAny>();
        while let Some(Ok(_)) = objects.next() {
            ends.push(before + objects.byte_offset());
        }
    }
    let (mut parts, mut rest, mut begin) = (Vec::new(), document, 0);
    // The last one keeps what follows it, so that nothing is lost.
    ends.pop();
    for end in ends {
        let (part, after) = rest.split_at(end - begin);
        parts.push(part);
        (rest, begin) = (after, end);
    }
    parts.push(rest);
    parts
}

fn is_marker(line: &str, marker: &str) -> bool {
    without_mark(line)
        .strip_prefix(marker)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

/// What may stand before the `---` of a document: nothing, remarks and directives.
fn is_prefix(line: &str) -> bool {
    let line = without_mark(line);
    let text = line.trim_start();
    text.is_empty() || text.starts_with('#') || line.starts_with('%')
}

/// Without a byte order mark, which joined files can have in the middle.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Line, column and text of every document.
    fn split(text: &str) -> Vec<(usize, usize, &str)> {
        documents(text).map(|document| (document.first.line, document.first.column, document.text)).collect()
    }

    #[test]
    fn documents_begin_at_markers() {
        assert_eq!(split("a: 1\n---\nb: 2\n"), [(1, 1, "a: 1\n"), (2, 1, "---\nb: 2\n")]);
        assert_eq!(split("a: 1\r\n--- # x\r\nb: 2"), [(1, 1, "a: 1\r\n"), (2, 1, "--- # x\r\nb: 2")]);
        assert_eq!(split("--- {a: 1}\n--- {b: 2}\n"), [(1, 1, "--- {a: 1}\n"), (2, 1, "--- {b: 2}\n")]);
        assert_eq!(split("a: |\n  ---\n  x\n---x: 1\n").len(), 1);
        assert_eq!(split("a: 1\n...\nb: 2\n...\n"), [(1, 1, "a: 1\n...\n"), (3, 1, "b: 2\n...\n")]);
    }

    #[test]
    fn directives_and_remarks_belong_to_what_follows() {
        assert_eq!(split("%YAML 1.1\n# x\n---\na: 1\n").len(), 1);
        assert_eq!(
            split("a: 1\n...\n%YAML 1.1\n---\nb: 2\n"),
            [(1, 1, "a: 1\n...\n"), (3, 1, "%YAML 1.1\n---\nb: 2\n")]
        );
        assert_eq!(split("# Source: x\n---\n# Source: y\na: 1\n").len(), 1);
    }

    #[test]
    fn documents_of_remarks_are_none() {
        for text in ["", "\n", "---\n", "--- # x\n---\n...\n", "# x\n---\n  # y\n", "\u{feff}---\n", "%X\n"] {
            assert_eq!(split(text), [], "{text:?}");
        }
        assert_eq!(split("---\n---\na: 1\n---\n"), [(2, 1, "---\na: 1\n")]);
    }

    #[test]
    fn byte_order_marks_hide_no_marker() {
        assert_eq!(split("\u{feff}a: 1\n\u{feff}---\nb: 2\n").len(), 2);
    }

    #[test]
    fn json_objects_stand_one_after_another() {
        assert_eq!(split("{\"a\": 1}\n{\"b\": 2}\n"), [(1, 1, "{\"a\": 1}"), (1, 9, "\n{\"b\": 2}\n")]);
        assert_eq!(split("{\"ä\": 1}{\"b\": 2} x"), [(1, 1, "{\"ä\": 1}"), (1, 9, "{\"b\": 2} x")]);
        assert_eq!(split("{a: 1}\n"), [(1, 1, "{a: 1}\n")]);
        assert_eq!(split("\u{feff}{}{}").len(), 2);
    }
}
