//! One question to a running controller, by its addresses for health probes and metrics.

use std::time::Duration;

use reqwest::{Client, StatusCode, Url, redirect};

/// Status of the answer to a GET, and the first `limit` bytes of its body. All of it takes at most `timeout`.
///
/// # Errors
/// When there is no answer.
pub fn get(url: Url, timeout: Duration, limit: usize) -> anyhow::Result<(StatusCode, Vec<u8>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(ask(url, timeout, limit))?)
}

async fn ask(url: Url, timeout: Duration, limit: usize) -> reqwest::Result<(StatusCode, Vec<u8>)> {
    let client = Client::builder().no_proxy().redirect(redirect::Policy::none()).timeout(timeout).build()?;
    let mut answer = client.get(url).send().await?;
    let mut body = Vec::new();
    while body.len() < limit
        && let Some(chunk) = answer.chunk().await?
    {
        body.extend_from_slice(&chunk);
    }
    body.truncate(limit);
    Ok((answer.status(), body))
}
