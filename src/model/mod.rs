//! Floor 1: the registry's nouns as plain records, and [`Operation`]: what is asked.

pub mod account;
pub mod event;
pub mod gc;
pub mod job;
pub mod operation;
pub mod organization;
pub mod permission;
pub mod personal_token;
pub mod principal;

pub use account::Account;
pub use event::Event;
pub use job::Job;
pub use operation::Operation;
pub use permission::{Action, Decision, Level};
pub use principal::{Actor, Caller, Principal};
