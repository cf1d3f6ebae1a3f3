// webtorrent imports these three names; undefined means "this platform has no WebRTC", which is what a
// boot server wants. The real package downloads a native library when it is installed.
export const RTCPeerConnection = undefined
export const RTCSessionDescription = undefined
export const RTCIceCandidate = undefined
export default {}
