//! Floor 2: the metadata store.
//!
//! [`engine`] is the only file that knows redb; [`tables`] draws the layout; one file per noun has the typed
//! functions over a transaction. Closures given to [`Engine::write`] keep the rules that a distributed engine would
//! ask for: they may be run again, do no I/O, take `now` as input and check every invariant inside the transaction.

pub mod account;
pub mod engine;
pub mod key;
pub mod migrate;
pub mod record;
pub mod refusal;
pub mod tables;

pub mod blob;
pub mod drain;
pub mod event;
pub mod gc;
pub mod grant;
pub mod job;
pub mod lease;
pub mod manifest;
pub mod memo;
pub mod mode;
pub mod order;
pub mod organization;
pub mod personal_token;
pub mod referrer;
pub mod repo;
pub mod session;
#[cfg(test)]
mod suite;
pub mod tag;
pub mod term;

#[cfg(test)]
pub(crate) use engine::faulty;
pub use engine::{Engine, EngineOptions, Epoch, MetaError, Mode, Only, Read, ReadTx, WriteError, WriteTx};
pub use tables::Table;
