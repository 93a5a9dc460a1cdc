//! A new process takes the listening sockets over from the one that runs, so that an upgrade drops no connection.
//!
//! ```text
//! new   opens stores, connects ─────────▶ old
//!       listens on what it was given ◀─── its sockets, with the addresses that they were asked for under
//!       everything listens: "ready" ────▶ stops listening, finishes what is in flight, leaves
//! ```
//!
//! Both listen on the same sockets meanwhile, so whoever connects is served by one of them. A new process that fails, or is
//! silent, has changed nothing: the old one serves on. The control socket can be opened by its owner alone, and who is at its
//! other end is asked of the system: only the same user is given anything.

use std::fs::{self, Permissions};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::net::sockopt::socket_peercred;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use tokio::net::UnixListener;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::gateway::{Address, Leaving, Lent, Listeners, Stop};

/// How long the other process may take for its next word.
const PATIENCE: Duration = Duration::from_secs(30);
/// Sockets at most, in one message.
const MOST: usize = 64;
/// Bytes of a message at most.
const ROOM: usize = 16 * 1024;
/// What the new process says when it listens.
const READY: &[u8] = b"ready\n";

/// Where the control socket is: as the configuration says, else in the folder that systemd made for us.
pub(super) fn place(configured: Option<&Path>) -> Option<PathBuf> {
    let runtime = || std::env::var_os("RUNTIME_DIRECTORY").map(|folder| Path::new(&folder).join("upgrade.sock"));
    configured.map(Path::to_owned).or_else(runtime)
}

// === the new process

/// The process that listens still.
#[derive(Debug)]
pub(super) struct Predecessor(UnixStream);

impl Predecessor {
    /// Take its sockets.
    ///
    /// # Errors
    /// When nobody answers there, or what is said is not what we know.
    pub(super) fn ask(place: &Path) -> io::Result<(Self, Vec<(Address, OwnedFd)>)> {
        let stream = UnixStream::connect(place)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let sockets = receive(&stream)?;
        Ok((Self(stream), sockets))
    }

    /// Everything listens here: it may leave.
    pub(super) fn relieve(&self) {
        if let Err(error) = (&self.0).write_all(READY) {
            tracing::warn!(%error, "the process before this one could not be told to leave: {error}");
        }
    }
}

fn receive(stream: &UnixStream) -> io::Result<Vec<(Address, OwnedFd)>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let (mut text, mut control) = (vec![0; ROOM], RecvAncillaryBuffer::new(&mut space));
    let got = recvmsg(stream.as_fd(), &mut [IoSliceMut::new(&mut text)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let sockets = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
        _ => None,
    });
    let sockets: Vec<OwnedFd> = sockets.flatten().collect();
    let odd = || io::Error::new(io::ErrorKind::InvalidData, "the process there speaks another version of this");
    let names: Vec<String> = serde_json::from_slice(text.get(..got.bytes).unwrap_or_default()).map_err(|_| odd())?;
    let addresses: Vec<Address> = names.iter().map(|name| name.parse()).collect::<Result<_, _>>().map_err(|_| odd())?;
    if addresses.len() != sockets.len() || sockets.is_empty() {
        return Err(odd());
    }
    Ok(addresses.into_iter().zip(sockets).collect())
}

/// Starts the successor of this process, with the program that is there by then.
#[derive(Debug, Clone)]
pub(super) struct Successor {
    program: PathBuf,
    config: PathBuf,
}

impl Successor {
    /// Of this program, with this configuration. To be made at the start: later on the file may be another one.
    ///
    /// # Errors
    /// When the system does not say which program this is.
    pub(super) fn new(config: &Path) -> io::Result<Self> {
        Ok(Self { program: std::env::current_exe()?, config: config.to_owned() })
    }

    /// Start it. It takes over when it is ready, and when it is not, its own words say why.
    pub(super) fn start(&self) {
        let mut command = Command::new(&self.program);
        command.args(["serve", "--upgrade", "--config"]).arg(&self.config).stdin(Stdio::null());
        match command.spawn() {
            // Somebody must hear of its end while we live, or it stays as a shadow.
            Ok(mut child) => drop(std::thread::spawn(move || child.wait())),
            Err(error) => tracing::error!(%error, "a new process cannot be started: {error}"),
        }
    }
}

// === the old process

/// Our sockets, for whoever comes next.
pub(super) struct Offer {
    place: PathBuf,
    lent: Arc<Mutex<Option<Lent>>>,
    task: Mutex<Option<JoinHandle<()>>>,
    stop: Stop,
    slow: Handle,
}

impl Offer {
    /// Of the sockets of `listeners`, at `place`, in the runtime `slow`. Nobody is told of it yet.
    ///
    /// # Errors
    /// When the system gives no more descriptors.
    pub(super) fn new(place: PathBuf, listeners: &Listeners, stop: Stop, slow: Handle) -> io::Result<Self> {
        let lent = Arc::new(Mutex::new(Some(listeners.lend()?)));
        Ok(Self { place, lent, task: Mutex::default(), stop, slow })
    }

    /// Make it, in the place of the process before us, which made its own there.
    pub(super) fn make(&self) {
        if let Some(lent) = self.lent.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            lent.returned();
        }
        let _in_it = self.slow.enter();
        match listen(&self.place) {
            Ok(control) => {
                let task = self.slow.spawn(serve(control, Arc::clone(&self.lent), self.stop.clone()));
                self.task.lock().unwrap_or_else(PoisonError::into_inner).replace(task);
            }
            Err(error) => {
                tracing::error!(%error, "no new process can take over, there is no control socket at {}: {error}", self.place.display());
            }
        }
    }

    /// Nobody is given anything any more, and no socket is kept open here.
    pub(super) fn withdraw(&self, leaving: Leaving) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(task), Leaving::Stopped) = (task, leaving) {
            task.abort();
            // The one that has got them makes its own there.
            if !lent.is_some_and(|lent| lent.is_given()) {
                // Gone already is gone.
                drop(fs::remove_file(&self.place));
            }
        }
    }
}

/// Under another name first, so that nobody finds it with the wrong mode, or finds nobody.
fn listen(place: &Path) -> io::Result<UnixListener> {
    let folder = place.parent().ok_or(io::ErrorKind::InvalidInput)?;
    if fs::metadata(folder)?.permissions().mode() & 0o002 != 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "everybody can write to its folder"));
    }
    let mut name = place.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    let other = PathBuf::from(name);
    drop(fs::remove_file(&other));
    let control = UnixListener::bind(&other)?;
    fs::set_permissions(&other, Permissions::from_mode(0o600))?;
    fs::rename(&other, place)?;
    Ok(control)
}

async fn serve(control: UnixListener, lent: Arc<Mutex<Option<Lent>>>, stop: Stop) {
    loop {
        let Ok((stream, _)) = control.accept().await else { return };
        let lent = Arc::clone(&lent);
        let talk = tokio::task::spawn_blocking(move || stream.into_std().and_then(|stream| hand_over(&stream, &lent)));
        match talk.await {
            Ok(Ok(())) => return stop.hand_over(),
            Ok(Err(error)) => tracing::warn!(%error, "a new process did not take over, this one serves on: {error}"),
            Err(error) => tracing::warn!(%error, "a new process did not take over, this one serves on"),
        }
    }
}

/// Give the sockets, and wait until they are listened on.
fn hand_over(stream: &UnixStream, lent: &Mutex<Option<Lent>>) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    if socket_peercred(stream.as_fd())?.uid != rustix::process::geteuid() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to another user"));
    }
    tracing::info!("a new process takes over");
    give(stream, lent)?;
    let ready = until_ready(stream);
    if let (Err(_), Some(lent)) = (&ready, lent.lock().unwrap_or_else(PoisonError::into_inner).as_ref()) {
        lent.returned();
    }
    ready
}

fn until_ready(mut stream: &UnixStream) -> io::Result<()> {
    let mut word = [0; READY.len()];
    stream.read_exact(&mut word)?;
    if word == READY { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

fn give(stream: &UnixStream, lent: &Mutex<Option<Lent>>) -> io::Result<()> {
    let lent = lent.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(lent) = lent.as_ref().filter(|lent| lent.sockets.len() <= MOST) else { return Err(io::ErrorKind::NotFound.into()) };
    let names: Vec<String> = lent.sockets.iter().map(|(address, _)| address.to_string()).collect();
    let text = serde_json::to_vec(&names)?;
    let sockets: Vec<_> = lent.sockets.iter().map(|(_, socket)| socket.as_fd()).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&sockets)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    sendmsg(stream.as_fd(), &[IoSlice::new(&text)], &mut control, SendFlags::empty())?;
    // Already: we may be stopped before it says that it listens.
    lent.given();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::ListenSettings;

    fn listeners() -> Listeners {
        let free = "127.0.0.1:0".parse::<Address>().unwrap();
        Listeners::bind(&ListenSettings { public: vec![free.clone(), free.clone()], admin: free, ..ListenSettings::default() }).unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_successor_that_fails_changes_nothing_and_the_next_one_takes_over() {
        let folder = tempfile::tempdir().unwrap();
        let (place, listeners, stop) = (folder.path().join("upgrade.sock"), listeners(), Stop::default());
        let offer = Offer::new(place.clone(), &listeners, stop.clone(), Handle::current()).unwrap();
        offer.make();
        assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o600);

        let ask = |place: PathBuf| tokio::task::spawn_blocking(move || Predecessor::ask(&place).unwrap());
        drop(ask(place.clone()).await.unwrap());
        let (predecessor, sockets) = ask(place.clone()).await.unwrap();
        let mut expected = listeners.public();
        expected.push(listeners.admin());
        assert_eq!(sockets.iter().map(|(address, _)| address.clone()).collect::<Vec<_>>(), expected);
        predecessor.relieve();
        let task = offer.task.lock().unwrap().take().unwrap();
        task.await.unwrap();
        offer.withdraw(Leaving::HandedOver);
        assert!(place.exists(), "it is the successor's by now");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_is_stopped_while_another_takes_over_leaves_the_files_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let (place, admin) = (folder.path().join("upgrade.sock"), folder.path().join("admin.sock"));
        for is_taking_over in [true, false] {
            let public = vec!["127.0.0.1:0".parse().unwrap()];
            let settings = ListenSettings { public, admin: Address::Unix(admin.clone()), ..ListenSettings::default() };
            let listeners = Listeners::bind(&settings).unwrap();
            let offer = Offer::new(place.clone(), &listeners, Stop::default(), Handle::current()).unwrap();
            offer.make();
            let to = place.clone();
            let other = tokio::task::spawn_blocking(move || Predecessor::ask(&to).unwrap()).await.unwrap();
            if !is_taking_over {
                drop(other);
                let is_given = || offer.lent.lock().unwrap().as_ref().is_some_and(Lent::is_given);
                let returned = async {
                    while is_given() {
                        tokio::task::yield_now().await;
                    }
                };
                tokio::time::timeout(PATIENCE, returned).await.unwrap();
            }

            offer.withdraw(Leaving::Stopped);
            drop((offer, listeners));

            assert_eq!((place.exists(), admin.exists()), (is_taking_over, is_taking_over));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_folder_of_everybodys_is_no_place_for_a_control_socket() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o1777)).unwrap();
        let offer = Offer::new(folder.path().join("upgrade.sock"), &listeners(), Stop::default(), Handle::current()).unwrap();
        offer.make();
        assert!(offer.task.lock().unwrap().is_none());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
