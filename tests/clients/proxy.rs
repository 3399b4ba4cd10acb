//! nginx as a reverse proxy, with a certificate of another CA than ours.

use std::fs;
use std::path::PathBuf;

use crate::client::Place;
use crate::support::lab::{self, Lab, PROXY_NAME};
use crate::support::process::{Run, Service, word, words};
use crate::support::server::{NAME, Server};
use crate::support::tally::needs;

const PORT: u16 = 8443;

/// nginx on the server's side, in front of it.
pub(crate) struct Proxy {
    _service: Service,
    ca: PathBuf,
}

impl Proxy {
    /// The registry as clients see it through the proxy.
    pub(crate) fn place(&self, server: &Server) -> Place {
        Place { authority: format!("{PROXY_NAME}:{PORT}"), ca: self.ca.clone(), password: server.password().to_owned() }
    }
}

/// A server that knows its proxy by `external_url` and `trusted_proxies`, and the proxy. `config` is the rest of the
/// settings file.
#[track_caller]
pub(crate) fn in_front_of_a_server(lab: &Lab, config: &str) -> (Server, Proxy) {
    let settings =
        format!("external_url = \"https://{PROXY_NAME}:{PORT}\"\ntrusted_proxies = [\"{}/32\"]\n{config}", lab::SERVER);
    let server = lab.server(|options| options.config(&settings));
    let proxy = start(lab, &server);
    (server, proxy)
}

fn start(lab: &Lab, server: &Server) -> Proxy {
    let dir = lab.scratch("nginx");
    let ca = certificate(&word(&dir));
    // One process: a worker would outlive a master that is killed.
    let configuration = format!(
        "daemon off; master_process off; user root;
         error_log stderr; pid '{dir}/pid';
         events {{}}
         http {{
           access_log off;
           client_body_temp_path '{dir}/body'; proxy_temp_path '{dir}/proxy';
           fastcgi_temp_path '{dir}/f'; uwsgi_temp_path '{dir}/u'; scgi_temp_path '{dir}/s';
           server {{
             listen {address}:{PORT} ssl;
             server_name {PROXY_NAME};
             ssl_certificate '{dir}/proxy.crt'; ssl_certificate_key '{dir}/proxy.key';
             client_max_body_size 0;
             location / {{
               proxy_pass https://{address}:{port};
               proxy_ssl_verify on; proxy_ssl_trusted_certificate '{trusted}';
               proxy_ssl_name {NAME}; proxy_ssl_server_name on;
               proxy_http_version 1.1;
               proxy_request_buffering off; proxy_buffering off;
               proxy_set_header Host $http_host;
               proxy_set_header X-Forwarded-Host $http_host;
               proxy_set_header X-Forwarded-Proto $scheme;
               proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
             }}
           }}
         }}",
        dir = dir.display(),
        address = lab::SERVER,
        port = lab::PORT,
        trusted = word(&server.ca()),
    );
    let file = dir.join("nginx.conf");
    fs::write(&file, configuration).expect("a file of our own");
    let mut service = lab.server_service("nginx", &["nginx", "-p", &word(&dir), "-c", &word(&file), "-e", "stderr"]);
    let probe =
        ["curl", "--silent", "--cacert", &word(&ca), &format!("https://{PROXY_NAME}:{PORT}/v2/")].map(str::to_owned);
    service.until("it answered /v2/", || lab.client(&probe).success);
    Proxy { _service: service, ca }
}

/// A throw-away CA and a certificate for the proxy, by openssl; answers the CA.
fn certificate(dir: &str) -> PathBuf {
    let file = |name: &str| format!("{dir}/{name}");
    let (ca, ca_key) = (file("ca.crt"), file("ca.key"));
    let (proxy, proxy_key) = (file("proxy.crt"), file("proxy.key"));
    let issue = |subject: &str, key: &str, certificate: &str, more: &[&str]| {
        let fixed = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        let files = ["-days", "2", "-subj", subject, "-keyout", key, "-out", certificate];
        Run::of(&words(&[&fixed[..], &files[..], more].concat())).ok();
    };
    issue("/CN=another CA", &ca_key, &ca, &[]);
    let names = format!("subjectAltName=DNS:{PROXY_NAME}");
    let leaf = ["-CA", &ca, "-CAkey", &ca_key, "-addext", &names, "-addext", "basicConstraints=critical,CA:FALSE"];
    issue(&format!("/CN={PROXY_NAME}"), &proxy_key, &proxy, &leaf);
    PathBuf::from(ca)
}

/// What a client is told behind a proxy leads back to the proxy: the token service's realm, upload locations, pages.
#[test]
fn links_lead_back_to_the_proxy() {
    let _running = needs!("nginx", "openssl");
    let lab = Lab::new();
    let (server, proxy) = in_front_of_a_server(&lab, "");
    let place = proxy.place(&server);
    let curl = |method: &str, path: &str| {
        let user = format!("{}:{}", crate::support::server::ADMIN, place.password);
        let mut line = words(&["curl", "--silent", "--include", "--request", method, "--cacert", &word(&place.ca)]);
        if path != "/v2/" {
            line.extend(words(&["--user", &user]));
        }
        line.push(format!("https://{}{path}", place.authority));
        lab.client(&line).ok().stdout
    };
    let header = |answer: &str, name: &str| {
        let line = answer.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")));
        line.unwrap_or_else(|| panic!("no {name} in:\n{answer}")).to_owned()
    };
    let challenge = header(&curl("GET", "/v2/"), "www-authenticate");
    assert!(challenge.contains(&format!("realm=\"https://{}/", place.authority)), "{challenge}");
    let location = header(&curl("POST", "/v2/lab/proxied/blobs/uploads/"), "location");
    let target = location.split_once(':').map_or("", |(_, value)| value.trim());
    assert!(
        target.starts_with("/v2/") || target.starts_with(&format!("https://{}/v2/", place.authority)),
        "{location}"
    );
}
