/** The commands that ask a running server. */
import type { Flag } from '../../src/command-line.js'
import { roles } from '../../src/roles.js'
import { eventSources } from '../../src/timeline.js'
import type { Outline } from '../outline.js'

const help: Flag = { name: 'help', description: 'this text' }
const json: Flag = { name: 'json', description: 'print JSON' }
const dryRun: Flag = { name: 'dry-run', description: 'say what would be done, and do nothing' }
const watch: Flag = { name: 'watch', description: 'show it again every two seconds, on a terminal' }

/** Which server, and who asks. */
const connection: readonly Flag[] = [
  { name: 'data-dir', value: 'DIR', description: 'data directory of the server on this machine' },
  { name: 'config', value: 'FILE', description: 'its configuration, which names the data directory' },
  { name: 'server', value: 'URL', description: 'server on another machine: https://HOST:8444' },
  { name: 'token-file', value: 'FILE', description: 'file with the token for it' },
  { name: 'ca', value: 'FILE', description: "the site's CA (ca.pem of the server's data/trust)" },
  {
    name: 'fingerprint',
    value: 'SHA256',
    description: "SHA-256 of the server's key, as `bootswarm status` shows it there",
  },
]
const common = [...connection, help]

const where: Flag = {
  name: 'where',
  value: 'KEY=VALUE,...',
  description:
    'only nodes with this state, cause, rack, text, or vendor, product, serial, uuid, pci, mac of the machine; several are possible, but of text',
}
const nodesText = [
  'NODES is a hostlist of identities, host names or MACs: rig[001-240], or aa:bb:cc:dd:ee:ff. --where narrows it down:',
  '--where state=failed,rack=r7 or pci=10de:*. A key that is named twice means either value.',
]

const actionText = [
  'The server does it, whoever watches: `bootswarm action list` shows what runs, `bootswarm action stop ID` ends it.',
]
/** How an action goes through its nodes. */
const paces: readonly Flag[] = [
  { name: 'batch', value: 'N', description: 'so many at a time; the next ones when these are done' },
  { name: 'pause', value: 'TIME', description: 'between two batches: 30s, 5m' },
  { name: 'max-failures', value: 'N', description: 'stop when so many have failed' },
]

/** `bootswarm status`. */
export const statusOutline: Outline = {
  name: 'status',
  summary: 'how the running server and its nodes are',
  flags: [json, watch, ...common],
}

/** `bootswarm node ...`. */
export const nodeOutline: Outline = {
  name: 'node',
  summary:
    'the nodes of the running server: list, show, why, events, label, approve, drain, next-boot, wake, reboot, forget',
  flags: [],
  parts: [
    {
      name: 'list',
      summary: 'all nodes, or some, and machines that are none yet',
      words: '[NODES]',
      details: nodesText,
      flags: [
        where,
        {
          name: 'sort',
          value: 'COLUMN',
          description: 'id, rack, state, last_seen_ms ...; -COLUMN: the last first',
        },
        json,
        watch,
        ...common,
      ],
    },
    {
      name: 'show',
      summary: 'all that is known of nodes',
      words: 'NODES',
      details: nodesText,
      flags: [where, json, ...common],
    },
    {
      name: 'why',
      summary: 'where their newest boots stopped',
      words: '[NODES]',
      details: [...nodesText, 'Without both: those that stopped.'],
      flags: [where, json, ...common],
    },
    {
      name: 'events',
      summary: 'what happened to nodes',
      words: '[NODES]',
      details: [
        'NODES is a hostlist of identities, host names or MACs: rig[001-240]. Without it: all, and what the server did.',
      ],
      flags: [
        { name: 'follow', short: 'f', description: 'go on with what comes' },
        {
          name: 'last',
          short: 'n',
          value: 'N',
          description: 'begin with the newest N of each node (default: 50)',
        },
        { name: 'since', value: 'TIME', description: 'begin with all since then: 10m, 2h, 2026-11-30 12:00' },
        {
          name: 'source',
          value: eventSources.join('|'),
          description: 'only events of these sources, with commas',
        },
        { name: 'type', value: 'TYPE,...', description: 'only these types: boot.failed,dhcp.refused' },
        { name: 'boot', value: 'BOOT', description: 'only this boot: 16 hex digits' },
        { name: 'mac', value: 'MAC', description: 'only this machine, also before it was a node' },
        json,
        ...common,
      ],
    },
    {
      name: 'label',
      summary: 'put a label on nodes',
      words: '[NODES] [TEXT]',
      details: nodesText,
      flags: [{ name: 'clear', description: 'take the label away' }, where, dryRun, json, ...common],
    },
    {
      name: 'approve',
      summary: 'let nodes or machines boot, whatever `admit` says',
      words: '[NODES]',
      details: [...nodesText, 'Those that wait: --where cause=NOT_ADMITTED.'],
      flags: [{ name: 'revoke', description: 'let them boot no more' }, where, dryRun, json, ...common],
    },
    {
      name: 'drain',
      summary: 'let nodes boot no more: those that run go on until they are switched off',
      words: '[NODES]',
      details: nodesText,
      flags: [
        { name: 'reason', value: 'TEXT', description: 'why, for its screen and for other operators' },
        { name: 'clear', description: 'let them boot again' },
        where,
        dryRun,
        json,
        ...common,
      ],
    },
    {
      name: 'next-boot',
      summary: 'what nodes boot once, at their next boot only',
      words: '[NODES]',
      details: [...nodesText, 'It is shown in `node list` and `node show` until a boot takes it.'],
      flags: [
        { name: 'profile', value: 'PROFILE,...', description: 'these profiles, over all that it has' },
        { name: 'rootfs', value: 'FILE', description: 'this root file system; * stands for anything' },
        { name: 'local-disk', description: "the machine's own disk" },
        { name: 'shell', description: "iPXE's shell; after exit it boots as always" },
        { name: 'clear', description: 'as always' },
        where,
        dryRun,
        json,
        ...common,
      ],
    },
    {
      name: 'wake',
      summary: 'switch nodes on',
      words: '[NODES]',
      details: [...nodesText, ...actionText],
      flags: [...paces, where, dryRun, json, ...common],
    },
    {
      name: 'reboot',
      summary: 'switch nodes off and on, by what `power` says in the configuration',
      words: '[NODES]',
      details: [...nodesText, ...actionText],
      flags: [...paces, where, dryRun, json, ...common],
    },
    {
      name: 'forget',
      summary: 'forget nodes or machines, their events, and what operators said of them',
      words: '[NODES]',
      details: [...nodesText, 'A node that speaks again is a new one.'],
      flags: [where, dryRun, json, ...common],
    },
  ],
}

/** `bootswarm action ...`. */
export const actionOutline: Outline = {
  name: 'action',
  summary: "actions at nodes' power that the server does: list, follow, stop",
  flags: [],
  parts: [
    { name: 'list', summary: 'those that run, and the last ones', flags: [json, ...common] },
    { name: 'follow', summary: 'show one until it is over', words: 'ID', flags: [json, ...common] },
    {
      name: 'stop',
      summary: 'let no other node have its turn',
      words: 'ID',
      flags: [dryRun, json, ...common],
    },
  ],
}

/** `bootswarm token ...`. */
export const tokenOutline: Outline = {
  name: 'token',
  summary: "tokens for the operators' port: new, list, revoke",
  flags: [],
  parts: [
    {
      name: 'new',
      summary: 'make one, and print it this once',
      flags: [
        { name: 'role', value: roles.join('|'), description: 'what it may do' },
        { name: 'name', value: 'TEXT', description: 'whose it is, for people' },
        dryRun,
        json,
        ...common,
      ],
    },
    { name: 'list', summary: 'all, revoked ones too', flags: [json, ...common] },
    { name: 'revoke', summary: 'let it in no more', words: 'ID', flags: [dryRun, json, ...common] },
  ],
}

/** `bootswarm audit`. */
export const auditOutline: Outline = {
  name: 'audit',
  summary: 'who changed what at the running server',
  flags: [
    { name: 'last', short: 'n', value: 'N', description: 'the newest N (default: 50)' },
    json,
    ...common,
  ],
}
