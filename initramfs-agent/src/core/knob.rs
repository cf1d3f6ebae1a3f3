//! knobs
use std::sync::OnceLock;
use std::collections::BTreeMap;
pub fn knob(name: &str, default: f64) -> f64 {
    static K: OnceLock<BTreeMap<String, f64>> = OnceLock::new();
    let k = K.get_or_init(|| std::env::vars().filter_map(|(a, b)| Some((a, b.parse().ok()?))).collect());
    k.get(name).copied().unwrap_or(default)
}
