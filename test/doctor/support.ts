/** The real doctor in a network of its own, beside real DHCP servers, as a process with its exit code and JSON. */

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import type { Finding } from '../../doctor/finding.js'
import { NetbootSite } from '../server/netboot/support.js'
import { end } from '../support/processes.js'
import { checkout } from '../support/scratch.js'

/** What the doctor printed. */
export interface Diagnosis {
  readonly exit: number
  readonly ok: boolean
  readonly findings: readonly (Finding & { readonly check: string })[]
  readonly left_out: readonly string[]
  /** The finding of a code. */
  of(code: string): Finding | undefined
  codes(severity?: string): string[]
}

const script = join(checkout, 'dist', 'cli', 'bootswarm.js')

/** A site with the bridge `lan0`, the server's address on it, and a machine `site` for the DHCP server of others. */
export class Clinic {
  readonly place: NetbootSite

  private constructor(place: NetbootSite) {
    this.place = place
    place.wire.client('site', '52:54:00:00:00:aa')
    place.wire.run('site', 'ip', 'address', 'add', '10.77.0.2/24', 'dev', 'eth0')
  }

  /** Undefined without root. */
  static make(t: TestContext, netboot = '{mode: proxy, interfaces: [lan0]}', extra = ''): Clinic | undefined {
    const place = NetbootSite.make(t, netboot, extra)
    return place === undefined ? undefined : new Clinic(place)
  }

  /** dnsmasq as a DHCP server, in the machine `site` or another. */
  async dnsmasq(
    t: TestContext,
    flags: readonly string[] = [],
    where = 'site',
    range = '10.77.0.100,10.77.0.110',
  ): Promise<void> {
    const files = [
      `--dhcp-leasefile=${this.place.site.dir}/${where}.leases`,
      '--pid-file=',
      '--conf-file=/dev/null',
    ]
    const all = [
      '--no-daemon',
      '--port=0',
      '--user=root',
      '--no-ping',
      `--dhcp-range=${range},1h`,
      ...files,
      ...flags,
    ]
    const [program = '', ...args] = this.place.wire.command(where, 'dnsmasq', ...all)
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    t.after(() => end(child, 'SIGKILL'))
    for await (const line of createInterface(child.stderr)) {
      if (/IP range/.test(line)) break
    }
  }

  /** A program that holds a UDP port of the server's machine; its process id. */
  async hold(t: TestContext, port: number): Promise<number> {
    const code = `require('dgram').createSocket('udp4').bind(${port}, () => console.log('bound'))`
    const [program = '', ...args] = this.place.wire.command('server', process.execPath, '-e', code)
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    t.after(() => end(child, 'SIGKILL'))
    await once(child.stdout, 'data')
    return child.pid ?? 0
  }

  /** Runs the doctor in the server's namespace. */
  doctor(...args: string[]): Promise<Diagnosis> {
    return this.doctorAs([], ...args)
  }

  /**
   * The same with more and more patience, until something holds of what it found: what answers late on a busy machine is
   * not missing. The last diagnosis, for the test to look at.
   */
  async doctorUntil(holds: (found: Diagnosis) => boolean, ...args: string[]): Promise<Diagnosis> {
    for (const timeoutS of [1, 4]) {
      const found = await this.doctor(...args, '--timeout-s', `${timeoutS}`)
      if (holds(found)) return found
    }
    return this.doctor(...args, '--timeout-s', '30')
  }

  /** The same behind another program, such as `setpriv`. */
  doctorAs(wrapper: readonly string[], ...args: string[]): Promise<Diagnosis> {
    const { wire, site } = this.place
    const flags = ['doctor', '--json', '--config', site.config, '--address', '10.77.0.1', '--timeout-s', '1']
    // Unlike nsenter, `ip netns exec` brings the namespace's own /sys with it.
    const namespace = wire.command('server')[1]?.split('/').at(-1) ?? ''
    const command = [...wrapper, process.execPath, script, ...flags, ...args]
    const rest = ['netns', 'exec', namespace, ...command]
    return new Promise((resolve, reject) => {
      execFile('ip', rest, { cwd: site.dir }, (error, stdout, stderr) => {
        const exit = error === null ? 0 : Number(error.code)
        if (!stdout.startsWith('{')) return reject(new Error(`exit code ${exit}: ${stderr}${stdout}`))
        const report = JSON.parse(stdout) as Omit<Diagnosis, 'exit' | 'of' | 'codes'>
        resolve({
          ...report,
          exit,
          of: (code) => report.findings.find((found) => found.code === code),
          codes: (severity) =>
            report.findings
              .filter((found) => severity === undefined || found.severity === severity)
              .map(({ code }) => code),
        })
      })
    })
  }
}
