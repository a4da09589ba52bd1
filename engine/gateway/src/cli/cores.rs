//! Which cores a process runs on. Elsewhere than on Linux nobody can say, and asking for some is an error.

/// Keeps this thread, and those it starts later, on these cores. None: on any.
///
/// # Errors
/// There is no such core, or the system cannot do it.
#[cfg(target_os = "linux")]
pub(super) fn stay_on(cores: &[usize]) -> anyhow::Result<()> {
    use anyhow::Context as _;
    use rustix::thread::{CpuSet, sched_setaffinity};
    if cores.is_empty() {
        return Ok(());
    }
    let mut set = CpuSet::new();
    for core in cores {
        anyhow::ensure!(*core < CpuSet::MAX_CPU, "core {core}: there is none");
        set.set(*core);
    }
    sched_setaffinity(None, &set).with_context(|| format!("cores {cores:?}"))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn stay_on(cores: &[usize]) -> anyhow::Result<()> {
    anyhow::ensure!(cores.is_empty(), "cores cannot be chosen on this system");
    Ok(())
}

/// The cores that this process may run on, in ascending order.
#[cfg(target_os = "linux")]
pub(super) fn allowed() -> Vec<usize> {
    use rustix::thread::{CpuSet, sched_getaffinity};
    let set = sched_getaffinity(None).ok();
    let has = |core: &usize| set.as_ref().is_some_and(|set| set.is_set(*core));
    (0..CpuSet::MAX_CPU).filter(has).collect()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn allowed() -> Vec<usize> {
    let many = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    (0..many).collect()
}
