/**
 * Limits of the tests. They end what hangs and judge nothing: ten times what the slowest of these waits takes on a quiet
 * machine with two cores. What a test measures it reports.
 */

/** For what processes do: start, answer, transfer, boot (30 s at most). */
export const hangMs = 300_000

/** For a virtual machine without KVM to get to its next point (a minute and a half at most). */
export const machineHangMs = 900_000
