//! The tree over the heads of all orders: a Merkle tree as in RFC 9162, section 2.1 (the same as in
//! RFC 6962).
//!
//! Leaves and nodes are hashed differently, so neither can replace the other. The leaf of an order
//! is its id, the revision of its last event, and its hash, one in each line. Leaves are sorted by
//! the bytes of the ids.

use serde::{Deserialize, Serialize};

use super::Hash;
use super::chain::Head;
use crate::ids::OrderId;

/// The leaf of an order whose last event is `head`.
pub fn leaf(order: &OrderId, head: &Head) -> Hash {
    let hash = head.hash.map(|hash| hash.to_string()).unwrap_or_default();
    leaf_of(format!("{order}\n{}\n{hash}\n", head.revision).as_bytes())
}

/// Section 2.1.1: `MTH({d(0)}) = HASH(0x00 || d(0))`.
fn leaf_of(entry: &[u8]) -> Hash {
    Hash::of(&[&[0], entry])
}

/// Section 2.1.1: `MTH(D_n) = HASH(0x01 || MTH(D[0:k]) || MTH(D[k:n]))`.
fn node(left: &Hash, right: &Hash) -> Hash {
    Hash::of(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// The root over these leaves.
pub fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::of(&[]),
        [leaf] => *leaf,
        more => {
            let (left, right) = more.split_at(split(more.len()));
            node(&root(left), &root(right))
        }
    }
}

/// The largest power of two below `size`, which is at least 2.
fn split(size: usize) -> usize {
    1 << (size - 1).ilog2()
}

/// The proof that a leaf is in a tree: the sibling hashes on the path to the root (RFC 9162,
/// section 2.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inclusion {
    /// The index of the leaf, from 0.
    pub index: u64,
    /// The number of leaves.
    pub size: u64,
    /// The sibling hashes, from the leaf up.
    pub path: Vec<Hash>,
}

impl Inclusion {
    /// The proof for a leaf; `None`: no leaf has this index.
    pub fn prove(leaves: &[Hash], index: usize) -> Option<Self> {
        let mut path = Vec::new();
        let (mut within, mut at) = (leaves, index);
        within.get(at)?;
        while within.len() > 1 {
            let (left, right) = within.split_at(split(within.len()));
            if at < left.len() {
                path.push(root(right));
                within = left;
            } else {
                path.push(root(left));
                at -= left.len();
                within = right;
            }
        }
        path.reverse();
        Some(Self { index: index as u64, size: leaves.len() as u64, path })
    }

    /// The root of a tree with this leaf at this place (section 2.1.3.2); `None`: the path does not
    /// fit the place.
    pub fn root(&self, leaf: Hash) -> Option<Hash> {
        if self.index >= self.size {
            return None;
        }
        let (mut at, mut last) = (self.index, self.size - 1);
        let mut hash = leaf;
        for sibling in &self.path {
            if last == 0 {
                return None;
            }
            if at & 1 == 1 || at == last {
                hash = node(sibling, &hash);
                // In an incomplete subtree, the path goes up some levels without a sibling.
                while at & 1 == 0 && at != 0 {
                    at >>= 1;
                    last >>= 1;
                }
            } else {
                hash = node(&hash, sibling);
            }
            at >>= 1;
            last >>= 1;
        }
        (last == 0).then_some(hash)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The entries, roots and paths from the tests of Certificate Transparency's implementations.
    const ENTRIES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn entries(count: usize) -> Vec<Hash> {
        ENTRIES[..count].iter().map(|entry| leaf_of(entry)).collect()
    }

    #[test]
    fn roots_are_those_of_certificate_transparency() {
        for (size, expected) in ROOTS.iter().enumerate() {
            assert_eq!(root(&entries(size)).to_string(), *expected, "of {size} leaves");
        }
    }

    #[test]
    fn paths_are_those_of_certificate_transparency() {
        let cases: [(usize, usize, &[&str]); 3] = [
            (
                0,
                8,
                &[
                    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
                ],
            ),
            (
                5,
                8,
                &[
                    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                ],
            ),
            (2, 3, &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
        ];
        for (index, size, expected) in cases {
            let path = Inclusion::prove(&entries(size), index).unwrap().path;
            assert_eq!(path.iter().map(Hash::to_string).collect::<Vec<_>>(), expected);
        }
        assert_eq!(Inclusion::prove(&entries(3), 3), None);
    }

    fn leaves(size: usize) -> Vec<Hash> {
        (0..size).map(|n| leaf_of(&n.to_be_bytes())).collect()
    }

    proptest! {
        #[test]
        fn every_proof_holds_for_its_leaf_and_its_place_alone(size in 1_usize..200, at: prop::sample::Index, other: prop::sample::Index) {
            let leaves = leaves(size);
            let (index, other) = (at.index(size), other.index(size));
            let proof = Inclusion::prove(&leaves, index).unwrap();
            prop_assert_eq!(proof.root(leaves[index]), Some(root(&leaves)));
            if other != index {
                prop_assert_ne!(proof.root(leaves[other]), Some(root(&leaves)));
                let elsewhere = Inclusion { index: other as u64, ..proof };
                prop_assert_ne!(elsewhere.root(leaves[index]), Some(root(&leaves)));
            }
        }

        #[test]
        fn no_altered_proof_holds(size in 2_usize..200, at: prop::sample::Index, step: prop::sample::Index, kind in 0..4) {
            let leaves = leaves(size);
            let index = at.index(size);
            let mut proof = Inclusion::prove(&leaves, index).unwrap();
            let step = step.index(proof.path.len());
            match kind {
                0 => proof.path[step] = leaf_of(b"another"),
                1 => drop(proof.path.remove(step)),
                2 => proof.path.insert(step, leaf_of(b"another")),
                _ => proof.path.push(proof.path[step]),
            }
            prop_assert_ne!(proof.root(leaves[index]), Some(root(&leaves)));
        }

        #[test]
        fn a_changed_moved_or_missing_leaf_changes_the_root(size in 2_usize..200, at: prop::sample::Index, other: prop::sample::Index) {
            let before = leaves(size);
            let (index, other) = (at.index(size), other.index(size));
            let mut changed = before.clone();
            changed[index] = leaf_of(b"another");
            prop_assert_ne!(root(&changed), root(&before));
            let mut moved = before.clone();
            moved.swap(index, other);
            prop_assert_eq!(root(&moved) == root(&before), index == other);
            let mut missing = before.clone();
            missing.remove(index);
            prop_assert_ne!(root(&missing), root(&before));
        }

        #[test]
        fn a_node_never_verifies_as_a_leaf(size in 2_usize..64) {
            let leaves = leaves(size);
            let whole = root(&leaves);
            let (left, right) = leaves.split_at(split(size));
            let forged = [root(left).as_bytes().as_slice(), root(right).as_bytes()].concat();
            prop_assert_ne!(leaf_of(&forged), whole);
        }
    }
}
