//! The config stage.
