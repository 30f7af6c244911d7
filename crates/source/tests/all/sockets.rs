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

/// Answers requests with some bytes each, and gives the address and whether all were asked for.
async fn serve(answers: Vec<Vec<u8>>) -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        for answer in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.read(&mut vec![0; 4096]).await.unwrap();
            // A client that refuses the answer may hang up in the middle.
            let _ = socket.write_all(&answer).await;
        }
    });
    (address, task)
}

fn head(headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\n{headers}\r\n\r\n").into_bytes()
}

/// Asks with a client that takes at most 1 MiB.
async fn get(address: &str) -> Result<tributary_source::http::Response, Error> {
    let api = Api {
        max_body_bytes: 1 << 20,
        auth: Auth::Bearer(SecretString::from("canary")),
        ..Api::new(address)
    };
    let http = Http::new(api, &Environment::new(Arc::new(|| Time(0)))).unwrap();
    http.send(&Request::get("items")).await
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_refused_announced_or_not() {
    let body = vec![b'x'; 2 << 20];
    for headers in [format!("content-length: {}", body.len()), "x: y".to_owned()] {
        let (address, _task) = serve(vec![[head(&headers), body.clone()].concat()]).await;
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
    let (address, _task) = serve(vec![[head(&headers), bomb].concat()]).await;
    let error = get(&address).await.unwrap_err();
    assert!(error.to_string().contains("more than 1048576 bytes"), "{error}");
}

#[tokio::test]
async fn a_body_that_is_cut_short_is_asked_for_again() {
    let half = [head("content-length: 100"), b"{\"half\":".to_vec()].concat();
    let whole = [head("content-length: 2"), b"{}".to_vec()].concat();
    let (address, task) = serve(vec![half, whole]).await;
    assert_eq!(get(&address).await.unwrap().body, "{}");
    task.await.unwrap();
}

#[tokio::test]
async fn a_redirect_to_another_host_is_not_followed() {
    let (elsewhere, taken) = serve(vec![head("content-length: 0")]).await;
    // Another port is another server, and another name for the same machine is another host.
    for elsewhere in [elsewhere.clone(), elsewhere.replace("127.0.0.1", "localhost")] {
        let answer =
            format!("HTTP/1.1 302 Found\r\nlocation: {elsewhere}/stolen\r\ncontent-length: 0\r\n\r\n");
        let (address, _task) = serve(vec![answer.into_bytes()]).await;
        let error = get(&address).await.unwrap_err();
        assert_eq!(error.next, NextStep::FixConfig);
        assert!(!taken.is_finished());
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_nobody_has_is_told_from_a_server_that_is_off() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    for (address, reason) in [
        ("https://nobody.invalid".to_owned(), "name is not known"),
        (format!("http://127.0.0.1:{port}"), "cannot connect"),
    ] {
        let error = get(&address).await.unwrap_err();
        assert!(error.next == NextStep::Retry && error.to_string().contains(reason), "{error}");
    }
}
