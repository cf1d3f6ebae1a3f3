//! Finding peers: tracker, LSD, DHT, PEX. State machines and codecs, no I/O.
