/** webtorrent wants a chunk store (abstract-chunk-store); nothing may ever reach it. */
export class UnusedStore {
  constructor(readonly chunkLength: number) {}

  get(_index: number, _options: object, done: (error: Error) => void): void {
    done(new Error('the store is not used'))
  }

  put(_index: number, _chunk: Uint8Array, done: (error: Error) => void): void {
    done(new Error('the store is read-only'))
  }

  close(done: (error: null) => void): void {
    done(null)
  }

  destroy(done: (error: null) => void): void {
    done(null)
  }
}
