//! Leaves the unwind tables out of the released agent. Tests unwind, so only the release profile does without.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=no-unwind.ld");
    let gnu = std::env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "gnu");
    if gnu && std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        let dir = std::env::var("CARGO_MANIFEST_DIR").unwrap();
        println!("cargo:rustc-link-arg-bin=bootswarm-agent=-Wl,-T,{dir}/no-unwind.ld");
    }
}
