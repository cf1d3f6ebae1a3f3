/** `bootswarm doctor`: runs the checks, all at once, and prints what they found. */

import { complain, printText } from '../host/console.js'
import { readInterfaces } from '../host/interfaces.js'
import { loadConfig } from '../server/config/load.js'
import { BootswarmError, type ErrorCode } from '../src/errors.js'
import { checks } from './checks.js'
import { doctorFlags, doctorHelp, readFlags } from './doctor-flags.js'
import { formatJson, formatText, isBad, makeReport } from './print.js'
import { surveySite } from './survey.js'

const usageCodes: readonly ErrorCode[] = ['CONFIG_INVALID', 'CONFIG_UNKNOWN_KEY', 'CONFIG_UNREADABLE']

/**
 * Runs the doctor; 0 if nothing stops a boot, 1 if something does, 2 for a wrong configuration.
 *
 * @throws BootswarmError USAGE_INVALID
 */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const loaded = loadConfig({
      argv: args,
      env: process.env,
      cwd: process.cwd(),
      interfaces: readInterfaces(),
      extraFlags: doctorFlags,
    })
    if (loaded.flags.has('help')) {
      printText(doctorHelp())
      return 0
    }
    const { json, wanted, ...flags } = readFlags(loaded.flags)
    const site = await surveySite({ config: loaded.config, ...flags })
    const chosen = checks.filter(({ name }) => wanted.includes(name))
    const report = makeReport(await Promise.all(chosen.map((check) => check.run(site))))
    printText(json ? formatJson(report) : formatText(report, process.stdout.isTTY === true))
    return isBad(report) ? 1 : 0
  } catch (error) {
    if (!(error instanceof BootswarmError) || !usageCodes.includes(error.code)) throw error
    complain(`${error.code}: ${error.message}`)
    return 2
  }
}
