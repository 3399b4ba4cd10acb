//! Floor 4: the wire. Status codes, headers and sockets live here (and in `client`), nowhere else.

pub mod reply;
pub mod request;
pub mod v2;
