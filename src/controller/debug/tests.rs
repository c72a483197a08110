use std::net::SocketAddr;

use axum::body::Body;
use http_body_util::BodyExt as _;
use serde_json::json;
use tower::ServiceExt as _;

use super::super::mock::{shell, status};
use super::*;

const LOCAL: &str = "127.0.0.1:1";
const NOWHERE: Duration = Duration::ZERO;

/// The routes before a scheduler that knows nothing.
fn desk(for_all: bool) -> Router {
    let (shell, _) = shell(|line, _| match line.rsplit('/').next() {
        Some("web") => (200, json!({"status": {"conditions": []}}).to_string(), None),
        Some("broken") => status(503, "starting"),
        _ => status(404, "no such placement"),
    });
    let (routes, mut asked) = routes(shell, LogLevel::unused(), for_all);
    tokio::spawn(async move {
        while let Some(question) = asked.recv().await {
            let now = Now { wall: jiff::Timestamp::UNIX_EPOCH, monotonic: NOWHERE };
            question.answer(&Scheduler::default(), now);
        }
    });
    routes
}

async fn ask(routes: &Router, method: &str, path: &str, body: &str, from: &str) -> (u16, String) {
    let peer: SocketAddr = from.parse().unwrap();
    let request = Request::builder().method(method).uri(path).body(Body::from(body.to_owned())).unwrap();
    let answer = routes.clone().layer(Extension(Peer(peer))).oneshot(request).await.unwrap();
    let code = answer.status().as_u16();
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    (code, String::from_utf8(text.to_vec()).unwrap())
}

#[tokio::test]
async fn only_this_machine_is_answered_unless_all_are_to_be() {
    let (guarded, open) = (desk(false), desk(true));
    for path in ["/debug/inventory", "/debug/explain?namespace=a&name=web", "/debug/log-level"] {
        for from in ["10.0.0.7:80", "[2001:db8::1]:80", "[::ffff:10.0.0.7]:80"] {
            let (code, text) = ask(&guarded, "GET", path, "", from).await;
            assert_eq!(code, 403, "{path} from {from}");
            assert!(text.contains("--enable-debug-endpoints"), "{text}");
            assert_ne!(ask(&open, "GET", path, "", from).await.0, 403, "{path} from {from}");
        }
        for from in [LOCAL, "127.8.0.1:80", "[::1]:80", "[::ffff:127.0.0.1]:80"] {
            assert_ne!(ask(&guarded, "GET", path, "", from).await.0, 403, "{path} from {from}");
        }
    }
    assert_eq!(ask(&guarded, "PUT", "/debug/log-level", "trace", "10.0.0.7:80").await.0, 403);
    assert_eq!(ask(&guarded, "GET", "/debug/log-level", "", LOCAL).await.1, "info\n");
}

#[tokio::test]
async fn the_level_is_one_of_five_words() {
    let desk = desk(false);
    let path = "/debug/log-level";
    assert_eq!(ask(&desk, "PUT", path, "debug\n", LOCAL).await, (200, "debug\n".into()));
    assert_eq!(ask(&desk, "GET", path, "", LOCAL).await, (200, "debug\n".into()));
    for nonsense in ["", "loud", "5", "berth=trace", "\u{0}"] {
        assert_eq!(ask(&desk, "PUT", path, nonsense, LOCAL).await.0, 400, "{nonsense}");
    }
    assert_eq!(ask(&desk, "PUT", path, &"x".repeat(1000), LOCAL).await.0, 413);
    assert_eq!(ask(&desk, "GET", path, "", LOCAL).await.1, "debug\n");
}

#[tokio::test]
async fn what_is_not_there_is_said_in_words() {
    let desk = desk(false);
    let explain = |name: &str| format!("/debug/explain?namespace=team-a&name={name}");
    for (path, code, words) in [
        ("/debug/inventory".to_owned(), 404, "no inventory"),
        ("/debug/inventory?vcenter=vc".to_owned(), 404, "no inventory"),
        ("/debug/explain".to_owned(), 400, "namespace"),
        (explain("gone"), 404, "there is no InstancePlacement gone in namespace team-a"),
        (explain("..%2fsecrets"), 400, "those of an object"),
        (explain("a%3Fb"), 400, "those of an object"),
        (explain("broken"), 502, "the API server: "),
        (explain("web"), 200, "berth.dev/explanation/v1"),
    ] {
        let (found, text) = ask(&desk, "GET", &path, "", LOCAL).await;
        assert_eq!(found, code, "{path}: {text}");
        assert!(text.contains(words), "{path}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_scheduler_that_does_not_answer_is_not_waited_for_for_ever() {
    let (shell, _) = shell(|_, _| status(404, "no"));
    let (routes, _asked) = routes(shell, LogLevel::unused(), false);
    let begun = tokio::time::Instant::now();
    let all = (0..=QUESTIONS).map(|_| ask(&routes, "GET", "/debug/inventory", "", LOCAL));
    let answers = futures::future::join_all(all).await;
    assert!(answers.iter().all(|(code, _)| *code == 503), "{answers:?}");
    assert_eq!(answers.iter().filter(|(_, text)| text.contains("too many")).count(), 1);
    assert!(begun.elapsed() <= PATIENCE + Duration::from_secs(1));
}
