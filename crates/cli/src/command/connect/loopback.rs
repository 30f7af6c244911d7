//! Where the vendor sends the browser back to: a listener on this machine, for one answer.
//!
//! It reads the first line of a request and shows one of two pages. Not responsible for what an answer means.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tributary_source::http::Consent;
use tributary_source::{Error, NextStep, SecretString};

/// The path of the address that the vendor answers to.
pub(super) const PATH: &str = "/callback";
/// The longest request: an address with a code in it, and what browsers say of themselves.
const LONGEST: u64 = 32 * 1024;
/// How long a browser may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);

/// A listener for one answer.
pub(super) struct Loopback {
    listener: TcpListener,
    /// Its port.
    pub(super) port: u16,
}

/// A request's target, and where its answer goes.
type Asked = (String, TcpStream);

impl Loopback {
    /// Listens on a port of this machine; 0 is any free one.
    pub(super) fn bind(port: u16) -> Result<Self, Error> {
        let bound = std::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let listener = bound.and_then(|listener| {
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener)
        });
        let fault = |error| {
            let message = format!("can't listen on port {port} of this machine: choose another with --port");
            Error::new(NextStep::FixConfig, message).because(error)
        };
        let listener = listener.map_err(fault)?;
        let port = listener.local_addr().map_err(fault)?.port();
        Ok(Self { listener, port })
    }

    /// Waits until the browser brings the answer to a question.
    pub(super) async fn answer(&self, consent: &Consent<'_>) -> Result<SecretString, Error> {
        // Browsers also open connections on which they say nothing: none holds up another.
        let (send, mut asked) = mpsc::channel::<Asked>(16);
        loop {
            let (target, stream) = tokio::select! {
                Ok((stream, _)) = self.listener.accept() => {
                    let send = send.clone();
                    tokio::spawn(async move {
                        if let Ok(Some(asked)) = tokio::time::timeout(PATIENCE, target(stream)).await {
                            // Whoever comes too late gets no page.
                            let _ = send.send(asked).await;
                        }
                    });
                    continue;
                }
                Some(asked) = asked.recv() => asked,
            };
            if target.split('?').next() != Some(PATH) {
                page(stream, "404 Not Found", "There is nothing here.").await;
                continue;
            }
            let answer = consent.answered(&target);
            match &answer {
                Ok(_) => page(stream, "200 OK", "Tributary has the answer. You may close this page.").await,
                Err(_) => page(stream, "400 Bad Request", "This did not work: Tributary says why.").await,
            }
            return answer;
        }
    }
}

/// The target of a request.
async fn target(stream: TcpStream) -> Option<Asked> {
    let mut head = Vec::new();
    let mut limited = stream.take(LONGEST);
    // To the end of the head: a browser that is answered earlier shows no page.
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        if limited.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let line = head.split(|byte| *byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let target = (words.next() == Some("GET")).then(|| words.next()).flatten()?;
    Some((target.to_owned(), limited.into_inner()))
}

/// Shows a page. A browser that is gone sees none, which changes nothing.
async fn page(mut stream: TcpStream, status: &str, text: &str) {
    let body = format!("<!doctype html><meta charset=utf-8><title>Tributary</title><p>{text}</p>\n");
    let reply = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\nreferrer-policy: no-referrer\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(reply.as_bytes()).await;
    let _ = stream.shutdown().await;
}
