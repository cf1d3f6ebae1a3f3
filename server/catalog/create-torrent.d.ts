/** create-torrent ships no types; these are the parts that are used. */
declare module 'create-torrent' {
  interface Options {
    readonly name: string
    readonly pieceLength: number
    /** `[]` for none: left out, eight public trackers are added. */
    readonly announceList: readonly (readonly string[])[]
    readonly creationDate: Date
    readonly onProgress?: (doneBytes: number, totalBytes: number) => void
  }
  export default function createTorrent(
    path: string,
    options: Options,
    done: (error: Error | null, torrent: Uint8Array) => void,
  ): void
}
