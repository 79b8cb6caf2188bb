//! Serving HTTP/1: connections that are bounded in number, in the size of a request's head, and in
//! how long they may keep us waiting.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::impatient::Impatient;
use crate::log_lines::chain;

/// How many bytes a request's head may have. A longer one is answered by 431 without a body; what
/// the API itself takes is less.
const LARGEST_HEAD: usize = 64 * 1024;
/// How long no connection is accepted after accepting failed: most likely there is no file
/// descriptor left.
const PAUSE: Duration = Duration::from_millis(100);

/// What connections are held to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// How many there may be; others wait until one ends.
    pub(crate) connections: usize,
    /// How long a client may take to send the head of a request, from when the connection is ready
    /// for it: for so long an unused connection is kept. Balancers keep theirs for 60 s. It has to be
    /// they who end one: a request that is sent while we do is lost.
    pub(crate) head: Duration,
    /// The same for a connection that is accepted when half of them are taken: those who only sit
    /// there keep the others out no longer.
    pub(crate) head_when_crowded: Duration,
    /// How long a client may take nothing of what it is sent.
    pub(crate) stall: Duration,
    /// How long an unused connection is kept once no other is taken: what its client sends meanwhile
    /// is answered.
    pub(crate) linger: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 4096,
            head: Duration::from_secs(75),
            head_when_crowded: Duration::from_secs(2),
            stall: Duration::from_secs(10),
            linger: Duration::from_millis(200),
        }
    }
}

/// When serving ends.
#[derive(Debug, Clone)]
pub(crate) struct Ends {
    /// From then on each answer asks its client to open another connection: elsewhere, if it can.
    pub(crate) draining: CancellationToken,
    /// From then on no connection is taken.
    pub(crate) finish: CancellationToken,
}

impl Ends {
    fn have_begun(&self) -> bool {
        self.draining.is_cancelled() || self.finish.is_cancelled()
    }
}

/// Serves connections until `finish` is cancelled, and those that were made until then: what is under
/// way on them is waited for, and those without are closed after a while. Dropping the future cuts all
/// of them off.
pub(crate) async fn serve(listener: TcpListener, router: Router, ends: Ends, bounds: Bounds) {
    let finish = ends.finish.clone();
    let places = Arc::new(Semaphore::new(bounds.connections));
    let mut connections = Connections {
        router,
        ends,
        closing: CancellationToken::new(),
        bounds,
        tasks: JoinSet::new(),
    };
    let takes_all = async {
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            let stream = accept(&listener, &mut connections.tasks).await;
            let is_crowded = places.available_permits() < bounds.connections / 2;
            connections.begin(stream, is_crowded, Some(place));
        }
    };
    finish.run_until_cancelled(takes_all).await;
    for stream in close(listener) {
        connections.begin(stream, false, None);
    }
    connections.end().await;
}

/// Closes the door behind those whom the system has let in: to them their connection is made.
fn close(listener: TcpListener) -> Vec<TcpStream> {
    let mut let_in = Vec::new();
    if let Ok(listener) = listener.into_std() {
        // It does not block: it was the runtime's.
        while let Ok((stream, _)) = listener.accept() {
            let stream = stream
                .set_nonblocking(true)
                .and_then(|()| TcpStream::from_std(stream));
            let_in.extend(stream);
        }
    }
    let_in
}

/// The next connection; those that ended are forgotten meanwhile.
async fn accept(listener: &TcpListener, connections: &mut JoinSet<()>) -> TcpStream {
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => return stream,
                Err(error) => {
                    tracing::warn!(reason = chain(&error), "a connection was not accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// The connections that there are.
struct Connections {
    router: Router,
    ends: Ends,
    /// From then on those that are unused are closed.
    closing: CancellationToken,
    bounds: Bounds,
    tasks: JoinSet<()>,
}

impl Connections {
    /// Serves one, which keeps its place for as long.
    fn begin(&mut self, stream: TcpStream, is_crowded: bool, place: Option<OwnedSemaphorePermit>) {
        let head = if is_crowded {
            self.bounds.head_when_crowded
        } else {
            self.bounds.head
        };
        let bounds = Bounds {
            head,
            ..self.bounds
        };
        let router = self.router.clone();
        let connection = serve_connection(
            stream,
            router,
            self.ends.clone(),
            self.closing.clone(),
            bounds,
        );
        self.tasks.spawn(async move {
            connection.await;
            drop(place);
        });
    }

    /// Waits until all have ended.
    async fn end(mut self) {
        let linger = tokio::time::sleep(self.bounds.linger);
        let mut linger = std::pin::pin!(linger);
        loop {
            tokio::select! {
                ended = self.tasks.join_next() => if ended.is_none() {
                    return;
                },
                () = linger.as_mut(), if !self.closing.is_cancelled() => self.closing.cancel(),
            }
        }
    }
}

async fn serve_connection(
    stream: TcpStream,
    router: Router,
    ends: Ends,
    closing: CancellationToken,
    bounds: Bounds,
) {
    let router = TowerToHyperService::new(router);
    let answering = service_fn(move |request| {
        let (answer, ends) = (router.call(request), ends.clone());
        async move {
            let mut answer = answer.await?;
            if ends.have_begun() {
                let close = HeaderValue::from_static("close");
                answer.headers_mut().insert(CONNECTION, close);
            }
            Ok::<_, Infallible>(answer)
        }
    });
    // Answers are written whole: holding back the last packet only makes clients wait.
    stream.set_nodelay(true).ok();
    let stream = TokioIo::new(Impatient::new(stream, bounds.stall));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        .max_header_size(LARGEST_HEAD)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(stream, answering);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // What clients do wrong beneath HTTP is no concern of the log's.
        tracing::debug!(reason = chain(&error), "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::task::JoinHandle;
    use tokio::time::timeout;

    use super::*;

    const SHORT: Duration = Duration::from_millis(200);
    const BOUND: Duration = Duration::from_secs(10);
    const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: test\r\n\r\n";

    fn bounds() -> Bounds {
        Bounds {
            connections: 100,
            head: SHORT,
            head_when_crowded: SHORT,
            stall: SHORT,
            linger: SHORT,
        }
    }

    struct Server {
        address: SocketAddr,
        ends: Ends,
        task: JoinHandle<()>,
    }

    impl Server {
        async fn start(bounds: Bounds) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let ends = Ends {
                draining: CancellationToken::new(),
                finish: CancellationToken::new(),
            };
            let router = Router::new()
                .route("/", get(async || "here"))
                .route("/large", get(async || vec![b'x'; 64 << 20]))
                .route("/echo", post(async |body: String| body));
            let task = tokio::spawn(serve(listener, router, ends.clone(), bounds));
            Self {
                address,
                ends,
                task,
            }
        }

        async fn connect(&self) -> TcpStream {
            TcpStream::connect(self.address).await.unwrap()
        }

        async fn ends(self) {
            self.ends.finish.cancel();
            timeout(BOUND, self.task).await.unwrap().unwrap();
        }
    }

    async fn answer(stream: &mut TcpStream) -> String {
        let mut bytes = [0; 1024];
        let count = timeout(BOUND, stream.read(&mut bytes)).await.unwrap();
        String::from_utf8(bytes[..count.unwrap_or(0)].to_vec()).unwrap()
    }

    /// Reads until the server closes the connection.
    async fn is_closed(stream: &mut TcpStream) -> Vec<u8> {
        let mut rest = Vec::new();
        // Closed or reset, it has ended.
        drop(timeout(BOUND, stream.read_to_end(&mut rest)).await.unwrap());
        rest
    }

    #[tokio::test]
    async fn a_client_that_sends_its_head_slowly_is_given_up_and_hinders_nobody() {
        let server = Server::start(bounds()).await;
        let mut slow = server.connect().await;
        slow.write_all(b"GET / HTTP/1.1\r\nhost: te").await.unwrap();
        let mut silent = server.connect().await;
        let mut quick = server.connect().await;
        quick.write_all(GET).await.unwrap();
        assert!(answer(&mut quick).await.ends_with("here"));
        assert_eq!(is_closed(&mut slow).await, b"");
        assert_eq!(is_closed(&mut silent).await, b"");
        server.ends().await;
    }

    #[tokio::test]
    async fn while_draining_each_answer_ends_its_connection_and_new_ones_are_taken() {
        let server = Server::start(Bounds {
            head: BOUND,
            ..bounds()
        })
        .await;
        let mut client = server.connect().await;
        client.write_all(GET).await.unwrap();
        let kept = answer(&mut client).await;
        assert!(!kept.contains("connection: close"), "{kept}");
        server.ends.draining.cancel();
        client.write_all(GET).await.unwrap();
        let last = String::from_utf8(is_closed(&mut client).await).unwrap();
        assert!(
            last.contains("connection: close") && last.ends_with("here"),
            "{last}"
        );
        let mut another = server.connect().await;
        another.write_all(GET).await.unwrap();
        let answered = String::from_utf8(is_closed(&mut another).await).unwrap();
        assert!(answered.ends_with("here"), "{answered}");
        server.ends().await;
    }

    #[tokio::test]
    async fn what_a_kept_connection_sends_as_the_door_closes_is_answered() {
        let server = Server::start(Bounds {
            head: BOUND,
            linger: BOUND,
            ..bounds()
        })
        .await;
        let mut kept = server.connect().await;
        kept.write_all(GET).await.unwrap();
        assert!(answer(&mut kept).await.ends_with("here"));
        server.ends.finish.cancel();
        kept.write_all(GET).await.unwrap();
        let last = String::from_utf8(is_closed(&mut kept).await).unwrap();
        assert!(
            last.contains("connection: close") && last.ends_with("here"),
            "{last}"
        );
        server.ends().await;
    }

    #[tokio::test]
    async fn whoever_was_let_in_by_the_system_alone_is_served_as_the_door_closes() {
        let server = Server::start(Bounds {
            connections: 1,
            head: BOUND,
            ..bounds()
        })
        .await;
        let mut first = server.connect().await;
        first.write_all(GET).await.unwrap();
        assert!(answer(&mut first).await.ends_with("here"));
        // There is no place for it: it waits before the door.
        let mut second = server.connect().await;
        second.write_all(GET).await.unwrap();
        server.ends.finish.cancel();
        let answered = String::from_utf8(is_closed(&mut second).await).unwrap();
        assert!(answered.ends_with("here"), "{answered}");
        server.ends().await;
    }

    #[tokio::test]
    async fn a_client_that_takes_no_answer_is_given_up_even_in_a_shutdown() {
        let server = Server::start(bounds()).await;
        let mut greedy = server.connect().await;
        greedy
            .write_all(b"GET /large HTTP/1.1\r\nhost: test\r\n\r\n")
            .await
            .unwrap();
        greedy.readable().await.unwrap();
        server.ends().await;
        let taken = is_closed(&mut greedy).await.len();
        assert!(taken < 64 << 20, "{taken}");
    }

    #[tokio::test]
    async fn one_connection_too_many_waits_for_another_to_end() {
        let server = Server::start(Bounds {
            connections: 1,
            head: BOUND,
            ..bounds()
        })
        .await;
        let mut first = server.connect().await;
        first.write_all(GET).await.unwrap();
        assert!(answer(&mut first).await.ends_with("here"));
        let mut second = server.connect().await;
        second.write_all(GET).await.unwrap();
        assert!(timeout(SHORT, second.readable()).await.is_err());
        drop(first);
        assert!(answer(&mut second).await.ends_with("here"));
        // An unused connection does not hold up the end.
        server.ends().await;
        assert_eq!(is_closed(&mut second).await, b"");
    }

    #[tokio::test]
    async fn those_who_only_sit_there_keep_nobody_out_for_long() {
        let server = Server::start(Bounds {
            connections: 4,
            head: Duration::from_secs(3600),
            head_when_crowded: SHORT,
            ..bounds()
        })
        .await;
        let mut silent = Vec::new();
        for _ in 0..4 {
            silent.push(server.connect().await);
        }
        let mut next = server.connect().await;
        next.write_all(GET).await.unwrap();
        assert!(answer(&mut next).await.ends_with("here"));
        server.ends().await;
    }

    #[tokio::test]
    async fn heads_that_are_too_large_are_refused() {
        let server = Server::start(bounds()).await;
        let large = format!("x: {}\r\n", "x".repeat(LARGEST_HEAD));
        let many = "x: y\r\n".repeat(101);
        for headers in [large, many] {
            let mut client = server.connect().await;
            let head = format!("GET / HTTP/1.1\r\nhost: test\r\n{headers}\r\n");
            // It may have been refused before all of it was sent.
            client.write_all(head.as_bytes()).await.ok();
            let answer = answer(&mut client).await;
            assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
        }
        server.ends().await;
    }

    #[tokio::test]
    async fn what_is_no_http_is_refused_and_hinders_nobody() {
        let server = Server::start(bounds()).await;
        for garbage in [
            &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"GET / HTTP/1.1\r\nhost: a\r\nx: a\x00b\r\n\r\n",
            b"GET / HTTP/1.1\r\nhost: a\r\nx : y\r\n\r\n",
            b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
            b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
            b"GET /\x00 HTTP/1.1\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"\r\n\r\n\r\n",
        ] {
            let mut client = server.connect().await;
            client.write_all(garbage).await.unwrap();
            let said = is_closed(&mut client).await;
            assert!(
                said.is_empty() || said.starts_with(b"HTTP/1.1 4"),
                "{garbage:?}: {}",
                said.escape_ascii()
            );
        }
        server.ends().await;
    }

    #[tokio::test]
    async fn a_request_under_way_is_finished_and_its_connection_closed() {
        let server = Server::start(bounds()).await;
        let mut client = server.connect().await;
        client
            .write_all(b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nha")
            .await
            .unwrap();
        // The head has been read once the rest of another connection's request is answered.
        let mut other = server.connect().await;
        other.write_all(GET).await.unwrap();
        answer(&mut other).await;
        server.ends.finish.cancel();
        assert_eq!(is_closed(&mut other).await, b"");
        client.write_all(b"lf").await.unwrap();
        let said = is_closed(&mut client).await;
        assert!(said.ends_with(b"half"), "{}", said.escape_ascii());
        server.ends().await;
    }
}
