/** The kernel by HTTP or the payload by HTTPS again and again, as fast as it comes, over many connections. */
import { target, words } from '../client/attacker.js'
import { requestForever } from '../client/requests.js'

const [scheme = 'http', number = '1'] = words
const path = scheme === 'http' ? target.bootPath : target.artifactPath
requestForever(scheme === 'http' ? 'http' : 'https', Number(number), () => ({ path }))
