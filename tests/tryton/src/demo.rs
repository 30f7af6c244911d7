//! A made-up year of a company's CRM, as events for [`Tryton::play`](crate::Tryton::play).

use fastrand::Rng;
use jiff::ToSpan;
use jiff::civil::{DateTime, date};
use serde_json::{Value, json};

const REPS: &[&str] = &["Ann Lee", "Bo Chen", "Cara Diaz", "Dev Patel"];
const ROLES: &[&str] = &["champion", "economic buyer", "user", "technical evaluator"];
const FIRST: &[&str] = &[
    "Alba", "Ben", "Chloe", "Dario", "Elif", "Finn", "Grace", "Hugo", "Ines", "Jonas", "Kira", "Liam",
    "Mona", "Noah", "Olga", "Paul", "Rosa", "Sven", "Tara", "Umar",
];
const LAST: &[&str] = &[
    "Adler", "Brandt", "Costa", "Dubois", "Engel", "Fischer", "Garcia", "Hansen", "Ito", "Jansen", "Klein",
    "Lopez", "Meyer", "Novak", "Olsen", "Petit", "Rossi", "Silva", "Tanaka", "Weber",
];
const COMPANY: &[&str] = &[
    "Aster", "Birch", "Cobalt", "Dune", "Ember", "Fjord", "Garnet", "Harbor", "Indigo", "Juniper", "Kestrel",
    "Lumen", "Maple", "Nimbus", "Onyx", "Pebble", "Quartz", "Raven", "Sable", "Tundra",
];
const TRADE: &[&str] = &["Foods", "Logistics", "Energy", "Health", "Robotics"];
/// Mailings: campaign, medium, source, subject.
const MAILINGS: &[(&str, &str, &str, &str)] = &[
    ("spring-webinar", "email", "newsletter", "Seats for the spring webinar"),
    ("product-news", "email", "newsletter", "What is new in the platform"),
    ("case-study", "email", "nurture", "How Fjord Energy saved a quarter"),
    ("roadshow", "email", "partner", "Meet us in your city"),
    ("price-guide", "email", "nurture", "The buyer's guide to prices"),
];

/// The first day of the made-up year.
const START: DateTime = date(2025, 1, 6).at(8, 0, 0, 0);
const MINUTES_PER_DAY: i64 = 24 * 60;

struct Story {
    rng: Rng,
    events: Vec<(i64, Value)>,
}

impl Story {
    fn tell(&mut self, minute: i64, event: Value) {
        self.events.push((minute, event));
    }

    fn pick<'a>(&mut self, from: &'a [&'a str]) -> &'a str {
        from[self.rng.usize(..from.len())]
    }

    /// A moment within working hours of a day.
    fn on(&mut self, day: i64) -> i64 {
        day * MINUTES_PER_DAY + self.rng.i64(0..9 * 60)
    }
}

/// A year of so many accounts, the same for the same seed.
pub fn demo_events(accounts: usize, seed: u64) -> Value {
    let mut story = Story { rng: Rng::with_seed(seed), events: Vec::new() };
    for (index, name) in REPS.iter().enumerate() {
        story.tell(index as i64, json!({"do": "employee", "key": format!("rep{index}"), "name": name}));
    }
    let mut people: Vec<(i64, String)> = Vec::new();
    for account in 0..accounts {
        tell_account(&mut story, account, &mut people);
    }
    tell_mailings(&mut story, &people);
    story.events.sort_by_key(|(minute, _)| *minute);
    let dated = story.events.into_iter().map(|(minute, mut event)| {
        let at = START.saturating_add(minute.minutes());
        event["at"] = json!(format!("{at}+00:00"));
        event
    });
    Value::Array(dated.collect())
}

fn tell_account(story: &mut Story, account: usize, people: &mut Vec<(i64, String)>) {
    let name =
        format!("{} {}", COMPANY[account % COMPANY.len()], TRADE[account / COMPANY.len() % TRADE.len()]);
    let domain = name.to_lowercase().replace(' ', "-") + ".example";
    let first_day = story.rng.i64(2..150);
    let key = format!("a{account}");
    let at = story.on(first_day);
    let website = format!("https://www.{domain}");
    story.tell(at, json!({"do": "account", "key": key, "name": name, "website": website}));
    let mut committee = Vec::new();
    for number in 0..story.rng.usize(2..5) {
        let (first, last) = (story.pick(FIRST), story.pick(LAST));
        let person = format!("p{account}-{number}");
        let joined = first_day + 1 + story.rng.i64(0..25);
        let at = story.on(joined);
        let email = format!("{}.{}{number}@{domain}", first.to_lowercase(), last.to_lowercase());
        story.tell(
            at,
            json!({"do": "person", "key": person, "name": format!("{first} {last}"), "email": email}),
        );
        let role = ROLES[number % ROLES.len()];
        story.tell(at + 1, json!({"do": "relation", "person": person, "account": key, "role": role}));
        people.push((at, person.clone()));
        committee.push((at, person));
    }
    if story.rng.f64() < 0.8 {
        tell_deal(story, account, first_day + 30, &committee);
    }
}

fn tell_deal(story: &mut Story, account: usize, earliest: i64, committee: &[(i64, String)]) {
    let deal = format!("d{account}");
    let day = earliest + story.rng.i64(0..60);
    let amount = format!("{}.{:02}", story.rng.i64(4..90) * 500, story.rng.i64(0..100));
    let currency = if story.rng.f64() < 0.25 { "EUR" } else { "USD" };
    let owner = format!("rep{}", story.rng.usize(..REPS.len()));
    let contact = story.rng.choice(committee).map(|(_, person)| person.clone());
    let (campaign, medium, source, _) = MAILINGS[story.rng.usize(..MAILINGS.len())];
    let at = story.on(day);
    story.tell(
        at,
        json!({"do": "deal", "key": deal, "account": format!("a{account}"), "name": format!("Licence {account}"),
            "amount": amount, "currency": currency, "owner": owner, "contact": contact,
            "campaign": campaign, "medium": medium, "source": source}),
    );
    let mut day = day;
    let ending = story.rng.f64();
    let path: &[&str] = match ending {
        it if it < 0.45 => &["opportunity", "converted", "won"],
        it if it < 0.70 => &["opportunity", "lost"],
        it if it < 0.90 => &["opportunity"],
        _ => &[],
    };
    for stage in path {
        day += story.rng.i64(7..35);
        let at = story.on(day);
        story.tell(at, json!({"do": "stage", "deal": deal, "stage": stage, "reason": "price"}));
    }
}

fn tell_mailings(story: &mut Story, people: &[(i64, String)]) {
    for number in 0..12_usize {
        let (campaign, medium, source, subject) = MAILINGS[number % MAILINGS.len()];
        let key = format!("m{number}");
        let sent = story.on(25 + 25 * number as i64);
        let mut to: Vec<String> = Vec::new();
        for (known_since, person) in people {
            if *known_since < sent && story.rng.f64() < 0.3 {
                to.push(person.clone());
            }
        }
        if to.is_empty() {
            continue;
        }
        story.tell(
            sent,
            json!({"do": "mail", "key": key, "name": format!("{campaign} {number}"), "subject": subject,
                "campaign": campaign, "medium": medium, "source": source, "to": to,
                "links": [format!("https://www.northwind.example/{campaign}")]}),
        );
        for person in to {
            let opened = sent + story.rng.i64(5..4 * MINUTES_PER_DAY);
            if story.rng.f64() < 0.55 {
                story.tell(opened, json!({"do": "open", "mail": key, "person": person}));
                if story.rng.f64() < 0.45 {
                    let clicked = opened + story.rng.i64(1..30);
                    story.tell(clicked, json!({"do": "click", "mail": key, "person": person}));
                }
            }
        }
    }
}
