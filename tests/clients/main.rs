//! Real clients against the real binary: docker, podman, buildah, skopeo and crane push, pull and delete over TLS that
//! they verify, by name, by address and by an address that no interface bears; directly and behind nginx. And, where a
//! variable names them, the clients of applications.
//!
//! Each test has a laboratory of network namespaces to itself (`support::lab`), so all may run at once. They need root
//! and the clients; what is missing is skipped by name and counted, and with `CI=true` it is a failure.

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod applications;
mod buildah;
mod client;
mod cnab_to_oci;
mod crane;
mod digests;
mod docker;
mod docker_app;
mod podman;
mod proxy;
mod restart;
mod sentences;
mod skopeo;
mod trust;
