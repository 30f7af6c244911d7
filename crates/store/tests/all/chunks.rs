//! The book in chunks: later layers supersede, and a question gets the columns that it asks for.

use tributary_core::book::{Account, Book, Chunk, Column, Columns, NOBODY, Touch, Translation};
use tributary_core::id::Hash;
use tributary_core::{AccountId, Time};
use tributary_store::testkit::stores;

/// Accounts by the first byte of their ids, each with one touch of a channel.
fn book(accounts: &[(u8, &str)]) -> Book {
    let mut book = Book::default();
    for (first, channel) in accounts {
        let (channel, key) = (book.terms.intern(channel), book.terms.intern(&format!("account {first}")));
        let row = book.touches.len();
        let at = Time(i64::from(*first));
        book.touches.push(Touch { at, channel, person: NOBODY, ..Touch::default() });
        book.accounts.push(Account {
            id: Some(AccountId(id(*first))),
            key,
            label: key,
            touches: row..row + 1,
            people: 0..0,
            deals: 0..0,
            attributes: Vec::new(),
        });
    }
    book
}

fn id(first: u8) -> Hash {
    Hash([first; 16])
}

/// What a book says, in words.
fn told(book: &Book) -> String {
    let touches = book.accounts.iter().map(|account| {
        let row = account.touches.start;
        format!("{} {}", book.touches.at[row].0, book.terms.get(book.touches.channel[row]).unwrap_or("-"))
    });
    touches.collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn a_later_layer_supersedes_and_the_order_is_that_of_the_ids() {
    for store in stores().await {
        let mut run = store.begin_derivation().await.unwrap();
        for (layer, place, accounts, gone) in [
            (0, 0, &[(1, "old"), (3, "old"), (5, "old")][..], &[][..]),
            (0, 1, &[(200, "old"), (220, "old")], &[]),
            (1, 0, &[(3, "new"), (4, "new")], &[id(220)]),
            (2, 0, &[(4, "newest"), (210, "newest")], &[id(1)]),
        ] {
            let chunk = Chunk::write(&book(accounts), gone).unwrap();
            run.put_chunk(layer, place, (accounts.len() + gone.len()) as u64, chunk).await.unwrap();
        }
        let chunks = run.chunks().await.unwrap();
        run.finish("rules").await.unwrap();
        let layers: Vec<_> = chunks.iter().map(|chunk| (chunk.layer, chunk.entries)).collect();
        assert_eq!(layers, [(0, 3), (0, 2), (1, 3), (2, 3)], "{}", store.kind);

        let columns = Columns::BASE.with([Column::Channel]);
        let found = store.load_book(columns).await.unwrap();
        assert_eq!(told(&found), "3 new, 4 newest, 5 old, 200 old, 210 newest", "{}", store.kind);
        assert_eq!((found.columns, found.touches.id.len()), (columns, 0), "{}", store.kind);

        // Laid in one piece it is the same store.
        let digest = store.digest().await.unwrap();
        let whole = store.load_book(Columns::ALL).await.unwrap();
        let mut run = store.begin_derivation().await.unwrap();
        run.delete_chunks(&chunks.iter().map(|chunk| chunk.id).collect::<Vec<_>>()).await.unwrap();
        assert_eq!(run.chunks().await.unwrap(), []);
        let mut copy = Book::default();
        copy.append(&whole, 0..whole.accounts.len(), &mut Translation::of(&whole.terms));
        run.put_chunk(0, 0, 5, Chunk::write(&copy, &[]).unwrap()).await.unwrap();
        run.finish("rules").await.unwrap();
        assert_eq!(store.digest().await.unwrap(), digest, "{}", store.kind);
    }
}

#[tokio::test]
async fn a_damaged_chunk_is_an_error_that_says_so() {
    for store in stores().await {
        let mut run = store.begin_derivation().await.unwrap();
        let mut chunk = Chunk::write(&book(&[(1, "a")]), &[]).unwrap();
        chunk.0.insert(Column::Channel, b"\x02junk".to_vec());
        run.put_chunk(0, 0, 1, chunk).await.unwrap();
        run.finish("rules").await.unwrap();
        let error = store.load_book(Columns::ALL).await.unwrap_err();
        assert!(error.to_string().contains("the chunk is damaged"), "{error}");
        // What nobody asks for hurts nobody.
        assert_eq!(store.load_book(Columns::BASE).await.unwrap().accounts.len(), 1);
    }
}
