//! Where propagated headers travel in a message.

/// Where propagated headers travel in a message.
///
/// They are read from both places, whatever the publisher's setting.
///
/// ```
/// use cloud_tasks::Config;
/// use cloud_tasks::event::HeaderPlacement;
///
/// let config = Config::default().with_header_placement(HeaderPlacement::Attributes);
/// assert_eq!(config.header_placement(), HeaderPlacement::Attributes);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderPlacement {
    /// In the content if it is a JSON object, as django-cloud-tasks reads them, and as attributes, as Google's clients do.
    #[default]
    ContentAndAttributes,
    /// As attributes alone, for topics with a schema: Pub/Sub refuses content with a field that the schema does not have.
    Attributes,
}
