//! Text from outside, made fit for a log line, a status or an event. No I/O.

/// One line of at most `limit` bytes: white space runs become one blank, control characters go, and a cut
/// is marked.
pub(crate) fn one_line(text: &str, limit: usize) -> String {
    const CUT: &str = "...";
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().filter(|c| !c.is_control()));
        if line.len() > limit {
            line.truncate(line.floor_char_boundary(limit.saturating_sub(CUT.len())));
            line.push_str(CUT);
            break;
        }
    }
    line
}

/// Which of the known names was probably meant.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const ALIKE: f64 = 0.8;
    let name = name.to_lowercase();
    let likeness = |known: &str| strsim::jaro_winkler(&known.to_lowercase(), &name);
    let alike = known.into_iter().map(|known| (likeness(known), known)).filter(|(alike, _)| *alike >= ALIKE);
    alike.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_no_control_characters_and_ends_at_its_limit() {
        assert_eq!(one_line("a\tb\r\n\u{1b}[31mc\u{7}", 100), "a b [31mc");
        let cut = one_line(&"ä".repeat(300), 512);
        assert!(cut.len() <= 512 && cut.ends_with("ä..."), "{cut}");
        assert_eq!(one_line(&"x".repeat(512), 512), "x".repeat(512));
    }
}
