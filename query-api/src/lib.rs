//! GraphQL over the order views.
