//! `berth ready`: asks a running controller whether it is ready. In the image there is no other program that could.

use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use reqwest::StatusCode;

use super::{http, output};

const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of the answer that are read.
const MAX_ANSWER: usize = 64 << 10;

/// Arguments of `berth ready`.
#[derive(Debug, Args)]
pub struct Ready {
    /// Where the controller serves /readyz
    #[arg(long, value_name = "HOST:PORT", default_value = "localhost:8081")]
    address: String,
}

impl Ready {
    /// Asks, and says what the controller said.
    ///
    /// # Errors
    /// When it is not ready, with what it waits for, or does not answer.
    pub fn run(self) -> anyhow::Result<()> {
        let url = format!("http://{}/readyz", self.address);
        let (status, said) = ask(&url).with_context(|| format!("no answer from {url}"))?;
        match status {
            StatusCode::OK => output::print(&said),
            StatusCode::SERVICE_UNAVAILABLE => bail!("{url}: not ready\n{}", said.trim_end()),
            _ => bail!("{url} answers {status}: it is not a controller of Berth"),
        }
    }
}

/// Status and text of an answer.
fn ask(url: &str) -> anyhow::Result<(StatusCode, String)> {
    let (status, body) = http::get(url.parse()?, TIMEOUT, MAX_ANSWER)?;
    let text = String::from_utf8_lossy(&body);
    // Whoever answers must not steer the terminal.
    Ok((status, text.chars().filter(|c| *c == '\n' || !c.is_control()).collect()))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// What `berth ready` says of a server that answers so.
    fn ready(answer: &str) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 1024];
                let length = stream.read(&mut request).unwrap();
                assert!(request[..length].starts_with(b"GET /readyz HTTP/1.1\r\n"));
                // Whoever has read enough hangs up.
                drop(stream.write_all(answer.as_bytes()));
            });
            Ready { address }.run().map_err(|error| format!("{error:#}"))
        })
    }

    #[test]
    fn a_controller_that_is_ready() {
        ready("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nready\n").unwrap();
    }

    #[test]
    fn a_controller_that_waits_says_for_what_in_plain_text() {
        let said = ready("HTTP/1.1 503 No\r\nConnection: close\r\n\r\nVCenter: \u{1b}[31mno such kind\n")
            .unwrap_err();
        assert!(said.ends_with("/readyz: not ready\nVCenter: [31mno such kind"), "{said:?}");
    }

    #[test]
    fn an_endless_answer_ends() {
        let said =
            ready(&format!("HTTP/1.1 503 No\r\nConnection: close\r\n\r\n{}", "x".repeat(3 * MAX_ANSWER)))
                .unwrap_err();
        assert!(said.len() < MAX_ANSWER + 100, "{}", said.len());
    }

    #[test]
    fn another_server_is_not_taken_for_a_controller() {
        let said = ready("HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n").unwrap_err();
        assert!(said.ends_with("answers 302 Found: it is not a controller of Berth"), "{said}");
    }

    #[test]
    fn nobody_there() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let said = format!("{:#}", Ready { address }.run().unwrap_err());
        assert!(said.starts_with("no answer from http://127.0.0.1:"), "{said}");
    }
}
