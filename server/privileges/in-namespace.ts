/** What a server that lives in a room knows of it. */

let covered: readonly string[] | undefined

/** This process lives in a room in which these directories show only a part. */
export function moveIn(directories: readonly string[]): void {
  covered = directories
}

/** The directories of which only a part is seen; undefined outside of a room. */
export function coveredHere(): readonly string[] | undefined {
  return covered
}
