//! The listener from outside, over real sockets.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

#[derive(Default)]
struct Process {
    ready: AtomicBool,
    scraping: AtomicUsize,
}

impl Observed for Process {
    fn metrics(self: Arc<Self>) -> Told<String> {
        Box::pin(async move {
            assert_eq!(
                self.scraping.fetch_add(1, Ordering::SeqCst),
                0,
                "one at a time"
            );
            tokio::task::yield_now().await;
            self.scraping.fetch_sub(1, Ordering::SeqCst);
            "up 1\n".to_owned()
        })
    }

    fn health(&self) -> Health {
        Health(vec![
            ("journal_open", true),
            ("epoch_fresh", self.ready.load(Ordering::SeqCst)),
        ])
    }
}

struct Listening {
    address: std::net::SocketAddr,
    process: Arc<Process>,
    task: tokio::task::JoinHandle<()>,
}

async fn listening(change: impl FnOnce(&mut Settings)) -> Listening {
    let mut settings = Settings::default();
    change(&mut settings);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let process = Arc::new(Process::default());
    let observed = process.clone();
    let task = tokio::spawn(async move { serve(listener, &settings, observed).await });
    Listening {
        address,
        process,
        task,
    }
}

impl Listening {
    /// Sends bytes and gives everything that comes back.
    async fn say(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn get(&self, path: &str) -> String {
        self.say(&format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        ))
        .await
    }
}

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or("none")
}

#[tokio::test]
async fn metrics_and_health_are_told_and_nothing_else() {
    let listening = listening(|_| {}).await;
    let metrics = listening.get("/metrics").await;
    assert!(
        metrics.contains("content-type: text/plain; version=0.0.4"),
        "{metrics}"
    );
    assert!(metrics.ends_with("\r\n\r\nup 1\n"), "{metrics}");
    assert!(
        listening
            .get("/health/live")
            .await
            .ends_with("{\"live\":true}\n")
    );
    for path in [
        "/",
        "/metrics/",
        "/health",
        "/debug",
        "/metrics/../etc/passwd",
        "/%6detrics",
    ] {
        assert_eq!(status(&listening.get(path).await), "404", "{path}");
    }
    let posted = "POST /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(status(&listening.say(posted).await), "405");
}

#[tokio::test]
async fn what_is_not_ready_says_so_and_why() {
    let listening = listening(|_| {}).await;
    let answer = listening.get("/health/ready").await;
    assert_eq!(status(&answer), "503");
    let told = "{\"ready\":false,\"checks\":{\"journal_open\":true,\"epoch_fresh\":false}}\n";
    assert!(answer.ends_with(told), "{answer}");
    listening.process.ready.store(true, Ordering::SeqCst);
    let answer = listening.get("/health/ready").await;
    assert_eq!(status(&answer), "200");
    assert!(answer.contains("{\"ready\":true,"), "{answer}");
}

/// A page that a browser on this machine has opened reaches the listener under the page's own host name.
#[tokio::test]
async fn a_request_by_another_name_than_this_machines_is_refused() {
    let by_name =
        |host: &str| format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let local = listening(|_| {}).await;
    for host in ["127.0.0.1:9464", "localhost", "[::1]:9464"] {
        assert_eq!(status(&local.say(&by_name(host)).await), "200", "{host}");
    }
    for host in [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "10.0.0.1",
        "",
    ] {
        assert_eq!(status(&local.say(&by_name(host)).await), "421", "{host}");
    }
    let unnamed = "GET /metrics HTTP/1.0\r\n\r\n";
    assert_eq!(status(&local.say(unnamed).await), "421");
    let remote = listening(|settings| settings.allow_remote = true).await;
    assert_eq!(status(&remote.say(&by_name("node.example")).await), "200");
}

#[tokio::test]
async fn connections_are_bounded_and_a_place_comes_back() {
    let listening = listening(|settings| settings.connections_max = 2).await;
    let first = TcpStream::connect(listening.address).await.unwrap();
    let _second = TcpStream::connect(listening.address).await.unwrap();
    // Accepted in order: this one finds no place and is closed without a word.
    let mut third = TcpStream::connect(listening.address).await.unwrap();
    assert_eq!(third.read(&mut [0; 1]).await.unwrap(), 0);
    drop(first);
    loop {
        let mut again = TcpStream::connect(listening.address).await.unwrap();
        let asked = again.write_all(
            b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        );
        let mut answer = String::new();
        // Until the first one's end is noticed the listener closes this one too.
        if asked.await.is_ok()
            && again.read_to_string(&mut answer).await.is_ok()
            && !answer.is_empty()
        {
            assert_eq!(status(&answer), "200");
            break;
        }
    }
}

#[tokio::test]
async fn garbage_and_endless_heads_end_their_own_connection_only() {
    let listening = listening(|_| {}).await;
    for request in [
        "\u{16}\u{3}\u{1} not http at all\r\n\r\n".to_owned(),
        "GET /metrics HTTP/1.1\nHost localhost\n\n".to_owned(),
        format!(
            "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n",
            "a".repeat(9_000)
        ),
    ] {
        let mut stream = TcpStream::connect(listening.address).await.unwrap();
        // It may be closed before all was sent.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(!answer.contains("up 1"), "{answer}");
    }
    assert_eq!(status(&listening.get("/metrics").await), "200");
    assert!(!listening.task.is_finished());
}

#[tokio::test]
async fn scrapes_at_the_same_time_are_made_one_by_one() {
    let listening = Arc::new(listening(|_| {}).await);
    let mut scrapes = JoinSet::new();
    for _ in 0..8 {
        let listening = Arc::clone(&listening);
        scrapes.spawn(async move { status(&listening.get("/metrics").await).to_owned() });
    }
    while let Some(scraped) = scrapes.join_next().await {
        assert_eq!(scraped.unwrap(), "200");
    }
}
