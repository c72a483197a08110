//! One YAML document as a tree that remembers where everything stands. No I/O.
//!
//! Scalars mean what they mean to kubectl, which reads YAML 1.1 with Go's yaml.v2 and sends JSON: `yes` is a
//! boolean, `010` is 8, and `2.147483648e+10` arrives as 21474836480.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Number, Value};
use serde_saphyr::granit_parser::{Event, Marker, Options, Parser, ScalarStyle, ScanError, Tag};

/// Lists and maps within each other. The schema of a CRD that is rendered along has about 30.
const MAX_DEPTH: usize = 100;
/// The prefix of YAML's own tags, written `!!`.
const YAML_TAG: &str = "tag:yaml.org,2002:";

/// A line and a column, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A value and where it begins.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) spot: Spot,
    pub(super) content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    /// Null, a boolean, a number or a string.
    Scalar(Value),
    List(Vec<Node>),
    /// In the order of the text. A key may be there twice: that matters only in an object that matters.
    Map(Vec<(Key, Node)>),
}

/// A key and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) spot: Spot,
    pub(super) name: String,
}

/// Why a document cannot be read, and where it stopped.
#[derive(Clone, Debug)]
pub(super) struct Unreadable {
    pub(super) spot: Spot,
    pub(super) message: String,
}

impl Node {
    /// What stands under a key; under the last one of that name.
    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        self.entry(name).map(|(_, node)| node)
    }

    /// Where a key stands; where the whole begins without it.
    pub(super) fn spot_of_key(&self, name: &str) -> Spot {
        self.entry(name).map_or(self.spot, |(key, _)| key.spot)
    }

    fn entry(&self, name: &str) -> Option<&(Key, Node)> {
        let Content::Map(entries) = &self.content else { return None };
        entries.iter().rev().find(|(key, _)| key.name == name)
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        let Content::Scalar(value) = &self.content else { return None };
        value.as_str()
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self.content, Content::Scalar(Value::Null))
    }

    /// All of it as JSON. Of a key that is there twice the last one counts.
    pub(super) fn to_value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => items.iter().map(Node::to_value).collect(),
            Content::Map(entries) => {
                let entries = entries.iter().map(|(key, node)| (key.name.clone(), node.to_value()));
                Value::Object(entries.collect::<Map<_, _>>())
            }
        }
    }

    /// What stands at a path such as `spec.additionalDisks[0].size`, or at as much of it as is there, and the
    /// place of its key or item.
    pub(super) fn at(&self, path: &str) -> (Spot, &Node) {
        let (mut spot, mut node, mut rest) = (self.spot, self, path);
        while let Some((next_spot, next, after)) = node.step(rest) {
            (spot, node, rest) = (next_spot, next, after);
        }
        (spot, node)
    }

    /// One step down a path, and the path from there. A key may have dots in it: the longest that fits counts.
    fn step<'p>(&self, path: &'p str) -> Option<(Spot, &Node, &'p str)> {
        match &self.content {
            Content::Scalar(_) => None,
            Content::List(items) => {
                let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
                let item = items.get(index.parse::<usize>().ok()?)?;
                Some((item.spot, item, rest))
            }
            Content::Map(entries) => {
                let path = path.strip_prefix('.').unwrap_or(path);
                let after = |key: &Key| {
                    let rest = path.strip_prefix(key.name.as_str())?;
                    (rest.is_empty() || rest.starts_with(['.', '['])).then_some(rest)
                };
                let fitting = entries.iter().filter(|(key, _)| !key.name.is_empty());
                let (rest, (key, node)) = fitting
                    .filter_map(|entry| Some((after(&entry.0)?, entry)))
                    .min_by_key(|(rest, _)| rest.len())?;
                Some((key.spot, node, rest))
            }
        }
    }

    fn extent(&self) -> Extent {
        let whole = Extent { values: 1, depth: 1 };
        match &self.content {
            Content::Scalar(value) => Extent { values: values_of_text(value.as_str()), depth: 0 },
            Content::List(items) => items.iter().fold(whole, |sum, item| sum.with(&item.extent())),
            Content::Map(entries) => entries.iter().fold(whole, |sum, (key, node)| {
                let Extent { values, depth } = node.extent();
                sum.with(&Extent { values: values_of_text(Some(&key.name)) + values, depth })
            }),
        }
    }
}

/// How much a copy of a node takes.
struct Extent {
    /// With itself and keys, long texts as several.
    values: usize,
    /// Lists and maps within each other.
    depth: usize,
}

impl Extent {
    fn with(&self, within: &Extent) -> Self {
        Self { values: self.values + within.values, depth: self.depth.max(1 + within.depth) }
    }
}

/// A long text takes as much as several values.
fn values_of_text(text: Option<&str>) -> usize {
    const BYTES_OF_A_VALUE: usize = 64;
    1 + text.map_or(0, str::len) / BYTES_OF_A_VALUE
}

/// Reads one document that begins at `first`; `None` when nothing is in it. It takes what it reads, with what
/// aliases repeat, out of `values_left`, which is 0 only when there was too much.
pub(super) fn parse(text: &str, first: Spot, values_left: &mut usize) -> Result<Option<Node>, Unreadable> {
    let mut options = Options::default();
    options.emit_comments = false;
    let mut composer =
        Composer { first, values_left, open: Vec::new(), anchors: BTreeMap::new(), root: None };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| composer.scan_error(&error))?;
        let spot = composer.spot(&span.start);
        composer.take(event, spot)?;
    }
    Ok(composer.root)
}

/// Puts a tree together from the parser's events.
struct Composer<'a> {
    first: Spot,
    values_left: &'a mut usize,
    /// The lists and maps that are not complete, from the outermost.
    open: Vec<Open>,
    /// What aliases can repeat, by the parser's number.
    anchors: BTreeMap<usize, Node>,
    root: Option<Node>,
}

struct Open {
    spot: Spot,
    anchor: usize,
    content: OpenContent,
}

enum OpenContent {
    List(Vec<Node>),
    /// With the key whose value comes next.
    Map(Vec<(Key, Node)>, Option<Key>),
}

impl Composer<'_> {
    fn spot(&self, marker: &Marker) -> Spot {
        let on_first_line = marker.line() <= 1;
        let before = if on_first_line { self.first.column } else { 1 };
        Spot { line: self.first.line + marker.line().saturating_sub(1), column: before + marker.col() }
    }

    fn scan_error(&self, error: &ScanError) -> Unreadable {
        let message = format!("not valid YAML: {}", error.kind());
        Unreadable { spot: self.spot(error.marker()), message }
    }

    fn take(&mut self, event: Event<'_>, spot: Spot) -> Result<(), Unreadable> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(&text, style, tag.as_deref()).ok_or_else(|| {
                    unreadable(spot, format!("not valid here: JSON has no number such as {text}"))
                })?;
                self.complete(Node { spot, content: Content::Scalar(value) }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.begin(spot, anchor, OpenContent::List(Vec::new())),
            Event::MappingStart(_, anchor, _) => self.begin(spot, anchor, OpenContent::Map(Vec::new(), None)),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned();
                let node = node.ok_or_else(|| {
                    unreadable(spot, "not valid YAML: an alias within what it stands for".to_owned())
                })?;
                let Extent { values, depth } = node.extent();
                self.check_depth(depth, spot)?;
                self.charge(values, spot)?;
                self.complete(node, 0)
            }
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(unreadable(spot, "not valid YAML: expected the end of the document".to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, spot: Spot, anchor: usize, content: OpenContent) -> Result<(), Unreadable> {
        self.check_depth(1, spot)?;
        self.open.push(Open { spot, anchor, content });
        Ok(())
    }

    /// Aliases could nest deeper than the text does.
    fn check_depth(&self, more: usize, spot: Spot) -> Result<(), Unreadable> {
        let message = || format!("more than {MAX_DEPTH} lists and maps within each other");
        if self.open.len() + more > MAX_DEPTH { Err(unreadable(spot, message())) } else { Ok(()) }
    }

    fn end(&mut self) -> Result<(), Unreadable> {
        let Some(Open { spot, anchor, content }) = self.open.pop() else { return Ok(()) };
        let content = match content {
            OpenContent::List(items) => Content::List(items),
            OpenContent::Map(entries, _) => Content::Map(merged(entries)?),
        };
        self.complete(Node { spot, content }, anchor)
    }

    /// Hands a whole value to what it stands in.
    fn complete(&mut self, node: Node, anchor: usize) -> Result<(), Unreadable> {
        self.charge(1, node.spot)?;
        if anchor != 0 {
            self.charge(node.extent().values, node.spot)?;
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(OpenContent::List(items)) => items.push(node),
            Some(OpenContent::Map(entries, key)) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => *key = Some(as_key(&node)?),
            },
        }
        Ok(())
    }

    fn charge(&mut self, values: usize, spot: Spot) -> Result<(), Unreadable> {
        let left = self.values_left.checked_sub(values).filter(|left| *left > 0);
        *self.values_left = left.unwrap_or(0);
        left.map(|_| ()).ok_or_else(|| unreadable(spot, "more values than can be read".to_owned()))
    }
}

/// Without merge keys (`<<: *base`), with what they bring: what is there already stays.
fn merged(entries: Vec<(Key, Node)>) -> Result<Vec<(Key, Node)>, Unreadable> {
    let (merges, mut entries): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(key, _)| key.name == "<<");
    if merges.is_empty() {
        return Ok(entries);
    }
    let mut there: BTreeSet<String> = entries.iter().map(|(key, _)| key.name.clone()).collect();
    for (key, base) in merges {
        let bases = match base.content {
            Content::List(bases) => bases,
            _ => vec![base],
        };
        for base in bases {
            let Content::Map(more) = base.content else {
                return Err(unreadable(key.spot, "not valid YAML: << takes maps only".to_owned()));
            };
            for (key, node) in more {
                if there.insert(key.name.clone()) {
                    entries.push((key, node));
                }
            }
        }
    }
    Ok(entries)
}

fn unreadable(spot: Spot, message: String) -> Unreadable {
    Unreadable { spot, message }
}

/// The text of a key, as JSON has it.
fn as_key(node: &Node) -> Result<Key, Unreadable> {
    let name = match &node.content {
        Content::Scalar(Value::String(text)) => text.clone(),
        Content::Scalar(value @ (Value::Bool(_) | Value::Number(_))) => value.to_string(),
        Content::Map(_) => {
            let message = "not valid here: a key must be text (is this a template that is not rendered?)";
            return Err(unreadable(node.spot, message.to_owned()));
        }
        _ => return Err(unreadable(node.spot, "not valid here: a key must be text".to_owned())),
    };
    Ok(Key { spot: node.spot, name })
}

/// The value of a scalar; `None` for infinities and what is no number.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Option<Value> {
    let yaml_tag = tag.filter(|tag| tag.handle() == YAML_TAG).map(Tag::suffix);
    let plain = match yaml_tag {
        Some("str" | "binary") => false,
        Some("null" | "bool" | "int" | "float") => true,
        _ => style == ScalarStyle::Plain,
    };
    if plain { plain_scalar(text) } else { Some(text.into()) }
}

fn plain_scalar(text: &str) -> Option<Value> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => true.into(),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => false.into(),
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf"
        | "-.Inf" | "-.INF" => return None,
        _ => number(text).unwrap_or_else(|| text.into()),
    })
}

fn number(text: &str) -> Option<Value> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return None;
    }
    let digits = text.replace('_', "");
    integer(&digits).or_else(|| float(&digits))
}

fn integer(text: &str) -> Option<Value> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let prefixes = [("0x", 16), ("0X", 16), ("0b", 2), ("0B", 2), ("0o", 8), ("0O", 8)];
    let with_radix =
        prefixes.iter().find_map(|(prefix, radix)| Some((unsigned.strip_prefix(prefix)?, *radix)));
    let (digits, radix) =
        with_radix.unwrap_or(unsigned.strip_prefix('0').map_or((unsigned, 10), |octal| (octal, 8)));
    if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if negative { 0_i64.checked_sub_unsigned(magnitude).map(Value::from) } else { Some(magnitude.into()) }
}

/// A whole number has neither fraction nor exponent when it is sent.
fn float(text: &str) -> Option<Value> {
    if !text.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E')) {
        return None;
    }
    let float: f64 = text.parse().ok()?;
    let whole = float.to_string().parse::<i64>().ok().map(Value::from);
    whole.or_else(|| Number::from_f64(float).map(Value::Number))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FIRST: Spot = Spot { line: 1, column: 1 };

    fn tree(text: &str) -> Node {
        parse(text, FIRST, &mut 1000).unwrap().unwrap()
    }

    fn value(text: &str) -> Value {
        tree(text).to_value()
    }

    fn refusal(text: &str) -> String {
        let Unreadable { spot, message } = parse(text, FIRST, &mut 1000).unwrap_err();
        format!("{}:{}: {message}", spot.line, spot.column)
    }

    #[test]
    fn scalars_are_what_kubectl_reads() {
        for (text, expected) in [
            ("20Gi", json!("20Gi")),
            ("\"5\"", json!("5")),
            ("'yes'", json!("yes")),
            ("yes", json!(true)),
            ("Off", json!(false)),
            ("oN", json!("oN")),
            ("~", json!(null)),
            ("''", json!("")),
            ("010", json!(8)),
            ("0", json!(0)),
            ("-0", json!(0)),
            ("089", json!(89)),
            ("0o17", json!(15)),
            ("0x1F", json!(31)),
            ("-0b11", json!(-3)),
            ("1_000", json!(1000)),
            ("+12", json!(12)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("18446744073709551615", json!(u64::MAX)),
            ("18446744073709551616", json!(18_446_744_073_709_551_616.0)),
            ("2.147483648e+10", json!(21_474_836_480_i64)),
            ("40.0", json!(40)),
            ("1.5", json!(1.5)),
            (".5", json!(0.5)),
            ("1e999", json!("1e999")),
            ("0x", json!("0x")),
            ("--1", json!("--1")),
            ("0x-1", json!("0x-1")),
            ("+", json!("+")),
            (".", json!(".")),
            ("1.2.3", json!("1.2.3")),
            ("2026-01-01", json!("2026-01-01")),
            ("nan", json!("nan")),
            ("infinity", json!("infinity")),
            ("!!str 5", json!("5")),
            ("!!int \"5\"", json!(5)),
            ("!vault x", json!("x")),
        ] {
            assert_eq!(value(&format!("a: {text}\n")), json!({"a": expected}), "{text}");
        }
        assert_eq!(value("a: |\n  x\n  y\n"), json!({"a": "x\ny\n"}));
        assert_eq!(value("1: a\nyes: b\n"), json!({"1": "a", "true": "b"}));
    }

    #[test]
    fn json_is_read_too() {
        let text = "{\"a\":\t[1,\n\t2.50],\r\n\"b\": \"\\ud83d\\ude00\\/\\u003c\"}";
        assert_eq!(value(text), json!({"a": [1, 2.5], "b": "😀/<"}));
    }

    #[test]
    fn aliases_and_merge_keys_are_written_out() {
        let text = "a: &a {p: 1, q: 2}\nb: *a\nc:\n  <<: *a\n  q: 3\nd: {<<: [*a, {q: 4, r: 5}], p: 0}\n";
        let expected = json!({
            "a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 2}, "c": {"p": 1, "q": 3}, "d": {"p": 0, "q": 2, "r": 5},
        });
        assert_eq!(value(text), expected);
    }

    /// Values, keys and 64 bytes of text count one each; what an anchor marks counts twice, and each alias again.
    #[test]
    fn what_is_read_is_counted_with_what_aliases_repeat() {
        let read = |text: &str, most: usize| {
            let mut left = most;
            parse(text, FIRST, &mut left).map(|_| most - left)
        };
        let (key, text) = ("k".repeat(64), "v".repeat(192));
        let base = format!("{{{key}: {text}, b: [1, 2]}}");
        // A map: itself, a key of two and a text of four, a key of one and a list of three.
        let count = tree(&format!("a: {base}\n")).get("a").unwrap().extent();
        assert_eq!((count.values, count.depth), (1 + 2 + 4 + 1 + 3, 2));
        let once = read(&format!("a: {base}\n"), 1_000).unwrap();
        let marked = read(&format!("a: &a {base}\n"), 1_000).unwrap();
        assert_eq!(marked, once + count.values);
        // Key and value of the map count one each as they are completed.
        let twice = read(&format!("a: &a {base}\nb: *a\n"), 1_000).unwrap();
        assert_eq!(twice, marked + 2 + count.values);
        assert!(read(&format!("a: {base}\n"), once).is_err(), "nothing left is too much");
        assert!(read(&format!("a: {base}\n"), once + 1).is_ok());
    }

    #[test]
    fn everything_knows_where_it_stands() {
        let text =
            "spec:\n  disks:\n  - size: 1Gi\n  - {name: b, size: 2Gi}\n  labels:\n    a.b/c: x\n    a: y\n";
        let tree = tree(text);
        for (path, line, column) in [
            ("", 1, 1),
            ("spec", 1, 1),
            ("spec.disks", 2, 3),
            ("spec.disks[0]", 3, 5),
            ("spec.disks[1].size", 4, 15),
            ("spec.disks[7].size", 2, 3),
            ("spec.labels.a.b/c", 6, 5),
            ("spec.labels.a", 7, 5),
            ("spec.labels.b", 5, 3),
            ("status.x", 1, 1),
        ] {
            assert_eq!(tree.at(path).0, Spot { line, column }, "{path}");
        }
        assert_eq!(tree.at("spec.disks[1].size").1.as_str(), Some("2Gi"));
        let moved = parse("{a: 1}", Spot { line: 7, column: 30 }, &mut 10).unwrap().unwrap();
        assert_eq!(moved.at("a").0, Spot { line: 7, column: 31 });
    }

    #[test]
    fn nothing_is_no_document() {
        for text in ["", "# only a remark\n", "\u{feff}"] {
            assert!(parse(text, FIRST, &mut 10).unwrap().is_none(), "{text:?}");
        }
        assert!(tree("---\n").is_null());
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_place() {
        for (text, expected) in [
            ("a:\n\tb: 1\n", "2:2: not valid YAML: tabs disallowed within this context (block indentation)"),
            ("a: b: c", "1:5: not valid YAML: mapping values are not allowed in this context"),
            ("a: 1\nkey\nb: 2\n", "2:1: not valid YAML: simple key expected ':'"),
            ("a: \"x\n", "1:4: not valid YAML: unclosed quote"),
            ("a: *x", "1:4: not valid YAML: while parsing node, found unknown anchor"),
            ("a: &x [*x]", "1:8: not valid YAML: an alias within what it stands for"),
            ("a: 1\n...\nb: 2\n", "3:1: not valid YAML: expected the end of the document"),
            ("<<: 5", "1:1: not valid YAML: << takes maps only"),
            ("a: .inf", "1:4: not valid here: JSON has no number such as .inf"),
            (
                "a: {{ .Values.x }}",
                "1:5: not valid here: a key must be text (is this a template that is not rendered?)",
            ),
            ("? [1]\n: 2", "1:3: not valid here: a key must be text"),
        ] {
            assert_eq!(refusal(text), expected, "{text}");
        }
    }

    #[test]
    fn depth_and_what_aliases_repeat_are_bounded() {
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(&nested(MAX_DEPTH), FIRST, &mut 1000).is_ok());
        assert_eq!(refusal(&nested(MAX_DEPTH + 1)), "1:101: more than 100 lists and maps within each other");
        let mut tower = vec![format!("- &a0 {}", nested(90))];
        tower.extend((1..1000).map(|n| format!("- &a{n} [[[*a{}]]]", n - 1)));
        let error = parse(&tower.join("\n"), FIRST, &mut 1_000_000).unwrap_err();
        assert_eq!(error.message, "more than 100 lists and maps within each other");
        assert_eq!(error.spot.line, 5);
        let mut bomb = vec!["a0: &a0 [x, x]".to_owned()];
        bomb.extend((1..40).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}]", n - 1)));
        let mut left = 100_000;
        let copies = format!("- &a {}\n- [{}]", "x".repeat(64_000), "*a, ".repeat(100));
        let error = parse(&copies, FIRST, &mut left).unwrap_err();
        assert_eq!(error.message, "more values than can be read", "a thousand values each");
        let mut left = 100_000;
        assert_eq!(
            parse(&bomb.join("\n"), FIRST, &mut left).unwrap_err().message,
            "more values than can be read"
        );
        assert_eq!(left, 0);
    }
}
