/** The first thing that a server does when root starts it: it goes on in a mount namespace, if directories are closed to its user. */
import type { LoadedConfig } from '../config/load.js'
import { coveredHere } from './in-namespace.js'
import { makeArtifactsDirs, makeDataDir, makeOpenDir } from './make-dirs.js'
import { prepareNamespace } from './namespace.js'
import { liveInNamespace } from './namespace-process.js'

/**
 * Does not return where a mount namespace is needed and can be made: the server runs there, and this process ends with it. Else
 * gives the reason why the mount namespace that is needed cannot be made, if there is one.
 *
 * @param isDemo its data lies in the data directory, which is not that user's then
 * @param program the server's module, a URL, and what it is started with
 * @throws BootswarmError CONFIG_INVALID for an unknown user or group, DATA_DIR_UNUSABLE
 */
export async function enterNamespace(
  { config, file }: LoadedConfig,
  isDemo: boolean,
  program: string,
  args: readonly string[],
): Promise<string | undefined> {
  if (process.getuid?.() !== 0 || coveredHere() !== undefined) return undefined
  const { artifacts_dir: artifactsDir, data_dir: dataDir, ...rest } = config
  // What is missing could not be mounted.
  if (isDemo) makeOpenDir(dataDir)
  else {
    makeArtifactsDirs(artifactsDir)
    makeDataDir(dataDir)
  }
  const namespace = prepareNamespace({
    ...rest,
    data_dir: dataDir,
    configFile: file,
    ...(isDemo ? {} : { artifacts_dir: artifactsDir }),
  })
  if (namespace === undefined) return undefined
  return 'reason' in namespace ? namespace.reason : await liveInNamespace(namespace, program, args)
}
