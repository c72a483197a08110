//! What every datastore is to one placement, as text. No I/O.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{RenderError, line};
use crate::api::{Candidate, RejectionCode};
use crate::columns::{UNKNOWN, lines, table};
use crate::placement::{MoRef, Verdict};
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
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: Cow<'a, str>,
    placement: Cow<'a, PlannedPlacement>,
    #[serde(rename = "vCenter")]
    vcenter: Cow<'a, str>,
    datastores: Vec<Explained>,
}

/// One datastore.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Explained {
    /// As in `status.decision.candidates`.
    #[serde(flatten)]
    candidate: Candidate,
    /// When vCenter took its figures from the storage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    figures_time: Option<Timestamp>,
}

impl From<Explained> for Verdict {
    /// A reason that this version does not know is left out.
    fn from(Explained { candidate, figures_time }: Explained) -> Self {
        let reasons = candidate.reasons.into_iter().filter_map(|reason| {
            let code = RejectionCode::ALL.iter().find(|code| code.as_str() == reason.code)?;
            Some((*code, reason.message))
        });
        Self {
            name: candidate.name,
            moref: MoRef(candidate.mo_ref),
            kind: candidate.type_,
            rank: candidate.rank.and_then(|rank| usize::try_from(rank).ok()),
            reasons: reasons.collect(),
            figures_time,
        }
    }
}

impl Explanation {
    /// What [`Self::render`] has written as JSON.
    ///
    /// # Errors
    /// When it is something else, in words.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let document: Document<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if document.api_version != API_VERSION {
            return Err(format!("its apiVersion is not {API_VERSION}"));
        }
        Ok(Self {
            placement: document.placement.into_owned(),
            vcenter: document.vcenter.into_owned(),
            verdicts: document.datastores.into_iter().map(Verdict::from).collect(),
            missing: Vec::new(),
            warnings: Vec::new(),
        })
    }

    /// The explanation in a format, with a line break at its end. The same one gives the same bytes.
    ///
    /// # Errors
    /// When a serializer fails.
    pub fn render(&self, format: ExplanationFormat) -> Result<String, RenderError> {
        let document = || Document {
            api_version: Cow::Borrowed(API_VERSION),
            placement: Cow::Borrowed(&self.placement),
            vcenter: Cow::Borrowed(&self.vcenter),
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
