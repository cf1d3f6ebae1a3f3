//! A small HTTP/1.1 client over rustls.
