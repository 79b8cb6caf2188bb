//! Asking a broker whether it serves: as much of Kafka's protocol as one metadata request takes.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(1);
const CORRELATION: i32 = 1;
/// No broker describes itself at greater length.
const LONGEST_ANSWER: i32 = 1 << 20;

/// How many brokers the one at this port of 127.0.0.1 knows of, itself among them; none while it
/// does not answer.
pub(super) fn knows_of(port: u16) -> i32 {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let brokers = count_brokers(address).unwrap_or_default();
    i32::try_from(brokers).unwrap_or(i32::MAX)
}

/// The number of brokers that the one at this address knows of.
pub(super) fn count_brokers(address: SocketAddr) -> io::Result<usize> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&request())?;
    let length = read_i32(&mut stream)?;
    if !(8..=LONGEST_ANSWER).contains(&length) || read_i32(&mut stream)? != CORRELATION {
        return Err(io::Error::from(io::ErrorKind::InvalidData));
    }
    let brokers = read_i32(&mut stream)?;
    usize::try_from(brokers).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
}

/// Metadata, version 1, for no topics.
fn request() -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(3_i16.to_be_bytes()); // Metadata
    body.extend(1_i16.to_be_bytes()); // version
    body.extend(CORRELATION.to_be_bytes());
    body.extend((-1_i16).to_be_bytes()); // client id: none
    body.extend(0_i32.to_be_bytes()); // topics: none
    let length = i32::try_from(body.len()).unwrap_or_default();
    [length.to_be_bytes().as_slice(), &body].concat()
}

fn read_i32(stream: &mut TcpStream) -> io::Result<i32> {
    let mut bytes = [0; 4];
    stream.read_exact(&mut bytes)?;
    Ok(i32::from_be_bytes(bytes))
}
