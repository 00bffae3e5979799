//! Keys whose byte order is the order of their numbers.

use super::StorageError;

pub(super) fn position(position: u64) -> [u8; 8] {
    position.to_be_bytes()
}

pub(super) fn revision(number: u64, revision: u64) -> [u8; 16] {
    (u128::from(number) << 64 | u128::from(revision)).to_be_bytes()
}

pub(super) fn id(number: u64, id: &[u8]) -> Vec<u8> {
    [&number.to_be_bytes(), id].concat()
}

pub(super) fn number_from(bytes: &[u8]) -> Result<u64, StorageError> {
    let bytes = bytes.try_into().map_err(|_| StorageError::Damaged(format!("{} bytes for a number", bytes.len())))?;
    Ok(u64::from_be_bytes(bytes))
}

/// The two numbers of a key made by [`revision`].
pub(super) fn pair_from(bytes: &[u8]) -> Result<(u64, u64), StorageError> {
    let (first, second) = bytes.split_at_checked(8).unwrap_or((bytes, &[]));
    Ok((number_from(first)?, number_from(second)?))
}
