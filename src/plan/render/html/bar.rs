//! How full a datastore is before and after the plan, as a picture. Its numbers stand beside it. No I/O.

use maud::{Markup, html};

use crate::plan::render::figures::Fill;

/// Width of the picture, in its own units, and the whole that shares are parts of.
const WIDTH: u32 = 1000;
/// What is not nothing is at least so wide.
const MIN_WIDTH: u64 = 4;
/// Height of one of the two bars.
const HEIGHT: u32 = 6;
/// Where the upper one begins.
const BEFORE: u32 = 0;
/// Where the lower one begins.
const AFTER: u32 = 9;

/// Three parts, each one path over both bars: used, claimed before, claimed by the plan.
pub(super) fn draw(fill: &Fill) -> Markup {
    let stays = fill.before.min(fill.after);
    let used = width(fill, fill.used);
    let end = used.saturating_add(width(fill, stays));
    let parts = [
        ("used", rectangle(BEFORE, 0, used) + &rectangle(AFTER, 0, used)),
        (
            "kept",
            rectangle(BEFORE, used, width(fill, fill.before)) + &rectangle(AFTER, used, width(fill, stays)),
        ),
        ("added", rectangle(AFTER, end, width(fill, fill.after.saturating_sub(stays)))),
    ];
    html! {
        svg viewBox="0 0 1000 15" preserveAspectRatio="none" aria-hidden="true" {
            @for (class, path) in parts.iter().filter(|(_, path)| !path.is_empty()) { path class=(class) d=(path) {} }
        }
    }
}

fn width(fill: &Fill, bytes: u64) -> u64 {
    if bytes == 0 { 0 } else { fill.share(bytes, WIDTH).max(MIN_WIDTH) }
}

/// In SVG's words, as far as it is within the picture.
fn rectangle(top: u32, begin: u64, width: u64) -> String {
    let end = begin.saturating_add(width).min(u64::from(WIDTH));
    match end.saturating_sub(begin) {
        0 => String::new(),
        width => format!("M{begin} {top}h{width}v{HEIGHT}h-{width}z"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(used: u64, before: u64, after: u64) -> String {
        draw(&Fill { capacity: 1000, used, before, after }).into_string()
    }

    #[test]
    fn parts_follow_each_other() {
        let bar = drawn(500, 100, 300);
        for part in [
            r#"class="used" d="M0 0h500v6h-500zM0 9h500v6h-500z""#,
            r#"class="kept" d="M500 0h100v6h-100zM500 9h100v6h-100z""#,
            r#"class="added" d="M600 9h200v6h-200z""#,
        ] {
            assert!(bar.contains(part), "{part} in {bar}");
        }
    }

    #[test]
    fn what_exceeds_the_capacity_ends_with_the_picture() {
        let bar = drawn(900, 50, 5000);
        assert!(bar.contains(r#"class="added" d="M950 9h50v6h-50z""#), "{bar}");
        let bar = drawn(1000, 0, 5);
        assert!(bar.contains("used") && !bar.contains("added"), "{bar}");
    }

    #[test]
    fn what_is_given_back_is_in_the_upper_bar_only() {
        let bar = drawn(0, 10, 0);
        assert!(bar.contains(r#"class="kept" d="M0 0h10v6h-10z""#) && !bar.contains("added"), "{bar}");
    }

    #[test]
    fn a_little_is_seen() {
        assert!(drawn(0, 0, 1).contains(r#"class="added" d="M0 9h4v6h-4z""#));
    }
}
