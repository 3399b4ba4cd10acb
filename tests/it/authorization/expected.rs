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
GET /v2/                                               | 200     200     200     200     200     200
GET /v2/_catalog                                       | 200     200     200     200     200     200
GET /v2/{repo}/tags/list                               | 200/404 200/404 200/404 200/404 200/404 404
GET /v2/{repo}/referrers/{digest}                      | 200     200     200     200     200     404
GET /v2/{repo}/manifests/{tag}                         | 200/404 200/404 200/404 200/404 200/404 404
GET /v2/{repo}/manifests/{digest}                      | 200/404 200/404 200/404 200/404 200/404 404
GET /v2/{repo}/manifests/nothing                       | 404     404     404     404     404     404
PUT /v2/{repo}/manifests/{tag}                         | 403     201/404 201/404 201/404 403     404
PUT /v2/{repo}/manifests/latest                        | 403     201/404 201/404 201/404 403     404
PUT /v2/{repo}/manifests/{digest}                      | 403     201/404 201/404 201/404 403     404
PUT /v2/{repo}/manifests/{digest}?tag=latest           | 403     201/404 201/404 201/404 403     404
DELETE /v2/{repo}/manifests/{tag}                      | 403     202/404 202/404 202/404 403     404
DELETE /v2/{repo}/manifests/{digest}                   | 403     202/404 202/404 202/404 403     404
GET /v2/{repo}/blobs/{blob}                            | 200/404 200/404 200/404 200/404 200/404 404
DELETE /v2/{repo}/blobs/{blob}                         | 403     403/404 403/404 403/404 403     404
POST /v2/{repo}/blobs/uploads/                         | 403     202     202     202     403     404
POST /v2/{repo}/blobs/uploads/?digest={blob}           | 403     201     201     201     403     404
POST /v2/{own}/blobs/uploads/?mount={blob}&from={repo} | 201/202 201/202 201/202 201/202 404     404
POST /v2/{own}/blobs/uploads/?mount={known}            | 201/202 201/202 201/202 201/202 404     404
GET /v2/{repo}/blobs/uploads/{upload}                  | 403     204/404 404     204/404 403     404
PATCH /v2/{repo}/blobs/uploads/{upload}                | 403     202/404 404     202/404 403     404
PUT /v2/{repo}/blobs/uploads/{upload}?digest={blob}    | 403     201/404 404     201/404 403     404
DELETE /v2/{repo}/blobs/uploads/{upload}               | 403     204/404 404     204/404 403     404
";

/// `/v2`, where the repository is public and everybody may pull from such.
pub(super) const V2_PUBLIC: &str = "
                                                       | nobody  stale   wrong   stranger foreign perother
GET /v2/                                               | 401     401     401     200     200     200
GET /v2/_catalog                                       | 200     401     401     200     200     200
GET /v2/{repo}/tags/list                               | 200/401 401     401     200/404 200/404 404
GET /v2/{repo}/referrers/{digest}                      | 200/401 401     401     200/404 200/404 404
GET /v2/{repo}/manifests/{tag}                         | 200/401 401     401     200/404 200/404 404
GET /v2/{repo}/manifests/{digest}                      | 200/401 401     401     200/404 200/404 404
GET /v2/{repo}/manifests/nothing                       | 404/401 401     401     404     404     404
PUT /v2/{repo}/manifests/{tag}                         | 401     401     401     403/404 403/404 404
DELETE /v2/{repo}/manifests/{tag}                      | 401     401     401     403/404 403/404 404
DELETE /v2/{repo}/manifests/{digest}                   | 401     401     401     403/404 403/404 404
GET /v2/{repo}/blobs/{blob}                            | 200/401 401     401     200/404 200/404 404
POST /v2/{repo}/blobs/uploads/                         | 401     401     401     403/404 403/404 404
POST /v2/{own}/blobs/uploads/?mount={blob}&from={repo} | 401     401     401     201/202 201/202 404
POST /v2/{own}/blobs/uploads/?mount={known}            | 401     401     401     201/202 201/202 404
GET /v2/{repo}/blobs/uploads/{upload}                  | 401     401     401     403/404 403/404 404
";

/// `/api/v0` and `/enzi/v0`: each endpoint of the table.
pub(super) const API: &str = "
                                                                                              | nobody  stale   wrong   stranger foreign owner   admin   token   pull    other
GET /api/v0/accounts/language                                                                 | 401     401     401     200     200     200     200     200     200     200
DELETE /api/v0/accounts/{account}                                                             | 401     401     401     403     403     403     204     403     403     403
DELETE /api/v0/accounts/{account}/repositories                                                | 401     401     401     403     403     403     204/404 403     403     403
GET /api/v0/accounts/{account}/repositoryAccess/{repo}                                        | 401     401     401     404     404     200/404 200/404 200/404 200/404 401
GET /api/v0/accounts/{account}/settings                                                       | 401     401     401     403/404 403/404 200/404 200/404 401     401     401
PATCH /api/v0/accounts/{account}/settings                                                     | 401     401     401     403/404 403/404 200/404 200/404 401     401     401
GET /api/v0/accounts/{account}/webhooks                                                       | 401     401     401     403/404 403/404 200/404 200/404 401     401     401
GET /api/v0/accounts/{organization}/teams/{team}/repositoryAccess                             | 401     401     401     404     404     200/404 200/404 401     401     401
GET /api/v0/action_configs                                                                    | 401     401     401     403     403     403     200     403     403     403
GET /api/v0/admin/settings/registry                                                           | 401     401     401     403     403     403     200     403     403     403
PUT /api/v0/admin/settings/registry                                                           | 401     401     401     403     403     403     202     403     403     403
GET /api/v0/admin/version                                                                     | 401     401     401     200     200     200     200     200     200     200
GET /api/v0/api_tokens                                                                        | 401     401     401     200     200     200     200     401     401     401
POST /api/v0/api_tokens                                                                       | 401     401     401     200     200     200     200     401     401     401
DELETE /api/v0/api_tokens                                                                     | 401     401     401     200     200     200     200     401     401     401
GET /api/v0/api_tokens/{token}                                                                | 401     401     401     404     404     200/404 200/404 401     401     401
PATCH /api/v0/api_tokens/{token}                                                              | 401     401     401     404     404     200/404 200/404 401     401     401
DELETE /api/v0/api_tokens/{token}                                                             | 401     401     401     404     404     200/404 200/404 401     401     401
GET /api/v0/content_caches                                                                    | 401     401     401     403     403     403     200     403     403     403
POST /api/v0/content_caches                                                                   | 401     401     401     403     403     403     501     403     403     403
DELETE /api/v0/content_caches/00000000-0000-4000-8000-000000000000                            | 401     401     401     403     403     403     404     403     403     403
GET /api/v0/crons                                                                             | 401     401     401     403     403     403     200     403     403     403
POST /api/v0/crons                                                                            | 401     401     401     403     403     403     202     403     403     403
GET /api/v0/crons/onlinegc                                                                    | 401     401     401     403     403     403     200     403     403     403
DELETE /api/v0/crons/onlinegc                                                                 | 401     401     401     403     403     403     501     403     403     403
GET /api/v0/events                                                                            | 401     401     401     200     200     200     200     200     200     200
GET /api/v0/imagescan/layeroverride                                                           | 401     401     401     200     200     200     200     200     200     200
DELETE /api/v0/imagescan/layeroverride/00000000-0000-4000-8000-000000000000                   | 401     401     401     403     403     403     400     403     403     403
POST /api/v0/imagescan/layeroverride/sha256:layer                                             | 401     401     401     403     403     403     400     403     403     403
GET /api/v0/imagescan/repositories/{repo}/{tag}                                               | 401     401     401     404     404     200/404 200/404 200/404 200/404 401
POST /api/v0/imagescan/scan                                                                   | 401     401     401     403     403     403     400     403     403     403
POST /api/v0/repositories/scan/toggle                                                         | 401     401     401     403     403     403     200     403     403     403
PUT /api/v0/imagescan/scan/update                                                             | 401     401     401     403     403     403     400     403     403     403
POST /api/v0/imagescan/scan/{repo}/{tag}/linux/amd64                                          | 401     401     401     404     404     400/404 400/404 400/404 401     401
GET /api/v0/imagescan/scansummary/cve/CVE-2026-0001                                           | 401     401     401     400     400     400     400     400     400     400
GET /api/v0/imagescan/scansummary/repositories/{repo}/{tag}                                   | 401     401     401     404     404     200/404 200/404 200/404 200/404 401
GET /api/v0/imagescan/scansummary/repositories/{repo}/{tag}/export                            | 401     401     401     404     404     404     404     404     404     401
POST /api/v0/imagescan/scansummary/tags                                                       | 401     401     401     200     200     200     200     200     200     200
GET /api/v0/imagescan/status                                                                  | 401     401     401     200     200     200     200     200     200     200
GET /api/v0/index/autocomplete                                                                | 401     401     401     200     200     200     200     200     200     200
GET /api/v0/index/dockersearch                                                                | 401     401     401     200     200     200     200     200     200     200
GET /api/v0/jobs                                                                              | 401     401     401     403     403     403     200     403     403     403
POST /api/v0/jobs                                                                             | 401     401     401     403     403     403     202     403     403     403
GET /api/v0/jobs/00000000-0000-4000-8000-000000000000                                         | 401     401     401     403     403     403     404     403     403     403
DELETE /api/v0/jobs/00000000-0000-4000-8000-000000000000                                      | 401     401     401     403     403     403     404     403     403     403
POST /api/v0/jobs/00000000-0000-4000-8000-000000000000/cancel                                 | 401     401     401     403     403     403     404     403     403     403
GET /api/v0/jobs/00000000-0000-4000-8000-000000000000/logs                                    | 401     401     401     403     403     403     404     403     403     403
GET /api/v0/meta/alerts                                                                       | 401     401     401     200     200     200     200     200     200     200
GET /api/v0/meta/cluster_status                                                               | 401     401     401     403     403     403     200     403     403     403
GET /api/v0/meta/features                                                                     | 401     401     401     200     200     200     200     200     200     200
GET /api/v0/meta/settings                                                                     | 401     401     401     403     403     403     200     403     403     403
POST /api/v0/meta/settings                                                                    | 401     401     401     403     403     403     202     403     403     403
GET /api/v0/openapi.json                                                                      | 401     401     401     200     200     200     200     200     200     200
POST /api/v0/remote/registry                                                                  | 401     401     401     501     501     501     501     501     501     501
GET /api/v0/repositories                                                                      | 401     401     401     200     200     200     200     200     200     200
GET /api/v0/repositories/{namespace}                                                          | 401     401     401     200     200     200     200     200     200     200
POST /api/v0/repositories/{namespace}                                                         | 401     401     401     403     403     400/201 400/201 401     401     401
GET /api/v0/repositories/{account}/webhooks                                                   | 401     401     401     403/404 403/404 200/404 200/404 401     401     401
GET /api/v0/repositories/{repo}                                                               | 401     401     401     404     404     200/404 200/404 200/404 200/404 401
PATCH /api/v0/repositories/{repo}                                                             | 401     401     401     404     404     200/404 200/404 401     401     401
DELETE /api/v0/repositories/{repo}                                                            | 401     401     401     404     404     204     204     401     401     401
GET /api/v0/repositories/{repo}/events                                                        | 401     401     401     404     404     200/404 200/404 200/404 200/404 401
GET /api/v0/repositories/{repo}/manifests                                                     | 401     401     401     404     404     200/404 200/404 200/404 200/404 401
DELETE /api/v0/repositories/{repo}/manifests/{digest}                                         | 401     401     401     404     404     204/404 204/404 204/404 401     401
GET /api/v0/repositories/{repo}/mirroringPolicies                                             | 401     401     401     404     404     200/404 200/404 401     401     401
DELETE /api/v0/repositories/{repo}/mirroringPolicies                                          | 401     401     401     404     404     404     404     401     401     401
GET /api/v0/repositories/{repo}/pollMirroringPolicies                                         | 401     401     401     404     404     200/404 200/404 401     401     401
POST /api/v0/repositories/{repo}/pollMirroringPolicies                                        | 401     401     401     404     404     501/404 501/404 401     401     401
GET /api/v0/repositories/{repo}/pollMirroringPolicies/00000000-0000-4000-8000-000000000000    | 401     401     401     404     404     404     404     401     401     401
PUT /api/v0/repositories/{repo}/pollMirroringPolicies/00000000-0000-4000-8000-000000000000    | 401     401     401     404     404     404     404     401     401     401
DELETE /api/v0/repositories/{repo}/pollMirroringPolicies/00000000-0000-4000-8000-000000000000 | 401     401     401     404     404     404     404     401     401     401
GET /api/v0/repositories/{repo}/promotionPolicies                                             | 401     401     401     404     404     200/404 200/404 401     401     401
POST /api/v0/repositories/{repo}/promotionPolicies                                            | 401     401     401     404     404     501/404 501/404 401     401     401
GET /api/v0/repositories/{repo}/promotionPolicies/00000000-0000-4000-8000-000000000000        | 401     401     401     404     404     404     404     401     401     401
PUT /api/v0/repositories/{repo}/promotionPolicies/00000000-0000-4000-8000-000000000000        | 401     401     401     404     404     404     404     401     401     401
DELETE /api/v0/repositories/{repo}/promotionPolicies/00000000-0000-4000-8000-000000000000     | 401     401     401     404     404     404     404     401     401     401
GET /api/v0/repositories/{repo}/pruningPolicies                                               | 401     401     401     404     404     200/404 200/404 401     401     401
POST /api/v0/repositories/{repo}/pruningPolicies                                              | 401     401     401     404     404     501/404 501/404 401     401     401
GET /api/v0/repositories/{repo}/pruningPolicies/00000000-0000-4000-8000-000000000000          | 401     401     401     404     404     404     404     401     401     401
PUT /api/v0/repositories/{repo}/pruningPolicies/00000000-0000-4000-8000-000000000000          | 401     401     401     404     404     404     404     401     401     401
DELETE /api/v0/repositories/{repo}/pruningPolicies/00000000-0000-4000-8000-000000000000       | 401     401     401     404     404     404     404     401     401     401
POST /api/v0/repositories/{repo}/pruningPolicies/test                                         | 401     401     401     404     404     501/404 501/404 401     401     401
GET /api/v0/repositories/{repo}/pruningPolicies/test                                          | 401     401     401     404     404     501/404 501/404 401     401     401
GET /api/v0/repositories/{repo}/pushMirroringPolicies                                         | 401     401     401     404     404     200/404 200/404 401     401     401
POST /api/v0/repositories/{repo}/pushMirroringPolicies                                        | 401     401     401     404     404     501/404 501/404 401     401     401
GET /api/v0/repositories/{repo}/pushMirroringPolicies/00000000-0000-4000-8000-000000000000    | 401     401     401     404     404     404     404     401     401     401
PUT /api/v0/repositories/{repo}/pushMirroringPolicies/00000000-0000-4000-8000-000000000000    | 401     401     401     404     404     404     404     401     401     401
DELETE /api/v0/repositories/{repo}/pushMirroringPolicies/00000000-0000-4000-8000-000000000000 | 401     401     401     404     404     404     404     401     401     401
GET /api/v0/repositories/{repo}/tags                                                          | 401     401     401     404     404     200/404 200/404 200/404 200/404 401
GET /api/v0/repositories/{repo}/tags/{tag}                                                    | 401     401     401     404     404     200/404 200/404 200/404 200/404 401
DELETE /api/v0/repositories/{repo}/tags/{tag}                                                 | 401     401     401     404     404     204/404 204/404 204/404 401     401
POST /api/v0/repositories/{repo}/tags/{tag}/promotion                                         | 401     401     401     404     404     501/404 501/404 401     401     401
POST /api/v0/repositories/{repo}/tags/{tag}/pushMirroring                                     | 401     401     401     404     404     501/404 501/404 401     401     401
DELETE /api/v0/repositories/{repo}/tags/{tag}?force=true                                      | 401     401     401     404     404     403     204/404 403     401     401
GET /api/v0/repositories/{repo}/teamAccess                                                    | 401     401     401     404     404     400/404 400/404 401     401     401
PUT /api/v0/repositories/{repo}/teamAccess/{team}                                             | 401     401     401     404     404     400/404 400/404 401     401     401
DELETE /api/v0/repositories/{repo}/teamAccess/{team}                                          | 401     401     401     404     404     400/404 400/404 401     401     401
GET /api/v0/repositories/{repo}/webhooks                                                      | 401     401     401     404     404     200/404 200/404 401     401     401
GET /api/v0/repositoryNamespaces/{organization}/teamAccess                                    | 401     401     401     404     404     200/404 200/404 401     401     401
GET /api/v0/repositoryNamespaces/{organization}/teamAccess/{team}                             | 401     401     401     404     404     200/404 200/404 401     401     401
PUT /api/v0/repositoryNamespaces/{organization}/teamAccess/{team}                             | 401     401     401     404     404     200/404 200/404 401     401     401
DELETE /api/v0/repositoryNamespaces/{organization}/teamAccess/{team}                          | 401     401     401     404     404     204     204     401     401     401
GET /api/v0/webhooks                                                                          | 401     401     401     200     200     200     200     200     200     200
POST /api/v0/webhooks                                                                         | 401     401     401     501     501     501     501     501     501     501
DELETE /api/v0/webhooks/00000000-0000-4000-8000-000000000000                                  | 401     401     401     404     404     404     404     404     404     404
POST /api/v0/webhooks/test                                                                    | 401     401     401     501     501     501     501     501     501     501
POST /api/v0/webhooks/update                                                                  | 401     401     401     501     501     501     501     501     501     501
GET /api/v0/workers                                                                           | 401     401     401     403     403     403     200     403     403     403
POST /api/v0/workers/00000000-0000-4000-8000-000000000000/capacity                            | 401     401     401     403     403     403     501     403     403     403
GET /enzi/v0/accounts                                                                         | 401     401     401     200     200     200     200     401     401     401
POST /enzi/v0/accounts                                                                        | 401     401     401     403     403     403     201     403     403     403
GET /enzi/v0/accounts/{account}                                                               | 401     401     401     200/404 200/404 200/404 200/404 401     401     401
PATCH /enzi/v0/accounts/{account}                                                             | 401     401     401     403/404 403/404 200/404 200/404 401     401     401
DELETE /enzi/v0/accounts/{account}                                                            | 401     401     401     403     403     403     204/404 403     403     403
GET /enzi/v0/accounts/{account}/organizations                                                 | 401     401     401     403/404 403/404 200/404 200/404 401     401     401
GET /enzi/v0/accounts/{organization}/members                                                  | 401     401     401     404     404     200/404 200/404 401     401     401
GET /enzi/v0/accounts/{organization}/members/{member}                                         | 401     401     401     404     404     200/404 200/404 401     401     401
PUT /enzi/v0/accounts/{organization}/members/{member}                                         | 401     401     401     404     404     200/404 200/404 401     401     401
DELETE /enzi/v0/accounts/{organization}/members/{member}                                      | 401     401     401     404     404     204/404 204/404 401     401     401
GET /enzi/v0/accounts/{organization}/teams                                                    | 401     401     401     404     404     200/404 200/404 401     401     401
POST /enzi/v0/accounts/{organization}/teams                                                   | 401     401     401     404     404     201/404 201/404 401     401     401
GET /enzi/v0/accounts/{organization}/teams/{team}                                             | 401     401     401     404     404     200/404 200/404 401     401     401
PATCH /enzi/v0/accounts/{organization}/teams/{team}                                           | 401     401     401     404     404     200/404 200/404 401     401     401
DELETE /enzi/v0/accounts/{organization}/teams/{team}                                          | 401     401     401     404     404     204/404 204/404 401     401     401
GET /enzi/v0/accounts/{organization}/teams/{team}/members                                     | 401     401     401     404     404     200/404 200/404 401     401     401
GET /enzi/v0/accounts/{organization}/teams/{team}/members/{member}                            | 401     401     401     404     404     200/404 200/404 401     401     401
PUT /enzi/v0/accounts/{organization}/teams/{team}/members/{member}                            | 401     401     401     404     404     200/404 200/404 401     401     401
DELETE /enzi/v0/accounts/{organization}/teams/{team}/members/{member}                         | 401     401     401     404     404     204/404 204/404 401     401     401
POST /enzi/v0/id/login                                                                        | 401     401     401     401     401     401     401     401     401     401
POST /enzi/v0/id/logout                                                                       | 204     401     401     204     204     204     204     204     204     204
";

/// The same by those who are in a team, and by personal access tokens.
pub(super) const API_GRANTED: &str = "
                                                                                              | reader  writer  manager personal perpull perother
GET /api/v0/accounts/language                                                                 | 200     200     200     200     200     200
DELETE /api/v0/accounts/{account}                                                             | 403     403     403     403     403     403
DELETE /api/v0/accounts/{account}/repositories                                                | 403     403     403     403     403     403
GET /api/v0/accounts/{account}/repositoryAccess/{repo}                                        | 403     403     200/404 200/404 200/404 404
GET /api/v0/accounts/{account}/settings                                                       | 403/404 403/404 403/404 200/404 403     403
PATCH /api/v0/accounts/{account}/settings                                                     | 403/404 403/404 403/404 200/404 403     403
GET /api/v0/accounts/{account}/webhooks                                                       | 403/404 403/404 403/404 200/404 403     403
GET /api/v0/accounts/{organization}/teams/{team}/repositoryAccess                             | 200/404 200/404 200/404 200/404 403     403
GET /api/v0/action_configs                                                                    | 403     403     403     403     403     403
GET /api/v0/admin/settings/registry                                                           | 403     403     403     403     403     403
PUT /api/v0/admin/settings/registry                                                           | 403     403     403     403     403     403
GET /api/v0/admin/version                                                                     | 200     200     200     200     200     200
GET /api/v0/api_tokens                                                                        | 200     200     200     200     403     403
POST /api/v0/api_tokens                                                                       | 200     200     200     200     403     403
DELETE /api/v0/api_tokens                                                                     | 200     200     200     200     403     403
GET /api/v0/api_tokens/{token}                                                                | 404     404     404     200/404 403     403
PATCH /api/v0/api_tokens/{token}                                                              | 404     404     404     200/404 403     403
DELETE /api/v0/api_tokens/{token}                                                             | 404     404     404     200/404 403     403
GET /api/v0/content_caches                                                                    | 403     403     403     403     403     403
POST /api/v0/content_caches                                                                   | 403     403     403     403     403     403
DELETE /api/v0/content_caches/00000000-0000-4000-8000-000000000000                            | 403     403     403     403     403     403
GET /api/v0/crons                                                                             | 403     403     403     403     403     403
POST /api/v0/crons                                                                            | 403     403     403     403     403     403
GET /api/v0/crons/onlinegc                                                                    | 403     403     403     403     403     403
DELETE /api/v0/crons/onlinegc                                                                 | 403     403     403     403     403     403
GET /api/v0/events                                                                            | 200     200     200     200     200     200
GET /api/v0/imagescan/layeroverride                                                           | 200     200     200     200     200     200
DELETE /api/v0/imagescan/layeroverride/00000000-0000-4000-8000-000000000000                   | 403     403     403     403     403     403
POST /api/v0/imagescan/layeroverride/sha256:layer                                             | 403     403     403     403     403     403
GET /api/v0/imagescan/repositories/{repo}/{tag}                                               | 200/404 200/404 200/404 200/404 200/404 404
POST /api/v0/imagescan/scan                                                                   | 403     403     403     403     403     403
POST /api/v0/repositories/scan/toggle                                                         | 403     403     403     403     403     403
PUT /api/v0/imagescan/scan/update                                                             | 403     403     403     403     403     403
POST /api/v0/imagescan/scan/{repo}/{tag}/linux/amd64                                          | 403     400/404 400/404 400/404 403     404
GET /api/v0/imagescan/scansummary/cve/CVE-2026-0001                                           | 400     400     400     400     400     400
GET /api/v0/imagescan/scansummary/repositories/{repo}/{tag}                                   | 200/404 200/404 200/404 200/404 200/404 404
GET /api/v0/imagescan/scansummary/repositories/{repo}/{tag}/export                            | 404     404     404     404     404     404
POST /api/v0/imagescan/scansummary/tags                                                       | 200     200     200     200     200     200
GET /api/v0/imagescan/status                                                                  | 200     200     200     200     200     200
GET /api/v0/index/autocomplete                                                                | 200     200     200     200     200     200
GET /api/v0/index/dockersearch                                                                | 200     200     200     200     200     200
GET /api/v0/jobs                                                                              | 403     403     403     403     403     403
POST /api/v0/jobs                                                                             | 403     403     403     403     403     403
GET /api/v0/jobs/00000000-0000-4000-8000-000000000000                                         | 403     403     403     403     403     403
DELETE /api/v0/jobs/00000000-0000-4000-8000-000000000000                                      | 403     403     403     403     403     403
POST /api/v0/jobs/00000000-0000-4000-8000-000000000000/cancel                                 | 403     403     403     403     403     403
GET /api/v0/jobs/00000000-0000-4000-8000-000000000000/logs                                    | 403     403     403     403     403     403
GET /api/v0/meta/alerts                                                                       | 200     200     200     200     200     200
GET /api/v0/meta/cluster_status                                                               | 403     403     403     403     403     403
GET /api/v0/meta/features                                                                     | 200     200     200     200     200     200
GET /api/v0/meta/settings                                                                     | 403     403     403     403     403     403
POST /api/v0/meta/settings                                                                    | 403     403     403     403     403     403
GET /api/v0/openapi.json                                                                      | 200     200     200     200     200     200
POST /api/v0/remote/registry                                                                  | 501     501     501     501     501     501
GET /api/v0/repositories                                                                      | 200     200     200     200     200     200
GET /api/v0/repositories/{namespace}                                                          | 200     200     200     200     200     200
POST /api/v0/repositories/{namespace}                                                         | 403     400/201 400/201 400/201 403     403
GET /api/v0/repositories/{account}/webhooks                                                   | 403/404 403/404 403/404 200/404 403     403
GET /api/v0/repositories/{repo}                                                               | 200/404 200/404 200/404 200/404 200/404 404
PATCH /api/v0/repositories/{repo}                                                             | 403     403     200/404 200/404 403     404
DELETE /api/v0/repositories/{repo}                                                            | 403     403     204     204     403     404
GET /api/v0/repositories/{repo}/events                                                        | 200/404 200/404 200/404 200/404 200/404 404
GET /api/v0/repositories/{repo}/manifests                                                     | 200/404 200/404 200/404 200/404 200/404 404
DELETE /api/v0/repositories/{repo}/manifests/{digest}                                         | 403     204/404 204/404 204/404 403     404
GET /api/v0/repositories/{repo}/mirroringPolicies                                             | 403     403     200/404 200/404 403     404
DELETE /api/v0/repositories/{repo}/mirroringPolicies                                          | 403     403     404     404     403     404
GET /api/v0/repositories/{repo}/pollMirroringPolicies                                         | 403     403     200/404 200/404 403     404
POST /api/v0/repositories/{repo}/pollMirroringPolicies                                        | 403     403     501/404 501/404 403     404
GET /api/v0/repositories/{repo}/pollMirroringPolicies/00000000-0000-4000-8000-000000000000    | 403     403     404     404     403     404
PUT /api/v0/repositories/{repo}/pollMirroringPolicies/00000000-0000-4000-8000-000000000000    | 403     403     404     404     403     404
DELETE /api/v0/repositories/{repo}/pollMirroringPolicies/00000000-0000-4000-8000-000000000000 | 403     403     404     404     403     404
GET /api/v0/repositories/{repo}/promotionPolicies                                             | 403     403     200/404 200/404 403     404
POST /api/v0/repositories/{repo}/promotionPolicies                                            | 403     403     501/404 501/404 403     404
GET /api/v0/repositories/{repo}/promotionPolicies/00000000-0000-4000-8000-000000000000        | 403     403     404     404     403     404
PUT /api/v0/repositories/{repo}/promotionPolicies/00000000-0000-4000-8000-000000000000        | 403     403     404     404     403     404
DELETE /api/v0/repositories/{repo}/promotionPolicies/00000000-0000-4000-8000-000000000000     | 403     403     404     404     403     404
GET /api/v0/repositories/{repo}/pruningPolicies                                               | 403     403     200/404 200/404 403     404
POST /api/v0/repositories/{repo}/pruningPolicies                                              | 403     403     501/404 501/404 403     404
GET /api/v0/repositories/{repo}/pruningPolicies/00000000-0000-4000-8000-000000000000          | 403     403     404     404     403     404
PUT /api/v0/repositories/{repo}/pruningPolicies/00000000-0000-4000-8000-000000000000          | 403     403     404     404     403     404
DELETE /api/v0/repositories/{repo}/pruningPolicies/00000000-0000-4000-8000-000000000000       | 403     403     404     404     403     404
POST /api/v0/repositories/{repo}/pruningPolicies/test                                         | 403     403     501/404 501/404 403     404
GET /api/v0/repositories/{repo}/pruningPolicies/test                                          | 403     403     501/404 501/404 403     404
GET /api/v0/repositories/{repo}/pushMirroringPolicies                                         | 403     403     200/404 200/404 403     404
POST /api/v0/repositories/{repo}/pushMirroringPolicies                                        | 403     403     501/404 501/404 403     404
GET /api/v0/repositories/{repo}/pushMirroringPolicies/00000000-0000-4000-8000-000000000000    | 403     403     404     404     403     404
PUT /api/v0/repositories/{repo}/pushMirroringPolicies/00000000-0000-4000-8000-000000000000    | 403     403     404     404     403     404
DELETE /api/v0/repositories/{repo}/pushMirroringPolicies/00000000-0000-4000-8000-000000000000 | 403     403     404     404     403     404
GET /api/v0/repositories/{repo}/tags                                                          | 200/404 200/404 200/404 200/404 200/404 404
GET /api/v0/repositories/{repo}/tags/{tag}                                                    | 200/404 200/404 200/404 200/404 200/404 404
DELETE /api/v0/repositories/{repo}/tags/{tag}                                                 | 403     204/404 204/404 204/404 403     404
POST /api/v0/repositories/{repo}/tags/{tag}/promotion                                         | 403     403     501/404 501/404 403     404
POST /api/v0/repositories/{repo}/tags/{tag}/pushMirroring                                     | 403     403     501/404 501/404 403     404
DELETE /api/v0/repositories/{repo}/tags/{tag}?force=true                                      | 403     403     403     403     403     404
GET /api/v0/repositories/{repo}/teamAccess                                                    | 403     403     200/404 400/404 403     404
PUT /api/v0/repositories/{repo}/teamAccess/{team}                                             | 403     403     200/404 400/404 403     404
DELETE /api/v0/repositories/{repo}/teamAccess/{team}                                          | 403     403     204/404 400/404 403     404
GET /api/v0/repositories/{repo}/webhooks                                                      | 403     403     200/404 200/404 403     404
GET /api/v0/repositoryNamespaces/{organization}/teamAccess                                    | 403/404 403/404 403/404 200/404 403     403
GET /api/v0/repositoryNamespaces/{organization}/teamAccess/{team}                             | 403     403     403     200/404 403     403
PUT /api/v0/repositoryNamespaces/{organization}/teamAccess/{team}                             | 403     403     403     200/404 403     403
DELETE /api/v0/repositoryNamespaces/{organization}/teamAccess/{team}                          | 403     403     403     204     403     403
GET /api/v0/webhooks                                                                          | 200     200     200     200     200     200
POST /api/v0/webhooks                                                                         | 501     501     501     501     501     501
DELETE /api/v0/webhooks/00000000-0000-4000-8000-000000000000                                  | 404     404     404     404     404     404
POST /api/v0/webhooks/test                                                                    | 501     501     501     501     501     501
POST /api/v0/webhooks/update                                                                  | 501     501     501     501     501     501
GET /api/v0/workers                                                                           | 403     403     403     403     403     403
POST /api/v0/workers/00000000-0000-4000-8000-000000000000/capacity                            | 403     403     403     403     403     403
GET /enzi/v0/accounts                                                                         | 200     200     200     200     403     403
POST /enzi/v0/accounts                                                                        | 403     403     403     403     403     403
GET /enzi/v0/accounts/{account}                                                               | 200/404 200/404 200/404 200/404 403     403
PATCH /enzi/v0/accounts/{account}                                                             | 403/404 403/404 403/404 200/404 403     403
DELETE /enzi/v0/accounts/{account}                                                            | 403     403     403     403     403     403
GET /enzi/v0/accounts/{account}/organizations                                                 | 403/404 403/404 403/404 200/404 403     403
GET /enzi/v0/accounts/{organization}/members                                                  | 200/404 200/404 200/404 200/404 403     403
GET /enzi/v0/accounts/{organization}/members/{member}                                         | 200/404 200/404 200/404 200/404 403     403
PUT /enzi/v0/accounts/{organization}/members/{member}                                         | 403     403     403     200/404 403     403
DELETE /enzi/v0/accounts/{organization}/members/{member}                                      | 403     403     403     204/404 403     403
GET /enzi/v0/accounts/{organization}/teams                                                    | 200/404 200/404 200/404 200/404 403     403
POST /enzi/v0/accounts/{organization}/teams                                                   | 403/404 403/404 403/404 201/404 403     403
GET /enzi/v0/accounts/{organization}/teams/{team}                                             | 200/404 200/404 200/404 200/404 403     403
PATCH /enzi/v0/accounts/{organization}/teams/{team}                                           | 403     403     403     200/404 403     403
DELETE /enzi/v0/accounts/{organization}/teams/{team}                                          | 403     403     403     204/404 403     403
GET /enzi/v0/accounts/{organization}/teams/{team}/members                                     | 200/404 200/404 200/404 200/404 403     403
GET /enzi/v0/accounts/{organization}/teams/{team}/members/{member}                            | 200/404 200/404 200/404 200/404 403     403
PUT /enzi/v0/accounts/{organization}/teams/{team}/members/{member}                            | 403     403     403     200/404 403     403
DELETE /enzi/v0/accounts/{organization}/teams/{team}/members/{member}                         | 403     403     403     204/404 403     403
POST /enzi/v0/id/login                                                                        | 401     401     401     401     401     401
POST /enzi/v0/id/logout                                                                       | 204     204     204     204     204     204
";

/// Everything else that is no page: the token service, how to trust, health, figures.
pub(super) const SITE: &str = "
                  | nobody  stale   wrong   stranger foreign owner   admin   token
GET /auth/token   | 200     400     401     200     200     200     200     400
POST /auth/token  | 400     400     401     200     200     200     200     400
GET /ca           | 200     200     200     200     200     200     200     200
GET /ca.crt       | 200     200     200     200     200     200     200     200
GET /trust.sh     | 200     200     200     200     200     200     200     200
GET /trust        | 200     200     200     200     200     200     200     200
GET /healthz      | 200     200     200     200     200     200     200     200
GET /readyz       | 200     200     200     200     200     200     200     200
GET /_ping        | 200     200     200     200     200     200     200     200
GET /v1/_ping     | 200     200     200     200     200     200     200     200
GET /health       | 200     200     200     200     200     200     200     200
GET /metrics      | 401     401     401     403     403     403     200     403
GET /nginx_status | 401     401     401     403     403     403     200     403
";

/// The pages, by session.
pub(super) const PAGES: &str = "
                                               | nobody  stale   stranger foreign owner   admin
GET /                                          | 303     303     303     303     303     303
GET /login                                     | 200     200     303     303     303     303
POST /login                                    | 401     403     401     401     401     401
POST /logout                                   | 303     303     303     303     303     303
GET /welcome                                   | 303     303     403     403     403     200
GET /account                                   | 303     303     200     200     200     200
POST /account/password                         | 403     403     400     400     400     400
POST /account/prefs                            | 303     403     303     303     303     303
GET /account/tokens                            | 303     303     200     200     200     200
POST /account/tokens                           | 403     403     400     400     400     400
GET /account/tokens/{token}                    | 303     303     404     404     200/404 404
POST /account/tokens/{token}                   | 403     403     404     404     303/404 404
GET /account/tokens/{token}/deactivate         | 303     303     404     404     200/404 404
POST /account/tokens/{token}/deactivate        | 403     403     404     404     303/404 404
GET /account/tokens/{token}/activate           | 303     303     404     404     200/404 404
POST /account/tokens/{token}/activate          | 403     403     404     404     303/404 404
GET /account/tokens/{token}/revoke             | 303     303     404     404     200/404 404
POST /account/tokens/{token}/revoke            | 403     403     404     404     303/404 404
GET /account/sessions                          | 303     303     200     200     200     200
POST /account/sessions/end                     | 403     403     404     404     303/404 404
GET /system                                    | 303     303     403     403     403     200
GET /system/storage                            | 303     303     403     403     403     200
POST /system/storage/collect                   | 403     403     403     403     403     303
GET /system/certificate                        | 303     303     403     403     403     200
POST /system/certificate/names                 | 403     403     403     403     403     400
GET /system/about                              | 303     303     403     403     403     200
GET /docs/applications                         | 200     200     200     200     200     200
GET /docs/api                                  | 200     200     200     200     200     200
GET /docs/accounts                             | 200     200     200     200     200     200
GET /activity                                  | 303     303     200     200     200     200
GET /users                                     | 303     303     403     403     403     200
POST /users                                    | 403     403     403     403     403     303/409
GET /users/{account}                           | 303     303     404     404     200/404 200/404
POST /users/{account}/change                   | 403     403     403     403     403     303/404
POST /users/{account}/password                 | 403     403     403     403     403     400/404
POST /users/{account}/tokens                   | 403     403     403     403     403     400/404
GET /users/{account}/delete                    | 303     303     403     403     403     200/404
POST /users/{account}/delete                   | 403     403     403     403     403     303/404
GET /orgs                                      | 303     303     200     200     200     200
POST /orgs                                     | 403     403     403     403     403     303/409
GET /orgs/{organization}                       | 303     303     404     404     200/404 200/404
POST /orgs/{organization}/members              | 403     403     404     404     303/404 303/404
POST /orgs/{organization}/teams                | 403     403     404     404     303/404 303/404
GET /orgs/{organization}/delete                | 303     303     404     404     200/404 200/404
POST /orgs/{organization}/delete               | 403     403     404     404     409/404 409/404
GET /orgs/{organization}/teams/{team}          | 303     303     404     404     200/404 200/404
POST /orgs/{organization}/teams/{team}/change  | 403     403     404     404     303/404 303/404
POST /orgs/{organization}/teams/{team}/members | 403     403     404     404     303/404 303/404
POST /orgs/{organization}/teams/{team}/grants  | 403     403     404     404     303/404 303/404
GET /orgs/{organization}/teams/{team}/delete   | 303     303     404     404     200/404 200/404
POST /orgs/{organization}/teams/{team}/delete  | 403     403     404     404     303/404 303/404
GET /repositories                              | 303     303     200     200     200     200
POST /repositories                             | 403     403     403     403     409/303 409/303
GET /search?q={repo}                           | 303     303     200     200     200     200
GET /r/{repo}                                  | 303     303     404     404     200/404 200/404
GET /r/{repo}/-/tags                           | 303     303     404     404     200/404 200/404
GET /r/{repo}/-/settings                       | 303     303     404     404     200/404 200/404
POST /r/{repo}/-/settings                      | 403     403     404     404     303/404 303/404
GET /r/{repo}/-/access                         | 303     303     404     404     200/404 200/404
POST /r/{repo}/-/access/change                 | 403     403     404     404     303/404 303/404
GET /r/{repo}/-/activity                       | 303     303     404     404     200/404 200/404
GET /r/{repo}/-/delete                         | 303     303     404     404     200/404 200/404
POST /r/{repo}/-/delete                        | 403     403     404     404     303/404 303/404
GET /r/{repo}/-/delete-tags                    | 303     303     404     404     400     400
POST /r/{repo}/-/delete-tags                   | 403     403     404     404     400     400
GET /r/{repo}/-/tags/{tag}                     | 303     303     404     404     200/404 200/404
GET /r/{repo}/-/digests/{digest}               | 303     303     404     404     200/404 200/404
GET /r/{repo}/-/tags/{tag}/components          | 303     303     404     404     404     404
GET /r/{repo}/-/tags/{tag}/parameters          | 303     303     404     404     404     404
GET /r/{repo}/-/tags/{tag}/bundle              | 303     303     404     404     404     404
GET /r/{repo}/-/tags/{tag}/platforms           | 303     303     404     404     404     404
GET /r/{repo}/-/tags/{tag}/layers              | 303     303     404     404     200/404 200/404
GET /r/{repo}/-/tags/{tag}/config              | 303     303     404     404     200/404 200/404
GET /r/{repo}/-/tags/{tag}/history             | 303     303     404     404     200/404 200/404
GET /r/{repo}/-/tags/{tag}/files               | 303     303     404     404     404     404
GET /r/{repo}/-/tags/{tag}/referrers           | 303     303     404     404     200/404 200/404
GET /r/{repo}/-/tags/{tag}/raw                 | 303     303     404     404     200/404 200/404
GET /r/{repo}/-/tags/{tag}/delete              | 303     303     404     404     200/404 200/404
POST /r/{repo}/-/tags/{tag}/delete             | 403     403     404     404     409/404 409/404
";
