//! The expected answers: requests by classes of callers ([`Class`](super::callers::Class)). `200/404` is the answer where
//! the repository exists, and where it does not. `{repo}` is a repository of `alice` (for `foreign`, of the other
//! tenant; for `reader`, `writer` and `manager`, of their organization), `{own}` one to which the caller may push,
//! `{known}` a digest that exists in `{repo}` or nowhere. `{organization}`, `{team}`, `{member}`, `{account}` and
//! `{token}` are those of the caller's tenant: `alice` owns the organization, and is the account and the token's owner
//! where it is she who asks. Of a path with two of them the last one exists or not. Rows with `{account}` may differ for
//! strangers too: names of accounts are told to whoever is signed in.

/// `/v2`: each operation.
pub(super) const V2: &str = "
                                                       | nobody  stale   wrong   stranger foreign owner   admin   token   pull    other
GET /v2/                                               | 401     401     401     200     200     200     200     200     200     200
GET /v2/_catalog                                       | 401     401     401     200     200     200     200     401     401     401
GET /v2/{repo}/tags/list                               | 401     401     401     404     404     200/404 200/404 200/404 200/404 401
GET /v2/{repo}/referrers/{digest}                      | 401     401     401     404     404     200     200     200     200     401
GET /v2/{repo}/manifests/{tag}                         | 401     401     401     404     404     200/404 200/404 200/404 200/404 401
GET /v2/{repo}/manifests/{digest}                      | 401     401     401     404     404     200/404 200/404 200/404 200/404 401
GET /v2/{repo}/manifests/nothing                       | 401     401     401     404     404     404     404     404     404     401
PUT /v2/{repo}/manifests/{tag}                         | 401     401     401     404     404     201/404 201/404 201/404 401     401
PUT /v2/{repo}/manifests/latest                        | 401     401     401     404     404     201/404 201/404 201/404 401     401
PUT /v2/{repo}/manifests/{digest}                      | 401     401     401     404     404     201/404 201/404 201/404 401     401
PUT /v2/{repo}/manifests/{digest}?tag=latest           | 401     401     401     404     404     201/404 201/404 201/404 401     401
DELETE /v2/{repo}/manifests/{tag}                      | 401     401     401     404     404     202/404 202/404 202/404 401     401
DELETE /v2/{repo}/manifests/{digest}                   | 401     401     401     404     404     202/404 202/404 202/404 401     401
GET /v2/{repo}/blobs/{blob}                            | 401     401     401     404     404     200/404 200/404 200/404 200/404 401
DELETE /v2/{repo}/blobs/{blob}                         | 401     401     401     404     404     403/404 403/404 403/404 401     401
POST /v2/{repo}/blobs/uploads/                         | 401     401     401     404     404     202     202     202     401     401
POST /v2/{repo}/blobs/uploads/?digest={blob}           | 401     401     401     404     404     201     201     201     401     401
POST /v2/{own}/blobs/uploads/?mount={blob}&from={repo} | 401     401     401     202     202     201/202 201/202 201/202 401     401
POST /v2/{own}/blobs/uploads/?mount={known}            | 401     401     401     202     202     201/202 201/202 201/202 401     401
GET /v2/{repo}/blobs/uploads/{upload}                  | 401     401     401     404     404     204/404 404     204/404 401     401
PATCH /v2/{repo}/blobs/uploads/{upload}                | 401     401     401     404     404     202/404 404     202/404 401     401
PUT /v2/{repo}/blobs/uploads/{upload}?digest={blob}    | 401     401     401     404     404     201/404 404     201/404 401     401
DELETE /v2/{repo}/blobs/uploads/{upload}               | 401     401     401     404     404     204/404 404     204/404 401     401
";

/// `/v2`: each operation by those who are in a team, and by personal access tokens.
pub(super) const V2_GRANTED: &str = "
                                                       | reader  writer  manager personal perpull perother
GET /v2/                                               | 1       1       1       1       1       1
GET /v2/_catalog                                       | 1       1       1       1       1       1
GET /v2/{repo}/tags/list                               | 1       1       1       1       1       1
GET /v2/{repo}/referrers/{digest}                      | 1       1       1       1       1       1
GET /v2/{repo}/manifests/{tag}                         | 1       1       1       1       1       1
GET /v2/{repo}/manifests/{digest}                      | 1       1       1       1       1       1
GET /v2/{repo}/manifests/nothing                       | 1       1       1       1       1       1
PUT /v2/{repo}/manifests/{tag}                         | 1       1       1       1       1       1
PUT /v2/{repo}/manifests/latest                        | 1       1       1       1       1       1
PUT /v2/{repo}/manifests/{digest}                      | 1       1       1       1       1       1
PUT /v2/{repo}/manifests/{digest}?tag=latest           | 1       1       1       1       1       1
DELETE /v2/{repo}/manifests/{tag}                      | 1       1       1       1       1       1
DELETE /v2/{repo}/manifests/{digest}                   | 1       1       1       1       1       1
GET /v2/{repo}/blobs/{blob}                            | 1       1       1       1       1       1
DELETE /v2/{repo}/blobs/{blob}                         | 1       1       1       1       1       1
POST /v2/{repo}/blobs/uploads/                         | 1       1       1       1       1       1
POST /v2/{repo}/blobs/uploads/?digest={blob}           | 1       1       1       1       1       1
POST /v2/{own}/blobs/uploads/?mount={blob}&from={repo} | 1       1       1       1       1       1
POST /v2/{own}/blobs/uploads/?mount={known}            | 1       1       1       1       1       1
GET /v2/{repo}/blobs/uploads/{upload}                  | 1       1       1       1       1       1
PATCH /v2/{repo}/blobs/uploads/{upload}                | 1       1       1       1       1       1
PUT /v2/{repo}/blobs/uploads/{upload}?digest={blob}    | 1       1       1       1       1       1
DELETE /v2/{repo}/blobs/uploads/{upload}               | 1       1       1       1       1       1
";

/// `/v2`, where the repository is public and everybody may pull from such.
pub(super) const V2_PUBLIC: &str = "
                                                       | nobody  stale   wrong   stranger foreign perother
GET /v2/                                               | 1       1       1       1       1       1
GET /v2/_catalog                                       | 1       1       1       1       1       1
GET /v2/{repo}/tags/list                               | 1       1       1       1       1       1
GET /v2/{repo}/referrers/{digest}                      | 1       1       1       1       1       1
GET /v2/{repo}/manifests/{tag}                         | 1       1       1       1       1       1
GET /v2/{repo}/manifests/{digest}                      | 1       1       1       1       1       1
GET /v2/{repo}/manifests/nothing                       | 1       1       1       1       1       1
PUT /v2/{repo}/manifests/{tag}                         | 1       1       1       1       1       1
DELETE /v2/{repo}/manifests/{tag}                      | 1       1       1       1       1       1
DELETE /v2/{repo}/manifests/{digest}                   | 1       1       1       1       1       1
GET /v2/{repo}/blobs/{blob}                            | 1       1       1       1       1       1
POST /v2/{repo}/blobs/uploads/                         | 1       1       1       1       1       1
POST /v2/{own}/blobs/uploads/?mount={blob}&from={repo} | 1       1       1       1       1       1
POST /v2/{own}/blobs/uploads/?mount={known}            | 1       1       1       1       1       1
GET /v2/{repo}/blobs/uploads/{upload}                  | 1       1       1       1       1       1
";

/// `/api/v0` and `/enzi/v0`: each endpoint of the table.
pub(super) const API: &str = "
                                                                                              | nobody  stale   wrong   stranger foreign owner   admin   token   pull    other
GET /api/v0/accounts/language                                                                 | 1       1       1       1       1       1       1       1       1       1
DELETE /api/v0/accounts/{account}                                                             | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/accounts/{account}/repositoryAccess/{repo}                                        | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/accounts/{account}/settings                                                       | 1       1       1       1       1       1       1       1       1       1
PATCH /api/v0/accounts/{account}/settings                                                     | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/accounts/{account}/webhooks                                                       | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/accounts/{organization}/teams/{team}/repositoryAccess                             | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/action_configs                                                                    | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/admin/version                                                                     | 401     401     401     200     200     200     200     200     200     200
GET /api/v0/api_tokens                                                                        | 1       1       1       1       1       1       1       1       1       1
POST /api/v0/api_tokens                                                                       | 1       1       1       1       1       1       1       1       1       1
DELETE /api/v0/api_tokens                                                                     | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/api_tokens/{token}                                                                | 1       1       1       1       1       1       1       1       1       1
PATCH /api/v0/api_tokens/{token}                                                              | 1       1       1       1       1       1       1       1       1       1
DELETE /api/v0/api_tokens/{token}                                                             | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/content_caches                                                                    | 1       1       1       1       1       1       1       1       1       1
POST /api/v0/content_caches                                                                   | 1       1       1       1       1       1       1       1       1       1
DELETE /api/v0/content_caches/00000000-0000-4000-8000-000000000000                            | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/crons                                                                             | 1       1       1       1       1       1       1       1       1       1
POST /api/v0/crons                                                                            | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/crons/onlinegc                                                                    | 1       1       1       1       1       1       1       1       1       1
DELETE /api/v0/crons/onlinegc                                                                 | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/events                                                                            | 401     401     401     200     200     200     200     200     200     200
GET /api/v0/imagescan/layeroverride                                                           | 1       1       1       1       1       1       1       1       1       1
DELETE /api/v0/imagescan/layeroverride/00000000-0000-4000-8000-000000000000                   | 1       1       1       1       1       1       1       1       1       1
POST /api/v0/imagescan/layeroverride/sha256:layer                                             | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/imagescan/repositories/{repo}/{tag}                                               | 1       1       1       1       1       1       1       1       1       1
POST /api/v0/imagescan/scan                                                                   | 1       1       1       1       1       1       1       1       1       1
PUT /api/v0/imagescan/scan/update                                                             | 1       1       1       1       1       1       1       1       1       1
POST /api/v0/imagescan/scan/{repo}/{tag}/linux/amd64                                          | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/imagescan/scansummary/cve/CVE-2026-0001                                           | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/imagescan/scansummary/repositories/{repo}/{tag}                                   | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/imagescan/scansummary/repositories/{repo}/{tag}/export                            | 1       1       1       1       1       1       1       1       1       1
POST /api/v0/imagescan/scansummary/tags                                                       | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/imagescan/status                                                                  | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/index/autocomplete                                                                | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/index/dockersearch                                                                | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/jobs                                                                              | 1       1       1       1       1       1       1       1       1       1
POST /api/v0/jobs                                                                             | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/jobs/00000000-0000-4000-8000-000000000000                                         | 1       1       1       1       1       1       1       1       1       1
DELETE /api/v0/jobs/00000000-0000-4000-8000-000000000000                                      | 1       1       1       1       1       1       1       1       1       1
POST /api/v0/jobs/00000000-0000-4000-8000-000000000000/cancel                                 | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/jobs/00000000-0000-4000-8000-000000000000/logs                                    | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/meta/alerts                                                                       | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/meta/cluster_status                                                               | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/meta/features                                                                     | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/meta/settings                                                                     | 1       1       1       1       1       1       1       1       1       1
POST /api/v0/meta/settings                                                                    | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/openapi.json                                                                      | 1       1       1       1       1       1       1       1       1       1
POST /api/v0/remote/registry                                                                  | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/repositories                                                                      | 401     401     401     200     200     200     200     200     200     200
GET /api/v0/repositories/{namespace}                                                          | 401     401     401     200     200     200     200     200     200     200
POST /api/v0/repositories/{namespace}                                                         | 401     401     401     403     403     400/201 400/201 401     401     401
GET /api/v0/repositories/{repo}                                                               | 401     401     401     404     404     200/404 200/404 200/404 200/404 401
PATCH /api/v0/repositories/{repo}                                                             | 401     401     401     404     404     200/404 200/404 401     401     401
DELETE /api/v0/repositories/{repo}                                                            | 401     401     401     404     404     204     204     401     401     401
GET /api/v0/repositories/{repo}/events                                                        | 401     401     401     404     404     200/404 200/404 200/404 200/404 401
GET /api/v0/repositories/{repo}/manifests                                                     | 401     401     401     404     404     200/404 200/404 200/404 200/404 401
DELETE /api/v0/repositories/{repo}/manifests/{digest}                                         | 401     401     401     404     404     204/404 204/404 204/404 401     401
GET /api/v0/repositories/{repo}/mirroringPolicies                                             | 1       1       1       1       1       1       1       1       1       1
DELETE /api/v0/repositories/{repo}/mirroringPolicies                                          | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/repositories/{repo}/pollMirroringPolicies                                         | 1       1       1       1       1       1       1       1       1       1
POST /api/v0/repositories/{repo}/pollMirroringPolicies                                        | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/repositories/{repo}/pollMirroringPolicies/00000000-0000-4000-8000-000000000000    | 1       1       1       1       1       1       1       1       1       1
PUT /api/v0/repositories/{repo}/pollMirroringPolicies/00000000-0000-4000-8000-000000000000    | 1       1       1       1       1       1       1       1       1       1
DELETE /api/v0/repositories/{repo}/pollMirroringPolicies/00000000-0000-4000-8000-000000000000 | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/repositories/{repo}/promotionPolicies                                             | 1       1       1       1       1       1       1       1       1       1
POST /api/v0/repositories/{repo}/promotionPolicies                                            | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/repositories/{repo}/promotionPolicies/00000000-0000-4000-8000-000000000000        | 1       1       1       1       1       1       1       1       1       1
PUT /api/v0/repositories/{repo}/promotionPolicies/00000000-0000-4000-8000-000000000000        | 1       1       1       1       1       1       1       1       1       1
DELETE /api/v0/repositories/{repo}/promotionPolicies/00000000-0000-4000-8000-000000000000     | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/repositories/{repo}/pruningPolicies                                               | 1       1       1       1       1       1       1       1       1       1
POST /api/v0/repositories/{repo}/pruningPolicies                                              | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/repositories/{repo}/pruningPolicies/00000000-0000-4000-8000-000000000000          | 1       1       1       1       1       1       1       1       1       1
PUT /api/v0/repositories/{repo}/pruningPolicies/00000000-0000-4000-8000-000000000000          | 1       1       1       1       1       1       1       1       1       1
DELETE /api/v0/repositories/{repo}/pruningPolicies/00000000-0000-4000-8000-000000000000       | 1       1       1       1       1       1       1       1       1       1
POST /api/v0/repositories/{repo}/pruningPolicies/test                                         | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/repositories/{repo}/pushMirroringPolicies                                         | 1       1       1       1       1       1       1       1       1       1
POST /api/v0/repositories/{repo}/pushMirroringPolicies                                        | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/repositories/{repo}/pushMirroringPolicies/00000000-0000-4000-8000-000000000000    | 1       1       1       1       1       1       1       1       1       1
PUT /api/v0/repositories/{repo}/pushMirroringPolicies/00000000-0000-4000-8000-000000000000    | 1       1       1       1       1       1       1       1       1       1
DELETE /api/v0/repositories/{repo}/pushMirroringPolicies/00000000-0000-4000-8000-000000000000 | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/repositories/{repo}/tags                                                          | 401     401     401     404     404     200/404 200/404 200/404 200/404 401
GET /api/v0/repositories/{repo}/tags/{tag}                                                    | 401     401     401     404     404     200/404 200/404 200/404 200/404 401
DELETE /api/v0/repositories/{repo}/tags/{tag}                                                 | 401     401     401     404     404     204/404 204/404 204/404 401     401
POST /api/v0/repositories/{repo}/tags/{tag}/promotion                                         | 1       1       1       1       1       1       1       1       1       1
POST /api/v0/repositories/{repo}/tags/{tag}/pushMirroring                                     | 1       1       1       1       1       1       1       1       1       1
DELETE /api/v0/repositories/{repo}/tags/{tag}?force=true                                      | 401     401     401     404     404     403     204/404 403     401     401
GET /api/v0/repositories/{repo}/teamAccess                                                    | 1       1       1       1       1       1       1       1       1       1
PUT /api/v0/repositories/{repo}/teamAccess/{team}                                             | 1       1       1       1       1       1       1       1       1       1
DELETE /api/v0/repositories/{repo}/teamAccess/{team}                                          | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/repositories/{repo}/webhooks                                                      | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/repositoryNamespaces/{organization}/teamAccess                                    | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/repositoryNamespaces/{organization}/teamAccess/{team}                             | 1       1       1       1       1       1       1       1       1       1
PUT /api/v0/repositoryNamespaces/{organization}/teamAccess/{team}                             | 1       1       1       1       1       1       1       1       1       1
DELETE /api/v0/repositoryNamespaces/{organization}/teamAccess/{team}                          | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/webhooks                                                                          | 1       1       1       1       1       1       1       1       1       1
POST /api/v0/webhooks                                                                         | 1       1       1       1       1       1       1       1       1       1
DELETE /api/v0/webhooks/00000000-0000-4000-8000-000000000000                                  | 1       1       1       1       1       1       1       1       1       1
POST /api/v0/webhooks/test                                                                    | 1       1       1       1       1       1       1       1       1       1
POST /api/v0/webhooks/update                                                                  | 1       1       1       1       1       1       1       1       1       1
GET /api/v0/workers                                                                           | 1       1       1       1       1       1       1       1       1       1
GET /enzi/v0/accounts                                                                         | 1       1       1       1       1       1       1       1       1       1
POST /enzi/v0/accounts                                                                        | 1       1       1       1       1       1       1       1       1       1
GET /enzi/v0/accounts/{account}                                                               | 1       1       1       1       1       1       1       1       1       1
PATCH /enzi/v0/accounts/{account}                                                             | 1       1       1       1       1       1       1       1       1       1
DELETE /enzi/v0/accounts/{account}                                                            | 1       1       1       1       1       1       1       1       1       1
GET /enzi/v0/accounts/{account}/organizations                                                 | 1       1       1       1       1       1       1       1       1       1
GET /enzi/v0/accounts/{organization}/members                                                  | 1       1       1       1       1       1       1       1       1       1
GET /enzi/v0/accounts/{organization}/members/{member}                                         | 1       1       1       1       1       1       1       1       1       1
PUT /enzi/v0/accounts/{organization}/members/{member}                                         | 1       1       1       1       1       1       1       1       1       1
DELETE /enzi/v0/accounts/{organization}/members/{member}                                      | 1       1       1       1       1       1       1       1       1       1
GET /enzi/v0/accounts/{organization}/teams                                                    | 1       1       1       1       1       1       1       1       1       1
POST /enzi/v0/accounts/{organization}/teams                                                   | 1       1       1       1       1       1       1       1       1       1
GET /enzi/v0/accounts/{organization}/teams/{team}                                             | 1       1       1       1       1       1       1       1       1       1
PATCH /enzi/v0/accounts/{organization}/teams/{team}                                           | 1       1       1       1       1       1       1       1       1       1
DELETE /enzi/v0/accounts/{organization}/teams/{team}                                          | 1       1       1       1       1       1       1       1       1       1
GET /enzi/v0/accounts/{organization}/teams/{team}/members                                     | 1       1       1       1       1       1       1       1       1       1
GET /enzi/v0/accounts/{organization}/teams/{team}/members/{member}                            | 1       1       1       1       1       1       1       1       1       1
PUT /enzi/v0/accounts/{organization}/teams/{team}/members/{member}                            | 1       1       1       1       1       1       1       1       1       1
DELETE /enzi/v0/accounts/{organization}/teams/{team}/members/{member}                         | 1       1       1       1       1       1       1       1       1       1
POST /enzi/v0/id/login                                                                        | 1       1       1       1       1       1       1       1       1       1
POST /enzi/v0/id/logout                                                                       | 1       1       1       1       1       1       1       1       1       1
";

/// The same by those who are in a team, and by personal access tokens.
pub(super) const API_GRANTED: &str = "
                                                                                              | reader  writer  manager personal perpull perother
GET /api/v0/accounts/language                                                                 | 1       1       1       1       1       1
DELETE /api/v0/accounts/{account}                                                             | 1       1       1       1       1       1
GET /api/v0/accounts/{account}/repositoryAccess/{repo}                                        | 1       1       1       1       1       1
GET /api/v0/accounts/{account}/settings                                                       | 1       1       1       1       1       1
PATCH /api/v0/accounts/{account}/settings                                                     | 1       1       1       1       1       1
GET /api/v0/accounts/{account}/webhooks                                                       | 1       1       1       1       1       1
GET /api/v0/accounts/{organization}/teams/{team}/repositoryAccess                             | 1       1       1       1       1       1
GET /api/v0/action_configs                                                                    | 1       1       1       1       1       1
GET /api/v0/admin/version                                                                     | 1       1       1       1       1       1
GET /api/v0/api_tokens                                                                        | 1       1       1       1       1       1
POST /api/v0/api_tokens                                                                       | 1       1       1       1       1       1
DELETE /api/v0/api_tokens                                                                     | 1       1       1       1       1       1
GET /api/v0/api_tokens/{token}                                                                | 1       1       1       1       1       1
PATCH /api/v0/api_tokens/{token}                                                              | 1       1       1       1       1       1
DELETE /api/v0/api_tokens/{token}                                                             | 1       1       1       1       1       1
GET /api/v0/content_caches                                                                    | 1       1       1       1       1       1
POST /api/v0/content_caches                                                                   | 1       1       1       1       1       1
DELETE /api/v0/content_caches/00000000-0000-4000-8000-000000000000                            | 1       1       1       1       1       1
GET /api/v0/crons                                                                             | 1       1       1       1       1       1
POST /api/v0/crons                                                                            | 1       1       1       1       1       1
GET /api/v0/crons/onlinegc                                                                    | 1       1       1       1       1       1
DELETE /api/v0/crons/onlinegc                                                                 | 1       1       1       1       1       1
GET /api/v0/events                                                                            | 1       1       1       1       1       1
GET /api/v0/imagescan/layeroverride                                                           | 1       1       1       1       1       1
DELETE /api/v0/imagescan/layeroverride/00000000-0000-4000-8000-000000000000                   | 1       1       1       1       1       1
POST /api/v0/imagescan/layeroverride/sha256:layer                                             | 1       1       1       1       1       1
GET /api/v0/imagescan/repositories/{repo}/{tag}                                               | 1       1       1       1       1       1
POST /api/v0/imagescan/scan                                                                   | 1       1       1       1       1       1
PUT /api/v0/imagescan/scan/update                                                             | 1       1       1       1       1       1
POST /api/v0/imagescan/scan/{repo}/{tag}/linux/amd64                                          | 1       1       1       1       1       1
GET /api/v0/imagescan/scansummary/cve/CVE-2026-0001                                           | 1       1       1       1       1       1
GET /api/v0/imagescan/scansummary/repositories/{repo}/{tag}                                   | 1       1       1       1       1       1
GET /api/v0/imagescan/scansummary/repositories/{repo}/{tag}/export                            | 1       1       1       1       1       1
POST /api/v0/imagescan/scansummary/tags                                                       | 1       1       1       1       1       1
GET /api/v0/imagescan/status                                                                  | 1       1       1       1       1       1
GET /api/v0/index/autocomplete                                                                | 1       1       1       1       1       1
GET /api/v0/index/dockersearch                                                                | 1       1       1       1       1       1
GET /api/v0/jobs                                                                              | 1       1       1       1       1       1
POST /api/v0/jobs                                                                             | 1       1       1       1       1       1
GET /api/v0/jobs/00000000-0000-4000-8000-000000000000                                         | 1       1       1       1       1       1
DELETE /api/v0/jobs/00000000-0000-4000-8000-000000000000                                      | 1       1       1       1       1       1
POST /api/v0/jobs/00000000-0000-4000-8000-000000000000/cancel                                 | 1       1       1       1       1       1
GET /api/v0/jobs/00000000-0000-4000-8000-000000000000/logs                                    | 1       1       1       1       1       1
GET /api/v0/meta/alerts                                                                       | 1       1       1       1       1       1
GET /api/v0/meta/cluster_status                                                               | 1       1       1       1       1       1
GET /api/v0/meta/features                                                                     | 1       1       1       1       1       1
GET /api/v0/meta/settings                                                                     | 1       1       1       1       1       1
POST /api/v0/meta/settings                                                                    | 1       1       1       1       1       1
GET /api/v0/openapi.json                                                                      | 1       1       1       1       1       1
POST /api/v0/remote/registry                                                                  | 1       1       1       1       1       1
GET /api/v0/repositories                                                                      | 1       1       1       1       1       1
GET /api/v0/repositories/{namespace}                                                          | 1       1       1       1       1       1
POST /api/v0/repositories/{namespace}                                                         | 1       1       1       1       1       1
GET /api/v0/repositories/{repo}                                                               | 1       1       1       1       1       1
PATCH /api/v0/repositories/{repo}                                                             | 1       1       1       1       1       1
DELETE /api/v0/repositories/{repo}                                                            | 1       1       1       1       1       1
GET /api/v0/repositories/{repo}/events                                                        | 1       1       1       1       1       1
GET /api/v0/repositories/{repo}/manifests                                                     | 1       1       1       1       1       1
DELETE /api/v0/repositories/{repo}/manifests/{digest}                                         | 1       1       1       1       1       1
GET /api/v0/repositories/{repo}/mirroringPolicies                                             | 1       1       1       1       1       1
DELETE /api/v0/repositories/{repo}/mirroringPolicies                                          | 1       1       1       1       1       1
GET /api/v0/repositories/{repo}/pollMirroringPolicies                                         | 1       1       1       1       1       1
POST /api/v0/repositories/{repo}/pollMirroringPolicies                                        | 1       1       1       1       1       1
GET /api/v0/repositories/{repo}/pollMirroringPolicies/00000000-0000-4000-8000-000000000000    | 1       1       1       1       1       1
PUT /api/v0/repositories/{repo}/pollMirroringPolicies/00000000-0000-4000-8000-000000000000    | 1       1       1       1       1       1
DELETE /api/v0/repositories/{repo}/pollMirroringPolicies/00000000-0000-4000-8000-000000000000 | 1       1       1       1       1       1
GET /api/v0/repositories/{repo}/promotionPolicies                                             | 1       1       1       1       1       1
POST /api/v0/repositories/{repo}/promotionPolicies                                            | 1       1       1       1       1       1
GET /api/v0/repositories/{repo}/promotionPolicies/00000000-0000-4000-8000-000000000000        | 1       1       1       1       1       1
PUT /api/v0/repositories/{repo}/promotionPolicies/00000000-0000-4000-8000-000000000000        | 1       1       1       1       1       1
DELETE /api/v0/repositories/{repo}/promotionPolicies/00000000-0000-4000-8000-000000000000     | 1       1       1       1       1       1
GET /api/v0/repositories/{repo}/pruningPolicies                                               | 1       1       1       1       1       1
POST /api/v0/repositories/{repo}/pruningPolicies                                              | 1       1       1       1       1       1
GET /api/v0/repositories/{repo}/pruningPolicies/00000000-0000-4000-8000-000000000000          | 1       1       1       1       1       1
PUT /api/v0/repositories/{repo}/pruningPolicies/00000000-0000-4000-8000-000000000000          | 1       1       1       1       1       1
DELETE /api/v0/repositories/{repo}/pruningPolicies/00000000-0000-4000-8000-000000000000       | 1       1       1       1       1       1
POST /api/v0/repositories/{repo}/pruningPolicies/test                                         | 1       1       1       1       1       1
GET /api/v0/repositories/{repo}/pushMirroringPolicies                                         | 1       1       1       1       1       1
POST /api/v0/repositories/{repo}/pushMirroringPolicies                                        | 1       1       1       1       1       1
GET /api/v0/repositories/{repo}/pushMirroringPolicies/00000000-0000-4000-8000-000000000000    | 1       1       1       1       1       1
PUT /api/v0/repositories/{repo}/pushMirroringPolicies/00000000-0000-4000-8000-000000000000    | 1       1       1       1       1       1
DELETE /api/v0/repositories/{repo}/pushMirroringPolicies/00000000-0000-4000-8000-000000000000 | 1       1       1       1       1       1
GET /api/v0/repositories/{repo}/tags                                                          | 1       1       1       1       1       1
GET /api/v0/repositories/{repo}/tags/{tag}                                                    | 1       1       1       1       1       1
DELETE /api/v0/repositories/{repo}/tags/{tag}                                                 | 1       1       1       1       1       1
POST /api/v0/repositories/{repo}/tags/{tag}/promotion                                         | 1       1       1       1       1       1
POST /api/v0/repositories/{repo}/tags/{tag}/pushMirroring                                     | 1       1       1       1       1       1
DELETE /api/v0/repositories/{repo}/tags/{tag}?force=true                                      | 1       1       1       1       1       1
GET /api/v0/repositories/{repo}/teamAccess                                                    | 1       1       1       1       1       1
PUT /api/v0/repositories/{repo}/teamAccess/{team}                                             | 1       1       1       1       1       1
DELETE /api/v0/repositories/{repo}/teamAccess/{team}                                          | 1       1       1       1       1       1
GET /api/v0/repositories/{repo}/webhooks                                                      | 1       1       1       1       1       1
GET /api/v0/repositoryNamespaces/{organization}/teamAccess                                    | 1       1       1       1       1       1
GET /api/v0/repositoryNamespaces/{organization}/teamAccess/{team}                             | 1       1       1       1       1       1
PUT /api/v0/repositoryNamespaces/{organization}/teamAccess/{team}                             | 1       1       1       1       1       1
DELETE /api/v0/repositoryNamespaces/{organization}/teamAccess/{team}                          | 1       1       1       1       1       1
GET /api/v0/webhooks                                                                          | 1       1       1       1       1       1
POST /api/v0/webhooks                                                                         | 1       1       1       1       1       1
DELETE /api/v0/webhooks/00000000-0000-4000-8000-000000000000                                  | 1       1       1       1       1       1
POST /api/v0/webhooks/test                                                                    | 1       1       1       1       1       1
POST /api/v0/webhooks/update                                                                  | 1       1       1       1       1       1
GET /api/v0/workers                                                                           | 1       1       1       1       1       1
GET /enzi/v0/accounts                                                                         | 1       1       1       1       1       1
POST /enzi/v0/accounts                                                                        | 1       1       1       1       1       1
GET /enzi/v0/accounts/{account}                                                               | 1       1       1       1       1       1
PATCH /enzi/v0/accounts/{account}                                                             | 1       1       1       1       1       1
DELETE /enzi/v0/accounts/{account}                                                            | 1       1       1       1       1       1
GET /enzi/v0/accounts/{account}/organizations                                                 | 1       1       1       1       1       1
GET /enzi/v0/accounts/{organization}/members                                                  | 1       1       1       1       1       1
GET /enzi/v0/accounts/{organization}/members/{member}                                         | 1       1       1       1       1       1
PUT /enzi/v0/accounts/{organization}/members/{member}                                         | 1       1       1       1       1       1
DELETE /enzi/v0/accounts/{organization}/members/{member}                                      | 1       1       1       1       1       1
GET /enzi/v0/accounts/{organization}/teams                                                    | 1       1       1       1       1       1
POST /enzi/v0/accounts/{organization}/teams                                                   | 1       1       1       1       1       1
GET /enzi/v0/accounts/{organization}/teams/{team}                                             | 1       1       1       1       1       1
PATCH /enzi/v0/accounts/{organization}/teams/{team}                                           | 1       1       1       1       1       1
DELETE /enzi/v0/accounts/{organization}/teams/{team}                                          | 1       1       1       1       1       1
GET /enzi/v0/accounts/{organization}/teams/{team}/members                                     | 1       1       1       1       1       1
GET /enzi/v0/accounts/{organization}/teams/{team}/members/{member}                            | 1       1       1       1       1       1
PUT /enzi/v0/accounts/{organization}/teams/{team}/members/{member}                            | 1       1       1       1       1       1
DELETE /enzi/v0/accounts/{organization}/teams/{team}/members/{member}                         | 1       1       1       1       1       1
POST /enzi/v0/id/login                                                                        | 1       1       1       1       1       1
POST /enzi/v0/id/logout                                                                       | 1       1       1       1       1       1
";

/// Everything else that is no page: the token service, how to trust, health, figures.
pub(super) const SITE: &str = "
                 | nobody  stale   wrong   stranger foreign owner   admin   token
GET /auth/token  | 200     400     401     200     200     200     200     400
POST /auth/token | 400     400     401     200     200     200     200     400
GET /ca          | 200     200     200     200     200     200     200     200
GET /ca.crt      | 200     200     200     200     200     200     200     200
GET /trust.sh    | 200     200     200     200     200     200     200     200
GET /trust       | 200     200     200     200     200     200     200     200
GET /healthz     | 200     200     200     200     200     200     200     200
GET /readyz      | 200     200     200     200     200     200     200     200
GET /_ping       | 200     200     200     200     200     200     200     200
GET /v1/_ping    | 200     200     200     200     200     200     200     200
GET /health      | 200     200     200     200     200     200     200     200
GET /metrics     | 401     401     401     403     403     403     200     403
";

/// The pages, by session.
pub(super) const PAGES: &str = "
                                      | nobody  stale   stranger foreign owner   admin
GET /                                 | 303     303     303     303     303     303
GET /login                            | 200     200     303     303     303     303
POST /login                           | 401     403     401     401     401     401
POST /logout                          | 303     303     303     303     303     303
GET /welcome                          | 303     303     403     403     403     200
GET /account                          | 303     303     200     200     200     200
POST /account/password                | 403     403     400     400     400     400
POST /account/prefs                   | 303     403     303     303     303     303
GET /system                           | 303     303     403     403     403     200
GET /system/storage                   | 303     303     403     403     403     200
POST /system/storage/collect          | 403     403     403     403     403     303
GET /system/certificate               | 303     303     403     403     403     200
POST /system/certificate/names        | 403     403     403     403     403     400
GET /system/about                     | 303     303     403     403     403     200
GET /docs/applications                | 200     200     200     200     200     200
GET /docs/api                         | 200     200     200     200     200     200
GET /activity                         | 303     303     200     200     200     200
GET /repositories                     | 303     303     200     200     200     200
POST /repositories                    | 403     403     403     403     409/303 409/303
GET /search?q={repo}                  | 303     303     200     200     200     200
GET /r/{repo}                         | 303     303     404     404     200/404 200/404
GET /r/{repo}/-/tags                  | 303     303     404     404     200/404 200/404
GET /r/{repo}/-/settings              | 303     303     404     404     200/404 200/404
POST /r/{repo}/-/settings             | 403     403     404     404     303/404 303/404
GET /r/{repo}/-/activity              | 303     303     404     404     200/404 200/404
GET /r/{repo}/-/delete                | 303     303     404     404     200/404 200/404
POST /r/{repo}/-/delete               | 403     403     404     404     303/404 303/404
GET /r/{repo}/-/delete-tags           | 303     303     404     404     400     400
POST /r/{repo}/-/delete-tags          | 403     403     404     404     400     400
GET /r/{repo}/-/tags/{tag}            | 303     303     404     404     200/404 200/404
GET /r/{repo}/-/digests/{digest}      | 303     303     404     404     200/404 200/404
GET /r/{repo}/-/tags/{tag}/components | 303     303     404     404     404     404
GET /r/{repo}/-/tags/{tag}/parameters | 303     303     404     404     404     404
GET /r/{repo}/-/tags/{tag}/bundle     | 303     303     404     404     404     404
GET /r/{repo}/-/tags/{tag}/platforms  | 303     303     404     404     404     404
GET /r/{repo}/-/tags/{tag}/layers     | 303     303     404     404     200/404 200/404
GET /r/{repo}/-/tags/{tag}/config     | 303     303     404     404     200/404 200/404
GET /r/{repo}/-/tags/{tag}/history    | 303     303     404     404     200/404 200/404
GET /r/{repo}/-/tags/{tag}/files      | 303     303     404     404     404     404
GET /r/{repo}/-/tags/{tag}/referrers  | 303     303     404     404     200/404 200/404
GET /r/{repo}/-/tags/{tag}/raw        | 303     303     404     404     200/404 200/404
GET /r/{repo}/-/tags/{tag}/delete     | 303     303     404     404     200/404 200/404
POST /r/{repo}/-/tags/{tag}/delete    | 403     403     404     404     409/404 409/404
";
