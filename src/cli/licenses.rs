//! Keeps `assets/licenses.txt` true: the crates that are linked into the program, with their licences.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The platform of `make dist`; crates for others are not linked in.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// What cargo says of the resolved graph, without the network.
fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", PLATFORM])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The ids of the packages that the program is linked of: normal dependencies, from ours on.
fn linked(metadata: &Value) -> BTreeSet<&str> {
    let nodes: BTreeMap<_, _> =
        metadata["resolve"]["nodes"].as_array().unwrap().iter().map(|node| (text(node, "id"), node)).collect();
    let mut seen = BTreeSet::new();
    let mut next = vec![metadata["resolve"]["root"].as_str().unwrap()];
    while let Some(id) = next.pop() {
        if seen.insert(id) {
            let is_normal =
                |dep: &&Value| dep["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"].is_null());
            next.extend(nodes[id]["deps"].as_array().unwrap().iter().filter(is_normal).map(|dep| text(dep, "pkg")));
        }
    }
    seen
}

fn listing() -> String {
    let metadata = metadata();
    let linked = linked(&metadata);
    let mut lines = BTreeSet::new();
    for package in metadata["packages"].as_array().unwrap() {
        if linked.contains(text(package, "id")) && !package["source"].is_null() {
            lines.insert(format!(
                "{} {} | {} | {}",
                text(package, "name"),
                text(package, "version"),
                text(package, "license"),
                text(package, "repository")
            ));
        }
    }
    let mut listing = String::from(
        "Crates linked into this program: name and version | licence (SPDX) | where its source and licence text are.\n\n",
    );
    for line in lines {
        let _ = writeln!(listing, "{line}");
    }
    listing
}

#[test]
fn the_list_of_licences_is_that_of_the_crates_linked_in() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/licenses.txt");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, listing()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), listing(), "run `make bless` and read the difference");
}
