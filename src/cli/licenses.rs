//! Keeps `assets/licenses.txt` true: the crates that are linked into the program, with their licences.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// The platform of `make dist`; crates for others are not linked in.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// What cargo says of the resolved graph (normal dependencies only), without the network.
fn listing() -> String {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges=normal", "--target", PLATFORM])
        .args(["--prefix=none", "--no-dedupe", "--format={p} | {l} | {r}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let crates: BTreeSet<_> = tree
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("msr-lite "))
        .map(|line| line.replacen(" (proc-macro)", "", 1).replacen(" v", " ", 1))
        .collect();
    let mut listing = String::from(
        "Crates linked into this program or into its build: name and version | licence (SPDX) | where its source and \
         licence text are.\n\n",
    );
    for line in crates {
        listing.push_str(&line);
        listing.push('\n');
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
