//! The agent's executable: see `bootswarm_agent::cli`.

fn main() {
    // Arguments that are not UTF-8 would be paths only; they are taken as nearly as text can have them.
    let arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    std::process::exit(bootswarm_agent::cli::main(&arguments));
}
