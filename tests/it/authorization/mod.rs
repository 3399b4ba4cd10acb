//! Who may do what, from outside.
//!
//! [`matrix`] asks every endpoint as every class of callers and compares with the tables in [`expected`]; an endpoint
//! without a row fails by name.

mod callers;
mod expected;
mod matrix;
mod table;
