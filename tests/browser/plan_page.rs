//! The html report of `berth plan`, as a browser shows it.

use std::path::PathBuf;

use berth::plan::{Cell, Format, Report};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::chromium::{Chromium, DESK, Look, PHONE, Page};
use crate::plan_reports::{HOSTILE, hostile, large, small};

/// The least contrast between every text in sight and what is behind it, with the text.
const CONTRAST: &str = r"(() => {
  const parse = (color) => { const [r, g, b, a = 1] = color.match(/[\d.]+/g).map(Number); return { rgb: [r, g, b], a }; };
  const luminance = ({ rgb }) => rgb.map((c) => c / 255).map((c) => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const color = parse(getComputedStyle(element).backgroundColor);
      if (color.a === 1) return color;
    }
    return parse('rgb(255, 255, 255)');
  };
  let least = { ratio: 21 };
  for (const element of document.querySelectorAll('body *')) {
    const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!text || ['SCRIPT', 'STYLE'].includes(element.tagName) || !element.checkVisibility()) continue;
    const [a, b] = [luminance(parse(getComputedStyle(element).color)), luminance(behind(element))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < least.ratio) least = { ratio, text: element.outerHTML.slice(0, 200) };
  }
  return least;
})()";
const READY: &str = "document.querySelector('#board:not([hidden])')";
/// The cell of the selected datastore.
const FIRST: Cell = Cell::Eligible { rank: 1 };
/// Row, column, tabindex and role of what has the focus.
const CURRENT: &str = "(() => { const cell = document.activeElement; \
    return [Number(cell.dataset.row), Number(cell.dataset.column), cell.tabIndex, cell.getAttribute('role')]; })()";

/// A report's page in a file of its own.
fn page_of(report: &Report) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    std::fs::write(&file, report.render(Format::Html, false).unwrap()).unwrap();
    (folder, file)
}

fn no_complaints(page: &mut Page, file: &std::path::Path) {
    assert_eq!(page.complaints(), Vec::<String>::new());
    assert_eq!(page.requests(), [format!("file://{}", file.display())]);
}

/// Width and height of a PNG.
fn size(png: &[u8]) -> (u32, u32) {
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    assert_eq!(&png[1..4], b"PNG");
    (number(16), number(20))
}

fn count(page: &mut Page, selector: &str) -> u64 {
    page.evaluate(&format!("document.querySelectorAll({}).length", json!(selector))).as_u64().unwrap()
}

#[test]
fn it_shows_matrix_and_bars_and_asks_for_nothing_in_the_light_in_the_dark_and_on_a_telephone() {
    let Some(mut browser) = Chromium::start() else { return };
    let looks = [
        ("small-light", DESK),
        ("small-dark", Look { dark: true, ..DESK }),
        ("small-phone", PHONE),
        ("small-phone-dark", Look { dark: true, ..PHONE }),
    ];
    let (_folder, file) = page_of(&small());
    let mut pictures = Vec::new();
    for (name, look) in looks {
        let mut page = browser.open(&file, look);
        page.until(READY);
        no_complaints(&mut page, &file);
        assert_eq!(
            count(&mut page, "#grid [role=row]"),
            5,
            "{name}: the names of datastores and four placements"
        );
        assert_eq!(count(&mut page, "#grid [role=gridcell]"), 24, "{name}");
        assert_eq!(count(&mut page, "#grid [role=columnheader]"), 7, "{name}");
        let signs = "[...document.querySelectorAll('#grid [role=row]')].map((row) => \
                     [...row.querySelectorAll('[role=gridcell]')].map((cell) => cell.textContent).join(' '))";
        let signs = page.evaluate(signs);
        assert_eq!(
            signs,
            json!(["", "✓ 3 MM 2 SNM ·", "2 4 MM 3 ✓ ·", "IFS+ IFS MM IFS+ IFS ·", "? ? ? ? ? ?"]),
            "{name}"
        );
        assert_eq!(count(&mut page, "#datastores svg path.used"), 4, "{name}");
        assert_eq!(count(&mut page, "#datastores svg path.added"), 2, "{name}");
        assert_eq!(page.evaluate("document.documentElement.scrollWidth"), look.width, "{name}: it fits");
        let least = page.evaluate(CONTRAST);
        assert!(least["ratio"].as_f64().unwrap() >= 4.5, "{name}: {least}");
        let png = page.screenshot(name);
        assert_eq!(size(&png), (look.width, look.height));
        pictures.push(png);
    }
    assert_ne!(pictures[0], pictures[1], "light and dark");
    assert_ne!(pictures[2], pictures[3], "light and dark on a telephone");
}

/// The test above can fail: whatever a page asks for or does wrong is seen.
#[test]
fn a_page_that_asks_for_something_is_seen() {
    let Some(mut browser) = Chromium::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("curious.html");
    let page = "<meta http-equiv=Content-Security-Policy content=\"img-src http://a.example\">\
                <img src=http://a.example/1><img src=http://b.example/2><script>throw 1</script>";
    std::fs::write(&file, page).unwrap();
    let mut page = browser.open(&file, DESK);
    assert!(page.requests().contains(&"http://a.example/1".to_owned()), "{:?}", page.requests());
    let complaints = page.complaints().join("\n");
    for seen in ["img-src http://b.example/2", "Runtime.exceptionThrown"] {
        assert!(complaints.contains(seen), "{complaints}");
    }
}

#[test]
fn the_keyboard_reaches_every_cell_and_its_reasons() {
    let Some(mut browser) = Chromium::start() else { return };
    let report = large(100, 200, true);
    let (_folder, file) = page_of(&report);
    let mut page = browser.open(&file, DESK);
    page.until(READY);
    let mut pressed = 0;
    while page.evaluate("document.activeElement.getAttribute('role')") != "gridcell" {
        page.press("Tab", false);
        pressed += 1;
        assert!(pressed < 12, "the matrix is one stop on the way");
    }
    let at = |row: u64, column: u64| json!([row, column, 0, "gridcell"]);
    assert_eq!(page.evaluate(CURRENT), at(0, 0));
    for (key, control, row, column) in [
        ("ArrowUp", false, 0, 0),
        ("ArrowRight", false, 0, 1),
        ("ArrowDown", false, 1, 1),
        ("End", false, 1, 199),
        ("ArrowRight", false, 1, 199),
        ("End", true, 99, 199),
        ("ArrowDown", false, 99, 199),
        ("Home", false, 99, 0),
        ("Home", true, 0, 0),
    ] {
        page.press(key, control);
        assert_eq!(page.evaluate(CURRENT), at(row, column), "{key}");
        assert_eq!(count(&mut page, "#grid [tabindex='0']"), 1, "{key}");
    }
    page.press("PageDown", false);
    let leap = page.evaluate(CURRENT)[0].as_u64().unwrap();
    assert!((5..60).contains(&leap), "{leap}");
    page.press("PageUp", false);
    assert_eq!(page.evaluate(CURRENT), at(0, 0));
    let chosen =
        report.matrix.as_ref().unwrap().rows[0].cells.iter().position(|cell| *cell == FIRST).unwrap();
    page.press("Enter", false);
    assert_eq!(page.evaluate(CURRENT), at(0, chosen as u64));
    page.press("Home", false);
    let ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle");
    assert_eq!(ring, "solid", "the focus is seen");
    // It stays on its cell while others are looked at.
    page.evaluate("document.getElementById('grid').scrollTop = 1e6");
    page.until("document.querySelector('[aria-rowindex=\"101\"]')");
    assert_eq!(page.evaluate(CURRENT), at(0, 0));
    page.press("Tab", false);
    assert_ne!(page.evaluate("document.activeElement.getAttribute('role')"), "gridcell");
    no_complaints(&mut page, &file);
}

/// A report's cells in the words of the page.
fn words(report: &Report, row: usize, column: usize) -> String {
    let matrix = report.matrix.as_ref().unwrap();
    match matrix.rows[row].cells[column] {
        Cell::Elsewhere => "another vCenter's".to_owned(),
        Cell::Eligible { rank: 1 } => "selected".to_owned(),
        Cell::Eligible { rank } => format!("eligible, rank {rank}"),
        Cell::Refused { codes, .. } => {
            let codes = matrix.code_sets[codes as usize].iter().map(|code| code.as_str());
            format!("refused: {}", codes.collect::<Vec<_>>().join(", "))
        }
    }
}

#[test]
fn every_cell_in_sight_says_what_the_report_says() {
    let Some(mut browser) = Chromium::start() else { return };
    let report = large(100, 200, true);
    let (_folder, file) = page_of(&report);
    for (name, look) in [
        ("medium-light", DESK),
        ("medium-dark", Look { dark: true, ..DESK }),
        ("medium-phone", PHONE),
        ("medium-phone-dark", Look { dark: true, ..PHONE }),
    ] {
        let mut page = browser.open(&file, look);
        page.until(READY);
        for corner in ["0, 0", "1e6, 1e6", "1500, 700", "1300, 600"] {
            page.evaluate(&format!(
                "new Promise((done) => {{ grid.scrollTo({corner}); requestAnimationFrame(() => requestAnimationFrame(done)); }})"
            ));
            let cells = page.evaluate(
                "[...document.querySelectorAll('#grid .cell')].map((cell) => \
                 [Number(cell.dataset.row), Number(cell.dataset.column), cell.ariaLabel])",
            );
            let cells = cells.as_array().unwrap();
            assert!(cells.len() > 80, "{name} {corner}: {}", cells.len());
            for cell in cells {
                let place = |at: usize| usize::try_from(cell[at].as_u64().unwrap()).unwrap();
                let (row, column) = (place(0), place(1));
                let says = format!("{}: {}", report.datastores[column].name, words(&report, row, column));
                assert_eq!(cell[2], says, "{name}: row {row}");
            }
        }
        let rows = page.evaluate("[...grid.querySelectorAll('[role=row]')].map((row) => row.ariaRowIndex)");
        let rows: Vec<u64> =
            rows.as_array().unwrap().iter().map(|row| row.as_str().unwrap().parse().unwrap()).collect();
        assert!(rows.is_sorted() && rows.len() > 5, "{name}: in the order in which they are read: {rows:?}");
        page.evaluate("grid.scrollTo(0, 0)");
        let least = page.evaluate(CONTRAST);
        assert!(least["ratio"].as_f64().unwrap() >= 4.5, "{name}: {least}");
        page.evaluate("document.getElementById('matrix').scrollIntoView()");
        if look.touch {
            page.until("document.querySelector('#grid .cell[data-row=\"2\"][data-column=\"2\"]')");
            page.tap("#grid .cell[data-row='2'][data-column='2']");
            page.until("document.activeElement.dataset.row === '2'");
        } else {
            page.evaluate("document.querySelector('#grid .several').click()");
        }
        page.screenshot(name);
        page.evaluate("document.getElementById('datastores').scrollIntoView()");
        page.screenshot(&format!("{name}-datastores"));
        page.evaluate("document.getElementById('placements').scrollIntoView()");
        page.screenshot(&format!("{name}-placements"));
        assert_eq!(page.evaluate("document.documentElement.scrollWidth"), look.width, "{name}: it fits");
        no_complaints(&mut page, &file);
    }
}

#[test]
fn reasons_with_their_numbers_are_one_tap_away() {
    let Some(mut browser) = Chromium::start() else { return };
    let (_folder, file) = page_of(&small());
    let mut page = browser.open(&file, PHONE);
    page.until(READY);
    page.evaluate("document.getElementById('matrix').scrollIntoView()");
    page.tap("#grid .cell[data-row='2'][data-column='0']");
    page.until("document.activeElement.dataset.row === '2'");
    let detail = page.evaluate("document.getElementById('detail').innerText");
    for said in [
        "shop/warehouse on vmfs-01",
        "InsufficientFreeSpace",
        "needs 1500.0 GiB, has 760.0 GiB: 900.0 free - 0.0 headroom - 140.0 claimed",
        "OversubscriptionLimit",
        "1148.0 GiB used + 140.0 claimed + 1500.0 requested > 100 % of 2048.0 GiB",
        "2.0 TiB",
        "NoEligibleDatastore: 0/5 datastores are eligible",
    ] {
        assert!(detail.as_str().unwrap().contains(said), "{said} in {detail}");
    }
    page.screenshot("small-phone-detail");
    page.tap("#detail button");
    page.until("!document.getElementById('detail').checkVisibility()");
    no_complaints(&mut page, &file);
}

#[test]
fn filters_leave_what_fits_in_lists_and_matrix() {
    let Some(mut browser) = Chromium::start() else { return };
    let (_folder, file) = page_of(&small());
    let mut page = browser.open(&file, DESK);
    page.until(READY);
    let shown = "['#placements tbody tr:not([hidden])', '#datastores tbody tr:not([hidden])', '#grid .cell'] \
                 .map((selector) => document.querySelectorAll(selector).length)";
    let enter = |page: &mut Page, id: &str, text: &str| {
        page.evaluate(&format!("document.getElementById({}).select()", json!(id)));
        page.call("Input.insertText", &json!({"text": text}));
    };
    assert_eq!(page.evaluate(shown), json!([4, 6, 24]));
    enter(&mut page, "find-placement", "WEB");
    assert_eq!(page.evaluate(shown), json!([2, 6, 12]));
    enter(&mut page, "find-datastore", "vmfs");
    assert_eq!(page.evaluate(shown), json!([2, 3, 6]));
    page.evaluate("document.getElementById('only-changed').click()");
    assert_eq!(page.evaluate(shown), json!([2, 1, 2]));
    page.evaluate("document.getElementById('only-refused').click()");
    assert_eq!(page.evaluate(shown), json!([0, 1, 0]));
    assert_eq!(page.evaluate("shown.textContent"), "0 of 4 placements, 1 of 6 datastores");
    assert_eq!(page.evaluate("detail.textContent"), "Nothing fits the filters.");
    no_complaints(&mut page, &file);
}

#[test]
fn hostile_names_are_shown_and_do_nothing() {
    let Some(mut browser) = Chromium::start() else { return };
    let (_folder, file) = page_of(&hostile());
    let mut page = browser.open(&file, DESK);
    page.until(READY);
    page.evaluate("document.querySelector('#grid .cell[data-row=\"2\"]').click()");
    assert_eq!(count(&mut page, "img"), 0);
    let (begin, _) = HOSTILE.split_once('\u{1b}').unwrap();
    for shown in ["detail", "placements", "grid"] {
        let text = page.evaluate(&format!("document.getElementById('{shown}').innerText"));
        assert!(text.as_str().unwrap().contains(begin), "{shown}: {text}");
    }
    assert_eq!(page.evaluate("document.documentElement.scrollWidth"), DESK.width);
    page.screenshot("hostile");
    no_complaints(&mut page, &file);
}

#[test]
fn without_scripts_and_on_paper_lists_and_bars_are_there() {
    let Some(mut browser) = Chromium::start() else { return };
    let (_folder, file) = page_of(&small());
    for (name, look) in
        [("no-scripts", Look { scripts: false, ..DESK }), ("paper", Look { media: "print", ..DESK })]
    {
        let mut page = browser.open(&file, look);
        let seen = |selector: &str| {
            format!("[...document.querySelectorAll('{selector}')].filter((e) => e.checkVisibility()).length")
        };
        assert_eq!(page.evaluate(&seen("#placements tbody tr")), 4, "{name}");
        assert_eq!(page.evaluate(&seen("#datastores svg")), 5, "{name}");
        assert_eq!(page.evaluate(&seen("#filters, #grid")), 0, "{name}");
        page.screenshot(name);
    }
}

#[test]
fn a_thousand_placements_against_a_thousand_datastores_are_few_elements() {
    let Some(mut browser) = Chromium::start() else { return };
    let report = large(1000, 1000, false);
    let (_folder, file) = page_of(&report);
    let mut page = browser.open(&file, DESK);
    page.until(READY);
    let elements = count(&mut page, "#matrix *");
    assert!((500..2500).contains(&elements), "{elements}");
    page.evaluate("document.querySelector('#grid .cell').focus()");
    page.press("End", true);
    assert_eq!(page.evaluate(CURRENT), json!([999, 999, 0, "gridcell"]));
    let says = page.evaluate("document.activeElement.ariaLabel");
    let all = words(&report, 999, 999);
    let expected = if all.starts_with("eligible") { "eligible".to_owned() } else { all };
    assert_eq!(says, format!("{}: {expected}", report.datastores[999].name));
    assert_eq!(page.evaluate("document.activeElement.checkVisibility()"), Value::Bool(true));
    page.evaluate("document.getElementById('matrix').scrollIntoView()");
    page.screenshot("large");
    no_complaints(&mut page, &file);
}
