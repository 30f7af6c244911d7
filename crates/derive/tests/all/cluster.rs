//! What a cluster of records comes to.

use tributary_core::Fact;
use tributary_core::fact::{Click, Entity, Identifier, Silent};
use tributary_derive::{Rules, terms};

use crate::world::{Said, account_at, anonymous, crm, email, person_at, touch_at};

#[test]
fn people_unite_by_email_and_crm_id_and_keep_the_surviving_key() {
    let rows = Said::default()
        .account("crm", "a", "acme.example")
        .person("crm", "p2", "a", "Ann@acme.example", 5)
        .person("crm", "p1", "a", "ann@acme.example", 3)
        .touch("mail", "m1", 9, &[email("ANN@ACME.example")])
        .resolve();
    assert_eq!(rows.people.len(), 1);
    assert_eq!(rows.people[0].key, "p1");
    assert_eq!(rows.people[0].created_at, Some(crate::world::day(3)));
    assert_eq!((person_at(&rows, 9), account_at(&rows, 9)), (Some("p1"), Some("a")));
}

#[test]
fn a_merge_makes_the_winner_the_key() {
    let rows = Said::default()
        .account("crm", "a", "acme.example")
        .account("crm", "b", "acme-old.example")
        .merge(Entity::Account, "a", "b")
        .person("crm", "p1", "a", "ann@acme.example", 1)
        .person("crm", "p2", "b", "bob@acme.example", 1)
        .merge(Entity::Person, "p1", "p2")
        .touch("crm", "t", 9, &[crm("p1")])
        .resolve();
    assert_eq!(rows.accounts.iter().map(|a| a.key.as_str()).collect::<Vec<_>>(), ["b"]);
    assert_eq!((person_at(&rows, 9), account_at(&rows, 9)), (Some("p2"), Some("b")));
}

#[test]
fn an_anonymous_visit_belongs_to_the_last_person_seen_there_else_the_first_after() {
    let rows = Said::default()
        .account("crm", "a", "acme.example")
        .person("crm", "ann", "a", "ann@acme.example", 1)
        .person("crm", "bob", "a", "bob@acme.example", 1)
        .touch("web", "v1", 2, &[anonymous("cookie")])
        .touch("web", "f1", 4, &[anonymous("cookie"), email("ann@acme.example")])
        .touch("web", "v2", 5, &[anonymous("cookie")])
        .touch("web", "f2", 6, &[anonymous("cookie"), email("bob@acme.example")])
        .touch("web", "v3", 7, &[anonymous("cookie")])
        .touch("web", "v4", 8, &[anonymous("other")])
        .resolve();
    assert_eq!(rows.people.len(), 2, "a shared device unites nobody");
    assert_eq!(person_at(&rows, 2), Some("ann"));
    assert_eq!(person_at(&rows, 5), Some("ann"));
    assert_eq!(person_at(&rows, 7), Some("bob"));
    assert_eq!(person_at(&rows, 8), None);
}

#[test]
fn a_person_who_changes_company_takes_only_later_touches_along() {
    let rows = Said::default()
        .account("crm", "old", "old.example")
        .account("crm", "new", "new.example")
        .person("crm", "p1", "old", "ann@old.example", 10)
        .person("crm", "p2", "new", "ann@new.example", 50)
        .alias(crm("p1"), crm("p2"))
        .touch("web", "t1", 5, &[email("ann@old.example")])
        .touch("crm", "t2", 40, &[crm("p1")])
        .touch("web", "t3", 60, &[email("ann@new.example")])
        .resolve();
    assert_eq!(rows.people.len(), 1);
    let accounts: Vec<_> = [5, 40, 60].iter().map(|at| account_at(&rows, *at)).collect();
    assert_eq!(accounts, [Some("old"), Some("old"), Some("new")]);
}

#[test]
fn a_relation_with_dates_beats_the_domain() {
    let rows = Said::default()
        .account("crm", "client", "client.example")
        .account("crm", "agency", "agency.example")
        .person("crm", "p", "", "ann@agency.example", 1)
        .member("crm", "p", "client", 10, 20)
        .touch("crm", "t1", 15, &[crm("p")])
        .touch("mail", "t2", 16, &[email("ann@agency.example")])
        .resolve();
    assert_eq!(account_at(&rows, 15), Some("client"));
    assert_eq!(account_at(&rows, 16), Some("client"));
}

#[test]
fn accounts_of_two_sources_unite_by_domain_but_never_two_of_one() {
    let rows = Said::default()
        .account("crm", "a", "https://www.acme.example/")
        .account("erp", "77", "acme.example")
        .touch("mail", "t", 3, &[email("someone@acme.example")])
        .resolve();
    assert_eq!(rows.accounts.len(), 1);
    assert_eq!(account_at(&rows, 3), Some("a"));

    let rows = Said::default()
        .account("crm", "a", "acme.example")
        .account("crm", "b", "acme.example")
        .touch("mail", "t", 3, &[email("someone@acme.example")])
        .resolve();
    assert_eq!(rows.accounts.len(), 2);
    assert_eq!(rows.findings.len(), 1);
    assert_eq!(account_at(&rows, 3), None, "a domain of two accounts decides nothing");
}

#[test]
fn one_event_seen_by_two_tools_is_one_touch_with_two_pieces_of_evidence() {
    let mail = |touch: &mut tributary_core::fact::Touch| touch.event = Some("<m1@mail>".to_owned());
    let rows = Said::default()
        .account("crm", "a", "acme.example")
        .person("crm", "p", "a", "ann@acme.example", 1)
        .touch_with("crm", "e1", 3, &[crm("p")], mail)
        .touch_with("gmail", "g1", 3, &[email("ann@acme.example")], mail)
        .touch_with("gmail", "g2", 3, &[email("bob@acme.example")], mail)
        .resolve();
    assert_eq!(rows.touches.len(), 2, "two people, two touches");
    let copies: Vec<usize> = rows.touches.iter().map(|touch| touch.records.len()).collect();
    assert_eq!(copies.iter().sum::<usize>(), 3);
}

#[test]
fn machines_and_own_people_are_kept_but_weigh_nothing() {
    let click = |touch: &mut tributary_core::fact::Touch| "email_click".clone_into(&mut touch.kind);
    let rows = Said::default()
        .account("crm", "a", "acme.example")
        .person("crm", "p", "a", "ann@acme.example", 1)
        .touch("web", "own", 2, &[email("tester@own.example")])
        .touch_with("mail", "c1", 5, &[crm("p"), email("ann@acme.example")], click)
        .touch_with("mail", "c2", 5, &[email("ann@acme.example")], click)
        .touch_with("mail", "c3", 5, &[email("ann@acme.example")], click)
        .touch_with("mail", "c4", 6, &[email("ann@acme.example")], click)
        .resolve();
    assert_eq!(touch_at(&rows, 2).silent, Some(Silent::Internal));
    let silent: Vec<_> =
        rows.touches.iter().filter(|touch| touch.kind == "email_click").map(|t| t.silent).collect();
    assert_eq!(silent, [Some(Silent::Machine), Some(Silent::Machine), Some(Silent::Machine), None]);
    assert!(rows.touches.iter().all(|touch| (touch.weight == 0) == touch.silent.is_some()));
}

#[test]
fn a_deal_without_an_account_follows_its_primary_contact() {
    let mut said =
        Said::default().account("crm", "a", "acme.example").person("crm", "p", "a", "ann@acme.example", 1);
    said = said.deal("d1", "a", 100, 60);
    let rows = said.resolve();
    assert_eq!(rows.deals.len(), 1);
    assert_eq!(rows.deals[0].account, Some(rows.accounts[0].id));
}

#[test]
fn a_click_id_tells_the_campaign_that_the_address_does_not() {
    let click = Fact::Click(Click {
        id: "Cj0".to_owned(),
        channel: Some("display".to_owned()),
        campaign: Some("brand".to_owned()),
        content: Some("Analytics".to_owned()),
        day: None,
    });
    let visit = |utm: Option<&str>| {
        let utm = utm.map(str::to_owned);
        Said::default()
            .touch_with("web", "v", 3, &[anonymous("c")], move |touch| {
                touch.attributes.insert("gclid".to_owned(), " Cj0".to_owned());
                touch.attributes.extend(utm.map(|utm| ("utm_campaign".to_owned(), utm)));
            })
            .fact("ads", "clicks", "1/Cj0", click.clone())
            .resolve()
    };
    let rows = visit(None);
    let touch = touch_at(&rows, 3);
    assert_eq!(
        [touch.campaign.as_deref(), touch.channel.as_deref(), touch.content.as_deref()],
        [Some("brand"), Some("display"), Some("Analytics")]
    );
    assert_eq!(touch_at(&visit(Some("ours")), 3).campaign.as_deref(), Some("ours"));
}

fn click(id: &str) -> Fact {
    let campaign = Some("brand".to_owned());
    Fact::Click(Click { id: id.to_owned(), channel: None, campaign, content: None, day: None })
}

#[test]
fn a_click_id_that_a_record_names_outright_is_as_good_as_one_in_an_address() {
    let rows = Said::default()
        .touch("sheet", "v", 3, &[Identifier::Click("Cj0".to_owned())])
        .fact("ads", "clicks", "1/Cj0", click(" Cj0 "))
        .resolve();
    assert_eq!(touch_at(&rows, 3).campaign.as_deref(), Some("brand"));
}

#[test]
fn people_who_came_by_one_click_stay_two() {
    let came = |touch: &mut tributary_core::fact::Touch| {
        touch.attributes.insert("gclid".to_owned(), "Cj0".to_owned());
    };
    let rows = Said::default()
        .touch_with("web", "v", 3, &[anonymous("c1"), email("ann@acme.example")], came)
        .touch_with("web", "w", 4, &[anonymous("c2"), email("bob@bolt.example")], came)
        .fact("ads", "clicks", "1/Cj0", click("Cj0"))
        .resolve();
    assert_eq!(rows.people.len(), 2);
    assert_ne!(touch_at(&rows, 3).person, touch_at(&rows, 4).person);
    assert_eq!(touch_at(&rows, 4).campaign.as_deref(), Some("brand"));
}

#[test]
fn an_id_that_stands_for_a_crowd_of_clicks_binds_nobody() {
    let bound = |name: &str, visitor: &str| {
        let said = Said::default().touch_with("web", visitor, 3, &[anonymous(visitor)], |touch| {
            touch.attributes.insert(name.to_owned(), "Cj0".to_owned());
        });
        terms::of_facts("web", &said.records[0].facts, &Rules::default()).binding
    };
    let shared = |name: &str| {
        let (one, other) = (bound(name, "c1"), bound(name, "c2"));
        one.into_iter().filter(|term| other.contains(term)).count()
    };
    let counts = ["gclid", "msclkid", "wbraid", "gbraid"].map(shared);
    assert_eq!(counts, [1, 1, 0, 0]);
}
