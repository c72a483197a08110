//! What every datastore is to one placement, as text. No I/O.

use jiff::Timestamp;
use serde::Serialize;

use super::{RenderError, line};
use crate::api::Candidate;
use crate::columns::{UNKNOWN, lines, table};
use crate::plan::{Explanation, PlannedPlacement};
use crate::status::candidate;

/// `apiVersion` of the forms for programs.
const API_VERSION: &str = "berth.dev/explanation/v1";

/// How an explanation is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExplanationFormat {
    /// Columns for a terminal.
    Table,
    /// One JSON document.
    Json,
    /// The same document in YAML.
    Yaml,
}

/// The document for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: &'static str,
    placement: &'a PlannedPlacement,
    #[serde(rename = "vCenter")]
    vcenter: &'a str,
    datastores: Vec<Explained>,
}

/// One datastore.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Explained {
    /// As in `status.decision.candidates`.
    #[serde(flatten)]
    candidate: Candidate,
    /// When vCenter took its figures from the storage.
    #[serde(skip_serializing_if = "Option::is_none")]
    figures_time: Option<Timestamp>,
}

impl Explanation {
    /// The explanation in a format, with a line break at its end. The same one gives the same bytes.
    ///
    /// # Errors
    /// When a serializer fails.
    pub fn render(&self, format: ExplanationFormat) -> Result<String, RenderError> {
        let document = || Document {
            api_version: API_VERSION,
            placement: &self.placement,
            vcenter: &self.vcenter,
            datastores: self
                .verdicts
                .iter()
                .map(|verdict| Explained {
                    candidate: candidate(verdict),
                    figures_time: verdict.figures_time,
                })
                .collect(),
        };
        Ok(match format {
            ExplanationFormat::Table => self.columns(),
            ExplanationFormat::Json => serde_json::to_string_pretty(&document())? + "\n",
            ExplanationFormat::Yaml => serde_saphyr::to_string(&document())?,
        })
    }

    fn columns(&self) -> String {
        let PlannedPlacement { namespace, name, reason, message, .. } = &self.placement;
        let mut text = format!("{}/{}: {}\n{}\n", line(namespace), line(name), line(reason), line(message));
        if self.verdicts.is_empty() {
            return text;
        }
        let selected = self.placement.status.pointer("/datastore/moRef").and_then(serde_json::Value::as_str);
        let mut verdicts = table(["RANK", "DATASTORE", "TYPE", "FIGURES OF", "VERDICT"]);
        for verdict in &self.verdicts {
            let is_selected = selected == Some(verdict.moref.0.as_str());
            let word = if is_selected { "selected" } else { "eligible" };
            let eligible = verdict.rank.map(|_| word.to_owned());
            let reasons = verdict.reasons.iter().map(|(code, why)| format!("{code}: {}", line(why)));
            // One line for each reason; the datastore stands before the first.
            for (said, number) in eligible.into_iter().chain(reasons).zip(0..) {
                let once = |text: String| if number == 0 { text } else { String::new() };
                let rank = verdict.rank.map_or_else(|| "-".to_owned(), |rank| rank.to_string());
                let figures =
                    verdict.figures_time.map_or_else(|| UNKNOWN.to_owned(), |time| time.to_string());
                verdicts.add_row([
                    once(rank),
                    once(line(&verdict.name)),
                    once(line(&verdict.kind)),
                    once(figures),
                    said,
                ]);
            }
        }
        text.push('\n');
        text.extend(lines(&verdicts).map(|line| line + "\n"));
        text
    }
}
