//! `docs/reference/reasons.md`, from the words of `berth::api` and what stands beside them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use berth::api::{PlacementReason, RejectionCode, RoomReason, VCenterReason};

use crate::generated::{cell, compare};
use crate::words::unsaid;

const INTRODUCTION: &str = "\
# Reasons

<!-- Written from src/api/reason.rs; a test compares. -->

For everybody who reads `Ready=False`. Every word that Berth gives to programs, what it means, and what to do. The message
beside a word has the names and figures of your case.

A placement that is not ready carries one more condition with the same reason:

- `Reconciling=True`: waiting can help. Berth tries again whenever something changes.
- `Stalled=True`: only an edit helps, or the deadline has passed. `kubectl wait` does not know it; Flux, Argo CD and Helm 4 do.
- neither: it is suspended.
";

const EVENTS: &str = "
## Events

| Event | On | It says |
|---|---|---|
| `Placed`, `NoEligibleDatastore` | InstancePlacement | What its condition says. |
| `ClaimExpired` | InstancePlacement | The room that was kept for it is given back. |
| `Connected`, `ConnectionFailed`, `InvalidCredentials` | VCenter | What its condition says. |
| `MultipleDefaultClasses` | PlacementClass | More than one class is marked as the default; the newest counts. Take the mark from the others. |

Those about VCenters and classes are in the namespace `default`, since the objects have none.
";

const MARKER: &str = "<!-- The table is written from src/api/reason.rs; a test compares. -->\n";

/// One word with everything that is said of it.
type Word = (&'static str, &'static str, &'static str);

macro_rules! words_of {
    ($name:ident) => {
        $name::ALL
            .iter()
            .map(|word| (word.as_str(), word.description(), word.advice()))
            .collect::<Vec<Word>>()
    };
}

/// A section for each, so that a message can link to it.
fn section(text: &mut String, title: &str, about: &str, prefix: &str, words: &[Word]) {
    let reserved = unsaid();
    write!(text, "\n## {title}\n\n{about}\n\n| Reason | Meaning | What to do |\n|---|---|---|\n").unwrap();
    for (word, meaning, advice) in words.iter().filter(|(word, ..)| !reserved.contains(word)) {
        // Backticks of Rust's documentation are right in Markdown too.
        let (meaning, advice) = (cell(meaning), cell(advice));
        let anchor = format!("{prefix}{}", word.to_lowercase());
        writeln!(text, "| <a id=\"{anchor}\"></a>`{word}` | {meaning} | {advice} |").unwrap();
    }
}

fn reference() -> String {
    let mut text = INTRODUCTION.to_owned();
    section(
        &mut text,
        "Ready of an InstancePlacement",
        "`Ready` is True with `Placed`, and False with every other reason.",
        "",
        &words_of!(PlacementReason),
    );
    section(
        &mut text,
        "RoomKept of an InstancePlacement",
        "There once a datastore is selected: True while its room is kept.",
        "room-",
        &words_of!(RoomReason),
    );
    section(
        &mut text,
        "Why a datastore is not eligible",
        "In the message of a placement, in `status.decision.rejections` and in `berth explain`. Every rule is asked of \
         every datastore, so one datastore can count under several codes.",
        "datastore-",
        &words_of!(RejectionCode),
    );
    section(
        &mut text,
        "Ready of a VCenter",
        "`Ready` is True with `Connected`, and False with every other reason.",
        "vcenter-",
        &words_of!(VCenterReason),
    );
    let words = words_of!(PlacementReason).into_iter().chain(words_of!(RejectionCode));
    let reserved: Vec<_> =
        words.filter(|(word, ..)| unsaid().contains(word)).map(|(word, ..)| format!("`{word}`")).collect();
    write!(
        text,
        "\n## Reserved\n\nNo placement gets these words in this version; they are kept for what is to come: {}.\n",
        reserved.join(", ")
    )
    .unwrap();
    text + EVENTS
}

#[test]
fn the_reasons_are_up_to_date() {
    compare("docs/reference/reasons.md", &reference());
}

/// The table of the rules in the project's README.
#[test]
fn the_table_of_rules_is_up_to_date() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (before, rest) = readme.split_once(MARKER).expect("README.md has the marker of the table");
    let after = rest.find("\n## ").map(|at| &rest[at..]).unwrap();
    let mut table = "\n| code | meaning |\n|---|---|\n".to_owned();
    for code in RejectionCode::ALL.iter().filter(|code| !unsaid().contains(code.as_str())) {
        writeln!(table, "| `{code}` | {} |", cell(code.description())).unwrap();
    }
    compare("README.md", &format!("{before}{MARKER}{table}{after}"));
}

/// Advice is a sentence for the reader, not a repetition of what is wrong.
#[test]
fn every_reason_says_what_to_do() {
    let words = [
        words_of!(PlacementReason),
        words_of!(RoomReason),
        words_of!(RejectionCode),
        words_of!(VCenterReason),
    ];
    for (word, meaning, advice) in words.concat() {
        assert!(advice.ends_with('.') && advice.len() > 7, "{word}: {advice:?}");
        assert_ne!(advice, meaning, "{word}");
    }
}
