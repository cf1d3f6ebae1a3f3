/** IPMI 2.0 by ipmitool, which has the cipher suites and the workarounds for controllers of twenty years. */
import { onPath } from '../../host/tools.js'
import type { ActionKind } from './action-run.js'
import { runCommand } from './command.js'
import type { IpmiTarget } from './ways.js'

/** @throws Error that says how to get it */
export function checkIpmitool(): void {
  if (onPath('ipmitool')) return
  throw new Error('ipmitool is not installed on the server: apt-get install ipmitool')
}

/** Wakes or reboots, by the tool of {@link checkIpmitool}. A machine that is off cannot be reset: it is switched on. */
export async function controlByIpmi(
  action: ActionKind,
  target: IpmiTarget,
  password: string,
  ended: AbortSignal,
): Promise<void> {
  const power = (word: string) => runCommand(ipmitool(target, password, word), ended)
  const isOff = action === 'reboot' && isPowerOff(await power('status'))
  await power(action === 'wake' || isOff ? 'on' : 'reset')
}

/** The password is in the environment of the process, which its own user alone can read; arguments are everybody's. */
function ipmitool({ host, port, user }: IpmiTarget, password: string, word: string) {
  const where = ['-I', 'lanplus', '-H', host, '-p', String(port), '-U', user, '-E']
  return { argv: ['ipmitool', ...where, 'chassis', 'power', word], env: { IPMI_PASSWORD: password } }
}

/** By what `chassis power status` prints: `Chassis Power is off`. */
function isPowerOff(status: string): boolean {
  return /\bpower is off\b/i.test(status)
}
