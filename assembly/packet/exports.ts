/** What the host needs of the packet: loading, devices, metadata. */
export { packetData, packetLength, packetLoadSkb, packetLoadXdp, packetReset, packetSetMetadata, publish } from "./buffer";
export { clearDevices, setDevice } from "./devices";
export { tunnelReceive } from "./tunnel";
