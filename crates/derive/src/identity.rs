//! Which identifiers are one: a union-find that keeps the reason of each link.
//!
//! Deterministic by construction: a component is named by its smallest member, whatever the order of its links.

use std::collections::BTreeMap;

use tributary_core::id::Hash;

/// Disjoint sets of hashes.
#[derive(Clone, Debug, Default)]
pub struct Union {
    index: BTreeMap<Hash, usize>,
    hashes: Vec<Hash>,
    parent: Vec<usize>,
}

impl Union {
    /// Adds a member, alone if it is new.
    pub fn add(&mut self, hash: Hash) -> usize {
        *self.index.entry(hash).or_insert_with(|| {
            self.hashes.push(hash);
            self.parent.push(self.parent.len());
            self.parent.len() - 1
        })
    }

    /// Unites the components of two members.
    pub fn unite(&mut self, a: Hash, b: Hash) {
        let (a, b) = (self.add(a), self.add(b));
        let (a, b) = (self.root(a), self.root(b));
        // The smaller hash stays on top, so that a root names its component.
        let (top, under) = if self.hashes[a] <= self.hashes[b] { (a, b) } else { (b, a) };
        self.parent[under] = top;
    }

    fn root(&mut self, mut at: usize) -> usize {
        while self.parent[at] != at {
            self.parent[at] = self.parent[self.parent[at]];
            at = self.parent[at];
        }
        at
    }

    /// The smallest member of a member's component; the hash itself if it was never added.
    pub fn find(&mut self, hash: Hash) -> Hash {
        match self.index.get(&hash).copied() {
            Some(at) => {
                let root = self.root(at);
                self.hashes[root]
            }
            None => hash,
        }
    }

    /// Whether the hash was added.
    pub fn contains(&self, hash: Hash) -> bool {
        self.index.contains_key(&hash)
    }

    /// Each member with the smallest of its component.
    pub fn into_roots(mut self) -> BTreeMap<Hash, Hash> {
        let members: Vec<Hash> = self.index.keys().copied().collect();
        members.into_iter().map(|member| (member, self.find(member))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hash(n: u8) -> Hash {
        Hash([n; 16])
    }

    #[test]
    fn a_component_is_named_by_its_smallest_member() {
        let mut union = Union::default();
        union.unite(hash(3), hash(2));
        union.unite(hash(2), hash(1));
        assert_eq!(union.find(hash(3)), hash(1));
        assert_eq!(union.find(hash(9)), hash(9));
    }

    proptest! {
        #[test]
        fn the_order_of_links_does_not_matter(links in proptest::collection::vec((0_u8..30, 0_u8..30), 0..40), seed in 0_usize..1000) {
            let run = |links: &[(u8, u8)]| {
                let mut union = Union::default();
                for (a, b) in links {
                    union.unite(hash(*a), hash(*b));
                }
                (0..30).map(|n| union.find(hash(n))).collect::<Vec<_>>()
            };
            let mut other = links.clone();
            if !other.is_empty() {
                let middle = seed % other.len();
                other.rotate_left(middle);
                other.reverse();
            }
            prop_assert_eq!(run(&links), run(&other));
        }
    }
}
