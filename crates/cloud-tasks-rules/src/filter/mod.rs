//! Pub/Sub subscription filters: parsing, evaluation and precise errors.
//!
//! [`Filter`] documents the language. Its source is <https://cloud.google.com/pubsub/docs/subscription-message-filter>.
//! If that page does not say whether a text is valid and the text has only one sensible meaning, it is accepted
//! (`NOT(…)` without a space, `NOT NOT …`): the service decides when the subscription is created, and changing the
//! filter of an existing subscription would lose its backlog. A text that could mean two things is rejected, because a
//! filter that silently matches something else loses messages: unquoted and single-quoted values, `\x` and octal
//! escapes beyond ASCII (a byte, or a character?), halves of a surrogate pair.

mod error;
mod expression;
mod lexer;
mod parse;
#[cfg(test)]
mod tests;

pub use error::FilterError;
pub use expression::Filter;
