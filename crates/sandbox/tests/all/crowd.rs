//! A crowd has the sizes that it promises.

use tributary_core::Book;
use tributary_core::book::{Chunk, Outcome};
use tributary_sandbox::Crowd;

fn book(crowd: &Crowd, numbers: impl Iterator<Item = usize>) -> Book {
    let mut book = Book::default();
    numbers.for_each(|number| crowd.append(number, &mut book));
    book
}

#[test]
fn a_crowd_is_heavy_tailed_with_few_deals_won() {
    let crowd = Crowd::for_touches(172_000);
    let book = book(&crowd, 0..crowd.accounts);
    assert_eq!((book.accounts.len(), book.deals.len()), (4_000, 4_000));
    let close = |value: f64, wanted: f64, by: f64| {
        assert!((value / wanted - 1.0).abs() < by, "{value} is not about {wanted}");
    };
    close(book.touches.len() as f64, 172_000.0, 0.1);
    let mut lengths: Vec<usize> = book.accounts.iter().map(|account| account.touches.len()).collect();
    lengths.sort_unstable();
    close(lengths[2_000] as f64, 20.0, 0.1);
    close(lengths[3_960] as f64, 465.0, 0.25);
    assert!(*lengths.last().unwrap() <= 5_431);
    let won = book.deals.iter().filter(|deal| deal.outcome == Outcome::Won).count();
    close(won as f64, 640.0, 0.1);
    let distinct = |column: &[tributary_core::book::Term]| {
        column.iter().collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eq!((distinct(&book.touches.channel), distinct(&book.touches.campaign)), (12, 500));
    for account in &book.accounts {
        let at = &book.touches.at[account.touches.clone()];
        assert!(at.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(at.last().is_some_and(|at| *at < Crowd::end()));
    }
}

#[test]
fn an_account_of_a_crowd_follows_from_its_number_alone() {
    let crowd = Crowd::for_touches(4_300);
    let written = |book: &Book| Chunk::write(book, &[]).unwrap();
    let alone = written(&book(&crowd, std::iter::once(17)));
    let mut last = Book::default();
    crowd.append(3, &mut Book::default());
    crowd.append(17, &mut last);
    assert_eq!(alone, written(&last));
    assert_ne!(alone, written(&book(&Crowd { seed: 2, ..crowd }, std::iter::once(17))));
}
