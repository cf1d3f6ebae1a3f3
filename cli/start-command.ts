/** `bootswarm start`: the server, which reads its flags from `process.argv` and lives until a signal ends it. */

/** Becomes the server. */
export async function main(args: readonly string[]): Promise<number> {
  process.argv.splice(2, process.argv.length, ...args)
  await import('../server/main.js')
  return Number(process.exitCode ?? 0)
}
