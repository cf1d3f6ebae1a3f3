//! Simulates a storm of booting nodes in virtual time: `swarm-sim --nodes 500 --racks 21 --seed 1`.

use bootswarm_sim::{Hostility, Layout, Moment, SimConfig, run_watched};

const USAGE: &str = "swarm-sim [--nodes N] [--racks N] \
[--topology SIZES|line:SIZES|tree:WAYS:SIZES] [--payload-mb MB] [--piece-kib KIB] [--link-mbit MBIT] [--uplink-mbit MBIT] \
[--latency-us US] [--arrival-ms MS] [--seed N] [--kill 5%] [--slow 5%] [--corrupt N] [--corrupt-kind wrong|silent] \
[--server-gone-after-copy] [--no-https] [--no-manifest] [--chains-untold] [--timeline-ms MS] [--json]

SIZES: nodes of each rack, as 6,24,48 or 21x24. Their uplinks lead to the core; with line: each rack is behind the one \
before, with tree: up to WAYS racks are behind each, and the server knows unless --chains-untold.";

/// What the command line says.
struct Arguments {
    cfg: SimConfig,
    json: bool,
    /// Virtual time between two lines about the run on standard error; 0: none.
    timeline_us: u64,
}

fn parse(args: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut cfg = SimConfig {
        payload_bytes: 13_000_000,
        ..SimConfig::default()
    };
    let (mut nodes, mut racks, mut topology) = (500, 1, None);
    let mut json = false;
    let mut timeline_us = 0;
    let mut args = args.peekable();
    while let Some(name) = args.next() {
        match name.as_str() {
            "--json" => json = true,
            "--server-gone-after-copy" => cfg.server_gone_after_copy = true,
            "--no-https" => cfg.https = false,
            "--no-manifest" => cfg.manifest = false,
            "--chains-untold" => cfg.chains_told = false,
            _ => {
                let text = args.next().ok_or_else(|| format!("{name}: a value is missing"))?;
                if name == "--corrupt-kind" {
                    cfg.hostility = match text.as_str() {
                        "wrong" => Hostility::Wrong,
                        "silent" => Hostility::Silent,
                        _ => return Err(format!("{name}: {text}?")),
                    };
                    continue;
                }
                if name == "--topology" {
                    topology = Some(Layout::parse(&text).ok_or_else(|| format!("{name}: {text}?"))?);
                    continue;
                }
                let value: f64 = text
                    .trim_end_matches('%')
                    .parse()
                    .map_err(|_| format!("{name}: {text}?"))?;
                if !value.is_finite() || value < 0.0 {
                    return Err(format!("{name}: {text}?"));
                }
                match name.as_str() {
                    "--nodes" => nodes = (value as usize).clamp(1, 60_000),
                    "--racks" => racks = value as usize,
                    "--payload-mb" => cfg.payload_bytes = (value * 1e6).max(1.0) as u64,
                    "--piece-kib" => cfg.piece_length = ((value as u32) << 10).clamp(16 << 10, 4 << 20),
                    "--link-mbit" => cfg.link_bits = (value * 1e6).max(1000.0) as u64,
                    "--uplink-mbit" => cfg.uplink_bits = (value * 1e6).max(1000.0) as u64,
                    "--latency-us" => cfg.latency_us = value as u64,
                    "--arrival-ms" => cfg.arrival_us = (value * 1000.0) as u64,
                    "--timeline-ms" => timeline_us = (value * 1000.0) as u64,
                    "--seed" => cfg.seed = value as u64,
                    "--kill" => cfg.kill_percent = value.min(100.0),
                    "--slow" => cfg.slow_percent = value.min(100.0),
                    "--corrupt" => cfg.corrupt = value as usize,
                    _ => return Err(format!("{name}: unknown\n{USAGE}")),
                }
            }
        }
    }
    cfg.layout = topology.unwrap_or_else(|| Layout::even(nodes, racks));
    Ok(Arguments {
        cfg,
        json,
        timeline_us,
    })
}

fn main() {
    if std::env::args().any(|arg| arg == "--help") {
        println!("{USAGE}");
        return;
    }
    match parse(std::env::args().skip(1)) {
        Ok(args) => {
            if args.timeline_us > 0 {
                eprintln!("{}", Moment::HEADER);
            }
            let report = run_watched(&args.cfg, args.timeline_us, |m| eprintln!("{}", m.row()));
            if args.json {
                println!("{}", report.json())
            } else {
                print!("{}", report.text())
            }
            if report.failed > 0 {
                std::process::exit(1);
            }
        }
        Err(problem) => {
            eprintln!("{problem}");
            std::process::exit(2);
        }
    }
}
