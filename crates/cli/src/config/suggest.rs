//! "Did you mean …": the known word nearest to an unknown one.

/// A hint for an unknown word: the nearest known one, else all that are known.
pub(crate) fn hint(unknown: &str, known: &[&str]) -> String {
    match nearest(unknown, known) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("expected one of: {}", known.join(", ")),
    }
}

/// The nearest known word, if it is near enough to be a slip of the fingers; else the only one that begins so.
fn nearest<'a>(unknown: &str, known: &[&'a str]) -> Option<&'a str> {
    let unknown = unknown.to_lowercase();
    let near = |word: &str| (distance(&unknown, &word.to_lowercase()), word.len().abs_diff(unknown.len()));
    let best = known.iter().min_by_key(|word| near(word))?;
    let most = (unknown.chars().count().max(3) / 3).min(3);
    if near(best).0 <= most {
        return Some(best);
    }
    let mut longer = known.iter().filter(|word| word.starts_with(&unknown));
    longer.next().filter(|_| longer.next().is_none() && unknown.chars().count() > 2).copied()
}

/// Insertions, deletions, replacements and swaps of neighbours that lead from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_fingers_is_recognised() {
        let known = ["time_zone", "name", "domains", "tryton", "files"];
        for (unknown, expected) in [
            ("naem", "did you mean `name`?"),
            ("Time_Zone", "did you mean `time_zone`?"),
            ("domain", "did you mean `domains`?"),
            ("timezone", "did you mean `time_zone`?"),
            ("tyrton", "did you mean `tryton`?"),
            ("dom", "did you mean `domains`?"),
        ] {
            assert_eq!(hint(unknown, &known), expected);
        }
    }

    #[test]
    fn a_word_unlike_all_others_gets_the_list() {
        assert_eq!(hint("salesforce", &["tryton", "files"]), "expected one of: tryton, files");
    }
}
