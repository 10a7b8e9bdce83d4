//! What the admin socket may have done to the agent.

use crate::status::{ActionError, Actions};

/// The actions of this agent.
#[derive(Debug)]
pub(super) struct Deeds;

impl Actions for Deeds {
    fn requeue(&self, _request: &[u8]) -> Result<serde_json::Value, ActionError> {
        Err(ActionError::NotOffered(
            "send records again that were set aside",
        ))
    }
}
