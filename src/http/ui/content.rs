//! Pages of repositories and of what is in them.

use super::{Failure, Outcome, Visit};

/// Answers for the pages that are not built yet.
#[expect(clippy::unused_async, reason = "the pages to come read the store")]
pub(super) async fn serve(visit: &Visit<'_>) -> Outcome {
    Err(Failure::NotFound(format!("The page {} is not there yet.", visit.page.name())))
}
