//! `berth plan` in every format: that nothing in a report can harm who reads
//! it, and that a large one stays small.

use berth::plan::{Format, Report};
use serde_json::Value;

use crate::plan_reports::{HOSTILE, hostile, large, small};

const MB: usize = 1_000_000;

fn render(report: &Report, format: Format) -> String {
    report.render(format, false).unwrap()
}

#[test]
fn json_and_yaml_are_the_same_document_and_keep_every_character() {
    for report in [small(), hostile()] {
        let (json, yaml) = (render(&report, Format::Json), render(&report, Format::Yaml));
        let document: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_saphyr::from_str::<Value>(&yaml).unwrap(), document);
        assert_eq!(document, serde_json::to_value(&report).unwrap());
        assert!(json.ends_with("}\n") && yaml.ends_with('\n') && !yaml.ends_with("\n\n"));
    }
    let json: Value = serde_json::from_str(&render(&small(), Format::Json)).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&json), ["apiVersion", "datastores", "placements", "summary"]);
    assert_eq!(keys(&json["placements"][0]), ["message", "name", "namespace", "ready", "reason", "status"]);
    assert_eq!(
        keys(&json["datastores"][0]),
        [
            "capacityBytes",
            "claimedAfterBytes",
            "claimedBeforeBytes",
            "freeBytes",
            "moRef",
            "name",
            "type",
            "vCenter"
        ]
    );
    assert_eq!(json["datastores"][5]["capacityBytes"], Value::Null);
    assert_eq!(json["summary"], serde_json::json!({"total": 4, "placed": 2, "refused": 2}));
}

#[test]
fn nothing_that_moves_a_cursor_or_turns_the_writing_is_written() {
    let mut report = hostile();
    for format in [Format::Table, Format::Markdown, Format::Html] {
        let text = render(&report, format);
        let bad = |c: &char| (c.is_control() && *c != '\n') || ('\u{202a}'..='\u{202e}').contains(c);
        assert_eq!(text.chars().find(bad), None, "{format:?}");
    }
    report.placements[0].message = HOSTILE.repeat(2000);
    report.datastores[0].name = HOSTILE.repeat(2000);
    let lines = render(&report, Format::Table).lines().count();
    assert_eq!(lines, render(&small(), Format::Table).lines().count(), "one line for each of them");
}

#[test]
fn colours_are_there_only_when_asked_for() {
    let plain = render(&small(), Format::Table);
    let coloured = small().render(Format::Table, true).unwrap();
    assert!(!plain.contains('\u{1b}'));
    let without = coloured.replace("\u{1b}[1m", "").replace("\u{1b}[31m", "").replace("\u{1b}[0m", "");
    assert_eq!(without, plain);
    let red: Vec<_> = coloured.lines().filter(|line| line.starts_with("\u{1b}[31m")).collect();
    assert!(red.len() == 2 && red.iter().all(|line| line.contains("False")), "{red:?}");
    for format in [Format::Json, Format::Yaml, Format::Markdown, Format::Html] {
        assert_eq!(small().render(format, true).unwrap(), render(&small(), format));
    }
}

/// Parts of the text that stand in code spans are as good as gone.
fn outside_code(markdown: &str) -> String {
    let mut outside = String::new();
    let mut rest = markdown;
    while let Some(begin) = rest.find('`') {
        outside.push_str(&rest[..begin]);
        let fence = rest[begin..].chars().take_while(|c| *c == '`').count();
        let inside = &rest[begin + fence..];
        let mut end = 0;
        loop {
            end += inside[end..].find('`').expect("a code span that is closed");
            let run = inside[end..].chars().take_while(|c| *c == '`').count();
            end += run;
            if run == fence {
                break;
            }
        }
        rest = &inside[end..];
    }
    outside + rest
}

#[test]
fn hostile_names_are_code_in_markdown() {
    let text = render(&hostile(), Format::Markdown);
    let outside = outside_code(&text);
    for markup in ["<", "@", "img", "\u{fffd}", "*_"] {
        assert!(!outside.contains(markup), "{markup} in {outside}");
    }
    let columns = |line: &str| line.replace(r"\|", "").matches('|').count();
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with('|')).map(columns).collect();
    assert_eq!(rows, [3, 3, 3, 3, 8, 8, 8, 8], "{text}");
}

#[test]
fn a_large_plan_fits_a_comment_on_a_pull_request() {
    let mut report = large(1000, 1000, false);
    for refuses_all in [false, true] {
        let text = render(&report, Format::Markdown);
        assert!(text.chars().count() < 65_536, "{}", text.len());
        let more = text.lines().filter(|line| line.ends_with(" more.")).count();
        assert!(more >= 1, "{}", &text[text.len() - 300..]);
        for placement in &mut report.placements {
            placement.ready = refuses_all;
            placement.message = HOSTILE.repeat(100);
        }
    }
}

/// What a browser could take for a tag or a request.
#[test]
fn hostile_names_are_text_in_html() {
    let html = render(&hostile(), Format::Html);
    assert_eq!(html.matches("<img").count(), 0);
    assert_eq!(
        html.matches("</script>").count(),
        render(&small(), Format::Html).matches("</script>").count()
    );
    assert_eq!(html.matches("<!--").count(), 0);
    let shown = "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;";
    assert!(html.matches(shown).count() > 20, "{html}");
    for wanted in ["http://", "https://", "url(", "@import", "src=\"", "href=\"/"] {
        assert!(!html.contains(wanted), "{wanted}");
    }
}

#[test]
fn the_html_of_a_thousand_placements_against_a_thousand_datastores_is_below_two_megabytes() {
    let report = large(1000, 1000, false);
    let sets = report.matrix.as_ref().unwrap().code_sets.len();
    assert!(sets > 60, "many different sets of reasons: {sets}");
    let html = render(&report, Format::Html);
    assert!(html.len() < 2 * MB, "{}", html.len());
    assert_eq!(html, render(&report, Format::Html), "the same input gives the same bytes");
    let html = render(&large(100, 200, true), Format::Html);
    assert!(html.len() < MB, "with every rank and detail of 100 x 200: {}", html.len());
}

#[test]
fn a_plan_of_nothing_has_every_format() {
    let report = Report { matrix: None, placements: vec![], datastores: vec![], ..small() };
    for format in [Format::Table, Format::Json, Format::Yaml, Format::Markdown, Format::Html] {
        assert!(!render(&report, format).is_empty());
    }
}
