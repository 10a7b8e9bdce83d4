//! SNMP notifications.
