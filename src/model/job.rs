//! Jobs: future work, versioned. Written in the transaction that made them necessary; run by `jobs::runner`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{JobId, Timestamp};

/// Work to be done. Variants and fields are only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Look at addresses and certificate age; issue anew when needed.
    CertificateRenewal,
    /// Drop the upload sessions that have expired.
    UploadExpiry,
    /// Remember how much time has been seen to pass.
    SteadyTime,
    /// Collect garbage.
    GarbageCollection,
    /// Write down which manifests were pulled.
    UsageFlush,
    /// Take away the rows of deleted repositories.
    RepositoryRemoval,
    /// Make the rows of lists and searches anew.
    Reindex,
    /// Remove the rows of sessions that have ended.
    SessionExpiry,
    /// Remove events that need not be kept any more.
    AuditRetention,
    /// Verify the record of events.
    AuditVerification,
}

impl Task {
    /// The task's name in logs, metrics and the CLI.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CertificateRenewal => "certificate_renewal",
            Self::UploadExpiry => "upload_expiry",
            Self::SteadyTime => "steady_time",
            Self::GarbageCollection => "garbage_collection",
            Self::UsageFlush => "usage_flush",
            Self::RepositoryRemoval => "repository_removal",
            Self::Reindex => "reindex",
            Self::SessionExpiry => "session_expiry",
            Self::AuditRetention => "audit_retention",
            Self::AuditVerification => "audit_verification",
        }
    }
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for its due time.
    Waiting,
    /// Claimed by a runner until its lease ends.
    Running,
    /// Failed too often; kept for a person to look at.
    Dead,
}

/// A piece of work as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What is to be done.
    pub task: Task,
    /// Where it stands.
    pub state: JobState,
    /// Not before this time; while running: until when the claim holds.
    pub due: Timestamp,
    /// How often it has been tried.
    pub attempts: u32,
    /// What the last failure said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// A task that returns at an interval; a row, so that it survives restarts and can be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// What is to be done.
    pub task: Task,
    /// How often.
    pub every: Duration,
    /// When next.
    pub next: Timestamp,
    /// When it was last done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// The job that it made last, which may be done and gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
}
