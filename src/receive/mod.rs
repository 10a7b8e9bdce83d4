//! The receive stage.
