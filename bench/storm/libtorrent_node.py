"""libtorrent as a baseline of `npm run bench:storm`: one process for each node, in the node's namespace.

libtorrent_node.py fetch TORRENT DIRECTORY ADDRESS:PORT TRACKER        prints "done", then seeds until it is killed
libtorrent_node.py seed|super TORRENT DIRECTORY ADDRESS:PORT TRACKER   also runs the tracker; prints "ready"

Tuned as a farm would tune it: no uTP, no encryption, no discovery, many uploads, no rate limits.
"""
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import sample
from urllib.parse import parse_qs, urlparse

import libtorrent as lt

mode, torrent, directory, listen, tracker = sys.argv[1:]
peers = set()


class Tracker(BaseHTTPRequestHandler):
    """Names up to 50 random peers, as stock trackers do."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        query = parse_qs(urlparse(self.path).query, encoding="latin-1")
        own = bytes(int(part) for part in self.client_address[0].split("."))
        own += int(query["port"][0]).to_bytes(2, "big")
        peers.add(own)
        others = [peer for peer in list(peers) if peer != own]
        chosen = b"".join(sample(others, min(50, len(others))))
        body = b"d8:intervali5e12:min intervali2e5:peers%d:%se" % (len(chosen), chosen)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if mode != "fetch":
    address = urlparse(tracker)
    server = ThreadingHTTPServer((address.hostname, address.port), Tracker)
    threading.Thread(target=server.serve_forever, daemon=True).start()

session = lt.session({
    "listen_interfaces": listen, "outgoing_interfaces": listen.split(":")[0],
    "enable_outgoing_utp": False, "enable_incoming_utp": False,
    "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
    "out_enc_policy": 2, "in_enc_policy": 2,
    "unchoke_slots_limit": 8, "choking_algorithm": 0, "connections_limit": 1000,
    "torrent_connect_boost": 50, "connection_speed": 500, "smooth_connects": False,
    "mixed_mode_algorithm": 0, "rate_limit_ip_overhead": False,
    "hashing_threads": 1, "aio_threads": 1, "min_announce_interval": 2,
})
params = lt.add_torrent_params()
params.ti = lt.torrent_info(torrent)
params.save_path = directory
params.trackers = [tracker]
params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
if mode != "fetch":
    params.flags |= lt.torrent_flags.seed_mode
if mode == "super":
    params.flags |= lt.torrent_flags.super_seeding
handle = session.add_torrent(params)
while not handle.status().is_seeding:
    session.wait_for_alert(200)
    session.pop_alerts()
print("done" if mode == "fetch" else "ready", flush=True)
while True:
    time.sleep(3600)
