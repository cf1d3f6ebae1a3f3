"""Counts what crosses one network interface, for `npm run bench:start`, by the other side's address and our service.

link_count.py INTERFACE PORT=SERVICE...   prints "ready"; at the end of its standard input it prints the counts as JSON

Bytes are those of the wire: each frame with preamble, checksum and gap (24 bytes). Large segments that the kernel would
cut only at the card are counted as the frames that they become.
"""
import json
import select
import socket
import struct
import sys

SEGMENT_BYTES = 1448
FRAME_BYTES = 24

interface, *pairs = sys.argv[1:]
services = {int(port): name for port, name in (pair.split("=") for pair in pairs)}
sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
sniffer.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
sniffer.bind((interface, 0))
counts = {}
seen = {}


def note(frame, outgoing):
    if frame[12:14] != b"\x08\x00":
        return add("-", "other", outgoing, len(frame) + FRAME_BYTES, 1, 0, False, 0, False)
    head = (frame[14] & 15) * 4
    length, protocol = struct.unpack(">H", frame[16:18])[0], frame[23]
    peer = socket.inet_ntoa(frame[30:34] if outgoing else frame[26:30])
    at = 14 + head
    if protocol != 6:
        port = struct.unpack(">H", frame[at:at + 2] if outgoing else frame[at + 2:at + 4])[0]
        return add(peer, f"udp {port}", outgoing, 14 + length + FRAME_BYTES, 1, length - head - 8, False, 0, False)
    source, target, sequence = struct.unpack(">HHI", frame[at:at + 8])
    head += (frame[at + 12] >> 4) * 4
    flags, payload = frame[at + 13], length - head
    frames = max(1, -(-payload // SEGMENT_BYTES))
    service = services.get(source if outgoing else target, "other")
    again = False
    if payload:
        key = (peer, source, target)
        end = (sequence + payload) & 0xFFFFFFFF
        newest = seen.get(key)
        again = newest is not None and ((end - newest - 1) & 0xFFFFFFFF) > 0x7FFFFFFF
        if not again:
            seen[key] = end
    wire = payload + frames * (14 + head + FRAME_BYTES)
    add(peer, service, outgoing, wire, frames, payload, again, flags & 2, not payload and not flags & 7)


def add(peer, service, outgoing, wire, frames, payload, again, syn, bare):
    row = counts.setdefault((peer, service, "out" if outgoing else "in"), [0, 0, 0, 0, 0, 0])
    for index, value in enumerate((wire, frames, payload, payload if again else 0, bool(syn), bare)):
        row[index] += value


print("ready", flush=True)
NAMES = ("bytes", "packets", "payload_bytes", "repeated_bytes", "connections", "bare_acks")
while True:
    readable, _, _ = select.select([sniffer, sys.stdin], [], [])
    if sniffer in readable:
        data, address = sniffer.recvfrom(128)
        note(data, address[2] == 4)
    elif sys.stdin in readable:
        break
print(json.dumps([
    {"peer": peer, "service": service, "direction": direction, **dict(zip(NAMES, row))}
    for (peer, service, direction), row in sorted(counts.items())
]))
