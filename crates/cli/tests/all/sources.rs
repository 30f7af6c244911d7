//! Several sources of which one fails.

#![expect(clippy::unwrap_used, reason = "a test that unwraps nothing fails, as it should")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use super::{folder, tributary};

/// Answers every request on loopback so, until the test's process ends; gives the address.
fn serve(body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let _ = socket.read(&mut [0; 16_384]);
            let head =
                format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = socket.write_all(&[head.as_bytes(), body.as_bytes()].concat());
        }
    });
    address
}

#[test]
fn a_source_that_answers_garbage_fails_alone_and_loses_nothing() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("files")).unwrap();
    std::fs::write(folder.path().join("files/accounts.csv"), "id,name\na1,Acme\na2,Beta\n").unwrap();
    for (body, said) in [
        (
            "no json at all",
            "failed to sync crm: employees: the reply is no JSON (line 1 column 2); the API may have changed",
        ),
        (
            "",
            "failed to sync crm: employees: the reply is no JSON (line 1 column 0); the API may have changed",
        ),
        (
            r#"{"error": ["LoginException", "Ann"]}"#,
            "failed to sync crm: Tryton wants another sign-in (LoginException)",
        ),
    ] {
        let configuration = format!(
            "[[source]]\nid = \"crm\"\nconnector = \"tryton\"\nurl = \"{}\"\ndatabase = \"crm\"\n\
             key = {{ env = \"CANARY_KEY\" }}\n\n[[source]]\nid = \"sheets\"\nconnector = \"files\"\npaths = [\"files\"]\n",
            serve(body)
        );
        std::fs::write(folder.path().join("tributary.toml"), configuration).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_tributary"))
            .args(["sync", "--format", "json"])
            .current_dir(folder.path())
            .env("CANARY_KEY", "canary-3f9c")
            .env("TRIBUTARY_LOG", "trace")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(3), "{body:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(said), "{stderr}");
        assert!(!stderr.contains("canary-3f9c") && !stderr.contains("Ann"), "{stderr}");
        let status = tributary(folder.path(), &["status", "--format", "json"]);
        assert_eq!(status.code, 0);
        let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
        assert_eq!(status["counts"]["accounts"], 2, "{body:?}");
    }
}
