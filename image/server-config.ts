/** The configuration of the server that images are made for, read as the server reads it. */
import { readInterfaces } from '../host/interfaces.js'
import { type LoadedConfig, loadConfig } from '../server/config/load.js'

/** Reads `bootswarm.yaml`, or the file that is named, and the variables BOOTSWARM_*. */
export function loadSite(configFile?: string): LoadedConfig {
  return loadConfig({
    argv: configFile === undefined ? [] : ['--config', configFile],
    env: process.env,
    cwd: process.cwd(),
    interfaces: readInterfaces(),
  })
}
