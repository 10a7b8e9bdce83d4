//! The spool stage.
