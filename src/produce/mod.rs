//! The produce stage.
