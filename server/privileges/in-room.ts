/** What a server that lives in a room knows of the outside. Empty for every other server. */

/** How the process outside hands signals in. */
export type SignalListener = (signal: NodeJS.Signals) => void

let covered: readonly string[] | undefined
let listener: SignalListener | undefined

/** This process lives in a room in which these directories show only a part. */
export function moveIn(directories: readonly string[]): void {
  covered = directories
}

/** The directories of which only a part is seen; undefined outside of a room. */
export function coveredHere(): readonly string[] | undefined {
  return covered
}

/** Who is told of signals from outside. Without one they do to this process what they do to any. */
export function onOutsideSignal(next: SignalListener): void {
  listener = next
}

/** A signal has come from outside. */
export function signalFromOutside(signal: NodeJS.Signals): void {
  if (listener !== undefined) listener(signal)
  else process.kill(process.pid, signal)
}
