-- Events of trapline (schema 1) for Apache Flink SQL: one table over all topics.
-- Written from packaging/schema/event.schema.json; change that, not this.
CREATE TABLE net_events (
  `agent` ROW<`id` STRING, `listener` STRING, `transport` STRING, `version` STRING>,
  `change` ROW<`claimed_hostname` STRING, `previous_hostname` STRING, `what` STRING>,
  `device` ROW<`address` STRING, `hostname` STRING, `hostname_source` STRING, `labels` MAP<STRING, STRING>, `os` STRING, `previous_hostname` STRING, `vendor` STRING>,
  `event_code` STRING,
  `gap` ROW<`counter` STRING, `first_missing` DECIMAL(20, 0), `last_missing` DECIMAL(20, 0)>,
  `id` STRING,
  `kind` STRING,
  `message` STRING,
  `parse_error` ROW<`at_byte` BIGINT, `reason` STRING>,
  `raw` STRING,
  `raw_base64` STRING,
  `raw_withheld` ROW<`first_bytes` STRING, `length_bytes` BIGINT, `reason` STRING, `sha256` STRING>,
  `received` TIMESTAMP_LTZ(6),
  `repeat_count` BIGINT,
  `report` ROW<`begin` STRING, `boot` STRING, `end` STRING, `kinds` ARRAY<ROW<`kind` STRING, `records` DECIMAL(20, 0)>>, `listeners` ARRAY<ROW<`kernel_dropped` DECIMAL(20, 0), `name` STRING, `received` DECIMAL(20, 0), `rejected` ARRAY<ROW<`count` DECIMAL(20, 0), `reason` STRING>>, `used` DECIMAL(20, 0)>>, `lost` ARRAY<ROW<`count` DECIMAL(20, 0), `first` DECIMAL(20, 0), `last` DECIMAL(20, 0), `reason` STRING, `topic` STRING>>, `previous_run` STRING, `records` ROW<`accepted` DECIMAL(20, 0), `dead_letter` DECIMAL(20, 0), `delivered` DECIMAL(20, 0), `lost` ARRAY<ROW<`count` DECIMAL(20, 0), `reason` STRING>>, `pending` DECIMAL(20, 0)>, `spool` STRING, `topics` ARRAY<ROW<`first` DECIMAL(20, 0), `last` DECIMAL(20, 0), `next` DECIMAL(20, 0), `oldest_pending_age_ms` DECIMAL(20, 0), `pending` DECIMAL(20, 0), `settled_to` DECIMAL(20, 0), `topic` STRING>>, `what` STRING>,
  `schema` INT,
  `severity` STRING,
  `severity_code` INT,
  `snmp` ROW<`anomalies` ARRAY<STRING>, `context_engine_id` STRING, `context_name` STRING, `engine_id` STRING, `pdu` STRING, `security_level` STRING, `trap_oid` STRING, `uptime_ticks` BIGINT, `user` STRING, `varbinds` ARRAY<ROW<`display` STRING, `encoding` STRING, `index` STRING, `index_parts` ARRAY<ROW<`label` STRING, `name` STRING, `value` STRING>>, `label` STRING, `name` STRING, `number` DOUBLE, `oid` STRING, `type` STRING, `units` STRING, `value` STRING>>, `version` STRING>,
  `storm` ROW<`event_codes` ARRAY<ROW<`count` DECIMAL(20, 0), `event_code` STRING>>, `held_back` DECIMAL(20, 0), `top_event_code` STRING>,
  `syslog` ROW<`app_name` STRING, `clock` STRING, `facility` STRING, `facility_code` INT, `fields` MAP<STRING, STRING>, `format` STRING, `msg_id` STRING, `proc_id` STRING, `sequence` DECIMAL(20, 0), `structured_data` MAP<STRING, MAP<STRING, ARRAY<STRING>>>>,
  `time` STRING,
  `time_source` STRING,
  `truncated` BOOLEAN,
  WATERMARK FOR `received` AS `received` - INTERVAL '30' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'net.syslog;net.snmp;net.device;net.agent',
  'properties.bootstrap.servers' = 'kafka:9092',
  'properties.group.id' = 'net-events',
  'scan.startup.mode' = 'group-offsets',
  'properties.auto.offset.reset' = 'earliest',
  'format' = 'json',
  'json.timestamp-format.standard' = 'ISO-8601',
  'json.ignore-parse-errors' = 'true'
);
