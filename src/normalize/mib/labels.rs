//! The names of enumerated values, by object, as the MIBs write them.

use super::Labels;

pub(super) const IF_ADMIN_STATUS: Labels = &[(1, "up"), (2, "down"), (3, "testing")];
pub(super) const IF_OPER_STATUS: Labels = &[
    (1, "up"),
    (2, "down"),
    (3, "testing"),
    (4, "unknown"),
    (5, "dormant"),
    (6, "notPresent"),
    (7, "lowerLayerDown"),
];
pub(super) const OSPF_IF_STATE: Labels = &[
    (1, "down"),
    (2, "loopback"),
    (3, "waiting"),
    (4, "pointToPoint"),
    (5, "designatedRouter"),
    (6, "backupDesignatedRouter"),
    (7, "otherDesignatedRouter"),
];
pub(super) const OSPF_NBR_STATE: Labels = &[
    (1, "down"),
    (2, "attempt"),
    (3, "init"),
    (4, "twoWay"),
    (5, "exchangeStart"),
    (6, "exchange"),
    (7, "loading"),
    (8, "full"),
];
pub(super) const OSPF_CONFIG_ERROR_TYPE: Labels = &[
    (1, "badVersion"),
    (2, "areaMismatch"),
    (3, "unknownNbmaNbr"),
    (4, "unknownVirtualNbr"),
    (5, "authTypeMismatch"),
    (6, "authFailure"),
    (7, "netMaskMismatch"),
    (8, "helloIntervalMismatch"),
    (9, "deadIntervalMismatch"),
    (10, "optionMismatch"),
    (11, "mtuMismatch"),
    (12, "duplicateRouterId"),
    (13, "noError"),
];
pub(super) const OSPF_PACKET_TYPE: Labels = &[
    (1, "hello"),
    (2, "dbDescript"),
    (3, "lsReq"),
    (4, "lsUpdate"),
    (5, "lsAck"),
    (6, "nullPacket"),
];
pub(super) const BGP_PEER_STATE: Labels = &[
    (1, "idle"),
    (2, "connect"),
    (3, "active"),
    (4, "opensent"),
    (5, "openconfirm"),
    (6, "established"),
];
pub(super) const BGP_PEER_ADMIN_STATUS: Labels = &[(1, "stop"), (2, "start")];
pub(super) const ALARM_SAMPLE_TYPE: Labels = &[(1, "absoluteValue"), (2, "deltaValue")];
pub(super) const HR_DEVICE_STATUS: Labels = &[
    (1, "unknown"),
    (2, "running"),
    (3, "warning"),
    (4, "testing"),
    (5, "down"),
];
pub(super) const HR_PRINTER_STATUS: Labels = &[
    (1, "other"),
    (2, "unknown"),
    (3, "idle"),
    (4, "printing"),
    (5, "warmup"),
];
pub(super) const VRRP_OPER_STATE: Labels = &[(1, "initialize"), (2, "backup"), (3, "master")];
pub(super) const ENT_PHY_SENSOR_TYPE: Labels = &[
    (1, "other"),
    (2, "unknown"),
    (3, "voltsAC"),
    (4, "voltsDC"),
    (5, "amperes"),
    (6, "watts"),
    (7, "hertz"),
    (8, "celsius"),
    (9, "percentRH"),
    (10, "rpm"),
    (11, "cmm"),
    (12, "truthvalue"),
];
pub(super) const ENT_PHY_SENSOR_OPER_STATUS: Labels =
    &[(1, "ok"), (2, "unavailable"), (3, "nonoperational")];
pub(super) const CISCO_ENV_MON_STATE: Labels = &[
    (1, "normal"),
    (2, "warning"),
    (3, "critical"),
    (4, "shutdown"),
    (5, "notPresent"),
    (6, "notFunctioning"),
];
pub(super) const CLOG_HIST_SEVERITY: Labels = &[
    (1, "emergency"),
    (2, "alert"),
    (3, "critical"),
    (4, "error"),
    (5, "warning"),
    (6, "notice"),
    (7, "info"),
    (8, "debug"),
];
pub(super) const CCM_HISTORY_EVENT_COMMAND_SOURCE: Labels = &[(1, "commandLine"), (2, "snmp")];
pub(super) const HISTORY_EVENT_MEDIUM: Labels = &[
    (1, "erase"),
    (2, "commandSource"),
    (3, "running"),
    (4, "startup"),
    (5, "local"),
    (6, "networkTftp"),
    (7, "networkRcp"),
    (8, "networkFtp"),
    (9, "networkScp"),
];
pub(super) const CEFC_FRUPOWER_OPER_STATUS: Labels = &[
    (1, "offEnvOther"),
    (2, "on"),
    (3, "offAdmin"),
    (4, "offDenied"),
    (5, "offEnvPower"),
    (6, "offEnvTemp"),
    (7, "offEnvFan"),
    (8, "failed"),
    (9, "onButFanFail"),
    (10, "offCooling"),
    (11, "offConnectorRating"),
    (12, "onButInlinePowerFail"),
];
pub(super) const CEFC_MODULE_OPER_STATUS: Labels = &[
    (1, "unknown"),
    (2, "ok"),
    (3, "disabled"),
    (4, "okButDiagFailed"),
    (5, "boot"),
    (6, "selfTest"),
    (7, "failed"),
    (8, "missing"),
    (9, "mismatchWithParent"),
    (10, "mismatchConfig"),
    (11, "diagFailed"),
    (12, "dormant"),
    (13, "outOfServiceAdmin"),
    (14, "outOfServiceEnvTemp"),
    (15, "poweredDown"),
    (16, "poweredUp"),
    (17, "powerDenied"),
    (18, "powerCycled"),
    (19, "okButPowerOverWarning"),
    (20, "okButPowerOverCritical"),
    (21, "syncInProgress"),
    (22, "upgrading"),
    (23, "okButAuthFailed"),
    (24, "mdr"),
    (25, "fwMismatchFound"),
    (26, "fwDownloadSuccess"),
    (27, "fwDownloadFailure"),
];
pub(super) const CBGP_PEER_PREV_STATE: Labels = &[
    (0, "none"),
    (1, "idle"),
    (2, "connect"),
    (3, "active"),
    (4, "opensent"),
    (5, "openconfirm"),
    (6, "established"),
];
pub(super) const JNX_FRU_STATE: Labels = &[
    (1, "unknown"),
    (2, "empty"),
    (3, "present"),
    (4, "ready"),
    (5, "announceOnline"),
    (6, "online"),
    (7, "anounceOffline"),
    (8, "offline"),
    (9, "diagnostic"),
    (10, "standby"),
];
