/** Where a value stands in the configuration: the names of keys and the indexes of lists. */
export type ConfigPath = readonly (string | number)[]

/** A mistake that shows only when parts of the configuration are put together. */
export interface ConfigMistake {
  readonly path: ConfigPath
  /** `expected …`, or what is wrong in a sentence. */
  readonly message: string
}
