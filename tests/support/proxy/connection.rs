//! The side towards the clients: TLS, HTTP/1.1 and HTTP/2, and resets. Does I/O.

use std::{io, net::TcpListener as StdListener, sync::Arc};

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use super::{Door, State, exchange::Exchange};

/// A listener on a free port of the loopback interface that any runtime can take over.
pub(super) fn listen() -> io::Result<StdListener> {
    let listener = StdListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves until dropped; its connections end with it.
pub(super) async fn serve(listener: StdListener, tls: TlsAcceptor, state: Arc<State>) {
    let listener = TcpListener::from_std(listener).unwrap();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((socket, _)) = accepted else { return };
                let (tls, state) = (tls.clone(), Arc::clone(&state));
                connections.spawn(async move {
                    // A connection that fails is over; the client sees that.
                    drop(connection(socket, tls, state).await);
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(socket: TcpStream, tls: TlsAcceptor, state: Arc<State>) -> io::Result<()> {
    socket.set_nodelay(true)?;
    // A second hand on the same socket, for when the first is deep inside the HTTP server.
    let socket = socket.into_std()?;
    let second = TcpStream::from_std(socket.try_clone()?)?;
    let socket = TcpStream::from_std(socket)?;
    let reset = state.cut.borrow().child_token();
    let served = async {
        match state.door() {
            Door::Open => {}
            Door::Silent => std::future::pending::<()>().await,
            Door::Reset => {
                reset.cancel();
                return Ok(());
            }
        }
        let stream = tls.accept(socket).await?;
        let service = TowerToHyperService::new(Exchange { state: Arc::clone(&state), reset: reset.clone() });
        let server = auto::Builder::new(TokioExecutor::new());
        server.serve_connection(TokioIo::new(stream), service).await.map_err(io::Error::other)
    };
    tokio::select! {
        outcome = served => if !reset.is_cancelled() { return outcome },
        () = reset.cancelled() => {}
    }
    // With both hands closed, and nothing to linger for, the client gets a reset.
    second.set_zero_linger()
}
