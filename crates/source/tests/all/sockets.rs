//! What only a real connection can show.

use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tributary_core::Time;
use tributary_source::http::{Api, Auth, Request};
use tributary_source::{Environment, Error, Http, NextStep, SecretString};

/// Answers one request with some bytes, and gives the address and what the request was.
async fn serve(answer: Vec<u8>) -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let count = socket.read(&mut request).await.unwrap();
        // A client that refuses the answer may hang up in the middle.
        let _ = socket.write_all(&answer).await;
        String::from_utf8_lossy(&request[..count]).into_owned()
    });
    (address, task)
}

fn head(headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\n{headers}\r\n\r\n").into_bytes()
}

/// One try of a client that takes at most 1 MiB.
async fn get(address: &str) -> Result<tributary_source::http::Response, Error> {
    let api = Api {
        max_body_bytes: 1 << 20,
        auth: Auth::Bearer(SecretString::from("canary")),
        ..Api::new(address)
    };
    let http = Http::new(api, &Environment::new(Arc::new(|| Time(0)))).unwrap();
    http.bare(&Request::get("items")).await
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_refused_announced_or_not() {
    let body = vec![b'x'; 2 << 20];
    for headers in [format!("content-length: {}", body.len()), "x: y".to_owned()] {
        let (address, _task) = serve([head(&headers), body.clone()].concat()).await;
        let error = get(&address).await.unwrap_err();
        assert_eq!(error.to_string(), "the reply has more than 1048576 bytes: ask for smaller pages");
        assert_eq!(error.next, NextStep::FixConfig);
    }
}

#[tokio::test]
async fn a_small_body_that_unpacks_to_a_huge_one_is_refused() {
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    bomb.write_all(&vec![0; 64 << 20]).unwrap();
    let bomb = bomb.finish().unwrap();
    assert!(bomb.len() < 1 << 20);
    let headers = format!("content-encoding: gzip\r\ncontent-length: {}", bomb.len());
    let (address, _task) = serve([head(&headers), bomb].concat()).await;
    let error = get(&address).await.unwrap_err();
    assert!(error.to_string().contains("more than 1048576 bytes"), "{error}");
}

#[tokio::test]
async fn a_body_that_is_cut_short_may_be_tried_again() {
    let (address, _task) = serve([head("content-length: 100"), b"{\"half\":".to_vec()].concat()).await;
    let error = get(&address).await.unwrap_err();
    assert_eq!(error.next, NextStep::Retry);
}

#[tokio::test]
async fn a_redirect_to_another_host_is_not_followed() {
    let (elsewhere, taken) = serve(head("content-length: 0")).await;
    // Another name for the same machine is another host.
    let elsewhere = elsewhere.replace("127.0.0.1", "localhost");
    let answer = format!("HTTP/1.1 302 Found\r\nlocation: {elsewhere}/stolen\r\ncontent-length: 0\r\n\r\n");
    let (address, _task) = serve(answer.into_bytes()).await;
    let response = get(&address).await.unwrap();
    assert_eq!(response.status, 302);
    assert!(!taken.is_finished());
}
