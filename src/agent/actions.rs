//! What the admin socket may have done to the agent.

use std::sync::Arc;
use std::time::Duration;

use crate::names::Names;
use crate::names::listing::{NoPlace, Place};
use crate::route::Router;
use crate::spool::Spool;
use crate::spool::requeue::{NewId, Which};
use crate::status::{ActionError, Actions};
use crate::time::UnixMicros;

/// How long a request may wait for the disk: less than the asking command's patience, so that it hears the reason.
const REQUEUE_WAIT: Duration = Duration::from_secs(8);

/// The actions of this agent.
#[derive(Debug)]
pub(super) struct Deeds {
    /// Where dead letters lie, and where they go.
    pub spool: Arc<Spool>,
    /// Knows the ids of this run.
    pub router: Arc<Router>,
    /// Knows who was heard.
    pub names: Arc<Names>,
}

impl Actions for Deeds {
    fn requeue(&self, request: &[u8]) -> Result<serde_json::Value, ActionError> {
        let which: Which = serde_json::from_slice(request)
            .map_err(|error| ActionError::Request(error.to_string()))?;
        let new_id = NewId::OfThisRun(self.router.id_prefixes());
        let requeued = self
            .spool
            .requeue_dead_letters(&which, new_id, REQUEUE_WAIT)
            .map_err(|error| ActionError::Failed(error.to_string()))?;
        tracing::info!(
            records = requeued.moved.len(),
            "dead letters are sent again"
        );
        serde_json::to_value(requeued).map_err(|error| ActionError::Failed(error.to_string()))
    }

    fn devices(&self, place: &str) -> Result<String, ActionError> {
        let place: Place = place
            .parse()
            .map_err(|error: NoPlace| ActionError::Request(error.to_string()))?;
        let page = self.names.list(&place, UnixMicros::now());
        serde_json::to_string(&page).map_err(|error| ActionError::Failed(error.to_string()))
    }
}
