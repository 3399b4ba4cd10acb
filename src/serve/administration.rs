//! What the running server answers on its administration socket.

use std::path::PathBuf;
use std::sync::Arc;

use super::admin::{AdminAnswer, AdminRequest};
use super::tickets::Tickets;
use super::{Server, first_start};
use crate::base::Timestamp;
use crate::http::App;
use crate::http::listen::Kind;
use crate::meta::{MetaError, repo};
use crate::ops::certificates::{CertReply, perform, perform_ca};
use crate::ops::gc::{GcReply, GcRequest};
use crate::ops::status::{Listener, Serves};
use crate::ops::{Status, accounts};
use crate::pki::{Pki, PkiError};

/// Answers requests. Cheap to clone.
#[derive(Clone)]
pub(super) struct Desk(Arc<Inner>);

struct Inner {
    app: Arc<App>,
    data_dir: PathBuf,
    url: String,
    listeners: Vec<Listener>,
    started: Timestamp,
    tickets: Tickets,
}

impl Desk {
    pub(super) fn new(server: &Server) -> Self {
        let listeners = server.addresses.iter().map(|(address, kind)| Listener {
            address: address.to_string(),
            serves: match kind {
                Kind::Tls => Serves::Https,
                Kind::Clear => Serves::Http,
                Kind::Trust => Serves::Trust,
            },
        });
        Self(Arc::new(Inner {
            app: server.app.clone(),
            data_dir: server.house.data_dir.clone(),
            url: server.url.clone(),
            listeners: listeners.collect(),
            started: server.started,
            tickets: Tickets::default(),
        }))
    }

    pub(super) async fn answer(&self, request: AdminRequest) -> AdminAnswer {
        let app = &self.0.app;
        match request {
            AdminRequest::Status => match self.status() {
                Ok(status) => AdminAnswer::Status(Box::new(status)),
                Err(error) => AdminAnswer::Failed { message: error.to_string() },
            },
            AdminRequest::ResetPassword { account } => match app.access.reset_password(&account).await {
                Ok(password) => {
                    if account == "admin" {
                        first_start::forget_password_file(&self.0.data_dir);
                    }
                    tracing::info!(account, "the password was reset through the administration socket");
                    AdminAnswer::Password { password }
                }
                Err(error) => AdminAnswer::Failed { message: error.to_string() },
            },
            AdminRequest::Ca(request) => self.certificates(move |pki| perform_ca(pki, request)).await,
            AdminRequest::Cert(request) => self.certificates(move |pki| perform(pki, request)).await,
            AdminRequest::Gc(request) => self.collection(request),
            AdminRequest::Events { wanted, mark } => match app.registry.export_events(&wanted, mark).await {
                Ok(page) => AdminAnswer::Events(page),
                Err(error) => AdminAnswer::Failed { message: error.to_string() },
            },
            AdminRequest::Access(request) => {
                let resets_admin = request.resets_admin();
                match accounts::perform(&app.access, &app.registry, *request).await {
                    Ok(reply) => {
                        if resets_admin {
                            first_start::forget_password_file(&self.0.data_dir);
                        }
                        AdminAnswer::Access(Box::new(reply))
                    }
                    Err(message) => AdminAnswer::Failed { message },
                }
            }
            AdminRequest::Reindex { after } => match app.registry.reindex(after).await {
                Ok(done) => AdminAnswer::Reindexed(done),
                Err(error) => AdminAnswer::Failed { message: error.to_string() },
            },
        }
    }

    fn collection(&self, request: GcRequest) -> AdminAnswer {
        let Inner { app, tickets, .. } = &*self.0;
        let reply = match request {
            GcRequest::Begin(task) => Ok(GcReply::Ticket(tickets.begin(&app.registry, task))),
            GcRequest::Ask(ticket) => tickets.ask(&app.registry, ticket),
        };
        match reply {
            Ok(reply) => AdminAnswer::Gc(Box::new(reply)),
            Err(message) => AdminAnswer::Failed { message },
        }
    }

    /// Shows or changes certificates; files are written, so not on an async thread.
    async fn certificates(
        &self,
        perform: impl FnOnce(&Pki) -> Result<CertReply, PkiError> + Send + 'static,
    ) -> AdminAnswer {
        let pki = self.0.app.pki.clone();
        match tokio::task::spawn_blocking(move || perform(&pki)).await {
            Ok(Ok(reply)) => AdminAnswer::Certificate(Box::new(reply)),
            Ok(Err(error)) => AdminAnswer::Failed { message: error.to_string() },
            Err(error) => AdminAnswer::Failed { message: error.to_string() },
        }
    }

    fn status(&self) -> Result<Status, MetaError> {
        let Inner { app, data_dir, url, listeners, started, .. } = &*self.0;
        let repositories = app.registry.meta().read(repo::total)?;
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance: app.access.instance().to_owned(),
            pid: std::process::id(),
            started: *started,
            now: app.clock.now(),
            data_dir: data_dir.display().to_string(),
            url: url.clone(),
            listeners: listeners.clone(),
            ca: (&app.pki.ca_facts()).into(),
            leaf: (&app.pki.leaf_facts()).into(),
            brought: app.pki.is_imported(),
            storage: app.registry.space().current().into(),
            uploads: app.registry.blobs().open_sessions() as u64,
            repositories,
            refused_handshakes: app.handshakes.refusals().iter().map(|refusal| refusal.count).sum(),
        })
    }
}
