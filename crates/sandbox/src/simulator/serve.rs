//! A simulator on loopback, for people and for clients that others wrote.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::call::header;
use super::{Answer, Call, Reply, Simulator};

/// The largest body that is read.
const LARGEST_BODY: usize = 16 << 20;

/// A simulator that answers on loopback until this value is dropped.
#[derive(Debug)]
pub struct Served {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Served {
    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers until something goes wrong.
    pub async fn forever(mut self) {
        // It ends by a failure of the listener alone.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers on a port of 127.0.0.1; 0 is any free one.
pub async fn serve(simulator: Arc<Simulator>, port: u16) -> io::Result<Served> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let address = listener.local_addr()?;
    let router = Router::new().fallback(answer).with_state(simulator);
    let task = tokio::spawn(async move {
        // It ends with the task.
        let _ = axum::serve(listener, router).await;
    });
    Ok(Served { address, task })
}

async fn answer(State(simulator): State<Arc<Simulator>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LARGEST_BODY).await else {
        return response(&Reply::text(413, ""), Body::empty());
    };
    let query = head.uri.query().unwrap_or_default();
    let call = Call {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        headers: head.headers.iter().map(|(name, value)| header(name, value)).collect(),
        body,
        ..Call::default()
    };
    match simulator.handle(call).await {
        Answer::Whole(reply) => response(&reply, Body::from(reply.body.clone())),
        Answer::Torn(reply) => {
            let length = reply.body.len();
            let half = reply.body.slice(..length / 2);
            response(&reply.header("content-length", length), cut(half))
        }
        Answer::Nothing => response(&Reply::text(200, ""), cut(Bytes::new())),
    }
}

fn response(reply: &Reply, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &reply.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// A body after whose beginning the connection ends.
fn cut(beginning: Bytes) -> Body {
    let end = io::Error::new(io::ErrorKind::ConnectionReset, "cut on demand");
    Body::from_stream(futures::stream::iter([Ok(beginning), Err(end)]))
}
