//! Text that is safe to put into a message: bounded, one line, without control characters. No I/O.

/// Names and users' words are cut to this many bytes within a message.
pub(super) const MAX_WORDS: usize = 120;

/// Characters that end a line, move a cursor or turn the direction of writing become U+FFFD.
pub(crate) fn clean(text: &str) -> String {
    let unsafe_in_a_line = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().map(|c| if unsafe_in_a_line(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// At most `limit` bytes, cut between characters; what was cut is shown as `...`.
pub(super) fn cut(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(limit.saturating_sub(3));
    format!("{}...", text.get(..end).unwrap_or_default())
}

/// A name or a user's own words, ready for a message.
pub(super) fn words(text: &str) -> String {
    cut(&clean(text), MAX_WORDS)
}

/// The same in quotation marks.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", words(text))
}
