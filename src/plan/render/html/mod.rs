//! One page that needs nothing else: no request, no library, and without scripts still the lists. No I/O.
//!
//! `maud` escapes every text that stands in the page. What only the script needs is packed (see [`matrix`]),
//! and the script writes it as text, never as markup. The policy in the page lets the browser run this style
//! and this script, by their hashes, and nothing else.

mod bar;
mod matrix;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::figures::{Fill, known_size, sentence, size};
use super::line;
use crate::columns::UNKNOWN;
use crate::plan::{PlannedDatastore, PlannedPlacement, Report};
use matrix::Packed;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const HELP: &str = "Arrow keys move from cell to cell; Home, End and the page keys leap; Enter goes to the selected \
                    datastore, as a click on the placement does.";
/// Keeps the source of a long page readable.
const LINE: PreEscaped<&str> = PreEscaped("\n");

pub(super) fn render(report: &Report) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                link rel="icon" href="data:,";
                title { "Berth plan: " (report.summary.placed) " of " (report.summary.total) " placed" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { (heading(report)) }
                main {
                    (filters())
                    @if let Some(matrix) = &report.matrix {
                        (matrix_section(&Packed::new(matrix, report)))
                    }
                    (placements(&report.placements))
                    (datastores(&report.datastores))
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string() + "\n"
}

fn policy() -> String {
    let hash = |text: &str| BASE64.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; base-uri 'none'; \
         form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

fn heading(report: &Report) -> Markup {
    let kept = report.datastores.iter().fold(0_u64, |sum, datastore| {
        sum.saturating_add(datastore.claimed_after_bytes.saturating_sub(datastore.claimed_before_bytes))
    });
    let changed = report.datastores.iter().filter(|datastore| datastore.changes()).count();
    html! {
        h1 { "Berth plan" }
        p.lead { (sentence(&report.summary)) "." }
        p.muted {
            "The plan keeps " (size(kept)) " more on " (changed) " of " (report.datastores.len()) " datastores."
        }
        nav aria-label="Sections" {
            @if report.matrix.is_some() { a href="#matrix" { "Matrix" } " " }
            a href="#placements" { "Placements" } " "
            a href="#datastores" { "Datastores" }
        }
    }
}

fn filters() -> Markup {
    html! {
        div #filters role="search" hidden {
            label { "Placements" input #find-placement type="search" placeholder="name or reason"; }
            label { "Datastores" input #find-datastore type="search" placeholder="name or type"; }
            label.check { input #only-refused type="checkbox"; "without a datastore" }
            label.check { input #only-changed type="checkbox"; "datastores that change" }
            output #shown {}
        }
    }
}

fn matrix_section(packed: &Packed) -> Markup {
    html! {
        section #matrix aria-labelledby="matrix-title" {
            h2 #matrix-title { "Matrix" }
            p.muted #matrix-note {
                "Every placement against every datastore needs JavaScript; the messages below say most of it."
            }
            div #board hidden {
                div #grid role="grid" aria-labelledby="matrix-title" aria-describedby="matrix-help" {}
                aside #detail tabindex="0" aria-label="Selected cell" {}
            }
            div #legend hidden {
                p.muted #matrix-help { (HELP) }
                ul {
                    (sign("selected", "✓", "Selected", "The placement gets this datastore."))
                    (sign("eligible", "2", "Eligible", "Every rule holds; 2 is its rank. Large plans rank the first ten."))
                    (sign("one", "ABC", "One rule fails", "This one reason stands in its way."))
                    (sign("several", "ABC+", "Several rules fail", "The first of its reasons is named."))
                    (sign("elsewhere", "·", "Elsewhere", "The datastore is another vCenter's."))
                    (sign("elsewhere", "?", "Not evaluated", "Nothing could be decided; the message says why."))
                }
                ul #codes {
                    @for code in &packed.codes {
                        (sign("one", &matrix::short(*code), code.as_str(), &code.description().replace('\n', " ")))
                    }
                }
            }
            (LINE)
            script #matrix-words type="text/plain" { (packed.words) }
            (LINE)
            script #matrix-cells type="text/plain" { (packed.cells) }
        }
    }
}

fn sign(class: &str, sign: &str, word: &str, meaning: &str) -> Markup {
    html! { li { b class={ "sign " (class) } { (sign) } " " strong { (word) } " " span { (meaning) } } }
}

fn placements(placements: &[PlannedPlacement]) -> Markup {
    html! {
        section #placements aria-labelledby="placements-title" {
            h2 #placements-title { "Placements" }
            table {
                thead { tr { th { "Placement" } th { "Datastore" } th { "Reason" } th { "Message" } } }
                tbody { @for placement in placements { (LINE) (placement_row(placement)) } }
            }
        }
    }
}

fn placement_row(placement: &PlannedPlacement) -> Markup {
    let (class, mark) = if placement.ready { ("placed", "✓") } else { ("refused", "✕") };
    html! {
        tr class=(class) {
            th { (line(&placement.namespace)) "/" wbr; b { (line(&placement.name)) } }
            td { (placement.datastore().map_or_else(|| "–".to_owned(), line)) }
            td { i aria-hidden="true" { (mark) } " " (line(&placement.reason)) }
            td { (line(&placement.message)) }
        }
    }
}

fn datastores(datastores: &[PlannedDatastore]) -> Markup {
    html! {
        section #datastores aria-labelledby="datastores-title" {
            h2 #datastores-title { "Datastores" }
            p.muted.key {
                span { "Upper bar before the plan, lower bar after it:" } " "
                span { i.used {} "used" } " " span { i.kept {} "claimed before" } " "
                span { i.added {} "claimed by the plan" } " " span { i.free {} "free" }
            }
            table {
                thead {
                    tr {
                        th { "Datastore" } th { "vCenter" } th { "Type" } th { "Before and after" } th.n { "Full" }
                        th.n { "Capacity" } th.n { "Free" } th.n { "Claimed before" } th.n { "Claimed after" }
                    }
                }
                tbody { @for datastore in datastores { (LINE) (datastore_row(datastore)) } }
            }
        }
    }
}

fn datastore_row(datastore: &PlannedDatastore) -> Markup {
    let fill = Fill::of(datastore);
    html! {
        tr class=[datastore.changes().then_some("changed")] {
            th { b { (line(&datastore.name)) } }
            td { (line(&datastore.vcenter)) }
            td { (line(&datastore.kind)) }
            td { @if let Some(fill) = &fill { (bar::draw(fill)) } }
            td.n {
                @match &fill {
                    Some(fill) if datastore.changes() => {
                        (fill.percent(fill.before)) " → " (fill.percent(fill.after))
                    }
                    Some(fill) => (fill.percent(fill.after)),
                    None => (UNKNOWN),
                }
            }
            td.n { (known_size(datastore.capacity_bytes)) }
            td.n { (known_size(datastore.free_bytes)) }
            td.n { (size(datastore.claimed_before_bytes)) }
            td.n { (size(datastore.claimed_after_bytes)) }
        }
    }
}
