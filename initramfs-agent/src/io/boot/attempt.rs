//! One try: manifest, swarm, unpacking, settings.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use super::asking::{Introductions, ask, fetch};
use super::clock;
use super::events::{Data, Log, megabytes};
use super::identity::{self, hex, random};
use super::memory::Free;
use super::monitor::{Monitor, Watched};
use super::mounting::Mounting;
use super::options::Options;
use super::running::Running;
use super::settings;
use super::totals::Totals;
use super::unpacking::Unpacking;
use crate::core::error::{Code, Error, Result};
use crate::core::manifest::{self, Kind, Manifest};
use crate::core::metainfo::{info_dictionary, infohash};
use crate::io::https::Client;
use crate::io::node::{Hashes, Node, NodeConfig, Ports, TorrentConfig, known_hashes};
use crate::io::store::Artifact;
use crate::io::unpack::{TargetRoot, init_of};

/// How many pieces are fetched in order, for the unpacker that follows.
const WINDOW_PIECES: u32 = 32;
/// For the report of the last piece to arrive behind the piece itself.
const REPORT: Duration = Duration::from_secs(2);
const STACK_BYTES: usize = 512 << 10;

/// What all tries of a boot share.
pub struct Context {
    /// What we were told.
    pub options: Options,
    /// Where we tell.
    pub log: Arc<Log>,
    /// For the manifest, origins and trackers.
    pub client: Client,
    /// Whole artifacts of earlier tries whose SHA-256 was right.
    pub kept: Vec<Kept>,
    /// Hashes of pieces by the infohash, as far as earlier tries got them; not those that manifests had.
    pub hashes: Vec<([u8; 20], Hashes)>,
    /// What no try can unpack or start.
    pub refused: Option<Refused>,
    /// How long the last manifest took, microseconds.
    pub server_us: u64,
}

/// An artifact that need not be fetched again.
pub struct Kept {
    infohash: [u8; 20],
    sha256: [u8; 32],
    bytes: Arc<Artifact>,
    /// Where it was handed over, outside of the root that is wiped after a failure.
    file: Option<PathBuf>,
}

/// What a version holds that another try would refuse again: it is not fetched anew, only asked for until there is
/// another.
pub struct Refused {
    version: u64,
    infohashes: Vec<[u8; 20]>,
    error: Error,
}

/// Why a try ended, and when the server wants to hear of us again.
pub struct Failure {
    /// What went wrong.
    pub error: Error,
    /// `Retry-After`.
    pub retry_after_s: Option<u64>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error,
            retry_after_s: None,
        }
    }
}

/// Boots once. On an error the node has been stopped and the root is marked as incomplete.
///
/// # Errors
/// All that can go wrong in a boot.
pub fn run(context: &mut Context) -> std::result::Result<Running, Failure> {
    let id = node_id(&context.options)?;
    let mut config = node_config(&context.options)?;
    // Open before anybody is told of them: those that the server sends to us may come before its answer.
    let ports = Ports::open(&config)?;
    let listening = context
        .options
        .tracker
        .then_some((ports.number(), config.peer_id));
    let asked = Instant::now();
    let manifest = fetch(
        &context.client,
        &context.options,
        context.log.boot(),
        &id,
        listening,
    );
    context.server_us = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
    if manifest.is_err() {
        // No manifest has named another place. Before it came the reporter would open a connection of its own.
        let url = format!("{}/v1/nodes/{id}/events", context.options.server);
        context.log.reporter().set_url(&url);
    }
    let (manifest, introductions) = manifest?;
    config.http = Some(context.client.clone());
    config.server_us = context.server_us;
    config.dht_bootstrap.clone_from(&manifest.dht);
    let node = Node::with_ports(config, ports)?;
    let log = context.log.clone();
    log.reporter().set_url(&manifest.events_url);
    let data = Data::default()
        .number("version", manifest.version)
        .number("artifacts", manifest.artifacts.len() as u64);
    let line = format!(
        "{} of {} boots version {} as {}",
        id, manifest.site, manifest.version, manifest.hostname
    );
    log.event("manifest.verified", data, Some(&line));
    if context.options.set_clock {
        clock::set(manifest.time_s, &log);
    }
    let infohashes: Vec<_> = manifest.artifacts.iter().map(|a| a.infohash).collect();
    if let Some(refused) = &context.refused
        && (refused.version, &refused.infohashes) == (manifest.version, &infohashes)
    {
        return Err(refused.error.clone().into());
    }
    let root = TargetRoot::create(&context.options.target)?;
    let in_memory = root.is_in_memory();
    let stores = stores(&manifest, &mut context.kept, &context.options, in_memory)?;
    let unpacked_bytes = Arc::new(AtomicU64::new(0));
    let totals = Arc::new(Totals::default());
    let hashes = hashes(&manifest, &mut context.hashes);
    let files = Files {
        manifest: &manifest,
        introductions,
        stores: &stores,
        hashes: &hashes,
    };
    let running = start(context, node, files, &id, &unpacked_bytes, &totals)?;
    let mut mounting = Mounting::new(&context.options);
    let mut unpacking = Unpacking {
        root,
        handover: context.options.handover.as_deref(),
        log: &log,
        unpacked_bytes,
    };
    let result = unpack(
        &mut unpacking,
        &mut mounting,
        &manifest,
        &stores,
        &mut context.kept,
    )
    .and_then(|()| find_init(&unpacking.root, &manifest, &context.options))
    .and_then(|()| settings::write(&unpacking.root, &manifest.hostname, &manifest.settings))
    .and_then(|()| unpacking.root.complete());
    if let Err(error) = result {
        running.stop();
        // It may be open in what is to be unmounted.
        drop(unpacking);
        if let Some(mounting) = &mut mounting {
            mounting.undo();
        }
        // Half a root helps nobody, and its memory may be what was missing.
        let _ = TargetRoot::open(&context.options.target).and_then(|root| root.wipe());
        if is_of_the_archive(error.code) {
            context.refused = Some(Refused {
                version: manifest.version,
                infohashes,
                error: error.clone(),
            });
        }
        return Err(error.into());
    }
    let sum = totals.when_done(REPORT);
    let data = Data::default()
        .seconds("seconds", log.elapsed())
        .number("from_peers_bytes", sum.from_peers_bytes)
        .number("from_origin_bytes", sum.from_origin_bytes)
        .number("version", manifest.version);
    let seconds = log.elapsed().as_millis() as u64;
    let line = format!(
        "root complete after {}.{} s: {} from peers and {} from the server",
        seconds / 1000,
        seconds % 1000 / 100,
        megabytes(sum.from_peers_bytes),
        megabytes(sum.from_origin_bytes)
    );
    log.event("boot.completed", data, Some(&line));
    Ok(running)
}

/// Refuses a root in which nothing could be started. One that is handed over is its own business, unless it was to be
/// mounted here.
fn find_init(root: &TargetRoot, manifest: &Manifest, options: &Options) -> Result<()> {
    let is_here = |a: &&manifest::Artifact| {
        a.kind == Kind::Rootfs && (!a.format.is_handed_over() || options.mount.is_some())
    };
    let Some(rootfs) = manifest.artifacts.iter().find(is_here) else {
        return Ok(());
    };
    init_of(root, options.init.as_deref())
        .map(drop)
        .map_err(|error| of_artifact(rootfs, manifest.version, error))
}

/// Whether another try with the same files must end in the same way.
fn is_of_the_archive(code: Code) -> bool {
    matches!(
        code,
        Code::ArchiveMalformed
            | Code::ArchiveUnsupported
            | Code::ArchiveEscapes
            | Code::ArchiveForbiddenEntry
            | Code::ArchiveTooManyEntries
            | Code::RootNoInit
    )
}

/// The error with its artifact, its version and what to do: it is read far from the catalog.
fn of_artifact(artifact: &manifest::Artifact, version: u64, error: Error) -> Error {
    let advice = match error.code {
        Code::ArchiveMalformed => "; put a whole copy of it into the server's artifacts/",
        Code::ArchiveUnsupported
        | Code::ArchiveEscapes
        | Code::ArchiveForbiddenEntry
        | Code::ArchiveTooManyEntries => "; pack it again (docs/unpacking.md)",
        Code::RootNoInit => "; put one into it, or name its own with init= in kernel_args",
        Code::TargetFull => {
            "; set `netboot.root: zram`, make the root a squashfs, or give the node more memory"
        }
        _ => "",
    };
    Error::new(
        error.code,
        format!(
            "{} of version {version}: {}{advice}",
            artifact.name, error.message
        ),
    )
}

/// Who this node is.
///
/// # Errors
/// Those of [`identity::mac`].
pub fn node_id(options: &Options) -> Result<String> {
    match &options.node {
        Some(id) => Ok(id.clone()),
        None => identity::mac(Path::new("/sys/class/net")),
    }
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

/// A place for each artifact: what an earlier try kept, else new memory; in the target's file system where the file
/// itself is what the node gets.
fn stores(
    manifest: &Manifest,
    kept: &mut Vec<Kept>,
    options: &Options,
    in_memory: bool,
) -> Result<Vec<(Arc<Artifact>, bool)>> {
    kept.retain(|k| {
        let mut all = manifest.artifacts.iter();
        let wanted = all.any(|a| a.infohash == k.infohash && a.sha256 == k.sha256);
        if let Some(file) = k.file.as_ref().filter(|_| !wanted) {
            // It would take memory for ever. Another of its name may have its place by now.
            let _ = std::fs::remove_file(file);
        }
        wanted
    });
    let find = |a: &manifest::Artifact| {
        kept.iter()
            .find(|k| a.infohash == k.infohash && a.sha256 == k.sha256)
    };
    if let Some(free) = Free::now() {
        free.check_download(&manifest.artifacts, in_memory, |a| find(a).is_some())?;
    }
    let store = |a: &manifest::Artifact| match find(a) {
        Some(kept) => Ok((kept.bytes.clone(), true)),
        None if a.format.is_handed_over() => {
            let directory = options.handover.as_ref().unwrap_or(&options.target);
            std::fs::create_dir_all(directory)?;
            Ok((Artifact::unnamed(directory, a.size_bytes)?, false))
        }
        None => Ok((Artifact::memory(a.size_bytes)?, false)),
    };
    manifest.artifacts.iter().map(store).collect()
}

/// The hashes of each artifact's pieces: the manifest's, else what an earlier try got, else none yet.
fn hashes(manifest: &Manifest, known: &mut Vec<([u8; 20], Hashes)>) -> Vec<Hashes> {
    known.retain(|(infohash, _)| manifest.artifacts.iter().any(|a| a.infohash == *infohash));
    let hashes = |a: &manifest::Artifact| {
        if let Some(pieces) = &a.pieces {
            return known_hashes(pieces.clone());
        }
        let fits = |pieces: &[u8]| {
            infohash(&info_dictionary(&a.name, a.size_bytes, a.piece_length, pieces)) == a.infohash
        };
        if let Some((_, hashes)) = known.iter().find(|(infohash, _)| a.infohash == *infohash) {
            // Another name or size under the same infohash is for the search to refuse.
            if hashes.get().is_none_or(|pieces| fits(pieces)) {
                return hashes.clone();
            }
        }
        let hashes = Hashes::default();
        known.push((a.infohash, hashes.clone()));
        hashes
    };
    manifest.artifacts.iter().map(hashes).collect()
}

/// What a node is to fetch: each artifact of the manifest with the tracker's answer, its place and its hashes.
struct Files<'a> {
    manifest: &'a Manifest,
    introductions: Introductions,
    stores: &'a [(Arc<Artifact>, bool)],
    hashes: &'a [Hashes],
}

fn start(
    context: &Context,
    mut node: Node,
    files: Files<'_>,
    id: &str,
    unpacked_bytes: &Arc<AtomicU64>,
    totals: &Arc<Totals>,
) -> Result<Running> {
    let options = &context.options;
    let Files {
        manifest,
        mut introductions,
        stores,
        hashes,
    } = files;
    introductions.resize(manifest.artifacts.len(), None);
    let artifacts = manifest.artifacts.iter().zip(introductions);
    let listed = |use_it: bool, urls: &Vec<String>| if use_it { urls.clone() } else { Vec::new() };
    for (((artifact, first_answer), (bytes, have_all)), hashes) in artifacts.zip(stores).zip(hashes) {
        let torrent_url = format!(
            "{}/v1/torrents/{}.torrent",
            options.server,
            hex(&artifact.infohash)
        );
        node.add_torrent(TorrentConfig {
            infohash: artifact.infohash,
            name: artifact.name.clone(),
            piece_length: artifact.piece_length,
            pieces: hashes.clone(),
            torrent_url: options.origin.then_some(torrent_url),
            artifact: bytes.clone(),
            have_all: *have_all,
            origins: listed(options.origin, &artifact.origins),
            seeders: manifest.seeders.clone(),
            trackers: listed(options.tracker, &manifest.trackers),
            // The tracker is still to hear that we have all of it.
            first_answer: first_answer.filter(|_| !have_all),
        })?;
    }
    let watched = manifest
        .artifacts
        .iter()
        .zip(stores)
        .map(|(artifact, (bytes, have_all))| Watched {
            name: artifact.name.clone(),
            artifact: bytes.clone(),
            reported: *have_all,
        });
    let mut monitor = Monitor::new(
        context.log.clone(),
        watched.collect(),
        unpacked_bytes.clone(),
        options.retry_max.is_some(),
        ask(context, manifest, id),
    );
    monitor.set_server(Duration::from_micros(context.server_us));
    let (sender, events) = channel();
    let handle = node.handle();
    let node = node.spawn(sender)?;
    let counted = totals.clone();
    let builder = std::thread::Builder::new()
        .name("monitor".into())
        .stack_size(STACK_BYTES);
    let monitor = builder.spawn(move || monitor.run(&events, &counted))?;
    let artifacts = manifest.artifacts.iter().zip(stores);
    let artifacts = artifacts.map(|(artifact, (bytes, _))| (artifact.name.clone(), bytes.clone()));
    Ok(Running::new(
        handle,
        node,
        monitor,
        totals.clone(),
        artifacts.collect(),
        manifest.version,
    ))
}

fn unpack(
    unpacking: &mut Unpacking<'_>,
    mounting: &mut Option<Mounting>,
    manifest: &Manifest,
    stores: &[(Arc<Artifact>, bool)],
    kept: &mut Vec<Kept>,
) -> Result<()> {
    for (artifact, (bytes, have_all)) in manifest.artifacts.iter().zip(stores) {
        let unpacked = unpacking.run(artifact, bytes);
        unpacked.map_err(|error| of_artifact(artifact, manifest.version, error))?;
        if let Some(mounting) = mounting
            && let Some(root) = mounting.after(artifact)?
        {
            unpacking.root = root;
        }
        if !have_all {
            kept.push(Kept {
                infohash: artifact.infohash,
                sha256: artifact.sha256,
                bytes: bytes.clone(),
                file: unpacking.file_of(artifact),
            });
        }
    }
    Ok(())
}
