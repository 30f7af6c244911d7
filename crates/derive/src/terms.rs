//! The identifiers that a record says. Records that share a *binding* term belong to one cluster; a *naming* term
//! only makes the cluster depend on the readable name behind it.

use tributary_core::contact;
use tributary_core::fact::{Entity, Fact, Identifier, NameOf, Touch};
use tributary_core::id::Hash;

use crate::channel::CLICK_IDS;
use crate::rules::Rules;

/// What one record says, as hashes, without repetition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Records that share one of these are computed together.
    pub binding: Vec<i64>,
    /// Names this record refers to.
    pub naming: Vec<i64>,
}

/// The term of an account id of a source.
pub fn account(source: &str, id: &str) -> Hash {
    Hash::of("account", &[source, id])
}

/// The term of a deal id of a source.
pub fn deal(source: &str, id: &str) -> Hash {
    Hash::of("deal", &[source, id])
}

/// The term of a readable name.
pub fn name(source: &str, of: NameOf, id: &str) -> Hash {
    Hash::of("name", &[source, &format!("{of:?}"), id])
}

/// The term of a company's registrable domain.
pub fn domain(domain: &str) -> Hash {
    Hash::of("domain", &[domain])
}

/// An identifier in normal form; `None` for an address that is none.
pub fn identifier(source: &str, identifier: &Identifier) -> Option<(&'static str, String)> {
    match identifier {
        Identifier::Email(text) => contact::email(text).map(|email| ("email", email)),
        Identifier::User(id) => filled(id).map(|id| ("user", id)),
        Identifier::Crm(id) => filled(id).map(|id| ("crm", format!("{source}:{id}"))),
        Identifier::Anonymous(id) => filled(id).map(|id| ("anonymous", id)),
        Identifier::Click(id) => filled(id).map(|id| ("click", id)),
    }
}

/// The company domain of an address or web site: registrable, not free mail, not the company's own.
pub fn company_domain(text: &str, rules: &Rules) -> Option<String> {
    let domain = contact::domain(text)?;
    (!contact::is_free_mail(&domain) && !is_own(&domain, rules)).then_some(domain)
}

/// Whether a registrable domain is the company's own.
pub fn is_own(domain: &str, rules: &Rules) -> bool {
    rules
        .own_domains
        .iter()
        .any(|own| contact::domain(own).as_deref().unwrap_or(own).eq_ignore_ascii_case(domain))
}

/// The click ids that a touch came by, without blanks.
///
/// `wbraid` and `gbraid` are not among them: they stand for a crowd of clicks, whose campaign no network tells.
pub fn clicks(touch: &Touch) -> impl Iterator<Item = &str> {
    let single = CLICK_IDS.iter().filter(|(name, _)| !matches!(*name, "wbraid" | "gbraid"));
    let in_address = single.filter_map(|(name, _)| touch.attributes.get(*name));
    let told =
        touch.who.iter().filter_map(|who| if let Identifier::Click(id) = who { Some(id) } else { None });
    in_address.chain(told).map(|id| id.trim()).filter(|id| !id.is_empty())
}

fn filled(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Collects the terms of one record's facts.
pub fn of_facts(source: &str, facts: &[Fact], rules: &Rules) -> Terms {
    let mut terms = Terms::default();
    for fact in facts {
        terms.add(source, fact, rules);
    }
    for list in [&mut terms.binding, &mut terms.naming] {
        list.sort_unstable();
        list.dedup();
    }
    terms
}

impl Terms {
    fn bind(&mut self, hash: Hash) {
        self.binding.push(hash.short());
    }

    fn who(&mut self, source: &str, who: &Identifier, rules: &Rules) {
        let Some((kind, value)) = identifier(source, who) else { return };
        self.bind(Hash::of(kind, &[&value]));
        if kind == "email"
            && let Some(company) = company_domain(&value, rules)
        {
            self.bind(domain(&company));
        }
    }

    fn account_ref(&mut self, source: &str, id: Option<&String>) {
        if let Some(id) = id {
            self.bind(account(source, id));
        }
    }

    fn named(&mut self, source: &str, of: NameOf, id: Option<&String>) {
        if let Some(id) = id {
            self.naming.push(name(source, of, id).short());
        }
    }

    fn add(&mut self, source: &str, fact: &Fact, rules: &Rules) {
        let crm = |id: &String| Identifier::Crm(id.clone());
        match fact {
            Fact::Account(it) => {
                self.bind(account(source, &it.id));
                if let Some(company) = it.domain.as_deref().and_then(|text| company_domain(text, rules)) {
                    self.bind(domain(&company));
                }
                self.named(source, NameOf::Rep, it.owner.as_ref());
            }
            Fact::Person(it) => {
                self.who(source, &crm(&it.id), rules);
                it.emails.iter().for_each(|email| self.who(source, &Identifier::Email(email.clone()), rules));
                it.users.iter().for_each(|user| self.who(source, &Identifier::User(user.clone()), rules));
                self.account_ref(source, it.account.as_ref());
            }
            Fact::Membership(it) => {
                self.who(source, &crm(&it.person), rules);
                self.account_ref(source, Some(&it.account));
            }
            Fact::Deal(it) => {
                self.bind(deal(source, &it.id));
                self.account_ref(source, it.account.as_ref());
                self.named(source, NameOf::Rep, it.owner.as_ref());
                self.named(source, NameOf::Stage, it.stage.as_ref());
            }
            Fact::Stage(it) => {
                self.bind(deal(source, &it.deal));
                self.named(source, NameOf::Stage, Some(&it.stage));
            }
            Fact::Committee(it) => {
                self.bind(deal(source, &it.deal));
                self.who(source, &crm(&it.person), rules);
            }
            Fact::Touch(it) => {
                let before = self.binding.len();
                it.who.iter().for_each(|who| self.who(source, who, rules));
                self.account_ref(source, it.account.as_ref());
                clicks(it).for_each(|click| self.who(source, &Identifier::Click(click.to_owned()), rules));
                if let Some(event) = &it.event {
                    self.bind(Hash::of("event", &[event]));
                }
                if self.binding.len() == before {
                    // Nobody at all: still a touch, in a cluster of its own.
                    self.bind(Hash::of("nobody", &[source, &it.suffix, &it.occurred_at.to_string()]));
                }
                self.named(source, NameOf::Campaign, it.campaign.as_ref());
                self.named(source, NameOf::Rep, it.actor.as_ref());
            }
            Fact::Alias(it) => {
                self.who(source, &it.a, rules);
                self.who(source, &it.b, rules);
            }
            Fact::Merge(it) => match it.entity {
                Entity::Account => {
                    self.bind(account(source, &it.loser));
                    self.bind(account(source, &it.winner));
                }
                Entity::Deal => {
                    self.bind(deal(source, &it.loser));
                    self.bind(deal(source, &it.winner));
                }
                Entity::Person => {
                    self.who(source, &crm(&it.loser), rules);
                    self.who(source, &crm(&it.winner), rules);
                }
            },
            Fact::Click(it) => {
                self.who(source, &Identifier::Click(it.id.clone()), rules);
                self.named(source, NameOf::Campaign, it.campaign.as_ref());
            }
            Fact::Spend(_) | Fact::Claim(_) | Fact::Rate(_) | Fact::Name(_) => {}
        }
    }
}
