//! What a set-up did.

use std::fmt;

/// What became of the subscribers, each list in the order of names; its `Display` form is for a terminal.
///
/// ```
/// use cloud_tasks::SetUpReport;
///
/// let mut report = SetUpReport::default();
/// report.endpoint = "https://shop.example".into();
/// report.added.push("Auditor".into());
/// report.changed.push("Biller".into());
/// report.unchanged.push("Mailer".into());
/// assert_eq!(
///     report.to_string(),
///     "Successfully initialized 3 subscribers to domain https://shop.example\n[+] Auditor\n[~] Biller",
/// );
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetUpReport {
    /// The base URL that messages are pushed to.
    pub endpoint: String,
    /// The subscribers whose subscriptions were made.
    pub added: Vec<String>,
    /// The subscribers whose subscriptions were changed.
    pub changed: Vec<String>,
    /// The subscribers whose subscriptions were as they should be, as far as they can be.
    pub unchanged: Vec<String>,
    /// The full paths of the topics and dead-letter subscriptions that were made.
    pub made: Vec<String>,
    /// What differs and cannot be changed in place, a sentence each.
    pub left: Vec<String>,
}

impl fmt::Display for SetUpReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.added.len() + self.changed.len() + self.unchanged.len();
        let endpoint = &self.endpoint;
        write!(
            f,
            "Successfully initialized {count} subscribers to domain {endpoint}"
        )?;
        for (sign, names) in [('+', &self.added), ('~', &self.changed)] {
            for name in names {
                write!(f, "\n[{sign}] {name}")?;
            }
        }
        Ok(())
    }
}
