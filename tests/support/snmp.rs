//! SNMP notifications, written byte by byte (X.690; RFC 1157, section 4.1.6; RFC 3416, section 3).

/// `snmpTrapOID.0` of linkDown: 1.3.6.1.6.3.1.1.5.3.
const LINK_DOWN: &[u8] = &[0x2b, 6, 1, 6, 3, 1, 1, 5, 3];

/// An SNMPv1 linkDown trap.
pub fn v1_trap(community: &[u8]) -> Vec<u8> {
    let pdu = [
        tlv(0x06, &[0x2b, 6, 1, 4, 1, 9]), // enterprise: 1.3.6.1.4.1.9
        tlv(0x40, &[10, 20, 0, 1]),        // agent-addr
        tlv(0x02, &[2]),                   // generic-trap: linkDown
        tlv(0x02, &[0]),                   // specific-trap
        tlv(0x43, &[0x30, 0x39]),          // time-stamp: 12345
        tlv(0x30, &if_index(2)),
    ]
    .concat();
    message(0, community, &tlv(0xa4, &pdu))
}

/// An SNMPv2c linkDown trap for interface `index`.
pub fn v2c_trap(community: &[u8], index: u8) -> Vec<u8> {
    notification(0xa7, community, index)
}

/// An SNMPv2c linkDown inform for interface `index`.
pub fn v2c_inform(community: &[u8], index: u8) -> Vec<u8> {
    notification(0xa6, community, index)
}

/// The whole SNMPv2c inform that carries `number`, in its request-id and in the text of `ifDescr.1`.
pub fn numbered_inform(name: &str, number: u32) -> Vec<u8> {
    let up_time = binding(&[0x2b, 6, 1, 2, 1, 1, 3, 0], &tlv(0x43, &[0x30, 0x39]));
    let trap_oid = binding(&[0x2b, 6, 1, 6, 3, 1, 1, 4, 1, 0], &tlv(0x06, LINK_DOWN));
    let text = format!("{name} serial={number} ");
    let descr = binding(
        &[0x2b, 6, 1, 2, 1, 2, 2, 1, 2, 1],
        &tlv(0x04, text.as_bytes()),
    );
    let pdu = [
        tlv(0x02, &request_id(number)),
        tlv(0x02, &[0]),
        tlv(0x02, &[0]),
        tlv(0x30, &[up_time, trap_oid, descr].concat()),
    ]
    .concat();
    message(1, b"public", &tlv(0xa6, &pdu))
}

/// Whether `packet` is a Response (RFC 3416, section 4.2.4) with this request-id.
pub fn is_response(packet: &[u8], number: u32) -> bool {
    let request_id = tlv(0x02, &request_id(number));
    let response = packet.windows(2).any(|pair| pair[0] == 0xa2);
    response
        && packet
            .windows(request_id.len())
            .any(|part| part == request_id)
}

/// Four bytes that begin with neither 0 nor a set sign bit, so that DER and BER write them alike.
fn request_id(number: u32) -> [u8; 4] {
    (0x1200_0000 | number).to_be_bytes()
}

fn notification(tag: u8, community: &[u8], index: u8) -> Vec<u8> {
    let up_time = binding(&[0x2b, 6, 1, 2, 1, 1, 3, 0], &tlv(0x43, &[0x30, 0x39]));
    let trap_oid = binding(&[0x2b, 6, 1, 6, 3, 1, 1, 4, 1, 0], &tlv(0x06, LINK_DOWN));
    let bindings = [up_time, trap_oid, if_index(index)].concat();
    let pdu = [
        tlv(0x02, &[0x12, 0x34, index]), // request-id
        tlv(0x02, &[0]),                 // error-status
        tlv(0x02, &[0]),                 // error-index
        tlv(0x30, &bindings),
    ]
    .concat();
    message(1, community, &tlv(tag, &pdu))
}

fn message(version: u8, community: &[u8], pdu: &[u8]) -> Vec<u8> {
    let parts = [tlv(0x02, &[version]), tlv(0x04, community), pdu.to_vec()];
    tlv(0x30, &parts.concat())
}

/// `ifIndex.index = INTEGER: index`
fn if_index(index: u8) -> Vec<u8> {
    binding(&[0x2b, 6, 1, 2, 1, 2, 2, 1, 1, index], &tlv(0x02, &[index]))
}

fn binding(oid: &[u8], value: &[u8]) -> Vec<u8> {
    tlv(0x30, &[tlv(0x06, oid), value.to_vec()].concat())
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match u8::try_from(content.len()) {
        Ok(length @ 0..0x80) => bytes.push(length),
        Ok(length) => bytes.extend([0x81, length]),
        Err(_) => {
            let length = u16::try_from(content.len()).expect("a small packet");
            bytes.push(0x82);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes.extend(content);
    bytes
}
