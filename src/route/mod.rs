//! The route stage.
