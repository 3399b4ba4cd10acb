//! The web pages of a store with many tags and repositories: their time, and what a first visit transfers.

use super::{Bench, Row, lists};
use crate::client::{Answer, Connection};
use crate::content::Blob;
use crate::load::{self, Load, Request, Way, runtime};
use crate::measure::{Asked, Fact, Meter, Unit};
use crate::seed::TAGS;
use crate::targets::{OURS, Place, Role, Scheme, Target};
use crate::{Error, Result};

const LISTS: &str = "page of";
const DETAILS: &str = "page of an application";
const COLD: &str = "first visit to the tags page";

/// What the rows and facts here are called.
pub(super) const NAMES: &[&str] = &[LISTS, DETAILS, COLD];

/// CPU in µs for each page, and its time in ms.
const ASKED: [Asked; 2] = [Asked::CpuAtMost(5000.0), Asked::P99AtMost(5.0)];

/// What each list can be sorted by.
const SORTS: [&str; 3] = ["pushed", "name", "size"];

const APPLICATION: &str = "bench/application";
/// A repository of images as others push them: complete, for a platform.
const IMAGES: &str = "bench/images";
/// Components of the application.
const COMPONENTS: u64 = 8;

/// The pages, as somebody who is signed in sees them.
pub(super) struct Pages {
    cookie: String,
    rows: Vec<(String, Vec<String>)>,
    cold: f64,
}

/// Signs in, and looks for the middle of each list as a reader would: by the links.
pub(super) fn prepare(bench: &Bench<'_>, targets: &[&Target]) -> Result<Option<Pages>> {
    let ours = targets.iter().find(|target| target.role == Role::Ours);
    let Some((target, place)) = ours.and_then(|target| Some((target, target.place(Scheme::Https)?))) else {
        return Ok(None);
    };
    if !bench.want(NAMES) {
        return Ok(None);
    }
    push_application(target, place)?;
    push_images(target, place)?;
    runtime()?.block_on(async {
        let mut visitor = Visitor::sign_in(target, place).await?;
        let count = lists::size(bench.options);
        let mut rows = Vec::new();
        for (what, list) in [("tags", format!("/r/{TAGS}/-/tags")), ("repositories", "/repositories".to_owned())] {
            for sort in SORTS {
                let first = format!("{list}?sort={sort}");
                let middle = visitor.middle(&first, count).await?;
                rows.push((
                    format!("{LISTS} {count} {what} by {sort}, the first and the middle one"),
                    vec![first, middle],
                ));
            }
            // The rarest name: as much as a page looks through.
            let rare = if what == "tags" { "9999" } else { "repo09999" };
            rows.push((format!("{LISTS} {count} {what} with {rare} in the name"), vec![format!("{list}?q={rare}")]));
            rows.push((format!("{LISTS} {count} {what}, 500 rows"), vec![format!("{list}?rows=500")]));
        }
        rows.push((format!("{DETAILS} of {COMPONENTS} components"), vec![format!("/r/{APPLICATION}/-/tags/1.0.0")]));
        for path in rows.iter().flat_map(|(_, paths)| paths) {
            visitor.get(path).await?;
        }
        let cold = visitor.cold(&format!("/r/{IMAGES}/-/tags")).await?;
        Ok(Some(Pages { cookie: visitor.cookie, rows, cold }))
    })
}

impl Pages {
    pub(super) fn rows<'r>(&self, bench: &'r Bench<'_>) -> Vec<Row<'r>> {
        let row = |(name, paths): &(String, Vec<String>)| {
            let (paths, cookie) = (paths.clone(), self.cookie.clone());
            let run = move |target: &Target, _| {
                let place = target.place(Scheme::Https).filter(|_| target.role == Role::Ours);
                let Some(place) = place else { return Ok(None) };
                let load = Load {
                    connections: 1,
                    duration: bench.options.duration(),
                    requests: paths.iter().map(|path| Request { method: "GET", path: path.clone() }).collect(),
                    headers: cookie.clone(),
                    way: Way::Kept,
                };
                load::requests(&place.endpoint, &load, 1, &mut Meter::on(place.pid)).map(Some)
            };
            Row { name: name.clone(), unit: Unit::Requests, asked: ASKED.to_vec(), run: Box::new(run) }
        };
        self.rows.iter().map(row).collect()
    }

    /// What a browser without a cache transfers for the tags page.
    pub(super) fn cold(&self) -> Fact {
        Fact {
            name: COLD.to_owned(),
            unit: "kB",
            values: vec![(OURS.to_owned(), self.cold)],
            at_most: Some(45.0),
            asked: "≤ 45 kB".to_owned(),
        }
    }
}

/// A browser, as far as it matters here.
struct Visitor<'p> {
    place: &'p Place,
    connection: Connection,
    /// The header line with its cookies.
    cookie: String,
}

impl<'p> Visitor<'p> {
    async fn sign_in(target: &Target, place: &'p Place) -> Result<Self> {
        let mut visitor = Self { place, connection: Connection::open(&place.endpoint).await?, cookie: String::new() };
        let form = visitor.get("/login").await?;
        visitor.cookie = cookies(&form)?;
        let page = String::from_utf8_lossy(&form.body).into_owned();
        let csrf = between(&page, "name=\"csrf\" value=\"", "\"").ok_or("the sign-in page has no form")?;
        let (name, password) = target.account().ok_or("nobody has an account")?;
        let body = format!("csrf={csrf}&username={name}&password={password}");
        let headers = format!("{}Content-Type: application/x-www-form-urlencoded\r\n", visitor.cookie);
        let head = place.endpoint.head("POST", "/login", &headers, Some(body.len()));
        let answer = visitor.connection.ask(&head, body.as_bytes(), false).await?.expect(&[303])?;
        visitor.cookie = cookies(&answer)?;
        Ok(visitor)
    }

    async fn get(&mut self, path: &str) -> Result<Answer> {
        let headers = format!("{}Accept-Encoding: gzip, deflate, br\r\n", self.cookie);
        let head = self.place.endpoint.head("GET", path, &headers, None);
        let answer = self.connection.ask(&head, b"", false).await?.expect(&[200]);
        answer.map_err(|error| Error::from(format!("{path}: {error}")))
    }

    /// The page of the usual size in the middle of a list of `count`.
    async fn middle(&mut self, first: &str, count: usize) -> Result<String> {
        const STEP: usize = 500;
        let mut path = format!("{first}&rows={STEP}");
        let mut after = None;
        for _ in 0..(count / 2 / STEP).max(1) {
            let page = String::from_utf8(self.get(&path).await?.body)?;
            let next = between(&page, "rel=\"next\" href=\"", "\"").ok_or("a list ends before its middle")?;
            path = next.replace("&#38;", "&").replace("&amp;", "&");
            after = path.split(['?', '&']).find(|pair| pair.starts_with("after=")).map(str::to_owned);
        }
        Ok(format!("{first}&{}", after.ok_or("the next page has no place in the list")?))
    }

    /// kB of a page and everything that it loads, with their heads, as a browser asks for them whose user has typed the
    /// address.
    async fn cold(&mut self, path: &str) -> Result<f64> {
        let text = String::from_utf8(self.get(path).await?.body)?;
        let headers = format!("{}Accept-Encoding: gzip, deflate, br\r\nSec-Fetch-Site: none\r\n", self.cookie);
        let head = self.place.endpoint.head("GET", path, &headers, None);
        let mut bytes = self.connection.ask(&head, b"", false).await?.expect(&[200])?.size();
        let loaded = text.split(['"', '#']).filter(|word| word.starts_with("/a/"));
        for asset in loaded.collect::<std::collections::BTreeSet<_>>() {
            bytes += self.get(asset).await?.size();
        }
        Ok(bytes as f64 / 1000.0)
    }
}

/// The header line that sends the cookies of an answer back.
fn cookies(answer: &Answer) -> Result<String> {
    let set = answer.headers("set-cookie").filter_map(|cookie| cookie.split(';').next());
    let pairs: Vec<&str> = set.filter(|pair| !pair.ends_with('=')).collect();
    if pairs.is_empty() {
        return Err(Error::from("no cookie was set"));
    }
    Ok(format!("Cookie: {}\r\n", pairs.join("; ")))
}

fn between<'t>(text: &'t str, before: &str, behind: &str) -> Option<&'t str> {
    text.split_once(before)?.1.split_once(behind).map(|(between, _)| between)
}

/// More tags than the tags page has rows.
fn push_images(target: &Target, place: &Place) -> Result<()> {
    let headers = target.sign_in(&["repository:bench/images:pull,push"])?;
    runtime()?.block_on(async {
        let mut connection = Connection::open(&place.endpoint).await?;
        connection.push_blob(&place.endpoint, &headers, IMAGES, &Blob::config(), None).await?;
        for number in 0..60 {
            let (tag, manifest) = (format!("1.{number}.0"), Blob::manifest(&[], 2000 + number));
            connection.push_manifest(&place.endpoint, &headers, IMAGES, &tag, &manifest).await?;
        }
        Ok(())
    })
}

/// An application as cnab-to-oci pushes it.
fn push_application(target: &Target, place: &Place) -> Result<()> {
    let headers = target.sign_in(&["repository:bench/application:pull,push"])?;
    let endpoint = &place.endpoint;
    let layer = Blob::random(4242, 4096);
    let images: Vec<Blob> =
        (0..=COMPONENTS).map(|number| Blob::manifest(std::slice::from_ref(&layer), 1000 + number)).collect();
    let bundle = Blob::bundle();
    let config = Blob::bundle_manifest(&bundle);
    let index = Blob::application(&config, &images);
    runtime()?.block_on(async {
        let mut connection = Connection::open(endpoint).await?;
        for blob in [&Blob::config(), &layer, &bundle] {
            connection.push_blob(endpoint, &headers, APPLICATION, blob, None).await?;
        }
        for manifest in images.iter().chain([&config]) {
            connection.push_manifest(endpoint, &headers, APPLICATION, &manifest.digest, manifest).await?;
        }
        connection.push_index(endpoint, &headers, APPLICATION, "1.0.0", &index).await
    })
}
