//! The loop itself: handles what has happened, in turns, until [`NodeHandle::stop`].

use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::{Events, Token};

use super::api::{Command, Event};
use super::{Node, TOKEN_CONNS, TOKEN_DHT, TOKEN_LSD, TOKEN_WAKER};
use crate::core::discovery::{DiscoveryInput, UdpSocketKind};
use crate::core::error::Result;
use crate::core::nearness::Nearness;
use crate::core::swarm::{ConnId, Input, TorrentId};
use crate::core::time::{Micros, SECOND};

const EVENTS_MAX: usize = 256;
/// After a stop, for the last announces.
const LAST_ANNOUNCES: Duration = Duration::from_millis(500);

impl Node {
    /// Runs the loop in a thread of its own.
    ///
    /// # Errors
    /// [`Code::Io`] when there can be no thread.
    pub fn spawn(self, events: Sender<Event>) -> Result<JoinHandle<Result<()>>> {
        let builder = std::thread::Builder::new().name("node".into());
        Ok(builder.stack_size(512 << 10).spawn(move || self.run(&events))?)
    }

    /// Runs until [`NodeHandle::stop`]; it seeds on when everything is there. Events nobody listens to are dropped.
    ///
    /// # Errors
    /// [`Code::Io`] when epoll fails.
    pub fn run(mut self, events: &Sender<Event>) -> Result<()> {
        self.events = Some(events.clone());
        let result = self.run_loop();
        if let Err(error) = &result {
            for torrent in &self.torrents {
                torrent.cfg.artifact.fail(error.clone());
            }
        }
        self.report_progress(true);
        self.report(Event::Stopped);
        result
    }

    fn run_loop(&mut self) -> Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        self.drain();
        // The first announces and searches of the torrents that are there already.
        self.drain_discovery();
        while !self.stopping {
            self.flush_all();
            self.poll_once(&mut events, None)?;
        }
        self.conns.clear();
        self.discovery.handle(self.now(), DiscoveryInput::Stop);
        self.drain_discovery();
        if self.http_pending > 0 {
            // The pool sends the announces; the answers do not matter.
            let until = Instant::now() + LAST_ANNOUNCES;
            while self.http_pending > 0 && Instant::now() < until {
                self.poll_once(&mut events, Some(until - Instant::now()))?;
            }
        }
        Ok(())
    }

    pub(super) fn poll_once(&mut self, events: &mut Events, at_most: Option<Duration>) -> Result<()> {
        match self.poll.poll(events, self.timeout(at_most)) {
            Err(e) if e.kind() != std::io::ErrorKind::Interrupted => return Err(e.into()),
            _ => {}
        }
        for event in events.iter() {
            match event.token() {
                TOKEN_WAKER => {}
                TOKEN_DHT => self.read_udp(UdpSocketKind::Dht),
                TOKEN_LSD => self.read_udp(UdpSocketKind::Lsd),
                Token(t) if t < TOKEN_CONNS => self.unaccepted = true,
                Token(t) => {
                    let id = ConnId((t - TOKEN_CONNS) as u32);
                    if event.is_writable() {
                        self.writable(id);
                    }
                    if event.is_readable() || event.is_read_closed() || event.is_error() {
                        self.readable(id);
                    }
                }
            }
        }
        if self.unaccepted {
            self.accept();
        }
        for kind in std::mem::take(&mut self.unread_udp) {
            self.read_udp(kind);
        }
        for _ in 0..self.unread.len() {
            if let Some(id) = self.unread.pop_front() {
                self.readable(id);
            }
        }
        self.take_commands();
        self.take_done();
        self.on_time();
        Ok(())
    }

    fn timeout(&self, at_most: Option<Duration>) -> Option<Duration> {
        let in_turn = !self.flush.is_empty() || !self.unread.is_empty() || !self.unread_udp.is_empty();
        if in_turn || self.unaccepted {
            return Some(Duration::ZERO);
        }
        let mut at = self.sweep_at.min(self.report_at);
        for deadline in [self.swarm.deadline(), self.discovery.deadline()]
            .into_iter()
            .flatten()
        {
            at = at.min(deadline);
        }
        if at == Micros::MAX {
            return at_most;
        }
        let wait = Duration::from_micros(at.saturating_sub(self.now()));
        Some(at_most.map_or(wait, |most| most.min(wait)))
    }

    fn on_time(&mut self) {
        let now = self.now();
        if self.swarm.deadline().is_some_and(|at| at <= now) {
            self.input(Input::Tick);
        }
        if self.discovery.deadline().is_some_and(|at| at <= now) {
            self.discovery.handle(now, DiscoveryInput::Tick);
            self.drain_discovery();
        }
        if self.sweep_at <= now {
            self.sweep(now);
        }
        if self.report_at <= now {
            self.report_at = now + SECOND;
            self.report_progress(false);
        }
    }

    fn take_commands(&mut self) {
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Stop => self.stopping = true,
                Command::AskProgress => self.report_progress(true),
                Command::Leave(torrent) => self.leave(torrent),
                Command::AddPeers(torrent, peers) => {
                    let peers: Vec<_> = peers.into_iter().map(|addr| (addr, Nearness::Unknown)).collect();
                    self.input(Input::Peers {
                        torrent,
                        peers: &peers,
                    });
                }
            }
        }
    }

    fn report_progress(&mut self, always: bool) {
        for at in 0..self.torrents.len() {
            let torrent = TorrentId(at as u16);
            let progress = self.swarm.progress(torrent);
            if always || progress != self.torrents[at].reported {
                self.torrents[at].reported = progress;
                self.note_progress(torrent, &progress);
                self.report(Event::Progress { torrent, progress });
            }
        }
    }

    pub(super) fn report(&self, event: Event) {
        if let Some(events) = &self.events {
            let _ = events.send(event);
        }
    }

    pub(super) fn now(&self) -> Micros {
        self.started.elapsed().as_micros() as Micros
    }
}
