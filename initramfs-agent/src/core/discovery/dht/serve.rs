//! Answers to the queries of others.

use std::net::SocketAddr;

use super::table::K;
use super::{Dht, Output};
use crate::core::discovery::compact;
use crate::core::discovery::krpc::{self, Contact, Query, Response};
use crate::core::rng::Rng;
use crate::core::time::Micros;

impl Dht {
    /// Answers one query that is within the rate limit.
    pub(super) fn serve(
        &mut self,
        now: Micros,
        from: Contact,
        transaction: &[u8],
        query: &Query<'_>,
        rng: &mut Rng,
    ) {
        let ipv4 = from.addr.is_ipv4();
        let token = self.tokens.make(now, from.addr.ip());
        let mut response = Response::default();
        match *query {
            Query::Ping => {}
            Query::FindNode { target } => response.nodes = self.table.closest(&target, K, ipv4),
            Query::GetPeers { infohash } => {
                response.nodes = self.table.closest(&infohash, K, ipv4);
                response.values = self.store.get(now, &infohash, ipv4, rng);
                response.token = Some(&token);
            }
            Query::AnnouncePeer {
                infohash,
                port,
                token,
            } => {
                if !self.tokens.check(now, from.addr.ip(), token) {
                    let refusal = krpc::encode_error(transaction, krpc::PROTOCOL_ERROR, "Bad Token");
                    return self.send(from.addr, refusal);
                }
                let peer = SocketAddr::new(from.addr.ip(), port.unwrap_or(from.addr.port()));
                self.announced(now, infohash, peer);
            }
        }
        let answer = krpc::encode_response(transaction, &self.id, &response);
        self.send(from.addr, answer);
        self.consider(now, from, rng);
    }

    fn announced(&mut self, now: Micros, infohash: [u8; 20], peer: SocketAddr) {
        if !compact::is_usable(&peer) {
            return;
        }
        self.store.add(now, infohash, peer);
        if self.torrents.iter().any(|torrent| torrent.infohash == infohash) {
            let peers = vec![peer];
            self.outputs.push_back(Output::Peers { infohash, peers });
        }
    }

    /// Whoever asks us may be worth knowing, but is taken into the table only once it has answered us:
    /// a sender's address proves nothing.
    fn consider(&mut self, now: Micros, from: Contact, rng: &mut Rng) {
        if from.id != self.id && !self.table.heard(now, &from) && self.table.has_room(&from.id) {
            self.ping(now, from.addr, rng);
        }
    }
}
