/** The real server in a network of its own, and real DHCP clients there. */
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import Sqlite from 'better-sqlite3'
import { hangMs } from '../../support/limits.js'
import { end } from '../../support/processes.js'
import { Wire } from '../../support/wire.js'
import { type Daemon, mainFile, Site } from '../main/support.js'

/** What a client was given, by the names of its own hook script. */
export type Given = Readonly<Record<string, string>>

/** What became of the machines of a storm. */
export type StormResult = Readonly<Record<'done' | 'addresses' | 'retries' | 'median' | 'last', number>>

/** A server with its network. */
export class NetbootSite {
  readonly wire: Wire
  readonly site: Site

  private constructor(wire: Wire, site: Site) {
    this.wire = wire
    this.site = site
  }

  /** Makes it; undefined without root. `netboot` is the YAML of that section. */
  static make(
    t: TestContext,
    netboot: string,
    extra = '',
    address = '10.77.0.1/24',
  ): NetbootSite | undefined {
    const wire = Wire.make(t, address)
    if (wire === undefined) return undefined
    const site = new Site(`netboot: ${netboot}\n${extra}`)
    t.after(() => site.end())
    site.command = wire.command('server', process.execPath, mainFile)
    return new NetbootSite(wire, site)
  }

  /** Starts the server; resolves when it is ready. */
  async start(...args: string[]): Promise<Daemon> {
    const daemon = this.site.start('--address', '10.77.0.1', ...args)
    await daemon.line('server.ready')
    return daemon
  }

  /** `/v1/status` of the running server. */
  status(daemon: Daemon): {
    netboot: {
      mode: string
      running: boolean
      restarts: number
      services: Record<string, Record<string, number>>
    }
  } {
    const url = `http://127.0.0.1:${daemon.ports().http}/v1/status`
    return JSON.parse(this.wire.server('curl', '--silent', '--fail', url))
  }

  /** Busybox’s udhcpc on `eth0`: takes a lease, sets the address, and ends. Fails without a lease. */
  udhcpc(client: string, ...flags: string[]): Given {
    const hook = this.#hook('$1', 'bound', 'ip address flush dev eth0; ip address add "$ip/$mask" dev eth0')
    const args = ['-i', 'eth0', '-n', '-q', '-f', '-t', '60', '-T', '1', '-A', '1', '-s', hook.script]
    this.wire.run(client, 'busybox', 'udhcpc', ...args, ...flags)
    return hook.read()
  }

  /** ISC’s dhclient, until it has a lease. In the foreground: in the background it names its pid at some later time. */
  async dhclient(client: string): Promise<Given> {
    const hook = this.#hook('$reason', 'BOUND', 'ip address add "$new_ip_address/24" dev eth0')
    const file = (name: string) => join(this.site.dir, `dhclient-${client}.${name}`)
    writeFileSync(file('conf'), `timeout ${hangMs / 1000}; initial-interval 1;\n`)
    const files = ['-cf', file('conf'), '-lf', file('leases'), '-pf', file('pid'), '-sf', hook.script]
    const [program = '', ...args] = this.wire.command(client, 'dhclient', '-4', '-1', '-d', ...files, 'eth0')
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    const patience = setTimeout(() => child.kill('SIGKILL'), hangMs)
    try {
      let bound = false
      // It says so after its hook has ended.
      for await (const line of createInterface(child.stderr)) {
        bound = line.startsWith('bound to')
        if (bound) break
      }
      assert.ok(bound, 'dhclient has a lease')
    } finally {
      clearTimeout(patience)
      await end(child, 'SIGKILL')
    }
    return hook.read()
  }

  /**
   * Many firmwares at once (storm-client.ts), from a client that has the address 10.77.0.200. With a file, which must
   * be `x64/snponly.efi`, each loads it too.
   */
  async storm(client: string, nodes: number, spreadMs: number, file?: string): Promise<StormResult> {
    const script = fileURLToPath(new URL('./storm-client.js', import.meta.url))
    const args = [
      script,
      String(nodes),
      String(spreadMs),
      '10.77.0.200',
      ...(file === undefined ? [] : [file]),
    ]
    const [program = '', ...rest] = this.wire.command(client, process.execPath, ...args)
    // Not synchronous: the daemon waits when nobody reads its log.
    return JSON.parse((await promisify(execFile)(program, rest)).stdout)
  }

  /**
   * So many mutated messages to each DHCP port (flood-client.ts), or to those of TFTP (flood-tftp.ts); how many datagrams
   * were sent.
   */
  async flood(what: 'dhcp' | 'tftp', client: string, count: number): Promise<number> {
    const name = what === 'dhcp' ? './flood-client.js' : './flood-tftp.js'
    const script = fileURLToPath(new URL(name, import.meta.url))
    const args = [script, '10.77.0.200', '10.77.0.1', String(count), '10.77.0.201']
    const [program = '', ...rest] = this.wire.command(client, process.execPath, ...args)
    return Number((await promisify(execFile)(program, rest)).stdout)
  }

  /** How many leases the database has. */
  leases(): number {
    const db = new Sqlite(join(this.site.data, 'bootswarm.sqlite'), { readonly: true })
    try {
      return (db.prepare('SELECT count(*) AS n FROM leases').get() as { n: number }).n
    } finally {
      db.close()
    }
  }

  /** Starts a program in a namespace that runs until the test ends; resolves at its first words. */
  async background(t: TestContext, client: string, ...command: string[]): Promise<void> {
    const [program = '', ...args] = this.wire.command(client, ...command)
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    t.after(() => end(child, 'SIGKILL'))
    await Promise.race([once(child.stdout, 'data'), once(child.stderr, 'data')])
  }

  /** The process that listens on a UDP port in the server's namespace. */
  ownerOf(port: number): number {
    return Number(/pid=(\d+)/.exec(this.wire.server('ss', '-Hlnpu', `sport = :${port}`))?.[1])
  }

  #hook(reason: string, bound: string, configure: string): { script: string; read(): Given } {
    const out = join(this.site.dir, `given-${Math.random().toString(16).slice(2)}`)
    const script = `${out}.sh`
    const lines = ['#!/bin/sh', `[ "${reason}" = ${bound} ] || exit 0`, configure, `env > ${out}`]
    writeFileSync(script, `${lines.join('\n')}\n`)
    chmodSync(script, 0o755)
    return {
      script,
      read: () =>
        Object.fromEntries(
          readFileSync(out, 'utf8')
            .split('\n')
            .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
        ),
    }
  }
}
