"""libtorrent as a contestant of `npm run bench:agent`: one torrent, one task, then out.

libtorrent_client.py fetch TORRENT DIRECTORY PORT PEER_PORT [PEER_PORT ...]
libtorrent_client.py seed TORRENT DIRECTORY PORT      prints "ready", ends on SIGTERM

Tuned as a farm would tune it: no uTP, no encryption, no discovery, many uploads, no rate limits.
"""
import sys
import time

import libtorrent as lt

mode, torrent, directory, port, *peers = sys.argv[1:]
session = lt.session({
    "listen_interfaces": f"127.0.0.1:{port}",
    "enable_outgoing_utp": False, "enable_incoming_utp": False,
    "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
    "out_enc_policy": 2, "in_enc_policy": 2,
    "allow_multiple_connections_per_ip": True,
    "unchoke_slots_limit": 100, "choking_algorithm": 0, "connections_limit": 1000,
    "max_out_request_queue": 1000, "max_allowed_in_request_queue": 4000,
    "send_buffer_watermark": 4 << 20, "send_buffer_watermark_factor": 150, "send_buffer_low_watermark": 1 << 20,
    "torrent_connect_boost": 50, "connection_speed": 500, "smooth_connects": False,
    "mixed_mode_algorithm": 0, "rate_limit_ip_overhead": False,
    "hashing_threads": 2, "aio_threads": 4,
})
params = lt.add_torrent_params()
params.ti = lt.torrent_info(torrent)
params.save_path = directory
params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
if mode == "seed":
    params.flags |= lt.torrent_flags.seed_mode
handle = session.add_torrent(params)
if mode == "seed":
    while not handle.status().is_seeding:
        time.sleep(0.01)
    print("ready", flush=True)
    while True:
        time.sleep(3600)
for peer in peers:
    handle.connect_peer(("127.0.0.1", int(peer)))
while not handle.status().is_seeding:
    time.sleep(0.005)
