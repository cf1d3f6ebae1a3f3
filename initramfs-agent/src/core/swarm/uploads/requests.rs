//! What one connection has requested and not received, and what it moves in its turns.

use std::collections::VecDeque;
use std::net::IpAddr;

use super::super::Micros;
use super::pace::Pace;
use super::{Requester, TURNS_OF_ONE_MAX, UPLOADS_ACROSS_MAX, UPLOADS_FLAT_MAX};
use crate::core::limits::REQUESTS_QUEUED_MAX;
use crate::core::wire::Block;

/// Payload bytes of one connection that wait in the shell.
const UNSENT_BYTES_MAX: u32 = 32 << 10;

/// What one connection has requested and not received.
pub(super) struct Requests {
    /// In the order in which they came.
    waiting: VecDeque<Block>,
    /// Payload bytes handed to the shell that have not gone to the kernel.
    unsent_bytes: u32,
    /// When a block last went to the shell, or bytes to the kernel.
    moved_at: Micros,
    /// Its peer reads nothing: it has no turns until it does.
    is_deaf: bool,
    site: IpAddr,
    is_across: bool,
    pace: Pace,
}

impl Requests {
    pub fn new(now: Micros, peer: &Requester, pace: Pace) -> Self {
        Self {
            waiting: VecDeque::new(),
            unsent_bytes: 0,
            moved_at: now,
            is_deaf: false,
            site: peer.site,
            is_across: peer.is_across,
            pace,
        }
    }

    /// Its address, and whether that is in another rack.
    pub fn origin(&self) -> (IpAddr, bool) {
        (self.site, self.is_across)
    }

    pub fn is_across(&self) -> bool {
        self.is_across
    }

    /// A block waits already.
    pub fn has(&self, block: Block) -> bool {
        self.waiting.contains(&block)
    }

    /// Blocks that wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// No more may wait.
    pub fn is_full(&self) -> bool {
        self.waiting() >= REQUESTS_QUEUED_MAX
    }

    pub fn push(&mut self, block: Block) {
        self.waiting.push_back(block);
    }

    /// Takes a block back; whether it still waited.
    pub fn cancel(&mut self, block: Block) -> bool {
        let found = self.waiting.iter().position(|b| *b == block);
        found.and_then(|at| self.waiting.remove(at)).is_some()
    }

    /// Takes back all that waits of a piece.
    pub fn cancel_piece(&mut self, piece: u32) -> Vec<Block> {
        let needless = self.waiting.iter().filter(|b| b.piece == piece).copied();
        let needless = needless.collect();
        self.waiting.retain(|b| b.piece != piece);
        needless
    }

    /// Takes the next block of a piece, if the shell may hold more.
    pub fn next_block(&mut self, piece: u32, now: Micros) -> Option<Block> {
        if self.unsent_bytes >= UNSENT_BYTES_MAX {
            return None;
        }
        let at = self.waiting.iter().position(|b| b.piece == piece)?;
        let block = self.waiting.remove(at)?;
        self.unsent_bytes += block.len;
        self.moved_at = now;
        Some(block)
    }

    /// Bytes have gone to the kernel; whether its peer had read nothing until now.
    pub fn sent(&mut self, now: Micros, bytes: u32) -> bool {
        self.unsent_bytes = self.unsent_bytes.saturating_sub(bytes);
        self.moved_at = now;
        self.pace.moved(bytes);
        std::mem::take(&mut self.is_deaf)
    }

    /// Whether nothing of a piece waits here or in the shell.
    pub fn is_gone(&self, piece: u32) -> bool {
        self.unsent_bytes == 0 && !self.waiting.iter().any(|b| b.piece == piece)
    }

    /// When something moved last.
    pub fn moved_at(&self) -> Micros {
        self.moved_at
    }

    /// Its peer reads nothing.
    pub fn fall_silent(&mut self) {
        self.is_deaf = true;
    }

    /// The pieces of which blocks wait, in that order, some more than once.
    pub fn pieces(&self) -> impl Iterator<Item = u32> {
        self.waiting.iter().map(|b| b.piece)
    }

    /// Turns that it may have at a time.
    pub fn turns_max(&self) -> usize {
        match (self.is_deaf, self.is_crawling()) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => TURNS_OF_ONE_MAX,
        }
    }

    pub fn is_crawling(&self) -> bool {
        self.pace.is_crawling()
    }

    /// It has been unknown for long whether it crawls.
    pub fn is_unjudged(&self) -> bool {
        self.pace.is_unjudged()
    }

    /// A turn of it has lasted so much longer.
    pub fn held(&mut self, us: Micros) {
        self.pace.held(us);
    }

    /// Whether it crawls, if that has changed. `all_bytes`: what all of its kind have moved.
    pub fn judge(&mut self, now: Micros, all_bytes: u64) -> Option<bool> {
        let places = if self.is_across {
            UPLOADS_ACROSS_MAX
        } else {
            UPLOADS_FLAT_MAX
        };
        let has_changed = self.pace.judge(now, all_bytes, places);
        has_changed.then(|| self.is_crawling())
    }

    /// It turns out to be in another rack, or in ours: it is compared with others from now on.
    pub fn move_rack(&mut self, is_across: bool, pace: Pace) {
        self.is_across = is_across;
        self.pace = pace;
    }

    pub fn into_pace(self) -> Pace {
        self.pace
    }
}
