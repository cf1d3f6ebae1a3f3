//! From kernel command line to an unpacked root.
