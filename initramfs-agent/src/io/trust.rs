//! Trust anchors: CA and manifest key.
