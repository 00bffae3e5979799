//! The limits of an order request, which the description of the HTTP interface repeats.

/// The name of a workflow, in characters.
pub const MAX_NAME_LENGTH: usize = 64;
/// A customer's id, in characters.
pub const MAX_CUSTOMER_ID: usize = 128;
/// A stock-keeping unit, in characters.
pub const MAX_SKU: usize = 64;
/// A name or a part of an address, in characters.
pub const MAX_SHORT_TEXT: usize = 200;
/// A mail address, in bytes: the limit of SMTP.
pub const MAX_EMAIL_LENGTH: usize = 254;
/// The part of a mail address before the `@`, in bytes.
pub const MAX_EMAIL_LOCAL_PART: usize = 64;
/// A part of a domain between dots, in characters.
pub const MAX_DOMAIN_LABEL: usize = 63;
/// The digits of an amount before the point. Within this limit and the next, the largest total is
/// exact in a [`rust_decimal::Decimal`].
pub const MAX_WHOLE_DIGITS: usize = 15;
/// The digits of an amount after the point.
pub const MAX_FRACTION_DIGITS: usize = 4;
/// The keys of the attributes.
pub const MAX_ATTRIBUTES: usize = 64;
/// The attributes as JSON, in bytes.
pub const MAX_ATTRIBUTES_BYTES: usize = 16 * 1024;
/// The nesting of objects and arrays in the attributes; the attributes themselves count as the
/// first level.
pub const MAX_ATTRIBUTES_DEPTH: usize = 8;
