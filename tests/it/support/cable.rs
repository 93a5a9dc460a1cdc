//! A cable between a client and a server on this machine: a test may cut it, hold what is in it, slow it down, or lead it to
//! another server.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// How bytes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Free,
    /// Connections stay, and nothing passes.
    Held,
    /// Each piece takes so much longer.
    Slow(Duration),
    /// Nobody is let in; who is in stays.
    Refused,
}

#[derive(Clone, Copy, Debug)]
struct State {
    to: u16,
    flow: Flow,
    cuts: u64,
}

/// The cable, on a runtime of its own.
pub struct Cable {
    port: u16,
    state: watch::Sender<State>,
    runtime: Option<Runtime>,
}

impl Drop for Cable {
    fn drop(&mut self) {
        // A test may drop it inside another runtime, where waiting is forbidden.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Cable {
    /// To the server at this port.
    pub fn to(port: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let here = listener.local_addr().unwrap().port();
        let (state, seen) = watch::channel(State { to: port, flow: Flow::Free, cuts: 0 });
        runtime.spawn(accept(listener, seen));
        Self { port: here, state, runtime: Some(runtime) }
    }

    /// Where to connect.
    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn flow(&self, flow: Flow) {
        self.state.send_modify(|state| state.flow = flow);
    }

    /// Ends all connections.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    /// Ends all connections; new ones lead to the server at this port.
    pub fn lead_to(&self, port: u16) {
        self.state.send_modify(|state| *state = State { to: port, cuts: state.cuts + 1, ..*state });
    }
}

async fn accept(listener: std::net::TcpListener, state: watch::Receiver<State>) {
    let listener = TcpListener::from_std(listener).unwrap();
    while let Ok((client, _)) = listener.accept().await {
        let State { to, flow, cuts } = *state.borrow();
        if flow == Flow::Refused {
            continue;
        }
        let state = state.clone();
        tokio::spawn(async move {
            let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await else { return };
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::join!(pump(from_client, to_server, state.clone(), cuts), pump(from_server, to_client, state, cuts));
        });
    }
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut state: watch::Receiver<State>,
    cuts: u64,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read.unwrap_or(0),
            () = cut(state.clone(), cuts) => 0,
        };
        let Ok(seen) = state.wait_for(|state| state.cuts != cuts || state.flow != Flow::Held).await.map(|state| *state) else { return };
        if read == 0 || seen.cuts != cuts {
            return;
        }
        if let Flow::Slow(longer) = seen.flow {
            tokio::time::sleep(longer).await;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

async fn cut(mut state: watch::Receiver<State>, cuts: u64) {
    drop(state.wait_for(|state| state.cuts != cuts).await);
}
