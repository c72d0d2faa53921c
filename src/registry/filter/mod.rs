//! Pub/Sub subscription filters: parse, match, and say where a mistake is.
//!
//! The language is told at [`Filter`]. Its source is
//! <https://cloud.google.com/pubsub/docs/subscription-message-filter>. Where that page is silent, a text with only one
//! sensible meaning is accepted (`NOT(…)` without a blank, `NOT NOT …`): the service has the last word when the
//! subscription is made, and whoever has such a filter there would lose the backlog by changing it. What may mean two
//! things there is refused, since a filter that quietly matches something else loses messages: unquoted and
//! single-quoted values, `\x` and octal escapes beyond ASCII (a byte, or a character?), halves of a surrogate pair.

pub(crate) mod error;
pub(crate) mod expression;
pub(crate) mod lexer;
pub(crate) mod parse;
#[cfg(test)]
mod tests;

pub use error::FilterError;
pub use expression::Filter;
