//! Who may do what, from outside.
//!
//! [`matrix`] asks every endpoint as every class of callers and compares with the tables in [`expected`]; an endpoint
//! without a row fails by name ([`table`]), and a new variant of an operation or a page does not compile. To fill a
//! row, write any statuses: the failure prints the table as it was answered, to be *read* before it is taken over.
//!
//! [`forms`] asks every endpoint of the REST interface in the forms that real clients use.
//!
//! [`known_flaws`] tries what went wrong elsewhere, one test for each published flaw. These are tested where they
//! belong instead:
//!
//! | flaw | test |
//! |---|---|
//! | Harbor 2019-19023, -19025; Quay 2019-10205, 2023-4959 (forms of other sites) | `pages::shell::forms_are_taken_from_our_own_pages_only`, `api::credentials_are_basic_or_a_token_and_no_cookie` |
//! | Quay 2023-4956 (pages in frames of others) | `pages::html::check_headers`, for every page |
//! | Harbor 2024-22244 (the way back after a sign-in) | `pages::signed_in::the_way_back_stays_here` |
//! | Harbor CVE-2024-22278 (a role that may more than it says) | [`matrix`], every endpoint |
//! | Quay 2020-27831, 2025-32019 (texts that become scripts) | `pages::content::what_others_wrote_stays_text`, `pages::details::…`, `pages::shell::…` |
//! | distribution CVE-2017-11468, CVE-2021-41190 (manifests: size, two readings) | `manifests` |
//!
//! Not to be tried yet, for what they were found in is not built:
//!
//! | flaw | comes with |
//! |---|---|
//! | zot CVE-2025-23208: rights outlive the membership | teams: whoever leaves one loses its rights with the next request |
//! | zot CVE-2026-31801: who may create moves tags | immutable tags; without them pushing is one right, tested as such |
//! | distribution CVE-2026-41888: deleting by tag although deleting is off | read-only mode and immutability: each endpoint that changes something is refused |
//! | Harbor 2022-31666 to -31671: ids of webhooks, robots, rules | these objects; tested for manifests, blobs and uploads |
//! | Quay 2024-5891: tokens wider than they say; 2019-3864, 2020-27832 | personal access tokens; notifications |
//! | Harbor 2020-13788, Quay CVE-2026-2376: requests to inner hosts | webhooks and mirroring: the registry asks no other host |
//! | distribution CVE-2026-33540: credentials to a foreign realm | mirroring |
//! | Harbor 2025-30086: filters that read password hashes | lists of accounts; what exists is filtered by typed fields |
//!
//! Harbor 2024-22261 and 2019-19026, -19029 inject SQL, of which there is none.

mod callers;
mod expected;
mod forms;
mod known_flaws;
mod matrix;
mod table;
