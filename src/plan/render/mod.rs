//! From a report to text: for terminals, programs, pull requests and browsers. No I/O.
//!
//! Names and messages come from people and from vCenters, so each format makes them harmless in its own way.

mod explanation;
mod figures;
mod html;
mod markdown;
mod table;

pub use explanation::ExplanationFormat;

use super::Report;
use crate::placement::{bounded_message, clean};
use markdown::Markdown;
use table::Columns;

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Columns for a terminal.
    Table,
    /// One JSON document.
    Json,
    /// The same document in YAML.
    Yaml,
    /// A comment on a pull request.
    Markdown,
    /// One self-contained page.
    Html,
}

/// A report that a serializer refuses; the tests have seen none.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// Of [`Format::Json`].
    #[error("cannot write the report as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Of [`Format::Yaml`].
    #[error("cannot write the report as YAML: {0}")]
    Yaml(#[from] serde_saphyr::ser::Error),
}

impl Report {
    /// The report in a format, with a line break at its end. The same report gives the same bytes. `colours`
    /// are for a terminal: only [`Format::Table`] has them.
    ///
    /// # Errors
    /// When a serializer fails.
    pub fn render(&self, format: Format, colours: bool) -> Result<String, RenderError> {
        Ok(match format {
            Format::Table => Columns { report: self, colours }.to_string(),
            Format::Json => serde_json::to_string_pretty(self)? + "\n",
            Format::Yaml => serde_saphyr::to_string(self)?,
            Format::Markdown => Markdown(self).to_string(),
            Format::Html => html::render(self),
        })
    }
}

/// Text from outside as a line of bounded length that moves no cursor.
fn line(text: &str) -> String {
    bounded_message(&clean(text))
}
