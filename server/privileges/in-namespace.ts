/** What a server that lives in a mount namespace knows of it. */

let covered: readonly string[] | undefined

/** This process lives in a mount namespace in which these directories show only a part. */
export function moveIn(directories: readonly string[]): void {
  covered = directories
}

/** The directories of which only a part is seen; undefined outside of a mount namespace. */
export function coveredHere(): readonly string[] | undefined {
  return covered
}
