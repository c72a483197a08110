//! Asks a running controller by its metrics address.

use std::time::Duration;

use anyhow::Context as _;
use berth::plan::Explanation;
use berth::scheduler::Key;

use super::http;

/// For the whole answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Far more than ten thousand datastores take.
const MAX_BYTES: usize = 64 << 20;

/// What the controller at `address` (`host:port`) says of a placement.
///
/// # Errors
/// When it does not answer, or says why not.
pub fn explain(address: &str, key: &Key) -> anyhow::Result<Explanation> {
    let query = [("namespace", key.namespace.as_str()), ("name", key.name.as_str())];
    let url = reqwest::Url::parse_with_params(&format!("http://{address}/debug/explain"), query)
        .with_context(|| format!("{address} is not an address such as localhost:8080"))?;
    let text = get(url).with_context(|| format!("no answer from Berth at {address}"))?;
    Explanation::from_json(&text)
        .map_err(|why| anyhow::anyhow!("what answers at {address} is not this version of Berth: {why}"))
}

fn get(url: reqwest::Url) -> anyhow::Result<String> {
    let (status, body) = http::get(url, TIMEOUT, MAX_BYTES + 1)?;
    anyhow::ensure!(body.len() <= MAX_BYTES, "the answer is too long");
    let text = String::from_utf8(body).context("the answer is not text")?;
    anyhow::ensure!(status.is_success(), "{status}: {}", berth::placement::bounded_message(text.trim()));
    Ok(text)
}
