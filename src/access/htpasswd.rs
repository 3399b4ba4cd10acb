//! Imports users from an htpasswd file, as Apache's `htpasswd -B` writes it.
//!
//! Only bcrypt is taken: it can be kept as it is until its owner signs in, when argon2id takes its place. What else stands
//! in such files (MD5, SHA-1, crypt, plain text) can be guessed or read by whoever has the file, and is refused by name.

use super::accounts::{Created, NewAccount};
use super::{Access, AccessError};
use crate::model::Actor;
use crate::model::account::wrong_name;

/// The greatest cost of a hash that is taken: 2¹⁴ rounds are about a second, and every sign-in pays it once.
const MAX_COST: u32 = 14;

/// What became of a line.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Imported {
    /// There is an account now.
    Created {
        /// Its name.
        account: String,
    },
    /// There was one, which was left as it is.
    Kept {
        /// Its name.
        account: String,
    },
    /// It was refused.
    Refused {
        /// The line, from 1.
        line: usize,
        /// Why, and what to do.
        reason: String,
    },
}

/// The name and hash of a line that can be taken.
fn entry(line: &str) -> Result<(&str, &str), String> {
    let (name, hash) = line.split_once(':').ok_or("it is not \"name:hash\"")?;
    let hash = hash.split(':').next().unwrap_or_default().trim();
    if let Some(wrong) = wrong_name(name) {
        return Err(format!("{name:?} cannot be an account's name: {wrong}"));
    }
    let other = match hash {
        _ if hash.starts_with("$2y$") || hash.starts_with("$2b$") || hash.starts_with("$2a$") => None,
        _ if hash.starts_with("$apr1$") || hash.starts_with("$1$") => Some("MD5"),
        _ if hash.starts_with("{SHA}") => Some("unsalted SHA-1"),
        _ if hash.starts_with("$5$") || hash.starts_with("$6$") => Some("crypt's SHA-2"),
        _ if hash.len() == 13 => Some("crypt's DES"),
        _ => Some("no known hash, perhaps the password itself"),
    };
    if let Some(other) = other {
        return Err(format!(
            "the password of {name} is stored as {other}; write it anew with \"htpasswd -B\", or make the user with \
             \"msr-lite user add\""
        ));
    }
    match cost(hash) {
        Some(4..=MAX_COST) if hash.len() == 60 => Ok((name, hash)),
        Some(cost) if cost > MAX_COST => {
            Err(format!("the password of {name} is hashed with cost {cost}; at most {MAX_COST} is taken"))
        }
        _ => Err(format!("the hash of {name} is incomplete")),
    }
}

fn cost(hash: &str) -> Option<u32> {
    hash.get(4..6)?.parse().ok()
}

impl Access {
    /// Makes a user of each line that has one; accounts that are there already are left as they are. Empty lines and those
    /// that begin with `#` are passed over.
    ///
    /// # Errors
    /// When the store fails; the users before stay.
    pub async fn import_htpasswd(&self, actor: &Actor, text: &str) -> Result<Vec<Imported>, AccessError> {
        let mut outcome = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, hash) = match entry(line) {
                Ok(entry) => entry,
                Err(reason) => {
                    outcome.push(Imported::Refused { line: number + 1, reason });
                    continue;
                }
            };
            let account = name.to_owned();
            let new = NewAccount { name: account.clone(), ..NewAccount::default() };
            outcome.push(match self.create(actor, new, hash.to_owned()).await? {
                Created::New(_) => Imported::Created { account },
                Created::Known => Imported::Kept { account },
            });
        }
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bcrypt_is_taken() {
        let bcrypt = format!("$2y$05${}", "x".repeat(53));
        assert_eq!(entry(&format!("alice:{bcrypt}")).unwrap(), ("alice", bcrypt.as_str()));
        assert_eq!(entry(&format!("alice:{bcrypt}:a comment")).unwrap().1, bcrypt);
        for (line, says) in [
            ("alice", "name:hash"),
            ("Alice:$2y$05$x", "cannot be an account's name"),
            ("alice:$apr1$x$y", "MD5"),
            ("alice:{SHA}x", "SHA-1"),
            ("alice:abcdefghijklm", "DES"),
            ("alice:open sesame", "password itself"),
            ("alice:", "no known hash"),
            ("alice:$2y$05$short", "incomplete"),
            ("alice:$2y$", "incomplete"),
            (&format!("alice:$2y$31${}", "x".repeat(53)), "cost 31"),
        ] {
            let refused = entry(line).unwrap_err();
            assert!(refused.contains(says), "{line}: {refused}");
            assert!(!refused.contains("sesame"), "what may be a password is not repeated");
        }
    }
}
