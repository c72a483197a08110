//! Asks a running controller by its metrics address.

use std::time::Duration;

use anyhow::Context as _;
use berth::plan::Explanation;
use berth::scheduler::Key;

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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let text = runtime.block_on(get(url)).with_context(|| format!("no answer from Berth at {address}"))?;
    Explanation::from_json(&text)
        .map_err(|why| anyhow::anyhow!("what answers at {address} is not this version of Berth: {why}"))
}

async fn get(url: reqwest::Url) -> anyhow::Result<String> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TIMEOUT)
        .build()?;
    let mut response = client.get(url).send().await?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        anyhow::ensure!(body.len() <= MAX_BYTES, "the answer is too long");
    }
    let text = String::from_utf8(body).context("the answer is not text")?;
    let status = response.status();
    anyhow::ensure!(status.is_success(), "{status}: {}", berth::placement::bounded_message(text.trim()));
    Ok(text)
}
