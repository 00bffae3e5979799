//! The names of Tenuto's streams other than those of orders. A prefix of orders' streams must not
//! collide with them.

/// The prefix of streams of workflow definitions; the workflow's name follows.
pub const WORKFLOW_STREAM_PREFIX: &str = "workflow-";
/// The prefix of streams of idempotency keys; the key's hash follows.
pub const KEY_STREAM_PREFIX: &str = "key-";
/// The prefix of request streams; the participant's name follows.
pub const REQUEST_STREAM_PREFIX: &str = "requests-";
/// The prefix of reply streams; the participant's name follows.
pub const REPLY_STREAM_PREFIX: &str = "replies-";
/// The prefix of streams of batches that a second person has to approve; the batch's id follows.
pub const BATCH_STREAM_PREFIX: &str = "batch-";
/// The stream of parked replies, which cannot be accepted.
pub const PARKED_REPLIES: &str = "parked-replies";
/// The stream of erasures.
pub const ERASURES: &str = "erasures";
/// The prefix of streams of webhooks; the webhook's id follows.
pub const WEBHOOK_STREAM_PREFIX: &str = "webhook-";
/// The stream of a log's seals.
pub const SEALS: &str = "audit-seals";

/// All of them.
pub(crate) const ALL: [&str; 10] = [
    WORKFLOW_STREAM_PREFIX,
    REQUEST_STREAM_PREFIX,
    REPLY_STREAM_PREFIX,
    KEY_STREAM_PREFIX,
    WEBHOOK_STREAM_PREFIX,
    BATCH_STREAM_PREFIX,
    PARKED_REPLIES,
    ERASURES,
    SEALS,
    "tenuto-log",
];
