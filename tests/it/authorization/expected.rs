//! The expected answers: requests by classes of callers ([`Class`](super::callers::Class)). `200/404` is the answer where
//! the repository exists, and where it does not; so it is with `{user}`, who is nobody's but the administrators', and
//! `{org}`, which `alice` owns (for `foreign`: in which she is nothing). `{repo}` is a repository of `alice` (for `foreign`, of the other
//! tenant), `{own}` one to which the caller may push, `{known}` a digest that exists in `{repo}` or nowhere.

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

/// `/api/v0`: each endpoint of its table.
pub(super) const API: &str = "
                                                         | nobody  stale   wrong   stranger foreign owner   admin   token   pull    other
GET /api/v0/admin/version                                | 401     401     401     200     200     200     200     200     200     200
GET /api/v0/repositories                                 | 401     401     401     200     200     200     200     200     200     200
GET /api/v0/repositories/{namespace}                     | 401     401     401     200     200     200     200     200     200     200
POST /api/v0/repositories/{namespace}                    | 401     401     401     403     403     400/201 400/201 401     401     401
GET /api/v0/repositories/{repo}                          | 401     401     401     404     404     200/404 200/404 200/404 200/404 401
PATCH /api/v0/repositories/{repo}                        | 401     401     401     404     404     200/404 200/404 401     401     401
DELETE /api/v0/repositories/{repo}                       | 401     401     401     404     404     204     204     401     401     401
GET /api/v0/repositories/{repo}/tags                     | 401     401     401     404     404     200/404 200/404 200/404 200/404 401
GET /api/v0/repositories/{repo}/tags/{tag}               | 401     401     401     404     404     200/404 200/404 200/404 200/404 401
DELETE /api/v0/repositories/{repo}/tags/{tag}            | 401     401     401     404     404     204/404 204/404 204/404 401     401
DELETE /api/v0/repositories/{repo}/tags/{tag}?force=true | 401     401     401     404     404     403     204/404 403     401     401
GET /api/v0/repositories/{repo}/manifests                | 401     401     401     404     404     200/404 200/404 200/404 200/404 401
DELETE /api/v0/repositories/{repo}/manifests/{digest}    | 401     401     401     404     404     204/404 204/404 204/404 401     401
GET /api/v0/repositories/{repo}/events                   | 401     401     401     404     404     200/404 200/404 200/404 200/404 401
GET /api/v0/events                                       | 401     401     401     200     200     200     200     200     200     200
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
GET /activity                         | 303     303     200     200     200     200
GET /users                            | 303     303     403     403     403     200
POST /users                           | 403     403     403     403     403     303/409
GET /users/{user}                     | 303     303     404     404     404     200/404
POST /users/{user}/change             | 403     403     403     403     403     303/404
POST /users/{user}/password           | 403     403     403     403     403     400/404
POST /users/{user}/tokens             | 403     403     403     403     403     400/404
GET /users/{user}/delete              | 303     303     403     403     403     200/404
POST /users/{user}/delete             | 403     403     403     403     403     303/404
GET /orgs                             | 303     303     200     200     200     200
POST /orgs                            | 403     403     403     403     403     303/409
GET /orgs/{org}                       | 303     303     404     404     200/404 200/404
POST /orgs/{org}/members              | 403     403     404     404     303/404 303/404
POST /orgs/{org}/teams                | 403     403     404     404     303/404 303/404
GET /orgs/{org}/delete                | 303     303     404     404     200/404 200/404
POST /orgs/{org}/delete               | 403     403     404     404     303/404 303/404
GET /orgs/{org}/teams/dev             | 303     303     404     404     200/404 200/404
POST /orgs/{org}/teams/dev/change     | 403     403     404     404     303/404 303/404
POST /orgs/{org}/teams/dev/members    | 403     403     404     404     303/404 303/404
POST /orgs/{org}/teams/dev/grants     | 403     403     404     404     303/404 303/404
GET /orgs/{org}/teams/dev/delete      | 303     303     404     404     200/404 200/404
POST /orgs/{org}/teams/dev/delete     | 403     403     404     404     303/404 303/404
GET /repositories                     | 303     303     200     200     200     200
POST /repositories                    | 403     403     403     403     409/303 409/303
GET /search?q={repo}                  | 303     303     200     200     200     200
GET /r/{repo}                         | 303     303     404     404     200/404 200/404
GET /r/{repo}/-/tags                  | 303     303     404     404     200/404 200/404
GET /r/{repo}/-/settings              | 303     303     404     404     200/404 200/404
POST /r/{repo}/-/settings             | 403     403     404     404     303/404 303/404
GET /r/{repo}/-/access                | 303     303     404     404     200/404 200/404
POST /r/{repo}/-/access/change        | 403     403     404     404     303/404 303/404
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
