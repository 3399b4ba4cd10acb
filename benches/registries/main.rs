//! `make bench`: this build against other registries, and against what the machine can do.
//!
//! All targets are measured in turn inside every round, on one disk, so that whatever else the machine does hits all
//! of them alike; the report shows medians, and medians of the ratios within a round. It asserts nothing: a figure that
//! misses what was asked for is written down as missed.
//!
//! Read it in this order: [`targets`] (who is measured and how each is set up), [`rows`] (what is measured), [`measure`]
//! (how), [`report`] and [`plot`] (what becomes of it). [`client`] and [`load`] are the clients.

#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures are rounded to three digits in the end"
)]

mod client;
mod content;
mod load;
mod machine;
mod measure;
mod options;
mod plot;
mod process;
mod report;
mod rows;
mod seed;
mod targets;

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser as _;

use machine::Machine;
use options::Options;

/// An error in words: nothing here is caught by kind.
type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Error>;

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let begun = Instant::now();
    let machine = Machine::look(options);
    machine.keep_the_client_apart();
    Machine::raise_open_files();
    let dir = options.work_dir()?;
    let mut bench = rows::Bench::new(options, &machine, dir.path());
    let report = report::Report { machine: &machine, options, sections: bench.run()?, notes: bench.notes() };
    print!("\n{}", report.table());
    if let Some(file) = &options.json {
        std::fs::write(file, report.json())?;
    }
    if options.rows.is_none() {
        report.write()?;
    }
    eprintln!("done in {} s", begun.elapsed().as_secs());
    Ok(())
}
