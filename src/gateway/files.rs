//! How many files this process may have open: each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Allow as many as the system does, and tell where even that is less than `connections` there may be: who is over the limit then
/// hears nothing, and neither does who asks whether we are well.
pub fn allow_files(connections: usize) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum && setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_err() {
        tracing::debug!("The limit of open files stays as it is.");
    }
    let wanted = u64::try_from(connections).unwrap_or(u64::MAX);
    if let Some(most) = maximum.filter(|most| *most < wanted) {
        tracing::warn!(
            "The system allows {most} open files, and listen.connections is {wanted}: raise the limit (LimitNOFILE) or lower that."
        );
    }
}
