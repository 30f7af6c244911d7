//! A pull may end after any page and goes on there.

use std::fmt::Write;
use std::sync::Arc;

use serde_json::json;
use tributary_core::Time;
use tributary_files::Files;
use tributary_source::{Connector, Environment, Next, Page, Part, Span, Task};

use crate::reading::{settings, try_read};

#[test]
fn resuming_at_every_page_gives_the_same_records_and_a_changed_file_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut content = String::from("id,name\n");
    for row in 0..4500 {
        // Some rows hold line ends, so that lines and rows differ.
        let name = if row % 7 == 0 { "\"two\nlines\"" } else { "one" };
        writeln!(content, "a{row},{name}").unwrap();
    }
    let path = folder.path().join("accounts.csv");
    std::fs::write(&path, &content).unwrap();
    let whole = try_read(folder.path(), json!({})).unwrap();
    assert_eq!((whole.records.len(), whole.pages), (4500, 3));
    assert_eq!(whole.records[4499].origin.as_deref(), Some("accounts.csv:5144"));

    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let connect = || {
            Files
                .connect(&settings(folder.path(), json!({})), &Environment::new(Arc::new(|| Time(0))))
                .unwrap()
        };
        let task = |resume| Task {
            stream: "accounts",
            part: Part("accounts.csv".to_owned()),
            span: Span::Since(None),
            resume,
        };
        let first = connect().pull(&task(None)).await.unwrap();
        assert_eq!(first.progress.map(|(_, all)| all), Some(content.len() as u64));
        let Next::More(resume) = first.next.clone() else { panic!("more pages") };
        // Another process goes on.
        let second = connect().pull(&task(Some(resume.clone()))).await.unwrap();
        assert_eq!(second.records, whole.records[2000..4000]);
        // The file grew at its front meanwhile.
        std::fs::write(&path, content.replacen("a0", "b0", 1)).unwrap();
        let anew = connect().pull(&task(Some(resume))).await.unwrap();
        assert_eq!(anew.records[0].id, "b0");
    });
}

#[test]
fn an_unchanged_file_is_not_read_again() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("accounts.csv"), "id,name\na,b\n").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let source = Files
            .connect(&settings(folder.path(), json!({})), &Environment::new(Arc::new(|| Time(0))))
            .unwrap();
        let task =
            |span| Task { stream: "accounts", part: Part("accounts.csv".to_owned()), span, resume: None };
        let Next::Done(cursor) = source.pull(&task(Span::Since(None))).await.unwrap().next else {
            panic!("one page")
        };
        let again = source.pull(&task(Span::Since(Some(cursor.clone())))).await.unwrap();
        assert!(again.records.is_empty());
        std::fs::write(folder.path().join("accounts.csv"), "id,name\na,c\n").unwrap();
        let Page { records, next: Next::Done(cursor), .. } =
            source.pull(&task(Span::Since(Some(cursor)))).await.unwrap()
        else {
            panic!("one page")
        };
        assert_eq!(records.len(), 1);
        // Columns that are called otherwise make another row of the same line.
        let mapped = json!({"columns": {"accounts": {"name": "domain"}}});
        let source =
            Files.connect(&settings(folder.path(), mapped), &Environment::new(Arc::new(|| Time(0)))).unwrap();
        let renamed = source.pull(&task(Span::Since(Some(cursor)))).await.unwrap();
        assert_eq!(renamed.records[0].body.as_deref(), Some(br#"{"domain":"c","id":"a"}"#.as_slice()));
    });
}
