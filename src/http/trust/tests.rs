use crate::base::Config;
use crate::http::listen::Kind;
use crate::http::testing::{limits, start_with};

#[tokio::test]
async fn the_trust_port_gives_the_certificate_and_sends_everybody_else_on() {
    let server = start_with(Kind::Trust, Config { limits: limits(), ..Config::default() }).await;
    for path in ["/ca", "/ca.crt"] {
        let answer = server.get(path, "").await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(&*server.pki.ca_pem()), "{answer}");
        assert!(answer.contains("content-type: application/x-x509-ca-cert\r\n"), "{answer}");
    }
    let guide = server.get("/trust", "").await;
    assert!(guide.contains(&server.pki.ca_pem_sha256()) && guide.contains("podman"), "{guide}");
    let browser = server.get("/", "Accept: text/html\r\n").await;
    assert!(browser.contains("location: https://127.0.0.1/\r\n"), "{browser}");
    let client = server.get("/v2/", "").await;
    assert!(client.starts_with("HTTP/1.1 400 ") && client.contains("use https://127.0.0.1."), "{client}");
    let post = server.exchange("POST /ca.crt HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").await;
    assert!(post.starts_with("HTTP/1.1 405 ") && post.contains("allow: GET, HEAD"), "{post}");
    let head = server.exchange("HEAD /ca.crt HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let length = server.pki.ca_pem().len();
    assert!(head.contains(&format!("content-length: {length}\r\n")) && head.ends_with("\r\n\r\n"), "{head}");
}

#[tokio::test]
async fn behind_a_proxy_the_way_leads_to_the_proxy() {
    let external_url = Some("https://hub.lab".to_owned());
    let server = start_with(Kind::Trust, Config { limits: limits(), external_url, ..Config::default() }).await;
    let request = "GET /x HTTP/1.1\r\nHost: other.lab\r\nAccept: text/html\r\n\r\n";
    let answer = server.exchange(request).await;
    assert!(answer.contains("location: https://hub.lab/x\r\n"), "{answer}");
}
