//! One HTTP request from blocking code, also from inside an async test. Does I/O.

use std::time::Duration;

use anyhow::{Context as _, anyhow};

/// What a server answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// Trusts `ca_pem` alone when given. The method is a verb such as `POST`.
pub(super) fn request(
    method: &str,
    url: &str,
    ca_pem: Option<&str>,
    header: Option<(&str, &str)>,
    body: Option<String>,
) -> anyhow::Result<Answer> {
    let send = async {
        let mut client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20));
        if let Some(pem) = ca_pem {
            client = client.tls_certs_only([reqwest::Certificate::from_pem(pem.as_bytes())?]);
        }
        let mut request = client.build()?.request(method.parse()?, url);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        anyhow::Ok(Answer { status, body: response.text().await? })
    };
    // A runtime cannot be entered twice on one thread, and the caller may be in one.
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(send)
        });
        worker.join().map_err(|_| anyhow!("the request panicked"))?
    })
    .with_context(|| format!("{method} {url}"))
}
