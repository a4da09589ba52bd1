//! The servers that connections go to, and the addresses of each.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::net::TcpStream;

/// Servers among which connections are spread, in turns, as a balancer in front of them does. Clones share who is in
/// service.
#[derive(Debug, Clone)]
pub struct Spread(Arc<Servers>);

#[derive(Debug)]
struct Servers {
    servers: Vec<Server>,
    /// Written by all workers: whose turn it is.
    turn: AtomicUsize,
}

#[derive(Debug)]
pub(super) struct Server {
    /// Where it may be reached, in the order in which that is tried.
    addrs: Vec<SocketAddr>,
    /// Written by all workers: the place of the address that was reached last, which is tried first.
    reached: AtomicUsize,
    /// Written by whoever watches the servers.
    is_out: AtomicBool,
}

impl Server {
    pub(super) const fn new(addrs: Vec<SocketAddr>) -> Self {
        Self {
            addrs,
            reached: AtomicUsize::new(0),
            is_out: AtomicBool::new(false),
        }
    }

    /// To the first of its addresses that can be reached.
    pub(super) async fn connect(&self) -> io::Result<TcpStream> {
        let mut error = io::Error::from(io::ErrorKind::AddrNotAvailable);
        let first = self.reached.load(Ordering::Relaxed);
        let places = (0..self.addrs.len()).filter(|place| *place != first);
        for place in std::iter::once(first).chain(places) {
            let Some(addr) = self.addrs.get(place) else {
                continue;
            };
            match TcpStream::connect(addr).await {
                Ok(stream) => {
                    self.reached.store(place, Ordering::Relaxed);
                    return Ok(stream);
                }
                Err(refused) => error = refused,
            }
        }
        Err(error)
    }
}

impl Spread {
    /// All of them in service.
    pub fn new(addrs: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self::of(addrs.into_iter().map(|addr| Server::new(vec![addr])).collect())
    }

    pub(super) fn of(servers: Vec<Server>) -> Self {
        Self(Arc::new(Servers {
            servers,
            turn: AtomicUsize::new(0),
        }))
    }

    /// Takes a server out of service: no request goes there any more. Those under way are left alone.
    pub fn take_out(&self, server: usize) {
        self.set(server, true);
    }

    /// Takes a server into service.
    pub fn take_in(&self, server: usize) {
        self.set(server, false);
    }

    fn set(&self, server: usize, is_out: bool) {
        if let Some(server) = self.0.servers.get(server) {
            server.is_out.store(is_out, Ordering::Relaxed);
        }
    }

    pub(super) fn is_out(&self, server: usize) -> bool {
        let server = self.0.servers.get(server);
        server.is_none_or(|it| it.is_out.load(Ordering::Relaxed))
    }

    /// The servers in the order in which a new connection tries them: those in service, or all where none is.
    pub(super) fn candidates(&self) -> Vec<(usize, &Server)> {
        let Servers { servers, turn } = &*self.0;
        let first = turn.fetch_add(1, Ordering::Relaxed);
        let mut all: Vec<_> = servers.iter().enumerate().collect();
        if let Some(shift) = first.checked_rem(all.len()) {
            all.rotate_left(shift);
        }
        if all.iter().any(|(server, _)| !self.is_out(*server)) {
            all.retain(|(server, _)| !self.is_out(*server));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_host_with_several_addresses_is_reached_at_the_first_that_listens() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listens = listener.local_addr().unwrap();
        let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
        let server = Server::new(vec![nobody, listens, nobody]);
        for _ in 0..2 {
            assert_eq!(server.connect().await.unwrap().peer_addr().unwrap(), listens);
            assert_eq!(
                server.reached.load(Ordering::Relaxed),
                1,
                "tried first from now on"
            );
        }
        assert!(Server::new(vec![nobody, nobody]).connect().await.is_err());
        assert!(Server::new(Vec::new()).connect().await.is_err());
    }

    #[test]
    fn new_connections_take_turns_among_the_servers_in_service() {
        let addr = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let spread = Spread::new([addr(1), addr(2)]);
        let first = || {
            spread
                .candidates()
                .first()
                .map(|(_, server)| server.addrs[0].port())
        };
        assert_eq!([first(), first(), first()], [Some(1), Some(2), Some(1)]);
        spread.take_out(0);
        assert_eq!([first(), first(), first()], [Some(2); 3]);
        assert_eq!(spread.candidates().len(), 1);
        spread.take_out(1);
        assert_eq!(spread.candidates().len(), 2, "one of them may be back unnoticed");
        spread.take_in(0);
        assert_eq!([first(), first()], [Some(1); 2]);
        spread.take_in(7);
    }
}
