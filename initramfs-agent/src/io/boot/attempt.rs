//! One try: manifest, swarm, root.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use super::asking::{Introductions, ask, fetch};
use super::clock;
use super::context::{Context, Failure, Refused};
use super::events::{Data, Log, megabytes};
use super::filling::Filling;
use super::identity::{hex, random};
use super::monitor::{Monitor, Watched};
use super::options::Options;
use super::places::Place;
use super::running::Running;
use super::totals::Totals;
use crate::core::error::Result;
use crate::core::manifest::Manifest;
use crate::core::swarm::Progress;
use crate::io::node::{Node, NodeConfig, Ports, TorrentConfig};
use crate::io::unpack::TargetRoot;

/// How many pieces are fetched in order, for the unpacker that follows.
const WINDOW_PIECES: u32 = 32;
/// For the report of the last piece to arrive behind the piece itself.
const REPORT: Duration = Duration::from_secs(2);
const STACK_BYTES: usize = 512 << 10;

/// Boots once. On an error the node has been stopped and the root is marked as incomplete.
///
/// # Errors
/// All that can go wrong in a boot.
pub fn run(context: &mut Context) -> std::result::Result<Running, Failure> {
    let id = context.options.node_id()?;
    let mut config = node_config(&context.options)?;
    // Open before they are announced: peers to which the server names us may connect before its answer is here.
    let ports = Ports::open(&config)?;
    let tracker = context.options.tracker;
    let listening = tracker.then_some((ports.number(), config.peer_id));
    let (manifest, introductions) = fetch_manifest(context, &id, listening)?;
    config.http = Some(context.client.clone());
    config.server_us = context.server_us;
    config.dht_bootstrap.clone_from(&manifest.dht);
    let mut node = Node::with_ports(config, ports)?;
    let log = context.log.clone();
    report_manifest(&log, &id, &manifest);
    if context.options.set_clock {
        clock::set(manifest.time_s, &log);
    }
    let refused = context.refused.as_ref();
    if let Some(error) = refused.and_then(|refused| refused.error_of(&manifest)) {
        return Err(error.into());
    }
    let root = TargetRoot::create(&context.options.target)?;
    let in_memory = root.is_in_memory();
    let places = context.kept.places(&manifest, &context.options, in_memory)?;
    let unpacked_bytes = Arc::new(AtomicU64::new(0));
    let totals = Arc::new(Totals::default());
    add_torrents(&mut node, &context.options, &manifest, introductions, &places)?;
    let monitor = monitor(context, &manifest, &places, &id, &unpacked_bytes);
    let running = start(node, monitor, &manifest, &places, &totals)?;
    context.report_inventory();
    let mut filling = Filling::new(&context.options, &log, root, unpacked_bytes);
    if let Err(error) = filling.run(&manifest, &places, &mut context.kept) {
        running.stop();
        filling.undo();
        if let Some(refused) = Refused::new(&manifest, &error) {
            context.refused = Some(refused);
        }
        return Err(error.into());
    }
    report_complete(&log, manifest.version, &totals.when_done(REPORT));
    Ok(running)
}

/// What a node is, as far as it is known without a manifest.
fn node_config(options: &Options) -> Result<NodeConfig> {
    let mut peer_id = *b"-BW0001-............";
    peer_id[8..].copy_from_slice(&random::<12>()?);
    let mut config = NodeConfig::new(peer_id, u64::from_le_bytes(random()?));
    config.port = options.port;
    config.bind = options.bind;
    config.window_pieces = WINDOW_PIECES;
    config.dht = options.dht;
    config.lsd = options.lsd;
    Ok(config)
}

/// Gets the manifest, and notes how long that took. When it fails, that is reported to the server asked.
fn fetch_manifest(
    context: &mut Context,
    id: &str,
    listening: Option<(u16, [u8; 20])>,
) -> std::result::Result<(Manifest, Introductions), Failure> {
    let asked = Instant::now();
    let fetched = fetch(&context.client, &context.options, &context.log, id, listening);
    context.server_us = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
    if fetched.is_err() {
        // No manifest names another URL. Set before, the reporter would open a second connection during the request.
        let url = format!("{}/v1/nodes/{id}/events", context.options.server);
        context.log.reporter().set_url(&url);
        context.report_inventory();
    }
    fetched
}

fn report_manifest(log: &Log, id: &str, manifest: &Manifest) {
    log.reporter().set_url(&manifest.events_url);
    let data = Data::default()
        .number("version", manifest.version)
        .number("artifacts", manifest.artifacts.len() as u64);
    let line = format!(
        "{} of {} boots version {} as {}",
        id, manifest.site, manifest.version, manifest.hostname
    );
    log.event("manifest.verified", data, Some(&line));
}

fn report_complete(log: &Log, version: u64, sum: &Progress) {
    let data = Data::default()
        .seconds("seconds", log.elapsed())
        .number("from_peers_bytes", sum.from_peers_bytes)
        .number("from_origin_bytes", sum.from_origin_bytes)
        .number("version", version);
    let seconds = log.elapsed().as_millis() as u64;
    let line = format!(
        "root complete after {}.{} s: {} from peers and {} from the server",
        seconds / 1000,
        seconds % 1000 / 100,
        megabytes(sum.from_peers_bytes),
        megabytes(sum.from_origin_bytes)
    );
    log.event("boot.completed", data, Some(&line));
}

/// Has the node fetch and seed each artifact of the manifest, with what the tracker has said of its swarm.
fn add_torrents(
    node: &mut Node,
    options: &Options,
    manifest: &Manifest,
    mut introductions: Introductions,
    places: &[Place],
) -> Result<()> {
    introductions.resize(manifest.artifacts.len(), None);
    let artifacts = manifest.artifacts.iter().zip(introductions);
    let listed = |use_it: bool, urls: &Vec<String>| if use_it { urls.clone() } else { Vec::new() };
    for ((artifact, first_answer), place) in artifacts.zip(places) {
        let torrent_url = format!(
            "{}/v1/torrents/{}.torrent",
            options.server,
            hex(&artifact.infohash)
        );
        node.add_torrent(TorrentConfig {
            infohash: artifact.infohash,
            name: artifact.name.clone(),
            piece_length: artifact.piece_length,
            pieces: place.hashes.clone(),
            torrent_url: options.origin.then_some(torrent_url),
            artifact: place.bytes.clone(),
            have_all: place.is_whole,
            origins: listed(options.origin, &artifact.origins),
            seeders: manifest.seeders.clone(),
            trackers: listed(options.tracker, &manifest.trackers),
            // The tracker must still hear that we have all of it.
            first_answer: first_answer.filter(|_| !place.is_whole),
        })?;
    }
    Ok(())
}

fn monitor(
    context: &Context,
    manifest: &Manifest,
    places: &[Place],
    id: &str,
    unpacked_bytes: &Arc<AtomicU64>,
) -> Monitor {
    let artifacts = manifest.artifacts.iter().zip(places);
    let watched = artifacts.map(|(artifact, place)| Watched {
        name: artifact.name.clone(),
        artifact: place.bytes.clone(),
        reported: place.is_whole,
    });
    let mut monitor = Monitor::new(
        context.log.clone(),
        watched.collect(),
        unpacked_bytes.clone(),
        context.options.retry_max.is_some(),
        ask(context, manifest, id),
    );
    monitor.set_server(Duration::from_micros(context.server_us));
    monitor
}

/// Starts the threads of the node and its monitor.
fn start(
    node: Node,
    monitor: Monitor,
    manifest: &Manifest,
    places: &[Place],
    totals: &Arc<Totals>,
) -> Result<Running> {
    let (sender, events) = channel();
    let handle = node.handle();
    let node = node.spawn(sender)?;
    let counted = totals.clone();
    let builder = std::thread::Builder::new()
        .name("monitor".into())
        .stack_size(STACK_BYTES);
    let monitor = builder.spawn(move || monitor.run(&events, &counted))?;
    let artifacts = manifest.artifacts.iter().zip(places);
    let artifacts = artifacts.map(|(artifact, place)| (artifact.name.clone(), place.bytes.clone()));
    Ok(Running::new(
        handle,
        node,
        monitor,
        totals.clone(),
        artifacts.collect(),
        manifest.version,
    ))
}
