//! Chunks of a book, through the public interface: what is written is read, and damage is noticed.

use proptest::prelude::*;
use tributary_core::book::{
    Account, ChunkError, Deal, Direction, Member, NOBODY, Outcome, Person, Term, Touch,
};
use tributary_core::id::Hash;
use tributary_core::{AccountId, Book, Currency, DealId, Money, PersonId, Time, TouchId};

/// The texts that the books of these tests use, in the order in which a chunk numbers them.
const TEXTS: [&str; 7] = ["Jane", "acme", "demo", "industry", "paid search", "sales", "écrit"];

/// Numbers from which a book follows.
type Seed = (u64, Vec<(u8, u8, u8)>);

fn seed() -> impl Strategy<Value = Seed> {
    (any::<u64>(), proptest::collection::vec((0..4_u8, 0..4_u8, 0..6_u8), 0..6))
}

/// A generator good enough for rows; `None` stands where a value may be missing.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 20
    }

    fn hash(&mut self) -> Hash {
        Hash::of_bytes(&self.roll().to_le_bytes())
    }

    fn time(&mut self) -> Time {
        Time(self.roll() as i64 - (1 << 43))
    }

    fn maybe<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.roll().is_multiple_of(3) { None } else { Some(value(self)) }
    }

    fn below(&mut self, end: u32) -> u32 {
        (self.roll() % u64::from(end)) as u32
    }
}

/// A book whose texts are numbered in the order of `texts`; each is used by the first account, if there is one.
fn book((start, accounts): &Seed, texts: &[&str]) -> Book {
    let mut book = Book::default();
    for text in texts {
        book.terms.intern(text);
    }
    let mut dice = Dice(*start);
    for (index, (people, deals, touches)) in accounts.iter().enumerate() {
        let terms = book.terms.clone();
        let pick = |dice: &mut Dice| match dice.below(8) {
            7 => Term::NONE,
            text => terms.find(TEXTS[text as usize]).expect("every text is interned above"),
        };
        let (first_person, first_deal, first_touch) =
            (book.people.len(), book.deals.len(), book.touches.len());
        for _ in 0..*people {
            book.people.push(Person {
                id: PersonId(dice.hash()),
                key: pick(&mut dice),
                label: pick(&mut dice),
                role: pick(&mut dice),
                created_at: dice.maybe(Dice::time),
                is_lead_here: dice.below(2) == 0,
            });
        }
        let members = 0..u32::from(*people);
        let member = |person, dice: &mut Dice| Member {
            person: first_person as u32 + person,
            role: pick(dice),
            is_primary: dice.below(2) == 0,
        };
        for _ in 0..*deals {
            book.deals.push(Deal {
                id: DealId(dice.hash()),
                key: pick(&mut dice),
                label: pick(&mut dice),
                amount: dice.maybe(|dice| Money::new(dice.roll() as i64, Currency::EUR)),
                created_at: dice.maybe(Dice::time),
                closed_at: dice.maybe(Dice::time),
                outcome: [Outcome::Open, Outcome::Won, Outcome::Lost][dice.below(3) as usize],
                stage: pick(&mut dice),
                owner: pick(&mut dice),
                pipeline: pick(&mut dice),
                stages: (0..dice.below(3)).map(|_| (pick(&mut dice), dice.time())).collect(),
                committee: members.clone().map(|person| member(person, &mut dice)).collect(),
                attributes: (0..dice.below(3)).map(|_| (pick(&mut dice), pick(&mut dice))).collect(),
            });
        }
        for _ in 0..*touches {
            let person = dice.below(u32::from(*people) + 1);
            book.touches.push(Touch {
                id: TouchId(dice.hash()),
                at: dice.time(),
                person: if person == u32::from(*people) { NOBODY } else { first_person as u32 + person },
                kind: pick(&mut dice),
                direction: if dice.below(2) == 0 { Direction::Inbound } else { Direction::Outbound },
                channel: pick(&mut dice),
                campaign: pick(&mut dice),
                content: pick(&mut dice),
                team: pick(&mut dice),
                actor: pick(&mut dice),
                source: pick(&mut dice),
                weight: dice.below(1_000_001),
            });
        }
        let all = TEXTS.map(|text| terms.find(text).expect("every text is interned above"));
        book.accounts.push(Account {
            id: dice.maybe(|dice| AccountId(dice.hash())),
            key: pick(&mut dice),
            label: pick(&mut dice),
            touches: first_touch..book.touches.len(),
            people: first_person..book.people.len(),
            deals: first_deal..book.deals.len(),
            attributes: if index == 0 { all.map(|text| (text, text)).to_vec() } else { Vec::new() },
        });
    }
    book
}

fn assert_same(found: &Book, expected: &Book) {
    assert_eq!(found.accounts, expected.accounts);
    assert_eq!(found.people, expected.people);
    assert_eq!(found.deals, expected.deals);
    assert_eq!(found.touches, expected.touches);
}

fn read(chunk: &[u8]) -> Result<Book, ChunkError> {
    let mut book = Book::default();
    book.append_chunk(chunk).map(|()| book)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_a_chunk_holds_is_what_was_written(seed in seed()) {
        let book = book(&seed, &TEXTS);
        let found = read(&book.to_chunk().unwrap()).unwrap();
        assert_same(&found, &book);
        for text in TEXTS.into_iter().take(found.terms.len() - 1) {
            prop_assert_eq!(found.terms.find(text), book.terms.find(text));
        }
    }

    #[test]
    fn equal_books_give_equal_bytes_however_their_texts_are_numbered(seed in seed()) {
        let mut reversed = TEXTS;
        reversed.reverse();
        let unused = [&["unused"], &reversed[..]].concat();
        prop_assert_eq!(book(&seed, &TEXTS).to_chunk().unwrap(), book(&seed, &unused).to_chunk().unwrap());
    }

    #[test]
    fn chunks_append_one_after_the_other(first in seed(), second in seed()) {
        let (first, second) = (book(&first, &TEXTS), book(&second, &TEXTS));
        let mut both = Book::default();
        for text in TEXTS {
            both.terms.intern(text);
        }
        both.append_chunk(&first.to_chunk().unwrap()).unwrap();
        both.append_chunk(&second.to_chunk().unwrap()).unwrap();
        let (people, deals, touches) = (first.people.len(), first.deals.len(), first.touches.len());
        prop_assert_eq!(&both.accounts[..first.accounts.len()], &first.accounts[..]);
        prop_assert_eq!(&both.people[people..], &second.people[..]);
        prop_assert_eq!(&both.touches.id[touches..], &second.touches.id[..]);
        for (found, expected) in both.accounts[first.accounts.len()..].iter().zip(&second.accounts) {
            prop_assert_eq!(&both.people[found.people.clone()], &second.people[expected.people.clone()]);
            prop_assert_eq!(found.deals.start, expected.deals.start + deals);
            prop_assert_eq!(found.touches.end, expected.touches.end + touches);
        }
        let moved = |person: &u32| if *person == NOBODY { NOBODY } else { person + people as u32 };
        let expected: Vec<u32> = second.touches.person.iter().map(moved).collect();
        prop_assert_eq!(&both.touches.person[touches..], &expected[..]);
        for (found, expected) in both.deals[deals..].iter().zip(&second.deals) {
            let expected: Vec<u32> = expected.committee.iter().map(|member| moved(&member.person)).collect();
            prop_assert_eq!(found.committee.iter().map(|member| member.person).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn a_damaged_chunk_is_refused_and_leaves_the_book_alone(
        seed in seed(),
        place in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
        junk in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let book = book(&seed, &TEXTS);
        let chunk = book.to_chunk().unwrap();
        let mut flipped = chunk.clone();
        flipped[place.index(chunk.len())] ^= flip;
        let cut = &chunk[..place.index(chunk.len())];
        let longer = [&chunk[..], &junk[..], &[0]].concat();
        let mut lying = chunk.clone();
        lying[1..9].copy_from_slice(&u64::MAX.to_le_bytes());
        for damaged in [cut, &longer, &lying, &junk] {
            let mut kept = book.clone();
            prop_assert!(kept.append_chunk(damaged).is_err());
            assert_same(&kept, &book);
        }
        // A few bits of a compressed frame mean nothing; all others are noticed.
        if let Ok(found) = read(&flipped) {
            assert_same(&found, &book);
        }
    }
}

#[test]
fn a_chunk_of_another_version_says_so() {
    let error = read(&[9, 0, 0]).unwrap_err();
    assert_eq!(error.to_string(), "the chunk has format 9, this program reads 1");
    assert_eq!(read(&[]).unwrap_err().to_string(), "the chunk is damaged: empty");
}

#[test]
fn a_section_that_claims_more_than_it_holds_is_refused_without_making_room_for_it() {
    let mut chunk = book(&(1, vec![(1, 1, 1)]), &TEXTS).to_chunk().unwrap();
    for (claim, reason) in [
        (1_u64 << 30, "a section differs in length"),
        ((1 << 30) + 1, "a section of more than 1 GiB"),
        (u64::MAX, "a section of more than 1 GiB"),
        (0, "a section differs in length"),
    ] {
        chunk[1..9].copy_from_slice(&claim.to_le_bytes());
        assert_eq!(read(&chunk).unwrap_err().to_string(), format!("the chunk is damaged: {reason}"));
    }
}

#[test]
fn a_chunk_whose_rows_contradict_each_other_leaves_the_book_alone() {
    let mut wrong = book(&(1, vec![(2, 1, 3), (2, 1, 3)]), &TEXTS);
    let last = wrong.touches.len() - 1;
    wrong.touches.person[last] = wrong.people.len() as u32;
    let mut kept = book(&(2, vec![(1, 1, 1)]), &TEXTS);
    let before = kept.clone();
    let error = kept.append_chunk(&wrong.to_chunk().unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "the chunk is damaged: unknown person");
    assert_same(&kept, &before);
}
