"""A libtorrent peer that has nothing, wants nothing and tells its neighbours of one another (BEP 11).

libtorrent_pex.py TORRENT DIRECTORY PORT PEER_PORT     prints "ready" when it is connected to PEER_PORT
"""
import sys
import time

import libtorrent as lt

torrent, directory, port, peer = sys.argv[1:]
session = lt.session({
    "listen_interfaces": f"127.0.0.1:{port}",
    "enable_outgoing_utp": False, "enable_incoming_utp": False,
    "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
    "out_enc_policy": 2, "in_enc_policy": 2, "allow_multiple_connections_per_ip": True,
    # Two peers that have nothing for each other shall stay connected.
    "close_redundant_connections": False,
})
params = lt.add_torrent_params()
params.ti = lt.torrent_info(torrent)
params.save_path = directory
params.flags |= lt.torrent_flags.upload_mode
params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
handle = session.add_torrent(params)
handle.connect_peer(("127.0.0.1", int(peer)))
while not handle.status().num_peers:
    time.sleep(0.02)
print("ready", flush=True)
while True:
    time.sleep(3600)
