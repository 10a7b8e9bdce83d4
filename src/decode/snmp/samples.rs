//! Packets for tests, built back to front so that every length follows from its content.

/// One TLV.
pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        short @ 0..0x80 => out.push(short as u8),
        long => {
            out.push(0x82);
            out.extend((long as u16).to_be_bytes());
        }
    }
    out.extend(content);
    out
}

/// One variable binding; `name` and `value` are whole.
pub fn varbind(name: &[u8], value: &[u8]) -> Vec<u8> {
    tlv(0x30, &[&tlv(6, name), value].concat())
}

/// `sysUpTime.0` = 12345.
pub fn uptime() -> Vec<u8> {
    varbind(super::pdu::SYS_UP_TIME, &[0x43, 2, 0x30, 0x39])
}

/// `snmpTrapOID.0` = 1.3.6.1.6.3.1.1.5.`last`.
pub fn trap_oid(last: u8) -> Vec<u8> {
    let value = tlv(6, &[0x2b, 6, 1, 6, 3, 1, 1, 5, last]);
    varbind(super::pdu::SNMP_TRAP_OID, &value)
}

/// An object below 1.3.6.1.2.1.
pub const OBJECT: &[u8] = &[0x2b, 6, 1, 2, 1, 1, 5, 0];

/// A v2c message with this PDU and these variable bindings.
pub fn v2c(pdu: u8, community: &[u8], varbinds: &[Vec<u8>]) -> Vec<u8> {
    let header = [2, 1, 7, 2, 1, 0, 2, 1, 0];
    let pdu = tlv(pdu, &[&header[..], &tlv(0x30, &varbinds.concat())].concat());
    tlv(0x30, &[&[2, 1, 1][..], &tlv(4, community), &pdu].concat())
}

/// A v1 message: enterprise 1.3.6.1.4.1.9.1, agent-addr 10.0.0.9.
pub fn v1(community: &[u8], generic: u8, specific: &[u8], varbinds: &[Vec<u8>]) -> Vec<u8> {
    let pdu = [
        tlv(6, &[0x2b, 6, 1, 4, 1, 9, 1]),
        vec![0x40, 4, 10, 0, 0, 9, 2, 1, generic],
        tlv(2, specific),
        vec![0x43, 2, 0x30, 0x39],
        tlv(0x30, &varbinds.concat()),
    ]
    .concat();
    tlv(
        0x30,
        &[&[2, 1, 0][..], &tlv(4, community), &tlv(0xa4, &pdu)].concat(),
    )
}

/// A linkDown as devices send it: clean.
pub fn link_down() -> Vec<u8> {
    let list = [
        uptime(),
        trap_oid(3),
        varbind(&[0x2b, 6, 1, 2, 1, 2, 2, 1, 1, 2], &[2, 1, 2]),
        varbind(&[0x2b, 6, 1, 2, 1, 2, 2, 1, 7, 2], &[2, 1, 2]),
    ];
    v2c(0xa7, b"s3cr3t-c0mm", &list)
}
