/** What is known of the machine's means; types only. Undefined: could not be read. */

/** Means and limits. */
export interface MachineFacts {
  /** Bytes of all files in artifacts/. */
  readonly artifactsBytes: number
  /** Of the file systems that hold them. */
  readonly artifactsDisk: DiskFacts | undefined
  readonly dataDisk: DiskFacts | undefined
  /** MemAvailable of /proc/meminfo, bytes. */
  readonly memoryBytes: number | undefined
  /** Hard limit of open files: of the running server, else of this process. */
  readonly filesMax: number | undefined
  readonly inotifyWatchesMax: number | undefined
  readonly inotifyInstancesMax: number | undefined
  /** net.core.rmem_max, bytes. */
  readonly receiveBytesMax: number | undefined
  /** Undefined where nothing is tracked. */
  readonly conntrack: { readonly max: number; readonly count: number } | undefined
  /** net.ipv4.neigh.default.gc_thresh3. */
  readonly neighboursMax: number | undefined
  /** The newest time of a file that the server wrote, ms since 1970. */
  readonly newestFileMs: number | undefined
  /** Whether a time server sets the clock; undefined if unknown. */
  readonly isClockSynced: boolean | undefined
}

/** A file system. */
export interface DiskFacts {
  readonly path: string
  readonly freeBytes: number
  readonly freeInodes: number
  /** Of the kind that has no inodes to run out of. */
  readonly hasInodes: boolean
  readonly device: number
}
