use super::typed_environment::Inherited;
use std::path::PathBuf;

/// What the readers of the file's tables need to know from around them.
pub(super) struct Around<'e> {
    /// Where relative paths of secrets start.
    pub base: PathBuf,
    /// Looks environment variables up.
    pub env: &'e dyn Fn(&str) -> Option<String>,
    /// What environments take over where they do not say.
    pub inherited: Inherited,
}
