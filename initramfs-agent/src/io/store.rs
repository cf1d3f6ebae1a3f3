//! Where the bytes of an artifact lie: a memfd or a file.
