//! A registry for one test, the built binary, and the pushing of things to it. It offers what `tests/it`'s harness
//! offers to the fixtures that both share.

use std::sync::Arc;
use std::time::Duration;

use msr_lite::oci::{Algorithm, Digest};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::support::server::{ADMIN, NAME, Options, Server};

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A running registry and a client that trusts its CA.
pub(crate) struct Lab {
    pub(crate) server: Server,
    pub(crate) client: Client,
    port: u16,
}

impl Lab {
    /// A registry without content.
    pub(crate) fn new() -> Self {
        let options = Options::local();
        let address: std::net::SocketAddr = options.listen.parse().unwrap();
        let server = Server::start(options);
        let pem = std::fs::read(server.ca()).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(rustls::pki_types::pem::PemObject::from_pem_slice(&pem).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = Client::builder().tls_backend_preconfigured(tls).no_proxy().resolve(NAME, address);
        let client = client.timeout(Duration::from_mins(1)).build().unwrap();
        Self { server, client, port: address.port() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{NAME}:{}{path}", self.port)
    }

    /// A request signed in as the administrator.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path)).basic_auth(ADMIN, Some(self.server.password()))
    }

    /// Pushes a blob in one request and returns its digest.
    pub(crate) async fn push_blob(&self, repo: &str, content: &[u8]) -> Digest {
        let digest = sha256(content);
        let path = format!("/v2/{repo}/blobs/uploads/?digest={digest}");
        let response = self.request(Method::POST, &path).body(content.to_vec()).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED, "{}", response.text().await.unwrap());
        digest
    }

    pub(crate) async fn put_bytes(&self, repo: &str, reference: &str, media_type: &str, body: Vec<u8>) -> Response {
        let path = format!("/v2/{repo}/manifests/{reference}");
        self.request(Method::PUT, &path).header("content-type", media_type).body(body).send().await.unwrap()
    }
}

pub(crate) fn descriptor(media_type: &str, digest: &Digest, size: usize) -> Value {
    json!({ "mediaType": media_type, "digest": digest, "size": size })
}

pub(crate) fn sha256(content: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, content)
}

/// Bytes that no compression makes smaller, the same for the same seed.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    crate::support::image::noise(seed, length)
}
