/** A network that takes its time: `node delay-proxy.js PORT MS` passes everything on, so much later in each direction. */
import { TcpProxy } from "../test/tcp-proxy.js";

const [port, delayMs] = process.argv.slice(2).map(Number) as [number, number];
const proxy = await TcpProxy.start(port);
proxy.delayMs = delayMs;
process.send?.(proxy.port);
