//! Wiring: opens the spool, binds, spawns, waits, and stops in flow order.
