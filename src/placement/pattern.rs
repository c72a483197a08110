//! Regular expressions on datastore names, compiled once. No I/O.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use super::text;

/// Longest text of a pattern, in characters, as the CRDs say.
pub const MAX_PATTERN_LENGTH: usize = 512;
/// Bytes that one compiled expression may take; the same again for the cache it matches with.
const MAX_COMPILED: usize = 256 * 1024;
/// Depth of groups and repetitions within each other.
const MAX_NESTING: u32 = 32;
/// From this many patterns on, [`Patterns`] forgets those that nobody uses.
const SWEEP_AT: usize = 1024;

/// A regular expression that a whole name must match. Equal, ordered and hashed by its text; cheap to
/// clone.
#[derive(Clone)]
pub struct Pattern(Arc<Compiled>);

struct Compiled {
    text: String,
    whole: Regex,
}

impl Pattern {
    /// # Errors
    /// In one bounded line, to be read after the quoted text: `"a(" is not a regular expression: ...`.
    fn compile(text: &str) -> Result<Self, String> {
        if text.chars().count() > MAX_PATTERN_LENGTH {
            return Err(format!("is longer than {MAX_PATTERN_LENGTH} characters"));
        }
        // By itself first: `a)(b` is no expression, although it is one between parentheses.
        build(text)?;
        let whole = build(&format!(r"\A(?:{text})\z"))
            .map_err(|_| "cannot be used for whole names: leave out its last comment".to_owned())?;
        Ok(Self(Arc::new(Compiled { text: text.to_owned(), whole })))
    }

    /// Whether the whole name matches.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.0.whole.is_match(name)
    }

    /// The text as the user wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }
}

/// The size limits hold for any text; matching takes time linear in the name.
fn build(expression: &str) -> Result<Regex, String> {
    RegexBuilder::new(expression)
        .size_limit(MAX_COMPILED)
        .dfa_size_limit(MAX_COMPILED)
        .nest_limit(MAX_NESTING)
        .build()
        .map_err(|error| explain(&error))
}

/// The library shows a syntax error with the expression and a caret below it; its last line says what is
/// wrong.
fn explain(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "is too large when compiled: use fewer repetitions".to_owned(),
        other => {
            let shown = other.to_string();
            let last = shown.lines().last().unwrap_or_default();
            let reason = last.trim().strip_prefix("error: ").unwrap_or(last.trim());
            format!("is not a regular expression: {}", text::words(reason))
        }
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.as_str())
    }
}
impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}
impl Eq for Pattern {}
impl PartialOrd for Pattern {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Pattern {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}
impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

/// Compiles each text once. It is a cache: what it holds changes no answer, so that any two are equal.
#[derive(Clone, Debug, Default)]
pub struct Patterns {
    known: BTreeMap<String, Pattern>,
    /// How many were still in use after the last sweep.
    in_use: usize,
}

impl Patterns {
    /// The pattern of this text.
    ///
    /// # Errors
    /// In one bounded line, to be read after the quoted text: `"a(" is not a regular expression: ...`.
    pub fn intern(&mut self, text: &str) -> Result<Pattern, String> {
        if let Some(pattern) = self.known.get(text) {
            return Ok(pattern.clone());
        }
        let pattern = Pattern::compile(text)?;
        if self.known.len() >= SWEEP_AT.max(self.in_use.saturating_mul(2)) {
            self.known.retain(|_, pattern| Arc::strong_count(&pattern.0) > 1);
            self.in_use = self.known.len();
        }
        self.known.insert(text.to_owned(), pattern.clone());
        Ok(pattern)
    }

    /// How many patterns are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}

impl PartialEq for Patterns {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl Eq for Patterns {}
impl Hash for Patterns {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}
