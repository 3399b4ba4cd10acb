//! Pages of repositories and of what is in them: which view answers which.

use super::routes::{ManifestPage, PageRequest, RepositoryPage};
use super::{
    Failure, Outcome, Visit, activity, delete, manifest, repositories, repository, repository_access, search, settings,
    tags,
};

/// Answers for the pages of repositories; others do not come here.
pub(super) async fn serve(visit: &Visit<'_>) -> Outcome {
    let (repo, page) = match &visit.page {
        PageRequest::Repositories => return repositories::serve(visit).await,
        PageRequest::Search => return search::serve(visit).await,
        PageRequest::Repository(repo, page) => (repo, page),
        _ => return Err(Failure::NotFound(super::NO_PAGE.to_owned())),
    };
    match page {
        RepositoryPage::Info => repository::serve(visit, repo),
        RepositoryPage::Tags => tags::serve(visit, repo),
        RepositoryPage::Activity => activity::serve(visit, Some(repo)).await,
        RepositoryPage::Settings => settings::serve(visit, repo).await,
        RepositoryPage::Access => repository_access::serve(visit, repo),
        RepositoryPage::ChangeAccess => repository_access::change(visit, repo).await,
        RepositoryPage::Delete => delete::repository(visit, repo).await,
        RepositoryPage::DeleteTags => delete::several(visit, repo).await,
        RepositoryPage::Manifest(reference, ManifestPage::Delete) => delete::one(visit, repo, reference).await,
        RepositoryPage::Manifest(reference, page) => manifest::serve(visit, repo, reference, *page).await,
    }
}
