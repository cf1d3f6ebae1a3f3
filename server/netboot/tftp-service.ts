/** TFTP in the netboot process: a listener on each of our addresses, all with the same table of files. */
import { formatUrlHost } from '../../src/net.js'
import type { Fact } from '../../src/timeline.js'
import { autoexecName, bareNames, bootPrograms } from './boot-programs.js'
import { autoexecScript } from './ipxe-script.js'
import type { TftpStart } from './messages.js'
import type { NetbootLog, NetbootService } from './service.js'
import { TftpServer, type TftpStats } from './tftp.js'
import type { TftpFile } from './tftp-files.js'

const tftpPort = 69

/** The TFTP server. */
export class TftpService implements NetbootService {
  readonly #start: TftpStart
  readonly #servers: TftpServer[]

  constructor(start: TftpStart, log: NetbootLog, fact: (fact: Fact) => void) {
    this.#start = start
    // Bound to its address, a transfer answers from where it was asked: some firmware drops everything else.
    this.#servers = start.addresses.map(
      (host) => new TftpServer({ host, port: tftpPort, nowMs: () => performance.now(), log, fact }),
    )
    this.setPrograms(start.programs)
  }

  async bind(): Promise<void> {
    for (const server of this.#servers) await server.listen()
  }

  retire(): void {
    for (const server of this.#servers) server.stopListening()
  }

  isBusy(): boolean {
    return this.#servers.some((server) => server.stats().transfers > 0)
  }

  /** Serves these programs, by `ARCH/FILE`, and the script. */
  setPrograms(programs: ReadonlyMap<string, Uint8Array>): void {
    const files = new Map<string, TftpFile>(programs)
    for (const [bare, name] of bareNames) {
      const program = programs.get(name)
      if (program !== undefined) files.set(bare, program)
    }
    const { httpHost, httpPort } = this.#start
    const script: TftpFile = ({ serverAddress }) =>
      Buffer.from(autoexecScript(`${httpHost ?? formatUrlHost(serverAddress)}:${httpPort}`))
    files.set(autoexecName, script)
    for (const { arch } of bootPrograms) files.set(`${arch}/${autoexecName}`, script)
    for (const server of this.#servers) server.setFiles(files)
  }

  stats(): Record<string, number> {
    const sum: Record<string, number> = {}
    for (const server of this.#servers) {
      for (const [name, value] of Object.entries<number>(server.stats() as unknown as Record<string, number>))
        sum[name] = (sum[name] ?? 0) + value
    }
    return sum satisfies Partial<Record<keyof TftpStats, number>>
  }
}
