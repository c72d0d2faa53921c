//! Substitutes for the mode with a local engine without the feature `local`.

use crate::auth::TrustedCallers;
use crate::base::{Error, ErrorKind};
use crate::runtime::Runtime;
use crate::runtime::builder::Parts;

impl Parts {
    /// Reports the missing feature.
    #[expect(clippy::unused_async, reason = "with the feature, this is awaited")]
    pub(super) async fn build_local(self, _callers: Option<TrustedCallers>) -> Result<Runtime, Error> {
        Err(Error::new(
            ErrorKind::Build,
            "the runtime was not built: its mode is local (CLOUD_TASKS_MODE), and this program was compiled without the local \
             engine: `cargo add cloud-tasks --features local`",
        ))
    }
}
