//! The status stage.
