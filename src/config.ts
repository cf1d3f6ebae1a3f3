/**
 * The schema of the configuration: every value, its default and what it means. The published JSON schema,
 * the variables, the flags, their help and docs/configuration.md all come from here.
 */

import { isIP } from 'node:net'
import { z } from 'zod'
import { admitModes } from './admit.js'
import { kernelArgs, netbootSchema, rootPlace } from './config-netboot.js'
import { powerSchema } from './config-power.js'
import { artifactKeys, groupsSchema, profileNames, profilesSchema } from './config-profiles.js'
import { hostlist, printableName as name, relayId, settings } from './config-values.js'
import { hostnamePattern, tellsApart } from './hostname-pattern.js'
import { isCidr } from './net.js'
import { ticketModes } from './tickets.js'

const port = (value: number, what: string) =>
  z.int().min(0).max(65_535).default(value).describe(`${what}; 0 takes a free one`)
const path = (value: string, what: string) => z.string().min(1).max(4096).default(value).describe(what)
const moduleName = z.string().regex(/^[A-Za-z0-9_-]{1,60}$/, 'expected the name of a kernel module')

const rack = z.strictObject({
  name: name.describe('name of the rack'),
  subnets: z
    .array(z.string().refine(isCidr, 'expected a subnet such as 10.1.2.0/24 or fd00::/64'))
    .default([])
    .describe('subnets whose nodes are in it'),
  nodes: hostlist.optional().describe('hostlist of identities that are in it, whatever their address'),
  relay_ids: z
    .array(relayId)
    .max(1024)
    .optional()
    .describe(
      'circuit or remote identities of its switch (DHCP option 82): text, or 0x and hex digits; * at the end',
    ),
  behind: name
    .optional()
    .describe('rack that its switch hangs behind; without it, its switch hangs at the server'),
})

const node = z
  .strictObject({
    match: hostlist.describe('hostlist of the identities that it is for'),
    profile: profileNames.optional().describe('profiles, over those of its groups; later ones win'),
    hostname: hostnamePattern
      .optional()
      .describe(
        'host name of the node; by default its identity. For several with {index}, {index:3}, {mac} or {serial}',
      ),
    ...artifactKeys,
    kernel_args: kernelArgs
      .optional()
      .describe('kernel parameters, after `netboot.kernel_args` and profiles'),
    rack: name.optional().describe('its rack, before `racks` and its subnet'),
    root: rootPlace.optional().describe('in place of `netboot.root`'),
    power: powerSchema.optional().describe('how it is switched off and on'),
    settings: settings.default({}).describe('environment, over the `settings` of all nodes'),
  })
  .refine(({ hostname, match }) => hostname === undefined || tellsApart(hostname) || !/[,[]/.test(match), {
    path: ['hostname'],
    message: 'expected {index}, {mac} or {serial} in it for several nodes: a host name belongs to one',
  })

/** The schema of one configuration file. */
export const configSchema = z
  .strictObject({
    site: name.default('bootswarm').describe('name of the installation'),
    data_dir: path('./data', 'keys, database and trust files are kept here'),
    artifacts_dir: path('./artifacts', 'directory with rootfs/, plugins/ and boot/'),
    database: path('bootswarm.sqlite', 'SQLite file, relative to data_dir'),
    address: z
      .string()
      .refine((value) => value === 'auto' || isIP(value) !== 0, 'expected an IP address or auto')
      .default('auto')
      .describe(
        'IP address that nodes reach the server by; auto: the first that leads to nodes, also when it changes',
      ),
    bind: z
      .string()
      .refine((value) => isIP(value) !== 0, 'expected an IP address')
      .default('0.0.0.0')
      .describe('IP address to listen on; :: for IPv6 and IPv4'),
    user: z
      .string()
      .max(64)
      .default('')
      .describe(
        'user to become when started as root; empty: bootswarm if there is one, else nobody, where that user can run it; root: stay root',
      ),
    group: z
      .string()
      .max(64)
      .default('')
      .describe('group to become when started as root; empty: that of the user'),
    http: section({ port: port(8480, 'TCP port of HTTP: tracker, torrents, boot files') }),
    https: section({ port: port(8443, 'TCP port of HTTPS: manifests, artifacts, events') }),
    seeder: section({ port: port(6881, 'TCP port of the BitTorrent seeder') }),
    dht: section({
      enabled: z.boolean().default(true).describe('run the private DHT bootstrap node'),
      port: port(6881, 'UDP port of the DHT node'),
    }),
    operators: section({
      enabled: z
        .boolean()
        .default(true)
        .describe("serve the operators' API over HTTPS; the Unix socket in data_dir is always there"),
      port: port(8444, "TCP port of the operators' API, HTTPS"),
      bind: z
        .string()
        .refine((value) => value === '' || isIP(value) !== 0, 'expected an IP address')
        .default('')
        .describe("IP address that the operators' API listens on; empty: that of `bind`"),
    }),
    lsd: section({
      enabled: z.boolean().default(true).describe('announce on the LAN by multicast (BEP 14)'),
    }),
    netboot: netbootSchema.prefault({}),
    stage1: section({
      nics: z
        .array(moduleName)
        .max(256)
        .default(['r8169', 'e1000e', 'e1000', 'igb', 'igc', 'tg3', 'alx', 'atl1c', 'virtio_net'])
        .describe('network drivers that `image stage1` packs, with all that they need'),
      modules: z.array(moduleName).max(256).default([]).describe('more kernel modules for stage 1'),
    }),
    origin: section({
      streams_max: z.int().min(1).max(10_000).default(16).describe('artifact streams over HTTPS at once'),
      retry_after_s: z
        .int()
        .min(1)
        .max(3600)
        .default(2)
        .describe('seconds that a refused node is told to wait'),
    }),
    seeding: section({
      calm_s: z
        .int()
        .min(0)
        .max(7 * 24 * 3600)
        .default(900)
        .describe(
          'seconds with hardly a node in mid-boot after which booted nodes give the memory of their artifacts back; 0: they seed on',
        ),
      keep_per_rack: z
        .int()
        .min(0)
        .max(1000)
        .default(2)
        .describe('nodes of each rack that keep seeding after that, for later boots'),
      keep_min: z
        .int()
        .min(0)
        .max(10_000)
        .default(4)
        .describe('nodes that keep seeding after that, in all racks together'),
    }),
    versions: section({
      keep: z.int().min(0).max(1000).default(3).describe('old catalog versions to keep'),
    }),
    log: section({
      level: z
        .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
        .default('info')
        .describe('lowest level to log'),
      format: z
        .enum(['auto', 'pretty', 'json'])
        .default('auto')
        .describe('pretty for people, json for machines, auto: pretty on a terminal'),
    }),
    admit: z
      .enum(admitModes)
      .default('any')
      .describe(
        'machines that may boot: any; known: that the configuration names, that have booted before, or that an operator approved; approved: the same without those that have booted before',
      ),
    tickets: z
      .enum(ticketModes)
      .default('optional')
      .describe(
        'nodes that were not started by the server’s own boot script (an iPXE of the site’s own, a stage 1 of before): optional: they boot; required: they get no manifest',
      ),
    racks: z.array(rack).max(4096).default([]).describe('racks by subnet or node; others: their /24 or /64'),
    settings: settings.default({}).describe('environment of every node'),
    profiles: profilesSchema
      .default({})
      .describe('what kinds of nodes get, by name; default is for every node'),
    groups: groupsSchema
      .default([])
      .describe('nodes that get profiles and host names together; later ones win'),
    nodes: z.array(node).max(4096).default([]).describe('values for single nodes; later entries win'),
  })
  .superRefine((config, context) => {
    const tcp = [config.http.port, config.https.port, config.seeder.port]
    if (config.https.port !== 0 && config.https.port === config.http.port) {
      context.addIssue({
        code: 'custom',
        path: ['https', 'port'],
        message: 'expected another than http.port',
      })
    } else if (config.seeder.port !== 0 && tcp.indexOf(config.seeder.port) < 2) {
      context.addIssue({
        code: 'custom',
        path: ['seeder', 'port'],
        message: 'expected another than http.port and https.port',
      })
    } else if (
      config.operators.enabled &&
      config.operators.port !== 0 &&
      tcp.includes(config.operators.port)
    ) {
      context.addIssue({
        code: 'custom',
        path: ['operators', 'port'],
        message: 'expected another than http.port, https.port and seeder.port',
      })
    }
  })

/** A whole configuration: every value is there. */
export type Config = z.output<typeof configSchema>

/** The published JSON schema (docs/config.schema.json), draft 2020-12. */
export function configJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(configSchema, { io: 'input' })
  return { ...schema, title: 'bootswarm.yaml' }
}

/** A part with keys of its own, which may be left out as a whole. */
function section<T extends z.ZodRawShape>(shape: T) {
  return z.strictObject(shape).prefault({} as never)
}
