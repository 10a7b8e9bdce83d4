//! The names themselves, sorted by the OIDs' BER octets. A test holds the order and the form.
//!
//! Sources: the IETF modules named in each entry; for `CISCO-*` and `JUNIPER-MIB` the vendors' published modules.
//! Severities are ours, since no MIB says one; a notification whose meaning depends on a value
//! (`ospfNbrStateChange`) has none.

use super::labels::{
    ALARM_SAMPLE_TYPE, BGP_PEER_ADMIN_STATUS, BGP_PEER_STATE, CBGP_PEER_PREV_STATE,
    CCM_HISTORY_EVENT_COMMAND_SOURCE, CEFC_FRUPOWER_OPER_STATUS, CEFC_MODULE_OPER_STATUS,
    CISCO_ENV_MON_STATE, CLOG_HIST_SEVERITY, ENT_PHY_SENSOR_OPER_STATUS, ENT_PHY_SENSOR_TYPE,
    HISTORY_EVENT_MEDIUM, HR_DEVICE_STATUS, HR_PRINTER_STATUS, IF_ADMIN_STATUS, IF_OPER_STATUS,
    JNX_FRU_STATE, OSPF_CONFIG_ERROR_TYPE, OSPF_IF_STATE, OSPF_NBR_STATE, OSPF_PACKET_TYPE,
    VRRP_OPER_STATE,
};
use super::{Entry, enumerated, notification, object, octets};
use crate::event::Severity::{Critical, Error, Informational, Notice, Warning};

pub(super) static TABLE: &[Entry] = &[
    notification(
        "1.0.8802.1.1.2.0.0.1",
        "LLDP-MIB::lldpRemTablesChange",
        Some(Informational),
    ),
    object("1.3.6.1.2.1.1.1", "SNMPv2-MIB::sysDescr"),
    object("1.3.6.1.2.1.1.2", "SNMPv2-MIB::sysObjectID"),
    object("1.3.6.1.2.1.1.3", "SNMPv2-MIB::sysUpTime"),
    object("1.3.6.1.2.1.1.4", "SNMPv2-MIB::sysContact"),
    object("1.3.6.1.2.1.1.5", "SNMPv2-MIB::sysName"),
    object("1.3.6.1.2.1.1.6", "SNMPv2-MIB::sysLocation"),
    object("1.3.6.1.2.1.2.1", "IF-MIB::ifNumber"),
    object("1.3.6.1.2.1.2.2.1.1", "IF-MIB::ifIndex"),
    object("1.3.6.1.2.1.2.2.1.2", "IF-MIB::ifDescr"),
    object("1.3.6.1.2.1.2.2.1.3", "IF-MIB::ifType"),
    object("1.3.6.1.2.1.2.2.1.4", "IF-MIB::ifMtu"),
    object("1.3.6.1.2.1.2.2.1.5", "IF-MIB::ifSpeed"),
    octets("1.3.6.1.2.1.2.2.1.6", "IF-MIB::ifPhysAddress"),
    enumerated(
        "1.3.6.1.2.1.2.2.1.7",
        "IF-MIB::ifAdminStatus",
        IF_ADMIN_STATUS,
    ),
    enumerated(
        "1.3.6.1.2.1.2.2.1.8",
        "IF-MIB::ifOperStatus",
        IF_OPER_STATUS,
    ),
    object("1.3.6.1.2.1.2.2.1.9", "IF-MIB::ifLastChange"),
    object("1.3.6.1.2.1.2.2.1.10", "IF-MIB::ifInOctets"),
    object("1.3.6.1.2.1.2.2.1.14", "IF-MIB::ifInErrors"),
    object("1.3.6.1.2.1.2.2.1.16", "IF-MIB::ifOutOctets"),
    object("1.3.6.1.2.1.2.2.1.20", "IF-MIB::ifOutErrors"),
    object("1.3.6.1.2.1.8.5.1.2", "RFC1213-MIB::egpNeighAddr"),
    object("1.3.6.1.2.1.14.1.1", "OSPF-MIB::ospfRouterId"),
    object("1.3.6.1.2.1.14.7.1.1", "OSPF-MIB::ospfIfIpAddress"),
    object("1.3.6.1.2.1.14.7.1.2", "OSPF-MIB::ospfAddressLessIf"),
    enumerated(
        "1.3.6.1.2.1.14.7.1.12",
        "OSPF-MIB::ospfIfState",
        OSPF_IF_STATE,
    ),
    object("1.3.6.1.2.1.14.10.1.1", "OSPF-MIB::ospfNbrIpAddr"),
    object("1.3.6.1.2.1.14.10.1.2", "OSPF-MIB::ospfNbrAddressLessIndex"),
    object("1.3.6.1.2.1.14.10.1.3", "OSPF-MIB::ospfNbrRtrId"),
    enumerated(
        "1.3.6.1.2.1.14.10.1.6",
        "OSPF-MIB::ospfNbrState",
        OSPF_NBR_STATE,
    ),
    enumerated(
        "1.3.6.1.2.1.14.11.1.5",
        "OSPF-MIB::ospfVirtNbrState",
        OSPF_NBR_STATE,
    ),
    enumerated(
        "1.3.6.1.2.1.14.16.1.2",
        "OSPF-TRAP-MIB::ospfConfigErrorType",
        OSPF_CONFIG_ERROR_TYPE,
    ),
    enumerated(
        "1.3.6.1.2.1.14.16.1.3",
        "OSPF-TRAP-MIB::ospfPacketType",
        OSPF_PACKET_TYPE,
    ),
    object("1.3.6.1.2.1.14.16.1.4", "OSPF-TRAP-MIB::ospfPacketSrc"),
    notification(
        "1.3.6.1.2.1.14.16.2.1",
        "OSPF-TRAP-MIB::ospfVirtIfStateChange",
        None,
    ),
    notification(
        "1.3.6.1.2.1.14.16.2.2",
        "OSPF-TRAP-MIB::ospfNbrStateChange",
        None,
    ),
    notification(
        "1.3.6.1.2.1.14.16.2.3",
        "OSPF-TRAP-MIB::ospfVirtNbrStateChange",
        None,
    ),
    notification(
        "1.3.6.1.2.1.14.16.2.4",
        "OSPF-TRAP-MIB::ospfIfConfigError",
        Some(Warning),
    ),
    notification(
        "1.3.6.1.2.1.14.16.2.6",
        "OSPF-TRAP-MIB::ospfIfAuthFailure",
        Some(Warning),
    ),
    notification(
        "1.3.6.1.2.1.14.16.2.10",
        "OSPF-TRAP-MIB::ospfTxRetransmit",
        None,
    ),
    notification(
        "1.3.6.1.2.1.14.16.2.12",
        "OSPF-TRAP-MIB::ospfOriginateLsa",
        None,
    ),
    notification(
        "1.3.6.1.2.1.14.16.2.13",
        "OSPF-TRAP-MIB::ospfMaxAgeLsa",
        None,
    ),
    notification(
        "1.3.6.1.2.1.14.16.2.16",
        "OSPF-TRAP-MIB::ospfIfStateChange",
        None,
    ),
    notification(
        "1.3.6.1.2.1.15.0.1",
        "BGP4-MIB::bgpEstablishedNotification",
        Some(Notice),
    ),
    notification(
        "1.3.6.1.2.1.15.0.2",
        "BGP4-MIB::bgpBackwardTransNotification",
        Some(Error),
    ),
    enumerated(
        "1.3.6.1.2.1.15.3.1.2",
        "BGP4-MIB::bgpPeerState",
        BGP_PEER_STATE,
    ),
    enumerated(
        "1.3.6.1.2.1.15.3.1.3",
        "BGP4-MIB::bgpPeerAdminStatus",
        BGP_PEER_ADMIN_STATUS,
    ),
    object("1.3.6.1.2.1.15.3.1.7", "BGP4-MIB::bgpPeerRemoteAddr"),
    object("1.3.6.1.2.1.15.3.1.9", "BGP4-MIB::bgpPeerRemoteAs"),
    object("1.3.6.1.2.1.15.3.1.14", "BGP4-MIB::bgpPeerLastError"),
    notification(
        "1.3.6.1.2.1.15.7.1",
        "BGP4-MIB::bgpEstablished",
        Some(Notice),
    ),
    notification(
        "1.3.6.1.2.1.15.7.2",
        "BGP4-MIB::bgpBackwardTransition",
        Some(Error),
    ),
    notification("1.3.6.1.2.1.16.0.1", "RMON-MIB::risingAlarm", Some(Warning)),
    notification("1.3.6.1.2.1.16.0.2", "RMON-MIB::fallingAlarm", Some(Notice)),
    object("1.3.6.1.2.1.16.3.1.1.1", "RMON-MIB::alarmIndex"),
    object("1.3.6.1.2.1.16.3.1.1.3", "RMON-MIB::alarmVariable"),
    enumerated(
        "1.3.6.1.2.1.16.3.1.1.4",
        "RMON-MIB::alarmSampleType",
        ALARM_SAMPLE_TYPE,
    ),
    object("1.3.6.1.2.1.16.3.1.1.5", "RMON-MIB::alarmValue"),
    object("1.3.6.1.2.1.16.3.1.1.7", "RMON-MIB::alarmRisingThreshold"),
    object("1.3.6.1.2.1.16.3.1.1.8", "RMON-MIB::alarmFallingThreshold"),
    notification("1.3.6.1.2.1.17.0.1", "BRIDGE-MIB::newRoot", Some(Notice)),
    notification(
        "1.3.6.1.2.1.17.0.2",
        "BRIDGE-MIB::topologyChange",
        Some(Notice),
    ),
    object("1.3.6.1.2.1.25.1.1", "HOST-RESOURCES-MIB::hrSystemUptime"),
    octets("1.3.6.1.2.1.25.1.2", "HOST-RESOURCES-MIB::hrSystemDate"),
    object(
        "1.3.6.1.2.1.25.2.3.1.3",
        "HOST-RESOURCES-MIB::hrStorageDescr",
    ),
    object(
        "1.3.6.1.2.1.25.2.3.1.5",
        "HOST-RESOURCES-MIB::hrStorageSize",
    ),
    object(
        "1.3.6.1.2.1.25.2.3.1.6",
        "HOST-RESOURCES-MIB::hrStorageUsed",
    ),
    object(
        "1.3.6.1.2.1.25.3.2.1.3",
        "HOST-RESOURCES-MIB::hrDeviceDescr",
    ),
    enumerated(
        "1.3.6.1.2.1.25.3.2.1.5",
        "HOST-RESOURCES-MIB::hrDeviceStatus",
        HR_DEVICE_STATUS,
    ),
    object(
        "1.3.6.1.2.1.25.3.3.1.2",
        "HOST-RESOURCES-MIB::hrProcessorLoad",
    ),
    enumerated(
        "1.3.6.1.2.1.25.3.5.1.1",
        "HOST-RESOURCES-MIB::hrPrinterStatus",
        HR_PRINTER_STATUS,
    ),
    object("1.3.6.1.2.1.31.1.1.1.1", "IF-MIB::ifName"),
    object("1.3.6.1.2.1.31.1.1.1.6", "IF-MIB::ifHCInOctets"),
    object("1.3.6.1.2.1.31.1.1.1.10", "IF-MIB::ifHCOutOctets"),
    object("1.3.6.1.2.1.31.1.1.1.15", "IF-MIB::ifHighSpeed"),
    object("1.3.6.1.2.1.31.1.1.1.18", "IF-MIB::ifAlias"),
    object("1.3.6.1.2.1.33.1.2.2", "UPS-MIB::upsSecondsOnBattery"),
    object(
        "1.3.6.1.2.1.33.1.2.3",
        "UPS-MIB::upsEstimatedMinutesRemaining",
    ),
    notification(
        "1.3.6.1.2.1.33.2.1",
        "UPS-MIB::upsTrapOnBattery",
        Some(Warning),
    ),
    notification("1.3.6.1.2.1.33.2.2", "UPS-MIB::upsTrapTestCompleted", None),
    notification(
        "1.3.6.1.2.1.33.2.3",
        "UPS-MIB::upsTrapAlarmEntryAdded",
        None,
    ),
    notification(
        "1.3.6.1.2.1.33.2.4",
        "UPS-MIB::upsTrapAlarmEntryRemoved",
        None,
    ),
    object("1.3.6.1.2.1.47.1.1.1.1.2", "ENTITY-MIB::entPhysicalDescr"),
    object("1.3.6.1.2.1.47.1.1.1.1.7", "ENTITY-MIB::entPhysicalName"),
    object(
        "1.3.6.1.2.1.47.1.1.1.1.11",
        "ENTITY-MIB::entPhysicalSerialNum",
    ),
    object(
        "1.3.6.1.2.1.47.1.1.1.1.13",
        "ENTITY-MIB::entPhysicalModelName",
    ),
    notification(
        "1.3.6.1.2.1.47.2.0.1",
        "ENTITY-MIB::entConfigChange",
        Some(Informational),
    ),
    notification(
        "1.3.6.1.2.1.68.0.1",
        "VRRP-MIB::vrrpTrapNewMaster",
        Some(Notice),
    ),
    notification(
        "1.3.6.1.2.1.68.0.2",
        "VRRP-MIB::vrrpTrapAuthFailure",
        Some(Warning),
    ),
    enumerated(
        "1.3.6.1.2.1.68.1.3.1.3",
        "VRRP-MIB::vrrpOperState",
        VRRP_OPER_STATE,
    ),
    object("1.3.6.1.2.1.68.1.5", "VRRP-MIB::vrrpTrapPacketSrc"),
    notification(
        "1.3.6.1.2.1.88.2.0.1",
        "DISMAN-EVENT-MIB::mteTriggerFired",
        None,
    ),
    notification(
        "1.3.6.1.2.1.88.2.0.2",
        "DISMAN-EVENT-MIB::mteTriggerRising",
        None,
    ),
    notification(
        "1.3.6.1.2.1.88.2.0.3",
        "DISMAN-EVENT-MIB::mteTriggerFalling",
        None,
    ),
    object("1.3.6.1.2.1.88.2.1.1", "DISMAN-EVENT-MIB::mteHotTrigger"),
    object("1.3.6.1.2.1.88.2.1.2", "DISMAN-EVENT-MIB::mteHotTargetName"),
    object(
        "1.3.6.1.2.1.88.2.1.3",
        "DISMAN-EVENT-MIB::mteHotContextName",
    ),
    object("1.3.6.1.2.1.88.2.1.4", "DISMAN-EVENT-MIB::mteHotOID"),
    object("1.3.6.1.2.1.88.2.1.5", "DISMAN-EVENT-MIB::mteHotValue"),
    object(
        "1.3.6.1.2.1.92.1.1.3.1.1",
        "NOTIFICATION-LOG-MIB::nlmLogName",
    ),
    enumerated(
        "1.3.6.1.2.1.99.1.1.1.1",
        "ENTITY-SENSOR-MIB::entPhySensorType",
        ENT_PHY_SENSOR_TYPE,
    ),
    object(
        "1.3.6.1.2.1.99.1.1.1.4",
        "ENTITY-SENSOR-MIB::entPhySensorValue",
    ),
    enumerated(
        "1.3.6.1.2.1.99.1.1.1.5",
        "ENTITY-SENSOR-MIB::entPhySensorOperStatus",
        ENT_PHY_SENSOR_OPER_STATUS,
    ),
    object(
        "1.3.6.1.4.1.9.2.2.1.1.20",
        "OLD-CISCO-INTERFACES-MIB::locIfReason",
    ),
    object("1.3.6.1.4.1.9.2.9.3.1.1", "OLD-CISCO-TS-MIB::tslineSesType"),
    object(
        "1.3.6.1.4.1.9.9.13.1.3.1.2",
        "CISCO-ENVMON-MIB::ciscoEnvMonTemperatureStatusDescr",
    ),
    enumerated(
        "1.3.6.1.4.1.9.9.13.1.3.1.6",
        "CISCO-ENVMON-MIB::ciscoEnvMonTemperatureState",
        CISCO_ENV_MON_STATE,
    ),
    object(
        "1.3.6.1.4.1.9.9.13.1.4.1.2",
        "CISCO-ENVMON-MIB::ciscoEnvMonFanStatusDescr",
    ),
    enumerated(
        "1.3.6.1.4.1.9.9.13.1.4.1.3",
        "CISCO-ENVMON-MIB::ciscoEnvMonFanState",
        CISCO_ENV_MON_STATE,
    ),
    object(
        "1.3.6.1.4.1.9.9.13.1.5.1.2",
        "CISCO-ENVMON-MIB::ciscoEnvMonSupplyStatusDescr",
    ),
    enumerated(
        "1.3.6.1.4.1.9.9.13.1.5.1.3",
        "CISCO-ENVMON-MIB::ciscoEnvMonSupplyState",
        CISCO_ENV_MON_STATE,
    ),
    notification(
        "1.3.6.1.4.1.9.9.13.3.0.1",
        "CISCO-ENVMON-MIB::ciscoEnvMonShutdownNotification",
        Some(Critical),
    ),
    notification(
        "1.3.6.1.4.1.9.9.13.3.0.2",
        "CISCO-ENVMON-MIB::ciscoEnvMonVoltageNotification",
        Some(Warning),
    ),
    notification(
        "1.3.6.1.4.1.9.9.13.3.0.3",
        "CISCO-ENVMON-MIB::ciscoEnvMonTemperatureNotification",
        Some(Warning),
    ),
    notification(
        "1.3.6.1.4.1.9.9.13.3.0.4",
        "CISCO-ENVMON-MIB::ciscoEnvMonFanNotification",
        Some(Error),
    ),
    notification(
        "1.3.6.1.4.1.9.9.13.3.0.5",
        "CISCO-ENVMON-MIB::ciscoEnvMonRedundantSupplyNotification",
        Some(Error),
    ),
    object(
        "1.3.6.1.4.1.9.9.41.1.2.3.1.2",
        "CISCO-SYSLOG-MIB::clogHistFacility",
    ),
    enumerated(
        "1.3.6.1.4.1.9.9.41.1.2.3.1.3",
        "CISCO-SYSLOG-MIB::clogHistSeverity",
        CLOG_HIST_SEVERITY,
    ),
    object(
        "1.3.6.1.4.1.9.9.41.1.2.3.1.4",
        "CISCO-SYSLOG-MIB::clogHistMsgName",
    ),
    object(
        "1.3.6.1.4.1.9.9.41.1.2.3.1.5",
        "CISCO-SYSLOG-MIB::clogHistMsgText",
    ),
    object(
        "1.3.6.1.4.1.9.9.41.1.2.3.1.6",
        "CISCO-SYSLOG-MIB::clogHistTimestamp",
    ),
    notification(
        "1.3.6.1.4.1.9.9.41.2.0.1",
        "CISCO-SYSLOG-MIB::clogMessageGenerated",
        None,
    ),
    enumerated(
        "1.3.6.1.4.1.9.9.43.1.1.6.1.3",
        "CISCO-CONFIG-MAN-MIB::ccmHistoryEventCommandSource",
        CCM_HISTORY_EVENT_COMMAND_SOURCE,
    ),
    enumerated(
        "1.3.6.1.4.1.9.9.43.1.1.6.1.4",
        "CISCO-CONFIG-MAN-MIB::ccmHistoryEventConfigSource",
        HISTORY_EVENT_MEDIUM,
    ),
    enumerated(
        "1.3.6.1.4.1.9.9.43.1.1.6.1.5",
        "CISCO-CONFIG-MAN-MIB::ccmHistoryEventConfigDestination",
        HISTORY_EVENT_MEDIUM,
    ),
    notification(
        "1.3.6.1.4.1.9.9.43.2.0.1",
        "CISCO-CONFIG-MAN-MIB::ciscoConfigManEvent",
        Some(Notice),
    ),
    enumerated(
        "1.3.6.1.4.1.9.9.117.1.1.2.1.2",
        "CISCO-ENTITY-FRU-CONTROL-MIB::cefcFRUPowerOperStatus",
        CEFC_FRUPOWER_OPER_STATUS,
    ),
    enumerated(
        "1.3.6.1.4.1.9.9.117.1.2.1.1.2",
        "CISCO-ENTITY-FRU-CONTROL-MIB::cefcModuleOperStatus",
        CEFC_MODULE_OPER_STATUS,
    ),
    notification(
        "1.3.6.1.4.1.9.9.117.2.0.1",
        "CISCO-ENTITY-FRU-CONTROL-MIB::cefcModuleStatusChange",
        None,
    ),
    notification(
        "1.3.6.1.4.1.9.9.117.2.0.2",
        "CISCO-ENTITY-FRU-CONTROL-MIB::cefcPowerStatusChange",
        None,
    ),
    notification(
        "1.3.6.1.4.1.9.9.117.2.0.3",
        "CISCO-ENTITY-FRU-CONTROL-MIB::cefcFRUInserted",
        Some(Notice),
    ),
    notification(
        "1.3.6.1.4.1.9.9.117.2.0.4",
        "CISCO-ENTITY-FRU-CONTROL-MIB::cefcFRURemoved",
        Some(Warning),
    ),
    notification(
        "1.3.6.1.4.1.9.9.117.2.0.6",
        "CISCO-ENTITY-FRU-CONTROL-MIB::cefcFanTrayStatusChange",
        None,
    ),
    notification(
        "1.3.6.1.4.1.9.9.187.0.1",
        "CISCO-BGP4-MIB::cbgpFsmStateChange",
        None,
    ),
    notification(
        "1.3.6.1.4.1.9.9.187.0.2",
        "CISCO-BGP4-MIB::cbgpBackwardTransition",
        Some(Error),
    ),
    object(
        "1.3.6.1.4.1.9.9.187.1.2.1.1.7",
        "CISCO-BGP4-MIB::cbgpPeerLastErrorTxt",
    ),
    enumerated(
        "1.3.6.1.4.1.9.9.187.1.2.1.1.8",
        "CISCO-BGP4-MIB::cbgpPeerPrevState",
        CBGP_PEER_PREV_STATE,
    ),
    object(
        "1.3.6.1.4.1.2636.3.1.8.1.6",
        "JUNIPER-MIB::jnxContentsDescr",
    ),
    object(
        "1.3.6.1.4.1.2636.3.1.13.1.5",
        "JUNIPER-MIB::jnxOperatingDescr",
    ),
    object("1.3.6.1.4.1.2636.3.1.15.1.5", "JUNIPER-MIB::jnxFruName"),
    object("1.3.6.1.4.1.2636.3.1.15.1.6", "JUNIPER-MIB::jnxFruType"),
    object("1.3.6.1.4.1.2636.3.1.15.1.7", "JUNIPER-MIB::jnxFruSlot"),
    enumerated(
        "1.3.6.1.4.1.2636.3.1.15.1.8",
        "JUNIPER-MIB::jnxFruState",
        JNX_FRU_STATE,
    ),
    object(
        "1.3.6.1.4.1.2636.3.1.15.1.10",
        "JUNIPER-MIB::jnxFruOfflineReason",
    ),
    notification(
        "1.3.6.1.4.1.2636.4.1.1",
        "JUNIPER-MIB::jnxPowerSupplyFailure",
        Some(Error),
    ),
    notification(
        "1.3.6.1.4.1.2636.4.1.2",
        "JUNIPER-MIB::jnxFanFailure",
        Some(Error),
    ),
    notification(
        "1.3.6.1.4.1.2636.4.1.3",
        "JUNIPER-MIB::jnxOverTemperature",
        Some(Error),
    ),
    notification(
        "1.3.6.1.4.1.2636.4.1.5",
        "JUNIPER-MIB::jnxFruRemoval",
        Some(Warning),
    ),
    notification(
        "1.3.6.1.4.1.2636.4.1.6",
        "JUNIPER-MIB::jnxFruInsertion",
        Some(Notice),
    ),
    notification(
        "1.3.6.1.4.1.2636.4.1.7",
        "JUNIPER-MIB::jnxFruPowerOff",
        Some(Warning),
    ),
    notification(
        "1.3.6.1.4.1.2636.4.1.8",
        "JUNIPER-MIB::jnxFruPowerOn",
        Some(Notice),
    ),
    notification(
        "1.3.6.1.4.1.2636.4.1.9",
        "JUNIPER-MIB::jnxFruFailed",
        Some(Error),
    ),
    notification(
        "1.3.6.1.4.1.2636.4.1.10",
        "JUNIPER-MIB::jnxFruOffline",
        Some(Warning),
    ),
    notification(
        "1.3.6.1.4.1.2636.4.1.11",
        "JUNIPER-MIB::jnxFruOnline",
        Some(Notice),
    ),
    notification("1.3.6.1.4.1.2636.4.1.12", "JUNIPER-MIB::jnxFruCheck", None),
    notification(
        "1.3.6.1.4.1.2636.4.2.1",
        "JUNIPER-MIB::jnxPowerSupplyOK",
        Some(Notice),
    ),
    notification(
        "1.3.6.1.4.1.2636.4.2.2",
        "JUNIPER-MIB::jnxFanOK",
        Some(Notice),
    ),
    notification(
        "1.3.6.1.4.1.2636.4.2.3",
        "JUNIPER-MIB::jnxTemperatureOK",
        Some(Notice),
    ),
    notification(
        "1.3.6.1.4.1.8072.2.3.0.1",
        "NET-SNMP-EXAMPLES-MIB::netSnmpExampleHeartbeatNotification",
        None,
    ),
    object(
        "1.3.6.1.4.1.8072.2.3.2.1",
        "NET-SNMP-EXAMPLES-MIB::netSnmpExampleHeartbeatRate",
    ),
    notification(
        "1.3.6.1.4.1.8072.4.0.1",
        "NET-SNMP-AGENT-MIB::nsNotifyStart",
        Some(Notice),
    ),
    notification(
        "1.3.6.1.4.1.8072.4.0.2",
        "NET-SNMP-AGENT-MIB::nsNotifyShutdown",
        Some(Notice),
    ),
    notification(
        "1.3.6.1.4.1.8072.4.0.3",
        "NET-SNMP-AGENT-MIB::nsNotifyRestart",
        Some(Notice),
    ),
    object("1.3.6.1.6.3.1.1.4.1", "SNMPv2-MIB::snmpTrapOID"),
    object("1.3.6.1.6.3.1.1.4.3", "SNMPv2-MIB::snmpTrapEnterprise"),
    notification(
        "1.3.6.1.6.3.1.1.5.1",
        "SNMPv2-MIB::coldStart",
        Some(Warning),
    ),
    notification("1.3.6.1.6.3.1.1.5.2", "SNMPv2-MIB::warmStart", Some(Notice)),
    notification("1.3.6.1.6.3.1.1.5.3", "IF-MIB::linkDown", Some(Error)),
    notification("1.3.6.1.6.3.1.1.5.4", "IF-MIB::linkUp", Some(Notice)),
    notification(
        "1.3.6.1.6.3.1.1.5.5",
        "SNMPv2-MIB::authenticationFailure",
        Some(Warning),
    ),
    notification(
        "1.3.6.1.6.3.1.1.5.6",
        "RFC1213-MIB::egpNeighborLoss",
        Some(Error),
    ),
    octets("1.3.6.1.6.3.10.2.1.1", "SNMP-FRAMEWORK-MIB::snmpEngineID"),
    object("1.3.6.1.6.3.18.1.3", "SNMP-COMMUNITY-MIB::snmpTrapAddress"),
    object(
        "1.3.6.1.6.3.18.1.4",
        "SNMP-COMMUNITY-MIB::snmpTrapCommunity",
    ),
];
