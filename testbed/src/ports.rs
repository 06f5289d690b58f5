//! Free ports on loopback, for parts that are stopped and started again on the same one.
//!
//! They are taken from below the range that the kernel uses for outgoing connections: from that range a
//! connection of any process could take the port of a part while it is stopped.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;

/// How many ports below the kernel's range are used.
const WIDTH: u16 = 12_000;
/// Begin of the kernel's range where it cannot be read.
const USUAL_BEGIN: u16 = 32_768;

static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port that nothing listens on and that this process has not handed out before.
///
/// # Errors
/// When there is none left.
pub fn free_port() -> anyhow::Result<u16> {
    let end = kernel_range_begin().max(1024 + 2 * WIDTH / 3);
    let begin = end.saturating_sub(WIDTH).max(1024);
    let width = end - begin;
    // Two test processes start at different places, so that they rarely try the same port at once.
    let offset = u16::try_from(std::process::id().wrapping_mul(977) % u32::from(width))?;
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let port = (0..width)
        .map(|step| begin + (offset + step) % width)
        .find(|port| !taken.contains(port) && TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .context("no free port on loopback")?;
    taken.insert(port);
    Ok(port)
}

fn kernel_range_begin() -> u16 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    range.split_whitespace().next().and_then(|begin| begin.parse().ok()).unwrap_or(USUAL_BEGIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_can_be_bound() {
        let ports: BTreeSet<u16> = (0..50).map(|_| free_port().unwrap()).collect();
        assert_eq!(ports.len(), 50);
        for port in ports {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        }
    }

    #[test]
    fn a_port_in_use_is_not_handed_out() {
        let port = free_port().unwrap();
        TAKEN.lock().unwrap().remove(&port);
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        assert_ne!(free_port().unwrap(), port);
    }
}
