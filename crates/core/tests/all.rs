//! Chunks of a book, through the public interface: what is written is read, and damage is noticed.

use proptest::prelude::*;
use tributary_core::book::{
    Account, Assembly, Chunk, ChunkError, Column, Columns, Deal, Direction, Keys, Member, NOBODY, Outcome,
    Person, Term, Touch, Translation, merge,
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
    let same_weight = start.is_multiple_of(2);
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
                weight: if same_weight { 1_000_000 } else { dice.below(1_000_001) },
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

/// The same book with its texts numbered as they come, so that books can be compared.
fn copy(book: &Book) -> Book {
    let mut out = Book::default();
    for text in TEXTS {
        out.terms.intern(text);
    }
    out.append(book, 0..book.accounts.len(), &mut Translation::of(&book.terms));
    out
}

fn write(book: &Book) -> Chunk {
    Chunk::write(book, &[]).expect("a chunk")
}

fn read(chunk: &Chunk) -> Result<Book, ChunkError> {
    chunk.read(Columns::ALL)
}

/// Columns by the bits of a number.
fn columns(bits: u32) -> Columns {
    Columns::BASE.with(Column::ALL.into_iter().filter(|column| bits >> *column as u8 & 1 == 1))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_a_chunk_holds_is_what_was_written(seed in seed()) {
        let book = book(&seed, &TEXTS);
        assert_same(&copy(&read(&write(&book)).unwrap()), &book);
    }

    #[test]
    fn equal_books_give_equal_bytes_however_their_texts_are_numbered(seed in seed()) {
        let mut reversed = TEXTS;
        reversed.reverse();
        let unused = [&["unused"], &reversed[..]].concat();
        prop_assert_eq!(write(&book(&seed, &TEXTS)), write(&book(&seed, &unused)));
    }

    #[test]
    fn books_append_one_after_the_other(first in seed(), second in seed()) {
        let (first, second) = (book(&first, &TEXTS), book(&second, &TEXTS));
        let mut both = copy(&first);
        let read = read(&write(&second)).unwrap();
        both.append(&read, 0..read.accounts.len(), &mut Translation::of(&read.terms));
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
        for (row, expected) in (touches..).zip(0..second.touches.len()) {
            prop_assert_eq!(both.touches.weight[row], second.touches.weight[expected]);
        }
        for (found, expected) in both.deals[deals..].iter().zip(&second.deals) {
            let expected: Vec<u32> = expected.committee.iter().map(|member| moved(&member.person)).collect();
            prop_assert_eq!(found.committee.iter().map(|member| member.person).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn a_part_of_a_book_is_what_the_whole_says_of_these_accounts(seed in seed(), cut in any::<prop::sample::Index>()) {
        let book = book(&seed, &TEXTS);
        let cut = cut.index(book.accounts.len() + 1);
        let mut parts = copy(&Book::default());
        parts.append(&book, 0..cut, &mut Translation::of(&book.terms));
        parts.append(&book, cut..book.accounts.len(), &mut Translation::of(&book.terms));
        assert_same(&parts, &book);
    }

    #[test]
    fn a_column_that_is_asked_for_is_the_same_whatever_else_is(seed in seed(), bits in any::<u32>()) {
        let book = book(&seed, &TEXTS);
        let chunk = write(&book);
        let columns = columns(bits);
        let mut few = Chunk::default();
        few.0.extend(columns.iter().map(|column| (column, chunk.0[&column].clone())));
        let found = few.read(columns).unwrap();
        prop_assert_eq!(found.columns, columns);
        let mut found = { let mut out = Book::with_columns(columns); for text in TEXTS { out.terms.intern(text); }
            out.append(&found, 0..found.accounts.len(), &mut Translation::of(&found.terms)); out };
        // What was not asked for is not there, and what is there is what was written.
        macro_rules! column {
            ($column:ident, $field:ident) => {
                prop_assert_eq!(found.touches.$field.len(), if columns.has(Column::$column) { book.touches.len() } else { 0 });
                if columns.has(Column::$column) { prop_assert_eq!(&found.touches.$field, &book.touches.$field); }
            };
        }
        column!(At, at); column!(Weight, weight); column!(Id, id); column!(Person, person);
        column!(Direction, direction); column!(Kind, kind); column!(Channel, channel); column!(Campaign, campaign);
        column!(Content, content); column!(Team, team); column!(Actor, actor); column!(Source, source);
        macro_rules! names {
            ($column:ident, $field:ident) => {
                for (found, expected) in found.$field.iter_mut().zip(&book.$field) {
                    if !columns.has(Column::$column) {
                        prop_assert_eq!([found.key, found.label], [Term::UNREAD; 2]);
                        (found.key, found.label) = (expected.key, expected.label);
                    }
                }
                prop_assert_eq!(&found.$field, &book.$field);
            };
        }
        names!(AccountNames, accounts); names!(PersonNames, people); names!(DealNames, deals);
    }

    #[test]
    fn a_damaged_chunk_is_refused(
        seed in seed(),
        column in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
        junk in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let book = book(&seed, &TEXTS);
        let chunk = write(&book);
        let column = Column::ALL[column.index(Column::ALL.len())];
        let bytes = &chunk.0[&column];
        let with = |bytes: &[u8]| {
            let mut chunk = chunk.clone();
            chunk.0.insert(column, bytes.to_vec());
            read(&chunk)
        };
        let mut flipped = bytes.clone();
        flipped[place.index(bytes.len())] ^= flip;
        let cut = &bytes[..place.index(bytes.len())];
        let longer = [&bytes[..], &junk[..], &[0]].concat();
        let mut lying = bytes.clone();
        lying[1..9].copy_from_slice(&u64::MAX.to_le_bytes());
        for damaged in [cut, &longer, &lying, &junk] {
            prop_assert!(with(damaged).is_err());
        }
        // A few bits of a compressed frame mean nothing; all others are noticed.
        if let Ok(found) = with(&flipped) {
            assert_same(&copy(&found), &book);
        }
        let mut missing = chunk.clone();
        missing.0.remove(&column);
        prop_assert!(read(&missing).is_err());
    }

    #[test]
    fn what_was_well_compressed_but_never_written_is_an_error_or_another_book_and_no_panic(
        seed in seed(),
        column in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        junk in proptest::collection::vec(any::<u8>(), 1..12),
    ) {
        let mut chunk = write(&book(&seed, &TEXTS));
        let column = Column::ALL[column.index(Column::ALL.len())];
        let packed = chunk.0.get_mut(&column).unwrap();
        let mut raw = zstd::bulk::decompress(&packed[9..], 1 << 20).unwrap();
        let at = at.index(raw.len() + 1);
        let end = raw.len().min(at + junk.len());
        raw.splice(at..end, junk);
        packed.truncate(1);
        packed.extend_from_slice(&(raw.len() as u64).to_le_bytes());
        packed.extend(zstd::bulk::compress(&raw, 1).unwrap());
        let _ = read(&chunk);
        let _ = chunk.keys();
    }

    #[test]
    fn the_newest_of_each_account_stands_in_the_order_of_the_keys_wherever_it_is_kept(
        start in any::<u64>(),
        layers in proptest::collection::vec((0..4_i64, proptest::collection::btree_map(0..12_u8, any::<bool>(), 0..8)), 1..6),
        bits in any::<u32>(),
    ) {
        // What each layer says of which account, and by hand what it comes to.
        let mut expected = std::collections::BTreeMap::new();
        let mut chunks = Vec::new();
        let mut order: Vec<usize> = (0..layers.len()).collect();
        order.sort_by_key(|index| layers[*index].0);
        for index in order {
            for (name, stays) in &layers[index].1 {
                expected.insert(Hash::of_bytes(&[*name]), stays.then_some(index));
            }
        }
        let one = |index: usize, key: Hash| {
            let mut one = book(&(start ^ u64::from(key.0[0]) ^ index as u64, vec![(2, 2, 3)]), &TEXTS);
            one.accounts[0].id = Some(AccountId(key));
            one
        };
        for (index, (_, said)) in layers.iter().enumerate() {
            let mut whole = Book::default();
            let mut keys: Vec<(Hash, bool)> = said.iter().map(|(name, stays)| (Hash::of_bytes(&[*name]), *stays)).collect();
            keys.sort();
            for (key, _) in keys.iter().filter(|(_, stays)| *stays) {
                let one = one(index, *key);
                whole.append(&one, 0..1, &mut Translation::of(&one.terms));
            }
            let gone: Vec<Hash> = keys.iter().filter(|(_, stays)| !*stays).map(|(key, _)| *key).collect();
            chunks.push(Chunk::write(&whole, &gone).unwrap());
        }
        let keys: Vec<(i64, Keys)> =
            layers.iter().zip(&chunks).map(|((layer, _), chunk)| (*layer, chunk.keys().unwrap())).collect();
        let gone: Vec<Hash> = expected.iter().filter(|(_, at)| at.is_none()).map(|(key, _)| *key).collect();
        prop_assert_eq!(merge(&keys).gone, gone);

        let columns = columns(bits);
        let mut assembly = Assembly::new(&keys, columns);
        for chunk in assembly.order().to_vec() {
            assembly.add(chunk, chunks[chunk].read(columns).unwrap());
        }
        let mut by_hand = Book::with_columns(columns);
        for (key, index) in expected {
            let Some(index) = index else { continue };
            let one = write(&one(index, key)).read(columns).unwrap();
            by_hand.append(&one, 0..1, &mut Translation::of(&one.terms));
        }
        let found = assembly.finish();
        let mut translated = Book { terms: by_hand.terms.clone(), ..Book::with_columns(columns) };
        translated.append(&found, 0..found.accounts.len(), &mut Translation::of(&found.terms));
        assert_same(&translated, &by_hand);
    }
}

#[test]
fn a_chunk_of_another_version_says_so() {
    let with =
        |bytes: &[u8]| read(&Chunk([(Column::Accounts, bytes.to_vec())].into())).unwrap_err().to_string();
    assert_eq!(with(&[9, 0, 0]), "the chunk has format 9, this program reads 2");
    assert_eq!(with(&[]), "the chunk is damaged: empty");
    let error = read(&Chunk::default()).unwrap_err();
    assert_eq!(error.to_string(), "the chunk is damaged: the column Accounts is missing");
}

#[test]
fn a_column_is_refused_wherever_it_is_cut() {
    for accounts in [vec![], vec![(1, 1, 1)]] {
        let chunk = write(&book(&(1, accounts), &TEXTS));
        for (column, bytes) in &chunk.0 {
            for length in 0..bytes.len() {
                let mut cut = chunk.clone();
                cut.0.insert(*column, bytes[..length].to_vec());
                assert!(read(&cut).is_err(), "{column:?} of {length} bytes");
            }
        }
    }
}

#[test]
fn a_column_that_claims_more_than_it_holds_is_refused_without_making_room_for_it() {
    let mut chunk = write(&book(&(1, vec![(1, 1, 1)]), &TEXTS));
    for (claim, reason) in [
        (1_u64 << 30, "a column differs in length"),
        ((1 << 30) + 1, "a column of more than 1 GiB"),
        (u64::MAX, "a column of more than 1 GiB"),
    ] {
        chunk.0.get_mut(&Column::Channel).unwrap()[1..9].copy_from_slice(&claim.to_le_bytes());
        assert_eq!(read(&chunk).unwrap_err().to_string(), format!("the chunk is damaged: {reason}"));
    }
}

#[test]
fn a_chunk_whose_rows_contradict_each_other_is_refused() {
    let mut wrong = book(&(1, vec![(2, 1, 3), (2, 1, 3)]), &TEXTS);
    let last = wrong.touches.len() - 1;
    wrong.touches.person[last] = wrong.people.len() as u32;
    assert_eq!(read(&write(&wrong)).unwrap_err().to_string(), "the chunk is damaged: unknown person");
}

#[test]
#[should_panic(expected = "the name was not loaded")]
fn a_name_that_was_not_loaded_can_not_be_read() {
    let few = write(&book(&(1, vec![(1, 1, 1)]), &TEXTS)).read(Columns::BASE).unwrap();
    let _ = few.terms.get(few.deals[0].label);
}
