//! Pages, cursors, and what is put together from several models.

use serde_json::{Value, json};
use tributary_source::{Covers, Cursor, NextStep, Span};

use crate::vendor::{Asked, Fake, connect, rows, task, walk};

fn at(minute: u32) -> Value {
    json!({"__class__": "datetime", "year": 2026, "month": 11, "day": 24, "hour": 8, "minute": minute,
        "second": 0, "microsecond": 0})
}

/// Five employees, of whom the page after an id is asked.
fn employees(asked: &Asked) -> Value {
    assert_eq!((asked.model.as_str(), asked.limit), ("company.employee", Some(2)));
    let after = asked.domain[0][2].as_i64().unwrap();
    let all = (1..=5).filter(|id| *id > after).take(2);
    all.map(|id| json!({"id": id, "party": {"name": format!("rep {id}")}, "last_modified_at": at(id as u32)}))
        .collect()
}

#[tokio::test]
async fn a_list_is_walked_by_id_and_replaces_the_last_one() {
    let vendor = Fake::new(|asked| rows(&employees(asked)));
    let (records, cursor, covers) = walk(&vendor, "employees", Span::Since(None)).await;
    let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
    assert_eq!(ids, ["1", "2", "3", "4", "5"]);
    assert_eq!(covers, Covers::Replace);
    // Not the server's time of the walk's beginning, 9:00: nothing was seen after 8:05.
    assert_eq!(cursor, format!("v1 {}", records[4].stamp.unwrap().0));
}

#[tokio::test]
async fn a_later_pull_looks_back_ten_minutes() {
    let vendor = Fake::new(|_| rows(&json!([])));
    let cursor = "v1 1795508400000000".to_owned();
    let since = Span::Since(Some(Cursor(cursor.clone())));
    assert_eq!(walk(&vendor, "employees", since).await.1, cursor);
    let domain = vendor.asked.lock().unwrap()[0].domain.clone();
    assert_eq!(domain[1][0], "last_modified_at");
    let asked = &domain[1][2];
    assert_eq!((&asked["hour"], &asked["minute"]), (&json!(8), &json!(10)), "{domain}");
}

#[tokio::test]
async fn a_cursor_of_another_version_starts_anew() {
    let vendor = Fake::new(|_| rows(&json!([])));
    let since = Span::Since(Some(Cursor("v0 whatever".to_owned())));
    let error = connect(&vendor).pull(&task("employees", since)).await.unwrap_err();
    assert_eq!(error.next, NextStep::Restart);
}

#[tokio::test]
async fn revisions_know_what_was_before() {
    let states = ["lead", "lead", "opportunity", "won"];
    let answer = move |asked: &Asked| match asked.action.as_str() {
        "search_count" => rows(&json!(1)),
        "history_revisions" => {
            let revisions: Vec<Value> = (0..4).rev().map(|index| json!([at(index), 7, 1])).collect();
            rows(&json!(revisions))
        }
        _ if asked.at.is_null() => rows(&json!([{"id": 7, "last_modified_at": at(3)}])),
        _ => rows(&json!([{"id": 7, "state": states[asked.at["minute"].as_u64().unwrap() as usize]}])),
    };
    let (records, _, covers) = walk(&Fake::new(answer), "stages", Span::Since(None)).await;
    assert_eq!(covers, Covers::Upsert);
    let told = records.iter().map(|record| {
        let body: Value = serde_json::from_slice(record.body.as_deref().unwrap()).unwrap();
        let text = |value: &Value| value.as_str().unwrap_or("nothing").to_owned();
        (record.id.clone(), text(&body["previous"]["state"]), text(&body["state"]))
    });
    let expected = [
        ("00", "nothing", "lead"),
        ("01", "lead", "lead"),
        ("02", "lead", "opportunity"),
        ("03", "opportunity", "won"),
    ];
    let expected = expected.map(|(minute, before, state)| {
        (format!("7@2026-11-24T08:{minute}:00Z"), before.to_owned(), state.to_owned())
    });
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn the_company_and_its_people_are_no_customers_and_merged_parties_come_along() {
    let answer = |asked: &Asked| {
        let party = |id: i64, replaced: Value| {
            json!({"id": id, "name": format!("party {id}"), "replaced_by": replaced, "relations": [],
                "contact_mechanisms": [], "last_modified_at": at(id as u32)})
        };
        let all =
            [party(1, json!(null)), party(2, json!(null)), party(3, json!({"id": 4})), party(4, json!(null))];
        match (asked.model.as_str(), asked.action.as_str()) {
            (_, "search_count") => rows(&json!(3)),
            ("company.company", _) => rows(&json!([{"id": 1, "party": 1}])),
            ("company.employee", _) => rows(&json!([{"id": 1, "party": {"id": 2}}])),
            // The page itself: two of those that changed.
            _ if asked.limit.is_some() => {
                let after = asked.domain[0][2].as_i64().unwrap();
                let page = all.iter().filter(|row| row["id"].as_i64().unwrap() > after && row["id"] != 4);
                rows(&page.take(2).cloned().collect())
            }
            _ => {
                let wanted = asked.domain.to_string();
                let is_wanted = |row: &&Value| {
                    let (id, other) = (row["id"].to_string(), row["replaced_by"]["id"].to_string());
                    let list = wanted.split('[').find(|part| part.starts_with(char::is_numeric)).unwrap();
                    let ids: Vec<&str> = list.split(']').next().unwrap().split(',').collect();
                    ids.contains(&id.as_str())
                        || wanted.contains("replaced_by") && ids.contains(&other.as_str())
                };
                rows(&all.iter().filter(is_wanted).cloned().collect())
            }
        }
    };
    let (records, ..) = walk(&Fake::new(answer), "parties", Span::Since(None)).await;
    let told = records.iter().map(|record| {
        let body: Value = serde_json::from_slice(record.body.as_deref().unwrap()).unwrap();
        (record.id.clone(), body["group"].as_array().map_or(0, Vec::len))
    });
    assert_eq!(told.collect::<Vec<_>>(), [("3".to_owned(), 2), ("4".to_owned(), 2)]);
}
