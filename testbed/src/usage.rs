//! What a process takes of the machine, as the kernel says.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};

use crate::Part;

/// Resident memory of a process in MiB.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Now.
    pub now: f64,
    /// At the most since it was started.
    pub peak: f64,
}

/// Processor time that a process has used so far, in user space and in the kernel.
///
/// # Errors
/// When there is no such process.
pub fn cpu(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold anything; utime and stime are the 12th and 13th after it.
    let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    let ticks: u64 = ticks.sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second()))
}

/// Memory of a process.
///
/// # Errors
/// When there is no such process.
pub fn memory(pid: u32) -> Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let mib = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        kib.map(|kib| kib / 1024.0).with_context(|| format!("the kernel tells no {field}"))
    };
    Ok(Memory { now: mib("VmRSS:")?, peak: mib("VmHWM:")? })
}

impl Part {
    fn running(&self) -> Result<u32> {
        self.pid().with_context(|| format!("{} does not run", self.name()))
    }

    /// Its processor time so far.
    ///
    /// # Errors
    /// When it does not run.
    pub fn cpu(&self) -> Result<Duration> {
        cpu(self.running()?)
    }

    /// Its memory.
    ///
    /// # Errors
    /// When it does not run.
    pub fn memory(&self) -> Result<Memory> {
        memory(self.running()?)
    }
}
