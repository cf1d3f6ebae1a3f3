//! The event loop that joins the swarm state machine to sockets and the store.
