//! The registry over real TLS sockets, with our own CA trusted and nothing else: every test thereby proves that the
//! certificate is right. Each runs on both engines, the normal and the strict one (`meta::Mode`).

#![allow(clippy::unwrap_used, reason = "a test fails with a panic")]

mod activity;
mod api;
mod api_accounts;
mod api_registry;
mod app_deletion;
mod app_fixture;
mod apps;
mod authorization;
mod blobs;
mod catalog;
mod clients_of_msr;
mod clock;
mod full_disk;
mod gc;
mod gc_soak;
mod harness;
mod jobs;
mod kinds;
mod late;
mod limits;
mod lists;
mod manifests;
mod migration;
mod pages;
mod referrers;
mod restart;
mod rights;
mod rows;
mod search;
mod sign_in;
mod traces;
mod uploads;
mod ways_in;
