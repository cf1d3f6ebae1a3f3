/** The attacks: what one client, or a few, can do to a farm. Each is a program of `attackers/` with its words. */

/** One attack. */
export interface Attack {
  readonly name: string
  /** What the client does, in a line. */
  readonly about: string
  /** File of `attackers/` without its ending. */
  readonly program: string
  readonly words: readonly string[]
  /** From so many addresses. */
  readonly addresses: number
  /** While the disk of the server's data directory is full. */
  readonly isDiskFull?: boolean
}

/** Addresses that an attacker has at most: as many as the tracker names peers of the own rack. */
export const ADDRESSES_MAX = 23

type Row = readonly [name: string, about: string, addresses: number, command: string]

const http: readonly Row[] = [
  [
    'http-pipeline',
    'requests the kernel again and again over 4 connections and reads no answer',
    1,
    'http-pipeline',
  ],
  ['http-silent', 'holds 4,096 connections to HTTP and is silent', 1, 'hold http silent 4096'],
  ['http-half-header', 'holds 4,096 connections to HTTP with half a header', 1, 'hold http half-header 4096'],
  [
    'http-slow-body',
    'posts to HTTP, a byte every 4 s, over 4,096 connections',
    1,
    'hold http slow-body 4096',
  ],
  ['http-slow-reader', 'reads the kernel at 20 KiB/s over 64 connections', 4, 'slow-reader http 64'],
  ['http-fast-reader', 'reads the kernel as fast as it can over 64 connections', 4, 'fast-reader http 64'],
  ['torrents', 'requests a torrent over 64 connections as fast as it can', 4, 'requests torrents 64'],
  [
    'announces',
    'announces invented peers and many infohashes over 64 connections',
    4,
    'requests announces 64',
  ],
  ['scrapes', 'scrapes 64 infohashes at a time over 64 connections', 4, 'requests scrapes 64'],
  ['reports', 'posts unverified reports with escape sequences over 64 connections', 4, 'requests reports 64'],
]

const https: readonly Row[] = [
  [
    'tls-hang-up',
    'requests the artifact six times at once and hangs up, from six addresses',
    6,
    'tls-hang-up',
  ],
  ['tls-silent', 'holds 4,096 connections to HTTPS and is silent', 1, 'hold https silent 4096'],
  [
    'tls-half-hello',
    'holds 4,096 connections to HTTPS with half a ClientHello',
    4,
    'hold https half-hello 4096',
  ],
  [
    'tls-unfinished',
    'holds 4,096 connections to HTTPS without the end of the handshake',
    4,
    'hold https whole-hello 4096',
  ],
  ['tls-idle', 'holds 512 TLS connections and requests nothing', 4, 'hold-tls silent 512'],
  ['tls-half-header', 'holds 512 TLS connections with half a header', 4, 'hold-tls half-header 512'],
  ['tls-slow-body', 'posts over 512 TLS connections, a byte every 4 s', 4, 'hold-tls slow-body 512'],
  [
    'tls-big-body',
    'holds 512 TLS connections with all but the end of a body of 64 KB',
    4,
    'hold-tls big-body 512',
  ],
  ['tls-slow-reader', 'reads the artifact at 20 KiB/s over 64 TLS connections', 4, 'slow-reader https 64'],
  [
    'tls-fast-reader',
    'reads the artifact as fast as it can over 64 TLS connections',
    4,
    'fast-reader https 64',
  ],
  ['tls-hellos', 'begins handshakes and drops them at the answer, 64 at a time', 4, 'begin https plain 64'],
  ['tls-tickets', 'does the same with forged session tickets', 4, 'begin https ticket 64'],
  ['status', 'requests the status over 64 connections as fast as it can', 4, 'requests status 64'],
  [
    'manifests',
    'requests manifests of invented nodes, compressed, over 64 connections',
    4,
    'requests manifests 64',
  ],
  [
    'events',
    'posts events of real and invented nodes with escape sequences over 64 connections',
    4,
    'requests events 64',
  ],
]

const swarm: readonly Row[] = [
  ['seeder-silent', 'holds 8,500 connections to the seeder and is silent', 1, 'hold seeder silent 8500'],
  [
    'seeder-handshakes',
    'holds 8,192 connections to the seeder after its handshake',
    4,
    'hold seeder handshake 8192',
  ],
  ['seeder-agents', 'the same under names of agents', 4, 'hold seeder agent-handshake 2048'],
  [
    'seeder-half-message',
    'holds 2,048 connections to the seeder with half a message',
    4,
    'hold seeder half-message 2048',
  ],
  [
    'seeder-encryption',
    'begins encrypted handshakes and drops them at the answer, 64 at a time',
    4,
    'begin seeder encryption 64',
  ],
  [
    'seeder-rejects',
    'requests pieces while choked and reads no reject',
    4,
    'greedy-peer seeder rejects 8 -XX0001-',
  ],
  [
    'seeder-grants',
    'requests pieces under names of agents and reads nothing',
    4,
    'greedy-peer seeder rejects 8',
  ],
  [
    'seeder-requests',
    'requests pieces as a stock client and reads nothing',
    4,
    'greedy-peer seeder requests 8 -XX0001-',
  ],
  [
    'seeder-metadata',
    'requests the hashes of the pieces without end and reads nothing',
    4,
    'greedy-peer seeder metadata 8',
  ],
  [
    'seeder-news',
    'sends HAVE, suggest, request, cancel and interest without end',
    4,
    'greedy-peer seeder news 8',
  ],
  ['seeder-extensions', 'sends extension handshakes without end', 4, 'greedy-peer seeder extensions 8'],
  ['agent-silent', 'holds 256 silent connections to each agent', 4, 'hold agents silent 256'],
  [
    'agent-handshakes',
    'holds 256 connections to each agent after its handshake',
    4,
    'hold agents agent-handshake 256',
  ],
  ['agent-requests', 'requests pieces of each agent and reads nothing', 4, 'greedy-peer agents requests 8'],
  [
    'agent-metadata',
    'requests the hashes of each agent without end and reads nothing',
    4,
    'greedy-peer agents metadata 8',
  ],
  [
    'agent-news',
    'sends each agent HAVE, suggest, cancel and interest without end',
    4,
    'greedy-peer agents news 8',
  ],
  ['silent-claims', '23 peers claim every piece and send nothing', 23, 'claimers silent'],
  ['slow-claims', '23 peers have every piece and send 0.26 MB/s each', 23, 'claimers slow'],
  ['pex-claims', '23 peers name 200 peers that are not there, again and again', 23, 'claimers pex'],
  ['dht-flood', 'sends the server 4,000 DHT queries a second', 4, 'dht-flood server 4000'],
  ['agent-dht-flood', 'sends the agents 4,000 DHT queries a second', 4, 'dht-flood agents 4000'],
  ['lsd-flood', 'sends 500 local announcements a second', 4, 'lsd-flood 500'],
]

const netboot: readonly Row[] = [
  ['boot-queue', '16 invented machines take turns and read their kernels at 20 KiB/s', 4, 'boot-queue 16'],
  ['scripts', 'requests scripts of invented machines over 64 connections', 4, 'requests scripts 64'],
  [
    'tftp-requests',
    'requests the boot program 500 times a second and acknowledges nothing',
    4,
    'tftp-requests 500',
  ],
  ['dhcp-leases', 'takes leases for 300 invented machines a second', 1, 'dhcp-leases 300'],
  ['dhcp-flood', 'sends 2,000 DISCOVERs of invented machines a second', 1, 'dhcp-flood 67 2000'],
  ['pxe-flood', 'sends 2,000 questions a second to the PXE port', 1, 'dhcp-flood 4011 2000'],
]

const several: readonly Row[] = [['churn', 'connects to each TCP port and closes at once', 4, 'churn']]

const attack = ([name, about, addresses, command]: Row): Attack => {
  const [program = '', ...words] = command.split(' ')
  return { name, about, addresses, program, words }
}

/** All of them, by port. */
export const attacks: readonly Attack[] = [
  ...[...http, ...https].map(attack),
  {
    ...attack(['events-full-disk', 'posts events while the disk is full', 4, 'requests events 64']),
    isDiskFull: true,
  },
  ...[...swarm, ...netboot, ...several].map(attack),
]
