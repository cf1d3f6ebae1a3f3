//! The agent's executable: see `bootswarm_agent::cli`.

fn main() {
    // Only paths could be other than UTF-8; what is not is replaced, so that such a path is not found.
    let arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    std::process::exit(bootswarm_agent::cli::main(&arguments));
}
